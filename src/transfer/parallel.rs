//! Several pieces of work at once.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{Error, Result};

/// How many blobs are read at once, at the most: enough for any disk, and few enough
/// that their buffers do not add up.
pub(crate) const STREAMS_MAX: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not 0");

/// Does the pieces of work with the numbers in `order`, which are all from 0 on,
/// several at once; what is early in it is begun early. Returns the results by number.
///
/// # Errors
///
/// Fails if one of them fails, and begins no further ones then. Of several that
/// failed the one with the lowest number is the answer.
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
            // Where no more threads may be had, those that are there do it all.
            if thread::Builder::new().spawn_scoped(scope, work_on).is_err() {
                break;
            }
        }
        work_on();
    });
    let results = results
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    // Where one failed, later ones were not begun.
    let done: Vec<T> = results.flatten().collect::<Result<_>>()?;
    if done.len() == count {
        Ok(done)
    } else {
        Err(Error::Interrupted)
    }
}
