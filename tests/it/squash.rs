//! `squash` end to end: which layers, what the config tells, and where it goes.
//!
//! What is in the new layer is for `merge_cases.rs` and `overlay.rs` to judge, and
//! what the command says for `messages/merging.rs`.

mod faults;
mod outputs;
mod ranges;
mod story;

use crate::support::entry::{Kind, entries};
use crate::support::layer::tar;
use crate::support::make::Image;
use crate::support::naive;
use crate::support::squash::Squashed;

/// An image of layers with one file each, `f1` and so on, of these sizes.
fn image_of(sizes: &[usize]) -> Image {
    let layer = |(at, size): (usize, &usize)| {
        let mut entries = entries(&format!("f{}", at + 1));
        entries[0].kind = Kind::File(vec![b'x'; *size]);
        tar(&entries)
    };
    let layers = sizes.iter().enumerate().map(layer);
    Image::of_layers(&["app:1"], layers.collect())
}

/// The layers of a squashed image: the number of each that is as it was, and in
/// brackets those of the files in each that is new.
#[track_caller]
fn layers(original: &Image, squashed: &Squashed) -> String {
    let layer = |(diff_id, stored): (&String, &Vec<u8>)| {
        let same = original.diff_ids.iter().position(|it| it == diff_id);
        if let Some(at) = same {
            return format!("{}", at + 1);
        }
        let names = naive::entries(stored);
        let names = names
            .iter()
            .map(|it| String::from_utf8_lossy(&it.name).into_owned());
        let numbers: Vec<String> = names
            .map(|it| it.trim_start_matches('f').to_owned())
            .collect();
        format!("[{}]", numbers.join(" "))
    };
    let ids = squashed.image.diff_ids();
    let layers = ids.iter().zip(&squashed.stored).map(layer);
    layers.collect::<Vec<_>>().join(" ")
}
