//! One line as an instruction.

use serde_json::{Deserializer, Value};

use crate::image::change::ChangeFault;
use crate::image::change::health::Health;
use crate::image::change::onbuild;
use crate::image::change::words::{first_word, is_blank, options, plain_words, quoted_words};

/// An instruction whose form is right. Its words are not expanded yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Instruction {
    Cmd(CommandLine),
    Entrypoint(CommandLine),
    Env(Vec<(String, String)>),
    Expose(Vec<String>),
    Healthcheck(Health),
    Label(Vec<(String, String)>),
    Onbuild(String),
    StopSignal(String),
    User(String),
    Volume(Vec<String>),
    Workdir(String),
}

impl Instruction {
    /// Reads a line.
    pub(super) fn parse(line: &str, escape: char) -> Result<Self, ChangeFault> {
        let (word, rest) = first_word(line);
        let (given, arguments) = options(rest);
        let word = word.to_ascii_uppercase();
        if word == "HEALTHCHECK" {
            return Health::parse(&given, arguments).map(Self::Healthcheck);
        }
        let one = |expected| match arguments {
            "" => Err(ChangeFault::Incomplete { expected }),
            text => Ok(text.to_owned()),
        };
        let instruction = match word.as_str() {
            "CMD" => Self::Cmd(CommandLine::parse(arguments)?),
            "ENTRYPOINT" => Self::Entrypoint(CommandLine::parse(arguments)?),
            "ENV" => Self::Env(pairs(arguments, escape)?),
            "EXPOSE" => Self::Expose(plain_words(&one("`EXPOSE PORT[/PROTOCOL] ...`")?)),
            "LABEL" => Self::Label(pairs(arguments, escape)?),
            "ONBUILD" => {
                one("`ONBUILD INSTRUCTION`")?;
                // Blanks at its end stay, as Docker leaves them.
                let trigger = line.trim_start()[word.len()..].trim_start_matches(is_blank);
                onbuild::check(trigger, escape)?;
                Self::Onbuild(trigger.to_owned())
            }
            "STOPSIGNAL" => Self::StopSignal(one("`STOPSIGNAL SIGNAL`")?),
            "USER" => Self::User(one("`USER NAME[:GROUP]`")?),
            "VOLUME" => Self::Volume(volumes(arguments)?),
            "WORKDIR" => Self::Workdir(one("`WORKDIR PATH`")?),
            _ => return Err(ChangeFault::NotAChange),
        };
        match given.first() {
            Some(option) => Err(ChangeFault::unexpected("no option", option)),
            None => Ok(instruction),
        }
    }
}

/// What CMD and ENTRYPOINT take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandLine {
    /// A list of words, which are run as they are.
    Exec(Vec<String>),
    /// A text for the shell.
    Shell(Option<String>),
}

impl CommandLine {
    pub(super) fn parse(arguments: &str) -> Result<Self, ChangeFault> {
        if let Some(words) = list(arguments)? {
            return Ok(Self::Exec(words));
        }
        let text = (!arguments.is_empty()).then(|| arguments.to_owned());
        Ok(Self::Shell(text))
    }
}

/// Reads a JSON list of strings. What is no JSON is no list; what follows the list does
/// not count, as in Docker 20.10.
fn list(text: &str) -> Result<Option<Vec<String>>, ChangeFault> {
    let text = text.trim_start();
    if !text.starts_with('[') {
        return Ok(None);
    }
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let Some(Ok(Value::Array(values))) = values.next() else {
        return Ok(None);
    };
    let words = values.into_iter().map(|value| match value {
        Value::String(word) => Some(word),
        _ => None,
    });
    let words: Option<Vec<String>> = words.collect();
    let words = words.ok_or_else(|| ChangeFault::unexpected("a list of strings alone", text))?;
    Ok(Some(words))
}

/// Reads `NAME=VALUE ...`, or the older `NAME VALUE` whose value is the rest of the line.
pub(super) fn pairs(text: &str, escape: char) -> Result<Vec<(String, String)>, ChangeFault> {
    let incomplete = ChangeFault::Incomplete {
        expected: "`NAME=VALUE ...` or `NAME VALUE`",
    };
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

fn volumes(text: &str) -> Result<Vec<String>, ChangeFault> {
    let words = match list(text)? {
        Some(words) => words.iter().map(|word| word.trim().to_owned()).collect(),
        None => plain_words(text),
    };
    if words.is_empty() || words.iter().any(String::is_empty) {
        let expected = "`VOLUME PATH ...` or `VOLUME [\"PATH\", ...]`";
        return Err(ChangeFault::Incomplete { expected });
    }
    Ok(words)
}
