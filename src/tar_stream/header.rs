//! One header block.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::io;

use tar::Header;

/// The size of a header, and of the blocks to which data is padded.
pub(crate) const BLOCK: u64 = 512;

/// The mark of the end, which occurs twice.
pub(crate) const EMPTY_BLOCK: [u8; 512] = [0; 512];

/// The reason why bytes are not a tar stream.
///
/// Offsets are in bytes from the start of the (unpacked) stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// The checksum of the header is wrong.
    #[error("invalid tar header at byte {offset}: wrong checksum")]
    Checksum {
        /// The start of the header.
        offset: u64,
    },
    /// A member is truncated.
    #[error(
        "the tar is truncated at byte {offset} ({expected})", expected = more_bytes(*missing)
    )]
    Truncated {
        /// The end of the stream.
        offset: u64,
        /// Minimum number of missing bytes.
        missing: u64,
    },
    /// The stream ends between members, without an end-of-archive block.
    #[error("the tar has no end-of-archive block at byte {offset}; it may be truncated")]
    EndMissing {
        /// The end of the stream.
        offset: u64,
    },
    /// Data follows a single empty block.
    #[error("the tar continues at byte {offset}, after an end-of-archive block")]
    GoesOn {
        /// The start of that data.
        offset: u64,
    },
    /// A size is negative, too large, or not a number.
    #[error("the tar header at byte {offset} has no valid size")]
    Size {
        /// The start of the header.
        offset: u64,
    },
    /// A field is not a number, or not a valid one.
    #[error("the tar header at byte {offset} has no valid {field}")]
    Field {
        /// The start of the header.
        offset: u64,
        /// The meaning of the field.
        field: &'static str,
    },
    /// An extended header is too large.
    #[error(
        "the extended tar header at byte {offset} has {size} bytes, more than the limit of {limit}"
    )]
    ExtensionTooLarge {
        /// The start of the header.
        offset: u64,
        /// Its declared size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The extended headers of one member are too large.
    #[error(
        "with the extended tar header at byte {offset}, those of one member exceed the limit of {limit} bytes"
    )]
    ExtensionsTooLarge {
        /// The start of the one that exceeds the limit.
        offset: u64,
        /// The limit.
        limit: u64,
    },
    /// A PAX record is malformed.
    #[error("the PAX header at byte {offset} is malformed")]
    Pax {
        /// The start of the header.
        offset: u64,
    },
    /// The map of a sparse file is invalid, or does not match the data.
    #[error("the sparse file at byte {offset} of the tar has no valid sparse map")]
    SparseMap {
        /// The start of the header.
        offset: u64,
    },
    /// The map of a sparse file is too large.
    #[error("the sparse file at byte {offset} of the tar exceeds the limit of {limit} segments")]
    SparseMapTooLarge {
        /// The start of the header.
        offset: u64,
        /// The limit.
        limit: u64,
    },
    /// The stream itself failed.
    #[error(transparent)]
    Io(io::Error),
}

/// The text for bytes that should have followed.
fn more_bytes(missing: u64) -> String {
    match missing {
        1 => "at least 1 byte missing".to_owned(),
        missing => format!("at least {missing} bytes missing"),
    }
}

impl From<io::Error> for TarError {
    /// Converts an error of a reader. The error of a `TarReader` whose own data is
    /// truncated is returned as the original [`TarError`].
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Io(error),
        }
    }
}

/// The layout of a header after the common fields, with the rules of Go's reader, and
/// so of the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// No other fields.
    V7,
    /// Devices, and a prefix of the name; any version is accepted.
    Ustar,
    /// The same, with a shorter prefix, and two times after it.
    Star,
    /// Devices, two times, and the map of a sparse file.
    Gnu,
}

impl Dialect {
    /// The dialect of a header.
    pub(super) fn of(header: &Header) -> Self {
        let bytes = header.as_bytes();
        match (&bytes[257..263], &bytes[263..265]) {
            (b"ustar\0", _) if &bytes[508..] == b"tar\0" => Self::Star,
            (b"ustar\0", _) => Self::Ustar,
            (b"ustar ", b" \0") => Self::Gnu,
            _ => Self::V7,
        }
    }
}

