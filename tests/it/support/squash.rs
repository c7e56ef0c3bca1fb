//! Images written to a sandbox, squashed there, and read back.

use std::ops::RangeInclusive;

use super::Sandbox;
use super::image::{Image, Store};
use super::judge::Format;
use super::make::{self, Layout};
use super::sandbox::Output;

/// Writes an image to the sandbox as `name`, and returns its name on the command line.
#[track_caller]
pub(crate) fn put(sandbox: &Sandbox, name: &str, format: Format, image: &make::Image) -> String {
    let members = match format {
        Format::Docker => make::docker(std::slice::from_ref(image)),
        Format::Oci | Format::OciArchive => {
            let mut layout = Layout::default();
            layout.add(image);
            layout.members()
        }
    };
    if format == Format::Oci {
        for member in members {
            if let make::Member::File(file, content) = member {
                sandbox.write(&format!("{name}/{file}"), content);
            }
        }
    } else {
        sandbox.write(name, make::tar(&members));
    }
    format.at(name)
}

/// The result of a squash.
#[derive(Clone, Debug)]
pub(crate) struct Squashed {
    pub(crate) image: Image,
    /// The stored layers.
    pub(crate) stored: Vec<Vec<u8>>,
    /// The warnings of the command.
    pub(crate) warnings: Vec<String>,
}

/// Reads the only image that a run of the command has written to `path`.
#[track_caller]
pub(crate) fn squashed(sandbox: &Sandbox, run: Output, path: &str, format: Format) -> Squashed {
    let (stdout, warnings) = run.reports();
    assert_eq!(stdout, b"", "stdout is for data that was asked for");
    Squashed {
        warnings,
        ..read(sandbox, path, format)
    }
}

/// Reads the only image at `path`.
#[track_caller]
pub(crate) fn read(sandbox: &Sandbox, path: &str, format: Format) -> Squashed {
    let path = sandbox.path(path);
    let images = format.images(&path);
    let [image] = images.as_slice() else {
        panic!("there are {} images", images.len());
    };
    Squashed {
        image: image.clone(),
        stored: Store::open(&path).stored(image),
        warnings: Vec::new(),
    }
}

/// Squashes a range of layers (from 0) of `source` into `out`, in the same format.
#[track_caller]
pub(crate) fn squash(
    sandbox: &Sandbox,
    source: &str,
    range: &RangeInclusive<usize>,
    format: Format,
) -> Squashed {
    let layers = range_argument(range);
    let target = format.at("out");
    let arguments = ["squash", "--layers", &layers, source, &target];
    let run = sandbox.run(&arguments);
    squashed(sandbox, run, "out", format)
}

/// A range of layers in the syntax of `--layers`: from 1.
pub(crate) fn range_argument(range: &RangeInclusive<usize>) -> String {
    format!("{}..{}", range.start() + 1, range.end() + 1)
}
