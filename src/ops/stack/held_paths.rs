//! A bound on the memory for the paths in a report.

use crate::error::{Error, LimitError, Result};
use crate::limits::RETAINED_BYTES_MAX;

/// The size of the paths that a report holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ops) struct HeldPaths {
    /// In bytes.
    size: u64,
    /// True if there were more than fit.
    is_full: bool,
}

impl HeldPaths {
    /// Adds a path of this length; false if it must not be held, and neither any later one.
    pub(in crate::ops) fn hold(&mut self, length: usize) -> bool {
        if !self.is_full {
            self.size = self.size.saturating_add(length as u64);
            self.is_full = self.size > RETAINED_BYTES_MAX;
        }
        !self.is_full
    }

    /// Takes back a path of this length that was held.
    pub(in crate::ops) fn release(&mut self, length: usize) {
        self.size = self.size.saturating_sub(length as u64);
    }

    /// Checks that all paths were held; `what` names the files with these paths.
    ///
    /// # Errors
    ///
    /// Fails if one was not.
    pub(in crate::ops) fn check(self, what: &'static str) -> Result<()> {
        if !self.is_full {
            return Ok(());
        }
        Err(Error::Limit(LimitError::PathsTooLong {
            what,
            limit: RETAINED_BYTES_MAX,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_too_many_is_an_error_whatever_is_released_later() {
        let mut held = HeldPaths::default();
        let limit = usize::try_from(RETAINED_BYTES_MAX).unwrap();
        assert!(held.hold(limit - 3));
        assert!(held.hold(3));
        held.release(3);
        assert!(held.hold(3));
        held.check("what differs").unwrap();
        assert!(!held.hold(1));
        held.release(limit - 3);
        assert!(!held.hold(1));
        assert_eq!(
            held.check("what differs").unwrap_err().to_string(),
            "the paths of what differs exceed the limit of 536870912 bytes"
        );
    }
}
