//! Lookup of a member in a tar by its path, through links.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::error::{Error, Result};
use crate::format::container::member::{Member, TarEnd};
use crate::format::control_files::CONTROL_FILES;
use crate::limits::{MEMBER_LINKS_MAX, MEMBER_PATH_MAX, MEMBERS_MAX};
use crate::tar_stream::{self, Kind, display_name};

/// Maximum number of repeated control files that are compared with each other; more are
/// not worth it.
const REPLACED_MAX: usize = 16;

/// The members of a tar by their paths. The later of two with the same path counts.
#[derive(Debug, Default)]
pub(crate) struct MemberIndex {
    members: BTreeMap<String, Slot>,
    /// Control files that a later one with the same name replaced.
    pub(super) replaced: Vec<Member>,
    /// The number of members, including repeated paths.
    count: usize,
    /// The end of the tar.
    pub(super) end: TarEnd,
}

#[derive(Debug)]
enum Slot {
    File {
        position: u64,
        size: u64,
    },
    Link(String),
    /// A file of which the tar has only a part, and a map of it.
    Sparse,
    Other,
}

impl MemberIndex {
    /// Adds the next member. `position` is its position in the container.
    ///
    /// Returns true if there is room for more; members without room are only counted.
    pub(in crate::format) fn add(
        &mut self,
        member: &tar_stream::Member,
        position: u64,
    ) -> Result<bool> {
        self.count += 1;
        let has_room = self.count < MEMBERS_MAX;
        if self.count > MEMBERS_MAX {
            return Ok(has_room);
        }
        let is_short = |path: &[u8]| path.len() <= MEMBER_PATH_MAX;
        let path = match normal(&member.path) {
            Ok(path) => path,
            Err(fault) => Some(inside(&member.path).ok_or(fault)?),
        };
        let Some(path) = path.filter(|path| is_short(path.as_bytes()) && is_short(&member.link))
        else {
            return Ok(has_room);
        };
        let is_control_file = CONTROL_FILES.contains(&path.as_str());
        let slot = match member.kind {
            Kind::File => Slot::File {
                position,
                size: member.size,
            },
            // Targets of hard links are relative to the root of the archive, targets of
            // symbolic links to the folder of the link.
            Kind::HardLink => Slot::Link(resolve("", &member.link)),
            Kind::Symlink => Slot::Link(resolve(folder_of(&path), &member.link)),
            // Control files are looked for in root filesystems, too.
            Kind::Sparse if !is_control_file => Slot::Sparse,
            Kind::Directory | Kind::Sparse | Kind::Other(_) => Slot::Other,
        };
        let replaced = self.members.insert(path.clone(), slot);
        if let Some(Slot::File { position, size }) = replaced
            && is_control_file
        {
            if self.replaced.len() == REPLACED_MAX {
                return Err(Error::ControlFileTwice(path));
            }
            self.replaced.push(Member {
                origin: 0,
                position,
                path,
                size,
            });
        }
        Ok(has_room)
    }

    /// Looks a path up.
    ///
    /// # Errors
    ///
    /// Fails if it leads to a sparse file, which cannot be read in place: engines do read it,
    /// so that it is not missing.
    pub(in crate::format) fn find(&self, path: &str) -> Result<Option<Member>> {
        let Some(wanted) = normal(cleaned(path).as_bytes())? else {
            return Ok(None);
        };
        let mut path = wanted.as_str();
        for _ in 0..MEMBER_LINKS_MAX {
            match self.members.get(path) {
                Some(Slot::File { position, size }) => {
                    return Ok(Some(Member {
                        origin: 0,
                        position: *position,
                        path: path.to_owned(),
                        size: *size,
                    }));
                }
                Some(Slot::Link(target)) => path = target,
                Some(Slot::Sparse) => return Err(Error::MemberSparse(path.to_owned())),
                Some(Slot::Other) | None if path == wanted => return Ok(None),
                Some(Slot::Other) | None => break,
            }
        }
        Err(Error::LinkBroken(wanted))
    }

    /// All paths, sorted.
    pub(in crate::format) fn paths(&self) -> Vec<&str> {
        self.members.keys().map(String::as_str).collect()
    }

