//! tar-diff: a tar as the operations that make it from files of another tree
//! ([file-format.md] of containers/tar-diff).
//!
//! After eight bytes, `tardf1\n\0` or `tardf2\n\0`, comes one zstd stream of operations:
//! a byte, a size as a varint, and for some that many bytes of data. Headers and padding
//! of the new tar are data, so that it comes back bit for bit; the content of its files
//! comes from files of the old tree as far as that is possible.
//!
//! This module knows nothing of images: [`OldFiles`] are the files, wherever they are.
//!
//! [file-format.md]: https://github.com/containers/tar-diff/blob/main/file-format.md

mod chunks;
mod difference;
mod fault;
mod frame;
mod old_files;
mod operations;
mod ordered;
mod pair;
mod patched;
mod writer;

pub(crate) use difference::write_difference;
pub(crate) use fault::TarDiffFault;
pub(crate) use old_files::{OldFiles, is_usable};
pub(crate) use operations::{Operation, Operations, clean_path};
pub(crate) use ordered::DifferenceError;
pub(crate) use patched::Patched;

#[cfg(test)]
mod tests;

/// The first bytes of a file without zstd frames, and of one that may have them.
const MAGIC_1: &[u8; 8] = b"tardf1\n\0";
const MAGIC_2: &[u8; 8] = b"tardf2\n\0";

/// Emits the data.
const DATA: u8 = 0;
/// Opens the file whose path is the data.
const OPEN: u8 = 1;
/// Emits bytes of the open file.
const COPY: u8 = 2;
/// Emits the bytewise sum of the data and bytes of the open file.
const ADD_DATA: u8 = 3;
/// Sets the position in the open file.
const SEEK: u8 = 4;
/// Emits the content of a zstd frame, whose prefix is the whole open file.
const FRAME: u8 = 5;
