//! Layers that are broken, or made to do harm: refused at once, by name, and nothing is left behind.
//!
//! Each layer is the second of three. It is refused by `export`, `files`, `cat` and `diff`, and by a squash
//! of all layers, of a range that has it, and of a range above it, which needs to
//! know what is below. What it does to a range below it is for `verify` to say.

mod corpus;
mod headers;

use crate::support::Sandbox;
use crate::support::codec::{Codec, digest};
use crate::support::entry::{Entry, entries};
use crate::support::judge::Format;
use crate::support::layer::{Dialect, header, member, pax, set, tar};
use crate::support::make::{self, Image, Member, docker};
use crate::support::squash::put;

/// More than any of these takes, and less than one would wait for.
const HANG: [&str; 2] = ["timeout", "60"];

/// The commands that read the layer.
const COMMANDS: [&[&str]; 5] = [
    &["export"],
    &["extract"],
    &["squash", "--all"],
    &["squash", "--layers", "2..3"],
    &["squash", "--layers", "3..3"],
];

/// The commands that look at the layer without comparing it with its digest: the words before
/// and after the input.
const LOOKERS: [(&[&str], &[&str]); 4] = [
    (&["cat"], &["top"]),
    (&["files"], &[]),
    (&["files", "--layer", "3"], &[]),
    (&["waste"], &[]),
];

/// The commands that find a fault in the structure of the layer.
fn readers(source: &str) -> Vec<Vec<&str>> {
    let writers = COMMANDS.map(|words| [words, &[source, "out.tar"]].concat());
    let lookers = LOOKERS.map(|(before, after)| [before, &[source], after].concat());
    writers.into_iter().chain(lookers).collect()
}

/// An image with this layer in its middle.
fn image(layer: Vec<u8>) -> Image {
    let [below, above] = ["base/ base/old file", "top"].map(|it| tar(&entries(it)));
    Image::of_layers(&["app:1"], vec![below, layer, above])
}

/// Checks that `diff` with another image fails with just this cause, in any order of the two,
/// with the exit code of trouble.
#[track_caller]
fn assert_not_compared(name: &str, image: &Image, says: &str) {
    let sandbox = Sandbox::new();
    let source = put(&sandbox, "in.tar", Format::Docker, image);
    let other = Image::of_layers(&["other:1"], vec![tar(&entries("base/ base/old file"))]);
    let other = put(&sandbox, "other.tar", Format::OciArchive, &other);
    for pair in [[&source, &other], [&other, &source]] {
        let run = sandbox.restow(&["diff", pair[0], pair[1]]).by(&HANG).run();
        assert_eq!((run.code, run.stdout), (Some(2), Vec::new()), "{name}");
        let lines = run.stderr.lines().filter(|it| !it.starts_with("warning: "));
        let said = lines.collect::<Vec<_>>().join("\n");
        let place = "error: cannot read layer 2 of 3 of `app:1`\n  caused by: ";
        let cause = said.strip_prefix(place);
        let cause = cause.unwrap_or_else(|| panic!("{name}: {said}"));
        match says.strip_prefix('…') {
            Some(end) => assert!(cause.ends_with(end), "{name}: {cause}"),
            None => assert_eq!(cause, says, "{name}"),
        }
    }
}

/// Checks that an image is refused with just these words about its second layer.
///
/// Where they begin with `…`, something may stand before them: a name of many
/// kilobytes, in whole or in part.
#[track_caller]
fn assert_refused(name: &str, image: &Image, says: &str) {
    assert_refused_by(name, image, says, false);
    assert_not_compared(name, image, says);
}

