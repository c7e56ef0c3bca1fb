//! Reading a docker archive.

use crate::digest::Digest;
use crate::error::{Error, Place, Result};
use crate::event::{Warning, Watch};
use crate::format::Format;
use crate::format::container::{Container, find_document, is_of_archive, spend};
use crate::format::docker_archive::manifest_json::{self, Element};
use crate::format::docker_archive::{MANIFEST, v1};
use crate::format::oci_layout::{Graph, is_layout};
use crate::format::oci_layout::{check_marker, find_index};
use crate::format::source::{Content, Image, ImageSource, Layer, Root, Target};
use crate::image::media_type::LayerType;
use crate::image::{Config, Document, DocumentError, Reference};
use crate::limits::DOCUMENTS_MAX;
use crate::stream::Compression;

/// A docker archive that is open for reading.
#[derive(Debug)]
pub(in crate::format) struct DockerArchive {
    container: Box<dyn Container>,
    elements: Vec<(Element, Document<Config>)>,
    roots: Vec<Root>,
}

/// Whether the files are those of a docker archive, of any age.
///
/// A root filesystem may hold a file called `manifest.json`; what makes the
/// difference is its shape, and that the config that it names is there.
pub(in crate::format) fn is_docker_archive(container: &dyn Container) -> Result<bool> {
    let is_rootfs = is_root_filesystem(container);
    let bytes = match find_document(container, MANIFEST) {
        Err(Error::LinkBroken { .. }) if is_rootfs => return Ok(false),
        other => other?,
    };
    let Some(bytes) = bytes else {
        return Ok(v1::is_v1_archive(container));
    };
    match manifest_json::parse(&bytes) {
        Ok(manifest) => {
            let is_there = |element: &Element| container.find(&element.config);
            let mut elements = manifest.elements.iter();
            let all_there = elements.all(|e| matches!(is_there(e), Ok(Some(_))));
            Ok(!is_rootfs || (all_there && !manifest.elements.is_empty()))
        }
        // Many a program calls something else so. Whether it is broken, or another
        // thing, its neighbours tell.
        Err(DocumentError::Syntax(_)) => Ok(!is_rootfs && !is_layout(container)?),
        Err(_) => Ok(container.paths().iter().any(|path| is_of_archive(path))),
    }
}

/// Whether the paths are those of a Unix system.
fn is_root_filesystem(container: &dyn Container) -> bool {
    let paths = container.paths();
    let usual = ["bin", "dev", "etc", "lib", "proc", "sys", "usr", "var"];
    usual.iter().any(|name| paths.binary_search(name).is_ok())
}

impl DockerArchive {
    /// Reads the documents that tie the archive together, and the configs.
    pub(in crate::format) fn open(
        container: Box<dyn Container>,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let elements = match find_document(container.as_ref(), MANIFEST)? {
            Some(bytes) => read_elements(container.as_ref(), &bytes, watch)?,
            None => v1::read_elements(container.as_ref(), watch)?,
        };
        let mut archive = Self {
            container,
            elements,
            roots: Vec::new(),
        };
        archive.roots = archive.find_roots(watch)?;
        Ok(archive)
    }

    /// One root for each tag of each element, in the order of `manifest.json`,
    /// then what the OCI part lists beyond.
    ///
    /// An element whose image the OCI part has too, with the same layers in the
    /// same order, is taken from there: that keeps its manifest, and the index
    /// with other platforms and attestations that may be over it. Docker 25.0.0
    /// wrote layers in random order, and other versions left images out; there
    /// `manifest.json` is right.
    fn find_roots(&self, watch: &Watch<'_>) -> Result<Vec<Root>> {
        let listed = self.oci_roots(watch)?;
        let mut is_covered = vec![false; listed.len()];
        let mut roots = Vec::new();
        for (number, (element, config)) in self.elements.iter().enumerate() {
            let mut target = None;
            for (at, (root, content)) in listed.iter().enumerate() {
                match self.compare(content, element, config)? {
                    Comparison::Same => {
                        is_covered[at] = true;
                        target.get_or_insert(root);
                    }
                    Comparison::Different => {
                        is_covered[at] = true;
                        let name = root.display_name();
                        watch.warn(Warning::OciPartIgnored { name });
                    }
                    Comparison::Unrelated => {}
                }
            }
            let named = element.tags.iter().filter_map(|tag| tagged(tag, watch));
            let named: Vec<_> = named.map(Some).collect();
            let untagged = named.is_empty().then_some(None);
            for reference in named.into_iter().chain(untagged) {
                roots.push(root_of(number, target, &listed, reference));
            }
        }
        let beyond = listed.into_iter().zip(is_covered);
        roots.extend(
            beyond
                .filter(|(_, covered)| !covered)
                .map(|((root, _), _)| root),
        );
        Ok(roots)
    }

