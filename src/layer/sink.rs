//! The receiver of the entries of a merged tree: a layer, or a folder.

use std::io::{self, Write};

use crate::layer::entry::{Metadata, NodeKind};

/// Receives entries in their order: a directory before its content, a node before its
/// other names. Paths are clean and relative to the root, which is the empty path.
pub(crate) trait EntrySink {
    /// Receives a directory.
    fn directory(&mut self, path: &[u8], metadata: &Metadata) -> io::Result<()>;

    /// Receives a node. The content of a file must follow: it is written to
    /// [`content`](Self::content), and ended with
    /// [`end_of_content`](Self::end_of_content).
    fn node(&mut self, path: &[u8], kind: &NodeKind, metadata: &Metadata) -> io::Result<()>;

    /// Receives another name of a node, with the metadata of that node.
    fn hard_link(&mut self, path: &[u8], target: &[u8], metadata: &Metadata) -> io::Result<()>;

    /// Receives a whiteout of `name` in a directory, or of all names if that is `None`.
    fn whiteout(&mut self, directory: &[u8], name: Option<&[u8]>) -> io::Result<()>;

    /// The writer of the content of the current file.
    fn content(&mut self) -> &mut dyn Write;

    /// Ends the content of the current file, which has this many bytes.
    fn end_of_content(&mut self, size: u64) -> io::Result<()>;
}
