//! The one copy loop: buffers in, bytes out, and the stop.

use std::io::{self, BufRead, Read, Write};

use crate::event::{Event, Watch};

/// Why a copy ended early.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The input failed.
    Read(io::Error),
    /// The output failed.
    Write(io::Error),
    /// The caller wanted it to end.
    Interrupted,
}

/// Copies to the end of the input and returns how many bytes there were.
pub(crate) fn copy(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    watch: &Watch<'_>,
) -> Result<u64, CopyError> {
    let mut total = 0;
    loop {
        if watch.is_interrupted() {
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

/// A reader that reports what is read through it as [`Event::Advanced`], and that
/// fails once the caller wants the end.
#[derive(Debug)]
pub(crate) struct ProgressReader<'a, R> {
    input: R,
    watch: Watch<'a>,
}

impl<'a, R: Read> ProgressReader<'a, R> {
    /// Wraps a reader.
    pub(crate) fn new(input: R, watch: Watch<'a>) -> Self {
        Self { input, watch }
    }
}

impl<R: Read> Read for ProgressReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.is_interrupted() {
            return Err(io::Error::other("interrupted"));
        }
        let length = self.input.read(buffer)?;
        self.watch.send(Event::Advanced(length as u64));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_copy_stops_when_told_and_a_reader_counts() {
        let advanced = Mutex::new(0);
        let observer = |event: Event<'_>| {
            if let Event::Advanced(bytes) = event {
                *advanced.lock().unwrap() += bytes;
            }
        };
        let interrupt = AtomicBool::new(false);
        let watch = Watch::new(&observer, &interrupt);
        let mut output = Vec::new();
        let mut input = io::BufReader::new(ProgressReader::new(&b"abcdef"[..], watch));
        assert_eq!(copy(&mut input, &mut output, &watch).unwrap(), 6);
        assert_eq!(output, b"abcdef");
        assert_eq!(*advanced.lock().unwrap(), 6);

        interrupt.store(true, Ordering::Relaxed);
        let result = copy(&mut &b"abcdef"[..], &mut output, &watch);
        assert!(matches!(result, Err(CopyError::Interrupted)));
    }
}
