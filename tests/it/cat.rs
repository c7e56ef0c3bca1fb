//! `cat`: the content of files, of the merged tree or of one layer.

use expect_test::expect;

use crate::support::codec::Codec;
use crate::support::judge::Format;
use crate::support::layer::stack;
use crate::support::make::{self, Image};
use crate::support::sandbox::Sandbox;
use crate::support::squash::put;

const STACK: &str = "\
    bin->usr/bin etc/hosts=localhost etc/localtime->/usr/share/zone null(c1:3) pipe(p) \
    up->../../../etc/hosts usr/bin/sh=shell usr/share/zone=utc loop->loop gone->nowhere | \
    etc/hosts=LOCALHOST usr/.wh.bin hard=>etc/hosts | usr/bin/new=n etc/.wh.hosts";

fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], stack(STACK));
    put(&sandbox, "in.tar", Format::Docker, &image);
    sandbox
}

#[test]
fn files_are_printed_as_a_container_sees_them() {
    let sandbox = prepared();
    for (paths, content) in [
        (&["hard"][..], "LOCALHOST"),
        (&["/etc/localtime"], "utc"),
        (&["bin/new"], "n"),
        (
            &["/bin/new", "hard", "./usr/share/../share/zone"],
            "nLOCALHOSTutc",
        ),
    ] {
        let arguments = [&["cat", "in.tar"], paths].concat();
        let (data, _) = sandbox.run(&arguments).data_and_warnings();
        assert_eq!(String::from_utf8_lossy(&data), content, "{paths:?}");
    }
}

#[test]
fn a_layer_has_its_own_files() {
    let sandbox = prepared();
    for (layer, path, content) in [
        ("1", "etc/hosts", "localhost"),
        ("2", "etc/hosts", "LOCALHOST"),
        ("2", "hard", "LOCALHOST"),
        ("1", "/usr/bin/sh", "shell"),
    ] {
        let run = sandbox.run(&["cat", "--layer", layer, "in.tar", path]);
        let (data, _) = run.data_and_warnings();
        assert_eq!(String::from_utf8_lossy(&data), content, "{layer} {path}");
    }
}

