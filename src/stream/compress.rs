//! Compressing a stream: gzip and zstd, in blocks, on all cores.

use std::cell::RefCell;
use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

use crate::stream::block::{BlockWriter, CompressionChoice};
use crate::stream::{Compression, Workers};

/// The size of a gzip block's content. It is small enough that many are compressed in
/// parallel, and large enough that the loss of the 32 KiB window at each cut matters
/// little.
const GZIP_BLOCK: usize = 2 * 1024 * 1024;

/// The size of a zstd frame's content. Frames of 8 MiB are up to 0.5 % larger, and those of
/// 10 MiB would be up to 1 % smaller, but four of them in flight need more memory than there
/// is beside a merge.
const ZSTD_BLOCK: usize = 9 * 1024 * 1024;

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
            Encoding::Gzip(level) => (GZIP_BLOCK, gzip_members as CompressionChoice, level),
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
    static PROBE: RefCell<Option<(ZstdCompressor, Vec<u8>)>> = const { RefCell::new(None) };
}

type ZstdCompressor = zstd::bulk::Compressor<'static>;

/// Compresses a block to gzip members: one, at a given level.
///
/// Without a level, each part of a block gets what is worth its time. libdeflate's level 1
/// is nearly as small as higher levels where much repeats, as in text; programs gain 4 %
/// from level 2, in 1.4 times the time; and what is compressed already would take longest
/// of all, and is stored. On the layers of an image of 1.84 GB, of which a sixth is
/// compressed already, and of a Debian with container tools of 0.77 GB (one thread):
///
/// | | MB/s | size | MB/s | size |
/// | --- | --- | --- | --- | --- |
/// | level 1, some stored | 174 | 45.5 % | 161 | 40.3 % |
/// | level 1, text at level 3 | 146 | 45.0 % | 157 | 39.9 % |
/// | this | 180 | 45.4 % | 138 | 39.6 % |
/// | level 2, the best text at level 1, some stored | 148 | 44.8 % | 123 | 39.0 % |
///
/// skopeo 1.22 makes 45.1 % and 39.3 % of them. With the best level for each block, as it
/// shows afterwards, the first would take 0.96 of the time for the same size, and 0.94 for
/// 0.4 % more; blocks of 8 MiB would save 0.05 % of the size.
///
/// zlib-rs could make one member of all blocks, but needs more time for any size: at its
/// level 2 it does 98 MB/s where libdeflate's level 1 does 173, and is 1.6 % larger. A
/// stream of libdeflate ends with a final block, whose place only its decoder would find,
/// so that streams cannot be joined to one member.
fn gzip_members(block: &[u8], level: Option<i32>, members: &mut Vec<u8>) -> io::Result<()> {
    members.clear();
    if let Some(level) = level {
        return append_member(block, level, members);
    }
    let is_program = PROGRAMS.contains(&percent_of_samples(block)?);
    let level = if is_program { 2 } else { 1 };
    let (mut start, mut at, mut was_packed) = (0, 0, false);
    for cell in block.chunks(CELL) {
        let is_packed = is_packed(cell)?;
        if is_packed != was_packed && at > 0 {
            let level = if was_packed { STORED } else { level };
            append_member(&block[start..at], level, members)?;
            start = at;
        }
        was_packed = is_packed;
        at += cell.len();
    }
    let level = if was_packed { STORED } else { level };
    append_member(&block[start..], level, members)
}

/// The level that stores the bytes unchanged.
const STORED: i32 = 0;

/// Appends a gzip member.
fn append_member(bytes: &[u8], level: i32, members: &mut Vec<u8>) -> io::Result<()> {
    GZIP.with_borrow_mut(|compressors| {
        let compressor = kept(compressors, level, || {
            let level = libdeflater::CompressionLvl::new(level)
                .map_err(|_| io::Error::other("no such gzip level"))?;
            Ok(libdeflater::Compressor::new(level))
        })?;
        let start = members.len();
        members.resize(start + compressor.gzip_compress_bound(bytes.len()), 0);
        let length = compressor
            .gzip_compress(bytes, &mut members[start..])
            .map_err(io::Error::other)?;
        members.truncate(start + length);
        Ok(())
    })
}

/// Number of bytes of a block that are sampled, in four places. Twice as many are
/// hardly better, and cost 2 % of the total time.
const SAMPLE: usize = 8 * 1024;

/// The sizes, in percent, to which samples of programs shrink. Text becomes smaller, and
/// blocks with much that is compressed already stay larger.
const PROGRAMS: std::ops::Range<usize> = 50..70;

