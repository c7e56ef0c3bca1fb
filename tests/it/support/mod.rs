//! What all tests stand on: a place to run `restow` in, and the means to judge what it made.
//!
//! Nothing here uses the library of this crate. The judge must not make the
//! same mistakes as the judged.

pub(crate) mod canonical;
pub(crate) mod codec;
pub(crate) mod cost;
pub(crate) mod engine;
pub(crate) mod entry;
pub(crate) mod image;
pub(crate) mod judge;
pub(crate) mod layer;
pub(crate) mod listing;
pub(crate) mod make;
pub(crate) mod naive;
pub(crate) mod own;
pub(crate) mod random;
pub(crate) mod reference;
pub(crate) mod sandbox;
pub(crate) mod squash;
pub(crate) mod tools;
pub(crate) mod tree;

use std::path::PathBuf;

use proptest::test_runner::{Config, FileFailurePersistence};

pub(crate) use sandbox::Sandbox;

/// How a property is tested: with this many random cases, or as many as `PROPTEST_CASES` says.
pub(crate) fn random_cases(cases: u32) -> Config {
    let chosen = std::env::var("PROPTEST_CASES").ok();
    let cases = chosen.and_then(|it| it.parse().ok()).unwrap_or(cases);
    Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
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
