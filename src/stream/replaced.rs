//! The owner and the mode of a file that is replaced.
//!
//! A new file in its place must not be readable for more users: a private file stays
//! private.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr};

use crate::stream::open::open_regular;

/// The attribute with an access list.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// The maximum size of an attribute.
const ATTRIBUTE_MAX: usize = 64 * 1024;

/// The bits of a mode that are passed on, and those of groups among them.
const MODE: u32 = 0o777;
const GROUP: u32 = 0o070;

/// Gives a new file the owner, the group and the mode of the one that it will replace, if
/// there is one.
pub(crate) fn pass_on_rights(old: &Path, new: &Path) -> io::Result<()> {
    match Replaced::at(old) {
        Some(replaced) => replaced.pass_on(&open_regular(new)?),
        None => Ok(()),
    }
}

/// The rights to a file that will be replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    metadata: Metadata,
    access_list: Option<Vec<u8>>,
}

impl Replaced {
    /// The rights to the regular file at a path, if there is one.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
        let mut value = vec![0; ATTRIBUTE_MAX];
        let access_list = getxattr(path, ACCESS_LIST, value.as_mut_slice()).ok();
        let access_list = access_list.map(|length| {
            value.truncate(length);
            value
        });
        Some(Self {
            metadata,
            access_list,
        })
    }

    /// Gives a new file, which only its owner can read so far, the same owner, group and
    /// mode. An owner or group that this process may not set stays, and others then have
    /// the rights that everybody had.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be examined. A mode that the file system cannot store is
    /// no error.
    pub(super) fn pass_on(&self, file: &File) -> io::Result<()> {
        let (uid, gid) = (self.metadata.uid(), self.metadata.gid());
        // The folder may have a default list, which gives rights to others.
        let _ = fremovexattr(file, ACCESS_LIST);
        let new = file.metadata()?;
        let (uid, gid) = (
            (uid != new.uid()).then_some(uid),
            (gid != new.gid()).then_some(gid),
        );
        if uid.is_some() || gid.is_some() {
            let _ = fchown(file, uid, gid).or_else(|_| fchown(file, None, gid));
        }
        let mode = self.metadata.mode() & MODE;
        let has_group = file.metadata()?.gid() == self.metadata.gid();
        let set = |mode| {
            // Without the mode, it stays private.
            let _ = file.set_permissions(Permissions::from_mode(mode));
        };
        match &self.access_list {
            None if has_group => set(mode),
            None => {
                let others = mode & (mode >> 3) & 0o007;
                set(mode & 0o700 | others << 3 | others);
            }
            // In the mode, the bits of the group are the maximum of all in the list.
            Some(list) => {
                set(mode & !GROUP);
                if has_group {
                    let _ = fsetxattr(file, ACCESS_LIST, list, XattrFlags::empty());
                }
            }
        }
        Ok(())
    }
}
