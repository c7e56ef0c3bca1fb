//! Docker engines as judges: images loaded into them, and the results.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

use super::api::Api;
use super::image::{strings, text};
use super::naive::{Tree, replay};
use super::tools::{Place, SET_UP, root, skip, succeed};

/// A repository that no other test, and no other run of the tests, uses.
pub(crate) fn unique() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}{number}", own_prefix())
}

/// The prefix of all names in this run of the tests.
fn own_prefix() -> String {
    format!("restow-test-{}-", std::process::id())
}

/// A Docker engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Docker {
    /// The engine of this machine, with a graph driver; 20.10 in continuous integration.
    Machine,
    /// The current engine with the overlay2 graph driver.
    Classic,
    /// The current engine with the containerd image store, the default of Docker 29.
    Containerd,
}

impl Docker {
    /// Every engine.
    pub(crate) const ALL: [Self; 3] = [Self::Machine, Self::Classic, Self::Containerd];

    /// The engines that respond. The others are reported as skipped.
    #[track_caller]
    pub(crate) fn found(test: &str) -> Vec<Self> {
        let mut found = Self::ALL.to_vec();
        found.retain(|it| it.answers(test));
        found
    }

    /// True if the engine responds. Otherwise it is reported as skipped.
    #[track_caller]
    pub(crate) fn answers(self, test: &str) -> bool {
        let is_there = self.is_there();
        if !is_there {
            let what = match self {
                Self::Machine => "no Docker engine responds",
                Self::Classic => "today's Docker with the overlay2 driver does not answer",
                Self::Containerd => "today's Docker with the containerd store does not answer",
            };
            skip(test, &format!("{what}; {SET_UP}"));
        }
        is_there
    }

