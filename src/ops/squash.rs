//! `squash`: a range of layers becomes one.
//!
//! The layers outside the range keep their bytes. The config keeps its story, and
//! says of the new layer that it stands for the others; all else that is true still
//! stays as it is.

use std::io::Write;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::{Event, Warning};
use crate::format::Format;
use crate::format::sink::ImageSink;
use crate::format::source::{Content, Image, ImageSource, Layer};
use crate::image::media_type::oci_layer;
use crate::image::{DOCUMENTS_MAX, Descriptor, Platform, Squashed, rfc3339, squash_config};
use crate::merge::{Merge, Plan, Savings};
use crate::ops::convert::{Compress, Name};
use crate::ops::deliver::Delivery;
use crate::ops::layers::Layers;
use crate::ops::narrow::Reason;
use crate::ops::one::{Chosen, one_image};
use crate::ops::plan::{Coding, Made, Piece};
use crate::ops::range::{LayerChoice, ranges};
use crate::ops::referrers::add_referrers;
use crate::ops::{Context, Selector};
use crate::stream::{Compression, Encoder, HashWriter, Hashed, Recoding, Workers};
use crate::tar_stream::Time;

/// Annotations of a manifest that name the image that it was built on
/// (image-spec, annotations.md). There is none once the lowest layer is gone.
const BASE_ANNOTATIONS: [&str; 2] = [
    "org.opencontainers.image.base.digest",
    "org.opencontainers.image.base.name",
];

/// What to squash, and how.
#[derive(Clone, Debug)]
pub struct SquashOptions {
    /// The image to take, where there are several.
    pub image: Option<Selector>,
    /// The platform to take of it; by default the host's.
    pub platform: Option<Platform>,
    /// The names of the output, in place of those of the input.
    pub names: Vec<Name>,
    /// Which layers.
    pub layers: LayerChoice,
    /// The compression of new layers; by default that of the uppermost that each
    /// was made of. Other layers stay as they are.
    pub compress: Compress,
    /// The comment in the history; by default which layers there were.
    pub message: Option<String>,
    /// The time of what is new, in seconds since 1970: of the history entry by default
    /// the latest of those that it stands for, of directories that no layer has an
    /// entry for by default 0.
    pub created: Option<i64>,
}

impl Default for SquashOptions {
    fn default() -> Self {
        Self {
            image: None,
            platform: None,
            names: Vec::new(),
            layers: LayerChoice::All,
            compress: Compress::Keep,
            message: None,
            created: None,
        }
    }
}

/// What a squash did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SquashReport {
    /// The image.
    pub image: String,
    /// What layers became one. Empty if there was nothing to merge.
    pub ranges: Vec<SquashedRange>,
    /// How many layers the image had.
    pub layers_before: usize,
    /// How many it has now.
    pub layers_after: usize,
    /// How many bytes its layers had, as they were stored.
    pub size_before: u64,
    /// How many they have now; not known where new layers were not compressed yet, or
    /// others had to be compressed anew, as those in xz.
    pub size_after: Option<u64>,
}

/// Layers that became one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SquashedRange {
    /// The lowest, counted from 1.
    pub first: usize,
    /// The uppermost.
    pub last: usize,
    /// How many bytes they had, as they were stored.
    pub size_before: u64,
    /// How many the new layer has; not known if it was not compressed yet.
    pub size_after: Option<u64>,
    /// How many bytes the new layer has when it is unpacked.
    pub unpacked_size: u64,
    /// The new layer; absent if it was not written.
    pub layer: Option<(Digest, DiffId)>,
    /// Bytes of files that were replaced or deleted inside the range, and are gone.
    pub hidden: u64,
    /// Bytes of files that the range replaces or deletes, and that stay because a
    /// layer below has them.
    pub held_below: u64,
    /// The layer from which a range would have to start to free those, counted from 1.
    pub held_from: Option<usize>,
}

/// Merges layers of an image, and writes it. Without a sink it only finds out what
/// would be done.
///
/// Memory is bounded by one record for each entry of the layers up to the highest
/// that is merged; content is never held.
///
/// # Errors
///
/// Fails if a layer cannot be read, is not what its digest and `diff_id` say, or
/// cannot be merged: one that is missing, encrypted or for Windows. Nothing is
/// visible then, but for what standard output has taken. Without a sink nothing is
/// verified.
pub fn squash(
    source: &dyn ImageSource,
    sink: Option<Box<dyn ImageSink>>,
    options: &SquashOptions,
    context: Context<'_>,
) -> Result<SquashReport> {
    let result = squash_image(source, sink, options, context);
    result.map_err(|error| error.or_interrupted(&context.watch))
}

