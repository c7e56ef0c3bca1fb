//! The differences between the lines of one file in two images.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};

use crate::error::{ChoiceError, Error, LimitError, Place, Result};
use crate::event::Event;
use crate::format::source::ImageSource;
use crate::limits::{TEXT_LINES_MAX, TEXT_MAX};
use crate::merge::PathPattern;
use crate::ops::cat::file;
use crate::ops::diff::options::DiffOptions;
use crate::ops::diff::{choose, tell_apart};
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::stack::paths::PathFinder;
use crate::transfer::Context;

/// The number of lines around a difference that are shown.
const CONTEXT: usize = 3;

/// The comparison of one file in two images.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextDiff {
    /// Its path in the first image, after all symbolic links; `None` if there is no
    /// file.
    pub a: Option<Vec<u8>>,
    /// Its path in the second image.
    pub b: Option<Vec<u8>>,
    /// The result.
    pub difference: TextDifference,
}

/// The difference between two files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextDifference {
    /// They have the same bytes.
    None,
    /// They differ, and one of them has a NUL byte, so that it is no text.
    Binary,
    /// Only one image has the file, and it is empty.
    Presence,
    /// The hunks of a unified diff, as diff(1) prints them.
    Hunks(Vec<u8>),
}

/// Implements [`Session::diff_text`](crate::Session::diff_text).
pub(crate) fn diff_text(
    a: &dyn ImageSource,
    b: &dyn ImageSource,
    path: &PathPattern,
    options: &DiffOptions,
    context: Context<'_>,
) -> Result<TextDiff> {
    let mut of_a = choose(a, options.image_a.as_ref(), options, context)?;
    let mut of_b = choose(b, options.image_b.as_ref(), options, context)?;
    tell_apart((a, &mut of_a), (b, &mut of_b));
    let stacks = [
        LayerStack::new(a, &of_a, context)?,
        LayerStack::new(b, &of_b, context)?,
    ];
    let sizes = stacks.iter().flat_map(|stack| {
        let all = 0..stack.count();
        all.map(|at| stack.size_to_scan(at))
    });
    context.watch.send(Event::Started {
        bytes: sizes.fold(0, u64::saturating_add),
        images: Some(stacks.len()),
        steps: None,
    });
    let (first, second) = match (find(&stacks[0], path)?, find(&stacks[1], path)?) {
        (Found::Absent(absent), Found::Absent(_)) => return Err(absent.into()),
        (a, b) => (a.file(), b.file()),
    };
    let contents = [&first, &second].map(|file| Some(file.as_ref()?.content.as_slice()));
    let difference = match contents {
        [a, b] if a == b => TextDifference::None,
        [a, b] => compare(path, a.unwrap_or_default(), b.unwrap_or_default())?,
    };
    Ok(TextDiff {
        a: first.map(|file| file.path),
        b: second.map(|file| file.path),
        difference,
    })
}

/// The result of looking for a file.
enum Found {
    File(File),
    Absent(ChoiceError),
}

/// A file that was read.
struct File {
    /// Its path, after all symbolic links.
    path: Vec<u8>,
    content: Vec<u8>,
}

impl Found {
    fn file(self) -> Option<File> {
        match self {
            Self::File(file) => Some(file),
            Self::Absent(_) => None,
        }
    }
}

/// Reads the file in an image.
fn find(layers: &LayerStack<'_>, path: &PathPattern) -> Result<Found> {
    layers.prepare()?;
    let finder = PathFinder::new(layers, std::slice::from_ref(path))?;
    let entry = match finder.find(path, true) {
        Err(Error::Choice(absent @ ChoiceError::NoSuchPath { .. })) => {
            return Ok(Found::Absent(absent));
        }
        entry => entry?,
    };
    let inode = file(path, entry.node)?;
    let size = inode.size();
    if size > TEXT_MAX {
        return Err(LimitError::DocumentTooLarge {
            what: format!("`{path}`"),
            size,
            limit: TEXT_MAX,
        }
        .into());
    }
    let mut content = Vec::new();
    // Writing to memory does not fail.
    layers.copy_file(inode.place, size, &mut content, &Place::StandardOutput)?;
    let path = entry.path;
    Ok(Found::File(File { path, content }))
}

/// Compares two different texts: the file at this path.
fn compare(path: &PathPattern, a: &[u8], b: &[u8]) -> Result<TextDifference> {
    if a == b {
        return Ok(TextDifference::Presence);
    }
    if a.contains(&0) || b.contains(&0) {
        return Ok(TextDifference::Binary);
    }
    let lines = |text| -> Vec<&[u8]> { lines(text).collect() };
    let (a, b) = (lines(a), lines(b));
    if a.len().max(b.len()) > TEXT_LINES_MAX {
        let (file, limit) = (path.to_string(), TEXT_LINES_MAX);
        return Err(LimitError::TooManyLines { file, limit }.into());
    }
    Ok(TextDifference::Hunks(hunks(&a, &b)))
}

/// The lines of a text, each with its end.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// The hunks of a unified diff of two texts, given by their lines.
fn hunks(a: &[&[u8]], b: &[&[u8]]) -> Vec<u8> {
    let operations = capture_diff_slices(Algorithm::Myers, a, b);
    let mut text = Vec::new();
    for group in group_diff_ops(operations, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let of_a = first.old_range().start..last.old_range().end;
        let of_b = first.new_range().start..last.new_range().end;
        text.extend(format!("@@ -{} +{} @@\n", position(&of_a), position(&of_b)).into_bytes());
        for operation in &group {
            let (tag, of_a, of_b) = operation.as_tag_tuple();
            if tag == DiffTag::Equal {
                put(&mut text, b' ', &a[of_a]);
            } else {
                put(&mut text, b'-', &a[of_a]);
                put(&mut text, b'+', &b[of_b]);
            }
        }
    }
    text
}

/// The lines of a hunk as diff(1) shows them: the first, counted from 1, and the number.
/// Of none, the first is the one before.
fn position(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        length => format!("{},{length}", lines.start + 1),
    }
}

fn put(text: &mut Vec<u8>, mark: u8, lines: &[&[u8]]) {
    for line in lines {
        text.push(mark);
        text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            text.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}
