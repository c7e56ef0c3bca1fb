//! The interface at the bottom of an operation: bytes counted, a stop requested.

/// An observer of a loop over bytes, which may end it.
pub(crate) trait Progress: Sync {
    /// This many further bytes of the input were read.
    fn advance(&self, bytes: u64);

    /// True if the caller wants the operation to stop.
    fn is_interrupted(&self) -> bool;
}

/// Nobody observes the loop: another one that reads its output is observed.
impl Progress for () {
    fn advance(&self, _bytes: u64) {}

    fn is_interrupted(&self) -> bool {
        false
    }
}
