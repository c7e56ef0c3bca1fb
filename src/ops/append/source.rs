//! The sources of new layers, opened.

use std::path::PathBuf;

use crate::error::{Error, Place, Result};
use crate::format::{Input, RootfsInput};
use crate::ops::append::options::NewLayer;

/// An opened source of a new layer.
pub(super) enum Source {
    /// A tar.
    Tar(RootfsInput),
    /// The root filesystem that the image is to have.
    Changed(RootfsInput),
    /// A folder whose content lands at a path, by default that of the options.
    Folder(PathBuf, Option<Vec<u8>>),
    /// A file that lands at a path.
    File(PathBuf, Vec<u8>),
}

impl Source {
    /// Opens a source.
    pub(super) fn open(layer: NewLayer) -> Result<Self> {
        match layer {
            NewLayer::Content(input) => Self::of_content(input),
            NewLayer::Changed(input) => Ok(Self::Changed(RootfsInput::new(input)?)),
            NewLayer::At { source, path } => {
                let metadata = source.metadata();
                let metadata = metadata.map_err(|error| {
                    let place = Place::Path(source.clone());
                    Error::read(place, error)
                })?;
                if metadata.is_dir() {
                    return Ok(Self::Folder(source, Some(path)));
                }
                Ok(Self::File(source, path))
            }
        }
    }

    fn of_content(input: Input) -> Result<Self> {
        let input = RootfsInput::new(input)?;
        Ok(match input.folder() {
            Some(folder) => Self::Folder(folder.to_owned(), None),
            None => Self::Tar(input),
        })
    }

    /// The number of bytes to read, if it is known.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Tar(input) | Self::Changed(input) => input.size().unwrap_or(0),
            Self::Folder(..) => 0,
            Self::File(file, _) => file.metadata().map_or(0, |metadata| metadata.len()),
        }
    }
}
