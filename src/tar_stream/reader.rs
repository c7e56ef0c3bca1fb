//! A reader of a tar stream's members in sequence.

use std::io::{self, BufRead, Read};

use tar::Header;

use crate::tar_stream::attributes::Attributes;
use crate::tar_stream::extensions::{Extensions, is_extension};
use crate::tar_stream::header::{self, BLOCK, EMPTY_BLOCK, TarError, checksum_holds, number64};
use crate::tar_stream::input::{Skip, read_full};
use crate::tar_stream::pax::PaxRecords;
use crate::tar_stream::sparse::{MapBuilder, MapFault, SparseMap};
use crate::tar_stream::tail::{Tail, Trailing};

/// The kind of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file (`0`, NUL, `7`).
    File,
    /// Another name of an earlier file (`1`).
    HardLink,
    /// A symbolic link (`2`).
    Symlink,
    /// A folder (`5`, or an old header whose name ends in a slash).
    Directory,
    /// A regular file with holes, whose map is [`TarReader::sparse`] (`S`, or a file
    /// with the respective PAX records).
    Sparse,
    /// Anything else, by its type flag: devices, fifos.
    Other(u8),
}

/// One member's header, with its extended headers applied.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The name exactly as in the tar.
    pub path: Vec<u8>,
    /// Its kind.
    pub kind: Kind,
    /// The target of a link; empty for anything else.
    pub link: Vec<u8>,
    /// The number of bytes of data; for a sparse file, of the stored data.
    pub size: u64,
    /// The offset of the data from the start of the stream.
    pub position: u64,
    /// The modification time in seconds since 1970, 0 if the field is invalid.
    pub mtime: i64,
}

/// Reads the members of a tar stream in order.
///
/// It accepts v7, ustar, GNU and PAX headers. The end may be marked by two empty
/// blocks, by one, or by nothing; [`TarReader::trailing`] checks the rest. It accepts
/// at most 2 MiB of extended headers for a member, and never holds its data. For sparse
/// files it reads the maps, and returns the data as stored; a
/// [`SparseReader`](crate::tar_stream::SparseReader) adds the holes.
#[derive(Debug)]
pub(crate) struct TarReader<R> {
    input: R,
    /// The position of the input in the stream.
    position: u64,
    /// The number of unread bytes in the current member's data.
    remaining: u64,
    /// The padding of the current member's data to a whole block.
    padding: u64,
    current: Current,
    is_at_end: bool,
    has_end_block: bool,
    /// The bytes after the first empty block at the end.
    tail: Option<Tail>,
}

/// Facts that are kept while a member is the current one.
#[derive(Debug)]
struct Current {
    header: Header,
    /// The start of the header.
    offset: u64,
    pax: PaxRecords,
    /// The map of a sparse file.
    map: Option<Result<SparseMap, MapFault>>,
    /// The declared size of a member without data.
    ignored_size: u64,
}

