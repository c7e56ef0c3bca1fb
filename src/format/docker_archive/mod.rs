//! Docker archives: the format of `docker save` and its imitators.
//!
//! Three families are read. Up to Docker 1.9 there is a folder for each image with
//! `json` and `layer.tar`, and `repositories` ([`v1`]). Since 1.10 `manifest.json`
//! connects a config to its layers, wherever they are ([`manifest_json`]). Since 25
//! there is also an OCI layout, which is used where the two agree ([`read`]), and the
//! names of both count ([`names`]). Only the last form is written.

pub(super) mod element;
mod joined;
pub(super) mod manifest_json;
mod names;
mod read;
pub(super) mod v1;
mod write;

pub(super) use joined::joined_part;
pub(super) use read::{DockerArchive, is_docker_archive, lists_images, load_element};
pub(super) use write::docker_documents;
