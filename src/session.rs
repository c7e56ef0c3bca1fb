//! The entry point: the settings that operations share, opened inputs and begun
//! outputs.

mod append;
mod delta;
mod edit;
mod look;
mod partial;
mod rebase;
mod remove;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use crate::digest::DiffId;
use crate::error::Result;
use crate::event::{Event, Watch};
use crate::format::sink::ImageSink;
use crate::format::source::ImageSource;
use crate::format::{self, Format, Input, Opening, Output, RootfsInput, RootfsSink, Tolerance};
use crate::image::{Platform, Timestamp};
use crate::ops::{
    self, ConvertOptions, ExportOptions, ExportReport, ExtractOptions, ExtractReport, FolderSink,
    ImageConfig, ImportOptions, Selector, SquashOptions, SquashReport, WriteReport,
};
use crate::transfer::Context;

mod convert;

/// The settings that all operations share: the number of jobs, the directory for
/// temporary files, the observer, the flag that stops them, the creation time of new
/// content.
///
/// Its methods are the operations. They read a [`Source`], which is an [`Input`] or
/// opened [`Images`], and write to a [`Target`], which is an [`Output`] or a begun
/// [`PendingOutput`]. An operation that gets the input and the output themselves knows
/// most, and so costs least:
///
/// - It begins the output before it reads the input. If the output cannot be created,
///   nothing has been read in vain.
/// - A pipe into a layout becomes files of the layout as it arrives. Any other pipe is
///   kept in a temporary file, which releases the space of each layer once that is
///   written, and is hashed on arrival if its layers are to stay unchanged.
/// - A root filesystem, which has no platform of its own, becomes an image for the
///   platform in the options.
///
/// An input for several operations is [opened](Self::open) once. An output is
/// [begun](Self::begin) on its own if anything else is read before the operation.
///
/// ```
/// use restow::Session;
///
/// let session = Session::new().jobs(4).on_event(|event| eprintln!("{event:?}"));
/// ```
///
/// # Errors
///
/// Every operation fails with [`Error::Interrupted`](crate::Error::Interrupted) once
/// the flag is set.
pub struct Session<'a> {
    jobs: NonZeroUsize,
    temporary_directory: PathBuf,
    observer: Box<dyn Fn(Event<'_>) + Send + Sync + 'a>,
    interrupt: Arc<AtomicBool>,
    created: Option<Timestamp>,
}

/// The source of an operation.
#[derive(Debug)]
pub enum Source<'a> {
    /// An input, which the operation opens.
    Input(Input),
    /// Images that are already open.
    Images(&'a Images),
}

impl From<Input> for Source<'_> {
    fn from(input: Input) -> Self {
        Self::Input(input)
    }
}

impl<'a> From<&'a Images> for Source<'a> {
    fn from(images: &'a Images) -> Self {
        Self::Images(images)
    }
}

/// The destination of an operation's images.
#[derive(Debug)]
pub enum Target {
    /// An output, which the operation begins.
    Output(Output),
    /// An output that was already begun.
    Pending(PendingOutput),
}

impl From<Output> for Target {
    fn from(output: Output) -> Self {
        Self::Output(output)
    }
}

impl From<PendingOutput> for Target {
    fn from(output: PendingOutput) -> Self {
        Self::Pending(output)
    }
}

/// An opened input: the images in it.
#[derive(Debug)]
pub struct Images(Box<dyn ImageSource>);

impl Images {
    /// The detected format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.0.format()
    }

    fn read(input: Input, opening: Opening<'_>) -> Result<Self> {
        let opening = Opening {
            format: input.format,
            ..opening
        };
        Ok(Self(format::open(input, &opening)?))
    }

    fn of(source: Box<dyn ImageSource>) -> Self {
        Self(source)
    }

    pub(crate) fn source(&self) -> &dyn ImageSource {
        self.0.as_ref()
    }
}

/// An output of images that was begun. No part of it is visible before an operation has
/// finished it, and nothing remains if it is dropped.
pub struct PendingOutput(Box<dyn ImageSink>);

impl fmt::Debug for PendingOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PendingOutput")
            .field(&self.0.place())
            .finish()
    }
}

