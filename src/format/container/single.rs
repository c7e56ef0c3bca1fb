//! A file that is one member, as it lies there.

use std::fs::File;
use std::io::Read;

use crate::error::{Error, Place, Result};
use crate::format::container::{Container, Member};
use crate::stream::{Compression, FileSlice, SNIFF_LENGTH, read_head};

/// What a message calls the member.
const NAME: &str = "rootfs.tar";

/// A file, or the rest of one, that is taken for one layer.
#[derive(Debug)]
pub(crate) struct SingleFile {
    file: File,
    start: u64,
    size: u64,
}

impl SingleFile {
    /// Takes what stands from `start` on.
    pub(crate) fn new(file: File, start: u64) -> Result<Self> {
        let size = file.metadata()?.len().saturating_sub(start);
        Ok(Self { file, start, size })
    }

    /// The member that all of it is.
    pub(crate) fn member(&self) -> Member {
        Member {
            position: 0,
            path: NAME.to_owned(),
            size: self.size,
        }
    }

    fn range(&self) -> FileSlice<&File> {
        FileSlice::new(&self.file, self.start, self.size)
    }
}

impl Container for SingleFile {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        Ok((path == NAME).then(|| self.member()))
    }

    fn open(&self, _: &Member) -> Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.range()))
    }

    fn slice(&self, member: &Member) -> Result<Option<FileSlice>> {
        let failed = |error| Error::read(Place::Member(member.path.clone()), error);
        let file = self.file.try_clone().map_err(failed)?;
        Ok(Some(FileSlice::new(file, self.start, self.size)))
    }

    fn compression(&self, member: &Member) -> Result<Compression> {
        let start = read_head(self.range(), SNIFF_LENGTH)
            .map_err(|error| Error::read(Place::Member(member.path.clone()), error))?;
        Ok(Compression::sniff(&start))
    }
}
