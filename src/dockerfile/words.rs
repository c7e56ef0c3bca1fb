//! The words of a line, before quotes and variables are interpreted.

/// Returns true for a character that separates words in a Dockerfile, unless stated
/// otherwise.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Splits a text after its first word. Both parts may be empty.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(is_blank).unwrap_or((text, ""));
    (word, rest.trim())
}

/// Splits a text at blanks, ignoring quotes.
pub(super) fn plain_words(text: &str) -> Vec<String> {
    let words = text.split(is_blank).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Splits a text at blanks that are neither quoted nor escaped. Quotes and escapes
/// remain in the words.
pub(super) fn quoted_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut left = text.chars();
    while let Some(character) = left.next() {
        if quote.is_none() && character.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        // There are no escapes in single quotes.
        if character == escape && quote != Some('\'') {
            // At the end it has nothing to escape, and is dropped.
            let Some(next) = left.next() else { break };
            word.extend([character, next]);
            continue;
        }
        match quote {
            None if matches!(character, '\'' | '"') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => {}
        }
        word.push(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Splits off the options at the start of a text, `--NAME` or `--NAME=VALUE`. Their
/// quotes and backslashes are removed, and so is a `--` that ends them.
pub(super) fn options(text: &str) -> (Vec<String>, &str) {
    let mut options = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let (option, behind) = option(rest);
        rest = behind.trim_start();
        if option == "--" {
            break;
        }
        options.push(option);
    }
    (options, rest.trim())
}

/// Splits a text after the option at its start.
fn option(text: &str) -> (String, &str) {
    let mut option = String::new();
    let mut quote = None;
    let mut left = text.chars();
    while let Some(character) = left.next() {
        match (character, quote) {
            // A directive has no effect here.
            ('\\', _) => option.extend(left.next()),
            (_, Some(open)) if open == character => quote = None,
            ('\'' | '"', None) => quote = Some(character),
            (_, None) if character.is_whitespace() => return (option, left.as_str()),
            _ => option.push(character),
        }
    }
    (option, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("  a  b\t", &["a", "b"]),
            ("a\u{a0}b", &["a", "b"]),
            ("a=\"b c\" d", &["a=\"b c\"", "d"]),
            ("a='b \" c' d", &["a='b \" c'", "d"]),
            ("a=\"b' \\\" c\" d", &["a=\"b' \\\" c\"", "d"]),
            ("a='\\' b", &["a='\\'", "b"]),
            ("a\\ b c", &["a\\ b", "c"]),
            ("a\\\" b", &["a\\\"", "b"]),
            ("a b\\", &["a", "b"]),
            ("a=\"b c", &["a=\"b c"]),
            ("\"\" ''", &["\"\"", "''"]),
        ];
        for (text, words) in cases {
            assert_eq!(quoted_words(text, '\\'), words, "{text}");
        }
        assert_eq!(quoted_words("a` b\\ c", '`'), ["a` b\\", "c"]);
    }

    #[test]
    fn options_stand_in_front() {
        let cases: [(&str, &[&str], &str); 10] = [
            ("", &[], ""),
            ("a --b", &[], "a --b"),
            ("-a", &[], "-a"),
            (" --a --b=c  d  e ", &["--a", "--b=c"], "d  e"),
            ("--a=\"b c\" d", &["--a=b c"], "d"),
            ("--a='b\\'c' d", &["--a=b'c"], "d"),
            ("--a=b\\ c d", &["--a=b c"], "d"),
            ("--a -- --b", &["--a"], "--b"),
            ("--", &[], ""),
            ("--a\\", &["--a"], ""),
        ];
        for (text, expected, rest) in cases {
            let (options, left) = options(text);
            assert_eq!(
                (options.as_slice(), left),
                (&*own(expected), rest),
                "{text}"
            );
        }
    }

    fn own(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}
