//! Patterns with `*`, `?` and `[a-z]`, as in Go's `path.Match` and in shells.

/// A pattern, compared with a whole text.
///
/// `*` and `?` stop at a slash, `[^a-z]` matches any other character, and a backslash
/// makes the next character a literal. In a pattern of paths, `**` also matches slashes,
/// `**/` any number of directories, or none, and `[!a-z]` is the same as `[^a-z]`, as in
/// shells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `*`: anything within one component.
    Star,
    /// `**`: anything.
    Anything,
    /// `**/`: nothing, or anything up to a slash.
    Directories,
    /// `?`: one character other than a slash.
    Any,
    /// A character.
    Literal(char),
    /// `[…]`: a character in one of these ranges, or in none of them if the first field
    /// is true.
    Class(bool, Vec<(char, char)>),
}

impl Glob {
    /// Parses a pattern; `None` if it has an unclosed bracket or a trailing backslash.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::new(&text.chars().collect::<Vec<char>>(), false)
    }

    /// Parses a pattern of paths, which may have `**`. A byte that is not UTF-8 is a
    /// character of its own.
    pub(crate) fn parse_path(path: &[u8]) -> Option<Self> {
        Self::new(&characters(path), true)
    }

    fn new(text: &[char], has_directories: bool) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(character) = take(&mut rest) {
            tokens.push(match character {
                '*' if has_directories && rest.starts_with(&['*']) => {
                    take(&mut rest);
                    let is_component = matches!(tokens.last(), None | Some(Token::Literal('/')));
                    if is_component && rest.starts_with(&['/']) {
                        take(&mut rest);
                        Token::Directories
                    } else {
                        Token::Anything
                    }
                }
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => Token::Literal(take(&mut rest)?),
                '[' => class(&mut rest, has_directories)?,
                literal => Token::Literal(literal),
            });
        }
        Some(Self(tokens))
    }

    /// Returns true if the pattern matches the whole text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.matches_all(&text.chars().collect::<Vec<char>>())
    }

    /// Returns true if the pattern matches the whole path.
    pub(crate) fn matches_path(&self, path: &[u8]) -> bool {
        self.matches_all(&characters(path))
    }

    fn matches_all(&self, text: &[char]) -> bool {
        // The places in the text that the tokens so far can reach. Even for patterns
        // made to be slow, the work remains a product of two lengths.
        let mut reached = vec![false; text.len() + 1];
        reached[0] = true;
        for token in &self.0 {
            let mut next = vec![false; reached.len()];
            let mut starts = (0..reached.len()).filter(|at| reached[*at]);
            match token {
                Token::Star => {
                    let mut is_reached = false;
                    for at in 0..reached.len() {
                        is_reached |= reached[at];
                        next[at] = is_reached;
                        is_reached &= text.get(at) != Some(&'/');
                    }
                }
                Token::Anything => {
                    if let Some(first) = starts.next() {
                        next[first..].fill(true);
                    }
                }
                Token::Directories => {
                    if let Some(first) = starts.next() {
                        next[first] = true;
                        for at in first..text.len() {
                            next[at + 1] |= text[at] == '/';
                        }
                    }
                }
                token => {
                    for at in starts {
                        if text.get(at).is_some_and(|it| token.takes(*it)) {
                            next[at + 1] = true;
                        }
                    }
                }
            }
            reached = next;
        }
        reached[text.len()]
    }
}

impl Token {
    /// True if it matches this one character.
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Star | Self::Anything | Self::Directories => false,
            Self::Any => character != '/',
            Self::Literal(literal) => *literal == character,
            Self::Class(is_negated, ranges) => {
                let is_in = |(low, high): &(char, char)| (*low..=*high).contains(&character);
                ranges.iter().any(is_in) != *is_negated
            }
        }
    }
}

/// The characters of a path. A byte that is not UTF-8 becomes a character that no text
/// has any use for.
fn characters(path: &[u8]) -> Vec<char> {
    let mut characters = Vec::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        characters.extend(chunk.valid().chars());
        let invalid = chunk.invalid().iter();
        let private = |byte: &u8| char::from_u32(0x10_ff00 + u32::from(*byte));
        characters.extend(invalid.filter_map(private));
    }
    characters
}

fn take(rest: &mut &[char]) -> Option<char> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(*first)
}

/// Reads the rest of a class after its opening bracket, including the closing one.
fn class(rest: &mut &[char], is_of_shell: bool) -> Option<Token> {
    let is_negated = rest.starts_with(&['^']) || (is_of_shell && rest.starts_with(&['!']));
    if is_negated {
        take(rest);
    }
    let mut ranges = Vec::new();
    loop {
        // The first character belongs to the class, whatever it is.
        if rest.starts_with(&[']']) && !ranges.is_empty() {
            take(rest);
            return Some(Token::Class(is_negated, ranges));
        }
        let low = member(rest)?;
        let mut high = low;
        if rest.starts_with(&['-']) {
            take(rest);
            high = member(rest)?;
        }
        ranges.push((low, high));
    }
}

/// Reads one end of a range.
fn member(rest: &mut &[char]) -> Option<char> {
    match take(rest)? {
        '-' | ']' => None,
        '\\' => take(rest),
        character => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn double_stars_cross_directories() {
        for (pattern, path, fits) in [
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("**/x", "a/bx", false),
            ("a/**/x", "a/x", true),
            ("a/**/x", "a/b/c/x", true),
            ("a/**/x", "ab/x", false),
            ("a**x", "a/b/x", true),
            ("*.c", "a/b.c", false),
            ("*a*b*", "xaybz", true),
            ("*a*b*", "a/b", false),
            ("a*/*b", "ax/yb", true),
            ("a*/*b", "ax/y/b", false),
            ("*/", "a/", true),
            ("*/*", "a", false),
            ("**", "a/b", true),
            ("**/*.c", "b.c", true),
            ("a/***", "a/b/c", true),
            ("[!a]", "b", true),
            ("[!a]", "a", false),
            ("[^a]", "a", false),
        ] {
            let glob = Glob::parse_path(pattern.as_bytes()).unwrap();
            assert_eq!(glob.matches_path(path.as_bytes()), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn bytes_are_characters_too() {
        let fits =
            |pattern: &[u8], path: &[u8]| Glob::parse_path(pattern).unwrap().matches_path(path);
        assert!(fits(b"a?c", b"a\xffc"));
        assert!(fits(b"a\xffc", b"a\xffc"));
        assert!(!fits(b"a\xfec", b"a\xffc"));
        assert!(fits("a?c".as_bytes(), "aüc".as_bytes()));
    }
}
