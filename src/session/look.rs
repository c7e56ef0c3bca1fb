//! The operations that only look at images.

use std::io::Write;

use crate::error::{Error, Place, Result};
use crate::format::source::ImageSource;
use crate::format::{Input, Opening};
use crate::merge::PathPattern;
use crate::ops::{
    self, DiffOptions, DiffReport, FileChange, FileTree, FilesOptions, HistoryReport,
    ImagesOptions, ImagesReport, InspectOptions, Inspection, LayerName, RawDocument, TextDiff,
    Verification, WasteOptions, WasteReport,
};
use crate::session::{Images, Session, Source};

impl Session<'_> {
    /// Returns the file system that a container of an image sees. Only headers are read,
    /// of compressed layers everything; layers are not compared with their digests.
    ///
    /// Memory is bounded by one record for each entry of the layers.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, or is missing, encrypted or for Windows, or if
    /// the image lacks one of the paths.
    pub fn files<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &FilesOptions,
    ) -> Result<FileTree> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::files(source, options, context)
        })
    }

    /// Returns the changes that one layer makes to the file system of the layers below
    /// it, or those of all layers, the lowest first.
    ///
    /// A path is a literal one here, through which no symbolic link is followed, unless
    /// the layers do not have it. Files of the same size are read, to compare their
    /// content. Memory and errors are otherwise those of [`files`](Self::files).
    pub fn file_changes<'s>(
        &self,
        source: impl Into<Source<'s>>,
        layer: Option<&LayerName>,
        options: &FilesOptions,
    ) -> Result<Vec<FileChange>> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::file_changes(source, layer, options, context)
        })
    }

    /// Copies the content of the regular files at [`FilesOptions::paths`] to an output,
    /// one after the other. In the merged file system symbolic links are followed, never
    /// out of it; in a single layer they are not.
    ///
    /// Of an uncompressed layer in a file, only headers and these files are read; layers
    /// are not compared with their digests.
    ///
    /// # Errors
    ///
    /// Fails as [`files`](Self::files) does, if one of the paths is not a regular file,
    /// and if the output fails, which messages call `to`.
    pub fn cat<'s>(
        &self,
        source: impl Into<Source<'s>>,
        layer: Option<&LayerName>,
        options: &FilesOptions,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<()> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::cat(source, layer, options, output, to, context)
        })
    }

    /// Compares two images, as a container sees them: their trees, platforms and run
    /// configurations. The order of entries and the dialect of a tar make no difference.
    ///
    /// Headers are read first, and then those files that have the same size in both
    /// images and come from different layers. Memory is bounded by one record for each
    /// entry of the layers of both images, and for each difference; content is never
    /// held in memory. Layers with the same diff_id count as the same, and layers are
    /// not compared with their digests.
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, if there are several and none is selected, or if
    /// a layer cannot be read, or is missing, encrypted or for Windows.
    pub fn diff<'s>(
        &self,
        a: impl Into<Source<'s>>,
        b: impl Into<Source<'s>>,
        options: &DiffOptions,
    ) -> Result<DiffReport> {
        let platform = options.platform.as_ref();
        self.with(a, self.opening(platform), |a, context| {
            self.with(b, self.opening(platform), |b, _| {
                ops::diff(a, b, options, context)
            })
        })
    }

    /// Compares the lines of one file in two images. Symbolic links are followed, never
    /// out of an image. Both files are held in memory; their size is limited
    /// ([`TEXT_MAX`](crate::limits::TEXT_MAX)).
    ///
    /// # Errors
    ///
    /// Fails as [`diff`](Self::diff) does, if neither image has the path, and if it is
    /// not a regular file, or a larger one.
    pub fn diff_text<'s>(
        &self,
        a: impl Into<Source<'s>>,
        b: impl Into<Source<'s>>,
        path: &PathPattern,
        options: &DiffOptions,
    ) -> Result<TextDiff> {
        let platform = options.platform.as_ref();
        self.with(a, self.opening(platform), |a, context| {
            self.with(b, self.opening(platform), |b, _| {
                ops::diff_text(a, b, path, options, context)
            })
        })
    }

    /// Lists the images of an input.
    ///
    /// In a folder, or an archive with random access, only documents and the headers of
    /// uncompressed layers are read, and only documents are verified. A compressed
    /// archive and a pipe are read to their end for the documents, and layers are
    /// unpacked only for [`SizeChoice::All`](crate::SizeChoice::All). Memory is bounded
    /// by the documents of one image and the report on the others.
    ///
    /// A root filesystem, and an archive of Docker before 1.10, have no document with
    /// the id of the image: it is computed from the whole layers.
    ///
    /// A layer that cannot be read, or has not the size in its descriptor, leaves the
    /// size of its image unknown, and causes a warning.
    ///
    /// # Errors
    ///
    /// Fails if a document cannot be read.
    pub fn images<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &ImagesOptions,
    ) -> Result<ImagesReport> {
        self.with(source, self.opening_documents(None), |source, context| {
            ops::images(source, options, context)
        })
    }

    /// Lists the images of several inputs, each as [`images`](Self::images) does, and
    /// returns the results in the same order. Layers of all inputs are read in parallel,
    /// and so all are open at once.
    ///
    /// # Errors
    ///
    /// The result of an input is an error if a document in it cannot be read.
    #[must_use]
    pub fn images_of_all(&self, inputs: Vec<(Input, ImagesOptions)>) -> Vec<Result<ImagesReport>> {
        let opened: Vec<(Result<Images>, ImagesOptions)> = inputs
            .into_iter()
            .map(|(input, options)| (Images::read(input, self.opening_documents(None)), options))
            .collect();
        let read = opened.iter();
        let read = read.filter_map(|(images, options)| Some((images.as_ref().ok()?, options)));
        let sources: Vec<(&dyn ImageSource, &ImagesOptions)> = read
            .map(|(images, options)| (images.source(), options))
            .collect();
        let mut reports = ops::images_of_all(&sources, self.context()).into_iter();
        let report = |(images, _): (Result<Images>, _)| {
            let next = |_| reports.next().unwrap_or(Err(Error::Interrupted));
            self.or_interrupted(images.and_then(next))
        };
        opened.into_iter().map(report).collect()
    }

    /// Returns all facts about one image from its documents and headers. It reads as
    /// much as [`images`](Self::images).
    ///
    /// # Errors
    ///
    /// Fails if there is no such image, if there are several and none is selected, or
    /// if a document cannot be read.
    pub fn inspect<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &InspectOptions,
    ) -> Result<Inspection> {
        let opening = self.opening_documents(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::inspect(source, options, context)
        })
    }

    /// Returns the history of one image. Cost and errors are those of
    /// [`inspect`](Self::inspect).
    pub fn history<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &InspectOptions,
    ) -> Result<HistoryReport> {
        let opening = self.opening_documents(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::history(source, options, context)
        })
    }

    /// Finds the files of an image that nobody sees, since later layers delete or replace
    /// them, and plans the squashes that would drop them.
    ///
    /// The headers of all layers are read, and the content of files that were replaced
    /// by others of the same size; nothing is verified. Memory is bounded by two records
    /// for each entry of the layers.
    ///
    /// # Errors
    ///
    /// Fails if a layer cannot be read, or is missing, encrypted or for Windows.
    pub fn waste<'s>(
        &self,
        source: impl Into<Source<'s>>,
        options: &WasteOptions,
    ) -> Result<WasteReport> {
        let opening = self.opening(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::waste(source, options, context)
        })
    }

    /// Returns a document of one image, exactly as it is stored.
    ///
    /// # Errors
    ///
    /// Fails as [`inspect`](Self::inspect) does, and if there is no such document: a
    /// docker archive from before Docker 25 has neither a manifest nor an index.
    pub fn raw_document<'s>(
        &self,
        source: impl Into<Source<'s>>,
        document: RawDocument,
        options: &InspectOptions,
    ) -> Result<Vec<u8>> {
        let opening = self.opening_documents(options.platform.as_ref());
        self.with(source, opening, |source, context| {
            ops::raw_document(source, document, options, context)
        })
    }

    /// Reads the whole input, and finds every fault: in its documents, in digests,
    /// sizes and diff_ids, and in the entries of its layers. Each layer is read once,
    /// several in parallel.
    ///
    /// It does not accept [`Images`], since an input with such faults may not open.
    /// Memory is one record for each entry of the layers of one image, and of those
    /// that further images share.
    ///
    /// # Errors
    ///
    /// Fails only if the input cannot be read, or holds nothing that could be an image.
    /// Faults in it are not errors here.
    pub fn verify(&self, input: Input) -> Result<Verification> {
        let opening = Opening {
            format: input.format,
            ..self.opening(None)
        };
        self.or_interrupted(ops::verify(input, &opening, self.context()))
    }
}
