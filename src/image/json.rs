//! Walks a JSON value and tracks the path, so that an error names the field.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::digest::{Digest, DigestError};
use crate::image::types::join;
use crate::limits::{VALUE_DEPTH_MAX, VALUES_MAX};

/// The name of the document itself where messages name a field.
pub(crate) const WHOLE: &str = "the document";

/// The reason why bytes are not the expected document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// A digest in it is malformed.
    #[error("`{field}` is not a digest")]
    Digest {
        /// The path of the field.
        field: String,
        /// The fault of the digest.
        source: DigestError,
    },
    /// A field is absent, or has the wrong type.
    #[error("`{field}` is not {expected}")]
    Field {
        /// The path of the field.
        field: String,
        /// The expected type, with its article.
        expected: &'static str,
    },
    /// The document could be read as a manifest and as an index (CVE-2021-41190).
    #[error("it has both `{one}` and `{other}`, so it is ambiguous")]
    Ambiguous {
        /// A field of one kind of document.
        one: &'static str,
        /// A field of the other.
        other: &'static str,
    },
    /// The media type differs from the one in the descriptor.
    #[error("its `mediaType` is `{got}`, but its descriptor says `{expected}`")]
    MediaType {
        /// The media type in the descriptor.
        expected: String,
        /// The media type in the document.
        got: String,
    },
    /// A manifest or an index, whose descriptor has the media type of something else.
    #[error("it is {kind}, but its descriptor says `{expected}`")]
    Mislabeled {
        /// The media type in the descriptor.
        expected: String,
        /// The actual kind, with its article.
        kind: &'static str,
    },
    /// The bytes are not JSON.
    #[error("it is not valid JSON")]
    Syntax(#[from] serde_json::Error),
    /// Its values are nested deeper than this limit.
    #[error("its values are nested deeper than {0} levels")]
    TooDeep(usize),
    /// A list has too many members.
    #[error("`{field}` has {count} members, more than the limit of {limit}")]
    TooMany {
        /// The path of the field.
        field: String,
        /// The number of members.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// Parses JSON, unless it has enough values to exhaust memory.
pub(crate) fn parse_value(bytes: &[u8]) -> Result<Value, DocumentError> {
    Ok(serde_json::from_str(&json_text(bytes)?)?)
}

/// The text of JSON as every Go program reads it: bytes that are not UTF-8, and escapes
/// of half a surrogate pair, become U+FFFD.
///
/// # Errors
///
/// Fails if it has enough values to exhaust memory.
pub(crate) fn json_text(bytes: &[u8]) -> Result<Cow<'_, str>, DocumentError> {
    let text = String::from_utf8_lossy(bytes);
    check_values(&text)?;
    Ok(if text.contains("\\u") {
        Cow::Owned(without_lone_surrogates(&text))
    } else {
        text
    })
}

/// Replaces each `\ud8xx` that lacks its other half with U+FFFD.
fn without_lone_surrogates(text: &str) -> String {
    let code = |at: usize| {
        let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let is_low = |code: Option<u16>| code.is_some_and(|it| (0xdc00..0xe000).contains(&it));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].find('\\') {
        out.push_str(&text[at..at + next]);
        at += next;
        // An escape has two characters, or six, or twelve if it is a pair.
        let is_pair = |first: u16| (0xd800..0xdc00).contains(&first) && is_low(code(at + 6));
        let length = match code(at) {
            Some(first) if is_pair(first) => 12,
            Some(0xd800..0xe000) => {
                out.push_str("\\ufffd");
                at += 6;
                continue;
            }
            Some(_) => 6,
            None => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&text[at..at + length]);
        at += length;
    }
    out.push_str(&text[at..]);
    out
}

impl DocumentError {
    /// True if the document as a whole exceeds a limit, but may be well-formed.
    pub(crate) fn is_excess(&self) -> bool {
        match self {
            Self::TooDeep(_) => true,
            Self::TooMany { field, .. } => field == WHOLE,
            _ => false,
        }
    }
}

/// Refuses JSON with enough values, or with deep enough nesting, to exhaust memory
/// during parsing.
fn check_values(text: &str) -> Result<(), DocumentError> {
    let is_separator = |byte: &u8| matches!(byte, b',' | b'[' | b'{');
    let count = text.bytes().filter(is_separator).count();
    if count > VALUES_MAX {
        return Err(DocumentError::TooMany {
            field: WHOLE.to_owned(),
            count,
            limit: VALUES_MAX,
        });
    }
    let mut depth = 0_usize;
    let (mut is_in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_string => is_escaped = true,
            b'"' => is_in_string = !is_in_string,
            b'[' | b'{' if !is_in_string => depth += 1,
            b']' | b'}' if !is_in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > VALUE_DEPTH_MAX {
            let limit = VALUE_DEPTH_MAX;
            return Err(DocumentError::TooDeep(limit));
        }
    }
    Ok(())
}

/// A value in a document, and its path.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    path: String,
    pub(crate) value: &'a Value,
}