    /// What the OCI part lists, if there is one.
    fn oci_roots(&self, watch: &Watch<'_>) -> Result<Vec<(Root, Content)>> {
        let container = self.container.as_ref();
        if !is_layout(container)? {
            return Ok(Vec::new());
        }
        check_marker(container)?;
        let Some(index) = find_index(container)? else {
            return Ok(Vec::new());
        };
        let graph = Graph::new(container);
        let mut roots = Vec::new();
        for descriptor in &index.view().manifests {
            let root = Root::from_index(descriptor);
            let name = root.display_name();
            match graph.load(descriptor, &name) {
                Ok(content) => roots.push((root, content)),
                // Release candidates of Docker 25.0.0 left layers out. What
                // `manifest.json` has under the same name is whole.
                Err(Error::LayerCount { .. }) if self.has_tag(&root) => {
                    watch.warn(Warning::OciPartIgnored { name });
                }
                // One of several, of which nothing else is known.
                Err(Error::MemberAbsent { .. }) => {
                    let descriptor = descriptor.clone();
                    let blob = None;
                    roots.push((root, Content::Opaque { descriptor, blob }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(roots)
    }

    /// Whether an element has the tag of a root.
    fn has_tag(&self, root: &Root) -> bool {
        let mut tags = self.elements.iter().flat_map(|(element, _)| &element.tags);
        root.reference.is_some() && tags.any(|tag| tag.parse().ok() == root.reference)
    }

    /// Holds an image of the OCI part against an element.
    fn compare(
        &self,
        content: &Content,
        element: &Element,
        config: &Document<Config>,
    ) -> Result<Comparison> {
        match content {
            Content::Image(image) if image.config.digest() == config.digest() => {
                let blobs = image.layers.iter().map(|layer| layer.blob.as_ref());
                let mut is_same = blobs.len() == element.layers.len();
                for (blob, path) in blobs.zip(&element.layers) {
                    is_same &= self.container.find(path)?.as_ref() == blob;
                }
                Ok(if is_same {
                    Comparison::Same
                } else {
                    Comparison::Different
                })
            }
            Content::Index(index) => {
                for child in &index.children {
                    let comparison = self.compare(child, element, config)?;
                    if comparison != Comparison::Unrelated {
                        return Ok(comparison);
                    }
                }
                Ok(Comparison::Unrelated)
            }
            _ => Ok(Comparison::Unrelated),
        }
    }

    fn load_element(&self, number: usize, name: &str) -> Result<Content> {
        let (element, config) = &self.elements[number];
        let diff_ids = &config.view().diff_ids;
        if element.layers.len() != diff_ids.len() {
            return Err(Error::LayerCount {
                name: name.to_owned(),
                layers: element.layers.len(),
                diff_ids: diff_ids.len(),
            });
        }
        let layer = |(path, diff_id): (&String, &_)| {
            let blob = self.container.find(path)?;
            let foreign = element
                .sources
                .get(&ToString::to_string(diff_id))
                .filter(|source| {
                    let media_type = LayerType::of(source.media_type());
                    media_type.is_some_and(|layer| layer.is_foreign)
                });
            let compression = match (&blob, foreign) {
                (Some(blob), _) => self.container.compression(blob)?,
                (None, Some(source)) => {
                    LayerType::of(source.media_type()).map_or(Compression::None, |l| l.compression)
                }
                (None, None) => {
                    return Err(Error::MemberAbsent {
                        document: format!("`{MANIFEST}`"),
                        name: path.clone(),
                    });
                }
            };
            Ok(Layer {
                diff_id: Clone::clone(diff_id),
                // What is there is a layer like any other: the descriptor is that of
                // the blob that may be fetched, often compressed.
                descriptor: foreign.filter(|_| blob.is_none()).cloned(),
                blob,
                compression,
            })
        };
        let layers = element
            .layers
            .iter()
            .zip(diff_ids)
            .map(layer)
            .collect::<Result<_>>()?;
        Ok(Content::Image(Image {
            manifest: None,
            config: config.clone(),
            layers,
        }))
    }
}

/// How an image of the OCI part stands to an element of `manifest.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// The same image.
    Same,
    /// The same config, with other layers.
    Different,
    /// Another image.
    Unrelated,
}

/// The root of one tag of an element.
fn root_of(
    number: usize,
    target: Option<&Root>,
    listed: &[(Root, Content)],
    reference: Option<Reference>,
) -> Root {
    let Some(target) = target else {
        return Root {
            target: Target::Element(number),
            descriptor: None,
            reference,
            label: None,
        };
    };
    // Annotations may differ from tag to tag, so the one with this tag is taken.
    let named = listed
        .iter()
        .map(|(root, _)| root)
        .find(|root| root.target_digest() == target.target_digest() && root.reference == reference);
    Root {
        label: None,
        reference,
        ..named.unwrap_or(target).clone()
    }
}

/// Where a config lies under its digest, as since Docker 25, that must be true.
/// Other names say nothing.
fn check_name(path: &str, config: &Document<Config>) -> Result<()> {
    let name = path
        .trim_start_matches(['.', '/'])
        .strip_prefix("blobs/sha256/");
    match name.map(|hex| format!("sha256:{hex}").parse::<Digest>()) {
        Some(Ok(expected)) if expected != *config.digest() => {
            let error = Error::DigestMismatch {
                expected,
                got: config.digest().clone(),
            };
            Err(error.while_reading(Place::Member(path.to_owned())))
        }
        _ => Ok(()),
    }
}

/// Reads a tag of `RepoTags`.
fn tagged(text: &str, watch: &Watch<'_>) -> Option<Reference> {
    let reference = text.parse::<Reference>().ok().filter(Reference::is_tagged);
    if reference.is_none() {
        watch.warn(Warning::ReferenceUnusable {
            text: text.to_owned(),
        });
    }
    reference
}

fn read_elements(
    container: &dyn Container,
    bytes: &[u8],
    watch: &Watch<'_>,
) -> Result<Vec<(Element, Document<Config>)>> {
    let manifest = manifest_json::parse(bytes).map_err(|source| Error::Document {
        what: format!("`{MANIFEST}`"),
        source,
    })?;
    if manifest.has_trailing_bytes {
        watch.warn(Warning::TrailingBytes {
            document: MANIFEST.to_owned(),
        });
    }
    let mut budget = DOCUMENTS_MAX;
    let mut with_config = |element: Element| {
        let bytes =
            find_document(container, &element.config)?.ok_or_else(|| Error::MemberAbsent {
                document: format!("`{MANIFEST}`"),
                name: element.config.clone(),
            })?;
        budget = spend(budget, bytes.len())?;
        let config = Document::parse(bytes).map_err(|source| Error::Document {
            what: format!("the config `{}`", element.config),
            source,
        })?;
        check_name(&element.config, &config)?;
        Ok((element, config))
    };
    let mut elements = Vec::new();
    let mut absent = Vec::new();
    for element in manifest.elements {
        let name = element.tags.first().unwrap_or(&element.config).clone();
        match with_config(element) {
            Ok(element) => elements.push(element),
            Err(error @ Error::MemberAbsent { .. }) => absent.push((name, error)),
            Err(error) => return Err(error),
        }
    }
    // One of several that is not there hides none of the others.
    if elements.is_empty()
        && let Some((_, error)) = absent.pop()
    {
        return Err(error);
    }
    for (name, error) in absent {
        let reason = error.to_string();
        watch.warn(Warning::AbsentLeftOut { name, reason });
    }
    Ok(elements)
}

impl ImageSource for DockerArchive {
    fn format(&self) -> Format {
        Format::DockerArchive
    }

    fn container(&self) -> &dyn Container {
        self.container.as_ref()
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&self.roots)
    }

    fn load(&self, root: &Root) -> Result<Content> {
        let name = root.display_name();
        match &root.target {
            Target::Blob(descriptor) => Graph::new(self.container.as_ref()).load(descriptor, &name),
            Target::Element(number) => self.load_element(*number, &name),
            Target::Whole => Err(Error::NoImage),
        }
    }
}
