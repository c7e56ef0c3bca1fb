//! The new layers, one after the other.

use std::cell::OnceCell;
use std::io::Write;
use std::mem;
use std::sync::{Arc, OnceLock};

use crate::digest::DiffId;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning};
use crate::folder::{PackOptions, PackedLayer, Sockets};
use crate::format::sink::ImageSink;
use crate::format::{Format, Input, RootfsInput, StoredStream, warn_of_end};
use crate::layer::Landing;
use crate::merge::{Changes, Merge};
use crate::ops::append::compared::{Layers, OpenedTar};
use crate::ops::append::deletions::deletions;
use crate::ops::append::landing::{clean, landing, landing_of_file};
use crate::ops::append::moved::write_moved;
use crate::ops::append::options::AppendOptions;
use crate::ops::append::result::Added;
use crate::ops::append::source::Source;
use crate::ops::intake::{Intake, Taken, pack_options, warn_of_sockets};
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::stack::paths::PathFinder;
use crate::ops::verify::BareTar;
use crate::stream::{Compression, Encoding, Hashed, Workers};
use crate::transfer::blob::write_encoded;
use crate::transfer::compression::{CompressionChoice, kept};

/// Adds new layers to an image.
pub(super) struct Appender<'a> {
    stack: &'a LayerStack<'a>,
    sink: &'a dyn ImageSink,
    workers: &'a Workers,
    options: &'a AppendOptions,
    /// The places for tars that are compared, one for each layer at the end.
    opened: &'a [OnceCell<OpenedTar>],
    /// The layers whose content is compared.
    layers: Layers<'a>,
    /// The tree of the image with the new layers, once a path in it is wanted.
    finder: Option<PathFinder>,
    /// The changes of new layers that are not in that tree.
    unmerged: Vec<Changes>,
    /// The new layers so far.
    added: Vec<Added>,
    /// The sources that changed nothing.
    unchanged: Vec<Place>,
}

/// A layer whose entries were accepted.
struct Accepted {
    /// The hash of its unpacked bytes.
    unpacked: Hashed,
    /// The time of its newest entry, in seconds since 1970.
    newest: i64,
}

impl<'a> Appender<'a> {
    /// For an image. There is a place in `opened` for each layer at the end.
    pub(super) fn new(
        stack: &'a LayerStack<'a>,
        sink: &'a dyn ImageSink,
        workers: &'a Workers,
        options: &'a AppendOptions,
        opened: &'a [OnceCell<OpenedTar>],
    ) -> Self {
        Self {
            stack,
            sink,
            workers,
            options,
            opened,
            layers: Layers::new(stack.clone()),
            finder: None,
            unmerged: Vec::new(),
            added: Vec::new(),
            unchanged: Vec::new(),
        }
    }

    /// The new layers, and the sources that changed nothing.
    pub(super) fn finish(self) -> (Vec<Added>, Vec<Place>) {
        (self.added, self.unchanged)
    }

    /// Reports the amount of data to be read, as far as it is known.
    pub(super) fn announce(&self, layers: &[Source]) {
        let own = (0..self.stack.count()).map(|at| self.stack.size_to_read(at));
        let bytes = own
            .chain(layers.iter().map(Source::size))
            .fold(0, u64::saturating_add);
        if bytes > 0 {
            self.stack.context.watch.send(Event::Started {
                bytes,
                images: Some(1),
                steps: None,
            });
        }
    }

