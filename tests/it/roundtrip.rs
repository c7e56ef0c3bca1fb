//! Any image, by any way through the formats, arrives as it left.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::codec::Codec;
use crate::support::image::{Facts, Store, facts};
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::{Sandbox, random_cases};

/// A way to write a docker-archive.
type Style = fn(&[Image]) -> Vec<Member>;

const STYLES: [Style; 3] = [make::docker, make::crane, make::hybrid];

/// What `--compress` takes.
const CHOICES: [&str; 4] = ["keep", "none", "gzip:1", "zstd:1"];

/// A layer of a few entries with random names and content; often one that other images have too.
fn layer() -> impl Strategy<Value = Vec<u8>> {
    let shared = (0..3_usize).prop_map(|n| make::layer(&format!("dir d\nfile d/shared {n}")));
    let entry = ("[a-z]{1,8}", vec(any::<u8>(), 0..2_000));
    let entries = vec(entry, 0..4).prop_map(|entries| {
        let file = |(name, content): (String, Vec<u8>)| Member::file(name, content);
        make::tar(&entries.into_iter().map(file).collect::<Vec<_>>())
    });
    prop_oneof![shared, entries]
}

/// Up to three images with layers in common, no two of which are the same or share a tag.
fn images() -> impl Strategy<Value = Vec<Image>> {
    let codec = proptest::sample::select([Codec::Plain, Codec::Gzip, Codec::Zstd].as_slice());
    let image = (vec(layer(), 0..4), 0..3_usize, codec);
    vec(image, 1..4).prop_map(|images| {
        let of_parts = |(number, (layers, tags, codec)): (usize, (Vec<Vec<u8>>, usize, Codec))| {
            let names = ["app:TAG", "ns/tool:TAG", "localhost:5000/a/b:TAG"];
            let tags = (0..tags).map(|n| names[n].replace("TAG", &format!("{number}")));
            let tags: Vec<String> = tags.collect();
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            Image::of_layers(&tags, layers)
                .with_config(|config| config["number"] = number.into())
                .stored_as(codec)
        };
        images.into_iter().enumerate().map(of_parts).collect()
    })
}

fn format() -> impl Strategy<Value = Format> {
    proptest::sample::select(Format::ALL.as_slice())
}

fn compress() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(CHOICES.as_slice())
}

/// The facts of made images, sorted: crossing a layout may change the order of images.
fn sorted(mut facts: Vec<Facts>) -> Vec<Facts> {
    facts.sort();
    facts
}

/// The digests that `index.json` lists.
fn listed(store: &Store) -> Vec<String> {
    let index = store.json("index.json");
    let manifests = index["manifests"].as_array().into_iter().flatten();
    manifests.map(|it| it["digest"].to_string()).collect()
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(64))]

    #[test]
    fn docker_archives_arrive_unchanged_by_any_way(
        images in images(),
        style in 0..STYLES.len(),
        steps in vec((format(), compress()), 1..4),
    ) {
        let sandbox = Sandbox::new();
        sandbox.write("0", make::tar(&STYLES[style](&images)));
        let expected = sorted(images.iter().map(Image::facts).collect());
        let mut source = "docker-archive:0".to_owned();
        for (number, (to, compress)) in steps.into_iter().enumerate() {
            let out = format!("{}", number + 1);
            let target = to.at(&out);
            let run = sandbox.run(&["convert", "--compress", compress, &source, &target]);
            drop(run.warnings());
            let got = to.images(&sandbox.path(&out));
            prop_assert_eq!(sorted(facts(&got)), &*expected, "{} to {}", source, target);
            source = target;
        }
    }

    #[test]
    fn layouts_arrive_to_the_byte(
        images in images(),
        is_nested in any::<[bool; 3]>(),
        steps in vec(format(), 1..5),
    ) {
        let sandbox = Sandbox::new();
        let mut layout = Layout::default();
        for (image, is_nested) in images.iter().zip(is_nested) {
            if is_nested {
                let descriptor = layout.image(image);
                let attestation = layout.attestation(&descriptor);
                let index = layout.nested(&[descriptor, attestation]);
                let signature = layout.referrer(&index);
                layout.index.push(signature);
                image.tags.iter().for_each(|tag| layout.add_named(&index, tag));
                if image.tags.is_empty() {
                    layout.index.push(index);
                }
            } else {
                layout.add(image);
            }
        }
        sandbox.write("0", make::tar(&layout.members()));
        let mut source = "oci-archive:0".to_owned();
        let mut before = Store::open(&sandbox.path("0"));
        let first = before.layout();
        let mut was_docker = false;
        for (number, to) in (1..).zip(steps) {
            let target = to.at(format!("{number}"));
            drop(sandbox.run(&["convert", &source, &target]).warnings());
            let store = Store::open(&sandbox.path(&format!("{number}")));
            // In a docker archive every name is there for containerd, too.
            if was_docker || to != Format::Docker {
                prop_assert_eq!(store.file("index.json"), before.file("index.json"));
            }
            was_docker |= to == Format::Docker;
            prop_assert_eq!(&store.layout().reachable, &first.reachable);
            prop_assert_eq!(listed(&store), listed(&before));
            before = store;
            source = target;
        }
    }
}