impl<R: Skip> TarReader<R> {
    /// Starts at the input's current position.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            position: 0,
            remaining: 0,
            padding: 0,
            current: Current {
                header: Header::new_old(),
                offset: 0,
                pax: PaxRecords::default(),
                map: None,
                ignored_size: 0,
            },
            is_at_end: false,
            has_end_block: false,
            tail: None,
        }
    }

    /// The position at which the stream ended without an end-of-archive block, if it
    /// did.
    ///
    /// If nothing else declares the amount of data, this is the only sign that the
    /// stream was cut off between two members.
    pub(crate) fn cut_off_at(&self) -> Option<u64> {
        (self.is_at_end && !self.has_end_block).then_some(self.position)
    }

    /// The number of bytes of the stream that were read or skipped.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The start of the next member, or of the extended headers before it.
    pub(crate) fn next_position(&self) -> u64 {
        self.position + self.remaining + self.padding
    }

    /// Skips to the start of a later member, without a look at those before it.
    pub(crate) fn skip_to(&mut self, position: u64) -> Result<(), TarError> {
        self.position += self.input.skip(position - self.position)?;
        (self.remaining, self.padding) = (0, 0);
        Ok(())
    }

    /// Returns the input, positioned where reading ended.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }

    /// Reads the input to its end, and returns the data other than zeros after the end
    /// of the tar.
    pub(crate) fn trailing(&mut self) -> Result<Option<Trailing>, TarError> {
        let tail = self.tail.take();
        let tail = tail.unwrap_or_else(|| Tail::new(self.position));
        Ok(tail.read(&mut self.input)?)
    }

    /// Returns the state of the data after the end of the tar, for a caller that reads
    /// the rest in its own way.
    pub(crate) fn into_tail(self) -> Tail {
        self.tail.unwrap_or_else(|| Tail::new(self.position))
    }

    /// Goes to the next member; `None` is the end of the archive.
    ///
    /// The unread data of the current one is skipped.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, TarError> {
        let mut extensions = Extensions::default();
        loop {
            self.finish_member()?;
            let offset = self.position;
            if !self.read_header()? {
                return Ok(None);
            }
            let header = &self.current.header;
            let flag = self.flag();
            let size = number64(&header.as_old().size).ok_or(TarError::Size { offset })?;
            let size = header::size(size, flag, offset)?;
            if !is_extension(flag) {
                return self.begin_member(size, extensions, offset).map(Some);
            }
            // Go's reader also checks the fields of these.
            Attributes::parse(header, offset, &PaxRecords::default())?;
            extensions.admit(size, offset)?;
            let data = self.read_extension(size)?;
            extensions.add(flag, &data, offset)?;
        }
    }

    fn begin_member(
        &mut self,
        size: u64,
        extensions: Extensions,
        offset: u64,
    ) -> Result<Member, TarError> {
        let Extensions {
            pax, path, link, ..
        } = extensions;
        let header = &self.current.header;
        let flag = self.flag();
        let size = match pax.size(offset)? {
            Some(size) => header::size(size, flag, offset)?,
            None => size,
        };
        // A GNU long name overrides a PAX one, as in Go's reader, and so in the
        // engines: a reader that uses the other one reads another layer.
        let is_given = |name: &Vec<u8>| !name.is_empty();
        let path = path
            .filter(is_given)
            .or_else(|| pax.value(b"path").map(<[u8]>::to_vec))
            .unwrap_or_else(|| header::path(header));
        let kind = match flag {
            // Before POSIX, folders had no flag of their own. With one, a slash at the
            // end of a file's name is ignored.
            0 if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' if pax.is_sparse() => Kind::Sparse,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'5' => Kind::Directory,
            b'S' => Kind::Sparse,
            other => Kind::Other(other),
        };
        // GNU tar gives such a member a name that marks it for readers that do not
        // support it.
        let path = match pax.value(b"GNU.sparse.name") {
            Some(name) if kind == Kind::Sparse && flag != b'S' => name.to_vec(),
            _ => path,
        };
        let link = match kind {
            Kind::HardLink | Kind::Symlink => link
                .filter(is_given)
                .or_else(|| pax.value(b"linkpath").map(<[u8]>::to_vec))
                .unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
            _ => Vec::new(),
        };
        let has_data = header::has_data(flag) && kind != Kind::Directory;
        if !has_data && pax.is_sparse() {
            return Err(MapFault::Wrong.at(offset));
        }
        let mtime = number64(&header.as_old().mtime);
        let ignored_size = if has_data { 0 } else { size };
        let size = size - ignored_size;
        // The map of an old GNU header precedes the data, and that of PAX 1.0 is at its
        // start.
        let gnu_map = (flag == b'S').then(|| self.read_gnu_map());
        let gnu_map = gnu_map.transpose()?;
        self.remaining = size;
        self.padding = size.next_multiple_of(BLOCK) - size;
        let map = match gnu_map {
            None if kind == Kind::Sparse => Some(MapBuilder::read_pax(&pax, size, self)?),
            gnu_map => gnu_map,
        };
        let map = map.map(|map| map.finish(self.remaining));
        let current = &mut self.current;
        (current.offset, current.pax) = (offset, pax);
        (current.map, current.ignored_size) = (map, ignored_size);
        Ok(Member {
            path,
            kind,
            link,
            size: self.remaining,
            position: self.position,
            mtime: mtime.unwrap_or(0),
        })
    }

    /// The other fields of the current member.
    pub(crate) fn attributes(&self) -> Result<Attributes, TarError> {
        let Current {
            header,
            offset,
            pax,
            ..
        } = &self.current;
        Attributes::parse(header, *offset, pax)
    }

    /// The declared size of the current member if it has no data.
    pub(crate) fn ignored_size(&self) -> u64 {
        self.current.ignored_size
    }

    /// The type flag of the current member's header.
    pub(crate) fn flag(&self) -> u8 {
        self.current.header.as_old().linkflag[0]
    }

    /// The map of the current member if it is a sparse file.
    ///
    /// # Errors
    ///
    /// Fails if the map is invalid or too large. This does not affect anything else of
    /// the member.
    pub(crate) fn sparse(&self) -> Result<Option<&SparseMap>, TarError> {
        let map = self.current.map.as_ref().map(Result::as_ref).transpose();
        map.map_err(|fault| fault.at(self.current.offset))
    }

    /// The number of unread bytes in the current member's data.
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Reads the map of a sparse file in an old GNU header, and its continuation
    /// blocks.
    fn read_gnu_map(&mut self) -> Result<MapBuilder, TarError> {
        let (mut map, mut goes_on) = MapBuilder::begin_gnu(self.current.header.as_bytes());
        while goes_on {
            let mut block = [0; 512];
            let length = read_full(&mut self.input, &mut block)?;
            if length < block.len() {
                return Err(self.truncated(length, BLOCK));
            }
            self.position += BLOCK;
            goes_on = map.continue_gnu(&block);
        }
        Ok(map)
    }

    /// Skips the rest of the current member.
    fn finish_member(&mut self) -> Result<(), TarError> {
        let skipped = self.input.skip(self.remaining)?;
        self.position += skipped;
        self.remaining -= skipped;
        if self.remaining > 0 {
            return Err(TarError::Truncated {
                offset: self.position,
                missing: self.remaining,
            });
        }
        // Missing padding does no harm; the end is noticed after it.
        self.position += self.input.skip(self.padding)?;
        self.padding = 0;
        Ok(())
    }

    /// Reads a header block; false at the end.
    fn read_header(&mut self) -> Result<bool, TarError> {
        if self.is_at_end {
            return Ok(false);
        }
        let block = self.current.header.as_mut_bytes();
        let length = read_full(&mut self.input, block)?;
        let offset = self.position;
        if length == 0 || (length == block.len() && block.iter().all(|byte| *byte == 0)) {
            self.is_at_end = true;
            self.has_end_block = length > 0;
            self.position += length as u64;
            return self.check_end().map(|()| false);
        }
        if length < block.len() {
            return Err(self.truncated(length, BLOCK));
        }
        self.position += BLOCK;
        if checksum_holds(&self.current.header) {
            Ok(true)
        } else {
            Err(TarError::Checksum { offset })
        }
    }

    /// Checks the data after the first empty block, where a second one should be.
    ///
    /// The end of the stream is also accepted. Data after a single empty block is lost
    /// to some readers, and refused by the engines.
    fn check_end(&mut self) -> Result<(), TarError> {
        if !self.has_end_block {
            return Ok(());
        }
        let mut block = [0; 512];
        let length = read_full(&mut self.input, &mut block)?;
        let offset = self.position;
        self.position += length as u64;
        if block != EMPTY_BLOCK {
            return Err(TarError::GoesOn { offset });
        }
        let mut tail = Tail::new(offset);
        tail.push(&block[..length]);
        self.tail = Some(tail);
        Ok(())
    }

    /// Reads the data of an extended header, whose size was already checked.
    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        let mut data = vec![0; usize::try_from(size).expect("EXTENSION_MAX fits")];
        let length = read_full(&mut self.input, &mut data)?;
        if length < data.len() {
            return Err(self.truncated(length, size));
        }
        self.position += size;
        self.padding = size.next_multiple_of(BLOCK) - size;
        Ok(data)
    }

    fn truncated(&self, got: usize, wanted: u64) -> TarError {
        TarError::Truncated {
            offset: self.position + got as u64,
            missing: wanted - got as u64,
        }
    }
}

/// Reads the current member's data, and fails if it is truncated.
impl<R: Skip> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let length = buffer.len().min(limit);
        if length == 0 {
            return Ok(0);
        }
        let length = self.input.read(&mut buffer[..length])?;
        if length == 0 {
            return Err(cut_off(self.position, self.remaining));
        }
        self.remaining -= length as u64;
        self.position += length as u64;
        Ok(length)
    }
}

/// Returns the current member's data from the input's own buffer.
impl<R: Skip + BufRead> BufRead for TarReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(&[]);
        }
        let buffer = self.input.fill_buf()?;
        if buffer.is_empty() {
            return Err(cut_off(self.position, self.remaining));
        }
        Ok(&buffer[..buffer.len().min(limit)])
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.remaining -= amount as u64;
        self.position += amount as u64;
    }
}

/// The error of a read at which the stream is truncated.
fn cut_off(offset: u64, missing: u64) -> io::Error {
    let error = TarError::Truncated { offset, missing };
    io::Error::new(io::ErrorKind::UnexpectedEof, error)
}

#[cfg(test)]
mod tests;
