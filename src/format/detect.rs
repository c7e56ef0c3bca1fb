//! Detection of an input's format, from its content and never from its name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;

use crate::digest::Digest;
use crate::error::{Error, InputKind, Place, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::Format;
use crate::format::container::{
    Container, Directory, ForwardTar, KnownHashes, MemberIndex, Received, RootfsFile, SeekableTar,
    hash_layers, is_of_archive, not_an_image, receive, unpacked_head,
};
use crate::format::control_files::MANIFEST;
use crate::format::docker_archive::manifest_json::Element;
use crate::format::docker_archive::{DockerArchive, is_docker_archive, load_element};
use crate::format::folder::check_declared;
use crate::format::input::{Input, OpenBytes};
use crate::format::misplaced::{is_image_member, refuse_misplaced};
use crate::format::oci_layout::{check_marker, find_index, is_layout, load};
use crate::format::partial::{Kept, WithDocuments};
use crate::format::reader::{Opener, Tolerance};
use crate::format::root::{Root, Target};
use crate::format::rootfs::{rootfs_image, warn_of_leftover, warn_of_tar, warn_of_trailing};
use crate::format::source::{Content, DockerPart, Image, ImageSource};
use crate::image::{Config, Document, Index, Platform, Timestamp};
use crate::stream::{
    Compression, CopyError, FileSlice, GrowingFile, HEAD_LENGTH, ProgressReader, SNIFF_LENGTH,
    TeeReader, copy, read_head, spool_in, unpacked,
};
use crate::tar_stream::is_no_tar;

/// The options for opening an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    /// The format that the user named, if any.
    pub format: Option<Format>,
    /// The folder in which members of a stream may become files, on the file system of
    /// the output, if the output can contain files.
    pub staging: Option<&'a Path>,
    /// The folder for a temporary file, if a stream must be stored.
    pub temporary_directory: &'a Path,
    /// True to hash layers of a stream that must be stored: for an output to which most
    /// of them will be copied unchanged.
    pub measures: bool,
    /// True if only one operation reads it, so that a temporary file can release the
    /// space of each layer once that is written.
    pub is_read_once: bool,
    /// The faults at which it goes on.
    pub tolerance: Tolerance,
    /// True if a partial archive will be completed, so that it is read as the whole one.
    pub is_completed: bool,
    /// The platform of an image made from a rootfs.
    pub platform: Option<&'a Platform>,
    /// The creation time of an image made from a rootfs; by default that of the newest
    /// entry.
    pub created: Option<Timestamp>,
    /// The caller.
    pub watch: Watch<'a>,
}

/// Opens an input of any kind.
///
/// A file is read in place. A pipe, or a compressed file for an output that can contain
/// files, is split into its members on arrival if `staging` allows it; otherwise a pipe
/// is stored unchanged in a temporary file without a name.
pub(crate) fn open(input: Input, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
    let place = input.place();
    let images = open_input(input, opening);
    let images = images.map_err(|error| error.while_reading(place.clone()))?;
    Ok(Box::new(LocatedSource { place, images }))
}

/// Opens images that are not an input, but whose files a container makes: those of a
/// docker archive, or of an OCI archive. `place` is their name in messages.
pub(crate) fn open_container<'c>(
    container: Box<dyn Container + 'c>,
    format: Format,
    place: Place,
    opening: &Opening<'_>,
) -> Result<Box<dyn ImageSource + 'c>> {
    let images = match format {
        Format::DockerArchive => open_docker(container, opening),
        _ => open_layout(container, Format::OciArchive, opening),
    };
    let images = images.map_err(|error| error.while_reading(place.clone()))?;
    Ok(Box::new(LocatedSource { place, images }))
}

/// The images of an input of any kind.
#[derive(Debug)]
struct Images<'c> {
    format: Format,
    container: Box<dyn Container + 'c>,
    tolerance: Tolerance,
    roots: Vec<Root>,
    index: Option<Document<Index>>,
    docker_part: Option<DockerPart>,
    /// The images in `manifest.json`, or in an archive from before Docker 1.10.
    elements: Vec<(Element, Document<Config>)>,
    /// The image made of a root filesystem.
    whole: Option<Image>,
    /// The facts that a partial archive keeps.
    kept: Kept,
}

impl Images<'_> {
    fn load(&self, root: &Root) -> Result<Content> {
        let name = root.display_name();
        let container = self.container.as_ref();
        match &root.target {
            Target::Blob(descriptor) => {
                let opener = Opener::new(container).tolerating(self.tolerance);
                load(opener, descriptor, name)
            }
            Target::Element(number) => load_element(container, &self.elements[*number], &name),
            Target::Whole => {
                let whole = self.whole.clone().map(Content::Image);
                whole.ok_or(Error::NoImage)
            }
        }
    }
}

