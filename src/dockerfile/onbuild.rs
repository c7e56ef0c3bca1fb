//! ONBUILD: an instruction for a later build.

use crate::dockerfile::ChangeFault;
use crate::dockerfile::arguments::{CommandLine, pairs};
use crate::dockerfile::words::{first_word, is_blank, options, quoted_words};

/// The instructions that a trigger may contain. Docker refuses ONBUILD, FROM and
/// MAINTAINER; others would break each build that runs them.
const TRIGGERS: [&str; 15] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Checks a trigger as far as Docker does.
pub(super) fn check(trigger: &str, escape: char) -> Result<(), ChangeFault> {
    let (word, rest) = first_word(trigger);
    let (_, arguments) = options(rest);
    let word = word.to_ascii_uppercase();
    if !TRIGGERS.contains(&word.as_str()) {
        let expected = "ADD, ARG, CMD, COPY, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, RUN, \
                        SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR after ONBUILD";
        return Err(ChangeFault::unexpected(expected, trigger.trim_end()));
    }
    match word.as_str() {
        "ENV" | "LABEL" if !arguments.is_empty() => {
            pairs(arguments, escape)?;
        }
        "ADD" | "CMD" | "COPY" | "ENTRYPOINT" | "RUN" | "SHELL" | "VOLUME" => {
            CommandLine::parse(arguments)?;
        }
        "HEALTHCHECK" => {
            let command = arguments.split_once(is_blank);
            CommandLine::parse(command.map_or("", |(_, command)| command))?;
        }
        _ => {}
    }
    // A trigger is one line, so the document that the engine would look for could never
    // follow.
    let words = match word.as_str() {
        "ADD" | "COPY" | "RUN" => quoted_words(arguments, escape),
        _ => Vec::new(),
    };
    match words.into_iter().find(|word| is_heredoc(word)) {
        Some(word) => Err(ChangeFault::unexpected("no here-document", word)),
        None => Ok(()),
    }
}

/// Returns true if a word begins a here-document: `<<EOF`, `3<<-'EOF'`.
fn is_heredoc(word: &str) -> bool {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = rest.strip_prefix("<<").unwrap_or_default();
    let name = name.strip_prefix('-').unwrap_or(name);
    !name.is_empty() && !name.contains('<')
}
