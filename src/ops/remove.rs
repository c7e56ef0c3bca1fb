//! `remove`: names and images out of a layout, and the blobs that nothing needs any more.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::error::{ChoiceError, Result};
use crate::event::{Event, Step};
use crate::format::root::{Root, with_target_of};
use crate::format::source::ImageSource;
use crate::format::{LockedLayout, Reach, Reached};
use crate::image::{Descriptor, Reference};
use crate::ops::Selector;
use crate::ops::choose::selector::select_by_digits;
use crate::transfer::Context;

/// The number of hexadecimal digits that select an image to remove. A number without `#`
/// would else be the begin of an id.
const DIGITS_MIN: usize = 4;

/// The images to remove, by default none: then only blobs are deleted that nothing
/// refers to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RemoveOptions {
    /// The images. A name removes itself alone, and the image with its last one; a digest
    /// or a number removes the image.
    pub images: Vec<Selector>,
    /// True to also remove everything without a name, except for referrers, such as
    /// signatures, of images that stay.
    pub untagged: bool,
    /// True to remove an image with all its names, if it has several, where a digest or a
    /// number selects it.
    pub force: bool,
    /// True to change nothing.
    pub dry_run: bool,
}

/// The things that were removed from a layout, or would be.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RemoveReport {
    /// The items of `index.json`, in their order.
    pub removed: Vec<RemovedItem>,
    /// The number of deleted blobs.
    pub blobs: usize,
    /// Total size of these blobs, in bytes.
    pub bytes: u64,
}

/// An item that was removed from an `index.json`: an image under one of its names, or
/// under none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemovedItem {
    /// Its name, if that is a reference with a tag.
    pub reference: Option<Reference>,
    /// Its name in a layout, if it is anything else.
    pub label: Option<String>,
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The image that it refers to, if it was removed because that was.
    pub subject: Option<Digest>,
    /// True if the layout still needs its manifest or index: under another name, or as a
    /// part of an index.
    pub stays: bool,
}

/// Implements [`Session::remove`](crate::Session::remove). Without images in the options
/// it needs no source.
pub(crate) fn remove(
    layout: &LockedLayout,
    source: Option<&dyn ImageSource>,
    options: &RemoveOptions,
    context: Context<'_>,
) -> Result<RemoveReport> {
    let chosen = match source {
        Some(source) => chosen(source, options)?,
        None => BTreeSet::new(),
    };
    let plan = Plan::new(layout, &chosen, options.untagged);
    let plan = plan.map_err(|error| error.while_reading(layout.place()))?;
    let orphans = layout.blobs_without(|digest| plan.needed.contains(digest))?;
    let report = RemoveReport {
        removed: plan.removed(),
        blobs: orphans.len(),
        bytes: orphans.iter().map(|(_, size)| size).sum(),
    };
    if !options.dry_run {
        let watch = &context.watch;
        watch.send(Event::Step(Step::Committing));
        layout.list(&plan.kept())?;
        layout.delete(&orphans, watch)?;
        layout.clear();
    }
    Ok(report)
}

/// The places in `index.json` of the selected items.
fn chosen(source: &dyn ImageSource, options: &RemoveOptions) -> Result<BTreeSet<usize>> {
    let roots = source.roots()?;
    let all: Vec<&Root> = roots.iter().collect();
    let mut chosen = BTreeSet::new();
    for selector in &options.images {
        let selection = select_by_digits(source, Some(selector), DIGITS_MIN)?;
        let names: BTreeSet<String> = names(&selection.roots).collect();
        if selection.part.is_some() {
            return Err(ChoiceError::PartOfIndex {
                wanted: wanted(selector),
                of: selection.roots.iter().map(|it| it.display_name()).collect(),
            }
            .into());
        }
        if names.len() > 1 && !options.force {
            return Err(ChoiceError::SeveralNames {
                input: source.place().cloned(),
                wanted: wanted(selector),
                names: names.into_iter().collect(),
            }
            .into());
        }
        let mut selected = selection.roots;
        // With its last name the image goes, and not only the name.
        if let Some(first) = selected.first() {
            let others = with_target_of(&all, first);
            if self::names(&others).all(|name| names.contains(&name)) {
                selected = others;
            }
        }
        let is_selected = |root: &Root| selected.iter().any(|it| std::ptr::eq(*it, root));
        let places = roots.iter().enumerate();
        chosen.extend(places.filter(|(_, root)| is_selected(root)).map(|it| it.0));
    }
    Ok(chosen)
}

