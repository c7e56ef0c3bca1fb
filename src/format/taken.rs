//! An input that is taken whatever it holds, for a survey of all that is wrong with it.

use std::fs::{self, File};
use std::io;

use crate::error::{Error, Result};
use crate::event::{Event, Step};
use crate::format::container::{
    Container, Directory, ForwardTar, Look, SeekableTar, not_an_image, unpacked_head,
};
use crate::format::detect::{Opening, explain, spool};
use crate::format::folder::check_layout;
use crate::format::input::{Input, InputBytes};
use crate::stream::{Compression, FileSlice, HEAD_LENGTH, ProgressReader, read_head};

/// An input whose files can be looked up, as far as they can be read.
pub(super) enum RawContainer {
    /// A folder.
    Directory(Directory),
    /// A plain tar.
    Plain(SeekableTar),
    /// A compressed tar.
    Packed(Box<ForwardTar>),
}

impl RawContainer {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// Whether it is a tar without a member.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Directory(_) => false,
            Self::Plain(tar) => tar.is_empty(),
            Self::Packed(tar) => tar.is_empty(),
        }
    }

    /// How many bytes follow the end of the compressed stream.
    pub(super) fn leftover(&self) -> u64 {
        match self {
            Self::Directory(_) | Self::Plain(_) => 0,
            Self::Packed(tar) => tar.leftover().size(),
        }
    }

    pub(super) fn container(&self) -> &dyn Container {
        match self {
            Self::Directory(directory) => directory,
            Self::Plain(tar) => tar,
            Self::Packed(tar) => tar.as_ref(),
        }
    }

    pub(super) fn into_container(self) -> Box<dyn Container> {
        match self {
            Self::Directory(directory) => Box::new(directory),
            Self::Plain(tar) => Box::new(tar),
            Self::Packed(tar) => tar,
        }
    }

    /// The file as it lies there, and where it begins; `None` for a folder.
    pub(super) fn into_file(self) -> Result<Option<(File, u64)>> {
        match self {
            Self::Directory(_) => Ok(None),
            Self::Plain(tar) => Ok(Some(tar.into_file())),
            Self::Packed(tar) => tar.into_file().map(|(file, start, _)| Some((file, start))),
        }
    }
}

/// Takes an input whatever it holds; a pipe is kept in a temporary file. What is wrong
/// with the tar goes to `faults`.
///
/// # Errors
///
/// Fails if it cannot be read, or is no tar from its very beginning.
pub(super) fn take(
    input: Input,
    opening: &Opening<'_>,
    faults: &mut Vec<Error>,
) -> Result<RawContainer> {
    let (file, start) = match input.bytes {
        InputBytes::Path(path) if fs::metadata(&path)?.is_dir() => {
            check_layout(&path)?;
            return Ok(RawContainer::Directory(Directory::new(&path)));
        }
        InputBytes::Path(path) => (File::open(&path)?, 0),
        InputBytes::File(mut file) => {
            let start = io::Seek::stream_position(&mut file)?;
            (file, start)
        }
        InputBytes::Pipe(stream) => {
            opening.watch.send(Event::Step(Step::Receiving));
            let (file, _) = spool(ProgressReader::new(stream, opening.watch), opening)?;
            (file, 0)
        }
    };
    opening.watch.send(Event::Step(Step::Indexing));
    let head = read_head(FileSlice::from(&file, start)?, HEAD_LENGTH)?;
    if head.is_empty() {
        return Err(Error::Empty);
    }
    let compression = Compression::sniff(&head);
    let (taken, is_empty, head) = if compression == Compression::None {
        let tar = SeekableTar::open_damaged(file, start, Look::Whole, faults)?;
        let is_empty = tar.is_empty();
        (RawContainer::Plain(tar), is_empty, head)
    } else {
        let unpacked = unpacked_head(&file, start, compression)?;
        if unpacked.is_empty() {
            return Err(Error::Empty);
        }
        let watch = &opening.watch;
        let tar = ForwardTar::open_damaged(file, start, compression, faults, watch)?;
        let is_empty = tar.is_empty();
        (RawContainer::Packed(Box::new(tar)), is_empty, unpacked)
    };
    if is_empty && !faults.is_empty() {
        return Err(explain(faults.swap_remove(0), &head));
    }
    if is_empty && taken.container().end().trailing.is_some() {
        return Err(not_an_image(&head));
    }
    Ok(taken)
}
