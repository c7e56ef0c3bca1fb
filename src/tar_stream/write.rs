//! Headers that are written.

use tar::{EntryType, Header};

use crate::tar_stream::header::{BLOCK, EMPTY_BLOCK};

/// The largest size, and the latest time, that eleven octal digits can say.
pub(crate) const OCTAL_11_MAX: u64 = 0o777_7777_7777;

/// The largest owner, and the largest device number, that seven octal digits can say.
pub(crate) const OCTAL_7_MAX: i64 = 0o777_7777;

/// The longest name, and the longest target of a link, that a header has room for; a
/// name may have a prefix beside it.
pub(crate) const NAME_MAX: usize = 100;

/// The longest prefix of a name that a ustar header has room for.
const PREFIX_MAX: usize = 155;

/// A header to be written. What does not fit into its field is cut off, or written in
/// base-256 where that can say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewHeader<'a> {
    /// What the member is.
    pub(crate) kind: EntryType,
    /// Its name.
    pub(crate) name: &'a [u8],
    /// Where a link points.
    pub(crate) link: &'a [u8],
    /// Its permissions.
    pub(crate) mode: u32,
    /// Its owner; below 0 is written as 0.
    pub(crate) uid: i64,
    /// Its group, in the same way.
    pub(crate) gid: i64,
    /// How many bytes of data follow.
    pub(crate) size: u64,
    /// Seconds since 1970; what eleven octal digits cannot say is written as 0.
    pub(crate) mtime: i64,
    /// The numbers of a device, or zeros; without them their fields stay empty.
    pub(crate) device: Option<(i64, i64)>,
    /// Whether it is a GNU header, which may have a size of more than
    /// [`OCTAL_11_MAX`], and not a ustar one.
    pub(crate) is_gnu: bool,
}

impl<'a> NewHeader<'a> {
    /// A ustar header of a member of nobody, from 1970.
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

    /// Whether there is room for the name.
    pub(crate) fn has_name(&self) -> bool {
        split(self.name).is_some()
    }

    /// The block; before it a PAX header with this name, if there are any records.
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

/// What follows data of so many bytes.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    let length = size.next_multiple_of(BLOCK) - size;
    &EMPTY_BLOCK[..usize::try_from(length).expect("less than a block")]
}

/// A number of a device, which has no PAX record that engines heed.
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

/// A name as a prefix and the rest, as ustar has it; `None` if it does not fit.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME_MAX {
        return Some((&[], name));
    }
    // The slash that ends the name of a directory cannot be the one between.
    let inner = &name[..name.len() - 1];
    let most = inner.len().min(PREFIX_MAX + 1);
    let slash = inner[..most].iter().rposition(|byte| *byte == b'/')?;
    let rest = &name[slash + 1..];
    (slash > 0 && rest.len() <= NAME_MAX).then_some((&name[..slash], rest))
}
