//! Options of other tools that concern one or two commands of restow. They come before all others.

/// The hint for unknown options: the options, the commands to which the hint applies, and the
/// hint, in which `COMMAND` is replaced by the name of the command.
pub(super) type Tip = (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

/// The hints. The first match counts.
pub(super) const OPTIONS: &[Tip] = &[
    (
        &["--layers", "--all", "--history"],
        &["files"],
        "`--all-layers` shows what each layer stores, `--layer N` what one does",
    ),
    (
        &["--to", "--with", "--type", "-t"],
        &["diff"],
        "the images are arguments: `restow diff A B`; files and configs are compared, \
         `--history`, `--names` and `--layers` add more",
    ),
    (
        &["-u", "-U", "--unified", "--filename", "-p", "--patch"],
        &["diff"],
        "`--text PATH` prints a unified diff of one file",
    ),
    (
        &["--brief", "--exit-code", "--summary", "-s", "--silent"],
        &["diff"],
        "`--quiet` prints nothing, so that only the exit code tells; `--stat` prints a summary",
    ),
    (
        &["--name-only", "--name-status", "-0", "--null", "-z"],
        &["diff"],
        "`restow diff --json A B | jq -r '.files[].path'` prints paths only",
    ),
    (
        &[
            "--ignore-timestamps",
            "--ignore-mtime",
            "--ignore-file-timestamps",
            "-I",
            "--exclude",
        ],
        &["diff"],
        "`--ignore mtime` ignores the times of files, `--semantic` all that a rebuild changes",
    ),
    (
        &["--format", "--output", "-o", "--out", "-O", "-j"],
        &["diff"],
        "`restow diff --json A B` prints all fields, for `jq`",
    ),
    (
        &["-r", "--recursive", "-N", "--new-file"],
        &["diff"],
        "all files are compared; PATHs after A and B select some",
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
        &["diff"],
        "the images are arguments: `restow diff A B`, with `-` for stdin",
    ),
    (
        &[
            "-l",
            "-a",
            "-A",
            "-R",
            "-r",
            "-n",
            "--long",
            "--all",
            "--recursive",
            "--tree",
        ],
        &["files"],
        "`files` always lists everything below a PATH, as `ls -lR` does; `-q` prints paths only",
    ),
    (
        &["-S", "-t", "--size", "--time"],
        &["files"],
        "`--sort size` sorts by size, the largest first",
    ),
    (
        &[
            "-f",
            "--force",
            "--overwrite",
            "--replace",
            "--yes",
            "-y",
            "--clobber",
        ],
        &["extract"],
        "`extract` replaces no files: DIR must be empty, or new",
    ),
    (
        &[
            "-C",
            "-d",
            "--directory",
            "-o",
            "--output",
            "--out",
            "-O",
            "--dest",
            "--destination",
        ],
        &["extract"],
        "the folder is an argument: `restow extract SRC DIR`",
    ),
    (
        &[
            "--rootless",
            "--no-same-owner",
            "-p",
            "-x",
            "--preserve-permissions",
        ],
        &["extract"],
        "owners are kept as root, and modes always; without root all files belong to the current \
         user",
    ),
    (
        &["-H", "--human", "--human-readable"],
        &["diff", "inspect"],
        "`-H` is an option of `files`, `history`, `images` and `waste`; here sizes are \
         human-readable anyway, and in bytes with `--json`",
    ),
    (
        &["-b", "--base"],
        &["append"],
        "the base is the first argument: `restow append SRC DST LAYER`",
    ),
    (
        &["-o", "--output", "--out", "-O", "--dest", "--destination"],
        &["append"],
        "the output is the second argument: `restow append SRC DST LAYER`, with `-` for stdout",
    ),
    (
        &["--new_layer", "--new-layer", "--layer"],
        &["append"],
        "layers are arguments after SRC and DST: `restow append SRC DST LAYER...`",
    ),
    (
        &["--chown", "--uid", "--gid", "--numeric-owner"],
        &["append", "import"],
        "`--owner UID:GID` sets the owner of what is packed",
    ),
    (
        &["--exclude", "-X", "--exclude-from"],
        &["append"],
        "tar leaves files out: `tar --exclude=PATTERN -C DIR -c . | restow append SRC DST -`",
    ),
    (
        &["--exclude", "-X", "--exclude-from"],
        &["import"],
        "tar leaves files out: `tar --exclude=PATTERN -C DIR -c . | restow import - DST`",
    ),
    (
        &["--exclude", "-X", "--exclude-from"],
        &["export", "extract"],
        "tar leaves files out: `restow export SRC | tar --exclude=PATTERN -x -C DIR`; PATHs after \
         DIR select files: `restow extract SRC DIR PATH`",
    ),
    (
        &["--image"],
        &["apply"],
        "all images of the delta are made; to choose one, write its name after OLD and NEW: \
         `restow delta docker-archive:OLD:REF docker-archive:NEW:REF DELTA`",
    ),
    (
        &["--image"],
        &["delta"],
        "the name of an image follows its path: `docker-archive:FILE:REF` or `oci:DIR:REF`",
    ),
    (
        &["--image", "-i"],
        &["remove"],
        "the images are arguments: `restow remove LAYOUT REF`",
    ),
    (
        &["--all", "-a", "--prune"],
        &["remove"],
        "`--untagged` removes all images without a name; to remove all others, name them: \
         `restow remove LAYOUT REF...`",
    ),
];
