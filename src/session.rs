//! The front door: what all operations share, inputs opened and outputs begun.

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
use crate::format::{self, Format, Input, Opening, Output, RootfsInput, RootfsSink};
use crate::image::{Platform, Timestamp};
use crate::ops::{
    self, CompressionChoice, ConvertOptions, ExportOptions, ExportReport, HistoryReport,
    ImageConfig, ImagesOptions, ImagesReport, ImportOptions, InspectOptions, Inspection,
    RawDocument, Selector, SquashOptions, SquashReport, Verification, WriteReport,
};
use crate::transfer::Context;

/// Everything that operations share: the number of jobs, the directory for temporary
/// files, the observer, the flag that stops them, the time of what is made anew.
///
/// Its methods are the operations. They read a [`Source`], which is an [`Input`] or
/// [`Images`] that are open, and write to a [`Target`], which is an [`Output`] or a
/// [`PendingOutput`] that was begun. An operation that is given an input and an output as
/// they are knows most, and so costs least:
///
/// - It begins the output before it reads the input. If the output is in the way, nothing
///   was read for nothing.
/// - A pipe that goes into a layout becomes files of the layout as it comes. Any other pipe
///   is kept in a temporary file, which gives the space of each layer back once that is
///   written, and is hashed meanwhile if its layers are to stay as they are.
/// - A root filesystem, which has no platform of its own, becomes an image for the platform
///   that the options ask for.
///
/// An input that several operations read is [opened](Self::open) once. An output is
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
/// Every operation fails with [`Error::Interrupted`](crate::Error::Interrupted) after the
/// flag was set.
pub struct Session<'a> {
    jobs: NonZeroUsize,
    temporary_directory: PathBuf,
    observer: Box<dyn Fn(Event<'_>) + Send + Sync + 'a>,
    interrupt: Arc<AtomicBool>,
    created: Option<Timestamp>,
}

/// What an operation reads.
#[derive(Debug)]
pub enum Source<'a> {
    /// An input, which the operation opens.
    Input(Input),
    /// Images that are open.
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

/// What an operation writes images to.
#[derive(Debug)]
pub enum Target {
    /// An output, which the operation begins.
    Output(Output),
    /// An output that was begun.
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

/// An input that was opened: the images in it.
#[derive(Debug)]
pub struct Images(Box<dyn ImageSource>);

impl Images {
    /// The format that was found.
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

    pub(crate) fn source(&self) -> &dyn ImageSource {
        self.0.as_ref()
    }
}

/// An output of images that was begun. Nothing of it is visible before an operation has
/// finished it, and nothing is left of it if it is dropped.
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
    /// A session with a job for each core, temporary files in `/tmp`, and nobody who watches.
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

