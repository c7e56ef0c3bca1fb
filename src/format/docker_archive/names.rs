//! The names in a docker archive: those of `index.json`, and additional ones of
//! `manifest.json`.
//!
//! The two need not agree. Docker 28 and 29 omit names from `manifest.json` if two
//! builds have the same config, and Docker 25.0 omitted them from `index.json`. Engines
//! with a containerd image store read the one file, all others the other.

use std::collections::{HashMap, HashSet};

use crate::event::{Warning, Watch};
use crate::format::control_files::{INDEX, MANIFEST};
use crate::format::root::{Root, Target};
use crate::image::Reference;

/// An item in `index.json`.
#[derive(Debug)]
pub(super) struct ListedRoot {
    /// The item, with its name in `index.json`.
    pub(super) root: Root,
    /// True if it is or contains an image, which `manifest.json` could name.
    pub(super) is_image: bool,
}

/// An image that `manifest.json` names.
#[derive(Debug)]
pub(super) struct NamedElement {
    /// Its number, counted from 0.
    pub(super) number: usize,
    /// Its names in `manifest.json`.
    pub(super) tags: Vec<Reference>,
    /// The listed items that are or contain the same image.
    pub(super) same: Vec<usize>,
}

/// The differences between the two files.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Differences {
    /// Names of another image in `manifest.json`.
    moved: Vec<Reference>,
    /// Names that are only in `index.json`.
    only_in_index: Vec<Reference>,
    /// Names that are only in `manifest.json`.
    only_in_manifest: Vec<Reference>,
}

impl Differences {
    /// Leaves out these names, which were already reported.
    pub(super) fn without(mut self, known: &HashSet<Reference>) -> Self {
        let names = [
            &mut self.moved,
            &mut self.only_in_index,
            &mut self.only_in_manifest,
        ];
        for names in names {
            names.retain(|name| !known.contains(name));
        }
        self
    }

    /// Reports them to the caller.
    pub(super) fn warn(self, watch: &Watch<'_>) {
        for name in self.moved {
            watch.warn(Warning::NameMoved(name.to_string()));
        }
        let lacking = [
            (self.only_in_index, INDEX, MANIFEST),
            (self.only_in_manifest, MANIFEST, INDEX),
        ];
        for (names, document, other) in lacking {
            if let Some((first, others)) = names.split_first() {
                watch.warn(Warning::NamesDiffer {
                    document,
                    other,
                    name: first.to_string(),
                    others: others.len(),
                });
            }
        }
    }
}

/// Merges the names: a name in `index.json` belongs to the item that has it there, and
/// one that is only in `manifest.json` to the image that has it there.
///
/// The roots are in the order of `index.json`. An image that is only in `manifest.json`
/// is placed before those that follow it there, and a name that is only in
/// `manifest.json` at the end.
pub(super) fn all_names(
    listed: Vec<ListedRoot>,
    elements: Vec<NamedElement>,
) -> (Vec<Root>, Differences) {
    let mut names = Names::new(listed);
    let mut next = names.roots.len();
    for element in elements.iter().rev() {
        names.before.insert(element.number, next);
        next = element.same.iter().copied().fold(next, usize::min);
    }
    for element in elements {
        names.add(element);
    }
    names.finish()
}

struct Names {
    roots: Vec<Root>,
    are_images: Vec<bool>,
    /// The places in `index.json` of each name.
    in_index: HashMap<Reference, Vec<usize>>,
    in_manifest: HashSet<Reference>,
    /// The listed roots that have already received their name in `manifest.json`.
    taken: HashSet<usize>,
    /// For each element, the listed root before which it is placed.
    before: HashMap<usize, usize>,
    /// The roots that `index.json` does not list, each with the listed one before which
    /// it is placed.
    added: Vec<(usize, Root)>,
    differences: Differences,
}

impl Names {
    fn new(listed: Vec<ListedRoot>) -> Self {
        let mut in_index: HashMap<Reference, Vec<usize>> = HashMap::new();
        for (at, ListedRoot { root, .. }) in listed.iter().enumerate() {
            if let Some(reference) = &root.reference {
                in_index.entry(reference.clone()).or_default().push(at);
            }
        }
        let (roots, are_images) = listed.into_iter().map(|it| (it.root, it.is_image)).unzip();
        Self {
            roots,
            are_images,
            in_index,
            in_manifest: HashSet::new(),
            taken: HashSet::new(),
            before: HashMap::new(),
            added: Vec::new(),
            differences: Differences::default(),
        }
    }

