//! One blob to transfer to the output, and the facts about it that are known
//! beforehand.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use crate::digest::{Algorithm, DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::format::source::Layer;
use crate::format::{Container, Member};
use crate::stream::{Compression, Encoding, Hashed};

/// A blob to transfer to the output.
#[derive(Clone, Debug)]
pub(crate) struct BlobJob {
    /// Its place in the input.
    pub(crate) member: Member,
    /// Its compression.
    pub(crate) compression: Compression,
    /// Its encoding in the output, if it changes.
    pub(crate) encoding: Option<Encoding>,
    /// Its digest, if a document has it.
    pub(crate) digest: Option<Digest>,
    /// The diff_ids that it must match, and the layer that has each.
    pub(crate) diff_ids: Vec<(DiffId, Place)>,
    /// Its name in messages.
    pub(crate) place: Place,
    /// True if no other job reads the member.
    pub(crate) is_last_use: bool,
    /// True if another job should have the same bytes, but reads them elsewhere.
    pub(crate) has_other_copy: bool,
    /// True if another layer of its image was made from its content, so that its digest
    /// must be verified even if it need not be written.
    pub(crate) is_always_read: bool,
}

impl BlobJob {
    /// A blob with no other known facts, to be transferred unchanged.
    pub(crate) fn new(member: &Member, place: Place) -> Self {
        Self {
            member: member.clone(),
            compression: Compression::None,
            encoding: None,
            digest: None,
            diff_ids: Vec::new(),
            place,
            is_last_use: false,
            has_other_copy: false,
            is_always_read: false,
        }
    }

    /// A layer, whose blob is in the input.
    pub(crate) fn of_layer(
        layer: &Layer,
        member: &Member,
        encoding: Option<Encoding>,
        place: Place,
    ) -> Self {
        Self {
            compression: layer.compression,
            encoding,
            digest: layer.descriptor().map(|it| it.digest().clone()),
            diff_ids: vec![(layer.diff_id.clone(), place.clone())],
            ..Self::new(member, place)
        }
    }

    /// The hash of the blob that will be written, if it is known before the blob is
    /// read.
    ///
    /// The unpacked form of an uncompressed layer is the layer itself, so its diff_id
    /// is its digest.
    pub(crate) fn known(&self) -> Option<Hashed> {
        if self.encoding.is_some() {
            return None;
        }
        Some(Hashed {
            digest: self.stored_digest()?,
            size: self.member.size,
        })
    }

    /// The digest of the blob in the input, if a document has it.
    pub(crate) fn stored_digest(&self) -> Option<Digest> {
        let plain = || match self.compression {
            Compression::None => self.diff_ids.first().map(|(diff_id, _)| diff_id.0.clone()),
            _ => None,
        };
        self.digest.clone().or_else(plain)
    }

    pub(crate) fn stored_algorithm(&self) -> Algorithm {
        let known = self.known().map(|known| known.digest);
        let digest = known.as_ref().or(self.digest.as_ref());
        digest.map_or(Algorithm::Sha256, Digest::algorithm)
    }

    pub(crate) fn unpacked_algorithm(&self) -> Algorithm {
        let first = self.diff_ids.first();
        first.map_or(Algorithm::Sha256, |(diff_id, _)| diff_id.0.algorithm())
    }

    /// Compares the actual hashes with those in the documents.
    pub(crate) fn verify(&self, stored: &Hashed, unpacked: Option<&Digest>) -> Result<()> {
        if let Some(expected) = &self.digest
            && *expected != stored.digest
        {
            let error = Error::DigestMismatch {
                expected: expected.clone(),
                got: stored.digest.clone(),
            };
            return Err(error.while_reading(self.place.clone()));
        }
        for (diff_id, place) in &self.diff_ids {
            if let Some(got) = unpacked
                && diff_id.0 != *got
            {
                let error = Error::DiffIdMismatch {
                    expected: diff_id.0.clone(),
                    got: got.clone(),
                };
                return Err(error.while_reading(place.clone()));
            }
        }
        Ok(())
    }

    /// Returns true if this file of the output is the very file of the input that holds the
    /// blob, as in a layout that is both.
    ///
    /// It is not read, which does not weaken the promise that everything that is read is
    /// verified: no byte of it is copied or used, and the output stays as sound as it was. A
    /// damaged blob could not be replaced either, as there is no other copy.
    pub(crate) fn is_own_file(&self, container: &dyn Container, file: &File) -> bool {
        let slice = container.blob(&self.member).slice();
        let Ok(Some(slice)) = slice else {
            return false;
        };
        let id = |file: &File| file.metadata().map(|it| (it.dev(), it.ino())).ok();
        slice.is_whole() && id(&slice.file).is_some_and(|own| id(file) == Some(own))
    }
}
