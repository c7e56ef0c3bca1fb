//! Parallel execution of tasks.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};

/// Maximum number of blobs read in parallel: enough for any disk, and few enough that
/// their buffers remain small in total.
pub(crate) const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not 0");

/// Runs the tasks with the numbers in `order`, which are all numbers from 0 on, in
/// parallel; tasks that are early in it start early. Returns the results by number.
///
/// # Errors
///
/// Fails if a task fails, and then starts no further ones. If several failed, the error
/// is that of the task with the lowest number.
pub(crate) fn in_parallel<T: Send>(
    order: Vec<usize>,
    threads: NonZeroUsize,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let count = order.len();
    let queue = Mutex::new(order.into_iter());
    let results: Vec<Mutex<Option<Result<T>>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let has_failed = AtomicBool::new(false);
    let work_on = || {
        while !has_failed.load(Ordering::Relaxed) {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(at) = next else {
                break;
            };
            let result = work(at);
            has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
            *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.get().min(count) {
            // If no more threads can be started, the existing ones do all the work.
            if thread::Builder::new().spawn_scoped(scope, work_on).is_err() {
                break;
            }
        }
        work_on();
    });
    let results = results
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    // After a failure, later tasks were not started.
    let done: Vec<T> = results.flatten().collect::<Result<_>>()?;
    if done.len() == count {
        Ok(done)
    } else {
        Err(Error::Interrupted)
    }
}
