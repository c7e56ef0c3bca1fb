//! Common parts of `images`, `inspect` and `history`.

use clap::{ArgAction, Args};
use restow::{Digest, SizeChoice, Timestamp};
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::cli::ago::{ago, now};
use crate::cli::drawing::Drawing;
use crate::cli::table::{Column, Content};
use crate::cli::terminal::{HEADING, Terminal};
use crate::cli::text::{escaped, short, size};

/// Maximum length of a command in `docker history`, in characters.
const SHORT_TEXT: usize = 45;

/// The prefix that Docker's classic builder gives to an instruction that runs nothing.
const NOT_RUN: &str = "/bin/sh -c #(nop)";

/// The suffix that BuildKit gives to each instruction.
const BUILDKIT: &str = " # buildkit";

/// The placeholder for a missing name.
pub(super) const NONE: &str = "<none>";

/// The zero time of Go: 1 January of the year 1.
const ZERO_TIME: i64 = -62_135_596_800;

/// The option for the sizes of compressed layers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Sizes {
    /// Unpack compressed layers for their SIZE, on all cores
    #[arg(long, short)]
    size: bool,
}

impl Sizes {
    /// The layers whose size is determined, if sizes are printed.
    pub(super) fn choice(&self, is_printed: bool) -> SizeChoice {
        match self.size {
            _ if !is_printed => SizeChoice::None,
            true => SizeChoice::All,
            false => SizeChoice::Headers,
        }
    }
}

/// The options for tables.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct TableStyle {
    /// Do not truncate output
    #[arg(long)]
    no_trunc: bool,

    /// Human-readable sizes and dates
    ///
    /// `--human=false` prints sizes in bytes and full timestamps.
    #[arg(
        long,
        short = 'H',
        value_name = "BOOL",
        action = ArgAction::Set,
        default_value_t = true,
        hide_default_value = true,
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    human: bool,
}

impl TableStyle {
    /// The style that these options select.
    pub(super) fn style(&self) -> Style {
        Style {
            is_whole: self.no_trunc,
            is_human: self.human,
            now: now(),
            drawing: Drawing::of_locale(),
        }
    }
}

/// The columns for the size of the files and for the stored size. If there is room for one only,
/// that is the size of the files, or the stored size if any size of files is unknown.
pub(super) fn size_columns(is_known: bool) -> [Column; 2] {
    let (files, stored) = if is_known {
        (Content::Dispensable, Content::Spare)
    } else {
        (Content::Spare, Content::Dispensable)
    };
    [("SIZE", files), ("STORED", stored)]
}

/// The format of values for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// True if digests and commands are shown in full.
    pub(super) is_whole: bool,
    /// True if sizes and dates are human-readable.
    pub(super) is_human: bool,
    /// The present, in seconds since 1970.
    pub(super) now: i64,
    /// The characters for drawings and truncated texts.
    pub(super) drawing: Drawing,
}

impl Style {
    /// Standard output, without a limit of the width if values are shown in full.
    pub(super) fn terminal(self) -> Terminal {
        let mut terminal = Terminal::of_stdout();
        terminal.width = terminal.width.filter(|_| !self.is_whole);
        terminal
    }

    /// A digest, in full or shortened.
    pub(super) fn digest(self, digest: &Digest) -> String {
        if self.is_whole {
            digest.to_string()
        } else {
            short(digest)
        }
    }

    /// The instruction that created a layer: in full, or truncated and without the prefix and
    /// suffix that builders add.
    pub(super) fn created_by(self, text: &str) -> String {
        let text = text.replace('\t', " ");
        if self.is_whole {
            return text;
        }
        let text = text.strip_prefix(NOT_RUN).unwrap_or(&text).trim_start();
        let text = text.strip_suffix(BUILDKIT).unwrap_or(text);
        self.drawing.cut(text, SHORT_TEXT)
    }

    /// A size, which may be unknown.
    pub(super) fn size(self, bytes: Option<u64>) -> String {
        match bytes {
            None => "?".to_owned(),
            Some(bytes) if self.is_human => size(bytes),
            Some(bytes) => bytes.to_string(),
        }
    }

