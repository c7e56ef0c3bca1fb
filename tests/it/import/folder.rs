//! A folder as the root filesystem.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use expect_test::expect;

use super::{import, imported};
use crate::support::canonical::{assert_bytes, assert_entries};
use crate::support::cost::{MEMORY, measure};
use crate::support::folder::found_in;
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::naive::replay;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{is_root, skip, succeed};
use crate::support::tree::{Strictness, assert_same};

/// A folder with files, links to the outside and inside, a pipe, and names in an odd order.
fn folder(sandbox: &Sandbox) {
    sandbox.write("root/b/file", "content");
    sandbox.write("root/B", "");
    sandbox.write("root/a b\n\x1b", "odd");
    sandbox.write("root/b.d/x", "x");
    sandbox.write("outside/secret", "secret");
    let path = |name: &str| sandbox.path("root").join(name);
    symlink("../outside", path("out")).expect("a link can be made");
    symlink("/etc/passwd", path("b/absolute")).expect("a link can be made");
    fs::hard_link(path("b/file"), path("z")).expect("a link can be made");
    fs::hard_link(path("out"), path("out2")).expect("a link can be made");
    let mut command = Command::new("mkfifo");
    drop(succeed(command.args(["-m", "0620"]).arg(path("pipe"))));
    fs::create_dir(path("empty")).expect("a folder can be made");
    for (name, mode) in [
        ("b", 0o750),
        ("B", 0o4755),
        ("empty", 0o1777),
        ("b.d", 0o555),
    ] {
        fs::set_permissions(path(name), Permissions::from_mode(mode)).expect("a mode can be set");
    }
    rustix::fs::setxattr(
        path("B"),
        "user.a",
        &[0, 255],
        rustix::fs::XattrFlags::empty(),
    )
    .expect("an attribute can be set");
}

/// The layer of an imported folder.
#[track_caller]
fn layer_of(sandbox: &Sandbox, arguments: &[&str]) -> Vec<u8> {
    import(sandbox, arguments, None).silent();
    imported(sandbox, Format::Docker).2
}

#[test]
fn a_folder_becomes_a_layer_of_all_that_is_in_it() {
    let sandbox = Sandbox::new();
    folder(&sandbox);
    if is_root() {
        for (name, uid) in [("b/file", 3), ("empty", 4)] {
            let path = sandbox.path("root").join(name);
            chown(path, Some(uid), Some(5)).expect("root can set an owner");
        }
    }
    let layer = layer_of(&sandbox, &["root", "out"]);
    assert_bytes(&layer);
    let entries = layer::read(&layer);
    assert_entries(&entries, None);
    let names: Vec<String> = entries
        .iter()
        .map(|it| it.name.escape_ascii().to_string())
        .collect();
    let order = "./ B a b\\n\\x1b b/ b/absolute b/file b.d/ b.d/x empty/ out out2 pipe z";
    assert_eq!(names.join(" "), order);
    let expected = found_in(&sandbox.path("root"));
    assert_same(&expected, &replay(&[layer]), Strictness::All, "the layer");
}

/// Into each format, compressed and on a stream, it is the same layer.
#[test]
fn the_same_folder_is_the_same_image() {
    let sandbox = Sandbox::new();
    folder(&sandbox);
    let layer = layer_of(&sandbox, &["root", "out"]);
    let archive = sandbox.read("out");
    // Another order on disk, other times of access and change, another umask and locale.
    let before = time_of_root(&sandbox);
    fs::rename(sandbox.path("root/b"), sandbox.path("aside")).expect("it can be moved");
    drop(fs::read(sandbox.path("root/z")));
    fs::rename(sandbox.path("aside"), sandbox.path("root/b")).expect("it can be moved");
    let root = File::open(sandbox.path("root")).expect("it can be opened");
    root.set_modified(before).expect("the time can be set");
    let run = sandbox.restow(&["import", "--jobs", "1", "root", "again"]);
    run.umask("077").env("LANG", "de_DE").run().silent();
    assert_eq!(time_of_root(&sandbox), before, "the folder is only read");
    assert!(sandbox.read("again") == archive, "the same image");
    let run = sandbox.restow(&["import", "rootfs:root", "-"]).run();
    let streamed = run.data("");
    assert_eq!(streamed.len() % 512, 0);
    for compress in ["none", "gzip", "zstd"] {
        let sandbox_out = format!("oci:{compress}");
        let arguments = ["import", "--compress", compress, "root", &sandbox_out];
        sandbox.run(&arguments).silent();
        sandbox.run(&["export", &sandbox_out, "flat.tar"]).silent();
        let flat = replay(&[sandbox.read("flat.tar")]);
        let expected = replay(std::slice::from_ref(&layer));
        assert_same(&expected, &flat, Strictness::All, compress);
        sandbox.remove("flat.tar");
    }
}

