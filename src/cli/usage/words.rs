//! Commands of docker, podman, skopeo, crane, umoci, dive, docker-squash and similar tools, and
//! their equivalents.

/// The hints for words that are not commands. A hint shows a command line that works, or names
/// another tool for a task outside the scope of restow.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &[
            "ls",
            "list",
            "list-tags",
            "image",
            "tags",
            "catalog",
            "show-images",
        ],
        "`restow images SRC` lists the images in an archive or layout, \
         `restow files SRC` the files of an image",
    ),
    (
        &["cp", "copy"],
        "`restow convert SRC DST` copies images from any format to any other, \
         `restow cat SRC PATH > FILE` a file out of an image, and \
         `restow append SRC DST FILE:/PATH/IN/IMAGE` one into it",
    ),
    (
        &[
            "mv",
            "move",
            "transform",
            "translate",
            "recompress",
            "compress",
        ],
        "`restow convert SRC DST` copies images from any format to any other",
    ),
    (
        &["save"],
        "`restow convert SRC DST` writes an archive or layout; \
         `docker save NAME | restow convert - DST` reads the image from an engine",
    ),
    (
        &["load"],
        "`restow convert SRC - | docker load` loads images into an engine",
    ),
    (
        &["pull", "fetch", "download"],
        "restow does not access registries: `docker pull NAME`, then \
         `docker save NAME | restow convert - DST`, or `skopeo copy docker://NAME oci:DIR`",
    ),
    (
        &["push", "upload", "publish"],
        "restow does not access registries: `restow convert SRC oci:DIR`, then \
         `skopeo copy oci:DIR docker://NAME`",
    ),
    (
        &["login", "logout", "search", "sync", "scp", "auth"],
        "restow does not access registries; `skopeo` and `crane` do",
    ),
    (
        &["tag", "retag", "rename"],
        "`restow convert --tag NAME:TAG SRC DST` writes the image under another name; in a layout \
         `restow convert --image REF --tag NAME:TAG oci:DIR oci:DIR` adds the name in place",
    ),
    (
        &["rm", "rmi", "delete", "untag"],
        "`restow remove LAYOUT REF` removes images or names from an OCI layout",
    ),
    (
        &["prune", "gc"],
        "`restow remove --untagged LAYOUT` removes images without a name from an OCI layout, \
         `restow remove LAYOUT` only the blobs that nothing refers to",
    ),
    (
        &["flatten", "docker-squash", "squash-all"],
        "`restow squash --all SRC DST` merges all layers into one",
    ),
    (
        &[
            "slim", "shrink", "compact", "minify", "optimize", "optimise", "reduce",
        ],
        "`restow waste SRC` shows what an image could do without, and `restow squash --all SRC DST` \
         drops the files that no container sees",
    ),
    (
        &["merge", "combine", "join"],
        "`restow squash --layers A..B SRC DST` merges layers of one image; \
         `restow convert A B ALL` puts several archives into one",
    ),
    (
        &["unpack", "untar", "undocker", "rootfs", "mount", "unmount"],
        "`restow extract SRC DIR` extracts the files of an image, `restow export SRC DST` writes \
         them as a tar",
    ),
    (
        &["insert", "add", "copy-in", "add-layer"],
        "`restow append SRC DST LAYER...` adds tars, folders and single files (FILE:/PATH/IN/IMAGE) as \
         layers, and deletes paths with `--delete`",
    ),
    (
        &["repack", "commit"],
        "`restow append SRC DST --changed ROOTFS` makes a layer of what changed: ROOTFS is a tar, as \
         `docker export` writes it, or the folder of `restow extract SRC DIR`",
    ),
    (
        &["build", "bud", "buildx", "builder", "bake", "from"],
        "restow does not build images from Dockerfiles; `docker build` and `buildah build` do. \
         `restow import ROOTFS DST` creates one from a root filesystem",
    ),
    (
        &[
            "run",
            "start",
            "exec",
            "create",
            "ps",
            "container",
            "stop",
            "attach",
            "logs",
        ],
        "restow does not run containers: `restow convert SRC - | docker load`, then `docker run`",
    ),
    (
        &["names", "transports"],
        "`restow help names` shows how images are named",
    ),
    (
        &["json", "jq"],
        "`restow help json` lists the fields that `--json` prints",
    ),
    (&["version"], "`restow --version` prints the version"),
    (
        &[
            "check",
            "validate",
            "lint",
            "fsck",
            "test",
            "verify-image",
            "checksum",
        ],
        "`restow verify SRC` checks every digest, size, link and entry",
    ),
    (
        &["scan", "scout", "sbom", "vulnerabilities", "cve"],
        "restow does not look for vulnerabilities; `trivy image --input SRC` and \
         `grype docker-archive:SRC` do. `restow diff A B` compares two images",
    ),
    (
        &[
            "sign",
            "trust",
            "standalone-sign",
            "standalone-verify",
            "attest",
            "cosign",
        ],
        "restow does not create or check signatures; `cosign` and `skopeo` do. \
         `restow verify SRC` checks digests",
    ),
    (
        &["manifest", "raw"],
        "`restow inspect --raw manifest SRC` prints the manifest, `--raw index` the index",
    ),
    (
        &["digest", "manifest-digest", "id", "sha256"],
        "`restow inspect --format .digest SRC` prints the digest of the manifest, \
         `--format .id` the image id",
    ),
    (
        &["index", "manifest-list"],
        "`restow inspect --raw index SRC` prints an index; \
         `restow convert --index NAME A B DST` makes one of single-platform images",
    ),
    (
        &[
            "info",
            "show",
            "stat",
            "describe",
            "details",
            "layers",
            "size",
            "labels",
            "platforms",
        ],
        "`restow inspect SRC` shows the ids, config and layers of an image, \
         `restow images SRC` all images and platforms",
    ),
    (
        &["log"],
        "`restow history SRC` shows the history of an image",
    ),
    (
        &["tree", "file", "find", "browse", "list-files", "ls-files"],
        "`restow files SRC` lists the files of an image",
    ),
    (
        &["grep", "search-files"],
        "`restow files SRC '**/NAME'` finds files by their names, \
         `restow cat SRC PATH | grep PATTERN` searches one",
    ),
    (
        &["view", "read", "show-file"],
        "`restow cat SRC PATH` prints a file of an image",
    ),
    (
        &[
            "mutate",
            "edit",
            "set",
            "label",
            "annotate",
            "env",
            "cmd",
            "entrypoint",
        ],
        "`restow config --change INSTRUCTION SRC DST` changes the config, `--label KEY=VALUE` sets \
         a label, `--annotation KEY=VALUE` an annotation",
    ),
    (
        &["analyze", "analyse", "dive", "wasted", "efficiency", "du"],
        "`restow waste SRC` shows the files that layers hide, and what would free them, \
         `restow inspect SRC` the size of each layer; `dive` browses them",
    ),
    (
        &["compare", "changes", "cmp", "container-diff", "diffoci"],
        "`restow diff A B` compares the files and configs of two images",
    ),
    (
        &["patch", "oci-delta"],
        "`restow delta OLD NEW DELTA` writes what changed, and `restow apply OLD DELTA NEW` makes \
         NEW of it",
    ),
    (
        &["split"],
        "restow does not split archives: `split -b SIZE FILE PART.`, and then \
         `cat PART.* | restow convert - DST`",
    ),
    (
        &["serve", "registry", "server"],
        "restow is not a registry: `restow convert SRC oci:DIR`, then \
         `skopeo copy oci:DIR docker://HOST/NAME`",
    ),
    (
        &["init", "new"],
        "`restow convert SRC oci:DIR` creates a layout; `umoci init` creates an empty one",
    ),
    (
        &["blob", "blobs"],
        "`restow convert SRC oci:DIR` stores each blob as a file in DIR/blobs",
    ),
];

