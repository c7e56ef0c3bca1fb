//! Containers of an image's files: named byte strings, however they are stored.
//!
//! A docker archive and an OCI layout are both a set of files with documents that refer
//! to them by path. They do not depend on whether the files are in a folder, in a tar
//! with random access, in a sequential one, or in one from a pipe. Hence the formats on
//! one side, and these containers on the other.

mod blob;
mod directory;
mod forward;
mod index;
mod measured;
mod member;
mod repeated;
mod rootfs_file;
mod seekable;
mod staged;

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

pub(crate) use blob::{Blob, Bytes};
pub(crate) use directory::Directory;
pub(crate) use forward::ForwardTar;
pub(crate) use index::MemberIndex;
pub(crate) use measured::{KnownHashes, hash_layers};
pub(crate) use member::{Member, TarEnd};
pub(crate) use rootfs_file::{RootfsFile, ScannedTar, unpacked_head};
pub(crate) use seekable::{Look, SeekableTar};
pub(crate) use staged::{Received, receive};

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, LimitError, Place, Result};
use crate::event::Watch;
use crate::limits::{DOCUMENT_MAX, DOCUMENTS_MAX};
use crate::stream::{FileKind, TeeReader, copy, unpacked};

/// Named byte strings.
pub(crate) trait Container: Send + Sync + fmt::Debug {
    /// The members by their paths, if they are known beforehand.
    fn index(&self) -> Option<&MemberIndex> {
        None
    }

    /// Looks up a path, through links. Paths are relative to the root, and a leading
    /// `/` or `./` is ignored.
    fn find(&self, path: &str) -> Result<Option<Member>> {
        self.index().map_or(Ok(None), |index| index.find(path))
    }

    /// The bytes of a member, which are not read yet.
    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a>;

    /// The paths of all members, sorted; empty if only [`find`](Self::find) is
    /// possible.
    fn paths(&self) -> Vec<&str> {
        self.index().map(MemberIndex::paths).unwrap_or_default()
    }

    /// The paths of all files that may be blobs, in any order.
    fn files(&self) -> Result<Vec<String>> {
        Ok(self.paths().into_iter().map(str::to_owned).collect())
    }

    /// The end of the tar, if it is one.
    fn end(&self) -> TarEnd {
        self.index().map(|index| index.end).unwrap_or_default()
    }

    /// True if members should be read one at a time in the order of their positions.
    fn is_sequential(&self) -> bool {
        false
    }

    /// Enables random access to members without starting over, by keeping the unpacked
    /// bytes in a temporary file without a name. Does nothing if that is already
    /// possible.
    fn unpack_to(&self, directory: &Path, watch: &Watch<'_>) -> Result<()> {
        let _ = (directory, watch);
        Ok(())
    }
}

/// Reads a whole document.
///
/// # Errors
///
/// Fails if it is larger than [`DOCUMENT_MAX`].
pub(crate) fn read_document(container: &dyn Container, member: &Member) -> Result<Vec<u8>> {
    if member.size > DOCUMENT_MAX {
        return Err(LimitError::DocumentTooLarge {
            what: format!("`{}`", member.path),
            size: member.size,
            limit: DOCUMENT_MAX,
        }
        .into());
    }
    let mut bytes = Vec::new();
    container
        .blob(member)
        .open()?
        .take(DOCUMENT_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::read(Place::Member(member.path.clone()), error))?;
    Ok(bytes)
}

/// Returns true if a path is typical of archives of images, but not of root
/// filesystems: a blob of a layout, or a file or folder named by a digest.
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

/// Returns the error for a stream that is something else, according to its first bytes.
pub(crate) fn not_an_image(head: &[u8]) -> Error {
    Error::NotAnImage {
        kind: FileKind::of(head),
    }
}

/// Returns the error for a stream that should be a root filesystem, but is something
/// else.
pub(crate) fn not_a_tar(head: &[u8]) -> Error {
    Error::NotATar {
        kind: FileKind::of(head),
    }
}

/// The rest of a budget for documents after one of this size.
///
/// # Errors
///
/// Fails if it is exhausted.
pub(crate) fn spend(budget: u64, size: u64) -> Result<u64, LimitError> {
    let left = budget.checked_sub(size);
    left.ok_or(LimitError::DocumentsTooLarge(DOCUMENTS_MAX))
}

/// Reads a document with this path.
pub(crate) fn find_document(container: &dyn Container, path: &str) -> Result<Option<Vec<u8>>> {
    container
        .find(path)?
        .map(|member| read_document(container, &member))
        .transpose()
}

/// Reads a whole member to compute the digest of its unpacked bytes.
pub(crate) fn unpacked_digest(
    container: &dyn Container,
    member: &Member,
    watch: &Watch<'_>,
) -> Result<Digest> {
    let blob = container.blob(member);
    if let Some(unpacked) = blob.known().and_then(|known| known.unpacked.as_ref()) {
        return Ok(unpacked.digest.clone());
    }
    let here = || Place::Member(member.path.clone());
    let stream = unpacked(blob.compression()?, blob.open()?);
    let mut stream = TeeReader::new(stream?);
    stream.hash(Algorithm::Sha256).map_err(Error::Thread)?;
    copy(&mut stream, &mut io::sink(), watch)
        .map_err(|error| Error::copy(here(), here(), error))?;
    Ok(stream.finish()?.stored.digest)
}
