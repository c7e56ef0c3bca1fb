//! Advice for files that are something else, and for warnings.

use restow::FileKind;
use restow::event::Warning;

/// How a root filesystem becomes one that engines take.
const WRITTEN_ANEW: &str =
    "`restow export rootfs:PATH NEW.tar` writes the tar anew, as engines take it";

/// Advice for a root filesystem with an entry that engines refuse. `is_readable` says
/// that restow can write it anew.
pub(super) fn hint_for_entry(is_readable: bool) -> &'static str {
    if is_readable {
        WRITTEN_ANEW
    } else {
        "unpack it with `tar -x`, and pack what comes out with `tar -c`"
    }
}

/// Advice that goes with a warning.
pub(super) fn hint_for_warning(warning: &Warning) -> Option<&'static str> {
    match warning {
        Warning::EntryUnfit { is_readable, .. } => Some(hint_for_entry(*is_readable)),
        _ => None,
    }
}

/// How a file that is something else becomes an image.
pub(super) fn hint_for_kind(kind: FileKind) -> Option<&'static str> {
    Some(match kind {
        FileKind::Compressed("gzip" | "zstd" | "xz" | "bzip2") => {
            "it is compressed twice: unpack it once"
        }
        FileKind::Compressed(_) | FileKind::Rar | FileKind::SevenZip | FileKind::Zip => {
            "unpack it first; gzip, zstd, xz and bzip2 are the compressions that are read"
        }
        FileKind::Disk(_) | FileKind::Squashfs => {
            "mount it, and pack what is in it: `tar -C MOUNTPOINT -cf ROOTFS.tar .`"
        }
        FileKind::Dockerfile => "build the image first: `docker build`, then `docker save`",
        FileKind::GitLfsPointer => "fetch the file that it stands for: `git lfs pull`",
        FileKind::Utf16 => {
            "PowerShell's `>` makes text of it; write the file by `docker save -o FILE`"
        }
        _ => return None,
    })
}
