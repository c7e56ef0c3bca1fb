//! The files that connect the parts of an image.

/// The file that lists the images of a layout.
pub(crate) const INDEX: &str = "index.json";

/// The file of a docker archive that connects configs and layers.
pub(super) const MANIFEST: &str = "manifest.json";

/// The file that makes a folder a layout.
pub(crate) const MARKER: &str = "oci-layout";

/// The predecessor of [`MANIFEST`] before Docker 1.10, which is still written for tags.
pub(super) const REPOSITORIES: &str = "repositories";

/// All control files: they need not be named by any other file. Two with the same name
/// and different content would make two readers see two archives.
pub(super) const CONTROL_FILES: [&str; 4] = [INDEX, MANIFEST, MARKER, REPOSITORIES];