    /// Adds the layer of a source.
    pub(super) fn add(&mut self, layer: Source) -> Result<()> {
        let time = self.stack.created();
        match layer {
            Source::Tar(input) if self.options.at.is_some() => {
                let landing = self.landing(None)?;
                self.add_moved(input, landing)
            }
            Source::Tar(input) if self.options.only_new => {
                let (place, input) = (input.place(), input.into_input());
                let input = input.map_err(|error| error.while_reading(place.clone()))?;
                self.add_compared(input, false)
            }
            Source::Tar(input) => self.add_tar(input),
            Source::Changed(input) => self.add_changed(input),
            Source::Folder(folder, at) => {
                let landing = self.landing(at.as_deref())?;
                let packed = PackedLayer::of_folder(folder.clone(), self.pack(), Some(landing));
                self.add_packed(packed.map_err(Error::Thread)?, &Place::Path(folder))
            }
            Source::File(file, path) => {
                let finder = self.finder()?;
                let (landing, name) = landing_of_file(finder, &file, &path, time)?;
                let packed = PackedLayer::of_file(file.clone(), name, self.pack(), landing);
                self.add_packed(packed.map_err(Error::Thread)?, &Place::Path(file))
            }
        }
    }

    /// Adds the layer that deletes paths.
    pub(super) fn delete(&mut self) -> Result<()> {
        let (stack, paths) = (self.stack, &self.options.delete);
        let place = self.next_place();
        let finder = self.finder()?;
        let packed = deletions(finder, stack.name, paths, stack.created())?;
        self.add_packed(packed.map_err(Error::Thread)?, &place)
    }

    fn pack(&self) -> PackOptions {
        pack_options(self.options.owner.or(Some((0, 0))), self.options.latest)
    }

    /// The directory at a path, by default that of the options, or else the root.
    fn landing(&mut self, at: Option<&[u8]>) -> Result<Landing> {
        let time = self.stack.created();
        let Some(path) = at.or(self.options.at.as_deref()) else {
            return Ok(Landing::new(time));
        };
        let path = clean(path)?;
        if path.is_empty() {
            return Ok(Landing::new(time));
        }
        landing(self.finder()?, &path, time)
    }

    /// The tree of the image with the new layers so far.
    fn finder(&mut self) -> Result<&mut PathFinder> {
        let mut finder = if let Some(finder) = self.finder.take() {
            finder
        } else {
            self.stack.prepare()?;
            PathFinder::new(self.stack, &self.options.delete)?
        };
        for changes in self.unmerged.drain(..) {
            // They were accepted, and what is ambiguous in them is reported.
            finder.tree.put_in_range(changes).map_err(Error::Layer)?;
        }
        Ok(self.finder.insert(finder))
    }

    /// The next layer in messages.
    fn next_place(&self) -> Place {
        Place::Layer {
            position: self.stack.count() + self.added.len() + 1,
            count: self.opened.len(),
            image: self.stack.name.to_owned(),
        }
    }

    /// Adds a tar as it is, unless its compression changes.
    fn add_tar(&mut self, mut input: RootfsInput) -> Result<()> {
        let place = input.place();
        let is_certain = input.is_certain;
        let intake = self.intake(&place, is_certain);
        let at = |error: Error| error.while_reading(place.clone());
        let stored = input.stored(intake.watch).map_err(at)?;
        let compression = stored.compression;
        let (encoding, is_new) = match self.options.compress {
            CompressionChoice::Keep => (kept(compression, Some(self.sink.format())), false),
            CompressionChoice::To { encoding, always } => (encoding, always),
        };
        let is_recoded = is_new || encoding.compression() != compression;
        self.tell(&place, is_recoded);
        if is_recoded || compression == Compression::None {
            let input = stored.unpacked().map_err(at)?;
            return self.write(encoding, |appender, output, to| {
                let taken = intake.unpacked(input, output, to)?;
                appender.accept(taken, (compression, false), &place)
            });
        }
        let mut writer = self.sink.begin_blob(None)?;
        let to = writer.place();
        let (blob, taken) = intake.kept(stored, &mut writer, &to)?;
        let size = taken.leftover.size();
        if size > 0 {
            return Err(at(Error::AfterLayer { size, compression }));
        }
        let accepted = self.accept(taken, (compression, false), &place)?;
        writer.finish(&blob)?;
        self.push(blob, compression, accepted);
        Ok(())
    }

