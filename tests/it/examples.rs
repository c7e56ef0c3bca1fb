//! The programs in `examples/`, built and run.

use std::path::Path;
use std::process::Command;

use crate::support::Sandbox;
use crate::support::make::{self, Image};

/// Runs an example as the tests were built, and returns what it says on its two streams.
#[track_caller]
fn run(sandbox: &Sandbox, name: &str, words: &[&str]) -> (String, String) {
    let restow = Path::new(env!("CARGO_BIN_EXE_restow"));
    let folder = restow.parent().expect("it is in a folder");
    let target = folder.parent().expect("that is in the target directory");
    let profile = match folder.file_name().and_then(|it| it.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--profile", profile])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .arg("--target-dir")
        .arg(target)
        .args(["--example", name, "--"])
        .args(words)
        .current_dir(sandbox.path(""))
        .output();
    let output = output.expect("cargo can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    (text(&output.stdout), said)
}

#[test]
fn an_archive_is_converted_and_squashed() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1", "file b 2", "file a 3"]);
    sandbox.write("app.tar", make::tar(&make::docker(&[image])));

    sandbox
        .run(&["convert", "app.tar", "oci:expected"])
        .silent();
    let (printed, said) = run(&sandbox, "convert", &["app.tar", "layout"]);
    assert_eq!(
        sandbox.read("layout/index.json"),
        sandbox.read("expected/index.json")
    );
    assert!(printed.starts_with("sha256:"), "{printed}");
    assert!(printed.ends_with(" app:1\n"), "{printed}");
    assert_eq!(said, "");

    let words = ["squash", "--last", "2", "app.tar", "expected.tar"];
    drop(sandbox.run(&words).reports());
    let (printed, said) = run(&sandbox, "squash", &["app.tar", "small.tar"]);
    assert_eq!(sandbox.read("small.tar"), sandbox.read("expected.tar"));
    assert_eq!(printed, "3 layers became 2\n");
    assert!(said.ends_with("committing\n"), "{said}");
}
