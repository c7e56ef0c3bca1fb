//! Attributes of entries: those that no file can have, and those that mean something.

use expect_test::expect;

use super::check;
use super::entries::archive;
use crate::support::entry::{Entry, Kind, entries};
use crate::support::layer::tar;

#[test]
fn attributes() {
    let with_attribute = |key: &str, value: &str| {
        let mut directory = Entry::new("d/", Kind::Directory);
        directory.meta.xattrs.insert(key.to_owned(), value.into());
        archive(vec![tar(&entries("d/ d/old")), tar(&[directory])])
    };
    check(
        "overlay",
        &with_attribute("trusted.overlay.opaque", "y"),
        expect![[r#"
            warning[overlay-attribute] layer 2 of 2 of `app:1`, entry `d`: a directory has the attribute `trusted.overlay.opaque`
        "#]],
    );
    check(
        "rootless",
        &with_attribute("user.containers.override_stat", "0:0:755"),
        expect![[r#"
            warning[rootless-attribute] layer 2 of 2 of `app:1`, entry `d`: an attribute in which rootless tools record owners
        "#]],
    );
    check("any other", &with_attribute("user.x", "y"), expect![""]);
}

/// An entry with an attribute.
fn attributed(word: &str, key: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = Entry::parse(word);
    entry.meta.xattrs.insert(key.to_owned(), value.to_vec());
    archive(vec![tar(&[entry])])
}

#[test]
fn attributes_that_no_file_can_have() {
    let long = format!("user.{}", "n".repeat(251));
    let at = |word: &str| format!("layer 1 of 1 of `app:1`, entry `{word}`");
    let cases: [(&str, &[u8], &str); 7] = [
        (
            "security.capability",
            b"bad",
            "its attribute `security.capability` is malformed",
        ),
        (
            "system.posix_acl_access",
            b"bad",
            "its attribute `system.posix_acl_access` is malformed",
        ),
        (
            "system.posix_acl_default",
            b"bad",
            "its attribute `system.posix_acl_default` is malformed",
        ),
        (
            "user.a",
            &vec![b'v'; 65_537],
            "its attribute `user.a` has 65537 bytes, more than the limit of 65536",
        ),
        (
            &long,
            b"v",
            &format!("its attribute `{long}` has a name that Linux does not accept"),
        ),
        (
            "",
            b"v",
            "its attribute `` has a name that Linux does not accept",
        ),
        (
            "user.",
            b"v",
            "its attribute `user.` has a name that Linux does not accept",
        ),
    ];
    for (key, value, message) in cases {
        let input = attributed("a=1", key, value);
        let expected = format!("error[attribute-invalid] {}: {message}\n", at("a"));
        check(key, &input, &expected);
        // What no engine can make is not written either.
        for command in [
            ["export", "in.tar"].as_slice(),
            &["squash", "--layers", "1", "in.tar", "out"],
        ] {
            let sandbox = crate::support::Sandbox::new();
            sandbox.write("in.tar", &input);
            let output = sandbox.run(command);
            assert_eq!(output.code, Some(1), "{key}");
            let expected = format!("entry `a`: {message}\n");
            assert!(output.stderr.ends_with(&expected), "{}", output.stderr);
            assert!(!sandbox.path("out").exists());
        }
        // A whiteout is nothing but its name, and of the root engines take nothing.
        for word in [".wh.a", "./"] {
            check(key, &attributed(word, key, value), expect![""]);
        }
    }
    check(
        "another system",
        &attributed("a=1", "com.apple.quarantine", b"v"),
        &format!(
            "error[attribute-foreign] {}: an extended attribute of another system than Linux\n",
            at("a")
        ),
    );
    check(
        "60 KiB",
        &attributed("a=1", "user.a", &vec![b'v'; 60_000]),
        &format!(
            "error[attributes-large] {}: the extended attributes of a file exceed 4,096 bytes\n",
            at("a")
        ),
    );
    let capability = [vec![1, 0, 0, 2], vec![0; 16]].concat();
    check(
        "a capability",
        &attributed("a=1", "security.capability", &capability),
        expect![""],
    );
    check(
        "4,000",
        &attributed("a=1", "user.a", &[b'v'; 4000]),
        expect![""],
    );
}

/// Docker 28 sets the attribute of what the link leads to, in the layer as it is by then.
#[test]
fn attributes_of_symbolic_links() {
    check(
        "a symbolic link",
        &attributed("l->a", "user.a", b"v"),
        &format!(
            "error[attribute-on-link] {}: a symbolic link has an extended attribute, and its target is not in the layer\n",
            "layer 1 of 1 of `app:1`, entry `l`"
        ),
    );
    for (stack, leads) in [
        ("a l->a", true),
        ("d/ d/a d/l->a", true),
        ("d/ d/a d/l->../d//a", true),
        ("d/ d/a l->/d/a", true),
        ("d/ l->d/..", true),
        ("a k->a l->k", true),
        ("l->a a", false),
        ("d/ d/a l->a", false),
        ("a l->a/b", false),
        ("k->l l->k", false),
        ("d/ d/l->e/a", false),
    ] {
        let mut layer = entries(stack);
        for entry in &mut layer {
            if entry.name.ends_with(b"l") {
                entry.meta.xattrs.insert("user.a".to_owned(), Vec::new());
            }
        }
        let sandbox = crate::support::Sandbox::new();
        sandbox.write("in.tar", archive(vec![tar(&layer)]));
        let output = sandbox.run(&["verify", "in.tar"]);
        let found = String::from_utf8_lossy(&output.stdout);
        let is_found = found.contains("error[attribute-on-link]");
        assert_eq!(is_found, !leads, "{stack}: {found}");
    }
}
