//! Paths into a JSON value: `.layers[0].digest`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde_json::Value;

use crate::cli::failure::Failure;

/// A path to one value of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A field of an object.
    Field(String),
    /// A member of a list, counted from 0.
    Member(usize),
}

impl FieldPath {
    /// The field of the top-level object with which the path begins.
    pub(super) fn first(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Field(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn find<'a>(&self, mut value: &'a Value) -> Result<&'a Value, Failure> {
        for (at, step) in self.0.iter().enumerate() {
            let next = match step {
                Step::Field(name) => value.as_object().and_then(|it| it.get(name)),
                Step::Member(number) => value.as_array().and_then(|it| it.get(*number)),
            };
            value = next.ok_or_else(|| self.missing(at, value))?;
        }
        Ok(value)
    }

    /// The error for the step at this position, which does not exist in `value`.
    fn missing(&self, at: usize, value: &Value) -> Failure {
        let parent = &self.0[..at];
        let of = |steps: &[Step]| Self(steps.to_vec()).to_string();
        let near = match &self.0[at] {
            Step::Field(name) => in_another_case(value, name),
            Step::Member(_) => None,
        };
        let hint = match near {
            // As in Go's templates: `.Config`.
            Some(near) => {
                let near = [parent, &[Step::Field(near)]].concat();
                format!("did you mean `{}`?", of(&near))
            }
            None => format!("`{}` has {}", of(parent), contents(value)),
        };
        let path = of(&self.0[..=at]);
        Failure::NoField { path, hint }
    }
}

/// The field whose name differs only in case.
fn in_another_case(value: &Value, name: &str) -> Option<String> {
    let mut names = value.as_object()?.keys();
    names.find(|it| it.eq_ignore_ascii_case(name)).cloned()
}

/// The content of a value, for a hint.
fn contents(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "no fields".to_owned(),
        Value::Object(fields) => {
            let names: Vec<_> = fields.keys().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        }
        Value::Array(members) => match members.len() {
            0 => "no members".to_owned(),
            1 => "one member, `[0]`".to_owned(),
            count => format!("members `[0]` to `[{}]`", count - 1),
        },
        Value::Null => "no value".to_owned(),
        _ => "one value, without fields".to_owned(),
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('.');
        }
        for step in &self.0 {
            match step {
                Step::Field(name) if name.contains(['.', '[', '"']) || name.is_empty() => {
                    write!(f, "[\"{name}\"]")?;
                }
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Member(number) => write!(f, "[{number}]")?,
            }
        }
        Ok(())
    }
}

/// A text that is not a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a path such as `.config.Env`, `.layers[0].digest` or `.config.Labels[\"a.b\"]`")]
pub(super) struct FieldPathError;

impl FromStr for FieldPath {
    type Err = FieldPathError;

    /// Parses a path, with or without the braces of Go's templates.
    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let inner = text.strip_prefix("{{").and_then(|it| it.strip_suffix("}}"));
        parse(inner.unwrap_or(text).trim()).ok_or(FieldPathError)
    }
}

fn parse(text: &str) -> Option<FieldPath> {
    if text == "." {
        return Some(FieldPath(Vec::new()));
    }
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (name, behind) = quoted.split_once("\"]")?;
            steps.push(Step::Field(name.to_owned()));
            rest = behind;
        } else if let Some(number) = rest.strip_prefix('[') {
            let (number, behind) = number.split_once(']')?;
            steps.push(Step::Member(number.parse().ok()?));
            rest = behind;
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if end == 0 && !name.starts_with('[') {
                return None;
            }
            if end > 0 {
                steps.push(Step::Field(name[..end].to_owned()));
            }
            rest = &name[end..];
        }
    }
    (!steps.is_empty()).then_some(FieldPath(steps))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_to_a_value() {
        let value = json!({"config": {"Env": ["A=1"], "Labels": {"a.b": "c"}}, "n": null});
        for (path, expected) in [
            (".", value.clone()),
            (".config.Env", json!(["A=1"])),
            (".config.Env[0]", json!("A=1")),
            ("{{.config.Env}}", json!(["A=1"])),
            ("{{ .n }}", Value::Null),
            (".config.Labels[\"a.b\"]", json!("c")),
            (".[\"n\"]", Value::Null),
        ] {
            let parsed: FieldPath = path.parse().unwrap();
            assert_eq!(*parsed.find(&value).unwrap(), expected, "{path}");
        }
        for path in [
            "", "config", ".a.", "..a", ".a[", ".a[x]", ".a[\"b]", "{{.a",
        ] {
            assert_eq!(path.parse::<FieldPath>(), Err(FieldPathError), "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_says_what_there_is() {
        let value = json!({"a": [1, 2], "b": {}, "c": "x", "l": [0], "n": null});
        for (path, failed, expected) in [
            (".x.y", ".x", "`.` has `a`, `b`, `c`, `l`, `n`"),
            (".a.y", ".a.y", "`.a` has members `[0]` to `[1]`"),
            (".a[2]", ".a[2]", "`.a` has members `[0]` to `[1]`"),
            (".l[1]", ".l[1]", "`.l` has one member, `[0]`"),
            (".b[\"x.y\"]", ".b[\"x.y\"]", "`.b` has no fields"),
            (".c.d", ".c.d", "`.c` has one value, without fields"),
            (".n.d", ".n.d", "`.n` has no value"),
            (".A[0]", ".A", "did you mean `.a`?"),
        ] {
            let parsed: FieldPath = path.parse().unwrap();
            let Failure::NoField { path: at, hint } = parsed.find(&value).unwrap_err() else {
                panic!("{path}");
            };
            assert_eq!((at.as_str(), hint.as_str()), (failed, expected));
        }
    }
}
