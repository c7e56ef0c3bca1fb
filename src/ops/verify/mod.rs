//! Everything is read, and all that is wrong is said.

mod bare;
mod causes;
mod entries;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step};
use crate::finding::{Code, Finding, Findings, Severity, Site};
use crate::format::{
    self, Format, Input, Member, Opening, Survey, SurveyedImage, SurveyedLayer, chain_of,
    machine_failed,
};
use crate::layer::Budget;
use crate::merge::Changes;
use crate::ops::verify::causes::without_consequences;
use crate::ops::verify::entries::{Entries, Fault, read_entries};
use crate::stream::{Compression, copy};
use crate::tar_stream::SkipByReading;
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::parallel::{STREAMS_MAX, in_parallel};
use crate::transfer::read::{hashes, open, read_whole};

pub(super) use bare::BareTar;
pub(super) use entries::Judge;

/// What a check found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verification {
    /// What the input is.
    pub format: Format,
    /// How many images it holds, those for several platforms counted each.
    pub images: usize,
    /// How many different layers.
    pub layers: usize,
    /// How many bytes of layers and other blobs were read and hashed.
    pub size: u64,
    /// All that is wrong or worth a note, the worst first.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// How many findings are so bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings.filter(|it| it.code.severity() == severity).count()
    }
}

/// Does what [`Session::verify`](crate::Session::verify) says.
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

/// What tells a layer from another: where it is, and what is said of it.
type Key = (Member, Option<Digest>, Option<DiffId>);

fn key_of(layer: &SurveyedLayer) -> Option<Key> {
    let member = layer.blob.clone()?;
    Some((member, layer.digest.clone(), layer.diff_id.clone()))
}