/// Checks the same, by those that compare the layer with its digests alone.
#[track_caller]
fn assert_refused_by(name: &str, image: &Image, says: &str, is_digest: bool) {
    for format in [Format::Docker, Format::OciArchive] {
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in.tar", format, image);
        let commands = if is_digest {
            COMMANDS.len()
        } else {
            usize::MAX
        };
        for command in readers(&source).into_iter().take(commands) {
            let run = sandbox.restow(&command).by(&HANG).run();
            // The sandbox checks that a run which failed has changed and left nothing.
            let said = run.refuses();
            let said: Vec<&str> = said
                .lines()
                .filter(|it| !it.starts_with("warning: "))
                .collect();
            let said = said.join("\n");
            let place = "error: cannot read layer 2 of 3 of `app:1`\n  caused by: ";
            let cause = said.strip_prefix(place);
            let cause = cause.unwrap_or_else(|| panic!("{name}, {command:?}: {said}"));
            match says.strip_prefix('…') {
                Some(end) => assert!(cause.ends_with(end), "{name}, {command:?}: {cause}"),
                None => assert_eq!(cause, says, "{name}, {command:?}"),
            }
        }
    }
}

/// A layer of these entries, then `member` as it is, then an end.
fn with(words: &str, member: &[u8]) -> Vec<u8> {
    let mut bytes = tar(&entries(words));
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(member);
    bytes.extend([0; 1024]);
    bytes
}

/// A member whose header is changed before it is summed up.
fn edited(name: &str, flag: u8, content: &[u8], edit: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut header = header(name.as_bytes(), flag, Dialect::Pax);
    set(&mut header[100..108], 0o644);
    set(&mut header[124..136], content.len() as i128);
    edit(&mut header);
    let mut bytes = Vec::new();
    member(&mut bytes, header, content);
    bytes
}

/// A file with PAX records before it.
fn extended(name: &str, records: &[u8]) -> Vec<u8> {
    [
        edited("x", b'x', records, |_| ()),
        edited(name, b'0', b"", |_| ()),
    ]
    .concat()
}

#[track_caller]
fn check(cases: Vec<(&str, Vec<u8>, &str)>) {
    for (name, layer, says) in cases {
        assert_refused(name, &image(layer), says);
    }
}

#[test]
fn a_target_that_no_file_system_can_store() {
    check(vec![(
        "target too long",
        tar(&entries(&format!("a->{}", "x".repeat(4096)))),
        "entry `a`: its target has 4096 bytes, more than the limit of 4095",
    )]);
}

#[test]
fn names_that_lead_out() {
    check(vec![
        (
            "up",
            tar(&entries("a ../b")),
            "entry `../b`: the path leads out of the root",
        ),
        (
            "up inside",
            tar(&entries("a a/b/../../../c")),
            "entry `a/b/../../../c`: the path leads out of the root",
        ),
        (
            "hard link up to nothing",
            tar(&entries("a b=>../c")),
            "entry `b`: a hard link to `c`, which does not exist",
        ),
        (
            "hard link to the host",
            tar(&entries("a b=>/etc/passwd")),
            "entry `b`: a hard link to `etc/passwd`, which does not exist",
        ),
        (
            "hard link to itself",
            tar(&entries("a=>a")),
            "entry `a`: a hard link to itself",
        ),
        (
            "hard link forward",
            tar(&entries("a=>b b")),
            "entry `a`: a hard link to `b`, which does not exist",
        ),
        (
            "hard link to a directory",
            tar(&entries("d/ a=>d")),
            "entry `a`: a hard link to the directory `d`",
        ),
        (
            "hard link to a directory below",
            tar(&entries("a=>base")),
            "entry `a`: a hard link to the directory `base`",
        ),
        ("hard link to the root", tar(&entries("a=>/")), "…"),
        (
            "hard link to nothing",
            tar(&entries("a=>nothing")),
            "entry `a`: a hard link to `nothing`, which does not exist",
        ),
        (
            "symlinks in a circle",
            tar(&entries("a->b b->a a/x")),
            "entry `a/x`: its path has a symbolic link loop",
        ),
        (
            "symlink to itself",
            tar(&entries("a->a a/x")),
            "entry `a/x`: its path has a symbolic link loop",
        ),
        (
            "symlinks that grow",
            tar(&entries("a->a/a a/x")),
            "entry `a/x`: its path has a symbolic link loop",
        ),
        (
            "file as a directory",
            tar(&entries("a a/x")),
            "entry `a/x`: its parent `a` is not a directory",
        ),
        (
            "device as a directory",
            tar(&entries("a(c1:3) a/b/x")),
            "entry `a/b/x`: its parent `a` is not a directory",
        ),
        (
            "root as a file",
            tar(&entries("a .=x")),
            "entry `.`: the root is not a directory",
        ),
        (
            "root as a symlink",
            tar(&entries("a ./->x")),
            "entry `./`: the root is not a directory",
        ),
        (
            "whiteout of nothing",
            tar(&entries("d/ d/.wh.")),
            "entry `d/.wh.`: a whiteout must name the path that it deletes",
        ),
        (
            "whiteout of the directory",
            tar(&entries("d/ d/.wh..")),
            "entry `d/.wh..`: a whiteout must name the path that it deletes",
        ),
        (
            "whiteout of the parent",
            tar(&entries("d/ d/.wh...")),
            "entry `d/.wh...`: a whiteout must name the path that it deletes",
        ),
    ]);
}

