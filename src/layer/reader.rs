//! A reader of the entries of a layer in sequence.

use std::io::{self, BufRead, BufReader, Write};
use std::sync::Arc;

use crate::layer::ambiguity::Ambiguity;
use crate::layer::attribute;
use crate::layer::budget::Budget;
use crate::layer::entry::{Device, Entry, EntryKind, Metadata, NodeKind};
use crate::layer::error::{EntryFault, LayerError, display_start};
use crate::layer::landmarks::Landmarks;
use crate::layer::path::EntryPath;
use crate::layer::whiteout::Whiteout;
use crate::limits::{ATTRIBUTES_MAX, ENTRIES_MAX, HOLES_MAX, RETAINED_BYTES_MAX, TARGET_MAX};
use crate::progress::Progress;
use crate::stream::{COPY_BUFFER, CopyError, copy};
use crate::tar_stream::{
    Attributes, Kind, Member, PaxRecord, ReadAttributes, Skip, SparseReader, TarError, TarReader,
    Trailing, display_name,
};

/// The prefix of PAX records that only Windows layers have.
const WINDOWS_PREFIX: &[u8] = b"MSWINDOWS.";

/// Extended attributes in which tools without root store the owner on disk. They are
/// not part of the layer format, and have no meaning in an image.
const ROOTLESS: [&[u8]; 2] = [
    b"SCHILY.xattr.user.rootlesscontainers",
    b"SCHILY.xattr.user.containers.override_stat",
];

/// Reads the entries of an unpacked layer in order.
///
/// Memory is bounded by the extended headers of one entry; content is never held in
/// memory.
#[derive(Debug)]
pub(crate) struct LayerReader<R> {
    tar: TarReader<R>,
    interpreter: Interpreter,
}

/// Converts the members of an unpacked layer, which the caller reads, to entries.
#[derive(Debug)]
pub(crate) struct Interpreter {
    /// The name of the last entry exactly as in the tar.
    name: Vec<u8>,
    count: u32,
    budget: Arc<Budget>,
    /// The ambiguities of the current entry.
    ambiguities: Vec<Ambiguity>,
}

impl<R: Skip> LayerReader<R> {
    /// Starts at the input's current position. Entries are charged to the budget.
    pub(crate) fn new(input: R, budget: Arc<Budget>) -> Self {
        Self {
            tar: TarReader::new(input),
            interpreter: Interpreter::new(budget),
        }
    }

    /// Goes to the next entry; `None` at the end. The unread rest of the current one is
    /// skipped.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>, LayerError> {
        let member = self.tar.next_member();
        let Some(member) = member.map_err(|error| self.interpreter.behind(error))? else {
            return Ok(None);
        };
        let attributes = self.tar.attributes();
        let entry = self.interpreter.entry(&self.tar, &member, attributes);
        entry.map(Some)
    }

    /// Goes to the entry with this number, counted from 1, which must be a file with
    /// this size in bytes.
    ///
    /// # Errors
    ///
    /// Fails if it is not, since the layer has then changed since it was last read.
    pub(crate) fn seek_file(&mut self, position: u32, size: u64) -> Result<(), LayerError> {
        while let Some(entry) = self.next_entry()? {
            if self.interpreter.position() == position {
                match entry.kind {
                    EntryKind::Node(NodeKind::File(found))
                    | EntryKind::Whiteout(Whiteout::AufsFile(found))
                        if found == size =>
                    {
                        return Ok(());
                    }
                    _ => break,
                }
            }
        }
        Err(self.failed(EntryFault::Changed))
    }

    /// Goes to the last landmark before the entry with this number, unless it is passed
    /// already.
    pub(crate) fn skip_towards(
        &mut self,
        position: u32,
        landmarks: &Landmarks,
    ) -> Result<(), LayerError> {
        if let Some((passed, offset)) = landmarks.before(position)
            && passed > self.interpreter.count
        {
            let skipped = self.tar.skip_to(offset);
            skipped.map_err(|error| self.interpreter.behind(error))?;
            self.interpreter.count = passed;
        }
        Ok(())
    }

    /// Notes the place of the next entry, if one should be noted.
    pub(crate) fn note_landmark(&self, landmarks: &mut Landmarks) {
        landmarks.note(self.interpreter.count, self.tar.next_position());
    }

    /// The offset of the unread content of the current entry in the layer; `None` if it
    /// is a sparse file, whose content is not stored as a whole.
    pub(crate) fn content_offset(&self) -> Option<u64> {
        matches!(self.tar.sparse(), Ok(None)).then(|| self.tar.position())
    }

    /// Returns the error for a fault of the current entry.
    pub(crate) fn failed(&self, fault: EntryFault) -> LayerError {
        LayerError::entry(&self.interpreter.name, fault)
    }

    /// Returns the input, positioned where reading ended.
    pub(crate) fn into_inner(self) -> R {
        self.tar.into_inner()
    }

    /// After all entries, reads the input to its end. Returns whether the tar lacks its
    /// end, and the data other than zeros after it.
    pub(crate) fn end(&mut self) -> Result<(bool, Option<Trailing>), TarError> {
        let is_cut_off = self.tar.cut_off_at().is_some();
        Ok((is_cut_off, self.tar.trailing()?))
    }

    /// The interpreter of the current entry.
    pub(crate) fn interpreter(&self) -> &Interpreter {
        &self.interpreter
    }
}

