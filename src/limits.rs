//! Limits of what is accepted from an input, each with its reason.
//!
//! An archive from a stranger may claim anything. Claims that no real image makes are
//! refused before they cost memory or time; everything else is bounded by the bytes
//! actually received. A blob is never read beyond its declared size, and a zstd frame
//! never unpacked beyond its own. Sizes of buffers and limits of the output are not
//! listed here.
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
//! | paths of all files in a report of `diff` or `waste` | 512 MiB | [`RETAINED_BYTES_MAX`] |
//! | holes of all sparse files | 64 GiB | [`HOLES_MAX`] |
//! | symbolic links on one path | 40 | [`SYMLINKS_MAX`] |
//! | components that symbolic links add to the paths of a layer | 1,000,000 | [`LINK_COMPONENTS_MAX`] |
//! | more of these components for each entry | 16 | [`DETOURS_PER_ENTRY`] |
//! | a file whose lines are compared | 4 MiB | [`TEXT_MAX`] |
//! | its lines | 200,000 | [`TEXT_LINES_MAX`] |
//! | a file that a delta compresses after another, and that one | 32 MiB | [`TAR_DIFF_SOURCE_MAX`] |
//! | the same files when a delta is applied | 128 MiB | [`TAR_DIFF_FRAME_MAX`] |
//! | the path in a tar-diff | 4 KiB | [`TAR_DIFF_PATH_MAX`] |
//! | the window of a zstd stream, as a power of two | 27 | [`ZSTD_WINDOW_LOG_MAX`] |
//! | the memory to unpack an xz stream | 128 MiB | [`XZ_MEMORY_MAX`] |
//! | the size of an unpacked stream, however small the stream is | 64 GiB | [`UNPACKED_MAX`] |
//! | its unpacked size beyond that, as a multiple of its own size | 1,032 | [`UNPACKED_RATIO_MAX`] |
//!
//! `tests/it/limits.rs` compares this table with the constants, and tests the limits
//! together with `tests/it/hostile/headers.rs`.

/// Maximum size of a document, in bytes. Registries and engines stop at 4 to 20 MiB; a
/// config of that size would already be absurd.
pub const DOCUMENT_MAX: u64 = 32 * 1024 * 1024;

/// Maximum total size of the documents of an input, in bytes: they are held in memory
/// while the input is read.
pub const DOCUMENTS_MAX: u64 = 128 * 1024 * 1024;

/// Maximum number of values in a document: each needs some hundreds of bytes during
/// parsing. Ten thousand descriptors have some hundred thousand.
pub const VALUES_MAX: usize = 200_000;

/// Maximum nesting depth of the values in a document. Known fields have six levels, and
/// Go stops at 10,000; each level needs stack space during parsing.
pub const VALUE_DEPTH_MAX: usize = 127;

/// Maximum number of descriptors in a document, layers included, and of tags, each of
/// which becomes one. Engines stack 125 to 500 layers.
pub const DESCRIPTORS_MAX: usize = 10_000;

/// Maximum nesting depth of indexes. Two levels occur in practice.
pub const NESTING_MAX: usize = 8;

/// Maximum number of members in an archive. An archive of images has about four per
/// layer; a tar with more is a root filesystem, or meant to exhaust memory.
pub const MEMBERS_MAX: usize = 100_000;

/// Maximum length of a member's path in a document, in bytes. Linux has none longer.
pub const MEMBER_PATH_MAX: usize = 4096;

/// Maximum number of links that are followed in a row to a member of an archive, as in
/// Linux.
pub const MEMBER_LINKS_MAX: usize = 40;

/// Maximum size of a PAX header or a GNU long name, in bytes, as in Go's reader.
pub const EXTENSION_MAX: u64 = 1024 * 1024;

/// Maximum total size of these headers before one member, in bytes. It includes their
/// own blocks, so that a series of empty ones ends too.
///
/// That is one PAX header of the greatest size and everything else that can reasonably
/// accompany it: a name and a link, neither of which may exceed 4 KiB on any system.
pub const EXTENSIONS_MAX: u64 = 2 * EXTENSION_MAX;

