//! What a conversion must keep, for every pair of formats.

use std::path::Path;

use super::image::{Image, Store, facts};
use super::own;

/// A format that `restow` reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A docker-archive.
    Docker,
    /// An OCI layout in a directory.
    Oci,
    /// An OCI layout in a tar.
    OciArchive,
}

impl Format {
    /// Every format.
    pub(crate) const ALL: [Self; 3] = [Self::Docker, Self::Oci, Self::OciArchive];

    /// A path of this format, as it is written on the command line.
    pub(crate) fn at(self, path: impl AsRef<Path>) -> String {
        let transport = match self {
            Self::Docker => "docker-archive",
            Self::Oci => "oci",
            Self::OciArchive => "oci-archive",
        };
        format!("{transport}:{}", path.as_ref().display())
    }

    /// The images of a file or directory of this format that `restow` wrote from nothing.
    ///
    /// Of an index it is the image for this machine.
    #[track_caller]
    pub(crate) fn images(self, path: &Path) -> Vec<Image> {
        match self {
            Self::Docker => own::archive(path),
            Self::Oci | Self::OciArchive => own::layout(path).host_images(),
        }
    }
}

/// The archives of `testdata/` that hold images, each in every format that it can be read as.
///
/// What Docker 25 and later write is a docker-archive and a layout at once.
pub(crate) const FIXTURES: [(&str, Format); 22] = [
    ("buildkit__edge.docker-zstd.tar", Format::Docker),
    ("buildkit__edge.docker-zstd.tar", Format::OciArchive),
    ("buildkit__edge.oci-dockermt.tar", Format::OciArchive),
    ("buildkit__edge.oci-estargz.tar", Format::OciArchive),
    ("buildkit__multi.oci.tar", Format::OciArchive),
    ("crane__edge.tarball.tar", Format::Docker),
    ("ctr__edge-nomanifest.tar", Format::OciArchive),
    ("docker20__dup.tar", Format::Docker),
    ("docker20__edge.tar", Format::Docker),
    ("docker20__names.tar", Format::Docker),
    ("docker29-containerd__edge-deep-multi.tar", Format::Docker),
    (
        "docker29-containerd__edge-deep-multi.tar",
        Format::OciArchive,
    ),
    ("docker29-containerd__edge.tar", Format::Docker),
    ("docker29-containerd__edge.tar", Format::OciArchive),
    (
        "docker29-containerd__multiplatform-provenance.tar",
        Format::Docker,
    ),
    (
        "docker29-containerd__multiplatform-provenance.tar",
        Format::OciArchive,
    ),
    ("docker29-containerd__names.tar", Format::OciArchive),
    ("docker29-graphdriver__names.tar", Format::Docker),
    ("docker29-graphdriver__names.tar", Format::OciArchive),
    ("podman43__edge.oci.tar", Format::OciArchive),
    ("podman43__multi-tags.docker.tar", Format::Docker),
    ("skopeo19__edge.docker.tar", Format::Docker),
];

/// Compares what a conversion without options wrote with what it was made from.
///
/// Documents and layers keep their bytes, wherever the target can hold them.
#[track_caller]
pub(crate) fn assert_kept(source: &Store, from: Format, output: &Path, to: Format) {
    match (from, to) {
        (Format::Docker, Format::Docker) => {
            assert_same(&source.docker_images(), &own::archive(output));
        }
        (Format::Docker, _) => {
            let expected = source.docker_images();
            let layout = own::layout(output);
            assert_same(&expected, &layout.images_of(&expected));
            own::assert_names_and_types(&layout);
            // Other platforms come from the layout that the archive is as well, or not at all.
            let beside = source.get("oci-layout").map(|_| source.layout());
            let known: Vec<&str> = beside
                .iter()
                .flat_map(|it| &it.found)
                .map(|it| it.manifest.as_str())
                .collect();
            for found in &layout.found {
                let is_expected = expected.iter().any(|it| it.config == found.image.config);
                assert!(
                    is_expected || known.contains(&found.manifest.as_str()),
                    "{found:?} comes from nowhere"
                );
            }
        }
        (_, Format::Docker) => {
            assert_same(&source.layout().host_images(), &own::archive(output));
        }
        _ => {
            let written = Store::open(output);
            assert_eq!(written.file("index.json"), source.file("index.json"));
            let (got, expected) = (own::layout(output), source.layout());
            assert_eq!(got.reachable, expected.reachable);
            assert_eq!(got.missing, expected.missing);
        }
    }
}

/// Compares images, and the bytes of their layers as they are stored.
#[track_caller]
fn assert_same(expected: &[Image], got: &[Image]) {
    assert_eq!(facts(got), facts(expected));
    let digests = |images: &[Image]| -> Vec<_> { images.iter().map(Image::digests).collect() };
    assert_eq!(digests(got), digests(expected), "layers keep their bytes");
}
