//! The entries of one layer, checked one by one and all together.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::error::{Cause, Error, Result};
use crate::event::Watch;
use crate::finding::{Code, Fault};
use crate::layer::{
    Ambiguity, Budget, Entry, EntryFault, EntryKind, Interpreter, LayerError, Whiteout, components,
    display_start,
};
use crate::merge::{Ambiguities, BrokenLink, Changes, ChangesBuilder};
use crate::tar_stream::{Member, ReadAttributes, Skip, TarError, TarReader};

/// Maximum length of a name and a path on Linux (`NAME_MAX`, and `PATH_MAX` without the
/// terminating NUL).
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

/// Maximum total size of a file's attributes on ext4, in bytes.
const EXT4_ATTRIBUTES_MAX: usize = 4096;

/// The checks of a layer's entries, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// The first fault of each kind, and the number of others.
    pub(super) faults: Vec<Fault>,
    /// The changes of the layer; absent if they are unknown.
    pub(super) changes: Option<Changes>,
    /// True if some entries cannot be read.
    pub(super) has_unreadable: bool,
}

impl From<Fault> for Entries {
    /// The result if the entries cannot be checked because of this fault.
    fn from(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

/// The first fault of each kind, and the number of others.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<Code, Fault>);

impl Faults {
    pub(super) fn note(&mut self, fault: Fault) {
        let first = self.0.entry(fault.code);
        let one_more = |first: &mut Fault| {
            if let Some((_, others)) = &mut first.entry {
                *others += 1;
            }
        };
        first.and_modify(one_more).or_insert(fault);
    }

    fn note_plain(&mut self, code: Code, entry: &[u8]) {
        self.note(Fault::plain(code).of_entry(display_start(entry), 0));
    }

    /// Records that an entry cannot be read.
    fn note_entry(&mut self, entry: String, fault: &EntryFault) {
        self.note(Fault::new(fault.code(), fault.to_string()).of_entry(entry, 0));
    }

    /// Records that a layer, or an entry of it, cannot be read.
    pub(super) fn note_error(&mut self, error: &LayerError) {
        let fault = match error {
            LayerError::Entry { entry, fault } => return self.note_entry(entry.clone(), fault),
            // The code that unpacks the layer reports it.
            LayerError::Tar(TarError::Io(_))
            | LayerError::Behind {
                fault: TarError::Io(_),
                ..
            } => return,
            LayerError::Windows => Fault::plain(Code::LayerWindows),
            LayerError::TooManyEntries { .. } => Fault::new(Code::EntryLimit, error.to_string()),
            LayerError::Behind { entry, fault } => {
                Fault::new(Code::TarDamaged, format!("after it: {fault}"))
                    .of_entry(entry.clone(), 0)
            }
            LayerError::Tar(fault) => Fault::new(Code::TarDamaged, fault.to_string()),
        };
        self.note(fault);
    }

    /// Records the broken hard links.
    pub(super) fn note_broken(&mut self, broken: Vec<BrokenLink>) {
        for link in broken {
            let path = link.path.as_bytes();
            match &link.fault {
                Some(fault) => self.note_entry(display_start(path), fault),
                None => self.note_plain(Code::LinkForward, path),
            }
        }
    }

    pub(super) fn into_list(self) -> Vec<Fault> {
        self.0.into_values().collect()
    }
}

/// The names in a layer, by which Docker detects a repeated path: exactly as in the
/// tar, except for what Go's `path.Clean` removes.
#[derive(Debug, Default)]
struct Names {
    /// Two hashes of each name, which no two names share.
    seen: HashSet<[u64; 2]>,
    hashers: [RandomState; 2],
    has_twice: bool,
}

impl Names {
    /// Returns true if there was an equal name before.
    fn has(&mut self, name: &[u8]) -> bool {
        let name = cleaned(name);
        let hashes = self.hashers.each_ref().map(|it| it.hash_one(&name));
        let is_twice = !self.seen.insert(hashes);
        self.has_twice |= is_twice;
        is_twice
    }
}

/// A name after Go's `path.Clean`.
fn cleaned(name: &[u8]) -> Cow<'_, [u8]> {
    let mut all = name.split(|byte| *byte == b'/');
    if all.all(|part| !matches!(part, b"" | b"." | b"..")) {
        return Cow::Borrowed(name);
    }
    let is_absolute = name.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            b".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let root: &[u8] = if is_absolute { b"/" } else { b"" };
    Cow::Owned([root, &parts.join(&b'/')].concat())
}

/// Reads all entries of an unpacked layer.
///
/// # Errors
///
/// Fails only if the caller stops the operation, or the machine cannot read.
pub(super) fn read_entries<R: Skip>(
    input: R,
    number: u32,
    is_gzip: bool,
    budget: &Arc<Budget>,
    watch: &Watch<'_>,
) -> Result<Entries> {
    let mut judge = Judge::new(number, budget);
    let mut tar = TarReader::new(input);
    while !judge.is_over {
        if watch.is_interrupted() {
            return Err(Error::Interrupted);
        }
        match tar.next_member() {
            Ok(Some(member)) => judge.take_in(&tar, &member, tar.attributes()),
            Ok(None) => {
                if tar.cut_off_at().is_some() && judge.interpreter.position() > 0 {
                    judge.faults.note(Fault::plain(Code::TarEndMissing));
                }
                break;
            }
            // The code that unpacks the layer reports it.
            Err(TarError::Io(source)) if Cause::of_io(&source) == Cause::Machine => {
                return Err(Error::System(source));
            }
            Err(fault) => judge.fail(&judge.interpreter.behind(fault)),
        }
    }
    Ok(judge.finish(is_gzip))
}

/// Checks the entries of one layer in sequence, while the caller reads them.
#[derive(Debug)]
pub(in crate::ops) struct Judge {
    interpreter: Interpreter,
    builder: ChangesBuilder,
    names: Names,
    faults: Faults,
    has_unreadable: bool,
    /// True if nothing is known of the rest.
    is_over: bool,
}

impl Judge {
    /// Starts with the first entry of a layer, whose number counts from 0.
    pub(in crate::ops) fn new(number: u32, budget: &Arc<Budget>) -> Self {
        Self {
            interpreter: Interpreter::new(budget.clone()),
            builder: ChangesBuilder::new(number, budget.clone()),
            names: Names::default(),
            faults: Faults::default(),
            has_unreadable: false,
            is_over: false,
        }
    }

