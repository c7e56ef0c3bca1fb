//! Blocks that are compressed by all cores, and come out in order.
//!
//! A stream is cut into blocks of a fixed size, each of which becomes a gzip
//! member or a zstd frame of its own. Where the cuts lie depends on nothing but
//! the stream, so the output is the same for any number of workers.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// More workers than this compress faster than most disks take it, and would
/// hold more than 128 MiB of blocks.
const WORKERS_MAX: usize = 8;

/// Blocks that may be under way beyond one for each worker, so that none of them
/// waits while a finished one is written.
const SPARE_BLOCKS: usize = 2;

/// How many bytes of one stream may be under way.
const STREAM_MAX: usize = 18 * 1024 * 1024;

/// Turns a block into a self-contained part of the output, at a level or at none
/// in particular. The part replaces what the buffer held.
pub(super) type CompressionChoice = fn(&[u8], Option<i32>, &mut Vec<u8>) -> io::Result<()>;

/// A block, and the part of the output that it becomes. The two buffers stay
/// together, and are used again and again.
#[derive(Debug, Default)]
struct Buffers {
    block: Vec<u8>,
    part: Vec<u8>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads that compress blocks, for all the streams of one operation together.
///
/// They end when this is dropped and the work that was given is done. However
/// many streams there are, the blocks that are under way are few.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    queue: Sender<Work>,
    permits: Arc<Permits>,
}

impl Workers {
    /// Starts the threads, as many as `jobs` says but never more than 8.
    pub(crate) fn start(jobs: NonZeroUsize) -> io::Result<Self> {
        let count = jobs.get().min(WORKERS_MAX);
        let (queue, work) = channel::<Work>();
        let work = Arc::new(Mutex::new(work));
        for _ in 0..count {
            let work = Arc::clone(&work);
            thread::Builder::new()
                .name("compress".to_owned())
                .spawn(move || {
                    // The lock is given back before the work begins.
                    let next = || work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    while let Ok(work) = next() {
                        work();
                    }
                })?;
        }
        Ok(Self {
            queue,
            permits: Arc::new(Permits {
                free: Mutex::new(count + SPARE_BLOCKS),
                returned: Condvar::new(),
            }),
        })
    }

    /// Has a block compressed; the result comes out of the receiver.
    fn submit(
        &self,
        mut buffers: Buffers,
        compress: CompressionChoice,
        level: Option<i32>,
        permit: Permit,
    ) -> Receiver<Done> {
        let (sender, receiver) = sync_channel(1);
        let work = move || {
            let Buffers { block, part } = &mut buffers;
            let result = compress(block, level, part);
            // Nobody waits for it when the stream was given up.
            let _ = sender.send(Done {
                result,
                buffers,
                _permit: permit,
            });
        };
        // The threads outlive every stream, so this cannot fail; if it did, the
        // receiver would report it.
        let _ = self.queue.send(Box::new(work));
        receiver
    }
}

/// How many more blocks may be under way.
#[derive(Debug)]
struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

impl Permits {
    /// Takes one, if one is free.
    fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Permit(Arc::clone(self)))
    }

    /// Takes one, and waits until one is free.
    fn take(self: &Arc<Self>) -> Permit {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(Arc::clone(self))
    }
}

/// The right to have one block under way, until it is written or given up.
struct Permit(Arc<Permits>);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}

/// A block that was compressed, or could not be.
struct Done {
    result: io::Result<()>,
    buffers: Buffers,
    _permit: Permit,
}

/// Cuts a stream into blocks and has them compressed.
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
    /// Those of blocks that are done, for others.
    spare: Vec<Buffers>,
    waiting: VecDeque<Receiver<Done>>,
    is_empty: bool,
}

impl<W: Write> BlockWriter<W> {
    /// Starts a stream of blocks of `block_size` bytes, which `compress` turns
    /// into self-contained parts at the given level.
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

    /// Compresses what is left, writes it, and returns the output.
    ///
    /// An empty stream becomes one empty block, since no block at all is not a
    /// stream of either format.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.current.block.is_empty() || self.is_empty {
            self.submit()?;
        }
        while !self.waiting.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.output)
    }

    /// Has the current block compressed, once one may be.
    ///
    /// A stream that has blocks under way makes room by writing its own oldest,
    /// so that streams never wait for each other in a circle.
    fn submit(&mut self) -> io::Result<()> {
        while self.waiting.len() * self.block_size >= STREAM_MAX {
            self.write_oldest()?;
        }
        let permit = loop {
            if let Some(permit) = self.workers.permits.try_take() {
                break permit;
            }
            if self.waiting.is_empty() {
                break self.workers.permits.take();
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
        // Not all at once: most layers are smaller than a block.
        let room = self.block_size - block.len();
        let length = room.min(buffer.len());
        block.extend_from_slice(&buffer[..length]);
        if block.len() == self.block_size {
            self.submit()?;
        }
        Ok(length)
    }

    /// Blocks are cut by size alone, so there is nothing to hurry.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
