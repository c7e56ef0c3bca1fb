//! A tar from a pipe, whose members became files as they arrived.
//!
//! Their folder is part of the layout for which they are meant, so that a blob only has
//! to be renamed once the documents, which usually come last, have identified it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use crate::digest::Algorithm;
use crate::error::{Error, LimitError, Place, Result};
use crate::event::Watch;
use crate::format::container::index::MemberIndex;
use crate::format::container::measured::algorithm_of;
use crate::format::container::repeated::check_control_files;
use crate::format::container::{
    Blob, Bytes, Container, KnownHashes, Member, is_of_archive, not_an_image,
};
use crate::format::control_files::CONTROL_FILES;
use crate::limits::MEMBERS_MAX;
use crate::stream::{
    Compression, CopyError, GrowingFile, Hashes, SNIFF_LENGTH, TeeReader, begins_as_json, copy,
    hash, read_head, unpacked,
};
use crate::tar_stream::{BLOCK, Kind, SkipByReading, TarError, TarReader, is_tar_header};

/// The result of reading a pipe.
#[derive(Debug)]
pub(crate) enum Received {
    /// An archive, split into its members.
    Members(StagedTar),
    /// Anything else: the whole unpacked stream in one file.
    Whole(PathBuf),
}

/// Members in a folder, each in a file named after its number.
#[derive(Debug)]
pub(crate) struct StagedTar {
    directory: PathBuf,
    index: MemberIndex,
    /// The facts about the members, by number.
    staged: HashMap<u64, (KnownHashes, Compression)>,
}

/// Receives an unpacked tar stream. Its start determines whether it is an archive to be
/// split, or a root filesystem.
///
/// The decision is based on a few members, since nothing can be read twice. A stream
/// that was wrongly kept whole can still be read as a tar; `keep_whole` keeps every
/// stream like this.
pub(crate) fn receive(
    mut stream: Box<dyn Read + Send + '_>,
    directory: &Path,
    keep_whole: bool,
    watch: &Watch<'_>,
) -> Result<Received> {
    let mut recorder = Recorder {
        input: &mut stream,
        seen: Vec::new(),
    };
    let begins_as_archive = begins_as_archive(&mut recorder);
    let seen = recorder.seen;
    let is_archive = match begins_as_archive {
        Ok(is_archive) => is_archive,
        Err(TarError::Io(error)) => return Err(error.into()),
        Err(TarError::Checksum { offset: 0 }) => return Err(not_an_image(&seen)),
        // The code that reads it reports why it is not one.
        Err(_) => false,
    };
    let mut stream = Cursor::new(seen).chain(stream);
    if is_archive && !keep_whole {
        return StagedTar::unpack(&mut stream, directory, watch).map(Received::Members);
    }
    let path = directory.join("stream");
    write_file(&mut TeeReader::new(&mut stream), &path, watch)?;
    Ok(Received::Whole(path))
}

/// Reads members until one distinguishes an archive from a root filesystem.
fn begins_as_archive(input: &mut dyn Read) -> Result<bool, TarError> {
    let mut reader = TarReader::new(SkipByReading(input));
    while let Some(member) = reader.next_member()? {
        let path = String::from_utf8_lossy(&member.path);
        let path = path.trim_start_matches(['.', '/']).trim_end_matches('/');
        if is_of_archive(path) || CONTROL_FILES.contains(&path) {
            return Ok(true);
        }
        if member.kind != Kind::File {
            if matches!(path, "" | "blobs" | "blobs/sha256" | "blobs/sha512") {
                continue;
            }
            return Ok(false);
        }
        // Members with unusual names may still be layers and documents.
        let start = read_head(&mut reader, BLOCK)?;
        let is_packed = Compression::sniff(&start) != Compression::None;
        return Ok(is_packed || begins_as_json(&start) || is_tar_header(&start));
    }
    Ok(false)
}

impl StagedTar {
    fn unpack(input: &mut dyn Read, directory: &Path, watch: &Watch<'_>) -> Result<Self> {
        let mut tar = Self {
            directory: directory.to_owned(),
            index: MemberIndex::default(),
            staged: HashMap::new(),
        };
        let mut reader = TarReader::new(SkipByReading(input));
        let mut number = 0;
        while let Some(member) = reader.next_member()? {
            if member.kind == Kind::File {
                let path = tar.file_of(number);
                let arrival = if member.size <= SMALL_MOST {
                    stage_small_member(&mut reader, &member.path, &path)?
                } else {
                    stage_member(&mut reader, &member.path, &path, watch)?
                };
                tar.staged.insert(number, arrival);
            }
            if !tar.index.add(&member, number)? {
                return Err(LimitError::TooManyMembers(MEMBERS_MAX).into());
            }
            number += 1;
        }
        tar.index.end.cut_off_at = reader.cut_off_at();
        // The padding of the archive is read too, or the writer would see a closed
        // pipe.
        tar.index.end.trailing = reader.trailing()?;
        let mut faults = Vec::new();
        check_control_files(&tar, &tar.index, &mut faults)?;
        faults.into_iter().next().map_or(Ok(tar), Err)
    }

