//! Where the files of an image lie: named byte strings, however they are stored.
//!
//! A docker archive and an OCI layout are both a set of files with documents
//! that refer to them by path; whether the files lie in a folder, in a tar that
//! can be read at any place, in one that can only be read forward, or in one
//! that came through a pipe is no concern of theirs. So there are the formats on
//! one side, and these containers on the other.

mod directory;
mod forward;
mod index;
mod measured;
mod seekable;
mod single;
mod staged;
mod whole;

use std::fmt::{self, Write as _};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub(crate) use directory::Directory;
pub(crate) use forward::ForwardTar;
pub(in crate::format) use index::MemberIndex;
pub(crate) use measured::KnownHashes;
pub(crate) use measured::hash_layers;
pub(crate) use seekable::{FileRange, Look, SeekableTar};
pub(crate) use single::SingleFile;
pub(crate) use staged::{Received, receive};
pub(crate) use whole::{WholeStream, unpacked_head};

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::limits::{DOCUMENT_MAX, DOCUMENTS_MAX};
use crate::stream::{Compression, FileKind, TeeReader, copy};
use crate::tar_stream::Trailing;

/// One of the byte strings in a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Member {
    /// The order in which a container that is read forward has it. The same for
    /// all where order does not matter.
    pub position: u64,
    /// Its path: the one that it lies under, if it was found through a link.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
}

/// A part of a file that can be read at any place.
#[derive(Debug)]
pub(crate) struct FileSlice {
    /// The file.
    pub file: File,
    /// Where the part begins, in bytes.
    pub start: u64,
    /// How many bytes it has.
    pub size: u64,
}

impl FileSlice {
    /// Whether it is all of the file.
    pub(crate) fn is_whole(&self) -> bool {
        let has_size = |metadata: Metadata| metadata.len() == self.size;
        self.start == 0 && self.file.metadata().is_ok_and(has_size)
    }

    /// Reads what stands from `offset` on, counted from the beginning of the part.
    pub(crate) fn read_from(&self, offset: u64) -> impl Read {
        FileRange::new(&self.file, self.start + offset, self.size - offset)
    }
}

/// Named byte strings.
pub(crate) trait Container: Send + Sync + fmt::Debug {
    /// Looks a path up, through links. Paths are relative to the root, and a
    /// leading `/` or `./` is ignored.
    fn find(&self, path: &str) -> Result<Option<Member>>;

    /// Begins to read a member.
    fn open(&self, member: &Member) -> Result<Box<dyn Read + Send + '_>>;

    /// Where a member's bytes lie in a file, if they do: then parts of them can be
    /// passed over without reading.
    fn slice(&self, member: &Member) -> Result<Option<FileSlice>> {
        let _ = member;
        Ok(None)
    }

    /// How a member is compressed, by its first bytes.
    fn compression(&self, member: &Member) -> Result<Compression>;

