//! A new layer that is compared with the image: it gets only those entries that change
//! something.

use std::collections::BTreeMap;
use std::io::{self, BufReader, PipeWriter, Write};
use std::thread;

use crate::digest::DiffId;
use crate::error::{Error, InputKind, Place, Result};
use crate::format::source::{Content, Image, ImageSource};
use crate::format::{self, Format, Input, Opening};
use crate::layer::LayerWriter;
use crate::merge::{Differences, Merge, Plan, Replay};
use crate::ops::diff::options::DiffOptions;
use crate::ops::diff::pairs::Pair;
use crate::ops::diff::tree::Trees;
use crate::ops::intake::judged;
use crate::ops::stack::contents::{FileHashes, FilePlaces};
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::verify::Judge;
use crate::stream::{COPY_BUFFER, HashWriter, Hashed};
use crate::transfer::Context;
use crate::transfer::blob::BlobEncoder;

/// A root filesystem, or the tar of a layer, that can be read several times.
#[derive(Debug)]
pub(super) struct OpenedTar {
    source: Box<dyn ImageSource>,
    image: Image,
    /// Its name in messages.
    pub(super) name: String,
    /// The input.
    pub(super) place: Place,
}

impl OpenedTar {
    /// Opens an input; a pipe is kept in a temporary file.
    ///
    /// # Errors
    ///
    /// Fails if it is not a tar, or an archive of images.
    pub(super) fn open(input: Input, context: Context<'_>) -> Result<Self> {
        let place = input.place();
        let opening = Opening {
            format: input.format,
            ..context.opening()
        };
        let source = format::open(input, &opening)?;
        let kind = match source.format() {
            Format::Rootfs => None,
            Format::DockerArchive => Some(InputKind::DockerArchive),
            Format::OciArchive => Some(InputKind::OciArchive),
            Format::OciDirectory => Some(InputKind::OciDirectory),
        };
        if let Some(kind) = kind {
            return Err(Error::ImageGiven(kind).while_reading(place));
        }
        let root = source.roots()?.first().ok_or(Error::NoImage)?;
        let Content::Image(image) = source.load(root)? else {
            return Err(Error::NoImage);
        };
        let name = match &place {
            Place::Path(path) => path.display().to_string(),
            other => other.to_string(),
        };
        Ok(Self {
            source,
            image,
            name,
            place,
        })
    }

    /// Its only layer, which has this number in the places of entries.
    pub(super) fn stack<'a>(&'a self, number: u32, context: Context<'a>) -> LayerStack<'a> {
        LayerStack::numbered(
            self.source.as_ref(),
            (&self.image, &self.name),
            number,
            context,
        )
    }
}

/// The layers of the image, and new ones that were compared with it, by the numbers of
/// their lowest layers in the places of entries.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    stacks: BTreeMap<u32, LayerStack<'a>>,
}

impl<'a> Layers<'a> {
    /// Those of the image.
    pub(super) fn new(stack: LayerStack<'a>) -> Self {
        Self {
            stacks: BTreeMap::from([(0, stack)]),
        }
    }

    /// Adds a layer with this number.
    pub(super) fn push(&mut self, number: u32, stack: LayerStack<'a>) {
        self.stacks.insert(number, stack);
    }

    /// The stack with a layer, and the number of its lowest one.
    fn find(&self, number: u32) -> Option<(u32, &LayerStack<'a>)> {
        let (first, stack) = self.stacks.range(..=number).next_back()?;
        // The content of other new layers is not at hand.
        let is_in_stack = ((number - first) as usize) < stack.count();
        is_in_stack.then_some((*first, stack))
    }

