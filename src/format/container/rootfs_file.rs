//! A file with a single member: the tar of a root filesystem.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Algorithm;
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::container::{Blob, Bytes, Container, KnownHashes, Member};
use crate::stream::{
    Compression, FileSlice, HEAD_LENGTH, Hashed, Leftover, ProgressReader, TeeReader, unpacked,
};
use crate::tar_stream::{SkipByReading, TarSummary, check_tar};

/// The name of the member in messages.
const NAME: &str = "rootfs.tar";

/// A file, or the rest of one, used as the content of one layer.
#[derive(Debug)]
pub(crate) struct RootfsFile {
    file: File,
    start: u64,
    /// The compression around the layer.
    wrapping: Compression,
    /// The size of the layer in bytes.
    size: u64,
    /// The path of a received file, and its hashes on arrival. A file of someone else
    /// may change until it is read again.
    received: Option<(PathBuf, KnownHashes)>,
}

/// A root filesystem that was read once.
#[derive(Debug)]
pub(crate) struct ScannedTar {
    /// The file with it.
    pub(crate) file: RootfsFile,
    /// The hash of the unpacked tar.
    pub(crate) unpacked: Hashed,
    /// The facts about the tar as a whole.
    pub(crate) summary: TarSummary,
    /// The bytes after the end of the compressed stream.
    pub(crate) leftover: Arc<Leftover>,
}

impl RootfsFile {
    /// Uses the bytes from `start` on unchanged, whatever they are.
    pub(crate) fn stored(file: File, start: u64) -> Result<Self> {
        let size = file.metadata()?.len().saturating_sub(start);
        Ok(Self {
            file,
            start,
            wrapping: Compression::None,
            size,
            received: None,
        })
    }

    /// Uses their unpacked form, which is read to its end to check that it is a tar,
    /// and to find its hash and the time of its newest member.
    pub(crate) fn scan(
        file: File,
        start: u64,
        compression: Compression,
        received: Option<PathBuf>,
        watch: &Watch<'_>,
    ) -> Result<ScannedTar> {
        let file_range = ProgressReader::new(FileSlice::from(&file, start)?, *watch);
        let stream = unpacked(compression, file_range)?;
        let leftover = stream.get_ref().leftover();
        let mut stream = TeeReader::new(stream);
        stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
        let summary = check_tar(SkipByReading(&mut stream), |_, _, _| Ok(()))?;
        let unpacked = stream.finish()?.stored;
        let known = |path| {
            let (stored, unpacked) = (unpacked.clone(), Some(unpacked.clone()));
            let known = KnownHashes {
                stored,
                unpacked,
                leftover: 0,
            };
            (path, known)
        };
        Ok(ScannedTar {
            file: Self {
                file,
                start,
                wrapping: compression,
                size: unpacked.size,
                received: received.map(known),
            },
            unpacked,
            summary,
            leftover,
        })
    }

    /// The layer.
    pub(crate) fn member(&self) -> Member {
        Member {
            origin: 0,
            position: 0,
            path: NAME.to_owned(),
            size: self.size,
        }
    }

    /// The first bytes of the layer, for a message.
    pub(crate) fn head(&self) -> Result<Vec<u8>> {
        unpacked_head(&self.file, self.start, self.wrapping)
    }
}

/// The first unpacked bytes of a file, as far as it can be unpacked.
pub(crate) fn unpacked_head(file: &File, start: u64, compression: Compression) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let stream = unpacked(compression, FileSlice::from(file, start)?)?;
    match stream.take(HEAD_LENGTH).read_to_end(&mut head) {
        Err(error) if head.is_empty() => Err(error.into()),
        _ => Ok(head),
    }
}

impl Container for RootfsFile {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        Ok((path == NAME).then(|| self.member()))
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        if let Some((path, known)) = &self.received {
            return Blob::new(member, Bytes::File(path.clone())).temporary(Some(known));
        }
        if self.wrapping == Compression::None {
            return Blob::new(member, Bytes::Slice(&self.file, self.start));
        }
        let open = || -> Result<Box<dyn Read + Send + 'a>> {
            let range = FileSlice::from(&self.file, self.start);
            match range.and_then(|range| unpacked(self.wrapping, range)) {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(Error::read(Place::Member(NAME.to_owned()), error)),
            }
        };
        // The compression of the whole file is not one of the layer.
        Blob::new(member, Bytes::Stream(Box::new(open))).with_compression(Some(Compression::None))
    }
}
