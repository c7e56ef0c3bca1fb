//! Nothing of the tests stays in an engine, whatever happened.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::ctr::Ctr;
use crate::support::engine::{Docker, unique};
use crate::support::make::{self, Image};
use crate::support::{Sandbox, fixture};

/// The images and containers of an engine, a line each.
#[track_caller]
fn held(engine: Docker) -> Vec<String> {
    let format = "{{.ID}} {{.Repository}}:{{.Tag}}";
    let images = engine.run(&["image", "ls", "--all", "--no-trunc", "--format", format]);
    let containers = engine.run(&["ps", "--all", "--format", "{{.ID}} of {{.Image}}"]);
    let held = String::from_utf8([images, containers].concat()).expect("a list is text");
    held.lines().map(str::to_owned).collect()
}

/// What an engine holds that has one of these words in its line.
#[track_caller]
fn left(engine: Docker, words: &[&str]) -> Vec<String> {
    let mut held = held(engine);
    held.retain(|line| words.iter().any(|word| line.contains(word)));
    held
}

#[test]
fn nothing_stays_in_an_engine() {
    for engine in Docker::found("nothing_stays_in_an_engine") {
        let _alone = engine.alone();
        let repository = unique();
        let tags = ["1", "2"].map(|it| format!("{repository}:{it}"));
        let images = tags
            .each_ref()
            .map(|tag| Image::new(&[tag], &[&format!("file a {tag}")]));
        let [one, other] = &images;
        let broken = Image::new(&[&tags[1]], &["file a 1", "link b none"]);
        let ids = [one, other, &broken].map(Image::id);
        let words: Vec<&str> = ids
            .iter()
            .chain([&repository])
            .map(String::as_str)
            .collect();
        let archive = make::tar(&make::hybrid(&images));
        let loaded = engine.load(&archive, &tags);
        drop(engine.export(&tags[0]));
        drop(engine.save(&[&tags[1]]));
        assert!(!left(engine, &words).is_empty(), "{engine:?} has them");
        drop(loaded);
        assert_eq!(left(engine, &words), [""; 0], "{engine:?}: after a load");

        let refused = engine.try_load(&make::tar(&make::docker(&[broken])), &tags);
        assert!(refused.is_err(), "{engine:?} refuses it");
        drop(refused);
        assert_eq!(left(engine, &words), [""; 0], "{engine:?}: after a refusal");

        let failed = catch_unwind(AssertUnwindSafe(|| {
            let _loaded = engine.load(&archive, &tags);
            // There is no such image, so that this fails as a test does.
            drop(engine.export(&format!("{repository}:none")));
        }));
        assert!(failed.is_err());
        assert_eq!(left(engine, &words), [""; 0], "{engine:?}: after a failure");
    }
}

#[test]
fn nothing_stays_in_containerd() {
    let Some(ctr) = Ctr::found("nothing_stays_in_containerd") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", fixture("docker20__edge.tar"));
    let input = sandbox.path("in.tar");
    drop(ctr.run(&["images", "import", input.to_str().expect("a plain path")]));
    assert_eq!(ctr.names().len(), 1);
    let namespace = ctr.namespace().to_owned();
    drop(ctr);
    let other = Ctr::found("nothing_stays_in_containerd").expect("it was there");
    let namespaces = other.run(&["namespaces", "ls", "--quiet"]);
    let namespaces = String::from_utf8(namespaces).expect("a list is text");
    assert!(
        !namespaces.lines().any(|it| it == namespace),
        "{namespaces}"
    );
}