/// A source that adds its place to errors.
#[derive(Debug)]
struct LocatedSource<'c> {
    place: Place,
    images: Images<'c>,
}

impl ImageSource for LocatedSource<'_> {
    fn format(&self) -> Format {
        self.images.format
    }

    fn container(&self) -> &dyn Container {
        self.images.container.as_ref()
    }

    fn roots(&self) -> Result<&[Root]> {
        if self.images.roots.is_empty() {
            return Err(Error::NoImage.while_reading(self.place.clone()));
        }
        Ok(&self.images.roots)
    }

    fn load(&self, root: &Root) -> Result<Content> {
        let content = self.images.load(root);
        let mut content = content.map_err(|error| error.while_reading(self.place.clone()))?;
        content.mark_left_out(&self.images.kept.left_out, &self.place);
        Ok(content)
    }

    fn blob_order(&self) -> &[Digest] {
        &self.images.kept.blob_order
    }

    fn place(&self) -> Option<&Place> {
        Some(&self.place)
    }

    fn index(&self) -> Option<&Document<Index>> {
        self.images.index.as_ref()
    }

    fn docker_part(&self) -> Option<&DockerPart> {
        self.images.docker_part.as_ref()
    }
}

fn open_input(input: Input, opening: &Opening<'_>) -> Result<Images<'static>> {
    match input.bytes.open()? {
        OpenBytes::Folder(path) => open_directory(&path, opening),
        OpenBytes::File(file, start) => open_file(file, start, opening),
        OpenBytes::Pipe(stream) => open_pipe(stream, opening),
    }
}

fn open_directory(path: &Path, opening: &Opening<'_>) -> Result<Images<'static>> {
    check_declared(path, opening.format)?;
    let container = Box::new(Directory::new(path));
    open_layout(container, Format::OciDirectory, opening)
}

fn open_file(file: File, start: u64, opening: &Opening<'_>) -> Result<Images<'static>> {
    opening.watch.send(Event::Step(Step::Indexing));
    let compression = Compression::sniff(&read_head(FileSlice::from(&file, start)?, SNIFF_LENGTH)?);
    if compression == Compression::None {
        return open_tar(file, start, None, None, opening);
    }
    if let (Some(staging), false) = (opening.staging, opening.format == Some(Format::Rootfs)) {
        let range = FileSlice::from(&file, start)?;
        let stream = ProgressReader::new(range, opening.watch);
        match open_stream(stream, compression, staging, opening) {
            // Its start was misleading; a file can be read again.
            Err(Error::NotOfFormat { .. }) => {}
            result => return result,
        }
    }
    if opening.format == Some(Format::Rootfs) {
        return open_rootfs(file, start, compression, None, opening);
    }
    let unpacked = unpacked_head(&file, start, compression)?;
    if unpacked.is_empty() {
        return Err(Error::Empty);
    }
    let tar = ForwardTar::open(file.try_clone()?, start, compression, &opening.watch);
    let tar = tar.map_err(|error| explain(error, &unpacked))?;
    let leftover = tar.leftover();
    match open_images(tar, opening)? {
        Some(source) => {
            warn_of_leftover(&leftover, &opening.watch);
            Ok(source)
        }
        None => open_rootfs(file, start, compression, None, opening),
    }
}

fn open_pipe(stream: Box<dyn Read + Send>, opening: &Opening<'_>) -> Result<Images<'static>> {
    opening.watch.send(Event::Step(Step::Receiving));
    let mut stream = ProgressReader::new(stream, opening.watch);
    let head = read_head(&mut stream, SNIFF_LENGTH)?;
    let compression = Compression::sniff(&head);
    let stream = io::Cursor::new(head).chain(stream);
    if let Some(staging) = opening.staging {
        return open_stream(stream, compression, staging, opening);
    }
    let (file, measured) = spool(stream, opening)?;
    if compression != Compression::None {
        return open_file(file, 0, opening);
    }
    opening.watch.send(Event::Step(Step::Indexing));
    let measured = opening.is_read_once.then_some(measured);
    open_tar(file, 0, None, measured, opening)
}

/// Splits a stream into its members in the staging folder.
fn open_stream<'a>(
    stream: impl Read + Send + 'a,
    compression: Compression,
    staging: &Path,
    opening: &Opening<'_>,
) -> Result<Images<'static>> {
    let stream = unpacked(compression, stream)?;
    let leftover = stream.get_ref().leftover();
    let keep_whole = opening.format == Some(Format::Rootfs);
    let open = || match receive(Box::new(stream), staging, keep_whole, &opening.watch)? {
        // It must be one: it began like an archive, so it was not kept whole.
        Received::Members(tar) => open_images(tar, opening)?.ok_or_else(no_documents),
        Received::Whole(path) => open_tar(File::open(&path)?, 0, Some(path), None, opening),
    };
    let source = open()?;
    warn_of_leftover(&leftover, &opening.watch);
    Ok(source)
}

/// Opens an uncompressed tar in a file, of images or of a root filesystem.
///
/// `received` is the path of a received file, which may be moved. `measured` has the
/// hashes of members by their positions, computed when it was stored, if it is a
/// temporary file.
fn open_tar(
    file: File,
    start: u64,
    received: Option<PathBuf>,
    measured: Option<HashMap<u64, KnownHashes>>,
    opening: &Opening<'_>,
) -> Result<Images<'static>> {
    let head = read_head(FileSlice::from(&file, start)?, HEAD_LENGTH)?;
    if head.is_empty() {
        return Err(Error::Empty);
    }
    let tar = SeekableTar::open(file.try_clone()?, start);
    let tar = tar.map_err(|error| explain(error, &head))?;
    if is_empty(&tar) && tar.end().trailing.is_some() {
        return Err(not_an_image(&head));
    }
    let tar = match measured {
        Some(measured) => tar.into_temporary(measured),
        None => tar,
    };
    match open_images(tar, opening)? {
        Some(source) => Ok(source),
        None => open_rootfs(file, start, Compression::None, received, opening),
    }
}

fn open_rootfs(
    file: File,
    start: u64,
    compression: Compression,
    received: Option<PathBuf>,
    opening: &Opening<'_>,
) -> Result<Images<'static>> {
    let tar = RootfsFile::scan(file, start, compression, received, &opening.watch)?;
    if tar.unpacked.size == 0 {
        return Err(Error::Empty);
    }
    let summary = tar.summary;
    if summary.is_empty && summary.trailing.is_some() {
        return Err(not_an_image(&tar.file.head()?));
    }
    warn_of_tar(&summary, &tar.leftover, &opening.watch);
    let image = rootfs_image(&tar, opening.platform, opening.created)?;
    Ok(Images {
        format: Format::Rootfs,
        container: Box::new(tar.file),
        tolerance: opening.tolerance,
        roots: vec![Root::whole()],
        index: None,
        docker_part: None,
        elements: Vec::new(),
        whole: Some(image),
        kept: Kept::default(),
    })
}

