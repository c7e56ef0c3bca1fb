//! Requests that cannot be fulfilled.

use crate::digest::Digest;
use crate::image::Platform;

/// One of the things to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// A name that selects it: a reference, a name in a layout, a digest or a number.
    pub name: String,
    /// An id that also selects it, if it has one.
    pub id: Option<Digest>,
}

/// The requested thing does not exist in an input, is not unique, or is not possible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// The chosen thing is not an image.
    #[error("`{name}` is not an image but {kind}")]
    ArtifactChosen {
        /// The chosen thing.
        name: String,
        /// Its kind, with an article.
        kind: String,
    },
    /// Not enough layers can be merged.
    #[error(
        "{left} layers are the fewest that its layers can be merged to, and {most} were wanted"
    )]
    CannotMergeTo {
        /// The requested maximum number of layers.
        most: usize,
        /// The number of layers that would remain.
        left: usize,
    },
    /// The same reference was requested for this many images.
    #[error("{0} images cannot share one reference")]
    ImagesShareReference(usize),
    /// A range of layers ends before it begins.
    #[error("layer {from} is not below layer {to}")]
    LayersReversed {
        /// The first layer, counted from 1.
        from: usize,
        /// The last layer.
        to: usize,
    },
    /// No image matches the request.
    #[error("no image of the input is `{wanted}`")]
    NoSuchImage {
        /// The request.
        wanted: String,
        /// The available images.
        have: Vec<Candidate>,
    },
    /// No layer matches the request.
    #[error("no layer is `{wanted}`: the image has {count}")]
    NoSuchLayer {
        /// The request.
        wanted: String,
        /// The number of layers.
        count: usize,
    },
    /// There is no image for the platform.
    #[error("`{name}` has no image for {wanted}")]
    NoSuchPlatform {
        /// The image.
        name: String,
        /// The requested platform.
        wanted: Platform,
        /// The available platforms.
        have: Vec<String>,
    },
    /// An image is not built on the given base.
    #[error(
        "it is not built on that base: layer {position} differs, and the base has {base} layers, the image {layers}"
    )]
    NotTheBase {
        /// The first layer that differs, counted from 1.
        position: usize,
        /// The number of layers of the base.
        base: usize,
        /// The number of layers of the image.
        layers: usize,
    },
    /// The operation needs one image, and the input holds several.
    #[error("the input holds {count} images, and one was expected")]
    OneImage {
        /// The number of images.
        count: usize,
        /// The images.
        have: Vec<Candidate>,
    },
    /// Several images match the request.
    #[error("{count} images of the input are `{wanted}`")]
    SeveralImages {
        /// The request.
        wanted: String,
        /// The number of matches.
        count: usize,
        /// The matches.
        have: Vec<Candidate>,
    },
    /// Several layers match the request.
    #[error("layers {positions} are `{wanted}`", positions = list(positions))]
    SeveralLayers {
        /// The request.
        wanted: String,
        /// The matching layers, counted from 1.
        positions: Vec<usize>,
    },
    /// More layers were requested than exist.
    #[error("{wanted} layers were asked for, and the image has {count}")]
    TooFewLayers {
        /// The requested number.
        wanted: usize,
        /// The number of layers.
        count: usize,
    },
}

/// Numbers joined by commas.
fn list(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
