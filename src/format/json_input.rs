//! Inputs that may be JSON instead of images.

use std::io::{Cursor, Read};

use crate::error::{LimitError, Result};
use crate::format::Input;
use crate::format::input::{InputBytes, OpenBytes};
use crate::limits::DOCUMENT_MAX;
use crate::stream::{FileSlice, HEAD_LENGTH, begins_as_json, read_head};

/// An input that was looked into.
#[derive(Debug)]
pub(crate) enum JsonOrImages {
    /// It is JSON.
    Json(Vec<u8>),
    /// It may be images, and was not read.
    Images(Input),
}

/// Reads an input if it begins as JSON. A declared format is believed.
pub(crate) fn json_or_images(input: Input) -> Result<JsonOrImages> {
    let place = input.place();
    let result = look(input);
    result.map_err(|error| error.while_reading(place))
}

fn look(mut input: Input) -> Result<JsonOrImages> {
    if input.format.is_some() {
        return Ok(JsonOrImages::Images(input));
    }
    let (bytes, opened) = match input.bytes.open()? {
        OpenBytes::Folder(path) => (None, InputBytes::Path(path)),
        OpenBytes::File(file, start) => {
            let head = read_head(FileSlice::from(&file, start)?, HEAD_LENGTH)?;
            let bytes = is_json(&head).then(|| read_all(FileSlice::from(&file, start)?));
            (bytes.transpose()?, InputBytes::File(file))
        }
        OpenBytes::Pipe(mut stream) => {
            let head = read_head(&mut stream, HEAD_LENGTH)?;
            let is_json = is_json(&head);
            let mut stream = Cursor::new(head).chain(stream);
            let bytes = is_json.then(|| read_all(&mut stream));
            (bytes.transpose()?, InputBytes::Pipe(Box::new(stream)))
        }
    };
    input.bytes = opened;
    Ok(match bytes {
        Some(bytes) => JsonOrImages::Json(bytes),
        None => JsonOrImages::Images(input),
    })
}

/// The byte order mark of UTF-16, as the shell of Windows writes it.
const UTF_16: [u8; 2] = [0xff, 0xfe];

/// Returns true if a stream with this start is JSON. A tar may begin with a bracket, too,
/// but has zeros in its first header.
fn is_json(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.starts_with(&UTF_16) || (begins_as_json(text) && !text.contains(&0))
}

/// Reads JSON to its end, as UTF-8 without a mark.
fn read_all(stream: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(DOCUMENT_MAX + 1).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    if size > DOCUMENT_MAX {
        return Err(LimitError::DocumentTooLarge {
            what: "the list of images".to_owned(),
            size,
            limit: DOCUMENT_MAX,
        }
        .into());
    }
    if let Some(units) = bytes.strip_prefix(&UTF_16) {
        let units = units.chunks_exact(2);
        let units: Vec<u16> = units.map(|it| u16::from_le_bytes([it[0], it[1]])).collect();
        return Ok(String::from_utf16_lossy(&units).into_bytes());
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}
