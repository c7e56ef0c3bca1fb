//! Parts of a delta, compared with their digests.

use std::io::{self, Read};

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::format::{Container, Member};
use crate::stream::{ProgressReader, TeeReader};
use crate::transfer::Context;

/// Compares bytes with a digest.
pub(super) fn check(expected: &Digest, bytes: &[u8]) -> Result<()> {
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let got = hasher.finish();
    if got == *expected {
        return Ok(());
    }
    let expected = expected.clone();
    Err(Error::DigestMismatch { expected, got })
}

/// Reads a member for `read`, and compares all of it with its digest: a damaged member
/// has that as its first fault.
pub(super) fn verified(
    container: &dyn Container,
    member: &Member,
    expected: &Digest,
    context: Context<'_>,
    read: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> Result<()> {
    let stream = ProgressReader::new(container.blob(member).open()?, context.watch);
    let mut stream = TeeReader::new(stream);
    stream.hash(expected.algorithm()).map_err(Error::Thread)?;
    let result = read(&mut stream);
    if context.watch.is_interrupted() {
        return Err(Error::Interrupted);
    }
    let got = stream.finish()?.stored.digest;
    if got != *expected {
        let expected = expected.clone();
        return Err(Error::DigestMismatch { expected, got });
    }
    Ok(result?)
}
