//! Docker engines as judges: what `verify` says that they refuse, they refuse, and what
//! `verify` calls sound, they load.

use serde_json::{Value, json};

use super::edit_json;
use crate::support::engine::{Docker, unique};
use crate::support::entry::{Entry, Kind, entries};
use crate::support::layer::{Dialect, header, member, set, tar};
use crate::support::make::{self, Image, Member};
use crate::support::sandbox::Sandbox;

/// A layer that no other test has: an engine that has a layer does not look at it again.
fn layer(words: &str, salt: &str) -> Vec<u8> {
    let mut all = entries(words);
    all.push(Entry::new("salt", Kind::File(salt.into())));
    tar(&all)
}

/// The codes of the errors that `verify` finds.
fn errors(archive: &[u8]) -> Vec<String> {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", archive);
    let output = sandbox.run(&["verify", "--json", "in.tar"]);
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = value["findings"].as_array().expect("a list").clone();
    let errors = findings.into_iter().filter(|it| it["severity"] == "error");
    let code = |it: Value| it["code"].as_str().expect("a code").to_owned();
    errors.map(code).collect()
}

/// A layer with one member of this type.
fn of_type(flag: u8, salt: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut header = header(b"odd", flag, Dialect::Pax);
    set(&mut header[100..108], 0o644);
    set(&mut header[124..136], 0);
    member(&mut bytes, header, b"");
    bytes.extend(layer("a", salt));
    bytes
}

/// Stacks of layers, and the error that `verify` finds; none where the engine takes it.
///
/// What some odd whiteouts do depends on the storage driver; these are judged by all.
const STACKS: [(&str, &str, &str); 18] = [
    ("sound", "a/ a/b=1 c=>a/b | .wh.c | a/ a/.wh..wh..opq", ""),
    ("twice", "a=1 b a=2", "entry-twice"),
    ("in a file", "a=1 a/b", "entry-in-file"),
    ("forward", "b=>a a=1", "link-forward"),
    ("missing", "b=>gone", "link-missing"),
    ("below", "a=1 | b=>a", "link-below"),
    ("to a directory", "d/ b=>d", "link-to-directory"),
    ("to itself", "b=>b", "link-to-itself"),
    ("a loop", "x->y y->x x/f", "symlink-loop"),
    (
        "a whiteout twice",
        "a/ a/x | a/ a/.wh.x a/.wh.x",
        "entry-twice",
    ),
    (
        "opaque twice",
        "a/ a/x | a/.wh..wh..opq a/.wh..wh..opq",
        "entry-twice",
    ),
    ("a whiteout in a file", "p=1 p/.wh.x", "entry-in-file"),
    ("a whiteout, then a link", "a/ a/x b/ | a/.wh.x a->b", ""),
    (
        "whiteouts in each other",
        "a/ a/b/ a/b/x | a/.wh..wh..opq a/b/.wh.x",
        "",
    ),
    ("no target", "l->", "target-empty"),
    (
        "a capability",
        "f(security.capability=0100)",
        "attribute-invalid",
    ),
    (
        "an ACL",
        "f(system.posix_acl_access=0100)",
        "attribute-invalid",
    ),
    (
        "an attribute without a name",
        "f(user.=01)",
        "attribute-invalid",
    ),
];

#[test]
fn the_engine_refuses_what_is_said_to_be_refused() {
    let name = "the_engine_refuses_what_is_said_to_be_refused";
    for engine in [Docker::Machine, Docker::Classic] {
        if engine.answers(name) {
            assert_refused(engine);
        }
    }
}

