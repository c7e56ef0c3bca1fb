//! Requests that cannot be fulfilled.

use crate::digest::Digest;
use crate::error::Place;
use crate::image::Platform;
use crate::layer::PathError;

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
#[derive(Clone, Debug, thiserror::Error)]
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
    #[error("cannot merge down to {}: {left} is the fewest possible", layers(*most))]
    CannotMergeTo {
        /// The requested maximum number of layers.
        most: usize,
        /// The number of layers that would remain.
        left: usize,
    },
    /// The same platform was requested for this many images of one index.
    #[error("cannot set the platform of {0} images of one index to the same")]
    ImagesSharePlatform(usize),
    /// The same reference was requested for this many images.
    #[error("cannot give {0} images the same name")]
    ImagesShareReference(usize),
    /// Two inputs have this name for different images.
    #[error(
        "`{name}` is one image in {} and another in {}",
        named(inputs[0].as_ref()),
        named(inputs[1].as_ref())
    )]
    NameInSeveralInputs {
        /// The name.
        name: String,
        /// The inputs.
        inputs: [Option<Place>; 2],
    },
    /// An image should get the name of another one.
    #[error("`{0}` would be the name of two images")]
    NameTaken(String),
    /// Two names should take the place of one.
    #[error("`{0}` would get two names in place of one")]
    RenamedTwice(String),
    /// An image of an index must be for a platform.
    #[error("`{0}` cannot be part of an index: its config names no platform")]
    NoPlatform(String),
    /// Two images of an index are for the same platform.
    #[error("{} and {} are both for {platform}", images[0], images[1])]
    PlatformTwice {
        /// The platform.
        platform: String,
        /// The images, each with its input.
        images: [String; 2],
    },
    /// A path leads through too many symbolic links.
    #[error("`{path}` in `{image}` leads through too many symbolic links, such as `{link}`")]
    LinkLoop {
        /// The image.
        image: String,
        /// The path.
        path: String,
        /// One of the links.
        link: String,
    },
    /// A range of layers ends before it begins.
    #[error("the range {from}..{to} is reversed")]
    LayersReversed {
        /// The first layer, counted from 1.
        from: usize,
        /// The last layer.
        to: usize,
    },
    /// Layers cannot be left out of an output in this format.
    #[error("layers can be left out of a docker archive only, which is an OCI archive, too")]
    PartialFormat,
    /// No image has this name, which is to be replaced.
    #[error("no image named `{wanted}` in {}", named(input.as_ref()))]
    NoSuchName {
        /// The input.
        input: Option<Place>,
        /// The name.
        wanted: String,
        /// The names of images.
        have: Vec<String>,
    },
    /// No image matches the request.
    #[error("no image `{wanted}` in {}", named(input.as_ref()))]
    NoSuchImage {
        /// The input.
        input: Option<Place>,
        /// The request.
        wanted: String,
        /// The available images.
        have: Vec<Candidate>,
    },
    /// None of several inputs has an image that matches the request.
    #[error("no image `{wanted}` in any of the {inputs} inputs")]
    NoSuchImageInAny {
        /// The number of inputs.
        inputs: usize,
        /// The request.
        wanted: String,
        /// The available images of all.
        have: Vec<Candidate>,
    },
    /// No path of an image matches a pattern.
    #[error("no path in `{image}` matches `{pattern}`")]
    NoPathMatches {
        /// The image.
        image: String,
        /// The pattern.
        pattern: String,
    },
    /// No layer matches the request.
    #[error("there is no layer `{wanted}`: the image has {}", layers(*count))]
    NoSuchLayer {
        /// The request.
        wanted: String,
        /// The number of layers.
        count: usize,
    },
    /// An image does not have this path.
    #[error("no `{path}` in `{image}`{}", reason(missing.as_deref(), *deleted_by))]
    NoSuchPath {
        /// The image.
        image: String,
        /// The path.
        path: String,
        /// The literal path at which nothing is, if it is another one: on the way, or
        /// the target of a symbolic link.
        missing: Option<String>,
        /// The layer that has deleted it, counted from 1, and the number of layers.
        deleted_by: Option<(usize, usize)>,
    },
    /// A config does not have the setting that is to be removed.
    #[error("`{image}` has no `{wanted}` to remove")]
    NoSuchSetting {
        /// The image.
        image: String,
        /// The setting.
        wanted: String,
        /// The settings that it has.
        have: Vec<String>,
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
    /// The new base of an image is for another platform.
    #[error("the new base `{base}` is for {has}; `{image}` is for {wanted}")]
    BaseForOther {
        /// The new base.
        base: String,
        /// Its platform, or its platforms.
        has: String,
        /// The image.
        image: String,
        /// The platform of the image.
        wanted: String,
    },
    /// A path cannot be that of an entry.
    #[error("`{path}` is not a path in an image: {reason}")]
    PathUnfit {
        /// The path, escaped.
        path: String,
        /// The reason.
        reason: PathError,
    },
    /// A file was to be put at a path that deletes files.
    #[error("cannot add `{0}`: in an image, a name that begins with `.wh.` deletes files")]
    PathDeletes(String),
    /// The root of an image was to be deleted.
    #[error("cannot delete the root of `{0}`")]
    RootDeleted(String),
    /// A path leads through something other than a directory.
    #[error("no `{path}` in `{image}`: `{obstacle}` is not a directory")]
    NotADirectory {
        /// The image.
        image: String,
        /// The path.
        path: String,
        /// The literal path of the other thing.
        obstacle: String,
    },
    /// Something other than a regular file was requested for its content.
    #[error("`{path}` is {kind}, not a regular file")]
    NotAFile {
        /// The path.
        path: String,
        /// The thing, with an article.
        kind: &'static str,
    },
    /// A layer does not have this path.
    #[error("{}", not_in_layer(path, *layer, *is_deleted))]
    NotInLayer {
        /// The path.
        path: String,
        /// The layer, counted from 1, and the number of layers; `None` for all of them.
        layer: Option<(usize, usize)>,
        /// True if the layer deletes it.
        is_deleted: bool,
    },
    /// An image is not built on the given base.
    #[error(
        "the image is not based on that base: layer {position} differs (the base has {}, the image {layers})",
        self::layers(*base)
    )]
    NotTheBase {
        /// The first layer that differs, counted from 1.
        position: usize,
        /// The number of layers of the base.
        base: usize,
        /// The number of layers of the image.
        layers: usize,
    },
    /// An image is not built on the base that an annotation of it names.
    #[error(
        "`{image}` is not based on {digest}, which its annotation `{key}` names: layer {position} differs"
    )]
    NotTheAnnotatedBase {
        /// The image.
        image: String,
        /// The annotation.
        key: &'static str,
        /// Its value.
        digest: String,
        /// The first layer that differs, counted from 1.
        position: usize,
    },
    /// The operation needs one image, and the input holds several.
    #[error("{} holds {count} images", named(input.as_ref()))]
    OneImage {
        /// The input.
        input: Option<Place>,
        /// The number of layers.
        count: usize,
        /// The matches.
        have: Vec<Candidate>,
    },
    /// The request is for a part of an index, and the operation takes whole images.
    #[error("`{wanted}` is a part of {}", quoted(of))]
    PartOfIndex {
        /// The request.
        wanted: String,
        /// The names of the index.
        of: Vec<String>,
    },
    /// The request is for an image with several names, and only one of them may be meant.
    #[error("`{wanted}` has several names in {}: {}", named(input.as_ref()), quoted(names))]
    SeveralNames {
        /// The input.
        input: Option<Place>,
        /// The request.
        wanted: String,
        /// The names.
        names: Vec<String>,
    },
    /// Several images match the request.
    #[error("`{wanted}` matches {count} images in {}", named(input.as_ref()))]
    SeveralImages {
        /// The input.
        input: Option<Place>,
        /// The request.
        wanted: String,
        /// The number of matches.
        count: usize,
        /// The matches.
        have: Vec<Candidate>,
    },
    /// Several layers match the request.
    #[error("`{wanted}` matches layers {positions}", positions = list(positions))]
    SeveralLayers {
        /// The request.
        wanted: String,
        /// The matching layers, counted from 1.
        positions: Vec<usize>,
    },
    /// Nothing tells which layers of an image are its base.
    #[error("`{image}` and `{base}` have no layer in common, so the old base is unknown")]
    UnknownBase {
        /// The image.
        image: String,
        /// The new base.
        base: String,
    },
    /// More layers were requested than exist.
    #[error("the image has only {}, not {wanted}", layers(*count))]
    TooFewLayers {
        /// The requested number.
        wanted: usize,
        /// The number of layers.
        count: usize,
    },
}

/// The reason why a path is absent, after a colon.
fn reason(missing: Option<&str>, deleted_by: Option<(usize, usize)>) -> String {
    match (missing, deleted_by) {
        (_, Some((layer, count))) => format!(": layer {layer} of {count} deletes it"),
        (Some(missing), None) => format!(": there is no `{missing}`"),
        (None, None) => String::new(),
    }
}

fn not_in_layer(path: &str, layer: Option<(usize, usize)>, is_deleted: bool) -> String {
    match layer {
        None => format!("no layer has `{path}`"),
        Some((layer, count)) if is_deleted => {
            format!("layer {layer} of {count} deletes `{path}`")
        }
        Some((layer, count)) => format!("layer {layer} of {count} does not have `{path}`"),
    }
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

/// Names joined by commas.
fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Numbers joined by commas.
fn list(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}
