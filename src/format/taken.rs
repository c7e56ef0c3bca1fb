//! An input that is opened whatever it contains, for a survey of all its faults.

use std::fs::File;

use crate::error::{Error, Result};
use crate::event::{Event, Step};
use crate::format::container::{
    Container, Directory, ForwardTar, Look, SeekableTar, not_an_image, unpacked_head,
};
use crate::format::detect::{Opening, explain, is_empty, spool};
use crate::format::folder::check_declared;
use crate::format::input::{Input, OpenBytes};
use crate::stream::{Compression, FileSlice, HEAD_LENGTH, ProgressReader, read_head};

/// An input whose files can be looked up, as far as they can be read.
pub(super) struct Taken {
    pub(super) container: Box<dyn Container>,
    /// The original file, and the offset of the input in it; `None` for a folder.
    pub(super) file: Option<(File, u64)>,
    /// The number of bytes after the end of the compressed stream.
    pub(super) leftover: u64,
}

/// Opens an input whatever it contains; a pipe is stored in a temporary file. Faults of
/// the tar are added to `faults`.
///
/// # Errors
///
/// Fails if it cannot be read, or is not a tar from its very start.
pub(super) fn take(input: Input, opening: &Opening<'_>, faults: &mut Vec<Error>) -> Result<Taken> {
    let (file, start) = match input.bytes.open()? {
        OpenBytes::Folder(path) => {
            check_declared(&path, opening.format)?;
            return Ok(Taken {
                container: Box::new(Directory::new(&path)),
                file: None,
                leftover: 0,
            });
        }
        OpenBytes::File(file, start) => (file, start),
        OpenBytes::Pipe(stream) => {
            opening.watch.send(Event::Step(Step::Receiving));
            let (file, _) = spool(ProgressReader::new(stream, opening.watch), opening)?;
            (file, 0)
        }
    };
    opening.watch.send(Event::Step(Step::Indexing));
    let mut head = read_head(FileSlice::from(&file, start)?, HEAD_LENGTH)?;
    let compression = Compression::sniff(&head);
    if compression != Compression::None {
        head = unpacked_head(&file, start, compression)?;
    }
    if head.is_empty() {
        return Err(Error::Empty);
    }
    let lies = Some((file.try_clone()?, start));
    let (container, leftover): (Box<dyn Container>, u64) = if compression == Compression::None {
        let tar = SeekableTar::open_damaged(file, start, Look::Whole, faults)?;
        (Box::new(tar), 0)
    } else {
        let watch = &opening.watch;
        let tar = ForwardTar::open_damaged(file, start, compression, faults, watch)?;
        let leftover = tar.leftover().size();
        (Box::new(tar), leftover)
    };
    let is_empty = is_empty(container.as_ref());
    if is_empty && !faults.is_empty() {
        return Err(explain(faults.swap_remove(0), &head));
    }
    if is_empty && container.end().trailing.is_some() {
        return Err(not_an_image(&head));
    }
    Ok(Taken {
        container,
        file: lies,
        leftover,
    })
}
