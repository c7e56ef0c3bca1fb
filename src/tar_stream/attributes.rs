//! What a header says of a member beyond its name, kind and size.

use std::collections::BTreeMap;

use tar::Header;

use crate::tar_stream::header::{TarError, number};
use crate::tar_stream::pax::{PaxRecord, PaxRecords, decimal};

/// What a header says of a member beyond its name, kind and size.
///
/// PAX records beat the header. Names of owner and group are left out, since
/// engines go by the numbers, and so are the times of access and change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// The mode as it stands, with type bits if it has them.
    pub mode: u32,
    /// The owner.
    pub uid: u64,
    /// The group.
    pub gid: u64,
    /// When the data was modified last.
    pub mtime: Time,
    /// The major number of a device; 0 for anything else.
    pub major: u64,
    /// The minor number of a device; 0 for anything else.
    pub minor: u64,
    /// The PAX records that hold attributes of the file, sorted by key, each key
    /// once. An empty value stays: an xattr may be empty.
    pub records: Vec<PaxRecord>,
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, less than a billion.
    pub nanoseconds: u32,
}

/// What the keys of records begin with that say something of the file itself, so
/// that whoever writes it again must keep them: xattrs (two spellings), ACLs and
/// labels, and what tells a layer for Windows from others.
const ATTRIBUTE_KEYS: [&[u8]; 5] = [
    b"SCHILY.xattr.",
    b"LIBARCHIVE.xattr.",
    b"SCHILY.acl.",
    b"RHT.security.",
    b"MSWINDOWS.",
];

impl Attributes {
    /// Those in a header that begins at `offset`, and in the records before it.
    pub(super) fn parse(header: &Header, offset: u64, pax: &PaxRecords) -> Result<Self, TarError> {
        let old = header.as_old();
        let no_valid = |field| move || TarError::Field { offset, field };
        let unsigned = |field: &[u8], pax_key: &str, name| {
            let overriding = pax.parsed(pax_key.as_bytes(), decimal)?;
            let own = || number(field).and_then(|number| u64::try_from(number).ok());
            overriding.or_else(own).ok_or_else(no_valid(name))
        };
        let mode = number(&old.mode).and_then(|mode| u32::try_from(mode).ok());
        let mtime = pax.parsed(b"mtime", Time::parse)?;
        let own_mtime = || {
            let seconds = i64::try_from(number(&old.mtime)?).ok()?;
            let nanoseconds = 0;
            Some(Time {
                seconds,
                nanoseconds,
            })
        };
        // The fields stand at the same place in every dialect that has them,
        // and some writers leave anything there where they mean nothing.
        let is_device = matches!(old.linkflag[0], b'3' | b'4');
        let device = |field: &[u8], pax_key| {
            if is_device {
                unsigned(field, pax_key, "device number")
            } else {
                Ok(0)
            }
        };
        Ok(Self {
            mode: mode.ok_or_else(no_valid("mode"))?,
            uid: unsigned(&old.uid, "uid", "owner")?,
            gid: unsigned(&old.gid, "gid", "group")?,
            mtime: mtime
                .or_else(own_mtime)
                .ok_or_else(no_valid("modification time"))?,
            major: device(&header.as_bytes()[329..337], "SCHILY.devmajor")?,
            minor: device(&header.as_bytes()[337..345], "SCHILY.devminor")?,
            records: attribute_records(pax),
        })
    }
}

fn attribute_records(pax: &PaxRecords) -> Vec<PaxRecord> {
    let belongs = |key: &[u8]| ATTRIBUTE_KEYS.iter().any(|begin| key.starts_with(begin));
    let records = pax.records.iter().filter(|(key, _)| belongs(key));
    // A later record takes the place of an earlier one.
    let records: BTreeMap<_, _> = records.map(|(key, value)| (key, value)).collect();
    let records = records.into_iter();
    records.map(|(k, v)| (k.clone(), v.clone())).collect()
}

impl Time {
    /// Reads the decimal of a PAX record, such as `-1.5`.
    ///
    /// What is finer than a nanosecond is cut off towards the earlier time.
    fn parse(text: &[u8]) -> Option<Self> {
        const DIGITS: usize = 9;
        let text = std::str::from_utf8(text).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = whole.parse().ok()?;
        if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let (kept, cut_off) = fraction.split_at(fraction.len().min(DIGITS));
        let nanoseconds: u32 = format!("{kept:0<DIGITS$}").parse().ok()?;
        if !whole.starts_with('-') {
            return Some(Self {
                seconds,
                nanoseconds,
            });
        }
        // The fraction leads further back, and times count forward from their second.
        let is_between = cut_off.bytes().any(|digit| digit != b'0');
        match nanoseconds + u32::from(is_between) {
            0 => Some(Self {
                seconds,
                nanoseconds,
            }),
            back => Some(Self {
                seconds: seconds.checked_sub(1)?,
                nanoseconds: 1_000_000_000 - back,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
