//! A stream that must be stored before it can be read: in a temporary file without a name,
//! or in one of the output, which it may become.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use crate::error::{Error, Place, Result};
use crate::event::Watch;
use crate::format::container::{KnownHashes, hash_layers};
use crate::format::sink::{ImageSink, StagingFile};
use crate::stream::{CopyError, FileSlice, TeeReader, copy, spool_in};

/// A stream that was stored.
pub(super) struct Arrival {
    /// The file that holds it.
    pub(super) file: File,
    /// Its start in the file.
    pub(super) start: u64,
    /// The hashes of its members by their positions, if that was wanted.
    pub(super) measured: HashMap<u64, KnownHashes>,
}

/// The ways in which a stream may be stored.
#[derive(Clone, Copy)]
pub(super) struct Storing<'a> {
    /// The folder for a temporary file.
    pub(super) directory: &'a Path,
    /// The output that the file may become.
    pub(super) output: Option<&'a dyn ImageSink>,
    /// True to hash the members.
    pub(super) measures: bool,
    /// The caller.
    pub(super) watch: Watch<'a>,
}

/// Stores a stream unchanged.
pub(super) fn store(stream: impl Read, storing: Storing<'_>) -> Result<Arrival> {
    let mut storage = Storage::begin(storing)?;
    let mut stream = TeeReader::new(stream);
    let teed = storing.measures.then(|| stream.tee());
    let measuring = |teed| {
        thread::Builder::new()
            .name("hash".to_owned())
            .spawn(move || hash_layers(teed))
    };
    let measuring = teed.map(measuring).transpose().map_err(Error::Thread)?;
    let copied = copy(&mut stream, &mut storage, &storing.watch);
    drop(stream);
    let measured = measuring.map(|thread| thread.join().unwrap_or_default());
    match copied {
        Ok(_) => {}
        Err(CopyError::Read(error)) => return Err(error.into()),
        Err(error) => return Err(Error::copy(Place::StandardInput, storage.place, error)),
    }
    Ok(Arrival {
        file: storage.file,
        start: storage.start,
        measured: measured.unwrap_or_default(),
    })
}

/// The file in which a stream is stored.
struct Storage<'a> {
    file: File,
    start: u64,
    /// The number of bytes in it after the start.
    size: u64,
    /// Its name in messages.
    place: Place,
    /// The folder for another file, if this one is beside the output and takes no more.
    other: Option<&'a Path>,
}

impl<'a> Storage<'a> {
    /// Begins a file beside the output, if the stream may become that, or else a temporary
    /// one.
    fn begin(storing: Storing<'a>) -> Result<Self> {
        let directory = storing.directory;
        if let Some(output) = storing.output
            && let Some(StagingFile { file, start }) = output.stage()
        {
            return Ok(Self {
                file,
                start,
                size: 0,
                place: output.place(),
                other: Some(directory),
            });
        }
        let place = Place::Temporary(directory.to_owned());
        match spool_in(directory) {
            Ok(file) => Ok(Self {
                file,
                start: 0,
                size: 0,
                place,
                other: None,
            }),
            Err(error) => Err(Error::write(place, error)),
        }
    }

    /// Moves everything to a temporary file in a folder, and frees the space here.
    fn move_to(&mut self, directory: &Path) -> io::Result<()> {
        self.place = Place::Temporary(directory.to_owned());
        let mut file = spool_in(directory)?;
        let mut held = FileSlice::new(&self.file, self.start, self.size);
        io::copy(&mut held, &mut file)?;
        self.file.set_len(0)?;
        (self.file, self.start) = (file, 0);
        Ok(())
    }
}

impl Write for Storage<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(buffer, self.start + self.size);
        if let (Err(_), Some(directory)) = (&written, self.other.take_if(|_| written.is_err())) {
            self.move_to(directory)?;
            return self.write(buffer);
        }
        let written = written?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
