//! The only copy loop: buffers in, bytes out, and the check for a stop.

use std::io::{self, BufRead, Read, Write};

use crate::progress::Progress;

/// The size of every copy buffer: large enough that system calls and thread switches
/// cost little compared with the work, and small enough to stay in the processor's
/// cache while it is hashed.
pub(crate) const COPY_BUFFER: usize = 256 * 1024;

/// The reason why a copy ended early.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The input failed.
    Read(io::Error),
    /// The output failed.
    Write(io::Error),
    /// The caller stopped the operation.
    Interrupted,
}

/// Copies to the end of the input, and returns the number of bytes.
pub(crate) fn copy(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<u64, CopyError> {
    let mut total = 0;
    loop {
        if progress.is_interrupted() {
            return Err(CopyError::Interrupted);
        }
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        let length = buffer.len();
        if length == 0 {
            return Ok(total);
        }
        output.write_all(buffer).map_err(CopyError::Write)?;
        input.consume(length);
        total += length as u64;
    }
}

/// A reader that counts the bytes read, and fails once the caller stops the operation.
#[derive(Debug)]
pub(crate) struct ProgressReader<R, P> {
    input: R,
    progress: P,
}

impl<R: Read, P: Progress> ProgressReader<R, P> {
    /// Wraps a reader.
    pub(crate) fn new(input: R, progress: P) -> Self {
        Self { input, progress }
    }
}

impl<R: Read, P: Progress> Read for ProgressReader<R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.progress.is_interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        let length = self.input.read(buffer)?;
        self.progress.advance(length as u64);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// Counts, and stops on request.
    #[derive(Default)]
    struct Counter {
        advanced: AtomicU64,
        is_stopped: AtomicBool,
    }

    impl Progress for &Counter {
        fn advance(&self, bytes: u64) {
            self.advanced.fetch_add(bytes, Ordering::Relaxed);
        }

        fn is_interrupted(&self) -> bool {
            self.is_stopped.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_copy_stops_when_told_and_a_reader_counts() {
        let counter = &Counter::default();
        let mut output = Vec::new();
        let mut input = io::BufReader::new(ProgressReader::new(&b"abcdef"[..], counter));
        assert_eq!(copy(&mut input, &mut output, &counter).unwrap(), 6);
        assert_eq!(output, b"abcdef");
        assert_eq!(counter.advanced.load(Ordering::Relaxed), 6);

        counter.is_stopped.store(true, Ordering::Relaxed);
        let result = copy(&mut &b"abcdef"[..], &mut output, &counter);
        assert!(matches!(result, Err(CopyError::Interrupted)));
    }
}
