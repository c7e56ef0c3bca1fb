//! `waste`: who hides what and why, what would free it, and the limits for CI.

mod limits;
mod random;
mod shown;

use serde_json::Value;

use crate::support::codec::Codec;
use crate::support::entry::entries;
use crate::support::judge::Format;
use crate::support::layer::{self, tar};
use crate::support::make::{self, Image, Layout};
use crate::support::squash::put;
use crate::support::tree::{escaped, path_of};
use crate::support::{Sandbox, fixture};

/// The report about `in`, for programs.
#[track_caller]
fn report(sandbox: &Sandbox, source: &str) -> Value {
    let (stdout, _) = sandbox.run(&["waste", "--json", source]).reports();
    serde_json::from_slice(&stdout).expect("it is JSON")
}

/// The report about an image.
#[track_caller]
fn report_on(image: &Image) -> Value {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, image);
    report(&sandbox, &source)
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no size"))
}

/// The hidden files of a report: each with its size, its layer and the one that hides it, and the
/// reason.
fn hidden(report: &Value) -> Vec<String> {
    let files = report["hidden"].as_array().expect("it is a list");
    let text = |file: &Value| {
        let path = escaped(&path_of(file));
        let reason = file["reason"].as_str().expect("it is text");
        let [size, layer, by] = ["size", "layer", "hidden_by"].map(|it| number(&file[it]));
        format!("{path} {size}: {layer}>{by} {reason}")
    };
    files.iter().map(text).collect()
}

/// The hidden files of a stack in words.
#[track_caller]
fn hidden_in(stack: &str) -> String {
    let image = Image::of_layers(&["app:1"], layer::stack(stack));
    hidden(&report_on(&image)).join(", ")
}

#[test]
fn files_are_hidden_for_these_reasons() {
    for (stack, expected) in [
        // Nothing is.
        ("a=1 | b=2", ""),
        ("a | .wh.a", ""),
        ("a->b d/ | .wh.a .wh.d", ""),
        // Deleted.
        ("a=12 | .wh.a", "a 2: 1>2 deleted"),
        ("a=12 | b | .wh.a | .wh.a", "a 2: 1>3 deleted"),
        ("a=1 | .wh.a | a=1", "a 1: 1>2 deleted"),
        (
            "d/ d/a=1 d/e/ d/e/b=22 | .wh.d",
            "d/e/b 2: 1>2 deleted, d/a 1: 1>2 deleted",
        ),
        ("d/ d/a=1 | d/ d/.wh..wh..opq d/b=2", "d/a 1: 1>2 deleted"),
        (
            "d/ d/e/ d/e/a=1 | d/ d/.wh..wh..opq d/e/b=2",
            "d/e/a 1: 1>2 deleted",
        ),
        (
            "a=1 d/ d/b=22 | .wh..wh..opq",
            "d/b 2: 1>2 deleted, a 1: 1>2 deleted",
        ),
        ("d/ d/a=1 | .wh.d d/ d/b=2", "d/a 1: 1>2 deleted"),
        // Overwritten.
        ("a=1 | a=2", "a 1: 1>2 overwritten"),
        (
            "a=1 | a=22 | a=333",
            "a 2: 2>3 overwritten, a 1: 1>2 overwritten",
        ),
        ("a=1 | a/", "a 1: 1>2 overwritten"),
        ("a=1 | a/b", "a 1: 1>2 overwritten"),
        ("a=1 | a->b", "a 1: 1>2 overwritten"),
        ("d/ d/a=1 | d=2", "d/a 1: 1>2 overwritten"),
        ("d/ d/e/ d/e/a=1 | d->e", "d/e/a 1: 1>2 overwritten"),
        ("a=1 b=2 | a=>b", "a 1: 1>2 overwritten"),
        // Only the metadata.
        ("a=1 | a=1(0600)", "a 1: 1>2 metadata-only"),
        ("a=1 | a=1(3:0)", "a 1: 1>2 metadata-only"),
        ("a=1 | a=1(0:4)", "a 1: 1>2 metadata-only"),
        ("a=1 | a=1(user.a=00)", "a 1: 1>2 metadata-only"),
        ("a=1(0600) | .wh.a a=1", "a 1: 1>2 metadata-only"),
        ("a=1 | a=2(0600)", "a 1: 1>2 overwritten"),
        // Nothing but perhaps the time.
        ("a=1 | a=1", "a 1: 1>2 same-content"),
        (
            "a=1(user.a=00) | a=1(@77,user.a=00)",
            "a 1: 1>2 same-content",
        ),
        (
            "d/ d/a=1 | d/ d/.wh..wh..opq d/a=1",
            "d/a 1: 1>2 same-content",
        ),
        ("a=1 b=1 | a=>b", "a 1: 1>2 same-content"),
        // Twice in a layer.
        ("a=1 a=22", "a 1: 1>1 repeated"),
        ("a=1 a/", "a 1: 1>1 repeated"),
        ("d/ d/a=1 d=22", "d/a 1: 1>1 repeated"),
        ("z | a=1 a=1", "a 1: 2>2 repeated"),
        // Bookkeeping.
        (
            ".wh..wh.plnk/ .wh..wh.plnk/1.2=xx a=1",
            ".wh..wh.plnk/1.2 2: 1>1 bookkeeping",
        ),
        (".wh..wh.plnk/ .wh..wh.plnk/1.2=xx a=>.wh..wh.plnk/1.2", ""),
    ] {
        assert_eq!(hidden_in(stack), expected, "{stack}");
    }
}

