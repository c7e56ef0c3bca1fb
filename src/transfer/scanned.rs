//! Compressed layers that are read to their end before they are copied, for their entries.
//!
//! The copy of such a layer must have the same stored bytes. Then its unpacked bytes are the
//! same, too, and it need not be unpacked again to be compared with its diff_id.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::sink::{Held, ImageSink};
use crate::format::source::Layer;
use crate::format::{Container, Member};
use crate::stream::{Compression, Hashed};
use crate::transfer::blob_job::BlobJob;
use crate::transfer::compression::CompressionPolicy;

/// The hashes of layers from the first reading.
#[derive(Debug, Default)]
pub(crate) struct ScannedLayers(Mutex<HashMap<Key, Option<ScannedHashes>>>);

/// A blob, and the way in which it is unpacked.
type Key = (Member, Compression);

/// The hashes of a layer that was read.
#[derive(Clone, Debug)]
pub(crate) struct ScannedHashes {
    /// The hash of its stored bytes.
    pub(crate) stored: Hashed,
    /// The digest of its unpacked bytes.
    pub(crate) unpacked: Digest,
}

impl ScannedLayers {
    /// For those of these layers of an output that will be copied as they are, and would be
    /// unpacked to be verified then.
    pub(crate) fn among<'l>(
        layers: impl IntoIterator<Item = &'l Layer>,
        container: &dyn Container,
        sink: &dyn ImageSink,
        policy: CompressionPolicy,
    ) -> Self {
        let scanned = Self::default();
        for layer in layers {
            let Some(blob) = layer.blob() else {
                continue;
            };
            let job = BlobJob::of_layer(layer, blob, policy.encoding(layer), layer.place(""));
            let is_plain = job.compression == Compression::None;
            let is_hashed = container.blob(blob).known().is_some();
            if !is_plain && !is_hashed && job.encoding.is_none() && !is_there(&job, container, sink)
            {
                scanned.lock().insert(key(&job), None);
            }
        }
        scanned
    }

    /// True if the hashes of a layer are of use, and not known yet.
    pub(crate) fn wants(&self, job: &BlobJob) -> bool {
        self.lock().get(&key(job)).is_some_and(Option::is_none)
    }

    /// Adds the hashes of a layer that was read to its end.
    pub(crate) fn add(&self, job: &BlobJob, hashes: ScannedHashes) {
        self.lock().insert(key(job), Some(hashes));
    }

    /// The hashes of a layer, if it was read, and is as the documents say.
    pub(crate) fn find(&self, job: &BlobJob) -> Option<ScannedHashes> {
        let hashes = self.lock().get(&key(job)).cloned().flatten()?;
        let is_sound = job.verify(&hashes.stored, Some(&hashes.unpacked)).is_ok();
        let is_comparable = hashes.stored.digest.algorithm() == job.stored_algorithm();
        (is_sound && is_comparable && !job.diff_ids.is_empty()).then_some(hashes)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Option<ScannedHashes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScannedHashes {
    /// Compares the stored bytes of a copy with those that were read before.
    ///
    /// # Errors
    ///
    /// Fails if they differ: with the digest mismatch, if a document has the digest.
    pub(crate) fn verify_copy(&self, job: &BlobJob, stored: &Hashed) -> Result<()> {
        job.verify(stored, None)?;
        if self.stored == *stored {
            return Ok(());
        }
        let changed = io::Error::other("the file changed while it was read");
        Err(Error::read(job.place.clone(), changed))
    }
}

fn key(job: &BlobJob) -> Key {
    (job.member.clone(), job.compression)
}

/// True if the output is the folder that has the blob already, so that it is not copied.
fn is_there(job: &BlobJob, container: &dyn Container, sink: &dyn ImageSink) -> bool {
    let held = job.known().map(|known| sink.find(&known));
    matches!(held, Some(Ok(Held::Before(file))) if job.is_own_file(container, &file))
}
