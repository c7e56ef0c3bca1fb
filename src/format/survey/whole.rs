//! The survey of an input, correct or not, which does not stop at the first fault.

use crate::digest::Digest;
use crate::error::{Cause, Error, Result};
use crate::event::after_tar;
use crate::finding::{Code, Finding, Findings, Site};
use crate::format::Format;
use crate::format::container::{Container, RootfsFile};
use crate::format::control_files::MANIFEST;
use crate::format::detect::{Kind, Opening, is_empty, kind_of};
use crate::format::input::Input;
use crate::format::oci_layout::is_layout;
use crate::format::reader::chain_of;
use crate::format::survey::docker_archive::{survey_docker, survey_v1};
use crate::format::survey::oci_layout::survey_layout;
use crate::format::survey::{Survey, SurveyedImage, SurveyedLayer, Surveyor};
use crate::format::taken::{Taken, take};
use crate::tar_stream::Trailing;

/// Surveys an input of any kind.
///
/// # Errors
///
/// Fails if it cannot be read, or does not hold images.
pub(crate) fn survey(input: Input, opening: &Opening<'_>) -> Result<Survey> {
    let place = input.place();
    let survey = || {
        let mut faults = Vec::new();
        let taken = take(input, opening, &mut faults)?;
        let mut findings = Findings::default();
        for fault in faults {
            findings.push(archive_finding(fault)?);
        }
        findings.extend(rest_findings(&taken));
        look_over(taken, findings, opening)
    };
    survey().map_err(|error| error.while_reading(place))
}

/// The finding for a fault of the tar around the images.
fn archive_finding(error: Error) -> Result<Finding> {
    let code = match &error {
        Error::MemberEscapes(_) => Code::MemberEscapes,
        Error::ControlFileTwice(_) => Code::MemberTwice,
        _ if error.cause() == Cause::Machine => return Err(error),
        Error::Tar(_) | Error::Compression { .. } | Error::System(_) => Code::ArchiveDamaged,
        _ => return Err(error),
    };
    Ok(Finding::new(code, Site::input(), chain_of(&error)))
}

/// Findings for bytes after the end of the tar, and of its compressed stream.
fn rest_findings(taken: &Taken) -> impl Iterator<Item = Finding> {
    let found = |code, message: String| Finding::new(code, Site::input(), message);
    let trailing = taken.container.end().trailing;
    let after_tar = trailing
        .map(|Trailing { size, is_tar, .. }| found(Code::ArchiveTrailing, after_tar(size, is_tar)));
    let leftover = taken.leftover;
    // Only gzip has an end that its readers go beyond.
    let after_stream = (leftover > 0).then(|| {
        let message = format!("{leftover} bytes follow the end of its gzip stream");
        found(Code::ArchiveCompressionTrailing, message)
    });
    [after_tar, after_stream].into_iter().flatten()
}

fn look_over(taken: Taken, findings: Findings, opening: &Opening<'_>) -> Result<Survey> {
    let (format, has_docker, has_layout) = parts_of(&taken, opening.format)?;
    if format == Format::Rootfs {
        let mut findings = findings;
        // The paths of a layer, and its damage, are found together with its entries.
        findings.retain(|it| ![Code::MemberEscapes, Code::ArchiveDamaged].contains(&it.code));
        if is_empty(taken.container.as_ref()) {
            findings.push(Finding::plain(Code::RootfsEmpty, Site::input()));
        }
        let Some((file, start)) = taken.file else {
            return Err(Error::System(std::io::ErrorKind::IsADirectory.into()));
        };
        return rootfs(RootfsFile::stored(file, start)?, findings);
    }
    let container = taken.container;
    let mut surveyor = Surveyor::new(container.as_ref(), has_docker, findings);
    if container.end().cut_off_at.is_some() {
        surveyor.note_code(Code::ArchiveEndMissing, &Site::input());
    }
    let is_hybrid = has_docker && has_layout;
    if has_layout {
        survey_layout(&mut surveyor, is_hybrid)?;
    }
    if has_docker {
        if matches!(container.find(MANIFEST), Ok(None)) {
            survey_v1(&mut surveyor, &opening.watch)?;
        } else {
            survey_docker(&mut surveyor, is_hybrid)?;
        }
    }
    if !has_docker && !has_layout {
        surveyor.note_code(Code::ManifestMissing, &Site::input());
    }
    surveyor.unreferenced()?;
    let (images, blobs, findings) = surveyor.finish();
    Ok(Survey {
        format,
        container,
        images,
        blobs,
        findings,
    })
}

/// Determines the parts from the files alone, or as the user declared: the format, and
/// whether there is a docker archive and a layout.
fn parts_of(taken: &Taken, format: Option<Format>) -> Result<(Format, bool, bool)> {
    if taken.file.is_none() {
        return Ok((Format::OciDirectory, false, true));
    }
    let container = taken.container.as_ref();
    match (format, kind_of(container, format)) {
        (Some(Format::DockerArchive), _) | (None, Ok(Kind::Docker) | Err(Error::LinkBroken(_))) => {
            Ok((Format::DockerArchive, true, is_layout(container)?))
        }
        // A part of an archive, without its documents.
        (None, Err(Error::NotOfFormat { .. })) => Ok((Format::DockerArchive, false, false)),
        (_, Err(error)) => Err(error),
        (_, Ok(Kind::Docker | Kind::Oci)) => {
            let has_manifest = matches!(container.find(MANIFEST), Ok(Some(_)));
            let has_docker = format.is_none() && has_manifest;
            Ok((Format::OciArchive, has_docker, true))
        }
        (_, Ok(Kind::Rootfs)) => Ok((Format::Rootfs, false, false)),
    }
}

/// A root filesystem: one layer without any description.
fn rootfs(file: RootfsFile, findings: Findings) -> Result<Survey> {
    let member = file.member();
    let compression = file.blob(&member).compression()?;
    let layer = SurveyedLayer {
        compression,
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
        findings,
    })
}
