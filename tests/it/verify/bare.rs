//! A root filesystem that becomes an image: each fault of an entry is refused, or told.

use std::collections::BTreeSet;

use restow::{Code, Severity};

use super::entries::raw;
use crate::support::Sandbox;
use crate::support::entry::{Entry, entries};
use crate::support::layer::{Dialect, header, member, pax, set, tar};

/// What `import` makes of a tar with the fault. `convert`, which takes the tar for an image
/// that is there, warns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is refused, by `convert`, too.
    Never,
    /// It is refused.
    Refused,
    /// There is a warning.
    Warned,
}

/// The faults that no single layer has.
const OF_STACKS: [&str; 4] = [
    "link-below",
    "directory-implied",
    "through-file",
    "through-symlink",
];

/// A tar with an entry that has an attribute.
fn attributed(word: &str, key: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = Entry::parse(word);
    entry.meta.xattrs.insert(key.to_owned(), value.to_vec());
    tar(&[entry])
}

/// A tar with this member.
fn with(member: Vec<u8>) -> Vec<u8> {
    [member, vec![0; 1024]].concat()
}

fn sparse_pax() -> Vec<u8> {
    let records = [
        pax("GNU.sparse.major", b"1"),
        pax("GNU.sparse.minor", b"0"),
        pax("GNU.sparse.name", b"s"),
        pax("GNU.sparse.realsize", b"4"),
    ];
    let records = records.concat();
    let mut bytes = Vec::new();
    let mut extended = header(b"x", b'x', Dialect::Pax);
    set(&mut extended[124..136], records.len() as i128);
    member(&mut bytes, extended, &records);
    let mut map = b"1\n0\n4\n".to_vec();
    map.resize(512, 0);
    map.extend(b"data");
    let mut file = header(b"s", b'0', Dialect::Pax);
    set(&mut file[124..136], map.len() as i128);
    member(&mut bytes, file, &map);
    with(bytes)
}

/// Tars with one fault each.
fn faulty() -> Vec<(&'static str, Vec<u8>, Fate)> {
    use Fate::{Never, Refused, Warned};
    let stack = |words: &str| tar(&entries(words));
    let many = (0..65_000).map(|at| format!("l{at}=>a"));
    let many: Vec<String> = std::iter::once("a=1".to_owned()).chain(many).collect();
    let old_sparse = raw(b"s", b'S', |it| {
        it[257..265].copy_from_slice(b"ustar  \0");
        set(&mut it[483..495], 0);
    });
    let sized = raw(b"d/", b'5', |it| set(&mut it[124..136], 7));
    let long = "n".repeat(256);
    let long_whiteout = format!(".wh.{}", "n".repeat(252));
    let capability = |value: &[u8]| attributed("a=1", "security.capability", value);
    vec![
        ("entry-path", stack("../a"), Never),
        ("entry-path", stack("a b=>../a"), Refused),
        ("entry-twice", stack("a=1 a=2"), Warned),
        ("entry-replaced", stack("a=1 /a=2"), Warned),
        ("entry-type", with(raw(b"odd", b'9', |_| ())), Refused),
        ("entry-type", with(raw(b"odd", b'7', |_| ())), Refused),
        ("entry-root", with(raw(b"./", b'0', |_| ())), Refused),
        ("entry-in-file", stack("a=1 a/b"), Refused),
        ("entry-limit", stack(&"d/".repeat(70_000)), Refused),
        ("name-too-long", stack(&long), Refused),
        ("size-unexpected", with(sized), Warned),
        ("sparse-gnu", with(old_sparse), Refused),
        ("sparse-pax", sparse_pax(), Warned),
        ("link-forward", stack("b=>a a=1"), Refused),
        ("link-missing", stack("b=>gone"), Refused),
        ("link-to-directory", stack("d/ b=>d"), Refused),
        ("link-to-itself", stack("b=>b"), Refused),
        ("too-many-links", stack(&many.join(" ")), Warned),
        ("target-empty", stack("l->"), Refused),
        ("symlink-loop", stack("x->y y->x x/f"), Refused),
        ("whiteout-invalid", stack(".wh."), Refused),
        ("whiteout-too-long", stack(&long_whiteout), Warned),
        ("whiteout-and-entry", stack("a=1 .wh.a"), Warned),
        ("whiteout-in-deleted", stack(".wh.d d/.wh.x"), Refused),
        ("whiteout-device", with(raw(b"c", b'3', |_| ())), Warned),
        ("whiteout-opaque-root", stack(".wh..wh..opq"), Warned),
        ("attribute-invalid", capability(b"bad"), Refused),
        ("attribute-invalid", attributed("a", "user.", b""), Refused),
        (
            "attribute-invalid",
            attributed("a", "system.posix_acl_access", b"bad"),
            Refused,
        ),
        ("attribute-foreign", attributed("a", "com.a", b"v"), Warned),
        (
            "attribute-on-link",
            attributed("l->a", "user.a", b"v"),
            Warned,
        ),
        (
            "attributes-large",
            attributed("a", "user.a", &[b'v'; 5000]),
            Warned,
        ),
        (
            "overlay-attribute",
            attributed("d/", "trusted.overlay.opaque", b"y"),
            Warned,
        ),
        (
            "rootless-attribute",
            attributed("a", "user.rootlesscontainers", b"v"),
            Warned,
        ),
        ("through-absolute-link", stack("d/ l->/d l/x=1"), Warned),
        ("through-dangling-link", stack("l->d l/x"), Warned),
    ]
}

/// The codes of entries that are errors or warnings.
fn codes_of_entries() -> impl Iterator<Item = &'static Code> {
    let of_entries = Code::ALL.iter().skip_while(|it| **it != Code::EntryPath);
    of_entries.filter(|it| it.severity() != Severity::Note)
}

#[test]
fn each_fault_of_an_entry_is_refused_or_told_where_a_tar_becomes_an_image() {
    let mut tried = BTreeSet::new();
    for (code, bytes, fate) in faulty() {
        let sandbox = Sandbox::new();
        sandbox.write("in.tar", &bytes);
        let found = sandbox.run(&["verify", "in.tar"]);
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        let line = found.lines().find(|it| it.contains(&format!("[{code}]")));
        let line = line.unwrap_or_else(|| panic!("{code}: {found}"));
        let consequence = found.lines().skip_while(|it| *it != line).nth(1);
        let consequence = consequence.expect("it stands below").trim();

        let output = sandbox.run(&["import", "in.tar", "imported"]);
        let expected = i32::from(fate != Fate::Warned);
        assert_eq!(output.code, Some(expected), "{code}: {}", output.stderr);
        assert!(
            output.stderr.contains(consequence),
            "{code}: {}",
            output.stderr
        );
        let is_there = sandbox.path("imported").exists();
        assert_eq!(is_there, fate == Fate::Warned, "{code}");

        let output = sandbox.run(&["convert", "in.tar", "converted"]);
        assert_eq!(
            output.code,
            Some(i32::from(fate == Fate::Never)),
            "{code}: {}",
            output.stderr
        );
        let is_told = output.stderr.contains(consequence);
        assert_eq!(is_told, fate != Fate::Never, "{code}: {}", output.stderr);
        tried.insert(code);
    }
    for code in codes_of_entries() {
        let is_known = tried.contains(code.name()) || OF_STACKS.contains(&code.name());
        assert!(is_known, "{code} is not tried: {}", code.meaning());
    }
}
