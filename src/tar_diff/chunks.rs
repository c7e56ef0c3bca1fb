//! Content-defined chunks: pieces of a file that end where its content says so, so that
//! an insertion only changes the pieces around it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};

use crate::progress::Progress;
use crate::tar_diff::old_files::OldFile;

/// Sizes of a chunk in bytes: the least, and the most.
const LEAST: usize = 2 * 1024;
const MOST: usize = 64 * 1024;
/// A chunk ends where these bits of the rolling sum are zero: on average 8 KiB after the
/// least size.
const MASK: u64 = 0x1fff << 40;

/// The number of chunks of one file that are remembered.
const CHUNKS_MAX: usize = 1 << 20;

/// A random number for each byte.
const GEAR: [u64; 256] = gear();

const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut at = 0;
    while at < 256 {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[at] = mixed ^ (mixed >> 31);
        at += 1;
    }
    table
}

/// The length of the first chunk of some bytes.
fn cut(bytes: &[u8]) -> usize {
    let mut sum = 0_u64;
    let end = bytes.len().min(MOST);
    for (at, byte) in bytes[..end].iter().enumerate().skip(LEAST) {
        sum = (sum << 1).wrapping_add(GEAR[usize::from(*byte)]);
        if sum & MASK == 0 {
            return at + 1;
        }
    }
    end
}

fn sum(chunk: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(chunk);
    hasher.finish()
}

/// Shows each chunk of a stream.
pub(super) fn each_chunk(
    stream: &mut dyn Read,
    progress: &dyn Progress,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        if progress.is_interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let wanted = (16 * MOST - buffer.len()) as u64;
        let read = (&mut *stream).take(wanted).read_to_end(&mut buffer)?;
        let is_end = (read as u64) < wanted;
        let mut start = 0;
        while start < buffer.len() && (is_end || buffer.len() - start >= MOST) {
            let length = cut(&buffer[start..]);
            each(&buffer[start..start + length])?;
            start += length;
        }
        buffer.drain(..start);
        if is_end {
            return Ok(());
        }
    }
}

/// The chunks of a file, by their sums.
pub(super) struct Chunks<'a> {
    file: &'a OldFile,
    places: HashMap<u64, (u64, u32)>,
}

impl<'a> Chunks<'a> {
    /// Cuts a file.
    pub(super) fn of(file: &'a OldFile, progress: &dyn Progress) -> io::Result<Self> {
        let mut places = HashMap::new();
        let mut offset = 0;
        each_chunk(&mut file.stream(), progress, |chunk| {
            let length = u32::try_from(chunk.len()).expect("a chunk is small");
            if places.len() < CHUNKS_MAX {
                places.entry(sum(chunk)).or_insert((offset, length));
            }
            offset += u64::from(length);
            Ok(())
        })?;
        Ok(Self { file, places })
    }

    /// The offset of these bytes in the file, if they are one of its chunks.
    pub(super) fn find(&self, chunk: &[u8]) -> io::Result<Option<u64>> {
        let Some((offset, length)) = self.places.get(&sum(chunk)) else {
            return Ok(None);
        };
        let is_same = *length as usize == chunk.len() && self.file.has(*offset, chunk)?;
        Ok(is_same.then_some(*offset))
    }
}
