//! One blob that has to get into the output, and what is known of it beforehand.

use crate::digest::{Algorithm, DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::format::Member;
use crate::format::source::Layer;
use crate::stream::{Compression, Encoding, Hashed};

/// A blob that has to get into the output.
#[derive(Clone, Debug)]
pub(crate) struct BlobJob {
    /// Where it is.
    pub(crate) member: Member,
    /// How it is compressed.
    pub(crate) compression: Compression,
    /// How it shall be, if otherwise.
    pub(crate) encoding: Option<Encoding>,
    /// Its digest, where a document says it.
    pub(crate) digest: Option<Digest>,
    /// What it must unpack to, and which layer says so.
    pub(crate) diff_ids: Vec<(DiffId, Place)>,
    /// What a message calls it.
    pub(crate) place: Place,
    /// Whether no other job reads the member.
    pub(crate) is_last_use: bool,
    /// Whether another job should have the same bytes, and has more or fewer of them.
    pub(crate) has_conflicting_size: bool,
    /// Whether another layer of its image was made of what is in it, so that it must be
    /// what its digest says even where it need not be written.
    pub(crate) is_always_read: bool,
}

impl BlobJob {
    /// Takes a blob of which nothing else is known: it is taken as it is.
    pub(crate) fn new(member: &Member, place: Place) -> Self {
        Self {
            member: member.clone(),
            compression: Compression::None,
            encoding: None,
            digest: None,
            diff_ids: Vec::new(),
            place,
            is_last_use: false,
            has_conflicting_size: false,
            is_always_read: false,
        }
    }

    /// Takes a layer, whose blob is there.
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

    /// The blob that will be written, if that is known before it is read.
    ///
    /// A plain layer is its own unpacked form, so its diff_id is its digest.
    pub(crate) fn known(&self) -> Option<Hashed> {
        if self.encoding.is_some() {
            return None;
        }
        let plain = || match self.compression {
            Compression::None => self.diff_ids.first().map(|(diff_id, _)| diff_id.0.clone()),
            _ => None,
        };
        Some(Hashed {
            digest: self.digest.clone().or_else(plain)?,
            size: self.member.size,
        })
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

    /// Compares what came with what the documents say.
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
}
