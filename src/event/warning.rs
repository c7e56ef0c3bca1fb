//! Warnings about inputs.

use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::{Place, Remedy, more};
use crate::layer::Ambiguity;

/// Something in the input that the output lacks or changes.
///
/// The text follows the rules for errors in `src/error.rs`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// This many bytes follow the end of the input's compressed stream.
    #[error("{0} bytes follow the end of the compressed stream; they are ignored")]
    AfterCompression(u64),
    /// Data other than zeros follows the end of a tar.
    #[error("{}", after_tar(*size, *is_tar))]
    AfterTar {
        /// The number of bytes.
        size: u64,
        /// True if they are another tar.
        is_tar: bool,
    },
    /// This layer, below a range, cannot be read.
    #[error("cannot read the entries of {0}, so all whiteouts above it are kept")]
    AllWhiteoutsKept(Place),
    /// Layers in the base of a partial archive are compressed otherwise than those that
    /// were left out.
    #[error(
        "{0} of the layers that were left out {are} compressed otherwise in BASE: the digest of the manifest changes, the image id does not",
        are = if *.0 == 1 { "is" } else { "are" }
    )]
    BaseCompressedOtherwise(usize),
    /// Only the diff_ids of the layers that the other side has are known.
    #[error(
        "the compression of the layers on the other side is unknown, and assumed to be none: a containerd store needs the same"
    )]
    CompressionAssumed,
    /// One of several images is not in the input.
    #[error("skipped `{name}`: {reason}")]
    AbsentLeftOut {
        /// The reference or digest of the image.
        name: String,
        /// The missing part.
        reason: String,
    },
    /// Extended attributes of extracted files cannot be set.
    #[error(
        "cannot set the attribute `{attribute}` of `{entry}`{rest}: {reason}",
        rest = more_entries(*others)
    )]
    AttributesSkipped {
        /// The first attribute, escaped.
        attribute: String,
        /// Its entry, escaped.
        entry: String,
        /// The number of further attributes.
        others: u64,
        /// The error of the system for the first one.
        reason: String,
    },
    /// Files have another time, since the file system cannot store theirs.
    #[error(
        "cannot set the time of `{entry}`{rest}, which the file system cannot store; \
         set to the nearest one",
        rest = more_entries(*others)
    )]
    TimesChanged {
        /// The first entry, escaped.
        entry: String,
        /// The number of further entries.
        others: u64,
    },
    /// Upper layers replace or delete files of a new base that the old base did not have,
    /// or had with other content or metadata.
    #[error("the upper layers of `{image}` hide what the new base has changed: {paths}")]
    BaseHidden {
        /// The image.
        image: String,
        /// The first paths, escaped and quoted, and the number of the others.
        paths: String,
    },
    /// Upper layers have hard links to files of the base that the new base has with other
    /// content or metadata.
    #[error("the upper layers of `{image}` link to what the new base has changed: {paths}")]
    BaseLinked {
        /// The image.
        image: String,
        /// The first paths of links, escaped and quoted, and the number of the others.
        paths: String,
    },
    /// Upper layers were not compared with the new base, since the layers cannot be merged.
    #[error("cannot tell what the upper layers of `{image}` hide of the new base: {reason}")]
    BasesNotCompared {
        /// The image.
        image: String,
        /// The error, in one line.
        reason: String,
    },
    /// Upper layers delete files of the old base that the new one does not have.
    #[error("the upper layers of `{image}` delete what the new base does not have: {paths}")]
    NothingToDelete {
        /// The image.
        image: String,
        /// The first paths, escaped and quoted, and the number of the others.
        paths: String,
    },
    /// Documents name blobs that the input does not have.
    #[error(
        "`{name}` refers to {first}{rest}; copied unchanged", rest = absent(*others)
    )]
    BlobsAbsent {
        /// The image.
        name: String,
        /// One of the blobs.
        first: Digest,
        /// The number of further images.
        others: usize,
    },
    /// Blobs are not copied, since only fields of `index.json` refer to them that no reader
    /// knows.
    #[error("`index.json` refers to {first}{rest} in a field that is not known; not copied", rest = more(*others))]
    BlobsOfUnknownField {
        /// The first of the blobs.
        first: Digest,
        /// The number of the others.
        others: usize,
    },
    /// A delta has parts of kinds that are not supported, such as signatures.
    #[error("skipped {}, of kinds that are not supported: {kinds}", delta_parts(*.parts))]
    DeltaPartsSkipped {
        /// The number of parts.
        parts: usize,
        /// Their kinds, escaped and quoted.
        kinds: String,
    },
    /// The output already had this blob, but with content that does not match its
    /// digest.
    #[error("{0} was damaged in the output; replaced")]
    DamagedBlobReplaced(Digest),
    /// Engines refuse an entry of a root filesystem, or interpret it differently.
    #[error("{fault}")]
    EntryUnfit {
        /// The entry, what is wrong with it, and the consequence.
        fault: String,
        /// The way to mend it, if there is one.
        remedy: Option<Remedy>,
    },
    /// A tar has no end-of-archive block.
    #[error(
        "the tar has no end-of-archive block; it may be truncated, but all files that its metadata names are present"
    )]
    EndMissing,
    /// A root filesystem has no entry.
    #[error("the tar has no entries, so the root filesystem is empty")]
    RootfsEmpty,
    /// The folder of a root filesystem has no entry.
    #[error("the folder is empty, and so is the root filesystem")]
    FolderEmpty,
    /// A new layer has no entry.
    #[error("{0} is empty, and so is its layer")]
    LayerEmpty(Place),
    /// An image gets more layers than engines can stack.
    #[error("the image gets {count} layers, but engines take at most {max}")]
    TooManyLayers {
        /// The number of its layers.
        count: usize,
        /// The most that engines take.
        max: usize,
    },
    /// The tar of a root filesystem has no end-of-archive block.
    #[error("the tar has no end-of-archive block; it may be truncated")]
    RootfsEndMissing,
    /// Another process has locked this layout, and the operation waits until it is done.
    #[error("waiting for another process, which writes to `{}`", .0.display())]
    LayoutLocked(PathBuf),
    /// An image index lists platforms that the output does not include.
    #[error("skipped {what} of `{name}`: {reason}")]
    LeftOut {
        /// The missing images: platforms, attestations.
        what: String,
        /// The image.
        name: String,
        /// The reason, as a clause.
        reason: &'static str,
    },
    /// No image matches the wanted platform exactly. One for an older variant, or for
    /// the 32-bit architecture of the same machine, was taken.
    #[error("`{name}` has no image for {wanted}; using the one for {taken}, which runs there")]
    PlatformSubstituted {
        /// The image.
        name: String,
        /// The requested platform, or the host's.
        wanted: String,
        /// The platform of the image.
        taken: String,
    },
    /// Bytes follow the end of the compressed stream of a layer that is kept as it is.
    #[error(
        "{size} bytes follow the end of the compressed stream of {layer}: containerd, and Docker without `unpigz`, refuse the image"
    )]
    LayerTrailing {
        /// The layer.
        layer: Place,
        /// The number of bytes.
        size: u64,
    },
    /// The declared media type of a layer does not match its bytes.
    #[error("{layer} is labelled `{label}`, but its content is {bytes}")]
    Mislabelled {
        /// The layer.
        layer: Place,
        /// The media type in the manifest.
        label: String,
        /// The actual type of the bytes.
        bytes: &'static str,
    },
    /// Other engines interpret a layer differently.
    #[error(
        "{layer}, entry `{entry}`{rest}: {ambiguity}", rest = more(*others)
    )]
    Ambiguous {
        /// The layer.
        layer: Place,
        /// The first such entry, escaped.
        entry: String,
        /// The number of further images.
        others: usize,
        /// The ambiguity in these entries.
        ambiguity: Ambiguity,
    },
    /// Both parts of a hybrid archive have this reference, but for different images.
    #[error(
        "`index.json` and `manifest.json` list different images as `{0}`; using the one in `index.json`"
    )]
    NameMoved(String),
    /// One part of a hybrid archive has names that the other lacks.
    #[error(
        "`{document}` names `{name}`{rest}, but `{other}` does not; using the names of both", rest = more(*others)
    )]
    NamesDiffer {
        /// The document with the names.
        document: &'static str,
        /// The document without them.
        other: &'static str,
        /// The first of the names.
        name: String,
        /// The number of further images.
        others: usize,
    },
    /// This name in an OCI layout is not a full reference, so Docker cannot use it.
    #[error("`{0}` is a tag without a repository; the image is untagged in the docker archive")]
    NoRepository(String),
    /// Devices or pipes of an image cannot be created.
    #[error(
        "cannot create the device or pipe `{entry}`{rest}; left out: {reason}",
        rest = more_entries(*others)
    )]
    NodesSkipped {
        /// The first entry, escaped.
        entry: String,
        /// The number of further entries.
        others: u64,
        /// The error of the system for the first one.
        reason: String,
    },
    /// The command in an instruction begins as a JSON list does, but is not one.
    #[error("`{0}` is not a JSON list, so it is taken as plain text")]
    NotAList(String),
    /// A listed blob is neither an index nor a manifest, nor any other JSON.
    #[error(
        "`{name}` has a `{media_type}`, which cannot be read as JSON; copied without any blobs that it refers to"
    )]
    NotFollowed {
        /// The image.
        name: String,
        /// The type of the blob in the index that lists it.
        media_type: String,
    },
    /// This is not an image, and `manifest.json` can only name images.
    #[error(
        "`{name}` is not an image but {kind}; only `index.json` lists it, and engines without a containerd image store do not see it"
    )]
    NotInManifestJson {
        /// The reference that `manifest.json` lacks.
        name: String,
        /// The kind of thing that it names, with its article.
        kind: String,
    },
    /// `manifest.json` names one platform of each image, and none matches the host.
    #[error("`{name}` has no image for {wanted}; `manifest.json` names the one for {taken}")]
    OtherPlatformNamed {
        /// The image.
        name: String,
        /// The host's platform.
        wanted: String,
        /// The platform of the image that is named.
        taken: String,
    },
    /// Extracted files belong to the current user instead of their owner.
    #[error(
        "cannot set the owner of `{entry}`{rest}; the current user stays the owner: {reason}",
        rest = more_entries(*others)
    )]
    OwnersMapped {
        /// The first entry, escaped.
        entry: String,
        /// The number of further entries.
        others: u64,
        /// The error of the system for the first one.
        reason: String,
    },
    /// The output does not keep `Parent` of `manifest.json`.
    #[error(
        "the output loses the parent image that `manifest.json` records for `{name}`{rest}", rest = more(*others)
    )]
    ParentLost {
        /// The first image.
        name: String,
        /// The number of further images.
        others: usize,
    },
    /// The OCI part and the Docker part of a hybrid archive disagree on this image.
    #[error(
        "the OCI manifest of `{0}` lists different layers than `manifest.json`; using those of `manifest.json`"
    )]
    OciPartIgnored(String),
    /// A document that refers to a manifest by digest has no meaning without that
    /// manifest.
    #[error(
        "skipped {what} of `{name}`{rest}", rest = without_manifest(*others)
    )]
    ReferrerLeftOut {
        /// The document, with its article.
        what: String,
        /// The image that it belongs to.
        name: String,
        /// The number of further documents of the same kind.
        others: usize,
    },
    /// A delta has no name in a layout, where this reference is that of an image.
    #[error("`{0}` is an image in the layout, and keeps this name; the delta has none there")]
    NameOfImage(String),
    /// A reference previously named another image.
    #[error("`{reference}` moved from {previous}, which stays in the layout without this name")]
    ReferenceMoved {
        /// The reference.
        reference: String,
        /// The digest that it named.
        previous: Digest,
    },
    /// Two images of the input have this reference.
    #[error("`{0}` names two images of the input; the later one keeps it")]
    ReferenceTwice(String),
    /// This entry of `RepoTags` is not a reference with a tag.
    #[error("`{0}` is not a valid NAME:TAG; ignoring it")]
    ReferenceUnusable(String),
    /// Signatures and the like that are tied to a chosen image only by their names were not
    /// chosen themselves.
    #[error(
        "skipped `{name}`{rest}, by name a signature of `{image}` or the like",
        rest = more(*others)
    )]
    SignatureNotChosen {
        /// The name of the first of them.
        name: String,
        /// The image.
        image: String,
        /// The number of the others.
        others: usize,
    },
    /// A folder has sockets, which no layer can have.
    #[error("left out the socket `{entry}`{rest}", rest = more_entries(*others))]
    SocketsSkipped {
        /// The first of them, escaped.
        entry: String,
        /// The number of further sockets.
        others: u64,
    },
    /// A layer cannot be read, or not to its end.
    #[error("cannot read {layer}, so its size is unknown: {reason}")]
    SizeUnknown {
        /// The layer.
        layer: Place,
        /// The cause, and the cause of that.
        reason: String,
    },
    /// Something that was not requested, with this reference or digest, cannot be read.
    #[error("cannot read `{0}`; if it refers to the selected image, it is skipped")]
    Unreadable(String),
    /// Bytes follow the value in the JSON document that has this name in the archive.
    #[error("ignoring extra bytes after the JSON value in `{0}`")]
    TrailingBytes(String),
    /// Docker before 23 has no zstd, which layers of this image need.
    #[error("`{0}` has layers compressed with zstd, which Docker before 23 cannot load")]
    ZstdInDockerArchive(String),
}