/// Opens a tar of images; `None` if it is a root filesystem.
fn open_images(
    tar: impl Container + 'static,
    opening: &Opening<'_>,
) -> Result<Option<Images<'static>>> {
    let kind = kind_of(&tar, opening.format)?;
    let end = tar.end();
    let source = match kind {
        Kind::Rootfs => return Ok(None),
        Kind::Docker => open_docker(Box::new(tar), opening)?,
        Kind::Oci => open_layout(Box::new(tar), Format::OciArchive, opening)?,
    };
    if end.cut_off_at.is_some() {
        opening.watch.warn(Warning::EndMissing);
    }
    warn_of_trailing(end.trailing, &opening.watch);
    Ok(Some(source))
}

fn open_docker<'c>(
    container: Box<dyn Container + 'c>,
    opening: &Opening<'_>,
) -> Result<Images<'c>> {
    let tolerance = opening.tolerance;
    let (container, kept) = take_kept(container, opening)?;
    let DockerArchive {
        roots,
        index,
        part: docker_part,
        elements,
        ..
    } = DockerArchive::open(container.as_ref(), tolerance, &opening.watch)?;
    Ok(Images {
        format: Format::DockerArchive,
        container,
        tolerance,
        roots,
        index,
        docker_part,
        elements,
        whole: None,
        kept,
    })
}

/// The facts that a partial archive keeps. If it will be completed, the documents of the
/// whole archive take the places of its own.
fn take_kept<'c>(
    container: Box<dyn Container + 'c>,
    opening: &Opening<'_>,
) -> Result<(Box<dyn Container + 'c>, Kept)> {
    if !is_layout(container.as_ref())? {
        return Ok((container, Kept::default()));
    }
    let kept = find_index(container.as_ref())?.map(|index| Kept::read(&index));
    let mut kept = kept.unwrap_or_default();
    if !opening.is_completed || kept.left_out.is_empty() {
        kept.blob_order.clear();
        return Ok((container, kept));
    }
    let whole = WithDocuments::new(container, &kept);
    Ok((Box::new(whole), kept))
}

