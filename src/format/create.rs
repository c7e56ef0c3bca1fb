//! Creation of an output of images.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result};
use crate::format::Format;
use crate::format::archive_sink::ArchiveSink;
use crate::format::oci_layout::LayoutSink;
use crate::format::output::{Output, OutputTo};
use crate::format::sink::ImageSink;
use crate::stream::Encoding;

/// Begins an output of images.
///
/// # Errors
///
/// Fails if the output exists and may not be replaced, before any work is done.
pub(crate) fn create(
    output: Output,
    jobs: NonZeroUsize,
    interrupt: &Arc<AtomicBool>,
    temporary_directory: &Path,
) -> Result<Box<dyn ImageSink>> {
    match (output.format, &output.to, output.encoding) {
        (Format::OciDirectory, OutputTo::Path { path, .. }, Encoding::Plain) => {
            Ok(Box::new(LayoutSink::create(path)?))
        }
        (Format::DockerArchive | Format::OciArchive, ..) => {
            let sink = ArchiveSink::create(output, jobs, interrupt, temporary_directory)?;
            Ok(Box::new(sink))
        }
        (Format::OciDirectory | Format::Rootfs, ..) => {
            Err(Error::NotWritable(output.format.transport()))
        }
    }
}
