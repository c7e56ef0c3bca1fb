//! The records of a PAX header.

use std::str::FromStr;

use crate::tar_stream::header::TarError;
use crate::tar_stream::time::Time;

/// One record of a PAX header. Values are bytes: an xattr may hold anything.
pub(crate) type PaxRecord = (Vec<u8>, Vec<u8>);

/// The records of a PAX header, for the member after it.
#[derive(Debug, Default)]
pub(super) struct PaxRecords {
    /// The records in their order: the last of a key counts.
    pub records: Vec<PaxRecord>,
    /// The start of the header.
    offset: u64,
}

impl PaxRecords {
    /// Parses the data of a PAX header: a sequence of `<length> <key>=<value>\n`.
    pub(super) fn parse(mut data: &[u8], offset: u64) -> Result<Self, TarError> {
        let malformed = || TarError::Pax { offset };
        let mut records = Vec::new();
        while !data.is_empty() {
            let space = data.iter().take(20).position(|b| *b == b' ');
            let space = space.ok_or_else(malformed)?;
            let length = decimal::<u64>(&data[..space]).and_then(|length| length.try_into().ok());
            let length: usize = length.ok_or_else(malformed)?;
            let record = data.get(space + 1..length).ok_or_else(malformed)?;
            let record = record.strip_suffix(b"\n").ok_or_else(malformed)?;
            let equals = record.iter().position(|b| *b == b'=');
            let (key, value) = record.split_at(equals.ok_or_else(malformed)?);
            let value = &value[1..];
            let is_name = matches!(
                key,
                b"path" | b"linkpath" | b"uname" | b"gname" | b"GNU.sparse.name"
            );
            let has_nul = key.contains(&0) || (is_name && value.contains(&0));
            if key.is_empty() || has_nul {
                return Err(malformed());
            }
            records.push((key.to_vec(), value.to_vec()));
            data = &data[length..];
        }
        Ok(Self { records, offset })
    }

    /// The last value of a key; an empty value deletes it.
    pub(super) fn value(&self, key: &[u8]) -> Option<&[u8]> {
        let (_, value) = self.records.iter().rev().find(|(of, _)| of == key)?;
        Some(value.as_slice()).filter(|value| !value.is_empty())
    }

    /// The value of a key, parsed with `parse`.
    pub(super) fn parsed<T>(
        &self,
        key: &[u8],
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, TarError> {
        let offset = self.offset;
        let parsed = |value| parse(value).ok_or(TarError::Pax { offset });
        self.value(key).map(parsed).transpose()
    }

    /// Fails if a number or a time is invalid, even if it is not used.
    pub(super) fn check_values(&self, offset: u64) -> Result<(), TarError> {
        self.size(offset)?;
        self.parsed(b"uid", decimal::<i64>)?;
        self.parsed(b"gid", decimal::<i64>)?;
        self.parsed(b"mtime", Time::parse)?;
        self.check_times()
    }

    /// Fails if the times of access and change are invalid. No engine keeps them, but
    /// each refuses invalid ones.
    pub(super) fn check_times(&self) -> Result<(), TarError> {
        for key in [&b"atime"[..], b"ctime"] {
            self.parsed(key, Time::parse)?;
        }
        Ok(())
    }

    /// The PAX size, which overrides that in the member's header.
    pub(super) fn size(&self, offset: u64) -> Result<Option<i64>, TarError> {
        let size = |value| decimal(value).ok_or(TarError::Size { offset });
        self.value(b"size").map(size).transpose()
    }

    /// Returns true if they contain, or announce, the map of a sparse file, with the
    /// rules of Go's reader. A size alone is not enough.
    pub(super) fn is_sparse(&self) -> bool {
        if self.records.is_empty() {
            return false;
        }
        let version = ["GNU.sparse.major", "GNU.sparse.minor"];
        match version.map(|key| self.value(key.as_bytes())) {
            [Some(b"0"), Some(b"0" | b"1")] | [Some(b"1"), Some(b"0")] => true,
            [None, None] => {
                let is_map =
                    |key: &[u8]| matches!(key, b"GNU.sparse.offset" | b"GNU.sparse.numbytes");
                self.value(b"GNU.sparse.map").is_some()
                    || self.records.iter().any(|(key, _)| is_map(key))
            }
            _ => false,
        }
    }
}

/// A number in the syntax of PAX records.
pub(super) fn decimal<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `<length> <key>=<value>\n`, where the length includes its own digits.
pub(crate) fn pax_record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() > length {
        length += 1;
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(data: &[u8]) -> Result<Vec<PaxRecord>, TarError> {
        PaxRecords::parse(data, 5).map(|pax| pax.records)
    }

    #[test]
    fn records_hold_any_bytes() {
        let wrong = records(b"11 path=ab\n12 x=a\n\0=b\n");
        assert!(wrong.is_err(), "the second length is wrong");
        assert_eq!(
            records(b"11 path=ab\n11 x=a\n\0=b\n").unwrap(),
            [
                (b"path".to_vec(), b"ab".to_vec()),
                (b"x".to_vec(), b"a\n\0=b".to_vec())
            ]
        );
    }

    #[test]
    fn malformed_records_are_refused() {
        let cases: [&[u8]; 10] = [
            b"x",
            b"11 path=ab",
            b"99 path=ab\n",
            b"10 path=ab\n",
            b"3 \n\n",
            b"7 path\n",
            b"5 =a\n",
            b"11 path=\0b\n",
            b"22 GNU.sparse.name=\0b\n",
            b"99999999999999999999 path=ab\n",
        ];
        for case in cases {
            assert!(
                matches!(records(case), Err(TarError::Pax { offset: 5 })),
                "{}",
                case.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 90, 91, 92, 989, 990, 991] {
            let value = vec![b'v'; length];
            let read = records(&pax_record(b"key", &value)).unwrap();
            assert_eq!(read, [(b"key".to_vec(), value)]);
        }
    }

    #[test]
    fn the_last_record_of_a_key_counts_and_an_empty_one_deletes() {
        let pax = PaxRecords::parse(b"6 a=1\n6 b=2\n6 a=3\n5 b=\n", 5).unwrap();
        assert_eq!(pax.value(b"a"), Some(b"3".as_slice()));
        assert_eq!(pax.value(b"b"), None);
        assert_eq!(pax.value(b"c"), None);
    }
}
