//! The limits for CI, and the exit code.

use expect_test::expect;

use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::squash::put;

/// Of 100 bytes in 3 layers, 30 are hidden: 20 of the base, and 10 of a layer above it. The layers
/// above have 60 bytes.
fn sandbox() -> (Sandbox, String) {
    let file = |name: &str, size: usize| format!("file {name} {}", "x".repeat(size));
    let base = [file("a", 20), file("b", 20)].join("\n");
    let second = [file("c", 10), file("d", 50), "file .wh.a".to_owned()].join("\n");
    let third = "file .wh.c";
    let image = Image::new(&["app:1"], &[&base, &second, third]);
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in", Format::Docker, &image);
    (sandbox, source)
}

#[test]
fn a_limit_that_is_exceeded_fails() {
    let (sandbox, source) = sandbox();
    for (limit, is_kept) in [
        ("--fail-above=30", true),
        ("--fail-above=29B", false),
        ("--fail-above=0.03kB", true),
        ("--fail-above=1KiB", true),
        ("--fail-above=30%", true),
        ("--fail-above=29.9999999%", false),
        ("--fail-above=0%", false),
        ("--fail-above=100%", true),
        ("--lowestEfficiency=0.7", true),
        ("--lowestEfficiency=0.700000001", false),
        ("--lowest-efficiency=1", false),
        ("--lowestEfficiency=disabled", true),
        ("--highestWastedBytes=30B", true),
        ("--highestWastedBytes=29", false),
        ("--highest-wasted-bytes=0", false),
        ("--highestWastedBytes=disabled", true),
        ("--highestUserWastedPercent=0.5", true),
        ("--highestUserWastedPercent=0.499999999", false),
        ("--highest-user-wasted-percent=0.2", false),
        ("--highestUserWastedPercent=off", true),
    ] {
        let output = sandbox.run(&["waste", limit, &source]);
        assert_eq!(output.code, Some(i32::from(!is_kept)), "{limit}");
        assert!(
            !output.stdout.is_empty(),
            "the report is printed in any case"
        );
        assert_eq!(
            output.stderr.lines().count(),
            usize::from(!is_kept),
            "{limit}"
        );
        let quiet = sandbox.run(&["waste", "--quiet", limit, &source]);
        let found = (quiet.code, quiet.stderr.as_str(), quiet.stdout.is_empty());
        assert_eq!(found, (Some(i32::from(!is_kept)), "", true), "{limit}");
    }
}

#[test]
fn the_message_says_what_was_found_and_what_is_allowed() {
    let (sandbox, source) = sandbox();
    let arguments = [
        "waste",
        "--json",
        "--fail-above=29%",
        "--lowestEfficiency=0.9",
        "--highestWastedBytes=10B",
        "--highestUserWastedPercent=0.1",
        &source,
    ];
    let output = sandbox.run(&arguments);
    assert_eq!(output.code, Some(1));
    assert!(output.stdout.starts_with(b"{\"source\":"));
    expect![[r#"
        error: too much waste: 30B of 100B of files are hidden (30%), and `--fail-above` allows 29%; the efficiency is 0.7, and `--lowestEfficiency` asks for 0.9; 30B of 100B of files are hidden (30%), and `--highestWastedBytes` allows 10B; layers above the lowest hide 30B and add 60B of files (ratio 0.5), and `--highestUserWastedPercent` allows 0.1
    "#]].assert_eq(&output.stderr);
}

#[test]
fn what_is_no_limit_is_refused() {
    let (sandbox, source) = sandbox();
    for (limit, says) in [
        (
            "--fail-above=x",
            "expected a size such as 50MB, or a percentage from 0% to 100%",
        ),
        (
            "--fail-above=101%",
            "expected a size such as 50MB, or a percentage from 0% to 100%",
        ),
        (
            "--lowestEfficiency=95%",
            "expected a ratio from 0 to 1 with at most 9 decimals",
        ),
        (
            "--highestWastedBytes=5%",
            "expected a size such as 50MB, 1.5GB or 64MiB",
        ),
        (
            "--highestUserWastedPercent=1.1",
            "expected a ratio from 0 to 1 with at most 9 decimals",
        ),
    ] {
        let output = sandbox.run(&["waste", limit, &source]);
        assert_eq!(output.code, Some(2), "{limit}");
        assert!(output.stderr.contains(says), "{limit}: {}", output.stderr);
    }
}

#[test]
fn nothing_keeps_every_limit() {
    let strict = [
        "--fail-above=0",
        "--fail-above=0%",
        "--lowestEfficiency=1",
        "--highestWastedBytes=0",
        "--highestUserWastedPercent=0",
    ];
    for layers in [&[][..], &["dir d"], &["file a", "file .wh.a"]] {
        let sandbox = Sandbox::new();
        let source = put(
            &sandbox,
            "in",
            Format::OciArchive,
            &Image::new(&["app:1"], layers),
        );
        for limit in strict {
            let output = sandbox.run(&["waste", "--json", limit, &source]);
            assert_eq!(
                (output.code, output.stderr.as_str()),
                (Some(0), ""),
                "{limit}"
            );
            let report: serde_json::Value =
                serde_json::from_slice(&output.stdout).expect("it is JSON");
            assert_eq!(report["efficiency"], 1.0);
            assert_eq!(report["user_wasted_percent"], 0.0);
        }
    }
    // Layers that only delete are no part of anything, and more than any.
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1", "file .wh.a"]);
    let source = put(&sandbox, "in", Format::OciArchive, &image);
    let output = sandbox.run(&["waste", "--json", "--highestUserWastedPercent=1", &source]);
    assert_eq!(output.code, Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(report["user_wasted_percent"], serde_json::Value::Null);
}
