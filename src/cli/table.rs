//! Text in columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::terminal::Terminal;
use crate::cli::text::escaped;

/// How columns stand beside each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spacing {
    /// How many spaces are between two columns, at the least.
    padding: usize,
    /// How wide a column is with them, at the least.
    least: usize,
}

impl Spacing {
    /// As in Docker's tables.
    pub(super) const DOCKER: Self = Self {
        padding: 3,
        least: 10,
    };
    /// For tables of many columns.
    pub(super) const NARROW: Self = Self {
        padding: 2,
        least: 0,
    };
}

/// The least width of a column that is cut to fit.
const LEAST: usize = 10;

/// A table as Docker prints it: headings in capitals, columns of text to the left.
///
/// What is put into it may come from an archive, and is escaped.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    spacing: Spacing,
}

/// A column: what stands above it, and what it holds.
pub(super) type Column = (&'static str, Content);

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Something that is of use only whole.
    Whole,
    /// Text, of which the start is better than nothing.
    Text,
    /// Something that is left out where there is no room, the last such column first.
    Spare,
    /// A bar, which is coloured.
    Bar,
}

impl Table {
    pub(super) fn new(columns: Vec<Column>, spacing: Spacing) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            spacing,
        }
    }

    /// Adds a row, with a cell for each column.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows
            .push(cells.into_iter().map(|cell| escaped(&cell)).collect());
    }

    /// Lays it out, in lines that fit into the terminal as far as columns may be left out
    /// and cut.
    pub(super) fn lines(&self, terminal: Terminal) -> Vec<String> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().map(|row| row[at].width());
                let heading = self.columns[at].0.width();
                cells.fold(heading, usize::max)
            })
            .collect();
        if let Some(width) = terminal.width {
            let mut columns = self.columns.iter();
            let spare = columns.rposition(|column| column.1 == Content::Spare);
            if let Some(spare) = spare.filter(|_| self.width(&widths) > width) {
                return self.without(spare).lines(terminal);
            }
            self.fit(&mut widths, width);
        }
        let headings = self.columns.iter().map(|column| column.0.to_owned());
        let heading = self.line(&headings.collect::<Vec<_>>(), &widths, |_, text| {
            terminal.bold(text)
        });
        let rows = self.rows.iter().map(|row| {
            self.line(row, &widths, |at, text| match self.columns[at].1 {
                Content::Bar => terminal.coloured(text),
                Content::Whole | Content::Text | Content::Spare => text.to_owned(),
            })
        });
        std::iter::once(heading).chain(rows).collect()
    }

    /// How wide a column is with what stands behind it.
    fn padded(&self, width: usize) -> usize {
        (width + self.spacing.padding).max(self.spacing.least)
    }

    /// How wide a line is.
    fn width(&self, widths: &[usize]) -> usize {
        let end = widths.last().copied().unwrap_or_default();
        let before = widths.iter().rev().skip(1);
        before.map(|width| self.padded(*width)).sum::<usize>() + end
    }

    /// The table without one of its columns.
    fn without(&self, at: usize) -> Self {
        let mut rows = self.rows.clone();
        for row in &mut rows {
            row.remove(at);
        }
        let mut columns = self.columns.clone();
        columns.remove(at);
        Self {
            columns,
            rows,
            spacing: self.spacing,
        }
    }

    /// Makes columns of text narrower, the widest first, until a line fits.
    fn fit(&self, widths: &mut [usize], limit: usize) {
        loop {
            let total = self.width(widths);
            let texts = (0..widths.len()).filter(|at| self.columns[*at].1 == Content::Text);
            let widest = texts.max_by_key(|at| widths[*at]);
            let Some(widest) = widest.filter(|at| total > limit && widths[*at] > LEAST) else {
                return;
            };
            let second = (0..widths.len())
                .filter(|at| *at != widest && self.columns[*at].1 == Content::Text)
                .map(|at| widths[at])
                .filter(|width| *width < widths[widest])
                .max();
            let least = second.unwrap_or(LEAST).max(LEAST);
            let narrower = widths[widest].saturating_sub(total - limit);
            // The second widest has to give way, too, once they are the same.
            widths[widest] = narrower.max(least.min(widths[widest] - 1));
        }
    }

    fn line(
        &self,
        cells: &[String],
        widths: &[usize],
        style: impl Fn(usize, &str) -> String,
    ) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let cell = ellipsis(cell, *width);
            if !cell.is_empty() {
                // No spaces at the end of a line.
                line.extend(std::iter::repeat_n(' ', owed));
                owed = 0;
            }
            line.push_str(&style(at, &cell));
            owed += self.padded(*width) - cell.width();
        }
        line
    }
}

