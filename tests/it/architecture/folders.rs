//! The parts of each folder, and the circles in which they use each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{Display, Formatter, Result};

use super::uses::{Tree, Use};

/// Which part uses which, each with one use as an example.
pub(super) type Arrows = BTreeMap<(String, String), Arrow>;

/// One use of a part by another, as a developer is told of it.
pub(super) struct Arrow {
    file: String,
    part: String,
    through: Vec<String>,
    item: String,
}

impl Arrow {
    /// Tells of a use, in the words of a folder.
    pub(super) fn new(tree: &Tree, it: &Use, folder: &str, part: &str) -> Self {
        let files = it.through.iter().map(|it| &tree.modules[*it].file);
        let inside = |file: &String| {
            let file = file.strip_prefix(folder).map(|it| &it[1..]);
            file.map(str::to_owned)
        };
        Self {
            file: tree.modules[it.from].file.clone(),
            part: part.to_owned(),
            through: files.map(|it| inside(it).unwrap_or(it.clone())).collect(),
            item: it.item.clone(),
        }
    }
}

impl Display for Arrow {
    fn fmt(&self, out: &mut Formatter) -> Result {
        write!(out, "{} uses {}", self.file, self.part)?;
        if !self.through.is_empty() {
            write!(out, " (through {})", self.through.join(", "))?;
        }
        write!(out, ": {}", self.item)
    }
}

/// The arrows of each folder that has any. A module with its folder is one part of the
/// folder around it; inside, what it defines itself is a part, too.
pub(super) fn folders(tree: &Tree) -> BTreeMap<String, Arrows> {
    let mut folders: BTreeMap<String, Arrows> = BTreeMap::new();
    for it in tree.uses().iter().filter(|it| !it.is_test) {
        let (from, to) = (&tree.modules[it.from].path, &tree.modules[it.to].path);
        let is_same = |(one, other): &(&String, &String)| one == other;
        let depth = from.iter().zip(to).take_while(is_same).count();
        let folder = folder(&from[..depth]);
        let part = |path: &Vec<String>| path.get(depth).map_or("mod", String::as_str).to_owned();
        let arrow = Arrow::new(tree, it, &folder, &part(to));
        let arrows = folders.entry(folder).or_default();
        arrows.entry((part(from), part(to))).or_insert(arrow);
    }
    folders
}

/// The folder of the children of a module.
pub(super) fn folder(path: &[String]) -> String {
    let names = ["src"].into_iter().chain(path.iter().map(String::as_str));
    names.collect::<Vec<_>>().join("/")
}

/// Which names lead to which.
type Edges<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

pub(super) fn edges<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Edges<'a> {
    let mut edges = Edges::new();
    for (from, to) in pairs {
        edges.entry(from).or_default().insert(to);
        edges.entry(to).or_default();
    }
    edges
}

/// The names from one back to itself, the shortest way.
fn way_back<'a>(edges: &Edges<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in &edges[way[way.len() - 1]] {
            if *next == start {
                return Some(way);
            }
            if seen.insert(*next) {
                ways.push_back([&way[..], &[*next]].concat());
            }
        }
    }
    None
}

/// Circles, each from its first name on. Each name that is on any is on one of these.
pub(super) fn circles<'a>(edges: &Edges<'a>) -> BTreeSet<Vec<&'a str>> {
    let ways = edges.keys().filter_map(|start| way_back(edges, start));
    let from_first = ways.map(|mut way| {
        let first = (0..way.len()).min_by_key(|at| way[*at]).unwrap_or(0);
        way.rotate_left(first);
        way
    });
    from_first.collect()
}

/// The circles of a folder, each with one use for each step.
pub(super) fn told(folder: &str, arrows: &Arrows) -> Vec<String> {
    let circles = circles(&edges(pairs(arrows)));
    let tell = |circle: Vec<&str>| {
        let after = circle.iter().cycle().skip(1);
        let steps = circle.iter().zip(after);
        let steps = steps.map(|(from, to)| &arrows[&((*from).to_owned(), (*to).to_owned())]);
        let steps: Vec<String> = steps.map(|step| format!("\n  {step}")).collect();
        let names = circle.join(" → ");
        format!("{folder}: {names} → {}{}", circle[0], steps.concat())
    };
    circles.into_iter().map(tell).collect()
}

fn pairs(arrows: &Arrows) -> impl Iterator<Item = (&str, &str)> {
    arrows.keys().map(|(from, to)| (from.as_str(), to.as_str()))
}

/// Of each folder whose parts use each other: files beneath it, without unit tests; imports
/// from part to part; circles; and levels, which are the parts of the longest chain. Parts
/// in a circle are on one level.
pub(super) fn figures(tree: &Tree) -> Vec<String> {
    let modules = tree.modules.iter().filter(|it| !it.is_test);
    let files: BTreeSet<&str> = modules.map(|it| it.file.as_str()).collect();
    let figures = folders(tree).into_iter().map(|(folder, arrows)| {
        let beneath = format!("{folder}/");
        let files = files.iter().filter(|file| file.starts_with(&beneath));
        let files = files.count();
        let edges = edges(pairs(&arrows));
        let (parts, imports) = (edges.len(), arrows.len());
        let (circles, levels) = (circles(&edges).len(), levels(&edges));
        format!(
            "{folder}: {files} files, {parts} parts, {imports} imports, {circles} circles, \
             {levels} levels"
        )
    });
    figures.collect()
}

fn levels(edges: &Edges) -> usize {
    let below: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|it| (*it, reached(edges, it))).collect();
    let mut order: Vec<&str> = below.keys().copied().collect();
    order.sort_by_key(|it| below[it].len());
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    for name in order {
        // What leads back is on the same level.
        let lower = below[name].iter().filter(|it| !below[**it].contains(name));
        let lower = lower.map(|it| levels[it]).max().unwrap_or(0);
        levels.insert(name, lower + 1);
    }
    levels.into_values().max().unwrap_or(0)
}

/// A name, and all to which it leads.
fn reached<'a>(edges: &Edges<'a>, start: &'a str) -> BTreeSet<&'a str> {
    let mut open = vec![start];
    let mut seen = BTreeSet::from([start]);
    while let Some(name) = open.pop() {
        open.extend(edges[name].iter().filter(|it| seen.insert(**it)));
    }
    seen
}
