//! Entries of a file system, as lines of a list and as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use restow::{EntryType, FileEntry, FileTime};
use serde_json::{Map, Value, json};

use crate::cli::terminal::{HEADING, Terminal};
use crate::cli::text::{escaped_bytes, size};
use crate::cli::view::fields;

/// The columns of a list, as wide as its entries need.
#[derive(Debug)]
pub(super) struct Columns {
    is_human: bool,
    /// True if each line begins with a mark.
    has_marks: bool,
    links: usize,
    owner: usize,
    size: usize,
    layer: usize,
    /// The last time in the list, in seconds and as text: most files of a layer share it.
    time: (i64, String),
}

/// The width of a time.
const TIME: usize = "2026-11-28 12:00:00".len();

/// The width of a mode, with the sign for attributes.
const MODE: usize = "-rw-r--r--+".len();

impl Columns {
    /// The columns of an empty list.
    pub(super) fn new(is_human: bool, has_marks: bool) -> Self {
        Self {
            is_human,
            has_marks,
            links: "LINKS".len(),
            owner: "OWNER".len(),
            size: "SIZE".len(),
            layer: "LAYER".len(),
            time: (0, "1970-01-01 00:00:00".to_owned()),
        }
    }

    /// Makes the columns wide enough for an entry.
    pub(super) fn measure(&mut self, entry: &FileEntry) {
        self.links = self.links.max(digits(entry.links.into()));
        self.layer = self.layer.max(digits(entry.layer as u64));
        let owner = match (u64::try_from(entry.uid), u64::try_from(entry.gid)) {
            (Ok(uid), Ok(gid)) => digits(uid) + ":".len() + digits(gid),
            _ => owner(entry).len(),
        };
        self.owner = self.owner.max(owner);
        let size = match &entry.kind {
            EntryType::File(size) if !self.is_human => digits(*size),
            _ => self.size_of(entry).len(),
        };
        self.size = self.size.max(size);
    }

    /// The headings.
    pub(super) fn heading(&self) -> String {
        let terminal = Terminal::of_stdout();
        let mark = if self.has_marks { "  " } else { "" };
        let line = self.join(
            "MODE", "LINKS", "OWNER", "SIZE", "MODIFIED", "LAYER", "PATH",
        );
        let line = format!("{mark}{line}");
        terminal.styled(HEADING, &line)
    }

    /// The line of an entry.
    pub(super) fn line(&mut self, entry: &FileEntry) -> String {
        let time = match entry.mtime {
            None => "",
            Some(mtime) => {
                if self.time.0 != mtime.seconds {
                    self.time = (mtime.seconds, time(mtime));
                }
                &self.time.1
            }
        };
        let path = match &entry.kind {
            EntryType::Symlink(target) => {
                format!("{} -> {}", rooted(&entry.path), escaped_bytes(target))
            }
            _ => rooted(&entry.path),
        };
        self.join(
            &mode(entry),
            &entry.links.to_string(),
            &owner(entry),
            &self.size_of(entry),
            time,
            &entry.layer.to_string(),
            &path,
        )
    }

    /// The line of a deletion, which has nothing but a path.
    pub(super) fn deleted(&self, layer: usize, path: &[u8]) -> String {
        self.join("", "", "", "", "", &layer.to_string(), &rooted(path))
    }

    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    fn join(
        &self,
        mode: &str,
        links: &str,
        owner: &str,
        size: &str,
        time: &str,
        layer: &str,
        path: &str,
    ) -> String {
        let Self {
            links: of_links,
            owner: of_owner,
            size: of_size,
            layer: of_layer,
            ..
        } = self;
        format!(
            "{mode:MODE$} {links:>of_links$} {owner:>of_owner$} {size:>of_size$} {time:TIME$} \
             {layer:>of_layer$} {path}"
        )
    }

    fn size_of(&self, entry: &FileEntry) -> String {
        match &entry.kind {
            EntryType::CharDevice(major, minor) | EntryType::BlockDevice(major, minor) => {
                format!("{major},{minor}")
            }
            _ if self.is_human => size(entry.size()),
            _ => entry.size().to_string(),
        }
    }
}

/// The number of digits of a number.
fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// The owner and the group.
fn owner(entry: &FileEntry) -> String {
    format!("{}:{}", entry.uid, entry.gid)
}

/// The type and the permissions, as `ls -l` shows them.
fn mode(entry: &FileEntry) -> String {
    let kind = match entry.kind {
        EntryType::Directory => 'd',
        EntryType::Symlink(_) => 'l',
        EntryType::CharDevice(..) => 'c',
        EntryType::BlockDevice(..) => 'b',
        EntryType::Fifo => 'p',
        _ => '-',
    };
    let mut text = String::from(kind);
    for (shift, special, set) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        let is_special = entry.mode & special != 0;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (is_special, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => set.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    if !entry.xattrs.is_empty() {
        text.push('+');
    }
    text
}

/// A time in UTC, to the second.
fn time(time: FileTime) -> String {
    let text = time.to_string();
    let second = text.get(..TIME).filter(|it| it.as_bytes()[10] == b'T');
    second.map_or(text.clone(), |second| second.replacen('T', " ", 1))
}

/// A path from the root, escaped.
pub(super) fn rooted(path: &[u8]) -> String {
    format!("/{}", escaped_bytes(path))
}

/// The path of an entry as JSON. If it is not UTF-8, its bytes are there, too.
pub(super) fn path_json(path: &[u8]) -> Map<String, Value> {
    let is_text = std::str::from_utf8(path).is_ok();
    let bytes = (!is_text).then(|| STANDARD.encode([b"/", path].concat()));
    let path = format!("/{}", String::from_utf8_lossy(path));
    fields(json!({ "path": path, "path_base64": bytes }))
}

/// An entry as JSON.
pub(super) fn entry_json(entry: &FileEntry) -> Map<String, Value> {
    let (kind, target, device) = match &entry.kind {
        EntryType::Directory => ("directory", None, None),
        EntryType::Symlink(target) => ("symlink", Some(target), None),
        EntryType::CharDevice(major, minor) => ("char", None, Some([major, minor])),
        EntryType::BlockDevice(major, minor) => ("block", None, Some([major, minor])),
        EntryType::Fifo => ("fifo", None, None),
        _ => ("file", None, None),
    };
    let xattrs = entry.xattrs.iter().map(|(name, value)| {
        let name = String::from_utf8_lossy(name).into_owned();
        (name, Value::from(STANDARD.encode(value)))
    });
    let mut object = path_json(&entry.path);
    object.append(&mut fields(json!({
        "type": kind,
        "mode": format!("{:04o}", entry.mode),
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size(),
        "mtime": entry.mtime.map(|time| time.to_string()),
        "target": target.map(|target| String::from_utf8_lossy(target)),
        "target_base64": target
            .filter(|target| std::str::from_utf8(target).is_err())
            .map(|target| STANDARD.encode(target)),
        "device": device,
        "links": entry.links,
        "inode": entry.inode,
        "xattrs": xattrs.collect::<Map<String, Value>>(),
        "layer": entry.layer,
    })));
    object
}
