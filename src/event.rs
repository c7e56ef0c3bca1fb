//! What an operation tells its caller while it runs, and how the caller stops it.
//!
//! Events, not text: the library prints nothing, and what a terminal shows of
//! them is decided in the binary.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::Digest;
use crate::error::{Place, more};
use crate::layer::Ambiguity;
use crate::progress::Progress;

/// Something that happened while an operation ran.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The operation knows what lies before it. Sent at most once, and not before a
    /// pipe has come to its end.
    Started {
        /// The number of bytes that it will read in all, from here on.
        bytes: u64,
        /// The number of images, those for several platforms counted each. `None` where
        /// sizes of layers are found out, which images may share.
        images: Option<usize>,
        /// The number of steps on a layer or another blob ([`Step::blob`]). There may be
        /// fewer: what the output has already is passed over. `None` for a squash: its
        /// plan, made on the way, says which layers are read twice.
        steps: Option<usize>,
    },
    /// The operation has turned to this.
    Step(Step<'a>),
    /// So many further bytes of the input were read.
    Advanced(u64),
    /// Something was left out or changed, or will surprise.
    Warning(Warning),
}

/// What is being done, for a person who watches.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// The input is being read into a temporary file, or a layout.
    Receiving,
    /// The members of the input are being looked up.
    Indexing,
    /// A blob is being copied, and, with `is_recompressed`, compressed anew.
    Copying {
        /// The blob's name in the input.
        blob: &'a str,
        /// Whether its compression changes.
        is_recompressed: bool,
    },
    /// The headers of this layer are being read.
    Reading(&'a str),
    /// Layers are being merged, of which this one is being read.
    Merging(&'a str),
    /// The blob with this name in the input is being read and compared with what is said of it.
    Verifying(&'a str),
    /// Everything is written, and is being made visible.
    Committing,
}

impl<'a> Step<'a> {
    /// The layer or other blob that is worked on, if it is one.
    #[must_use]
    pub fn blob(&self) -> Option<&'a str> {
        match self {
            Self::Copying { blob, .. } | Self::Verifying(blob) => Some(blob),
            Self::Reading(layer) | Self::Merging(layer) => Some(layer),
            Self::Receiving | Self::Indexing | Self::Committing => None,
        }
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receiving => f.write_str("receiving"),
            Self::Indexing => f.write_str("indexing"),
            Self::Copying {
                blob,
                is_recompressed: false,
            } => write!(f, "copying {blob}"),
            Self::Copying {
                blob,
                is_recompressed: true,
            } => write!(f, "compressing {blob}"),
            Self::Reading(layer) => write!(f, "reading {layer}"),
            Self::Merging(layer) => write!(f, "merging {layer}"),
            Self::Verifying(blob) => write!(f, "verifying {blob}"),
            Self::Committing => f.write_str("committing"),
        }
    }
}

