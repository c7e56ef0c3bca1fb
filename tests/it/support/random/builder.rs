//! A layer of a random stack, entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use super::super::entry::{Entry, Kind, Meta, SECOND};
use super::super::naive::{Contents, Path, is_inside, join, path_of};
use super::stack::{Flavour, Numbers};

/// A layer under construction.
///
/// Left out, since their meaning is not in the spec:
/// - a hard link through a symlink of its layer to a path of the layers below;
/// - a hard link to a path of the layers below that the same layer removes or replaces, or whose
///   directory it replaces by the link.
pub(super) struct Builder<'a> {
    flavour: Flavour,
    below: &'a BTreeMap<Path, Entry>,
    layer: usize,
    entries: Vec<Entry>,
    contents: Contents,
    /// The path of each entry, and true if it is a directory.
    paths: Vec<(Path, bool)>,
    /// The paths of the layers below that are targets of links.
    linked: Vec<Path>,
    markers: Vec<Marker>,
}

/// A whiteout that will be added to the entries, if it is valid there.
struct Marker {
    directory: Path,
    /// The path that it removes; `None` for everything in the directory.
    victim: Option<Path>,
    entry: Entry,
    /// Its place among the entries.
    place: u32,
}

impl Marker {
    fn removes(&self, path: &[u8]) -> bool {
        match &self.victim {
            None => is_inside(path, &self.directory),
            Some(victim) => path == victim || is_inside(path, victim),
        }
    }

    /// True if it is in a directory, at any depth.
    fn is_in(&self, path: &[u8]) -> bool {
        self.directory == path || is_inside(&self.directory, path)
    }
}

/// Names of every kind; the first ones occur repeatedly.
const NAMES: [&[u8]; 20] = [
    b"a",
    b"b",
    b"c",
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"\xff\xfe",
    b"sp ace",
    b"line\nfeed",
    b"=",
    b"12 path=x",
    b".hidden",
    b"wh.",
    b"not.wh.x",
    b"\xc3\xa9",
    b"back\\slash",
    b"...",
    &[b'n'; 120],
];

const MODES: [u32; 8] = [0o644, 0o755, 0, 0o7777, 0o4755, 0o2755, 0o1777, 0o600];

const IDS: [u64; 7] = [0, 1, 1000, 65_534, 2_097_151, 2_097_152, 4_294_967_294];

const TIMES: [i128; 9] = [
    SECOND,
    0,
    -SECOND,
    -SECOND - SECOND / 2,
    -1,
    1_700_000_000 * SECOND + 123_456_789,
    8_589_934_591 * SECOND,
    8_589_934_592 * SECOND,
    9_999_999_999 * SECOND + SECOND / 10,
];

/// Extracts the part of a number that chooses one of `count`, and leaves the rest.
fn choose(number: &mut u32, count: usize) -> usize {
    let count = u32::try_from(count).expect("a choice is small");
    let choice = *number % count;
    *number /= count;
    choice as usize
}

impl<'a> Builder<'a> {
    /// Begins layer `layer`, on top of `below`.
    pub(super) fn new(flavour: Flavour, below: &'a BTreeMap<Path, Entry>, layer: usize) -> Self {
        Self {
            flavour,
            below,
            layer,
            entries: Vec::new(),
            contents: Contents::default(),
            paths: Vec::new(),
            linked: Vec::new(),
            markers: Vec::new(),
        }
    }

