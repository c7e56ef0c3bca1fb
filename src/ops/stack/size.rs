//! How large layers are, by their headers alone.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::error::Error as _;
use std::io::{self, BufReader, Read};
use std::num::NonZeroUsize;

use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::source::Layer;
use crate::format::{Container, FileSlice, Member};
use crate::layer::is_whiteout;
use crate::stream::{COPY_BUFFER, Compression, Decoder, ProgressReader};
use crate::tar_stream::{self, Kind, Section, Skip, SkipByReading, TarError, TarReader};
use crate::transfer::Context;
use crate::transfer::parallel::{STREAMS_MAX, in_parallel};

/// How large a layer is when it is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerSize {
    /// The bytes of its tar, which the `diff_id` is the digest of.
    pub unpacked: u64,
    /// The bytes of what is in it, as Docker counts them: those of files, with holes,
    /// and of the targets of symbolic links. A hard link adds nothing, and neither
    /// does a whiteout.
    ///
    /// A path that a layer has twice counts twice: no engine loads such a layer, and
    /// to know it all paths would have to be held.
    pub content: u64,
}

/// A layer of which the size is wanted, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Wanted {
    layer: Layer,
    /// Counted from 1, the lowest.
    position: usize,
    count: usize,
    name: String,
}

impl Wanted {
    /// All layers of an image that messages call so.
    pub(in crate::ops) fn all(layers: &[Layer], name: &str) -> Vec<Self> {
        let wanted = |(at, layer): (usize, &Layer)| Self {
            layer: layer.clone(),
            position: at + 1,
            count: layers.len(),
            name: name.to_owned(),
        };
        layers.iter().enumerate().map(wanted).collect()
    }
}

/// The sizes of layers, by the blobs that hold them.
#[derive(Debug, Default)]
pub(in crate::ops) struct Sizes(HashMap<Member, LayerSize>);

impl Sizes {
    /// Finds the sizes of layers out, several at once and each blob once. Of a plain
    /// layer that lies in a file the headers are read; others are unpacked.
    ///
    /// A layer that cannot be read has no size, and a warning says so.
    ///
    /// # Errors
    ///
    /// Fails if the caller wants the end.
    pub(in crate::ops) fn find(
        container: &dyn Container,
        wanted: &[Wanted],
        context: Context<'_>,
    ) -> Result<Self> {
        let mut blobs: Vec<(&Member, &Wanted)> = Vec::new();
        let mut seen = HashSet::new();
        for wanted in wanted {
            if let Some(blob) = &wanted.layer.blob
                && seen.insert(blob)
            {
                blobs.push((blob, wanted));
            }
        }
        // Of the others only headers are read, which do not count.
        let is_read = |(blob, wanted): &(&Member, &Wanted)| {
            wanted.layer.compression != Compression::None
                || !matches!(container.slice(blob), Ok(Some(_)))
        };
        let costs: Vec<(bool, u64)> = blobs
            .iter()
            .map(|blob| (is_read(blob), blob.0.size))
            .collect();
        let read = costs.iter().filter(|(is_read, _)| *is_read);
        let total = read.fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        if total > 0 {
            context.watch.send(Event::Total(total));
        }
        let mut order: Vec<usize> = (0..blobs.len()).collect();
        let threads = if container.is_sequential() {
            order.sort_by_key(|at| blobs[*at].0.position);
            NonZeroUsize::MIN
        } else {
            // What takes longest should not come last.
            order.sort_by_key(|at| Reverse(costs[*at]));
            context.jobs.min(STREAMS_MAX)
        };
        let sizes = in_parallel(order, threads, |at| {
            let (blob, wanted) = blobs[at];
            find(container, blob, wanted, context.watch)
        })?;
        let found = blobs.into_iter().zip(sizes);
        let found = found.filter_map(|((blob, _), size)| Some((blob.clone(), size?)));
        Ok(Self(found.collect()))
    }

