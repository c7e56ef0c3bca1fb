//! A root filesystem as the stream of a tar, from start to end.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Folder, InputKind, Place, Result};
use crate::event::Watch;
use crate::format::Format;
use crate::format::container::not_a_tar;
use crate::format::folder::folder;
use crate::format::input::{Input, OpenBytes};
use crate::stream::{
    Compression, FileSlice, HEAD_LENGTH, Leftover, ProgressReader, read_head, unpacked,
};
use crate::tar_stream::{EMPTY_BLOCK, is_tar_header};

/// A root filesystem that was not read yet: a file, a pipe, or a folder.
pub(crate) struct RootfsInput {
    place: Place,
    from: From,
    /// True if it is a root filesystem even if it looks like an image.
    pub(crate) is_certain: bool,
}

enum From {
    /// A file, and the offset of the tar in it.
    File(File, u64),
    /// A pipe, until it is read.
    Pipe(Option<Box<dyn Read + Send>>),
    /// A folder, which must be packed.
    Folder(PathBuf),
}

impl RootfsInput {
    /// Opens an input. One that was declared to be a root filesystem is one, even if it
    /// looks like an image.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be opened, or is a folder with images.
    pub(crate) fn new(input: Input) -> Result<Self> {
        let place = input.place();
        let is_certain = input.format == Some(Format::Rootfs);
        let failed = |error| Error::read(place.clone(), error);
        let from = match input.bytes.open().map_err(failed)? {
            OpenBytes::Folder(path) => {
                fs::read_dir(&path).map_err(failed)?;
                let folder = folder(&path);
                let is_rootfs = matches!(folder, Folder::Empty | Folder::Other);
                if !is_rootfs && !is_certain {
                    let expected = InputKind::Rootfs;
                    return Err(Error::read(place, Error::OtherFolder { folder, expected }));
                }
                From::Folder(path)
            }
            OpenBytes::File(file, start) => From::File(file, start),
            OpenBytes::Pipe(stream) => From::Pipe(Some(stream)),
        };
        Ok(Self {
            place,
            from,
            is_certain,
        })
    }

    /// A tar that is read while it is made.
    pub(crate) fn of_stream(stream: Box<dyn Read + Send>, place: Place) -> Self {
        Self {
            place,
            from: From::Pipe(Some(stream)),
            is_certain: true,
        }
    }

    /// The same as an input of images.
    pub(crate) fn into_input(self) -> Result<Input> {
        let input = match self.from {
            From::File(mut file, start) => {
                file.seek(io::SeekFrom::Start(start))?;
                Input::file(file, self.place)
            }
            From::Pipe(Some(stream)) => Input::pipe(stream, self.place),
            From::Pipe(None) => {
                return Err(io::Error::other("a pipe can only be read once").into());
            }
            From::Folder(path) => Input::path(path),
        };
        Ok(input.format(self.is_certain.then_some(Format::Rootfs)))
    }

    /// Its name in messages.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    /// The path of a folder, which must be [packed](Self::packed) before it is opened.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.from {
            From::Folder(path) => Some(path),
            From::File(..) | From::Pipe(_) => None,
        }
    }

    /// The same root filesystem as the stream of a tar, in place of a folder.
    pub(crate) fn packed(self, stream: Box<dyn Read + Send>) -> Self {
        Self {
            from: From::Pipe(Some(stream)),
            // Images in it are files like any others.
            is_certain: true,
            ..self
        }
    }

    /// Its size as stored, in bytes, if it can be read more than once.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.from {
            From::File(file, start) => {
                let metadata = file.metadata().ok()?;
                Some(metadata.len().saturating_sub(*start))
            }
            From::Pipe(_) | From::Folder(_) => None,
        }
    }

    /// Starts to read it, unpacked if necessary. A pipe can be read once.
    ///
    /// # Errors
    ///
    /// Fails if it is empty, or if its first bytes are not those of a tar.
    pub(crate) fn open<'a>(&'a mut self, watch: Watch<'a>) -> Result<RootfsStream<'a>> {
        self.stored(watch)?.unpacked()
    }

    /// Starts to read it as it is stored. A pipe can be read once.
    pub(crate) fn stored<'a>(&'a mut self, watch: Watch<'a>) -> Result<StoredStream<'a>> {
        let stream: Box<dyn Read + Send + '_> = match &mut self.from {
            From::File(file, start) => Box::new(FileSlice::from(file, *start)?),
            From::Pipe(stream) => stream
                .take()
                .ok_or_else(|| io::Error::other("a pipe can only be read once"))?,
            From::Folder(_) => return Err(io::Error::from(io::ErrorKind::IsADirectory).into()),
        };
        StoredStream::new(ProgressReader::new(stream, watch))
    }

    /// The same without an observer: its progress is not reported.
    pub(crate) fn into_stored(self) -> Result<StoredStream<'static>> {
        match self.from {
            From::File(file, start) => StoredStream::new(FileSlice::from(file, start)?),
            From::Pipe(Some(stream)) => StoredStream::new(stream),
            From::Pipe(None) => Err(io::Error::other("a pipe can only be read once").into()),
            From::Folder(_) => Err(io::Error::from(io::ErrorKind::IsADirectory).into()),
        }
    }
}

/// The bytes of a root filesystem as they are stored.
pub(crate) struct StoredStream<'a> {
    /// The bytes.
    pub(crate) stream: Box<dyn Read + Send + 'a>,
    /// Their compression.
    pub(crate) compression: Compression,
}

impl<'a> StoredStream<'a> {
    fn new(mut stream: impl Read + Send + 'a) -> Result<Self> {
        let head = read_head(&mut stream, HEAD_LENGTH)?;
        Ok(Self {
            compression: Compression::sniff(&head),
            stream: Box::new(Cursor::new(head).chain(stream)),
        })
    }

    /// Starts to unpack it.
    ///
    /// # Errors
    ///
    /// Fails if it is empty, or if its first bytes are not those of a tar.
    pub(crate) fn unpacked(self) -> Result<RootfsStream<'a>> {
        let mut stream = unpacked(self.compression, self.stream)?;
        let head = read_head(&mut stream, HEAD_LENGTH)?;
        if head.is_empty() {
            return Err(Error::Empty);
        }
        let first = &head[..head.len().min(EMPTY_BLOCK.len())];
        if !is_tar_header(first) && first.iter().any(|byte| *byte != 0) {
            return Err(not_a_tar(&head));
        }
        Ok(RootfsStream {
            leftover: stream.get_ref().leftover(),
            stream: Box::new(Cursor::new(head.clone()).chain(stream)),
            head,
        })
    }
}

/// The unpacked bytes of a root filesystem.
pub(crate) struct RootfsStream<'a> {
    /// The bytes.
    pub(crate) stream: Box<dyn Read + Send + 'a>,
    /// The first of them, for a message.
    pub(crate) head: Vec<u8>,
    /// The bytes after the end of the compressed stream, known after all was read.
    pub(crate) leftover: Arc<Leftover>,
}