    /// Checks the current member of a reader.
    pub(in crate::ops) fn take_in<R: Skip>(
        &mut self,
        tar: &TarReader<R>,
        member: &Member,
        attributes: ReadAttributes,
    ) {
        if self.is_over {
            return;
        }
        let entry = self.interpreter.entry(tar, member, attributes);
        let name = self.interpreter.name();
        if matches!(entry, Ok(_) | Err(LayerError::Entry { .. })) && self.names.has(name) {
            self.faults.note_plain(Code::EntryTwice, name);
        }
        match entry {
            Ok(entry) => {
                check_entry(tar, member, &entry, &mut self.faults);
                if let Err(fault) = self.builder.add(entry, &self.interpreter) {
                    self.has_unreadable = true;
                    self.faults.note_entry(display_start(name), &fault);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Records that an entry, or everything from here on, cannot be read.
    fn fail(&mut self, error: &LayerError) {
        self.has_unreadable = true;
        self.is_over = !matches!(error, LayerError::Entry { .. });
        self.faults.note_error(error);
    }

    /// Returns the result, after all entries.
    pub(super) fn finish(self, is_gzip: bool) -> Entries {
        let mut faults = self.faults;
        let mut ambiguities = Ambiguities::default();
        let mut changes = None;
        if !self.is_over {
            let is_estargz = is_gzip && self.builder.may_be_estargz();
            match self.builder.finish(is_estargz) {
                Ok(finished) => {
                    let finished = changes.insert(finished);
                    ambiguities = finished.take_ambiguities();
                }
                Err(error) => faults.note_error(&error),
            }
        }
        let mut faults = faults.into_list();
        for (ambiguity, entry, others) in ambiguities.into_iter() {
            // They follow from a repeated name, which was reported.
            let follows = matches!(
                ambiguity,
                Ambiguity::Repeated | Ambiguity::DeletedTwice | Ambiguity::DirectoryReplaced
            );
            if !(follows && self.names.has_twice) {
                faults.push(Fault::plain(ambiguity.code()).of_entry(entry, others));
            }
        }
        Entries {
            faults,
            has_unreadable: self.has_unreadable || changes.is_none(),
            changes,
        }
    }
}

/// Records faults of a readable entry that matter to engines.
fn check_entry<R: Skip>(tar: &TarReader<R>, member: &Member, entry: &Entry, faults: &mut Faults) {
    let path = entry.path.as_bytes();
    let (parents, own_name) = entry.path.split_last();
    let name = match &entry.kind {
        // On disk it has the name that it deletes.
        EntryKind::Whiteout(Whiteout::Name(name)) => name,
        _ => own_name,
    };
    let is_long = |name: &[u8]| name.len() > NAME_MAX;
    if path.len() > PATH_MAX || components(parents).any(is_long) || is_long(name) {
        faults.note_plain(Code::NameTooLong, path);
    } else if is_long(own_name) {
        faults.note_plain(Code::WhiteoutTooLong, path);
    }
    let is_name_only = entry.kind.is_name_only();
    if tar.ignored_size() > 0 || (is_name_only && member.size > 0) {
        faults.note_plain(Code::SizeUnexpected, path);
    }
    check_attributes(entry, faults);
    match tar.flag() {
        _ if is_name_only => {}
        b'S' => faults.note_plain(Code::SparseGnu, path),
        _ if tar.sparse().is_ok_and(|map| map.is_some()) => {
            faults.note_plain(Code::SparsePax, path);
        }
        b'7' => {
            let message = "its type is `7`, which Docker does not support";
            faults.note(Fault::new(Code::EntryType, message).of_entry(display_start(path), 0));
        }
        _ => {}
    }
}

/// Records faults of valid attributes that matter to engines. Engines ignore those of
/// the root, and of most whiteouts.
fn check_attributes(entry: &Entry, faults: &mut Faults) {
    let path = entry.path.as_bytes();
    if entry.path.is_root() || entry.kind.is_name_only() {
        return;
    }
    let attributes = entry.metadata.attributes.iter();
    let sizes = attributes.filter_map(|(key, value)| {
        let name = key.strip_prefix(b"SCHILY.xattr.")?;
        Some(name.len() + value.len())
    });
    let size: usize = sizes.sum();
    if size > EXT4_ATTRIBUTES_MAX {
        faults.note_plain(Code::AttributesLarge, path);
    }
}