/// Something of the input that the output does not have, or has otherwise.
///
/// The text follows the rules for errors, which are in `src/error.rs`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// This many bytes follow the end of the compressed stream that an input is.
    #[error("{0} bytes follow the end of the compressed stream; they are ignored")]
    AfterCompression(u64),
    /// Something else than zeros follows the end of a tar.
    #[error("{}", after_tar(*size, *is_tar))]
    AfterTar {
        /// How many bytes.
        size: u64,
        /// Whether they are another tar.
        is_tar: bool,
    },
    /// This layer, which is below a range, cannot be looked into.
    #[error("cannot look inside {0}, so all whiteouts above it are kept")]
    AllWhiteoutsKept(Place),
    /// One of several images is not in the input.
    #[error("skipped `{name}`: {reason}")]
    AbsentLeftOut {
        /// The reference or digest of what was left out.
        name: String,
        /// What is missing.
        reason: String,
    },
    /// Documents name blobs that the input does not hold.
    #[error(
        "`{name}` refers to {first}{rest}; copied unchanged", rest = absent(*others)
    )]
    BlobsAbsent {
        /// The image.
        name: String,
        /// One of the blobs.
        first: Digest,
        /// How many there are beside it.
        others: usize,
    },
    /// The output already held this blob, and its content was not what its name says.
    #[error("{0} was damaged in the output; replaced")]
    DamagedBlobReplaced(Digest),
    /// An entry of a root filesystem is one that engines refuse, or understand differently.
    #[error("{fault}")]
    EntryUnfit {
        /// The entry, what is wrong with it, and what follows.
        fault: String,
        /// Whether the tar can be written anew without it.
        is_readable: bool,
    },
    /// A tar stops without saying that it ends.
    #[error(
        "the tar has no end-of-archive block; it may be truncated, but everything that its metadata names is there"
    )]
    EndMissing,
    /// A root filesystem has no entry.
    #[error("the tar has no entry, so the root filesystem is empty")]
    RootfsEmpty,
    /// The tar of a root filesystem stops without saying that it ends.
    #[error("the tar has no end-of-archive block; it may be truncated")]
    RootfsEndMissing,
    /// The same image index lists platforms that the output does not take.
    #[error("skipped {what} of `{name}`: {reason}")]
    LeftOut {
        /// What is missing: platforms, attestations.
        what: String,
        /// The image.
        name: String,
        /// Why, as a clause.
        reason: &'static str,
    },
    /// No image is for the very platform that is wanted, and one for an older variant,
    /// or for the 32-bit architecture of the same machine, was taken.
    #[error("`{name}` has no image for {wanted}; using the one for {taken}, which runs there")]
    PlatformSubstituted {
        /// The image.
        name: String,
        /// The platform that was asked for, or the host's.
        wanted: String,
        /// The platform of the image.
        taken: String,
    },
    /// The declared media type of a layer is not what its bytes are.
    #[error("{layer} is labelled `{label}`, but its content is {bytes}")]
    Mislabelled {
        /// The layer.
        layer: Place,
        /// The media type in the manifest.
        label: String,
        /// What the bytes are.
        bytes: &'static str,
    },
    /// A layer means something else to other engines.
    #[error(
        "{layer}, entry `{entry}`{rest}: {ambiguity}", rest = more(*others)
    )]
    Ambiguous {
        /// The layer.
        layer: Place,
        /// The first entry, escaped.
        entry: String,
        /// How many there are beside it.
        others: usize,
        /// What is odd about them.
        ambiguity: Ambiguity,
    },
    /// Both parts of a hybrid archive have this reference, each for another image.
    #[error(
        "`{0}` is one image in `index.json` and another in `manifest.json`; using the one of `index.json`"
    )]
    NameMoved(String),
    /// One part of a hybrid archive has names that the other has not.
    #[error(
        "`{document}` names `{name}`{rest}, but `{other}` does not; using the names of both", rest = more(*others)
    )]
    NamesDiffer {
        /// Which has them.
        document: &'static str,
        /// Which has not.
        other: &'static str,
        /// The first of the names.
        name: String,
        /// How many there are beside it.
        others: usize,
    },
    /// This name in an OCI layout is no full reference, so Docker cannot have it.
    #[error("`{0}` is a tag without a repository; the image is untagged in the docker archive")]
    NoRepository(String),
    /// `manifest.json` names images only.
    #[error(
        "`{name}` is not an image but {kind}; only `index.json` lists it, and engines without a containerd image store do not see it"
    )]
    NotInManifestJson {
        /// The reference of what is not there.
        name: String,
        /// What it is, with its article.
        kind: String,
    },
    /// `manifest.json` names one platform of each image, and there is none for the host.
    #[error("`{name}` has no image for {wanted}; `manifest.json` names the one for {taken}")]
    OtherPlatformNamed {
        /// The image.
        name: String,
        /// The host's platform.
        wanted: String,
        /// The platform of the image that is named.
        taken: String,
    },
    /// `Parent` of `manifest.json` is not in the output.
    #[error(
        "the output loses the parent image that `manifest.json` records for `{name}`{rest}", rest = more(*others)
    )]
    ParentLost {
        /// The first image.
        name: String,
        /// How many there are beside it.
        others: usize,
    },
    /// The OCI part and the Docker part of a hybrid archive disagree on this image.
    #[error(
        "the OCI manifest of `{0}` has other layers than `manifest.json`; using those of `manifest.json`"
    )]
    OciPartIgnored(String),
    /// What speaks of a manifest by its digest has no meaning without that manifest.
    #[error("skipped {what} of `{name}`: the manifest that it refers to is not in the output")]
    ReferrerLeftOut {
        /// What is left out, with its article.
        what: String,
        /// The image that it stands beside.
        name: String,
    },
    /// A reference named another image before.
    #[error("`{reference}` moved from {previous}, which stays in the layout without this name")]
    ReferenceMoved {
        /// The reference.
        reference: String,
        /// The digest that it named.
        previous: Digest,
    },
    /// Two images of the input claim this reference.
    #[error("`{0}` names two images of the input; the later one keeps it")]
    ReferenceTwice(String),
    /// An entry of `RepoTags`, which is this one, is no reference with a tag.
    #[error("`{0}` is not a valid NAME:TAG; ignoring it")]
    ReferenceUnusable(String),
    /// A layer cannot be looked into, or not to its end.
    #[error("cannot read {layer}, so its size is unknown: {reason}")]
    SizeUnknown {
        /// The layer.
        layer: Place,
        /// Why, and why that.
        reason: String,
    },
    /// Something that was not asked for, with this reference or digest, cannot be read.
    #[error("cannot read `{0}`; if it refers to the chosen image, it is skipped")]
    Unreadable(String),
    /// Bytes follow the value in the JSON document that has this name in the archive.
    #[error("ignoring extra bytes after the JSON value in `{0}`")]
    TrailingBytes(String),
    /// Docker before 23 has no zstd, which layers of this image need.
    #[error("`{0}` has layers compressed with zstd, which Docker before 23 cannot load")]
    ZstdInDockerArchive(String),
}

