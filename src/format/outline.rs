//! The outline of a tar that passes by once: its members, and the documents that tell
//! what it is.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read};

use crate::error::{Error, Result};
use crate::format::container::{CONTROL_FILES, Container, Member, MemberIndex};
use crate::format::detect::{Kind, kind_of_tar};
use crate::format::misplaced::{is_image_stream, refuse_misplaced};
use crate::limits::DOCUMENT_MAX;
use crate::stream::Compression;
use crate::tar_stream::{self, Skippable, TarError, TarSummary, check_tar};

/// All that is kept of documents.
const KEPT_MAX: u64 = DOCUMENT_MAX;

/// The members of a tar, without their content but for the documents of images.
///
/// Memory is one record for each of the most members that an archive may have.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    index: MemberIndex,
    /// By position.
    documents: HashMap<u64, Vec<u8>>,
    /// How many bytes these have.
    kept: u64,
    /// The members that are archives of images, as long as there is nothing else.
    archives: HashSet<u64>,
    has_others: bool,
}

impl Outline {
    /// Reads a tar to its end, and returns what it is as a whole, too.
    ///
    /// # Errors
    ///
    /// Fails if it is damaged.
    pub(crate) fn read(stream: &mut dyn BufRead) -> Result<(Self, TarSummary), TarError> {
        let mut outline = Self::default();
        let summary = check_tar(Skippable(stream), |reader, member| {
            outline.take_in(reader, member)
        })?;
        Ok((outline, summary))
    }

    fn take_in(
        &mut self,
        reader: &mut dyn Read,
        member: &tar_stream::Member,
    ) -> Result<(), TarError> {
        // No document names a path that no archive may have.
        let has_room = self.index.add(member, member.position).unwrap_or(true);
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

    /// Refuses what is no root filesystem but an archive of images, or a tar of such.
    ///
    /// # Errors
    ///
    /// Fails if it is so.
    pub(crate) fn refuse_images(&self) -> Result<()> {
        match kind_of_tar(self)? {
            Kind::Docker => Err(Error::ImageGiven {
                kind: "a docker archive",
            }),
            Kind::Oci => Err(Error::ImageGiven {
                kind: "an OCI archive",
            }),
            Kind::Rootfs => refuse_misplaced(self, &mut |member| {
                Ok(!self.has_others && self.archives.contains(&member.position))
            }),
        }
    }
}

impl Container for Outline {
    fn find(&self, path: &str) -> Result<Option<Member>> {
        self.index.find(path)
    }

    fn open(&self, member: &Member) -> Result<Box<dyn Read + Send + '_>> {
        let bytes = self.documents.get(&member.position);
        Ok(Box::new(bytes.map_or(&[][..], Vec::as_slice)))
    }

    fn compression(&self, _: &Member) -> Result<Compression> {
        Ok(Compression::None)
    }

    fn paths(&self) -> Vec<&str> {
        self.index.paths()
    }
}
