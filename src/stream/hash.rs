//! Streams that are hashed, and unpacked to be hashed, while they are read.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crate::digest::{Algorithm, Digest, Hasher};
use crate::stream::decompress::{Decoder, Leftover};
use crate::stream::{COPY_BUFFER, Compression};

/// Number of chunks that may be queued for a thread: enough to even out the speeds of
/// both sides. This is all that a stream ever holds in memory.
const TAP_DEPTH: usize = 8;

/// The hash of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    /// The digest of all of its bytes.
    pub digest: Digest,
    /// The number of bytes.
    pub size: u64,
}

/// The hashes of a [`TeeReader`].
#[derive(Debug)]
pub(crate) struct Hashes {
    /// The hash of the original bytes.
    pub(crate) stored: Hashed,
    /// The hash of the unpacked bytes, if it was requested, or the error.
    pub(crate) unpacked: Option<io::Result<Hashed>>,
    /// The number of bytes after the end of the compressed stream, if it was unpacked.
    pub(crate) leftover: u64,
}

/// Bytes that were read once and are shared by several threads.
pub(super) type Chunk = Arc<Buffer>;

#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    length: usize,
}

impl Buffer {
    /// The bytes in it.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Appends as many of these bytes as there is room for, and returns their number.
    pub(super) fn append(&mut self, bytes: &[u8]) -> usize {
        let room = &mut self.bytes[self.length..];
        let length = room.len().min(bytes.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.length += length;
        length
    }

    /// True if there is no room left.
    pub(super) fn is_full(&self) -> bool {
        self.length == self.bytes.len()
    }
}

/// A reader whose bytes are hashed as they are read, each hash on a thread of its own.
///
/// It is a [`BufRead`], so that a copy uses the very buffer that was read, and nothing
/// is copied for the hash. By default nothing is hashed; [`TeeReader::hash`] and
/// [`TeeReader::hash_unpacked`] add hashes.
#[derive(Debug)]
pub(crate) struct TeeReader<R> {
    input: R,
    /// The chunk being read, and the number of its bytes that were consumed.
    current: Option<Chunk>,
    consumed: usize,
    /// Chunks that were already read.
    used: BufferPool,
    stored: Option<HashThread>,
    unpacked: Option<HashThread>,
    /// The bytes after the end of the compressed stream, if it is unpacked.
    leftover: Arc<OnceLock<Arc<Leftover>>>,
    /// The senders to other readers.
    teed: Vec<Option<SyncSender<Chunk>>>,
}

/// A thread that hashes the chunks it receives.
#[derive(Debug)]
pub(super) struct HashThread {
    /// Absent if the thread has failed and ended early.
    sender: Option<SyncSender<Chunk>>,
    thread: JoinHandle<io::Result<Hashed>>,
}

/// A sender of chunks, and the reader that receives them.
fn channel() -> (SyncSender<Chunk>, ChunkReader) {
    let (sender, receiver) = sync_channel(TAP_DEPTH);
    let chunks = ChunkReader {
        receiver,
        current: Arc::default(),
        consumed: 0,
    };
    (sender, chunks)
}

impl HashThread {
    /// Starts a thread that hashes the bytes unchanged.
    pub(super) fn hash(algorithm: Algorithm) -> io::Result<Self> {
        Self::start(move |mut chunks| hash(&mut chunks, algorithm))
    }

    fn start(
        look_on: impl FnOnce(ChunkReader) -> io::Result<Hashed> + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, chunks) = channel();
        let thread = thread::Builder::new()
            .name("hash".to_owned())
            .spawn(move || look_on(chunks))?;
        Ok(Self {
            sender: Some(sender),
            thread,
        })
    }

    /// Sends it the next bytes.
    pub(super) fn show(&mut self, chunk: &Chunk) {
        // A thread that has ended has failed, and reports that at the end.
        show(&mut self.sender, chunk);
    }

    /// Returns its hash.
    pub(super) fn finish(mut self) -> io::Result<Hashed> {
        drop(self.sender.take());
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a hashing thread panicked")))
    }
}

