//! Writing headers.

use tar::{EntryType, Header};

use crate::tar_stream::header::{BLOCK, EMPTY_BLOCK};

/// The largest size, and the latest time, in eleven octal digits.
pub(crate) const OCTAL_11_MAX: u64 = 0o777_7777_7777;

/// The largest owner, and the largest device number, in seven octal digits.
pub(crate) const OCTAL_7_MAX: i64 = 0o777_7777;

/// Maximum length of a name, and of a link's target, in a header; a name may also have
/// a prefix.
pub(crate) const NAME_MAX: usize = 100;

/// Maximum length of a name's prefix in a ustar header.
const PREFIX_MAX: usize = 155;

/// A header to be written. A value that does not fit into its field is truncated, or
/// written in base-256 if possible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewHeader<'a> {
    /// The kind of the member.
    pub(crate) kind: EntryType,
    /// Its name.
    pub(crate) name: &'a [u8],
    /// The target of a link.
    pub(crate) link: &'a [u8],
    /// Its permissions.
    pub(crate) mode: u32,
    /// Its owner; a negative one is written as 0.
    pub(crate) uid: i64,
    /// Its group, with the same rule.
    pub(crate) gid: i64,
    /// The number of bytes of data that follow.
    pub(crate) size: u64,
    /// Seconds since 1970; 0 if it does not fit into eleven octal digits.
    pub(crate) mtime: i64,
    /// The numbers of a device, or zeros; without them the fields are empty.
    pub(crate) device: Option<(i64, i64)>,
    /// True if it is a GNU header, which may have a size above [`OCTAL_11_MAX`],
    /// instead of a ustar header.
    pub(crate) is_gnu: bool,
}

impl<'a> NewHeader<'a> {
    /// A ustar header of a member with owner 0, dated 1970.
    pub(crate) fn new(kind: EntryType, name: &'a [u8]) -> Self {
        Self {
            kind,
            name,
            link: &[],
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: 0,
            device: None,
            is_gnu: false,
        }
    }

    /// Returns true if the name fits.
    pub(crate) fn has_name(&self) -> bool {
        split(self.name).is_some()
    }

    /// The block, preceded by a PAX header with this name if there are any records.
    pub(crate) fn blocks(&self, pax_name: &[u8], records: &[u8]) -> Vec<u8> {
        let mut blocks = Vec::new();
        if !records.is_empty() {
            let size = records.len() as u64;
            let extended = NewHeader {
                size,
                device: self.device.map(|_| (0, 0)),
                ..NewHeader::new(EntryType::XHeader, pax_name)
            };
            blocks.extend_from_slice(extended.block().as_bytes());
            blocks.extend_from_slice(records);
            blocks.extend_from_slice(padding(size));
        }
        blocks.extend_from_slice(self.block().as_bytes());
        blocks
    }

    fn block(&self) -> Header {
        let mut header = if self.is_gnu {
            Header::new_gnu()
        } else {
            Header::new_ustar()
        };
        let (prefix, name) = split(self.name).unwrap_or((&[], self.name));
        let old = header.as_old_mut();
        fill(&mut old.name, name);
        fill(&mut old.linkname, self.link);
        if let Some(ustar) = header.as_ustar_mut() {
            fill(&mut ustar.prefix, prefix);
        }
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(self.uid.try_into().unwrap_or(0));
        header.set_gid(self.gid.try_into().unwrap_or(0));
        header.set_size(self.size);
        let mtime = u64::try_from(self.mtime).ok();
        header.set_mtime(mtime.filter(|it| *it <= OCTAL_11_MAX).unwrap_or(0));
        if let (Some((major, minor)), Some(ustar)) = (self.device, header.as_ustar_mut()) {
            fill_device(&mut ustar.dev_major, major);
            fill_device(&mut ustar.dev_minor, minor);
        }
        header.set_cksum();
        header
    }
}

/// The padding after this many bytes of data.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    let length = size.next_multiple_of(BLOCK) - size;
    &EMPTY_BLOCK[..usize::try_from(length).expect("less than a block")]
}

/// Writes the number of a device, for which engines use no PAX record.
fn fill_device(field: &mut [u8; 8], number: i64) {
    if (0..=OCTAL_7_MAX).contains(&number) {
        field.copy_from_slice(format!("{number:07o}\0").as_bytes());
    } else {
        *field = number.to_be_bytes();
        field[0] |= 0x80;
    }
}

fn fill(field: &mut [u8], value: &[u8]) {
    let length = field.len().min(value.len());
    field[..length].copy_from_slice(&value[..length]);
}

/// A name split into a prefix and the rest, as in ustar; `None` if it does not fit.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME_MAX {
        return Some((&[], name));
    }
    // The slash at the end of a directory's name cannot be the separator.
    let inner = &name[..name.len() - 1];
    let most = inner.len().min(PREFIX_MAX + 1);
    let slash = inner[..most].iter().rposition(|byte| *byte == b'/')?;
    let rest = &name[slash + 1..];
    (slash > 0 && rest.len() <= NAME_MAX).then_some((&name[..slash], rest))
}