impl<'a> Node<'a> {
    /// The root of the document.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value,
        }
    }

    /// An optional field of an object. Null counts as absent, as in every Go program.
    pub(crate) fn optional(&self, name: &str) -> Option<Node<'a>> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Node {
            path: join(&self.path, name),
            value,
        })
    }

    /// A required field of an object.
    pub(crate) fn required(
        &self,
        name: &str,
        expected: &'static str,
    ) -> Result<Self, DocumentError> {
        self.optional(name)
            .ok_or_else(|| self.wrong_field(name, expected))
    }

    /// Returns the error for a field that is absent, or not what was expected.
    pub(crate) fn wrong_field(&self, name: &str, expected: &'static str) -> DocumentError {
        DocumentError::Field {
            field: join(&self.path, name),
            expected,
        }
    }

    /// The members of a list. An absent list is empty.
    pub(crate) fn list(&self, name: &str, limit: usize) -> Result<Vec<Self>, DocumentError> {
        let Some(node) = self.optional(name) else {
            return Ok(Vec::new());
        };
        let Value::Array(values) = node.value else {
            return Err(node.wrong("a list"));
        };
        if values.len() > limit {
            return Err(DocumentError::TooMany {
                field: node.path,
                count: values.len(),
                limit,
            });
        }
        let member = |(at, value)| Node {
            path: format!("{}[{at}]", node.path),
            value,
        };
        Ok(values.iter().enumerate().map(member).collect())
    }

    pub(crate) fn object(&self) -> Result<&'a Map<String, Value>, DocumentError> {
        self.value
            .as_object()
            .ok_or_else(|| self.wrong("an object"))
    }

    pub(crate) fn text(&self) -> Result<&'a str, DocumentError> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    pub(crate) fn digest(&self) -> Result<Digest, DocumentError> {
        self.text()?
            .parse()
            .map_err(|source| DocumentError::Digest {
                field: self.path.clone(),
                source,
            })
    }

    /// A number of bytes: an integer from 0 to 2^63 - 1, as in Go.
    pub(crate) fn size(&self) -> Result<u64, DocumentError> {
        self.value
            .as_u64()
            .filter(|size| i64::try_from(*size).is_ok())
            .ok_or_else(|| self.wrong("a number of bytes"))
    }

    pub(crate) fn wrong(&self, expected: &'static str) -> DocumentError {
        let field = match self.path.as_str() {
            "" => WHOLE,
            path => path,
        };
        DocumentError::Field {
            field: field.to_owned(),
            expected,
        }
    }
}

/// A value as compact JSON, with its fields in their order.
///
/// The same value always gives the same bytes, so that documents written by restow are
/// reproducible.
pub(crate) fn compact(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A value as Go's `json.Marshal` writes it: compact, with `<`, `>`, `&`, U+2028
/// and U+2029 escaped.
///
/// Used only where the bytes must be those that Docker would write.
pub(crate) fn go_json(value: &Value) -> Vec<u8> {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                // Go before 1.22 does not use the short form of these two.
                Some('b') => out.push_str("\\u0008"),
                Some('f') => out.push_str("\\u000c"),
                other => {
                    out.push(character);
                    out.extend(other);
                }
            },
            other => push_go(&mut out, other),
        }
    }
    out.into_bytes()
}

/// Appends a character of a string as Go writes it when nothing else has to be escaped.
pub(crate) fn push_go(out: &mut String, character: char) {
    match character {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        }
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn go_escapes_what_html_would_mind() {
        let value = json!({"b": "<&>\u{2028}\"\u{8}\\b\u{c}", "a": [1, null]});
        assert_eq!(
            String::from_utf8(go_json(&value)).unwrap(),
            r#"{"b":"\u003c\u0026\u003e\u2028\"\u0008\\b\u000c","a":[1,null]}"#
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_some_other_character() {
        for (json, expected) in [
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\udc00\ud83d\ude00\ud83d""#, "\u{fffd}\u{1f600}\u{fffd}"),
            (r#""\ud800\u0041\\ud800""#, "\u{fffd}A\\ud800"),
            (r#""\uD800\n""#, "\u{fffd}\n"),
            (r#""é\u00e9""#, "éé"),
        ] {
            assert_eq!(parse_value(json.as_bytes()).unwrap(), expected, "{json}");
        }
        for json in [r#""\u12""#, r#""\uzzzz""#, r#""\"#, r#""\u00é""#] {
            assert!(parse_value(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn values_are_not_nested_without_end() {
        let nested = |depth| format!("{}\"]\\\"[\"{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_value(nested(VALUE_DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(
            parse_value(nested(VALUE_DEPTH_MAX + 1).as_bytes())
                .unwrap_err()
                .to_string(),
            "its values are nested deeper than 127 levels"
        );
    }

    #[test]
    fn sizes_are_whole_and_fit_go() {
        for (text, is_size) in [
            ("0", true),
            ("9223372036854775807", true),
            ("9223372036854775808", false),
            ("-1", false),
            ("1.5", false),
            ("1e400", false),
            ("\"1\"", false),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(Node::root(&value).size().is_ok(), is_size, "{text}");
        }
    }
}