    fn file_of(&self, number: u64) -> PathBuf {
        self.directory.join(number.to_string())
    }
}

/// Maximum size of members that cost less than the threads to hash them, in bytes.
const SMALL_MOST: u64 = 64 * 1024;

/// Writes a small member to a file, with the same result as [`stage_member`].
fn stage_small_member(
    reader: &mut dyn Read,
    name: &[u8],
    path: &Path,
) -> Result<(KnownHashes, Compression)> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let compression = Compression::sniff(&bytes);
    let stored = hash(&mut bytes.as_slice(), algorithm_of(name))?;
    let mut leftover = 0;
    let mut hash_unpacked = || {
        let mut stream = unpacked(compression, bytes.as_slice())?;
        let hashed = hash(&mut stream, Algorithm::Sha256)?;
        leftover = stream.get_ref().leftover().size();
        io::Result::Ok(hashed)
    };
    let unpacked = match compression {
        Compression::None => Some(stored.clone()),
        _ => hash_unpacked().ok(),
    };
    fs::write(path, bytes).map_err(|error| Error::write(Place::Path(path.to_owned()), error))?;
    let known = KnownHashes {
        stored,
        unpacked,
        leftover,
    };
    Ok((known, compression))
}

/// Writes one member to a file, and computes its hashes on the way.
fn stage_member(
    reader: &mut dyn Read,
    name: &[u8],
    path: &Path,
    watch: &Watch<'_>,
) -> Result<(KnownHashes, Compression)> {
    let start = read_head(&mut *reader, SNIFF_LENGTH)?;
    let compression = Compression::sniff(&start);
    let mut stream = TeeReader::new(Cursor::new(start).chain(reader));
    stream.hash(algorithm_of(name)).map_err(Error::Thread)?;
    if compression != Compression::None {
        stream
            .hash_unpacked(compression, Algorithm::Sha256)
            .map_err(Error::Thread)?;
    }
    write_file(&mut stream, path, watch)?;
    let Hashes {
        stored,
        unpacked,
        leftover,
    } = stream.finish()?;
    let unpacked = match compression {
        Compression::None => Some(stored.clone()),
        _ => unpacked.and_then(Result::ok),
    };
    let known = KnownHashes {
        stored,
        unpacked,
        leftover,
    };
    Ok((known, compression))
}

fn write_file<R: Read>(stream: &mut TeeReader<R>, path: &Path, watch: &Watch<'_>) -> Result<()> {
    let to = || Place::Path(path.to_owned());
    let failed = |error| Error::write(to(), error);
    let mut file = GrowingFile::new(File::create(path).map_err(failed)?);
    match copy(stream, &mut file, watch) {
        Ok(_) => file.finish().map(drop).map_err(failed),
        Err(CopyError::Read(error)) => Err(error.into()),
        Err(error) => Err(Error::copy(Place::StandardInput, to(), error)),
    }
}

impl Container for StagedTar {
    fn index(&self) -> Option<&MemberIndex> {
        Some(&self.index)
    }

    fn blob<'a>(&'a self, member: &'a Member) -> Blob<'a> {
        let blob = Blob::new(member, Bytes::File(self.file_of(member.position)));
        let staged = self.staged.get(&member.position);
        blob.temporary(staged.map(|(known, _)| known))
            .with_compression(staged.map(|(_, compression)| *compression))
    }
}

/// Number of bytes of a stream that are read to determine its kind. If no member has
/// decided it by then, it is not an archive.
const RECORD_MAX: usize = 4 * 1024 * 1024;

/// Records the bytes that are read, so that they can be read again, and ends at a
/// limit.
struct Recorder<'a> {
    input: &'a mut dyn Read,
    seen: Vec<u8>,
}

impl Read for Recorder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = RECORD_MAX - self.seen.len();
        let limit = buffer.len().min(room);
        let length = self.input.read(&mut buffer[..limit])?;
        self.seen.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}
