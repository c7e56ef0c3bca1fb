//! Events that a running operation sends to its caller, and the flag that stops it.
//!
//! The library sends events, not text, and prints nothing. The binary decides what a
//! terminal shows of them.

mod warning;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::Progress;

pub use warning::Warning;
pub(crate) use warning::after_tar;

/// Something that happened during an operation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The amount of work is known. Sent at most once, and not before a pipe has ended.
    Started {
        /// The number of bytes that the operation will read in total, from here on.
        bytes: u64,
        /// The number of images, each platform counted separately. `None` where the
        /// sizes of layers are computed, which images may share.
        images: Option<usize>,
        /// The number of steps on a layer or another blob ([`Step::blob`]). There may
        /// be fewer, since blobs that the output already has are skipped. `None` for a
        /// squash, whose plan, made on the way, determines which layers are read twice.
        steps: Option<usize>,
    },
    /// The operation has started this step.
    Step(Step<'a>),
    /// This many further bytes of the input were read.
    Advanced(u64),
    /// Something was left out or changed, or may surprise.
    Warning(Warning),
}

/// The current activity, for a progress display.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// The input is being read into a temporary file, or a layout.
    Receiving,
    /// The members of the input are being looked up.
    Indexing,
    /// A blob is being copied and, if `is_recompressed`, recompressed.
    Copying {
        /// The blob's name in the input.
        blob: &'a str,
        /// True if its compression changes.
        is_recompressed: bool,
    },
    /// The headers of this layer are being read.
    Reading(&'a str),
    /// Layers are being merged; this one is being read.
    Merging(&'a str),
    /// The blob with this name in the input is being read and compared with its
    /// description.
    Verifying(&'a str),
    /// Everything is written and is being made visible.
    Committing,
}

impl<'a> Step<'a> {
    /// The layer or other blob of this step, if any.
    #[must_use]
    pub fn blob(&self) -> Option<&'a str> {
        match self {
            Self::Copying { blob, .. } | Self::Verifying(blob) => Some(blob),
            Self::Reading(layer) | Self::Merging(layer) => Some(layer),
            Self::Receiving | Self::Indexing | Self::Committing => None,
        }
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receiving => f.write_str("receiving"),
            Self::Indexing => f.write_str("indexing"),
            Self::Copying {
                blob,
                is_recompressed: false,
            } => write!(f, "copying {blob}"),
            Self::Copying {
                blob,
                is_recompressed: true,
            } => write!(f, "compressing {blob}"),
            Self::Reading(layer) => write!(f, "reading {layer}"),
            Self::Merging(layer) => write!(f, "merging {layer}"),
            Self::Verifying(blob) => write!(f, "verifying {blob}"),
            Self::Committing => f.write_str("committing"),
        }
    }
}

/// The receiver of events. Several threads may call it at once.
pub(crate) type Observer<'a> = dyn Fn(Event<'_>) + Sync + 'a;

/// The connection between an operation and its caller: events out, a stop in.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    observer: &'a Observer<'a>,
    interrupt: &'a Arc<AtomicBool>,
}

impl<'a> Watch<'a> {
    /// Connects an operation to its caller, who sets `interrupt` to stop it.
    pub(crate) fn new(observer: &'a Observer<'a>, interrupt: &'a Arc<AtomicBool>) -> Self {
        Self {
            observer,
            interrupt,
        }
    }

    pub(crate) fn send(&self, event: Event<'_>) {
        (self.observer)(event);
    }

    /// Sends a warning to the caller.
    pub(crate) fn warn(&self, warning: Warning) {
        self.send(Event::Warning(warning));
    }

    /// The same connection, without events.
    pub(crate) fn silent(&self) -> Self {
        Self {
            observer: &|_| (),
            interrupt: self.interrupt,
        }
    }

    /// The flag of the caller, for threads that outlive the operation.
    pub(crate) fn interrupt(&self) -> &Arc<AtomicBool> {
        self.interrupt
    }

    /// True if the caller wants the operation to stop.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

impl Progress for Watch<'_> {
    fn advance(&self, bytes: u64) {
        self.send(Event::Advanced(bytes));
    }

    fn is_interrupted(&self) -> bool {
        Watch::is_interrupted(self)
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("interrupted", &self.is_interrupted())
            .finish_non_exhaustive()
    }
}
