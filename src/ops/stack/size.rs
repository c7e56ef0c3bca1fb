//! The sizes of layers: from their headers where those can be found without unpacking,
//! and from the unpacked layer where the caller asks for that.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::source::Layer;
use crate::format::{Container, Member, chain_of};
use crate::layer::is_whiteout;
use crate::ops::stack::layer_tar::read_layer;
use crate::stream::Compression;
use crate::tar_stream::{self, Kind, Skip, TarError, TarReader};
use crate::transfer::Context;
use crate::transfer::parallel::{STREAMS_MAX, in_parallel};

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

    /// Warns that the size is unknown.
    fn warn(&self, error: &Error, watch: &Watch<'_>) {
        watch.warn(Warning::SizeUnknown {
            layer: self.layer.place(&self.name),
            reason: chain_of(error),
        });
    }
}

/// The layers of one input whose sizes are wanted.
#[derive(Debug)]
pub(in crate::ops) struct Request<'a> {
    pub(in crate::ops) container: &'a dyn Container,
    pub(in crate::ops) wanted: Vec<Wanted>,
    pub(in crate::ops) choice: SizeChoice,
}

/// Layers that are read one after the other.
struct Job<'a> {
    /// The number of the request.
    request: usize,
    container: &'a dyn Container,
    layers: Vec<(&'a Member, &'a Wanted)>,
    /// The number of bytes to be read, and that of bytes in which only headers are.
    cost: (u64, u64),
}

impl Request<'_> {
    /// The chosen layers, each blob once: those of a sequential container in its order,
    /// any other one on its own. A layer of the wrong size causes a warning.
    fn jobs(&self, request: usize, watch: &Watch<'_>) -> Vec<Job<'_>> {
        let mut jobs = Vec::new();
        let mut seen = HashSet::new();
        for wanted in &self.wanted {
            let Some(blob) = wanted.layer.blob() else {
                if self.choice == SizeChoice::All {
                    wanted.warn(&wanted.layer.absence(), watch);
                }
                continue;
            };
            if let Some(error) = wanted.layer.wrong_size() {
                if self.choice != SizeChoice::None {
                    wanted.warn(&error, watch);
                }
                continue;
            }
            let has_headers = wanted.layer.compression == Compression::None
                && self.container.blob(blob).is_seekable();
            let is_chosen = match self.choice {
                SizeChoice::None => false,
                SizeChoice::Headers => has_headers,
                SizeChoice::All => true,
            };
            if is_chosen && seen.insert(blob) {
                jobs.push(Job {
                    request,
                    container: self.container,
                    layers: vec![(blob, wanted)],
                    cost: if has_headers {
                        (0, blob.size)
                    } else {
                        (blob.size, 0)
                    },
                });
            }
        }
        if !self.container.is_sequential() {
            return jobs;
        }
        let together = jobs.into_iter().reduce(|mut one, other| {
            one.layers.extend(other.layers);
            one.cost.0 = one.cost.0.saturating_add(other.cost.0);
            one
        });
        let mut together = Vec::from_iter(together);
        for job in &mut together {
            job.layers.sort_by_key(|(blob, _)| blob.position);
        }
        together
    }
}

/// The sizes of layers that were looked into, by their blobs; `None` for one that cannot
/// be read.
#[derive(Debug, Default)]
pub(in crate::ops) struct Sizes(HashMap<Member, Option<LayerSize>>);

impl Sizes {
    /// Determines the sizes of layers of one input, as [`find_all`](Self::find_all) does.
    pub(in crate::ops) fn find(request: Request<'_>, context: Context<'_>) -> Result<Self> {
        let sizes = Self::find_all(&[request], context)?;
        Ok(sizes.into_iter().next().unwrap_or_default())
    }

    /// Determines the sizes of layers, several in parallel and each blob once. For an
    /// uncompressed layer in a file the headers are read; others are unpacked.
    ///
    /// A layer that cannot be read has no size, and causes a warning.
    ///
    /// # Errors
    ///
    /// Fails if the caller stops the operation.
    pub(in crate::ops) fn find_all(
        requests: &[Request<'_>],
        context: Context<'_>,
    ) -> Result<Vec<Self>> {
        let requests = requests.iter().enumerate();
        let jobs: Vec<Job<'_>> = requests
            .clone()
            .flat_map(|(at, request)| request.jobs(at, &context.watch))
            .collect();
        let bytes = jobs.iter().map(|job| job.cost.0);
        let bytes = bytes.fold(0, u64::saturating_add);
        if bytes > 0 {
            context.watch.send(Event::Started {
                bytes,
                images: None,
                steps: Some(jobs.iter().map(|job| job.layers.len()).sum()),
            });
        }
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        // The slowest one should not come last.
        order.sort_by_key(|at| Reverse(jobs[*at].cost));
        let found = in_parallel(order, context.jobs.min(STREAMS_MAX), |at| {
            let job = &jobs[at];
            let layers = job.layers.iter();
            let size = |(blob, wanted)| find(job.container, blob, wanted, context.watch);
            layers.copied().map(size).collect::<Result<Vec<_>>>()
        })?;
        let mut sizes: Vec<Self> = requests.map(|_| Self::default()).collect();
        for (job, found) in jobs.into_iter().zip(found) {
            let blobs = job.layers.into_iter().map(|(blob, _)| blob.clone());
            sizes[job.request].0.extend(blobs.zip(found));
        }
        Ok(sizes)
    }

    /// The size of a layer, as far as it is known.
    pub(in crate::ops) fn of(&self, layer: &Layer) -> Option<LayerSize> {
        let blob = layer.blob()?;
        if layer.wrong_size().is_some() {
            return None;
        }
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
            wanted.warn(&error, &watch);
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
