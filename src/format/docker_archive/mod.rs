//! Docker archives: what `docker save` writes, and all that imitate it.
//!
//! Three families are read. Up to Docker 1.9 there is a folder for each image
//! with `json` and `layer.tar`, and `repositories` ([`v1`]). Since 1.10
//! `manifest.json` ties a config to its layers, wherever they lie
//! ([`manifest_json`]). Since 25 an OCI layout lies beside it, which is followed
//! where the two agree ([`read`]), and the names of both count ([`names`]). That last
//! form is the one that is written.

pub(super) mod element;
pub(super) mod manifest_json;
mod names;
mod read;
pub(super) mod v1;
mod write;

pub(super) use read::{DockerArchive, is_docker_archive, lists_images, load_element};
pub(super) use write::docker_documents;
