//! Digests for people.

use restow::Digest;

/// The number of digits that Docker shows of a digest.
const SHORT: usize = 12;

/// The start of a digest, as engines show it.
pub(super) fn short(digest: &Digest) -> String {
    digest.hex().chars().take(SHORT).collect()
}