    /// Adds the entry with these numbers, if it is valid here.
    pub(super) fn add(&mut self, numbers: &Numbers) {
        let [mut kind, path, target, meta, mut place] = *numbers;
        let path = self.path(path);
        match choose(&mut kind, 24) {
            0..=6 => {
                let text = format!("{}.{} ", self.layer, self.entries.len());
                let content = text.repeat(choose(&mut kind, 3) * 40);
                self.entry(&path, Kind::File(content.into_bytes()), meta, place);
            }
            7..=9 => self.entry(&path, Kind::Directory, meta, place),
            10 | 11 => {
                let target = match choose(&mut kind, 4) {
                    0 => self.path(target),
                    1 => [b"/".as_slice(), &self.path(target)].concat(),
                    2 => [b"../".as_slice(), &self.path(target)].concat(),
                    _ => b"nowhere".to_vec(),
                };
                let path = self.in_the_way(choose(&mut kind, 3), path);
                self.entry(&path, Kind::Symlink(target), meta, place);
            }
            12..=14 => self.link(&path, target, meta, place),
            15 => self.entry(
                &path,
                Kind::Char(1 + kind % 300, place % 70_000),
                meta,
                place,
            ),
            16 => self.entry(&path, Kind::Block(kind % 300, place % 70_000), meta, place),
            17 => self.entry(&path, Kind::Fifo, meta, place),
            18..=21 => {
                let is_opaque = choose(&mut kind, 3) == 0;
                let path = match choose(&mut kind, 4) {
                    0 => path,
                    1 => self.in_deleted(&path).unwrap_or(path),
                    _ => self.path_below(target),
                };
                if !path.is_empty() {
                    self.marker(&path, is_opaque.then_some(()), meta, place);
                }
            }
            22 if self.flavour == Flavour::Any => match choose(&mut kind, 4) {
                0 => self.marker(b"", Some(()), meta, place),
                1 => self.device_marker(&path, meta, place),
                _ => self.entry(b"", Kind::Directory, meta, place),
            },
            _ => {
                choose(&mut place, 2);
                self.marker(&path, None, meta, place);
            }
        }
    }

    /// A path: of the layers below, of this layer, in a directory of either, or any.
    fn path(&self, mut number: u32) -> Path {
        let name = |number: &mut u32| NAMES[choose(number, NAMES.len())].to_vec();
        let choice = choose(&mut number, 8);
        let below = self.below.keys().filter(|it| !it.is_empty());
        let here = self.paths.iter().map(|(path, _)| path);
        let here = here.filter(|it| !it.is_empty());
        let known: Vec<&Path> = below.chain(here).collect();
        if choice == 0 || known.is_empty() {
            let depth = 1 + choose(&mut number, 3);
            let parts: Vec<Path> = (0..depth).map(|_| name(&mut number)).collect();
            return parts.join(&b'/');
        }
        let path = known[choose(&mut number, known.len())];
        match choice {
            1 | 2 if path.len() < 3000 => join(path, &name(&mut number)),
            3 if path.len() < 3000 => join(path, &[b'n'; 150]),
            _ => path.clone(),
        }
    }

    /// The directory of the last marker, to be replaced, if that is wanted; otherwise `path`.
    fn in_the_way(&self, choice: usize, path: Path) -> Path {
        let is_wanted = choice == 0 && self.flavour == Flavour::Any;
        let directory = self.markers.last().map(|it| it.directory.clone());
        let directory = directory.filter(|it| is_wanted && !it.is_empty());
        directory.unwrap_or(path)
    }

    /// A path inside something that the last marker deletes.
    fn in_deleted(&self, path: &[u8]) -> Option<Path> {
        let victim = self.markers.last()?.victim.as_ref()?;
        let inside = self.below.keys().find(|it| is_inside(it, victim));
        let name = path.rsplit(|it| *it == b'/').next().unwrap_or(b"a");
        let path = inside.cloned().unwrap_or_else(|| join(victim, name));
        (self.flavour == Flavour::Any && path.len() < 3000).then_some(path)
    }

    /// A path of the layers below; empty if they have none.
    fn path_below(&self, mut number: u32) -> Path {
        match self.below.len() {
            0 => Path::new(),
            count => {
                let path = self.below.keys().nth(choose(&mut number, count));
                path.expect("it is one of them").clone()
            }
        }
    }

    fn meta(&self, kind: &Kind, mut number: u32) -> Meta {
        let mut meta = Entry::new("", kind.clone()).meta;
        if choose(&mut number, 2) == 0 {
            return meta;
        }
        meta.mode = match kind {
            Kind::Symlink(_) => 0o777,
            _ => MODES[choose(&mut number, MODES.len())],
        };
        meta.uid = IDS[choose(&mut number, IDS.len())];
        meta.gid = IDS[choose(&mut number, IDS.len())];
        meta.mtime = TIMES[choose(&mut number, TIMES.len())];
        let xattrs: &[(&str, Vec<u8>)] = match choose(&mut number, 4) {
            0 => &[(
                "security.capability",
                [vec![1, 0, 0, 2], vec![0; 16]].concat(),
            )],
            1 => &[
                ("user.a", b"\0\n=\xff 12 path=x\n".to_vec()),
                ("trusted.b", Vec::new()),
                ("user.long", vec![0; 1000]),
                ("user.rootlesscontainers", b"gone".to_vec()),
            ],
            _ => &[],
        };
        let xattrs = xattrs.iter().filter(|(name, _)| {
            // Docker keeps no others, and capabilities only of files.
            let is_kept = *name == "security.capability" && matches!(kind, Kind::File(_));
            self.flavour == Flavour::Any || is_kept
        });
        meta.xattrs = xattrs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        meta
    }

