//! The opened layers of an image: read once for their headers, once for their content.

use std::collections::HashMap;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, LimitError, Place, Result};
use crate::event::{Event, Step, Warning};
use crate::format::source::{Image, ImageSource, Layer};
use crate::format::{Container, Member};
use crate::image::{ESTARGZ_TOC, Timestamp};
use crate::layer::{Budget, Landmarks, LayerError, LayerReader};
use crate::merge::{Ambiguities, Changes, ChangesBuilder, LayerEvent, Merge};
use crate::ops::choose::image::ChosenImage;
use crate::ops::stack::checks::Checks;
use crate::ops::stack::layer_tar::{
    LayerTar, read_layer, read_layer_hashed, read_layer_to_spool, streams,
};
use crate::stream::{Compression, ProgressReader, Stamp};
use crate::tar_stream::{TarError, Time};
use crate::transfer::Context;
use crate::transfer::blob_job::BlobJob;
use crate::transfer::parallel::{in_parallel, in_parallel_each};
use crate::transfer::read::verify_stored;
use crate::transfer::scanned::ScannedLayers;

/// The gzip member at the end of an eStargz layer (stargz-snapshotter,
/// docs/estargz.md, "eStargz Footer"), and the shorter one of older layers.
const ESTARGZ_FOOTER: usize = 51;
const ESTARGZ_OLD_FOOTER: usize = 47;

/// The layers of one image.
#[derive(Clone, Debug)]
pub(in crate::ops) struct LayerStack<'a> {
    pub(in crate::ops) container: &'a dyn Container,
    pub(in crate::ops) image: &'a Image,
    /// The name of the image in messages.
    pub(in crate::ops) name: &'a str,
    pub(in crate::ops) context: Context<'a>,
    /// The number of the lowest layer in places of entries.
    first: u32,
    /// The budget that the headers of all layers share.
    budget: Arc<Budget>,
    /// The landmarks of the layers whose headers were read.
    landmarks: Arc<Mutex<HashMap<usize, Arc<Landmarks>>>>,
    /// The states of the files in which only headers were read, before that.
    stamps: Arc<Mutex<HashMap<usize, Stamp>>>,
    /// The checks of layers that are read twice.
    pub(super) checks: Option<&'a Checks<'a>>,
    /// The layers that are hashed when their headers are read.
    scanned: Option<&'a ScannedLayers>,
}

impl<'a> LayerStack<'a> {
    /// Opens the layers of an image.
    ///
    /// # Errors
    ///
    /// Fails if it is for Windows, whose layers have another structure.
    pub(in crate::ops) fn new(
        source: &'a dyn ImageSource,
        chosen: &'a ChosenImage<'_>,
        context: Context<'a>,
    ) -> Result<Self> {
        let layers = Self {
            container: source.container(),
            image: &chosen.image,
            name: &chosen.name,
            context,
            first: 0,
            budget: Arc::default(),
            landmarks: Arc::default(),
            stamps: Arc::default(),
            checks: None,
            scanned: None,
        };
        let platform = chosen.image.platform();
        if platform.is_some_and(|platform| platform.normalized().os == "windows") {
            return Err(Error::WindowsImage(chosen.name.clone()));
        }
        Ok(layers)
    }

    /// Opens an image of which all layers are read, with this name in messages. `first` is
    /// the number of its lowest layer in the places of entries.
    pub(in crate::ops) fn numbered(
        source: &'a dyn ImageSource,
        (image, name): (&'a Image, &'a str),
        first: u32,
        context: Context<'a>,
    ) -> Self {
        Self {
            container: source.container(),
            image,
            name,
            context,
            first,
            budget: Arc::default(),
            landmarks: Arc::default(),
            stamps: Arc::default(),
            checks: None,
            scanned: None,
        }
    }