/// The name in a header, with its prefix.
pub(super) fn path(header: &Header) -> Vec<u8> {
    let bytes = header.as_bytes();
    let name = until_nul(&bytes[..100]);
    let prefix = match Dialect::of(header) {
        Dialect::V7 => &[],
        Dialect::Ustar => until_nul(&bytes[345..500]),
        Dialect::Star => until_nul(&bytes[345..476]),
        Dialect::Gnu => gnu_prefix(bytes),
    };
    if prefix.is_empty() {
        return name.to_vec();
    }
    [prefix, b"/", name].concat()
}

/// The prefix of a GNU header, which should have none.
///
/// Go before 1.8, and so Docker up to 1.13, wrote one nevertheless, over the times, if
/// a name was long and an owner large. It is one if these are not times and it is text.
fn gnu_prefix(bytes: &[u8; 512]) -> &[u8] {
    let is_time = |field: &[u8]| field[0] == 0 || number64(field).is_some();
    let prefix = until_nul(&bytes[345..500]);
    if (is_time(&bytes[345..357]) && is_time(&bytes[357..369])) || !prefix.is_ascii() {
        return &[];
    }
    prefix
}

/// A text, which ends at the end of its field or at a NUL.
pub(super) fn until_nul(text: &[u8]) -> &[u8] {
    // It looks at many bytes at once.
    CStr::from_bytes_until_nul(text).map_or(text, CStr::to_bytes)
}

/// Returns true if a block is a tar header with a valid checksum.
pub(crate) fn is_tar_header(block: &[u8]) -> bool {
    let Ok(bytes) = <[u8; 512]>::try_from(block) else {
        return false;
    };
    let mut header = Header::new_old();
    *header.as_mut_bytes() = bytes;
    checksum_holds(&header)
}

