//! Extended attributes of files, and the records that hold them in a layer.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr, lgetxattr, llistxattr, lsetxattr};
use rustix::io::{Errno, Result};

use crate::layer::display_start;
use crate::limits::ATTRIBUTE_MAX;
use crate::tar_stream::PaxRecord;

/// The prefix of a record that holds an extended attribute.
const PREFIX: &[u8] = b"SCHILY.xattr.";

/// Attributes and groups of attributes that belong to the content of a folder, whatever
/// machine it is on.
const PACKED: [&[u8]; 5] = [
    b"security.capability",
    b"system.posix_acl_access",
    b"system.posix_acl_default",
    b"trusted.",
    b"user.",
];

/// Those of them that do not: the notes of overlay file systems, and of tools that run
/// without root.
const NOT_PACKED: [&[u8]; 3] = [
    b"trusted.overlay.",
    b"user.overlay.",
    b"user.rootlesscontainers",
];

/// An inode with attributes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holder<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// The entry with this name in an open directory, which may be a symbolic link.
    Named(BorrowedFd<'a>, &'a [u8]),
}

impl Holder<'_> {
    /// Sets an attribute.
    pub(super) fn set(&self, name: &[u8], value: &[u8]) -> Result<()> {
        let flags = XattrFlags::empty();
        match self {
            Self::Open(file) => fsetxattr(file, name, value, flags),
            Self::Named(parent, entry) => lsetxattr(path(*parent, entry), name, value, flags),
        }
    }

    /// The attributes to be packed, as sorted records. None where there are no attributes.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read, or if a record cannot hold one: the first `=` ends
    /// the key.
    pub(super) fn records(&self) -> io::Result<Vec<PaxRecord>> {
        let names = match self.names() {
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            names => names?,
        };
        let mut records = Vec::new();
        for name in names.split(|byte| *byte == 0).filter(|it| is_packed(it)) {
            if name.contains(&b'=') {
                let name = display_start(name);
                let reason = format!(
                    "the name of its attribute `{name}` has a `=`, which no layer can hold"
                );
                return Err(io::Error::other(reason));
            }
            let key = [PREFIX, name].concat();
            records.push((key, self.value(name)?));
        }
        records.sort();
        Ok(records)
    }

    /// The names of all attributes, each ended by a zero.
    fn names(&self) -> Result<Vec<u8>> {
        grown(|buffer| match self {
            Self::Open(file) => flistxattr(file, buffer),
            Self::Named(parent, entry) => llistxattr(path(*parent, entry), buffer),
        })
    }

    fn value(&self, name: &[u8]) -> Result<Vec<u8>> {
        grown(|buffer| match self {
            Self::Open(file) => fgetxattr(file, name, buffer),
            Self::Named(parent, entry) => lgetxattr(path(*parent, entry), name, buffer),
        })
    }
}

/// The name of the attribute that a record holds.
pub(super) fn attribute_of(record: &PaxRecord) -> Option<&[u8]> {
    record.0.strip_prefix(PREFIX)
}

/// Returns true for an attribute that a layer of the folder has.
fn is_packed(name: &[u8]) -> bool {
    let is_one_of = |all: &[&[u8]]| {
        all.iter()
            .any(|it| name == *it || (it.ends_with(b".") && name.starts_with(it)))
    };
    is_one_of(&PACKED) && !is_one_of(&NOT_PACKED)
}

/// A path to an entry of an open directory: only paths can name the attributes of a
/// symbolic link. The directory cannot change on the way, and the last link is not
/// followed.
fn path(parent: BorrowedFd<'_>, entry: &[u8]) -> Vec<u8> {
    let parent = format!("/proc/self/fd/{}/", parent.as_raw_fd());
    [parent.as_bytes(), entry].concat()
}

/// Reads a value whose size is not known.
fn grown(mut read: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match read(&mut buffer) {
            Err(Errno::RANGE) if buffer.len() <= ATTRIBUTE_MAX => {
                buffer.resize(4 * buffer.len(), 0);
            }
            length => {
                buffer.truncate(length?);
                return Ok(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_the_machine_are_not_packed() {
        for (name, expected) in [
            ("security.capability", true),
            ("security.capability2", false),
            ("security.selinux", false),
            ("security.ima", false),
            ("system.posix_acl_access", true),
            ("system.posix_acl_default", true),
            ("system.nfs4_acl", false),
            ("trusted.a", true),
            ("trusted.overlay.opaque", false),
            ("user.a", true),
            ("user.overlay.opaque", false),
            ("user.rootlesscontainers", false),
            ("user.rootlesscontainers2", true),
            ("com.apple.quarantine", false),
        ] {
            assert_eq!(is_packed(name.as_bytes()), expected, "{name}");
        }
    }
}
