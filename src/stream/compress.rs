//! Compressing a stream: gzip and zstd, in blocks, on all cores.

use std::cell::RefCell;
use std::io::{self, Write};

use crate::stream::block::BlockWriter;
use crate::stream::{Compression, Workers};

/// What one gzip member holds. Small enough that many are under way at once,
/// large enough that the 32 KiB window, lost at each cut, is missed little.
const GZIP_BLOCK: usize = 1024 * 1024;

/// What one zstd frame holds. The window at the usual levels is 2 MiB and more,
/// so that smaller frames would compress worse.
const ZSTD_BLOCK: usize = 4 * 1024 * 1024;

/// A compression to write, with its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recoding {
    /// Plain bytes.
    None,
    /// gzip, level 1 to 12.
    Gzip(i32),
    /// zstd, level 1 to 19.
    Zstd(i32),
}

impl Recoding {
    /// gzip at its default level.
    pub const GZIP: Self = Self::Gzip(Self::GZIP_LEVEL);
    /// zstd at its default level.
    pub const ZSTD: Self = Self::Zstd(Self::ZSTD_LEVEL);
    /// Smaller than level 6 of gzip(1) at twice its speed.
    pub const GZIP_LEVEL: i32 = 3;
    /// The default of zstd(1) too.
    pub const ZSTD_LEVEL: i32 = 3;
    /// The levels that gzip output may have.
    pub const GZIP_LEVELS: std::ops::RangeInclusive<i32> = 1..=12;
    /// The levels that zstd output may have. Those above need more memory than
    /// readers must offer.
    pub const ZSTD_LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

    /// What the bytes will be.
    #[must_use]
    pub fn compression(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd(_) => Compression::Zstd,
        }
    }
}

/// Compresses what is written to it.
///
/// The bytes that come out depend on those that go in and on the level alone.
#[derive(Debug)]
#[must_use = "the end of the stream is only written by `finish`"]
pub enum Encoder<W: Write> {
    /// Passed on as it is.
    Plain(W),
    /// gzip or zstd, in blocks.
    Blocks(BlockWriter<W>),
}

impl<W: Write> Encoder<W> {
    /// Starts a stream.
    pub fn new(recoding: Recoding, output: W, workers: &Workers) -> Self {
        match recoding {
            Recoding::None => Self::Plain(output),
            Recoding::Gzip(level) => Self::Blocks(BlockWriter::new(
                output,
                workers,
                GZIP_BLOCK,
                gzip_member,
                level,
            )),
            Recoding::Zstd(level) => Self::Blocks(BlockWriter::new(
                output, workers, ZSTD_BLOCK, zstd_frame, level,
            )),
        }
    }

    /// Writes what is left and returns the output.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(output) => Ok(output),
            Self::Blocks(blocks) => blocks.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(buffer),
            Self::Blocks(blocks) => blocks.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Blocks(blocks) => blocks.flush(),
        }
    }
}

thread_local! {
    /// Compressors hold tables of a megabyte or more, so each worker keeps its own.
    static GZIP: RefCell<Option<(i32, libdeflater::Compressor)>> = const { RefCell::new(None) };
    static ZSTD: RefCell<Option<(i32, zstd::bulk::Compressor<'static>)>> = const { RefCell::new(None) };
}

fn gzip_member(block: &[u8], level: i32) -> io::Result<Vec<u8>> {
    GZIP.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(of, _)| *of != level) {
            let level_of_library = libdeflater::CompressionLvl::new(level)
                .map_err(|_| io::Error::other("no such gzip level"))?;
            *slot = Some((level, libdeflater::Compressor::new(level_of_library)));
        }
        let (_, compressor) = slot.as_mut().expect("it was just put there");
        let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
        let length = compressor
            .gzip_compress(block, &mut member)
            .map_err(io::Error::other)?;
        member.truncate(length);
        Ok(member)
    })
}

fn zstd_frame(block: &[u8], level: i32) -> io::Result<Vec<u8>> {
    ZSTD.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(of, _)| *of != level) {
            let mut compressor = zstd::bulk::Compressor::new(level)?;
            compressor.include_checksum(true)?;
            *slot = Some((level, compressor));
        }
        let (_, compressor) = slot.as_mut().expect("it was just put there");
        compressor.compress(block)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::num::NonZeroUsize;

    use super::*;
    use crate::digest::Digest;
    use crate::stream::Decoder;

    fn pack(recoding: Recoding, bytes: &[u8], jobs: usize, piece: usize) -> Vec<u8> {
        let workers = Workers::start(NonZeroUsize::new(jobs).unwrap()).unwrap();
        let mut encoder = Encoder::new(recoding, Vec::new(), &workers);
        for piece in bytes.chunks(piece) {
            encoder.write_all(piece).unwrap();
        }
        encoder.finish().unwrap()
    }

    fn unpack(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Decoder::new(Compression::sniff(bytes), bytes)
            .unwrap()
            .read_to_end(&mut out)
            .unwrap();
        out
    }

    /// Text that compresses, and differs from block to block.
    fn text(length: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|n| format!("line {} of {}\n", n * n, n % 97).into_bytes())
            .take(length)
            .collect()
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_for_any_length() {
        for recoding in [Recoding::None, Recoding::GZIP, Recoding::ZSTD] {
            for length in [0, 1, GZIP_BLOCK - 1, GZIP_BLOCK, ZSTD_BLOCK + 1] {
                let bytes = text(length);
                let packed = pack(recoding, &bytes, 2, 100_000);
                if length > 0 || recoding != Recoding::None {
                    assert_eq!(Compression::sniff(&packed), recoding.compression());
                }
                assert!(unpack(&packed) == bytes, "{recoding:?} {length}");
            }
        }
    }

    #[test]
    fn the_bytes_depend_on_the_input_alone() {
        let bytes = text(3 * ZSTD_BLOCK + 17);
        for recoding in [Recoding::GZIP, Recoding::ZSTD] {
            let one = Digest::of(&pack(recoding, &bytes, 1, 4096));
            let many = Digest::of(&pack(recoding, &bytes, 7, 300_001));
            assert_eq!(one, many);
        }
    }

    #[test]
    fn a_full_disk_is_reported_by_the_last_block_too() {
        /// Takes so many bytes and no more.
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                if buffer.len() > self.0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.0 -= buffer.len();
                Ok(buffer.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let workers = Workers::start(NonZeroUsize::MIN).unwrap();
        for recoding in [Recoding::GZIP, Recoding::ZSTD] {
            let mut encoder = Encoder::new(recoding, Full(10), &workers);
            encoder.write_all(&text(1000)).unwrap();
            let error = encoder.finish().err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
