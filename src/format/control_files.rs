//! The files that tie images together.

/// The file that lists what a layout holds.
pub(super) const INDEX: &str = "index.json";

/// The file of a docker archive that ties configs and layers together.
pub(super) const MANIFEST: &str = "manifest.json";

/// The file that makes a folder a layout.
pub(crate) const MARKER: &str = "oci-layout";

/// The file that did what [`MANIFEST`] does before Docker 1.10, and that is still
/// written for tags.
pub(super) const REPOSITORIES: &str = "repositories";

/// All of them: no other file has to refer to them. Two of them with one name, and not
/// the same content, would make two readers see two archives.
pub(super) const CONTROL_FILES: [&str; 4] = [INDEX, MANIFEST, MARKER, REPOSITORIES];
