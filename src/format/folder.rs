//! Folders that are named as inputs, told apart.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{Error, Folder, InputKind, Result};
use crate::format::control_files::{INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::stream::read_head;

/// How the file `version` of skopeo's transport `dir:` begins
/// (go.podman.io/image/directory).
const SKOPEO: &[u8] = b"Directory Transport Version";

/// Refuses a folder that is no OCI layout.
pub(super) fn check_layout(path: &Path) -> Result<()> {
    match folder(path) {
        Folder::Layout => Ok(()),
        folder => Err(Error::OtherFolder {
            folder,
            expected: InputKind::OciLayout,
        }),
    }
}

/// Tells the kind of a folder. One that cannot be listed is what the caller wants it to
/// be: the reason will come up.
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

/// The first bytes of a file, if it is one.
fn start(path: &Path) -> Vec<u8> {
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let file = is_file.then(|| File::open(path).ok()).flatten();
    // An unreadable file tells nothing.
    file.and_then(|file| read_head(file, 64).ok())
        .unwrap_or_default()
}
