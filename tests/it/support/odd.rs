//! Odd archives, some of which an engine refuses: the reference for `verify`.
//!
//! Every case depends only on its seed. Only the salt differs in each run: an engine does not read
//! a layer again that it already has.

mod archives;
mod documents;
mod layers;

use super::Seed;
use super::codec::digest;
use super::make::{self, Image, Member};

/// An archive with an oddity.
#[derive(Debug)]
pub(crate) struct Case {
    /// The seed of the case.
    pub(crate) seed: String,
    /// The oddities, in words.
    pub(crate) what: String,
    /// The id of its image, if an engine accepts it.
    pub(crate) id: String,
    /// A docker-archive.
    pub(crate) archive: Vec<u8>,
}

/// The odd part of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Its layers.
    Layers,
    /// Its config, or its `manifest.json`.
    Documents,
    /// The tar around them.
    Archive,
}

impl Case {
    /// The case with a number and a tag. The tag makes its layers unknown to any engine.
    pub(crate) fn new(oddity: Oddity, number: usize, tag: &str) -> Self {
        let seed = format!("{oddity:?} {number}");
        let mut numbers = Seed::of(&seed);
        // Lengths do not depend on the run.
        let salt = format!("{tag:_>60}");
        let Odd { what, id, archive } = match oddity {
            Oddity::Layers => layers::archive(&mut numbers, tag, &salt),
            Oddity::Documents => documents::archive(&mut numbers, tag, &salt),
            Oddity::Archive => archives::archive(&mut numbers, tag, &salt),
        };
        Self {
            seed,
            what,
            id,
            archive,
        }
    }
}

/// The result of the makers of cases.
struct Odd {
    what: String,
    id: String,
    archive: Vec<u8>,
}

/// One of several items.
fn pick<T: Clone>(numbers: &mut Seed, all: &[T]) -> T {
    all[numbers.below(all.len())].clone()
}

/// Returns true once in `times` calls, on average.
fn once_in(numbers: &mut Seed, times: usize) -> bool {
    numbers.below(times) == 0
}

/// The members of a docker-archive with an image of two valid layers.
fn sound(tag: &str, salt: &str) -> Vec<Member> {
    // An engine that already has a layer does not open its file.
    let layers = ["dir a\nfile a/b 1", "dir a\nfile a/.wh.b"];
    let layers = layers.map(|it| make::layer(&format!("{it}\nfile salt {salt}")));
    make::docker(&[Image::of_layers(&[tag], layers.to_vec())])
}

/// The id of the image of a docker-archive.
fn id(members: &[Member]) -> String {
    match &members[at(members, "CONFIG")] {
        Member::File(_, content) => digest(content),
        other => panic!("{} is the config", other.name()),
    }
}

/// The member of a docker-archive whose name ends like this.
fn at(members: &[Member], end: &str) -> usize {
    let place = members.iter().position(|it| {
        let config = it.name().strip_suffix(".json");
        let is_config = config.is_some_and(|it| end == "CONFIG" && it.len() == 64);
        it.name().ends_with(end) || is_config
    });
    place.expect("the archive has it")
}
