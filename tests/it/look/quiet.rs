//! `--quiet`, and bars of commands beside each other.

use super::text;
use crate::support::make::{self, Image, Layout};
use crate::support::{Sandbox, fixture, screen, tools};

/// As docker does: ids alone, one for each name.
#[test]
fn quiet_lists_ids_alone() {
    let sandbox = Sandbox::new();
    let two = [
        Image::new(&["app:1", "app:2"], &["file a 1"]),
        Image::new(&[], &["file b 2", "file c 3"]),
    ];
    sandbox.write("in.tar", make::tar(&make::docker(&two)));
    let [first, second] = two.each_ref().map(Image::id);
    let short = |id: &str| id["sha256:".len()..][..12].to_owned();
    let lines = |lines: &[String]| lines.join("\n") + "\n";
    let (one, other) = (short(&first), short(&second));
    let cases = [
        (
            &["images", "-q", "in.tar"][..],
            lines(&[one.clone(), one.clone(), other.clone()]),
        ),
        (
            &["images", "-q", "--no-trunc", "in.tar"],
            lines(&[first.clone(), first, second]),
        ),
        (
            &["images", "--quiet", "--filter", "dangling=true", "in.tar"],
            lines(std::slice::from_ref(&other)),
        ),
        (
            &["images", "-q", "--filter", "reference=none", "in.tar"],
            String::new(),
        ),
        (
            &["history", "-q", "--image", "#2", "in.tar"],
            lines(&[other]),
        ),
        (
            &["history", "-q", "--no-trunc", "--image", "#2", "in.tar"],
            lines(&[two[1].id(), "<missing>".to_owned()]),
        ),
    ];
    for (arguments, expected) in cases {
        assert_eq!(text(sandbox.run(arguments)), expected, "{arguments:?}");
    }
    // What programs ask for stays.
    for command in ["images", "history"] {
        let arguments = [command, "--image", "#1", "--json", "in.tar"];
        let arguments: Vec<&str> = match command {
            "images" => vec!["images", "--json", "in.tar"],
            _ => arguments.to_vec(),
        };
        let loud = text(sandbox.run(&arguments));
        let quiet = text(sandbox.run(&[&arguments[..], &["-q"]].concat()));
        assert_eq!(quiet, loud, "{command}");
    }
    // An index has an id of its own, an attestation is no image.
    let mut layout = Layout::default();
    let image = layout.image(&two[0]);
    let attestation = layout.attestation(&image);
    let index = layout.nested(&[image, attestation]);
    layout.add_named(&index, "app:1");
    let referrer = layout.referrer(&index);
    layout.index.push(referrer);
    sandbox.write("layout.tar", make::tar(&layout.members()));
    let digest = index["digest"].as_str().expect("a digest");
    let got = text(sandbox.run(&["images", "-q", "layout.tar"]));
    assert_eq!(got, lines(&[short(digest)]));
}

#[test]
fn quiet_verifies_in_silence() {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1"]);
    sandbox.write("good.tar", make::tar(&make::docker(&[image])));
    sandbox.run(&["verify", "-q", "good.tar"]).silent();
    // Warnings and notes say nothing is wrong.
    sandbox.write("noted.tar", fixture("docker20__edge.tar"));
    sandbox.run(&["verify", "-q", "noted.tar"]).silent();
    let mut cut = sandbox.read("good.tar");
    cut.truncate(1000);
    sandbox.write("cut.tar", cut);
    let loud = sandbox.run(&["verify", "cut.tar"]);
    assert_eq!(loud.code, Some(1), "{loud:?}");
    let quiet = sandbox.run(&["verify", "--quiet", "cut.tar"]);
    let said = (quiet.code, &*quiet.stderr, &*quiet.stdout);
    assert_eq!(said, (Some(1), "", &b""[..]));
    // A program gets what it asks for.
    let json = |options: &[&str]| {
        let output = sandbox.run(&[&["verify", "--json", "cut.tar"], options].concat());
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert_eq!(json(&["-q"]), json(&[]));
    let events = sandbox.run(&["verify", "-q", "--progress", "json", "cut.tar"]);
    let last = events.stderr.lines().last().expect("an event");
    assert!(last.starts_with("{\"event\":\"error\","), "{last}");
    // What is in the way of a check is no finding.
    let missing = sandbox.run(&["verify", "-q", "missing.tar"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.starts_with("error: "), "{missing:?}");
}

#[test]
fn commands_beside_each_other_show_one_bar() {
    if !tools::is_installed("script") {
        return tools::skip("bars on a terminal", "script(1) is not installed");
    }
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["file a 1"]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    let slow = "(head -c 2000 in.tar; sleep 0.6; tail -c +2001 in.tar)";
    for (script, is_shown) in [
        (format!("{slow} | restow convert - out.tar -f"), true),
        (format!("{slow} | restow convert - - > out.tar"), true),
        (
            format!("{slow} | restow convert - - | cat > out.tar"),
            false,
        ),
        (
            format!("{slow} | restow convert --progress bar - - | cat > out.tar"),
            true,
        ),
        (format!("{slow} | restow convert -q - out.tar -f"), false),
    ] {
        let said = screen::on_terminal(&sandbox, &script, 80, &[]);
        // It is told on a terminal in any case.
        let said = said.split("wrote ").next().expect("a text");
        assert_eq!(said.contains("kB"), is_shown, "{script}: {said:?}");
    }
}
