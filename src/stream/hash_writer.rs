//! Output that is hashed while it is written.

use std::io::{self, Write};
use std::sync::Arc;

use crate::digest::Algorithm;
use crate::stream::Hashed;
use crate::stream::hash::{Buffer, BufferPool, HashThread};

/// A writer that hashes its bytes on a thread of its own.
///
/// Bytes are collected in buffers of [`COPY_BUFFER`](crate::stream::COPY_BUFFER), each
/// of which is written and hashed as one, so that small writes cost little.
#[derive(Debug)]
#[must_use = "the last bytes are only written, and the digest only known, at `finish`"]
pub(crate) struct HashWriter<W> {
    output: W,
    tap: HashThread,
    current: Buffer,
    used: BufferPool,
}

impl<W: Write> HashWriter<W> {
    /// Wraps a writer; the digest is sha256.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be started.
    pub(crate) fn new(output: W) -> io::Result<Self> {
        let mut used = BufferPool::default();
        Ok(Self {
            output,
            tap: HashThread::hash(Algorithm::Sha256)?,
            current: used.free_buffer(),
            used,
        })
    }

    /// Writes the rest, and returns the writer and the hash.
    pub(crate) fn finish(mut self) -> io::Result<(W, Hashed)> {
        self.write_current()?;
        Ok((self.output, self.tap.finish()?))
    }

    fn write_current(&mut self) -> io::Result<()> {
        self.output.write_all(self.current.filled())?;
        let next = self.used.free_buffer();
        let chunk = Arc::new(std::mem::replace(&mut self.current, next));
        self.tap.show(&chunk);
        self.used.put(chunk);
        Ok(())
    }
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.current.append(buffer);
        if self.current.is_full() {
            self.write_current()?;
        }
        Ok(length)
    }

    /// Does nothing: buffers are cut by size alone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::stream::COPY_BUFFER;

    #[test]
    fn what_was_written_is_hashed_to_the_last_byte() {
        for length in [0, 1, COPY_BUFFER - 1, COPY_BUFFER, 20 * COPY_BUFFER + 7] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut writer = HashWriter::new(Vec::new()).unwrap();
            for piece in bytes.chunks(100_003) {
                writer.write_all(piece).unwrap();
            }
            let (output, hashed) = writer.finish().unwrap();
            assert!(output == bytes);
            assert_eq!(hashed.digest, Digest::of(&bytes));
            assert_eq!(hashed.size, length as u64);
        }
    }

    #[test]
    fn a_full_disk_is_noticed_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = HashWriter::new(Full).unwrap();
        writer.write_all(b"some").unwrap();
        let error = writer.finish().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
