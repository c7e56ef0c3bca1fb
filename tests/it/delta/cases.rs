//! Cases of old and new images in which a source of a tar-diff is not what it seems.

use super::assert_comes_back;
use crate::support::Sandbox;
use crate::support::codec::Codec;
use crate::support::entry::{Entry, Kind};
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::squash::put;

/// Bytes that are different for each seed, and do not compress.
fn noise(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..20_000).map(|_| next()).collect()
}

fn file(name: impl Into<Vec<u8>>, seed: u8) -> Entry {
    Entry::new(name.into(), Kind::File(noise(seed)))
}

fn link(name: &str, target: &str) -> Entry {
    Entry::new(name, Kind::Link(target.into()))
}

fn symlink(name: &str, target: &str) -> Entry {
    Entry::new(name, Kind::Symlink(target.into()))
}

fn empty(name: &str) -> Entry {
    Entry::new(name, Kind::File(Vec::new()))
}

/// The layers of an old image, one new layer, and whether it can be made of old files.
type Case = (&'static str, Vec<Vec<Entry>>, Vec<Entry>, bool);

fn cases() -> Vec<Case> {
    let mut long = vec![b'd'; 4_090];
    long.extend_from_slice(b"/file");
    let mut longest = long.clone();
    longest.extend_from_slice(b"xy");
    vec![
        (
            "the same file",
            vec![vec![file("a", 1)]],
            vec![file("a", 1)],
            true,
        ),
        (
            "a file that is moved, and whose source is deleted",
            vec![vec![file("a", 1)]],
            vec![empty(".wh.a"), file("b", 1)],
            true,
        ),
        (
            "a file that a whiteout hides",
            vec![vec![file("a", 1)], vec![empty(".wh.a")]],
            vec![file("a", 1)],
            false,
        ),
        (
            "a file in a directory that is made opaque",
            vec![vec![file("d/a", 1)], vec![empty("d/.wh..wh..opq")]],
            vec![file("d/a", 1)],
            false,
        ),
        (
            "a file that another one replaces",
            vec![vec![file("a", 1)], vec![file("a", 2)]],
            vec![file("a", 1)],
            false,
        ),
        (
            "a file that a symbolic link replaces",
            vec![vec![file("a", 1), file("b", 2)], vec![symlink("a", "b")]],
            vec![file("a", 1)],
            false,
        ),
        (
            "a hard link of a file whose first name is deleted",
            vec![vec![file("a", 1), link("b", "a")], vec![empty(".wh.a")]],
            vec![file("c", 1)],
            true,
        ),
        (
            "a file that becomes a hard link of another one",
            vec![vec![file("a", 1), file("b", 1)]],
            vec![file("a", 1), link("b", "a")],
            true,
        ),
        (
            "a file below a symbolic link",
            vec![vec![symlink("lib", "usr/lib"), file("usr/lib/a", 1)]],
            vec![file("lib/a", 1)],
            true,
        ),
        (
            "a name that is no UTF-8",
            vec![vec![file(b"\xff\xfe".as_slice(), 1)]],
            vec![file(b"\xff\xfe".as_slice(), 1)],
            false,
        ),
        (
            "a name of 4,095 bytes",
            vec![vec![file(long.clone(), 1)]],
            vec![file(long, 1)],
            true,
        ),
        (
            "a name that a tar-diff cannot hold",
            vec![vec![file(longest.clone(), 1)]],
            vec![file(longest, 1)],
            false,
        ),
        (
            "a file that bootc cannot read",
            vec![vec![file("sysroot/ostree/repo/a", 1)]],
            vec![file("a", 1)],
            false,
        ),
        (
            "a file that bootc reads by its other name",
            vec![vec![
                file("sysroot/ostree/repo/a", 1),
                link("a", "sysroot/ostree/repo/a"),
            ]],
            vec![file("b", 1)],
            true,
        ),
    ]
}

#[test]
fn only_files_that_the_old_image_shows_are_sources() {
    for (case, old, mut new, is_made_of_old_files) in cases() {
        // Otherwise it may be a layer that the old image has.
        new.push(empty("extra"));
        for codec in [Codec::Plain, Codec::Zstd] {
            let sandbox = Sandbox::new();
            let old: Vec<Vec<u8>> = old.iter().map(|it| layer::tar(it)).collect();
            let mut layers = old.clone();
            layers.push(layer::tar(&new));
            let old = Image::of_layers(&["app:1"], old).stored_as(codec);
            let new = Image::of_layers(&["app:2"], layers);
            let old = put(&sandbox, "old", Format::OciArchive, &old);
            let new = put(&sandbox, "new", Format::OciArchive, &new);
            assert_comes_back(&sandbox, &old, &new, "delta");
            let size = sandbox.read("delta").len();
            assert_eq!(size < 19_000, is_made_of_old_files, "{case}: {size}");
        }
    }
}

/// Layers of one diff_id in the same image, compressed in two ways.
#[test]
fn one_content_in_two_compressions_comes_back() {
    let sandbox = Sandbox::new();
    let layer = layer::tar(&[file("a", 1)]);
    let other = layer::tar(&[file("a", 2)]);
    let mut new = Image::of_layers(
        &["app:2"],
        vec![layer.clone(), layer.clone(), layer.clone()],
    );
    new.layers[1] = Codec::Gzip.compress(&layer);
    new.layers[2] = Codec::Zstd.compress(&layer);
    let new = put(&sandbox, "new", Format::OciArchive, &new);
    for (at, layers) in [vec![layer], vec![other]].into_iter().enumerate() {
        for codec in [Codec::Plain, Codec::Gzip] {
            let old = Image::of_layers(&["app:1"], layers.clone()).stored_as(codec);
            let name = format!("old{at}{codec:?}");
            let old = put(&sandbox, &name, Format::OciArchive, &old);
            assert_comes_back(&sandbox, &old, &new, &format!("delta{name}"));
            let small = format!("small{name}");
            for arguments in [
                ["delta", "-q", "--by-content", &old, &new, &small].as_slice(),
                &["apply", "-q", &old, &small, "made.tar"],
                &["verify", "-q", "made.tar"],
            ] {
                sandbox.run(arguments).silent();
            }
            let made = Store::open(&sandbox.path("made.tar")).layout();
            assert_eq!(made.found.len(), 1);
            sandbox.remove("made.tar");
        }
    }
}