/// The names among roots.
fn names<'a>(roots: &'a [&Root]) -> impl Iterator<Item = String> + 'a {
    let named = roots.iter().filter(|root| has_name(root));
    named.map(|root| root.display_name())
}

fn has_name(root: &Root) -> bool {
    root.reference.is_some() || root.label.is_some()
}

fn wanted(selector: &Selector) -> String {
    match selector {
        Selector::Name(name) => name.clone(),
        Selector::Number(number) => format!("#{number}"),
    }
}

/// An item of `index.json`, and what becomes of it.
struct Item<'a> {
    descriptor: &'a Descriptor,
    root: Root,
    /// The image that it refers to, if it is a referrer that nobody has given a name.
    subject: Option<Digest>,
    is_kept: bool,
}

/// What becomes of a layout.
struct Plan<'a> {
    items: Vec<Item<'a>>,
    /// Everything that the kept items need.
    needed: Reached,
}

impl<'a> Plan<'a> {
    fn new(layout: &'a LockedLayout, chosen: &BTreeSet<usize>, untagged: bool) -> Result<Self> {
        let mut reach = Reach::new(layout.container());
        let all: Vec<&Descriptor> = layout.entries().iter().collect();
        let before = reach.readable_below(&all);
        let items = all.into_iter().enumerate().map(|(at, descriptor)| {
            let root = Root::from_index(descriptor);
            let subject = match root.signed() {
                None if has_name(&root) => None,
                None => reach.subject(descriptor),
                signed => signed,
            };
            let is_untagged = untagged && !has_name(&root) && subject.is_none();
            Item {
                descriptor,
                root,
                subject,
                is_kept: !chosen.contains(&at) && !is_untagged,
            }
        });
        let mut items: Vec<Item<'_>> = items.collect();
        loop {
            let kept = items.iter().filter(|item| item.is_kept);
            let kept: Vec<&Descriptor> = kept.map(|item| item.descriptor).collect();
            let needed = reach.readable_below(&kept);
            let mut has_changed = false;
            for item in items.iter_mut().filter(|item| item.is_kept) {
                // One whose subject was elsewhere from the start is not concerned.
                let is_lost = item.subject.as_ref().is_some_and(|subject| {
                    let is_untagged = untagged && !has_name(&item.root);
                    !needed.contains(subject) && (before.contains(subject) || is_untagged)
                });
                item.is_kept &= !is_lost;
                has_changed |= is_lost;
            }
            if !has_changed {
                drop((before, needed));
                let needed = reach.all_below(layout.index(), &kept)?;
                return Ok(Self { items, needed });
            }
        }
    }

    /// The items of `index.json` from now on.
    fn kept(&self) -> Vec<Descriptor> {
        let kept = self.items.iter().filter(|item| item.is_kept);
        kept.map(|item| item.descriptor.clone()).collect()
    }

    fn removed(&self) -> Vec<RemovedItem> {
        let removed = self.items.iter().filter(|item| !item.is_kept);
        let removed = removed.map(|item| RemovedItem {
            reference: item.root.reference.clone(),
            label: item
                .root
                .label
                .clone()
                .filter(|_| item.root.reference.is_none()),
            digest: item.descriptor.digest().clone(),
            subject: item.subject.clone(),
            stays: self.needed.contains(item.descriptor.digest()),
        });
        removed.collect()
    }
}