impl Interpreter {
    /// Starts with the first member. Entries are charged to the budget.
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            name: Vec::new(),
            count: 0,
            budget,
            ambiguities: Vec::new(),
        }
    }

    /// Converts the current member of a reader to an entry.
    pub(crate) fn entry<R: Skip>(
        &mut self,
        tar: &TarReader<R>,
        member: &Member,
        attributes: ReadAttributes,
    ) -> Result<Entry, LayerError> {
        if !self.budget.claim_entry() {
            return Err(LayerError::TooManyEntries { limit: ENTRIES_MAX });
        }
        self.count += 1;
        self.ambiguities.clear();
        self.name.clone_from(&member.path);
        let attributes = attributes.map_err(|fault| LayerError::entry(&self.name, fault))?;
        let is_windows = |(key, _): &(Vec<u8>, Vec<u8>)| key.starts_with(WINDOWS_PREFIX);
        if attributes.records.iter().any(is_windows) {
            return Err(LayerError::Windows);
        }
        self.read(tar, member, attributes)
            .map_err(|fault| LayerError::entry(&self.name, fault))
    }

    /// The number of the current entry, counted from 1.
    pub(crate) fn position(&self) -> u32 {
        self.count
    }

    /// The name of the current entry exactly as in the tar.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// The ambiguities of the current entry itself.
    pub(crate) fn ambiguities(&self) -> &[Ambiguity] {
        &self.ambiguities
    }

    /// Returns the error for a tar that is damaged after the current entry.
    pub(crate) fn behind(&self, fault: TarError) -> LayerError {
        if self.count == 0 {
            return LayerError::Tar(fault);
        }
        LayerError::Behind {
            entry: display_start(&self.name),
            fault,
        }
    }

    fn read<R: Skip>(
        &mut self,
        tar: &TarReader<R>,
        member: &Member,
        attributes: Attributes,
    ) -> Result<Entry, EntryFault> {
        let path = EntryPath::parse(&member.path)?;
        let kind = match Whiteout::by_name(&path, member) {
            Some(whiteout) => EntryKind::Whiteout(whiteout),
            None => self.kind(tar, member, &path, &attributes)?,
        };
        let metadata = self.metadata(attributes, &path, &kind)?;
        let target = match &kind {
            EntryKind::Node(NodeKind::Symlink(target)) => target.len(),
            _ => 0,
        };
        let held = path.split_last().1.len() + target + size_of_attributes(&metadata.attributes);
        if !self.budget.claim_bytes(held) {
            return Err(EntryFault::TooMuchHeld {
                limit: RETAINED_BYTES_MAX,
            });
        }
        Ok(Entry {
            path,
            kind,
            metadata,
        })
    }

    /// The kind of a member whose name is not that of a whiteout.
    fn kind<R: Skip>(
        &mut self,
        tar: &TarReader<R>,
        member: &Member,
        path: &EntryPath,
        attributes: &Attributes,
    ) -> Result<EntryKind, EntryFault> {
        let device = Device {
            major: attributes.major,
            minor: attributes.minor,
        };
        Ok(match member.kind {
            Kind::Directory => EntryKind::Directory,
            _ if path.is_root() => return Err(EntryFault::Root),
            Kind::File => EntryKind::Node(NodeKind::File(member.size)),
            Kind::Sparse => EntryKind::Node(NodeKind::File(self.sparse_size(tar, member.size)?)),
            Kind::HardLink => EntryKind::HardLink(self.target(&member.link)?),
            Kind::Symlink if member.link.is_empty() => return Err(EntryFault::TargetEmpty),
            Kind::Symlink if member.link.len() > TARGET_MAX => {
                let (length, limit) = (member.link.len(), TARGET_MAX);
                return Err(EntryFault::TargetTooLong { length, limit });
            }
            Kind::Symlink => EntryKind::Node(NodeKind::Symlink(member.link.as_slice().into())),
            Kind::Other(b'3') if (device.major, device.minor) == (0, 0) => {
                EntryKind::Whiteout(Whiteout::Device)
            }
            Kind::Other(b'3') => EntryKind::Node(NodeKind::CharDevice(device)),
            Kind::Other(b'4') => EntryKind::Node(NodeKind::BlockDevice(device)),
            Kind::Other(b'6') => EntryKind::Node(NodeKind::Fifo),
            Kind::Other(flag) => {
                let flag = display_name(&[flag]);
                return Err(EntryFault::Type { flag });
            }
        })
    }

    /// The target of a hard link.
    fn target(&mut self, name: &[u8]) -> Result<EntryPath, EntryFault> {
        let (target, is_above_root) = EntryPath::clamped(name)?;
        if is_above_root {
            self.ambiguities.push(Ambiguity::AboveRoot);
        }
        Ok(target)
    }

    fn metadata(
        &mut self,
        attributes: Attributes,
        path: &EntryPath,
        kind: &EntryKind,
    ) -> Result<Metadata, EntryFault> {
        let mut records = attributes.records;
        // Tools without root store the owner in these.
        let is_rootless: fn(&PaxRecord) -> bool = |(key, _)| ROOTLESS.contains(&key.as_slice());
        for (ambiguity, is_odd) in [
            (Ambiguity::RootlessAttributes, is_rootless),
            (Ambiguity::ForeignAttribute, attribute::is_foreign),
        ] {
            if records.extract_if(.., |record| is_odd(record)).count() > 0 {
                self.ambiguities.push(ambiguity);
            }
        }
        // Engines also ignore attributes of the root.
        if !path.is_root() && !kind.is_name_only() {
            for record in &records {
                attribute::check(record, *kind == EntryKind::Directory)?;
            }
        }
        if size_of_attributes(&records) > ATTRIBUTES_MAX {
            let limit = ATTRIBUTES_MAX;
            return Err(EntryFault::AttributesTooLarge { limit });
        }
        Ok(Metadata {
            mode: Metadata::masked(attributes.mode),
            uid: attributes.uid,
            gid: attributes.gid,
            mtime: attributes.mtime,
            attributes: records.into(),
        })
    }

    /// The size of the current sparse file including its holes.
    fn sparse_size<R: Skip>(&self, tar: &TarReader<R>, stored: u64) -> Result<u64, EntryFault> {
        let size = tar.sparse()?.map_or(stored, |map| map.size);
        if !self.budget.claim_holes(size.saturating_sub(stored)) {
            return Err(EntryFault::Sparse { limit: HOLES_MAX });
        }
        Ok(size)
    }
}

/// The total size of attributes, in bytes.
pub(crate) fn size_of_attributes(attributes: &[PaxRecord]) -> usize {
    let attributes = attributes.iter();
    attributes.map(|(key, value)| key.len() + value.len()).sum()
}

impl<R: Skip + BufRead> LayerReader<R> {
    /// Copies the content of the current file, and returns its size in bytes.
    pub(crate) fn copy_content(
        &mut self,
        output: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<u64, CopyError> {
        let read_error = |error| CopyError::Read(io::Error::other(error));
        if self.tar.sparse().map_err(read_error)?.is_none() {
            return copy(&mut self.tar, output, progress);
        }
        let expanded = SparseReader::new(&mut self.tar).map_err(read_error)?;
        let mut expanded = BufReader::with_capacity(COPY_BUFFER, expanded);
        copy(&mut expanded, output, progress)
    }
}
