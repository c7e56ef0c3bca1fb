//! The most of everything that is accepted from an input, each with its reason.
//!
//! An archive from a stranger may claim anything. What no image has is refused
//! before it costs memory or time; all that remains is bounded by the bytes that
//! were really sent. The numbers stand together here, so that one can see what the
//! promise is; `README.md` has the same table, and `tests/it/limits.rs` compares
//! the two. Sizes of buffers, and limits of what is written, are no part of it.

/// The most bytes that a document may have. Registries and engines stop at 4 to
/// 20 MiB; a config of that size would already be absurd.
pub const DOCUMENT_MAX: u64 = 32 * 1024 * 1024;

/// The most bytes that all documents of an input may have together: they are held
/// in memory while the input is read.
pub const DOCUMENTS_MAX: u64 = 128 * 1024 * 1024;

/// The most values that a document may have: each takes some hundreds of bytes while
/// it is parsed. Ten thousand descriptors have some hundred thousand.
pub const VALUES_MAX: usize = 200_000;

/// How deep the values of a document may be nested. Known fields have six levels, and Go
/// stops at 10,000; each level takes stack while it is parsed.
pub const VALUE_DEPTH_MAX: usize = 127;

/// The most descriptors that one document may list, layers among them, and the most
/// tags, each of which becomes one. Engines stack 125 to 500 layers.
pub const DESCRIPTORS_MAX: usize = 10_000;

/// How deep indexes may be nested. Two levels occur.
pub const NESTING_MAX: usize = 8;

/// The most members that an archive may have. An archive of images has some four a
/// layer; a tar with more is a root filesystem, or meant to exhaust memory.
pub const MEMBERS_MAX: usize = 100_000;

/// The longest path of a member that a document may name. Linux has none longer.
pub const MEMBER_PATH_MAX: usize = 4096;

/// How many links may be followed one after the other to a member of an archive, as
/// in Linux.
pub const MEMBER_LINKS_MAX: usize = 40;

/// The most bytes that a PAX header or a GNU long name may have, as in Go's reader.
pub const EXTENSION_MAX: u64 = 1024 * 1024;

/// The most that all of them together may have before one member, their own
/// blocks included, so that empty ones do not go on for ever either.
///
/// That is one PAX header of the greatest size and all that can reasonably stand
/// beside it: a name and a link, of which no system takes more than 4 KiB.
pub const EXTENSIONS_MAX: u64 = 2 * EXTENSION_MAX;

/// The most segments that the map of a sparse file may have. What packs layers
/// writes a few, and each is held in memory: this many make 1 MiB.
pub const SEGMENTS_MAX: usize = 65_536;

/// The longest path of an entry. Linux stops at 4,096 bytes for one call, and
/// no file system goes further; a path many times as long only costs memory.
pub const PATH_MAX: usize = 64 * 1024;

/// The most components that a path may have: as many as fit into the longest path
/// that Linux takes. Each of them may be a directory that nothing else mentions.
pub const DEPTH_MAX: usize = 2048;

/// The longest target of a symbolic link, as on Linux.
pub const TARGET_MAX: usize = 4095;

/// The most bytes that the attributes of one entry may have. Linux allows 64 KiB for
/// each, and most file systems no more for all of them; and a name and a link have to
/// fit beside them into an extended header that readers take.
pub const ATTRIBUTES_MAX: usize = 512 * 1024;

/// The most bytes that the value of one attribute may have, as on Linux.
pub const ATTRIBUTE_MAX: usize = 64 * 1024;

/// The most entries that the layers may have, and directories that these imply. Each
/// costs a record in memory; the largest images have a tenth of it.
pub const ENTRIES_MAX: u64 = 10_000_000;

/// The most bytes that names, targets and attributes of all entries may have, which
/// are held in memory: fifty for each of the most entries. A header of some bytes,
/// compressed, may claim a megabyte.
pub const RETAINED_BYTES_MAX: u64 = 512 << 20;

/// The most bytes of holes that sparse files may have. They are written as zeros,
/// since engines cannot do otherwise (`docker save` fails on sparse entries), and a
/// header of some bytes may claim exabytes.
pub const HOLES_MAX: u64 = 64 << 30;

/// As many symbolic links may lie on one path, as on Linux.
pub const SYMLINKS_MAX: usize = 40;

/// How many components the targets of symbolic links may add to the paths of a layer.
pub const LINK_COMPONENTS_MAX: u64 = 1_000_000;

/// How many more of them for each entry: some links lie on many paths, and are short.
pub const DETOURS_PER_ENTRY: u64 = 16;

/// The largest zstd window that is accepted, as a power of two: 128 MiB, the most
/// that `zstd --ultra` writes without `--long`. The format's own limit is 3.75 TiB,
/// and a decoder must hold the window in memory.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The memory that an xz stream may claim: `xz -9` needs 65 MiB to unpack.
pub const XZ_MEMORY_MAX: u64 = 128 * 1024 * 1024;

/// To how many bytes any stream may unpack, however few its own are: as many as
/// sparse files may have holes. A file of zeros that somebody left in a layer makes
/// such a stream, and it works in every engine.
pub const UNPACKED_MAX: u64 = 64 << 30;

/// To how many times its own bytes a stream may unpack beyond that: as many as gzip
/// can. zstd, xz and bzip2 go tens of times further, and only with bytes that are
/// all the same. So the time that a stream takes is bound by the bytes that it has.
pub const UNPACKED_RATIO_MAX: u64 = 1032;