    /// The size of a layer, if it is known.
    pub(in crate::ops) fn of(&self, layer: &Layer) -> Option<LayerSize> {
        self.0.get(layer.blob.as_ref()?).copied()
    }

    /// The size of several layers together, if it is known of each.
    pub(in crate::ops) fn sum(&self, layers: &[Layer]) -> Option<LayerSize> {
        let nothing = LayerSize {
            unpacked: 0,
            content: 0,
        };
        layers.iter().try_fold(nothing, |sum, layer| {
            let size = self.of(layer)?;
            Some(LayerSize {
                unpacked: sum.unpacked.saturating_add(size.unpacked),
                content: sum.content.saturating_add(size.content),
            })
        })
    }
}

fn find(
    container: &dyn Container,
    blob: &Member,
    wanted: &Wanted,
    watch: Watch<'_>,
) -> Result<Option<LayerSize>> {
    let Wanted {
        layer,
        position,
        count,
        name,
    } = wanted;
    let place = Place::Layer {
        position: *position,
        count: *count,
        image: name.clone(),
    };
    watch.send(Event::Step(Step::Reading {
        layer: &place.to_string(),
    }));
    match measure(container, blob, layer.compression, &watch) {
        Ok(size) => Ok(Some(size)),
        Err(_) if watch.is_interrupted() => Err(Error::Interrupted),
        Err(error) => {
            watch.warn(Warning::SizeUnknown {
                position: *position,
                count: *count,
                name: name.clone(),
                reason: reason(&error),
            });
            Ok(None)
        }
    }
}

/// An error and its causes, on one line.
fn reason(error: &Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    reason
}

fn measure(
    container: &dyn Container,
    blob: &Member,
    compression: Compression,
    watch: &Watch<'_>,
) -> Result<LayerSize> {
    if compression == Compression::None
        && let Some(FileSlice { file, start, size }) = container.slice(blob)?
    {
        let mut reader = TarReader::new(Section::new(file, start, size));
        return Ok(LayerSize {
            unpacked: size,
            content: content(&mut reader, watch)?,
        });
    }
    let unreadable = |error| Error::unreadable(compression, error);
    let stream = ProgressReader::new(container.open(blob)?, *watch);
    let stream = BufReader::with_capacity(COPY_BUFFER, stream);
    let stream = Decoder::new(compression, stream).map_err(unreadable)?;
    let stream = Counting {
        input: stream,
        count: 0,
    };
    let stream = BufReader::with_capacity(COPY_BUFFER, stream);
    let mut reader = TarReader::new(SkipByReading(stream));
    let content = content(&mut reader, watch).map_err(|error| match error {
        Error::Tar(TarError::Io(source)) => unreadable(source),
        error => error,
    })?;
    // What follows the end of the tar belongs to the layer.
    let SkipByReading(mut stream) = reader.into_inner();
    io::copy(&mut stream, &mut io::sink()).map_err(unreadable)?;
    Ok(LayerSize {
        unpacked: stream.into_inner().count,
        content,
    })
}

/// Adds up what the members of a tar hold.
fn content<R: Skip>(reader: &mut TarReader<R>, watch: &Watch<'_>) -> Result<u64> {
    let mut content = 0_u64;
    while let Some(member) = reader.next_member()? {
        if watch.is_interrupted() {
            return Err(Error::Interrupted);
        }
        let size = match member.kind {
            _ if is_whiteout(base_name(&member)) => 0,
            Kind::File => member.size,
            Kind::Sparse => reader.sparse()?.map_or(member.size, |map| map.size),
            Kind::Symlink => member.link.len() as u64,
            Kind::HardLink | Kind::Directory | Kind::Other(_) => 0,
        };
        content = content.saturating_add(size);
    }
    Ok(content)
}

fn base_name(member: &tar_stream::Member) -> &[u8] {
    let mut parts = member.path.rsplit(|byte| *byte == b'/');
    parts.find(|part| !part.is_empty()).unwrap_or_default()
}

/// Counts what is read.
struct Counting<R> {
    input: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}
