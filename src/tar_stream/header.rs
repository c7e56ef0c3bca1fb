//! One header block.

use std::fmt::Write as _;
use std::io;

use tar::Header;

/// Why bytes are not a tar stream.
///
/// Offsets are in bytes from the start of the (unpacked) stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// The header's sum is wrong.
    #[error("no tar header at byte {offset}: its checksum is wrong")]
    Checksum {
        /// Where the header begins.
        offset: u64,
    },
    /// A member is cut off.
    #[error(
        "the tar ends early: {expected} at byte {offset}", expected = more_bytes(*missing)
    )]
    Truncated {
        /// Where the stream ends.
        offset: u64,
        /// How much is missing at least.
        missing: u64,
    },
    /// The stream ends where a member could begin, and nothing says that it should.
    #[error("the tar has no end-of-archive block at byte {offset}, so it may have been cut off")]
    EndMissing {
        /// Where the stream ends.
        offset: u64,
    },
    /// Something follows a single block that marks the end.
    #[error("the tar goes on at byte {offset}, behind a block that marks its end")]
    GoesOn {
        /// Where it begins.
        offset: u64,
    },
    /// A size is negative, too large, or no number.
    #[error("the tar header at byte {offset} has no valid size")]
    Size {
        /// Where the header begins.
        offset: u64,
    },
    /// A field holds no number, or one that it cannot mean.
    #[error("the tar header at byte {offset} has no valid {field}")]
    Field {
        /// Where the header begins.
        offset: u64,
        /// What the field is for.
        field: &'static str,
    },
    /// An extended header is larger than any sane name or attribute.
    #[error(
        "the extended tar header at byte {offset} has {size} bytes, and {limit} are the most that is accepted"
    )]
    ExtensionTooLarge {
        /// Where the header begins.
        offset: u64,
        /// What it says.
        size: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The extended headers of one member are larger than any can need.
    #[error(
        "the extended tar header at byte {offset} brings those of one member above {limit} bytes, the most that is accepted"
    )]
    ExtensionsTooLarge {
        /// Where the one begins that is too much.
        offset: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// A PAX record is malformed.
    #[error("the PAX header at byte {offset} is malformed")]
    Pax {
        /// Where the header begins.
        offset: u64,
    },
    /// The map of a sparse file does not describe a file, or not the data that is there.
    #[error("the sparse file at byte {offset} of the tar has no valid map of its holes")]
    SparseMap {
        /// Where the header begins.
        offset: u64,
    },
    /// The map of a sparse file is larger than any sane one.
    #[error(
        "the sparse file at byte {offset} of the tar has more than {limit} segments of data, the most that is accepted"
    )]
    SparseMapTooLarge {
        /// Where the header begins.
        offset: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The stream itself failed.
    #[error(transparent)]
    Io(io::Error),
}

/// What a sentence says of bytes that should have followed.
fn more_bytes(missing: u64) -> String {
    match missing {
        1 => "1 more byte was expected".to_owned(),
        missing => format!("{missing} more bytes were expected"),
    }
}

impl From<io::Error> for TarError {
    /// Takes an error of a reader. That of a `TarReader`'s own data, which ended
    /// too early, comes as the [`TarError`] that it is.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Io(error),
        }
    }
}

/// Whether the checksum holds; old archivers summed signed bytes.
pub(super) fn checksum_holds(header: &Header) -> bool {
    let Ok(stored) = header.cksum() else {
        return false;
    };
    // Where the checksum stands, spaces are summed. Nothing of this can overflow, and
    // without a check for that many bytes are added at once: for layers that are only
    // passed over, it is most of the work.
    let bytes = header.as_bytes();
    let field = &bytes[148..156];
    let spaces = 8 * 32;
    let sum = |bytes: &[u8]| {
        let bytes = bytes.iter().map(|byte| u32::from(*byte));
        bytes.fold(0, u32::wrapping_add)
    };
    if sum(bytes) - sum(field) + spaces == stored {
        return true;
    }
    let signed = |bytes: &[u8]| -> i64 {
        let bytes = bytes.iter().map(|byte| i64::from(byte.cast_signed()));
        bytes.sum()
    };
    signed(bytes) - signed(field) + i64::from(spaces) == i64::from(stored)
}

/// The size field, never negative.
pub(super) fn size(header: &Header, offset: u64) -> Result<u64, TarError> {
    // What is beyond `i64` is no size for Go's reader either.
    let size = number(&header.as_old().size).and_then(|size| i64::try_from(size).ok());
    size.and_then(|size| u64::try_from(size).ok())
        .ok_or(TarError::Size { offset })
}

/// A field of at most twelve bytes that holds a number; an empty one holds 0.
///
/// Octal digits end with the field or at a NUL, and may stand between spaces and
/// NULs. The highest bit of the first byte marks base-256: a big-endian number in
/// two's complement, for which that bit counts as a copy of the next.
pub(super) fn number(field: &[u8]) -> Option<i128> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let first = *field.first()?;
    if first & 0x80 != 0 {
        let sign = if first & 0x40 == 0 { 0x00 } else { 0x80 };
        let mut bytes = field.iter();
        bytes.next();
        let high = i128::from(((first & 0x7f) | sign).cast_signed());
        return Some(bytes.fold(high, |number, byte| (number << 8) | i128::from(*byte)));
    }
    let start = field.iter().position(|byte| !is_padding(byte));
    let text = &field[start.unwrap_or(field.len())..];
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    text.trim_ascii_end().iter().try_fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(8)?;
        Some(number * 8 + i128::from(digit))
    })
}

/// A name from an archive, for people: what is not printable text is escaped.
#[must_use]
pub(crate) fn display_name(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        let cases: [(&[u8], i128); 20] = [
            (b"0000644\0", 0o644),
            (b"0000644 ", 0o644),
            (b"  644 \0 ", 0o644),
            (b"\0\0 644\0\0", 0o644),
            (b"77777777", 0o7777_7777),
            (b"777777777777", 0o7777_7777_7777),
            (b"7\0garbage", 7),
            (b"7 \0\x80", 7),
            (b"\0\0\0\0\0\0\0\0", 0),
            (b"        ", 0),
            (b"\x80\0\0\0\0\0\0\0", 0),
            (b"\x80\0\0\0\0\0\0\x07", 7),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff", (1 << 56) - 1),
            (b"\xbf\xff\xff\xff\xff\xff\xff\xff", (1 << 62) - 1),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", -1),
            (b"\xff\0\0\0\0\0\0\0", -(1 << 56)),
            (b"\xc0\0\0\0\0\0\0\0", -(1 << 62)),
            (
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                i128::from(i64::MAX),
            ),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", i128::from(i64::MIN)),
            (
                b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                (1 << 94) - 1,
            ),
        ];
        for (field, expected) in cases {
            assert_eq!(number(field), Some(expected), "{}", field.escape_ascii());
        }
        let garbage: [&[u8]; 8] = [
            b"",
            b"0000648\0",
            b"-1",
            b"+1",
            b"1 2",
            b"0x1",
            b"root",
            b"\t7",
        ];
        for field in garbage {
            assert_eq!(number(field), None, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn names_are_escaped_for_people() {
        assert_eq!(display_name("a/ü".as_bytes()), "a/ü");
        assert_eq!(display_name(b"a\x1b[31m\n\xff"), "a\\u{1b}[31m\\n\\xff");
    }
}
