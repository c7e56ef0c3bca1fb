//! What an input holds, right or wrong: read without stopping at the first fault.
//!
//! [`open`](super::open) follows the documents and fails where they lead nowhere.
//! Here every document is looked at for itself, and what is wrong with it becomes a
//! [`Finding`]. The layers and blobs that are left are for the caller to read.

mod config;
mod surveyor;

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::finding::{Code, Finding, Findings, Site};
use crate::format::container::{Container, Member, SingleFile, is_of_archive};
use crate::format::detect::{Input, Opening, Taken, take};
use crate::format::docker_archive::{self, survey_docker, survey_v1};
use crate::format::oci_layout::{is_layout, survey_layout};
use crate::format::{Format, docker_archive::MANIFEST};
use crate::image::Reference;
use crate::stream::Compression;
use crate::tar_stream::TarError;

pub(crate) use surveyor::chain_of;
pub(in crate::format) use surveyor::{Loose, Surveyor, digest_of_path, hash};

/// What an input holds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// What it is.
    pub(crate) format: Format,
    /// Where its files are.
    pub(crate) container: Box<dyn Container>,
    /// Every image, once.
    pub(crate) images: Vec<SurveyedImage>,
    /// Further files that have to be what a digest says.
    pub(crate) blobs: Vec<SurveyedBlob>,
    /// What is wrong with its documents.
    pub(crate) findings: Findings,
}

/// An image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct SurveyedImage {
    /// What findings call it.
    pub(crate) name: String,
    /// Its names that are references.
    pub(in crate::format) references: Vec<Reference>,
    /// The digest of its config.
    pub(in crate::format) config: Digest,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<SurveyedLayer>,
}

/// A layer, as far as something is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SurveyedLayer {
    /// Its bytes, if they are there.
    pub(crate) blob: Option<Member>,
    /// How they are compressed.
    pub(crate) compression: Compression,
    /// What the bytes must be, if a document or a path says it.
    pub(crate) digest: Option<Digest>,
    /// What they must unpack to.
    pub(crate) diff_id: Option<DiffId>,
    /// Whether they are a tar that can be looked into.
    pub(crate) is_readable: bool,
}

/// A file that has to be what a digest says.
#[derive(Clone, Debug)]
pub(crate) struct SurveyedBlob {
    pub(crate) member: Member,
    pub(crate) digest: Digest,
    pub(crate) site: Site,
}

/// Looks an input over, whatever it is.
///
/// # Errors
///
/// Fails if it cannot be read, or is nothing that holds images.
pub(crate) fn survey(input: Input, opening: &Opening<'_>) -> Result<Survey> {
    let place = input.place();
    let survey = || {
        let mut faults = Vec::new();
        let taken = take(input, opening, &mut faults)?;
        let mut findings = Findings::default();
        for fault in faults {
            findings.push(archive_finding(fault)?);
        }
        look_over(taken, findings, opening)
    };
    survey().map_err(|error| error.while_reading(place).or_interrupted(&opening.watch))
}

/// What is wrong with the tar around the images.
fn archive_finding(error: Error) -> Result<Finding> {
    let code = match &error {
        Error::MemberEscapes { .. } => Code::MemberEscapes,
        Error::ControlFileTwice { .. } => Code::MemberTwice,
        Error::Tar(TarError::Io(source)) | Error::System(source)
            if source.raw_os_error().is_some() =>
        {
            return Err(error);
        }
        Error::Tar(_) | Error::Compression { .. } | Error::System(_) => Code::ArchiveDamaged,
        _ => return Err(error),
    };
    Ok(Finding::new(code, Site::input(), chain_of(&error)))
}

/// What the files of an input are.
struct Kind {
    format: Format,
    has_docker: bool,
    has_layout: bool,
}

