//! Names of outputs that say a compression.

use expect_test::{Expect, expect};

use crate::support::Sandbox;
use crate::support::codec::{Codec, decompress};
use crate::support::engine::{Loaded, unique};
use crate::support::image::facts;
use crate::support::judge::Format;
use crate::support::make::{self, Image, Member};
use crate::support::{own, tools};

/// A folder with an archive of an image with a layer of each compression, which is larger
/// than what is compressed at once, and with a root filesystem.
fn sandbox(tag: &str) -> (Sandbox, Image) {
    let sandbox = Sandbox::new();
    let noise: Vec<u8> = (0_u32..1_700_000)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 8).to_le_bytes())
        .collect();
    let large = make::tar(&[Member::file("noise", noise)]);
    let small = make::layer("file a 1");
    let mut image = Image::of_layers(&[tag], vec![large, small]);
    image.layers[1] = Codec::Gzip.compress(&image.layers[1]);
    let archive = make::tar(&make::docker(std::slice::from_ref(&image)));
    sandbox.write("in.tar", archive);
    sandbox.run(&["export", "in.tar", "rootfs.tar"]).silent();
    (sandbox, image)
}

const NAMES: [(&str, Codec); 4] = [
    ("out.gz.tar", Codec::Plain),
    ("out.tar.gz", Codec::Gzip),
    ("out.TGZ", Codec::Gzip),
    ("out.tar.zst", Codec::Zstd),
];

const WRITERS: [&[&str]; 6] = [
    &["convert", "in.tar"],
    &["convert", "--to", "oci-archive", "in.tar"],
    &["convert", "--compress", "zstd", "in.tar"],
    &["squash", "--all", "in.tar"],
    &["export", "in.tar"],
    &["import", "rootfs.tar"],
];

#[test]
fn an_output_is_compressed_as_its_name_says_and_holds_the_same() {
    let (sandbox, _) = sandbox("app:1");
    for command in WRITERS {
        let plain = [command, &["plain.tar", "--force"]].concat();
        drop(sandbox.run(&plain).reports());
        let plain = sandbox.read("plain.tar");
        for (name, codec) in NAMES {
            let mut first = None;
            for jobs in ["1", "3"] {
                let arguments = [command, &[name, "--force", "--jobs", jobs]].concat();
                drop(sandbox.run(&arguments).reports());
                let bytes = sandbox.read(name);
                assert_eq!(Codec::of(&bytes), codec, "{arguments:?}");
                let first = first.get_or_insert_with(|| bytes.clone());
                assert!(bytes == *first, "{arguments:?}: the jobs matter");
            }
            let got = decompress(&sandbox.read(name));
            if command[0] == "export" || codec == Codec::Plain {
                assert!(got == plain, "{command:?} {name}");
            }
        }
    }
}

#[test]
fn images_in_a_compressed_output_are_those_of_a_plain_one() {
    let (sandbox, image) = sandbox("app:1");
    for from in ["in.tar", "-"] {
        for (to, name) in [
            (Format::Docker, "a.tgz"),
            (Format::OciArchive, "a.tar.gz"),
            (Format::Docker, "a.tar.zst"),
            (Format::OciArchive, "a.tzst"),
        ] {
            let run = sandbox.restow(&["convert", "--force", from, &to.at(name)]);
            run.stdin_pipe(sandbox.read("in.tar")).run().silent();
            let bytes = sandbox.read(name);
            sandbox.write("unpacked", decompress(&bytes));
            let images = to.images(&sandbox.path("unpacked"));
            assert_eq!(facts(&images), [image.facts()], "{from} {name}");
            // It is read again as it is.
            sandbox
                .run(&["convert", "--force", name, "back.tar"])
                .silent();
            let back = own::archive(&sandbox.path("back.tar"));
            assert_eq!(facts(&back), [image.facts()], "{from} {name}");
        }
    }
    // A folder has whatever name it has.
    sandbox
        .run(&["convert", "in.tar", "oci:folder.gz"])
        .silent();
    let images = Format::Oci.images(&sandbox.path("folder.gz"));
    assert_eq!(facts(&images), [image.facts()]);
}

