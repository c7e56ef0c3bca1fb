//! The two wires at the bottom of an operation: bytes counted, a stop asked for.

/// Someone who watches a loop over bytes, and may end it.
pub(crate) trait Progress: Sync {
    /// This many further bytes of the input were read.
    fn advance(&self, bytes: u64);

    /// Whether the caller wants the operation to end.
    fn is_interrupted(&self) -> bool;
}
