//! Folders that are no OCI layout, and what is said of them.

use std::fs;

use super::app;
use crate::support::make::{self, Member};
use crate::support::sandbox::Sandbox;

/// A folder of each kind, and an archive.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let members = make::docker(&[app()]);
    for member in &members {
        match member {
            Member::Directory(name) => fs::create_dir_all(sandbox.path(&format!("un/{name}"))),
            Member::File(name, content) => {
                sandbox.write(&format!("un/{name}"), content);
                Ok(())
            }
            other => panic!("{other:?} is not in it"),
        }
        .expect("a directory can be made");
    }
    sandbox.write("in.tar", make::tar(&members));
    sandbox.run(&["convert", "in.tar", "oci:layout"]).silent();
    sandbox.write("sk/version", "Directory Transport Version: 1.1\n");
    sandbox.write("sk/manifest.json", r#"{"schemaVersion":2}"#);
    sandbox.write("old/repositories", "{}");
    sandbox.write("rootfs/etc/hosts", "h");
    fs::create_dir(sandbox.path("empty")).expect("a directory can be made");
    sandbox
}

/// Checks what is said of an input, and that nothing comes of it.
#[track_caller]
fn is_refused(sandbox: &Sandbox, arguments: &[&str], name: &str, fact: &str, hint: &str) {
    let mut says = format!("error: cannot read `{name}`\n  caused by: {fact}\n");
    if !hint.is_empty() {
        says = format!("{says}  hint: {hint}\n");
    }
    sandbox.run(arguments).fails(&says);
}

#[test]
fn who_names_a_folder_is_told_what_it_is_and_how_it_is_read() {
    let sandbox = sandbox();
    let commands: [&[&str]; 7] = [
        &["images"],
        &["inspect"],
        &["history"],
        &["verify"],
        &["export"],
        &["convert", "--to", "docker-archive", "--", "SRC", "out.tar"],
        &["squash", "--all", "--dry-run"],
    ];
    for (name, is, hint) in [
        (
            "un",
            "an unpacked docker archive",
            "pack it again: `tar -C un -c . | restow convert - DST`",
        ),
        (
            "old",
            "an unpacked docker archive",
            "pack it again: `tar -C old -c . | restow convert - DST`",
        ),
        (
            "sk",
            "an image of skopeo's transport `dir:`",
            "`skopeo copy dir:sk oci:DIR` converts it to an OCI layout",
        ),
        (
            "rootfs",
            "a folder",
            "if it is a root filesystem: `restow import rootfs DST`",
        ),
        ("empty", "an empty folder", ""),
    ] {
        for command in commands {
            for source in [name.to_owned(), format!("oci:{name}")] {
                let fill = |word: &&'static str| match *word {
                    "SRC" => source.clone(),
                    word => word.to_owned(),
                };
                let mut arguments: Vec<String> = command.iter().map(fill).collect();
                if !command.contains(&"SRC") {
                    arguments.push(source);
                }
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let fact = format!("it is {is}; expected an OCI layout");
                is_refused(&sandbox, &arguments, name, &fact, hint);
            }
        }
    }
}

#[test]
fn who_names_a_folder_as_a_tar_is_told_how_it_is_packed() {
    let sandbox = sandbox();
    for (arguments, name, fact, hint) in [
        (
            ["convert", "rootfs:rootfs", "out.tar"],
            "rootfs",
            "it is a folder; expected a tar",
            "`restow import rootfs DST` makes an image of it",
        ),
        (
            ["import", "layout", "out.tar"],
            "layout",
            "it is an OCI layout in a folder; expected a root filesystem",
            "`restow export oci:layout` makes a tar of it; use `rootfs:PATH` if it really is a root filesystem",
        ),
        (
            ["import", "un", "out.tar"],
            "un",
            "it is an unpacked docker archive; expected a root filesystem",
            "pack it again: `tar -C un -c . | restow convert - DST`; use `rootfs:PATH` if it really is a root filesystem",
        ),
        (
            ["convert", "docker-archive:un", "out.tar"],
            "un",
            "it is an unpacked docker archive; expected an archive",
            "pack it again: `tar -C un -c . | restow convert - DST`",
        ),
        (
            ["convert", "oci-archive:layout", "out.tar"],
            "layout",
            "it is an OCI layout in a folder; expected an archive",
            "use `oci:layout`",
        ),
    ] {
        is_refused(&sandbox, &arguments, name, fact, hint);
    }
    is_refused(
        &sandbox,
        &["verify", "docker-archive:layout"],
        "layout",
        "it is an OCI layout in a folder; expected an archive",
        "use `oci:layout`",
    );
}

#[test]
fn a_folder_is_read_as_its_hint_says() {
    let sandbox = sandbox();
    let script = "tar -C un -c . | \"$0\" convert - convert.tar";
    let restow = env!("CARGO_BIN_EXE_restow");
    let mut shell = sandbox.command("sh".as_ref());
    let output = shell.args(["-c", script, restow]).output();
    let output = output.expect("a shell can be run");
    assert!(output.status.success(), "{output:?}");
    assert!(sandbox.path("convert.tar").is_file());
    sandbox.run(&["import", "rootfs", "import.tar"]).silent();
    assert!(sandbox.path("import.tar").is_file());
}

#[test]
fn a_tree_is_not_unpacked_into_a_folder() {
    let sandbox = sandbox();
    for folder in ["rootfs", "new/", "rootfs:rootfs"] {
        let path = folder.strip_prefix("rootfs:").unwrap_or(folder);
        let says = format!(
            "error: `{path}` is a folder, but `export` writes a tar\n  hint: `restow extract in.tar {path}` writes the files there\n"
        );
        let output = sandbox.run(&["export", "--force", "in.tar", folder]);
        let got = (output.code, output.stderr.as_str());
        assert_eq!(got, (Some(2), says.as_str()), "{}", output.command);
        assert_eq!(output.stdout, b"", "{}", output.command);
    }
}