/// The diff_ids of an image, the lowest first: what [`LayerChoice::Above`] wants.
///
/// # Errors
///
/// Fails if there is no such image, or if there are several and none is named.
pub fn diff_ids(
    source: &dyn ImageSource,
    image: Option<&Selector>,
    platform: Option<&Platform>,
    context: Context<'_>,
) -> Result<Vec<DiffId>> {
    let reason = platform.map_or(Reason::OneTree, Reason::Asked);
    let chosen = one_image(source, image, reason, context)?;
    let layers = chosen.image.layers.iter();
    Ok(layers.map(|layer| layer.diff_id.clone()).collect())
}

fn squash_image(
    source: &dyn ImageSource,
    sink: Option<Box<dyn ImageSink>>,
    options: &SquashOptions,
    context: Context<'_>,
) -> Result<SquashReport> {
    let reason = match (&options.platform, &sink) {
        (Some(platform), _) => Reason::Asked(platform),
        (None, Some(_)) => Reason::OneImage,
        (None, None) => Reason::OneTree,
    };
    let chosen = one_image(source, options.image.as_ref(), reason, context)?;
    let layers = Layers::new(source, &chosen, context)?;
    let sizes: Vec<u64> = (0..layers.count())
        .map(|at| layers.stored_size(at))
        .collect();
    let ranges = ranges(&options.layers, &chosen.image.layers, &sizes)?;
    if !ranges.is_empty() {
        layers.prepare()?;
    }
    announce(&layers, &ranges, sink.is_some());
    let workers = Workers::start(context.jobs).map_err(Error::Thread)?;
    let squasher = Squasher {
        layers,
        sink: sink.as_deref(),
        workers: &workers,
        options,
    };
    let made = squasher.merge_all(&ranges)?;
    let mut report = report(&chosen.name, &sizes, &made);
    if changes_others(&chosen.image.layers, &ranges) {
        report.size_after = None;
    }
    if let Some(sink) = sink {
        deliver(
            source,
            sink.as_ref(),
            chosen,
            &made,
            options,
            &workers,
            context,
        )?;
        sink.finish(&context.watch)?;
    }
    Ok(report)
}

/// Whether layers outside the ranges cannot stay as they are, since OCI has no name
/// for their compression.
fn changes_others(layers: &[Layer], ranges: &[RangeInclusive<usize>]) -> bool {
    let is_merged = |at: &usize| ranges.iter().any(|range| range.contains(at));
    let others = layers.iter().enumerate().filter(|(at, _)| !is_merged(at));
    let mut compressions = others.map(|(_, layer)| layer.compression);
    compressions.any(|it| matches!(it, Compression::Xz | Compression::Bzip2))
}

/// Tells how much will be read, as far as it is known.
fn announce(layers: &Layers<'_>, ranges: &[RangeInclusive<usize>], writes: bool) {
    let Some(last) = ranges.last() else {
        // Whoever delivers the image as it is tells it.
        return;
    };
    let scanned = (0..=*last.end()).map(|at| layers.size_to_scan(at));
    let read = |at| if writes { layers.size_to_read(at) } else { 0 };
    let read = (0..layers.count()).map(read);
    let total = scanned.chain(read).fold(0, u64::saturating_add);
    if total > 0 {
        layers.context.watch.send(Event::Total(total));
    }
}

/// A range that was merged.
struct Merged {
    range: RangeInclusive<usize>,
    savings: Savings,
    /// How many bytes the new layer has when it is unpacked.
    unpacked_size: u64,
    /// The compression of the new layer.
    recoding: Recoding,
    /// The new layer, if it was written.
    written: Option<(Hashed, DiffId)>,
}

/// Merges ranges of one image.
struct Squasher<'a> {
    layers: Layers<'a>,
    sink: Option<&'a dyn ImageSink>,
    workers: &'a Workers,
    options: &'a SquashOptions,
}

