//! The content of single files of the layers, found by the places of their entries.
//!
//! Of an uncompressed layer in a file only the headers and the wanted files are read, so
//! nothing here compares a layer with its digest; [`Checks`](super::checks::Checks) do.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Place, Result};
use crate::event::{Event, Step};
use crate::layer::{Budget, EntryFault, LayerReader};
use crate::merge::EntryPlace;
use crate::ops::stack::layer_stack::LayerStack;
use crate::ops::stack::layer_tar::{LayerTar, read_layer};
use crate::stream::{Compression, CopyError, FileSlice, GrowingFile, spool_in};

/// The places of the entries with the content of files, each with the size of the file
/// in bytes.
pub(in crate::ops) type FilePlaces = BTreeMap<EntryPlace, u64>;

/// The SHA-256 hash of the content of a file.
type FileHash = [u8; 32];

/// The hashes of files, by the places of the entries with their content: a list for each
/// layer, in the order of places.
#[derive(Debug, Default)]
pub(in crate::ops) struct FileHashes(Vec<Vec<(EntryPlace, FileHash)>>);

impl FileHashes {
    /// Adds the hashes of files of higher layers.
    pub(in crate::ops) fn append(&mut self, mut higher: Self) {
        self.0.append(&mut higher.0);
    }

    /// The hash of a file; `None` if it was not hashed.
    pub(in crate::ops) fn get(&self, place: EntryPlace) -> Option<&FileHash> {
        let layer = self.0.partition_point(|layer| {
            let last = layer.last();
            last.is_none_or(|(last, _)| *last < place)
        });
        let layer = self.0.get(layer)?;
        let at = layer.binary_search_by_key(&place, |(place, _)| *place);
        at.ok().map(|at| &layer[at].1)
    }
}

/// Content that is held in memory until its turn comes: at most this many bytes.
const HELD_MAX: u64 = 8 * 1024 * 1024;

