//! The maps of sparse files in tars.

use std::io::{self, Read};

use crate::limits::SEGMENTS_MAX;
use crate::tar_stream::header::{TarError, number};
use crate::tar_stream::input::read_full;
use crate::tar_stream::pax::{PaxRecords, decimal};

/// The places of a sparse file's data within the file.
///
/// The segments ascend, are not empty, do not overlap and are within the size. Their
/// total length is that of the data in the tar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SparseMap {
    /// The size of the file including its holes.
    pub size: u64,
    /// The parts that are not holes.
    pub segments: Vec<Segment>,
}

/// A part of a sparse file with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its offset in the file.
    pub offset: u64,
    /// Its length, never 0.
    pub length: u64,
}

/// The reason why a map cannot be used.
///
/// It becomes an error only when the map is requested: an archive around an image may
/// contain such a file, and can be read nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MapFault {
    Wrong,
    TooLarge,
}

impl MapFault {
    /// The error for the file whose header begins at `offset`.
    pub(super) fn at(self, offset: u64) -> TarError {
        match self {
            Self::Wrong => TarError::SparseMap { offset },
            Self::TooLarge => TarError::SparseMapTooLarge {
                offset,
                limit: SEGMENTS_MAX as u64,
            },
        }
    }
}

/// A map under construction, segment by segment. It keeps its first fault.
#[derive(Debug)]
pub(super) struct MapBuilder {
    map: SparseMap,
    /// The end of the last segment.
    end: u64,
    /// Total length of all segments.
    total: u64,
    /// The number of segments, including empty ones.
    count: u64,
    fault: Option<MapFault>,
}

impl MapBuilder {
    fn new(size: Option<u64>) -> Self {
        // A number larger than `i64` is not a file size.
        let size = size.filter(|size| i64::try_from(*size).is_ok());
        Self {
            map: SparseMap {
                size: size.unwrap_or(0),
                segments: Vec::new(),
            },
            end: 0,
            total: 0,
            count: 0,
            fault: size.is_none().then_some(MapFault::Wrong),
        }
    }

    fn fail(&mut self, fault: MapFault) {
        self.fault.get_or_insert(fault);
    }

    fn push(&mut self, offset: Option<u64>, length: Option<u64>) {
        self.count += 1;
        let place = offset.zip(length).and_then(|(offset, length)| {
            let end = offset.checked_add(length)?;
            let fits = self.end <= offset && end <= self.map.size;
            fits.then_some((Segment { offset, length }, end))
        });
        let Some((segment, end)) = place else {
            return self.fail(MapFault::Wrong);
        };
        if self.fault.is_some() {
            return;
        }
        self.end = end;
        // GNU tar marks a hole at the end with a segment of length 0.
        if segment.length == 0 {
            return;
        }
        if self.map.segments.len() == SEGMENTS_MAX {
            return self.fail(MapFault::TooLarge);
        }
        self.total += segment.length;
        self.map.segments.push(segment);
    }

    /// Completes the map of a file of which the tar has `stored` bytes.
    pub(super) fn finish(mut self, stored: u64) -> Result<SparseMap, MapFault> {
        if self.total != stored {
            self.fail(MapFault::Wrong);
        }
        self.fault.map_or(Ok(self.map), Err)
    }

    /// Starts the map in an old GNU header; the second value is true if it continues in
    /// the blocks after it.
    pub(super) fn begin_gnu(header: &[u8; 512]) -> (Self, bool) {
        let mut map = Self::new(unsigned(&header[483..495]));
        map.push_fields(&header[386..482]);
        (map, header[482] != 0)
    }

    /// Adds a block with more of an old GNU map; true if there is another one.
    pub(super) fn continue_gnu(&mut self, block: &[u8; 512]) -> bool {
        self.push_fields(&block[..504]);
        block[504] != 0
    }

    fn push_fields(&mut self, fields: &[u8]) {
        for entry in fields.chunks_exact(24) {
            let (offset, length) = entry.split_at(12);
            if (offset[0], length[0]) == (0, 0) {
                break;
            }
            self.push(unsigned(offset), unsigned(length));
        }
    }

