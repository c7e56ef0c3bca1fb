//! Options of docker, podman, skopeo, crane, umoci, dive and docker-squash that restow does not
//! have, or has under another name.

mod commands;

use self::commands::Tip;

/// Commands that write images.
const WRITERS: &[&str] = &[
    "append", "apply", "config", "convert", "import", "rebase", "squash",
];

/// Commands that write to DST.
const OUTPUTS: &[&str] = &[
    "append", "config", "convert", "export", "import", "rebase", "squash",
];

/// Commands that print facts.
const LOOKERS: &[&str] = &["history", "images", "inspect", "verify", "waste"];

/// Commands with an option that selects the platform.
const PLATFORMS: &[&str] = &[
    "append", "cat", "convert", "delta", "diff", "export", "extract", "files", "history", "import",
    "inspect", "rebase", "squash", "waste",
];

/// Every command.
const ALL: &[&str] = &[];

/// Options of other tools that set a field of the config.
const CONFIG_OPTIONS: &[&str] = &[
    "--cmd",
    "--entrypoint",
    "--env",
    "-e",
    "--label",
    "--labels",
    "-l",
    "--user",
    "-u",
    "--workdir",
    "-w",
    "--expose",
    "--config",
];

/// The same, as umoci calls them.
const UMOCI_OPTIONS: &[&str] = &[
    "--config.cmd",
    "--config.entrypoint",
    "--config.env",
    "--config.exposedports",
    "--config.label",
    "--config.stopsignal",
    "--config.user",
    "--config.volume",
    "--config.workingdir",
    "--exposed-ports",
];

/// The way to change the config of an image.
const CHANGE_BY_CONFIG: &str = "`restow config --change INSTRUCTION SRC DST` changes the config, and `--label KEY=VALUE` sets a label";

/// The way to set a field of the config.
const CHANGE: &str = "`--change INSTRUCTION` changes the config, such as `--change 'ENV A=1'` or \
     `--change 'CMD [\"sh\"]'`";