    /// A form of a path that a tar may contain.
    fn name(path: &[u8], kind: &Kind, mut style: u32) -> Vec<u8> {
        let start: &[u8] = match choose(&mut style, 8) {
            _ if path.is_empty() => b"./",
            1 => b"./",
            2 => b"/",
            3 => b".//./",
            _ => b"",
        };
        let end: &[u8] = if *kind == Kind::Directory && !path.is_empty() {
            b"/"
        } else {
            b""
        };
        [start, path, end].concat()
    }

    fn link(&mut self, path: &[u8], mut number: u32, meta: u32, style: u32) {
        let is_file =
            |(path, entry): (&Path, &Entry)| (entry.kind != Kind::Directory).then(|| path.clone());
        let below = self.below.iter().filter_map(is_file);
        let here = self.paths.iter().filter(|(_, is_directory)| !is_directory);
        let mut targets: Vec<Path> = here.map(|(path, _)| path.clone()).collect();
        if self.flavour == Flavour::Docker {
            // Docker does not apply the metadata of a symlink's other names to it.
            let is_symlink = |it: &Entry| matches!(it.kind, Kind::Symlink(_));
            let symlinks = self.entries.iter().filter(|it| is_symlink(it));
            let symlinks: Vec<Path> = symlinks.map(|it| path_of(&it.name)).collect();
            targets.retain(|it| !symlinks.contains(it));
        } else if targets.is_empty() || choose(&mut number, 3) == 0 {
            // A linked file is often linked again.
            let again = self.linked.last();
            targets = match again.filter(|_| choose(&mut number, 3) > 0) {
                Some(target) => vec![target.clone()],
                None => below.collect(),
            };
        }
        if targets.is_empty() {
            return;
        }
        let target = targets.swap_remove(choose(&mut number, targets.len()));
        if !is_inside(&target, path) {
            let target = Self::name(&target, &Kind::Fifo, number);
            self.entry(path, Kind::Link(target), meta, style);
        }
    }

    fn entry(&mut self, path: &[u8], kind: Kind, meta: u32, style: u32) {
        let entry = Entry {
            name: Self::name(path, &kind, style),
            meta: self.meta(&kind, meta),
            kind,
        };
        if self.flavour == Flavour::Docker && !self.is_for_docker(path, &entry) {
            return;
        }
        let is_directory = entry.kind == Kind::Directory;
        let mut contents = self.contents.clone();
        let Ok(path) = contents.push(&entry) else {
            return;
        };
        // If the last file is that of an earlier entry, it was already checked.
        if let Kind::Link(name) = &entry.kind
            && let Some(target) = contents.last_below()
            && !self.linked.contains(target)
        {
            let is_file = self
                .below
                .get(target)
                .is_some_and(|it| it.kind != Kind::Directory);
            let is_symlinked = *target != path_of(name);
            if !is_file || is_symlinked || is_inside(target, &path) || *target == path {
                return;
            }
            self.linked.push(target.clone());
        }
        let spoils = |it: &Path| *it == path || (!is_directory && is_inside(it, &path));
        if self.linked.iter().any(spoils) {
            return;
        }
        self.contents = contents;
        self.paths.push((path, is_directory));
        self.entries.push(entry);
    }

