//! An independent apply, after the description of tar-diff: it rebuilds each layer from the
//! tree that `export` writes of the old image.

use std::collections::BTreeMap;
use std::io::Read;

use proptest::prelude::*;
use serde_json::Value;

use crate::support::codec::digest;
use crate::support::entry::{Kind, entries};
use crate::support::image::Store;
use crate::support::judge::Format;
use crate::support::layer;
use crate::support::make::Image;
use crate::support::naive::path_of;
use crate::support::random::{Flavour, stacks};
use crate::support::squash::put;
use crate::support::{Sandbox, random_cases};

/// The regular files of an exported tree, hard links included.
pub(super) fn files(export: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in layer::read(export) {
        let path = path_of(&entry.name);
        match entry.kind {
            Kind::File(content) => {
                files.insert(path, content);
            }
            Kind::Link(target) => {
                // Links to other things than files are none of a tar-diff's.
                if let Some(content) = files.get(&path_of(&target)).cloned() {
                    files.insert(path, content);
                }
            }
            _ => {}
        }
    }
    files
}

/// The `tar` crate loses the rest of a long name after a newline.
#[test]
fn files_have_the_names_that_an_export_gives_them() {
    let long = "n".repeat(160);
    let export = layer::tar(&entries(&format!("./ a\\x0a{long}=1 l=>a\\x0a{long}")));
    let name = format!("a\n{long}").into_bytes();
    let expected = [(name, b"1".to_vec()), (b"l".to_vec(), b"1".to_vec())];
    assert_eq!(files(&export), BTreeMap::from(expected));
}

/// Applies a tar-diff.
pub(super) fn apply(diff: &[u8], files: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    assert!(diff.starts_with(b"tardf1\n\0") || diff.starts_with(b"tardf2\n\0"));
    let operations = zstd::decode_all(&diff[8..]).expect("it is zstd");
    let mut rest = operations.as_slice();
    let (mut open, mut position, mut made) = (&[][..], 0, Vec::new());
    while let [kind, after @ ..] = rest {
        let mut size = 0;
        let bytes = after
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .expect("a number");
        for (at, byte) in after[..=bytes].iter().enumerate() {
            size |= usize::from(byte & 0x7f) << (7 * at);
        }
        rest = &after[bytes + 1..];
        let mut data = &[][..];
        if matches!(kind, 0 | 1 | 3 | 5) {
            (data, rest) = rest.split_at(size);
        }
        match kind {
            0 => made.extend_from_slice(data),
            1 => (open, position) = (files.get(data).expect("the file is there"), 0),
            2 => {
                made.extend_from_slice(&open[position..position + size]);
                position += size;
            }
            3 => {
                let base = &open[position..position + size];
                made.extend(data.iter().zip(base).map(|(a, b)| a.wrapping_add(*b)));
                position += size;
            }
            4 => position = size,
            5 => {
                let decoder = zstd::stream::read::Decoder::with_ref_prefix(data, open);
                let mut decoder = decoder.expect("it is memory");
                decoder.read_to_end(&mut made).expect("it is a frame");
                position = open.len();
            }
            kind => panic!("no operation {kind}"),
        }
    }
    made
}

proptest! {
    // Every case starts several processes.
    #![proptest_config(random_cases(32))]

    #[test]
    fn another_program_rebuilds_every_layer(
        old in stacks(Flavour::Any, 1..4),
        new in stacks(Flavour::Any, 1..4),
    ) {
        let sandbox = Sandbox::new();
        let old = Image::of_layers(&["app:1"], old.tars());
        let new = Image::of_layers(&["app:2"], new.tars());
        let old = put(&sandbox, "old", Format::OciArchive, &old);
        let new = put(&sandbox, "new", Format::OciArchive, &new);
        let (export, _) = sandbox.run(&["export", "-q", &old, "-"]).data_and_warnings();
        let files = files(&export);
        sandbox.run(&["delta", "-q", &old, &new, "delta"]).data_and_warnings();
        let store = Store::open(&sandbox.path("delta"));
        let artifact = store.json("index.json")["manifests"][0].clone();
        let artifact = store.blob(&artifact).expect("the artifact is there");
        let artifact: Value = serde_json::from_slice(artifact).expect("it is JSON");
        for layer in artifact["layers"].as_array().expect("it has layers") {
            if layer["mediaType"] == "application/vnd.tar-diff" {
                let made = apply(store.blob(layer).expect("it is there"), &files);
                let to = &layer["annotations"]["io.github.containers.delta.to"];
                prop_assert_eq!(to, &Value::from(digest(&made)));
            }
        }
    }
}
