//! `squash`: a range of layers becomes one.
//!
//! The layers outside the range keep their bytes. The config keeps its history, and
//! records that the new layer replaces the others; everything else that is still true
//! is kept.

pub(in crate::ops) mod options;
pub(in crate::ops) mod range;
pub(in crate::ops) mod report;
mod result;

use std::ops::RangeInclusive;

use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::event::{Event, Warning};
use crate::format::sink::ImageSink;
use crate::format::source::{ImageSource, Layer};
use crate::image::Platform;
use crate::layer::LayerWriter;
use crate::merge::{Merge, Plan};
use crate::ops::Selector;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::squash::options::SquashOptions;
use crate::ops::squash::range::ranges;
use crate::ops::squash::report::{SquashReport, report};
use crate::ops::squash::result::{Merged, deliver};
use crate::ops::stack::layer_stack::LayerStack;
use crate::stream::{Compression, Encoding, HashWriter, Hashed, Workers};
use crate::transfer::Context;
use crate::transfer::blob::write_encoded;
use crate::transfer::compression::{CompressionChoice, kept};

/// Implements [`Session::diff_ids`](crate::Session::diff_ids).
pub(crate) fn diff_ids(
    source: &dyn ImageSource,
    image: Option<&Selector>,
    platform: Option<&Platform>,
    context: Context<'_>,
) -> Result<Vec<DiffId>> {
    let reason = platform.map_or(PlatformChoice::OneTree, PlatformChoice::Asked);
    let chosen = choose_image(source, image, reason, context)?;
    let layers = chosen.image.layers.iter();
    Ok(layers.map(|layer| layer.diff_id.clone()).collect())
}

/// Implements [`Session::squash`](crate::Session::squash). Without a sink it only makes
/// the plan.
pub(crate) fn squash(
    source: &dyn ImageSource,
    sink: Option<Box<dyn ImageSink>>,
    options: &SquashOptions,
    context: Context<'_>,
) -> Result<SquashReport> {
    let reason = match (&options.platform, &sink) {
        (Some(platform), _) => PlatformChoice::Asked(platform),
        (None, Some(_)) => PlatformChoice::OneImage,
        (None, None) => PlatformChoice::OneTree,
    };
    let chosen = choose_image(source, options.image.as_ref(), reason, context)?;
    let layers = LayerStack::new(source, &chosen, context)?;
    let sizes = chosen.image.layers.iter().map(Layer::stored_size);
    let sizes: Vec<u64> = sizes.collect();
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
        let written = deliver(
            source,
            sink.as_ref(),
            chosen,
            &made,
            options,
            &workers,
            context,
        )?;
        sink.finish(&context.watch)?;
        report.written = Some(written);
    }
    Ok(report)
}

/// Returns true if layers outside the ranges cannot remain as they are, since OCI has
/// no name for their compression.
fn changes_others(layers: &[Layer], ranges: &[RangeInclusive<usize>]) -> bool {
    let is_merged = |at: &usize| ranges.iter().any(|range| range.contains(at));
    let others = layers.iter().enumerate().filter(|(at, _)| !is_merged(at));
    let mut compressions = others.map(|(_, layer)| layer.compression);
    compressions.any(|it| matches!(it, Compression::Xz | Compression::Bzip2))
}

/// Reports the amount of data to be read, as far as it is known.
fn announce(layers: &LayerStack<'_>, ranges: &[RangeInclusive<usize>], writes: bool) {
    let Some(last) = ranges.last() else {
        // The code that delivers the unchanged image reports it.
        return;
    };
    let scanned = (0..=*last.end()).map(|at| layers.size_to_scan(at));
    let read = |at| if writes { layers.size_to_read(at) } else { 0 };
    let read = (0..layers.count()).map(read);
    let bytes = scanned.chain(read).fold(0, u64::saturating_add);
    if bytes > 0 {
        layers.context.watch.send(Event::Started {
            bytes,
            images: Some(1),
            steps: None,
        });
    }
}

/// Merges ranges of one image.
struct Squasher<'a> {
    layers: LayerStack<'a>,
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

    /// Adds layers that are kept, so that it is known what they contain.
    fn put_below(&self, merge: &mut Merge, range: std::ops::Range<usize>) -> Result<()> {
        let all: Vec<usize> = range.collect();
        if merge.is_below_unknown() {
            merge.put_unknown_below(all.len());
            return Ok(());
        }
        let layers = &self.layers.image.layers;
        if let Some(at) = all.iter().find(|at| layers[**at].blob().is_none()) {
            let watch = self.layers.context.watch;
            watch.warn(Warning::AllWhiteoutsKept(self.layers.place(*at)));
            merge.put_unknown_below(all.len());
            return Ok(());
        }
        for (at, changes) in all.iter().zip(self.layers.changes(&all)?) {
            // Ambiguities in them are not changed, and thus not reported.
            let put = merge.put_below(changes);
            put.map_err(|error| self.layers.failed(*at, error))?;
        }
        Ok(())
    }

    fn merge(&self, merge: &mut Merge, range: &RangeInclusive<usize>) -> Result<Merged> {
        let all: Vec<usize> = range.clone().collect();
        self.layers.merge(merge, &all)?;
        let plan = merge.plan();
        let encoding = self.encoding(*range.end());
        let (unpacked_size, written) = match self.sink {
            None => (plan.measure(), None),
            Some(sink) => {
                let (blob, diff_id, size) = self.write(sink, &plan, &all, encoding)?;
                (size, Some((blob, diff_id)))
            }
        };
        drop(plan);
        let count = u32::try_from(all.len()).expect("layers are limited");
        Ok(Merged {
            range: range.clone(),
            savings: merge.end_range(count),
            unpacked_size,
            encoding,
            written,
        })
    }

    /// The encoding of the new layer: that of the uppermost layer in it, if the format
    /// has a name for that.
    fn encoding(&self, uppermost: usize) -> Encoding {
        match self.options.compress {
            CompressionChoice::To { encoding, .. } => encoding,
            CompressionChoice::Keep => {
                let layer = &self.layers.image.layers[uppermost];
                kept(layer.compression, self.sink.map(ImageSink::format))
            }
        }
    }

    /// Writes the new layer, and returns the hash of its stored bytes and its diff_id.
    fn write(
        &self,
        sink: &dyn ImageSink,
        plan: &Plan<'_>,
        range: &[usize],
        encoding: Encoding,
    ) -> Result<(Hashed, DiffId, u64)> {
        let (hashed, unpacked) = write_encoded(sink, encoding, self.workers, |encoder, to| {
            let failed = |error| Error::write(to.clone(), error);
            if encoding == Encoding::Plain {
                let writer = LayerWriter::new(encoder);
                let written = self.layers.write(plan, range, writer, to)?;
                written.finish().map_err(failed)?;
                return Ok(None);
            }
            let output = HashWriter::new(encoder).map_err(Error::Thread)?;
            let writer = LayerWriter::new(output);
            let written = self.layers.write(plan, range, writer, to)?;
            let finished = written.finish().and_then(HashWriter::finish);
            let (_, unpacked) = finished.map_err(failed)?;
            Ok(Some(unpacked))
        })?;
        let Hashed { digest, size } = unpacked.unwrap_or_else(|| hashed.clone());
        Ok((hashed, DiffId(digest), size))
    }
}
