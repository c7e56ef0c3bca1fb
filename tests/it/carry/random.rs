//! Random images and every pair of forms: nothing gets lost on the way.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::{assert_same_again, report};
use crate::support::codec::Codec;
use crate::support::image::{Facts, Store, facts};
use crate::support::judge::Format;
use crate::support::make::{self, Image, Layout, Member};
use crate::support::{Sandbox, random_cases, testdata};

/// A way to write an archive of these images.
type Style = fn(&[Image]) -> Vec<Member>;

const STYLES: [Style; 4] = [make::docker, make::crane, make::hybrid, layout];

fn layout(images: &[Image]) -> Vec<Member> {
    let mut layout = Layout::default();
    for image in images {
        layout.add(image);
    }
    layout.members()
}

/// The layers of images: numbers, so that images share many.
fn stacks() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let free = vec(0..4_usize, 0..5);
    // Usually the lowest layers are the same.
    let same = (0..5_usize).prop_map(|count| (0..count).collect::<Vec<usize>>());
    let stack = (same, free).prop_map(|(same, free)| [same, free].concat());
    vec(stack, 1..4)
}

fn images(stacks: &[Vec<usize>], name: &str, codec: Codec) -> Vec<Image> {
    let image = |(number, stack): (usize, &Vec<usize>)| {
        let tags: Vec<String> = (0..number % 3)
            .map(|n| format!("{name}:{number}-{n}"))
            .collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let layers = stack
            .iter()
            .map(|n| make::layer(&format!("dir d\nfile d/f {n}")));
        Image::of_layers(&tags, layers.collect())
            .with_config(|config| config["number"] = format!("{name}{number}").into())
            .stored_as(codec)
    };
    stacks.iter().enumerate().map(image).collect()
}

fn sorted(mut facts: Vec<Facts>) -> Vec<Facts> {
    facts.sort();
    facts
}

/// The number of layers that must be left out: those of the lowest that some image of the base
/// begins with, unless another image needs them.
fn expected_left_out(new: &[Vec<usize>], base: &[Vec<usize>]) -> usize {
    let common = |stack: &Vec<usize>| {
        let shared = |base: &Vec<usize>| stack.iter().zip(base).take_while(|(a, b)| a == b).count();
        base.iter().map(shared).max().unwrap_or(0)
    };
    let kept: Vec<usize> = new
        .iter()
        .flat_map(|it| it[common(it)..].to_vec())
        .collect();
    let mut gone: Vec<usize> = new
        .iter()
        .flat_map(|it| it[..common(it)].to_vec())
        .collect();
    gone.retain(|it| !kept.contains(it));
    gone.sort_unstable();
    gone.dedup();
    gone.len()
}

/// A file, or all files of a folder.
fn content(sandbox: &Sandbox, name: &str) -> Vec<(String, Vec<u8>)> {
    let path = sandbox.path(name);
    if path.is_file() {
        return vec![(String::new(), sandbox.read(name))];
    }
    let store = Store::open(&path);
    let names = store.names().into_iter();
    names
        .map(|name| (name.to_owned(), store.file(name).to_vec()))
        .collect()
}

fn number(report: &Value, path: &str) -> u64 {
    report
        .pointer(path)
        .and_then(Value::as_u64)
        .expect("a number")
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(48))]

    #[test]
    fn what_was_left_out_comes_back_to_the_byte(
        new in stacks(),
        base in stacks(),
        styles in (0..STYLES.len(), 0..STYLES.len()),
        codecs in (any::<bool>(), any::<bool>()),
        to in proptest::sample::select(Format::ALL.as_slice()),
    ) {
        let codec = |is_gzip| if is_gzip { Codec::Gzip } else { Codec::Plain };
        let sandbox = Sandbox::new();
        let images_new = images(&new, "new", codec(codecs.0));
        let images_base = images(&base, "base", codec(codecs.1));
        sandbox.write("new", make::tar(&STYLES[styles.0](&images_new)));
        sandbox.write("base", make::tar(&STYLES[styles.1](&images_base)));
        let target = to.at("expected");
        drop(sandbox.run(&["convert", "new", "docker-archive:archive"]).reports());
        drop(sandbox.run(&["convert", "archive", &target]).reports());

        let left_out = report(&sandbox, &["--without", "base", "new", "part"]);
        let left_out = &left_out["left_out"];
        // What plain archives call a repeated layer is one member.
        prop_assert_eq!(number(left_out, "/layers"), expected_left_out(&new, &base) as u64);
        let is_any = number(left_out, "/layers") > 0;
        let is_same = number(left_out, "/recompressed") == 0;
        if is_any {
            prop_assert!(Format::Docker.images(&sandbox.path("archive")).len() == images_new.len());
            let said = sandbox.run(&["convert", "part", "docker-archive:no"]).refuses();
            prop_assert!(said.contains("left out on purpose: `part` is a partial archive"), "{}", said);
        }
        drop(sandbox.run(&["verify", "part"]));

        let back = to.at("whole");
        let put_back = report(&sandbox, &["--with", "base", "part", &back]);
        prop_assert_eq!(
            number(&put_back, "/put_back/layers"), number(left_out, "/layers")
        );
        if is_same {
            let [whole, expected] = ["whole", "expected"].map(|it| content(&sandbox, it));
            prop_assert!(whole == expected, "{} differs", back);
        }
        let got = to.images(&sandbox.path("whole"));
        let expected = sorted(images_new.iter().map(Image::facts).collect());
        prop_assert_eq!(sorted(facts(&got)), expected);
        prop_assert_eq!(sandbox.run(&["verify", "--quiet", "whole"]).code, Some(0));
    }
}

/// Every fixture on top of every other, and of itself.
#[test]
fn fixtures_come_back_to_the_byte() {
    const FIXTURES: [&str; 6] = [
        "buildkit__multi.oci.tar",
        "crane__edge.tarball.tar",
        "docker20__edge.tar",
        "docker29-containerd__edge-deep-multi.tar",
        "docker29-containerd__multiplatform-provenance.tar",
        "docker29-containerd__two-builds.tar",
    ];
    let sandbox = Sandbox::new();
    for base in FIXTURES {
        for new in FIXTURES {
            let [base, new] = [base, new].map(|it| testdata(it).display().to_string());
            let mut arguments = vec!["--without", &base, &new, "docker-archive:try"];
            arguments.push("--force");
            let left_out = report(&sandbox, &arguments);
            if number(&left_out, "/left_out/recompressed") == 0 {
                assert_same_again(&sandbox, &base, &new);
            } else {
                drop(
                    sandbox
                        .run(&["convert", "--with", &base, "try", "whole"])
                        .reports(),
                );
                assert_eq!(sandbox.run(&["verify", "--quiet", "whole"]).code, Some(0));
                sandbox.remove("whole");
            }
        }
    }
}