    /// The paths of all members, sorted; empty where only [`find`](Self::find)
    /// is possible.
    fn paths(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The paths of all files in which blobs may lie, in no order.
    fn files(&self) -> Result<Vec<String>> {
        Ok(self.paths().into_iter().map(str::to_owned).collect())
    }

    /// Where a tar ended without an end-of-archive block, if it did: then more may
    /// have been meant to follow.
    fn cut_off_at(&self) -> Option<u64> {
        None
    }

    /// The bytes after the end of a tar but for zeros, as far as they were looked for.
    fn trailing(&self) -> Option<Trailing> {
        None
    }

    /// Whether members are best read one at a time in the order of their
    /// positions.
    fn is_sequential(&self) -> bool {
        false
    }

    /// Makes it possible to read members in any order without starting over, by
    /// keeping what they unpack to in a temporary file without a name. Does nothing
    /// where that is possible already.
    fn unpack_to(&self, directory: &Path, watch: &Watch<'_>) -> Result<()> {
        let _ = (directory, watch);
        Ok(())
    }

    /// Whether it lies in temporary files of this run.
    fn is_own(&self) -> bool {
        false
    }

    /// Says that a member will not be read again, so that the space that it takes in a
    /// temporary file can be used.
    fn release(&self, member: &Member) {
        let _ = member;
    }

    /// What a member was found to be when this run wrote it down, if it did.
    fn measured(&self, member: &Member) -> Option<&KnownHashes> {
        let _ = member;
        None
    }

    /// The file that has a member and nothing else, if it may be moved away.
    fn own_file(&self, member: &Member) -> Option<PathBuf> {
        let _ = member;
        None
    }
}

/// Reads a document whole.
///
/// # Errors
///
/// Fails if it is larger than [`DOCUMENT_MAX`].
pub(crate) fn read_document(container: &dyn Container, member: &Member) -> Result<Vec<u8>> {
    if member.size > DOCUMENT_MAX {
        return Err(Error::DocumentTooLarge {
            what: format!("`{}`", member.path),
            size: member.size,
            limit: DOCUMENT_MAX,
        });
    }
    let mut bytes = Vec::new();
    container
        .open(member)?
        .take(DOCUMENT_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::read(Place::Member(member.path.clone()), error))?;
    Ok(bytes)
}

/// The files that tie images together, and need no other to refer to them. Two of them
/// with one name, and not the same content, would make two readers see two archives.
pub(in crate::format) const CONTROL_FILES: [&str; 4] =
    ["index.json", "manifest.json", "oci-layout", "repositories"];

/// Whether a path is one that archives of images have, and root filesystems not:
/// a blob of a layout, or a file or folder that is called by a digest.
pub(crate) fn is_of_archive(path: &str) -> bool {
    let prefixes = ["blobs/sha256/", "blobs/sha512/", "sha256:"];
    let name = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix));
    let stem = name
        .unwrap_or(path)
        .split(['.', '/'])
        .next()
        .unwrap_or_default();
    matches!(stem.len(), 64 | 128) && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Says that a stream is something else, by its first bytes.
pub(crate) fn not_an_image(head: &[u8]) -> Error {
    Error::NotAnImage {
        kind: FileKind::of(head),
        start: first_bytes(head),
    }
}

/// Says that a stream that should be a root filesystem is something else.
pub(crate) fn not_a_tar(head: &[u8]) -> Error {
    Error::NotATar {
        kind: FileKind::of(head),
        start: first_bytes(head),
    }
}

/// The first bytes of a stream, for a message.
fn first_bytes(head: &[u8]) -> String {
    let mut start = String::new();
    for byte in head.iter().take(4) {
        let _ = write!(start, "{byte:02x} ");
    }
    start.trim_end().to_owned()
}

/// What is left of a budget for documents.
///
/// # Errors
///
/// Fails if it is used up.
pub(crate) fn spend(budget: u64, size: usize) -> Result<u64> {
    budget
        .checked_sub(size as u64)
        .ok_or(Error::DocumentsTooLarge {
            limit: DOCUMENTS_MAX,
        })
}

/// Reads a document that is looked up by its path.
pub(crate) fn find_document(container: &dyn Container, path: &str) -> Result<Option<Vec<u8>>> {
    container
        .find(path)?
        .map(|member| read_document(container, &member))
        .transpose()
}

/// Reads a member whole to find out what it unpacks to.
pub(crate) fn unpacked_digest(
    container: &dyn Container,
    member: &Member,
    watch: &Watch<'_>,
) -> Result<Digest> {
    let measured = container.measured(member);
    if let Some(unpacked) = measured.and_then(|measured| measured.unpacked.as_ref()) {
        return Ok(unpacked.digest.clone());
    }
    let here = || Place::Member(member.path.clone());
    let compression = container.compression(member)?;
    let mut stream = TeeReader::new(container.open(member)?);
    stream
        .hash_unpacked(compression, Algorithm::Sha256)
        .map_err(Error::Thread)?;
    copy(&mut stream, &mut io::sink(), watch)
        .map_err(|error| Error::copy(here(), here(), error))?;
    let mut hashes = stream
        .finish()
        .map_err(|error| Error::read(here(), error))?;
    let unpacked = hashes
        .remove(0)
        .map_err(|error| Error::unreadable(compression, error).while_reading(here()))?;
    Ok(unpacked.digest)
}
