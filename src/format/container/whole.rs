//! A stream that is one byte string: the tar of a root filesystem.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Algorithm;
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::container::{Container, KnownHashes, Member};
use crate::stream::{
    Compression, FileSlice, HEAD_LENGTH, Hashed, Leftover, ProgressReader, TeeReader, unpacked,
};
use crate::tar_stream::{SkipByReading, TarSummary, check_tar};

/// A tar in a file, wrapped or not, taken as the content of one layer.
#[derive(Debug)]
pub(crate) struct WholeStream {
    file: File,
    start: u64,
    compression: Compression,
    /// Where the file lies if it was received, so that it may be moved.
    received: Option<PathBuf>,
    measured: KnownHashes,
    summary: TarSummary,
    leftover: Arc<Leftover>,
}

impl WholeStream {
    /// Reads the stream to its end, which shows that it is a tar, what it hashes
    /// to, and how young the youngest of its members is.
    pub(crate) fn scan(
        file: File,
        start: u64,
        compression: Compression,
        received: Option<PathBuf>,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let file_range = ProgressReader::new(FileSlice::from(&file, start)?, *watch);
        let stream = unpacked(compression, file_range)?;
        let leftover = stream.get_ref().leftover();
        let mut stream = TeeReader::new(stream);
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let summary = check_tar(SkipByReading(&mut stream), |_, _, _| Ok(()))?;
        let unpacked = stream.finish()?.stored;
        Ok(Self {
            file,
            start,
            compression,
            received,
            measured: KnownHashes {
                stored: unpacked.clone(),
                unpacked: Some(unpacked),
            },
            summary,
            leftover,
        })
    }

    /// The stream as a member.
    pub(crate) fn member(&self) -> Member {
        Member {
            position: 0,
            path: "rootfs.tar".to_owned(),
            size: self.unpacked().size,
        }
    }

    /// What the unpacked stream hashes to.
    pub(crate) fn unpacked(&self) -> &Hashed {
        &self.measured.stored
    }

    /// The tar as a whole.
    pub(crate) fn summary(&self) -> TarSummary {
        self.summary
    }

    /// The bytes after the end of the compressed stream.
    pub(crate) fn leftover(&self) -> &Leftover {
        &self.leftover
    }

    /// The first bytes of the unpacked stream, as many as a message wants.
    pub(crate) fn head(&self) -> Result<Vec<u8>> {
        unpacked_head(&self.file, self.start, self.compression)
    }
}

/// The first bytes of what a file unpacks to, as far as it can be unpacked.
pub(crate) fn unpacked_head(file: &File, start: u64, compression: Compression) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let stream = unpacked(compression, FileSlice::from(file, start)?)?;
    match stream.take(HEAD_LENGTH).read_to_end(&mut head) {
        Err(error) if head.is_empty() => Err(error.into()),
        _ => Ok(head),
    }
}

impl Container for WholeStream {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        Ok(Some(self.member()).filter(|member| member.path == path))
    }

    fn open(&self, _: &Member) -> Result<Box<dyn Read + Send + '_>> {
        let range = FileSlice::from(&self.file, self.start);
        match range.and_then(|range| unpacked(self.compression, range)) {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Error::read(Place::Member("rootfs.tar".to_owned()), error)),
        }
    }

    fn slice(&self, member: &Member) -> Result<Option<FileSlice>> {
        if self.compression != Compression::None {
            return Ok(None);
        }
        let failed = |error| Error::read(Place::Member(member.path.clone()), error);
        let file = self.file.try_clone().map_err(failed)?;
        Ok(Some(FileSlice::new(file, self.start, member.size)))
    }

    /// The wrapping of the whole file is not a compression of the layer.
    fn compression(&self, _: &Member) -> Result<Compression> {
        Ok(Compression::None)
    }

    /// A file of somebody else's may change until it is read again.
    fn measured(&self, _: &Member) -> Option<&KnownHashes> {
        self.received.as_ref().map(|_| &self.measured)
    }

    fn own_file(&self, _: &Member) -> Option<PathBuf> {
        self.received.clone()
    }
}