    /// Adds a tar with its entries below a directory of the image.
    fn add_moved(&mut self, input: RootfsInput, landing: Landing) -> Result<()> {
        let place = input.place();
        let opened = input.into_stored().and_then(StoredStream::unpacked);
        let input = opened.map_err(|error| error.while_reading(place.clone()))?;
        let leftover = input.leftover.clone();
        let summary = Arc::new(OnceLock::new());
        let place_of_summary = summary.clone();
        let packed = PackedLayer::of(move |writer| {
            let summary = write_moved(input, &landing, writer)?;
            place_of_summary.get_or_init(|| summary);
            Ok(Sockets::default())
        });
        self.add_packed(packed.map_err(Error::Thread)?, &place)?;
        if let Some(summary) = summary.get() {
            warn_of_end(summary, &leftover, &self.stack.context.watch);
        }
        Ok(())
    }

    /// Adds a layer that is packed while it is read.
    fn add_packed(&mut self, packed: PackedLayer, place: &Place) -> Result<()> {
        let sockets = packed.sockets();
        if self.options.only_new {
            return self.add_packed_compared(packed, place.clone(), false);
        }
        let encoding = self.encoding();
        self.tell(place, encoding != Encoding::Plain);
        let intake = self.intake(place, true);
        let mut input = RootfsInput::of_stream(Box::new(packed), place.clone());
        let input = input.open(intake.watch);
        let input = input.map_err(|error| error.while_reading(place.clone()))?;
        self.write(encoding, |appender, output, to| {
            let taken = intake.unpacked(input, output, to)?;
            if let Some(sockets) = sockets.get() {
                warn_of_sockets(sockets, &intake.watch);
            }
            appender.accept(taken, (Compression::None, true), place)
        })
    }

    /// Adds the layer that turns the image into a root filesystem.
    fn add_changed(&mut self, input: RootfsInput) -> Result<()> {
        let place = input.place();
        let Some(folder) = input.folder() else {
            let input = input.into_input();
            let input = input.map_err(|error| error.while_reading(place))?;
            return self.add_compared(input, true);
        };
        let options = pack_options(self.options.owner, self.options.latest);
        let packed = PackedLayer::of_folder(folder.to_owned(), options, None);
        self.add_packed_compared(packed.map_err(Error::Thread)?, place, true)
    }

    /// Adds the entries of a layer that is packed while it is read, as
    /// [`add_compared`](Self::add_compared) does.
    fn add_packed_compared(
        &mut self,
        packed: PackedLayer,
        place: Place,
        is_whole: bool,
    ) -> Result<()> {
        let sockets = packed.sockets();
        let input = Input::pipe(packed, place).format(Format::Rootfs);
        self.add_compared(input, is_whole)?;
        if let Some(sockets) = sockets.get() {
            warn_of_sockets(sockets, &self.stack.context.watch);
        }
        Ok(())
    }

    /// Adds those entries of a tar that change the tree of the image, unless there are
    /// none. If it is the whole tree, what it lacks is deleted.
    fn add_compared(&mut self, input: Input, is_whole: bool) -> Result<()> {
        let (stack, opened) = (self.stack, self.opened);
        let place = input.place();
        let tar = OpenedTar::open(input, stack.context)?;
        let at = self.added.len() + self.unchanged.len();
        let tar = opened[stack.count() + at].get_or_init(|| tar);
        let number = self.number();
        let layer = tar.stack(number, stack.context);
        let old = mem::replace(&mut self.finder()?.tree, Merge::new());
        let mut new = if is_whole { Merge::new() } else { old.clone() };
        layer.merge(&mut new, &[0])?;
        let of_image = stack.image.layers.iter().map(|layer| &layer.diff_id);
        let ids: Vec<DiffId> = self.added.iter().map(Added::diff_id).collect();
        let own = layer.image.layers.iter().map(|layer| &layer.diff_id);
        let ids: Vec<&DiffId> = of_image.chain(&ids).chain(own).collect();
        self.layers.push(number, layer);
        let differences = self.layers.compare(&old, &new, &ids)?;
        if differences.is_empty() {
            self.finder()?.tree = old;
            self.unchanged.push(tar.place.clone());
            return Ok(());
        }
        let is_last = stack.count() + at + 1 == opened.len();
        if !is_last {
            self.finder()?.tree = new.clone();
        }
        let layer = old.turned_into(new, &differences, stack.created());
        let (plan, encoding) = (layer.plan(), self.encoding());
        let (blob, (unpacked, newest)) =
            write_encoded(self.sink, encoding, self.workers, |encoder, to| {
                let (unpacked, newest, judge) = self.layers.write(&plan, encoder, to)?;
                // What is ambiguous in the tar is not in the layer.
                let refused = BareTar::of_made(judge).refuse(&stack.context.watch);
                refused.map_err(|error| error.while_reading(place))?;
                Ok((unpacked, newest))
            })?;
        self.push(blob, encoding.compression(), Accepted { unpacked, newest });
        Ok(())
    }