#[test]
fn a_file_is_hidden_with_the_last_of_its_names() {
    for (stack, expected) in [
        ("a=1 b=>a | .wh.a", ""),
        ("a=1 b=>a | .wh.a | .wh.b", "b 1: 1>3 deleted"),
        ("a=1 b=>a | .wh.a .wh.b", "a 1: 1>2 deleted"),
        ("a=1 b=>a | a=1(0600) b=>a(0600)", "a 1: 1>2 metadata-only"),
        // The entry of a link sets the mode of the file.
        ("a=1 b=>a | a=1(0600) b=>a", "a 1: 1>2 same-content"),
        ("a=1 b=>a | a=1", ""),
        ("a=1 b=>a | a=2 | b=1", "b 1: 1>3 same-content"),
        // A new name of a lower file, which keeps it.
        ("a=1 | b=>a .wh.a", ""),
        ("a=1 | b=>a | .wh.a | .wh.b", "b 1: 1>4 deleted"),
        ("a=1 b=>a | a=>b", ""),
        ("a=1 | b=>a .wh.a b=2", "a 1: 1>2 deleted"),
        // The layer itself drops one of the names.
        ("a=1 b=>a a=2", ""),
        ("a=1 b=>a a=2 b=2", "a 1: 1>1 repeated"),
    ] {
        assert_eq!(hidden_in(stack), expected, "{stack}");
    }
}

