//! `rebase`: which layers are the old base, and what the image is on the new one.

mod bases;
mod engines;
mod hidden;
mod outcome;

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::codec::Codec;
use crate::support::image::{Image as Read, Store};
use crate::support::judge::Format;
use crate::support::make::{self, Image};

/// Layers of one file each, called by the words.
fn layers(words: &str) -> Vec<Vec<u8>> {
    let layer = |word: &str| make::layer(&format!("file {word} {word}"));
    words.split_whitespace().map(layer).collect()
}

/// An image of such layers.
fn image(tag: &str, words: &str) -> Image {
    Image::of_layers(&[tag], layers(words))
}

/// Writes an archive of one image.
fn put(sandbox: &Sandbox, name: &str, image: &Image) {
    sandbox.write(name, make::tar(&make::hybrid(std::slice::from_ref(image))));
}

/// The only image of a file or a layout, its stored layers, and its manifest if it is a layout.
fn read(sandbox: &Sandbox, name: &str, format: Format) -> (Read, Vec<Vec<u8>>) {
    let path = sandbox.path(name);
    let images = format.images(&path);
    let [image] = images.as_slice() else {
        panic!("there are {} images", images.len());
    };
    (image.clone(), Store::open(&path).stored(image))
}

/// A document that the command shows.
fn shown(sandbox: &Sandbox, what: &str, name: &str) -> Value {
    let bytes = sandbox.run(&["inspect", "--raw", what, name]).data("");
    serde_json::from_slice(&bytes).expect("a document is JSON")
}

/// The same image with its layers stored as gzip.
fn gzipped(image: Image) -> Image {
    image.stored_as(Codec::Gzip)
}
