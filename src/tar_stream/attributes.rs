//! The fields of a header besides a member's name, kind and size.

use std::collections::BTreeMap;

use tar::Header;

use crate::tar_stream::header::{Dialect, TarError, number64};
use crate::tar_stream::pax::{PaxRecord, PaxRecords, decimal};
use crate::tar_stream::time::Time;

/// The fields of a header besides a member's name, kind and size.
///
/// PAX records override the header. Names of owner and group are omitted, since engines
/// use the numbers, and so are the times of access and change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// The mode exactly as in the header, with type bits if it has them.
    pub mode: i64,
    /// The owner. Engines accept any number, and use the low 32 bits of a negative one.
    pub uid: i64,
    /// The group, with the same rules.
    pub gid: i64,
    /// The modification time.
    pub mtime: Time,
    /// The major number of a device; 0 for anything else.
    pub major: i64,
    /// The minor number of a device; 0 for anything else.
    pub minor: i64,
    /// The PAX records with attributes of the file, sorted by key, each key once. An
    /// empty value is kept: an xattr may be empty.
    pub records: Vec<PaxRecord>,
}

/// The prefixes of keys of records that belong to the file itself, and must be kept
/// when it is rewritten: xattrs (two spellings), ACLs and labels, and the mark of a
/// layer for Windows.
const ATTRIBUTE_KEYS: [&[u8]; 5] = [
    b"SCHILY.xattr.",
    b"LIBARCHIVE.xattr.",
    b"SCHILY.acl.",
    b"RHT.security.",
    b"MSWINDOWS.",
];

impl Attributes {
    /// Reads the fields of a header that begins at `offset`, and the records before it.
    pub(super) fn parse(header: &Header, offset: u64, pax: &PaxRecords) -> Result<Self, TarError> {
        let old = header.as_old();
        let no_valid = |field| move || TarError::Field { offset, field };
        let owner = |field: &[u8], pax_key: &str, name| {
            let overriding = pax.parsed(pax_key.as_bytes(), decimal)?;
            let own = || number64(field);
            overriding.or_else(own).ok_or_else(no_valid(name))
        };
        pax.check_times()?;
        let mtime = pax.parsed(b"mtime", Time::parse)?;
        let own_mtime = || {
            let seconds = number64(&old.mtime)?;
            let nanoseconds = 0;
            Some(Time {
                seconds,
                nanoseconds,
            })
        };
        let device = device(header).ok_or_else(no_valid("device number"))?;
        // Some readers have no such field, and no engine keeps its value.
        let times = match Dialect::of(header) {
            Dialect::Star => [&header.as_bytes()[476..488], &header.as_bytes()[488..500]],
            Dialect::V7 | Dialect::Ustar | Dialect::Gnu => [&[0][..]; 2],
        };
        if times.iter().any(|field| number64(field).is_none()) {
            return Err(no_valid("time of access or change")());
        }
        Ok(Self {
            mode: number64(&old.mode).ok_or_else(no_valid("mode"))?,
            uid: owner(&old.uid, "uid", "owner")?,
            gid: owner(&old.gid, "gid", "group")?,
            mtime: mtime
                .or_else(own_mtime)
                .ok_or_else(no_valid("modification time"))?,
            major: device.0,
            minor: device.1,
            records: attribute_records(pax),
        })
    }
}

/// The numbers of a device, in every dialect that has them; zeros for anything else.
///
/// Go's reader, and so each engine, refuses a header in which they are not numbers,
/// even if it is not a device.
fn device(header: &Header) -> Option<(i64, i64)> {
    if Dialect::of(header) == Dialect::V7 {
        return Some((0, 0));
    }
    let bytes = header.as_bytes();
    let (major, minor) = (number64(&bytes[329..337])?, number64(&bytes[337..345])?);
    if !matches!(bytes[156], b'3' | b'4') {
        return Some((0, 0));
    }
    Some((major, minor))
}

fn attribute_records(pax: &PaxRecords) -> Vec<PaxRecord> {
    let belongs = |key: &[u8]| ATTRIBUTE_KEYS.iter().any(|begin| key.starts_with(begin));
    let records = pax.records.iter().filter(|(key, _)| belongs(key));
    // A later record replaces an earlier one.
    let records: BTreeMap<_, _> = records.map(|(key, value)| (key, value)).collect();
    let records = records.into_iter();
    records.map(|(k, v)| (k.clone(), v.clone())).collect()
}

#[cfg(test)]
mod tests;