/// The size of the parts of a block that are stored, or not.
const CELL: usize = 64 * 1024;

/// Number of bytes of a cell that are sampled before all of it is tried.
const CELL_SAMPLE: usize = 4 * 1024;

/// A size, in percent, from which on a cell is not worth compressing.
const PACKED: usize = 95;

/// The size, in percent, to which the samples of a block shrink.
fn percent_of_samples(block: &[u8]) -> io::Result<usize> {
    let (mut size, mut compressed) = (0, 0);
    for quarter in block.chunks(block.len().div_ceil(4).max(1)) {
        let sample = &quarter[..quarter.len().min(SAMPLE)];
        size += sample.len();
        compressed += probe(sample)?;
    }
    Ok(compressed * 100 / size.max(1))
}

/// True if hardly a byte would be saved in this cell.
fn is_packed(cell: &[u8]) -> io::Result<bool> {
    let middle = &cell[cell.len() / 2..];
    let sample = &middle[..middle.len().min(CELL_SAMPLE)];
    Ok(stays_large(sample)? && stays_large(cell)?)
}

fn stays_large(bytes: &[u8]) -> io::Result<bool> {
    Ok(probe(bytes)? * 100 >= bytes.len() * PACKED)
}

/// The size of these bytes under the fastest compression.
fn probe(bytes: &[u8]) -> io::Result<usize> {
    PROBE.with_borrow_mut(|slot| {
        let (compressor, output) = match slot {
            Some(probe) => probe,
            None => slot.insert((ZstdCompressor::new(-1)?, Vec::new())),
        };
        output.clear();
        output.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        compressor.compress_to_buffer(bytes, output)
    })
}

/// Compresses a block to a zstd frame.
///
/// The default is level 2, whose match finder has one table, with a table twice as large.
/// The longer frames make up for what larger tables would save. On the layers of the image
/// of 1.84 GB, and on programs and libraries of 4.9 GB (one thread; this is 1):
///
/// | | time | size | time | size |
/// | --- | --- | --- | --- | --- |
/// | level 2, 2^16 entries | 0.92 | 1.051 | 0.89 | 1.020 |
/// | this: 2^17 | 1 | 1 | 1 | 1 |
/// | 2^18 | 1.13 | 0.976 | 1.17 | 0.987 |
/// | 2^18, matches of 7 bytes | 1.08 | 0.984 | 1.12 | 0.999 |
/// | level 3, which has two tables | 1.37 | 0.992 | 1.31 | 0.976 |
///
/// skopeo 1.22 makes 1.002 of the first one. Tried and left: matches of 5 bytes; larger
/// steps; a level for each block by samples of it, which is 1 % smaller at most in the same
/// time. Without the checksum of each frame it would take 0.97 of the time, but not every
/// output has a digest beside it.
fn zstd_frame(block: &[u8], level: Option<i32>, frame: &mut Vec<u8>) -> io::Result<()> {
    ZSTD.with_borrow_mut(|compressors| {
        let compressor = kept(compressors, level, || {
            let mut compressor = ZstdCompressor::new(level.unwrap_or(2))?;
            compressor.include_checksum(true)?;
            compressor.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG))?;
            if level.is_none() {
                compressor.set_parameter(CParameter::HashLog(17))?;
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

    /// Bytes that nothing compresses.
    fn noise(length: usize) -> Vec<u8> {
        let next = |state: &u64| {
            let state = state ^ (state << 13);
            let state = state ^ (state >> 7);
            Some(state ^ (state << 17))
        };
        let states = std::iter::successors(Some(1_u64), next);
        states.map(|it| it.to_le_bytes()[0]).take(length).collect()
    }

    #[test]
    fn what_is_compressed_already_is_stored_wherever_it_is_in_a_block() {
        let (text, noise) = (text(3 * CELL), noise(2 * CELL + 100));
        let packed_text = pack(GZIP, &text, 1, CELL).len();
        for pieces in [
            vec![&text, &noise],
            vec![&noise, &text],
            vec![&text, &noise, &text],
        ] {
            let bytes: Vec<u8> = pieces.into_iter().flatten().copied().collect();
            let packed = pack(GZIP, &bytes, 2, 100_000);
            assert!(unpack(&packed) == bytes);
            assert!(packed.len() < noise.len() + 2 * packed_text + 2 * CELL);
            let stored = &noise[CELL..CELL + 1000];
            assert!(packed.windows(1000).any(|it| it == stored));
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