    /// Returns true if Docker would load the entry; adds its parent directories, as builders do.
    fn is_for_docker(&mut self, path: &[u8], entry: &Entry) -> bool {
        if path.is_empty() || self.paths.iter().any(|(it, _)| it == path) {
            return false;
        }
        // The kernel has shorter names than a tar.
        if path.len() > 1000 || matches!(&entry.kind, Kind::Symlink(to) if to.len() > 1000) {
            return false;
        }
        let ends = path.iter().enumerate().filter(|(_, it)| **it == b'/');
        let ends: Vec<usize> = ends.map(|(end, _)| end).collect();
        for end in ends {
            let parent = &path[..end];
            match self.paths.iter().find(|(it, _)| it == parent) {
                Some((_, true)) => continue,
                Some((_, false)) => return false,
                None => {}
            }
            let there = self.below.get(parent).cloned();
            let there = there.filter(|it| it.kind == Kind::Directory);
            let parent =
                there.unwrap_or_else(|| Entry::new([parent, b"/"].concat(), Kind::Directory));
            self.contents
                .push(&parent)
                .expect("nothing but directories is above it");
            self.paths.push((path[..end].to_vec(), true));
            self.entries.push(parent);
        }
        true
    }

    /// The whiteout of a path, or the marker of an opaque directory.
    fn marker(&mut self, path: &[u8], opaque: Option<()>, meta: u32, place: u32) {
        let (directory, name) = match (opaque, path.iter().rposition(|it| *it == b'/')) {
            (Some(()), _) => (path, b".wh..wh..opq".to_vec()),
            (None, Some(end)) => (&path[..end], [b".wh.", &path[end + 1..]].concat()),
            (None, None) => (b"".as_slice(), [b".wh.", path].concat()),
        };
        let name = join(directory, &name);
        let mut entry = Entry::new(
            Self::name(&name, &Kind::Fifo, place),
            Kind::File(Vec::new()),
        );
        if self.flavour == Flavour::Any {
            entry.meta = self.meta(&entry.kind, meta);
        }
        self.markers.push(Marker {
            directory: directory.to_vec(),
            victim: opaque.is_none().then(|| path.to_vec()),
            entry,
            place,
        });
    }

    /// A whiteout in the form of an overlay file system.
    fn device_marker(&mut self, path: &[u8], meta: u32, place: u32) {
        let end = path.iter().rposition(|it| *it == b'/').unwrap_or(0);
        let kind = Kind::Char(0, 0);
        let entry = Entry {
            name: Self::name(path, &kind, place),
            meta: self.meta(&kind, meta),
            kind,
        };
        self.markers.push(Marker {
            directory: path[..end].to_vec(),
            victim: Some(path.to_vec()),
            entry,
            place,
        });
    }

    /// The entries, including the markers.
    pub(super) fn finish(mut self) -> Vec<Entry> {
        let mut markers = std::mem::take(&mut self.markers);
        match self.flavour {
            Flavour::Any => {
                for marker in markers {
                    let place = marker.place as usize % (self.entries.len() + 1);
                    let mut entries = self.entries.clone();
                    entries.insert(place, marker.entry);
                    let contents = Contents::read(&entries);
                    let spoils_link = |contents: &Contents| {
                        let mut linked = self.linked.iter();
                        linked.any(|it| contents.removes(it) || contents.has_marker_in(it))
                    };
                    if contents.is_ok_and(|contents| !spoils_link(&contents)) {
                        self.entries = entries;
                    }
                }
            }
            Flavour::Docker => {
                let files = self.paths.iter().filter(|(_, is_directory)| !is_directory);
                let files: Vec<&Path> = files.map(|(path, _)| path).collect();
                markers.retain(|marker| {
                    let is_valid = Contents::default().push(&marker.entry).is_ok();
                    is_valid && !files.iter().any(|it| marker.is_in(it))
                });
                self.append_for_docker(markers);
            }
        }
        self.entries
    }

    /// Appends each marker once, unless the layer has the path that it removes.
    fn append_for_docker(&mut self, mut markers: Vec<Marker>) {
        markers.retain(|it| {
            let inside = join(&it.directory, b".wh.");
            it.directory.len() <= 1000 && self.is_for_docker(&inside, &it.entry)
        });
        let mut seen = BTreeSet::new();
        for marker in markers {
            let is_there = |(path, _): &(Path, bool)| marker.removes(path);
            let is_spoiled = marker.victim.is_some() && self.paths.iter().any(is_there);
            if seen.insert(path_of(&marker.entry.name)) && !is_spoiled {
                self.entries.push(marker.entry);
            }
        }
    }
}
