//! Text in columns.

use unicode_width::UnicodeWidthStr;

use crate::cli::terminal::{BAR, HEADING, Terminal};
use crate::cli::text::escaped;

/// The spaces between two columns.
const PADDING: usize = 2;

/// Minimum width of a truncated column.
const LEAST: usize = 10;

/// A table as Docker prints it: headings in capitals, text aligned to the left.
///
/// Cells are escaped, since they may come from an archive.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// A column: its heading and the kind of its content.
pub(super) type Column = (&'static str, Content);

/// The kind of content in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Always shown in full.
    Whole,
    /// Text that may be truncated.
    Text,
    /// Text that may be truncated in the middle, since both of its ends matter.
    Name,
    /// Left out if there is no room, the last such column first.
    Spare,
    /// Shown in full, or left out if truncating texts does not make enough room, the first such
    /// column first.
    Dispensable,
    /// A coloured bar, otherwise like [`Self::Dispensable`].
    Bar,
}

impl Table {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each column.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for each column");
        self.rows
            .push(cells.into_iter().map(|cell| escaped(&cell)).collect());
    }

    /// The lines of the table. They fit into the terminal as far as columns may be left out or
    /// truncated.
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
            if let Some(spare) = spare.filter(|_| line_width(&widths) > width) {
                return self.without(spare).lines(terminal);
            }
            self.fit(&mut widths, width);
            let is_dispensable = |it: &Column| matches!(it.1, Content::Dispensable | Content::Bar);
            let dispensable = self.columns.iter().position(is_dispensable);
            if let Some(dispensable) = dispensable.filter(|_| line_width(&widths) > width) {
                return self.without(dispensable).lines(terminal);
            }
        }
        let headings = self.columns.iter().map(|column| column.0.to_owned());
        let headings: Vec<String> = headings.collect();
        let heading = line(&headings, &widths, terminal, |_, text| {
            terminal.styled(HEADING, text)
        });
        let rows = self.rows.iter().map(|row| {
            let mut row = row.clone();
            for (at, cell) in row.iter_mut().enumerate() {
                if self.columns[at].1 == Content::Name {
                    *cell = terminal.drawing.cut_middle(cell, widths[at]);
                }
            }
            line(&row, &widths, terminal, |at, text| {
                match self.columns[at].1 {
                    Content::Bar => terminal.styled(BAR, text),
                    _ => text.to_owned(),
                }
            })
        });
        std::iter::once(heading).chain(rows).collect()
    }

    /// The table without one of its columns.
    fn without(&self, at: usize) -> Self {
        let mut rows = self.rows.clone();
        for row in &mut rows {
            row.remove(at);
        }
        let mut columns = self.columns.clone();
        columns.remove(at);
        Self { columns, rows }
    }

    /// True if the cells of a column may be truncated.
    fn is_text(&self, at: usize) -> bool {
        matches!(self.columns[at].1, Content::Text | Content::Name)
    }

    /// Makes columns of text narrower, the widest first, until the lines fit.
    fn fit(&self, widths: &mut [usize], limit: usize) {
        loop {
            let total = line_width(widths);
            let texts = (0..widths.len()).filter(|at| self.is_text(*at));
            let widest = texts.max_by_key(|at| widths[*at]);
            let Some(widest) = widest.filter(|at| total > limit && widths[*at] > LEAST) else {
                return;
            };
            let second = (0..widths.len())
                .filter(|at| *at != widest && self.is_text(*at))
                .map(|at| widths[at])
                .filter(|width| *width < widths[widest])
                .max();
            let least = second.unwrap_or(LEAST).max(LEAST);
            let narrower = widths[widest].saturating_sub(total - limit);
            // Once the two widest columns are equal, both become narrower.
            widths[widest] = narrower.max(least.min(widths[widest] - 1));
        }
    }
}

/// The width of a line.
fn line_width(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + PADDING * widths.len().saturating_sub(1)
}