    /// The encoding of a layer that is made: that of the uppermost layer of the image.
    fn encoding(&self) -> Encoding {
        let uppermost = self.stack.image.layers.last();
        match self.options.compress {
            CompressionChoice::To { encoding, .. } => encoding,
            CompressionChoice::Keep => {
                let compression = uppermost.map_or(Compression::None, |it| it.compression);
                kept(compression, Some(self.sink.format()))
            }
        }
    }

    /// Writes a layer with this encoding, which `take` copies and accepts, and adds it.
    fn write(
        &mut self,
        encoding: Encoding,
        take: impl FnOnce(&mut Self, &mut dyn Write, &Place) -> Result<Accepted>,
    ) -> Result<()> {
        let (blob, accepted) = if encoding == Encoding::Plain {
            let mut writer = self.sink.begin_blob(None)?;
            let to = writer.place();
            let accepted = take(self, &mut writer, &to)?;
            writer.finish(&accepted.unpacked)?;
            (accepted.unpacked.clone(), accepted)
        } else {
            write_encoded(self.sink, encoding, self.workers, |encoder, to| {
                take(self, encoder, to)
            })?
        };
        self.push(blob, encoding.compression(), accepted);
        Ok(())
    }

    /// Refuses a layer with entries that no engine accepts, before its blob is finished,
    /// and warns of ambiguous ones. It arrived with this compression, or was packed here.
    fn accept(
        &mut self,
        taken: Taken,
        (compression, is_packed): (Compression, bool),
        place: &Place,
    ) -> Result<Accepted> {
        let watch = self.stack.context.watch;
        let is_gzip = compression == Compression::Gzip;
        let (mut judged, changes) = BareTar::of_layer(taken.judge, is_gzip, is_packed);
        match changes {
            Some(changes) if changes.has_far_links() || self.finder.is_some() => {
                judged.put_on(&mut self.finder()?.tree, changes);
            }
            changes => self.unmerged.extend(changes),
        }
        let refused = judged.refuse(&watch);
        refused.map_err(|error| error.while_reading(place.clone()))?;
        if taken.summary.is_empty {
            watch.warn(Warning::LayerEmpty(place.clone()));
        }
        warn_of_end(&taken.summary, &taken.leftover, &watch);
        Ok(Accepted {
            unpacked: taken.unpacked,
            newest: taken.summary.newest_mtime,
        })
    }

    fn push(&mut self, blob: Hashed, compression: Compression, accepted: Accepted) {
        self.added.push(Added {
            blob,
            unpacked: accepted.unpacked,
            compression,
            newest: accepted.newest,
        });
    }

    fn tell(&self, place: &Place, is_recompressed: bool) {
        self.stack.context.watch.send(Event::Step(Step::Copying {
            blob: &place.to_string(),
            is_recompressed,
        }));
    }

    fn intake<'p>(&self, place: &'p Place, is_certain: bool) -> Intake<'p>
    where
        'a: 'p,
    {
        Intake {
            watch: self.stack.context.watch,
            place,
            is_certain,
            number: self.number(),
        }
    }

    /// The number of the next layer, counted from 0.
    fn number(&self) -> u32 {
        let number = self.stack.count() + self.added.len();
        u32::try_from(number).expect("layers are limited")
    }
}
