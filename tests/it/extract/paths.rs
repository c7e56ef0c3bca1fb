//! Some paths of an image, instead of all.

use expect_test::expect;

use crate::support::Sandbox;
use crate::support::judge::Format;
use crate::support::layer::stack;
use crate::support::make::Image;
use crate::support::squash::put;

/// A small tree; the first name of `b/link` is `a/file`, of an earlier layer.
fn source(sandbox: &Sandbox) -> String {
    let layers = stack(
        "a/(0750) a/file=content a/x/ a/x/deep=1 c/ c/one.so=1 c/two.so=2 top=t \
         | b/(0700) b/link=>a/file b/z=>a/file c/d/ c/d/three.so=3",
    );
    put(
        sandbox,
        "in",
        Format::Docker,
        &Image::of_layers(&["app:1"], layers),
    )
}

#[test]
fn only_these_paths_and_what_is_below_are_extracted() {
    let cases: [(&[&str], &str); 9] = [
        (&["top"], "top"),
        (&["/a/"], "a/ a/file a/x/ a/x/deep"),
        (&["a/x"], "a/ a/x/ a/x/deep"),
        (&["b/link"], "b/ b/link"),
        (&["b", "a/file"], "a/ a/file b/ b/link b/z"),
        (&["c/*.so"], "c/ c/one.so c/two.so"),
        (&["**/*.so"], "c/ c/d/ c/d/three.so c/one.so c/two.so"),
        (&["[bt]*"], "b/ b/link b/z top"),
        (
            &["."],
            "a/ a/file a/x/ a/x/deep b/ b/link b/z c/ c/d/ c/d/three.so c/one.so c/two.so top",
        ),
    ];
    for (paths, expected) in cases {
        let sandbox = Sandbox::new();
        let source = source(&sandbox);
        let arguments = [&["extract", &source, "out"], paths].concat();
        drop(sandbox.run(&arguments).reports());
        let tree = sandbox.tree();
        let names = tree.keys().filter_map(|it| it.strip_prefix("out/"));
        let names: Vec<&str> = names.filter(|it| !it.is_empty()).collect();
        assert_eq!(names.join(" "), expected, "{paths:?}");
        for name in ["b/link", "b/z"] {
            if names.contains(&name) {
                assert_eq!(
                    sandbox.read(&format!("out/{name}")),
                    b"content",
                    "{paths:?}"
                );
            }
        }
        if names.contains(&"a/") {
            assert_eq!(tree["out/a/"], "750", "parents have their own mode");
        }
    }
}

#[test]
fn a_path_that_matches_nothing_is_an_error() {
    let sandbox = Sandbox::new();
    let source = source(&sandbox);
    for (paths, says) in [
        (
            &["a", "missing\n"][..],
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `b/link` and 1 more: a hard link to a file of a lower layer, which Docker refuses; resolved
                error: no `/missing\n` in `app:1`
                  hint: `restow files SRC` lists the files of the image
            "#]],
        ),
        (
            &["*.so"],
            expect![[r#"
                warning: layer 2 of 2 of `app:1`, entry `b/link` and 1 more: a hard link to a file of a lower layer, which Docker refuses; resolved
                error: no path in `app:1` matches `/*.so`
                  hint: `'**/*.so'` matches in every folder
            "#]],
        ),
    ] {
        let arguments = [&["extract", &source, "out"], paths].concat();
        sandbox.run(&arguments).fails(says);
    }
}
