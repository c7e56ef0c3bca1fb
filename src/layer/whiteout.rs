//! Names that delete: the characters `.wh.`.

/// How the name of a whiteout begins.
const PREFIX: &[u8] = b".wh.";

/// The name of an opaque whiteout.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Names at the root of a layer with which AUFS kept its own books. Old layers have
/// them; to Docker they neither delete nor exist.
const AUFS: [&[u8]; 3] = [b".wh..wh.aufs", b".wh..wh.orph", b".wh..wh.plnk"];

/// A deletion that a layer applies to the layers below it.
///
/// A whiteout never touches entries of its own layer, wherever it stands in
/// the tar stream ([layer.md]). The type therefore has no "apply" method: the
/// merge collects every whiteout of a layer before it adds the layer's files.
///
/// [layer.md]: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whiteout<'a> {
    /// `.wh.<name>`: removes `<name>` and everything under it.
    Name(&'a [u8]),
    /// `.wh..wh..opq`: removes all children of the directory it is in.
    Opaque,
}

/// A name that would delete its own directory, or the one above it. Engines do
/// different things with it, all of them harmful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a whiteout has to name what it deletes")]
pub struct WhiteoutError;

impl<'a> Whiteout<'a> {
    /// Reads the last component of an entry's path.
    ///
    /// Returns `None` for an ordinary file. Type and content of the entry do not
    /// matter: engines delete all the same.
    ///
    /// # Errors
    ///
    /// Fails if nothing, `.` or `..` follows the prefix.
    pub(crate) fn parse(name: &'a [u8]) -> Result<Option<Self>, WhiteoutError> {
        match name.strip_prefix(PREFIX) {
            None => Ok(None),
            Some(b"" | b"." | b"..") => Err(WhiteoutError),
            Some(b".wh..opq") => Ok(Some(Self::Opaque)),
            Some(name) => Ok(Some(Self::Name(name))),
        }
    }
}

/// The name of the whiteout that removes `name`.
pub(crate) fn whiteout_of(name: &[u8]) -> Vec<u8> {
    [PREFIX, name].concat()
}

/// Whether an entry of this name would be read as a whiteout.
pub(crate) fn is_whiteout(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Whether a name at the root of a layer is one of AUFS's own.
pub(crate) fn is_aufs_name(name: &[u8]) -> bool {
    AUFS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_the_prefix_delete() {
        type Parsed = Result<Option<Whiteout<'static>>, WhiteoutError>;
        let cases: [(&[u8], Parsed); 10] = [
            (b".wh.a", Ok(Some(Whiteout::Name(b"a")))),
            (b".wh.\xff", Ok(Some(Whiteout::Name(b"\xff")))),
            (b".wh..wh..opq", Ok(Some(Whiteout::Opaque))),
            (b".wh..wh.x", Ok(Some(Whiteout::Name(b".wh.x")))),
            (b"not.wh.x", Ok(None)),
            (b"a.wh.", Ok(None)),
            (b".WH.a", Ok(None)),
            (b".wh.", Err(WhiteoutError)),
            (b".wh..", Err(WhiteoutError)),
            (b".wh...", Err(WhiteoutError)),
        ];
        for (name, expected) in cases {
            assert_eq!(Whiteout::parse(name), expected);
        }
        assert_eq!(whiteout_of(b"a"), b".wh.a");
        assert_eq!(whiteout_of(b".wh..opq"), OPAQUE);
    }
}
