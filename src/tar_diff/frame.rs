//! zstd frames whose prefix is a file of the old tree.

use std::io;

use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, Strategy, compress_bound, get_error_name, get_frame_content_size,
};

use crate::limits::TAR_DIFF_FRAME_MAX;
use crate::tar_diff::TarDiffFault as Fault;
use crate::tar_diff::pair::{buffer, shrink};

/// The smallest and largest window, as powers of two.
const WINDOW_LOGS: (u32, u32) = (10, 27);

/// Up to this level, frames are compressed with two hash tables, for long and for short
/// matches. A changed file consists mostly of long matches in the old one: this takes a
/// third of the time of the strategy of level 9, for frames of about the same size.
pub(super) const TWO_TABLES_MAX: i32 = 9;

/// The length of short matches in that case, in bytes.
const SHORT_MATCH: u32 = 6;

/// Number of positions in the tables for long and for short matches, as powers of two:
/// at most, and fewer than that of the window. zstd remembers every third position of the
/// old file, and most files are small: larger tables take most of the time to clear, for
/// frames that are a hundredth smaller.
const TABLE_LOGS_MAX: (u32, u32) = (22, 19);
const TABLE_LOGS_LESS: (u32, u32) = (3, 4);

/// The same for higher levels.
const TREE_LOGS: (u32, u32) = (22, 21);

/// The size of a position in a table, in bytes.
const POSITION: usize = 4;

/// Maximum size of a frame, in bytes: it is in memory with both files and the tables.
const FRAME_MAX: usize = 12 << 20;

/// The window for both files, as a power of two.
fn window_log(content: usize, prefix: usize) -> u32 {
    let both = (content + prefix).max(1);
    let window = both.next_power_of_two().trailing_zeros();
    window.clamp(WINDOW_LOGS.0, WINDOW_LOGS.1)
}

/// The sizes of the tables for a window, as powers of two.
fn table_logs(window: u32, level: i32) -> (u32, u32) {
    if level > TWO_TABLES_MAX {
        return TREE_LOGS;
    }
    let (long, short) = TABLE_LOGS_MAX;
    let (less_long, less_short) = TABLE_LOGS_LESS;
    (long.min(window - less_long), short.min(window - less_short))
}

/// The number of bytes of memory that compressing takes beside both files, at most.
pub(super) fn memory(content: usize, prefix: usize, level: i32) -> usize {
    let (long, short) = table_logs(window_log(content, prefix), level);
    let tables = POSITION * ((1 << long) + (1 << short));
    tables + compress_bound(content).min(FRAME_MAX)
}

/// Compresses `content` after `prefix`; `None` if the frame would be too large. It is
/// faster if they are adjacent in memory.
pub(super) fn compress(content: &[u8], prefix: &[u8], level: i32) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    let window = window_log(content.len(), prefix.len());
    let (long, short) = table_logs(window, level);
    let mut parameters = vec![
        CParameter::CompressionLevel(level),
        CParameter::WindowLog(window),
        CParameter::HashLog(long),
        CParameter::ChainLog(short),
    ];
    if level <= TWO_TABLES_MAX {
        parameters.push(CParameter::Strategy(Strategy::ZSTD_dfast));
        parameters.push(CParameter::MinMatch(SHORT_MATCH));
    } else {
        // The trees of the highest levels only reach back over a part of large files.
        parameters.push(CParameter::EnableLongDistanceMatching(true));
    }
    for parameter in parameters {
        encoder.set_parameter(parameter).map_err(failed)?;
    }
    encoder.ref_prefix(prefix).map_err(failed)?;
    let room = compress_bound(content.len()).min(FRAME_MAX);
    let mut frame = buffer(room);
    // The only failure that a whole content in memory permits is a lack of room.
    let Ok(size) = encoder.compress2(&mut frame[..room], content) else {
        return Ok(None);
    };
    frame.truncate(size);
    shrink(&mut frame);
    Ok(Some(frame))
}

/// The number of bytes that `content` takes compressed quickly and alone.
pub(super) fn size_alone(content: &[u8]) -> io::Result<u64> {
    let mut compressed = CountingWriter::default();
    zstd::stream::copy_encode(content, &mut compressed, 1)?;
    Ok(compressed.0)
}

/// Counts what is written.
#[derive(Default)]
struct CountingWriter(u64);

impl io::Write for CountingWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0 += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a frame after `prefix`.
///
/// The content is made in one piece, so that the decoder needs no window of its own, and
/// the size of the window does not matter. Streaming encoders do not write the size of the
/// content; pages of the buffer that stay empty take no memory.
pub(super) fn unpack(frame: &[u8], prefix: &[u8], content: &mut Vec<u8>) -> io::Result<()> {
    let size = get_frame_content_size(frame).ok().flatten();
    let most = size.unwrap_or(TAR_DIFF_FRAME_MAX);
    if most > TAR_DIFF_FRAME_MAX {
        return Err(Fault::FrameTooLarge(most).into());
    }
    let most = usize::try_from(most).map_err(|_| Fault::Frame)?;
    content.clear();
    let reserved = content.try_reserve_exact(most);
    reserved.map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut decoder = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    decoder.ref_prefix(prefix).map_err(failed)?;
    let unpacked = decoder.decompress(content, frame);
    match unpacked.map_err(get_error_name) {
        Ok(_) if frame.is_empty() => Err(Fault::Frame.into()),
        Ok(_) => Ok(()),
        Err("Destination buffer is too small") if size.is_none() => {
            Err(Fault::FrameTooLarge(TAR_DIFF_FRAME_MAX + 1).into())
        }
        Err(_) => Err(Fault::Frame.into()),
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
