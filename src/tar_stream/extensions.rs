//! The extended headers that may stand before a member's own.

use crate::limits::{EXTENSION_MAX, EXTENSIONS_MAX};
use crate::tar_stream::header::{BLOCK, TarError, until_nul};
use crate::tar_stream::pax::PaxRecords;

/// What stood before a member's own header.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Records of the last PAX header.
    pub pax: PaxRecords,
    /// A GNU long name.
    pub path: Option<Vec<u8>>,
    /// A GNU long link.
    pub link: Option<Vec<u8>>,
    /// How many bytes they took so far.
    total: u64,
}

impl Extensions {
    /// Counts one more, which begins at `offset`, before its data is read.
    pub(super) fn admit(&mut self, size: u64, offset: u64) -> Result<(), TarError> {
        if size > EXTENSION_MAX {
            return Err(TarError::ExtensionTooLarge {
                offset,
                size,
                limit: EXTENSION_MAX,
            });
        }
        self.total += BLOCK + size;
        if self.total > EXTENSIONS_MAX {
            return Err(TarError::ExtensionsTooLarge {
                offset,
                limit: EXTENSIONS_MAX,
            });
        }
        Ok(())
    }

    /// Takes in the one with the type flag `flag`.
    pub(super) fn add(&mut self, flag: u8, data: &[u8], offset: u64) -> Result<(), TarError> {
        match flag {
            b'x' => self.pax = PaxRecords::parse(data, offset)?,
            b'L' => self.path = Some(until_nul(data).to_vec()),
            b'K' => self.link = Some(until_nul(data).to_vec()),
            // Attributes for all that follows: no engine heeds them. But it is a member
            // of its own, and takes what stands before it; and it is looked at.
            _ => {
                PaxRecords::parse(data, offset)?.check_values(offset)?;
                *self = Self {
                    total: self.total,
                    ..Self::default()
                };
            }
        }
        Ok(())
    }
}

/// Whether a type flag is that of an extended header.
pub(super) fn is_extension(flag: u8) -> bool {
    matches!(flag, b'x' | b'g' | b'L' | b'K')
}