#[track_caller]
fn assert_refused(engine: Docker) {
    let _alone = engine.alone();
    let tag = unique();
    let image = |layers| Image::of_layers(&[&format!("{tag}:1")], layers);
    let mut cases: Vec<(&str, Vec<Member>, &str)> = Vec::new();
    for (name, stack, code) in STACKS {
        let layers = stack
            .split('|')
            .map(|words| layer(words, &format!("{tag} {name} {words}")));
        cases.push((name, make::docker(&[image(layers.collect())]), code));
    }
    for (name, flag) in [("contiguous", b'7'), ("a volume", b'V')] {
        let layers = vec![of_type(flag, &format!("{tag} {name}"))];
        cases.push((name, make::docker(&[image(layers)]), "entry-type"));
    }
    let plain = |salt: &str| image(vec![layer("a", &format!("{tag} {salt}"))]);
    let with_config =
        |salt: &str, change: &dyn Fn(&mut Value)| make::docker(&[plain(salt).with_config(change)]);
    cases.push((
        "history",
        with_config("h", &|it| it["history"] = json!([{}, {}])),
        "history-count",
    ));
    cases.push((
        "created",
        with_config("c", &|it| it["created"] = json!("yesterday")),
        "created-invalid",
    ));
    // That of a layer which the engine does not have.
    let other = plain("another").diff_ids[0].clone();
    cases.push((
        "diff_id",
        with_config("d", &|it| {
            it["rootfs"]["diff_ids"][0] = json!(other);
        }),
        "diff-id-mismatch",
    ));
    cases.push((
        "tag",
        edit_json(make::docker(&[plain("t")]), "manifest.json", |it| {
            it[0]["RepoTags"] = json!([format!("{tag}:x y")]);
        }),
        "tag-invalid",
    ));
    for (name, members, code) in cases {
        let archive = make::tar(&members);
        let mut expected = errors(&archive);
        expected.retain(|it| it == code);
        assert_eq!(
            expected.is_empty(),
            code.is_empty(),
            "{name}: {:?}",
            errors(&archive)
        );
        // What is refused for its tag is there all the same, under its id alone.
        let mut names = members.iter().map(Member::name);
        let id = names.find_map(|name| name.strip_suffix(".json").filter(|it| it.len() == 64));
        let names = [
            format!("{tag}:1"),
            id.expect("there is a config").to_owned(),
        ];
        let loaded = engine.try_load(&archive, &names);
        assert_eq!(loaded.is_ok(), code.is_empty(), "{engine:?}: {name}");
    }
}

/// A graph driver's store, which looks into configs, refuses the times that `verify` calls errors,
/// and takes those that it calls unusual. An offset of 25 hours is refused since Go 1.20.
#[test]
fn the_engine_reads_times_as_verify_does() {
    for engine in [Docker::Machine, Docker::Classic] {
        if !engine.answers("the_engine_reads_times_as_verify_does") {
            continue;
        }
        let _alone = engine.alone();
        let tag = unique();
        let layer = layer("a", &tag);
        let archive = |key: &str, time: &str| {
            let image = Image::of_layers(&[&format!("{tag}:1")], vec![layer.clone()]);
            let image = image.with_config(|config| match key {
                "created" => config["created"] = time.into(),
                _ => config["history"] = json!([{"created": time}]),
            });
            let members = make::docker(std::slice::from_ref(&image));
            (make::tar(&members), [format!("{tag}:1"), image.id()])
        };
        let is_taken = |(archive, names): &(Vec<u8>, [String; 2])| {
            engine.try_load(archive, names.as_slice()).is_ok()
        };
        for time in [
            "2024-02-29T23:59:59Z",
            "2024-02-29T23:59:59.123456789123+23:59",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "2024-02-29T23:59:59,5Z",
            "2024-02-29T3:59:59Z",
            "2024-02-29T23:59:59+24:60",
            "2023-02-29T00:00:00Z",
            "2023-02-31T25:61:61Z",
            "2024-02-29T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "2024-02-29 23:59:59Z",
            "2024-02-29t23:59:59Z",
            "2024-02-29T23:59:59z",
            "2024-02-29T23:59:59.Z",
            "2024-02-29T23:59:59+0100",
            "10000-01-01T00:00:00Z",
            "",
        ] {
            for key in ["created", "history"] {
                let case = archive(key, time);
                let errors = errors(&case.0);
                let refused = (!is_taken(&case)).then_some("created-invalid");
                assert_eq!(errors, Vec::from_iter(refused), "{engine:?}: {key}: {time}");
            }
        }
    }
}