#[test]
fn what_is_not_a_file_is_named() {
    let sandbox = prepared();
    let fails = |arguments: &[&str]| {
        let output = sandbox.run(&[&["cat", "in.tar"], arguments].concat());
        format!("{arguments:?}\n{}", output.refuses())
    };
    let cases: [&[&str]; 17] = [
        &["nothing"],
        &["etc/hosts"],
        &["up"],
        &["bin/sh"],
        &["etc"],
        &["null"],
        &["pipe"],
        &["gone"],
        &["loop"],
        &["hard/x"],
        &["hard/"],
        &["--layer", "2", "hard/"],
        &["etc/*"],
        &["--layer", "3", "etc/hosts"],
        &["--layer", "3", "hard"],
        &["--layer", "1", "bin"],
        // Nothing is printed before all are found.
        &["hard", "nothing"],
    ];
    let shown: Vec<String> = cases.into_iter().map(fails).collect();
    expect![[r#"
        ["nothing"]
        error: no `/nothing` in `app:1`
          hint: `restow files SRC '**/nothing'` looks in every folder

        ["etc/hosts"]
        error: no `/etc/hosts` in `app:1`: layer 3 of 3 deletes it
          hint: `restow files --all-layers SRC /etc/hosts` shows the layers that have it

        ["up"]
        error: no `/up` in `app:1`: there is no `/etc/hosts`
          hint: `restow files SRC` lists the files of the image

        ["bin/sh"]
        error: no `/bin/sh` in `app:1`: layer 2 of 3 deletes it
          hint: `restow files --all-layers SRC /bin/sh` shows the layers that have it

        ["etc"]
        error: `/etc` is a directory, not a regular file
          hint: `restow files SRC /etc` lists it

        ["null"]
        error: `/null` is a character device, not a regular file

        ["pipe"]
        error: `/pipe` is a named pipe, not a regular file

        ["gone"]
        error: no `/gone` in `app:1`: there is no `/nowhere`
          hint: `restow files SRC` lists the files of the image

        ["loop"]
        error: `/loop` in `app:1` leads through too many symbolic links, such as `/loop`

        ["hard/x"]
        error: no `/hard/x` in `app:1`: `/hard` is not a directory

        ["hard/"]
        error: no `/hard/` in `app:1`: `/hard` is not a directory

        ["--layer", "2", "hard/"]
        error: no `/hard/` in `app:1`: `/hard` is not a directory

        ["etc/*"]
        error: no `/etc/*` in `app:1`
          hint: only `files`, `extract` and the PATHs of `diff` may be patterns: `restow files SRC PATTERN` lists what one matches

        ["--layer", "3", "etc/hosts"]
        error: layer 3 of 3 deletes `/etc/hosts`
          hint: `restow files --all-layers SRC /etc/hosts` shows the layers that have it

        ["--layer", "3", "hard"]
        error: layer 3 of 3 does not have `/hard`
          hint: `restow files --all-layers SRC /hard` shows the layers that have it

        ["--layer", "1", "bin"]
        error: `/bin` is a symbolic link, not a regular file
          hint: `restow files --all-layers SRC /bin` shows its target; without `--layer`, links are followed

        ["hard", "nothing"]
        error: no `/nothing` in `app:1`
          hint: `restow files SRC '**/nothing'` looks in every folder
    "#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn every_form_of_input_has_the_same_content() {
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let layer = make::tar(&[
        make::Member::file("before", vec![1; 70_000]),
        make::Member::file("file", content.clone()),
        make::Member::file("after", "x"),
    ]);
    for (format, codec) in [
        (Format::Docker, Codec::Plain),
        (Format::Docker, Codec::Gzip),
        (Format::OciArchive, Codec::Zstd),
        (Format::Oci, Codec::Plain),
    ] {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], vec![layer.clone()]).stored_as(codec);
        let source = put(&sandbox, "in", format, &image);
        let file = sandbox.run(&["cat", &source, "file"]).data("");
        assert!(file == content, "{format:?} {codec:?}");
        if format == Format::Oci {
            continue;
        }
        let run = sandbox.restow(&["cat", &format.at("-"), "file"]);
        let piped = run.stdin_pipe(sandbox.read("in")).run().data("");
        assert!(piped == content, "{format:?} {codec:?} from a pipe");
    }
}

/// The number of stored bytes that a run reads.
fn bytes_read(sandbox: &Sandbox, paths: &[String]) -> (Vec<u8>, u64) {
    let mut arguments = vec!["cat", "--progress", "json", "in.tar"];
    arguments.extend(paths.iter().map(String::as_str));
    let output = sandbox.restow(&arguments).command().output();
    let output = output.expect("restow runs");
    let events = String::from_utf8(output.stderr).expect("JSON is UTF-8");
    let last = events.lines().last().expect("there is an event");
    let event: serde_json::Value = serde_json::from_str(last).expect("it is JSON");
    let bytes = event["bytes"]
        .as_u64()
        .expect("the last event has a number");
    (output.stdout, bytes)
}

#[test]
fn a_layer_is_read_once_for_many_files_in_any_order() {
    let sandbox = Sandbox::new();
    let member = |at: usize| (format!("f{at}"), format!("<{at}>").repeat(1000));
    let layer = |numbers: std::ops::Range<usize>| {
        let members = numbers.map(member);
        let members = members.map(|(name, content)| make::Member::file(name, content));
        make::tar(&members.collect::<Vec<_>>())
    };
    let image = Image::of_layers(&["app:1"], vec![layer(0..50), layer(50..100)]);
    put(
        &sandbox,
        "in.tar",
        Format::OciArchive,
        &image.stored_as(Codec::Gzip),
    );
    let (_, bytes_of_one) = bytes_read(&sandbox, &[member(99).0]);
    let (_, bytes_of_two) = bytes_read(&sandbox, &[member(0).0, member(99).0]);
    let forward: Vec<usize> = (0..100).collect();
    let backward: Vec<usize> = (0..100).rev().collect();
    let mixed: Vec<usize> = (0..300).map(|at| at * 37 % 100).collect();
    for order in [forward, backward, mixed] {
        let names: Vec<String> = order.iter().map(|at| member(*at).0).collect();
        let expected: String = order.iter().map(|at| member(*at).1).collect();
        let (content, bytes) = bytes_read(&sandbox, &names);
        assert!(content == expected.into_bytes(), "{order:?}");
        assert_eq!(bytes, bytes_of_two, "{order:?}");
    }
    assert!(bytes_of_one < bytes_of_two);
}

