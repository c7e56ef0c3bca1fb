//! `verify` finds every fault that is planted, by its code, and none where there is none.

mod attributes;
mod bare;
mod docker;
mod documents;
mod engine;
mod entries;
mod fields;
mod inputs;
mod tied;
mod truth;

use restow::Code;

use crate::support::expected::Expected;
use crate::support::make::{self, Image, Member};
use crate::support::sandbox::{Output, Sandbox};
use crate::support::tied::assert_tied;

/// The image that faults are planted in.
fn app() -> Image {
    Image::new(&["app:1"], &["file a 1", "file b 2", "file c 3"])
}

/// What was found, a line each: severity, code, place, fact. Digests are shortened, and
/// what follows from a finding is left to the code.
#[track_caller]
fn found(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).expect("the report is UTF-8");
    let mut lines: Vec<String> = text.lines().map(shortened).collect();
    let summary = lines.pop().expect("there is a summary");
    assert!(summary.contains(" read: "), "{summary}");
    let (findings, consequences) = (lines.iter().step_by(2), lines.iter().skip(1).step_by(2));
    for consequence in consequences {
        assert!(consequence.starts_with("  "), "{consequence}");
    }
    let findings: Vec<String> = findings.cloned().collect();
    let errors = findings
        .iter()
        .filter(|it| it.starts_with("error["))
        .count();
    let expected = match errors {
        0 => (Some(0), String::new()),
        1 => (Some(1), "error: verification failed: 1 error\n".to_owned()),
        errors => (
            Some(1),
            format!("error: verification failed: {errors} errors\n"),
        ),
    };
    assert_eq!((output.code, output.stderr.clone()), expected, "{text}");
    findings
}

/// A line with `…` for each run of digits that could be a digest.
fn shortened(line: &str) -> String {
    let mut short = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let digits = rest.len() - rest.trim_start_matches(is_digit).len();
        let length = digits.max(rest.chars().next().map_or(0, char::len_utf8));
        let (part, behind) = rest.split_at(length);
        short.push_str(if digits >= 64 { "…" } else { part });
        rest = behind;
    }
    short
}

/// The findings as a text of lines.
fn listed(findings: &[String]) -> String {
    findings.iter().flat_map(|it| [it, "\n"]).collect()
}

/// Checks that just this is found in an archive.
#[track_caller]
fn check(name: &str, archive: &[u8], expected: impl Expected) {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", archive);
    let output = sandbox.run(&["verify", "in.tar"]);
    expected.check(&listed(&found(&output)), name);
    assert_tied(name, &sandbox, "in.tar", &output);
}

/// Checks that just this is found in an archive of these members.
#[track_caller]
fn check_members(name: &str, members: &[Member], expected: impl Expected) {
    check(name, &make::tar(members), expected);
}

/// Changes the content of the member with this name.
#[track_caller]
fn edit(mut members: Vec<Member>, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Member> {
    let found = members.iter_mut().find_map(|member| match member {
        Member::File(found, content) if found == name => Some(content),
        _ => None,
    });
    change(found.unwrap_or_else(|| panic!("no field `{name}`")));
    members
}

/// Changes the JSON of the member with this name.
#[track_caller]
fn edit_json(
    members: Vec<Member>,
    name: &str,
    change: impl FnOnce(&mut serde_json::Value),
) -> Vec<Member> {
    edit(members, name, |content| {
        let mut value = serde_json::from_slice(content).expect("the member is JSON");
        change(&mut value);
        *content = value.to_string().into_bytes();
    })
}

/// Leaves the member with this name out.
#[track_caller]
fn without(mut members: Vec<Member>, name: &str) -> Vec<Member> {
    let before = members.len();
    members.retain(|member| member.name() != name);
    assert!(members.len() < before, "no field `{name}`");
    members
}

#[test]
fn a_fault_is_planted_for_every_code() {
    let planted = [
        include_str!("verify/attributes.rs"),
        include_str!("verify/docker.rs"),
        include_str!("verify/documents.rs"),
        include_str!("verify/entries.rs"),
        include_str!("verify/fields.rs"),
        include_str!("verify/inputs.rs"),
        include_str!("ends.rs"),
        include_str!("carry/shown.rs"),
    ];
    let planted = planted.concat();
    for code in Code::ALL {
        let label = format!("{}[{code}]", code.severity());
        assert!(planted.contains(&label), "{label}");
    }
}