impl Squasher<'_> {
    fn merge_all(&self, ranges: &[RangeInclusive<usize>]) -> Result<Vec<Merged>> {
        let mut merge = Merge::new();
        let mut below = 0;
        let mut made = Vec::new();
        for range in ranges {
            self.put_below(&mut merge, below..*range.start())?;
            made.push(self.merge(&mut merge, range)?);
            below = range.end() + 1;
        }
        Ok(made)
    }

    /// Takes in layers that stay, for the sake of what they show.
    fn put_below(&self, merge: &mut Merge, range: std::ops::Range<usize>) -> Result<()> {
        let all: Vec<usize> = range.collect();
        if merge.is_below_unknown() {
            merge.put_unknown_below(all.len());
            return Ok(());
        }
        if let Some(at) = all.iter().find(|at| !self.layers.is_readable(**at)) {
            let watch = self.layers.context.watch;
            watch.warn(Warning::AllWhiteoutsKept {
                position: at + 1,
                count: self.layers.count(),
                name: self.layers.name.to_owned(),
            });
            merge.put_unknown_below(all.len());
            return Ok(());
        }
        for (at, changes) in all.iter().zip(self.layers.changes(&all)?) {
            // What is odd about it stays as it was, and is nobody's business now.
            let put = merge.put_below(changes);
            put.map_err(|error| self.layers.failed(*at, error))?;
        }
        Ok(())
    }

    fn merge(&self, merge: &mut Merge, range: &RangeInclusive<usize>) -> Result<Merged> {
        let all: Vec<usize> = range.clone().collect();
        for (at, changes) in all.iter().zip(self.layers.changes(&all)?) {
            let put = merge.put_in_range(changes);
            let oddities = put.map_err(|error| self.layers.failed(*at, error))?;
            self.layers.warn(*at, oddities);
        }
        let plan = merge.plan();
        let recoding = self.recoding(*range.end());
        let (unpacked_size, written) = match self.sink {
            None => (plan.measure(), None),
            Some(sink) => {
                let (blob, diff_id, size) = self.write(sink, &plan, &all, recoding)?;
                (size, Some((blob, diff_id)))
            }
        };
        drop(plan);
        let count = u32::try_from(all.len()).expect("layers are limited");
        Ok(Merged {
            range: range.clone(),
            savings: merge.end_range(count),
            unpacked_size,
            recoding,
            written,
        })
    }

    /// How the new layer is compressed: as the uppermost that it is made of, where
    /// the format has a name for that.
    fn recoding(&self, uppermost: usize) -> Recoding {
        match self.options.compress {
            Compress::To { recoding, .. } => recoding,
            Compress::Keep => {
                let layer = &self.layers.image.layers[uppermost];
                let format = self.sink.map(ImageSink::format);
                match layer.compression {
                    Compression::None => Recoding::None,
                    Compression::Gzip => Recoding::Gzip(None),
                    Compression::Xz | Compression::Bzip2
                        if format == Some(Format::DockerArchive) =>
                    {
                        Recoding::Gzip(None)
                    }
                    Compression::Zstd | Compression::Xz | Compression::Bzip2 => {
                        Recoding::Zstd(None)
                    }
                }
            }
        }
    }

    /// Writes the new layer, and returns what it is stored as, and what it unpacks to.
    fn write(
        &self,
        sink: &dyn ImageSink,
        plan: &Plan<'_>,
        range: &[usize],
        recoding: Recoding,
    ) -> Result<(Hashed, DiffId, u64)> {
        let writer = sink.begin_blob(None)?;
        let place = writer.place();
        let failed = |error| Error::write(place.clone(), error);
        let output = HashWriter::new(writer).map_err(Error::Thread)?;
        if recoding == Recoding::None {
            let output = self.replay(plan, range, output, &place)?;
            let (writer, hashed) = output.finish().map_err(failed)?;
            writer.finish(&hashed)?;
            let (diff_id, size) = (DiffId(hashed.digest.clone()), hashed.size);
            return Ok((hashed, diff_id, size));
        }
        let encoder = Encoder::new(recoding, output, self.workers);
        let output = HashWriter::new(encoder).map_err(Error::Thread)?;
        let output = self.replay(plan, range, output, &place)?;
        let (encoder, unpacked) = output.finish().map_err(failed)?;
        let finished = encoder.finish().and_then(HashWriter::finish);
        let (writer, hashed) = finished.map_err(failed)?;
        writer.finish(&hashed)?;
        Ok((hashed, DiffId(unpacked.digest), unpacked.size))
    }

    fn replay<W: Write>(
        &self,
        plan: &Plan<'_>,
        range: &[usize],
        output: W,
        place: &Place,
    ) -> Result<W> {
        let created = Time {
            seconds: self.options.created.unwrap_or(0),
            nanoseconds: 0,
        };
        self.layers.write(plan, range, created, output, place)
    }
}

/// Writes the image with its new layers.
fn deliver(
    source: &dyn ImageSource,
    sink: &dyn ImageSink,
    chosen: Chosen<'_>,
    made: &[Merged],
    options: &SquashOptions,
    workers: &Workers,
    context: Context<'_>,
) -> Result<()> {
    let is_of_index = !chosen.left.is_empty();
    let mut pieces = vec![Piece {
        name: chosen.name,
        gone: chosen.left,
        descriptor: chosen.descriptor,
        content: Content::Image(chosen.image),
        roots: chosen.roots,
    }];
    if !made.is_empty() || sink.format() != Format::DockerArchive {
        add_referrers(source, &mut pieces, DOCUMENTS_MAX, context)?;
    }
    let mut made_before = Made::default();
    if !made.is_empty() {
        let piece = &mut pieces[0];
        // Whatever speaks of the image by its digest means another one.
        piece.gone.extend(piece.digests());
        if let Content::Image(image) = &mut piece.content {
            made_before = before_delivery(image.layers.len(), made);
            *image = squashed(image, made, options)?;
        }
    }
    let delivery = Delivery {
        source,
        sink,
        workers,
        names: &options.names,
        keeps_fields: !is_of_index && options.platform.is_none(),
        coding: Coding::new(Compress::Keep, sink.format()),
        made: &made_before,
        context,
    };
    delivery.run(pieces)
}