    /// Reads a map in PAX records, or announced by them. One of version 1.0 is at the
    /// start of the member's data, which `input` reads.
    ///
    /// The default size is that of the member, which is `stored`.
    pub(super) fn read_pax(
        pax: &PaxRecords,
        stored: u64,
        input: &mut impl Read,
    ) -> io::Result<Self> {
        let size = pax
            .value(b"GNU.sparse.size")
            .or(pax.value(b"GNU.sparse.realsize"));
        let mut map = Self::new(size.map_or(Some(stored), decimal));
        let version = (
            pax.value(b"GNU.sparse.major").unwrap_or(b"0"),
            pax.value(b"GNU.sparse.minor").unwrap_or(b"0"),
        );
        let list = pax.value(b"GNU.sparse.map");
        match version {
            (b"1", b"0") => map.read_lines(&mut Lines::new(input))?,
            (b"0", b"0" | b"1") => match (list, pax.value(b"GNU.sparse.offset")) {
                (Some(list), None) => map.push_list(list),
                (None, _) => map.push_records(pax),
                // Readers disagree on which of the two counts.
                (Some(_), Some(_)) => map.fail(MapFault::Wrong),
            },
            _ => map.fail(MapFault::Wrong),
        }
        let count = pax.value(b"GNU.sparse.numblocks").and_then(decimal);
        if version.0 == b"0" && count != Some(map.count) {
            map.fail(MapFault::Wrong);
        }
        Ok(map)
    }

    /// Version 0.0: a record for each number, in their order.
    fn push_records(&mut self, pax: &PaxRecords) {
        let mut offset = None;
        for (key, value) in &pax.records {
            match key.as_slice() {
                b"GNU.sparse.offset" if offset.is_none() => offset = Some(decimal(value)),
                b"GNU.sparse.offset" => self.fail(MapFault::Wrong),
                b"GNU.sparse.numbytes" => self.push(offset.take().flatten(), decimal(value)),
                _ => {}
            }
        }
        if offset.is_some() {
            self.fail(MapFault::Wrong);
        }
    }

    /// Version 0.1: all numbers in one record, with commas between them.
    fn push_list(&mut self, list: &[u8]) {
        let mut numbers = list.split(|byte| *byte == b',').map(decimal);
        while let Some(offset) = numbers.next() {
            self.push(offset, numbers.next().flatten());
        }
    }

    /// Version 1.0: the number of segments, and their numbers, in a line each.
    fn read_lines(&mut self, lines: &mut Lines<'_, impl Read>) -> io::Result<()> {
        let count = lines.next_number()?;
        if count.is_none() {
            self.fail(MapFault::Wrong);
        }
        for _ in 0..count.unwrap_or(0) {
            let offset = lines.next_number()?;
            self.push(offset, lines.next_number()?);
            if self.fault.is_some() {
                break;
            }
        }
        Ok(())
    }
}

fn unsigned(field: &[u8]) -> Option<u64> {
    number(field).and_then(|number| u64::try_from(number).ok())
}

/// Numbers in lines, padded to a whole block.
struct Lines<'a, R> {
    input: &'a mut R,
    block: [u8; 512],
    /// The number of consumed bytes in the block.
    taken: usize,
}

impl<'a, R: Read> Lines<'a, R> {
    fn new(input: &'a mut R) -> Self {
        let block = [0; 512];
        Self {
            input,
            block,
            taken: block.len(),
        }
    }

    /// The next number; `None` if the line is not a number.
    fn next_number(&mut self) -> io::Result<Option<u64>> {
        // `u64` has at most 20 digits.
        let mut digits = Vec::with_capacity(20);
        loop {
            if self.taken == self.block.len() {
                if read_full(self.input, &mut self.block)? < self.block.len() {
                    return Ok(None);
                }
                self.taken = 0;
            }
            let byte = self.block[self.taken];
            self.taken += 1;
            match byte {
                b'\n' => return Ok(decimal(&digits)),
                b'0'..=b'9' if digits.len() < 20 => digits.push(byte),
                _ => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;
