//! Reading a docker archive.

use std::collections::{HashMap, HashSet};

use crate::digest::{DiffId, Digest};
use crate::error::{Error, Place, Result};
use crate::event::{Warning, Watch};
use crate::finding::Site;
use crate::format::container::{Container, find_document, is_of_archive};
use crate::format::control_files::{MANIFEST, REPOSITORIES};
use crate::format::docker_archive::element::{read_config, read_manifest};
use crate::format::docker_archive::manifest_json::{self, Element};
use crate::format::docker_archive::names::{ListedRoot, NamedElement, all_names};
use crate::format::docker_archive::v1;
use crate::format::oci_layout::{check_marker, find_index, is_layout, load};
use crate::format::reader::{Opener, Tolerance, layer_count_fault};
use crate::format::root::Root;
use crate::format::source::{
    Content, DockerImage, DockerPart, Image, Layer, LayerBytes, LayerPosition,
};
use crate::image::media_type::LayerType;
use crate::image::{Config, Document, DocumentError, Index, Reference};

/// The documents that connect the parts of a docker archive.
pub(in crate::format) struct DockerArchive<'a> {
    container: &'a dyn Container,
    /// The faults of the OCI part at which reading goes on.
    tolerance: Tolerance,
    /// The OCI part, if there is one.
    pub(in crate::format) index: Option<Document<Index>>,
    /// The Docker part; archives from before Docker 1.10 have none.
    pub(in crate::format) part: Option<DockerPart>,
    /// The images of the Docker part, each once.
    pub(in crate::format) elements: Vec<(Element, Document<Config>)>,
    pub(in crate::format) roots: Vec<Root>,
}

/// Returns true if the files are those of a docker archive, of any age.
///
/// A root filesystem may contain a file named `manifest.json`; the difference is its
/// shape, and whether the config that it names exists.
pub(in crate::format) fn is_docker_archive(container: &dyn Container) -> Result<bool> {
    let is_rootfs = is_root_filesystem(container);
    let bytes = match find_document(container, MANIFEST) {
        Err(Error::LinkBroken(_)) if is_rootfs => return Ok(false),
        other => other?,
    };
    let Some(bytes) = bytes else {
        return Ok(v1::is_v1_archive(container));
    };
    match manifest_json::parse(&bytes) {
        Ok(elements) => {
            let is_there = |element: &Element| container.find(&element.config);
            let mut each = elements.iter();
            let all_there = each.all(|e| matches!(is_there(e), Ok(Some(_))));
            Ok(!is_rootfs || (all_there && !elements.is_empty()))
        }
        // Many programs use this name for other files. The other members show whether
        // it is a broken one or something else.
        Err(DocumentError::Syntax(_)) => Ok(!is_rootfs && !is_layout(container)?),
        Err(_) if container.paths().iter().any(|path| is_of_archive(path)) => Ok(true),
        // Other programs also write lists and objects under this name; none of them
        // lists other members as layers.
        Err(_) => {
            let named = manifest_json::named_paths(&bytes);
            let is_there = |path: &String| matches!(container.find(path), Ok(Some(_)));
            let names_config = !is_rootfs && named.configs.iter().any(is_there);
            let is_null = !is_rootfs && named.is_null_list;
            Ok(names_config || is_null || named.layers.iter().any(is_there))
        }
    }
}

/// Returns true if a `manifest.json` lists images, and nothing else.
pub(in crate::format) fn lists_images(bytes: &[u8]) -> bool {
    manifest_json::parse(bytes).is_ok_and(|elements| !elements.is_empty())
}

/// Returns true if the paths are those of a Unix system.
fn is_root_filesystem(container: &dyn Container) -> bool {
    let paths = container.paths();
    let usual = ["bin", "dev", "etc", "lib", "proc", "sys", "usr", "var"];
    usual.iter().any(|name| paths.binary_search(name).is_ok())
}

impl<'a> DockerArchive<'a> {
    /// Reads the documents that connect the parts of the archive, and the configs.
    pub(in crate::format) fn open(
        container: &'a dyn Container,
        tolerance: Tolerance,
        watch: &Watch<'_>,
    ) -> Result<Self> {
        let manifest = find_document(container, MANIFEST)?;
        let elements = match &manifest {
            Some(bytes) => read_elements(container, bytes, watch)?,
            None => v1::read_elements(container, watch)?,
        };
        let part = manifest.map(|manifest| DockerPart {
            manifest,
            images: elements.iter().map(docker_image).collect(),
            // Nothing that is read depends on it.
            repositories: find_document(container, REPOSITORIES).unwrap_or_default(),
            is_joined: false,
        });
        let elements = distinct(container, elements)?;
        let mut archive = Self {
            container,
            tolerance,
            index: None,
            part,
            elements,
            roots: Vec::new(),
        };
        archive.find_roots(watch)?;
        Ok(archive)
    }