    fn add(&mut self, element: NamedElement) {
        let NamedElement { number, tags, same } = element;
        let mut has_root = !same.is_empty();
        for tag in tags {
            self.in_manifest.insert(tag.clone());
            let listed = self.in_index.get(&tag).cloned();
            match listed {
                Some(listed) => {
                    let meant: Vec<usize> =
                        listed.into_iter().filter(|at| same.contains(at)).collect();
                    if meant.is_empty() {
                        self.differences.moved.push(tag);
                        continue;
                    }
                    self.write_as(&meant, tag);
                }
                None => self.name(number, &same, tag),
            }
            has_root = true;
        }
        if !has_root {
            self.add_element(number, None);
        }
    }

    /// Adds the root of an image that is only in `manifest.json`.
    fn add_element(&mut self, number: usize, reference: Option<Reference>) {
        let root = Root {
            target: Target::Element(number),
            descriptor: None,
            reference,
            label: None,
        };
        self.added.push((self.before[&number], root));
    }

    /// Adds another name of a listed image.
    fn add_name(&mut self, at: usize, reference: Reference) {
        let root = Root {
            reference: Some(reference),
            label: None,
            ..self.roots[at].clone()
        };
        self.added.push((self.roots.len(), root));
    }

    /// Changes a name of `index.json` to the spelling in `manifest.json`.
    fn write_as(&mut self, meant: &[usize], tag: Reference) {
        let free: Vec<usize> = meant
            .iter()
            .copied()
            .filter(|at| !self.taken.contains(at))
            .collect();
        for at in &free {
            self.taken.insert(*at);
            self.roots[*at].reference = Some(tag.clone());
        }
        let is_written = |at: &usize| {
            let reference = self.roots[*at].reference.as_ref();
            reference.is_some_and(|it| it.written() == tag.written())
        };
        if !meant.iter().any(is_written) {
            self.add_name(meant[0], tag);
        }
    }

    /// Gives an image a name that is only in `manifest.json`.
    fn name(&mut self, number: usize, same: &[usize], tag: Reference) {
        let is_nameless = |at: &&usize| {
            let root = &self.roots[**at];
            root.reference.is_none() && !self.taken.contains(*at)
        };
        let label = |at: usize| self.roots[at].label.as_deref();
        let nameless = || same.iter().filter(is_nameless).copied();
        // Older engines and some tools write only the bare tag there.
        let with_tag = nameless().find(|at| label(*at) == tag.tag());
        let without = || nameless().find(|at| label(*at).is_none());
        if with_tag.is_none() {
            self.differences.only_in_manifest.push(tag.clone());
        }
        if let Some(at) = with_tag.or_else(without) {
            self.taken.insert(at);
            self.roots[at].label = None;
            self.roots[at].reference = Some(tag);
            return;
        }
        match same.first() {
            Some(at) => self.add_name(*at, tag),
            None => self.add_element(number, Some(tag)),
        }
    }

    fn finish(mut self) -> (Vec<Root>, Differences) {
        let mut lacking: Vec<(usize, Reference)> = Vec::new();
        for (name, at) in self.in_index {
            let is_lacking = at.iter().any(|at| self.are_images[*at]);
            if is_lacking && !self.in_manifest.contains(&name) {
                lacking.push((at[0], name));
            }
        }
        lacking.sort();
        let lacking = lacking.into_iter().map(|(_, name)| name);
        self.differences.only_in_index.extend(lacking);
        let listed = self.roots.into_iter().enumerate();
        // An added root is placed before the listed one with the same number.
        let listed = listed.map(|(at, root)| (at, true, root));
        let added = self.added.into_iter().map(|(at, root)| (at, false, root));
        let mut roots: Vec<_> = listed.chain(added).collect();
        roots.sort_by_key(|(at, is_listed, _)| (*at, *is_listed));
        let roots = roots.into_iter().map(|(_, _, root)| root);
        (roots.collect(), self.differences)
    }
}

#[cfg(test)]
mod tests {
    use crate::digest::Digest;
    use crate::image::{CONTAINERD_NAME, Descriptor, REF_NAME};

    use super::*;

    /// The list of `index.json`, one word each: `CONTENT`, `CONTENT=REFERENCE` or
    /// `CONTENT~LABEL`. A content that begins with `x` is not an image.
    fn listed(text: &str) -> Vec<ListedRoot> {
        let one = |word: &str| {
            let at = word.find(['=', '~']).unwrap_or(word.len());
            let (content, name) = word.split_at(at);
            let digest = Digest::of(content.as_bytes());
            let mut descriptor = Descriptor::new("application/x", digest, 1);
            if let Some(name) = name.strip_prefix('=') {
                descriptor = descriptor.with_annotation(CONTAINERD_NAME, Some(name.to_owned()));
            } else if let Some(label) = name.strip_prefix('~') {
                descriptor = descriptor.with_annotation(REF_NAME, Some(label.to_owned()));
            }
            ListedRoot {
                root: Root::from_index(&descriptor),
                is_image: !content.starts_with('x'),
            }
        };
        text.split_whitespace().map(one).collect()
    }

