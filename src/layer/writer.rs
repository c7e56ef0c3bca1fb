//! Canonical layers: the only code that builds the headers of a layer.
//!
//! The same entry always has the same bytes: a ustar header, preceded by a PAX header
//! only if there is something that the ustar header cannot express. Nothing in it
//! depends on a clock, a process or a machine.

use std::io::{self, Write};

use tar::EntryType;

use crate::layer::entry::{Metadata, NodeKind};
use crate::layer::sink::EntrySink;
use crate::layer::whiteout::{OPAQUE, is_whiteout, whiteout_of};
use crate::tar_stream::{
    EMPTY_BLOCK, NAME_MAX, NewHeader, OCTAL_7_MAX, OCTAL_11_MAX, Time, padding, pax_record,
};

/// The name of a PAX header. Readers ignore it.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// Writes entries as a canonical tar.
#[derive(Debug)]
#[must_use = "the end of the archive is only written by `finish`"]
pub(crate) struct LayerWriter<W> {
    output: W,
    /// The number of entries written so far.
    entries: u64,
    /// The latest time of them, in seconds since 1970.
    newest: Option<i64>,
}

impl<W: Write> LayerWriter<W> {
    /// Starts a layer.
    pub(crate) fn new(output: W) -> Self {
        Self {
            output,
            entries: 0,
            newest: None,
        }
    }

    /// The number of entries written so far.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// The latest time of the entries written so far, in seconds since 1970.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.unwrap_or(0)
    }

    /// Writes the end of the archive, and returns the output.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.output.write_all(&EMPTY_BLOCK)?;
        self.output.write_all(&EMPTY_BLOCK)?;
        Ok(self.output)
    }

    fn header(&mut self, header: NewHeader<'_>, metadata: &Metadata) -> io::Result<()> {
        let header = NewHeader {
            mode: metadata.mode.into(),
            uid: metadata.uid,
            gid: metadata.gid,
            mtime: metadata.mtime.seconds,
            device: header.device.or(Some((0, 0))),
            ..header
        };
        let blocks = header.blocks(PAX_NAME, &records(&header, metadata));
        self.entries += 1;
        self.newest = self.newest.max(Some(metadata.mtime.seconds));
        self.output.write_all(&blocks)
    }
}

impl<W: Write> EntrySink for LayerWriter<W> {
    fn directory(&mut self, path: &[u8], metadata: &Metadata) -> io::Result<()> {
        let name = match path {
            b"" => b"./".to_vec(),
            path => [path, b"/"].concat(),
        };
        self.header(NewHeader::new(EntryType::Directory, &name), metadata)
    }

    fn node(&mut self, path: &[u8], kind: &NodeKind, metadata: &Metadata) -> io::Result<()> {
        let kind_of_header = match kind {
            NodeKind::File(_) => EntryType::Regular,
            NodeKind::Symlink(_) => EntryType::Symlink,
            NodeKind::CharDevice(_) => EntryType::Char,
            NodeKind::BlockDevice(_) => EntryType::Block,
            NodeKind::Fifo => EntryType::Fifo,
        };
        let mut header = NewHeader::new(kind_of_header, path);
        match kind {
            NodeKind::File(size) => header.size = *size,
            NodeKind::Symlink(target) => header.link = target,
            NodeKind::CharDevice(device) | NodeKind::BlockDevice(device) => {
                header.device = Some((device.major, device.minor));
            }
            NodeKind::Fifo => {}
        }
        self.header(header, metadata)
    }

    /// The metadata are those of the node: engines apply them again.
    fn hard_link(&mut self, path: &[u8], target: &[u8], metadata: &Metadata) -> io::Result<()> {
        let mut header = NewHeader::new(EntryType::Link, path);
        header.link = target;
        self.header(header, metadata)
    }

    /// Writes it as containerd does: an empty file with owner 0, dated 1970.
    fn whiteout(&mut self, directory: &[u8], name: Option<&[u8]>) -> io::Result<()> {
        let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        let name = name.map_or(OPAQUE.to_vec(), whiteout_of);
        let path = [directory, slash, &name].concat();
        let metadata = Metadata::implied(0, Time::default());
        self.header(NewHeader::new(EntryType::Regular, &path), &metadata)
    }

    fn content(&mut self) -> &mut dyn Write {
        &mut self.output
    }

    fn end_of_content(&mut self, size: u64) -> io::Result<()> {
        self.output.write_all(padding(size))
    }
}

/// Returns true if a directory can be written with this name: no reader mistakes it for
/// a whiteout.
pub(crate) fn is_writable_name(name: &[u8]) -> bool {
    !is_whiteout(name)
}

/// The PAX records for everything that a ustar header cannot express, sorted by key.
fn records(header: &NewHeader<'_>, metadata: &Metadata) -> Vec<u8> {
    let mut records: Vec<(&[u8], Vec<u8>)> = metadata
        .attributes
        .iter()
        .map(|(key, value)| (key.as_slice(), value.clone()))
        .collect();
    let long_name = !header.has_name();
    let long_link = header.link.len() > NAME_MAX;
    let is_text = |name: &[u8]| std::str::from_utf8(name).is_ok();
    if (long_name && !is_text(header.name)) || (long_link && !is_text(header.link)) {
        records.push((b"hdrcharset", b"BINARY".to_vec()));
    }
    if long_name {
        records.push((b"path", header.name.to_vec()));
    }
    if long_link {
        records.push((b"linkpath", header.link.to_vec()));
    }
    if header.size > OCTAL_11_MAX {
        records.push((b"size", header.size.to_string().into_bytes()));
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

/// A time as a PAX record, if a header cannot express it: with a fraction, before 1970,
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
