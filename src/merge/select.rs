//! The choice of paths in a tree.

use std::fmt;

use crate::glob::Glob;
use crate::layer::{components, display_start};
use crate::merge::range::Merge;
use crate::merge::view::{PathFault, TreeEntry};

/// A path in an image, or a pattern of paths, as users name them. It stands for the
/// entry and everything below it.
///
/// It starts at the root of the image, with or without a slash. In a pattern `*`, `?`
/// and `[a-z]` stop at slashes, `**` does not, and a backslash makes the next character
/// a literal. A path that exists as it is written is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The text, with slashes only between components.
    path: Vec<u8>,
    /// True if it ends in a slash, and so names a directory.
    is_directory: bool,
    /// The pattern, if it is one.
    glob: Option<Glob>,
}

impl PathPattern {
    /// A path or a pattern. Any bytes are one or the other. An empty text is the root, as
    /// `/` and `.` are; a program may refuse what its user did not mean, such as the value of
    /// an unset variable.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let path: Vec<&[u8]> = components(text).filter(|name| *name != b".").collect();
        let path = path.join(&b'/');
        let is_pattern = path.iter().any(|byte| b"*?[\\".contains(byte));
        Self {
            is_directory: text.ends_with(b"/"),
            glob: is_pattern.then(|| Glob::parse_path(&path)).flatten(),
            path,
        }
    }

    /// True if it may stand for several paths.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.glob.is_some()
    }

    /// True if it ends in a slash.
    pub(crate) fn names_directory(&self) -> bool {
        self.is_directory
    }

    /// The path as it is written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.path
    }

    /// True if this literal path is the named one, or below it.
    pub(crate) fn covers(&self, path: &[u8]) -> bool {
        is_at_or_below(path, &self.path)
            || self.glob.as_ref().is_some_and(|glob| {
                let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
                let ends = slashes.map(|(at, _)| at).chain([path.len()]);
                ends.into_iter().any(|end| glob.matches_path(&path[..end]))
            })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.is_directory && !self.path.is_empty() {
            "/"
        } else {
            ""
        };
        write!(f, "/{}{slash}", display_start(&self.path))
    }
}

/// True if a literal path is `top`, or below it.
pub(crate) fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    let rest = path.strip_prefix(top);
    top.is_empty() || rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

impl Merge {
    /// Finds the entries that a path or a pattern stands for: the topmost ones, in
    /// their order. Symbolic links on the way are followed.
    ///
    /// # Errors
    ///
    /// Fails if there are none.
    pub(crate) fn select(&self, pattern: &PathPattern) -> Result<Vec<TreeEntry<'_>>, PathFault> {
        let fault = match self.resolve(&pattern.path, pattern.is_directory) {
            Ok(entry) if pattern.is_directory && !entry.node.is_directory() => {
                return Err(PathFault::NotADirectory(entry.path));
            }
            Ok(entry) => return Ok(vec![entry]),
            Err(fault) => fault,
        };
        if pattern.glob.is_none() {
            return Err(fault);
        }
        // The components before the first one with a special character lead somewhere.
        let names: Vec<&[u8]> = components(&pattern.path).collect();
        let is_plain = |name: &&&[u8]| !name.iter().any(|byte| b"*?[\\".contains(byte));
        let plain = names.iter().take_while(is_plain).count();
        let start = self.resolve(&names[..plain].join(&b'/'), true)?;
        let Some(glob) = Glob::parse_path(&names[plain..].join(&b'/')) else {
            return Err(fault);
        };
        let skipped = match start.path.len() {
            0 => 0,
            length => length + 1,
        };
        let mut entries = self.entries_from(start);
        let mut found: Vec<TreeEntry<'_>> = Vec::new();
        // The start itself matches nothing.
        entries.next();
        while let Some(entry) = entries.next() {
            let path = &entry.path[skipped..];
            if glob.matches_path(path) && (!pattern.is_directory || entry.node.is_directory()) {
                if entry.node.is_directory() {
                    entries.leave();
                }
                found.push(entry);
            }
        }
        if found.is_empty() {
            return Err(PathFault::NoMatch);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_the_root() {
        for (text, is_directory) in [("", false), (".", false), ("/", true), ("./", true)] {
            let pattern = PathPattern::new(text.as_bytes());
            assert_eq!(pattern.to_string(), "/", "{text}");
            assert_eq!(pattern.names_directory(), is_directory, "{text}");
            assert!(pattern.covers(b"a/b") && !pattern.is_pattern(), "{text}");
        }
    }
}
