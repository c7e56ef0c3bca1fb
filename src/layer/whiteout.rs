//! Entries that delete: whiteouts, whose names begin with `.wh.`.

use crate::layer::path::EntryPath;
use crate::tar_stream::{Kind, Member};

/// The prefix of a whiteout's name.
const PREFIX: &[u8] = b".wh.";

/// The name of an opaque whiteout.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Names at the root of a layer that AUFS used for bookkeeping. Old layers have them;
/// Docker ignores them.
const AUFS: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// An entry that deletes something of lower layers, or is not part of the image.
///
/// A whiteout never affects entries of its own layer, wherever it is in the tar stream
/// ([layer.md]): the merge collects all whiteouts of a layer before it adds its
/// entries.
///
/// [layer.md]: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whiteout {
    /// `.wh.<name>`: deletes `<name>` and everything under it.
    Name(Box<[u8]>),
    /// `.wh..wh..opq`: deletes all children of the directory that contains it.
    Opaque,
    /// A character device 0:0: deletes its own name. Overlay file systems store
    /// whiteouts like this on disk, and Docker treats it as one.
    Device,
    /// `.wh.`, `.wh..` or `.wh...`: a [`WhiteoutError`].
    Invalid,
    /// A directory of AUFS's bookkeeping at the root. It deletes nothing.
    AufsDirectory,
    /// A file of AUFS's bookkeeping with this size in bytes. Hard links may lead to it.
    AufsFile(u64),
}

/// A name that would delete its own directory, or the one above it. Engines treat it
/// differently, always with harmful results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a whiteout must name the path that it deletes")]
pub struct WhiteoutError;

impl Whiteout {
    /// The whiteout that a member's name makes of it, if any. Its type and content do
    /// not matter: engines ignore them.
    pub(super) fn by_name(path: &EntryPath, member: &Member) -> Option<Self> {
        let (parent, name) = path.split_last();
        let deleted = name.strip_prefix(PREFIX)?;
        Some(match deleted {
            _ if parent.is_empty() && is_aufs_name(name) => match member.kind {
                Kind::Directory => Self::AufsDirectory,
                _ => Self::AufsFile(member.size),
            },
            b"" | b"." | b".." => Self::Invalid,
            b".wh..opq" => Self::Opaque,
            deleted => Self::Name(deleted.into()),
        })
    }
}

/// The name of the whiteout that removes `name`.
pub(super) fn whiteout_of(name: &[u8]) -> Vec<u8> {
    [PREFIX, name].concat()
}

/// Returns true if a name makes an entry a whiteout.
pub(crate) fn is_whiteout(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Returns true if a name at the root of a layer belongs to AUFS's bookkeeping.
pub(crate) fn is_aufs_name(name: &[u8]) -> bool {
    AUFS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_name(path: &[u8], kind: Kind) -> Option<Whiteout> {
        let member = Member {
            path: path.to_vec(),
            kind,
            link: Vec::new(),
            size: 7,
            position: 0,
            mtime: 0,
        };
        Whiteout::by_name(&EntryPath::parse(path).unwrap(), &member)
    }

    #[test]
    fn only_names_with_the_prefix_delete() {
        let name = |name: &[u8]| Some(Whiteout::Name(name.into()));
        let cases: [(&[u8], Option<Whiteout>); 14] = [
            (b".wh.a", name(b"a")),
            (b"d/.wh.\xff", name(b"\xff")),
            (b"d/.wh..wh..opq", Some(Whiteout::Opaque)),
            (b".wh..wh.x", name(b".wh.x")),
            (b"not.wh.x", None),
            (b"a.wh.", None),
            (b".WH.a", None),
            (b".wh.d/a", None),
            (b"", None),
            (b".wh.", Some(Whiteout::Invalid)),
            (b"d/.wh..", Some(Whiteout::Invalid)),
            (b".wh...", Some(Whiteout::Invalid)),
            (b"d/.wh..wh.plnk", name(b".wh.plnk")),
            (b".wh..wh.plnk/a", None),
        ];
        for (path, expected) in cases {
            for kind in [
                Kind::File,
                Kind::Directory,
                Kind::HardLink,
                Kind::Other(b'3'),
            ] {
                assert_eq!(by_name(path, kind), expected);
            }
        }
        assert_eq!(whiteout_of(b"a"), b".wh.a");
        assert_eq!(whiteout_of(b".wh..opq"), OPAQUE);
    }

    #[test]
    fn names_of_aufs_at_the_root_delete_nothing() {
        for (kind, expected) in [
            (Kind::Directory, Whiteout::AufsDirectory),
            (Kind::File, Whiteout::AufsFile(7)),
            (Kind::Symlink, Whiteout::AufsFile(7)),
        ] {
            for name in AUFS {
                assert_eq!(by_name(name, kind).as_ref(), Some(&expected));
            }
        }
    }
}
