//! What `images`, `inspect` and `history` have in common.

use clap::{ArgAction, Args};
use restow::{Digest, Timestamp};
use serde_json::{Map, Value};

use crate::cli::ago::{ago, now};
use crate::cli::table::ellipsis;
use crate::cli::terminal::Terminal;
use crate::cli::text::{escaped, short, size};

/// How many characters Docker shows of what tells how a layer was made.
const SHORT_TEXT: usize = 45;

/// What stands for what has no name.
pub(super) const NONE: &str = "<none>";

/// The time that Go has for none: 1 January of the year 1.
const ZERO_TIME: i64 = -62_135_596_800;

/// How a table is shown.
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
    /// What follows for values.
    pub(super) fn style(&self) -> Style {
        Style {
            is_whole: self.no_trunc,
            is_human: self.human,
            now: now(),
        }
    }
}

/// How values are printed for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Whether digests and commands are shown whole.
    pub(super) is_whole: bool,
    /// Whether sizes and dates are put into words.
    pub(super) is_human: bool,
    /// The present, in seconds since 1970.
    pub(super) now: i64,
}

impl Style {
    /// Standard output, as wide as it may count.
    pub(super) fn terminal(self) -> Terminal {
        let mut terminal = Terminal::of_stdout();
        terminal.width = terminal.width.filter(|_| !self.is_whole);
        terminal
    }

    /// A digest, or its start.
    pub(super) fn digest(self, digest: &Digest) -> String {
        if self.is_whole {
            digest.to_string()
        } else {
            short(digest)
        }
    }

    /// What tells how a layer was made, or its start.
    pub(super) fn created_by(self, text: &str) -> String {
        let text = text.replace('\t', " ");
        if self.is_whole {
            text
        } else {
            ellipsis(&text, SHORT_TEXT)
        }
    }

    /// A size, which may not be known.
    pub(super) fn size(self, bytes: Option<u64>) -> String {
        match bytes {
            None => "?".to_owned(),
            Some(bytes) if self.is_human => size(bytes),
            Some(bytes) => bytes.to_string(),
        }
    }

    /// A time of which the year 1 means none, as everywhere in Docker, and for
    /// entries of the history all up to 1970. A text that is no time stays as it is.
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

/// The ids of an image, each as what it is: names, each with its values, of which one that
/// does not apply has none.
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

/// How wide the names of facts are.
const FACT_NAMES: usize = 15;

/// Facts for people, a line for each value.
pub(super) fn fact_lines(facts: &[(&'static str, Vec<String>)], terminal: Terminal) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, values) in facts {
        for (at, value) in values.iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            let room = terminal.width.unwrap_or(usize::MAX);
            let value = ellipsis(
                &escaped(value),
                room.saturating_sub(FACT_NAMES).max(FACT_NAMES),
            );
            let padding = " ".repeat(FACT_NAMES - name.len());
            lines.push(format!("{}{padding}{value}", terminal.bold(name)));
        }
    }
    lines
}

/// A digest for programs.
pub(super) fn digest_json(digest: Option<&Digest>) -> Value {
    digest.map_or(Value::Null, |digest| digest.to_string().into())
}

/// The fields of an object that was made with `json!`.
pub(super) fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
