//! What was asked for and cannot be had.

use crate::digest::Digest;
use crate::error::Place;
use crate::image::Platform;

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// A name that chooses it: a reference, a name of a layout, a digest or a number.
    pub name: String,
    /// An id that chooses it, too, if it has one.
    pub id: Option<Digest>,
}

/// What was asked for of an input is not there, not unique, or not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// What was chosen is no image.
    #[error("`{name}` is not an image but {kind}")]
    ArtifactChosen {
        /// What was chosen.
        name: String,
        /// What it is, with its article.
        kind: String,
    },
    /// Too few layers can be merged.
    #[error("cannot merge down to {}: {left} is the fewest possible", layers(*most))]
    CannotMergeTo {
        /// How many were wanted at the most.
        most: usize,
        /// How many would be left.
        left: usize,
    },
    /// The same reference was asked for on this many images.
    #[error("cannot give {0} images the same name")]
    ImagesShareReference(usize),
    /// A range of layers ends before it begins.
    #[error("the range {from}..{to} is reversed")]
    LayersReversed {
        /// Where it begins, counted from 1.
        from: usize,
        /// Where it ends.
        to: usize,
    },
    /// No image fits what was asked for.
    #[error("no image `{wanted}` in {}", named(input.as_ref()))]
    NoSuchImage {
        /// The input.
        input: Option<Place>,
        /// What was asked for.
        wanted: String,
        /// What there is.
        have: Vec<Candidate>,
    },
    /// No layer fits what was asked for.
    #[error("there is no layer `{wanted}`: the image has {}", layers(*count))]
    NoSuchLayer {
        /// What was asked for.
        wanted: String,
        /// How many layers there are.
        count: usize,
    },
    /// No image is for the platform.
    #[error("`{name}` has no image for {wanted}")]
    NoSuchPlatform {
        /// The image.
        name: String,
        /// What was asked for.
        wanted: Platform,
        /// What there is.
        have: Vec<String>,
    },
    /// An image is not built on what was said to be its base.
    #[error(
        "the image is not based on that base: layer {position} differs (the base has {}, the image {layers})",
        self::layers(*base)
    )]
    NotTheBase {
        /// The first layer that differs, counted from 1.
        position: usize,
        /// How many layers the base has.
        base: usize,
        /// How many the image has.
        layers: usize,
    },
    /// Something takes one image, and the input holds several.
    #[error("{} holds {count} images", named(input.as_ref()))]
    OneImage {
        /// The input.
        input: Option<Place>,
        /// How many there are.
        count: usize,
        /// Which.
        have: Vec<Candidate>,
    },
    /// Several images fit what was asked for.
    #[error("`{wanted}` matches {count} images in {}", named(input.as_ref()))]
    SeveralImages {
        /// The input.
        input: Option<Place>,
        /// What was asked for.
        wanted: String,
        /// How many fit.
        count: usize,
        /// Which.
        have: Vec<Candidate>,
    },
    /// Several layers fit what was asked for.
    #[error("`{wanted}` matches layers {positions}", positions = list(positions))]
    SeveralLayers {
        /// What was asked for.
        wanted: String,
        /// Which layers, counted from 1.
        positions: Vec<usize>,
    },
    /// More layers were asked for than there are.
    #[error("the image has only {}, not {wanted}", layers(*count))]
    TooFewLayers {
        /// How many were asked for.
        wanted: usize,
        /// How many there are.
        count: usize,
    },
}

/// The input, as a sentence names it.
fn named(input: Option<&Place>) -> String {
    input.map_or_else(|| "the input".to_owned(), Place::to_string)
}

/// A number of layers.
fn layers(count: usize) -> String {
    match count {
        1 => "1 layer".to_owned(),
        count => format!("{count} layers"),
    }
}

/// Numbers as a sentence has them.
fn list(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
