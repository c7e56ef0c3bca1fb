//! Kinds of folders that are given as inputs.

use std::fs;
use std::path::Path;

use crate::error::{Error, Folder, InputKind, Result};
use crate::format::Format;
use crate::format::control_files::{INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::stream::{open_regular, read_head};

/// The start of the file `version` in skopeo's transport `dir:`
/// (go.podman.io/image/directory).
const SKOPEO: &[u8] = b"Directory Transport Version";

/// Refuses a folder that is not an OCI layout.
fn check_layout(path: &Path) -> Result<()> {
    match folder(path) {
        Folder::Layout => Ok(()),
        folder => Err(Error::OtherFolder {
            folder,
            expected: InputKind::OciLayout,
        }),
    }
}

/// Refuses a folder that is not an OCI layout, or that was declared to be a file.
pub(super) fn check_declared(path: &Path, format: Option<Format>) -> Result<()> {
    let expected = match format {
        None | Some(Format::OciDirectory) => return check_layout(path),
        Some(Format::DockerArchive | Format::OciArchive) => InputKind::Archive,
        Some(Format::Rootfs) => InputKind::Tar,
    };
    let folder = folder(path);
    Err(Error::OtherFolder { folder, expected })
}

/// Determines the kind of a folder. One that cannot be listed is assumed to be a
/// layout: the reason will be reported later.
pub(super) fn folder(path: &Path) -> Folder {
    let has = |name: &str| fs::symlink_metadata(path.join(name)).is_ok();
    let Ok(mut entries) = fs::read_dir(path) else {
        return Folder::Layout;
    };
    if [INDEX, MARKER, "blobs"].into_iter().any(has) {
        Folder::Layout
    } else if start(&path.join("version")).starts_with(SKOPEO) {
        Folder::Skopeo
    } else if start(&path.join(MANIFEST)).trim_ascii().starts_with(b"[") || has(REPOSITORIES) {
        Folder::DockerArchive
    } else if entries.next().is_none() {
        Folder::Empty
    } else {
        Folder::Other
    }
}

/// The first bytes of a file; empty if it is not a file.
fn start(path: &Path) -> Vec<u8> {
    // The content of an unreadable file is unknown.
    let file = open_regular(path);
    file.and_then(|file| read_head(file, 64))
        .unwrap_or_default()
}
