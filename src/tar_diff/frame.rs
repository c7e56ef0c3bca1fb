//! zstd frames whose prefix is a file of the old tree.

use std::io;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, get_error_name, get_frame_content_size};

use crate::limits::TAR_DIFF_FRAME_MAX;
use crate::tar_diff::TarDiffFault as Fault;

/// The smallest and largest window, as powers of two.
const WINDOW_LOGS: (u32, u32) = (10, 27);

/// Number of positions in the tables of the encoder, as powers of two: those of level 9
/// take more memory than the files themselves.
const TABLE_LOG_MAX: u32 = 21;

/// Compresses `content` after `prefix` into at most `most` bytes; `None` if it needs more.
pub(super) fn compress(
    content: &[u8],
    prefix: &[u8],
    level: i32,
    most: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    let both = (content.len() + prefix.len()).max(1);
    let window = both.next_power_of_two().trailing_zeros();
    let window = window.clamp(WINDOW_LOGS.0, WINDOW_LOGS.1);
    let mut parameters = vec![
        CParameter::CompressionLevel(level),
        CParameter::WindowLog(window),
    ];
    if both > 4 << TABLE_LOG_MAX {
        parameters.push(CParameter::EnableLongDistanceMatching(true));
        parameters.push(CParameter::HashLog(TABLE_LOG_MAX));
        parameters.push(CParameter::ChainLog(TABLE_LOG_MAX));
    }
    for parameter in parameters {
        encoder.set_parameter(parameter).map_err(failed)?;
    }
    encoder.ref_prefix(prefix).map_err(failed)?;
    let mut frame = Vec::with_capacity(most);
    // The only failure that a whole content in memory permits is a lack of room.
    let is_done = encoder.compress2(&mut frame, content).is_ok();
    Ok(is_done.then_some(frame))
}

/// The number of bytes that `content` takes compressed quickly and alone.
pub(super) fn size_alone(content: &[u8]) -> usize {
    let compressed = zstd::bulk::compress(content, 1);
    compressed.map_or(content.len(), |compressed| compressed.len())
}

/// Unpacks a frame after `prefix`.
///
/// The content is made in one piece, so that the decoder needs no window of its own, and
/// the size of the window does not matter. Streaming encoders do not write the size of the
/// content; pages of the buffer that stay empty take no memory.
pub(super) fn unpack(frame: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    let size = get_frame_content_size(frame).ok().flatten();
    let most = size.unwrap_or(TAR_DIFF_FRAME_MAX);
    if most > TAR_DIFF_FRAME_MAX {
        return Err(Fault::FrameTooLarge(most).into());
    }
    let most = usize::try_from(most).map_err(|_| Fault::Frame)?;
    let mut content = Vec::new();
    let reserved = content.try_reserve_exact(most);
    reserved.map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut decoder = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    decoder.ref_prefix(prefix).map_err(failed)?;
    let unpacked = decoder.decompress(&mut content, frame);
    match unpacked.map_err(get_error_name) {
        Ok(_) if frame.is_empty() => Err(Fault::Frame.into()),
        Ok(_) => Ok(content),
        Err("Destination buffer is too small") if size.is_none() => {
            Err(Fault::FrameTooLarge(TAR_DIFF_FRAME_MAX + 1).into())
        }
        Err(_) => Err(Fault::Frame.into()),
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