#[test]
fn types_that_no_layer_has() {
    for (flag, shown) in [
        (b'V', "V"),
        (b'D', "D"),
        (b'M', "M"),
        (b'N', "N"),
        (b'Z', "Z"),
        (0xff, "\\xff"),
    ] {
        let layer = with("a", &edited("b", flag, b"", |_| ()));
        let says = format!("entry `b`: its type is `{shown}`, which a layer cannot have");
        assert_refused(shown, &image(layer), &says);
    }
}

#[test]
fn layers_for_windows() {
    let security = extended("a", &pax("MSWINDOWS.rawsd", b"AQAEgA=="));
    check(vec![(
        "MSWINDOWS",
        with("b", &security),
        "it is a Windows layer, which restow cannot merge",
    )]);
}

/// A layer of two files, one of them big, and a long name.
fn sample() -> Vec<Entry> {
    let long = "long/".repeat(60);
    let mut sample = entries(&format!("a/ a/x=1 {long}file=2 l->{long}t a/big b"));
    sample[4].kind = crate::support::entry::Kind::File(vec![b'x'; 1700]);
    sample
}

/// A tar that is cut off between two entries is one without an end, which Go's reader, and so
/// every engine, accepts. What is left of it has its digest, so nothing is hidden by that.
#[test]
fn tars_that_are_cut_off() {
    let whole = tar(&sample());
    // Behind `a/`, `a/x`, the long names with their records, the big file, and `b`.
    let ends = [0, 512, 1536, 2560, 3584, 4608, 5120, 7680, 8192];
    let cuts = (0..whole.len()).step_by(512);
    for cut in cuts.chain([1, 100, 513, 700, 8193]) {
        let sandbox = Sandbox::new();
        let layer = whole[..cut].to_vec();
        let source = put(&sandbox, "in.tar", Format::Docker, &image(layer));
        for command in COMMANDS {
            let arguments = [command, &[&source, "out.tar"]].concat();
            let run = sandbox.restow(&arguments).by(&HANG).run();
            if ends.contains(&cut) || cut >= whole.len() - 512 {
                drop(run.reports());
                assert!(sandbox.path("out.tar").exists(), "there is an output");
                sandbox.remove("out.tar");
                continue;
            }
            let said = run.refuses();
            let place = "error: cannot read layer 2 of 3 of `app:1`\n  caused by: ";
            let cause = said.strip_prefix(place);
            let cause = cause.unwrap_or_else(|| panic!("cut at {cut}: {said}"));
            let place = format!("the tar is truncated at byte {cut} (");
            let is_early = cause.contains(&place) && cause.ends_with(" missing)\n");
            assert!(is_early, "cut at {cut}: {cause}");
            let has_name = cause.starts_with("after entry `");
            assert_eq!(has_name, cut > 512, "cut at {cut}: {cause}");
        }
    }
}

