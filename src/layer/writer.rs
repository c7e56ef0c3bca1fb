//! Canonical layers: the only code that builds the headers of a layer.
//!
//! The same entry has the same bytes everywhere: a ustar header, with a PAX header
//! before it only where it cannot say something. Nothing in it depends on a clock,
//! a process or a machine.

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::layer::entry::{Device, Metadata, NodeKind};
use crate::layer::whiteout::{OPAQUE, is_whiteout, whiteout_of};
use crate::tar_stream::{BLOCK, EMPTY_BLOCK, Time, pax_record};

/// The largest size, and the latest time, that eleven octal digits can say.
const OCTAL_11_MAX: u64 = 0o777_7777_7777;

/// The largest owner that seven octal digits can say.
const OCTAL_7_MAX: i64 = 0o777_7777;

/// The longest name that a header has room for without its prefix.
const NAME_MAX: usize = 100;

/// The longest prefix of a name that a ustar header has room for.
const PREFIX_MAX: usize = 155;

/// The name of a PAX header. Readers ignore it.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// Writes entries as a canonical tar.
#[derive(Debug)]
#[must_use = "the end of the archive is only written by `finish`"]
pub(crate) struct LayerWriter<W> {
    output: W,
}

/// The fields of a header beside the metadata.
struct Shape<'a> {
    flag: EntryType,
    name: &'a [u8],
    link: &'a [u8],
    size: u64,
    device: Option<Device>,
}

impl<W: Write> LayerWriter<W> {
    /// Begins a layer.
    pub(crate) fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes a directory. An empty path is the root.
    pub(crate) fn directory(&mut self, path: &[u8], metadata: &Metadata) -> io::Result<()> {
        let name = match path {
            b"" => b"./".to_vec(),
            path => [path, b"/"].concat(),
        };
        self.header(&Shape::of(EntryType::Directory, &name), metadata)
    }

    /// Writes a node. The content of a file has to be written after it, to
    /// [`content`](Self::content), and closed with [`pad`](Self::pad).
    pub(crate) fn node(
        &mut self,
        path: &[u8],
        kind: &NodeKind,
        metadata: &Metadata,
    ) -> io::Result<()> {
        let flag = match kind {
            NodeKind::File(_) => EntryType::Regular,
            NodeKind::Symlink(_) => EntryType::Symlink,
            NodeKind::CharDevice(_) => EntryType::Char,
            NodeKind::BlockDevice(_) => EntryType::Block,
            NodeKind::Fifo => EntryType::Fifo,
        };
        let mut shape = Shape::of(flag, path);
        match kind {
            NodeKind::File(size) => shape.size = *size,
            NodeKind::Symlink(target) => shape.link = target,
            NodeKind::CharDevice(device) | NodeKind::BlockDevice(device) => {
                shape.device = Some(*device);
            }
            NodeKind::Fifo => {}
        }
        self.header(&shape, metadata)
    }

    /// Writes another name of a node that was written before. Its metadata are those
    /// of the node: engines apply them once more.
    pub(crate) fn hard_link(
        &mut self,
        path: &[u8],
        target: &[u8],
        metadata: &Metadata,
    ) -> io::Result<()> {
        let mut shape = Shape::of(EntryType::Link, path);
        shape.link = target;
        self.header(&shape, metadata)
    }

    /// Writes a whiteout as containerd does: an empty file of nobody, from 1970. It
    /// deletes this name in a directory, or else all names. An empty path is the root.
    pub(crate) fn whiteout(&mut self, directory: &[u8], name: Option<&[u8]>) -> io::Result<()> {
        let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        let name = name.map_or(OPAQUE.to_vec(), whiteout_of);
        let path = [directory, slash, &name].concat();
        let metadata = Metadata::implied(0, Time::default());
        self.header(&Shape::of(EntryType::Regular, &path), &metadata)
    }

    /// The output, for the content of a file.
    pub(crate) fn content(&mut self) -> &mut W {
        &mut self.output
    }

    /// Closes a file of this many bytes.
    pub(crate) fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = size.next_multiple_of(BLOCK) - size;
        let padding = usize::try_from(padding).expect("less than a block");
        self.output.write_all(&EMPTY_BLOCK[..padding])
    }

    /// Writes the end of the archive, and returns the output.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.output.write_all(&EMPTY_BLOCK)?;
        self.output.write_all(&EMPTY_BLOCK)?;
        Ok(self.output)
    }

    fn header(&mut self, shape: &Shape<'_>, metadata: &Metadata) -> io::Result<()> {
        let records = records(shape, metadata);
        if !records.is_empty() {
            let mut extended = Shape::of(EntryType::XHeader, PAX_NAME);
            extended.size = records.len() as u64;
            let plain = Metadata::implied(0o644, Time::default());
            self.output
                .write_all(header(&extended, &plain).as_bytes())?;
            self.output.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.output.write_all(header(shape, metadata).as_bytes())
    }
}

