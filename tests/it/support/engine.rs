//! The Docker engine as a judge: images loaded into it, and what it makes of them.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::tools::{succeed, tool};

/// A repository that no other test, and no other run of the tests, uses.
pub(crate) fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("restow-test-{}-{number}", std::process::id())
}

/// Tags in the engine's store, removed at the end whatever happens.
pub(crate) struct Loaded(Vec<String>);

impl Loaded {
    /// Has the engine load an archive from its standard input.
    #[track_caller]
    pub(crate) fn load(archive: &[u8], tags: &[String]) -> Self {
        Self::try_load(archive, tags).unwrap_or_else(|stderr| panic!("docker load: {stderr}"))
    }

    /// Has the engine load an archive, which it may refuse; then returns what it says.
    pub(crate) fn try_load(archive: &[u8], names: &[String]) -> Result<Self, String> {
        // Some are stored before they are refused.
        let loaded = Self(names.to_vec());
        let mut command = Command::new("docker");
        command
            .arg("load")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("docker can be started");
        // If the engine refuses what it gets, its message says more than a broken pipe.
        let _ = child
            .stdin
            .take()
            .expect("stdin is piped")
            .write_all(archive);
        let output = child.wait_with_output().expect("docker can be waited for");
        if output.status.success() {
            Ok(loaded)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let mut command = Command::new("docker");
        command.args(["image", "rm", "--force"]).args(&self.0);
        // An image that was not loaded cannot be removed.
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// The root filesystem of a container of an image, as the engine exports it.
#[track_caller]
pub(crate) fn export(tag: &str) -> Vec<u8> {
    let container = Container::create(tag);
    tool("docker", &["export", &container.0])
}

/// The archive of a tag that the engine writes.
#[track_caller]
pub(crate) fn save(tag: &str) -> Vec<u8> {
    tool("docker", &["save", tag])
}

/// Whether the engine keeps its images in containerd's store.
pub(crate) fn is_containerd() -> bool {
    let status = tool("docker", &["info", "--format", "{{.DriverStatus}}"]);
    String::from_utf8_lossy(&status).contains("io.containerd.snapshotter")
}

/// Whether the engine can make a container of an image that it has.
pub(crate) fn is_created(tag: &str) -> bool {
    let mut command = Command::new("docker");
    command.args(["create", "--pull", "never", tag, "/none"]);
    let output = command.output().expect("docker can be started");
    if output.status.success() {
        let id = String::from_utf8_lossy(&output.stdout);
        drop(Container(id.trim().to_owned()));
    }
    output.status.success()
}

/// Has the engine make an image of a rootfs tar.
#[track_caller]
pub(crate) fn import(rootfs: &std::path::Path, tag: &str) -> Loaded {
    let loaded = Loaded(vec![tag.to_owned()]);
    drop(succeed(
        Command::new("docker").arg("import").arg(rootfs).arg(tag),
    ));
    loaded
}

/// A container that was never started, removed at the end whatever happens.
struct Container(String);

impl Container {
    #[track_caller]
    fn create(tag: &str) -> Self {
        // An image of random files has no command of its own.
        let id = tool("docker", &["create", tag, "/none"]);
        let id = String::from_utf8(id).expect("an id is text");
        Self(id.trim().to_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut command = Command::new("docker");
        command.args(["rm", "--force", &self.0]);
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