/// The hint for a command of other tools.
pub(super) fn command(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let mut all = COMMANDS.iter();
    let found = all.find(|(words, _)| words.contains(&word.as_str()));
    found.map(|(_, hint)| *hint)
}

/// The hint for an unknown option that only one command has, under another name.
pub(super) fn option(command: &str, option: &str) -> Option<&'static str> {
    Some(match (command, option) {
        ("remove", "-f") => {
            "`--force` removes an image with all its names, if a digest, an id or a number selects it"
        }
        ("rebase", "--old_base" | "--old-base") => "`--from OLDBASE` names the old base",
        ("rebase", "--new_base" | "--new-base") => "`--onto NEWBASE` names the new base",
        _ => return None,
    })
}

/// The hint for an extra argument.
pub(super) fn superfluous(command: &str) -> Option<&'static str> {
    Some(match command {
        "import" => "the name of the image is an option: `restow import --tag NAME:TAG ROOTFS DST`",
        "export" => {
            "`export` writes all files of one image; `restow extract SRC DIR PATH` extracts some"
        }
        "squash" => "`squash` reads one SRC and writes one DST",
        "rebase" => "`rebase` reads one SRC and writes one DST; the bases are options",
        "config" => {
            "`config` reads one SRC and writes one DST; changes are options, such as \
             `--change 'ENV A=1'`"
        }
        "inspect" | "history" | "waste" => {
            "only one image is shown; `restow images SRC...` lists several inputs"
        }
        "verify" => {
            "`verify` checks one SRC: `for src in *.tar; do restow verify \"$src\"; done` \
             checks several"
        }
        _ => return None,
    })
}

