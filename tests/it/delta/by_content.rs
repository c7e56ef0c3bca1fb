//! `delta --by-content`: compressed layers by the differences of their content.

use proptest::prelude::*;

use crate::support::codec::Codec;
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::make::Image;
use crate::support::random::{Flavour, stacks};
use crate::support::squash::put;
use crate::support::{Sandbox, random_cases};

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(32))]

    /// The image that comes of it has the same config, so that every diff_id is the same, and the
    /// same names. Its layers are those of `convert --compress none`, except for those that the
    /// old image has as the same blob.
    #[test]
    fn only_the_compression_of_layers_that_the_old_image_lacks_changes(
        old in stacks(Flavour::Any, 1..4),
        new in stacks(Flavour::Any, 0..4),
        kept in 0..3_usize,
        codec in proptest::sample::select([Codec::Gzip, Codec::Zstd].as_slice()),
        old_codec in proptest::sample::select([Codec::Plain, Codec::Gzip, Codec::Zstd].as_slice()),
    ) {
        let (old, mut new) = (old.tars(), new.tars());
        new.splice(0..0, old.iter().take(kept).cloned());
        let sandbox = Sandbox::new();
        let old = Image::of_layers(&["app:1"], old).stored_as(old_codec);
        let new = Image::of_layers(&["app:2"], new).stored_as(codec);
        let format = Format::OciArchive;
        let (old, new) = (put(&sandbox, "old", format, &old), put(&sandbox, "new", format, &new));
        for arguments in [
            ["delta", "--by-content", "-q", &old, &new, "delta"].as_slice(),
            &["apply", "-q", &old, "delta", "made.tar"],
            &["convert", "-q", "--compress", "none", &new, "plain.tar"],
        ] {
            sandbox.run(arguments).silent();
        }
        let one = |path: &str| {
            let mut found = Store::open(&sandbox.path(path)).layout().found;
            assert_eq!(found.len(), 1);
            found.remove(0).image
        };
        let blobs = |path: &str| Store::open(&sandbox.path(path)).blobs();
        let path = |name: &str| name.split_once(':').map_or(name, |it| it.1).to_owned();
        let shared = &blobs(&path(&old)) & &blobs(&path(&new));
        let (made, plain, original) = (one("made.tar"), one("plain.tar"), one(&path(&new)));
        prop_assert_eq!(made.facts(), plain.facts());
        for ((made, plain), original) in made.layers.iter().zip(&plain.layers).zip(&original.layers) {
            let hex = original.digest.strip_prefix("sha256:").expect("it is SHA-256");
            let is_shared = shared.iter().any(|blob| blob.ends_with(hex));
            prop_assert_eq!(made, if is_shared { original } else { plain });
        }
    }
}

/// A layer that both have in gzip is neither in the delta nor changed.
#[test]
fn a_shared_layer_stays_as_it_is() {
    let sandbox = Sandbox::new();
    let old = Image::new(&["app:1"], &["file a 1", "file b 2"]).stored_as(Codec::Gzip);
    let new = Image::new(&["app:2"], &["file a 1", "file b 3"]).stored_as(Codec::Gzip);
    let old = put(&sandbox, "old", Format::OciArchive, &old);
    let new = put(&sandbox, "new", Format::OciArchive, &new);
    let run = sandbox.run(&["delta", "--by-content", "--json", &old, &new, "delta"]);
    let (report, _) = run.reports();
    let report: serde_json::Value = serde_json::from_slice(&report).expect("it is JSON");
    let ways: Vec<_> = (0..2)
        .map(|at| report["images"][0]["layers"][at]["way"].clone())
        .collect();
    assert_eq!(ways, ["reused", "difference"]);
    sandbox
        .run(&["apply", "-q", &old, "delta", "made.tar"])
        .silent();
    let made = Store::open(&sandbox.path("made.tar")).layout();
    let codecs: Vec<Codec> = made.found[0]
        .image
        .layers
        .iter()
        .map(|it| it.codec)
        .collect();
    assert_eq!(codecs, [Codec::Gzip, Codec::Plain]);
}