/// Returns true if the checksum is valid; old archivers summed signed bytes.
pub(super) fn checksum_holds(header: &Header) -> bool {
    let stored = Some(&header.as_old().cksum).filter(|field| field[0] & 0x80 == 0);
    let stored = stored.and_then(|field| u32::try_from(number64(field)?).ok());
    let Some(stored) = stored else {
        return false;
    };
    // The checksum field itself counts as spaces. None of this can overflow, and
    // without overflow checks many bytes are added at once: for layers that are only
    // skipped, this is most of the work.
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

/// A size. Only members without data may have a negative one, which just means that it
/// is not 0.
pub(super) fn size(size: i64, flag: u8, offset: u64) -> Result<u64, TarError> {
    match size {
        ..0 if has_data(flag) => Err(TarError::Size { offset }),
        _ => Ok(size.unsigned_abs()),
    }
}

/// Returns true if data may follow a header with this type flag. Links, devices,
/// folders and fifos are followed by a header, whatever their size (Go's archive/tar,
/// POSIX pax).
pub(super) fn has_data(flag: u8) -> bool {
    !matches!(flag, b'1'..=b'6')
}

/// A field with a number of at most 64 bits, with the rules of Go's reader.
pub(super) fn number64(field: &[u8]) -> Option<i64> {
    if let Some(number) = full_number(field).or_else(|| plain_number(field)) {
        return Some(number);
    }
    number(field).and_then(|number| i64::try_from(number).ok())
}

/// A field of eight or twelve bytes that is full of octal digits, up to a NUL or a space
/// in its last byte. `None` for anything else.
fn full_number(field: &[u8]) -> Option<i64> {
    let (high, low) = field.split_last_chunk()?;
    let low = u64::from_be_bytes(*low);
    if !matches!(low.to_be_bytes()[7], 0 | b' ') {
        return None;
    }
    let low = octal((low >> 8) | (u64::from(b'0') << 56))?;
    let high = match high {
        [] => 0,
        [a, b, c, d] => octal(u64::from_be_bytes([b'0', b'0', b'0', b'0', *a, *b, *c, *d]))?,
        _ => return None,
    };
    i64::try_from((high << 21) | low).ok()
}

/// The number of eight octal digits, which are converted at once.
fn octal(digits: u64) -> Option<u64> {
    const HIGH: u64 = u64::from_be_bytes([0xf8; 8]);
    if digits & HIGH != u64::from_be_bytes([b'0'; 8]) {
        return None;
    }
    // Each step joins two neighbours, of three, six and twelve bits.
    let bits = digits & !HIGH;
    let bits = ((bits >> 5) | bits) & 0x003f_003f_003f_003f;
    let bits = ((bits >> 10) | bits) & 0x0000_0fff_0000_0fff;
    Some(((bits >> 20) | bits) & 0x00ff_ffff)
}

/// A field that begins with octal digits, and has nothing after them, or a NUL, or one
/// space: almost all fields do. `None` for anything else.
fn plain_number(field: &[u8]) -> Option<i64> {
    let end = field.iter().position(|byte| !matches!(byte, b'0'..=b'7'));
    let (digits, rest) = field.split_at(end.unwrap_or(field.len()));
    // Twelve digits have 36 bits.
    if !(1..=12).contains(&digits.len()) || !matches!(rest, [] | [0, ..] | [b' ']) {
        return None;
    }
    let add = |number: i64, digit: &u8| (number << 3) | i64::from(digit - b'0');
    Some(digits.iter().fold(0, add))
}

/// A field of at most twelve bytes with a number; an empty one is 0.
///
/// Octal digits may be surrounded by spaces and NULs, and end at a NUL, whatever
/// follows. The highest bit of the first byte marks base-256: a big-endian number in
/// two's complement, for which that bit counts as a copy of the next.
pub(super) fn number(field: &[u8]) -> Option<i128> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let sign = if first & 0x40 == 0 { 0x00 } else { 0x80 };
        let high = i128::from(((first & 0x7f) | sign).cast_signed());
        return Some(
            rest.iter()
                .fold(high, |number, byte| (number << 8) | i128::from(*byte)),
        );
    }
    let start = field.iter().position(|byte| !is_padding(byte));
    let end = field.iter().rposition(|byte| !is_padding(byte));
    let (Some(start), Some(end)) = (start, end) else {
        return Some(0);
    };
    // Twelve digits have 36 bits.
    let digits = until_nul(&field[start..=end]);
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(8)?;
        Some((number << 3) | u64::from(digit))
    });
    number.map(i128::from)
}

/// A name from an archive, for display: anything except printable text is escaped.
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
        let cases: [(&[u8], i128); 22] = [
            (b"1234567\0", 0o123_4567),
            (b"12345670123\0", 0o123_4567_0123),
            (b"76543210765 ", 0o765_4321_0765),
            (b"0000644\0", 0o644),
            (b"0000644 ", 0o644),
            (b"  644 \0 ", 0o644),
            (b"\0\0 644\0\0", 0o644),
            (b"77777777", 0o7777_7777),
            (b"777777777777", 0o7777_7777_7777),
            (b"7\0garbage", 7),
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
            let small = i64::try_from(expected).ok();
            assert_eq!(number64(field), small, "{}", field.escape_ascii());
        }
        let garbage: [&[u8]; 13] = [
            b"0000/44\0",
            b"8000644\0",
            b"0000000064:\0",
            b"",
            b"0000648\0",
            b"-1",
            b"+1",
            b"1 2",
            b"0x1",
            b"root",
            b"\t7",
            b"7\t",
            b"7 \0\x80",
        ];
        for field in garbage {
            assert_eq!(number(field), None, "{}", field.escape_ascii());
            assert_eq!(number64(field), None, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn names_are_escaped_for_people() {
        assert_eq!(display_name("a/ü".as_bytes()), "a/ü");
        assert_eq!(display_name(b"a\x1b[31m\n\xff"), "a\\u{1b}[31m\\n\\xff");
    }
}