/// A line of cells, each truncated to the width of its column.
fn line(
    cells: &[String],
    widths: &[usize],
    terminal: Terminal,
    style: impl Fn(usize, &str) -> String,
) -> String {
    let mut line = String::new();
    let mut owed = 0;
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let cell = terminal.drawing.cut(cell, *width);
        if !cell.is_empty() {
            // Lines do not end in spaces.
            line.extend(std::iter::repeat_n(' ', owed));
            owed = 0;
        }
        line.push_str(&style(at, &cell));
        owed += width + PADDING - cell.width();
    }
    line
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::cli::drawing::Drawing;

    /// A stream without colours.
    fn plain(width: Option<usize>) -> Terminal {
        Terminal {
            is_real: width.is_some(),
            width,
            has_colour: false,
            drawing: Drawing::UNICODE,
        }
    }

    fn table(rows: &[[&str; 3]]) -> Table {
        let columns = [
            ("ID", Content::Whole),
            ("NAME", Content::Text),
            ("NOTE", Content::Text),
        ];
        let mut table = Table::new(columns.to_vec());
        for row in rows {
            table.row(row.iter().map(|cell| (*cell).to_owned()).collect());
        }
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_padded() {
        let lines = table(&[["1", "a", ""], ["22", "bücher 漢字", "x"], ["", "", ""]]);
        assert_eq!(
            lines.lines(plain(None)),
            ["ID  NAME         NOTE", "1   a", "22  bücher 漢字  x", "",]
        );
    }

    #[test]
    fn text_is_cut_to_the_width_of_a_terminal_and_ids_are_not() {
        let long = "a".repeat(40);
        let table = table(&[[&"1".repeat(20), &long, &"b".repeat(20)]]);
        let lines = |width| table.lines(plain(Some(width)));
        let widest = |width| lines(width).iter().map(|line| line.width()).max();
        for width in 44..90 {
            assert_eq!(widest(width), Some(width.min(84)), "{width}");
        }
        assert_eq!(widest(20), Some(44), "{:#?}", lines(20));
        assert!(lines(70)[1].ends_with(&format!("…  {}", "b".repeat(20))));
    }

    #[test]
    fn spare_columns_are_left_out_before_text_is_cut_the_last_one_first() {
        let columns = [
            ("NAME", Content::Text),
            ("AGE", Content::Spare),
            ("ID", Content::Whole),
            ("MORE", Content::Spare),
        ];
        let mut table = Table::new(columns.to_vec());
        table.row(
            ["a name of 17 char", "123", "4", "5678"]
                .map(str::to_owned)
                .to_vec(),
        );
        let heading = |width| {
            let lines = table.lines(plain(Some(width)));
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
    fn where_cut_text_does_not_fit_further_columns_are_left_out() {
        let columns = [
            ("NAME", Content::Text),
            ("ID", Content::Whole),
            ("DIGEST", Content::Dispensable),
            ("SIZE", Content::Dispensable),
            ("", Content::Bar),
            ("MORE", Content::Spare),
        ];
        let mut table = Table::new(columns.to_vec());
        let row = ["a name of 17 char", "1234", "12345678", "12.3", "#", "x"];
        table.row(row.map(str::to_owned).to_vec());
        let lines = |width| {
            let lines = table.lines(plain(Some(width)));
            assert!(lines.iter().all(|line| line.width() <= width), "{lines:?}");
            lines.join("\n")
        };
        let shown = [80, 45, 35, 34, 25, 24, 19, 18].map(lines).join("\n\n");
        expect![[r#"
            NAME               ID    DIGEST    SIZE     MORE
            a name of 17 char  1234  12345678  12.3  #  x

            NAME               ID    DIGEST    SIZE
            a name of 17 char  1234  12345678  12.3  #

            NAME        ID    DIGEST    SIZE
            a name of…  1234  12345678  12.3  #

            NAME               ID    SIZE
            a name of 17 char  1234  12.3  #

            NAME        ID    SIZE
            a name of…  1234  12.3  #

            NAME             ID
            a name of 17 c…  1234  #

            NAME        ID
            a name of…  1234  #

            NAME          ID
            a name of 1…  1234"#]]
        .assert_eq(&shown);
    }

    #[test]
    fn nothing_in_a_cell_steers_the_terminal() {
        let table = table(&[["\x1b[31m", "a\nb", "\u{202e}"]]);
        assert_eq!(table.lines(plain(None))[1], "\\u{1b}[31m  a\\nb  \\u{202e}");
    }

    #[test]
    fn only_headings_stand_out_and_only_in_colour() {
        let terminal = Terminal {
            has_colour: true,
            ..plain(None)
        };
        let lines = table(&[["1", "2", "3"]]).lines(terminal);
        assert!(
            lines[0].starts_with("\x1b[1mID\x1b[0m  \x1b[1mNAME"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "1   2     3");
    }
}