/// Sends the next bytes, unless the receiver has ended.
fn show(sender: &mut Option<SyncSender<Chunk>>, chunk: &Chunk) {
    if let Some(open) = sender
        && open.send(Arc::clone(chunk)).is_err()
    {
        *sender = None;
    }
}

/// Chunks that were sent, for reuse when no thread holds them any more.
#[derive(Debug, Default)]
pub(super) struct BufferPool(VecDeque<Chunk>);

impl BufferPool {
    /// Adds a chunk that is no longer needed here.
    pub(super) fn put(&mut self, chunk: Chunk) {
        self.0.push_back(chunk);
    }

    /// A buffer that no thread uses any more, or a new one.
    pub(super) fn free_buffer(&mut self) -> Buffer {
        while self.0.len() > TAP_DEPTH + 2 {
            self.0.pop_front();
        }
        if let Some(buffer) = self.0.front_mut().and_then(Arc::get_mut) {
            let mut buffer = std::mem::take(buffer);
            buffer.length = 0;
            self.0.pop_front();
            return buffer;
        }
        Buffer {
            bytes: vec![0; COPY_BUFFER].into(),
            length: 0,
        }
    }
}

impl<R: Read> TeeReader<R> {
    /// Wraps a reader.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            current: None,
            consumed: 0,
            used: BufferPool::default(),
            stored: None,
            unpacked: None,
            leftover: Arc::default(),
            teed: Vec::new(),
        }
    }

    /// Hashes the bytes unchanged.
    pub(crate) fn hash(&mut self, algorithm: Algorithm) -> io::Result<()> {
        self.stored = Some(HashThread::hash(algorithm)?);
        Ok(())
    }

    /// Hashes the unpacked bytes.
    pub(crate) fn hash_unpacked(
        &mut self,
        compression: Compression,
        algorithm: Algorithm,
    ) -> io::Result<()> {
        let leftover = Arc::clone(&self.leftover);
        self.unpacked = Some(HashThread::start(move |chunks| {
            let mut decoder = Decoder::new(compression, chunks)?;
            drop(leftover.set(decoder.leftover()));
            hash(&mut TeeReader::new(&mut decoder), algorithm)
        })?);
        Ok(())
    }

    /// A copy of the bytes for a reader on another thread, which reads them at the same
    /// time; there may be several. It ends when the input ends or fails.
    ///
    /// The reader must be read or dropped, or this one blocks.
    pub(crate) fn tee(&mut self) -> ChunkReader {
        let (sender, chunks) = channel();
        self.teed.push(Some(sender));
        chunks
    }

    /// Ends the copies for other readers.
    pub(crate) fn end_tee(&mut self) {
        self.teed.clear();
    }

    /// Reads the rest and returns the hashes.
    ///
    /// Bytes after the end of a tar or of a compressed stream belong to the blob, so
    /// this must be called even if the caller stopped before the end of the input.
    ///
    /// # Errors
    ///
    /// Fails if the input fails, or if [`hash`](Self::hash) was not called.
    pub(crate) fn finish(mut self) -> io::Result<Hashes> {
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                break;
            }
            self.consume(length);
        }
        let unpacked = self.unpacked.map(HashThread::finish);
        let stored = self.stored.map(HashThread::finish).transpose()?;
        let stored = stored.ok_or_else(|| io::Error::other("nothing was hashed"))?;
        let leftover = self.leftover.get().map_or(0, |leftover| leftover.size());
        Ok(Hashes {
            stored,
            unpacked,
            leftover,
        })
    }
}

