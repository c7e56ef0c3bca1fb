//! The outline of a tar in a stream: its members, and the documents that determine its
//! kind.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use crate::error::{Error, InputKind, Result};
use crate::format::container::{Blob, Bytes, Container, Member, MemberIndex};
use crate::format::control_files::{CONTROL_FILES, INDEX, MANIFEST, MARKER, REPOSITORIES};
use crate::format::detect::{Kind, kind_of_tar};
use crate::format::misplaced::{is_image_stream, refuse_misplaced};
use crate::limits::{DOCUMENT_MAX, MEMBER_PATH_MAX, MEMBERS_MAX};
use crate::tar_stream::{self, TarError};

/// Maximum total size of the kept documents, in bytes.
const KEPT_MAX: u64 = DOCUMENT_MAX;

/// Names that are typical of an archive of images, and rare in a root filesystem.
const TELLING: [&[u8]; 5] = [
    INDEX.as_bytes(),
    b"layer.tar",
    MANIFEST.as_bytes(),
    MARKER.as_bytes(),
    REPOSITORIES.as_bytes(),
];

/// The minimum length of a name that is a digest.
const DIGEST_LENGTH: usize = 64;

/// The members of a tar that the caller reads, without their content, except for the
/// documents of images.
///
/// Memory is one record for each member, up to the limit for an archive.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    index: MemberIndex,
    /// Members that are not indexed yet, since none of them was characteristic.
    waiting: Vec<Waiting>,
    /// The paths and link targets of the waiting members.
    names: Vec<u8>,
    is_telling: bool,
    /// The kept documents, by position.
    documents: HashMap<u64, Vec<u8>>,
    /// Total size of the kept documents, in bytes.
    kept: u64,
    /// The members that are archives of images, unless there is anything else.
    archives: HashSet<u64>,
    has_others: bool,
}

/// A waiting member, without its names.
#[derive(Debug)]
struct Waiting {
    path_length: usize,
    link_length: usize,
    kind: tar_stream::Kind,
    size: u64,
    position: u64,
}

impl Outline {
    /// Adds the current member of a reader.
    ///
    /// # Errors
    ///
    /// Fails if the member cannot be read.
    pub(crate) fn take_in(
        &mut self,
        reader: &mut dyn Read,
        member: &tar_stream::Member,
    ) -> Result<(), TarError> {
        let has_room = self.note(member);
        match member.kind {
            tar_stream::Kind::File if has_room => {
                let name = member.path.rsplit(|byte| *byte == b'/').next();
                let is_document = CONTROL_FILES.iter().any(|it| name == Some(it.as_bytes()));
                if is_document && self.kept + member.size <= KEPT_MAX {
                    self.kept += member.size;
                    let mut bytes = Vec::new();
                    reader.read_to_end(&mut bytes)?;
                    self.documents.insert(member.position, bytes);
                    self.has_others = true;
                } else if !self.has_others {
                    if is_image_stream(reader) {
                        self.archives.insert(member.position);
                    } else {
                        self.has_others = true;
                    }
                }
            }
            tar_stream::Kind::Directory => {}
            _ => self.has_others = true,
        }
        Ok(())
    }

    /// Keeps the names of a member; false if there is no room for more.
    fn note(&mut self, member: &tar_stream::Member) -> bool {
        if !self.is_telling && is_telling(member) {
            self.is_telling = true;
            self.index_waiting();
        }
        if self.is_telling {
            // No document names a path that is invalid in an archive.
            return self.index.add(member, member.position).unwrap_or(true);
        }
        if self.waiting.len() < MEMBERS_MAX {
            self.names.extend_from_slice(&member.path);
            self.names.extend_from_slice(&member.link);
            self.waiting.push(Waiting {
                path_length: member.path.len(),
                link_length: member.link.len(),
                kind: member.kind,
                size: member.size,
                position: member.position,
            });
        }
        self.waiting.len() < MEMBERS_MAX
    }

    /// Adds the waiting members to the index.
    fn index_waiting(&mut self) {
        let mut names = self.names.drain(..);
        for waiting in self.waiting.drain(..) {
            let member = tar_stream::Member {
                path: names.by_ref().take(waiting.path_length).collect(),
                kind: waiting.kind,
                link: names.by_ref().take(waiting.link_length).collect(),
                size: waiting.size,
                position: waiting.position,
                mtime: 0,
            };
            let _ = self.index.add(&member, member.position);
        }
    }

    /// Refuses a tar that is an archive of images, or consists of such archives.
    ///
    /// # Errors
    ///
    /// Fails if the tar is refused.
    pub(crate) fn refuse_images(mut self) -> Result<()> {
        if !self.is_telling && self.has_others {
            return Ok(());
        }
        self.index_waiting();
        match kind_of_tar(&self)? {
            Kind::Docker => Err(Error::ImageGiven(InputKind::DockerArchive)),
            Kind::Oci => Err(Error::ImageGiven(InputKind::OciArchive)),
            Kind::Rootfs => refuse_misplaced(&self, &mut |member| {
                Ok(!self.has_others && self.archives.contains(&member.position))
            }),
        }
    }
}

/// Returns true if a member may be part of an archive of images, at any depth, or has
/// names that are too long to wait.
fn is_telling(member: &tar_stream::Member) -> bool {
    let is_telling = |name: &[u8]| name.len() >= DIGEST_LENGTH || TELLING.contains(&name);
    let length = member.path.len().max(member.link.len());
    length > MEMBER_PATH_MAX || member.path.split(|byte| *byte == b'/').any(is_telling)
}

impl Container for Outline {
    fn index(&self) -> Option<&MemberIndex> {
        Some(&self.index)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        let bytes = self.documents.get(&member.position);
        Blob::new(member, Bytes::Memory(bytes.map_or(&[][..], Vec::as_slice)))
    }
}
