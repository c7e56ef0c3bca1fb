//! Fuzz targets: hostile bytes in, a panic out if a promise is broken.
//!
//! The doc of each function lists its checks, besides that nothing panics. They are
//! called by the fuzzers in `fuzz/` and, with the corpus there, by the test below. They
//! are here, and not there, because most of the checked code is private, and so that an
//! ordinary `cargo test` replays the corpus.
//!
//! This module is not part of the crate's public interface.

mod archive;
mod artifact;
mod change;
mod headers;
mod inventory;
mod layer;
mod merge;
mod merging;
mod reference;
mod tar_diff;

/// The reference implementation of the tests. It does not use this library, and so
/// cannot make the same mistakes.
#[path = "../../tests/it/support"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support {
    pub(super) mod canonical;
    mod codec;
    pub(super) mod entry;
    pub(super) mod layer;
    pub(super) mod naive;
    pub(super) mod tree;

    pub(super) mod random {
        mod builder;
        mod stack;

        pub(crate) use stack::{Flavour, Numbers, Stack};
    }
}

pub use archive::archive;
pub use artifact::artifact;
pub use change::change;
pub use inventory::inventory;
pub use layer::layer;
pub use merge::merge;
pub use reference::reference;
pub use tar_diff::tar_diff;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    type Target = fn(&[u8]);

    /// Each target with the name of its fuzzer.
    const TARGETS: [(&str, Target); 8] = [
        ("archive", super::archive),
        ("artifact", super::artifact),
        ("change", super::change),
        ("inventory", super::inventory),
        ("layer", super::layer),
        ("merge", super::merge),
        ("reference", super::reference),
        ("tar_diff", super::tar_diff),
    ];

    fn fuzz(folder: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz")
            .join(folder)
    }

    /// The files in a folder, sorted.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("the folder is there");
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the folder can be read").path())
            .collect();
        files.sort();
        files
    }

    fn replay(name: &str) {
        let target = TARGETS.iter().find(|(of, _)| *of == name);
        let (_, target) = target.expect("it is in the table");
        let files = files(&fuzz("corpus").join(name));
        assert!(!files.is_empty(), "`{name}` has a corpus");
        for file in files {
            let bytes = fs::read(&file).expect("a file of the corpus can be read");
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{} is a find", file.display());
        }
    }

    #[test]
    fn the_corpus_of_archive_holds() {
        replay("archive");
    }

    #[test]
    fn the_corpus_of_artifact_holds() {
        replay("artifact");
    }

    #[test]
    fn the_corpus_of_change_holds() {
        replay("change");
    }

    #[test]
    fn the_corpus_of_inventory_holds() {
        replay("inventory");
    }

    #[test]
    fn the_corpus_of_layer_holds() {
        replay("layer");
    }

    #[test]
    fn the_corpus_of_merge_holds() {
        replay("merge");
    }

    #[test]
    fn the_corpus_of_reference_holds() {
        replay("reference");
    }

    #[test]
    fn the_corpus_of_tar_diff_holds() {
        replay("tar_diff");
    }

    /// A target that is not in the table would not be replayed.
    #[test]
    fn every_fuzzer_is_in_the_table() {
        let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let fuzzers = files(&fuzz("fuzz_targets"));
        let corpora = files(&fuzz("corpus"));
        let table: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        assert_eq!(fuzzers.iter().map(stem).collect::<Vec<_>>(), table);
        assert_eq!(corpora.iter().map(stem).collect::<Vec<_>>(), table);
    }
}