    /// Finds one root for each name of each image.
    ///
    /// If the OCI part also has the image of an element, with the same layers in the
    /// same order, it is taken from there: this keeps its manifest, and an index around
    /// it with other platforms and attestations. Docker 25.0.0 wrote layers in random
    /// order, and other versions omitted images; in these cases `manifest.json` is
    /// right.
    fn find_roots(&mut self, watch: &Watch<'_>) -> Result<()> {
        self.index = self.find_index()?;
        // Names for which it was reported that only `manifest.json` counts.
        let mut known = HashSet::new();
        let listed = self.oci_roots(&mut known, watch)?;
        let mut of_config: HashMap<&Digest, Vec<usize>> = HashMap::new();
        for (at, (_, content)) in listed.iter().enumerate() {
            for config in content.configs() {
                let places = of_config.entry(config).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
        }
        let mut same_of = Vec::new();
        let mut is_wrong = vec![false; listed.len()];
        let mut is_right = vec![false; listed.len()];
        for (element, config) in &self.elements {
            let places = of_config.get(config.digest()).cloned().unwrap_or_default();
            let mut same = Vec::new();
            for at in &places {
                if self.has_element(&listed[*at].1, element, config)? {
                    is_right[*at] = true;
                    same.push(*at);
                }
            }
            if same.is_empty() {
                for at in places {
                    is_wrong[at] = true;
                }
            }
            same_of.push(same);
        }
        let mut position = vec![None; listed.len()];
        let mut kept = Vec::new();
        for (at, (root, content)) in listed.iter().enumerate() {
            if is_wrong[at] && !is_right[at] {
                known.extend(root.reference.clone());
                watch.warn(Warning::OciPartIgnored(root.display_name()));
                continue;
            }
            position[at] = Some(kept.len());
            kept.push(ListedRoot {
                root: root.clone(),
                is_image: content.configs().next().is_some(),
            });
        }
        let elements = self.elements.iter().zip(same_of).enumerate();
        let named = elements.map(|(number, ((element, _), same))| NamedElement {
            number,
            tags: element
                .tags
                .iter()
                .filter_map(|tag| tagged(tag, watch))
                .collect(),
            same: same.into_iter().filter_map(|at| position[at]).collect(),
        });
        let (roots, differences) = all_names(kept, named.collect());
        if self.index.is_some() {
            differences.without(&known).warn(watch);
        }
        self.roots = roots;
        Ok(())
    }

    /// The `index.json` of the OCI part, if there is one.
    fn find_index(&self) -> Result<Option<Document<Index>>> {
        if !is_layout(self.container)? {
            return Ok(None);
        }
        check_marker(&mut Opener::new(self.container))?;
        find_index(self.container)
    }

    /// The roots that the OCI part lists.
    fn oci_roots(
        &self,
        ignored: &mut HashSet<Reference>,
        watch: &Watch<'_>,
    ) -> Result<Vec<(Root, Content)>> {
        let Some(index) = &self.index else {
            return Ok(Vec::new());
        };
        let mut roots = Vec::new();
        for descriptor in &index.view().manifests {
            let root = Root::from_index(descriptor);
            let name = root.display_name();
            let opener = Opener::new(self.container).tolerating(self.tolerance);
            match load(opener, descriptor, name.clone()) {
                Ok(content) => roots.push((root, content)),
                // Release candidates of Docker 25.0.0 left layers out. The image with
                // the same name in `manifest.json` is complete.
                Err(Error::LayerCount { .. }) if self.has_tag(&root) => {
                    ignored.extend(root.reference);
                    watch.warn(Warning::OciPartIgnored(name));
                }
                // One of several, of which nothing else is known.
                Err(Error::MemberAbsent { .. }) => {
                    let descriptor = descriptor.clone();
                    let content = Content::Opaque {
                        descriptor,
                        blob: None,
                        document: None,
                    };
                    roots.push((root, content));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(roots)
    }

    /// Returns true if an element has the tag of a root.
    fn has_tag(&self, root: &Root) -> bool {
        let mut tags = self.elements.iter().flat_map(|(element, _)| &element.tags);
        root.reference.is_some() && tags.any(|tag| tag.parse().ok() == root.reference)
    }

    /// Returns true if an image of the OCI part is that of an element, or contains it.
    fn has_element(
        &self,
        content: &Content,
        element: &Element,
        config: &Document<Config>,
    ) -> Result<bool> {
        match content {
            Content::Image(image) if image.config.digest() == config.digest() => {
                let blobs = image.layers.iter().map(Layer::blob);
                let mut is_same = blobs.len() == element.layers.len();
                for (blob, path) in blobs.zip(&element.layers) {
                    is_same &= self.container.find(path)?.as_ref() == blob;
                }
                Ok(is_same)
            }
            Content::Index(index) => {
                for child in &index.children {
                    if self.has_element(child, element, config)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// Looks up the layers of the image that an element and its config describe.
pub(in crate::format) fn load_element(
    container: &dyn Container,
    (element, config): &(Element, Document<Config>),
    name: &str,
) -> Result<Content> {
    let diff_ids = &config.view().diff_ids;
    let count = element.layers.len();
    if let Some(fault) = layer_count_fault(name, count, config.view()) {
        return Err(fault.error);
    }
    let layer = |(at, diff_id): (usize, &DiffId)| {
        let path = &element.layers[at];
        let foreign = element.source(diff_id).and_then(|source| {
            let label = LayerType::of(source.media_type())?;
            label.is_foreign.then_some((source, label.compression))
        });
        let (bytes, compression) = match (container.find(path)?, foreign) {
            // A layer in the archive is like any other: the descriptor is that of the
            // remote blob, which is often compressed.
            (Some(blob), _) => {
                let compression = container.blob(&blob).compression()?;
                let descriptor = None;
                (LayerBytes::Input { blob, descriptor }, compression)
            }
            (None, Some((source, compression))) => {
                (LayerBytes::Elsewhere(source.clone()), compression)
            }
            (None, None) if path.is_empty() => {
                return Err(Error::LayerLeftOut.while_reading(Place::Layer {
                    position: at + 1,
                    count,
                    image: name.to_owned(),
                }));
            }
            (None, None) => return Err(absent(path)),
        };
        Ok(Layer {
            diff_id: diff_id.clone(),
            bytes,
            compression,
            position: LayerPosition::new(at, count),
            keeps_compression: false,
        })
    };
    let layers = diff_ids
        .iter()
        .enumerate()
        .map(layer)
        .collect::<Result<_>>()?;
    Ok(Content::Image(Image {
        manifest: None,
        config: config.clone(),
        layers,
        annotations: Vec::new(),
        others: Vec::new(),
    }))
}

/// Returns the error for a missing file that `manifest.json` names.
fn absent(path: &str) -> Error {
    Error::MemberAbsent {
        document: format!("`{MANIFEST}`"),
        name: path.to_owned(),
    }
}

fn docker_image((element, config): &(Element, Document<Config>)) -> DockerImage {
    DockerImage {
        config: config.digest().clone(),
        parent: element.parent.clone(),
    }
}

/// Merges elements of the same image, with all of its tags.
fn distinct(
    container: &dyn Container,
    elements: Vec<(Element, Document<Config>)>,
) -> Result<Vec<(Element, Document<Config>)>> {
    let mut distinct: Vec<(Element, Document<Config>)> = Vec::new();
    let mut of_config: HashMap<Digest, Vec<usize>> = HashMap::new();
    for (element, config) in elements {
        let places = of_config.entry(config.digest().clone()).or_default();
        let mut same = None;
        for at in places.iter().copied() {
            if same.is_none() && are_layers_same(container, &distinct[at].0, &element)? {
                same = Some(at);
            }
        }
        if let Some(at) = same {
            distinct[at].0.tags.extend(element.tags);
        } else {
            places.push(distinct.len());
            distinct.push((element, config));
        }
    }
    Ok(distinct)
}

/// Returns true if the layers of two elements are the same members.
fn are_layers_same(container: &dyn Container, one: &Element, other: &Element) -> Result<bool> {
    if one.layers.len() != other.layers.len() {
        return Ok(false);
    }
    for (one, other) in one.layers.iter().zip(&other.layers) {
        if one != other && container.find(one)? != container.find(other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Parses a tag of `RepoTags`. A name without a tag means `latest`.
fn tagged(text: &str, watch: &Watch<'_>) -> Option<Reference> {
    let reference = text.parse().ok().map(Reference::or_latest);
    let reference = reference.filter(Reference::is_tagged);
    if reference.is_none() {
        watch.warn(Warning::ReferenceUnusable(text.to_owned()));
    }
    reference
}

fn read_elements(
    container: &dyn Container,
    bytes: &[u8],
    watch: &Watch<'_>,
) -> Result<Vec<(Element, Document<Config>)>> {
    let mut opener = Opener::new(container);
    let Some(manifest) = read_manifest(&mut opener, bytes)? else {
        return Ok(Vec::new());
    };
    if manifest.has_trailing_bytes {
        watch.warn(Warning::TrailingBytes(MANIFEST.to_owned()));
    }
    let mut elements = Vec::new();
    let mut missing = Vec::new();
    for (_, element) in manifest.elements {
        let name = element.tags.first().unwrap_or(&element.config);
        match read_config(&mut opener, &element, &Site::image(name))? {
            Some(Some(config)) => elements.push((element, config)),
            Some(None) | None => {
                missing.push((name.clone(), absent(&element.config)));
            }
        }
    }
    // A missing image does not hide the others.
    if elements.is_empty()
        && let Some((_, error)) = missing.pop()
    {
        return Err(error);
    }
    for (name, error) in missing {
        let reason = error.to_string();
        watch.warn(Warning::AbsentLeftOut { name, reason });
    }
    Ok(elements)
}
