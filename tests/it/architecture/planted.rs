//! Each kind of fault, planted once: it is seen, and told in full.

use super::faults;
use super::sources::Files;
use super::uses::Tree;

/// What may be used in the planted sources.
const MAY_USE: &[(&str, &str)] = &[("low", ""), ("high", "low"), ("main", "")];

/// Sources in which `low` may not use `high`, and has these texts.
fn top(low: &str) -> Vec<(&'static str, String)> {
    let high = "pub mod part; pub struct Thing; pub fn make() {}";
    vec![
        ("src/lib.rs", "mod high; mod low;".to_owned()),
        ("src/low.rs", low.to_owned()),
        ("src/high/mod.rs", high.to_owned()),
        ("src/high/part.rs", "pub struct Inner;".to_owned()),
    ]
}

/// A folder `src/low/deep` with these sources.
fn deep(own: &str, files: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut sources = vec![
        ("src/lib.rs", "mod low;".to_owned()),
        ("src/low/mod.rs", "mod deep;".to_owned()),
        ("src/low/deep/mod.rs", own.to_owned()),
    ];
    let files = files.iter().map(|(path, text)| (*path, (*text).to_owned()));
    sources.extend(files);
    sources
}

/// Asserts all that is said of sources.
#[track_caller]
fn check(sources: Vec<(&str, String)>, expected: &[&str]) {
    let files: Files = sources
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text))
        .collect();
    let found = faults(&Tree::read(&files), MAY_USE);
    assert_eq!(found, expected, "{files:?}");
}

#[test]
fn a_use_that_the_table_forbids_is_seen_however_it_is_written() {
    let defined = "src/low.rs uses high: Inner, but low may not use high";
    let thing = "src/low.rs uses high: Thing, but low may not use high";
    let make = "src/low.rs uses high: make, but low may not use high";
    let module = "src/low.rs uses high: mod high, but low may not use high";
    let inner = "src/low.rs uses high: mod part, but low may not use high";
    let one = "src/low.rs uses high: ONE, but low may not use high";
    let cases: [(&str, &[&str]); 19] = [
        ("use crate::high::Thing;", &[thing]),
        ("pub use crate::high::Thing;", &[thing]),
        (
            "use crate::high::Thing as Other; fn f(_: Other) {}",
            &[thing],
        ),
        ("use crate::high::{Thing, make};", &[thing, make]),
        (
            "use crate::{high::{part::{self, Inner}, make}};",
            &[defined, make, inner],
        ),
        (
            "use crate::high::{self}; fn f() { high::make() }",
            &[make, module],
        ),
        ("use crate::high::*;", &[module]),
        ("use super::high::Thing;", &[thing]),
        ("mod inner { use super::super::high::Thing; }", &[thing]),
        ("use crate as root; fn f() { root::high::make() }", &[make]),
        ("fn f() { crate::high::make() }", &[make]),
        ("fn f() { use crate::high::Thing; }", &[thing]),
        ("fn f() -> Vec<crate::high::Thing> { Vec::new() }", &[thing]),
        (
            "fn f(it: u8) { match it { crate::high::ONE => (), _ => () } }",
            &[one],
        ),
        ("impl crate::high::Thing {}", &[thing]),
        (
            "fn f() { assert!(!{ [crate::high::make()] }.is_empty()) }",
            &[make],
        ),
        ("macro_rules! m { () => { $crate::high::make() } }", &[make]),
        (
            "#[arg(value_parser = crate::high::make)] struct S;",
            &[make],
        ),
        (
            "#[cfg(test)] mod tests { use crate::high::Thing; }",
            &[thing],
        ),
    ];
    for (low, expected) in cases {
        check(top(low), expected);
    }
}

#[test]
fn what_only_looks_like_a_use_is_none() {
    for low in [
        "// crate::high::make()\n/// [`crate::high::Thing`]\nstruct S;",
        "struct S { pub(in crate::high) field: u8 } const T: &str = \"crate::high\";",
        "use high::Thing; use ::high::make; fn high() { high() }",
        "use std::{high, low as make}; fn f(x: S) { make!(x.high, high); }",
        "use crate::low::x; use self::y; fn x() {} fn y() {}",
    ] {
        check(top(low), &[]);
    }
}