/// Tells a name that a directory can be written under: no reader takes it for a whiteout.
pub(crate) fn is_writable_name(name: &[u8]) -> bool {
    !is_whiteout(name)
}

impl<'a> Shape<'a> {
    fn of(flag: EntryType, name: &'a [u8]) -> Self {
        Self {
            flag,
            name,
            link: &[],
            size: 0,
            device: None,
        }
    }
}

/// A header block. What does not fit is cut off, or written in base-256 where that
/// can say it; the PAX header has it in full.
fn header(shape: &Shape<'_>, metadata: &Metadata) -> Header {
    let mut header = Header::new_ustar();
    let (prefix, name) = split(shape.name).unwrap_or((&[], shape.name));
    if let Some(ustar) = header.as_ustar_mut() {
        fill(&mut ustar.prefix, prefix);
        fill(&mut ustar.name, name);
        fill(&mut ustar.linkname, shape.link);
    }
    header.set_entry_type(shape.flag);
    header.set_mode(metadata.mode.into());
    header.set_uid(metadata.uid.try_into().unwrap_or(0));
    header.set_gid(metadata.gid.try_into().unwrap_or(0));
    header.set_size(shape.size);
    let mtime = u64::try_from(metadata.mtime.seconds).unwrap_or(0);
    header.set_mtime(if mtime > OCTAL_11_MAX { 0 } else { mtime });
    let device = shape.device.unwrap_or(Device { major: 0, minor: 0 });
    if let Some(ustar) = header.as_ustar_mut() {
        fill_device(&mut ustar.dev_major, device.major);
        fill_device(&mut ustar.dev_minor, device.minor);
    }
    header.set_cksum();
    header
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

/// The PAX records for what a ustar header cannot say, sorted by key.
fn records(shape: &Shape<'_>, metadata: &Metadata) -> Vec<u8> {
    let mut records: Vec<(&[u8], Vec<u8>)> = metadata
        .attributes
        .iter()
        .map(|(key, value)| (key.as_slice(), value.clone()))
        .collect();
    let long_name = split(shape.name).is_none();
    let long_link = shape.link.len() > NAME_MAX;
    let is_text = |name: &[u8]| std::str::from_utf8(name).is_ok();
    if (long_name && !is_text(shape.name)) || (long_link && !is_text(shape.link)) {
        records.push((b"hdrcharset", b"BINARY".to_vec()));
    }
    if long_name {
        records.push((b"path", shape.name.to_vec()));
    }
    if long_link {
        records.push((b"linkpath", shape.link.to_vec()));
    }
    if shape.size > OCTAL_11_MAX {
        records.push((b"size", shape.size.to_string().into_bytes()));
    }
    for (key, number) in [(&b"uid"[..], metadata.uid), (b"gid", metadata.gid)] {
        if !(0..=OCTAL_7_MAX).contains(&number) {
            records.push((key, number.to_string().into_bytes()));
        }
    }
    if let Some(time) = pax_time(metadata.mtime) {
        records.push((b"mtime", time.into_bytes()));
    }
    records.sort_by(|one, other| one.0.cmp(other.0));
    records
        .iter()
        .flat_map(|(key, value)| pax_record(key, value))
        .collect()
}

/// A time as a PAX record has it, if a header cannot: with a fraction, before 1970,
/// or after 2242.
fn pax_time(time: Time) -> Option<String> {
    let Time {
        seconds,
        nanoseconds,
    } = time;
    if nanoseconds == 0 {
        let fits = u64::try_from(seconds).is_ok_and(|seconds| seconds <= OCTAL_11_MAX);
        return (!fits).then(|| seconds.to_string());
    }
    // -1.75 is a quarter of a second after -2.
    let (sign, whole, nanoseconds) = if seconds < 0 {
        (
            "-",
            (seconds + 1).unsigned_abs(),
            1_000_000_000 - nanoseconds,
        )
    } else {
        ("", seconds.unsigned_abs(), nanoseconds)
    };
    let fraction = format!("{nanoseconds:09}");
    Some(format!("{sign}{whole}.{}", fraction.trim_end_matches('0')))
}

#[cfg(test)]
mod tests;
