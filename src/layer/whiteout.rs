//! Entries that delete: the characters `.wh.`.

use crate::layer::path::EntryPath;
use crate::tar_stream::{Kind, Member};

/// The prefix of a whiteout's name.
const PREFIX: &[u8] = b".wh.";

/// The name of an opaque whiteout.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Names at the root of a layer with which AUFS kept its own books. Old layers have
/// them; to Docker they neither delete nor exist.
const AUFS: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// An entry that deletes something of the layers below, or that is no part of the image.
///
/// A whiteout never touches entries of its own layer, wherever it is in the tar stream
/// ([layer.md]): the merge collects every whiteout of a layer before it puts them in.
///
/// [layer.md]: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whiteout {
    /// `.wh.<name>`: deletes `<name>` and everything under it.
    Name(Box<[u8]>),
    /// `.wh..wh..opq`: deletes all children of the directory it is in.
    Opaque,
    /// A character device 0:0: deletes its own name. An overlay file system keeps a
    /// whiteout on disk so, and Docker takes it for one.
    Device,
    /// `.wh.`, `.wh..` or `.wh...`: a [`WhiteoutError`].
    Invalid,
    /// A directory of AUFS's own at the root. It deletes nothing.
    AufsDirectory,
    /// A file of AUFS's own, of this many bytes, to which hard links may lead.
    AufsFile(u64),
}

/// A name that would delete its own directory, or the one above it. Engines do
/// different things with it, all of them harmful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a whiteout must name what it deletes")]
pub struct WhiteoutError;

impl Whiteout {
    /// Tells by its name whether a member deletes. Its type and content do not matter:
    /// engines delete all the same.
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

/// Tells a name that makes an entry a whiteout.
pub(crate) fn is_whiteout(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Tells a name at the root of a layer that is one of AUFS's own.
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
