//! Blocks that are compressed on all cores, and written in order.
//!
//! A stream is cut into blocks of a fixed size, each of which becomes a gzip member or
//! a zstd frame of its own. The cuts depend only on the stream, so the output is the
//! same for any number of workers.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Maximum number of workers. More would compress faster than most disks can write.
const WORKERS_MAX: usize = 8;

/// Number of blocks in flight beyond one for each worker, so that no worker waits while
/// one block is filled and a finished one is written.
const SPARE_BLOCKS: usize = 2;

/// A stream that waits for a block checks for an interrupt after this time: at the highest
/// levels a block takes seconds.
const LOOK: Duration = Duration::from_millis(50);

/// The size of blocks of which any number of workers may have one each. Of larger ones,
/// fewer are in flight.
const SMALL_BLOCK: usize = 2 * 1024 * 1024;

/// Maximum number of larger blocks in flight: with parts as large as the blocks, 72 MiB.
const LARGE_BLOCKS: usize = 4;

/// The same for an archive that is compressed as a whole, and for layers in such an
/// archive, which are compressed at the same time: 54 and 36 MiB.
const LARGE_BLOCKS_OF_ARCHIVE: usize = 3;
const LARGE_BLOCKS_IN_ARCHIVE: usize = 2;

/// Compresses a block to a self-contained part of the output, at a level or at the
/// default. The part replaces the content of the buffer.
pub(super) type CompressionChoice = fn(&[u8], Option<i32>, &mut Vec<u8>) -> io::Result<()>;

/// A block, and its compressed part. The two buffers stay together and are reused.
#[derive(Debug, Default)]
struct Buffers {
    block: Vec<u8>,
    part: Vec<u8>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads that compress blocks for all streams of one operation.
///
/// They end when this is dropped and the submitted work is done. However many streams
/// there are, few blocks are in flight, from their first byte until they are written.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    queue: Sender<Work>,
    /// For small blocks.
    permits: Arc<Permits>,
    /// For large blocks.
    few_permits: Arc<Permits>,
    /// Buffers of blocks that were written, for reuse by any stream.
    spare: Arc<Mutex<Vec<Buffers>>>,
    /// Set when the streams are to fail instead of waiting for a block.
    interrupt: Arc<AtomicBool>,
}

impl Workers {
    /// Starts the threads: as many as `jobs`, but at most 8.
    pub(crate) fn start(jobs: NonZeroUsize) -> io::Result<Self> {
        let count = jobs.get().min(WORKERS_MAX);
        let (queue, work) = channel::<Work>();
        let work = Arc::new(Mutex::new(work));
        for _ in 0..count {
            let work = Arc::clone(&work);
            thread::Builder::new()
                .name("compress".to_owned())
                .spawn(move || {
                    // The lock is released before the work begins.
                    let next = || work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    while let Ok(work) = next() {
                        work();
                    }
                })?;
        }
        Ok(Self {
            queue,
            permits: Permits::new(count + SPARE_BLOCKS),
            few_permits: Permits::new(LARGE_BLOCKS.min(count + SPARE_BLOCKS)),
            spare: Arc::default(),
            interrupt: Arc::default(),
        })
    }

    /// The same threads, for streams that fail as soon as this flag is set. The blocks that
    /// are being compressed then are left to their threads.
    pub(crate) fn interrupted_by(self, interrupt: &Arc<AtomicBool>) -> Self {
        let interrupt = Arc::clone(interrupt);
        Self { interrupt, ..self }
    }

    /// The same threads, for an archive that is compressed as a whole.
    pub(crate) fn of_archive(self) -> Self {
        self.with_large_blocks(LARGE_BLOCKS_OF_ARCHIVE)
    }

    /// The same threads, for layers in such an archive.
    pub(crate) fn in_archive(self) -> Self {
        self.with_large_blocks(LARGE_BLOCKS_IN_ARCHIVE)
    }

    fn with_large_blocks(self, count: usize) -> Self {
        let few_permits = Permits::new(count);
        Self {
            few_permits,
            ..self
        }
    }

    /// Fails if the flag is set.
    fn check(&self) -> io::Result<()> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        Ok(())
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Buffers>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs some work on one of the threads; the receiver gets the result.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Receiver<T> {
        let (sender, receiver) = sync_channel(1);
        // If the stream was abandoned, nobody waits for the result.
        let work = move || drop(sender.send(work()));
        // The threads outlive every stream, so this cannot fail; if it did, the
        // receiver would report it.
        let _ = self.queue.send(Box::new(work));
        receiver
    }
}

/// The number of further blocks, or of bytes, that may be in flight.
#[derive(Debug)]
pub(crate) struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

impl Permits {
    /// This many permits.
    pub(crate) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::new(count),
            returned: Condvar::new(),
        })
    }

    /// Takes a permit, if one is free.
    fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Permit(Arc::clone(self), 1))
    }

    /// Takes this many permits, of which there must be as many, after waiting until they
    /// are free if necessary.
    pub(crate) fn take(self: &Arc<Self>, count: usize) -> Permit {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| *free < count)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= count;
        Permit(Arc::clone(self), count)
    }

    /// Takes a permit, if one is free before this time is over.
    fn take_within(self: &Arc<Self>, time: Duration) -> Option<Permit> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .returned
            .wait_timeout_while(free, time, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Permit(Arc::clone(self), 1))
    }
}

