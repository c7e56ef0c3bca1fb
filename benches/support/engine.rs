//! The local Docker engine, and docker-squash, which works through it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::bench::Result;

/// The name of images in the engine.
const REFERENCE: &str = "restow-bench:loaded";

/// The current version when the benchmark was written.
const DOCKER_SQUASH: &str = "docker-squash==1.2.2";

/// An image in the engine; it is removed with its containers at the end.
pub(crate) struct Loaded {
    reference: &'static str,
}

impl Loaded {
    /// Loads a docker-archive with a name of its own.
    pub(crate) fn new(image: &Path) -> Result<Self> {
        eprintln!("loading `{}` into the engine", image.display());
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            r#""$RESTOW" convert --tag "$LOADED" "$IMAGE" - | docker load"#,
        ]);
        shell
            .env("RESTOW", env!("CARGO_BIN_EXE_restow"))
            .env("LOADED", REFERENCE)
            .env("IMAGE", image);
        succeed(&mut shell)?;
        Ok(Self {
            reference: REFERENCE,
        })
    }

    pub(crate) fn reference(&self) -> &OsStr {
        OsStr::new(self.reference)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // Containers first, since an image with containers is not removed.
        let remove = r#"docker ps -aq --filter "ancestor=$LOADED" | xargs -r docker rm && docker rmi "$LOADED""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", remove]).env("LOADED", self.reference);
        if let Err(error) = succeed(&mut shell) {
            eprintln!("`{}` stays in the engine: {error}", self.reference);
        }
    }
}

/// Finds docker-squash on PATH, or else installs it below `target/tmp` if requested.
pub(crate) fn docker_squash(is_installing: bool) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker-squash");
    let folders = env::split_paths(&path).chain([venv.join("bin")]);
    let mut programs = folders.map(|folder| folder.join("docker-squash"));
    if let Some(program) = programs.find(|program| program.is_file()) {
        return Ok(program);
    }
    if !is_installing {
        return Err("`docker-squash` is not installed; `--docker-squash` installs it".into());
    }
    eprintln!("installing {DOCKER_SQUASH} in `{}`", venv.display());
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let pip = venv.join("bin/pip");
    succeed(Command::new(pip).args(["install", "--quiet", DOCKER_SQUASH]))?;
    Ok(venv.join("bin/docker-squash"))
}

/// Runs a command whose output only matters if it fails.
fn succeed(command: &mut Command) -> Result<()> {
    let Output { status, stderr, .. } = command.output()?;
    if status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    Err(format!("{}: {}", status, stderr.trim_end()).into())
}
