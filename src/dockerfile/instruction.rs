//! A line parsed as an instruction.

use crate::dockerfile::ChangeFault;
use crate::dockerfile::arguments::{CommandLine, list, pairs};
use crate::dockerfile::health::Health;
use crate::dockerfile::onbuild;
use crate::dockerfile::words::{first_word, is_blank, options, plain_words};

/// An instruction with valid syntax. Its words are not expanded yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Instruction {
    Cmd(CommandLine),
    Entrypoint(CommandLine),
    Env(Vec<(String, String)>),
    Expose(Vec<String>),
    Healthcheck(Health),
    Label(Vec<(String, String)>),
    Onbuild(String),
    Shell(Vec<String>),
    StopSignal(String),
    User(String),
    Volume(Vec<String>),
    Workdir(String),
}

impl Instruction {
    pub(super) fn parse(line: &str, escape: char) -> Result<Self, ChangeFault> {
        let (word, rest) = first_word(line);
        let (given, arguments) = options(rest);
        let word = word.to_ascii_uppercase();
        if word == "HEALTHCHECK" {
            return Health::parse(&given, arguments).map(Self::Healthcheck);
        }
        let one = |expected| match arguments {
            "" => Err(ChangeFault::Incomplete(expected)),
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
                // Trailing blanks are kept, as in Docker.
                let trigger = line.trim_start()[word.len()..].trim_start_matches(is_blank);
                onbuild::check(trigger, escape)?;
                Self::Onbuild(trigger.to_owned())
            }
            "SHELL" => Self::Shell(shell(arguments)?),
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

/// The words of the shell, which, as in Docker, must be a JSON list. Variables in them
/// are not expanded.
fn shell(text: &str) -> Result<Vec<String>, ChangeFault> {
    let words = list(text)?.unwrap_or_default();
    if words.is_empty() {
        return Err(ChangeFault::Incomplete(
            "`SHELL [\"PROGRAM\", \"ARGUMENT\", ...]`",
        ));
    }
    Ok(words)
}

fn volumes(text: &str) -> Result<Vec<String>, ChangeFault> {
    let words = match list(text)? {
        Some(words) => words.iter().map(|word| word.trim().to_owned()).collect(),
        None => plain_words(text),
    };
    if words.is_empty() || words.iter().any(String::is_empty) {
        let expected = "`VOLUME PATH ...` or `VOLUME [\"PATH\", ...]`";
        return Err(ChangeFault::Incomplete(expected));
    }
    Ok(words)
}
