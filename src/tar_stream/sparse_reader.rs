//! The data of sparse files, including the holes.

use std::io::{self, Read};

use crate::tar_stream::header::TarError;
use crate::tar_stream::input::Skip;
use crate::tar_stream::reader::TarReader;
use crate::tar_stream::sparse::{Segment, SparseMap};

/// Reads a sparse file with its holes as zeros, and any other unchanged.
///
/// It starts at the current member's data, of which nothing may have been read before.
/// A hole costs no memory, but as many bytes as the map declares, so the caller must
/// limit their number.
#[derive(Debug)]
pub(crate) struct SparseReader<'a, R> {
    reader: &'a mut TarReader<R>,
    map: SparseMap,
    /// The number of segments that were read completely.
    done: usize,
    /// The position in the file.
    position: u64,
}

impl<'a, R: Skip> SparseReader<'a, R> {
    /// Starts to read the current member.
    ///
    /// # Errors
    ///
    /// Fails if the map of a sparse file is invalid.
    pub(crate) fn new(reader: &'a mut TarReader<R>) -> Result<Self, TarError> {
        let map = reader.sparse()?.cloned();
        let map = map.unwrap_or_else(|| {
            let size = reader.remaining();
            let all = Segment {
                offset: 0,
                length: size,
            };
            let segments = if size == 0 { Vec::new() } else { vec![all] };
            SparseMap { size, segments }
        });
        Ok(Self {
            reader,
            map,
            done: 0,
            position: 0,
        })
    }
}

impl<R: Skip> Read for SparseReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let segment = self.map.segments.get(self.done);
        let is_hole = segment.is_none_or(|segment| self.position < segment.offset);
        let end = match segment {
            Some(segment) if is_hole => segment.offset,
            Some(segment) => segment.offset + segment.length,
            None => self.map.size,
        };
        let limit = usize::try_from(end - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(limit);
        if length == 0 {
            return Ok(0);
        }
        let length = if is_hole {
            buffer[..length].fill(0);
            length
        } else {
            self.reader.read(&mut buffer[..length])?
        };
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += length as u64;
        if !is_hole && self.position == end {
            self.done += 1;
        }
        Ok(length)
    }
}
