//! The likely meaning of a wrong command line, from all of its words.

use std::ffi::OsString;
use std::path::Path;

use clap::{ArgAction, Command};

use crate::cli::elsewhere;

/// The first word that gives a value to a short option that takes none, as in `-q=true`: both.
pub(super) fn valued(
    typed: &[OsString],
    command: &Command,
    root: &Command,
) -> Option<(String, String)> {
    typed.iter().find_map(|word| {
        let (options, value) = word.to_str()?.split_once('=')?;
        let letters = options.strip_prefix('-')?;
        let last = letters
            .chars()
            .last()
            .filter(|_| !letters.starts_with('-'))?;
        let mut all = command.get_arguments().chain(root.get_arguments());
        let option = all.find(|it| it.get_short() == Some(last))?;
        (!option.get_action().takes_values()).then(|| (format!("-{last}"), value.to_owned()))
    })
}

/// The hint for the option `-f` with a value, which selects layers in docker-squash.
pub(super) fn forced(typed: &[OsString], command: &str) -> Option<&'static str> {
    let mut pairs = typed.windows(2);
    let is_forced = pairs.any(|pair| pair[0] == "-f" && !Path::new(&pair[1]).exists());
    (command == "squash" && is_forced).then_some(
        "`-f` is `--force` and takes no value: `--last N` merges the topmost N layers, \
         `--above BASE` all above a base image",
    )
}

/// The hint for an argument too many: one of them may be the name of an image in the place
/// before it.
pub(super) fn superfluous(typed: &[OsString], command: &str) -> Option<String> {
    let mut pairs = typed.windows(2);
    pairs
        .find_map(|pair| elsewhere::image_in(&pair[0], &pair[1]))
        .or_else(|| forced(typed, command).map(str::to_owned))
}

/// Options of which other tools take a list, and whose values have no commas.
const LISTED: [&str; 3] = ["--platform", "--retag", "--tag"];

/// The hint for a value that an option or an argument does not have.
pub(super) fn value(name: &str, value: &str, command: &Command) -> Option<String> {
    if name == "--layers" {
        return range(value).map(|range| format!("did you mean `{range}`?"));
    }
    let parts: Vec<&str> = value.split(',').filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 || !LISTED.contains(&name) {
        return None;
    }
    let mut all = command.get_arguments();
    let argument = all.find(|it| {
        it.get_long()
            .is_some_and(|long| name == format!("--{long}"))
    })?;
    if matches!(argument.get_action(), ArgAction::Append) {
        let repeated: Vec<String> = parts.iter().map(|it| format!("{name} {it}")).collect();
        return Some(format!("repeat the option: `{}`", repeated.join(" ")));
    }
    Some(format!("`{name}` takes one value, and no list"))
}

/// The range of layers that another notation means: `2-3`, `2:3`, `2..=3`, or `2,3`.
fn range(text: &str) -> Option<String> {
    let numbers = |separator: &str| -> Option<Vec<usize>> {
        let numbers = text.split(separator).map(|it| it.trim().parse());
        numbers.collect::<Result<Vec<usize>, _>>().ok()
    };
    let pair = ["...", "..=", "-", ":"].into_iter().find_map(|separator| {
        let numbers = numbers(separator)?;
        <[usize; 2]>::try_from(numbers).ok()
    });
    let (from, to) = if let Some([from, to]) = pair {
        (from, to)
    } else {
        let numbers = numbers(",")?;
        // Only neighbours can be merged.
        let is_whole = numbers
            .windows(2)
            .all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        let ends = (*numbers.first()?, *numbers.last()?);
        Some(ends).filter(|_| is_whole && numbers.len() > 1)?
    };
    (from > 0 && from <= to).then(|| format!("{from}..{to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_in_another_notation_is_understood() {
        let cases = [
            ("2-3", Some("2..3")),
            ("2:3", Some("2..3")),
            ("2..=3", Some("2..3")),
            ("2...3", Some("2..3")),
            ("2,3", Some("2..3")),
            ("2,3,4", Some("2..4")),
            ("2, 3", Some("2..3")),
            ("2,4", None),
            ("18446744073709551615,0", None),
            ("3-2", None),
            ("0-2", None),
            ("2", None),
            ("2-", None),
            ("1-2-3", None),
            ("a-b", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text).as_deref(), expected, "{text}");
        }
    }
}
