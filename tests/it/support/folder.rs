//! The content of a folder on disk, with all that an image can say of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr, major, minor};

use super::entry::{Entry, Kind, Meta, SECOND};
use super::layer::tar;
use super::naive::{Tree, replay};

/// The tree of files below a folder, with the folder itself as its root.
#[track_caller]
pub(crate) fn found_in(folder: &Path) -> Tree {
    let mut walk = Walk::default();
    walk.add(folder, b"");
    replay(&[tar(&walk.entries)])
}

#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    /// The first name of each inode.
    first: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Walk {
    fn add(&mut self, path: &Path, name: &[u8]) {
        let metadata = fs::symlink_metadata(path).expect("the entry is there");
        let is_directory = metadata.is_dir();
        let inode = (metadata.dev(), metadata.ino());
        let name_in_tar = match name {
            b"" => b"./".to_vec(),
            name if is_directory => [name, b"/"].concat(),
            name => name.to_vec(),
        };
        let first = self.first.entry(inode).or_insert_with(|| name.to_vec());
        let device = (major(metadata.rdev()), minor(metadata.rdev()));
        let kind = metadata.file_type();
        let kind = match kind {
            _ if is_directory => Kind::Directory,
            _ if first != name => Kind::Link(first.clone()),
            _ if kind.is_file() => Kind::File(fs::read(path).expect("the file can be read")),
            _ if kind.is_symlink() => {
                let target = fs::read_link(path).expect("the link can be read");
                Kind::Symlink(target.into_os_string().into_vec())
            }
            _ if kind.is_char_device() => Kind::Char(device.0, device.1),
            _ if kind.is_block_device() => Kind::Block(device.0, device.1),
            _ if kind.is_fifo() => Kind::Fifo,
            _ => panic!("{}: a socket", path.display()),
        };
        let meta = Meta {
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid().into(),
            gid: metadata.gid().into(),
            mtime: i128::from(metadata.mtime()) * SECOND + i128::from(metadata.mtime_nsec()),
            xattrs: attributes(path),
        };
        self.entries.push(Entry {
            name: name_in_tar,
            kind,
            meta,
        });
        if !is_directory {
            return;
        }
        let entries = fs::read_dir(path).expect("the folder can be read");
        let names = entries.map(|it| it.expect("an entry").file_name().into_vec());
        let mut names: Vec<Vec<u8>> = names.collect();
        names.sort();
        for inner in names {
            let relative = super::naive::join(name, &inner);
            self.add(&path.join(OsStr::from_bytes(&inner)), &relative);
        }
    }
}

/// The extended attributes of an entry.
fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 64 * 1024];
    let length = llistxattr(path, &mut names[..]).expect("attributes can be listed");
    names.truncate(length);
    let names = names.split(|byte| *byte == 0).filter(|it| !it.is_empty());
    let pair = |name: &[u8]| {
        let mut value = vec![0; 64 * 1024];
        let length = lgetxattr(path, name, &mut value[..]).expect("an attribute can be read");
        value.truncate(length);
        let name = String::from_utf8(name.to_vec()).expect("the name is text");
        (name, value)
    };
    names.map(pair).collect()
}
