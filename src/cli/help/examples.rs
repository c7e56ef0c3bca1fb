//! The examples at the end of each command's `--help`.
//!
//! `tests/it/help.rs` runs all of them in a folder with the files that they name.

use std::fmt::Write as _;

use clap::Command;

/// Each command, with its examples: a description and a command line.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "convert",
        &[
            (
                "Convert a `docker save` archive into an OCI layout",
                "restow convert app.tar oci:layout",
            ),
            (
                "Load an image of a layout into an engine on another host",
                "restow convert oci:lay:app:1.0 - | ssh host docker load",
            ),
            (
                "Put the images of two archives into one",
                "restow convert app.tar base.tar all.tar",
            ),
            (
                "Leave out what the other side has, and put it back there",
                "restow convert --without base.tar app.tar part.tar &&\n  \
                 restow convert --with base.tar part.tar whole.tar",
            ),
        ],
    ),
    (
        "export",
        &[
            (
                "Write a compressed root filesystem tar",
                "restow export app.tar rootfs.tar.zst",
            ),
            (
                "List the files of an image",
                "restow export app.tar | tar -tv",
            ),
        ],
    ),
    (
        "extract",
        &[
            (
                "Extract all files of an image into a new folder",
                "restow extract app.tar files",
            ),
            (
                "Extract the files of an image in an engine",
                "docker save app:1.0 | restow extract - files",
            ),
            (
                "Extract some files of one image of several",
                "restow extract --image app:1.0 lay files etc '**/app*'",
            ),
            (
                "Change files, and make an image with the same config of them",
                "restow extract app.tar files && echo 1.1 > files/etc/version &&\n  \
                 restow import --config-from app.tar -t app:1.1 files new.tar",
            ),
        ],
    ),
    (
        "import",
        &[
            (
                "Create an image from a root filesystem tar",
                "restow import -t base:2.0 rootfs.tar image.tar",
            ),
            (
                "Create an image from a folder",
                "restow import -c 'CMD [\"sh\"]' rootdir oci:layout:shell:1.0",
            ),
        ],
    ),
    (
        "delta",
        &[
            (
                "Write what the next version of an image changes",
                "restow delta app.tar next.tar app.delta",
            ),
            (
                "The same, if its layers are compressed",
                "restow delta --by-content app.tar next.tar app.delta",
            ),
        ],
    ),
    (
        "apply",
        &[
            (
                "Make the next version of an image",
                "restow delta app.tar next.tar app.delta &&\n  \
                 restow apply app.tar app.delta new.tar",
            ),
            (
                "Update an image in an engine",
                "restow delta app.tar next.tar app.delta &&\n  \
                 docker save app:1.0 | restow apply - app.delta - | docker load",
            ),
        ],
    ),
    (
        "squash",
        &[
            (
                "Show what merging all layers would save",
                "restow squash --all --dry-run app.tar",
            ),
            (
                "Merge all layers, and give the image a new tag",
                "restow squash --all -t app:flat app.tar flat.tar",
            ),
            (
                "Merge the layers above the base image, whose layers stay shared",
                "restow squash --above base.tar app.tar release.tar",
            ),
            (
                "Squash an image in an engine",
                "docker save app:1.0 | restow squash --last 2 -t app:small - - | docker load",
            ),
        ],
    ),
    (
        "config",
        &[
            (
                "Set a variable and a label, and give the image a new tag",
                "restow config -c 'ENV DEBUG=1' --label stage=test -t app:debug app.tar debug.tar",
            ),
            (
                "Add a changed image to the layout of the original, whose layers stay shared",
                "restow config -c 'CMD [\"sh\"]' --unset HEALTHCHECK -t app:sh oci:lay:app:1.0 oci:lay",
            ),
            (
                "Change an image in an engine",
                "docker save app:1.0 | restow config -c 'EXPOSE 80' -t app:web - - | docker load",
            ),
            (
                "Note the source revision on the manifest, which keeps the image id",
                "restow config --annotation org.opencontainers.image.revision=4f2a1c app.tar out.tar",
            ),
        ],
    ),
    (
        "rebase",
        &[
            (
                "Put an image on a newer base, and name the base that it was built on",
                "restow rebase --onto newbase.tar --from base.tar app.tar new.tar",
            ),
            (
                "Put an image of a layout on a base in the same layout, beside the old one",
                "restow rebase --onto oci:lay:base:1.0 -t app:new oci:lay:app:1.0 oci:lay",
            ),
        ],
    ),
    (
        "append",
        &[
            (
                "Add a folder as a layer, and give the image a new tag",
                "restow append app.tar new.tar rootdir -t app:1.1",
            ),
            (
                "Put one file into an image, and delete others",
                "restow append app.tar new.tar --delete '/etc/*' ./hello:/usr/bin/",
            ),
            (
                "Make an image of a static binary",
                "restow append scratch hello.tar ./hello:/hello -t hello:1 -c 'ENTRYPOINT [\"/hello\"]'",
            ),
            (
                "Make a layer of what changed in a root filesystem",
                "docker save app:1.0 | restow append -t app:1.1 - - --changed rootfs.tar | docker load",
            ),
        ],
    ),
    (
        "remove",
        &[
            (
                "Show what removing an image would free",
                "restow remove --dry-run lay app:1.0",
            ),
            ("Remove an image from a layout", "restow remove lay app:1.0"),
            (
                "Remove all images without a name, and all blobs that are no longer needed",
                "restow remove --untagged lay",
            ),
        ],
    ),
    (
        "images",
        &[
            (
                "List the images of several archives and layouts",
                "restow images app.tar base.tar lay",
            ),
            (
                "Unpack compressed layers to show the size of their files",
                "restow images --size app.tar",
            ),
            (
                "List the images of an engine that match a pattern, as JSON",
                "docker save app:1.0 | restow images --filter 'reference=app*' --json -",
            ),
        ],
    ),
    (
        "inspect",
        &[
            ("Show an image", "restow inspect app.tar"),
            (
                "Print one field",
                "restow inspect --format .config.Env app.tar",
            ),
            (
                "Print the stored manifest of one image of several",
                "restow inspect --raw manifest --image app:1.0 lay",
            ),
        ],
    ),
    (
        "history",
        &[
            ("Show the history of an image", "restow history app.tar"),
            (
                "Show full commands and ids of one image of several",
                "restow history --no-trunc --image app:1.0 lay",
            ),
        ],
    ),
    (
        "files",
        &[
            ("List the files of an image", "restow files app.tar"),
            (
                "List the largest files below a folder",
                "restow files --sort size -H app.tar /etc | head",
            ),
            (
                "Show what layer 2 adds, changes and deletes",
                "restow files --layer 2 app.tar",
            ),
            (
                "Show which layers have a file",
                "restow files --all-layers app.tar /etc/os-release",
            ),
        ],
    ),
    (
        "cat",
        &[
            (
                "Print a file of an image",
                "restow cat app.tar /etc/os-release",
            ),
            (
                "Print the file as layer 1 stores it",
                "restow cat --layer 1 app.tar /etc/os-release",
            ),
        ],
    ),
    (
        "diff",
        &[
            (
                "Check that a squash has changed nothing",
                "restow squash --all app.tar flat.tar && restow diff app.tar flat.tar",
            ),
            (
                "Tell in a script whether a release has changed",
                "restow diff -q --semantic base.tar app.tar || echo changed",
            ),
            (
                "Compare an archive with an image of an engine",
                "docker save app:1.0 | restow diff app.tar -",
            ),
            (
                "Compare the lines of one file in two images of a layout",
                "restow diff --text /etc/os-release oci:lay:base:1.0 oci:lay:app:1.0",
            ),
        ],
    ),
    (
        "waste",
        &[
            (
                "Show the files that nobody sees, and the squashes that drop them",
                "restow waste app.tar",
            ),
            (
                "Sum them up by the first two names of their paths",
                "restow waste --depth 2 --image app:1.0 lay",
            ),
            (
                "Fail in CI if more than 50MB of an image are hidden",
                "docker save app:1.0 | restow waste --fail-above 50MB -",
            ),
        ],
    ),
    (
        "verify",
        &[
            ("Verify an archive", "restow verify app.tar"),
            (
                "Verify all archives in a folder, and print the names of the damaged ones",
                "for file in *.tar; do restow verify -q \"$file\" || echo \"$file\"; done",
            ),
            (
                "Explain a code of the report",
                "restow verify --explain layer-missing",
            ),
        ],
    ),
    (
        "help",
        &[
            ("Show the help of a command", "restow help convert"),
            ("Show how images are named", "restow help names"),
            ("List the fields of JSON output", "restow help json"),
        ],
    ),
    (
        "completions",
        &[
            (
                "Load the completions into the running bash",
                "source <(restow completions bash)",
            ),
            (
                "Install them for bash, which needs the package bash-completion",
                "folder=~/.local/share/bash-completion/completions\n  \
                 mkdir -p $folder && restow completions bash > $folder/restow",
            ),
            (
                "Install them for fish",
                "folder=~/.config/fish/completions\n  \
                 mkdir -p $folder && restow completions fish > $folder/restow.fish",
            ),
            (
                "Install them for zsh, if ~/.zfunc is in $fpath",
                "mkdir -p ~/.zfunc && restow completions zsh > ~/.zfunc/_restow",
            ),
        ],
    ),
    (
        "man",
        &[
            (
                "Install the manual pages of the current user",
                "restow man ~/.local/share/man/man1",
            ),
            (
                "Write them into a package that is being built",
                "restow man --force pkg/usr/share/man/man1",
            ),
        ],
    ),
];

/// Adds the examples to the long help of each command.
pub(super) fn add(command: Command) -> Command {
    command.mut_subcommands(|subcommand| {
        let mut all = EXAMPLES.iter();
        match all.find(|(name, _)| *name == subcommand.get_name()) {
            Some((_, examples)) => {
                let text = section(&subcommand, examples);
                subcommand.after_long_help(text)
            }
            None => subcommand,
        }
    })
}

/// The examples under their heading.
fn section(command: &Command, examples: &[(&str, &str)]) -> String {
    let header = command.get_styles().get_header();
    let mut text = format!("{header}Examples:{header:#}");
    for (at, (description, line)) in examples.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        let line = line.replace('\n', "\n  ");
        let _ = write!(text, "{gap}\n  # {description}\n  {line}");
    }
    text
}
