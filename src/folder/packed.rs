//! A folder, or anything else that becomes a layer, as a stream: the bytes of the layer,
//! packed while they are read.

use std::io::{self, Read, Write};
use std::mem;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crate::folder::pack::{PackOptions, Sockets, pack, pack_file};
use crate::layer::{Landing, LayerWriter};
use crate::stream::COPY_BUFFER;

/// The number of buffers between the two threads.
const BUFFERS: usize = 4;

/// The bytes of a layer that a thread packs; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct PackedLayer {
    buffers: Option<Receiver<Vec<u8>>>,
    current: io::Cursor<Vec<u8>>,
    packing: Option<JoinHandle<io::Result<Sockets>>>,
    sockets: Arc<OnceLock<Sockets>>,
}

impl PackedLayer {
    /// Starts to pack a folder: its content lands there, or else it is the root of an
    /// image.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be started.
    pub(crate) fn of_folder(
        folder: PathBuf,
        options: PackOptions,
        landing: Option<Landing>,
    ) -> io::Result<Self> {
        Self::of(move |writer| pack(&folder, options, landing.as_ref(), writer))
    }

    /// Starts to pack one file, which lands under this name.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be started.
    pub(crate) fn of_file(
        file: PathBuf,
        name: Vec<u8>,
        options: PackOptions,
        landing: Landing,
    ) -> io::Result<Self> {
        Self::of(move |writer| {
            pack_file(&file, &name, options, &landing, writer)?;
            Ok(Sockets::default())
        })
    }

    /// Starts to pack what a function writes, which returns the sockets that it leaves
    /// out.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be started.
    pub(crate) fn of(
        write: impl FnOnce(&mut LayerWriter<PackedBytes>) -> io::Result<Sockets> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, buffers) = sync_channel(BUFFERS);
        let packing = thread::Builder::new()
            .name("pack".to_owned())
            .spawn(move || {
                let output = PackedBytes {
                    sender,
                    current: Vec::new(),
                };
                let mut writer = LayerWriter::new(output);
                let sockets = write(&mut writer)?;
                writer.finish()?.flush()?;
                Ok(sockets)
            })?;
        Ok(Self {
            buffers: Some(buffers),
            current: io::Cursor::default(),
            packing: Some(packing),
            sockets: Arc::default(),
        })
    }

    /// The sockets that are left out, known after all was read.
    pub(crate) fn sockets(&self) -> Arc<OnceLock<Sockets>> {
        Arc::clone(&self.sockets)
    }

    /// Waits for the end of the packing thread.
    fn end(&mut self) -> io::Result<()> {
        // A thread that still packs cannot send any more.
        self.buffers = None;
        let Some(packing) = self.packing.take() else {
            return Ok(());
        };
        let packed = packing.join();
        let sockets = packed.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
        // It is set once, since there is one thread.
        let _ = self.sockets.set(sockets);
        Ok(())
    }
}

impl Read for PackedLayer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.current.read(buffer)? {
                0 if !buffer.is_empty() => {}
                length => return Ok(length),
            }
            match self.buffers.as_ref().map(Receiver::recv) {
                Some(Ok(next)) => self.current = io::Cursor::new(next),
                Some(Err(_)) | None => return self.end().map(|()| 0),
            }
        }
    }
}

impl Drop for PackedLayer {
    fn drop(&mut self) {
        // Its error, if any, no longer matters.
        let _ = self.end();
    }
}

/// Collects bytes, and sends them to the reader.
#[derive(Debug)]
pub(crate) struct PackedBytes {
    sender: SyncSender<Vec<u8>>,
    current: Vec<u8>,
}

impl Write for PackedBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.current.capacity() == 0 {
            self.current.reserve_exact(COPY_BUFFER);
        }
        let length = bytes.len().min(COPY_BUFFER - self.current.len());
        self.current.extend_from_slice(&bytes[..length]);
        if self.current.len() == COPY_BUFFER {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        let full = mem::take(&mut self.current);
        let sent = self.sender.send(full);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
