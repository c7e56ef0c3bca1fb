//! `restow append`: new layers on top of an image.

mod changed;
mod engines;
mod paths;
mod refused;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::canonical::assert_bytes;
use crate::support::codec::{Codec, decompress, digest};
use crate::support::entry::{entries, words};
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::sandbox::Sandbox;
use crate::support::squash::{Squashed, put, read};

/// The layers of an image, each as words.
const BASE: &str = "etc/ etc/hosts=localhost tmp/(01777,@5) usr/ usr/lib/(0750,3:4) lib->usr/lib | \
                    data->/srv srv/ srv/f=old";

/// Writes an image with these layers, and returns its name on the command line.
#[track_caller]
fn base(sandbox: &Sandbox, format: Format, layers: &str) -> String {
    let image = Image::of_layers(&["app:1"], layer::stack(layers));
    put(sandbox, "in", format, &image)
}

/// Writes files to the sandbox that all have the time of the default of a word.
fn files(sandbox: &Sandbox, all: &[(&str, &str, u32)]) {
    for (name, content, mode) in all {
        sandbox.write(name, content);
        let path = sandbox.path(name);
        fs::set_permissions(&path, Permissions::from_mode(*mode)).expect("a mode can be set");
        age(sandbox, name);
    }
}

/// Sets the time of a file or folder to one second after 1970.
fn age(sandbox: &Sandbox, name: &str) {
    let file = File::open(sandbox.path(name)).expect("it can be opened");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    file.set_modified(time).expect("a time can be set");
}

/// Runs the command without warnings, and reads the image that it writes to `out`.
#[track_caller]
fn append(sandbox: &Sandbox, arguments: &[&str]) -> Squashed {
    let arguments = [&["append"], arguments].concat();
    let run = sandbox.restow(&arguments).env("SOURCE_DATE_EPOCH", "9");
    run.run().silent();
    read(sandbox, "out", Format::Docker)
}

/// The words of the layers from this one on, counted from 0.
fn added(squashed: &Squashed, from: usize) -> String {
    let layers = squashed.stored[from..].iter();
    let words = layers.map(|it| words(&layer::read(&decompress(it))));
    words.collect::<Vec<_>>().join(" | ")
}

fn config(squashed: &Squashed) -> Value {
    serde_json::from_str(&squashed.image.config).expect("a config is JSON")
}

#[test]
fn a_tar_keeps_its_bytes_in_every_format_from_a_file_and_a_pipe() {
    let tar = layer::tar(&entries("x/(@7) x/y=z x/l=>x/y"));
    for codec in Codec::ALL {
        for format in Format::ALL {
            for is_piped in [false, true] {
                let sandbox = Sandbox::new();
                let source = base(&sandbox, format, BASE);
                let packed = codec.compress(&tar);
                sandbox.write("layer", &packed);
                let out = format.at("out");
                let layer = if is_piped { "-" } else { "layer" };
                let run = sandbox.restow(&["append", &source, &out, layer, "-t", "app:2"]);
                let run = if is_piped {
                    run.stdin_pipe(packed.clone())
                } else {
                    run
                };
                let what = format!("{codec:?} {format:?} {is_piped}");
                drop(run.run().reports());
                let written = read(&sandbox, "out", format);
                let before = layer::stack(BASE);
                assert_eq!(written.stored.len(), 3, "{what}");
                assert!(written.stored[..2] == before, "{what}");
                let kept = match codec {
                    Codec::Xz | Codec::Bzip2 => decompress(&written.stored[2]) == tar,
                    _ => written.stored[2] == packed,
                };
                assert!(kept, "{what}");
                assert_eq!(written.image.diff_ids()[2], digest(&tar), "{what}");
                assert!(written.image.tags[0].ends_with("app:2"), "{what}");
                sandbox.run(&["verify", &out]).reports();
            }
        }
    }
}

#[test]
fn layers_come_in_their_order_with_a_history_entry_each() {
    let sandbox = Sandbox::new();
    let source = base(&sandbox, Format::Docker, BASE);
    files(&sandbox, &[("new/a", "1", 0o600), ("tool", "2", 0o755)]);
    sandbox.write("l.tar", layer::tar(&entries("b=3(1:2,@7)")));
    let arguments = [
        &source,
        "out",
        "new",
        "l.tar",
        "tool:/bin/",
        "--delete",
        "/etc/hosts",
        "-m",
        "why",
        "-c",
        "ENV A=1",
    ];
    let arguments = [&["append"][..], &arguments].concat();
    sandbox.run(&arguments).silent();
    let written = read(&sandbox, "out", Format::Docker);
    let expected = "etc/ etc/.wh.hosts | a=1(0600) | b=3(1:2,@7) | bin/(@0) bin/tool=2(0755)";
    assert_eq!(added(&written, 2), expected);
    assert_bytes(&written.stored[2]);
    let config = config(&written);
    let entry = |time: u32| {
        let created = format!("1970-01-01T00:00:0{time}Z");
        json!({"created": created, "created_by": "restow append", "comment": "why"})
    };
    let history = config["history"].as_array().expect("there is a history");
    assert_eq!(history[history.len() - 4..], [1, 1, 7, 1].map(entry));
    let full = history.iter().filter(|it| it["empty_layer"] != true);
    assert_eq!(full.count(), 6);
    let env = config["config"]["Env"].as_array().expect("it was set");
    assert_eq!(env.last(), Some(&json!("A=1")));
}