#[test]
fn a_file_is_found_among_many_others() {
    // Some names need an extended header, and some files more than one read.
    let name = |at: usize| match at % 5 {
        0 => format!("{at}/{}", "long/".repeat(40)) + "name",
        _ => format!("f{at}"),
    };
    let content = |at: usize| format!("<{at}>").repeat(at * at * at % 7000);
    let members = (0..400).map(|at| make::Member::file(name(at), content(at)));
    let layer = make::tar(&members.collect::<Vec<_>>());
    for codec in [Codec::Plain, Codec::Gzip] {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], vec![layer.clone()]);
        put(
            &sandbox,
            "in.tar",
            Format::OciArchive,
            &image.stored_as(codec),
        );
        for wanted in [
            &[0][..],
            &[62],
            &[63],
            &[64],
            &[65],
            &[127],
            &[128],
            &[399],
            &[1, 70, 135, 390],
            &[64, 65, 66, 310],
            &[399, 64, 63, 64],
        ] {
            let names: Vec<String> = wanted.iter().map(|at| name(*at)).collect();
            let mut arguments = vec!["cat", "in.tar"];
            arguments.extend(names.iter().map(String::as_str));
            let expected: String = wanted.iter().map(|at| content(*at)).collect();
            let found = sandbox.run(&arguments).data("");
            assert!(found == expected.into_bytes(), "{codec:?} {wanted:?}");
        }
    }
}

#[test]
fn files_that_do_not_fit_into_memory_come_in_the_wanted_order() {
    let sandbox = Sandbox::new();
    let content = |at: u8| vec![at; 3_000_000];
    let members = (b'a'..b'g').map(|at| make::Member::file(char::from(at), content(at)));
    let layer = make::tar(&members.collect::<Vec<_>>());
    let image = Image::of_layers(&["app:1"], vec![layer]);
    put(&sandbox, "in.tar", Format::Docker, &image);
    for order in ["fedcba", "abcdef", "fafbfcfdfe", "aaabbbccc", "cab"] {
        let paths: Vec<String> = order.chars().map(String::from).collect();
        let mut arguments = vec!["cat", "in.tar"];
        arguments.extend(paths.iter().map(String::as_str));
        let found = sandbox.run(&arguments).data("");
        assert!(
            found == order.bytes().flat_map(content).collect::<Vec<u8>>(),
            "{order}"
        );
    }
}

#[test]
fn a_sparse_file_has_its_holes() {
    let sandbox = Sandbox::new();
    let path = crate::support::testdata("docker20__edge.tar");
    let path = path.to_str().expect("it is UTF-8");
    let sparse = sandbox
        .run(&["cat", path, "/s/sparse"])
        .data_and_warnings()
        .0;
    assert_eq!(sparse.len(), 300_000);
}

#[test]
fn a_damaged_layer_is_not_printed_in_silence() {
    let sandbox = Sandbox::new();
    let image = Image::of_layers(&["app:1"], stack("a=content"));
    let mut image = image.stored_as(Codec::Gzip);
    let last = image.layers[0].len() - 6;
    image.layers[0][last] ^= 1;
    put(&sandbox, "in.tar", Format::Docker, &image);
    let said = sandbox.run(&["cat", "in.tar", "a"]).refuses();
    expect![[r#"
        error: cannot read layer 1 of 1 of `app:1`
          caused by: its gzip stream is damaged
          caused by: corrupt gzip stream does not have a matching checksum
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_reader_that_stops_early_is_no_failure() {
    let sandbox = Sandbox::new();
    let layer = make::tar(&[make::Member::file("big", vec![b'L'; 10_000_000])]);
    let image = Image::of_layers(&["app:1"], vec![layer]);
    put(&sandbox, "in.tar", Format::Docker, &image);
    let restow = env!("CARGO_BIN_EXE_restow");
    let script = format!("{restow} cat in.tar big | head -c 1");
    let mut command = sandbox.command(std::path::Path::new("bash"));
    let output = command.args(["-o", "pipefail", "-c", &script]).output();
    let output = output.expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(0), b"L".to_vec())
    );
}
