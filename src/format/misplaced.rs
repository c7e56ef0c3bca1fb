//! Archives of images in places where no reader finds them: below a folder, or packed
//! into another tar.
//!
//! A root filesystem may also contain such files: that of a Docker host does, and so
//! does a source tree with its test data. So a tar counts as one of these only if it
//! contains no other files.

use std::io::Read;

use crate::error::{Error, InputKind, LimitError, Result};
use crate::format::container::{Container, Member, find_document, is_of_archive};
use crate::format::control_files::{INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::format::docker_archive::lists_images;
use crate::limits::{DOCUMENT_MAX, DOCUMENTS_MAX};
use crate::stream::{Compression, SNIFF_LENGTH, read_head, unpacked};
use crate::tar_stream::{Kind, Section, Skip, SkipByReading, TarError, TarReader};

/// Maximum number of folders and files that are examined; a tar with more is not a
/// mistake.
const IMAGES_MAX: usize = 64;

/// Refuses a tar that is not an archive of images itself, but consists only of such
/// archives. `is_archive` returns true for a member that is an archive of images.
///
/// # Errors
///
/// Fails if it is such a tar, or if a document cannot be read.
pub(super) fn refuse_misplaced(
    container: &dyn Container,
    is_archive: &mut dyn FnMut(&Member) -> Result<bool>,
) -> Result<()> {
    let paths = container.paths();
    refuse_folders(container, &paths)?;
    let mut files = Vec::new();
    for path in paths {
        match container.find(path) {
            Ok(Some(member)) if member.path == path => files.push(member),
            // A folder.
            Ok(None) => {}
            // A link: archives of images are not packed with such.
            Ok(Some(_)) | Err(_) => return Ok(()),
        }
        if files.len() > IMAGES_MAX {
            return Ok(());
        }
    }
    files.sort_by_key(|member| member.position);
    for member in &files {
        if !is_archive(member)? {
            return Ok(());
        }
    }
    match files.first() {
        Some(first) => Err(Error::ImageInside {
            file: first.path.clone(),
            others: files.len() - 1,
        }),
        None => Ok(()),
    }
}

/// Refuses a tar whose files are all in folders that are archives of images.
fn refuse_folders(container: &dyn Container, paths: &[&str]) -> Result<()> {
    let mut folders: Vec<(&str, InputKind)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut budget = DOCUMENTS_MAX;
    for path in paths {
        let Some((folder, name)) = path.rsplit_once('/') else {
            continue;
        };
        if ![MANIFEST, MARKER, REPOSITORIES].contains(&name) || seen.contains(&folder) {
            continue;
        }
        seen.push(folder);
        if seen.len() > IMAGES_MAX {
            return Ok(());
        }
        if let Some(kind) = kind_of_folder(container, folder, paths, &mut budget)? {
            folders.push((folder, kind));
        }
    }
    let Some((folder, kind)) = folders.first().copied() else {
        return Ok(());
    };
    let is_below = |path: &str| {
        let rest = folders.iter().map(|(folder, _)| path.strip_prefix(folder));
        rest.flatten().any(|rest| rest.starts_with('/'))
    };
    for path in paths {
        if !is_below(path) && !matches!(container.find(path), Ok(None)) {
            return Ok(());
        }
    }
    Err(Error::ImageBelow {
        kind,
        folder: folder.to_owned(),
    })
}

/// The kind of image in a folder, if it is one. Documents are read up to this many
/// bytes.
fn kind_of_folder(
    container: &dyn Container,
    folder: &str,
    paths: &[&str],
    budget: &mut u64,
) -> Result<Option<InputKind>> {
    let in_folder = |name: &str| format!("{folder}/{name}");
    let mut document = |name| {
        // Many links may lead to the same large file.
        if *budget == 0 {
            return Ok(None);
        }
        match find_document(container, &in_folder(name)) {
            Err(Error::LinkBroken(_) | Error::Limit(LimitError::DocumentTooLarge { .. })) => {
                Ok(None)
            }
            Ok(Some(bytes)) => {
                *budget = budget.saturating_sub(bytes.len() as u64);
                Ok(Some(bytes))
            }
            other => other,
        }
    };
    if document(MANIFEST)?.is_some_and(|bytes| lists_images(&bytes)) {
        return Ok(Some(InputKind::DockerArchive));
    }
    if document(MARKER)?.is_some() && document(INDEX)?.is_some() {
        return Ok(Some(InputKind::OciLayout));
    }
    let is_v1 = |path: &&str| {
        let rest = path.strip_prefix(folder);
        let rest = rest.and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|rest| is_of_archive(rest) && rest.ends_with("/layer.tar"))
    };
    let has_repositories = document(REPOSITORIES)?.is_some();
    Ok((has_repositories && paths.iter().any(is_v1)).then_some(InputKind::DockerArchive))
}

/// Returns true if a member is an archive of images. Of an uncompressed one in a file
/// only the headers are read; any other is unpacked.
pub(super) fn is_image_member(container: &dyn Container, member: &Member) -> Result<bool> {
    let blob = container.blob(member);
    let is_plain = blob.compression()? == Compression::None;
    if let (true, Some(slice)) = (is_plain, blob.slice()?) {
        return Ok(has_image(Section::new(slice)).unwrap_or(false));
    }
    Ok(is_image_stream(&mut blob.open()?))
}

/// Returns true if a stream is an archive of images. One that cannot be read is not.
pub(super) fn is_image_stream(stream: &mut dyn Read) -> bool {
    let Ok(start) = read_head(&mut *stream, SNIFF_LENGTH) else {
        return false;
    };
    let compression = Compression::sniff(&start);
    let stream = unpacked(compression, start.chain(stream));
    stream.is_ok_and(|stream| has_image(SkipByReading(stream)).unwrap_or(false))
}

/// Returns true if the documents of an image are at the root of a tar.
fn has_image(input: impl Skip) -> Result<bool, TarError> {
    let mut reader = TarReader::new(input);
    while let Some(member) = reader.next_member()? {
        let path = String::from_utf8_lossy(&member.path);
        let path = path.trim_start_matches("./");
        if member.kind != Kind::File || member.size > DOCUMENT_MAX {
            continue;
        }
        match path {
            MARKER => return Ok(true),
            MANIFEST => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes)?;
                if lists_images(&bytes) {
                    return Ok(true);
                }
            }
            path if is_of_archive(path) && path.ends_with("/json") => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}
