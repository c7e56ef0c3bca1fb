//! Odd archives, of whose oddities an engine refuses some: the truth that `verify` is held to.
//!
//! Every case comes from its seed alone. Only the salt is another one in each
//! run: an engine that has a layer does not look at it again.

mod archives;
mod documents;
mod layers;

use super::Seed;
use super::codec::digest;
use super::make::{self, Image, Member};

/// An archive with something odd in it.
#[derive(Debug)]
pub(crate) struct Case {
    /// What the case came from.
    pub(crate) seed: String,
    /// The oddities, in words.
    pub(crate) what: String,
    /// The id of its image, if an engine takes it.
    pub(crate) id: String,
    /// A docker-archive.
    pub(crate) archive: Vec<u8>,
}

/// What is odd about a case.
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
    /// The case of a number, under a tag. The tag makes its layers ones that no engine has.
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

/// What the makers of cases make.
struct Odd {
    what: String,
    id: String,
    archive: Vec<u8>,
}

/// One of several.
fn pick<T: Clone>(numbers: &mut Seed, all: &[T]) -> T {
    all[numbers.below(all.len())].clone()
}

/// Whether something happens that happens once in so many times.
fn once_in(numbers: &mut Seed, times: usize) -> bool {
    numbers.below(times) == 0
}

/// The members of a docker-archive with an image of two sound layers.
fn sound(tag: &str, salt: &str) -> Vec<Member> {
    // An engine that has a layer does not open its file.
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

/// The member of a docker-archive that has a name which ends so.
fn at(members: &[Member], end: &str) -> usize {
    let place = members.iter().position(|it| {
        let config = it.name().strip_suffix(".json");
        let is_config = config.is_some_and(|it| end == "CONFIG" && it.len() == 64);
        it.name().ends_with(end) || is_config
    });
    place.expect("the archive has it")
}
