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
    #[error("the tar ends early: {missing} more bytes were expected at byte {offset}")]
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
    /// A size is negative, too large, or no number.
    #[error("the tar header at byte {offset} has no valid size")]
    Size {
        /// Where the header begins.
        offset: u64,
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
    /// The stream itself failed.
    #[error(transparent)]
    Io(io::Error),
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
    let bytes = header.as_bytes();
    let of = |byte: u8, signed: bool| {
        if signed {
            i64::from(byte.cast_signed())
        } else {
            i64::from(byte)
        }
    };
    [false, true].iter().any(|signed| {
        let sum: i64 = bytes
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    of(*byte, *signed)
                }
            })
            .sum();
        sum == i64::from(stored)
    })
}

/// The size field: octal or base-256, never negative.
pub(super) fn size(header: &Header, offset: u64) -> Result<u64, TarError> {
    let field = &header.as_old().size;
    // In base-256 only the last eight bytes are read; those before must be 0.
    let is_base256 = field[0] & 0x80 != 0;
    let is_too_large = is_base256 && (field[0] != 0x80 || field[1..4] != [0; 3]);
    match header.entry_size() {
        Ok(size) if !is_too_large && i64::try_from(size).is_ok() => Ok(size),
        _ => Err(TarError::Size { offset }),
    }
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
    fn names_are_escaped_for_people() {
        assert_eq!(display_name("a/ü".as_bytes()), "a/ü");
        assert_eq!(display_name(b"a\x1b[31m\n\xff"), "a\\u{1b}[31m\\n\\xff");
    }
}