fn time_of_root(sandbox: &Sandbox) -> SystemTime {
    let metadata = fs::metadata(sandbox.path("root")).expect("it is there");
    metadata.modified().expect("it has a time")
}

#[test]
fn owners_and_times_can_be_set() {
    let sandbox = Sandbox::new();
    folder(&sandbox);
    let old = SystemTime::UNIX_EPOCH + Duration::new(1000, 5);
    let file = File::open(sandbox.path("root/z")).expect("it can be opened");
    file.set_modified(old).expect("the time can be set");
    let run = sandbox.restow(&["import", "--owner", "0:4294967294", "root", "out"]);
    run.env("SOURCE_DATE_EPOCH", "1000000").run().silent();
    let (_, config, layer) = imported(&sandbox, Format::Docker);
    assert_eq!(config["created"], "1970-01-12T13:46:40Z");
    let mut expected = found_in(&sandbox.path("root"));
    let latest = 1_000_000 * crate::support::entry::SECOND;
    expected.edit(|meta| {
        (meta.uid, meta.gid) = (0, 4_294_967_294);
        meta.mtime = meta.mtime.min(latest);
    });
    assert_same(&expected, &replay(&[layer]), Strictness::All, "the layer");
    let times = expected.entries();
    assert_eq!(times[b"z".as_slice()].meta.mtime, 1_000_000_000_005);
    assert_eq!(times[b"B".as_slice()].meta.mtime, latest);
}