/// The start of a text that takes at most so many columns of a terminal, with `…`
/// where something was cut off.
pub(super) fn ellipsis(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut taken = 0;
    let mut start = String::new();
    for character in text.chars() {
        taken += character.width().unwrap_or_default();
        if taken + 1 > width {
            break;
        }
        start.push(character);
    }
    start.push('…');
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> Table {
        let columns = [
            ("ID", Content::Whole),
            ("NAME", Content::Text),
            ("NOTE", Content::Text),
        ];
        let mut table = Table::new(columns.to_vec(), Spacing::DOCKER);
        for row in rows {
            table.row(row.iter().map(|cell| (*cell).to_owned()).collect());
        }
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_padded() {
        let lines = table(&[["1", "a", ""], ["22", "bücher 漢字", "x"], ["", "", ""]]);
        assert_eq!(
            lines.lines(Terminal::default()),
            [
                "ID        NAME          NOTE",
                "1         a",
                "22        bücher 漢字   x",
                "",
            ]
        );
    }

    #[test]
    fn text_is_cut_to_the_width_of_a_terminal_and_ids_are_not() {
        let long = "a".repeat(40);
        let table = table(&[[&"1".repeat(20), &long, &"b".repeat(20)]]);
        let lines = |width| {
            let terminal = Terminal {
                width: Some(width),
                ..Terminal::default()
            };
            table.lines(terminal)
        };
        let widest = |width| lines(width).iter().map(|line| line.width()).max();
        for width in 46..90 {
            assert_eq!(widest(width), Some(width.min(86)), "{width}");
        }
        assert_eq!(widest(20), Some(46), "{:#?}", lines(20));
        assert!(lines(70)[1].ends_with(&format!("…   {}", "b".repeat(20))));
    }

    #[test]
    fn spare_columns_are_left_out_before_text_is_cut_the_last_one_first() {
        let columns = [
            ("NAME", Content::Text),
            ("AGE", Content::Spare),
            ("ID", Content::Whole),
            ("MORE", Content::Spare),
        ];
        let mut table = Table::new(columns.to_vec(), Spacing::NARROW);
        table.row(
            ["a name of 17 char", "123", "4", "5678"]
                .map(str::to_owned)
                .to_vec(),
        );
        let heading = |width| {
            let terminal = Terminal {
                width: Some(width),
                ..Terminal::default()
            };
            let lines = table.lines(terminal);
            assert!(lines[1].width() <= width, "{lines:?}");
            let words = lines[0].split_whitespace().map(str::to_owned);
            (words.collect::<Vec<_>>().join(" "), lines[1].contains('…'))
        };
        let all = "NAME AGE ID MORE".to_owned();
        assert_eq!(heading(32), (all, false));
        assert_eq!(heading(31), ("NAME AGE ID".to_owned(), false));
        assert_eq!(heading(25), ("NAME ID".to_owned(), false));
        assert_eq!(heading(20), ("NAME ID".to_owned(), true));
    }

    #[test]
    fn nothing_in_a_cell_steers_the_terminal() {
        let table = table(&[["\x1b[31m", "a\nb", "\u{202e}"]]);
        assert_eq!(
            table.lines(Terminal::default())[1],
            "\\u{1b}[31m   a\\nb      \\u{202e}"
        );
    }

    #[test]
    fn only_headings_stand_out_and_only_in_colour() {
        let terminal = Terminal {
            is_real: true,
            width: None,
            has_colour: true,
        };
        let lines = table(&[["1", "2", "3"]]).lines(terminal);
        assert!(
            lines[0].starts_with("\x1b[1mID\x1b[0m        \x1b[1mNAME"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "1         2         3");
    }

    #[test]
    fn a_text_is_cut_where_a_character_still_fits() {
        for (text, width, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("漢字漢", 5, "漢字…"),
            ("漢字漢", 4, "漢…"),
            ("", 0, ""),
            ("a", 0, "…"),
        ] {
            assert_eq!(ellipsis(text, width), expected, "{text} {width}");
        }
    }
}
