//! The directory of an image in which the content of a new layer lands.

use std::collections::BTreeSet;
use std::io;

use crate::layer::entry::Metadata;
use crate::layer::sink::EntrySink;
use crate::tar_stream::Time;

/// The permissions of a directory that is made since something is put into it.
const MADE_MODE: u16 = 0o755;

/// A directory of an image, in which new content lands, with the directories above it.
///
/// A layer must have an entry for each of them: Docker's overlay2 gives an owner and a
/// mode of its own to a directory that a layer only implies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Landing {
    /// Its path: literal, clean, empty for the root.
    path: Vec<u8>,
    /// The directories above it, except for the root.
    above: Vec<(Vec<u8>, Metadata)>,
    /// Its metadata in the image, if it is there already.
    own: Option<Metadata>,
    /// The time of a directory that is made.
    time: Time,
}

impl Landing {
    /// The root of an image, which is there already.
    pub(crate) fn new(time: Time) -> Self {
        Self {
            time,
            ..Self::default()
        }
    }

    /// The directory with this name in it, and its metadata if the image has it.
    pub(crate) fn enter(&mut self, name: &[u8], own: Option<Metadata>) {
        if !self.path.is_empty() {
            let outer = self.own_or_made();
            self.above.push((self.path.clone(), outer));
        }
        self.path = self.at(name);
        self.own = own;
    }

    /// Its path.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The path in the image of something with this path in the content.
    pub(crate) fn at(&self, path: &[u8]) -> Vec<u8> {
        match (&*self.path, path) {
            (b"", path) => path.to_vec(),
            (directory, b"") => directory.to_vec(),
            (directory, path) => [directory, b"/", path].concat(),
        }
    }

    /// Writes the directories above it, and the directory itself: as they are in the image,
    /// or as directories are made. The root is not written.
    pub(crate) fn write(&self, sink: &mut dyn EntrySink) -> io::Result<()> {
        self.write_new(sink, &mut BTreeSet::new())
    }

    /// Writes those of these directories that are not among the written ones, which they
    /// join.
    pub(crate) fn write_new(
        &self,
        sink: &mut dyn EntrySink,
        written: &mut BTreeSet<Vec<u8>>,
    ) -> io::Result<()> {
        let own = (self.path.clone(), self.own_or_made());
        for (path, metadata) in self.above.iter().chain([&own]) {
            if !path.is_empty() && written.insert(path.clone()) {
                sink.directory(path, metadata)?;
            }
        }
        Ok(())
    }

    fn own_or_made(&self) -> Metadata {
        let made = || Metadata::implied(MADE_MODE, self.time);
        self.own.clone().unwrap_or_else(made)
    }
}
