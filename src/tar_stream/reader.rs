//! Members of a tar stream, read one after the other.

use std::io::{self, BufRead, Read};

use tar::Header;

use crate::tar_stream::attributes::Attributes;
use crate::tar_stream::extensions::{Extensions, is_extension};
use crate::tar_stream::header::{self, BLOCK, EMPTY_BLOCK, TarError, checksum_holds, number64};
use crate::tar_stream::input::{Skip, read_full};
use crate::tar_stream::pax::PaxRecords;
use crate::tar_stream::sparse::{MapBuilder, MapFault, SparseMap};
use crate::tar_stream::tail::{Tail, Trailing};

/// What a member is.
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
    /// A regular file with holes, which [`TarReader::sparse`] knows (`S`, or a
    /// file with such PAX records).
    Sparse,
    /// Anything else, by its type flag: devices, fifos.
    Other(u8),
}

/// One member's header, its extended headers applied.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The name as it stands in the tar.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Where a link points; empty for anything else.
    pub link: Vec<u8>,
    /// How many bytes of data follow; of a sparse file those that are stored.
    pub size: u64,
    /// Where the data begins, from the start of the stream.
    pub position: u64,
    /// Seconds since 1970, 0 where the field makes no sense.
    pub mtime: i64,
}

/// Reads the members of a tar stream in order.
///
/// Accepted are v7, ustar, GNU and PAX headers. The end may be marked by two
/// empty blocks, by one, or by nothing; [`TarReader::trailing`] looks at what follows.
/// At most 2 MiB of extended headers are taken for a member, and its data is
/// never held.
/// Of sparse files it reads the maps, and hands the data out as it is stored; a
/// [`SparseReader`](crate::tar_stream::SparseReader) puts the holes back.
#[derive(Debug)]
pub(crate) struct TarReader<R> {
    input: R,
    /// Where in the stream the input stands.
    position: u64,
    /// Data of the current member that was not read yet.
    remaining: u64,
    /// What pads the current member's data to a whole block.
    padding: u64,
    current: Current,
    is_at_end: bool,
    has_end_block: bool,
    /// The bytes after the first block that marks the end.
    tail: Option<Tail>,
}

/// What is looked at again while a member is the current one.
#[derive(Debug)]
struct Current {
    header: Header,
    /// Where the header begins.
    offset: u64,
    pax: PaxRecords,
    /// Of a sparse file.
    map: Option<Result<SparseMap, MapFault>>,
    /// The size that is said of what has no data.
    ignored_size: u64,
}

impl<R: Skip> TarReader<R> {
    /// Begins at the input's current place.
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

    /// Where the stream ended without an end-of-archive block, if it did.
    ///
    /// Where nothing else says how much there should be, that is the only sign
    /// that it was cut off between two members.
    pub(crate) fn cut_off_at(&self) -> Option<u64> {
        (self.is_at_end && !self.has_end_block).then_some(self.position)
    }

    /// Returns the input, which stands where reading ended.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }

    /// Reads the input to its end, and returns what follows the end of the tar but for
    /// zeros.
    pub(crate) fn trailing(&mut self) -> Result<Option<Trailing>, TarError> {
        let tail = self.tail.take();
        let tail = tail.unwrap_or_else(|| Tail::new(self.position));
        Ok(tail.read(&mut self.input)?)
    }

    /// Returns what was seen so far of what follows the end of the tar, for a caller
    /// that looks at the rest in its own way.
    pub(crate) fn into_tail(self) -> Tail {
        self.tail.unwrap_or_else(|| Tail::new(self.position))
    }

    /// Goes to the next member; `None` is the end of the archive.
    ///
    /// What was not read of the current one is passed over.
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
            // Go's reader looks at the fields of these, too.
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
        // A GNU long name beats a PAX one, as in Go's reader, and so in the engines:
        // who reads the other one reads another layer.
        let is_given = |name: &Vec<u8>| !name.is_empty();
        let path = path
            .filter(is_given)
            .or_else(|| pax.value(b"path").map(<[u8]>::to_vec))
            .unwrap_or_else(|| header::path(header));
        let kind = match flag {
            // Before POSIX folders had no flag of their own. With one, a slash behind
            // the name of a file means nothing.
            0 if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' if pax.is_sparse() => Kind::Sparse,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'5' => Kind::Directory,
            b'S' => Kind::Sparse,
            other => Kind::Other(other),
        };
        // GNU tar gives such a member a name that marks it for readers that do
        // not know what it is.
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
        // The map of an old GNU header stands before the data, and that of PAX
        // 1.0 at its beginning.
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

    /// What else is said of the current member.
    pub(crate) fn attributes(&self) -> Result<Attributes, TarError> {
        let Current {
            header,
            offset,
            pax,
            ..
        } = &self.current;
        Attributes::parse(header, *offset, pax)
    }

    /// The size that is said of the current member although it has no data.
    pub(crate) fn ignored_size(&self) -> u64 {
        self.current.ignored_size
    }

    /// The type flag of the current member's header.
    pub(crate) fn flag(&self) -> u8 {
        self.current.header.as_old().linkflag[0]
    }

    /// The map of the current member if that is a sparse file.
    ///
    /// # Errors
    ///
    /// Fails if the map is wrong, or too large. Nothing else of the member is
    /// affected by that.
    pub(crate) fn sparse(&self) -> Result<Option<&SparseMap>, TarError> {
        let map = self.current.map.as_ref().map(Result::as_ref).transpose();
        map.map_err(|fault| fault.at(self.current.offset))
    }

    /// How much of the current member's data was not read yet.
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Reads the map of a sparse file that an old GNU header has, and the blocks in
    /// which it goes on.
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

    /// Passes over what is left of the current member.
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
        // Padding that is cut off is nobody's loss; the end is noticed behind it.
        self.position += self.input.skip(self.padding)?;
        self.padding = 0;
        Ok(())
    }

    /// Reads a header block, unless the end is there.
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

    /// Looks behind the first block that marks the end, where a second one should be.
    ///
    /// Nothing is as good. What follows a lone empty block is lost to some readers, and
    /// refused by the engines.
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

    /// Reads the data of an extended header, which was found small enough.
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

/// Reads the current member's data, and fails if the stream ends before it.
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

/// Hands the current member's data out where it lies.
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

/// The error of a read that the stream has nothing for.
fn cut_off(offset: u64, missing: u64) -> io::Error {
    let error = TarError::Truncated { offset, missing };
    io::Error::new(io::ErrorKind::UnexpectedEof, error)
}

#[cfg(test)]
mod tests;
