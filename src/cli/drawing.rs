//! The characters for drawings: Unicode if the locale supports it, otherwise ASCII.

use std::env;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A set of characters for branches, bars and truncated texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawing {
    /// Replaces the end of a truncated text.
    ellipsis: &'static str,
    /// Before an entry of an index.
    pub(super) branch: &'static str,
    /// Before the last entry.
    pub(super) last_branch: &'static str,
    /// Under a branch that is not the last one.
    pub(super) stem: &'static str,
    /// A filled character of a bar.
    full: &'static str,
    /// Characters of a bar, filled by 0 to 7 eighths.
    eighths: [&'static str; 8],
    /// An empty character of a progress bar.
    empty: &'static str,
}

impl Drawing {
    pub(super) const UNICODE: Self = Self {
        ellipsis: "…",
        branch: "├─ ",
        last_branch: "└─ ",
        stem: "│  ",
        full: "█",
        eighths: ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"],
        empty: "░",
    };
    pub(super) const ASCII: Self = Self {
        ellipsis: "...",
        branch: "|- ",
        last_branch: "`- ",
        stem: "|  ",
        full: "#",
        eighths: ["", "-", "-", "-", "-", "-", "-", "-"],
        empty: "-",
    };

    /// The characters for the locale.
    pub(super) fn of_locale() -> Self {
        if has_unicode(|name| env::var(name).ok()) {
            Self::UNICODE
        } else {
            Self::ASCII
        }
    }

    /// A text, truncated with an ellipsis if it is wider than this many columns of a terminal;
    /// empty if even the ellipsis does not fit.
    pub(super) fn cut(self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        match width.checked_sub(self.ellipsis.width()) {
            Some(room) => fitting(text.chars(), room) + self.ellipsis,
            None => String::new(),
        }
    }

    /// Both ends of a text, with an ellipsis between them if it does not fit.
    pub(super) fn cut_middle(self, text: &str, width: usize) -> String {
        let room = width.saturating_sub(self.ellipsis.width());
        if text.width() <= width || room < 2 {
            return self.cut(text, width);
        }
        let end = fitting(text.chars().rev(), room / 2);
        let end: String = end.chars().rev().collect();
        let start = fitting(text.chars(), room - room / 2);
        [&start, self.ellipsis, &end].concat()
    }

    /// A bar whose length is the ratio of `part` to `largest`, in eighths of a character; the
    /// largest is `width` characters long.
    pub(super) fn bar(self, part: u64, largest: u64, width: usize) -> String {
        let eighths = (u128::from(part) * width as u128 * 8).div_ceil(largest.max(1).into());
        let eighths = usize::try_from(eighths).map_or(width * 8, |it| it.min(width * 8));
        self.full.repeat(eighths / 8) + self.eighths[eighths % 8]
    }

    /// A bar of `width` characters, filled in proportion to the work done.
    pub(super) fn progress_bar(self, done: u64, total: u64, width: usize) -> String {
        let filled = u128::from(done) * width as u128 / u128::from(total.max(1));
        let filled = usize::try_from(filled).map_or(width, |it| it.min(width));
        self.full.repeat(filled) + &self.empty.repeat(width - filled)
    }
}

/// The first characters that fit into this number of columns.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    let fits = |character: &char| {
        used += character.width().unwrap_or_default();
        used <= width
    };
    characters.take_while(fits).collect()
}

/// True if these variables select a locale with UTF-8 (locale(7)).
fn has_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let mut set = names.filter_map(variable).filter(|it| !it.is_empty());
    let locale = set.next().unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_names_the_locale() {
        let cases: [(&[(&str, &str)], bool); 8] = [
            (&[], false),
            (&[("LANG", "C")], false),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8")], true),
            (&[("LANG", "de_DE.ISO-8859-1")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "POSIX"), ("LC_CTYPE", "C.UTF-8")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], true),
        ];
        for (variables, expected) in cases {
            let value = |name: &str| {
                let mut variables = variables.iter();
                let variable = variables.find(|it| it.0 == name);
                variable.map(|it| it.1.to_owned())
            };
            assert_eq!(has_unicode(value), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_text_is_cut_where_a_character_still_fits() {
        for (text, width, expected, ascii) in [
            ("abcde", 5, "abcde", "abcde"),
            ("abcdef", 5, "abcd…", "ab..."),
            ("漢字漢", 5, "漢字…", "漢..."),
            ("漢字漢", 4, "漢…", "..."),
            ("", 0, "", ""),
            ("abcd", 2, "a…", ""),
            ("a", 0, "", ""),
        ] {
            let cut = Drawing::UNICODE.cut(text, width);
            assert_eq!(cut, expected, "{text} {width}");
            assert_eq!(Drawing::ASCII.cut(text, width), ascii, "{text} {width}");
        }
    }

    #[test]
    fn a_name_keeps_both_of_its_ends() {
        for (text, width, expected, ascii) in [
            ("abcdefg", 7, "abcdefg", "abcdefg"),
            ("abcdefgh", 7, "abc…fgh", "ab...gh"),
            ("abcdefgh", 6, "abc…gh", "ab...h"),
            ("漢字漢字", 6, "漢…字", "漢..."),
            ("abcd", 2, "a…", ""),
        ] {
            let cut = Drawing::UNICODE.cut_middle(text, width);
            assert_eq!(cut, expected, "{text} {width}");
            let cut = Drawing::ASCII.cut_middle(text, width);
            assert_eq!(cut, ascii, "{text} {width}");
        }
    }

    #[test]
    fn bars_are_parts_of_the_largest() {
        for (part, largest, expected, ascii) in [
            (0, 0, "", ""),
            (0, 10, "", ""),
            (10, 10, "█████", "#####"),
            (5, 10, "██▌", "##-"),
            (1, 1000, "▏", "-"),
            (u64::MAX, u64::MAX, "█████", "#####"),
            (199, 1000, "█", "#"),
        ] {
            let bar = Drawing::UNICODE.bar(part, largest, 5);
            assert_eq!(bar, expected, "{part} of {largest}");
            assert_eq!(Drawing::ASCII.bar(part, largest, 5), ascii);
        }
    }

    #[test]
    fn a_progress_bar_is_full_at_the_end_and_not_before() {
        for (done, total, expected, ascii) in [
            (0, 0, "░░░░", "----"),
            (24, 100, "░░░░", "----"),
            (25, 100, "█░░░", "#---"),
            (99, 100, "███░", "###-"),
            (100, 100, "████", "####"),
            (u64::MAX, 100, "████", "####"),
        ] {
            let bar = Drawing::UNICODE.progress_bar(done, total, 4);
            assert_eq!(bar, expected, "{done} of {total}");
            assert_eq!(Drawing::ASCII.progress_bar(done, total, 4), ascii);
        }
    }
}
