//! One entry of a layer, in memory and as a word of text.
//!
//! The words are those of the worked cases: a layer is a list of words, and a stack of layers is a
//! sequence of lists separated by `|`.
//!
//! ```text
//! etc/                  a directory
//! etc/hosts=localhost   a file; without `=` it is empty
//! bin->usr/bin          a symlink
//! etc/copy=>etc/hosts   a hard link
//! etc/.wh.passwd        a whiteout, which is nothing but a name
//! dev/null(c1:3)        a character device; `b8:1` is a block device, `p` a fifo
//! tmp/(01777,3:4,@-1.5,user.a=00ff)
//!                       a mode, owner and group, a time, an attribute in hexadecimal
//! a\x20b\xff            any byte
//! ```
//!
//! The defaults are 0755, 0777 (symlinks) or 0644, 0:0, and one second after 1970; all zero for a
//! whiteout.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use super::codec::digest;

/// A member of the tar of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name exactly as in the tar; that of a directory ends in `/`.
    pub(crate) name: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) meta: Meta,
}

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File(Vec<u8>),
    Symlink(Vec<u8>),
    Link(Vec<u8>),
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
}

/// The metadata of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Nanoseconds since 1970.
    pub(crate) mtime: i128,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
}

/// Nanoseconds in a second.
pub(crate) const SECOND: i128 = 1_000_000_000;

/// Maximum length of content that is shown literally; longer content is shown by its digest.
const SHOWN: usize = 80;

impl Entry {
    /// An entry with the default metadata of a word.
    pub(crate) fn new(name: impl Into<Vec<u8>>, kind: Kind) -> Self {
        let name = name.into();
        let meta = Meta::usual(&name, &kind);
        Self { name, kind, meta }
    }

    /// The last component of the name.
    pub(crate) fn base_name(&self) -> &[u8] {
        base_name(&self.name)
    }

    /// True if this is a whiteout, including an opaque one.
    pub(crate) fn is_marker(&self) -> bool {
        is_marker(&self.name)
    }

    /// Parses a word.
    #[track_caller]
    pub(crate) fn parse(word: &str) -> Self {
        let (word, attributes) = match word.strip_suffix(')').and_then(|it| it.rsplit_once('(')) {
            Some((word, attributes)) => (word, attributes),
            None => (word, ""),
        };
        let sign = ["=>", "->", "="]
            .into_iter()
            .filter_map(|sign| Some((word.find(sign)?, sign)))
            .min_by_key(|(place, sign)| (*place, usize::MAX - sign.len()));
        let mut entry = match sign {
            None if word.ends_with('/') => Self::new(unescape(word), Kind::Directory),
            None => Self::new(unescape(word), Kind::File(Vec::new())),
            Some((place, sign)) => {
                let rest = unescape(&word[place + sign.len()..]);
                let kind = match sign {
                    "=>" => Kind::Link(rest),
                    "->" => Kind::Symlink(rest),
                    _ => Kind::File(rest),
                };
                Self::new(unescape(&word[..place]), kind)
            }
        };
        for attribute in attributes.split(',').filter(|it| !it.is_empty()) {
            entry.set(attribute);
        }
        entry
    }

    #[track_caller]
    fn set(&mut self, attribute: &str) {
        let number = |text: &str| -> u64 {
            text.parse()
                .unwrap_or_else(|_| panic!("`{attribute}` is no attribute of an entry"))
        };
        let device = |text: &str| {
            let (major, minor) = text.split_once(':').expect("a device has two numbers");
            let small = "the number of a device is small";
            (
                u32::try_from(number(major)).expect(small),
                u32::try_from(number(minor)).expect(small),
            )
        };
        if let Some(time) = attribute.strip_prefix('@') {
            self.meta.mtime = nanoseconds(time);
        } else if let Some((name, value)) = attribute.split_once('=') {
            self.meta.xattrs.insert(name.to_owned(), from_hex(value));
        } else if let Some(numbers) = attribute.strip_prefix('c') {
            let (major, minor) = device(numbers);
            self.kind = Kind::Char(major, minor);
        } else if let Some(numbers) = attribute.strip_prefix('b') {
            let (major, minor) = device(numbers);
            self.kind = Kind::Block(major, minor);
        } else if attribute == "p" {
            self.kind = Kind::Fifo;
        } else if let Some((uid, gid)) = attribute.split_once(':') {
            (self.meta.uid, self.meta.gid) = (number(uid), number(gid));
        } else {
            self.meta.mode = u32::from_str_radix(attribute, 8)
                .unwrap_or_else(|_| panic!("`{attribute}` is no attribute of an entry"));
        }
    }

    /// The entry as a word, for a message that is seldom needed: it is put together when shown.
    pub(crate) fn shown(&self) -> impl Display {
        Shown(self)
    }

