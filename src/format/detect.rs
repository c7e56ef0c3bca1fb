//! What an input is: found out from its content, never from its name.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;

use crate::error::{Error, InputKind, Place, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::Format;
use crate::format::container::{
    Container, Directory, ForwardTar, KnownHashes, Received, RootfsFile, SeekableTar, hash_layers,
    is_of_archive, not_an_image, receive, unpacked_head,
};
use crate::format::control_files::MANIFEST;
use crate::format::docker_archive::{self, DockerArchive};
use crate::format::folder::{check_layout, folder};
use crate::format::input::{Input, InputBytes};
use crate::format::misplaced::{is_image_member, refuse_misplaced};
use crate::format::oci_layout::{self, OciLayout};
use crate::format::root::Root;
use crate::format::rootfs::{Rootfs, warn_of_leftover, warn_of_tar, warn_of_trailing};
use crate::format::source::{Content, DockerPart, ImageSource};
use crate::image::{Document, Index, Platform, Timestamp};
use crate::stream::{
    Compression, CopyError, FileSlice, HEAD_LENGTH, ProgressReader, SNIFF_LENGTH, TeeReader, copy,
    read_head, spool_in, unpacked,
};
use crate::tar_stream::is_no_tar;

/// What it takes to open an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    /// The format that the user named, if any.
    pub format: Option<Format>,
    /// The folder in which members of a stream may become files, on the file
    /// system of the output, if the output can take files.
    pub staging: Option<&'a Path>,
    /// The folder for a temporary file, if a stream must be kept.
    pub temporary_directory: &'a Path,
    /// Whether layers of a stream that must be kept are hashed meanwhile: for an output
    /// that most of them will be passed on to.
    pub measures: bool,
    /// Whether a single operation reads it, so that a temporary file can give the space of
    /// each layer back once that is written.
    pub is_read_once: bool,
    /// The platform of an image that is made from a rootfs.
    pub platform: Option<&'a Platform>,
    /// The time of creation of an image that is made from a rootfs; by default that of
    /// the newest entry.
    pub created: Option<Timestamp>,
    /// The caller.
    pub watch: Watch<'a>,
}

/// Opens an input, whatever it is.
///
/// A file is read where it lies. A pipe, or a compressed file for an output that
/// can take files, is taken apart as it comes where `staging` allows it; else a
/// pipe is kept in a temporary file without a name, as it came.
pub(crate) fn open(input: Input, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
    let place = input.place();
    match open_input(input, opening) {
        Ok(source) => Ok(Box::new(LocatedSource { place, source })),
        Err(error) => Err(error.while_reading(place)),
    }
}

/// A source that says where it is when it fails.
#[derive(Debug)]
struct LocatedSource {
    place: Place,
    source: Box<dyn ImageSource>,
}

impl ImageSource for LocatedSource {
    fn format(&self) -> Format {
        self.source.format()
    }

    fn container(&self) -> &dyn Container {
        self.source.container()
    }

    fn roots(&self) -> Result<&[Root]> {
        match self.source.roots() {
            Ok([]) => Err(Error::NoImage.while_reading(self.place.clone())),
            roots => roots,
        }
    }

    fn load(&self, root: &Root) -> Result<Content> {
        let content = self.source.load(root);
        content.map_err(|error| error.while_reading(self.place.clone()))
    }

    fn index(&self) -> Option<&Document<Index>> {
        self.source.index()
    }

    fn docker_part(&self) -> Option<&DockerPart> {
        self.source.docker_part()
    }
}

fn open_input(input: Input, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
    match input.bytes {
        InputBytes::Path(path) => {
            let metadata = fs::metadata(&path)?;
            if metadata.is_dir() {
                return open_directory(&path, opening);
            }
            let file = File::open(&path)?;
            if metadata.is_file() {
                open_file(file, 0, opening)
            } else {
                open_pipe(Box::new(file), opening)
            }
        }
        InputBytes::File(mut file) => {
            let start = io::Seek::stream_position(&mut file)?;
            open_file(file, start, opening)
        }
        InputBytes::Pipe(stream) => open_pipe(stream, opening),
    }
}

