//! The extended headers that may precede a member's own.

use crate::limits::{EXTENSION_MAX, EXTENSIONS_MAX};
use crate::tar_stream::header::{BLOCK, TarError, until_nul};
use crate::tar_stream::pax::PaxRecords;

/// The extended headers before a member's own.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Records of the last PAX header.
    pub pax: PaxRecords,
    /// A GNU long name.
    pub path: Option<Vec<u8>>,
    /// A GNU long link.
    pub link: Option<Vec<u8>>,
    /// Total size of them so far, in bytes.
    total: u64,
}

impl Extensions {
    /// Counts another one, which begins at `offset`, before its data is read.
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

    /// Adds the one with the type flag `flag`.
    pub(super) fn add(&mut self, flag: u8, data: &[u8], offset: u64) -> Result<(), TarError> {
        match flag {
            b'x' => self.pax = PaxRecords::parse(data, offset)?,
            b'L' => self.path = Some(until_nul(data).to_vec()),
            b'K' => self.link = Some(until_nul(data).to_vec()),
            // Attributes for everything that follows: engines ignore them. But it is a
            // member of its own, uses up the extended headers before it, and is
            // checked.
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

/// Returns true if a type flag is that of an extended header.
pub(super) fn is_extension(flag: u8) -> bool {
    matches!(flag, b'x' | b'g' | b'L' | b'K')
}