/// The end of an eStargz blob: an empty gzip member with the place of its table of contents.
fn footer() -> Vec<u8> {
    let text = b"0000000000000000STARGZ";
    let mut footer = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
    footer.extend([26, 0, b'S', b'G', 22, 0]);
    footer.extend(text);
    footer.extend([1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(footer.len(), 51);
    footer
}

#[test]
fn what_serves_estargz_is_named_as_such() {
    let entries = entries("stargz.index.json=index .no.prefetch.landmark=x a=1");
    let image = |tail: &[u8]| {
        let blob = [&Codec::Gzip.compress(&tar(&entries))[..], tail].concat();
        let mut image = Image::of_layers(&["app:1"], vec![tar(&entries)]);
        image.layers = vec![blob];
        image
    };
    assert_eq!(
        hidden(&report_on(&image(&footer()))),
        [
            "stargz.index.json 5: 1>1 bookkeeping",
            ".no.prefetch.landmark 1: 1>1 bookkeeping"
        ]
    );
    assert!(hidden(&report_on(&image(b""))).is_empty());
}

#[test]
fn every_form_of_input_says_the_same() {
    let image = Image::new(
        &["app:1"],
        &["file a 12\nfile b 1", "file a 34\nfile c 5", "file .wh.b"],
    );
    let expected = ["a 2: 1>2 overwritten", "b 1: 1>3 deleted"];
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let image = image.clone().stored_as(codec);
        for format in Format::ALL {
            let sandbox = Sandbox::new();
            let source = put(&sandbox, "in", format, &image);
            let report = report(&sandbox, &source);
            assert_eq!(hidden(&report), expected, "{codec:?} {format:?}");
            assert_eq!(report["platform"], "linux/amd64");
            let stored: usize = image.layers.iter().map(Vec::len).sum();
            assert_eq!(number(&report["size"]), stored as u64);
        }
        let sandbox = Sandbox::new();
        put(&sandbox, "in", Format::Docker, &image);
        let run = sandbox.restow(&["waste", "--json", "-"]);
        let stdout = run.stdin_pipe(sandbox.read("in")).run().data("");
        let report: Value = serde_json::from_slice(&stdout).expect("it is JSON");
        assert_eq!(hidden(&report), expected, "{codec:?} from a pipe");
    }
    // A root filesystem hides nothing.
    let sandbox = Sandbox::new();
    sandbox.write("rootfs.tar", &image.layers[0]);
    let report = report(&sandbox, "rootfs:rootfs.tar");
    assert!(hidden(&report).is_empty());
    let sums = ["files_size", "seen_size", "hidden_size"].map(|it| number(&report[it]));
    assert_eq!(sums, [3, 3, 0]);
}

#[test]
fn one_of_several_images_is_chosen() {
    let sandbox = Sandbox::new();
    let mut layout = Layout::default();
    layout.add(&Image::new(&["app:1"], &["file a 1", "file .wh.a"]));
    layout.add(&Image::new(&["tool:1"], &["file t 1"]));
    sandbox.write("in.tar", make::tar(&layout.members()));
    let said = sandbox.run(&["waste", "in.tar"]).refuses();
    assert!(said.contains("choose one with `--image REF`"), "{said}");
    let report = report(&sandbox, "oci-archive:in.tar:app:1");
    assert_eq!(hidden(&report), ["a 1: 1>2 deleted"]);
    let run = sandbox.run(&["waste", "--image", "tool:1", "--json", "in.tar"]);
    let other: Value = serde_json::from_slice(&run.data("")).expect("it is JSON");
    assert!(hidden(&other).is_empty());
}

/// The plans of a report: the option that each has, and the bytes that it frees.
fn plans(report: &Value) -> Vec<(String, u64)> {
    let plans = report["plans"].as_array().expect("it is a list");
    let option = |plan: &Value| match (&plan["layers"], &plan["max_layers"]) {
        (Value::String(layers), Value::Null) => format!("--layers {layers}"),
        (Value::Null, Value::Number(most)) => format!("--max-layers {most}"),
        _ => panic!("{plan} has not one option"),
    };
    let plan = |plan| (option(plan), number(&plan["frees"]));
    plans.iter().map(plan).collect()
}

#[test]
fn of_many_plans_those_that_gain_most_are_shown() {
    // Every second layer deletes the file of the one below it; later files are larger.
    let image = |count: usize| {
        let layer = |at: usize| match at % 2 {
            0 => format!("f{at}={}", "x".repeat(at / 2 + 1)),
            _ => format!(".wh.f{}", at - 1),
        };
        let layers: Vec<String> = (0..count).map(layer).collect();
        Image::of_layers(&["app:1"], layer::stack(&layers.join(" | ")))
    };
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &image(30));
    let text = String::from_utf8(sandbox.run(&["waste", &source]).data("")).expect("it is UTF-8");
    for option in ["--layers", "--max-layers"] {
        let command = format!("restow squash {option} ");
        assert_eq!(text.matches(&command).count(), 5, "{text}");
    }
    let sum = |first: u64, last: u64| (first..=last).sum::<u64>();
    for count in [30, 140] {
        let report = report_on(&image(count));
        let pairs = count as u64 / 2;
        assert_eq!(number(&report["hidden_size"]), sum(1, pairs));
        let plans = plans(&report);
        let is_start = |plan: &&(String, u64)| plan.0.starts_with("--layers");
        let (starts, counts): (Vec<_>, Vec<_>) = plans.iter().partition(is_start);
        let pair = |pair: u64| (format!("--layers {}..", 2 * pair - 1), sum(pair, pairs));
        let expected: Vec<(String, u64)> = (pairs - 9..=pairs).map(pair).collect();
        assert_eq!(starts, expected.iter().collect::<Vec<_>>());
        assert!((1..=10).contains(&counts.len()), "{counts:?}");
        let most = |plan: &(String, u64)| -> usize {
            let most = plan.0.strip_prefix("--max-layers ");
            most.and_then(|it| it.parse().ok()).expect("it is a number")
        };
        assert!(counts.is_sorted_by_key(|it| most(it)), "{counts:?}");
        if count > 127 {
            assert!(
                counts.iter().all(|it| most(it).is_power_of_two()),
                "{counts:?}"
            );
        }
    }
}

#[test]
fn the_platform_is_chosen_without_a_word_about_others() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", fixture("buildkit__multi.oci.tar"));
    for platform in ["linux/amd64", "linux/arm64"] {
        let arguments = ["waste", "--json", "--platform", platform, "in.tar"];
        let stdout = sandbox.run(&arguments).data("");
        let report: Value = serde_json::from_slice(&stdout).expect("it is JSON");
        assert_eq!(report["platform"], platform);
    }
}

#[test]
fn a_layer_that_is_not_there_is_an_error() {
    let image = Image::new(&["app:1"], &["file a 1", "file .wh.a"]);
    let lost = format!(
        "blobs/sha256/{}",
        crate::support::codec::hex(&image.diff_ids[0])
    );
    let mut layout = Layout::default();
    layout.add(&image);
    let mut members = layout.members();
    members.retain(|it| it.name() != lost);
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", make::tar(&members));
    sandbox
        .run(&["waste", "in.tar"])
        .fails(expect_test::expect![[r#"
            error: cannot read layer 1 of 2 of `app:1`
              caused by: its blob is not in the input
        "#]]);
}