/// Maximum number of segments in the map of a sparse file. Tools that pack layers write
/// a few, and each is held in memory: this many make 1 MiB.
pub const SEGMENTS_MAX: usize = 65_536;

/// Maximum length of an entry's path, in bytes. Linux stops at 4,096 bytes per call,
/// and no file system goes further; a path many times as long only costs memory.
pub const PATH_MAX: usize = 64 * 1024;

/// Maximum number of components in a path: as many as fit into the longest path that
/// Linux accepts. Each of them may be a directory that nothing else mentions.
pub const DEPTH_MAX: usize = 2048;

/// Maximum length of a symbolic link's target, in bytes, as on Linux.
pub const TARGET_MAX: usize = 4095;

/// Maximum total size of the attributes of one entry, in bytes. Linux allows 64 KiB for
/// each, and most file systems no more for all of them; a name and a link must also fit
/// into an extended header that readers accept.
pub const ATTRIBUTES_MAX: usize = 512 * 1024;

/// Maximum size of an attribute's value, in bytes, as on Linux.
pub const ATTRIBUTE_MAX: usize = 64 * 1024;

/// Maximum number of entries in the layers, including directories that these imply.
/// Each costs a record in memory; the largest images have a tenth of it.
pub const ENTRIES_MAX: u64 = 10_000_000;

/// Maximum total size of the names, targets and attributes of all entries, in bytes,
/// which are held in memory: fifty for each of the maximum number of entries. A
/// compressed header of a few bytes may claim a megabyte.
pub const RETAINED_BYTES_MAX: u64 = 512 << 20;

/// Maximum total size of the holes in sparse files, in bytes. They are written as
/// zeros, since engines cannot handle anything else (`docker save` fails on sparse
/// entries), and a header of a few bytes may claim exabytes.
pub const HOLES_MAX: u64 = 64 << 30;

/// Maximum number of symbolic links on one path, as on Linux.
pub const SYMLINKS_MAX: usize = 40;

/// Maximum number of components that the targets of symbolic links may add to the paths
/// of a layer.
pub const LINK_COMPONENTS_MAX: u64 = 1_000_000;

/// Number of further such components per entry: some links are on many paths, and
/// short.
pub const DETOURS_PER_ENTRY: u64 = 16;

/// Maximum size of a file whose lines are compared, in bytes: it is held in memory. Configuration files and lists of packages are smaller.
pub const TEXT_MAX: u64 = 4 * 1024 * 1024;

/// Maximum number of its lines. Texts of that many lines that differ all over take some
/// seconds to compare, and the time grows faster than the number.
pub const TEXT_LINES_MAX: usize = 200_000;

/// The largest accepted zstd window, as a power of two: 128 MiB, the most that `zstd
/// --ultra` writes without `--long`. The format's own limit is 3.75 TiB, and a decoder
/// must hold the window in memory.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Maximum memory for unpacking an xz stream, in bytes: `xz -9` needs 65 MiB.
pub const XZ_MEMORY_MAX: u64 = 128 * 1024 * 1024;

/// Size to which any stream may unpack, however small it is, in bytes: equal to the
/// limit on holes in sparse files. A file of zeros that somebody left in a layer makes
/// such a stream, and it works in every engine.
pub const UNPACKED_MAX: u64 = 64 << 30;

/// Beyond that, the maximum ratio of unpacked to packed bytes: the most that gzip can
/// reach. zstd, xz and bzip2 go tens of times further, but only for bytes that are all
/// the same. So the time that a stream takes is bounded by its size.
pub const UNPACKED_RATIO_MAX: u64 = 1032;

/// Maximum size of a path in a tar-diff, in bytes, as in containers/tar-diff.
pub const TAR_DIFF_PATH_MAX: u64 = 4096;

/// Maximum size of a file that `delta` compresses after an old file, and of that file, in
/// bytes: both are held in memory. Larger files are compared in pieces.
pub const TAR_DIFF_SOURCE_MAX: u64 = 32 << 20;

/// Maximum size of the same files when a delta is applied, in bytes: both are held in
/// memory. containers/oci-delta compresses larger ones only if it is told to.
pub const TAR_DIFF_FRAME_MAX: u64 = 128 << 20;