#[test]
fn what_fails_leaves_no_compressed_file() {
    let (sandbox, _) = sandbox("app:1");
    let whole = sandbox.read("in.tar");
    sandbox.write("cut.tar", &whole[..whole.len() / 2]);
    sandbox.write("there.tar.gz", "an older output");
    for name in ["new.tar.gz", "new.tar.zst", "there.tar.gz"] {
        for command in ["convert", "export"] {
            let output = sandbox.run(&[command, "--force", "cut.tar", name]);
            drop(output.refuses());
        }
    }
    let says = expect![[r#"
        error: `there.tar.gz` already exists
          hint: use `--force` to overwrite it
    "#]];
    sandbox
        .run(&["convert", "in.tar", "there.tar.gz"])
        .fails(says);
}

#[test]
fn names_that_promise_something_else_are_refused() {
    let (sandbox, _) = sandbox("app:1");
    let cases: [(&[&str], Expect); 9] = [
        (
            &["convert", "in.tar", "out.tar.xz"],
            expect![[r#"
                error: `out.tar.xz`: restow does not write `.xz`
                  hint: use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`; `restow convert SRC - | xz > out.tar.xz`
            "#]],
        ),
        (
            &["squash", "--all", "in.tar", "docker-archive:out.tbz2:app:1"],
            expect![[r#"
                error: `out.tbz2`: restow does not write `.tbz2`
                  hint: use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`; `restow squash … SRC - | bzip2 > out.tbz2`
            "#]],
        ),
        (
            &["export", "in.tar", "out.TXZ"],
            expect![[r#"
                error: `out.TXZ`: restow does not write `.txz`
                  hint: use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`; `restow export SRC | xz > out.TXZ`
            "#]],
        ),
        (
            &["import", "rootfs.tar", "out.zip"],
            expect![[r#"
                error: `out.zip`: restow does not write `.zip`
                  hint: use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`
            "#]],
        ),
        (
            &["export", "--compress", "zstd", "in.tar", "out.tar.gz"],
            expect![[r#"
                error: the suffix of DST selects gzip, but `--compress` selects zstd
                  hint: omit `--compress`, or rename DST
            "#]],
        ),
        (
            &["export", "--compress", "none", "in.tar", "out.tgz"],
            expect![[r#"
                error: the suffix of DST selects gzip, but `--compress` selects none
                  hint: omit `--compress`, or rename DST
            "#]],
        ),
        (
            &["export", "--compress", "gzip:9", "in.tar", "out.zst"],
            expect![[r#"
                error: the suffix of DST selects zstd, but `--compress` selects gzip
                  hint: omit `--compress`, or rename DST
            "#]],
        ),
        (
            &["export", "--compress", "gzip", "in.tar", "out.tar.xz"],
            expect![[r#"
                error: `out.tar.xz`: restow does not write `.xz`
                  hint: use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`; `restow export SRC | xz > out.tar.xz`
            "#]],
        ),
        (
            &["convert", "missing.tar", "out.tar.xz"],
            expect![[r#"
                error: `out.tar.xz`: restow does not write `.xz`
                  hint: use a name that ends in `.tar`, `.tar.gz` or `.tar.zst`; `restow convert SRC - | xz > out.tar.xz`
            "#]],
        ),
    ];
    for (arguments, says) in cases {
        sandbox.run(arguments).ends(2, says);
    }
    // The option alone says how it is done.
    for (options, name, codec) in [
        (&["--compress", "gzip:9"][..], "a.tgz", Codec::Gzip),
        (&["--compress", "zstd"], "a.tar", Codec::Zstd),
        (&["--compress", "none"], "b.tar", Codec::Plain),
    ] {
        let arguments = [&["export", "in.tar", name], options].concat();
        sandbox.run(&arguments).silent();
        let bytes = sandbox.read(name);
        assert_eq!(Codec::of(&bytes), codec);
        assert!(decompress(&bytes) == sandbox.read("rootfs.tar"));
    }
}

#[test]
fn an_engine_loads_what_is_compressed_with_gzip() {
    if !tools::has_engine() {
        return tools::skip("a compressed archive", "no Docker engine responds");
    }
    let _engine = tools::exclusive();
    let tag = format!("{}:1", unique());
    let (sandbox, _) = sandbox(&tag);
    sandbox.run(&["convert", "in.tar", "out.tar.gz"]).silent();
    let loaded = Loaded::load(&sandbox.read("out.tar.gz"), &[tag]);
    drop(loaded);
}
