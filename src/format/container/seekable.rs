//! An uncompressed tar in a file: every member can be read directly, by any thread.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::error::{Error, Result};
use crate::format::container::index::MemberIndex;
use crate::format::container::repeated::check_control_files;
use crate::format::container::{Blob, Bytes, Container, KnownHashes, Member};
use crate::stream::{FileSlice, next_data};
use crate::tar_stream::{Tail, TarError, TarReader, Trailing};

/// Number of bytes read after the end of a tar if the time must not depend on the size
/// of the file: far more than any writer uses as padding.
const TAIL_GLANCE: u64 = 4 * 1024 * 1024;

/// The amount of data read after the end of a tar. Holes cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As much as writers use as padding.
    Glance,
    /// All of them.
    Whole,
}

/// A tar whose members are read in place.
#[derive(Debug)]
pub(crate) struct SeekableTar {
    file: File,
    /// The start of the tar in the file.
    start: u64,
    index: MemberIndex,
    /// The hashes of members, by their positions, if it is a temporary file.
    known: Option<HashMap<u64, KnownHashes>>,
}

impl SeekableTar {
    /// Indexes all members, from their headers alone.
    ///
    /// The tar starts at `start` in the file.
    pub(crate) fn open(file: File, start: u64) -> Result<Self> {
        let mut faults = Vec::new();
        let tar = Self::open_damaged(file, start, Look::Glance, &mut faults)?;
        faults.into_iter().next().map_or(Ok(tar), Err)
    }

    /// Indexes the members that can be read; faults are added to `faults`.
    pub(crate) fn open_damaged(
        file: File,
        start: u64,
        look: Look,
        faults: &mut Vec<Error>,
    ) -> Result<Self> {
        // Somebody else may read the file, too, such as the next command of a shell.
        let reading = FileSlice::from(&file, start)?;
        let length = reading.size;
        let mut index = MemberIndex::default();
        let mut reader = TarReader::new(reading);
        let is_whole = loop {
            let member = match reader.next_member() {
                Ok(Some(member)) => member,
                Ok(None) => break true,
                Err(error) => {
                    faults.push(error.into());
                    break false;
                }
            };
            let end = member.position.saturating_add(member.size);
            if end > length {
                let error = TarError::Truncated {
                    offset: length,
                    missing: end - length,
                };
                faults.push(error.into());
                break false;
            }
            faults.extend(index.add(&member, member.position).err());
        };
        index.end.cut_off_at = reader.cut_off_at();
        if is_whole {
            // A tar without members may be anything that begins with zeros.
            let is_glance = look == Look::Glance && !index.is_empty();
            let most = if is_glance { TAIL_GLANCE } else { u64::MAX };
            index.end.trailing = look_after(&file, start, length, reader.into_tail(), most)?;
        }
        let tar = Self {
            file,
            start,
            index,
            known: None,
        };
        check_control_files(&tar, &tar.index, faults)?;
        Ok(tar)
    }

    /// Marks it as a temporary file of this run, with the hashes of members by their
    /// positions.
    pub(crate) fn into_temporary(self, known: HashMap<u64, KnownHashes>) -> Self {
        Self {
            known: Some(known),
            ..self
        }
    }
}

impl Container for SeekableTar {
    fn index(&self) -> Option<&MemberIndex> {
        Some(&self.index)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        let blob = Blob::new(
            member,
            Bytes::Slice(&self.file, self.start + member.position),
        );
        match &self.known {
            Some(known) => blob.temporary(known.get(&member.position)),
            None => blob,
        }
    }
}

/// Reads the data after the end of a tar that starts at `start` in a file and may have
/// `length` bytes, but at most `most` bytes of it.
fn look_after(
    file: &File,
    start: u64,
    length: u64,
    mut tail: Tail,
    most: u64,
) -> io::Result<Option<Trailing>> {
    let mut buffer = vec![0; TAIL_BUFFER];
    let mut left = most;
    while left > 0 && tail.position() < length && !tail.is_decided() {
        let position = start + tail.position();
        let Some(data) = next_data(file, position) else {
            break;
        };
        let hole = data.saturating_sub(position);
        tail.pass(hole.min(length - tail.position()));
        let wanted = (length - tail.position()).min(left);
        let wanted = usize::try_from(wanted).map_or(buffer.len(), |it| it.min(buffer.len()));
        let read = file.read_at(&mut buffer[..wanted], start + tail.position())?;
        if read == 0 {
            break;
        }
        tail.push(&buffer[..read]);
        left -= read as u64;
    }
    let rest = length.saturating_sub(tail.position());
    tail.pass(rest);
    Ok(tail.finish())
}

/// The size of the buffer for this data.
const TAIL_BUFFER: usize = 64 * 1024;
