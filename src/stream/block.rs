//! Blocks that are compressed by all cores, and come out in order.
//!
//! A stream is cut into blocks of a fixed size, each of which becomes a gzip
//! member or a zstd frame of its own. Where the cuts lie depends on nothing but
//! the stream, so the output is the same for any number of workers.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// More workers than this would only hold more blocks in memory: sixteen of them
/// compress faster than a disk takes it.
const WORKERS_MAX: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that compress blocks, for all the streams of one operation together.
///
/// They end when this is dropped and the work that was given is done.
#[derive(Clone)]
pub struct Workers {
    queue: Sender<Work>,
    /// How many blocks of one stream may be under way: with one more for each
    /// worker, none of them waits while the oldest is written.
    in_flight: usize,
}

impl Workers {
    /// Starts the threads, as many as `jobs` says but never more than 16.
    pub fn start(jobs: NonZeroUsize) -> io::Result<Self> {
        let count = jobs.get().min(WORKERS_MAX);
        let (queue, work) = channel::<Work>();
        let work = Arc::new(Mutex::new(work));
        for _ in 0..count {
            let work = Arc::clone(&work);
            thread::Builder::new()
                .name("compress".to_owned())
                .spawn(move || {
                    loop {
                        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        match next {
                            Ok(work) => work(),
                            Err(_) => break,
                        }
                    }
                })?;
        }
        Ok(Self {
            queue,
            in_flight: 2 * count,
        })
    }

    /// Has a block compressed; the result comes out of the receiver.
    fn submit(
        &self,
        block: Vec<u8>,
        compress: fn(&[u8], i32) -> io::Result<Vec<u8>>,
        level: i32,
    ) -> Receiver<Done> {
        let (sender, receiver) = sync_channel(1);
        let work = move || finish_block(block, compress, level, &sender);
        // The threads outlive every queue, so this cannot fail; if it did, the
        // receiver would report it.
        let _ = self.queue.send(Box::new(work));
        receiver
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// A compressed block, and the buffer that its input was in.
type Done = (io::Result<Vec<u8>>, Vec<u8>);

fn finish_block(
    mut block: Vec<u8>,
    compress: fn(&[u8], i32) -> io::Result<Vec<u8>>,
    level: i32,
    sender: &SyncSender<Done>,
) {
    let result = compress(&block, level);
    block.clear();
    // Nobody waits when the stream was given up.
    let _ = sender.send((result, block));
}

/// Cuts a stream into blocks and has them compressed.
#[derive(Debug)]
#[must_use = "the last blocks are only written by `finish`"]
pub struct BlockWriter<W> {
    output: W,
    workers: Workers,
    compress: fn(&[u8], i32) -> io::Result<Vec<u8>>,
    level: i32,
    block_size: usize,
    block: Vec<u8>,
    waiting: VecDeque<Receiver<Done>>,
    is_empty: bool,
}

impl<W: Write> BlockWriter<W> {
    /// Starts a stream of blocks of `block_size` bytes, which `compress` turns
    /// into self-contained parts at the given level.
    pub fn new(
        output: W,
        workers: &Workers,
        block_size: usize,
        compress: fn(&[u8], i32) -> io::Result<Vec<u8>>,
        level: i32,
    ) -> Self {
        Self {
            output,
            workers: workers.clone(),
            compress,
            level,
            block_size,
            block: Vec::new(),
            waiting: VecDeque::new(),
            is_empty: true,
        }
    }

    /// Compresses what is left, writes it, and returns the output.
    ///
    /// An empty stream becomes one empty block, since no block at all is not a
    /// stream of either format.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || self.is_empty {
            self.submit();
        }
        while !self.waiting.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.output)
    }

    fn submit(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.waiting
            .push_back(self.workers.submit(block, self.compress, self.level));
        self.is_empty = false;
    }

    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.waiting.pop_front() else {
            return Ok(());
        };
        let (result, buffer) = oldest
            .recv()
            .map_err(|_| io::Error::other("a compressing thread panicked"))?;
        self.output.write_all(&result?)?;
        if self.block.capacity() == 0 {
            self.block = buffer;
        }
        Ok(())
    }
}

impl<W: Write> Write for BlockWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.block.capacity() == 0 {
            self.block.reserve_exact(self.block_size);
        }
        let room = self.block_size - self.block.len();
        let length = room.min(buffer.len());
        self.block.extend_from_slice(&buffer[..length]);
        if self.block.len() == self.block_size {
            self.submit();
            if self.waiting.len() >= self.workers.in_flight {
                self.write_oldest()?;
            }
        }
        Ok(length)
    }

    /// Blocks are cut by size alone, so there is nothing to hurry.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
