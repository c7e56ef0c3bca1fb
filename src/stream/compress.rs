//! Compressing a stream: gzip and zstd, in blocks, on all cores.

use std::cell::RefCell;
use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

use crate::stream::block::{BlockWriter, CompressionChoice};
use crate::stream::{Compression, Workers};

/// The size of a gzip member's content. It is small enough that many are compressed in
/// parallel, and large enough that the loss of the 32 KiB window at each cut matters
/// little.
const GZIP_BLOCK: usize = 2 * 1024 * 1024;

/// The size of a zstd frame's content: close to the window, since more would need more
/// memory, and less would compress worse.
const ZSTD_BLOCK: usize = 6 * 1024 * 1024;

/// The zstd window, as a power of two: 8 MiB, the most that RFC 8878 expects every
/// reader to support. The library's default is a quarter of that, and costs 2 % of the
/// size.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A compression to write, with its level. The default level is fast, and reaches the
/// size that other tools reach by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Uncompressed bytes.
    Plain,
    /// gzip, at a level of [`GZIP_LEVELS`](Self::GZIP_LEVELS).
    Gzip(Option<i32>),
    /// zstd, at a level of [`ZSTD_LEVELS`](Self::ZSTD_LEVELS).
    Zstd(Option<i32>),
}

impl Encoding {
    /// The levels for gzip output.
    pub const GZIP_LEVELS: std::ops::RangeInclusive<i32> = 1..=12;
    /// The levels for zstd output. Higher ones need more memory than readers must
    /// support.
    pub const ZSTD_LEVELS: std::ops::RangeInclusive<i32> = 1..=19;

    /// The compression of the output.
    #[must_use]
    pub fn compression(self) -> Compression {
        match self {
            Self::Plain => Compression::None,
            Self::Gzip(_) => Compression::Gzip,
            Self::Zstd(_) => Compression::Zstd,
        }
    }
}

/// Compresses the bytes written to it.
///
/// The output depends only on the input and on the level.
#[derive(Debug)]
#[must_use = "the end of the stream is only written by `finish`"]
pub(crate) enum Encoder<W: Write> {
    /// Written unchanged.
    Plain(W),
    /// gzip or zstd, in blocks.
    Blocks(BlockWriter<W>),
}

impl<W: Write> Encoder<W> {
    /// Starts a stream.
    pub(crate) fn new(encoding: Encoding, output: W, workers: &Workers) -> Self {
        let (size, compress, level) = match encoding {
            Encoding::Plain => return Self::Plain(output),
            Encoding::Gzip(level) => (GZIP_BLOCK, gzip_member as CompressionChoice, level),
            Encoding::Zstd(level) => (ZSTD_BLOCK, zstd_frame as CompressionChoice, level),
        };
        Self::Blocks(BlockWriter::new(output, workers, size, compress, level))
    }

    /// Writes the rest and returns the output.
    pub(crate) fn finish(self) -> io::Result<W> {
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
    /// Compressors hold tables of a megabyte or more, so each worker keeps its own, by
    /// level.
    static GZIP: RefCell<Vec<(i32, libdeflater::Compressor)>> = const { RefCell::new(Vec::new()) };
    static ZSTD: RefCell<Vec<(Option<i32>, ZstdCompressor)>> = const { RefCell::new(Vec::new()) };
    static PROBE: RefCell<Option<ZstdCompressor>> = const { RefCell::new(None) };
}

type ZstdCompressor = zstd::bulk::Compressor<'static>;

/// Compresses a block to a gzip member.
///
/// Without a level, data that would gain little from a higher one gets the lowest: the
/// total size is nearly that of level 3, in four fifths of the time.
fn gzip_member(block: &[u8], level: Option<i32>, member: &mut Vec<u8>) -> io::Result<()> {
    let level = match level {
        Some(level) => level,
        None if compresses_well(block)? => 3,
        None => 1,
    };
    GZIP.with_borrow_mut(|compressors| {
        let compressor = kept(compressors, level, || {
            let level = libdeflater::CompressionLvl::new(level)
                .map_err(|_| io::Error::other("no such gzip level"))?;
            Ok(libdeflater::Compressor::new(level))
        })?;
        // The previous content is overwritten, which is cheaper than writing zeros.
        member.resize(compressor.gzip_compress_bound(block.len()), 0);
        let length = compressor
            .gzip_compress(block, member)
            .map_err(io::Error::other)?;
        member.truncate(length);
        Ok(())
    })
}

/// Number of bytes of a block that are sampled, in four places. Twice as many are
/// hardly better, and cost 2 % of the total time.
const SAMPLE: usize = 8 * 1024;

/// A size, in percent, below which samples of text shrink, but not those of programs.
const WELL: usize = 35;

/// Returns true if samples of a block shrink well under the fastest compression.
fn compresses_well(block: &[u8]) -> io::Result<bool> {
    PROBE.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(ZstdCompressor::new(-1)?),
        };
        let (mut size, mut compressed) = (0, 0);
        for quarter in block.chunks(block.len().div_ceil(4).max(1)) {
            let sample = &quarter[..quarter.len().min(SAMPLE)];
            size += sample.len();
            compressed += compressor.compress(sample)?.len();
        }
        Ok(compressed * 100 < size * WELL)
    })
}