/// What was put into the output of an image with so many layers.
fn before_delivery(count: usize, made: &[Merged]) -> Made {
    let written = made.iter().filter_map(|made| made.written.as_ref());
    let mut positions: Vec<usize> = (1..=count).collect();
    for Merged { range, .. } in made.iter().rev() {
        positions.splice(range.clone(), std::iter::once(range.end() + 1));
    }
    Made {
        blobs: written.map(|(blob, _)| blob.digest.clone()).collect(),
        positions,
        count,
    }
}

/// An image as it is after its layers were merged.
fn squashed(image: &Image, made: &[Merged], options: &SquashOptions) -> Result<Image> {
    let own = |source| Error::Document {
        what: "a document of the image".to_owned(),
        source,
    };
    let mut layers = image.layers.clone();
    let mut story = Vec::new();
    for Merged {
        range,
        recoding,
        written,
        ..
    } in made.iter().rev()
    {
        let Some((blob, diff_id)) = written else {
            continue;
        };
        let compression = recoding.compression();
        let media_type = oci_layer(compression).expect("what is written has a media type");
        let new = Layer {
            diff_id: diff_id.clone(),
            blob: None,
            descriptor: Some(Descriptor::new(media_type, blob.digest.clone(), blob.size)),
            compression,
        };
        layers.splice(range.clone(), std::iter::once(new));
        let comment = options.message.clone();
        story.push(Squashed {
            layers: range.clone(),
            diff_id: diff_id.clone(),
            created: options.created.map(rfc3339),
            comment: comment.unwrap_or_else(|| default_comment(range)),
        });
    }
    story.reverse();
    let starts_at_base = story
        .first()
        .is_some_and(|range| *range.layers.start() == 0);
    let manifest = image.manifest.as_ref().map(|manifest| {
        manifest.edit(|value| {
            if let Some(fields) = value.as_object_mut() {
                // It spoke of something with the old digest.
                fields.shift_remove("subject");
            }
            let annotations = value.get_mut("annotations").and_then(Value::as_object_mut);
            if let Some(annotations) = annotations.filter(|_| starts_at_base) {
                for key in BASE_ANNOTATIONS {
                    annotations.shift_remove(key);
                }
            }
        })
    });
    Ok(Image {
        manifest: manifest.transpose().map_err(own)?,
        config: squash_config(&image.config, &story).map_err(own)?,
        layers,
    })
}

fn default_comment(range: &RangeInclusive<usize>) -> String {
    let (first, last) = (range.start() + 1, range.end() + 1);
    if first == last {
        return format!("layer {first} rewritten");
    }
    format!("layers {first} to {last} merged")
}

fn report(name: &str, sizes: &[u64], made: &[Merged]) -> SquashReport {
    let sum = |sizes: &[u64]| {
        sizes
            .iter()
            .fold(0_u64, |sum, size| sum.saturating_add(*size))
    };
    let before = sum(sizes);
    let mut after = Some(before);
    let mut layers_after = sizes.len();
    let mut ranges = Vec::new();
    for made in made {
        let size_before = sum(&sizes[made.range.clone()]);
        let size_after = match &made.written {
            Some((blob, _)) => Some(blob.size),
            None if made.recoding == Recoding::None => Some(made.unpacked_size),
            None => None,
        };
        after = after
            .zip(size_after)
            .map(|(after, new)| after.saturating_sub(size_before).saturating_add(new));
        layers_after -= made.range.end() - made.range.start();
        let Savings {
            hidden,
            below,
            lowest,
        } = made.savings;
        let new = made.written.as_ref();
        ranges.push(SquashedRange {
            first: made.range.start() + 1,
            last: made.range.end() + 1,
            size_before,
            size_after,
            unpacked_size: made.unpacked_size,
            layer: new.map(|(blob, diff_id)| (blob.digest.clone(), diff_id.clone())),
            hidden,
            held_below: below,
            held_from: lowest.map(|layer| layer as usize + 1),
        });
    }
    SquashReport {
        image: name.to_owned(),
        ranges,
        layers_before: sizes.len(),
        layers_after,
        size_before: before,
        size_after: after,
    }
}