    /// The list of `manifest.json`, one word each: `SAME,…=TAG,…`, where the numbers
    /// refer to the list of `index.json`.
    fn named(text: &str) -> Vec<NamedElement> {
        let one = |(number, word): (usize, &str)| {
            let (same, tags) = word.split_once('=').expect("an equals sign");
            let parts = |text: &str| -> Vec<String> {
                let parts = text.split(',').filter(|part| !part.is_empty());
                parts.map(str::to_owned).collect()
            };
            NamedElement {
                number,
                tags: parts(tags).iter().map(|it| it.parse().unwrap()).collect(),
                same: parts(same).iter().map(|it| it.parse().unwrap()).collect(),
            }
        };
        text.split_whitespace().enumerate().map(one).collect()
    }

    /// The roots, as words: the content of each, and its name as written.
    fn shown(roots: &[Root], listed: &str) -> String {
        let contents: HashMap<Digest, &str> = listed
            .split_whitespace()
            .map(|word| word.split(['=', '~']).next().unwrap())
            .map(|content| (Digest::of(content.as_bytes()), content))
            .collect();
        let one = |root: &Root| {
            let what = match &root.target {
                Target::Blob(descriptor) => contents[descriptor.digest()].to_owned(),
                Target::Element(number) => format!("#{number}"),
                Target::Whole => unreachable!("there is no rootfs"),
            };
            match (&root.reference, &root.label) {
                (Some(reference), _) => format!("{what}={}", reference.written()),
                (None, Some(label)) => format!("{what}~{label}"),
                (None, None) => what,
            }
        };
        roots.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_name_is_with_the_image_that_has_it() {
        let cases = [
            // They agree.
            ("a=p:1 b=q:1", "0=p:1 1=q:1", "a=p:1 b=q:1", ""),
            ("a=p:1 b=q:1", "1=q:1 0=p:1", "a=p:1 b=q:1", ""),
            // Two builds of one config, of which `manifest.json` names the later one.
            ("a=p:1 b=p:2", "0,1=p:2", "a=p:1 b=p:2", "i p:1"),
            ("a=p:1 b=p:2", "0,1=p:1,p:2", "a=p:1 b=p:2", ""),
            // `index.json` is right about a name that both have.
            ("a=p:1 b=q:1", "0=q:1 1=p:1", "a=p:1 b=q:1", "m q:1 m p:1"),
            ("a=p:1", "=p:1", "a=p:1 #0", "m p:1"),
            // Names that `manifest.json` adds.
            ("a", "0=p:1,p:2", "a=p:1 a=p:2", "d p:1 d p:2"),
            ("a=p:1", "0=p:1,p:2", "a=p:1 a=p:2", "d p:2"),
            ("a=p:1 b", "0,1=p:2", "a=p:1 b=p:2", "i p:1 d p:2"),
            ("", "=p:1,p:2 =", "#0=p:1 #0=p:2 #1", "d p:1 d p:2"),
            ("b=q:1", "= 0=q:1 =r:1", "#0 b=q:1 #2=r:1", "d r:1"),
            (
                "a=p:1 b=q:1",
                "0=p:1 =r:1 1=q:1",
                "a=p:1 #1=r:1 b=q:1",
                "d r:1",
            ),
            // Bare tags.
            ("a~1.0", "0=p:1.0", "a=p:1.0", ""),
            ("a~2 a~1", "0,1=p:1,p:2", "a=p:2 a=p:1", ""),
            ("a~x", "0=p:1", "a~x a=p:1", "d p:1"),
            // The spelling of `manifest.json` is kept.
            (
                "a=p:1",
                "0=docker.io/library/p:1",
                "a=docker.io/library/p:1",
                "",
            ),
            (
                "a=p:1",
                "0=docker.io/library/p:1,p:1,localhost/p:1",
                "a=docker.io/library/p:1 a=p:1 a=localhost/p:1",
                "d localhost/p:1",
            ),
            // An artifact has no place in `manifest.json`.
            ("a=p:1 x=q:1 x", "0=p:1", "a=p:1 x=q:1 x", ""),
            (
                "a=p:1 b=q:1 a=r:1",
                "0,2=p:1",
                "a=p:1 b=q:1 a=r:1",
                "i q:1 i r:1",
            ),
        ];
        for (index, manifest, roots, differences) in cases {
            let (got, found) = all_names(listed(index), named(manifest));
            assert_eq!(shown(&got, index), roots, "{index} | {manifest}");
            let words = |letter: &str, names: &[Reference]| {
                let word = |name: &Reference| format!("{letter} {name}");
                names.iter().map(word).collect::<Vec<_>>()
            };
            let found = [
                words("m", &found.moved),
                words("i", &found.only_in_index),
                words("d", &found.only_in_manifest),
            ];
            assert_eq!(
                found.concat().join(" "),
                differences,
                "{index} | {manifest}"
            );
        }
    }
}