    /// Compares two trees of these layers.
    pub(super) fn compare(
        &self,
        old: &Merge,
        new: &Merge,
        diff_ids: &[&DiffId],
    ) -> Result<Differences> {
        let watch = self.stacks[&0].context.watch;
        let trees = Trees {
            a: old,
            b: new,
            layers_a: diff_ids,
            layers_b: diff_ids,
            options: &DiffOptions::default(),
            selected: &[Vec::new()],
        };
        let survey = trees.survey(&watch)?;
        let old_hashes = self.hashes(&survey.files_a)?;
        let new_hashes = self.hashes(&survey.files_b)?;
        let hashes = [&old_hashes, &new_hashes];
        let mut differences = Differences::new(new);
        trees.each_pair(&watch, |pair| match pair {
            Pair::A(_) => differences.add_deleted(),
            Pair::B(entry) => differences.add_new(entry.node),
            Pair::Both(old, new) => {
                let differs = trees.differ(&old, &new, hashes);
                differences.add(old.node, new.node, differs);
            }
        })?;
        differences.settle(old, new);
        Ok(differences)
    }

    /// The hashes of files, except for those in other layers.
    fn hashes(&self, files: &FilePlaces) -> Result<FileHashes> {
        let mut by_stack: BTreeMap<u32, FilePlaces> = BTreeMap::new();
        for (place, size) in files {
            if let Some((first, _)) = self.find(place.layer) {
                by_stack.entry(first).or_default().insert(*place, *size);
            }
        }
        let mut hashes = FileHashes::default();
        for (first, files) in by_stack {
            hashes.append(self.stacks[&first].digests(&files)?);
        }
        Ok(hashes)
    }

    /// Writes the layer of a plan, and checks its entries meanwhile. Returns the hash of
    /// its bytes before they are encoded, the time of its newest entry, and the checks.
    pub(super) fn write(
        &self,
        plan: &Plan<'_>,
        encoder: &mut BlobEncoder<'_>,
        to: &Place,
    ) -> Result<(Hashed, i64, Judge)> {
        thread::scope(|scope| {
            let (reader, pipe) = io::pipe().map_err(Error::System)?;
            let check = || judged(BufReader::with_capacity(COPY_BUFFER, reader), 0);
            let builder = thread::Builder::new().name("check".to_owned());
            let checking = builder.spawn_scoped(scope, check).map_err(Error::Thread)?;
            // The pipe ends with this call, and the check after it.
            let written = self.write_to(plan, Teed { encoder, pipe }, to);
            let panicked = |_| Error::System(io::Error::other("a checking thread panicked"));
            let judge = checking.join().map_err(panicked)?;
            let (unpacked, newest) = written?;
            Ok((unpacked, newest, judge.map_err(Error::Tar)?))
        })
    }

    fn write_to(&self, plan: &Plan<'_>, output: impl Write, to: &Place) -> Result<(Hashed, i64)> {
        let stack = &self.stacks[&0];
        let output = HashWriter::new(output).map_err(Error::Thread)?;
        let output = io::BufWriter::with_capacity(COPY_BUFFER, output);
        let mut replay = Replay::new(plan, LayerWriter::new(output), stack.created());
        for number in plan.layers() {
            let (first, stack) = self.find(number).ok_or(Error::LayerAbsent)?;
            stack.replay((number - first) as usize, &mut replay, to)?;
        }
        let failed = |error| Error::write(to.clone(), error);
        let writer = replay.finish().map_err(failed)?;
        let newest = writer.newest();
        let finished = writer.finish().and_then(|output| {
            let output = output.into_inner();
            output.map_err(io::IntoInnerError::into_error)?.finish()
        });
        let (_, unpacked) = finished.map_err(failed)?;
        Ok((unpacked, newest))
    }
}

/// A writer whose bytes are checked, too.
struct Teed<'a, 'b> {
    encoder: &'a mut BlobEncoder<'b>,
    pipe: PipeWriter,
}

impl Write for Teed<'_, '_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.encoder.write(buffer)?;
        // Fails if the check is over, which then tells of a fault.
        drop(self.pipe.write_all(&buffer[..length]));
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}
