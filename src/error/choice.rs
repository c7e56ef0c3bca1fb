//! What was asked for and cannot be had.

use crate::digest::Digest;
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
    #[error(
        "{left} layers are the fewest that its layers can be merged to, and {most} were wanted"
    )]
    CannotMergeTo {
        /// How many were wanted at the most.
        most: usize,
        /// How many would be left.
        left: usize,
    },
    /// The same reference was asked for on this many images.
    #[error("{0} images cannot share one reference")]
    ImagesShareReference(usize),
    /// A range of layers ends before it begins.
    #[error("layer {from} is not below layer {to}")]
    LayersReversed {
        /// Where it begins, counted from 1.
        from: usize,
        /// Where it ends.
        to: usize,
    },
    /// No image fits what was asked for.
    #[error("no image of the input is `{wanted}`")]
    NoSuchImage {
        /// What was asked for.
        wanted: String,
        /// What there is.
        have: Vec<Candidate>,
    },
    /// No layer fits what was asked for.
    #[error("no layer is `{wanted}`: the image has {count}")]
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
        "it is not built on that base: layer {position} differs, and the base has {base} layers, the image {layers}"
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
    #[error("the input holds {count} images, and one was expected")]
    OneImage {
        /// How many there are.
        count: usize,
        /// Which.
        have: Vec<Candidate>,
    },
    /// Several images fit what was asked for.
    #[error("{count} images of the input are `{wanted}`")]
    SeveralImages {
        /// What was asked for.
        wanted: String,
        /// How many fit.
        count: usize,
        /// Which.
        have: Vec<Candidate>,
    },
    /// Several layers fit what was asked for.
    #[error("layers {positions} are `{wanted}`", positions = list(positions))]
    SeveralLayers {
        /// What was asked for.
        wanted: String,
        /// Which layers, counted from 1.
        positions: Vec<usize>,
    },
    /// More layers were asked for than there are.
    #[error("{wanted} layers were asked for, and the image has {count}")]
    TooFewLayers {
        /// How many were asked for.
        wanted: usize,
        /// How many there are.
        count: usize,
    },
}

/// Numbers as a sentence has them.
fn list(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
