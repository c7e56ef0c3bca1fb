//! The basis of all tests: a place to run `restow`, and the means to judge its output.
//!
//! Nothing here uses the library of this crate, so that it cannot make the same mistakes.

pub(crate) mod api;
pub(crate) mod canonical;
pub(crate) mod codec;
pub(crate) mod commands;
pub(crate) mod cost;
pub(crate) mod ctr;
pub(crate) mod engine;
pub(crate) mod entry;
pub(crate) mod expected;
pub(crate) mod folder;
pub(crate) mod image;
pub(crate) mod judge;
pub(crate) mod layer;
pub(crate) mod listing;
pub(crate) mod make;
pub(crate) mod markdown;
pub(crate) mod naive;
pub(crate) mod odd;
pub(crate) mod own;
pub(crate) mod podman;
pub(crate) mod random;
pub(crate) mod reference;
pub(crate) mod registry;
pub(crate) mod retag;
pub(crate) mod sandbox;
pub(crate) mod screen;
pub(crate) mod squash;
pub(crate) mod tied;
pub(crate) mod tools;
pub(crate) mod tree;

use std::path::PathBuf;

use proptest::test_runner::{Config, FileFailurePersistence};

pub(crate) use sandbox::Sandbox;

/// The configuration of a property test: this many random cases, or as many as `PROPTEST_CASES`.
pub(crate) fn random_cases(cases: u32) -> Config {
    let chosen = std::env::var("PROPTEST_CASES").ok();
    let cases = chosen.and_then(|it| it.parse().ok()).unwrap_or(cases);
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    }
}

/// The number of trials at random places: this many, or as many as `RESTOW_TRIALS`.
pub(crate) fn trials(usual: usize) -> usize {
    let chosen = std::env::var("RESTOW_TRIALS").ok();
    chosen.and_then(|it| it.parse().ok()).unwrap_or(usual)
}

/// Pseudo-random numbers that are the same in every run (splitmix64).
#[derive(Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    /// A separate sequence of numbers for each name.
    pub(crate) fn of(name: &str) -> Self {
        let mix = |sum: u64, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let end = u64::try_from(end).expect("a number has at most 64 bits");
        let number = (mixed ^ (mixed >> 31)) % end;
        usize::try_from(number).expect("it is below a number of this size")
    }
}

/// A file of `testdata/`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// The content of a file of `testdata/`.
#[track_caller]
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = testdata(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