    /// True if the engine responds.
    pub(crate) fn is_there(self) -> bool {
        let mut command = self.command(&["version", "--format", "{{.Server.Version}}"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// True if the image id is the digest of a manifest or index, and archives may be layouts.
    pub(crate) fn has_containerd_store(self) -> bool {
        self == Self::Containerd
    }

    /// True if the engine is a current one, which supports zstd.
    pub(crate) fn is_todays(self) -> bool {
        self != Self::Machine
    }

    /// A run of the engine's client.
    pub(crate) fn command(self, arguments: &[&str]) -> Command {
        let mut command = match self {
            Self::Machine => Place::Machine.command("docker"),
            Self::Classic | Self::Containerd => {
                let mut command = Place::Today.command("docker");
                let socket = match self {
                    Self::Classic => "unix:///run/classic.sock",
                    _ => "unix:///run/containerd.sock",
                };
                command.args(["--host", socket]);
                command
            }
        };
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// The output of the engine's client, which must succeed.
    #[track_caller]
    pub(crate) fn run(self, arguments: &[&str]) -> Vec<u8> {
        succeed(&mut self.command(arguments))
    }

    /// The engine through its socket.
    pub(crate) fn api(self) -> Api {
        let name = match self {
            Self::Machine => return Api("/var/run/docker.sock".into()),
            Self::Classic => "classic",
            Self::Containerd => "containerd",
        };
        Api(Path::new(&root()).join(format!("run/{name}.sock")))
    }

    /// Exclusive use of the engine's store: images with the same id would interfere.
    ///
    /// At the end, the store must not contain any name of this run of the tests.
    pub(crate) fn alone(self) -> Alone {
        static STORES: [Mutex<()>; 3] = [const { Mutex::new(()) }; 3];
        let store = &STORES[self as usize];
        Alone {
            engine: self,
            _lock: store.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Makes the engine load an archive from its standard input.
    #[track_caller]
    pub(crate) fn load(self, archive: &[u8], tags: &[String]) -> Loaded {
        self.try_load(archive, tags)
            .unwrap_or_else(|stderr| panic!("{self:?}: docker load: {stderr}"))
    }

    /// Makes the engine load an archive, which it may refuse; in that case returns its message.
    ///
    /// A current engine may report on its standard output that it could not unpack an image, and
    /// exit with success.
    pub(crate) fn try_load(self, archive: &[u8], names: &[String]) -> Result<Loaded, String> {
        // Some are stored before they are refused.
        let loaded = Loaded(self, names.to_vec());
        let mut command = self.command(&["load"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker can be started");
        // If the engine refuses its input, its message is more useful than a broken pipe.
        let _ = child
            .stdin
            .take()
            .expect("stdin is piped")
            .write_all(archive);
        let output = child.wait_with_output().expect("docker can be waited for");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if output.status.success() && !said.contains("Error unpacking image") {
            Ok(loaded)
        } else {
            Err(said)
        }
    }

    /// The root filesystem of a container of an image, as the engine exports it.
    #[track_caller]
    pub(crate) fn export(self, tag: &str) -> Vec<u8> {
        let container = Container::create(self, tag);
        self.run(&["export", &container.id])
    }

    /// True if the engine can create a container from an image that it has.
    pub(crate) fn creates(self, tag: &str) -> bool {
        let mut command = self.command(&["create", "--pull", "never", tag, "/none"]);
        let output = command.output().expect("docker can be started");
        if output.status.success() {
            let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            drop(Container { engine: self, id });
        }
        output.status.success()
    }

    /// The archive of these tags, written by the engine.
    #[track_caller]
    pub(crate) fn save(self, tags: &[&str]) -> Vec<u8> {
        self.run(&[&["save"], tags].concat())
    }

    /// Makes the engine create an image from a rootfs tar in the folder for temporaries.
    #[track_caller]
    pub(crate) fn import(self, rootfs: &Path, tag: &str) -> Loaded {
        let loaded = Loaded(self, vec![tag.to_owned()]);
        let rootfs = rootfs.to_str().expect("a plain path");
        drop(self.run(&["import", rootfs, tag]));
        loaded
    }

    /// The engine's view of an image.
    #[track_caller]
    pub(crate) fn see(self, tag: &str) -> Seen {
        let shown = self.run(&["image", "inspect", tag]);
        let shown: Value = serde_json::from_slice(&shown).expect("docker prints JSON");
        let mut facts = shown[0].clone();
        let mut tags = strings(&facts["RepoTags"]);
        // Another user of this engine may have the same image with other names.
        tags.retain(|it| it.starts_with(&own_prefix()));
        tags.sort();
        let id = text(&facts["Id"]).to_owned();
        let removed = facts.as_object_mut().expect("an object");
        for key in [
            "Id",
            "RepoTags",
            "RepoDigests",
            "Descriptor",
            "Identity",
            "Manifests",
            "GraphDriver",
            "Metadata",
            "Parent",
        ] {
            removed.remove(key);
        }
        if self.has_containerd_store() {
            // The size of the stored data, compressed or not.
            removed.remove("Size");
        }
        let format = "{{json .CreatedAt}} {{json .CreatedBy}} {{json .Comment}} {{json .Size}}";
        let history = self.run(&["history", "--no-trunc", "--format", format, tag]);
        Seen {
            id,
            tags,
            facts,
            history: String::from_utf8(history).expect("a history is text"),
            tree: replay(&[self.export(tag)]),
        }
    }
}

/// An engine's view of an image.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The id, of whichever kind the engine's store uses.
    pub(crate) id: String,
    /// The names that these tests gave it, sorted.
    pub(crate) tags: Vec<String>,
    /// Everything else in `docker image inspect` that does not depend on the store.
    pub(crate) facts: Value,
    /// `docker history`.
    pub(crate) history: String,
    /// The tree of a container.
    pub(crate) tree: Tree,
}

impl Seen {
    /// The digests of the uncompressed layers.
    #[track_caller]
    pub(crate) fn diff_ids(&self) -> Vec<String> {
        strings(&self.facts["RootFS"]["Layers"])
    }

    /// The steps of `docker history` without the sizes of layers, the first step first.
    pub(crate) fn story(&self) -> Vec<&str> {
        let lines = self.history.lines().rev();
        lines
            .filter_map(|it| Some(it.rsplit_once(' ')?.0))
            .collect()
    }

    /// The facts without those that depend on the layers.
    pub(crate) fn facts_without_layers(&self) -> Value {
        let mut facts = self.facts.clone();
        facts["RootFS"] = json!(null);
        facts["Size"] = json!(null);
        facts["VirtualSize"] = json!(null);
        facts
    }
}

/// Exclusive use of an engine's store in this run of the tests.
#[must_use = "the store is free again when this is dropped"]
pub(crate) struct Alone {
    engine: Docker,
    _lock: MutexGuard<'static, ()>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        let list = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"];
        let names = match self.engine.command(&list).output() {
            Ok(output) if !thread::panicking() => output.stdout,
            _ => return,
        };
        let names = String::from_utf8_lossy(&names).into_owned();
        let own = names.lines().filter(|it| it.starts_with(&own_prefix()));
        let left: Vec<&str> = own.collect();
        assert!(left.is_empty(), "{:?}: left behind: {left:?}", self.engine);
    }
}

/// Names in an engine's store, which are always removed at the end.
pub(crate) struct Loaded(Docker, Vec<String>);

impl Loaded {
    /// Names that were given to images by other means, to be removed.
    pub(crate) fn names(engine: Docker, names: &[String]) -> Self {
        Self(engine, names.to_vec())
    }

    /// Makes the machine's engine load an archive from its standard input.
    #[track_caller]
    pub(crate) fn load(archive: &[u8], tags: &[String]) -> Self {
        Self::try_load(archive, tags).unwrap_or_else(|stderr| panic!("docker load: {stderr}"))
    }

    /// Makes the machine's engine load an archive, which it may refuse; in that case returns its
    /// message.
    pub(crate) fn try_load(archive: &[u8], names: &[String]) -> Result<Self, String> {
        Docker::Machine.try_load(archive, names)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if self.1.is_empty() {
            return;
        }
        let mut command = self.0.command(&["image", "rm", "--force"]);
        // An image that was not loaded cannot be removed.
        let command = command.args(&self.1).stdout(Stdio::null());
        let _ = command.stderr(Stdio::null()).status();
    }
}

/// The archive of a tag, written by the machine's engine.
#[track_caller]
pub(crate) fn save(tag: &str) -> Vec<u8> {
    Docker::Machine.save(&[tag])
}

/// Makes the machine's engine create an image from a rootfs tar.
#[track_caller]
pub(crate) fn import(rootfs: &Path, tag: &str) -> Loaded {
    Docker::Machine.import(rootfs, tag)
}

/// A container that was never started, which is always removed at the end.
struct Container {
    engine: Docker,
    id: String,
}

impl Container {
    #[track_caller]
    fn create(engine: Docker, tag: &str) -> Self {
        // An image of random files has no command of its own.
        let id = engine.run(&["create", tag, "/none"]);
        let id = String::from_utf8(id).expect("an id is text");
        Self {
            engine,
            id: id.trim().to_owned(),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut command = self.engine.command(&["rm", "--force", &self.id]);
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
