//! What the upper layers hide of the new base, and what they need of the old one.

use super::put;
use crate::support::Sandbox;
use crate::support::layer::stack;
use crate::support::make::Image;

#[test]
fn changed_files_that_the_upper_layers_hide_are_named() {
    // The base, the upper layers, the new base, and what is said.
    let cases = [
        ("a=1 b=1", "c=1", "a=2 b=2", ""),
        ("a=1 b=1", "a=9", "a=1 b=2", ""),
        ("a=1", "a=9", "a=22 b=2", "hide a"),
        ("a=1", "a=9", "a=1(0600)", "hide a"),
        ("a=1", "b=9", "a=1 b=2", "hide b"),
        ("a=1 d/ d/x=1", "d/x=2 | d/.wh.x", "d/ d/x=3333", "hide d/x"),
        (
            "d/ d/x=1",
            "d/ d/.wh..wh..opq d/y=1",
            "d/ d/x=22 d/z=1",
            "hide d/x d/z",
        ),
        ("d/ d/x=1", ".wh.d", "d/ d/x=1", ""),
        (
            "d/ d/x=1",
            ".wh.d",
            "d/ d/x=22 d/e/ d/e/z=1",
            "hide d/e d/e/z d/x",
        ),
        ("d/ d/x=1", ".wh.d", "d/", ""),
        ("d/ d/x=1", "d=9", "d/ d/x=2", "hide d/x"),
        ("d/ d/x=1", "d/y=1 | .wh.d", "d/ d/x=2", "hide d/x"),
        (
            "d/ d/e/ d/e/x=1",
            "d/ d/.wh..wh..opq",
            "d/ d/e/ d/e/x=2",
            "hide d/e/x",
        ),
        ("a=1", "d/l=>a | .wh.d", "a=2", ""),
        (
            "d/ d/e/ d/x=1",
            "d/e/(0700) | .wh.d",
            "d/ d/e/(0711) d/x=1",
            "",
        ),
        ("d/ d/x=1", "d/", "d/(0700) d/x=1", "hide d"),
        ("d/ d/x=1", "d/(0700)", "d/(0700) d/x=1", ""),
        ("d/ d/x=1", "d/(0700)", "d/ d/x=1", ""),
        ("d/x=1", "d/ | d/(0711)", "d/(0700) d/x=1", "hide d"),
        ("d/x=1", "d/x=2", "d/(0700) d/x=1", ""),
        ("d/x=1", "d/", "d/ d/x=1", ""),
        ("a=1", "a=9", "a=2", "hide a"),
        ("a=1 | b=1", "a=9 b=9", "b=1 | a=1", ""),
        ("a=1 | b=1", "a=9 b=9", "a=1 | b=2", "hide b"),
        ("a=1 b=>a", "b=9", "a=2 b=>a", "hide b"),
        ("a=1", "l=>a", "a=2", "link l"),
        ("a=1", ".wh.a", "a=1", ""),
        ("a=1 b=1", ".wh.a", "b=1", "nothing a"),
        ("a=1 b=1", ".wh.a", "b=1 a->b", "hide a"),
        ("a=1", "a=9 .wh.q", "b=1", ""),
        ("a=1 b=1", "l=>a", "a=1 b=22", ""),
        ("a=1", "l=>a", "a=22", "link l"),
        ("a=1 b=1", "l=>a m=>b", "a=22 b=1", "link l"),
        ("a=1", "l=>a | l=9", "a=22", ""),
        (
            "p=1 q=1 r=1 s=1 t=1",
            "p=9 q=9 r=9 s=9 t=9",
            "p=22 q=22 r=22 s=22 t=22",
            "hide p q r +2",
        ),
    ];
    for (base, upper, new, said) in cases {
        let sandbox = Sandbox::new();
        let own = stack(&format!("{base} | {upper}"));
        put(&sandbox, "app.tar", &Image::of_layers(&["app:1"], own));
        put(
            &sandbox,
            "base.tar",
            &Image::of_layers(&["base:1"], stack(base)),
        );
        put(
            &sandbox,
            "new.tar",
            &Image::of_layers(&["base:2"], stack(new)),
        );
        let arguments = [
            "rebase", "--onto", "new.tar", "--from", "base.tar", "app.tar", "out.tar",
        ];
        let (_, warnings) = sandbox.run(&arguments).reports();
        let (what, paths) = said.split_once(' ').unwrap_or_default();
        let names: Vec<String> = paths
            .split(' ')
            .filter(|it| !it.starts_with('+'))
            .map(|it| format!("`{it}`"))
            .collect();
        let others = paths
            .split_once('+')
            .map(|it| format!(" and {} more", it.1));
        let paths = names.join(", ") + &others.unwrap_or_default();
        let expected = match what {
            "hide" => vec![format!(
                "warning: the upper layers of `app:1` hide what the new base has changed: {paths}"
            )],
            "link" => vec![format!(
                "warning: the upper layers of `app:1` link to what the new base has changed: {paths}"
            )],
            "nothing" => vec![format!(
                "warning: the upper layers of `app:1` delete what the new base does not have: {paths}"
            )],
            _ => Vec::new(),
        };
        assert_eq!(warnings, expected, "{base} | {upper}, {new}");
    }
}

#[test]
fn a_hard_link_to_a_file_that_the_new_base_lacks_is_refused() {
    let sandbox = Sandbox::new();
    put(
        &sandbox,
        "app.tar",
        &Image::of_layers(&["app:1"], stack("a=1 | b=>a")),
    );
    put(
        &sandbox,
        "base.tar",
        &Image::of_layers(&["base:1"], stack("a=1")),
    );
    put(
        &sandbox,
        "new.tar",
        &Image::of_layers(&["base:2"], stack("c=1")),
    );
    let arguments = [
        "rebase", "--onto", "new.tar", "--from", "base.tar", "app.tar", "out.tar",
    ];
    sandbox.run(&arguments).fails(
        "error: cannot read layer 2 of 2 of `app:1 on base:2`\n  caused by: entry `b`: a hard link \
         to `a`, which does not exist\n",
    );
}

#[test]
fn a_layer_that_cannot_be_read_is_named_where_nothing_is_copied() {
    let sandbox = Sandbox::new();
    let own = stack("a=1 | b=1");
    put(&sandbox, "app.tar", &Image::of_layers(&["app:1"], own));
    put(
        &sandbox,
        "new.tar",
        &Image::of_layers(&["base:2"], stack("c=1")),
    );
    put(
        &sandbox,
        "base.tar",
        &Image::of_layers(&["base:1"], stack("a=1")),
    );
    for from in ["app.tar", "new.tar"] {
        sandbox.run(&["convert", from, "oci:lay"]).silent();
    }
    let layer = super::shown(&sandbox, "manifest", "oci:lay:app:1")["layers"][1].clone();
    let digest = layer["digest"].as_str().expect("it has a digest");
    let path = format!("lay/blobs/{}", digest.replace(':', "/"));
    let mut bytes = sandbox.read(&path);
    bytes[0] ^= 1;
    sandbox.write(&path, &bytes);
    let arguments = [
        "rebase",
        "--onto",
        "oci:lay:base:2",
        "--from",
        "base.tar",
        "oci:lay:app:1",
        "oci:lay",
    ];
    let (_, warnings) = sandbox.run(&arguments).reports();
    let start = "warning: cannot tell what the upper layers of `app:1` hide of the new base: \
                 cannot read layer 2 of 2 of `app:1`";
    assert!(warnings[0].starts_with(start), "{warnings:?}");
}
