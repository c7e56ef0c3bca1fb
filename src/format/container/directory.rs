//! A folder: an OCI layout on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Result};
use crate::format::container::{Blob, Bytes, Container, Member};

/// The files under a folder.
///
/// Blobs may be symbolic links to any place: the folder is the user's, and paths come
/// from digests, which cannot contain `..`.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }
}

impl Container for Directory {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        match fs::metadata(self.path.join(path)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(Member {
                origin: 0,
                position: 0,
                path: path.to_owned(),
                size: metadata.len(),
            })),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::read(Place::Member(path.to_owned()), error)),
        }
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        Blob::new(member, Bytes::File(self.path.join(&member.path)))
    }

    fn files(&self) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for algorithm in ["sha256", "sha512"] {
            let folder = format!("blobs/{algorithm}");
            let failed = |error| Error::read(Place::Member(folder.clone()), error);
            let entries = match fs::read_dir(self.path.join(&folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let name = entry.map_err(failed)?.file_name();
                files.push(format!("{folder}/{}", name.to_string_lossy()));
            }
        }
        Ok(files)
    }
}
