//! Entries of a file system, as lines of a list and as JSON.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use restow::{EntryType, FileEntry, FileTime};
use serde_json::{Map, Value, json};

use crate::cli::terminal::{HEADING, Terminal};
use crate::cli::text::{escaped_bytes, is_plain, size};
use crate::cli::view::fields;

/// The columns of a list, as wide as its entries need.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    is_human: bool,
    /// True if each line begins with a mark.
    has_marks: bool,
    links: usize,
    owner: usize,
    size: usize,
    layer: usize,
    /// The last time in the list: most files of a layer share at least the day.
    time: LastTime,
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
            time: LastTime::default(),
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

    /// Makes the columns as wide as those of another part of the list.
    pub(super) fn widen(&mut self, other: &Self) {
        self.links = self.links.max(other.links);
        self.owner = self.owner.max(other.owner);
        self.size = self.size.max(other.size);
        self.layer = self.layer.max(other.layer);
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

    /// Appends the line of an entry to a text.
    ///
    /// A list can have a million of them, so that nothing is formatted that is not new.
    pub(super) fn put(&mut self, entry: &FileEntry, out: &mut Vec<u8>) {
        put_mode(entry, out);
        out.push(b' ');
        put_number(entry.links.into(), self.links, out);
        out.push(b' ');
        match (u64::try_from(entry.uid), u64::try_from(entry.gid)) {
            (Ok(uid), Ok(gid)) => {
                let width = digits(gid) + ":".len();
                put_number(uid, self.owner.saturating_sub(width), out);
                out.push(b':');
                put_number(gid, 0, out);
            }
            _ => put_right(&owner(entry), self.owner, out),
        }
        out.push(b' ');
        match &entry.kind {
            EntryType::File(size) if !self.is_human => put_number(*size, self.size, out),
            _ => put_right(&self.size_of(entry), self.size, out),
        }
        out.push(b' ');
        let time = entry.mtime.map_or("", |mtime| self.time.text(mtime));
        out.extend_from_slice(time.as_bytes());
        pad(TIME.saturating_sub(time.len()) + " ".len(), out);
        put_number(entry.layer as u64, self.layer, out);
        out.extend_from_slice(b" /");
        put_escaped(&entry.path, out);
        if let EntryType::Symlink(target) = &entry.kind {
            out.extend_from_slice(b" -> ");
            put_escaped(target, out);
        }
        out.push(b'\n');
    }

    /// Appends the line of a deletion, which has nothing but a path.
    pub(super) fn put_deleted(&self, layer: usize, path: &[u8], out: &mut Vec<u8>) {
        let line = self.join("", "", "", "", "", &layer.to_string(), &rooted(path));
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
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

/// Appends spaces.
fn pad(width: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + width, b' ');
}

/// Appends ASCII text at the right of a column.
fn put_right(text: &str, width: usize, out: &mut Vec<u8>) {
    pad(width.saturating_sub(text.len()), out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number at the right of a column.
fn put_number(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut text = [b' '; 20];
    let mut start = text.len();
    loop {
        start -= 1;
        text[start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = &text[start..];
    pad(width.saturating_sub(digits.len()), out);
    out.extend_from_slice(digits);
}

/// Appends a name, escaped.
fn put_escaped(name: &[u8], out: &mut Vec<u8>) {
    if is_plain(name) {
        out.extend_from_slice(name);
    } else {
        out.extend_from_slice(escaped_bytes(name).as_bytes());
    }
}

/// The owner and the group.
fn owner(entry: &FileEntry) -> String {
    format!("{}:{}", entry.uid, entry.gid)
}

/// Appends the type and the permissions, as `ls -l` shows them.
fn put_mode(entry: &FileEntry, out: &mut Vec<u8>) {
    let mut text = [b' '; MODE];
    text[0] = match entry.kind {
        EntryType::Directory => b'd',
        EntryType::Symlink(_) => b'l',
        EntryType::CharDevice(..) => b'c',
        EntryType::BlockDevice(..) => b'b',
        EntryType::Fifo => b'p',
        _ => b'-',
    };
    let classes = [(6, 0o4000, b's'), (3, 0o2000, b's'), (0, 0o1000, b't')];
    for (at, (shift, special, set)) in classes.into_iter().enumerate() {
        let bits = entry.mode >> shift;
        let is_special = entry.mode & special != 0;
        let class = &mut text[1 + 3 * at..][..3];
        class[0] = if bits & 4 != 0 { b'r' } else { b'-' };
        class[1] = if bits & 2 != 0 { b'w' } else { b'-' };
        class[2] = match (is_special, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => set.to_ascii_uppercase(),
            (false, true) => b'x',
            (false, false) => b'-',
        };
    }
    if !entry.xattrs.is_empty() {
        text[MODE - 1] = b'+';
    }
    out.extend_from_slice(&text);
}

/// A time, and its text in UTC, to the second.
#[derive(Clone, Debug, Default)]
struct LastTime {
    seconds: i64,
    /// Empty before the first time.
    text: String,
}

impl LastTime {
    /// The text of a time.
    fn text(&mut self, time: FileTime) -> &str {
        const DAY: i64 = 24 * 60 * 60;
        let is_regular = self.text.as_bytes().get(10) == Some(&b' ');
        if is_regular && time.seconds.div_euclid(DAY) == self.seconds.div_euclid(DAY) {
            if self.seconds != time.seconds {
                let seconds = time.seconds.rem_euclid(DAY);
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                self.text.truncate("2026-11-28 ".len());
                let seconds = seconds % 60;
                // Writing to a string does not fail.
                let _ = write!(self.text, "{hours:02}:{minutes:02}:{seconds:02}");
            }
        } else {
            self.text = time_text(time);
        }
        self.seconds = time.seconds;
        &self.text
    }
}

/// A time in UTC, to the second.
fn time_text(time: FileTime) -> String {
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