/// The hint for missing arguments, of which these are the names, or of options.
pub(super) fn missing(command: &str, names: &[String]) -> Option<&'static str> {
    let first = names.iter().find(|name| !name.starts_with('-'));
    Some(match (command, first.map_or("", String::as_str)) {
        ("convert", "DST") => {
            "DST is a file, `oci:DIR` for a layout, or `-` for stdout, as in \
             `docker save NAME | restow convert - FILE`"
        }
        ("convert", "SRC") => {
            "SRC is an archive, a layout, or `-` for stdin, as in \
             `docker save NAME | restow convert - FILE`"
        }
        ("squash", "DST") => {
            "DST is a file, `oci:DIR` for a layout, or `-` for stdout; `--dry-run` does not need it"
        }
        ("config", "DST") => {
            "DST is a file, `oci:DIR` for a layout, or `-` for stdout; to print the config: \
             `restow inspect --raw config SRC`"
        }
        ("append", "SRC") => {
            "SRC is an archive, a layout, `-` for stdin, or `scratch`, as in \
             `restow append scratch DST ./hello:/hello`"
        }
        ("verify", "SRC") => {
            "SRC is an archive, a layout, or `-` for stdin; `--explain CODE` does not need it"
        }
        ("rebase", "SRC") => {
            "SRC is an archive, a layout, or `-` for stdin, as in \
             `restow rebase --onto NEWBASE SRC DST`"
        }
        ("rebase", "") => {
            "NEWBASE is the image to put SRC on, an archive or a layout, as in \
             `restow rebase --onto NEWBASE SRC DST`"
        }
        ("delta", _) => {
            "`restow delta OLD NEW DELTA` writes the file DELTA: what NEW has and OLD has not; OLD and \
             NEW are archives or layouts"
        }
        ("apply", _) => {
            "`restow apply OLD DELTA NEW` writes NEW: OLD is the archive or layout that DELTA was \
             made from"
        }
        ("diff", "A") => {
            "A and B are archives, layouts or root filesystem tars, as in `restow diff A B`; one may \
             be `-` for stdin"
        }
        ("diff", "B") => {
            "B is the image to compare A with; `docker export CONTAINER | restow diff A -` compares \
             the files of a container with its image, as `docker diff` does"
        }
        ("man", "DIR") => "DIR is the folder for the pages, as in `restow man man1`",
        (_, "SRC") => "SRC is an archive, a layout, or `-` for stdin",
        (_, "DST") => "DST is a file, `oci:DIR` for a layout, or `-` for stdout",
        (_, "DIR") => "DIR is a folder, new or empty, as in `restow extract SRC DIR`",
        (_, "LAYER") => {
            "LAYER is a tar, a folder, FILE:/PATH/IN/IMAGE, or - for a tar from stdin; with \
             `--delete PATH` or `--changed ROOTFS` none is needed"
        }
        (_, "LAYOUT") => "LAYOUT is an OCI layout in a folder, as in `restow remove DIR NAME:TAG`",
        (_, "PATH") => "PATH is a file in the image, as in `restow cat SRC /etc/os-release`",
        (_, "ROOTFS") => {
            "ROOTFS is a folder, a tar, or `-` for stdin, as in `restow import DIR DST`"
        }
        (_, "SHELL") => "SHELL is bash, elvish, fish, powershell or zsh",
        _ => return None,
    })
}

/// The hint if one of several options is required.
pub(super) fn missing_choice(command: &str) -> Option<&'static str> {
    match command {
        "squash" => Some("`--all` merges all layers"),
        "config" => Some(
            "`--change 'ENV A=1'` sets a variable; without a change, `restow convert` copies; \
             `restow inspect --raw config SRC` prints the config",
        ),
        _ => None,
    }
}

/// The hint for a repeated option.
pub(super) fn repeated(command: &str, option: &str) -> Option<&'static str> {
    match (command, option) {
        ("convert", "--image") => Some(
            "copy one image after the other into a layout: `restow convert --image REF SRC oci:DIR`",
        ),
        ("convert", "--platform") => Some("without `--platform`, all platforms are kept"),
        _ => None,
    }
}

/// All words that have a hint.
#[cfg(test)]
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().flat_map(|(words, _)| words.iter().copied())
}

/// All hints.
#[cfg(test)]
pub(super) fn hints() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(_, hint)| *hint)
}
