//! Many files, and many names of one file.

use std::io::{Read, Write};

use super::{compared, sandbox};
use crate::support::cost::{MEMORY, measure};
use crate::support::entry::{Entry, Kind};
use crate::support::judge::Format;
use crate::support::layer::tar;
use crate::support::make::Image;
use crate::support::squash::put;
use crate::support::{Sandbox, codec::Codec};

/// A layer of files, each with this content.
fn files(names: impl Iterator<Item = String>, content: &str) -> Vec<u8> {
    let file = |name| Entry::new(name, Kind::File(content.into()));
    tar(&names.map(|name: String| file(name)).collect::<Vec<_>>())
}

#[test]
fn a_hundred_thousand_files_and_their_squash_in_little_memory() {
    let layer = |from: usize| {
        let names = (from..from + 50_000).map(|n| format!("directory-{}/file-{n}", n % 100));
        files(names, &from.to_string())
    };
    let image = Image::of_layers(&["app:1"], vec![layer(0), layer(50_000)]);
    let sandbox = Sandbox::new();
    let source = put(
        &sandbox,
        "in",
        Format::Docker,
        &image.stored_as(Codec::Zstd),
    );
    sandbox
        .run(&["squash", "-q", "--all", &source, "out"])
        .silent();
    let run = sandbox.restow(&["diff", &source, "out"]);
    let (report, said, cost) = measure(
        run.command(),
        |_: &mut dyn Write| Ok(()),
        |stdout: &mut dyn Read| {
            let mut text = String::new();
            stdout
                .read_to_string(&mut text)
                .expect("the report is text");
            text
        },
    );
    assert_eq!(said, "");
    assert!(report.ends_with("Files          100101 same\n"), "{report}");
    assert!(cost.memory < MEMORY, "{} bytes of memory", cost.memory);
    assert_eq!(cost.spool, 0, "files need no temporary");
}

/// Names of one file are compared and reported as a group, not one by one with each other.
#[test]
fn sixty_thousand_names_of_one_file() {
    let names = || (0..60_000).map(|n| format!("d/{n:05}"));
    let link = |name: String| Entry::new(name, Kind::Link(b"d/00000".to_vec()));
    let mut linked = vec![Entry::new("d/00000", Kind::File(b"x".to_vec()))];
    linked.extend(names().skip(1).map(link));
    for entry in &mut linked {
        entry.meta.mode = 0o644;
    }
    let [a, b] =
        [tar(&linked), files(names(), "x")].map(|layer| Image::of_layers(&["app:1"], vec![layer]));
    let sandbox = sandbox(&a, &b);
    assert_eq!(compared(&sandbox, &["-q", "a", "a"]).1, 0);
    let (report, code) = compared(&sandbox, &["a", "b"]);
    let changes: Vec<&str> = report.lines().skip(6).collect();
    assert_eq!(
        (changes.as_slice(), code),
        (
            [
                "m /d/00000  hard links /d/00000 = /d/00001 = /d/00002 = /d/00003 = 59996 more -> \
              /d/00000, /d/00001, /d/00002, /d/00003, 59996 more"
            ]
            .as_slice(),
            1
        )
    );
}