/// The hints for options that several commands might have. The first match counts.
const OPTIONS: &[Tip] = &[
    (
        &["--format"],
        WRITERS,
        "`--to FORMAT` chooses the output format: `docker-archive`, `oci` or `oci-archive`",
    ),
    (
        &["--format"],
        &["export"],
        "`export` writes a root filesystem tar; `restow convert --to FORMAT` writes images",
    ),
    (
        &["--format"],
        LOOKERS,
        "`restow COMMAND --json SRC` prints all fields, for `jq`; \
         `restow inspect --format PATH SRC` prints one",
    ),
    (
        &["-f"],
        &["inspect"],
        "`--format PATH` prints one field, such as `.config.Env`",
    ),
    (
        &["-o", "--output", "--out", "-O", "--dest", "--destination"],
        &["import"],
        "the output is an argument: `restow import ROOTFS DST`, with `-` for stdout",
    ),
    (
        &[
            "-o",
            "--output",
            "--output-path",
            "--out",
            "-O",
            "--dest",
            "--destination",
        ],
        OUTPUTS,
        "the output is an argument: `restow COMMAND SRC DST`, with `-` for stdout",
    ),
    (
        &["-o", "--output", "--out", "-O"],
        LOOKERS,
        "the report goes to stdout: `restow COMMAND SRC > FILE`",
    ),
    (
        &[
            "-i",
            "--input",
            "--in",
            "--src",
            "--source",
            "--file",
            "--tarball",
        ],
        &["import"],
        "the input is an argument: `restow import ROOTFS DST`, with `-` for stdin",
    ),
    (
        &[
            "-i",
            "--input",
            "--in",
            "--src",
            "--source",
            "--file",
            "--tarball",
        ],
        OUTPUTS,
        "the input is an argument: `restow COMMAND SRC DST`, with `-` for stdin",
    ),
    (
        &[
            "-i",
            "--input",
            "--in",
            "--src",
            "--source",
            "--file",
            "--tarball",
        ],
        LOOKERS,
        "the input is an argument: `restow COMMAND SRC`, with `-` for stdin",
    ),
    (
        &["--from-layer", "--from", "--range"],
        &["squash"],
        "`--layers A..` merges layer A and all above it, `--above BASE` all above a base image",
    ),
    (
        &["--change", "-c"],
        &["convert", "squash"],
        CHANGE_BY_CONFIG,
    ),
    (CONFIG_OPTIONS, &["convert", "squash"], CHANGE_BY_CONFIG),
    (CONFIG_OPTIONS, &["config", "import"], CHANGE),
    (UMOCI_OPTIONS, &["config"], CHANGE),
    (
        &["--annotations", "--manifest.annotation"],
        &["config"],
        "`--annotation KEY=VALUE` sets an annotation of the manifest",
    ),
    (
        &["--clear", "--remove", "--unsetenv", "--unsetlabel"],
        &["config"],
        "`--unset SETTING` removes a setting, such as `--unset ENV.NAME` or `--unset CMD`",
    ),
    (
        &["--history.comment", "--comment"],
        &["config"],
        "`--message TEXT` sets the comment of the history entry",
    ),
    (
        &["--os", "--arch", "--variant", "--architecture"],
        &["config"],
        "`--set-platform OS/ARCH[/VARIANT]` declares another platform, `--platform` selects one",
    ),
    (
        &["--config"],
        &["inspect"],
        "`--raw config` prints the stored config, `--format .config` its `config` object",
    ),
    (
        &[
            "--os",
            "--arch",
            "--variant",
            "-a",
            "--override-os",
            "--override-arch",
            "--override-variant",
            "--architecture",
        ],
        PLATFORMS,
        "`--platform OS/ARCH[/VARIANT]` chooses the platform",
    ),
    (
        &[
            "--all-platforms",
            "--all",
            "-a",
            "--multi-arch",
            "--all-images",
        ],
        &["convert"],
        "`convert` copies all images and platforms, unless `--image` or `--platform` selects some",
    ),
    (
        &[
            "--all",
            "-a",
            "--tree",
            "--platform",
            "--all-platforms",
            "--image",
        ],
        &["images"],
        "`images` lists all images and platforms",
    ),
    (
        &[
            "--all",
            "-a",
            "--platform",
            "--all-platforms",
            "--image",
            "--all-images",
        ],
        &["verify"],
        "`verify` checks all images and platforms",
    ),
    (
        &["--tag", "-t", "--name", "-n", "--repository"],
        &["export"],
        "a root filesystem has no name; `restow convert --tag NAME:TAG` and \
         `restow import --tag NAME:TAG` name an image",
    ),
    (
        &["--tag", "-t", "--name", "-n", "--repository"],
        &["history", "inspect", "waste"],
        "`--image REF` selects an image",
    ),
    (
        &["--tag", "-t", "--name", "-n", "--repository", "--reference"],
        &["images"],
        "`--filter reference=NAME:TAG` selects images by name",
    ),
    (
        &[
            "--name",
            "-n",
            "--repository",
            "--additional-tag",
            "--new-tag",
            "--new_tag",
        ],
        WRITERS,
        "`--tag NAME:TAG` names the image",
    ),
    (
        &["--append", "-A", "--add", "--update"],
        OUTPUTS,
        "`restow convert SRC oci:DIR` adds to an existing layout; \
         `restow convert oci:DIR FILE` makes one archive of all its images",
    ),
    (
        &["-v", "--verbose", "--debug", "-D", "--log-level", "-vv"],
        &["restow"],
        "`restow --version` prints the version; warnings are always shown, except with `--quiet`",
    ),
    (
        &[
            "-v",
            "--verbose",
            "--debug",
            "-D",
            "--log-level",
            "-vv",
            "--trace",
        ],
        ALL,
        "warnings are always shown, except with `--quiet`; `--progress json` shows each step",
    ),
    (
        &[
            "--src-tls-verify",
            "--dest-tls-verify",
            "--tls-verify",
            "--creds",
            "--src-creds",
            "--dest-creds",
            "--authfile",
            "--src-authfile",
            "--dest-authfile",
            "--insecure",
            "--cert-dir",
            "--src-cert-dir",
            "--dest-cert-dir",
            "--no-creds",
            "--src-no-creds",
            "--dest-no-creds",
            "--username",
            "--password",
            "--registry",
            "--retry-times",
            "--src-daemon-host",
            "--dest-daemon-host",
            "--host",
            "-H",
            "--pull",
        ],
        ALL,
        "restow does not access registries or engines; `restow help names` lists its sources",
    ),
    (
        &["--compress"],
        LOOKERS,
        "`restow convert --compress HOW SRC DST` changes the compression of layers",
    ),
    (
        &[
            "--compression",
            "--compression-format",
            "--compression-level",
            "--dest-compress",
            "--dest-compress-format",
            "--dest-compress-level",
            "--gzip",
            "--zstd",
            "-z",
            "--level",
            "-9",
        ],
        OUTPUTS,
        "`--compress gzip[:LEVEL]` or `--compress zstd[:LEVEL]` compresses",
    ),
    (
        &[
            "--dest-decompress",
            "--decompress",
            "--uncompressed",
            "--no-compression",
            "--uncompress",
        ],
        OUTPUTS,
        "`--compress none` writes uncompressed layers",
    ),
    (
        &["--overwrite", "--replace", "--yes", "-y", "--clobber"],
        OUTPUTS,
        "`--force` overwrites DST if it exists",
    ),
    (
        &[
            "--threads",
            "--parallel",
            "--workers",
            "-j",
            "-T",
            "--concurrency",
        ],
        ALL,
        "`--jobs N` sets the number of parallel jobs",
    ),
    (
        &[
            "--tmp-dir",
            "--temp-dir",
            "--tempdir",
            "--tmp",
            "--temp",
            "--tmp_dir",
        ],
        ALL,
        "`--tmpdir DIR` sets the directory for temporary files",
    ),
    (
        &["--silent", "-s", "--no-progress"],
        ALL,
        "`--quiet` suppresses progress, reports and warnings; `--progress none` only progress",
    ),
    (
        &[
            "--digestfile",
            "--iidfile",
            "--image-id-file",
            "--metadata-file",
        ],
        WRITERS,
        "`restow COMMAND --json` prints the digest and the id of what it wrote",
    ),
    (
        &["--preserve-digests"],
        WRITERS,
        "digests are preserved, unless an option such as `--compress` changes the image",
    ),
    (
        &[
            "--manifest-type",
            "--media-type",
            "--oci",
            "--docker",
            "--oci-mediatypes",
        ],
        &["convert"],
        "`--media-types oci` or `--media-types docker` chooses the media types, \
         `--to` the format",
    ),
    (
        &["--multi-image-archive", "-m"],
        &["convert"],
        "any archive may hold several images; `--image REF` selects one",
    ),
    (
        &[
            "--remove-signatures",
            "--sign-by",
            "--sign-identity",
            "--signature-policy",
            "--policy",
        ],
        ALL,
        "restow does not create or check signatures; those of images that do not change are kept",
    ),
    (
        &["--squash", "--squash-all", "--flatten"],
        OUTPUTS,
        "`restow squash --all SRC DST` merges all layers into one",
    ),
    (
        &["--no-truncate", "--full", "--long", "--wide"],
        &["history", "images", "inspect", "waste"],
        "`--no-trunc` prints everything in full",
    ),
    (
        &["--ci", "--ci-config", "--fail-on", "--threshold"],
        &["waste"],
        "`--fail-above SIZE` and `--fail-above PERCENT` set the exit code for CI; the rules of a \
         `.dive-ci` file are options with the same names, such as `--lowestEfficiency 0.95`",
    ),
    (
        &["--limit", "--all", "-a", "--lines"],
        &["waste"],
        "`--top N` shows the N largest files, and `--json` all of them",
    ),
    (
        &["--strict", "--fail-on"],
        &["verify"],
        "only errors affect the exit code; `restow verify --json SRC` also counts warnings",
    ),
    (
        &["--timestamp", "--date", "--created"],
        WRITERS,
        "the environment variable `SOURCE_DATE_EPOCH` sets the time of what is created",
    ),
    (
        &["--no-color", "--colour", "--no-colour", "--ansi"],
        ALL,
        "`--color WHEN` sets colors: `auto`, `always` or `never`",
    ),
    (
        &["--plain", "--no-tty"],
        ALL,
        "`--progress plain` prints a line every five seconds, for logs",
    ),
    (
        &["--version", "-V"],
        ALL,
        "`restow --version` prints the version",
    ),
];

/// The hint for an option of other tools that a command does not have.
pub(super) fn tip(option: &str, command: &str) -> Option<String> {
    let mut all = commands::OPTIONS.iter().chain(OPTIONS);
    let found = all.find(|(options, commands, _)| {
        options.contains(&option) && (commands.is_empty() || commands.contains(&command))
    });
    found.map(|(_, _, hint)| hint.replace("COMMAND", command))
}

/// All hints.
#[cfg(test)]
pub(super) fn hints() -> impl Iterator<Item = &'static str> {
    let all = commands::OPTIONS.iter().chain(OPTIONS);
    all.map(|(_, _, hint)| *hint)
}