fn open_directory(path: &Path, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
    let expected = match opening.format {
        None | Some(Format::OciDirectory) => {
            check_layout(path)?;
            let layout = OciLayout::open(Box::new(Directory::new(path)), Format::OciDirectory)?;
            return Ok(Box::new(layout));
        }
        Some(Format::DockerArchive | Format::OciArchive) => InputKind::Archive,
        Some(Format::Rootfs) => InputKind::Tar,
    };
    let folder = folder(path);
    Err(Error::OtherFolder { folder, expected })
}

fn open_file(file: File, start: u64, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
    opening.watch.send(Event::Step(Step::Indexing));
    let compression = Compression::sniff(&read_head(FileSlice::from(&file, start)?, SNIFF_LENGTH)?);
    if compression == Compression::None {
        return open_tar(PlainTar::new(file, start), opening);
    }
    if let (Some(staging), false) = (opening.staging, opening.format == Some(Format::Rootfs)) {
        let range = FileSlice::from(&file, start)?;
        let stream = ProgressReader::new(range, opening.watch);
        match open_stream(stream, compression, staging, opening) {
            // Its beginning was misleading; a file can be read once more.
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
    let tar = ForwardTar::open(file, start, compression, &opening.watch);
    let tar = tar.map_err(|error| explain(error, &unpacked))?;
    let leftover = tar.leftover();
    match open_images(tar, opening)? {
        Ok(source) => {
            warn_of_leftover(&leftover, &opening.watch);
            Ok(source)
        }
        Err(tar) => {
            let (file, start, compression) = tar.into_file()?;
            open_rootfs(file, start, compression, None, opening)
        }
    }
}

fn open_pipe(stream: Box<dyn Read + Send>, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
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
    let tar = PlainTar {
        measured: opening.is_read_once.then_some(measured),
        ..PlainTar::new(file, 0)
    };
    open_tar(tar, opening)
}

/// Takes a stream apart into the staging folder.
fn open_stream<'a>(
    stream: impl Read + Send + 'a,
    compression: Compression,
    staging: &Path,
    opening: &Opening<'_>,
) -> Result<Box<dyn ImageSource>> {
    let stream = unpacked(compression, stream)?;
    let leftover = stream.get_ref().leftover();
    let keep_whole = opening.format == Some(Format::Rootfs);
    let open = || match receive(Box::new(stream), staging, keep_whole, &opening.watch)? {
        Received::Members(tar) => open_images(tar, opening)?.map_err(|_| {
            // It began like an archive, so it was not kept whole.
            Error::NotOfFormat {
                expected: InputKind::WholeArchive,
                missing: "`manifest.json` or `index.json`",
            }
        }),
        Received::Whole(path) => {
            let tar = PlainTar {
                received: Some(path.clone()),
                ..PlainTar::new(File::open(&path)?, 0)
            };
            open_tar(tar, opening)
        }
    };
    let source = open()?;
    warn_of_leftover(&leftover, &opening.watch);
    Ok(source)
}

/// A plain tar in a file, of images or of a root filesystem.
struct PlainTar {
    file: File,
    /// Where in the file it begins.
    start: u64,
    /// Where the file lies if it was received, so that it may be moved.
    received: Option<PathBuf>,
    /// What is known of members from when it was kept, by their positions, if it is a
    /// temporary file.
    measured: Option<HashMap<u64, KnownHashes>>,
}

impl PlainTar {
    fn new(file: File, start: u64) -> Self {
        Self {
            file,
            start,
            received: None,
            measured: None,
        }
    }
}

fn open_tar(plain: PlainTar, opening: &Opening<'_>) -> Result<Box<dyn ImageSource>> {
    let head = read_head(FileSlice::from(&plain.file, plain.start)?, HEAD_LENGTH)?;
    if head.is_empty() {
        return Err(Error::Empty);
    }
    let tar = SeekableTar::open(plain.file, plain.start);
    let tar = tar.map_err(|error| explain(error, &head))?;
    if tar.is_empty() && tar.end().trailing.is_some() {
        return Err(not_an_image(&head));
    }
    let tar = match plain.measured {
        Some(measured) => tar.into_temporary(measured),
        None => tar,
    };
    match open_images(tar, opening)? {
        Ok(source) => Ok(source),
        Err(tar) => {
            let (file, start) = tar.into_file();
            open_rootfs(file, start, Compression::None, plain.received, opening)
        }
    }
}

fn open_rootfs(
    file: File,
    start: u64,
    compression: Compression,
    received: Option<PathBuf>,
    opening: &Opening<'_>,
) -> Result<Box<dyn ImageSource>> {
    let tar = RootfsFile::scan(file, start, compression, received, &opening.watch)?;
    if tar.unpacked.size == 0 {
        return Err(Error::Empty);
    }
    let summary = tar.summary;
    if summary.is_empty && summary.trailing.is_some() {
        return Err(not_an_image(&tar.file.head()?));
    }
    warn_of_tar(&summary, &tar.leftover, &opening.watch);
    Ok(Box::new(Rootfs::new(
        tar,
        opening.platform,
        opening.created,
    )?))
}

/// Opens a tar that holds images; a root filesystem is handed back.
fn open_images<C: Container + 'static>(
    tar: C,
    opening: &Opening<'_>,
) -> Result<std::result::Result<Box<dyn ImageSource>, C>> {
    let kind = kind_of(&tar, opening.format)?;
    let end = tar.end();
    let source: Box<dyn ImageSource> = match kind {
        Kind::Rootfs => return Ok(Err(tar)),
        Kind::Docker => Box::new(DockerArchive::open(Box::new(tar), &opening.watch)?),
        Kind::Oci => Box::new(OciLayout::open(Box::new(tar), Format::OciArchive)?),
    };
    if end.cut_off_at.is_some() {
        opening.watch.warn(Warning::EndMissing);
    }
    warn_of_trailing(end.trailing, &opening.watch);
    Ok(Ok(source))
}

