//! `--quiet`, and bars of commands beside each other.

use super::text;
use crate::support::make::{self, Image, Layout};
use crate::support::{Sandbox, fixture, tools};

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
            lines(&[other, "<missing>".to_owned()]),
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
    let quiet = sandbox.run(&["verify", "--quiet", "cut.tar"]);
    assert_eq!((quiet.code, &quiet.stderr), (Some(1), &loud.stderr));
    let loud = String::from_utf8(loud.stdout).expect("it is text");
    let loud: Vec<&str> = loud.lines().collect();
    let mut expected = String::new();
    for finding in loud.chunks(2).filter(|it| it[0].starts_with("error[")) {
        expected = format!("{expected}{}\n{}\n", finding[0], finding[1]);
    }
    assert!(!expected.is_empty(), "{loud:?}");
    assert_eq!(String::from_utf8_lossy(&quiet.stdout), expected);
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
        let script = script.replace("restow", env!("CARGO_BIN_EXE_restow"));
        let mut command = sandbox.command("script".as_ref());
        command.env("TERM", "xterm").env("SHELL", "/bin/sh");
        let output = command.args(["-qec", &script, "/dev/null"]).output();
        let output = output.expect("script can be run");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{script}: {said}");
        // It is told on a terminal in any case.
        let said = said.split("wrote ").next().expect("a text");
        assert_eq!(said.contains("kB"), is_shown, "{script}: {said:?}");
    }
}
