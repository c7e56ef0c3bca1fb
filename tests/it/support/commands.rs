//! The commands that read an image, for the tests of damaged and hostile input.

use std::path::Path;

use super::judge::Format;
use super::testdata;

/// The part of an image that a command reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// The archive and its documents.
    Documents,
    /// The entries of the layers, which are not compared with their digests.
    Headers,
    /// Every byte of the layers, and of their unpacked form.
    Blobs,
    /// The entries of the layers.
    Entries,
}

/// A command and its effect on an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    /// Its words. These are replaced: `IN` by the input, and `IN:FIRST` by its first image;
    /// `BASE` by another archive, and `TREE` by a root filesystem; `DELTA` by the delta from the
    /// input to itself; `OUT` by an image, `ARCHIVE` by one in a docker archive, `FILE` by a file.
    words: &'static [&'static str],
    /// The part that it reads.
    pub(crate) depth: Depth,
}

/// Every command that reads an image, except for those that take only folders. A new one must be
/// added here.
pub(crate) const COMMANDS: [Command; 23] = [
    command(&["convert", "IN", "OUT"], Depth::Blobs),
    command(
        &["squash", "--all", "--image", "#1", "IN", "OUT"],
        Depth::Entries,
    ),
    command(
        &["config", "--label", "a=b", "--image", "#1", "IN", "OUT"],
        Depth::Blobs,
    ),
    command(
        &["append", "--delete", "*", "--image", "#1", "IN", "OUT"],
        Depth::Entries,
    ),
    command(&["convert", "IN", "BASE", "OUT"], Depth::Blobs),
    command(
        &["convert", "--index", "all:1", "--image", "#1", "IN", "OUT"],
        Depth::Blobs,
    ),
    command(
        &["convert", "--without", "BASE", "IN", "ARCHIVE"],
        Depth::Blobs,
    ),
    command(&["convert", "--with", "BASE", "IN", "OUT"], Depth::Blobs),
    command(
        &["append", "--changed", "TREE", "--image", "#1", "IN", "OUT"],
        Depth::Entries,
    ),
    command(
        &["rebase", "--image", "#1", "--onto", "IN:FIRST", "IN", "OUT"],
        Depth::Blobs,
    ),
    command(&["delta", "BASE", "IN", "FILE"], Depth::Blobs),
    command(&["delta", "IN", "BASE", "FILE"], Depth::Headers),
    command(&["apply", "IN", "DELTA", "OUT"], Depth::Blobs),
    command(&["export", "--image", "#1", "IN", "FILE"], Depth::Entries),
    command(&["extract", "--image", "#1", "IN", "FILE"], Depth::Entries),
    command(&["verify", "IN"], Depth::Entries),
    command(&["files", "--image", "#1", "IN"], Depth::Headers),
    command(&["waste", "--image", "#1", "IN"], Depth::Headers),
    command(
        &["files", "--all-layers", "--image", "#1", "IN"],
        Depth::Headers,
    ),
    command(&["diff", "--image", "#1", "IN", "IN"], Depth::Headers),
    command(&["images", "IN"], Depth::Documents),
    command(&["inspect", "--image", "#1", "IN"], Depth::Documents),
    command(&["history", "--image", "#1", "IN"], Depth::Documents),
];

/// An archive that shares no layer with the others of `testdata/`.
pub(crate) const BASE: &str = "docker28-containerd__noprov.tar";

/// The root filesystem of an image.
const TREE: &str = "docker20__edge-export.tar";

const fn command(words: &'static [&'static str], depth: Depth) -> Command {
    Command { words, depth }
}

impl Command {
    /// The arguments for an input and an output of a format, and the delta from the input to
    /// itself. The output is at `out`.
    pub(crate) fn arguments(self, input: &str, format: Format, delta: &Path) -> Vec<String> {
        let word = |word: &&str| match *word {
            "IN" => input.to_owned(),
            "IN:FIRST" => format!("{input}:@0"),
            "BASE" => testdata(BASE).display().to_string(),
            "TREE" => testdata(TREE).display().to_string(),
            "DELTA" => delta.display().to_string(),
            "OUT" => format.at("out"),
            "ARCHIVE" => Format::Docker.at("out"),
            "FILE" => "out".to_owned(),
            word => word.to_owned(),
        };
        self.words.iter().map(word).collect()
    }

    /// True if its output has the images of the input, unchanged and no others.
    pub(crate) fn keeps_images(self) -> bool {
        match self.words[0] {
            "apply" => true,
            "convert" => !self.words.contains(&"--index") && self.words[2] != "BASE",
            _ => false,
        }
    }

    /// True if it needs the delta from the input to itself.
    pub(crate) fn applies(self) -> bool {
        self.words.contains(&"DELTA")
    }

    /// True if its output is a delta.
    pub(crate) fn writes_delta(self) -> bool {
        self.words[0] == "delta"
    }

    /// True if it reads only one image of the input.
    pub(crate) fn reads_one(self) -> bool {
        self.words.contains(&"#1")
    }

    /// True if its output is a folder of files.
    pub(crate) fn writes_files(self) -> bool {
        self.words[0] == "extract"
    }

    /// Its exit code if it cannot read the input.
    pub(crate) fn failure(self) -> i32 {
        if self.words[0] == "diff" { 2 } else { 1 }
    }

    /// True if it writes something, instead of only printing information.
    pub(crate) fn writes(self) -> bool {
        ["OUT", "ARCHIVE", "FILE"]
            .iter()
            .any(|it| self.words.contains(it))
    }
}
