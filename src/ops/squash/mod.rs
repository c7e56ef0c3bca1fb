//! `squash`: a range of layers becomes one.
//!
//! The layers outside the range keep their bytes. The config keeps its history, and
//! records that the new layer replaces the others; everything else that is still true
//! is kept.

pub(in crate::ops) mod known;
pub(in crate::ops) mod options;
mod plan;
pub(in crate::ops) mod range;
pub(in crate::ops) mod report;
mod result;

use std::ops::{Range, RangeInclusive};

use crate::digest::DiffId;
use crate::error::{Error, Result};
use crate::event::{Event, Warning};
use crate::format::sink::ImageSink;
use crate::format::source::{Content, ImageSource};
use crate::image::Platform;
use crate::layer::LayerWriter;
use crate::merge::{Merge, Plan};
use crate::ops::Selector;
use crate::ops::choose::image::choose_image;
use crate::ops::choose::platform::PlatformChoice;
use crate::ops::edited::Edited;
use crate::ops::squash::options::SquashOptions;
use crate::ops::squash::plan::{NewLayer, Stack, merge_ranges};
use crate::ops::squash::range::ranges_in;
use crate::ops::squash::report::{SquashReport, report};
use crate::ops::squash::result::squashed;
use crate::ops::stack::layer_stack::LayerStack;
use crate::stream::{Encoding, HashWriter, Hashed, Workers};
use crate::transfer::Context;
use crate::transfer::blob::write_encoded;
use crate::transfer::compression::{CompressionChoice, CompressionPolicy, kept};
use crate::transfer::scanned::ScannedLayers;

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
    let ranges = ranges_in(&options.layers, &chosen.image.layers)?;
    if !ranges.is_empty() {
        layers.prepare()?;
    }
    announce(&layers, &ranges, sink.is_some());
    let workers = match &sink {
        Some(sink) => context.workers_for(sink.as_ref())?,
        None => context.workers()?,
    };
    let merge = |layers: &LayerStack<'_>| {
        let squasher = Squasher {
            layers,
            sink: sink.as_deref(),
            workers: &workers,
            options,
        };
        merge_ranges(&squasher, &ranges)
    };
    let (made, scanned) = match &sink {
        Some(sink) => {
            let policy = CompressionPolicy::new(CompressionChoice::Keep, sink.format());
            let all = chosen.image.layers.iter().zip(0..);
            let is_merged = |at: usize| ranges.iter().any(|range| range.contains(&at));
            let others = all
                .filter(|(_, at)| !is_merged(*at))
                .map(|(layer, _)| layer);
            let container = source.container();
            let scanned = ScannedLayers::among(others, container, policy);
            let made = layers.hashing(&scanned).checked(merge)?;
            (made, Some(scanned))
        }
        // Nothing is read again.
        None => (merge(&layers)?, None),
    };
    let mut report = report(&chosen.name, &chosen.image.layers, &made);
    if let Some(sink) = sink {
        let image = squashed(&chosen.image, &made, options, context.created)?;
        let edited = Edited {
            source,
            sink,
            names: &options.names,
            platform: options.platform.as_ref(),
            compress: CompressionChoice::Keep,
            workers: &workers,
            scanned: scanned.as_ref(),
            context,
        };
        let written = edited.deliver(chosen.into(), image.map(Content::Image))?;
        report.written = Some(written);
    }
    Ok(report)
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
    layers: &'a LayerStack<'a>,
    sink: Option<&'a dyn ImageSink>,
    workers: &'a Workers,
    options: &'a SquashOptions,
}

impl Stack for Squasher<'_> {
    fn put_below(&self, merge: &mut Merge, range: Range<usize>) -> Result<()> {
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

    fn put_in_range(&self, merge: &mut Merge, range: RangeInclusive<usize>) -> Result<()> {
        let all: Vec<usize> = range.collect();
        self.layers.merge(merge, &all)
    }

    fn make(&self, plan: &Plan<'_>, range: &RangeInclusive<usize>) -> Result<NewLayer> {
        let encoding = self.encoding(*range.end());
        let (unpacked_size, written) = match self.sink {
            None => (plan.measure(), None),
            Some(sink) => {
                let all: Vec<usize> = range.clone().collect();
                let (blob, diff_id, size) = self.write(sink, plan, &all, encoding)?;
                (size, Some((blob, diff_id)))
            }
        };
        Ok(NewLayer {
            unpacked_size,
            encoding,
            written,
        })
    }
}

impl Squasher<'_> {
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
