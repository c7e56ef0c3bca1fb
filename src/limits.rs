//! The most of everything that is accepted from an input, each with its reason.
//!
//! An archive from a stranger may claim anything. What no image has is refused
//! before it costs memory or time; all that remains is bounded by the bytes that
//! were really sent. A blob is never read further than its declared size, and a zstd
//! frame never unpacked further than its own. Sizes of buffers, and limits of what is
//! written, are not listed here.
//!
//! | limited | at most | constant |
//! | --- | --- | --- |
//! | a document: config, manifest, index, `manifest.json` | 32 MiB | [`DOCUMENT_MAX`] |
//! | all documents of an input together | 128 MiB | [`DOCUMENTS_MAX`] |
//! | values in a document | 200,000 | [`VALUES_MAX`] |
//! | values within values | 127 | [`VALUE_DEPTH_MAX`] |
//! | layers of an image, tags, descriptors in a document | 10,000 | [`DESCRIPTORS_MAX`] |
//! | indexes in indexes | 8 | [`NESTING_MAX`] |
//! | members of an archive | 100,000 | [`MEMBERS_MAX`] |
//! | the path of a member of an archive | 4 KiB | [`MEMBER_PATH_MAX`] |
//! | links on the way to a member | 40 | [`MEMBER_LINKS_MAX`] |
//! | a PAX header, a GNU long name | 1 MiB | [`EXTENSION_MAX`] |
//! | all of those before one member | 2 MiB | [`EXTENSIONS_MAX`] |
//! | segments of a sparse file | 65,536 | [`SEGMENTS_MAX`] |
//! | the path of an entry | 64 KiB | [`PATH_MAX`] |
//! | components of a path | 2,048 | [`DEPTH_MAX`] |
//! | the target of a symbolic link, in bytes | 4,095 | [`TARGET_MAX`] |
//! | one extended attribute | 64 KiB | [`ATTRIBUTE_MAX`] |
//! | the extended attributes of an entry | 512 KiB | [`ATTRIBUTES_MAX`] |
//! | entries of all layers that are merged | 10,000,000 | [`ENTRIES_MAX`] |
//! | names, targets and attributes of all of them | 512 MiB | [`RETAINED_BYTES_MAX`] |
//! | holes of all sparse files | 64 GiB | [`HOLES_MAX`] |
//! | symbolic links on one path | 40 | [`SYMLINKS_MAX`] |
//! | components that symbolic links add to the paths of a layer | 1,000,000 | [`LINK_COMPONENTS_MAX`] |
//! | as many more of them for each entry | 16 | [`DETOURS_PER_ENTRY`] |
//! | the window of a zstd stream, as a power of two | 27 | [`ZSTD_WINDOW_LOG_MAX`] |
//! | the memory to unpack an xz stream | 128 MiB | [`XZ_MEMORY_MAX`] |
//! | what a stream unpacks to, however small it is | 64 GiB | [`UNPACKED_MAX`] |
//! | what it unpacks to beyond that, times its own size | 1,032 | [`UNPACKED_RATIO_MAX`] |
//!
//! `tests/it/limits.rs` compares this table with the constants, and holds the limits with
//! `tests/it/hostile/headers.rs`.

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
