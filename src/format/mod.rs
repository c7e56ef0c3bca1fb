//! Images on disk.
//!
//! | format | transport | a file or folder with | read | written |
//! | --- | --- | --- | --- | --- |
//! | docker archive | `docker-archive:` | `manifest.json`, or `repositories` before Docker 1.10 | yes | as a hybrid: an OCI layout beside it |
//! | OCI layout | `oci:` | `oci-layout`, `index.json`, `blobs/` in a folder | yes | yes |
//! | OCI archive | `oci-archive:` | the same in a tar | yes | yes |
//! | rootfs | `rootfs:` | a root filesystem, as `docker export` writes it | as an image of one layer | by `export` |
//!
//! A [`source`] provides images, and a [`sink`] stores them. In between, an image is a
//! graph of documents and layers ([`source::Content`]).

mod archive_sink;
mod captured;
mod container;
mod control_files;
mod create;
mod destination;
mod detect;
mod docker_archive;
mod folder;
mod input;
pub(crate) mod joined;
pub(crate) mod json_input;
mod misplaced;
mod oci_layout;
mod outline;
mod output;
mod partial;
mod reader;
pub(crate) mod root;
mod rootfs;
mod rootfs_input;
pub(crate) mod sink;
pub(crate) mod source;
mod survey;
mod taken;

use std::fmt;

pub(crate) use captured::{CapturedSink, ControlFiles};
pub(crate) use container::{Blob, Bytes, Container, KnownHashes, Member, not_a_tar, spend};
pub(crate) use control_files::{INDEX, MARKER};
pub(crate) use create::create;
pub(crate) use detect::{Opening, open, open_container};
pub use input::Input;
pub(crate) use oci_layout::{
    LockedLayout, MARKER_CONTENT, Reach, Reached, absence, blob_path, blobs_of_unknown_fields,
    find_index,
};
pub(crate) use outline::Outline;
pub use output::Output;
pub(crate) use partial::PartialIndex;
pub(crate) use reader::{Tolerance, chain_of};
pub(crate) use rootfs::{RootfsSink, warn_of_end, warn_of_tar};
pub(crate) use rootfs_input::{RootfsInput, RootfsStream, StoredStream};
pub(crate) use survey::{LAYERS_MAX, Survey, SurveyedBlob, SurveyedImage, SurveyedLayer, survey};

/// A format of images on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The format of `docker save`.
    DockerArchive,
    /// An OCI image layout in a folder.
    OciDirectory,
    /// An OCI image layout in a tar.
    OciArchive,
    /// A root filesystem in a tar.
    Rootfs,
}

impl Format {
    /// Its transport in containers-transports(5).
    #[must_use]
    pub fn transport(self) -> &'static str {
        match self {
            Self::DockerArchive => "docker-archive",
            Self::OciDirectory => "oci",
            Self::OciArchive => "oci-archive",
            Self::Rootfs => "rootfs",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.transport())
    }
}
