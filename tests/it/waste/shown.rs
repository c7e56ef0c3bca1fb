//! The report for people.

use std::fmt::Write as _;

use expect_test::expect;

use crate::support::judge::Format;
use crate::support::listing::assert_golden;
use crate::support::make::Image;
use crate::support::screen::on_terminal;
use crate::support::squash::put;
use crate::support::{Sandbox, fixture, tools};

/// The fixture of the goldens.
const EDGE: &str = "docker20__edge.tar";

#[test]
fn a_fixture_is_shown_as_the_golden_says() {
    let sandbox = Sandbox::new();
    sandbox.write(EDGE, fixture(EDGE));
    let mut printed = String::new();
    for options in [
        &[][..],
        &["--human=false", "--no-trunc", "--top=100"],
        &["--depth=2", "--top=3"],
        &["--json"],
    ] {
        let arguments = [&["waste"], options, &[EDGE]].concat();
        let text = String::from_utf8(sandbox.run(&arguments).data("")).expect("it is UTF-8");
        write!(printed, "$ restow {}\n{text}\n", arguments.join(" ")).expect("text can grow");
    }
    assert_golden("waste/docker20__edge.txt", &printed);
}

#[test]
fn it_fits_into_a_terminal() {
    if !tools::is_installed("script") {
        return tools::skip("waste on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    sandbox.write("edge.tar", fixture(EDGE));
    let mut printed = String::new();
    for width in [40, 80, 120] {
        let shown = on_terminal(&sandbox, "restow waste --top 3 edge.tar", width, &[]);
        write!(printed, "{width} columns\n{shown}\n").expect("text can grow");
    }
    assert_golden("waste/terminal.txt", &printed);
}

#[test]
fn names_steer_no_terminal() {
    let sandbox = Sandbox::new();
    let layers = crate::support::layer::stack(r"a\x1b[31m\xff=1 | .wh.a\x1b[31m\xff");
    let image = Image::of_layers(&["app:1"], layers);
    let source = put(&sandbox, "in", Format::Docker, &image);
    for options in [&[][..], &["--depth=1"], &["--json"]] {
        let arguments = [&["waste"], options, &[&source]].concat();
        let text = String::from_utf8(sandbox.run(&arguments).data("")).expect("it is UTF-8");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let bytes = if options == ["--json"] {
            "L2EbWzMxbf8="
        } else {
            "\\xff"
        };
        assert!(text.contains("[31m") && text.contains(bytes), "{text}");
    }
}

#[test]
fn the_command_lines_can_be_typed() {
    let sandbox = Sandbox::new();
    let layers = ["file a 1", "file b 2", "file .wh.a", "file .wh.b"];
    let image = Image::new(&["app:1"], &layers);
    put(&sandbox, "in dir/in.tar", Format::OciArchive, &image);
    put(&sandbox, "in.tar", Format::OciArchive, &image);
    let plans = |arguments: &[&str]| {
        let arguments = [&["waste"], arguments].concat();
        let text = String::from_utf8(sandbox.run(&arguments).data("")).expect("it is UTF-8");
        let (_, plans) = text.split_once("\nFREES").expect("there are plans");
        let lines = plans.lines().skip(1);
        let commands =
            lines.map(|line| line[line.find("restow").expect("it is a command")..].to_owned());
        commands.collect::<Vec<String>>()
    };
    assert_eq!(
        plans(&["in.tar"]),
        [
            "restow squash --layers 1.. in.tar DST",
            "restow squash --layers 2.. in.tar DST",
        ]
    );
    for (arguments, rest) in [
        (
            &["oci-archive:in.tar:app:1"][..],
            " oci-archive:in.tar:app:1 DST",
        ),
        (&["--image", "#1", "in.tar"], " --image '#1' in.tar DST"),
        (
            &["--image", "app:1", "--platform", "linux/amd64", "in.tar"],
            " --image app:1 --platform linux/amd64 in.tar DST",
        ),
        (&["in dir/in.tar"], " 'in dir/in.tar' DST"),
    ] {
        let first = format!("restow squash --layers 1..{rest}");
        assert_eq!(plans(arguments)[0], first);
    }
    for command in plans(&["in.tar"]) {
        let typed = command.replace("DST", "docker-archive:out.tar --force");
        let words: Vec<&str> = typed.split(' ').skip(1).collect();
        sandbox.run(&words).reports();
    }
}

#[test]
fn nothing_hidden_is_said_in_a_few_lines() {
    let sandbox = Sandbox::new();
    let source = put(
        &sandbox,
        "in",
        Format::Docker,
        &Image::new(&["app:1"], &["file a 1"]),
    );
    let text = String::from_utf8(sandbox.run(&["waste", &source]).data("")).expect("it is UTF-8");
    expect![[r#"
        Image ID       sha256:d7c15db727b13b8664de8dcea7ad886835d6faef901c692f9e616f3070d017be
        Layers         1, 2.05kB as stored
        Files          1B uncompressed
        Seen           1B
        Hidden         0B (0%)
        Efficiency     100%
    "#]]
    .assert_eq(&text);
}