/// Streams that are cut off, whose tar may be whole.
#[test]
fn compressed_layers_that_are_cut_off() {
    let good = tar(&sample());
    for (codec, name) in [(Codec::Gzip, "gzip"), (Codec::Zstd, "zstd")] {
        for cut in [1, 8, 20] {
            let mut image = image(good.clone()).stored_as(codec);
            let length = image.layers[1].len();
            image.layers[1].truncate(length - cut);
            for format in [Format::Docker, Format::OciArchive] {
                let sandbox = Sandbox::new();
                let source = put(&sandbox, "in.tar", format, &image);
                for command in readers(&source) {
                    let said = sandbox.restow(&command).by(&HANG).run().refuses();
                    let place = "error: cannot read layer 2 of 3 of `app:1`\n  caused by: ";
                    let expected = format!("{place}its {name} stream is damaged\n  caused by: ");
                    assert!(said.starts_with(&expected), "{cut} {command:?}: {said}");
                }
            }
        }
    }
}

#[test]
fn layers_that_are_not_those_of_the_config() {
    let good = image(tar(&sample()));
    let other = digest(b"other");
    let mut wrong = good.clone();
    let config = String::from_utf8(wrong.config).expect("a config is text");
    wrong.config = config.replace(&good.diff_ids[1], &other).into_bytes();
    let got = &good.diff_ids[1];
    let says = format!("layer does not match its diff_id: expected {other}, got {got}");
    assert_refused_by("another diff_id", &wrong, &says, true);
}

/// The output has the bytes of the one that is right, and said that they were as many as
/// those of the other.
#[test]
fn layers_that_another_image_has_right() {
    let right = Image::new(&["right:1"], &["file a x"]);
    let wrong =
        Image::new(&["wrong:1"], &["file a x"]).with_config(|it| it["author"] = "me".into());
    for (images, position) in [([&right, &wrong], 1), ([&wrong, &right], 0)] {
        let mut members = docker(&images.map(Clone::clone));
        let is_layer = |it: &Member| it.name().ends_with("layer.tar");
        let mut layers = members.iter_mut().filter(|it| is_layer(it));
        let (first, second) = (layers.next(), layers.next());
        let both = [first, second].map(|it| it.expect("there are two layers"));
        for (at, layer) in both.into_iter().enumerate() {
            let content = match at {
                _ if at == position => b"wrong".to_vec(),
                _ => right.layers[0].clone(),
            };
            *layer = Member::file(layer.name(), content);
        }
        let tar = make::tar(&members);
        let (expected, got) = (&right.diff_ids[0], digest(b"wrong"));
        let says = format!(
            "error: cannot read layer 1 of 1 of `wrong:1`\n  caused by: layer does not match its \
             diff_id: expected {expected}, got {got}\n"
        );
        for target in ["docker-archive:out", "oci-archive:out", "oci:out"] {
            let sandbox = Sandbox::new();
            sandbox.write("in.tar", &tar);
            sandbox.run(&["convert", "in.tar", target]).fails(&says);
            let run = sandbox.restow(&["convert", "-", target]);
            run.stdin_pipe(tar.clone()).run().fails(&says);
        }
    }
}

/// An image of another system may have layers that look like those of any.
#[test]
fn images_for_windows() {
    for os in ["windows", "Windows"] {
        let windows = image(tar(&sample())).with_config(|config| config["os"] = os.into());
        let sandbox = Sandbox::new();
        let source = put(&sandbox, "in.tar", Format::Docker, &windows);
        for command in COMMANDS {
            let platform = ["--platform", "windows/amd64"];
            let arguments = [command, &platform, &[&source, "out.tar"]].concat();
            let said = sandbox.restow(&arguments).run().refuses();
            let expected = "error: `app:1` is a Windows image, whose layers cannot be merged\n";
            assert_eq!(said, expected, "{command:?}");
        }
    }
}