impl Default for Session<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Session<'a> {
    /// A session with one job per core, temporary files in `/tmp`, and no observer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            jobs: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            temporary_directory: "/tmp".into(),
            observer: Box::new(|_| ()),
            interrupt: Arc::default(),
            created: None,
        }
    }

    /// Sets the number of blobs that are processed, and of blocks that are compressed,
    /// in parallel. 0 means 1. It does not affect any output.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets the directory for temporary files. They are needed if a pipe has to be read
    /// more than once, or a compressed archive out of order.
    #[must_use]
    pub fn temporary_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.temporary_directory = directory.into();
        self
    }

    /// Sets the receiver of progress and warnings. Several threads may call it at once.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(Event<'_>) + Send + Sync + 'a) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Sets the flag that stops a running operation as soon as it is true.
    #[must_use]
    pub fn interrupted_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupt = flag;
        self
    }

    /// Sets the creation time of new content, for example to [`SOURCE_DATE_EPOCH`].
    ///
    /// By default an imported image and an added layer have the time of their newest file,
    /// and a merged layer the latest time of the layers in it; directories for which no layer has an entry
    /// are dated 1970.
    ///
    /// [`SOURCE_DATE_EPOCH`]: https://reproducible-builds.org/specs/source-date-epoch/
    #[must_use]
    pub fn created(mut self, time: impl Into<Option<Timestamp>>) -> Self {
        self.created = time.into();
        self
    }

    /// Opens an input for several operations.
    ///
    /// A pipe is kept in a temporary file as long as the images live. A root filesystem
    /// becomes an image for the host's platform.
    ///
    /// # Errors
    ///
    /// Fails if the input cannot be read, or does not hold images.
    pub fn open(&self, input: Input) -> Result<Images> {
        let opening = Opening {
            is_read_once: false,
            ..self.opening(None)
        };
        self.or_interrupted(Images::read(input, opening))
    }

    /// Begins an output of images, to detect obstacles before anything else is read.
    ///
    /// # Errors
    ///
    /// Fails if the output exists and may not be replaced, cannot be written, or has a
    /// format that only [`export`](Self::export) writes.
    pub fn begin(&self, output: Output) -> Result<PendingOutput> {
        let sink = format::create(
            output,
            self.jobs,
            &self.interrupt,
            &self.temporary_directory,
        )?;
        Ok(PendingOutput(sink))
    }

    /// Copies images from any format to any other.
    ///
    /// Memory is bounded by the documents of the images and a fixed number of buffers,
    /// and, for a bare root filesystem, by one record for each entry; a layer's content
    /// is never held in memory.
    ///
    /// # Errors
    ///
    /// Fails if anything that is read does not match its digest, size or `diff_id`.
    /// Nothing is visible then, except what was already written to a stream.
    pub fn convert<'s>(
        &self,
        source: impl Into<Source<'s>>,
        target: impl Into<Target>,
        options: &ConvertOptions,
    ) -> Result<WriteReport> {
        self.convert_all(vec![(source.into(), None)], target, options)
    }

    /// Merges layers of an image, and writes the result.
    ///
    /// Memory is bounded by one record for each entry of the layers up to the highest
    /// merged one; content is never held in memory.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, does not match its digest and `diff_id`, or
    /// cannot be merged because it is missing, encrypted or for Windows. Nothing is
    /// visible then, except what was already written to a stream.
    pub fn squash<'s>(
        &self,
        source: impl Into<Source<'s>>,
        target: impl Into<Target>,
        options: &SquashOptions,
    ) -> Result<SquashReport> {
        let sink = self.sink(target)?;
        let staging = sink.staging().map(Path::to_owned);
        let opening = Opening {
            staging: staging.as_deref(),
            ..self.opening(options.platform.as_ref())
        };
        self.with(source, opening, |source, context| {
            ops::squash(source, Some(sink), options, context)
        })
    }

    /// Plans a [`squash`](Self::squash) without doing it. Only headers are read, and
    /// nothing is verified.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read or merged.
    pub fn plan_squash<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &SquashOptions,
    ) -> Result<SquashReport> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::squash(source, None, options, context)
        })
    }

    /// Returns the diff_ids of an image, the lowest first, as expected by
    /// [`LayerChoice::Above`](crate::LayerChoice::Above).
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, or if there are several and none is selected.
    pub fn diff_ids<'s>(
        &self,
        source: impl Into<Source<'s>>,
        image: Option<&Selector>,
        platform: Option<&Platform>,
    ) -> Result<Vec<DiffId>> {
        self.with(source, self.opening(platform), |source, context| {
            ops::diff_ids(source, image, platform, context)
        })
    }

    /// Writes the merged root filesystem of an image, as `docker export` does: without
    /// whiteouts, and with an entry for every directory. The output has
    /// [`Format::Rootfs`].
    ///
    /// Memory is bounded by one record for each entry of the layers; content is never
    /// held in memory.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, does not match its digest and `diff_id`, or is
    /// missing, encrypted or for Windows. Nothing is visible then, except what was
    /// already written to a stream.
    pub fn export<'s>(
        &self,
        source: impl Into<Source<'s>>,
        output: Output,
        options: &ExportOptions,
    ) -> Result<ExportReport> {
        let sink = RootfsSink::create(output)?;
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::export(source, sink, options, context)
        })
    }

    /// Writes the merged tree of an image as files below `folder`, which must be empty or
    /// not exist yet: with owners, modes, times, extended attributes, hard links and
    /// devices as far as this process may set them; [`ExtractReport`] and warnings tell of
    /// the others. Nothing outside of the folder is written, whatever the image holds.
    ///
    /// Memory is bounded by one record for each entry of the layers; content is never
    /// held in memory.
    ///
    /// # Errors
    ///
    /// Fails as [`export`](Self::export) does, and if a path in the options does not exist
    /// in the image. Nothing remains then.
    pub fn extract<'s>(
        &self,
        source: impl Into<Source<'s>>,
        folder: impl AsRef<Path>,
        options: &ExtractOptions,
    ) -> Result<ExtractReport> {
        let sink = FolderSink::create(folder.as_ref())?;
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::extract(source, sink, options, context)
        })
    }

    /// Makes an image of a root filesystem: the unpacked bytes of a tar, or the content of
    /// a folder packed in the order of names, become its only layer.
    ///
    /// The input is read once, or twice if it is a file and the output a stream, which
    /// needs a layer's size and digest before its bytes. Memory is one record for each
    /// entry. Of a folder, owners, modes, times, hard links, devices and those extended
    /// attributes are kept that do not belong to the machine; no link is followed.
    ///
    /// # Errors
    ///
    /// Fails if the input is empty, damaged, not a tar, or an archive of images that is
    /// not declared to be a root filesystem, or if it has an entry that every engine
    /// refuses; or if a file of a folder changes its size while it is read. Nothing is visible then, except what was already written to a stream.
    pub fn import(
        &self,
        input: Input,
        target: impl Into<Target>,
        options: &ImportOptions,
    ) -> Result<WriteReport> {
        let sink = self.sink(target)?;
        let input = RootfsInput::new(input)?;
        self.or_interrupted(ops::import(input, sink, options, self.context()))
    }

    /// Returns the config of an image, for [`ImportOptions::config`].
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, or if there are several and none is selected.
    pub fn config<'s>(
        &self,
        source: impl Into<Source<'s>>,
        image: Option<&Selector>,
        platform: Option<&Platform>,
    ) -> Result<ImageConfig> {
        self.with(source, self.opening(None), |source, context| {
            ops::config(source, image, platform, context)
        })
    }

    fn watch(&self) -> Watch<'_> {
        Watch::new(&*self.observer, &self.interrupt)
    }

    fn context(&self) -> Context<'_> {
        Context {
            watch: self.watch(),
            jobs: self.jobs,
            temporary_directory: &self.temporary_directory,
            created: self.created,
        }
    }

    /// Replaces any failure after the flag was set by `Error::Interrupted`, since its
    /// cause no longer concerns the caller.
    fn or_interrupted<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.or_interrupted(&self.watch()))
    }

    /// The options for opening an input that is only read.
    fn opening<'s>(&'s self, platform: Option<&'s Platform>) -> Opening<'s> {
        Opening {
            format: None,
            staging: None,
            temporary_directory: &self.temporary_directory,
            measures: false,
            is_read_once: true,
            tolerance: Tolerance::None,
            is_completed: false,
            platform,
            created: self.created,
            watch: self.watch(),
        }
    }

    /// The options for opening an input of which no layer is needed.
    fn opening_documents<'s>(&'s self, platform: Option<&'s Platform>) -> Opening<'s> {
        Opening {
            tolerance: Tolerance::LayerSizes,
            ..self.opening(platform)
        }
    }

    fn sink(&self, target: impl Into<Target>) -> Result<Box<dyn ImageSink>> {
        match target.into() {
            Target::Output(output) => Ok(self.begin(output)?.0),
            Target::Pending(output) => Ok(output.0),
        }
    }

    /// Does `work` with a source, which is first opened with `opening` if it is not
    /// open.
    fn with<'s, T>(
        &self,
        source: impl Into<Source<'s>>,
        opening: Opening<'_>,
        work: impl FnOnce(&dyn ImageSource, Context<'_>) -> Result<T>,
    ) -> Result<T> {
        let result = match source.into() {
            Source::Images(images) => work(images.source(), self.context()),
            Source::Input(input) => {
                let opened = Images::read(input, opening);
                opened.and_then(|images| work(images.source(), self.context()))
            }
        };
        self.or_interrupted(result)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("jobs", &self.jobs)
            .field("temporary_directory", &self.temporary_directory)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
