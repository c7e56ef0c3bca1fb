//! `verify`: everything is read, and every fault is reported.

mod bare;
mod causes;
mod entries;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::digest::{DiffId, Digest};
use crate::error::{Cause, Error, LimitError, Place, Result};
use crate::event::{Event, Step};
use crate::finding::{Code, Fault, Finding, Findings, Severity, Site};
use crate::format::{
    self, Format, Input, Member, Opening, Survey, SurveyedBlob, SurveyedImage, SurveyedLayer,
    chain_of,
};
use crate::layer::Budget;
use crate::merge::Changes;
use crate::ops::stack::layer_tar::streams;
use crate::ops::verify::causes::without_consequences;
use crate::ops::verify::entries::{Entries, read_entries};
use crate::stream::{Compression, copy};
use crate::tar_stream::SkipByReading;
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::parallel::in_parallel;
use crate::transfer::read::{hashes, open, read_whole};

pub(super) use bare::BareTar;
pub(super) use entries::Judge;

/// The result of a check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The format of the input.
    pub format: Format,
    /// The number of images, each platform counted separately.
    pub images: usize,
    /// The number of distinct layers.
    pub layers: usize,
    /// The number of bytes of layers and other blobs that were read and hashed.
    pub size: u64,
    /// All faults and notes, the worst first.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// The number of findings with this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings.filter(|it| it.code.severity() == severity).count()
    }
}

/// Implements [`Session::verify`](crate::Session::verify).
pub(crate) fn verify(
    input: Input,
    opening: &Opening<'_>,
    context: Context<'_>,
) -> Result<Verification> {
    let place = input.place();
    let survey = format::survey(input, opening)?;
    let result = Verifier::new(&survey, context).run();
    result.map_err(|error| error.while_reading(place))
}

/// The key of a layer: its place in the input, and its declared digest and diff_id.
type Key = (Member, Option<Digest>, Option<DiffId>);

fn key_of(layer: &SurveyedLayer) -> Option<Key> {
    let member = layer.blob.clone()?;
    Some((member, layer.digest.clone(), layer.diff_id.clone()))
}

/// The most bytes of layers of several images that are read before the images are checked:
/// the records of their entries are held meanwhile.
const GROUP_MAX: u64 = 128 << 20;

/// The largest factor by which headers shrink, if each has another name.
const PACKED_MAX: u64 = 512;

/// A layer to read.
struct Pending<'a> {
    image: &'a SurveyedImage,
    /// Its position in the image, from 0.
    at: usize,
    layer: &'a SurveyedLayer,
    key: Key,
    /// Shared by the layers of the image.
    budget: Arc<Budget>,
}

impl Pending<'_> {
    /// Its size, unpacked: at most, for a layer that has headers and nothing else.
    fn weight(&self) -> u64 {
        let size = self.key.0.size;
        match self.layer.compression {
            Compression::None => size,
            _ => size.saturating_mul(PACKED_MAX),
        }
    }
}

struct Verifier<'a> {
    survey: &'a Survey,
    context: Context<'a>,
    findings: Findings,
    /// The changes of a layer, until the last image with it is done; `None` if they are
    /// unknown.
    checked: BTreeMap<Key, Option<Changes>>,
    /// The stacks of layers that are already checked.
    seen: BTreeSet<Digest>,
    /// The number of times that each layer is still needed.
    uses: BTreeMap<Key, usize>,
    size: u64,
}

impl<'a> Verifier<'a> {
    fn new(survey: &'a Survey, context: Context<'a>) -> Self {
        let mut uses = BTreeMap::new();
        for layer in survey.images.iter().flat_map(|image| &image.layers) {
            if let Some(key) = key_of(layer) {
                *uses.entry(key).or_default() += 1;
            }
        }
        Self {
            survey,
            context,
            findings: survey.findings.clone(),
            checked: BTreeMap::new(),
            seen: BTreeSet::new(),
            uses,
            size: 0,
        }
    }

    fn run(mut self) -> Result<Verification> {
        let layers = self.uses.len();
        self.announce();
        self.prepare()?;
        let streams = streams(self.survey.container.as_ref(), self.context);
        // Reading a layer keeps two cores busy.
        let mut images = self.survey.images.as_slice();
        while !images.is_empty() {
            let (pending, count) = self.next_layers(images, streams.get() / 2);
            let (next, rest) = images.split_at(count);
            self.images(next, &pending, streams)?;
            images = rest;
        }
        self.blobs()?;
        Ok(Verification {
            format: self.survey.format,
            images: self.survey.images.len(),
            layers,
            size: self.size,
            findings: without_consequences(self.findings.into_sorted()),
        })
    }

