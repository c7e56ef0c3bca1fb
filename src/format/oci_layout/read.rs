//! Reading a layout.

use crate::error::{Error, InputKind, Result};
use crate::format::Format;
use crate::format::container::{Container, find_document};
use crate::format::control_files::{INDEX, MARKER};
use crate::format::oci_layout::DocumentLoader;
use crate::format::root::{Root, Target};
use crate::format::source::{Content, ImageSource};
use crate::image::{Document, Index, parse_value};

/// A layout that is open for reading.
#[derive(Debug)]
pub(in crate::format) struct OciLayout {
    container: Box<dyn Container>,
    format: Format,
    index: Document<Index>,
    roots: Vec<Root>,
}

/// Whether there is an `index.json` that could be a layout's.
pub(in crate::format) fn is_layout(container: &dyn Container) -> Result<bool> {
    if container.find(MARKER)?.is_some() {
        return Ok(true);
    }
    let Some(bytes) = find_document(container, INDEX)? else {
        return Ok(false);
    };
    let value = parse_value(&bytes).ok();
    Ok(value.is_some_and(|value| value.get("manifests").is_some()))
}

impl OciLayout {
    /// Reads `oci-layout` and `index.json`.
    ///
    /// A missing `oci-layout` is forgiven, as skopeo does; one of another
    /// version is not.
    pub(in crate::format) fn open(container: Box<dyn Container>, format: Format) -> Result<Self> {
        check_marker(container.as_ref())?;
        let index = find_index(container.as_ref())?.ok_or(Error::NotOfFormat {
            expected: InputKind::OciLayout,
            missing: "`index.json`",
        })?;
        let roots = index
            .view()
            .manifests
            .iter()
            .map(Root::from_index)
            .collect();
        Ok(Self {
            container,
            format,
            index,
            roots,
        })
    }
}

/// Refuses a layout of another version than 1.0.0.
pub(in crate::format) fn check_marker(container: &dyn Container) -> Result<()> {
    let Some(bytes) = find_document(container, MARKER)? else {
        return Ok(());
    };
    let value = parse_value(&bytes).ok();
    let version = value
        .as_ref()
        .and_then(|value| value.get("imageLayoutVersion")?.as_str());
    match version {
        Some("1.0.0") => Ok(()),
        version => Err(Error::LayoutVersion {
            version: version.unwrap_or("none").to_owned(),
        }),
    }
}

/// Reads `index.json`, if it is there.
pub(crate) fn find_index(container: &dyn Container) -> Result<Option<Document<Index>>> {
    let Some(bytes) = find_document(container, INDEX)? else {
        return Ok(None);
    };
    let index = Document::parse(bytes).map_err(|source| Error::Document {
        what: format!("`{INDEX}`"),
        source,
    })?;
    Ok(Some(index))
}

impl ImageSource for OciLayout {
    fn format(&self) -> Format {
        self.format
    }

    fn container(&self) -> &dyn Container {
        self.container.as_ref()
    }

    fn roots(&self) -> Result<&[Root]> {
        Ok(&self.roots)
    }

    fn load(&self, root: &Root) -> Result<Content> {
        match &root.target {
            Target::Blob(descriptor) => {
                DocumentLoader::new(self.container.as_ref()).load(descriptor, &root.display_name())
            }
            Target::Element(_) | Target::Whole => Err(Error::NoImage),
        }
    }

    fn index(&self) -> Option<&Document<Index>> {
        Some(&self.index)
    }
}
