//! The commands that read an image, as the tests of damage and harm run them.

use super::judge::Format;

/// How far a command looks into an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// At the archive and its documents.
    Documents,
    /// At every byte of the layers, and what they unpack to.
    Blobs,
    /// At the entries of the layers.
    Entries,
}

/// A command and what it does with an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    /// Its words; `IN` stands for the input, `OUT` for an image, `FILE` for a file.
    words: &'static [&'static str],
    /// How far it looks.
    pub(crate) depth: Depth,
}

/// Every command that reads an image. A new one belongs here.
pub(crate) const COMMANDS: [Command; 7] = [
    command(&["convert", "IN", "OUT"], Depth::Blobs),
    command(
        &["squash", "--all", "--image", "#1", "IN", "OUT"],
        Depth::Entries,
    ),
    command(&["export", "--image", "#1", "IN", "FILE"], Depth::Entries),
    command(&["verify", "IN"], Depth::Entries),
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

    /// Whether its output is an image, and nothing in it is made anew.
    pub(crate) fn keeps_images(self) -> bool {
        self.words[0] == "convert"
    }

    /// Whether it writes something, and does not only say what there is.
    pub(crate) fn writes(self) -> bool {
        self.words.contains(&"OUT") || self.words.contains(&"FILE")
    }
}