#[test]
fn an_image_is_made_of_a_file_alone() {
    let sandbox = Sandbox::new();
    files(&sandbox, &[("hello", "binary", 0o755)]);
    let entrypoint = "ENTRYPOINT [\"/hello\"]";
    let arguments = [
        "-t",
        "hello:1",
        "-c",
        entrypoint,
        "--platform",
        "linux/arm/v6",
    ];
    let words = [&["scratch", "out", "./hello:/hello"][..], &arguments].concat();
    let written = append(&sandbox, &words);
    assert_eq!(added(&written, 0), "hello=binary(0755)");
    let expected = json!({
        "architecture": "arm", "config": {"Entrypoint": ["/hello"]}, "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": written.image.diff_ids()}, "variant": "v6",
        "created": "1970-01-01T00:00:09Z",
        "history": [{"created": "1970-01-01T00:00:09Z", "created_by": "restow append"}],
    });
    assert_eq!(config(&written), expected);
    let archive = sandbox.read("out");
    let words = [
        &["append", "scratch", "-", "./hello:/hello"][..],
        &arguments,
    ]
    .concat();
    let run = sandbox.restow(&words).env("SOURCE_DATE_EPOCH", "9");
    assert!(
        run.run().data("") == archive,
        "a stream is the same archive"
    );
}

/// Another umask, order on disk and number of jobs, later times: the same bytes.
#[test]
fn the_same_input_is_the_same_image() {
    let run = |sandbox: &Sandbox, names: &[&str], umask: &'static str, jobs: &str| {
        let source = base(sandbox, Format::Docker, BASE);
        for name in names {
            files(sandbox, &[(name, name, 0o640)]);
        }
        symlink("x/a", sandbox.path("new/link")).expect("a link can be made");
        fs::set_permissions(sandbox.path("new/x"), Permissions::from_mode(0o755))
            .expect("a mode can be set");
        let words = ["append", "--jobs", jobs, "--compress", "gzip"];
        let words = [
            &words[..],
            &[&source, "out", "new", "new/x:/tmp", "--delete", "lib"],
        ];
        let run = sandbox.restow(&words.concat()).umask(umask);
        run.env("SOURCE_DATE_EPOCH", "0").run().silent();
        sandbox.read("out")
    };
    let one = run(
        &Sandbox::new(),
        &["new/x/a", "new/x/b", "new/c"],
        "022",
        "1",
    );
    let other = run(
        &Sandbox::new(),
        &["new/c", "new/x/b", "new/x/a"],
        "077",
        "4",
    );
    assert!(one == other);
}

#[test]
fn new_layers_are_compressed_like_the_topmost_or_as_wanted() {
    for (stored, how, folder, tar) in [
        (Codec::Plain, "keep", Codec::Plain, Codec::Gzip),
        (Codec::Gzip, "keep", Codec::Gzip, Codec::Gzip),
        (Codec::Gzip, "none", Codec::Plain, Codec::Plain),
        (Codec::Plain, "zstd", Codec::Zstd, Codec::Zstd),
    ] {
        let sandbox = Sandbox::new();
        let image = Image::of_layers(&["app:1"], layer::stack("a=1")).stored_as(stored);
        let source = put(&sandbox, "in", Format::Oci, &image);
        files(&sandbox, &[("new/a", "1", 0o600)]);
        sandbox.write("l", Codec::Gzip.compress(&layer::tar(&entries("b"))));
        let words = ["append", "--compress", how, &source, "oci:out", "new", "l"];
        sandbox.run(&words).silent();
        let written = read(&sandbox, "out", Format::Oci);
        let codecs: Vec<Codec> = written.stored.iter().map(|it| Codec::of(it)).collect();
        assert_eq!(codecs, [stored, folder, tar], "{stored:?} {how}");
    }
}

#[test]
fn more_layers_than_engines_take_are_told_of() {
    for (before, warns) in [(123, false), (124, true)] {
        let sandbox = Sandbox::new();
        let layers: Vec<String> = (0..before).map(|it| format!("f{it}")).collect();
        let source = base(&sandbox, Format::Docker, &layers.join(" | "));
        sandbox.write("l", layer::tar(&entries("a")));
        let run = sandbox.run(&["append", &source, "out", "l", "l"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let expected = "warning: the image gets 126 layers, but engines take at most 125\n  \
                        hint: `restow squash` makes one layer of several\n";
        assert_eq!(run.stderr, if warns { expected } else { "" });
    }
}
