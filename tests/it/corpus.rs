//! Archives of other projects, read in place where they are: `../shared/corpus`.
//!
//! They are not part of this repository, so their absence is only reported.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::image::Store;
use crate::support::judge::{Format, assert_kept};
use crate::support::{Sandbox, tools};

/// The v1 archive of the corpus, and the image id that Docker 20.10.24 gives it.
const V1: (&str, &str) = (
    "aboutcode-org+container-inspector__tests__data__docker__v10_format__busybox.tgz",
    "sha256:75a737a9d00fe86b280dffbc25a75f5690964030b7403b905c28524d888f6b53",
);

/// Images of the corpus that are not what they say, and so are refused: the name, and why.
const REFUSED: [(&str, &str); 0] = [];

/// The archives and layouts of the corpus; none if it is not there.
fn corpus() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the corpus can be read").path())
        .filter(|path| path.extension().is_none_or(|it| it != "tsv"))
        .collect();
    paths.sort();
    paths
}

#[track_caller]
fn convert_the_corpus(test: &str, to: Format) {
    let corpus = corpus();
    if corpus.is_empty() {
        tools::lacks(test, "corpus", "archives of other projects");
    }
    for path in corpus {
        let name = path
            .file_name()
            .expect("a file has a name")
            .to_string_lossy();
        let sandbox = Sandbox::new();
        let source = path.to_str().expect("the path is text");
        let output = sandbox.run(&["convert", source, &to.at("out")]);
        if REFUSED.iter().any(|(refused, _)| *refused == name) {
            drop(output.refuses());
            continue;
        }
        drop(output.reports());
        if name == V1.0 {
            let images = to.images(&sandbox.path("out"));
            let got: Vec<_> = images
                .iter()
                .map(|it| (it.id(), it.tags.join(" ")))
                .collect();
            assert_eq!(
                got,
                [(
                    V1.1.to_owned(),
                    "docker.io/library/busybox:latest".to_owned()
                )]
            );
            continue;
        }
        let store = Store::open(&path);
        let from = match (store.get("manifest.json"), store.get("oci-layout")) {
            (Some(_), _) => Format::Docker,
            (None, Some(_)) => Format::OciArchive,
            // A tar of files, of which there is no other reader here.
            (None, None) => continue,
        };
        assert_kept(&store, from, &sandbox.path("out"), to);
    }
}

#[test]
fn the_corpus_becomes_layouts() {
    convert_the_corpus("the_corpus_becomes_layouts", Format::Oci);
}

#[test]
fn the_corpus_becomes_docker_archives() {
    convert_the_corpus("the_corpus_becomes_docker_archives", Format::Docker);
}
