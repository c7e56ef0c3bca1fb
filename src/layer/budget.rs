//! Shared limits of all layers of an image.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{ENTRIES_MAX, HOLES_MAX, RETAINED_BYTES_MAX};

/// The claims of the layers of one image so far. Several layers may be read in
/// parallel.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    entries: AtomicU64,
    held: AtomicU64,
    holes: AtomicU64,
}

impl Budget {
    /// Claims a record for an entry or a directory; false if none is left.
    pub(crate) fn claim_entry(&self) -> bool {
        claim(&self.entries, 1, ENTRIES_MAX)
    }

    /// Claims memory; false if not enough is left.
    pub(crate) fn claim_bytes(&self, bytes: usize) -> bool {
        claim(&self.held, bytes as u64, RETAINED_BYTES_MAX)
    }

    /// Claims holes, in bytes; false if not enough is left.
    pub(crate) fn claim_holes(&self, bytes: u64) -> bool {
        claim(&self.holes, bytes, HOLES_MAX)
    }
}

fn claim(claimed: &AtomicU64, amount: u64, limit: u64) -> bool {
    let add = |claimed: u64| claimed.checked_add(amount).filter(|sum| *sum <= limit);
    let updated = claimed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    updated.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_gone_and_what_is_too_much_is_not_claimed() {
        let budget = Budget::default();
        assert!(budget.claim_holes(HOLES_MAX - 1));
        assert!(!budget.claim_holes(2));
        assert!(!budget.claim_holes(u64::MAX));
        assert!(budget.claim_holes(1));
        assert!(!budget.claim_holes(1));
        assert!(budget.claim_entry() && budget.claim_bytes(1));
    }
}