fn open_layout<'c>(
    container: Box<dyn Container + 'c>,
    format: Format,
    opening: &Opening<'_>,
) -> Result<Images<'c>> {
    let (container, kept) = take_kept(container, opening)?;
    check_marker(&mut Opener::new(container.as_ref()))?;
    let index = find_index(container.as_ref())?.ok_or(Error::NotOfFormat {
        expected: match format {
            Format::OciArchive => InputKind::OciArchive,
            _ => InputKind::OciLayout,
        },
        missing: "`index.json`",
    })?;
    let roots = index.view().manifests.iter().map(Root::from_index);
    Ok(Images {
        format,
        container,
        tolerance: opening.tolerance,
        roots: roots.collect(),
        index: Some(index),
        docker_part: None,
        elements: Vec::new(),
        whole: None,
        kept,
    })
}

/// The kinds of tar.
pub(super) enum Kind {
    Docker,
    Oci,
    Rootfs,
}

/// Determines the kind of a tar from its content, or checks that it is what the user
/// declared.
pub(super) fn kind_of(container: &dyn Container, format: Option<Format>) -> Result<Kind> {
    match format {
        Some(Format::Rootfs) => return Ok(Kind::Rootfs),
        Some(Format::DockerArchive) => {
            // If the user declared the format, every fault of the file is reported.
            let has_manifest = container.find(MANIFEST)?.is_some();
            return if has_manifest || is_docker_archive(container)? {
                Ok(Kind::Docker)
            } else {
                Err(Error::NotOfFormat {
                    expected: InputKind::DockerArchive,
                    missing: "`manifest.json`",
                })
            };
        }
        Some(Format::OciArchive) => return Ok(Kind::Oci),
        Some(Format::OciDirectory) => return Err(Error::NotAFolder),
        None => {}
    }
    let kind = kind_of_tar(container)?;
    if matches!(kind, Kind::Rootfs) {
        refuse_misplaced(container, &mut |member| is_image_member(container, member))?;
    }
    Ok(kind)
}

/// Determines the kind of a tar from its content.
pub(super) fn kind_of_tar(container: &dyn Container) -> Result<Kind> {
    if is_docker_archive(container)? {
        Ok(Kind::Docker)
    } else if is_layout(container)? {
        Ok(Kind::Oci)
    } else if is_part_of_archive(&container.paths()) {
        Err(no_documents())
    } else {
        Ok(Kind::Rootfs)
    }
}

/// True if these are the paths of an archive of images, or of its beginning: of one that is cut
/// off in its first blob there are only the folders of blobs.
fn is_part_of_archive(paths: &[&str]) -> bool {
    let is_folder = |path: &&str| ["blobs", "blobs/sha256", "blobs/sha512"].contains(path);
    let has_only_folders = !paths.is_empty() && paths.iter().all(is_folder);
    has_only_folders || paths.iter().any(|path| is_of_archive(path))
}

/// The error for an archive of images without the documents that connect them.
fn no_documents() -> Error {
    Error::NotOfFormat {
        expected: InputKind::WholeArchive,
        missing: "`manifest.json` or `index.json`",
    }
}

/// Stores a stream unchanged in a temporary file, and returns the hashes of its members
/// by their positions, if that is wanted.
pub(super) fn spool(
    stream: impl Read,
    opening: &Opening<'_>,
) -> Result<(File, HashMap<u64, KnownHashes>)> {
    let place = || Place::Temporary(opening.temporary_directory.to_owned());
    let directory = opening.temporary_directory;
    let failed = |error| Error::write(place(), error);
    let mut spool = GrowingFile::new(spool_in(directory).map_err(failed)?);
    let mut stream = TeeReader::new(stream);
    let teed = opening.measures.then(|| stream.tee());
    let measuring = |teed| {
        thread::Builder::new()
            .name("hash".to_owned())
            .spawn(move || hash_layers(teed))
    };
    let measuring = teed.map(measuring).transpose().map_err(Error::Thread)?;
    let copied = copy(&mut stream, &mut spool, &opening.watch);
    drop(stream);
    let measured = measuring.map(|thread| thread.join().unwrap_or_default());
    match copied {
        Ok(_) => {}
        Err(CopyError::Read(error)) => return Err(error.into()),
        Err(error) => return Err(Error::copy(Place::StandardInput, place(), error)),
    }
    let mut spool = spool.finish().map_err(failed)?;
    let rewound = spool.rewind();
    rewound.map_err(|error| Error::read(place(), error))?;
    Ok((spool, measured.unwrap_or_default()))
}

/// Returns true if a container is a tar without members.
pub(super) fn is_empty(container: &dyn Container) -> bool {
    container.index().is_some_and(MemberIndex::is_empty)
}

/// Corrects the error for a stream that is not a tar from its very start: it is not a
/// broken tar, but something else.
pub(super) fn explain(error: Error, head: &[u8]) -> Error {
    match error {
        Error::Tar(error) if is_no_tar(&error, head) => not_an_image(head),
        error => error,
    }
}