    fn announce(&self) {
        let layers = self.uses.keys().map(|(member, _, _)| member.size);
        let blobs = self.survey.blobs.iter().map(|blob| blob.member.size);
        self.context.watch.send(Event::Started {
            bytes: layers.chain(blobs).fold(0, u64::saturating_add),
            images: Some(self.survey.images.len()),
            steps: Some(self.uses.len() + self.other_blobs().len()),
        });
    }

    /// The blobs other than layers, in the order of the input.
    fn other_blobs(&self) -> Vec<&'a SurveyedBlob> {
        let keys = self.uses.keys();
        let layers: BTreeSet<(&Member, Option<&Digest>)> = keys
            .map(|(member, digest, _)| (member, digest.as_ref()))
            .collect();
        let mut blobs: Vec<_> = self.survey.blobs.iter().collect();
        blobs.retain(|blob| !layers.contains(&(&blob.member, Some(&blob.digest))));
        blobs.sort_by_key(|blob| blob.member.position);
        blobs
    }

    /// Prepares the layers of a compressed archive to be read in the order of the
    /// images.
    fn prepare(&self) -> Result<()> {
        let container = self.survey.container.as_ref();
        let layers = self.survey.images.iter().flat_map(|image| &image.layers);
        let members = layers.filter_map(|layer| layer.blob.as_ref());
        let is_in_order = members.map(|member| member.position).is_sorted();
        if is_in_order || !container.is_sequential() {
            return Ok(());
        }
        match container.unpack_to(self.context.temporary_directory, &self.context.watch) {
            // The part that can be unpacked is read in the slow way.
            Err(Error::Compression { .. } | Error::Limit(LimitError::Compression { .. })) => Ok(()),
            result => result,
        }
    }

    /// The layers of the next images that were not read before, and the number of these
    /// images: one, and more until there are `enough` layers.
    fn next_layers(&self, images: &'a [SurveyedImage], enough: usize) -> (Vec<Pending<'a>>, usize) {
        let mut seen = BTreeSet::new();
        let mut pending = Vec::new();
        let mut size = 0_u64;
        for (count, image) in images.iter().enumerate() {
            let budget = Arc::new(Budget::default());
            let layers = image.layers.iter().enumerate();
            let new = layers.filter_map(|(at, layer)| {
                let key = key_of(layer)?;
                let is_new = !self.checked.contains_key(&key) && seen.insert(key.clone());
                is_new.then(|| Pending {
                    image,
                    at,
                    layer,
                    key,
                    budget: Arc::clone(&budget),
                })
            });
            let new: Vec<Pending<'_>> = new.collect();
            size = new
                .iter()
                .map(Pending::weight)
                .fold(size, u64::saturating_add);
            let is_full = pending.len() >= enough || size > GROUP_MAX;
            if count > 0 && is_full && !new.is_empty() {
                return (pending, count);
            }
            pending.extend(new);
        }
        (pending, images.len())
    }

    /// Reads the layers of these images that were not read before, and checks each image.
    fn images(
        &mut self,
        images: &'a [SurveyedImage],
        pending: &[Pending<'a>],
        streams: NonZeroUsize,
    ) -> Result<()> {
        let order = (0..pending.len()).collect();
        let checked = in_parallel(order, streams, |number| self.check(&pending[number]))?;
        let mut checked = pending.iter().zip(checked).peekable();
        for image in images {
            let count = image.layers.len();
            let is_of_image = |(it, _): &(&Pending<'a>, _)| std::ptr::eq(it.image, image);
            while let Some((pending, entries)) = checked.next_if(is_of_image) {
                let site = Site::image(image.name.clone()).at_layer(pending.at + 1, count);
                let faults = entries.faults.into_iter();
                self.findings.extend(faults.map(|fault| fault.at(&site)));
                self.size += pending.layer.blob.as_ref().map_or(0, |blob| blob.size);
                self.checked.insert(pending.key.clone(), entries.changes);
            }
            self.stack(image);
        }
        Ok(())
    }

    /// Reads one layer and compares it with its descriptions.
    fn check(&self, pending: &Pending<'_>) -> Result<Entries> {
        let Pending {
            image,
            at,
            layer,
            budget,
            ..
        } = pending;
        let Some(member) = &layer.blob else {
            return Ok(Entries::default());
        };
        let place = Place::Layer {
            position: at + 1,
            count: image.layers.len(),
            image: image.name.clone(),
        };
        let watch = self.context.watch;
        watch.send(Event::Step(Step::Verifying(&place.to_string())));
        let diff_ids = layer.diff_id.iter();
        let job = BlobJob {
            compression: layer.compression,
            digest: layer.digest.clone(),
            diff_ids: diff_ids.map(|id| (id.clone(), place.clone())).collect(),
            ..BlobJob::new(member, place)
        };
        let container = self.survey.container.as_ref();
        let looked = read_whole(container, &job, watch, |stream| {
            if !layer.is_readable {
                return Ok(Entries::default());
            }
            let number = u32::try_from(*at).expect("layers are limited");
            let is_gzip = layer.compression == Compression::Gzip;
            read_entries(SkipByReading(stream), number, is_gzip, budget, &watch)
        });
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => return unreadable(error, layer),
        };
        if let Some(expected) = &layer.digest
            && looked.stored.digest != *expected
        {
            // All its other faults follow from that.
            let fault = Fault::digest(Code::DigestMismatch, expected, &looked.stored.digest);
            return Ok(fault.into());
        }
        if !layer.is_readable {
            return Ok(Entries::default());
        }
        let unpacked = match looked.unpacked {
            Ok(unpacked) => unpacked,
            Err(error) => return unreadable(error, layer),
        };
        let mut entries = looked.result?;
        let mut faults = Vec::new();
        // For a root filesystem it belongs to the archive, and no layer of an image has
        // it.
        if looked.leftover > 0 && self.survey.format != Format::Rootfs {
            let message = format!(
                "{} bytes follow the end of its {} stream",
                looked.leftover, layer.compression
            );
            faults.push(Fault::new(Code::CompressionTrailing, message));
        }
        if let Some(DiffId(expected)) = &layer.diff_id
            && unpacked.digest != *expected
        {
            let fault = Fault::digest(Code::DiffIdMismatch, expected, &unpacked.digest);
            faults.push(fault);
        }
        faults.append(&mut entries.faults);
        Ok(Entries { faults, ..entries })
    }

    /// Checks the layers of an image together.
    fn stack(&mut self, image: &SurveyedImage) {
        let mut changes = Vec::new();
        let mut is_new = Vec::new();
        let mut chain = Digest::of(b"");
        for layer in &image.layers {
            let key = key_of(layer);
            chain = Digest::of(format!("{chain} {key:?}").as_bytes());
            is_new.push(self.seen.insert(chain.clone()));
            let Some(key) = key else {
                changes.push(None);
                continue;
            };
            let left = self.uses.get_mut(&key).expect("all layers are counted");
            *left -= 1;
            changes.push(if *left == 0 {
                self.checked.remove(&key).flatten()
            } else {
                self.checked.get(&key).cloned().flatten()
            });
        }
        if is_new.contains(&true) {
            stack::check(image, changes, &is_new, &mut self.findings);
        }
    }

    /// Reads the blobs other than layers.
    fn blobs(&mut self) -> Result<()> {
        let blobs = self.other_blobs();
        let container = self.survey.container.as_ref();
        let watch = self.context.watch;
        let check = |at: usize| -> Result<_> {
            let blob = blobs[at];
            let place = Place::Member(blob.member.path.clone());
            watch.send(Event::Step(Step::Verifying(&place.to_string())));
            let job = BlobJob {
                digest: Some(blob.digest.clone()),
                ..BlobJob::new(&blob.member, place)
            };
            let mut stream = open(container, &job, watch)?;
            stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
            copy(&mut stream, &mut io::sink(), &watch)
                .map_err(|error| Error::copy(job.place.clone(), job.place.clone(), error))?;
            let (stored, ..) = hashes(&job, stream)?;
            Ok((stored.digest != blob.digest)
                .then(|| Fault::digest(Code::DigestMismatch, &blob.digest, &stored.digest))
                .map(|fault| fault.at(&blob.site)))
        };
        let check = |at: usize| match check(at) {
            Err(error) if error.cause() == Cause::Input => {
                let site = blobs[at].site.clone();
                Ok(Some(Finding::new(
                    Code::ArchiveDamaged,
                    site,
                    chain_of(&error),
                )))
            }
            result => result,
        };
        let streams = streams(container, self.context);
        let found = in_parallel((0..blobs.len()).collect(), streams, check)?;
        self.size += blobs.iter().map(|blob| blob.member.size).sum::<u64>();
        self.findings.extend(found.into_iter().flatten());
        Ok(())
    }
}

/// Records that a layer cannot be read or unpacked, unless the machine is to blame.
fn unreadable(error: Error, layer: &SurveyedLayer) -> Result<Entries> {
    if error.cause() != Cause::Input {
        return Err(error);
    }
    let code = match layer.compression {
        Compression::None => Code::ArchiveDamaged,
        _ if is_limit(&error) => Code::CompressionLimit,
        _ => Code::CompressionDamaged,
    };
    let error = match error {
        Error::Read { source, .. } => chain_of(source.as_ref()),
        error => chain_of(&error),
    };
    Ok(Fault::new(code, error).into())
}

/// Returns true if a stream is not damaged, but exceeds a limit when unpacked.
fn is_limit(error: &Error) -> bool {
    match error {
        Error::Limit(LimitError::Compression { .. }) => true,
        Error::Read { source, .. } => is_limit(source),
        _ => false,
    }
}
