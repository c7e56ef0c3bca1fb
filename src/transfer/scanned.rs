//! Layers that are read for their entries before they are copied, or stay in place.
//!
//! A compressed one is read to its end. Its copy must have the same stored bytes. Then its
//! unpacked bytes are the same, too, and it need not be unpacked again to be compared with
//! its diff_id; if it stays in place, it need not be read again at all. Of an uncompressed
//! one in a file only the headers are read: the file must not change until all of it is.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::format::source::Layer;
use crate::format::{Container, Member};
use crate::stream::{Compression, Hashed, Stamp, changed};
use crate::transfer::blob_job::BlobJob;
use crate::transfer::compression::CompressionPolicy;

/// The layers, and what the first reading told of them.
#[derive(Debug, Default)]
pub(crate) struct ScannedLayers(Mutex<HashMap<Key, Scan>>);

/// The first reading of a layer.
#[derive(Clone, Debug)]
enum Scan {
    /// It is to be hashed, and was not read yet.
    Wanted,
    /// All of it was read.
    Whole(ScannedHashes),
    /// Its headers were read in a file, whose state was this one before.
    Headers(Stamp),
}

/// A blob, and the way in which it is unpacked.
type Key = (Member, Compression);

/// The hashes of a layer that was read.
#[derive(Clone, Debug)]
pub(crate) struct ScannedHashes {
    /// The hash of its stored bytes.
    pub(crate) stored: Hashed,
    /// The digest of its unpacked bytes.
    pub(crate) unpacked: Digest,
    /// The number of bytes after the end of its compressed stream.
    pub(crate) leftover: u64,
}

impl ScannedLayers {
    /// For those of these layers of an output that will be copied as they are, or stay in
    /// place, and would be unpacked to be verified then.
    pub(crate) fn among<'l>(
        layers: impl IntoIterator<Item = &'l Layer>,
        container: &dyn Container,
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
            if !is_plain && !is_hashed && job.encoding.is_none() {
                scanned.lock().insert(key(&job), Scan::Wanted);
            }
        }
        scanned
    }

    /// True if the hashes of a layer are of use, and not known yet.
    pub(crate) fn wants(&self, job: &BlobJob) -> bool {
        matches!(self.lock().get(&key(job)), Some(Scan::Wanted))
    }

    /// Adds the hashes of a layer that was read to its end.
    pub(crate) fn add(&self, job: &BlobJob, hashes: ScannedHashes) {
        self.lock().insert(key(job), Scan::Whole(hashes));
    }

    /// Adds a layer whose headers are read in a file with this state.
    pub(crate) fn add_headers(&self, job: &BlobJob, stamp: Stamp) {
        let mut scans = self.lock();
        scans.entry(key(job)).or_insert(Scan::Headers(stamp));
    }

    /// True if anything of a layer was read.
    pub(crate) fn has_read(&self, job: &BlobJob) -> bool {
        let scans = self.lock();
        let scan = scans.get(&key(job));
        scan.is_some_and(|scan| !matches!(scan, Scan::Wanted))
    }

    /// Compares the file in which the headers of a layer were read with its state then, after
    /// all of the layer was verified.
    ///
    /// # Errors
    ///
    /// Fails if it was written to.
    pub(crate) fn compare_file(&self, job: &BlobJob, container: &dyn Container) -> Result<()> {
        let Some(Scan::Headers(stamp)) = self.lock().get(&key(job)).cloned() else {
            return Ok(());
        };
        let Some(slice) = container.blob(&job.member).slice()? else {
            return Ok(());
        };
        let compared = stamp.compare(&slice.file).map(drop);
        compared.map_err(|error| Error::read(job.place.clone(), error))
    }

    /// The hashes of a layer, if it was read, and is as the documents say.
    pub(crate) fn find(&self, job: &BlobJob) -> Option<ScannedHashes> {
        let Some(Scan::Whole(hashes)) = self.lock().get(&key(job)).cloned() else {
            return None;
        };
        let is_sound = job.verify(&hashes.stored, Some(&hashes.unpacked)).is_ok();
        let is_comparable = hashes.stored.digest.algorithm() == job.stored_algorithm();
        (is_sound && is_comparable && !job.diff_ids.is_empty()).then_some(hashes)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Scan>> {
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
        Err(Error::read(job.place.clone(), changed()))
    }
}

fn key(job: &BlobJob) -> Key {
    (job.member.clone(), job.compression)
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
        let hashes = ScannedHashes {
            stored,
            unpacked,
            leftover: 0,
        };
        scanned.add(job, hashes);
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