    /// The entry as a word; the defaults of [`Self::parse`] are omitted.
    pub(crate) fn word(&self) -> String {
        let usual = Meta::usual(&self.name, &self.kind);
        let mut word = escape(&self.name);
        let mut attributes = Vec::new();
        match &self.kind {
            Kind::Directory => {}
            Kind::File(content) if content.is_empty() => {}
            Kind::File(content) if content.len() <= SHOWN => {
                let _ = write!(word, "={}", escape(content));
            }
            Kind::File(content) => {
                let _ = write!(word, "={}:{}", content.len(), digest(content));
            }
            Kind::Symlink(target) => {
                let _ = write!(word, "->{}", escape(target));
            }
            Kind::Link(target) => {
                let _ = write!(word, "=>{}", escape(target));
            }
            Kind::Char(major, minor) => attributes.push(format!("c{major}:{minor}")),
            Kind::Block(major, minor) => attributes.push(format!("b{major}:{minor}")),
            Kind::Fifo => attributes.push("p".to_owned()),
        }
        let meta = &self.meta;
        if meta.mode != usual.mode {
            attributes.push(format!("0{:o}", meta.mode));
        }
        if (meta.uid, meta.gid) != (usual.uid, usual.gid) {
            attributes.push(format!("{}:{}", meta.uid, meta.gid));
        }
        if meta.mtime != usual.mtime {
            attributes.push(format!("@{}", seconds(meta.mtime)));
        }
        for (name, value) in &meta.xattrs {
            attributes.push(format!("{name}={}", to_hex(value)));
        }
        if !attributes.is_empty() {
            let _ = write!(word, "({})", attributes.join(","));
        }
        word
    }
}

impl Meta {
    /// The default metadata of a word.
    fn usual(name: &[u8], kind: &Kind) -> Self {
        let (mode, mtime) = match kind {
            Kind::File(_) if is_marker(name) => (0, 0),
            Kind::Directory => (0o755, SECOND),
            Kind::Symlink(_) => (0o777, SECOND),
            _ => (0o644, SECOND),
        };
        Self {
            mode,
            mtime,
            ..Self::implied()
        }
    }

    /// The metadata of a directory without an entry of its own, if one has to be written.
    pub(crate) fn implied() -> Self {
        Self {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            xattrs: BTreeMap::new(),
        }
    }
}

/// Parses the words of one layer.
#[track_caller]
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    text.split_whitespace().map(Entry::parse).collect()
}

/// Parses the layers of a stack, lowest first.
#[track_caller]
pub(crate) fn stack(text: &str) -> Vec<Vec<Entry>> {
    text.split('|').map(entries).collect()
}

/// An entry that is shown as a word.
struct Shown<'a>(&'a Entry);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.word())
    }
}

/// Formats entries as words.
pub(crate) fn words(entries: &[Entry]) -> String {
    entries
        .iter()
        .map(Entry::word)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last component of a name.
pub(crate) fn base_name(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    name.rsplit(|it| *it == b'/').next().unwrap_or_default()
}

/// Returns true if a name is that of a whiteout, including an opaque one, but not of AUFS's files.
pub(crate) fn is_marker(name: &[u8]) -> bool {
    let base = base_name(name);
    let is_left_over = [".wh..wh.aufs", ".wh..wh.orph", ".wh..wh.plnk"]
        .iter()
        .any(|it| it.as_bytes() == base);
    base.starts_with(b".wh.") && !is_left_over
}

/// A time as decimal seconds, as PAX writes it.
pub(crate) fn seconds(nanoseconds: i128) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let nanoseconds = nanoseconds.unsigned_abs();
    let (whole, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let fraction = format!(".{rest:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{sign}{whole}{fraction}")
}

/// A time from decimal seconds; digits beyond nanoseconds are truncated.
#[track_caller]
pub(crate) fn nanoseconds(seconds: &str) -> i128 {
    let (sign, digits) = match seconds.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, seconds),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let number = |text: &str| -> i128 {
        text.parse()
            .unwrap_or_else(|_| panic!("`{seconds}` is not a time"))
    };
    sign * (number(whole) * SECOND + number(&fraction))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[track_caller]
fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).expect("the text is ASCII");
        u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("`{text}` is not hexadecimal"))
    });
    pairs.collect()
}

/// Bytes as text without spaces, brackets and control characters.
pub(crate) fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, &byte| {
        match byte {
            b'\\' | b'(' | b')' | b'=' | b'|' => {
                let _ = write!(text, "\\x{byte:02x}");
            }
            0x21..=0x7e => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
        text
    })
}

#[track_caller]
fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(from_hex(byte));
        bytes.extend(rest.bytes());
    }
    bytes
}

#[test]
fn words_are_read_as_they_are_written() {
    let text = "./(0700) a/ a/x a/y=1 l->a/y h=>a/y c(c1:3) b(b8:1,0600) p(p,3:4) \
                a/.wh..wh..opq .wh.z n\\x20m\\xff=\\x3d\\x28 t(@-1.5) v(04755,4294967294:1,user.a=00ff,user.b=)";
    let entries = entries(text);
    assert_eq!(
        words(&entries),
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    let last = entries.last().expect("there are entries");
    let xattrs = [("user.a", vec![0, 0xff]), ("user.b", vec![])];
    let meta = Meta {
        mode: 0o4755,
        uid: 4_294_967_294,
        gid: 1,
        mtime: SECOND,
        xattrs: xattrs.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    assert_eq!((last.name.as_slice(), &last.meta), (b"v".as_slice(), &meta));
    let names: Vec<&[u8]> = entries.iter().map(|it| it.name.as_slice()).collect();
    assert_eq!(names[11], b"n m\xff");
    assert_eq!(entries[11].kind, Kind::File(b"=(".to_vec()));
    assert_eq!(entries[12].meta.mtime, -1_500_000_000);
}