#[test]
fn a_socket_is_left_out_and_an_empty_folder_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write("root/file", "");
    let sockets = ["root/a\x1b", "root/b"].map(|it| UnixListener::bind(sandbox.path(it)));
    import(&sandbox, &["root", "out"], None).warns(expect![[r#"
        warning: left out the socket `a\u{1b}` and 1 more
    "#]]);
    let names: Vec<_> = layer::read(&imported(&sandbox, Format::Docker).2);
    assert_eq!(crate::support::entry::words(&names).matches(' ').count(), 1);
    drop(sockets);
    fs::create_dir(sandbox.path("nothing")).expect("a folder can be made");
    import(&sandbox, &["nothing", "out2"], None).warns(expect![[r#"
        warning: the folder is empty, and so is the root filesystem
    "#]]);
}

/// A hole is read as zeros.
#[test]
fn a_hole_is_content() {
    let sandbox = Sandbox::new();
    sandbox.write("root/sparse", "");
    let file = File::options()
        .write(true)
        .open(sandbox.path("root/sparse"));
    let file = file.expect("it can be opened");
    file.write_all_at(b"end", 3 << 20)
        .expect("it can be written");
    let layer = layer_of(&sandbox, &["root", "out"]);
    let mut content = vec![0; 3 << 20];
    content.extend(b"end");
    let entries = layer::read(&layer);
    assert!(entries[1].kind == crate::support::entry::Kind::File(content));
}

#[test]
fn a_folder_that_cannot_be_packed_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("root/etc/file", "content");
    fs::create_dir(sandbox.path("in")).expect("a folder can be made");
    for output in [
        "root/out",
        "root/etc/out",
        "root",
        "oci:root/lay",
        "root/../root/out",
    ] {
        import(&sandbox, &["root", output], None).ends(
            2,
            expect![[r#"
                error: DST is inside the folder that is ROOTFS
                  hint: choose a path outside the folder
            "#]],
        );
    }
    let script = "cd root && exec \"$0\" import . - > etc/out.tar";
    let mut shell = sandbox.command("sh".as_ref());
    shell.args(["-c", script, env!("CARGO_BIN_EXE_restow")]);
    let output = shell.output().expect("a shell can be run");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// The file grows as long as it is read.
#[test]
fn a_file_that_changes_its_size_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("root/log", vec![b'x'; 64 << 20]);
    let path = sandbox.path("root/log");
    let arguments = ["import", "root", "out"];
    let mut command = sandbox.restow(&arguments).command();
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command can be started");
    let mut log = File::options()
        .append(true)
        .open(&path)
        .expect("it can be opened");
    while child.try_wait().expect("it can be asked").is_none() {
        log.write_all(b"more").expect("it can be written");
        thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("it is text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    expect![[r#"
        error: cannot read `root`
          caused by: entry `log`: its size changed while it was read
    "#]]
    .assert_eq(&said);
    assert!(!sandbox.path("out").exists());
}

/// As little memory as for a tar, whatever is in the files.
#[test]
fn a_large_folder_needs_little_memory() {
    let sandbox = Sandbox::new();
    sandbox.write("root/small", "");
    let file = File::create(sandbox.path("root/large")).expect("a file can be made");
    file.set_len(600 << 20).expect("it can be long");
    for directory in 0..20 {
        let name = format!("root/d{directory}");
        fs::create_dir(sandbox.path(&name)).expect("a folder can be made");
        for number in 0..500 {
            let path = sandbox.path(&format!("{name}/file-{number}"));
            File::create(path).expect("a file can be made");
        }
    }
    let run = sandbox.restow(&["import", "root", "oci:out"]);
    let read = |stdout: &mut dyn Read| io::copy(stdout, &mut io::sink());
    let (_, _, cost) = measure(run.command(), |_: &mut dyn Write| Ok(()), read);
    assert!(cost.memory < MEMORY, "{} bytes of memory", cost.memory);
}

/// The file would not be in the image, and delete another one instead.
#[test]
fn the_name_of_a_whiteout_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("root/etc/.wh.file", "");
    import(&sandbox, &["root", "out"], None).fails(expect![[r#"
        error: cannot read `root`
          caused by: entry `etc/.wh.file`: in an image, a name that begins with `.wh.` deletes files
    "#]]);
}

/// A layer would have the attribute `user.a` with the value `b=c`.
#[test]
fn an_attribute_with_an_equals_sign_in_its_name_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("root/etc/file", "");
    rustix::fs::setxattr(
        sandbox.path("root/etc/file"),
        "user.a=b",
        b"c",
        rustix::fs::XattrFlags::empty(),
    )
    .expect("an attribute can be set");
    import(&sandbox, &["root", "out"], None).fails(expect![[r#"
        error: cannot read `root`
          caused by: entry `etc/file`: the name of its attribute `user.a=b` has a `=`, which no layer can hold
    "#]]);
    assert!(!sandbox.path("out").exists());
}

#[test]
fn devices_are_kept() {
    if !is_root() {
        return skip("devices_are_kept", "only root can make devices");
    }
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("root")).expect("a folder can be made");
    for (name, kind, major, minor) in [("null", "c", "1", "3"), ("sda", "b", "8", "300")] {
        let mut command = Command::new("mknod");
        let path = sandbox.path("root").join(name);
        drop(succeed(command.arg(path).args([kind, major, minor])));
    }
    let layer = layer_of(&sandbox, &["root", "out"]);
    let expected = found_in(&sandbox.path("root"));
    assert_same(&expected, &replay(&[layer]), Strictness::All, "the layer");

    let mut command = Command::new("mknod");
    let path = sandbox.path("root/whiteout");
    drop(succeed(command.arg(path).args(["c", "0", "0"])));
    let output = sandbox
        .restow(&["import", "root", "out2"])
        .command()
        .output();
    let output = output.expect("the command can be started");
    let said = String::from_utf8(output.stderr).expect("it is text");
    expect![[r#"
        error: cannot read `root`
          caused by: entry `whiteout`: in an image, a character device 0:0 deletes a file
    "#]]
    .assert_eq(&said);
}
