//! Quotes, escapes and variables in a word, with the rules of a shell and of Docker.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use crate::dockerfile::ChangeFault;

/// Maximum number of bytes that all variables together may add: as many as every
/// registry accepts in a document. Each `A=$A$A` doubles them.
const EXPANDED_MAX: usize = 4 * 1024 * 1024;

/// Maximum nesting depth of `${A:-${B:-…}}`, since each level needs stack space.
const NESTED_MAX: usize = 100;

const SUBSTITUTIONS: &str =
    "`$NAME`, `${NAME}`, `${NAME:-DEFAULT}`, `${NAME:+VALUE}` or `${NAME:?MESSAGE}`";

/// The variables that words may refer to.
#[derive(Debug, Default)]
pub(super) struct Variables {
    values: HashMap<String, String>,
    /// The number of bytes that they have added.
    added: usize,
}

impl Variables {
    /// Sets the value of a name from here on.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// Removes quotes and escapes from a text, and replaces variables.
    pub(super) fn expand(&mut self, text: &str, escape: char) -> Result<String, ChangeFault> {
        let expanded = self.expanded(text, escape)?;
        Ok(expanded.into_iter().map(|part| part.0).collect())
    }

    /// Also splits at blanks that are neither quoted nor escaped, including those in
    /// the value of a variable.
    pub(super) fn expand_words(
        &mut self,
        text: &str,
        escape: char,
    ) -> Result<Vec<String>, ChangeFault> {
        let expanded = self.expanded(text, escape)?;
        let words = expanded.split(|(character, is_plain)| *is_plain && character.is_whitespace());
        let words = words.map(|word| word.iter().map(|part| part.0).collect());
        Ok(words.filter(|word: &String| !word.is_empty()).collect())
    }

    /// The expanded characters of a text; the second part is true for a character that
    /// is neither quoted nor escaped.
    fn expanded(&mut self, text: &str, escape: char) -> Result<Vec<(char, bool)>, ChangeFault> {
        let mut expansion = Expansion {
            variables: self,
            escape,
            text,
            left: text.chars().peekable(),
            depth: 0,
        };
        expansion.until(None)
    }
}

/// A text that is being expanded.
struct Expansion<'a> {
    variables: &'a mut Variables,
    escape: char,
    text: &'a str,
    left: Peekable<Chars<'a>>,
    depth: usize,
}

impl Expansion<'_> {
    /// Expands up to the end, or to this character.
    fn until(&mut self, end: Option<char>) -> Result<Vec<(char, bool)>, ChangeFault> {
        let mut out = Vec::new();
        while let Some(next) = self.left.next() {
            match next {
                _ if Some(next) == end => return Ok(out),
                '\'' => self.single_quoted(&mut out)?,
                '"' => self.double_quoted(&mut out)?,
                '$' => out.extend(self.variable()?.chars().map(|it| (it, true))),
                // At the end it has nothing to escape, and is dropped.
                _ if next == self.escape => out.extend(self.left.next().map(|it| (it, false))),
                _ => out.push((next, true)),
            }
        }
        match end {
            Some(_) => Err(self.wrong(SUBSTITUTIONS)),
            None => Ok(out),
        }
    }

    /// Reads up to the closing quote. Every character is literal.
    fn single_quoted(&mut self, out: &mut Vec<(char, bool)>) -> Result<(), ChangeFault> {
        loop {
            match self.left.next() {
                None => return Err(self.wrong("a single quote that closes the first")),
                Some('\'') => return Ok(()),
                Some(other) => out.push((other, false)),
            }
        }
    }

    /// Reads up to the closing quote. Variables are replaced, and special characters
    /// can be escaped.
    fn double_quoted(&mut self, out: &mut Vec<(char, bool)>) -> Result<(), ChangeFault> {
        loop {
            match self.left.next() {
                None => return Err(self.wrong("a double quote that closes the first")),
                Some('"') => return Ok(()),
                Some('$') => out.extend(self.variable()?.chars().map(|it| (it, false))),
                Some(escape) if escape == self.escape => {
                    let is_special = |next: &char| matches!(next, '"' | '$') || *next == escape;
                    out.push((self.left.next_if(is_special).unwrap_or(escape), false));
                }
                Some(other) => out.push((other, false)),
            }
        }
    }

    /// The value of a variable, after its `$`.
    fn variable(&mut self) -> Result<String, ChangeFault> {
        if self.left.next_if_eq(&'{').is_some() {
            return self.substitution();
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        self.value(&name).map(Option::unwrap_or_default)
    }

    /// The value of a substitution, after its `${`.
    ///
    /// Docker 20.10 requires a colon in each form except `${NAME?…}`; later engines
    /// also know the others, which distinguish unset from empty.
    fn substitution(&mut self) -> Result<String, ChangeFault> {
        let name = self.name();
        if name.is_empty() {
            return Err(self.wrong(SUBSTITUTIONS));
        }
        let is_colon = self.left.next_if_eq(&':').is_some();
        let operator = match self.left.next() {
            Some('}') if !is_colon => return self.value(&name).map(Option::unwrap_or_default),
            Some(operator @ ('-' | '+' | '?')) => operator,
            _ => return Err(self.wrong(SUBSTITUTIONS)),
        };
        self.depth += 1;
        if self.depth > NESTED_MAX {
            return Err(ChangeFault::TooNested(NESTED_MAX));
        }
        let word = self.until(Some('}'))?.into_iter().map(|part| part.0);
        let word: String = word.collect();
        self.depth -= 1;
        let value = self.value(&name)?;
        let value = value.filter(|value| !is_colon || !value.is_empty());
        match (operator, value) {
            ('+', None) => Ok(String::new()),
            ('-', None) | ('+', Some(_)) => Ok(word),
            (_, Some(value)) => Ok(value),
            (_, None) if word.is_empty() => Err(ChangeFault::Unset {
                name,
                message: "it is not set".to_owned(),
            }),
            (_, None) => Err(ChangeFault::Unset {
                name,
                message: word,
            }),
        }
    }

    /// Reads a name: digits, or a special parameter of the shell, or letters, digits
    /// and underscores.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let is_digit = |next: &char| next.is_ascii_digit();
        while let Some(digit) = self.left.next_if(is_digit) {
            name.push(digit);
        }
        if !name.is_empty() {
            return name;
        }
        if let Some(own) = self.left.next_if(|next| "@*#?-$!".contains(*next)) {
            return own.to_string();
        }
        let is_part = |next: &char| next.is_alphabetic() || is_digit(next) || *next == '_';
        while let Some(part) = self.left.next_if(is_part) {
            name.push(part);
        }
        name
    }

    fn value(&mut self, name: &str) -> Result<Option<String>, ChangeFault> {
        let Some(value) = self.variables.values.get(name) else {
            return Ok(None);
        };
        self.variables.added += value.len();
        if self.variables.added > EXPANDED_MAX {
            return Err(ChangeFault::TooLong(EXPANDED_MAX));
        }
        Ok(Some(value.clone()))
    }

    fn wrong(&self, expected: &'static str) -> ChangeFault {
        ChangeFault::unexpected(expected, self.text)
    }
}