struct Verifier<'a> {
    survey: &'a Survey,
    context: Context<'a>,
    findings: Findings,
    /// What a layer changes, until the last image that has it was looked at; `None` if
    /// that cannot be told.
    checked: BTreeMap<Key, Option<Changes>>,
    /// The stacks of layers that were looked at.
    seen: BTreeSet<Digest>,
    /// How often each layer is still needed.
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
        for image in &self.survey.images {
            self.layers(image)?;
            self.stack(image);
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
        let total = layers.chain(blobs).fold(0, u64::saturating_add);
        self.context.watch.send(Event::Total(total));
    }

    /// Makes sure that layers of a wrapped archive can be read in the order of the
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
            // What can be unpacked of it is read in the slow way.
            Err(Error::Compression { .. } | Error::CompressionLimit { .. }) => Ok(()),
            result => result,
        }
    }

    fn threads(&self) -> NonZeroUsize {
        if self.survey.container.is_sequential() {
            NonZeroUsize::MIN
        } else {
            self.context.jobs.min(STREAMS_MAX)
        }
    }

    /// Reads the layers of an image that were not read before.
    fn layers(&mut self, image: &SurveyedImage) -> Result<()> {
        let count = image.layers.len();
        let site = Site::image(image.name.clone());
        let mut seen = BTreeSet::new();
        let mut pending = Vec::new();
        for (at, layer) in image.layers.iter().enumerate() {
            let Some(key) = key_of(layer) else {
                continue;
            };
            if !self.checked.contains_key(&key) && seen.insert(key.clone()) {
                pending.push((at, layer, key));
            }
        }
        let budget = Arc::new(Budget::default());
        let order = (0..pending.len()).collect();
        let check = |number: usize| {
            let (at, layer, _) = &pending[number];
            let place = Place::Layer {
                position: at + 1,
                count,
                image: image.name.clone(),
            };
            self.check(*at, layer, place, &budget)
        };
        let reports = in_parallel(order, self.threads(), check)?;
        for ((at, layer, key), report) in pending.into_iter().zip(reports) {
            let site = site.at_layer(at + 1, count);
            let findings = report.faults.into_iter().map(|(code, entry, message)| {
                let site = match entry {
                    Some((entry, others)) => site.at_entry(entry, others),
                    None => site.clone(),
                };
                Finding::new(code, site, message)
            });
            self.findings.extend(findings);
            self.size += layer.blob.as_ref().map_or(0, |blob| blob.size);
            self.checked.insert(key, report.changes);
        }
        Ok(())
    }

    /// Reads one layer and compares it with all that is said of it.
    fn check(
        &self,
        at: usize,
        layer: &SurveyedLayer,
        place: Place,
        budget: &Arc<Budget>,
    ) -> Result<LayerReport> {
        let Some(member) = &layer.blob else {
            return Ok(LayerReport::default());
        };
        let watch = self.context.watch;
        watch.send(Event::Step(Step::Verifying {
            blob: &place.to_string(),
        }));
        let diff_ids = layer.diff_id.iter();
        let job = BlobJob {
            member: member.clone(),
            compression: layer.compression,
            encoding: None,
            digest: layer.digest.clone(),
            diff_ids: diff_ids.map(|id| (id.clone(), place.clone())).collect(),
            place,
            is_last_use: false,
            has_conflicting_size: false,
        };
        let container = self.survey.container.as_ref();
        let looked = read_whole(container, &job, watch, |stream| {
            if !layer.is_readable {
                return Ok(Entries::default());
            }
            let number = u32::try_from(at).expect("layers are limited");
            let is_gzip = layer.compression == Compression::Gzip;
            read_entries(SkipByReading(stream), number, is_gzip, budget, &watch)
        });
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => return LayerReport::unreadable(error, layer),
        };
        if let Some(expected) = &layer.digest
            && looked.stored.digest != *expected
        {
            // Whatever else is wrong with it follows from that.
            let got = &looked.stored.digest;
            let message = format!("expected {expected}, got {got}");
            return Ok(LayerReport::of(Code::DigestMismatch, message));
        }
        if !layer.is_readable {
            return Ok(LayerReport::default());
        }
        let unpacked = match looked.unpacked {
            Ok(unpacked) => unpacked,
            Err(error) => return LayerReport::unreadable(error, layer),
        };
        let Entries {
            faults, changes, ..
        } = looked.result?;
        let mut report = LayerReport {
            faults: Vec::new(),
            changes,
        };
        // That of a root filesystem is the archive's, and no layer of an image has it.
        if looked.leftover > 0 && self.survey.format != Format::Rootfs {
            let message = format!(
                "{} bytes follow the end of its {} stream",
                looked.leftover, layer.compression
            );
            let code = Code::CompressionTrailing;
            report.faults.push((code, None, message));
        }
        if let Some(DiffId(expected)) = &layer.diff_id
            && unpacked.digest != *expected
        {
            let message = format!("expected {expected}, got {}", unpacked.digest);
            report.faults.push((Code::DiffIdMismatch, None, message));
        }
        report.faults.extend(faults);
        Ok(report)
    }

    /// Looks at what the layers of an image do to each other.
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
        stack::check(image, changes, &is_new, &mut self.findings);
    }

    /// Reads the blobs that are no layers.
    fn blobs(&mut self) -> Result<()> {
        let mut blobs: Vec<_> = self.survey.blobs.iter().collect();
        let keys = self.uses.keys();
        let layers: BTreeSet<(&Member, Option<&Digest>)> = keys
            .map(|(member, digest, _)| (member, digest.as_ref()))
            .collect();
        blobs.retain(|blob| !layers.contains(&(&blob.member, Some(&blob.digest))));
        drop(layers);
        blobs.sort_by_key(|blob| blob.member.position);
        let container = self.survey.container.as_ref();
        let watch = self.context.watch;
        let check = |at: usize| {
            let blob = blobs[at];
            let place = Place::Member(blob.member.path.clone());
            watch.send(Event::Step(Step::Verifying {
                blob: &place.to_string(),
            }));
            let job = BlobJob {
                member: blob.member.clone(),
                compression: Compression::None,
                encoding: None,
                digest: Some(blob.digest.clone()),
                diff_ids: Vec::new(),
                place,
                is_last_use: false,
                has_conflicting_size: false,
            };
            let mut stream = open(container, &job, watch)?;
            stream.hash(job.stored_algorithm()).map_err(Error::Thread)?;
            copy(&mut stream, &mut io::sink(), &watch)
                .map_err(|error| Error::copy(job.place.clone(), job.place.clone(), error))?;
            let (stored, _) = hashes(&job, stream)?;
            Ok((stored.digest != blob.digest)
                .then(|| Finding::digest(blob.site.clone(), &blob.digest, &stored.digest)))
        };
        let check = |at: usize| match check(at) {
            Err(error) if !machine_failed(&error) => {
                let site = blobs[at].site.clone();
                Ok(Some(Finding::new(
                    Code::ArchiveDamaged,
                    site,
                    chain_of(&error),
                )))
            }
            result => result,
        };
        let found = in_parallel((0..blobs.len()).collect(), self.threads(), check)?;
        self.size += blobs.iter().map(|blob| blob.member.size).sum::<u64>();
        self.findings.extend(found.into_iter().flatten());
        Ok(())
    }
}

/// What was found in one layer.
#[derive(Debug, Default)]
struct LayerReport {
    faults: Vec<Fault>,
    changes: Option<Changes>,
}

impl LayerReport {
    fn of(code: Code, message: String) -> Self {
        Self {
            faults: vec![(code, None, message)],
            changes: None,
        }
    }

    /// Says why a layer cannot be read or unpacked, unless the machine is to blame.
    fn unreadable(error: Error, layer: &SurveyedLayer) -> Result<Self> {
        if machine_failed(&error) {
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
        Ok(Self::of(code, error))
    }
}

/// Whether nothing is wrong with a stream but that it takes too much to unpack it.
fn is_limit(error: &Error) -> bool {
    match error {
        Error::CompressionLimit { .. } => true,
        Error::Read { source, .. } => source.downcast_ref().is_some_and(is_limit),
        _ => false,
    }
}
