//! The commands that read an image, for the tests of damaged and hostile input.

use super::judge::Format;

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
    /// Its words; `IN` is replaced by the input, `OUT` by an image, `FILE` by a file.
    words: &'static [&'static str],
    /// The part that it reads.
    pub(crate) depth: Depth,
}

/// Every command that reads an image, except for those that need more than one input and those
/// that take only folders. A new one must be added here.
pub(crate) const COMMANDS: [Command; 14] = [
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

const fn command(words: &'static [&'static str], depth: Depth) -> Command {
    Command { words, depth }
}

impl Command {
    /// The arguments for an input and an output of a format. The output is at `out`.
    pub(crate) fn arguments(self, input: &str, format: Format) -> Vec<String> {
        let word = |word: &&str| match *word {
            "IN" => input.to_owned(),
            "OUT" => format.at("out"),
            "FILE" => "out".to_owned(),
            word => word.to_owned(),
        };
        self.words.iter().map(word).collect()
    }

    /// True if its output is an image with unchanged content.
    pub(crate) fn keeps_images(self) -> bool {
        self.words[0] == "convert"
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
        self.words.contains(&"OUT") || self.words.contains(&"FILE")
    }
}
