//! One header block, and the extended headers that may stand before it.

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

/// The most that a PAX header or a GNU long name may hold, as in Go's reader.
pub(super) const EXTENSION_MAX: u64 = 1024 * 1024;

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

/// One record of a PAX header. Values are bytes: an xattr may hold anything.
pub(super) type PaxRecord = (Vec<u8>, Vec<u8>);

/// Takes a PAX header's data apart: `<length> <key>=<value>\n`, again and again.
pub(super) fn pax_records(mut data: &[u8], offset: u64) -> Result<Vec<PaxRecord>, TarError> {
    let malformed = || TarError::Pax { offset };
    let mut records = Vec::new();
    while !data.is_empty() {
        let space = data.iter().take(20).position(|b| *b == b' ');
        let space = space.ok_or_else(malformed)?;
        let length: usize = std::str::from_utf8(&data[..space])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(malformed)?;
        let record = data.get(space + 1..length).ok_or_else(malformed)?;
        let record = record.strip_suffix(b"\n").ok_or_else(malformed)?;
        let equals = record.iter().position(|b| *b == b'=');
        let (key, value) = record.split_at(equals.ok_or_else(malformed)?);
        let value = &value[1..];
        let is_name = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
        if key.is_empty() || (is_name && value.contains(&0)) {
            return Err(malformed());
        }
        records.push((key.to_vec(), value.to_vec()));
        data = &data[length..];
    }
    Ok(records)
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
    fn pax_records_hold_any_bytes() {
        let records = pax_records(b"11 path=ab\n12 x=a\n\0=b\n", 0);
        assert!(records.is_err(), "the second length is wrong");
        let records = pax_records(b"11 path=ab\n11 x=a\n\0=b\n", 0).unwrap();
        assert_eq!(
            records,
            [
                (b"path".to_vec(), b"ab".to_vec()),
                (b"x".to_vec(), b"a\n\0=b".to_vec())
            ]
        );
    }

    #[test]
    fn malformed_pax_records_are_refused() {
        let cases: [&[u8]; 9] = [
            b"x",
            b"11 path=ab",
            b"99 path=ab\n",
            b"10 path=ab\n",
            b"3 \n\n",
            b"7 path\n",
            b"5 =a\n",
            b"11 path=\0b\n",
            b"99999999999999999999 path=ab\n",
        ];
        for case in cases {
            assert!(
                matches!(pax_records(case, 5), Err(TarError::Pax { offset: 5 })),
                "{}",
                display_name(case)
            );
        }
    }

    #[test]
    fn names_are_escaped_for_people() {
        assert_eq!(display_name("a/ü".as_bytes()), "a/ü");
        assert_eq!(display_name(b"a\x1b[31m\n\xff"), "a\\u{1b}[31m\\n\\xff");
    }
}
