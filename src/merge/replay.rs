//! The second reading: the surviving entries, with their content.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};

use crate::layer::{EntryFault, EntrySink, LayerError, LayerReader, LayerWriter, NodeKind};
use crate::merge::plan::{Action, Plan, Step};
use crate::merge::tree::{DirectoryId, Inode, InodeId};
use crate::progress::Progress;
use crate::stream::CopyError;
use crate::tar_stream::{Skip, Time};

/// The reason why a replay ended early.
#[derive(Debug)]
pub(crate) enum ReplayError {
    /// A layer cannot be read.
    Layer(LayerError),
    /// The output failed.
    Write(io::Error),
    /// The caller stopped the operation.
    Interrupted,
}

impl From<LayerError> for ReplayError {
    fn from(error: LayerError) -> Self {
        Self::Layer(error)
    }
}

impl From<io::Error> for ReplayError {
    /// Errors of the input are wrapped in a [`LayerError`]; all others are those of the
    /// output.
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Writes a [`Plan`] while the layers are read in their order.
#[derive(Debug)]
#[must_use = "the last entries are only written by `finish`"]
pub(crate) struct Replay<'a, S> {
    plan: &'a Plan<'a>,
    sink: S,
    /// The time of directories without an entry.
    created: Time,
    /// The next step.
    next: usize,
    /// True for each directory that was written.
    is_open: Vec<bool>,
    /// The first written names of nodes with several names.
    names: HashMap<InodeId, (DirectoryId, &'a [u8])>,
}

impl<'a, S: EntrySink> Replay<'a, S> {
    /// Starts a replay. `created` is the time of directories without an entry.
    pub(crate) fn new(plan: &'a Plan<'a>, sink: S, created: Time) -> Self {
        Self {
            plan,
            sink,
            created,
            next: 0,
            is_open: vec![false; plan.directory_count()],
            names: HashMap::new(),
        }
    }

    /// Writes everything up to the end of a layer, reading that layer's content.
    ///
    /// Layers must come in their order; those whose content is not needed may be
    /// omitted.
    ///
    /// # Errors
    ///
    /// Fails if the layer has changed since the plan was made.
    pub(crate) fn layer<R: Skip + BufRead>(
        &mut self,
        layer: u32,
        reader: &mut LayerReader<R>,
        progress: &dyn Progress,
    ) -> Result<(), ReplayError> {
        while let Some(step) = self.plan.steps().get(self.next).copied() {
            if step.place.layer > layer {
                break;
            }
            if progress.is_interrupted() {
                return Err(ReplayError::Interrupted);
            }
            self.next += 1;
            match self.file(&step) {
                Some(inode) => self.copy(&step, inode, reader, progress)?,
                None => self.write(&step)?,
            }
        }
        Ok(())
    }

    /// Writes the rest, and returns the sink.
    pub(crate) fn finish(mut self) -> io::Result<S> {
        self.rest(|_, _| Ok(()))?;
        Ok(self.sink)
    }

    /// Writes the rest; `fill` must write the content of files.
    fn rest(&mut self, mut fill: impl FnMut(&mut S, u64) -> io::Result<()>) -> io::Result<()> {
        while let Some(step) = self.plan.steps().get(self.next).copied() {
            self.next += 1;
            self.write(&step)?;
            if let Some(inode) = self.file(&step) {
                fill(&mut self.sink, inode.size())?;
                self.sink.end_of_content(inode.size())?;
            }
        }
        Ok(())
    }

    /// The inode of a step that writes the content of a file.
    fn file(&self, step: &Step<'_>) -> Option<&'a Inode> {
        let Action::Node(id) = step.what else {
            return None;
        };
        let inode = self.plan.inode(id);
        matches!(inode.kind, NodeKind::File(_)).then_some(inode)
    }

    /// Writes an entry, preceded by its directories.
    fn write(&mut self, step: &Step<'a>) -> io::Result<()> {
        match step.what {
            Action::Directory(id) => self.open(id),
            Action::Node(id) => {
                self.open(step.parent)?;
                let inode = self.plan.inode(id);
                let path = self.plan.path(step.parent, step.name);
                if self.plan.is_linked(id) {
                    self.names.insert(id, (step.parent, step.name));
                }
                self.sink.node(&path, &inode.kind, &inode.metadata)
            }
            Action::Link(id) => {
                self.open(step.parent)?;
                let (parent, name) = self.names[&id];
                let target = self.plan.path(parent, name);
                let path = self.plan.path(step.parent, step.name);
                let metadata = &self.plan.inode(id).metadata;
                self.sink.hard_link(&path, &target, metadata)
            }
        }
    }

    /// Writes a directory with its whiteouts, preceded by its parents, unless they were
    /// already written.
    fn open(&mut self, id: DirectoryId) -> io::Result<()> {
        let mut closed = Vec::new();
        let mut at = id;
        while !self.is_open[at.0 as usize] {
            self.is_open[at.0 as usize] = true;
            closed.push(at);
            at = self.plan.folder(at).parent;
        }
        for id in closed.into_iter().rev() {
            let folder = self.plan.folder(id);
            let path = self.plan.directory_path(id);
            if folder.has_entry {
                let metadata = self.plan.metadata(id, self.created);
                self.sink.directory(&path, &metadata)?;
            }
            let names = folder.whiteouts.iter().copied().map(Some);
            for name in folder.is_opaque.then_some(None).into_iter().chain(names) {
                self.sink.whiteout(&path, name)?;
            }
        }
        Ok(())
    }

    /// Writes a file, whose content is further on in the layer.
    fn copy<R: Skip + BufRead>(
        &mut self,
        step: &Step<'a>,
        inode: &Inode,
        reader: &mut LayerReader<R>,
        progress: &dyn Progress,
    ) -> Result<(), ReplayError> {
        reader.seek_file(inode.place.entry, inode.size())?;
        self.write(step)?;
        let output = self.sink.content();
        let copied = reader
            .copy_content(output, progress)
            .map_err(|error| match error {
                CopyError::Read(error) => reader.failed(EntryFault::read(error)).into(),
                CopyError::Write(error) => ReplayError::Write(error),
                CopyError::Interrupted => ReplayError::Interrupted,
            })?;
        if copied != inode.size() {
            return Err(reader.failed(EntryFault::Changed).into());
        }
        Ok(self.sink.end_of_content(copied)?)
    }
}

impl Plan<'_> {
    /// The size of the layer in bytes, computed without reading any content.
    pub(crate) fn measure(&self) -> u64 {
        let writer = LayerWriter::new(CountingWriter(0));
        let mut replay = Replay::new(self, writer, Time::default());
        let mut content = 0;
        // The counter never fails.
        let _ = replay.rest(|_, size| {
            content += size;
            Ok(())
        });
        let headers = replay.sink.finish().map_or(0, |counter| counter.0);
        headers + content
    }
}

/// Counts the bytes written to it.
struct CountingWriter(u64);

impl Write for CountingWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0 += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
