//! The names that images keep, and those that replace them.

use std::collections::HashMap;

use crate::error::{ChoiceError, Result};
use crate::format::root::Root;
use crate::format::source::ImageSource;
use crate::image::Reference;
use crate::ops::convert::merged::have_one_owner;
use crate::transfer::item::TransferItem;
use crate::transfer::naming::Retag;

/// A name in the output.
#[derive(PartialEq, Eq, Hash)]
enum OutputName<'a> {
    Reference(&'a Reference),
    Label(&'a str),
}

/// Checks that each name is the name of one image, and that those to replace exist.
///
/// A name that one source gives to several images is not an error: such inputs exist,
/// and the last image gets the name.
pub(super) fn check_names(
    source: &dyn ImageSource,
    items: &[TransferItem<'_>],
    retag: &[Retag],
) -> Result<()> {
    let roots = || items.iter().flat_map(|item| item.roots.iter().copied());
    for retag in retag {
        if !roots().any(|root| retag.is_of(root)) {
            let named = roots().filter(|root| root.reference.is_some() || root.label.is_some());
            return Err(ChoiceError::NoSuchName {
                input: source.place().cloned(),
                wanted: retag.old.clone(),
                have: named.map(Root::display_name).collect(),
            }
            .into());
        }
    }
    for root in roots() {
        if retag.iter().filter(|retag| retag.is_of(root)).count() > 1 {
            return Err(ChoiceError::RenamedTwice(root.display_name()).into());
        }
    }
    let mut taken: HashMap<OutputName<'_>, (usize, &Root, bool)> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        for root in item.roots.iter().copied() {
            let new = retag.iter().find(|it| it.is_of(root));
            let is_new = new.is_some();
            let name = match (new, &root.reference, &root.label) {
                (Some(retag), _, _) => OutputName::Reference(&retag.new),
                (None, Some(reference), _) => OutputName::Reference(reference),
                (None, None, Some(label)) => OutputName::Label(label),
                (None, None, None) => continue,
            };
            let text = match name {
                OutputName::Reference(reference) => reference.to_string(),
                OutputName::Label(label) => label.to_owned(),
            };
            let (first, other, other_is_new) = *taken.entry(name).or_insert((at, root, is_new));
            if first == at {
                continue;
            }
            if !have_one_owner(source, root, other) {
                let place = |root: &Root| source.owner(root)?.place().cloned();
                return Err(ChoiceError::NameInSeveralInputs {
                    name: text,
                    inputs: [place(other), place(root)],
                }
                .into());
            }
            if is_new || other_is_new {
                return Err(ChoiceError::NameTaken(text).into());
            }
        }
    }
    Ok(())
}
