//! A plain tar of a root filesystem: read as an image of one layer, or written.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::digest::DiffId;
use crate::error::{Error, Place, Result};
use crate::event::{Event, Step, Warning, Watch};
use crate::format::Format;
use crate::format::container::ScannedTar;
use crate::format::destination::Destination;
use crate::format::output::Output;
use crate::format::source::{Image, Layer, LayerBytes, LayerPosition};
use crate::image::{ImportedConfig, Platform, Timestamp, rfc3339};
use crate::stream::{Compression, Encoding, Leftover};
use crate::tar_stream::{BLOCK, TarSummary, Trailing};

/// Makes the image of a root filesystem: one layer, whose bytes are the (unpacked) tar,
/// and a config with nothing to run.
pub(super) fn rootfs_image(
    tar: &ScannedTar,
    platform: Option<&Platform>,
    created: Option<Timestamp>,
) -> Result<Image> {
    let diff_id = DiffId(tar.unpacked.digest.clone());
    let created = created.map(|created| created.to_string());
    let imported = ImportedConfig {
        diff_id: &diff_id,
        platform,
        created: created.as_deref(),
        newest: &rfc3339(tar.summary.newest_mtime),
        comment: None,
    };
    let config = imported.config(None);
    let config = config.map_err(|source| Error::document("the config of `rootfs`", source))?;
    let layer = Layer {
        diff_id,
        bytes: LayerBytes::Input {
            blob: tar.file.member(),
            descriptor: None,
        },
        compression: Compression::None,
        position: LayerPosition::new(0, 1),
        keeps_compression: false,
    };
    Ok(Image {
        manifest: None,
        config,
        layers: vec![layer],
        annotations: Vec::new(),
        others: Vec::new(),
    })
}

/// Warns of irregularities in the tar of a root filesystem.
pub(crate) fn warn_of_tar(summary: &TarSummary, leftover: &Leftover, watch: &Watch<'_>) {
    if summary.is_empty {
        watch.warn(Warning::RootfsEmpty);
    }
    warn_of_end(summary, leftover, watch);
}

/// Warns of irregularities at the end of a tar.
pub(crate) fn warn_of_end(summary: &TarSummary, leftover: &Leftover, watch: &Watch<'_>) {
    if summary.is_cut_off && !summary.is_empty {
        watch.warn(Warning::RootfsEndMissing);
    }
    warn_of_trailing(summary.trailing, watch);
    warn_of_leftover(leftover, watch);
}

/// Warns of data after the end of a tar.
pub(super) fn warn_of_trailing(trailing: Option<Trailing>, watch: &Watch<'_>) {
    if let Some(Trailing { size, is_tar, .. }) = trailing {
        watch.warn(Warning::AfterTar { size, is_tar });
    }
}

/// Warns of data after the end of the compressed stream of a tar.
pub(super) fn warn_of_leftover(leftover: &Leftover, watch: &Watch<'_>) {
    if leftover.is_junk() {
        let size = leftover.size();
        watch.warn(Warning::AfterCompression(size));
    }
}

/// Writes the bytes of a root filesystem. They appear when they are complete, except
/// for those already written to standard output.
#[must_use = "the output only appears at `finish`"]
pub(crate) struct RootfsSink {
    place: Place,
    destination: Destination,
    /// The compression of its bytes, which the writer must apply.
    pub(crate) encoding: Encoding,
    size: u64,
}

impl RootfsSink {
    /// Begins an output.
    ///
    /// # Errors
    ///
    /// Fails if the output is one of images, or exists and may not be replaced, before
    /// any work is done.
    pub(crate) fn create(mut output: Output) -> Result<Self> {
        if output.format != Format::Rootfs {
            return Err(Error::NotWritable(output.format.transport()));
        }
        // The writer of the tree compresses it, so that the stored bytes are counted.
        let encoding = std::mem::replace(&mut output.encoding, Encoding::Plain);
        let (place, destination) = Destination::open(output, NonZeroUsize::MIN, &Arc::default())?;
        Ok(Self {
            place,
            destination,
            encoding,
            size: 0,
        })
    }

    /// Its name in messages.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Spoils an unfinished tar on a stream, so that its readers fail, too. A tar that ends
    /// between two entries is complete to many of them, such as Docker and tar(1).
    pub(crate) fn spoil(&mut self) {
        let is_plain_stream =
            matches!(self.destination, Destination::Stream(_)) && self.encoding == Encoding::Plain;
        if !is_plain_stream || self.size == 0 {
            return;
        }
        // Wherever the next header is expected: it has a wrong checksum, or half a block, or
        // it is beyond the end.
        let half = (BLOCK + BLOCK / 2 - self.size % BLOCK) % BLOCK;
        let junk = vec![0xff; usize::try_from(2 * BLOCK + half).unwrap_or_default()];
        // The failure that is the reason is reported already.
        let _ = self.write_all(&junk).and_then(|()| self.flush());
    }

    /// Makes the output visible, and returns its size in bytes.
    pub(crate) fn finish(self, watch: &Watch<'_>) -> Result<u64> {
        watch.send(Event::Step(Step::Committing));
        self.destination.commit(&self.place)?;
        Ok(self.size)
    }
}

impl Write for RootfsSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.destination.write(buffer)?;
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.destination.flush()
    }
}
