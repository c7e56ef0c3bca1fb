//! Names of entries: bytes, cleaned, relative to the root of the image.

use crate::limits::{DEPTH_MAX, PATH_MAX};

/// The path of an entry in the image's tree: components joined by `/`, without
/// `.`, `..`, or a slash at either end. Empty for the root itself.
///
/// Names are bytes. One that is not UTF-8 is valid, and one that looks like a drive
/// letter or contains a backslash is an ordinary name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EntryPath(Vec<u8>);

/// The reason why a name is not a path of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// `..` goes above the root.
    #[error("the path leads out of the root")]
    Escapes,
    /// A NUL byte, which no file system can store.
    #[error("the path contains a NUL byte")]
    Nul,
    /// More nested directories than any file system allows.
    #[error("the path exceeds the limit of {DEPTH_MAX} components")]
    TooDeep,
    /// More bytes than any file system allows.
    #[error("the path has {length} bytes, more than the limit of {PATH_MAX}")]
    TooLong {
        /// Its length.
        length: usize,
    },
}

impl EntryPath {
    /// Cleans a name as the engines do: a leading `/` or `./` is ignored, and `x/../`
    /// cancels itself, whatever `x` is (formats of Docker and containerd).
    ///
    /// # Errors
    ///
    /// Fails if the path leaves the root. Engines before Docker 29.7 silently clamp it
    /// to the root; only malicious archives contain such paths.
    pub(crate) fn parse(name: &[u8]) -> Result<Self, PathError> {
        match Self::clamped(name)? {
            (_, true) => Err(PathError::Escapes),
            (path, false) => Ok(path),
        }
    }

    /// Cleans a name; the second value is true if it leaves the root. Such a path is
    /// clamped to the root, as engines do with the target of a hard link.
    ///
    /// # Errors
    ///
    /// Fails if it is not a valid path.
    pub(crate) fn clamped(name: &[u8]) -> Result<(Self, bool), PathError> {
        let mut is_above_root = false;
        if name.len() > PATH_MAX {
            let length = name.len();
            return Err(PathError::TooLong { length });
        }
        if name.contains(&0) {
            return Err(PathError::Nul);
        }
        if is_clean(name) {
            return Ok((Self(name.to_vec()), false));
        }
        let mut path = Vec::with_capacity(name.len());
        let mut depth = 0;
        for component in name.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." if path.is_empty() => is_above_root = true,
                b".." => {
                    path.truncate(split_last(&path).0.len());
                    depth -= 1;
                }
                _ if depth == DEPTH_MAX => return Err(PathError::TooDeep),
                component => {
                    depth += 1;
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    path.extend_from_slice(component);
                }
            }
        }
        Ok((Self(path), is_above_root))
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True if it is the root.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The same name in another directory, given by its cleaned path.
    pub(crate) fn moved_to(self, directory: &[u8]) -> Self {
        let (parent, name) = self.split_last();
        match (parent == directory, directory) {
            (true, _) => self,
            (false, b"") => Self(name.to_vec()),
            (false, directory) => Self([directory, b"/", name].concat()),
        }
    }

    /// Its parent directory and its last component; both empty for the root.
    pub(crate) fn split_last(&self) -> (&[u8], &[u8]) {
        split_last(&self.0)
    }
}

/// True for a name that is a valid path as it is, as most are.
fn is_clean(name: &[u8]) -> bool {
    let mut depth = 0;
    name.split(|byte| *byte == b'/').all(|component| {
        depth += 1;
        !matches!(component, b"" | b"." | b"..") && depth <= DEPTH_MAX
    })
}

/// The components of a cleaned path, from the root down; none for the root.
pub(crate) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|component| !component.is_empty())
}

fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_as_the_engines_do() {
        type Cleaned<'a> = Result<&'a [u8], PathError>;
        let long = vec![b'a'; PATH_MAX + 1];
        let deep = b"a/".repeat(DEPTH_MAX + 1);
        let cases: &[(&[u8], Cleaned<'_>)] = &[
            (b"a/b", Ok(b"a/b")),
            (b"/a//b/./c/", Ok(b"a/b/c")),
            (b"./a", Ok(b"a")),
            (b"", Ok(b"")),
            (b"/", Ok(b"")),
            (b"./", Ok(b"")),
            (b"a/../x", Ok(b"x")),
            (b"a/b/../../x", Ok(b"x")),
            (b"a/..", Ok(b"")),
            (b"..a/...", Ok(b"..a/...")),
            (b"C:\\x\\..", Ok(b"C:\\x\\..")),
            (b"\xff/\xfe", Ok(b"\xff/\xfe")),
            (b"../etc/passwd", Err(PathError::Escapes)),
            (b"a/../../x", Err(PathError::Escapes)),
            (b"/..", Err(PathError::Escapes)),
            (b"a\0b", Err(PathError::Nul)),
            (&deep, Err(PathError::TooDeep)),
            (
                &long,
                Err(PathError::TooLong {
                    length: PATH_MAX + 1,
                }),
            ),
        ];
        assert!(EntryPath::parse(&deep[2..]).is_ok());
        for (name, expected) in cases {
            let path = EntryPath::parse(name);
            let path = path.as_ref().map(EntryPath::as_bytes).map_err(|e| *e);
            assert_eq!(path, *expected);
        }
    }

    #[test]
    fn what_leaves_the_root_can_be_cut_off() {
        for (name, expected, is_above) in [
            ("a/../b", "b", false),
            ("../a", "a", true),
            ("/../a", "a", true),
            ("a/../../b/c", "b/c", true),
            ("..", "", true),
        ] {
            let (path, is_above_root) = EntryPath::clamped(name.as_bytes()).unwrap();
            assert_eq!(
                (path.as_bytes(), is_above_root),
                (expected.as_bytes(), is_above)
            );
        }
    }

    #[test]
    fn a_path_comes_apart() {
        let path = EntryPath::parse(b"usr/lib/x").unwrap();
        assert_eq!(path.split_last(), (&b"usr/lib"[..], &b"x"[..]));
        let names: Vec<&[u8]> = components(path.as_bytes()).collect();
        assert_eq!(names, [&b"usr"[..], b"lib", b"x"]);
        let root = EntryPath::default();
        assert_eq!(root.split_last(), (&b""[..], &b""[..]));
        assert_eq!(components(root.as_bytes()).count(), 0);
    }
}