/// Compresses a block to a zstd frame.
///
/// The default level is 3, with tables that suit the window and still fit a processor's
/// second cache.
fn zstd_frame(block: &[u8], level: Option<i32>, frame: &mut Vec<u8>) -> io::Result<()> {
    ZSTD.with_borrow_mut(|compressors| {
        let compressor = kept(compressors, level, || {
            let mut compressor = ZstdCompressor::new(level.unwrap_or(3))?;
            compressor.include_checksum(true)?;
            compressor.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG))?;
            if level.is_none() {
                compressor.set_parameter(CParameter::HashLog(17))?;
                compressor.set_parameter(CParameter::ChainLog(17))?;
            }
            Ok(compressor)
        })?;
        frame.clear();
        frame.reserve(zstd::zstd_safe::compress_bound(block.len()));
        compressor.compress_to_buffer(block, frame)?;
        Ok(())
    })
}

/// The compressor for a level, which is created on first use.
fn kept<L: PartialEq, C>(
    compressors: &mut Vec<(L, C)>,
    level: L,
    make: impl FnOnce() -> io::Result<C>,
) -> io::Result<&mut C> {
    let found = compressors.iter().position(|(of, _)| *of == level);
    let at = found.unwrap_or(compressors.len());
    if found.is_none() {
        compressors.push((level, make()?));
    }
    Ok(&mut compressors[at].1)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::num::NonZeroUsize;

    use super::*;
    use crate::digest::Digest;
    use crate::stream::decompress::Decoder;

    const GZIP: Encoding = Encoding::Gzip(None);
    const ZSTD: Encoding = Encoding::Zstd(None);

    fn pack(encoding: Encoding, bytes: &[u8], jobs: usize, piece: usize) -> Vec<u8> {
        let workers = Workers::start(NonZeroUsize::new(jobs).unwrap()).unwrap();
        let mut encoder = Encoder::new(encoding, Vec::new(), &workers);
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

    /// Compressible text that differs from block to block.
    fn text(length: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|n| format!("line {} of {}\n", n * n, n % 97).into_bytes())
            .take(length)
            .collect()
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_for_any_length() {
        for encoding in [
            Encoding::Plain,
            GZIP,
            ZSTD,
            Encoding::Gzip(Some(12)),
            Encoding::Zstd(Some(1)),
        ] {
            for length in [0, 1, GZIP_BLOCK - 1, GZIP_BLOCK, ZSTD_BLOCK + 1] {
                let bytes = text(length);
                let packed = pack(encoding, &bytes, 2, 100_000);
                if length > 0 || encoding != Encoding::Plain {
                    assert_eq!(Compression::sniff(&packed), encoding.compression());
                }
                assert!(unpack(&packed) == bytes, "{encoding:?} {length}");
            }
        }
    }

    #[test]
    fn the_bytes_depend_on_the_input_alone() {
        let bytes = text(3 * ZSTD_BLOCK + 17);
        for encoding in [GZIP, ZSTD] {
            let one = Digest::of(&pack(encoding, &bytes, 1, 4096));
            let many = Digest::of(&pack(encoding, &bytes, 7, 300_001));
            assert_eq!(one, many);
        }
    }

    #[test]
    fn a_full_disk_is_reported_by_the_last_block_too() {
        /// Accepts this many bytes and no more.
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
        for encoding in [GZIP, ZSTD] {
            let mut encoder = Encoder::new(encoding, Full(10), &workers);
            encoder.write_all(&text(1000)).unwrap();
            let error = encoder.finish().err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