/// The text for bytes that are not read, shared by a warning and a finding.
pub(crate) fn after_tar(size: u64, is_tar: bool) -> String {
    if is_tar {
        return format!(
            "another tar follows the end of the first one; its {size} bytes are ignored"
        );
    }
    match size {
        1 => "1 byte follows the end of the tar; it is ignored".to_owned(),
        size => format!("{size} bytes follow the end of the tar; they are ignored"),
    }
}

/// The number of further entries, as [`more`] writes it.
fn more_entries(others: u64) -> String {
    more(usize::try_from(others).unwrap_or(usize::MAX))
}

/// The end of a sentence about a referrer that is left out and `others` more.
fn without_manifest(others: usize) -> String {
    match others {
        0 => ": the manifest that it refers to is not in the output".to_owned(),
        others => {
            format!(" and {others} more: the manifests that they refer to are not in the output")
        }
    }
}

/// This many parts of a delta.
fn delta_parts(parts: usize) -> String {
    match parts {
        1 => "1 part of the delta".to_owned(),
        parts => format!("{parts} parts of the delta"),
    }
}

/// The end of a sentence about a missing blob and `others` more.
fn absent(others: usize) -> String {
    match others {
        0 => ", which is not in the input".to_owned(),
        1 => " and 1 more blob, which are not in the input".to_owned(),
        others => format!(" and {others} more blobs, which are not in the input"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_count_in_words_that_fit() {
        let text = |others| {
            let (name, first) = ("app".to_owned(), Digest::of(b""));
            let warning = Warning::BlobsAbsent {
                name,
                first,
                others,
            };
            warning.to_string()
        };
        let start = format!("`app` refers to {}", Digest::of(b""));
        let end = "which are not in the input; copied unchanged";
        let one = "which is not in the input; copied unchanged";
        assert_eq!(text(0), format!("{start}, {one}"));
        assert_eq!(text(1), format!("{start} and 1 more blob, {end}"));
        assert_eq!(text(2), format!("{start} and 2 more blobs, {end}"));
        let name = "app".to_owned();
        assert_eq!(
            Warning::Unreadable(name).to_string(),
            "cannot read `app`; if it refers to the selected image, it is skipped"
        );
    }
}
