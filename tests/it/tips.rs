//! Wrong command lines: the error, and the hint that leads on.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::help::prepared;
use crate::support::listing::assert_golden;
use crate::support::sandbox::Sandbox;

/// Checks all that is printed for command lines that cannot be understood, against a file in
/// `testdata/golden`.
#[track_caller]
fn check(lines: &[&str], golden: &str) {
    let sandbox = Sandbox::new();
    let mut got = String::new();
    for line in lines {
        let output = sandbox.run(&words(line));
        assert_eq!(
            (output.code, output.stdout),
            (Some(2), Vec::new()),
            "{line}"
        );
        let _ = write!(got, "$ restow {line}\n{}", output.stderr);
    }
    assert_golden(golden, &got);
}

#[test]
fn words_of_other_tools_lead_to_a_command() {
    check(
        &[
            "ls demo.tar",
            "list",
            "image ls",
            "list-tags oci:d",
            "cp a b",
            "slim a b",
            "grep x a",
            "names",
            "json",
            "copy",
            "save app:1",
            "load",
            "pull nginx",
            "push",
            "login",
            "sync",
            "tag a b",
            "rmi a",
            "rm",
            "gc",
            "flatten",
            "merge",
            "docker-squash",
            "unpack",
            "untar",
            "mount",
            "insert",
            "commit",
            "build .",
            "run app",
            "version",
            "check",
            "validate",
            "scan",
            "sign",
            "manifest",
            "digest",
            "index",
            "info",
            "log",
            "tree",
            "files",
            "cat",
            "config",
            "mutate",
            "analyze",
            "compare a b",
            "container-diff",
            "rebase",
            "delta",
            "split",
            "serve",
            "init",
            "blob",
        ],
        "tips-commands.txt",
    );
}

#[test]
fn options_of_other_tools_lead_to_an_option() {
    check(
        &[
            "convert --format oci a b",
            "squash --format oci a b",
            "export --format oci a b",
            "images --format {{.ID}} a",
            "convert -o b a",
            "export --output b a",
            "import -o b a",
            "inspect -o b a",
            "convert -i a b",
            "import --input a b",
            "verify -i a",
            "squash --from-layer 3 a b",
            "convert --change CMD a b",
            "squash -c CMD a b",
            "import --env A=1 a b",
            "inspect --config a",
            "inspect -f {{.Id}} a",
            "history -f x a",
            "remove -f lay a",
            "rebase --new_base b a c",
            "rebase --old_base b --onto c a d",
            "convert --os linux a b",
            "convert --override-arch arm64 a b",
            "convert --all-platforms a b",
            "convert -a a b",
            "images --all a",
            "images --platform arm64 a",
            "verify --platform arm64 a",
            "export --tag x a",
            "inspect -t x a",
            "images --tag x a",
            "convert --additional-tag x a b",
            "convert --append a b",
            "waste --ci a",
            "waste --ci-config .dive-ci a",
            "waste --all a",
            "waste --os linux a",
            "waste -o b a",
            "-v",
            "convert -v a b",
            "convert --debug a b",
            "convert --src-tls-verify=false a b",
            "convert --creds u:p a b",
            "convert --dest-compress-format zstd a b",
            "convert --dest-decompress a b",
            "convert --overwrite a b",
            "convert -j 4 a b",
            "convert --tmp-dir x a b",
            "convert --silent a b",
            "images --no-color a",
            "convert --plain a b",
            "convert --digestfile x a b",
            "convert --preserve-digests a b",
            "convert --manifest-type oci a b",
            "convert -m a b",
            "convert --remove-signatures a b",
            "convert --squash a b",
            "images --full a",
            "verify --strict a",
            "convert --timestamp 0 a b",
            "convert --version",
            "diff --to a b",
            "diff -u a b",
            "diff --brief a b",
            "diff --ignore-timestamps a b",
            "diff --format json a b",
            "diff -r a b",
            "diff --name-only a b",
            "files -l a",
            "files -S a",
            "extract -f a b",
            "extract -C b a",
            "extract --rootless a b",
            "diff -i a b",
            "inspect -H a",
            "diff --human a b",
            "convert -H tcp://host a b",
            "squash --output-path b a",
            "append -o b a c",
            "append -b a -f c",
            "append --chown 0:0 a b c",
            "import --chown 0:0 a b",
            "append --exclude proc a b c",
            "import --exclude proc a b",
            "extract --exclude proc a b",
            "rebase --name x --onto a b c",
            "delta --image x a b c",
            "apply --image x a b c",
            "remove --image x lay",
            "remove --all lay",
        ],
        "tips-options.txt",
    );
}

