//! Patterns of references, as in `docker images --filter reference=`.

use std::str::FromStr;

use crate::glob::Glob;
use crate::image::Reference;

/// A pattern with `*`, `?` and `[a-z]` for names of images.
///
/// It is compared with the familiar name, with and without the tag. As in Go's
/// `path.Match`, which Docker uses, `*` and `?` stop at a slash, `[^a-z]` matches any
/// other character, and a backslash makes the next character a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePattern(Glob);

/// A text that is not a [`ReferencePattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid pattern: it has an unclosed bracket or a trailing backslash")]
pub struct PatternError(String);

impl ReferencePattern {
    /// Returns true if the pattern matches a reference by its familiar name, with or
    /// without the tag.
    #[must_use]
    pub fn matches(&self, reference: &Reference) -> bool {
        self.matches_text(&reference.to_string()) || self.matches_text(&reference.familiar_name())
    }

    /// Returns true if the pattern matches the whole text.
    pub(crate) fn matches_text(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

impl FromStr for ReferencePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let glob = Glob::parse(text);
        glob.map(Self).ok_or_else(|| PatternError(text.to_owned()))
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