    /// The same layers, with checks of those that are merged.
    pub(in crate::ops) fn with_checks<'c>(&'c self, checks: &'c Checks<'c>) -> LayerStack<'c> {
        LayerStack {
            checks: Some(checks),
            ..self.clone()
        }
    }

    /// The same layers, some of which are hashed when their headers are read.
    pub(in crate::ops) fn hashing<'c>(&'c self, scanned: &'c ScannedLayers) -> LayerStack<'c> {
        LayerStack {
            scanned: Some(scanned),
            ..self.clone()
        }
    }

    /// The number of a layer in the places of entries.
    pub(super) fn number(&self, at: usize) -> u32 {
        self.first + u32::try_from(at).expect("layers are limited")
    }

    /// The layer with this number in the places of entries.
    pub(super) fn layer(&self, number: u32) -> usize {
        (number - self.first) as usize
    }

    /// Prepares the layers to be read in their order, and twice, without unpacking the
    /// archive around them repeatedly.
    ///
    /// A compressed archive is read from its start at every step back, and before
    /// version 25 Docker wrote layers in a random order.
    pub(in crate::ops) fn prepare(&self) -> Result<()> {
        let blobs = self.image.layers.iter().filter_map(Layer::blob);
        let is_in_order = blobs.map(|blob| blob.position).is_sorted();
        if is_in_order || !self.container.is_sequential() {
            return Ok(());
        }
        let directory = self.context.temporary_directory;
        self.container.unpack_to(directory, &self.context.watch)
    }

    /// Prepares to read all layers, each for its headers and again for its content, and
    /// returns their numbers.
    pub(in crate::ops) fn begin(&self) -> Result<Vec<usize>> {
        self.prepare()?;
        let all: Vec<usize> = (0..self.count()).collect();
        let sizes = all
            .iter()
            .flat_map(|at| [self.size_to_scan(*at), self.size_to_read(*at)]);
        self.context.watch.send(Event::Started {
            bytes: sizes.fold(0, u64::saturating_add),
            images: Some(1),
            steps: Some(2 * all.len()),
        });
        Ok(all)
    }

    /// Returns the error for a layer that could not be read.
    pub(in crate::ops) fn failed(&self, at: usize, error: LayerError) -> Error {
        Error::Layer(error).while_reading(self.place(at))
    }

    /// The number of layers.
    pub(in crate::ops) fn count(&self) -> usize {
        self.image.layers.len()
    }

    /// The name of a layer in messages.
    pub(in crate::ops) fn place(&self, at: usize) -> Place {
        self.image.layers[at].place(self.name)
    }

    /// Number of bytes to read for the content of a layer.
    pub(in crate::ops) fn size_to_read(&self, at: usize) -> u64 {
        let blob = self.image.layers[at].blob();
        blob.map_or(0, |blob| blob.size)
    }

    /// Number of bytes to read for the changes of a layer, as far as it is known. Of an
    /// uncompressed layer in a file only headers are read, which do not count.
    pub(in crate::ops) fn size_to_scan(&self, at: usize) -> u64 {
        let layer = &self.image.layers[at];
        let is_passed_over = |blob| self.container.blob(blob).is_seekable();
        match layer.blob() {
            Some(blob) if layer.compression == Compression::None && is_passed_over(blob) => 0,
            _ => self.size_to_read(at),
        }
    }

    /// Works on some layers, several in parallel, in an order that suits the container.
    /// `work` gets the index in `which`.
    pub(in crate::ops) fn in_parallel<T: Send>(
        &self,
        which: &[usize],
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        in_parallel(self.order(which), self.streams(), work)
    }

    /// The indexes in `which`, in an order that suits the container.
    fn order(&self, which: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..which.len()).collect();
        if self.container.is_sequential() {
            let blob = |at: &usize| self.image.layers[which[*at]].blob();
            order.sort_by_key(|at| blob(at).map_or(0, |blob| blob.position));
        }
        order
    }

    /// The number of layers that are read in parallel.
    fn streams(&self) -> NonZeroUsize {
        streams(self.container, self.context)
    }

    /// Reads the headers of some layers, several in parallel, and returns the changes
    /// of each.
    pub(in crate::ops) fn changes(&self, which: &[usize]) -> Result<Vec<Changes>> {
        self.changes_as(which, |changes| changes)
    }

    /// The same, in another form each. The thread that has read the headers makes it, so
    /// that it can use the memory of the changes for the next layer.
    pub(in crate::ops) fn changes_as<T: Send>(
        &self,
        which: &[usize],
        form: impl Fn(Changes) -> T + Sync,
    ) -> Result<Vec<T>> {
        self.in_parallel(which, |at| self.scan_explained(which[at], None).map(&form))
    }

    /// The merged tree of the changes of all layers. Warns of ambiguities in them.
    pub(in crate::ops) fn tree_of(&self, changes: Vec<Changes>) -> Result<Merge> {
        let mut merge = Merge::new();
        for (at, changes) in changes.into_iter().enumerate() {
            self.put_watched(&mut merge, at, changes, &mut NoReader)?;
        }
        Ok(merge)
    }

    /// Adds layers to the range of a merge, and warns of ambiguities in them.
    pub(in crate::ops) fn merge(&self, merge: &mut Merge, which: &[usize]) -> Result<()> {
        self.merge_watched(merge, which, &mut NoReader)
    }

    /// The same, with a reader of the story of the tree. A layer is added as soon as the
    /// headers of all lower ones are read, while those of higher ones are.
    ///
    /// # Errors
    ///
    /// Fails without a warning if the headers of any layer cannot be read.
    pub(in crate::ops) fn merge_watched(
        &self,
        merge: &mut Merge,
        which: &[usize],
        story: &mut dyn StoryReader,
    ) -> Result<()> {
        if let Some(checks) = self.checks {
            checks.begin_scans(which.len());
        }
        let mut failed = None;
        let mut ambiguities = Vec::with_capacity(which.len());
        let scan = |at: usize| self.scan_explained(which[at], self.checks);
        in_parallel_each(self.order(which), self.streams(), scan, |at, changes| {
            if failed.is_none() {
                match self.put(merge, which[at], changes, story) {
                    Ok(found) => ambiguities.push(found),
                    Err(error) => failed = Some(error),
                }
            }
        })?;
        for (at, ambiguities) in which.iter().zip(ambiguities) {
            self.warn_of(*at, ambiguities);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Adds the changes of one layer to the range of a merge, warns of ambiguities in
    /// them, and tells a reader of the story.
    pub(in crate::ops) fn put_watched(
        &self,
        merge: &mut Merge,
        at: usize,
        changes: Changes,
        story: &mut dyn StoryReader,
    ) -> Result<()> {
        let ambiguities = self.put(merge, at, changes, story)?;
        self.warn_of(at, ambiguities);
        Ok(())
    }

    /// The same without a warning: returns the ambiguities.
    fn put(
        &self,
        merge: &mut Merge,
        at: usize,
        changes: Changes,
        story: &mut dyn StoryReader,
    ) -> Result<Ambiguities> {
        let put = if story.wants(at) {
            merge.put_watched(changes, &mut |below, event| story.see(at, below, event))
        } else {
            merge.put_in_range(changes)
        };
        let ambiguities = put.map_err(|error| self.failed(at, error))?;
        story.added(at, merge);
        Ok(ambiguities)
    }

    /// Warns of the ambiguities of a layer.
    fn warn_of(&self, at: usize, ambiguities: Ambiguities) {
        for (ambiguity, entry, others) in ambiguities.into_iter() {
            self.context.watch.warn(Warning::Ambiguous {
                layer: self.place(at),
                entry,
                others,
                ambiguity,
            });
        }
    }

    /// A layer and its blob.
    pub(super) fn blob(&self, at: usize) -> Result<(&Layer, &Member)> {
        let layer = &self.image.layers[at];
        let blob = layer.blob().ok_or_else(|| layer.absence())?;
        Ok((layer, blob))
    }

    /// Reads the headers of a layer. With checks, it will be read again and is checked.
    fn scan_explained(&self, at: usize, checks: Option<&Checks<'_>>) -> Result<Changes> {
        let scanned = match checks {
            Some(checks) => {
                let scanned = self.scan_and_check(at, checks);
                checks.end_scan();
                scanned
            }
            None => self.scan(at),
        };
        scanned.map_err(|error| self.explain(at, error))
    }

    fn scan(&self, at: usize) -> Result<Changes> {
        let (layer, blob) = self.blob(at)?;
        let watch = self.context.watch;
        watch.send(Event::Step(Step::Reading(&self.place(at).to_string())));
        let stamp = self.stamp_now(layer, blob)?;
        let read = |tar: LayerTar<'_>| self.read_headers(at, tar);
        if let Some(scanned) = self.scanned {
            let job = BlobJob::of_layer(layer, blob, None, self.place(at));
            if scanned.wants(&job) {
                let (builder, hashes) = read_layer_hashed(self.container, &job, watch, read)?;
                let changes = self.finish(builder, layer, blob)?;
                scanned.add(&job, hashes);
                return Ok(changes);
            }
            if let Some(stamp) = stamp {
                scanned.add_headers(&job, stamp);
            }
        }
        if let Some(stamp) = stamp {
            self.lock_stamps().entry(at).or_insert(stamp);
        }
        let builder = read_layer(self.container, blob, layer.compression, watch, read)?;
        self.finish(builder, layer, blob)
    }

    /// The state of the file in which only the headers of a layer are read. `None` for a
    /// layer of which all is read, or which nobody else can write to.
    fn stamp_now(&self, layer: &Layer, blob: &Member) -> Result<Option<Stamp>> {
        let blob = self.container.blob(blob);
        if layer.compression != Compression::None || blob.is_temporary() {
            return Ok(None);
        }
        let stamp = blob.slice()?.map(|slice| Stamp::of(&slice.file));
        Ok(stamp.transpose()?)
    }

    /// The state of the file of a layer before its headers were read in it.
    pub(super) fn stamp(&self, at: usize) -> Option<Stamp> {
        self.lock_stamps().get(&at).copied()
    }

    fn lock_stamps(&self) -> MutexGuard<'_, HashMap<usize, Stamp>> {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Scans a layer that will be read again, and adds it to the checks.
    fn scan_and_check(&self, at: usize, checks: &Checks<'_>) -> Result<Changes> {
        let (layer, blob) = self.blob(at)?;
        let job = BlobJob::of_layer(layer, blob, None, self.place(at));
        let is_plain = layer.compression == Compression::None;
        if is_plain && self.container.blob(blob).is_seekable() {
            checks.add_file(at, job);
            return self.scan(at);
        }
        let watch = self.context.watch;
        watch.send(Event::Step(Step::Reading(&self.place(at).to_string())));
        let read = |tar: LayerTar<'_>| self.read_headers(at, tar);
        let read = read_layer_to_spool(self.container, &job, watch, &checks.space, read)?;
        let (builder, stored, spool) = read;
        let changes = self.finish(builder, layer, blob)?;
        if let Some(spool) = spool {
            checks.add_spool(at, job, spool, stored);
        }
        Ok(changes)
    }

    /// Reads the headers of a layer, and the rest of it to its end, after which a checksum
    /// may follow.
    fn read_headers(&self, at: usize, tar: LayerTar<'_>) -> Result<ChangesBuilder> {
        let mut builder = ChangesBuilder::new(self.number(at), self.budget.clone());
        let mut landmarks = Landmarks::default();
        let mut reader = LayerReader::new(tar, self.budget.clone());
        while let Some(entry) = reader.next_entry()? {
            if self.context.watch.is_interrupted() {
                return Err(Error::Interrupted);
            }
            let added = builder.add(entry, reader.interpreter());
            added.map_err(|fault| reader.failed(fault))?;
            reader.note_landmark(&mut landmarks);
        }
        reader.into_inner().into_size().map_err(TarError::from)?;
        self.lock_landmarks().insert(at, Arc::new(landmarks));
        Ok(builder)
    }

    fn finish(&self, builder: ChangesBuilder, layer: &Layer, blob: &Member) -> Result<Changes> {
        let is_estargz = builder.may_be_estargz() && self.is_estargz(layer, blob)?;
        Ok(builder.finish(is_estargz)?)
    }

    /// The landmarks of a layer; none if its headers were not read.
    pub(super) fn landmarks(&self, at: usize) -> Arc<Landmarks> {
        self.lock_landmarks().get(&at).cloned().unwrap_or_default()
    }

    fn lock_landmarks(&self) -> MutexGuard<'_, HashMap<usize, Arc<Landmarks>>> {
        self.landmarks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The reason why a layer cannot be read: a wrong digest, if it has one, otherwise
    /// `error`.
    pub(super) fn explain(&self, at: usize, error: Error) -> Error {
        if self.context.watch.is_interrupted() {
            return Error::Interrupted;
        }
        if let (
            Error::Layer(_)
            | Error::Compression { .. }
            | Error::Limit(LimitError::Compression { .. }),
            Ok((layer, blob)),
        ) = (&error, self.blob(at))
        {
            let job = BlobJob::of_layer(layer, blob, None, self.place(at));
            let verified = verify_stored(self.container, &job, self.context.watch);
            if let Err(mismatch) = verified {
                return mismatch;
            }
        }
        error.while_reading(self.place(at))
    }

    /// Returns true if a layer has files of eStargz at its root.
    fn is_estargz(&self, layer: &Layer, blob: &Member) -> Result<bool> {
        let descriptor = layer.descriptor();
        if descriptor.is_some_and(|d| d.annotation(ESTARGZ_TOC).is_some()) {
            return Ok(true);
        }
        if layer.compression != Compression::Gzip {
            return Ok(false);
        }
        let mut stream = ProgressReader::new(self.container.blob(blob).open()?, self.context.watch);
        let skipped = blob.size.saturating_sub(ESTARGZ_FOOTER as u64);
        io::copy(&mut (&mut stream).take(skipped), &mut io::sink())?;
        let mut footer = Vec::new();
        stream
            .take(ESTARGZ_FOOTER as u64)
            .read_to_end(&mut footer)?;
        Ok(is_estargz_footer(&footer))
    }

    /// The time of directories without an entry.
    pub(in crate::ops) fn created(&self) -> Time {
        Time {
            seconds: self.context.created.map_or(0, Timestamp::seconds),
            nanoseconds: 0,
        }
    }
}

/// A reader of the changes that layers, counted from 0, make to the tree of those below
/// them.
pub(in crate::ops) trait StoryReader {
    /// True if the changes of this layer are of interest.
    fn wants(&self, _layer: usize) -> bool {
        true
    }

    /// Sees a change of a layer, before it is added to the tree.
    fn see(&mut self, layer: usize, below: &Merge, event: LayerEvent<'_>);

    /// Sees the tree after a layer was added.
    fn added(&mut self, _layer: usize, _tree: &Merge) {}
}

/// Nobody reads the story.
struct NoReader;

impl StoryReader for NoReader {
    fn wants(&self, _layer: usize) -> bool {
        false
    }

    fn see(&mut self, _layer: usize, _below: &Merge, _event: LayerEvent<'_>) {}
}

/// Returns true if the last bytes of a gzip stream are the footer of eStargz: an empty
/// member, whose extra field ends in `STARGZ`.
fn is_estargz_footer(tail: &[u8]) -> bool {
    let ends_so = |length: usize, at: usize| {
        let footer = tail.len().checked_sub(length).map(|start| &tail[start..]);
        footer.is_some_and(|footer| {
            footer.starts_with(&[0x1f, 0x8b, 8, 4]) && footer[at..].starts_with(b"STARGZ")
        })
    };
    ends_so(ESTARGZ_FOOTER, 32) || ends_so(ESTARGZ_OLD_FOOTER, 28)
}
