//! Setting the metadata of files, as far as this process may set them.

use std::collections::HashMap;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chmodat, chownat,
    fchmod, fchown, fstat, futimens, openat, statat, utimensat,
};
use rustix::io::{Errno, Result};

use crate::folder::attributes::{Holder, attribute_of};
use crate::folder::fault::display;
use crate::layer::Metadata;
use crate::tar_stream::{Time, display_name};

/// The times, in seconds since 1970, that every usual file system stores: until 2038.
const EVERYWHERE: RangeInclusive<i64> = 0..=i32::MAX as i64;

/// Things in the image that the folder lacks, since this process may not make them or
/// the file system does not support them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfalls {
    /// Entries that belong to this process instead of their owner.
    pub(crate) owners: Shortfall,
    /// Extended attributes that are not set.
    pub(crate) attributes: Shortfall,
    /// Entries with another time, since the file system cannot store theirs.
    pub(crate) times: Shortfall,
    /// Devices and pipes that are left out, each of their names counted.
    pub(crate) nodes: Shortfall,
}

/// The number of things that are missing, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shortfall {
    /// Their number.
    pub(crate) count: u64,
    /// The first entry, escaped.
    pub(crate) entry: String,
    /// The attribute, escaped; empty for an owner, a time or a node.
    pub(crate) attribute: String,
    /// The error of the system.
    pub(crate) reason: String,
}

impl Shortfall {
    pub(super) fn note(&mut self, path: &[u8], attribute: &[u8], error: Errno) {
        if self.count == 0 {
            self.entry = display(path);
            self.attribute = display_name(attribute);
            let reason = io::Error::from(error).to_string();
            let text = reason.split(" (os error").next().unwrap_or_default();
            text.clone_into(&mut self.reason);
        }
        self.count += 1;
    }
}

/// Sets the metadata of inodes, and counts what cannot be set.
#[derive(Debug)]
pub(super) struct MetadataSetter {
    /// The present owner of what follows: that of all that this process creates.
    own: (i64, i64),
    /// The owners that it may not give, with the error.
    refused: HashMap<(i64, i64), Errno>,
    pub(super) shortfalls: Shortfalls,
}

/// An inode whose metadata are set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// An open file or directory.
    Open(BorrowedFd<'a>),
    /// A symbolic link with this name in a directory.
    Link(BorrowedFd<'a>, &'a [u8]),
    /// Any other node with this name in a directory, which is not opened.
    Node(BorrowedFd<'a>, &'a [u8]),
}

impl MetadataSetter {
    /// For inodes that now belong to the owner of this one.
    pub(super) fn new(like: &Stat) -> Self {
        Self {
            own: owner(like),
            refused: HashMap::new(),
            shortfalls: Shortfalls::default(),
        }
    }

    /// Continues with inodes that belong to the owner of this one.
    pub(super) fn continue_with(&mut self, like: &Stat) {
        self.own = owner(like);
    }

    /// Sets owner, attributes, mode and time, in this order: a new owner resets attributes and
    /// mode, and a new mode part of an access list.
    pub(super) fn set(
        &mut self,
        target: Target<'_>,
        path: &[u8],
        metadata: &Metadata,
    ) -> Result<()> {
        self.set_owner(target, path, metadata)?;
        for record in &*metadata.attributes {
            let Some(name) = attribute_of(record) else {
                continue;
            };
            match target.holder().set(name, &record.1) {
                Err(error) if is_attribute_refused(error) => {
                    self.shortfalls.attributes.note(path, name, error);
                }
                result => result?,
            }
        }
        target.set_mode(Mode::from_raw_mode(metadata.mode.into()))?;
        target.set_time(metadata.mtime)?;
        let seconds = metadata.mtime.seconds;
        // The kernel replaces a time that the file system cannot store by the nearest one.
        if !EVERYWHERE.contains(&seconds) && target.mtime()? != seconds {
            self.shortfalls.times.note(path, b"", Errno::RANGE);
        }
        Ok(())
    }

    fn set_owner(&mut self, target: Target<'_>, path: &[u8], metadata: &Metadata) -> Result<()> {
        let owner = (metadata.uid, metadata.gid);
        if owner == self.own {
            return Ok(());
        }
        if let Some(error) = self.refused.get(&owner) {
            self.shortfalls.owners.note(path, b"", *error);
            return Ok(());
        }
        let given = match (id(owner.0), id(owner.1)) {
            (Some(uid), Some(gid)) => target.set_owner(Uid::from_raw(uid), Gid::from_raw(gid)),
            _ => Err(Errno::INVAL),
        };
        match given {
            // A user namespace does not have all owners.
            Err(error) if is_not_allowed(error) || error == Errno::INVAL => {
                self.shortfalls.owners.note(path, b"", error);
                self.refused.insert(owner, error);
                Ok(())
            }
            given => given,
        }
    }
}

fn owner(stat: &Stat) -> (i64, i64) {
    (stat.st_uid.into(), stat.st_gid.into())
}

/// An owner that the system can have. The last number means none.
fn id(owner: i64) -> Option<u32> {
    u32::try_from(owner).ok().filter(|id| *id != u32::MAX)
}

impl<'a> Target<'a> {
    fn holder(self) -> Holder<'a> {
        match self {
            Self::Open(file) => Holder::Open(file),
            Self::Link(parent, name) | Self::Node(parent, name) => Holder::Named(parent, name),
        }
    }

    fn set_owner(self, uid: Uid, gid: Gid) -> Result<()> {
        let (uid, gid) = (Some(uid), Some(gid));
        match self {
            Self::Open(file) => fchown(file, uid, gid),
            Self::Link(parent, name) | Self::Node(parent, name) => {
                chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }

    /// The mode is set after the owner, which resets setuid and setgid.
    fn set_mode(self, mode: Mode) -> Result<()> {
        match self {
            Self::Open(file) => fchmod(file, mode),
            Self::Link(..) => Ok(()),
            Self::Node(parent, name) => {
                let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if Mode::from_raw_mode(stat.st_mode) == mode {
                    return Ok(());
                }
                // Opening a device or a pipe itself has effects.
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let found = openat(parent, name, flags, Mode::empty())?;
                if FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Symlink {
                    return Err(Errno::LOOP);
                }
                let path = format!("/proc/self/fd/{}", found.as_raw_fd());
                chmodat(CWD, path, mode, AtFlags::empty())
            }
        }
    }

    /// Its time, in seconds.
    fn mtime(self) -> Result<i64> {
        let stat = match self {
            Self::Open(file) => fstat(file),
            Self::Link(parent, name) | Self::Node(parent, name) => {
                statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            }
        };
        Ok(stat?.st_mtime)
    }

    fn set_time(self, time: Time) -> Result<()> {
        let time = Timespec {
            tv_sec: time.seconds,
            tv_nsec: time.nanoseconds.into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        match self {
            Self::Open(file) => futimens(file, &times),
            Self::Link(parent, name) | Self::Node(parent, name) => {
                utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
        }
    }
}

/// True for the errors of something that this user may not do, or this file system cannot.
pub(super) fn is_not_allowed(error: Errno) -> bool {
    matches!(error, Errno::PERM | Errno::OPNOTSUPP)
}

/// True for the errors of an attribute that cannot be set, whoever is to blame. ext4 has
/// no space for a large one, however empty it is.
fn is_attribute_refused(error: Errno) -> bool {
    is_not_allowed(error)
        || matches!(
            error,
            Errno::ACCESS | Errno::INVAL | Errno::NOSPC | Errno::RANGE | Errno::TOOBIG
        )
}