    /// True if there are no members.
    pub(in crate::format) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A path in canonical form; `None` if nothing is left, as for `./`.
///
/// Names that are not UTF-8 are escaped: no document can refer to them.
fn normal(path: &[u8]) -> Result<Option<String>> {
    let mut normal = String::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                return Err(Error::MemberEscapes(display_name(path)));
            }
            part => {
                if !normal.is_empty() {
                    normal.push('/');
                }
                match std::str::from_utf8(part) {
                    Ok(part) => normal.push_str(part),
                    Err(_) => {
                        let _ = write!(normal, "\\x{}", display_name(part));
                    }
                }
            }
        }
    }
    Ok((!normal.is_empty()).then_some(normal))
}

/// A path in a document, cleaned as in Docker: `a/../b` is `b`.
fn cleaned(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The path that a path with `..` stands for, as in Docker's loader; `None` if it leads out
/// of the archive, or to a control file.
fn inside(path: &[u8]) -> Option<String> {
    let path = String::from_utf8_lossy(path);
    let parts: Vec<&str> = path
        .split('/')
        .filter(|it| !matches!(*it, "" | "."))
        .collect();
    let path = cleaned(&parts.join("/"));
    let is_inside = !path.split('/').any(|part| part == "..");
    (is_inside && !CONTROL_FILES.contains(&path.as_str())).then_some(path)
}

/// A link's target as a path from the root. As in a container, `..` at the root stays
/// there (Docker's loader; versions of 2016 wrote one `..` too many).
fn resolve(folder: &str, target: &[u8]) -> String {
    let target = display_name(target);
    let from = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in from.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(members: &[(&str, Kind, &str)]) -> Result<MemberIndex> {
        let mut index = MemberIndex::default();
        for (at, (path, kind, link)) in members.iter().enumerate() {
            let member = tar_stream::Member {
                path: path.as_bytes().to_vec(),
                kind: *kind,
                link: link.as_bytes().to_vec(),
                size: 1,
                position: 0,
                mtime: 0,
            };
            index.add(&member, at as u64)?;
        }
        Ok(index)
    }

    fn found(index: &MemberIndex, path: &str) -> Option<(String, u64)> {
        let member = index.find(path).unwrap();
        member.map(|member| (member.path, member.position))
    }

    #[test]
    fn members_are_found_under_any_spelling_and_through_links() {
        let index = index(&[
            ("b/layer.tar", Kind::Symlink, "../a/layer.tar"),
            ("./a/", Kind::Directory, ""),
            ("./a//layer.tar", Kind::File, ""),
            ("hard", Kind::HardLink, "./a/layer.tar"),
            ("c/layer.tar", Kind::Symlink, "../../a/layer.tar"),
            ("absolute", Kind::Symlink, "/hard"),
            ("config.json", Kind::File, ""),
            ("config.json", Kind::File, ""),
        ])
        .unwrap();
        let layer = Some(("a/layer.tar".to_owned(), 2));
        for path in [
            "a/layer.tar",
            "/a/layer.tar",
            "./a/./layer.tar",
            "b/layer.tar",
            "c/layer.tar",
            "hard",
            "absolute",
        ] {
            assert_eq!(found(&index, path), layer, "{path}");
        }
        assert_eq!(
            found(&index, "config.json"),
            Some(("config.json".to_owned(), 7))
        );
        assert_eq!(found(&index, "a"), None);
        assert_eq!(found(&index, "nothing"), None);
        assert_eq!(found(&index, "./"), None);
    }

    #[test]
    fn links_that_lead_nowhere_and_paths_that_leave_are_refused() {
        let index = index(&[
            ("a", Kind::Symlink, "b"),
            ("b", Kind::Symlink, "a"),
            ("c", Kind::Symlink, "gone"),
        ])
        .unwrap();
        for (path, message) in [
            ("a", "member `a` is a dangling link"),
            ("c", "member `c` is a dangling link"),
            (
                "x/../../y",
                "member `../y`: the path leads out of the archive",
            ),
        ] {
            assert_eq!(index.find(path).unwrap_err().to_string(), message);
        }
        assert_eq!(index.find("x/../y").unwrap(), None);
        let inside = self::index(&[("x/../y", Kind::File, "")]).unwrap();
        assert!(inside.find("y").unwrap().is_some());
        let error = self::index(&[("x/./../index.json", Kind::File, "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "member `x/./../index.json`: the path leads out of the archive"
        );
        let error = self::index(&[("../x", Kind::File, "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "member `../x`: the path leads out of the archive"
        );
    }
}