#[test]
fn only_a_misspelling_is_corrected() {
    check(
        &[
            "conver a b",
            "sqash",
            "squahs",
            "imgaes",
            "verfy",
            "ixport",
            "image-inspect a",
            "foo",
            "context",
            "report",
            "demo.tar",
            "oci:lay:app:1.0",
            "histroy-of",
            "help conver",
            "help foo",
            "convert --platfrom x a b",
            "convert --tags x a b",
            "squash --laast 2 a b",
            "images --no-trunk a",
            "convert --formt a b",
            "convert --imagine x a b",
            "export --dry-run a",
            "convert --last 2 a b",
            "--all",
            "verify -x a",
            "convert --progress jsn a b",
            "convert --progress fancy a b",
            "squash --layers 2-3 a b",
            "squash --layers 2,3 a b",
            "squash --layers 2,4 a b",
            "convert --platform linux/amd64,linux/arm64 a b",
            "convert --tag app:1,app:2 a b",
            "inspect --platform linux/amd64,linux/arm64 a",
        ],
        "tips-spelling.txt",
    );
}

#[test]
fn arguments_that_are_missing_or_too_many_have_a_hint() {
    check(
        &[
            "convert",
            "convert -",
            "import",
            "import a",
            "import a b app:1",
            "export",
            "export a b etc/passwd",
            "squash a b",
            "squash --all",
            "remove",
            "delta a",
            "apply a b",
            "squash --all a",
            "squash --all a b c",
            "squash --all --last 2 a b",
            "squash -f 2 a b",
            "squash -f base:1 a",
            "squash -f a",
            "rebase",
            "rebase a",
            "rebase a b",
            "rebase --onto a b",
            "rebase --onto a b c d",
            "extract a",
            "cat a",
            "append",
            "append a",
            "append a b",
            "config a -c CMD",
            "inspect",
            "inspect a b",
            "history a b",
            "images",
            "verify",
            "verify a b",
            "diff",
            "diff CONTAINER",
            "diff --ignore a b",
            "files --layer 0 a",
            "cat --layer 1..2 a b",
            "diff --text etc/passwd --json a b",
            "verify --explain x a",
            "help a b",
            "completions",
            "man",
            "squash --image a --image b x y",
            "squash --platform amd64 --platform arm64 x y",
            "convert --tag",
            "convert --tag= a b",
            "convert --force=yes a b",
            "convert -f=yes a b",
            "convert -t=app:1 -qf=yes a b",
            "images -q=true a",
        ],
        "tips-arguments.txt",
    );
}

/// Splits a line at spaces; `''` is an empty word.
fn words(line: &str) -> Vec<&str> {
    let words = line.split_whitespace();
    words
        .map(|word| if word == "''" { "" } else { word })
        .collect()
}

#[test]
fn an_empty_path_is_none() {
    check(
        &[
            "files a ''",
            "files a etc ''",
            "cat a ''",
            "extract a b ''",
            "diff a b ''",
            "diff --text '' a b",
            "append a b --delete ''",
            "append a b c --at ''",
            "append a b ''",
            "remove a ''",
        ],
        "tips-empty.txt",
    );
}

