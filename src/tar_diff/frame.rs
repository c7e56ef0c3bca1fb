//! zstd frames whose prefix is a file of the old tree.

use std::io;

use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, get_frame_content_size};

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
pub(super) fn unpack(frame: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    if let Ok(Some(size)) = get_frame_content_size(frame) {
        if size > TAR_DIFF_FRAME_MAX {
            return Err(Fault::FrameTooLarge.into());
        }
        let size = usize::try_from(size).map_err(|_| Fault::FrameTooLarge)?;
        let mut content = Vec::with_capacity(size);
        let mut decoder = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        decoder.ref_prefix(prefix).map_err(failed)?;
        let unpacked = decoder.decompress(&mut content, frame);
        unpacked.map_err(|_| Fault::Frame)?;
        return Ok(content);
    }
    unpack_of_unknown_size(frame, prefix)
}

/// Unpacks a frame that does not have the size of its content, as streaming encoders
/// write it.
fn unpack_of_unknown_size(frame: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::with_ref_prefix(prefix)?;
    decoder.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(WINDOW_LOGS.1))?;
    let mut input = InBuffer::around(frame);
    let mut content = Vec::new();
    let mut piece = vec![0; 128 * 1024];
    loop {
        let mut output = OutBuffer::around(piece.as_mut_slice());
        let left = decoder
            .run(&mut input, &mut output)
            .map_err(|_| Fault::Frame)?;
        let written = output.as_slice().len();
        content.extend_from_slice(output.as_slice());
        if content.len() as u64 > TAR_DIFF_FRAME_MAX {
            return Err(Fault::FrameTooLarge.into());
        }
        let is_whole = input.pos() == frame.len();
        match (left, is_whole, written) {
            (0, true, _) => return Ok(content),
            (0, false, _) | (_, true, 0) => return Err(Fault::Frame.into()),
            _ => {}
        }
    }
}

fn failed(code: usize) -> io::Error {
    io::Error::other(zstd::zstd_safe::get_error_name(code))
}
