//! Blocks that are compressed on all cores, and written in order.
//!
//! A stream is cut into blocks of a fixed size, each of which becomes a gzip member or
//! a zstd frame of its own. The cuts depend only on the stream, so the output is the
//! same for any number of workers.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// Maximum number of workers. More would compress faster than most disks can write, and
/// hold more than 128 MiB of blocks.
const WORKERS_MAX: usize = 8;

/// Number of blocks in flight beyond one for each worker, so that no worker waits while
/// a finished block is written.
const SPARE_BLOCKS: usize = 2;

/// Maximum number of bytes of one stream in flight.
const STREAM_MAX: usize = 18 * 1024 * 1024;

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
/// there are, few blocks are in flight.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    queue: Sender<Work>,
    permits: Arc<Permits>,
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
        })
    }

    /// Submits a block for compression; the receiver gets the result.
    fn submit(
        &self,
        mut buffers: Buffers,
        compress: CompressionChoice,
        level: Option<i32>,
        permit: Permit,
    ) -> Receiver<Done> {
        self.run(move || {
            let Buffers { block, part } = &mut buffers;
            let result = compress(block, level, part);
            Done {
                result,
                buffers,
                _permit: permit,
            }
        })
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
}

/// The right to have some blocks or bytes in flight, until it is dropped.
pub(crate) struct Permit(Arc<Permits>, usize);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += self.1;
        self.0.returned.notify_all();
    }
}

/// The result of compressing a block.
struct Done {
    result: io::Result<()>,
    buffers: Buffers,
    _permit: Permit,
}

/// Cuts a stream into blocks and compresses them.
#[derive(Debug)]
#[must_use = "the last blocks are only written by `finish`"]
pub(crate) struct BlockWriter<W> {
    output: W,
    workers: Workers,
    compress: CompressionChoice,
    level: Option<i32>,
    block_size: usize,
    /// The block that is being filled.
    current: Buffers,
    /// Buffers of finished blocks, for reuse.
    spare: Vec<Buffers>,
    waiting: VecDeque<Receiver<Done>>,
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
        Self {
            output,
            workers: workers.clone(),
            compress,
            level,
            block_size,
            current: Buffers::default(),
            spare: Vec::new(),
            waiting: VecDeque::new(),
            is_empty: true,
        }
    }

    /// Compresses and writes the rest, and returns the output.
    ///
    /// An empty stream becomes one empty block, since a stream without blocks is
    /// invalid in both formats.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.current.block.is_empty() || self.is_empty {
            self.submit()?;
        }
        while !self.waiting.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.output)
    }

    /// Submits the current block, when a permit is available.
    ///
    /// A stream with blocks in flight frees permits by writing its own oldest block, so
    /// that streams never deadlock.
    fn submit(&mut self) -> io::Result<()> {
        while self.waiting.len() * self.block_size >= STREAM_MAX {
            self.write_oldest()?;
        }
        let permit = loop {
            if let Some(permit) = self.workers.permits.try_take() {
                break permit;
            }
            if self.waiting.is_empty() {
                break self.workers.permits.take(1);
            }
            self.write_oldest()?;
        };
        let next = self.spare.pop().unwrap_or_default();
        let full = std::mem::replace(&mut self.current, next);
        let done = self.workers.submit(full, self.compress, self.level, permit);
        self.waiting.push_back(done);
        self.is_empty = false;
        Ok(())
    }

    /// Waits for the oldest block and writes it.
    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.waiting.pop_front() else {
            return Ok(());
        };
        let done = oldest
            .recv()
            .map_err(|_| io::Error::other("a compressing thread panicked"))?;
        done.result?;
        self.output.write_all(&done.buffers.part)?;
        let mut buffers = done.buffers;
        buffers.block.clear();
        self.spare.push(buffers);
        Ok(())
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let block = &mut self.current.block;
        // Grows as needed, since most layers are smaller than a block.
        let room = self.block_size - block.len();
        let length = room.min(buffer.len());
        block.extend_from_slice(&buffer[..length]);
        if block.len() == self.block_size {
            self.submit()?;
        }
        Ok(length)
    }

    /// Does nothing: blocks are cut by size alone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