#[test]
fn what_is_used_through_others_is_that_which_defines_it() {
    let mut sources = top("use crate::Thing; use crate::middle::Inner;");
    sources[0].1 = "mod high; mod low; mod middle; pub use high::*;".to_owned();
    sources.push(("src/middle.rs", "pub use crate::high::part::*;".to_owned()));
    sources.push((
        "src/main.rs",
        "mod cli; fn main() { cli::run() }".to_owned(),
    ));
    sources.push(("src/cli.rs", "pub fn run() {}".to_owned()));
    let expected = [
        "cli is not in the table",
        "middle is not in the table",
        "src/low.rs uses high (through lib.rs): Thing, but low may not use high",
        "src/low.rs uses high (through middle.rs): Inner, but low may not use high",
        "src/low.rs uses middle (through middle.rs): Inner, but low may not use middle",
        "src/main.rs uses cli: run, but main may not use cli",
    ];
    check(sources, &expected);
}

#[test]
fn a_circle_is_seen_in_each_folder() {
    let a = "src/low/deep/a.rs";
    let b = "src/low/deep/b.rs";
    let plain = deep(
        "mod a; mod b;",
        &[
            (a, "use crate::low::deep::b::Other; pub struct Thing;"),
            (b, "pub struct Other; fn f() { super::a::Thing; }"),
        ],
    );
    let circle = "src/low/deep: a → b → a\n  \
                  src/low/deep/a.rs uses b: Other\n  \
                  src/low/deep/b.rs uses a: Thing";
    check(plain, &[circle]);

    let through_mod = deep(
        "mod a; mod b; mod c; \
         pub use self::{a::*, b::{Other as Another}}; pub(crate) use c::Third;",
        &[
            (a, "use crate::low::deep::Another; pub struct Thing;"),
            (b, "use super::{Third}; pub struct Other;"),
            (
                "src/low/deep/c/mod.rs",
                "mod inner; pub(super) use inner::Third;",
            ),
            (
                "src/low/deep/c/inner.rs",
                "use crate::low::deep::*; pub struct Third(Thing);",
            ),
        ],
    );
    let circle = "src/low/deep: a → b → c → a\n  \
                  src/low/deep/a.rs uses b (through mod.rs): Other\n  \
                  src/low/deep/b.rs uses c (through mod.rs, c/mod.rs): Third\n  \
                  src/low/deep/c/inner.rs uses a (through mod.rs): Thing";
    check(through_mod, &[circle]);

    let defined_in_mod = deep(
        "mod a; pub use a::Thing; pub struct Own(Thing);",
        &[(a, "use super::Own; pub struct Thing;")],
    );
    let circle = "src/low/deep: a → mod → a\n  \
                  src/low/deep/a.rs uses mod: Own\n  \
                  src/low/deep/mod.rs uses a: Thing";
    check(defined_in_mod, &[circle]);
}

#[test]
fn what_goes_in_one_direction_is_no_circle() {
    let a = "src/low/deep/a.rs";
    let b = "src/low/deep/b.rs";
    let gathers = deep(
        "mod a; mod b; pub use a::Thing; pub use b::*;",
        &[
            (a, "use super::Other; pub struct Thing;"),
            (b, "pub struct Other;"),
        ],
    );
    check(gathers, &[]);
    let tests = deep(
        "mod a; mod b; #[cfg(all(test, unix))] mod tests; pub struct Own;",
        &[
            (
                a,
                "use super::Own; #[cfg(test)] mod tests { use crate::low::deep::b::Other; }",
            ),
            (b, "use super::a; pub struct Other;"),
            ("src/low/deep/tests.rs", "use super::{Own, a, b};"),
        ],
    );
    check(tests, &[]);
}
