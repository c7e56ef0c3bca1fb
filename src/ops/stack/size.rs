//! The sizes of layers: from their headers where those can be found without unpacking,
//! and from the unpacked layer where the caller asks for that.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::source::Layer;
use crate::format::{Container, Member, chain_of};
use crate::layer::is_whiteout;
use crate::ops::stack::layer_tar::{read_layer, streams};
use crate::stream::Compression;
use crate::tar_stream::{self, Kind, Skip, TarError, TarReader};
use crate::transfer::Context;
use crate::transfer::parallel::in_parallel;

/// The layers whose size is determined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SizeChoice {
    /// None, so that no layer is read.
    None,
    /// Uncompressed layers in a file, of which only headers are read.
    #[default]
    Headers,
    /// All. Compressed layers are unpacked, and a compressed archive once more.
    All,
}

/// The unpacked size of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerSize {
    /// The size of its tar in bytes, of which `diff_id` is the digest.
    pub unpacked: u64,
    /// The size of its content in bytes, as Docker counts it: that of files, with
    /// holes, and of the targets of symbolic links. A hard link adds nothing, and
    /// neither does a whiteout. `None` if its headers were not read.
    ///
    /// A repeated path in a layer counts repeatedly: no engine loads such a layer, and
    /// all paths would have to be held in memory to detect it.
    pub content: Option<u64>,
}

impl LayerSize {
    /// Total size of several layers, if it is known for each.
    pub(in crate::ops) fn sum(sizes: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        let nothing = Self {
            unpacked: 0,
            content: Some(0),
        };
        let add = |sum: u64, size: u64| sum.saturating_add(size);
        sizes.into_iter().try_fold(nothing, |sum, size| {
            let size = size?;
            let contents = sum.content.zip(size.content);
            Some(Self {
                unpacked: add(sum.unpacked, size.unpacked),
                content: contents.map(|(sum, size)| add(sum, size)),
            })
        })
    }
}

/// A layer whose size is wanted, and the name of its image in messages.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Wanted {
    layer: Layer,
    name: String,
}

impl Wanted {
    /// All layers of an image with this name in messages.
    pub(in crate::ops) fn all(layers: &[Layer], name: &str) -> Vec<Self> {
        let wanted = |layer: &Layer| Self {
            layer: layer.clone(),
            name: name.to_owned(),
        };
        layers.iter().map(wanted).collect()
    }
}

/// The sizes of layers that were looked into, by their blobs; `None` for one that cannot
/// be read.
#[derive(Debug)]
pub(in crate::ops) struct Sizes(HashMap<Member, Option<LayerSize>>);

impl Sizes {
    /// Determines the sizes of the layers that `choice` selects, several in parallel and
    /// each blob once. For an uncompressed layer in a file the headers are read; others
    /// are unpacked.
    ///
    /// A layer that cannot be read has no size, and causes a warning.
    ///
    /// # Errors
    ///
    /// Fails if the caller stops the operation.
    pub(in crate::ops) fn find(
        container: &dyn Container,
        wanted: &[Wanted],
        choice: SizeChoice,
        context: Context<'_>,
    ) -> Result<Self> {
        let mut blobs: Vec<(&Member, &Wanted)> = Vec::new();
        let mut costs: Vec<(bool, u64)> = Vec::new();
        let mut seen = HashSet::new();
        for wanted in wanted {
            let Some(blob) = wanted.layer.blob() else {
                continue;
            };
            // Of the others only headers are read, which do not count.
            let is_read = wanted.layer.compression != Compression::None
                || !container.blob(blob).is_seekable();
            let is_chosen = match choice {
                SizeChoice::None => false,
                SizeChoice::Headers => !is_read,
                SizeChoice::All => true,
            };
            if is_chosen && seen.insert(blob) {
                blobs.push((blob, wanted));
                costs.push((is_read, blob.size));
            }
        }
        let read = costs.iter().filter(|(is_read, _)| *is_read);
        let bytes = read.fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        if bytes > 0 {
            context.watch.send(Event::Started {
                bytes,
                images: None,
                steps: Some(blobs.len()),
            });
        }
        let mut order: Vec<usize> = (0..blobs.len()).collect();
        if container.is_sequential() {
            order.sort_by_key(|at| blobs[*at].0.position);
        } else {
            // The slowest one should not come last.
            order.sort_by_key(|at| Reverse(costs[*at]));
        }
        let sizes = in_parallel(order, streams(container, context), |at| {
            let (blob, wanted) = blobs[at];
            find(container, blob, wanted, context.watch)
        })?;
        let found = blobs.into_iter().zip(sizes);
        let found = found.map(|((blob, _), size)| (blob.clone(), size));
        Ok(Self(found.collect()))
    }

    /// The size of a layer, as far as it is known.
    pub(in crate::ops) fn of(&self, layer: &Layer) -> Option<LayerSize> {
        let blob = layer.blob()?;
        match self.0.get(blob) {
            Some(size) => *size,
            // The stored bytes are the tar.
            None if layer.compression == Compression::None => Some(LayerSize {
                unpacked: blob.size,
                content: None,
            }),
            None => None,
        }
    }
}

fn find(
    container: &dyn Container,
    blob: &Member,
    wanted: &Wanted,
    watch: Watch<'_>,
) -> Result<Option<LayerSize>> {
    let Wanted { layer, name } = wanted;
    watch.send(Event::Step(Step::Reading(&layer.place(name).to_string())));
    let size = read_layer(container, blob, wanted.layer.compression, watch, |tar| {
        let mut reader = TarReader::new(tar);
        let content = content(&mut reader, &watch)?;
        // Bytes after the end of the tar belong to the layer.
        let unpacked = reader.into_inner().into_size().map_err(TarError::from)?;
        let content = Some(content);
        Ok(LayerSize { unpacked, content })
    });
    match size {
        Ok(size) => Ok(Some(size)),
        Err(_) if watch.is_interrupted() => Err(Error::Interrupted),
        Err(error) => {
            watch.warn(Warning::SizeUnknown {
                layer: layer.place(name),
                reason: chain_of(&error),
            });
            Ok(None)
        }
    }
}

/// Sums the content of the members of a tar.
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