#[test]
fn a_name_after_a_place_is_that_of_an_image_in_it() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tar", "");
    sandbox.write("lay/oci-layout", "");
    let cases: [(&str, Expect); 12] = [
        (
            "export lay app:1.0",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`; to name a file, type `./app:1.0`
            "#]],
        ),
        (
            "extract in.tar app:1.0",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `in.tar`, type `docker-archive:in.tar:app:1.0`; to name a file, type `./app:1.0`
            "#]],
        ),
        (
            "diff lay app:1.0",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`; restow only reads files; pipe the image in: `docker save app:1.0 | restow diff A -`; to name a file, type `./app:1.0`
            "#]],
        ),
        (
            "delta oci:lay app:1.0 out",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `oci:lay`, type `oci:lay:app:1.0`; restow only reads files; pipe the image in: `docker save app:1.0 | restow delta OLD - DELTA`; to name a file, type `./app:1.0`
            "#]],
        ),
        (
            "images lay app:1.0",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`
            "#]],
        ),
        (
            "images oci:lay app:1.0",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `oci:lay`, type `oci:lay:app:1.0`
            "#]],
        ),
        (
            "images in.tar app:1.0",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `in.tar`, type `docker-archive:in.tar:app:1.0`
            "#]],
        ),
        (
            "convert lay app:1.0 out.tar",
            expect![[r#"
                error: `app:1.0`: unknown transport `app`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`
            "#]],
        ),
        (
            "inspect lay app:1.0",
            expect![[r#"
                error: unexpected argument `app:1.0`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`
                  usage: restow inspect [OPTIONS] <SRC>
            "#]],
        ),
        (
            "squash --all lay app:1.0 out.tar",
            expect![[r#"
                error: unexpected argument `out.tar`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`
                  usage: restow squash [OPTIONS] <--all|--last <N>|--layers <A..B>|--above <BASE>|--max-layers <N>> <SRC> [DST]
            "#]],
        ),
        (
            "verify lay app:1.0",
            expect![[r#"
                error: unexpected argument `app:1.0`
                  hint: to name an image in `lay`, type `oci:lay:app:1.0`
                  usage: restow verify [OPTIONS] [SRC]
            "#]],
        ),
        (
            "images lay docker-daemon:app:1",
            expect![[r#"
                error: `docker-daemon:app:1`: unknown transport `docker-daemon`
                  hint: restow only reads files; pipe the image in: `docker save app:1 | restow images -`
            "#]],
        ),
    ];
    for (line, says) in cases {
        sandbox.run(&words(line)).ends(2, says);
    }
}

#[test]
fn what_names_no_input_or_no_file_leads_to_the_right_form() {
    let sandbox = prepared();
    let delta = ["delta", "-q", "base.tar", "app.tar", "new.delta"];
    sandbox.run(&delta).silent();
    let cases: Vec<(&str, Expect)> = vec![
        (
            "apply new.delta base.tar out.tar",
            expect![[r#"
                Some(1)
                error: cannot read `base.tar`
                  caused by: it contains no delta; `restow delta OLD NEW DELTA` writes one
                  hint: the delta is the second argument: `restow apply OLD DELTA NEW`
            "#]],
        ),
        (
            "files app.tar app:1.0",
            expect![[r#"
                Some(1)
                error: no `/app:1.0` in `app:1.0`
                  hint: to name an image in `app.tar`, type `docker-archive:app.tar:app:1.0`
            "#]],
        ),
        (
            "cat docker-archive:app.tar app:1.0 etc/os-release",
            expect![[r#"
                Some(1)
                error: no `/app:1.0` in `app:1.0`
                  hint: to name an image in `docker-archive:app.tar`, type `docker-archive:app.tar:app:1.0`
            "#]],
        ),
        (
            "files docker-archive:app.tar:app:1.0 app:1.0",
            expect![[r#"
                Some(1)
                error: no `/app:1.0` in `app:1.0`
                  hint: `restow files SRC '**/app:1.0'` looks in every folder
            "#]],
        ),
        (
            "files app.tar etc app:1.0",
            expect![[r#"
                Some(1)
                error: no `/app:1.0` in `app:1.0`
                  hint: `restow files SRC '**/app:1.0'` looks in every folder
            "#]],
        ),
        (
            "files /etc app.tar",
            expect![[r#"
                Some(1)
                error: cannot read `/etc`
                  caused by: it is a folder; expected an OCI layout
                  hint: `app.tar` is an archive: SRC comes first, as in `restow files SRC PATH`
            "#]],
        ),
        (
            "files /etc lay",
            expect![[r#"
                Some(1)
                error: cannot read `/etc`
                  caused by: it is a folder; expected an OCI layout
                  hint: `lay` is a layout: SRC comes first, as in `restow files SRC PATH`
            "#]],
        ),
        (
            "cat app etc/os-release app.tar",
            expect![[r#"
                Some(1)
                error: cannot read `app`
                  caused by: No such file or directory
                  hint: `app.tar` is an archive: SRC comes first, as in `restow cat SRC PATH`
            "#]],
        ),
        (
            "cat rootdir/bin/sh app.tar",
            expect![[r#"
                Some(1)
                error: cannot read `rootdir/bin/sh`
                  caused by: it is not a container image (looks like a text file); expected a docker archive, an OCI layout or a tar
                  hint: `app.tar` is an archive: SRC comes first, as in `restow cat SRC PATH`
            "#]],
        ),
        (
            "extract /etc out app.tar",
            expect![[r#"
                Some(1)
                error: cannot read `/etc`
                  caused by: it is a folder; expected an OCI layout
                  hint: `app.tar` is an archive: SRC comes first, as in `restow extract SRC DIR PATH`
            "#]],
        ),
        (
            "extract new app.tar",
            expect![[r#"
                Some(1)
                error: cannot read `new`
                  caused by: No such file or directory
                  hint: `app.tar` is an archive: SRC comes first, as in `restow extract SRC DIR PATH`
            "#]],
        ),
        (
            "files new /etc/passwd",
            expect![[r#"
                Some(1)
                error: cannot read `new`
                  caused by: No such file or directory
                  hint: if that is the name of an image: `docker save new | restow files -`
            "#]],
        ),
        (
            "append app.tar rootfs.tar new.tar",
            expect![[r#"
                Some(2)
                error: LAYER `new.tar` does not exist
                  hint: DST comes before the layers, as in `restow append SRC DST LAYER`; a LAYER is a tar, a folder, FILE:/PATH/IN/IMAGE, or - for a tar from standard input
            "#]],
        ),
        (
            "append app.tar out.tar new.tar",
            expect![[r#"
                Some(2)
                error: LAYER `new.tar` does not exist
                  hint: a LAYER is a tar, a folder, FILE:/PATH/IN/IMAGE, or - for a tar from standard input
            "#]],
        ),
        (
            "convert app.tar base.tar",
            expect![[r#"
                Some(1)
                error: `base.tar` already exists
                  hint: use `--force` to overwrite it; if it is another SRC, name DST after it
            "#]],
        ),
        (
            "convert app.tar app.tar",
            expect![[r#"
                Some(1)
                error: `app.tar` already exists
                  hint: use `--force` to overwrite it
            "#]],
        ),
        (
            "images docker-archive://app.tar",
            expect![[r#"
                Some(1)
                error: cannot read `//app.tar`
                  caused by: No such file or directory
                  hint: write the path without slashes before it: `docker-archive:app.tar`
            "#]],
        ),
        (
            "inspect oci://lay:app:1.0",
            expect![[r#"
                Some(1)
                error: cannot read `//lay`
                  caused by: No such file or directory
                  hint: write the path without slashes before it: `oci:lay`
            "#]],
        ),
        (
            "convert app.tar oci://new",
            expect![[r#"
                Some(2)
                error: `oci://new`: two slashes before the path
                  hint: type `oci:new`, or `oci:/new` for a path from the root
            "#]],
        ),
        (
            "convert app.tar oci://new/lay",
            expect![[r#"
                Some(2)
                error: `oci://new/lay`: two slashes before the path
                  hint: type `oci:new/lay`, or `oci:/new/lay` for a path from the root
            "#]],
        ),
        (
            "export app.tar rootfs://new.tar",
            expect![[r#"
                Some(2)
                error: `rootfs://new.tar`: two slashes before the path
                  hint: type `rootfs:new.tar`, or `rootfs:/new.tar` for a path from the root
            "#]],
        ),
        (
            "convert oci:///new out.tar",
            expect![[r#"
                Some(1)
                error: cannot read `///new`
                  caused by: No such file or directory
            "#]],
        ),
        (
            "files app.tar os-release",
            expect![[r#"
                Some(1)
                error: no `/os-release` in `app:1.0`
                  hint: `restow files SRC '**/os-release'` looks in every folder
            "#]],
        ),
        (
            "files app.tar /os-release",
            expect![[r#"
                Some(1)
                error: no `/os-release` in `app:1.0`
                  hint: `restow files SRC '**/os-release'` looks in every folder
            "#]],
        ),
        (
            "cat app.tar os-release",
            expect![[r#"
                Some(1)
                error: no `/os-release` in `app:1.0`
                  hint: `restow files SRC '**/os-release'` looks in every folder
            "#]],
        ),
        (
            "extract app.tar out os-release",
            expect![[r#"
                Some(1)
                error: no `/os-release` in `app:1.0`
                  hint: `restow files SRC '**/os-release'` looks in every folder
            "#]],
        ),
        (
            "files app.tar etc/hosts",
            expect![[r#"
                Some(1)
                error: no `/etc/hosts` in `app:1.0`
                  hint: `restow files SRC` lists the files of the image
            "#]],
        ),
        (
            "files app.tar *.conf",
            expect![[r#"
                Some(1)
                error: no path in `app:1.0` matches `/*.conf`
                  hint: `'**/*.conf'` matches in every folder
            "#]],
        ),
        (
            "convert --image 1 lay out.tar",
            expect![[r#"
                Some(1)
                error: no image `1` in `lay`
                  hint: to choose by number: `'#1'`; available: `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
        (
            "inspect oci:lay:2",
            expect![[r#"
                Some(1)
                error: no image `2` in `lay`
                  hint: to choose by number: `'#2'`; available: `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
        (
            "convert --image 0 lay out.tar",
            expect![[r#"
                Some(1)
                error: no image `0` in `lay`
                  hint: available: `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
        (
            "convert --image app:1.0,base:1.0 lay out.tar",
            expect![[r#"
                Some(1)
                error: no image `app:1.0,base:1.0` in `lay`
                  hint: name one image; `convert` takes several: `--image REF --image REF`; available: `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
        (
            "remove lay 1",
            expect![[r#"
                Some(1)
                error: no image `1` in `lay`
                  hint: to choose by number: `'#1'`; available: `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
        (
            "remove lay app:1.0,base:1.0",
            expect![[r#"
                Some(1)
                error: no image `app:1.0,base:1.0` in `lay`
                  hint: separate the images by spaces; available: `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
        (
            "convert --image 1 app.tar lay out.tar",
            expect![[r#"
                Some(1)
                error: no image `1` in any of the 2 inputs
                  hint: to choose by number: `'#1'`; available: `app:1.0` (f0b88d7e41f9), `app:1.0` (7b6f0c9e29d8), `base:1.0` (5f4bff4cb0fc)
            "#]],
        ),
    ];
    for (line, says) in cases {
        let output = sandbox.run(&words(line));
        assert!(output.stdout.is_empty(), "{output:?}");
        says.assert_eq(&format!("{:?}\n{}", output.code, output.stderr));
    }
}

#[test]
fn a_program_gets_the_same_as_an_object() {
    let sandbox = Sandbox::new();
    let mut got = String::new();
    for line in [
        "ls",
        "sqash",
        "foo",
        "convert --format oci a b",
        "convert - ",
        "squash a b c",
        "squash a b",
        "convert --compress lz4 a b",
        "",
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = sandbox.run(&[&["--progress", "json"], words.as_slice()].concat());
        assert_eq!(
            (output.code, output.stdout),
            (Some(2), Vec::new()),
            "{line}"
        );
        let event: Value = serde_json::from_str(&output.stderr).expect("it is one object");
        let _ = writeln!(got, "$ restow {line}\n{event}");
    }
    expect![[r#"
        $ restow ls
        {"event":"error","message":"unknown command `ls`","causes":[],"hint":"`restow images SRC` lists the images in an archive or layout, `restow files SRC` the files of an image"}
        $ restow sqash
        {"event":"error","message":"unknown command `sqash`","causes":[],"hint":"did you mean `restow squash`?"}
        $ restow foo
        {"event":"error","message":"unknown command `foo`","causes":[],"hint":"`restow --help` lists the commands"}
        $ restow convert --format oci a b
        {"event":"error","message":"unknown option `--format`","causes":[],"hint":"`--to FORMAT` chooses the output format: `docker-archive`, `oci` or `oci-archive`"}
        $ restow convert - 
        {"event":"error","message":"missing argument: DST","causes":[],"hint":"DST is a file, `oci:DIR` for a layout, or `-` for stdout, as in `docker save NAME | restow convert - FILE`"}
        $ restow squash a b c
        {"event":"error","message":"unexpected argument `c`","causes":[],"hint":"`squash` reads one SRC and writes one DST"}
        $ restow squash a b
        {"event":"error","message":"missing option: one of `--all`, `--last N`, `--layers A..B`, `--above BASE` or `--max-layers N`","causes":[],"hint":"`--all` merges all layers"}
        $ restow convert --compress lz4 a b
        {"event":"error","message":"invalid value `lz4` for `--compress`: expected keep, none, gzip, gzip:LEVEL, zstd or zstd:LEVEL","causes":[],"hint":null}
        $ restow 
        {"event":"error","message":"no command given","causes":[],"hint":"`restow --help` lists the commands"}
    "#]].assert_eq(&got);
}
