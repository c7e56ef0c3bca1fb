//! Pairs of an old and a new image from the registries of Debian and of Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::Result;
use super::docker_archive::{kept, write_archive};
use super::layer::{LayerWriter, Random, content};
use super::measure::needs_program_of;

/// Two images, each of one plain layer.
#[derive(Clone, Copy)]
pub(crate) enum Pair {
    /// A small Debian with some programs, as released and with all updates of today.
    Base,
    /// Five Python packages and their next patch releases.
    App,
    /// Generated files of this number and mean size, of which every tenth changes a little.
    Generated { files: u64, mean: u64 },
}

/// A layer, which an option of GNU tar and mmdebstrap makes the same at any time.
const EPOCH: &str = "1735689600";

const DEBIAN: &str = r#"
key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
release="deb $key http://deb.debian.org/debian bookworm main"
updates="deb $key http://deb.debian.org/debian bookworm-updates main"
security="deb $key http://deb.debian.org/debian-security bookworm-security main"
make() {
    layer=$1
    shift
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,curl,git,python3,vim \
        bookworm "$layer" "$@"
}
make old-layer.tar "$release"
make new-layer.tar "$release" "$updates" "$security"
"#;

const PYTHON: &str = r#"
make() {
    version=$1
    shift
    python3 -m pip download --quiet --no-deps --dest "$version" --only-binary=:all: \
        --python-version 3.12 --platform manylinux2014_x86_64 "$@"
    for wheel in "$version"/*.whl; do
        python3 -m zipfile -e "$wheel" "$version/opt/app"
    done
    tar --sort=name "--mtime=@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        -C "$version" -cf "$version-layer.tar" opt
    rm -r "$version"
}
make old jinja2==3.1.3 numpy==1.26.3 pandas==2.2.1 requests==2.32.2 sqlalchemy==2.0.28
make new jinja2==3.1.4 numpy==1.26.4 pandas==2.2.2 requests==2.32.3 sqlalchemy==2.0.29
"#;

/// Packs the layers into images.
const IMPORT: &str = r#"
for version in old new; do
    "$RESTOW" --quiet import --tag "bench:$version" "$version-layer.tar" "$version.tar"
done
"#;

impl Pair {
    /// The folder with `old.tar` and `new.tar`, and for real pairs also with `old-layer.tar` and
    /// `new-layer.tar`; it is made if it does not exist yet. The number in the name must be
    /// increased when the recipe changes.
    pub(crate) fn folder(self) -> Result<PathBuf> {
        let (name, program, files, mean) = match self {
            Self::Base => ("carry-v1-base".to_owned(), "mmdebstrap", 0, 0),
            Self::App => ("carry-v1-app".to_owned(), "python3", 0, 0),
            Self::Generated { files, mean } => {
                (format!("carry-v2-{files}-{mean}"), "sh", files, mean)
            }
        };
        if !Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name).exists() {
            needs_program_of(program)?;
        }
        let (files, mean) = (files.to_string(), mean.to_string());
        kept(&name, &["--make-pair", &files, "--make-mean", &mean])
    }

    /// Makes the folder of the pair whose name ends it.
    pub(crate) fn make(path: &Path, files: u64, mean: u64) -> Result<()> {
        let beside = path.parent().ok_or("a pair is made in a folder")?;
        let folder = tempfile::tempdir_in(beside)?;
        if files > 0 {
            make_generated(&folder.path().join("old.tar"), (files, mean), false)?;
            make_generated(&folder.path().join("new.tar"), (files, mean), true)?;
        } else {
            let is_base = path.to_string_lossy().ends_with("base");
            let layers = if is_base { DEBIAN } else { PYTHON };
            let mut shell = Command::new("sh");
            shell.args(["-ec", &format!("{layers}{IMPORT}")]);
            shell.env("SOURCE_DATE_EPOCH", EPOCH);
            shell.env("RESTOW", env!("CARGO_BIN_EXE_restow"));
            if !shell.current_dir(folder.path()).status()?.success() {
                return Err("the layers were not made: the programs above need the network".into());
            }
        }
        std::fs::rename(folder.keep(), path)?;
        Ok(())
    }
}

/// Makes one image of a pair with files of this number and mean size.
fn make_generated(path: &Path, (files, mean): (u64, u64), is_new: bool) -> Result<()> {
    write_archive(path, 1, |folder, _| {
        let mut layer = LayerWriter::new(folder)?;
        let mut random = Random(1);
        for count in 0..files {
            let size = random.next() % (2 * mean);
            let mut data = content(&mut random, size);
            if is_new && count % 10 == 0 {
                let middle = data.len() / 2;
                data.splice(middle..middle, *b"changed");
            }
            layer.file(format!("srv/{}/{count}", count / 100), data)?;
        }
        layer.finish()
    })
}