/// The right to have some blocks or bytes in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Permits>, usize);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += self.1;
        self.0.returned.notify_all();
    }
}

/// A block in flight.
#[derive(Debug)]
struct Block {
    buffers: Buffers,
    _permit: Permit,
}

/// Cuts a stream into blocks and compresses them.
#[derive(Debug)]
#[must_use = "the last blocks are only written by `finish`"]
pub(crate) struct BlockWriter<W> {
    output: W,
    workers: Workers,
    permits: Arc<Permits>,
    compress: CompressionChoice,
    level: Option<i32>,
    block_size: usize,
    /// The block that is being filled.
    current: Option<Block>,
    waiting: VecDeque<Receiver<io::Result<Block>>>,
    is_empty: bool,
}

impl<W: Write> BlockWriter<W> {
    /// Starts a stream of blocks of `block_size` bytes, which `compress` turns into
    /// self-contained parts at the given level.
    pub(super) fn new(
        output: W,
        workers: &Workers,
        block_size: usize,
        compress: CompressionChoice,
        level: Option<i32>,
    ) -> Self {
        let is_small = block_size <= SMALL_BLOCK;
        let permits = if is_small {
            &workers.permits
        } else {
            &workers.few_permits
        };
        Self {
            output,
            workers: workers.clone(),
            permits: Arc::clone(permits),
            compress,
            level,
            block_size,
            current: None,
            waiting: VecDeque::new(),
            is_empty: true,
        }
    }

    /// Compresses and writes the rest, and returns the output.
    ///
    /// An empty stream becomes one empty block, since a stream without blocks is
    /// invalid in both formats.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if let Some(block) = self.current.take() {
            self.submit(block);
        } else if self.is_empty {
            let block = self.begin()?;
            self.submit(block);
        }
        while !self.waiting.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.output)
    }

    /// Begins a block, when a permit is available.
    ///
    /// A stream with blocks in flight frees permits by writing its own oldest block, so
    /// that streams never deadlock.
    fn begin(&mut self) -> io::Result<Block> {
        self.is_empty = false;
        let permit = loop {
            if let Some(permit) = self.permits.try_take() {
                break permit;
            }
            if !self.waiting.is_empty() {
                self.write_oldest()?;
            } else if let Some(permit) = self.permits.take_within(LOOK) {
                break permit;
            } else {
                self.workers.check()?;
            }
        };
        Ok(Block {
            buffers: self.workers.spare().pop().unwrap_or_default(),
            _permit: permit,
        })
    }

    /// Submits a block for compression.
    fn submit(&mut self, mut block: Block) {
        let (compress, level) = (self.compress, self.level);
        let done = self.workers.run(move || {
            let Buffers { block: bytes, part } = &mut block.buffers;
            compress(bytes, level, part)?;
            Ok(block)
        });
        self.waiting.push_back(done);
    }

    /// Waits for the oldest block and writes it.
    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.waiting.pop_front() else {
            return Ok(());
        };
        let mut block = loop {
            self.workers.check()?;
            match oldest.recv_timeout(LOOK) {
                Ok(block) => break block?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("a compressing thread panicked"));
                }
            }
        };
        self.output.write_all(&block.buffers.part)?;
        block.buffers.block.clear();
        self.workers.spare().push(block.buffers);
        Ok(())
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let block = &mut current.buffers.block;
        let room = self.block_size - block.len();
        let length = room.min(buffer.len());
        // Grows as needed, since most layers are smaller than a block, but not beyond it:
        // a vector alone would double to 16 MiB for a block of 9.
        let needed = block.len() + length;
        if needed > block.capacity() {
            let capacity = needed.max(2 * block.capacity()).min(self.block_size);
            block.reserve_exact(capacity - block.len());
        }
        block.extend_from_slice(&buffer[..length]);
        if block.len() == self.block_size {
            self.submit(current);
        } else {
            self.current = Some(current);
        }
        Ok(length)
    }

    /// Does nothing: blocks are cut by size alone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_does_not_wait_for_its_blocks_after_an_interrupt() {
        let never_ends: CompressionChoice = |_, _, _| {
            loop {
                thread::park();
            }
        };
        let interrupt = Arc::default();
        let workers = Workers::start(NonZeroUsize::MIN).unwrap();
        let workers = workers.interrupted_by(&interrupt);
        let stream = || BlockWriter::new(io::sink(), &workers, 3, never_ends, None);
        let (mut at_end, mut full, mut late) = (stream(), stream(), stream());
        at_end.write_all(b"one").unwrap();
        full.write_all(b"onetwo").unwrap();
        let stop = thread::spawn(move || interrupt.store(true, Ordering::Relaxed));
        assert!(full.write_all(b"three").is_err());
        assert!(late.write_all(b"one").is_err());
        assert!(at_end.finish().is_err());
        stop.join().unwrap();
    }
}
