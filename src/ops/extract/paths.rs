//! Patterns of paths in a tree.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::error::ChoiceError;
use crate::layer::{EntryPath, display_start};

/// The paths to take from a tree: each a literal path or a pattern, with everything below.
///
/// As in a shell, `*`, `?` and `[a-z]` stop at a slash, and `[!a-z]` matches any other
/// byte; `**` matches anything. A name that really has such a character matches itself.
#[derive(Debug)]
pub(super) struct PathChoice {
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    /// As the caller named it.
    name: OsString,
    /// The literal path, and the pattern if there is one.
    patterns: Vec<Vec<Token>>,
    is_found: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: any bytes except a slash.
    Star,
    /// `**`: any bytes.
    Everything,
    /// `**/`: any number of directories.
    Directories,
    /// `?`: one byte other than a slash.
    Any,
    /// A byte.
    Literal(u8),
    /// `[…]`: a byte in one of these ranges, or in none of them if the first field is
    /// true.
    Class(bool, Vec<(u8, u8)>),
}

impl PathChoice {
    /// Parses the paths; a pattern that is not valid is a literal path.
    ///
    /// # Errors
    ///
    /// Fails if no image can have such a path.
    pub(super) fn new(names: &[OsString]) -> Result<Self, ChoiceError> {
        let wanted = |name: &OsString| {
            let invalid = |fault| ChoiceError::PathInvalid {
                path: display_start(name.as_bytes()),
                fault,
            };
            let (path, _) = EntryPath::clamped(name.as_bytes()).map_err(invalid)?;
            let literal = path.as_bytes().iter().copied().map(Token::Literal);
            let pattern = parse(path.as_bytes());
            Ok(Wanted {
                name: name.clone(),
                patterns: std::iter::once(literal.collect()).chain(pattern).collect(),
                is_found: false,
            })
        };
        let wanted = names
            .iter()
            .map(wanted)
            .collect::<Result<_, ChoiceError>>()?;
        Ok(Self { wanted })
    }

    /// Returns true if the path, or a directory above it, is one to take.
    pub(super) fn takes(&mut self, path: &[u8]) -> bool {
        let mut is_taken = false;
        for wanted in &mut self.wanted {
            if wanted.patterns.iter().any(|it| matches_start(it, path)) {
                wanted.is_found = true;
                is_taken = true;
            }
        }
        is_taken
    }

    /// A path that nothing matched so far.
    pub(super) fn missing(&self) -> Option<&OsString> {
        self.wanted
            .iter()
            .find(|it| !it.is_found)
            .map(|it| &it.name)
    }
}

/// Returns true if a pattern matches a path or a directory above it.
fn matches_start(pattern: &[Token], path: &[u8]) -> bool {
    // The tokens that can be next. Even for patterns made to be slow, the work remains a
    // product of two lengths.
    let mut reached = vec![false; pattern.len() + 1];
    enter(pattern, &mut reached, 0);
    if pattern.is_empty() {
        return true;
    }
    for (at, byte) in path.iter().enumerate() {
        let mut next = vec![false; reached.len()];
        for number in (0..pattern.len()).filter(|it| reached[*it]) {
            let token = &pattern[number];
            if token.repeats(*byte) {
                next[number] = true;
            }
            match token {
                Token::Star | Token::Everything if next[number] => {
                    enter(pattern, &mut next, number);
                }
                token if token.takes(*byte) => enter(pattern, &mut next, number + 1),
                _ => {}
            }
        }
        reached = next;
        let is_end = path.get(at + 1).is_none_or(|next| *next == b'/');
        if is_end && reached[pattern.len()] {
            return true;
        }
    }
    false
}

/// Marks a token as one that can be next, and those after it if it can match nothing.
fn enter(pattern: &[Token], reached: &mut [bool], number: usize) {
    let mut number = number;
    reached[number] = true;
    while matches!(
        pattern.get(number),
        Some(Token::Star | Token::Everything | Token::Directories)
    ) {
        number += 1;
        reached[number] = true;
    }
}

impl Token {
    /// Returns true if it can match this byte and go on.
    fn repeats(&self, byte: u8) -> bool {
        match self {
            Self::Star => byte != b'/',
            Self::Everything | Self::Directories => true,
            Self::Any | Self::Literal(_) | Self::Class(..) => false,
        }
    }

    /// Returns true if it can match this byte as its last.
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Star | Self::Everything => false,
            Self::Directories => byte == b'/',
            Self::Any => byte != b'/',
            Self::Literal(literal) => *literal == byte,
            Self::Class(is_negated, ranges) => {
                let is_in = |(low, high): &(u8, u8)| (*low..=*high).contains(&byte);
                byte != b'/' && ranges.iter().any(is_in) != *is_negated
            }
        }
    }
}

/// The tokens of a pattern; `None` if it has an unclosed bracket.
fn parse(pattern: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let [first, after @ ..] = rest {
        let (token, after) = match (first, after) {
            (b'*', [b'*', b'/', after @ ..]) => (Token::Directories, after),
            (b'*', [b'*', after @ ..]) => (Token::Everything, after),
            (b'*', after) => (Token::Star, after),
            (b'?', after) => (Token::Any, after),
            (b'[', after) => class(after)?,
            (literal, after) => (Token::Literal(*literal), after),
        };
        tokens.push(token);
        rest = after;
    }
    Some(tokens)
}

/// Reads a class after its opening bracket, including the closing one.
fn class(text: &[u8]) -> Option<(Token, &[u8])> {
    let (is_negated, mut rest) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            // The first byte belongs to the class, whatever it is.
            [b']', after @ ..] if !ranges.is_empty() => {
                return Some((Token::Class(is_negated, ranges), after));
            }
            [low, b'-', high, after @ ..] if *high != b']' => {
                ranges.push((*low, *high));
                after
            }
            [byte, after @ ..] => {
                ranges.push((*byte, *byte));
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_patterns_take_what_is_below() {
        for (pattern, path, is_taken) in [
            ("etc", "etc", true),
            ("/etc/", "etc/passwd", true),
            ("./etc/../usr", "usr/bin", true),
            ("etc", "etcetera", false),
            ("etc/passwd", "etc", false),
            ("/", "", true),
            (".", "a/b", true),
            ("*", "a", true),
            ("*", "a/b", true),
            ("*", "", false),
            ("*/b", "a/b/c", true),
            ("a/*", "a", false),
            ("a*", "b/a", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[!a]", "/", false),
            ("[]x]", "]", true),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            ("[a]", "[a]", true),
            ("*.so", "usr/lib/a.so", false),
            ("**.so", "usr/lib/a.so", true),
            ("**/a.so", "usr/lib/a.so", true),
            ("**/a.so", "a.so", true),
            ("**/a.so", "usr/ba.so", false),
            ("usr/**/x", "usr/x", true),
            ("usr/**/x", "usr/a/b/x/y", true),
            ("usr/**/x", "x", false),
            ("usr/**", "usr/a", true),
            ("usr/**", "usr", false),
            ("**", "a", true),
            (
                "*a*a*a*a*a*a*b",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                false,
            ),
            ("\u{ff}", "\u{ff}", true),
        ] {
            let mut choice = PathChoice::new(&[pattern.into()]).unwrap();
            assert_eq!(choice.takes(path.as_bytes()), is_taken, "{pattern} {path}");
            assert_eq!(choice.missing().is_none(), is_taken, "{pattern} {path}");
        }
    }
}
