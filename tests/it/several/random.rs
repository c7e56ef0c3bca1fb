//! Random sets of sources, in random forms, against a model that joins what single
//! conversions write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::image::Store;
use crate::support::judge::{FIXTURES, Format};
use crate::support::{Sandbox, Seed, fixture, trials};

/// The descriptors in the index of an output, and its blobs without those of documents
/// that only it has.
fn content(sandbox: &Sandbox, path: &str) -> (Vec<Value>, BTreeSet<String>) {
    let store = Store::open(&sandbox.path(path));
    let index = store.json("index.json");
    let manifests = index["manifests"].as_array().expect("it lists manifests");
    (manifests.clone(), store.blobs())
}

/// The full name of a descriptor.
fn name(descriptor: &Value) -> Option<String> {
    let annotations = &descriptor["annotations"];
    let full = annotations["io.containerd.image.name"].as_str();
    let written = annotations["org.opencontainers.image.ref.name"].as_str();
    full.or(written).map(str::to_owned)
}

#[test]
fn joined_sources_hold_what_each_holds() {
    let mut seed = Seed::of("several");
    let mut joined = 0;
    for trial in 0..trials(16) {
        let sandbox = Sandbox::new();
        let to = [Format::Docker, Format::Oci][trial % 2];
        let mut arguments = vec!["convert".to_owned()];
        let mut descriptors: Vec<Value> = Vec::new();
        let mut blobs = BTreeSet::new();
        let mut owners: BTreeMap<String, Value> = BTreeMap::new();
        let mut is_refused = false;
        for at in 0..2 + seed.below(2) {
            let (fixture_name, from) = FIXTURES[seed.below(FIXTURES.len())];
            let source = format!("{at}.tar");
            sandbox.write(&source, fixture(fixture_name));
            let mut typed = from.at(&source);
            if seed.below(3) == 0 {
                let layout = format!("oci:{at}");
                drop(sandbox.run(&["convert", &typed, &layout]).warnings());
                typed = layout;
            }
            let single = format!("single{at}");
            drop(
                sandbox
                    .run(&["convert", &typed, &to.at(&single)])
                    .warnings(),
            );
            let (own, held) = content(&sandbox, &single);
            for descriptor in own {
                if let Some(name) = name(&descriptor) {
                    let digest = descriptor["digest"].clone();
                    let owner = owners.entry(name).or_insert_with(|| digest.clone());
                    is_refused |= *owner != digest;
                }
                if !descriptors.contains(&descriptor) {
                    descriptors.push(descriptor);
                }
            }
            blobs.extend(held);
            arguments.push(typed);
        }
        arguments.push(to.at("all"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = sandbox.run(&arguments);
        if is_refused {
            let said = output.refuses();
            assert!(said.contains(" is one image in "), "{said}");
            assert!(!sandbox.path("all").exists());
            continue;
        }
        drop(output.warnings());
        joined += 1;
        let (got, held) = content(&sandbox, "all");
        assert_eq!(got, descriptors, "{arguments:?}");
        assert_eq!(held, blobs, "{arguments:?}");
    }
    assert!(joined > 3, "{joined} joined");
}
