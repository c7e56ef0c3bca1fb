//! Arguments that several instructions share.

use serde_json::{Deserializer, Value};

use crate::dockerfile::ChangeFault;
use crate::dockerfile::words::{is_blank, plain_words, quoted_words};

/// The argument of CMD and ENTRYPOINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandLine {
    /// A list of words, run without a shell.
    Exec(Vec<String>),
    /// A text that the shell runs.
    Shell(Option<String>),
}

impl CommandLine {
    /// Parses a list of words, or else a text for the shell.
    pub(super) fn parse(arguments: &str) -> Result<Self, ChangeFault> {
        let text = (!arguments.is_empty()).then(|| arguments.to_owned());
        Ok(list(arguments)?.map_or(Self::Shell(text), Self::Exec))
    }
}

/// Parses a JSON list of strings; `None` if the text is not JSON. Text after the list
/// is ignored, as in Docker 20.10.
pub(super) fn list(text: &str) -> Result<Option<Vec<String>>, ChangeFault> {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let Some(Ok(values)) = values.next() else {
        return Ok(None);
    };
    let wrong = |_| ChangeFault::unexpected("a JSON array of strings", text);
    serde_json::from_value(values).map(Some).map_err(wrong)
}

/// True if a text begins as a JSON list does, but is not one. A test of a shell, such as
/// `[ -e FILE ]`, is no broken list.
pub(super) fn is_broken_list(text: &str) -> bool {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix('[') else {
        return false;
    };
    let is_test = rest.starts_with(is_blank) && plain_words(rest).iter().any(|word| word == "]");
    !is_test && matches!(list(text), Ok(None))
}

/// Parses `NAME=VALUE ...`, or the older `NAME VALUE`, whose value is the rest of the
/// line.
pub(super) fn pairs(text: &str, escape: char) -> Result<Vec<(String, String)>, ChangeFault> {
    let incomplete = ChangeFault::Incomplete("`NAME=VALUE ...` or `NAME VALUE`");
    let words = quoted_words(text, escape);
    let Some(first) = words.first() else {
        return Err(incomplete);
    };
    if !first.contains('=') {
        return match text.split_once(is_blank) {
            Some((name, value)) => {
                let value = value.trim_start_matches(is_blank);
                Ok(vec![(name.to_owned(), value.to_owned())])
            }
            None => Err(incomplete),
        };
    }
    let pair = |word: String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ChangeFault::unexpected("`NAME=VALUE`", word)),
    };
    words.into_iter().map(pair).collect()
}
