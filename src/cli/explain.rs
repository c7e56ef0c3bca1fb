//! `restow verify --explain`: codes of findings and their meaning.

use restow::{Code, Severity};
use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::spelling::nearest;
use crate::cli::text::json_text;

/// The name for all codes.
pub(super) const LIST: &str = "list";

/// Prints the explanation of a code, or the list of all codes.
pub(super) fn run(name: &str, is_json: bool, output: &Output) -> Result<(), Failure> {
    let codes = if name == LIST {
        Code::ALL.to_vec()
    } else {
        vec![find(name)?]
    };
    if is_json {
        let codes: Value = codes.into_iter().map(to_json).collect();
        return output.data(&json_text(&json!({ "codes": codes })));
    }
    match codes.as_slice() {
        [code] => output.data(&to_text(*code)),
        codes => output.lines(&to_list(codes)),
    }
}

fn find(name: &str) -> Result<Code, Failure> {
    let typed = name.to_ascii_lowercase();
    // A user may paste a code with its severity: `error[layer-missing]`.
    let bare = typed.split_once('[').map_or(typed.as_str(), |(_, it)| it);
    let bare = bare.trim_end_matches(']');
    let mut all = Code::ALL.iter();
    let found = all.find(|code| code.name() == bare);
    found.copied().ok_or_else(|| Failure::Name {
        message: format!("unknown code `{name}`"),
        hint: near(bare),
    })
}

/// A hint that lists codes with similar names.
fn near(name: &str) -> String {
    let all = || Code::ALL.iter().map(|code| code.name());
    let words: Vec<&str> = name.split('-').filter(|word| word.len() > 2).collect();
    let shares_word = |code: &&str| code.split('-').any(|word| words.contains(&word));
    let near = match nearest(name, all()) {
        near if near.is_empty() => all().filter(shares_word).collect(),
        near => near,
    };
    let near: Vec<String> = near.iter().map(|it| format!("`{it}`")).collect();
    let list = "`restow verify --explain list` lists all codes";
    if near.is_empty() {
        list.to_owned()
    } else {
        format!("similar codes: {}; {list}", near.join(", "))
    }
}

fn to_text(code: Code) -> String {
    let severity = match code.severity() {
        Severity::Error => "error (the exit code is 1)",
        Severity::Warning => "warning (the exit code is not affected)",
        Severity::Note => "note (the exit code is not affected)",
    };
    format!(
        "{}\n\n  Severity     {severity}\n  Meaning      {}\n  Consequence  {}\n  Remedy       {}",
        code.name(),
        code.meaning(),
        code.consequence(),
        code.remedy(),
    )
}

fn to_list(codes: &[Code]) -> Vec<String> {
    let names = codes.iter().map(|code| code.name().len());
    let width = names.max().unwrap_or(0);
    let line = |code: &Code| {
        let (name, severity) = (code.name(), code.severity().to_string());
        format!("{name:width$}  {severity:7}  {}", code.meaning())
    };
    codes.iter().map(line).collect()
}

fn to_json(code: Code) -> Value {
    json!({
        "code": code.name(),
        "severity": code.severity().to_string(),
        "meaning": code.meaning(),
        "consequence": code.consequence(),
        "remedy": code.remedy(),
    })
}
