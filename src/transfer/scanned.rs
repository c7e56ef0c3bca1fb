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

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::digest::DiffId;
    use crate::error::Place;
    use crate::event::Watch;
    use crate::format::{Blob, Bytes, CapturedSink, Format};
    use crate::stream::Workers;
    use crate::transfer::Context;
    use crate::transfer::blob::Transfer;

    /// Every member is these bytes, of which none can be unpacked.
    const STORED: &[u8] = b"no stream of gzip";

    #[derive(Debug)]
    struct OneBlob;

    impl Container for OneBlob {
        fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
            Blob::new(member, Bytes::Memory(STORED))
        }
    }

    fn job(diff_id: &Digest, digest: Option<Digest>) -> BlobJob {
        let member = Member {
            origin: 0,
            position: 0,
            path: "layer".to_owned(),
            size: STORED.len() as u64,
        };
        let place = Place::Member("layer".to_owned());
        BlobJob {
            compression: Compression::Gzip,
            digest,
            diff_ids: vec![(DiffId(diff_id.clone()), place.clone())],
            ..BlobJob::new(&member, place)
        }
    }

    /// Copies a job after it was scanned with these hashes, and returns the chain of errors.
    fn copied(job: &BlobJob, stored: &[u8], unpacked: &Digest) -> Result<Digest, String> {
        let scanned = ScannedLayers::default();
        let stored = Hashed {
            digest: Digest::of(stored),
            size: stored.len() as u64,
        };
        let unpacked = unpacked.clone();
        scanned.add(job, ScannedHashes { stored, unpacked });
        let interrupt = Arc::new(AtomicBool::new(false));
        let folder = std::env::temp_dir();
        let sink = CapturedSink::create(Format::OciArchive, folder.clone()).unwrap();
        let transfer = Transfer {
            container: &OneBlob,
            sink: &sink,
            workers: &Workers::start(NonZeroUsize::MIN).unwrap(),
            scanned: Some(&scanned),
            context: Context {
                watch: Watch::new(&|_| (), &interrupt),
                jobs: NonZeroUsize::MIN,
                temporary_directory: &folder,
                created: None,
            },
        };
        let written = transfer.run(job);
        let written = written.map_err(|error| crate::format::chain_of(&error))?;
        Ok(written.digest)
    }

    #[test]
    fn a_copy_of_the_same_bytes_is_not_unpacked() {
        let (id, digest) = (Digest::of(b"layer"), Digest::of(STORED));
        let got = copied(&job(&id, None), STORED, &id);
        assert_eq!(got.as_ref(), Ok(&digest));
        let got = copied(&job(&id, Some(digest.clone())), STORED, &id);
        assert_eq!(got, Ok(digest));
    }

    #[test]
    fn a_copy_of_other_bytes_fails() {
        let id = Digest::of(b"layer");
        let got = copied(&job(&id, None), b"other", &id);
        let changed = got.unwrap_err();
        assert!(changed.contains("the file changed"), "{changed}");
        let other = Digest::of(b"other");
        let got = copied(&job(&id, Some(other)), b"other", &id);
        let differs = got.unwrap_err();
        assert!(!differs.contains("the file changed"), "{differs}");
    }

    #[test]
    fn what_was_scanned_and_differs_is_unpacked_again() {
        let id = Digest::of(b"layer");
        for (digest, unpacked) in [
            (None, Digest::of(b"other")),
            (Some(Digest::of(b"other")), id.clone()),
        ] {
            let got = copied(&job(&id, digest), STORED, &unpacked);
            let damaged = got.unwrap_err();
            assert!(damaged.contains("gzip stream is damaged"), "{damaged}");
        }
    }
}