fn look_over(taken: Taken, findings: Findings, opening: &Opening<'_>) -> Result<Survey> {
    let kind = kind_of(&taken, opening.format)?;
    if kind.format == Format::Rootfs {
        let Some((file, start)) = taken.into_file()? else {
            return Err(Error::System(std::io::ErrorKind::IsADirectory.into()));
        };
        return rootfs(SingleFile::new(file, start)?);
    }
    let container = taken.into_container();
    let mut surveyor = Surveyor::new(container.as_ref(), findings);
    if container.cut_off_at().is_some() {
        surveyor.plain(Code::ArchiveEndMissing, Site::input());
    }
    let is_hybrid = kind.has_docker && kind.has_layout;
    if kind.has_layout {
        survey_layout(&mut surveyor, is_hybrid)?;
    }
    if kind.has_docker {
        if matches!(container.find(MANIFEST), Ok(None)) {
            survey_v1(&mut surveyor, &opening.watch)?;
        } else {
            survey_docker(&mut surveyor, is_hybrid)?;
        }
    }
    if !kind.has_docker && !kind.has_layout {
        surveyor.plain(Code::ManifestMissing, Site::input());
    }
    surveyor.unreferenced()?;
    let (images, blobs, findings) = surveyor.finish();
    Ok(Survey {
        format: kind.format,
        container,
        images,
        blobs,
        findings,
    })
}

/// Tells what is there by the files alone, or takes the user's word for it.
fn kind_of(taken: &Taken, format: Option<Format>) -> Result<Kind> {
    let container = taken.container();
    let not_of = |expected, missing| Error::NotOfFormat { expected, missing };
    if taken.is_directory() {
        return match format {
            None | Some(Format::OciDirectory) => Ok(Kind {
                format: Format::OciDirectory,
                has_docker: false,
                has_layout: true,
            }),
            Some(_) => Err(Error::System(std::io::ErrorKind::IsADirectory.into())),
        };
    }
    let has_manifest = matches!(container.find(MANIFEST), Ok(Some(_)));
    let looks_like_docker = match docker_archive::is_docker_archive(container) {
        Err(Error::LinkBroken { .. }) => true,
        other => other?,
    };
    let has_layout = is_layout(container)?;
    let kind = |format, has_docker, has_layout| Kind {
        format,
        has_docker,
        has_layout,
    };
    match format {
        Some(Format::OciDirectory) => Err(not_of("an OCI layout in a folder", "the folder")),
        Some(Format::OciArchive) => Ok(kind(Format::OciArchive, false, true)),
        Some(Format::DockerArchive) => Ok(kind(Format::DockerArchive, true, has_layout)),
        None if looks_like_docker => Ok(kind(Format::DockerArchive, true, has_layout)),
        None if has_layout => Ok(kind(Format::OciArchive, has_manifest, true)),
        None if container.paths().iter().any(|path| is_of_archive(path)) => {
            Ok(kind(Format::DockerArchive, false, false))
        }
        None | Some(Format::Rootfs) => Ok(kind(Format::Rootfs, false, false)),
    }
}

/// A root filesystem: one layer of which nothing is said.
fn rootfs(file: SingleFile) -> Result<Survey> {
    let member = file.member();
    let layer = SurveyedLayer {
        compression: file.compression(&member)?,
        blob: Some(member),
        digest: None,
        diff_id: None,
        is_readable: true,
    };
    Ok(Survey {
        format: Format::Rootfs,
        container: Box::new(file),
        images: vec![SurveyedImage {
            name: "rootfs".to_owned(),
            references: Vec::new(),
            config: Digest::of(b""),
            layers: vec![layer],
        }],
        blobs: Vec::new(),
        findings: Findings::default(),
    })
}

/// Where a message says that a member could not be read, if the machine is to blame.
pub(crate) fn machine_failed(error: &Error) -> bool {
    match error {
        Error::System(source) | Error::Tar(TarError::Io(source)) => source.raw_os_error().is_some(),
        Error::Read { what, source } => {
            let source = source.as_ref();
            let is_of_system = |error: &std::io::Error| error.raw_os_error().is_some();
            matches!(what, Place::Member(_))
                && (source.downcast_ref().is_some_and(is_of_system)
                    || source.downcast_ref().is_some_and(machine_failed))
        }
        Error::Interrupted | Error::Thread(_) => true,
        _ => false,
    }
}
