//! The properties that a conversion must preserve, for every pair of formats.

use std::path::Path;

use super::image::{Found, Image, Layout, Store, facts, field, strings};
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

    /// A path in this format, as on the command line.
    pub(crate) fn at(self, path: impl AsRef<Path>) -> String {
        let transport = match self {
            Self::Docker => "docker-archive",
            Self::Oci => "oci",
            Self::OciArchive => "oci-archive",
        };
        format!("{transport}:{}", path.as_ref().display())
    }

    /// The images of a file or directory in this format that `restow` created.
    ///
    /// For an index, the image for this machine.
    #[track_caller]
    pub(crate) fn images(self, path: &Path) -> Vec<Image> {
        match self {
            Self::Docker => own::archive(path),
            Self::Oci | Self::OciArchive => own::layout(path).host_images(),
        }
    }
}

/// The archives of `testdata/` with images, each in every format in which it can be read.
///
/// An archive by Docker 25 or later is both a docker-archive and a layout.
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

/// Compares the output of a conversion without options with its input.
///
/// Documents and layers keep their bytes, and everything in the input is preserved: every platform,
/// attestation and artifact, with the same digest. From one hybrid to another, `index.json` is also
/// the same.
#[track_caller]
pub(crate) fn assert_kept(source: &Store, from: Format, output: &Path, to: Format) {
    let written = Store::open(output);
    match (from, to) {
        (Format::Docker, Format::Docker) => {
            let (expected, got) = (source.docker_images(), own::archive(output));
            let (mut tags, mut got_tags) = (repo_tags(source), repo_tags(&written));
            let layout = oci_part(source);
            if layout.is_some() {
                // Docker 28 now and then lists images in another order in `manifest.json` than
                // in `index.json`, whose order counts.
                tags.sort();
                got_tags.sort();
            }
            assert_same(&expected, &got);
            assert_eq!(got_tags, tags, "names stay as they are");
            if let Some(layout) = layout {
                assert_eq!(written.file("index.json"), source.file("index.json"));
                assert_documents(&layout, &written.layout());
            }
        }
        (Format::Docker, _) => {
            let expected = source.docker_images();
            let layout = own::layout(output);
            assert_same(&expected, &layout.images_of(&expected));
            own::assert_names_and_types(&layout, &repo_tags(source));
            match oci_part(source) {
                Some(beside) => assert_documents(&beside, &layout),
                None => {
                    for found in &layout.found {
                        let is_expected = expected.iter().any(|it| it.config == found.image.config);
                        assert!(is_expected, "{found:?} comes from nowhere");
                    }
                }
            }
        }
        (_, Format::Docker) => {
            let images = own::archive(output);
            assert_same(&source.layout().host_images(), &images);
            assert_documents(&source.layout(), &written.layout());
        }
        _ => {
            assert_eq!(written.file("index.json"), source.file("index.json"));
            assert_documents(&source.layout(), &own::layout(output));
        }
    }
}

/// The OCI part of a hybrid; `None` if Docker left something out of it.
fn oci_part(store: &Store) -> Option<Layout> {
    store.get("oci-layout")?;
    let layout = store.layout();
    let images = store.docker_images();
    let is_there = |image: &Image| {
        let is_it = |it: &&Found| it.image.digests() == image.digests();
        let found: Vec<&Found> = layout.found.iter().filter(is_it).collect();
        let names: Vec<&String> = found.iter().flat_map(|it| &it.image.tags).collect();
        !found.is_empty() && image.tags.iter().all(|tag| names.contains(&tag))
    };
    images.iter().all(is_there).then_some(layout)
}

/// `RepoTags` of all elements, as written.
fn repo_tags(store: &Store) -> Vec<String> {
    let manifest = store.json("manifest.json");
    let elements = manifest.as_array().into_iter().flatten();
    elements
        .flat_map(|element| strings(field(element, "RepoTags")))
        .collect()
}

/// Checks that everything under `index.json` exists, with the same digests.
#[track_caller]
fn assert_documents(expected: &Layout, got: &Layout) {
    assert_eq!(got.reachable, expected.reachable);
    assert_eq!(got.missing, expected.missing);
    let digests = |layout: &Layout| -> Vec<String> {
        layout.found.iter().map(|it| it.manifest.clone()).collect()
    };
    assert_eq!(digests(got), digests(expected));
}

/// Compares images in any order, and the stored bytes of their layers.
#[track_caller]
fn assert_same(expected: &[Image], got: &[Image]) {
    let sorted = |images: &[Image]| {
        let mut images = images.to_vec();
        images.sort_by(|one, other| one.tags.cmp(&other.tags));
        images
    };
    let (expected, got) = (&sorted(expected)[..], &sorted(got)[..]);
    assert_eq!(facts(got), facts(expected));
    let digests = |images: &[Image]| -> Vec<_> { images.iter().map(Image::digests).collect() };
    assert_eq!(digests(got), digests(expected), "layers keep their bytes");
}