impl LayerStack<'_> {
    /// Copies the content of files to an output with this name, one after the other.
    ///
    /// A layer is read once for all its files, unless more of them than fit into memory
    /// are in another order there.
    pub(in crate::ops) fn copy_files(
        &self,
        files: &[(EntryPlace, u64)],
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<()> {
        let mut copy = OrderedCopy::new(files, output, to);
        while let Some(layer) = copy.next_layer()? {
            let wanted: FilePlaces = files[copy.next..]
                .iter()
                .filter(|(place, _)| place.layer == layer && !copy.held.contains_key(place))
                .copied()
                .collect();
            let wanted: Vec<_> = wanted.into_iter().collect();
            self.read_files(self.layer(layer), &wanted, |file, reader| {
                copy.see(self, file, reader)
            })?;
        }
        Ok(())
    }

    /// Copies the content of the file at this place, which has this size, to an output
    /// with this name.
    pub(in crate::ops) fn copy_file(
        &self,
        place: EntryPlace,
        size: u64,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<()> {
        self.read_files(self.layer(place.layer), &[(place, size)], |_, reader| {
            self.copy(reader, size, output, to)
        })
    }

    /// Makes the content of files accessible in any order. That of an uncompressed layer
    /// in a file stays where it is, as in the copy of a layer that is checked; any other is
    /// copied to a temporary file.
    pub(in crate::ops) fn locate(
        &self,
        files: &FilePlaces,
    ) -> Result<HashMap<EntryPlace, FileSlice<Arc<File>>>> {
        let directory = self.context.temporary_directory;
        let to = Place::Temporary(directory.to_owned());
        let failed = |error| Error::write(to.clone(), error);
        let mut spool: Option<(GrowingFile<Arc<File>>, u64)> = None;
        let mut found = HashMap::with_capacity(files.len());
        let files: Vec<(EntryPlace, u64)> =
            files.iter().map(|(place, size)| (*place, *size)).collect();
        for of_layer in files.chunk_by(|(one, _), (other, _)| one.layer == other.layer) {
            let at = of_layer[0].0.layer as usize;
            let (layer, blob) = self.blob(at).map_err(|error| self.explain(at, error))?;
            let copy = self.checks.and_then(|checks| checks.take_spool(at));
            let copy = copy.as_ref().map(|copy| copy.slice().try_clone());
            let copy = copy.transpose().map_err(failed)?;
            let whole = match (&copy, layer.compression) {
                (Some(copy), _) => Some(copy.try_clone().map_err(failed)?),
                (None, Compression::None) => self.container.blob(blob).slice()?,
                _ => None,
            };
            let whole = whole.map(|slice| (Arc::new(slice.file), slice.start));
            self.read_files_in(at, copy, of_layer, |(place, size), reader| {
                if let (Some((file, start)), Some(offset)) = (&whole, reader.content_offset()) {
                    let slice = FileSlice::new(file.clone(), start + offset, size);
                    found.insert(place, slice);
                    return Ok(());
                }
                if spool.is_none() {
                    let file = spool_in(directory).map_err(failed)?;
                    spool = Some((GrowingFile::new(Arc::new(file)), 0));
                }
                let (file, end) = spool.as_mut().expect("it was just made");
                self.copy(reader, size, file, &to)?;
                found.insert(place, FileSlice::new(file.file().clone(), *end, size));
                *end += size;
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Hashes the content of files, in several layers in parallel.
    pub(in crate::ops) fn digests(&self, files: &FilePlaces) -> Result<FileHashes> {
        let files: Vec<(EntryPlace, u64)> =
            files.iter().map(|(place, size)| (*place, *size)).collect();
        let by_layer = files.chunk_by(|(one, _), (other, _)| one.layer == other.layer);
        let by_layer: Vec<_> = by_layer.collect();
        let layers = by_layer.iter().map(|it| self.layer(it[0].0.layer));
        let layers: Vec<usize> = layers.collect();
        let found = self.in_parallel(&layers, |at| {
            let mut found = Vec::with_capacity(by_layer[at].len());
            self.read_files(layers[at], by_layer[at], |(place, size), reader| {
                let mut sink = HashingSink(Sha256::new());
                // The sink never fails.
                self.copy(reader, size, &mut sink, &Place::StandardOutput)?;
                found.push((place, sink.0.finalize().into()));
                Ok(())
            })?;
            Ok(found)
        })?;
        // Layers are in their order, and so are the files of each.
        Ok(FileHashes(found))
    }

    /// Reads one layer, and stops for `each` at the content of each of these files,
    /// which are in the order of their places.
    fn read_files(
        &self,
        at: usize,
        files: &[(EntryPlace, u64)],
        each: impl FnMut((EntryPlace, u64), &mut LayerReader<LayerTar<'_>>) -> Result<()>,
    ) -> Result<()> {
        self.read_files_in(at, None, files, each)
    }

    /// The same in a copy of the unpacked layer, if there is one.
    fn read_files_in(
        &self,
        at: usize,
        copy: Option<FileSlice>,
        files: &[(EntryPlace, u64)],
        mut each: impl FnMut((EntryPlace, u64), &mut LayerReader<LayerTar<'_>>) -> Result<()>,
    ) -> Result<()> {
        let watch = self.context.watch;
        watch.send(Event::Step(Step::Reading(&self.place(at).to_string())));
        let mut read = |tar: LayerTar<'_>| {
            let mut reader = LayerReader::new(tar, Arc::<Budget>::default());
            let landmarks = self.landmarks(at);
            for (place, size) in files {
                reader.skip_towards(place.entry, &landmarks)?;
                reader.seek_file(place.entry, *size)?;
                each((*place, *size), &mut reader)?;
            }
            Ok(())
        };
        let read = || {
            if let Some(copy) = copy {
                return read(LayerTar::of_file(copy));
            }
            let (layer, blob) = self.blob(at)?;
            read_layer(self.container, blob, layer.compression, watch, read)
        };
        read().map_err(|error| self.explain(at, error))
    }

    fn copy(
        &self,
        reader: &mut LayerReader<LayerTar<'_>>,
        size: u64,
        output: &mut dyn Write,
        to: &Place,
    ) -> Result<()> {
        let copied = reader.copy_content(output, &self.context.watch);
        let copied = copied.map_err(|error| match error {
            CopyError::Read(error) => reader.failed(EntryFault::read(error)).into(),
            CopyError::Write(error) => Error::write(to.clone(), error),
            CopyError::Interrupted => Error::Interrupted,
        })?;
        if copied != size {
            return Err(reader.failed(EntryFault::Changed).into());
        }
        Ok(())
    }
}

/// Files that are written in an order other than that of their layers.
struct OrderedCopy<'a> {
    files: &'a [(EntryPlace, u64)],
    /// The position of the first file that is not written yet.
    next: usize,
    /// The number of times that each file is still to be written.
    uses: HashMap<EntryPlace, usize>,
    /// The content of files that were read before their turn, or are written again.
    held: HashMap<EntryPlace, Vec<u8>>,
    /// The number of bytes held.
    size: u64,
    output: &'a mut dyn Write,
    to: &'a Place,
}

impl<'a> OrderedCopy<'a> {
    fn new(files: &'a [(EntryPlace, u64)], output: &'a mut dyn Write, to: &'a Place) -> Self {
        let mut uses = HashMap::new();
        for (place, _) in files {
            *uses.entry(*place).or_default() += 1;
        }
        Self {
            files,
            next: 0,
            uses,
            held: HashMap::new(),
            size: 0,
            output,
            to,
        }
    }

    /// Writes the files whose turn it is, as far as they are held. Returns the layer of
    /// the next one; `None` after the last.
    fn next_layer(&mut self) -> Result<Option<u32>> {
        while let Some((place, _)) = self.files.get(self.next) {
            let Some(content) = self.held.get(place) else {
                return Ok(Some(place.layer));
            };
            let written = self.output.write_all(content);
            written.map_err(|error| Error::write(self.to.clone(), error))?;
            self.written(*place);
        }
        Ok(None)
    }

    /// Notes that a file was written.
    fn written(&mut self, place: EntryPlace) {
        self.next += 1;
        let uses = self.uses.entry(place).or_insert(1);
        *uses -= 1;
        if *uses == 0
            && let Some(content) = self.held.remove(&place)
        {
            self.size -= content.len() as u64;
        }
    }

    /// Sees the content of a file: writes it, holds it, or leaves it for another pass.
    fn see(
        &mut self,
        layers: &LayerStack<'_>,
        (place, size): (EntryPlace, u64),
        reader: &mut LayerReader<LayerTar<'_>>,
    ) -> Result<()> {
        self.next_layer()?;
        let is_next = self.files.get(self.next).is_some_and(|it| it.0 == place);
        let is_last_use = self.uses.get(&place) == Some(&1);
        if !(is_next && is_last_use) && size <= HELD_MAX - self.size {
            let mut content = Vec::new();
            // Writing to memory does not fail.
            layers.copy(reader, size, &mut content, self.to)?;
            self.size += size;
            self.held.insert(place, content);
        } else if is_next {
            layers.copy(reader, size, self.output, self.to)?;
            self.written(place);
        }
        Ok(())
    }
}

/// Hashes the bytes written to it.
struct HashingSink(Sha256);

impl Write for HashingSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.update(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
