//! Single files and new folders: the rights that they get, their names, and machines that
//! have nothing left to give.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use crate::support::make::{self, Image};
use crate::support::{Sandbox, tools};

fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    let image = Image::new(&["app:1"], &["dir etc\nfile etc/hosts h", "file b 2"]);
    sandbox.write("in.tar", make::tar(&make::docker(&[image])));
    sandbox
}

/// The mode, the owner and the group of a file.
fn rights(sandbox: &Sandbox, name: &str) -> (u32, u32, u32) {
    let metadata = fs::metadata(sandbox.path(name)).expect("it is there");
    (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

fn set_mode(sandbox: &Sandbox, name: &str, mode: u32) {
    let mode = Permissions::from_mode(mode);
    fs::set_permissions(sandbox.path(name), mode).expect("the mode can be set");
}

#[test]
fn a_file_in_place_of_another_has_its_rights() {
    let sandbox = prepared();
    let is_root = rustix::process::geteuid().is_root();
    let archive = sandbox.read("in.tar");
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    fs::create_dir(sandbox.path("man")).expect("a folder can be made");
    symlink("out", sandbox.path("link")).expect("a link can be made");
    let writers: [(&[&str], &str); 8] = [
        (&["convert", "--force", "in.tar", "out"], "out"),
        (&["convert", "--force", "in.tar", "link"], "out"),
        (&["config", "--force", "-l", "a=b", "out", "out"], "out"),
        (
            &[
                "squash",
                "-q",
                "--all",
                "--force",
                "in.tar",
                "oci-archive:out",
            ],
            "out",
        ),
        (&["export", "--force", "in.tar", "out"], "out"),
        (
            &["convert", "--tag", "b:1", "in.tar", "oci:lay"],
            "lay/index.json",
        ),
        (&["remove", "-q", "lay", "b:1"], "lay/index.json"),
        (&["man", "--force", "man"], "man/restow.1"),
    ];
    for mode in [0o600, 0o640, 0o666] {
        for (arguments, file) in writers {
            if *file != *"lay/index.json" {
                sandbox.write(file, &archive);
            }
            set_mode(&sandbox, file, mode);
            if is_root {
                chown(sandbox.path(file), Some(5), Some(6)).expect("root may");
            }
            let expected = rights(&sandbox, file);
            let content = sandbox.read(file);
            drop(sandbox.run(arguments).reports());
            assert_eq!(rights(&sandbox, file), expected, "{arguments:?}");
            assert!(arguments[0] == "convert" || sandbox.read(file) != content);
        }
    }
    // An empty file, as mktemp(1) makes it.
    sandbox.write("empty", "");
    set_mode(&sandbox, "empty", 0o600);
    sandbox.run(&["convert", "in.tar", "empty"]).silent();
    assert_eq!(rights(&sandbox, "empty").0, 0o600);
    sandbox.run(&["convert", "in.tar", "new"]).silent();
    assert_eq!(rights(&sandbox, "new").0, 0o644);
}

/// The rights in a list are those of the old file, and never those that the folder hands
/// down to new files.
#[test]
fn an_access_list_stays_and_none_is_inherited() {
    let sandbox = prepared();
    let list = |user: u8, mask: u8| {
        let entry =
            |tag: u8, rights: u8, id: u32| [&[tag, 0, rights, 0][..], &id.to_le_bytes()].concat();
        let none = u32::MAX;
        [
            vec![2, 0, 0, 0],
            entry(1, 6, none),
            entry(2, user, 9),
            entry(4, 0, none),
            entry(0x10, mask, none),
            entry(0x20, 0, none),
        ]
        .concat()
    };
    let (access, default) = ("system.posix_acl_access", "system.posix_acl_default");
    let none = rustix::fs::XattrFlags::empty();
    let set = |name: &str, attribute: &str, list: &[u8]| {
        rustix::fs::setxattr(sandbox.path(name), attribute, list, none)
    };
    if set("", default, &list(6, 6)).is_err() {
        return tools::report(
            "an_access_list_stays_and_none_is_inherited",
            "there are no access lists",
        );
    }
    let found = |name: &str| {
        let mut value = [0; 100];
        let length = rustix::fs::getxattr(sandbox.path(name), access, &mut value[..]);
        length.map(|length| value[..length].to_vec()).ok()
    };
    let convert = || {
        sandbox
            .run(&["convert", "--force", "in.tar", "out"])
            .silent();
    };
    sandbox.write("out", "old");
    rustix::fs::removexattr(sandbox.path("out"), access).expect("it is inherited");
    set_mode(&sandbox, "out", 0o640);
    convert();
    assert_eq!((found("out"), rights(&sandbox, "out").0), (None, 0o640));
    set("out", access, &list(4, 4)).expect("it can be set");
    convert();
    assert_eq!(found("out"), Some(list(4, 4)));
    assert_eq!(rights(&sandbox, "out").0, 0o640);
}

/// The launcher of a run without privileges, in a sandbox that everybody can write to;
/// `None` if there is none.
fn without_privileges(sandbox: &Sandbox, test: &str) -> Option<Vec<&'static str>> {
    let timeout = ["timeout", "-s", "KILL", "5"];
    if !rustix::process::geteuid().is_root() {
        return Some(timeout.to_vec());
    }
    set_mode(sandbox, "", 0o777);
    set_mode(sandbox, "..", 0o755);
    let user = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let launcher = [&timeout[..], &user].concat();
    let version = sandbox
        .restow(&["--version"])
        .by(&launcher)
        .command()
        .output();
    if !version.is_ok_and(|it| it.status.success()) {
        tools::report(test, "another user cannot run the command");
        return None;
    }
    Some(launcher)
}

/// Whoever may not give a file away gets it, and others get no more than everybody had.
#[test]
fn without_privileges_nobody_gets_more_access() {
    let test = "without_privileges_nobody_gets_more_access";
    if !rustix::process::geteuid().is_root() {
        return tools::report(test, "only root has files of others");
    }
    let sandbox = prepared();
    let Some(launcher) = without_privileges(&sandbox, test) else {
        return;
    };
    for (before, after) in [
        (0o600, 0o600),
        (0o664, 0o644),
        (0o660, 0o600),
        (0o604, 0o600),
    ] {
        sandbox.write("out", "old");
        set_mode(&sandbox, "out", before);
        chown(sandbox.path("out"), Some(5), Some(6)).expect("root may");
        let run = sandbox.restow(&["convert", "--force", "in.tar", "out"]);
        run.by(&launcher).run().silent();
        assert_eq!(rights(&sandbox, "out"), (after, 65534, 65534), "{before:o}");
    }
}

#[test]
fn an_output_may_have_any_name() {
    let sandbox = prepared();
    let names = [
        "a".repeat(255),
        format!("{}x", "ü".repeat(127)),
        "é".repeat(122),
    ];
    for name in &names {
        for arguments in [
            ["convert", "in.tar", name.as_str()],
            ["export", "in.tar", name],
            ["convert", "in.tar", &format!("oci:{name}")],
            ["extract", "in.tar", name],
        ] {
            sandbox.run(&arguments).silent();
            assert!(sandbox.path(name).exists());
            sandbox.remove(name);
            assert_eq!(sandbox.tree().into_keys().collect::<Vec<_>>(), ["in.tar"]);
        }
    }
}

/// Files of users whose names are like those of temporaries.
#[test]
fn a_file_of_a_user_is_no_temporary() {
    let sandbox = prepared();
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    sandbox
        .run(&["convert", "in.tar", "oci:.lay.restow-backup"])
        .silent();
    sandbox
        .run(&["convert", "in.tar", ".out.restow-backup"])
        .silent();
    sandbox.remove("lay");
    let mut expected = sandbox.tree();
    sandbox.run(&["convert", "in.tar", "out"]).silent();
    sandbox.run(&["convert", "in.tar", "oci:lay"]).silent();
    let mut after = sandbox.tree();
    after.retain(|path, _| path != "out" && !path.starts_with("lay/"));
    assert_eq!(after, std::mem::take(&mut expected));
}

/// The sandbox checks after each run that nothing is left.
#[test]
fn a_process_without_descriptors_leaves_nothing() {
    let sandbox = prepared();
    for descriptors in 4..12 {
        for arguments in [
            ["convert", "in.tar", "out"],
            ["convert", "in.tar", "oci:out"],
            ["extract", "in.tar", "out"],
        ] {
            let script = format!("ulimit -n {descriptors}; exec \"$@\"");
            let launcher = ["timeout", "-s", "KILL", "5", "/bin/sh", "-c", &script, "sh"];
            let run = sandbox.restow(&arguments).by(&launcher).run();
            if run.code == Some(0) {
                sandbox.remove("out");
                continue;
            }
            let said = run.refuses();
            let reason = "  caused by: Too many open files\n";
            assert!(
                said.ends_with(reason),
                "{descriptors}, {arguments:?}: {said}"
            );
        }
    }
}

/// A folder that nobody can enter is not made again and again.
#[test]
fn an_odd_umask_is_no_more_than_a_failure() {
    let sandbox = prepared();
    let test = "an_odd_umask_is_no_more_than_a_failure";
    let Some(launcher) = without_privileges(&sandbox, test) else {
        return;
    };
    for umask in ["0400", "0777"] {
        let run = sandbox.restow(&["convert", "in.tar", "oci:out"]);
        let run = run.umask(umask).by(&launcher).run();
        run.fails("error: cannot write `out`\n  caused by: Permission denied\n");
    }
}
