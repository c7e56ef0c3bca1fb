//! An output of any format, begun.

use std::path::Path;

use crate::error::{Error, Result};
use crate::format::Format;
use crate::format::archive_sink::ArchiveSink;
use crate::format::oci_layout::LayoutSink;
use crate::format::sink::{ImageSink, Output};

/// Begins an output.
///
/// # Errors
///
/// Fails if the output is there and may not be replaced, before any work is done.
pub fn create(
    format: Format,
    output: Output,
    temporary_directory: &Path,
) -> Result<Box<dyn ImageSink>> {
    match (format, output) {
        (Format::OciDirectory, Output::Path { path, .. }) => {
            Ok(Box::new(LayoutSink::create(&path)?))
        }
        (Format::DockerArchive | Format::OciArchive, output) => Ok(Box::new(ArchiveSink::create(
            format,
            output,
            temporary_directory,
        )?)),
        (Format::OciDirectory, Output::Compressed { .. } | Output::Stream { .. })
        | (Format::Rootfs, _) => Err(Error::NotWritable {
            format: format.transport(),
        }),
    }
}