/// Bytes that nobody reads, as a warning and a finding say it.
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

/// The end of a sentence about a blob that is not there, and others.
fn absent(others: usize) -> String {
    match others {
        0 => ", which is not in the input".to_owned(),
        1 => " and 1 more blob, which are not in the input".to_owned(),
        others => format!(" and {others} more blobs, which are not in the input"),
    }
}

/// Takes the events. Several threads may call it at once.
pub(crate) type Observer<'a> = dyn Fn(Event<'_>) + Sync + 'a;

/// The two wires between an operation and its caller: events out, a stop in.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    observer: &'a Observer<'a>,
    interrupt: &'a AtomicBool,
}

impl<'a> Watch<'a> {
    /// Connects an operation with its caller, who sets `interrupt` to stop it.
    pub(crate) fn new(observer: &'a Observer<'a>, interrupt: &'a AtomicBool) -> Self {
        Self {
            observer,
            interrupt,
        }
    }

    pub(crate) fn send(&self, event: Event<'_>) {
        (self.observer)(event);
    }

    /// Tells the caller of something left out or changed.
    pub(crate) fn warn(&self, warning: Warning) {
        self.send(Event::Warning(warning));
    }

    /// The same caller, who is told nothing.
    pub(crate) fn silent(&self) -> Self {
        Self {
            observer: &|_| (),
            interrupt: self.interrupt,
        }
    }

    /// Whether the caller wants the operation to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

impl Progress for Watch<'_> {
    fn advance(&self, bytes: u64) {
        self.send(Event::Advanced(bytes));
    }

    fn is_interrupted(&self) -> bool {
        Watch::is_interrupted(self)
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("interrupted", &self.is_interrupted())
            .finish_non_exhaustive()
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
            "cannot read `app`; if it refers to the chosen image, it is skipped"
        );
    }
}