impl<R: Read> BufRead for TeeReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let is_empty = self
            .current
            .as_ref()
            .is_none_or(|chunk| self.consumed == chunk.length);
        if is_empty {
            if let Some(chunk) = self.current.take() {
                self.used.put(chunk);
            }
            let mut buffer = self.used.free_buffer();
            let read = read_some(&mut self.input, &mut buffer.bytes);
            if !matches!(read, Ok(1..)) {
                self.teed.clear();
            }
            buffer.length = read?;
            let chunk = Arc::new(buffer);
            if chunk.length > 0 {
                for tap in self.stored.iter_mut().chain(&mut self.unpacked) {
                    tap.show(&chunk);
                }
                for teed in &mut self.teed {
                    show(teed, &chunk);
                }
            }
            self.consumed = 0;
            self.current = Some(chunk);
        }
        let chunk = self.current.as_ref().expect("a chunk was just put there");
        Ok(&chunk.filled()[self.consumed..])
    }

    fn consume(&mut self, amount: usize) {
        self.consumed += amount;
    }
}

impl<R: Read> Read for TeeReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

/// The receiving end of a tee, as a reader.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    receiver: Receiver<Chunk>,
    current: Chunk,
    consumed: usize,
}

impl BufRead for ChunkReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed == self.current.length {
            self.consumed = 0;
            // Released before waiting, so that the buffer can be reused.
            self.current = Arc::default();
            self.current = self.receiver.recv().unwrap_or_default();
        }
        Ok(&self.current.filled()[self.consumed..])
    }

    fn consume(&mut self, amount: usize) {
        self.consumed += amount;
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

/// Hashes the rest of an input.
pub(crate) fn hash(input: &mut dyn BufRead, algorithm: Algorithm) -> io::Result<Hashed> {
    let mut hasher = Hasher::new(algorithm);
    let mut size = 0;
    loop {
        let buffer = input.fill_buf()?;
        let length = buffer.len();
        if length == 0 {
            return Ok(Hashed {
                digest: hasher.finish(),
                size,
            });
        }
        hasher.update(buffer);
        size += length as u64;
        input.consume(length);
    }
}

/// Reads once, and again if interrupted by a signal.
fn read_some(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one to three bytes at a time.
    struct Short<'a>(&'a [u8]);

    impl Read for Short<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = (self.0.len() % 3 + 1).min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn taps_see_all_bytes_even_those_that_nobody_read() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut stream = TeeReader::new(&bytes[..]);
        stream.hash(Algorithm::Sha256).unwrap();
        let mut first = [0; 7];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(first, bytes[..7]);
        let hashed = stream.finish().unwrap().stored;
        assert_eq!(hashed.digest, Digest::of(&bytes));
        assert_eq!(hashed.size, 400_000);
    }

    #[test]
    fn short_reads_change_nothing() {
        let bytes = b"a stream that comes in crumbs".repeat(50);
        let mut stream = TeeReader::new(Short(&bytes));
        stream.hash(Algorithm::Sha256).unwrap();
        let mut copy = Vec::new();
        stream.read_to_end(&mut copy).unwrap();
        assert_eq!(copy, bytes);
        let hashed = stream.finish().unwrap().stored;
        assert_eq!(hashed.digest, Digest::of(&bytes));
    }

    #[test]
    fn lent_bytes_are_read_elsewhere_as_far_as_anybody_wants() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for wanted in [0, 10, bytes.len()] {
            let mut stream = TeeReader::new(&bytes[..]);
            stream.hash(Algorithm::Sha256).unwrap();
            let mut teed = stream.tee();
            let hashes = thread::scope(|scope| {
                let reading = scope.spawn(|| stream.finish().unwrap());
                let mut some = vec![0; wanted];
                teed.read_exact(&mut some).unwrap();
                assert!(some == bytes[..wanted]);
                drop(teed);
                reading.join().unwrap()
            });
            assert_eq!(hashes.stored.digest, Digest::of(&bytes));
        }
    }

    #[test]
    fn a_tap_that_cannot_unpack_says_so_and_the_others_go_on() {
        let bytes = vec![7; 3 * COPY_BUFFER];
        let mut stream = TeeReader::new(&bytes[..]);
        stream
            .hash_unpacked(Compression::Gzip, Algorithm::Sha256)
            .unwrap();
        stream.hash(Algorithm::Sha256).unwrap();
        let hashes = stream.finish().unwrap();
        assert_eq!(hashes.stored.digest, Digest::of(&bytes));
        assert!(hashes.unpacked.unwrap().is_err());
    }
}
