//! A tar whose entries are moved below a directory of the image.

use std::io::{self, BufReader, Write};
use std::sync::Arc;

use crate::format::RootfsStream;
use crate::layer::{
    Ambiguity, Entry, EntryFault, EntryKind, EntrySink, Landing, LayerReader, LayerWriter,
    NodeKind, PathError, Whiteout, WhiteoutError,
};
use crate::stream::{COPY_BUFFER, CopyError};
use crate::tar_stream::{SkipByReading, TarSummary};

/// Writes the entries of a tar as those of a layer, with their paths, the targets of hard
/// links and the whiteouts below the directory. The root of the tar and the bookkeeping of
/// AUFS are left out. Returns the facts about the tar as a whole.
///
/// # Errors
///
/// Fails if an entry cannot be read, or leads out of the tar.
pub(super) fn write_moved<W: Write>(
    input: RootfsStream<'static>,
    landing: &Landing,
    writer: &mut LayerWriter<W>,
) -> io::Result<TarSummary> {
    let input = BufReader::with_capacity(COPY_BUFFER, input.stream);
    let mut reader = LayerReader::new(SkipByReading(input), Arc::default());
    landing.write(writer)?;
    while let Some(entry) = reader.next_entry().map_err(io::Error::other)? {
        let failed = |fault: EntryFault| io::Error::other(reader.failed(fault));
        if reader
            .interpreter()
            .ambiguities()
            .contains(&Ambiguity::AboveRoot)
        {
            return Err(failed(PathError::Escapes.into()));
        }
        if entry.path.is_root() {
            continue;
        }
        let Entry {
            path,
            kind,
            metadata,
        } = entry;
        let place = landing.at(path.as_bytes());
        match kind {
            EntryKind::Directory => writer.directory(&place, &metadata)?,
            EntryKind::HardLink(target) => {
                writer.hard_link(&place, &landing.at(target.as_bytes()), &metadata)?;
            }
            EntryKind::Node(kind) => {
                writer.node(&place, &kind, &metadata)?;
                if let NodeKind::File(size) = kind {
                    let copied = reader.copy_content(writer.content(), &());
                    copied.map_err(|error| match error {
                        CopyError::Read(error) | CopyError::Write(error) => error,
                        CopyError::Interrupted => io::ErrorKind::Interrupted.into(),
                    })?;
                    writer.end_of_content(size)?;
                }
            }
            EntryKind::Whiteout(whiteout) => {
                let (parent, name) = path.split_last();
                let parent = landing.at(parent);
                match &whiteout {
                    Whiteout::Name(name) => writer.whiteout(&parent, Some(name))?,
                    Whiteout::Device => writer.whiteout(&parent, Some(name))?,
                    Whiteout::Opaque => writer.whiteout(&parent, None)?,
                    Whiteout::Invalid => return Err(failed(WhiteoutError.into())),
                    Whiteout::AufsDirectory | Whiteout::AufsFile(_) => {}
                }
            }
        }
    }
    let (is_cut_off, trailing) = reader.end().map_err(io::Error::other)?;
    Ok(TarSummary {
        newest_mtime: writer.newest(),
        is_empty: reader.interpreter().position() == 0,
        is_cut_off,
        trailing,
    })
}
