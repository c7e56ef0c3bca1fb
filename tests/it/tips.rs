//! Wrong command lines: the error, and the hint that leads on.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// Checks all that is printed for command lines that cannot be understood.
#[track_caller]
fn check(lines: &[&str], expected: Expect) {
    let sandbox = Sandbox::new();
    let mut got = String::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = sandbox.run(&words);
        assert_eq!(
            (output.code, output.stdout),
            (Some(2), Vec::new()),
            "{line}"
        );
        let _ = write!(got, "$ restow {line}\n{}", output.stderr);
    }
    expected.assert_eq(&got);
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
            "extract",
            "mount",
            "append",
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
            "diff",
            "rebase",
            "delta",
            "split",
            "serve",
            "init",
            "blob",
        ],
        expect![[r#"
            $ restow ls demo.tar
            error: unknown command `ls`
              hint: `restow images SRC` lists the images in an archive or layout, `restow export SRC | tar -tv` the files of an image
            $ restow list
            error: unknown command `list`
              hint: `restow images SRC` lists the images in an archive or layout, `restow export SRC | tar -tv` the files of an image
            $ restow image ls
            error: unknown command `image`
              hint: `restow images SRC` lists the images in an archive or layout, `restow export SRC | tar -tv` the files of an image
            $ restow list-tags oci:d
            error: unknown command `list-tags`
              hint: `restow images SRC` lists the images in an archive or layout, `restow export SRC | tar -tv` the files of an image
            $ restow cp a b
            error: unknown command `cp`
              hint: `restow convert SRC DST` copies images from any format to any other
            $ restow copy
            error: unknown command `copy`
              hint: `restow convert SRC DST` copies images from any format to any other
            $ restow save app:1
            error: unknown command `save`
              hint: `restow convert SRC DST` writes an archive or layout; `docker save NAME | restow convert - DST` reads the image from an engine
            $ restow load
            error: unknown command `load`
              hint: `restow convert SRC - | docker load` loads images into an engine
            $ restow pull nginx
            error: unknown command `pull`
              hint: restow reaches no registry: `docker pull NAME`, then `docker save NAME | restow convert - DST`, or `skopeo copy docker://NAME oci:DIR`
            $ restow push
            error: unknown command `push`
              hint: restow reaches no registry: `restow convert SRC oci:DIR`, then `skopeo copy oci:DIR docker://NAME`
            $ restow login
            error: unknown command `login`
              hint: restow reaches no registry; `skopeo` and `crane` do
            $ restow sync
            error: unknown command `sync`
              hint: restow reaches no registry; `skopeo` and `crane` do
            $ restow tag a b
            error: unknown command `tag`
              hint: `restow convert --tag NAME:TAG SRC DST` writes the image under another name
            $ restow rmi a
            error: unknown command `rmi`
              hint: restow does not remove images: `restow convert --image REF oci:DIR oci:NEW` copies an image to keep; `umoci rm` and `umoci gc` remove from a layout
            $ restow rm
            error: unknown command `rm`
              hint: restow does not remove images: `restow convert --image REF oci:DIR oci:NEW` copies an image to keep; `umoci rm` and `umoci gc` remove from a layout
            $ restow gc
            error: unknown command `gc`
              hint: restow does not remove images: `restow convert --image REF oci:DIR oci:NEW` copies an image to keep; `umoci rm` and `umoci gc` remove from a layout
            $ restow flatten
            error: unknown command `flatten`
              hint: `restow squash --all SRC DST` merges all layers into one
            $ restow merge
            error: unknown command `merge`
              hint: `restow squash --layers A..B SRC DST` merges layers of one image; to put several archives into one, use a layout: `restow convert A oci:DIR`, `restow convert B oci:DIR`, `restow convert oci:DIR ALL`
            $ restow docker-squash
            error: unknown command `docker-squash`
              hint: `restow squash --all SRC DST` merges all layers into one
            $ restow unpack
            error: unknown command `unpack`
              hint: `restow export SRC | tar -xp -C DIR` unpacks the files of an image
            $ restow extract
            error: unknown command `extract`
              hint: `restow export SRC | tar -xp -C DIR` unpacks the files of an image
            $ restow mount
            error: unknown command `mount`
              hint: `restow export SRC | tar -xp -C DIR` unpacks the files of an image
            $ restow append
            error: unknown command `append`
              hint: restow does not add layers; `crane append` and `umoci insert` do. To change files, unpack them with `restow export SRC | tar -xp -C DIR`, edit them, and pack them with `tar -C DIR -c . | restow import --config-from SRC - DST`
            $ restow insert
            error: unknown command `insert`
              hint: restow does not add layers; `crane append` and `umoci insert` do. To change files, unpack them with `restow export SRC | tar -xp -C DIR`, edit them, and pack them with `tar -C DIR -c . | restow import --config-from SRC - DST`
            $ restow commit
            error: unknown command `commit`
              hint: restow does not add layers; `crane append` and `umoci insert` do. To change files, unpack them with `restow export SRC | tar -xp -C DIR`, edit them, and pack them with `tar -C DIR -c . | restow import --config-from SRC - DST`
            $ restow build .
            error: unknown command `build`
              hint: restow does not build images from Dockerfiles; `docker build` and `buildah build` do. `restow import ROOTFS DST` creates one from a root filesystem
            $ restow run app
            error: unknown command `run`
              hint: restow does not run containers: `restow convert SRC - | docker load`, then `docker run`
            $ restow version
            error: unknown command `version`
              hint: `restow --version` prints the version
            $ restow check
            error: unknown command `check`
              hint: `restow verify SRC` checks every digest, size, link and entry
            $ restow validate
            error: unknown command `validate`
              hint: `restow verify SRC` checks every digest, size, link and entry
            $ restow scan
            error: unknown command `scan`
              hint: restow does not look for vulnerabilities; `trivy image --input SRC` and `grype docker-archive:SRC` do
            $ restow sign
            error: unknown command `sign`
              hint: restow does not create or check signatures; `cosign` and `skopeo` do. `restow verify SRC` checks digests
            $ restow manifest
            error: unknown command `manifest`
              hint: `restow inspect --raw manifest SRC` prints the manifest, `--raw index` the index
            $ restow digest
            error: unknown command `digest`
              hint: `restow inspect --format .digest SRC` prints the digest of the manifest, `--format .id` the image id
            $ restow index
            error: unknown command `index`
              hint: `restow inspect --raw index SRC` prints an index; `crane index append` and `podman manifest` create one
            $ restow info
            error: unknown command `info`
              hint: `restow inspect SRC` shows the ids, config and layers of an image, `restow images SRC` all images and platforms
            $ restow log
            error: unknown command `log`
              hint: `restow history SRC` shows the history of an image
            $ restow tree
            error: unknown command `tree`
              hint: `restow export SRC | tar -tv` lists the files of an image
            $ restow files
            error: unknown command `files`
              hint: `restow export SRC | tar -tv` lists the files of an image
            $ restow cat
            error: unknown command `cat`
              hint: `restow export SRC | tar -xO PATH` prints a file of an image; PATH has no leading slash
            $ restow config
            error: unknown command `config`
              hint: `restow inspect --raw config SRC` prints the config; `restow export SRC | restow import --config-from SRC --change INSTRUCTION - DST` changes it, and merges the layers
            $ restow mutate
            error: unknown command `mutate`
              hint: `restow export SRC | restow import --config-from SRC --change INSTRUCTION - DST` changes the config, and merges the layers; `crane mutate` and `umoci config` keep them
            $ restow analyze
            error: unknown command `analyze`
              hint: `restow squash --all --dry-run SRC` shows the size of files that layers hide, `restow inspect SRC` the size of each layer; `dive` browses them
            $ restow diff
            error: unknown command `diff`
              hint: restow does not compare images: `diff <(restow export A | tar -tv) <(restow export B | tar -tv)` compares their files
            $ restow rebase
            error: unknown command `rebase`
              hint: restow does not rebase images; `crane rebase` does
            $ restow delta
            error: unknown command `delta`
              hint: restow does not write deltas: `restow convert SRC oci:DIR` stores each layer once, so that `rsync` of DIR copies new layers only
            $ restow split
            error: unknown command `split`
              hint: restow does not split archives: `split -b SIZE FILE PART.`, and then `cat PART.* | restow convert - DST`
            $ restow serve
            error: unknown command `serve`
              hint: restow is not a registry: `restow convert SRC oci:DIR`, then `skopeo copy oci:DIR docker://HOST/NAME`
            $ restow init
            error: unknown command `init`
              hint: `restow convert SRC oci:DIR` creates a layout; `umoci init` creates an empty one
            $ restow blob
            error: unknown command `blob`
              hint: `restow convert SRC oci:DIR` stores each blob as a file in DIR/blobs
        "#]],
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
            "convert --digestfile x a b",
            "convert --preserve-digests a b",
            "convert --manifest-type oci a b",
            "convert -m a b",
            "convert --remove-signatures a b",
            "convert --squash a b",
            "images --full a",
            "history --size a",
            "verify --strict a",
            "convert --timestamp 0 a b",
            "convert --version",
        ],
        expect![[r#"
            $ restow convert --format oci a b
            error: unknown option `--format`
              hint: `--to FORMAT` chooses the output format: `docker-archive`, `oci` or `oci-archive`
            $ restow squash --format oci a b
            error: unknown option `--format`
              hint: `--to FORMAT` chooses the output format: `docker-archive`, `oci` or `oci-archive`
            $ restow export --format oci a b
            error: unknown option `--format`
              hint: `export` writes a root filesystem tar; `restow convert --to FORMAT` writes images
            $ restow images --format {{.ID}} a
            error: unknown option `--format`
              hint: `restow images --json SRC` prints all fields, for `jq`; `restow inspect --format PATH SRC` prints one
            $ restow convert -o b a
            error: unknown option `-o`
              hint: the output is an argument: `restow convert SRC DST`, with `-` for stdout
            $ restow export --output b a
            error: unknown option `--output`
              hint: the output is an argument: `restow export SRC DST`, with `-` for stdout
            $ restow import -o b a
            error: unknown option `-o`
              hint: the output is an argument: `restow import ROOTFS DST`, with `-` for stdout
            $ restow inspect -o b a
            error: unknown option `-o`
              hint: the report goes to stdout: `restow inspect SRC > FILE`
            $ restow convert -i a b
            error: unknown option `-i`
              hint: the input is an argument: `restow convert SRC DST`, with `-` for stdin
            $ restow import --input a b
            error: unknown option `--input`
              hint: the input is an argument: `restow import ROOTFS DST`, with `-` for stdin
            $ restow verify -i a
            error: unknown option `-i`
              hint: the input is an argument: `restow verify SRC`, with `-` for stdin
            $ restow squash --from-layer 3 a b
            error: unknown option `--from-layer`
              hint: `--layers A..` merges layer A and all above it, `--above BASE` all above a base image
            $ restow convert --change CMD a b
            error: unknown option `--change`
              hint: `restow export SRC | restow import --config-from SRC --change INSTRUCTION - DST` changes the config, and merges the layers; `crane mutate` and `umoci config` keep them
            $ restow squash -c CMD a b
            error: unknown option `-c`
              hint: `restow export SRC | restow import --config-from SRC --change INSTRUCTION - DST` changes the config, and merges the layers; `crane mutate` and `umoci config` keep them
            $ restow import --env A=1 a b
            error: unknown option `--env`
              hint: `--change INSTRUCTION` changes the config, such as `--change 'ENV A=1'` or `--change 'CMD ["sh"]'`
            $ restow inspect --config a
            error: unknown option `--config`
              hint: `--raw config` prints the stored config, `--format .config` its `config` object
            $ restow convert --os linux a b
            error: unknown option `--os`
              hint: `--platform OS/ARCH[/VARIANT]` chooses the platform
            $ restow convert --override-arch arm64 a b
            error: unknown option `--override-arch`
              hint: `--platform OS/ARCH[/VARIANT]` chooses the platform
            $ restow convert --all-platforms a b
            error: unknown option `--all-platforms`
              hint: `convert` copies all images and platforms, unless `--image` or `--platform` selects some
            $ restow convert -a a b
            error: unknown option `-a`
              hint: `--platform OS/ARCH[/VARIANT]` chooses the platform
            $ restow images --all a
            error: unknown option `--all`
              hint: `images` lists all images and platforms
            $ restow images --platform arm64 a
            error: unknown option `--platform`
              hint: `images` lists all images and platforms
            $ restow verify --platform arm64 a
            error: unknown option `--platform`
              hint: `verify` checks all images and platforms
            $ restow export --tag x a
            error: unknown option `--tag`
              hint: a root filesystem has no name; `restow convert --tag NAME:TAG` and `restow import --tag NAME:TAG` name an image
            $ restow inspect -t x a
            error: unknown option `-t`
              hint: `--image REF` selects an image
            $ restow images --tag x a
            error: unknown option `--tag`
              hint: `--filter reference=NAME:TAG` selects images by name
            $ restow convert --additional-tag x a b
            error: unknown option `--additional-tag`
              hint: `--tag NAME:TAG` names the image
            $ restow convert --append a b
            error: unknown option `--append`
              hint: `restow convert SRC oci:DIR` adds to an existing layout; `restow convert oci:DIR FILE` makes one archive of all its images
            $ restow -v
            error: unknown option `-v`
              hint: `restow --version` prints the version; warnings are always shown, unless with `--quiet`
            $ restow convert -v a b
            error: unknown option `-v`
              hint: warnings are always shown, unless with `--quiet`; `--progress json` shows each step
            $ restow convert --debug a b
            error: unknown option `--debug`
              hint: warnings are always shown, unless with `--quiet`; `--progress json` shows each step
            $ restow convert --src-tls-verify=false a b
            error: unknown option `--src-tls-verify`
              hint: restow reaches no registry and no engine; `restow help names` lists its sources
            $ restow convert --creds u:p a b
            error: unknown option `--creds`
              hint: restow reaches no registry and no engine; `restow help names` lists its sources
            $ restow convert --dest-compress-format zstd a b
            error: unknown option `--dest-compress-format`
              hint: `--compress gzip[:LEVEL]` or `--compress zstd[:LEVEL]` compresses
            $ restow convert --dest-decompress a b
            error: unknown option `--dest-decompress`
              hint: `--compress none` writes uncompressed layers
            $ restow convert --overwrite a b
            error: unknown option `--overwrite`
              hint: `--force` overwrites DST if it exists
            $ restow convert -j 4 a b
            error: unknown option `-j`
              hint: `--jobs N` sets the number of parallel jobs
            $ restow convert --tmp-dir x a b
            error: unknown option `--tmp-dir`
              hint: `--tmpdir DIR` sets the directory for temporary files
            $ restow convert --silent a b
            error: unknown option `--silent`
              hint: `--quiet` suppresses progress, reports and warnings; `--progress none` progress alone
            $ restow convert --digestfile x a b
            error: unknown option `--digestfile`
              hint: `restow convert --json` prints the digest and the id of what it wrote
            $ restow convert --preserve-digests a b
            error: unknown option `--preserve-digests`
              hint: digests are preserved, unless an option such as `--compress` changes the image
            $ restow convert --manifest-type oci a b
            error: unknown option `--manifest-type`
              hint: `--media-types oci` or `--media-types docker` chooses the media types, `--to` the format
            $ restow convert -m a b
            error: unknown option `-m`
              hint: any archive may hold several images; `--image REF` selects one
            $ restow convert --remove-signatures a b
            error: unknown option `--remove-signatures`
              hint: restow does not create or check signatures; those of images that do not change are kept
            $ restow convert --squash a b
            error: unknown option `--squash`
              hint: `restow squash --all SRC DST` merges all layers into one
            $ restow images --full a
            error: unknown option `--full`
              hint: `--no-trunc` prints everything in full
            $ restow history --size a
            error: unknown option `--size`
              hint: sizes are always shown
            $ restow verify --strict a
            error: unknown option `--strict`
              hint: errors fail, warnings do not; `restow verify --json SRC` counts both
            $ restow convert --timestamp 0 a b
            error: unknown option `--timestamp`
              hint: the environment variable `SOURCE_DATE_EPOCH` sets the time of what is created
            $ restow convert --version
            error: unknown option `--version`
              hint: `restow --version` prints the version
        "#]],
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
        ],
        expect![[r#"
            $ restow conver a b
            error: unknown command `conver`
              hint: did you mean `restow convert`?
            $ restow sqash
            error: unknown command `sqash`
              hint: did you mean `restow squash`?
            $ restow squahs
            error: unknown command `squahs`
              hint: did you mean `restow squash`?
            $ restow imgaes
            error: unknown command `imgaes`
              hint: did you mean `restow images`?
            $ restow verfy
            error: unknown command `verfy`
              hint: did you mean `restow verify`?
            $ restow ixport
            error: unknown command `ixport`
              hint: did you mean `restow export` or `restow import`?
            $ restow image-inspect a
            error: unknown command `image-inspect`
              hint: did you mean `restow inspect`?
            $ restow foo
            error: unknown command `foo`
              hint: `restow --help` lists the commands
            $ restow histroy-of
            error: unknown command `histroy-of`
              hint: `restow --help` lists the commands
            $ restow help conver
            error: unknown command `conver`
              hint: did you mean `restow convert`?
            $ restow help foo
            error: unknown command `foo`
              hint: `restow --help` lists the commands
            $ restow convert --platfrom x a b
            error: unknown option `--platfrom`
              hint: did you mean `--platform`?
            $ restow convert --tags x a b
            error: unknown option `--tags`
              hint: did you mean `--tag`?
            $ restow squash --laast 2 a b
            error: unknown option `--laast`
              hint: did you mean `--last`?
            $ restow images --no-trunk a
            error: unknown option `--no-trunk`
              hint: did you mean `--no-trunc`?
            $ restow convert --formt a b
            error: unknown option `--formt`
              hint: `restow convert --help` lists the options
            $ restow convert --imagine x a b
            error: unknown option `--imagine`
              hint: did you mean `--image`?
            $ restow export --dry-run a
            error: unknown option `--dry-run`
              hint: it is an option of `squash`
            $ restow convert --last 2 a b
            error: unknown option `--last`
              hint: it is an option of `squash`
            $ restow --all
            error: unknown option `--all`
              hint: it is an option of `squash`
            $ restow verify -x a
            error: unknown option `-x`
              hint: `restow verify --help` lists the options
            $ restow convert --progress jsn a b
            error: invalid value `jsn` for `--progress`: expected auto, bar, json or none
              hint: did you mean `json`?
            $ restow convert --progress fancy a b
            error: invalid value `fancy` for `--progress`: expected auto, bar, json or none
        "#]],
    );
}

#[test]
fn arguments_that_are_missing_or_too_many_have_a_hint() {
    check(
        &[
            "convert",
            "convert -",
            "convert a b all.tar",
            "import",
            "import a",
            "import a b app:1",
            "export",
            "export a b etc/passwd",
            "squash a b",
            "squash --all",
            "squash --all a",
            "squash --all a b c",
            "squash --all --last 2 a b",
            "inspect",
            "inspect a b",
            "history a b",
            "images",
            "verify",
            "verify a b",
            "verify --explain x a",
            "help a b",
            "convert --image a --image b x y",
            "convert --platform amd64 --platform arm64 x y",
            "convert --tag",
            "convert --tag= a b",
            "convert --force=yes a b",
        ],
        expect![[r#"
            $ restow convert
            error: missing arguments: SRC and DST
              hint: SRC is an archive, a layout, or `-` for stdin, as in `docker save NAME | restow convert - FILE`
              usage: restow convert <SRC> <DST>
            $ restow convert -
            error: missing argument: DST
              hint: DST is a file, `oci:DIR` for a layout, or `-` for stdout, as in `docker save NAME | restow convert - FILE`
              usage: restow convert <SRC> <DST>
            $ restow convert a b all.tar
            error: unexpected argument `all.tar`
              hint: `convert` reads one SRC; to put several into one archive, use a layout: `restow convert A oci:DIR`, `restow convert B oci:DIR`, `restow convert oci:DIR DST`
              usage: restow convert [OPTIONS] <SRC> <DST>
            $ restow import
            error: missing arguments: ROOTFS and DST
              hint: ROOTFS is a tar, or `-` for stdin, as in `tar -C DIR -c . | restow import - DST`
              usage: restow import <ROOTFS> <DST>
            $ restow import a
            error: missing argument: DST
              hint: DST is a file, `oci:DIR` for a layout, or `-` for stdout
              usage: restow import <ROOTFS> <DST>
            $ restow import a b app:1
            error: unexpected argument `app:1`
              hint: the name of the image is an option: `restow import --tag NAME:TAG ROOTFS DST`
              usage: restow import [OPTIONS] <ROOTFS> <DST>
            $ restow export
            error: missing argument: SRC
              hint: SRC is an archive, a layout, or `-` for stdin
              usage: restow export <SRC> [DST]
            $ restow export a b etc/passwd
            error: unexpected argument `etc/passwd`
              hint: `export` writes all files of one image; `restow export SRC | tar -x PATH` extracts some
              usage: restow export [OPTIONS] <SRC> [DST]
            $ restow squash a b
            error: missing option: one of `--all`, `--last N`, `--layers A..B`, `--above BASE` or `--max-layers N`
              hint: usually `--all`
              usage: restow squash <--all|--last <N>|--layers <A..B>|--above <BASE>|--max-layers <N>> <SRC> <DST>
            $ restow squash --all
            error: missing arguments: SRC and DST
              hint: SRC is an archive, a layout, or `-` for stdin
              usage: restow squash <--all|--last <N>|--layers <A..B>|--above <BASE>|--max-layers <N>> <SRC> <DST>
            $ restow squash --all a
            error: missing argument: DST
              hint: DST is a file, `oci:DIR` for a layout, or `-` for stdout; `--dry-run` needs none
              usage: restow squash <--all|--last <N>|--layers <A..B>|--above <BASE>|--max-layers <N>> <SRC> <DST>
            $ restow squash --all a b c
            error: unexpected argument `c`
              hint: `squash` reads one SRC and writes one DST
              usage: restow squash [OPTIONS] <--all|--last <N>|--layers <A..B>|--above <BASE>|--max-layers <N>> <SRC> [DST]
            $ restow squash --all --last 2 a b
            error: `--all` cannot be used with `--last`
            $ restow inspect
            error: missing argument: SRC
              hint: SRC is an archive, a layout, or `-` for stdin
              usage: restow inspect <SRC>
            $ restow inspect a b
            error: unexpected argument `b`
              hint: it shows one image; `restow images SRC...` lists several inputs
              usage: restow inspect [OPTIONS] <SRC>
            $ restow history a b
            error: unexpected argument `b`
              hint: it shows one image; `restow images SRC...` lists several inputs
              usage: restow history [OPTIONS] <SRC>
            $ restow images
            error: missing argument: SRC
              hint: SRC is an archive, a layout, or `-` for stdin
              usage: restow images <SRC>...
            $ restow verify
            error: missing argument: SRC
              hint: SRC is an archive, a layout, or `-` for stdin; `--explain CODE` needs none
              usage: restow verify <SRC>
            $ restow verify a b
            error: unexpected argument `b`
              hint: `verify` checks one SRC: `for src in *.tar; do restow verify "$src"; done` checks several
              usage: restow verify [OPTIONS] [SRC]
            $ restow verify --explain x a
            error: `--explain` cannot be used with `SRC`
            $ restow help a b
            error: unexpected argument `b`
              usage: restow help [OPTIONS] [COMMAND]
            $ restow convert --image a --image b x y
            error: `--image` can be given only once
              hint: copy one image after the other into a layout: `restow convert --image REF SRC oci:DIR`
            $ restow convert --platform amd64 --platform arm64 x y
            error: `--platform` can be given only once
              hint: without `--platform`, all platforms are kept
            $ restow convert --tag
            error: `--tag` needs a value: `--tag REF`
            $ restow convert --tag= a b
            error: `--tag` needs a value: `--tag REF`
            $ restow convert --force=yes a b
            error: `--force` does not take a value: `yes`
        "#]],
    );
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
        "convert a b c",
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
        {"event":"error","message":"unknown command `ls`","causes":[],"hint":"`restow images SRC` lists the images in an archive or layout, `restow export SRC | tar -tv` the files of an image"}
        $ restow sqash
        {"event":"error","message":"unknown command `sqash`","causes":[],"hint":"did you mean `restow squash`?"}
        $ restow foo
        {"event":"error","message":"unknown command `foo`","causes":[],"hint":"`restow --help` lists the commands"}
        $ restow convert --format oci a b
        {"event":"error","message":"unknown option `--format`","causes":[],"hint":"`--to FORMAT` chooses the output format: `docker-archive`, `oci` or `oci-archive`"}
        $ restow convert - 
        {"event":"error","message":"missing argument: DST","causes":[],"hint":"DST is a file, `oci:DIR` for a layout, or `-` for stdout, as in `docker save NAME | restow convert - FILE`"}
        $ restow convert a b c
        {"event":"error","message":"unexpected argument `c`","causes":[],"hint":"`convert` reads one SRC; to put several into one archive, use a layout: `restow convert A oci:DIR`, `restow convert B oci:DIR`, `restow convert oci:DIR DST`"}
        $ restow squash a b
        {"event":"error","message":"missing option: one of `--all`, `--last N`, `--layers A..B`, `--above BASE` or `--max-layers N`","causes":[],"hint":"usually `--all`"}
        $ restow convert --compress lz4 a b
        {"event":"error","message":"invalid value `lz4` for `--compress`: expected keep, none, gzip, gzip:LEVEL, zstd or zstd:LEVEL","causes":[],"hint":null}
        $ restow 
        {"event":"error","message":"no command given","causes":[],"hint":"`restow --help` lists the commands"}
    "#]].assert_eq(&got);
}
