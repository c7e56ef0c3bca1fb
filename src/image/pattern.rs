//! Patterns of references, as in `docker images --filter reference=`.

use std::str::FromStr;

use crate::image::Reference;

/// A pattern with `*`, `?` and `[a-z]` for names of images.
///
/// It is compared with the familiar name, with and without the tag. As in Go's
/// `path.Match`, which Docker uses, `*` and `?` stop at a slash, `[^a-z]` matches any
/// other character, and a backslash makes the next character a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePattern(Vec<Token>);

/// A text that is not a [`ReferencePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid pattern: it has an unclosed bracket or a trailing backslash")]
pub struct PatternError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: anything within one component.
    Star,
    /// `?`: one character other than a slash.
    Any,
    /// A character.
    Literal(char),
    /// `[…]`: a character in one of these ranges, or in none of them if the first field
    /// is true.
    Class(bool, Vec<(char, char)>),
}

impl ReferencePattern {
    /// Returns true if the pattern matches a reference by its familiar name, with or
    /// without the tag.
    #[must_use]
    pub fn matches(&self, reference: &Reference) -> bool {
        self.matches_text(&reference.to_string()) || self.matches_text(&reference.familiar_name())
    }

    /// Returns true if the pattern matches the whole text.
    pub(crate) fn matches_text(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // The places in the text that the tokens so far can reach. Even for patterns
        // made to be slow, the work remains a product of two lengths.
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for token in &self.0 {
            let mut next = vec![false; reached.len()];
            for at in (0..reached.len()).filter(|at| reached[*at]) {
                match token {
                    Token::Star => {
                        let end = text[at..].iter().position(|c| *c == '/');
                        let end = end.map_or(text.len(), |length| at + length);
                        next[at..=end].fill(true);
                    }
                    token if text.get(at).is_some_and(|it| token.takes(*it)) => {
                        next[at + 1] = true;
                    }
                    _ => {}
                }
            }
            reached = next;
        }
        reached[text.len()]
    }
}

impl Token {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => character != '/',
            Self::Literal(literal) => *literal == character,
            Self::Class(is_negated, ranges) => {
                let is_in = |(low, high): &(char, char)| (*low..=*high).contains(&character);
                ranges.iter().any(is_in) != *is_negated
            }
        }
    }
}

impl FromStr for ReferencePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        parse(text).ok_or_else(|| PatternError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<ReferencePattern> {
    let mut tokens = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => Token::Literal(characters.next()?),
            '[' => class(&mut characters)?,
            literal => Token::Literal(literal),
        });
    }
    Some(ReferencePattern(tokens))
}

/// Reads the rest of a class after its opening bracket, including the closing one.
fn class(characters: &mut std::str::Chars<'_>) -> Option<Token> {
    let is_negated = characters.as_str().starts_with('^');
    if is_negated {
        characters.next();
    }
    let mut ranges = Vec::new();
    loop {
        // The first character belongs to the class, whatever it is.
        if characters.as_str().starts_with(']') && !ranges.is_empty() {
            characters.next();
            return Some(Token::Class(is_negated, ranges));
        }
        let low = member(characters)?;
        let mut high = low;
        if characters.as_str().starts_with('-') {
            characters.next();
            high = member(characters)?;
        }
        ranges.push((low, high));
    }
}

/// Reads one end of a range.
fn member(characters: &mut std::str::Chars<'_>) -> Option<char> {
    match characters.next()? {
        '-' | ']' => None,
        '\\' => characters.next(),
        character => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_go() {
        for (pattern, text, fits) in [
            ("app", "app", true),
            ("app", "apps", false),
            ("a*", "app", true),
            ("*p", "app", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a?p", "app", true),
            ("a?p", "a/p", false),
            ("a[n-q]p", "app", true),
            ("a[^n-q]p", "app", false),
            ("a[^n-q]p", "axp", true),
            ("[a-cx]", "x", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"[\]]", "]", true),
            (
                "*a*a*a*a*a*a*a*b",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                false,
            ),
            ("ü?", "üö", true),
        ] {
            let parsed: ReferencePattern = pattern.parse().unwrap();
            assert_eq!(parsed.matches_text(text), fits, "{pattern} {text}");
        }
        for pattern in ["[", "[]", "[a", "[]a]", "[-]", "[a-]", r"a\", r"[\"] {
            assert!(pattern.parse::<ReferencePattern>().is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_familiar_name_fits_with_its_tag_and_without() {
        for (pattern, reference, fits) in [
            ("app", "docker.io/library/app:1", true),
            ("app:*", "app:1", true),
            ("app:2*", "app:1", false),
            ("docker.io/library/app", "app:1", false),
            ("reg.example:5000/*", "reg.example:5000/x:2", true),
            ("reg.example:5000/*:2", "reg.example:5000/x:2", true),
            ("reg*", "reg.example:5000/x:2", false),
        ] {
            let parsed: ReferencePattern = pattern.parse().unwrap();
            assert_eq!(
                parsed.matches(&reference.parse().unwrap()),
                fits,
                "{pattern}"
            );
        }
    }
}
