//! Images put into a sandbox, squashed there, and taken apart again.

use std::ops::RangeInclusive;

use super::Sandbox;
use super::image::{Image, Store};
use super::judge::Format;
use super::make::{self, Layout};
use super::sandbox::Output;

/// Puts an image into the sandbox as `name`, and returns how the command line calls it.
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

/// An image that a squash made.
#[derive(Clone, Debug)]
pub(crate) struct Squashed {
    pub(crate) image: Image,
    /// The layers as they are stored.
    pub(crate) stored: Vec<Vec<u8>>,
    /// What the command warned of.
    pub(crate) warnings: Vec<String>,
}

/// Reads the one image that a run of the command has put at `path`.
#[track_caller]
pub(crate) fn squashed(sandbox: &Sandbox, run: Output, path: &str, format: Format) -> Squashed {
    let (stdout, warnings) = run.reports();
    assert_eq!(stdout, b"", "stdout is for data that was asked for");
    Squashed {
        warnings,
        ..read(sandbox, path, format)
    }
}

/// Reads the one image at `path`.
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

/// A range of layers as `--layers` takes it: from 1.
pub(crate) fn range_argument(range: &RangeInclusive<usize>) -> String {
    format!("{}..{}", range.start() + 1, range.end() + 1)
}