/// The kinds of tar.
pub(super) enum Kind {
    Docker,
    Oci,
    Rootfs,
}

/// Tells what a tar is by what it holds, or checks that it is what the user said.
pub(super) fn kind_of(container: &dyn Container, format: Option<Format>) -> Result<Kind> {
    match format {
        Some(Format::Rootfs) => return Ok(Kind::Rootfs),
        Some(Format::DockerArchive) => {
            // With the user's word for it, whatever is wrong with the file is told.
            let has_manifest = container.find(MANIFEST)?.is_some();
            return if has_manifest || docker_archive::is_docker_archive(container)? {
                Ok(Kind::Docker)
            } else {
                Err(Error::NotOfFormat {
                    expected: InputKind::DockerArchive,
                    missing: "`manifest.json`",
                })
            };
        }
        Some(Format::OciArchive) => return Ok(Kind::Oci),
        Some(Format::OciDirectory) => {
            return Err(Error::NotOfFormat {
                expected: InputKind::OciDirectory,
                missing: "the folder",
            });
        }
        None => {}
    }
    let kind = kind_of_tar(container)?;
    if matches!(kind, Kind::Rootfs) {
        refuse_misplaced(container, &mut |member| is_image_member(container, member))?;
    }
    Ok(kind)
}

/// Tells what a tar is by what it holds.
pub(super) fn kind_of_tar(container: &dyn Container) -> Result<Kind> {
    if docker_archive::is_docker_archive(container)? {
        Ok(Kind::Docker)
    } else if oci_layout::is_layout(container)? {
        Ok(Kind::Oci)
    } else if container.paths().iter().any(|path| is_of_archive(path)) {
        Err(Error::NotOfFormat {
            expected: InputKind::WholeArchive,
            missing: "`manifest.json` or `index.json`",
        })
    } else {
        Ok(Kind::Rootfs)
    }
}

/// Keeps a stream in a temporary file, as it came, and returns what is known of its
/// members, by their positions, if that is wanted.
pub(super) fn spool(
    stream: impl Read,
    opening: &Opening<'_>,
) -> Result<(File, HashMap<u64, KnownHashes>)> {
    let place = || Place::Temporary {
        directory: opening.temporary_directory.to_owned(),
    };
    let directory = opening.temporary_directory;
    let mut spool = spool_in(directory).map_err(|error| Error::write(place(), error))?;
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
    let rewound = spool.rewind();
    rewound.map_err(|error| Error::read(place(), error))?;
    Ok((spool, measured.unwrap_or_default()))
}

/// A stream that is no tar from its very beginning is no broken tar: it is
/// something else.
pub(super) fn explain(error: Error, head: &[u8]) -> Error {
    match error {
        Error::Tar(error) if is_no_tar(&error, head) => not_an_image(head),
        error => error,
    }
}
