//! An image of many small entries, which is the same on every machine.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::bench::Result;
use super::docker_archive::{kept, write_archive};
use super::layer::{LayerWriter, Random, content, header};

const LAYERS: usize = 10;

/// Number of entries in a directory, including itself.
const FOLDER: u64 = 100;

/// The image of this many entries, with files of this mean size; the number in the name must be
/// increased when the recipe changes.
pub(crate) fn kept_entries(entries: u64, mean: u64) -> Result<PathBuf> {
    let name = format!("entries-v1-{entries}-{mean}.tar");
    let (entries, mean) = (entries.to_string(), mean.to_string());
    kept(&name, &["--make-entries", &entries, "--make-mean", &mean])
}

/// Makes the image; besides the counted entries, a layer has the two directories above its own.
pub(crate) fn make_entries(path: &Path, entries: u64, mean: u64) -> Result<()> {
    write_archive(path, LAYERS, |folder, number| {
        write_layer(folder, number, entries / LAYERS as u64, mean)
    })
}

/// Writes a layer of directories, each of which has, besides files, two symlinks and a hard link,
/// and removes a file of the layer below and changes another.
fn write_layer(folder: &Path, number: usize, entries: u64, mean: u64) -> io::Result<File> {
    let mut layer = LayerWriter::new(folder)?;
    let mut random = Random(number as u64 + 1);
    for count in 0..entries {
        let own = format!("srv/{number}/{}", count / FOLDER);
        let below = number
            .checked_sub(1)
            .map(|below| format!("srv/{below}/{}", count / FOLDER));
        match (count % FOLDER, below) {
            // The place of a directory, which precedes its content.
            (0, _) | (1, Some(_)) => {}
            (2, Some(below)) => layer.file(format!("{below}/.wh.{}", count + 50), "")?,
            (3, Some(below)) => layer.file(format!("{below}/{}", count + 50), "changed\n")?,
            (4 | 5, _) => {
                let target = (count + 50).to_string();
                link(
                    &mut layer,
                    EntryType::Symlink,
                    format!("{own}/{count}"),
                    target,
                )?;
            }
            (99, _) => {
                let target = format!("{own}/{}", count - 1);
                link(
                    &mut layer,
                    EntryType::Link,
                    format!("{own}/{count}"),
                    target,
                )?;
            }
            _ => {
                let size = random.next() % (2 * mean + 1);
                layer.file(format!("{own}/{count}"), content(&mut random, size))?;
            }
        }
    }
    layer.finish()
}

fn link(layer: &mut LayerWriter, kind: EntryType, path: String, target: String) -> io::Result<()> {
    layer.parents(Path::new(&path))?;
    layer.tar.append_link(&mut header(kind, 0), path, target)
}
