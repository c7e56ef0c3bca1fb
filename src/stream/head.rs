//! The first bytes of a stream.

use std::io::{self, Read};

/// Reads the first bytes of a stream: `length` of them, or as many as there are.
///
/// [`Compression::sniff`](crate::stream::Compression::sniff),
/// [`FileKind::of`](crate::stream::FileKind::of) and [`begins_as_json`] identify them.
pub(crate) fn read_head(input: impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(length).read_to_end(&mut head)?;
    Ok(head)
}

/// Returns true if a stream with this start may be a JSON document.
pub(crate) fn begins_as_json(head: &[u8]) -> bool {
    matches!(head.trim_ascii_start().first(), Some(b'{' | b'['))
}