    /// Sets how many blobs are worked on, and how many blocks are compressed, at once. 0 is
    /// taken for 1. No output depends on it.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// Sets the directory for temporary files. There is one if a pipe has to be read more
    /// than once, or a compressed archive in another order than it has.
    #[must_use]
    pub fn temporary_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.temporary_directory = directory.into();
        self
    }

    /// Sets who is told of progress and warnings. Several threads may call it at once.
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

    /// Sets the time of what is made anew, such as the value of [`SOURCE_DATE_EPOCH`].
    ///
    /// By default an imported image was made when its newest file was, and a merged layer
    /// when the latest of those in it was; directories that no layer has an entry for are of
    /// 1970.
    ///
    /// [`SOURCE_DATE_EPOCH`]: https://reproducible-builds.org/specs/source-date-epoch/
    #[must_use]
    pub fn created(mut self, time: impl Into<Option<Timestamp>>) -> Self {
        self.created = time.into();
        self
    }

    /// Opens an input that several operations will read.
    ///
    /// A pipe is kept in a temporary file as long as the images live. A root filesystem
    /// becomes an image for the host's platform.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or is nothing that holds images.
    pub fn open(&self, input: Input) -> Result<Images> {
        let opening = Opening {
            is_read_once: false,
            ..self.opening(None)
        };
        self.or_interrupted(Images::read(input, opening))
    }

    /// Begins an output of images, to learn of what is in its way before anything else is
    /// read.
    ///
    /// # Errors
    ///
    /// Fails if it is there and may not be replaced, cannot be written, or is of a format
    /// that [`export`](Self::export) writes.
    pub fn begin(&self, output: Output) -> Result<PendingOutput> {
        let sink = format::create(output, self.jobs, &self.temporary_directory)?;
        Ok(PendingOutput(sink))
    }

    /// Copies images from any format to any other.
    ///
    /// Memory is bounded by the documents of the images and a fixed number of buffers, and
    /// of a bare root filesystem by one record for each entry; a layer's content is never
    /// held.
    ///
    /// # Errors
    ///
    /// Fails if anything that is read is not what its digest, size or `diff_id` says.
    /// Nothing is visible then, but for what a stream has taken.
    pub fn convert<'s>(
        &self,
        source: impl Into<Source<'s>>,
        target: impl Into<Target>,
        options: &ConvertOptions,
    ) -> Result<WriteReport> {
        let sink = self.sink(target)?;
        let staging = sink.staging().map(Path::to_owned);
        let opening = Opening {
            staging: staging.as_deref(),
            measures: options.compress == CompressionChoice::Keep,
            ..self.opening(options.platform.as_ref())
        };
        self.with(source, opening, |source, context| {
            ops::convert(source, sink, options, context)
        })
    }

    /// Merges layers of an image, and writes it.
    ///
    /// Memory is bounded by one record for each entry of the layers up to the highest that
    /// is merged; content is never held.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, is not what its digest and `diff_id` say, or cannot
    /// be merged: one that is missing, encrypted or for Windows. Nothing is visible then,
    /// but for what a stream has taken.
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

    /// Finds out what [`squash`](Self::squash) would do. Headers are read, and nothing is
    /// verified.
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

    /// Returns the diff_ids of an image, the lowest first: those that
    /// [`LayerChoice::Above`](crate::LayerChoice::Above) wants.
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, or if there are several and none is named.
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

    /// Writes what all layers of an image show together, as `docker export` does: no
    /// whiteouts, and every directory with an entry of its own. The output has
    /// [`Format::Rootfs`].
    ///
    /// Memory is bounded by one record for each entry of the layers; content is never held.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, is not what its digest and `diff_id` say, or is
    /// missing, encrypted or for Windows. Nothing is visible then, but for what a stream has
    /// taken.
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

    /// Makes an image of a root filesystem in a tar: the bytes of the tar, unpacked, become
    /// its only layer.
    ///
    /// The input is read once; twice only if it is a file and the output a stream, which has
    /// to be told a layer's size and digest before its bytes. Memory is one record for each
    /// entry.
    ///
    /// # Errors
    ///
    /// Fails if the input is empty, damaged, no tar, or an archive of images and not said to
    /// be a root filesystem, or if it has an entry that every engine refuses. Nothing is
    /// visible then, but for what a stream has taken.
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
    /// Fails if there is no such image, or if there are several and none is named.
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

    /// Lists the images of an input.
    ///
    /// Of an archive that can be read at any place documents and the headers of plain layers
    /// are read, and nothing is verified but documents; layers that are compressed, or in a
    /// compressed archive, are unpacked. Memory is bounded by the documents of one image,
    /// and what is told of the others.
    ///
    /// A layer that cannot be read leaves the size of its image unknown, and is named in a
    /// warning.
    ///
    /// # Errors
    ///
    /// Fails if a document cannot be read.
    pub fn images<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &ImagesOptions,
    ) -> Result<ImagesReport> {
        self.with(source, self.opening(None), |source, context| {
            ops::images(source, options, context)
        })
    }

    /// Returns all that documents and headers say of one image. It reads as much as
    /// [`images`](Self::images).
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, if there are several and none is named, or if a
    /// document cannot be read.
    pub fn inspect<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &InspectOptions,
    ) -> Result<Inspection> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::inspect(source, options, context)
        })
    }

    /// Returns the history of one image. It costs, and fails, as [`inspect`](Self::inspect)
    /// does.
    pub fn history<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &InspectOptions,
    ) -> Result<HistoryReport> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::history(source, options, context)
        })
    }

    /// Returns a document of one image, as it is stored.
    ///
    /// # Errors
    ///
    /// Fails as [`inspect`](Self::inspect) does, and if there is no such document: a docker
    /// archive before Docker 25 has neither manifest nor index.
    pub fn raw_document<'s>(
        &self,
        source: impl Into<Source<'s>>,
        document: RawDocument,
        options: &InspectOptions,
    ) -> Result<Vec<u8>> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::raw_document(source, document, options, context)
        })
    }

    /// Reads an input whole, and finds every fault: in its documents, in what digests, sizes
    /// and diff_ids say, and in the entries of its layers, each of which is read once,
    /// several at the same time.
    ///
    /// It takes no [`Images`], since what has such faults may not open. Memory is one record
    /// for each entry of the layers of one image, and of those that further images have too.
    ///
    /// # Errors
    ///
    /// Fails only if the input cannot be read, or holds nothing that could be an image. What
    /// is wrong with it is no error here.
    pub fn verify(&self, input: Input) -> Result<Verification> {
        let opening = Opening {
            format: input.format,
            ..self.opening(None)
        };
        self.or_interrupted(ops::verify(input, &opening, self.context()))
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

    /// The result of an operation. A failure after the flag was set may have any other
    /// cause, which is none of the caller's concern.
    fn or_interrupted<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.or_interrupted(&self.watch()))
    }

    /// How an input is opened that is only read.
    fn opening<'s>(&'s self, platform: Option<&'s Platform>) -> Opening<'s> {
        Opening {
            format: None,
            staging: None,
            temporary_directory: &self.temporary_directory,
            measures: false,
            is_read_once: true,
            platform,
            created: self.created,
            watch: self.watch(),
        }
    }

    fn sink(&self, target: impl Into<Target>) -> Result<Box<dyn ImageSink>> {
        match target.into() {
            Target::Output(output) => Ok(self.begin(output)?.0),
            Target::Pending(output) => Ok(output.0),
        }
    }

    /// Does something with a source, which is opened so if it is not open.
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
