//! Documents that refer to an image: signatures, attestations and the like.
//!
//! They name a manifest by its digest, so they are copied along with it, and become
//! meaningless when it changes.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::error::Result;
use crate::event::{Warning, Watch};
use crate::format::root::{Root, targets, with_target_of};
use crate::format::source::{Content, ImageSource};
use crate::format::spend;
use crate::image::Descriptor;
use crate::transfer::Context;
use crate::transfer::compression::CompressionPolicy;
use crate::transfer::item::TransferItem;

/// Adds the referrers of the chosen images, and in turn the referrers of those. Those of
/// what was left out, such as the index of a selected platform, are added too: [`prune`]
/// removes them with a warning.
pub(crate) fn add_referrers<'a>(
    source: &'a dyn ImageSource,
    items: &mut Vec<TransferItem<'a>>,
    mut budget: u64,
    context: Context<'_>,
) -> Result<()> {
    let mut taken: HashSet<Digest> = items.iter().flat_map(TransferItem::digests).collect();
    let left_out = items.iter().flat_map(|item| item.left_out.clone());
    let mut subjects: HashSet<Digest> = left_out.chain(taken.iter().cloned()).collect();
    let all: Vec<&Root> = source.roots()?.iter().collect();
    let mut others = Vec::new();
    for target in targets(&all) {
        let digest = target.target_digest();
        if digest.is_none_or(|digest| taken.contains(digest)) {
            continue;
        }
        match source.load(target) {
            // Only referrers may be wanted, and are held in memory meanwhile.
            Ok(loaded) if loaded.subject().is_none() => {}
            Ok(loaded) => {
                let item = TransferItem::new(loaded, with_target_of(&all, target));
                budget = spend(budget, item.content.document_size())?;
                others.push(item);
            }
            Err(_) => context
                .watch
                .warn(Warning::Unreadable(target.display_name())),
        }
    }
    loop {
        let speaks_of_one = |item: &mut TransferItem<'_>| {
            item.content
                .subject()
                .is_some_and(|subject| subjects.contains(subject.digest()))
        };
        let found: Vec<_> = others.extract_if(.., speaks_of_one).collect();
        if found.is_empty() {
            warn_of_signatures(&all, items, (&taken, &subjects), &context.watch);
            return Ok(());
        }
        let digests = found.iter().flat_map(TransferItem::digests);
        for digest in digests {
            taken.insert(digest.clone());
            subjects.insert(digest);
        }
        items.extend(found);
    }
}

/// Warns of signatures that are not copied: only their names tie them to an image.
fn warn_of_signatures(
    all: &[&Root],
    items: &[TransferItem<'_>],
    (taken, subjects): (&HashSet<Digest>, &HashSet<Digest>),
    watch: &Watch<'_>,
) {
    let mut left = all.iter().filter_map(|root| {
        let is_left = root.target_digest().is_some_and(|it| !taken.contains(it));
        let signed = root
            .signed()
            .filter(|it| is_left && subjects.contains(it))?;
        Some((root, signed))
    });
    if let Some((first, signed)) = left.next() {
        let mut items = items.iter();
        let image =
            items.find(|item| item.digests().contains(&signed) || item.left_out.contains(&signed));
        watch.warn(Warning::SignatureNotChosen {
            name: first.display_name(),
            image: image.map_or(signed.to_string(), |item| item.name.clone()),
            others: left.count(),
        });
    }
}

/// Removes referrers of an image whose digest changes.
pub(crate) fn prune(
    items: &mut Vec<TransferItem<'_>>,
    policy: CompressionPolicy,
    watch: &Watch<'_>,
) {
    let mut changing = HashSet::new();
    let digests: Vec<Vec<Digest>> = items.iter().map(TransferItem::digests).collect();
    for (at, item) in items.iter().enumerate() {
        // What was left out of one item may be in another one.
        let is_elsewhere = |digest: &Digest| {
            let mut others = digests.iter().enumerate().filter(|(other, _)| *other != at);
            others.any(|(_, digests)| digests.contains(digest))
        };
        let left_out = item.left_out.iter().filter(|digest| !is_elsewhere(digest));
        changing.extend(left_out.cloned());
        find_changing(
            &item.content,
            item.descriptor.as_ref(),
            policy,
            &mut changing,
        );
    }
    // A referrer of something that is left out is left out too, and so on.
    let mut pruned = Pruned::default();
    loop {
        let before = changing.len();
        let mut removed = Vec::new();
        items.retain_mut(|item| {
            if is_referrer(&item.content, item.descriptor.as_ref(), &changing) {
                pruned.add(&item.content, &item.name);
                removed.extend(item.digests());
                return false;
            }
            prune_index(&mut item.content, &item.name, &changing, &mut pruned);
            true
        });
        changing.extend(removed);
        if changing.len() == before {
            return pruned.warn(watch);
        }
    }
}

/// The referrers that were removed: of each kind the image of the first, and the number of
/// the others.
#[derive(Debug, Default)]
struct Pruned(Vec<(String, String, usize)>);

impl Pruned {
    fn add(&mut self, content: &Content, name: &str) {
        let kind = match content {
            Content::Artifact(_) | Content::Opaque { .. } => content.kind(),
            _ => "a referrer".to_owned(),
        };
        match self.0.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, _, others)) => *others += 1,
            None => self.0.push((kind, name.to_owned(), 0)),
        }
    }

    fn warn(self, watch: &Watch<'_>) {
        for (what, name, others) in self.0 {
            watch.warn(Warning::ReferrerLeftOut { what, name, others });
        }
    }
}

/// Collects the digests of manifests and indexes that will change; returns true if this
/// one does.
fn find_changing(
    content: &Content,
    descriptor: Option<&Descriptor>,
    policy: CompressionPolicy,
    changing: &mut HashSet<Digest>,
) -> bool {
    let changes = match content {
        Content::Image(image) => policy.changes(image),
        Content::Index(index) => {
            let mut any = policy.changes_index(index.index.view());
            for (child, descriptor) in index.parts() {
                any |= find_changing(child, Some(descriptor), policy, changing);
            }
            any
        }
        Content::Artifact(_) | Content::Opaque { .. } => false,
    };
    if let (true, Some(descriptor)) = (changes, descriptor) {
        changing.insert(descriptor.digest().clone());
    }
    changes
}

/// Returns true if something refers to one of these digests.
fn is_referrer(content: &Content, descriptor: Option<&Descriptor>, of: &HashSet<Digest>) -> bool {
    let annotated = descriptor.and_then(Descriptor::attested);
    let subject = content.subject().map(|subject| subject.digest().clone());
    [annotated, subject]
        .into_iter()
        .flatten()
        .any(|digest| of.contains(&digest))
}

/// Removes children of indexes that refer to something that changes.
fn prune_index(content: &mut Content, name: &str, changing: &HashSet<Digest>, pruned: &mut Pruned) {
    let Content::Index(index) = content else {
        return;
    };
    let descriptors = index.index.view().manifests.clone();
    let mut kept = Vec::new();
    let mut children = Vec::new();
    for (mut child, descriptor) in index.children.drain(..).zip(descriptors) {
        if is_referrer(&child, Some(&descriptor), changing) {
            pruned.add(&child, name);
        } else {
            prune_index(&mut child, name, changing, pruned);
            kept.push(descriptor);
            children.push(child);
        }
    }
    index.children = children;
    index.kept = Some(kept);
}