    /// A time. The zero time of Go means none, and in the history so does any time up to 1970, as
    /// in Docker. A text that is not a time is printed unchanged.
    pub(super) fn created(self, created: Option<&str>, is_history: bool) -> String {
        const NO_TIME: &str = "N/A";
        let Some(text) = created.filter(|text| !text.is_empty()) else {
            return NO_TIME.to_owned();
        };
        let Ok(seconds) = text.parse().map(Timestamp::seconds) else {
            return text.to_owned();
        };
        match seconds {
            ZERO_TIME => NO_TIME.to_owned(),
            _ if !self.is_human => match Timestamp::from_seconds(seconds) {
                Some(whole) => whole.to_string(),
                None => text.to_owned(),
            },
            _ if is_history && seconds <= 0 => NO_TIME.to_owned(),
            _ => ago(seconds, self.now),
        }
    }
}

/// The ids of an image, as facts: names, each with its values. An id that does not apply has
/// no values.
pub(super) fn id_facts(
    id: &Digest,
    digest: Option<&Digest>,
    index: Option<&Digest>,
    containerd_id: Option<&Digest>,
) -> [(&'static str, Vec<String>); 4] {
    let or_none =
        |digest: Option<&Digest>| vec![digest.map_or_else(|| NONE.to_owned(), ToString::to_string)];
    [
        ("Image ID", vec![id.to_string()]),
        ("Digest", or_none(digest)),
        (
            "Index",
            index.map(ToString::to_string).into_iter().collect(),
        ),
        ("Containerd ID", or_none(containerd_id)),
    ]
}

/// The width of the column for the names of facts.
const FACT_NAMES: usize = 15;

/// Facts as text, one line per value.
pub(super) fn fact_lines(facts: &[(&'static str, Vec<String>)], terminal: Terminal) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, values) in facts {
        for (at, value) in values.iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            let room = terminal.width.unwrap_or(usize::MAX);
            let room = room.saturating_sub(FACT_NAMES).max(FACT_NAMES);
            let value = escaped(value);
            // An id that fits without its algorithm can be copied.
            let short = value.strip_prefix("sha256:").unwrap_or(&value);
            let fitting = if value.width() > room { short } else { &value };
            let value = terminal.drawing.cut(fitting, room);
            let padding = " ".repeat(FACT_NAMES - name.len());
            let name = terminal.styled(HEADING, name);
            lines.push(format!("{name}{padding}{value}"));
        }
    }
    lines
}

/// A digest as JSON.
pub(super) fn digest_json(digest: Option<&Digest>) -> Value {
    digest.map_or(Value::Null, |digest| digest.to_string().into())
}

/// A text of a config as JSON: null if the config does not have it. An empty text says nothing
/// else.
pub(super) fn text_json(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The fields of an object that was made with `json!`.
pub(super) fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_shown_without_what_builders_put_around_it() {
        let shown = |text: &str, is_whole| {
            let style = Style {
                is_whole,
                is_human: true,
                now: 0,
                drawing: Drawing::UNICODE,
            };
            style.created_by(text)
        };
        for (text, expected) in [
            ("/bin/sh -c #(nop)  CMD [\"sh\"]", "CMD [\"sh\"]"),
            ("/bin/sh -c #(nop) ADD file:1 in / ", "ADD file:1 in / "),
            ("/bin/sh -c apk add curl", "/bin/sh -c apk add curl"),
            ("RUN /bin/sh -c ls # buildkit", "RUN /bin/sh -c ls"),
            ("COPY a\t/a # buildkit", "COPY a /a"),
            ("RUN # buildkit # x", "RUN # buildkit # x"),
            ("", ""),
        ] {
            assert_eq!(shown(text, false), expected);
            assert_eq!(shown(text, true), text.replace('\t', " "));
        }
        let long = format!("/bin/sh -c #(nop) {}", "x".repeat(46));
        assert_eq!(shown(&long, false), format!("{}…", "x".repeat(44)));
    }
}
