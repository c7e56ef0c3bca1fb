//! The images to convert, of one or several sources.

use crate::error::{Candidate, ChoiceError, Error, Result};
use crate::format::root::Root;
use crate::format::source::ImageSource;
use crate::ops::Selector;
use crate::ops::choose::selector::{Selection, select};

/// One of the sources of a conversion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvertSource<'a> {
    /// The opened input.
    pub(crate) images: &'a dyn ImageSource,
    /// The image to take from it, in place of those in the options.
    pub(crate) image: Option<&'a Selector>,
}

/// Something to convert.
pub(super) struct Wanted<'a> {
    pub(super) selection: Selection<'a>,
    /// True if it was selected by name, and not just as one of all.
    pub(super) is_chosen: bool,
}

/// Finds what to convert: of a source with a selector of its own what that selects, of
/// the others what `images` select, and everything without any.
///
/// The results have the roots that `roots_of` returns for the number of a source, which
/// are those of the source itself in the same order.
pub(super) fn wanted<'a>(
    sources: &[ConvertSource<'_>],
    roots_of: impl Fn(usize) -> Result<&'a [Root]>,
    images: &[Selector],
) -> Result<Vec<Wanted<'a>>> {
    let mut wanted = Vec::new();
    let mut found = vec![false; images.len()];
    let mut have: Vec<Candidate> = Vec::new();
    let mut missing = None;
    let mut whole: Vec<&Root> = Vec::new();
    for (origin, source) in sources.iter().enumerate() {
        let roots = roots_of(origin)?;
        let mut selections = Vec::new();
        if source.image.is_some() {
            selections.push(select(source.images, source.image)?);
        } else if images.is_empty() {
            whole.extend(roots);
            continue;
        }
        let others = images.iter().zip(&mut found);
        for (image, is_found) in others.filter(|_| source.image.is_none()) {
            match select(source.images, Some(image)) {
                Ok(selection) => {
                    *is_found = true;
                    selections.push(selection);
                }
                Err(Error::Choice(error)) => match error {
                    ChoiceError::NoSuchImage { have: listed, .. } if sources.len() > 1 => {
                        for it in listed {
                            if !have.contains(&it) {
                                have.push(it);
                            }
                        }
                    }
                    error => return Err(error.into()),
                },
                Err(error) => return Err(error),
            }
        }
        let own = source.images.roots()?;
        for selection in selections {
            wanted.extend(selection.each().into_iter().map(|selection| Wanted {
                selection: with_roots(selection, own, roots),
                is_chosen: true,
            }));
        }
    }
    for (image, is_found) in images.iter().zip(&found) {
        if !is_found {
            missing.get_or_insert(image);
        }
    }
    if let Some(missing) = missing {
        return Err(ChoiceError::NoSuchImageInAny {
            inputs: sources.iter().filter(|it| it.image.is_none()).count(),
            wanted: missing.to_string(),
            have,
        }
        .into());
    }
    let all = Selection::whole(whole).each().into_iter();
    wanted.extend(all.map(|selection| Wanted {
        selection,
        is_chosen: false,
    }));
    Ok(wanted)
}

/// The same selection of other roots, which are in the same order.
fn with_roots<'a>(selection: Selection<'_>, from: &[Root], to: &'a [Root]) -> Selection<'a> {
    let place = |root: &&Root| from.iter().position(|it| std::ptr::eq(it, *root));
    let places = selection.roots.iter().filter_map(place);
    Selection {
        roots: places.map(|at| &to[at]).collect(),
        part: selection.part,
    }
}
