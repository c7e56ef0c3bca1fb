//! Parallel execution of tasks.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
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
    let mut done = Vec::with_capacity(order.len());
    let take = |_, result| done.push(result);
    in_parallel_each(order, threads, work, take)?;
    Ok(done)
}

/// The same, but each result is passed to `take` on this thread, by number, as soon as
/// there are those of all lower numbers. Meanwhile the other threads work on.
///
/// # Errors
///
/// Fails in the same way; `take` may have got results of lower numbers than the failed
/// task's.
pub(crate) fn in_parallel_each<T: Send>(
    order: Vec<usize>,
    threads: NonZeroUsize,
    work: impl Fn(usize) -> Result<T> + Sync,
    mut take: impl FnMut(usize, T),
) -> Result<()> {
    let count = order.len();
    let queue = Mutex::new(order.into_iter());
    let has_failed = AtomicBool::new(false);
    let work_on_next = || {
        if has_failed.load(Ordering::Relaxed) {
            return None;
        }
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        next.map(|at| {
            let result = work(at);
            has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
            (at, result)
        })
    };
    let (sender, receiver) = mpsc::channel();
    let mut results: Vec<Option<Result<T>>> = (0..count).map(|_| None).collect();
    let mut taken = 0;
    thread::scope(|scope| {
        for _ in 1..threads.get().min(count) {
            let sender = sender.clone();
            let work_on = || {
                let sender = sender;
                while let Some(done) = work_on_next() {
                    if sender.send(done).is_err() {
                        break;
                    }
                }
            };
            // If no more threads can be started, the existing ones do all the work.
            if thread::Builder::new().spawn_scoped(scope, work_on).is_err() {
                break;
            }
        }
        drop(sender);
        loop {
            for (at, result) in receiver.try_iter() {
                results[at] = Some(result);
            }
            let next = results.get_mut(taken);
            if let Some(result) = next.and_then(|next| next.take_if(|result| result.is_ok())) {
                if let Ok(result) = result {
                    take(taken, result);
                }
                taken += 1;
                continue;
            }
            // When all threads have ended, there is nothing to wait for.
            let Some((at, result)) = work_on_next().or_else(|| receiver.recv().ok()) else {
                break;
            };
            results[at] = Some(result);
        }
    });
    match results.into_iter().flatten().find_map(Result::err) {
        Some(error) => Err(error),
        // After a failure, later tasks were not started.
        None if taken < count => Err(Error::Interrupted),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    const THREE: NonZeroUsize = NonZeroUsize::new(3).expect("3 is not 0");

    #[test]
    fn results_come_by_number_in_whatever_order_they_are_made() {
        let orders: [Vec<usize>; 3] = [(0..20).collect(), (0..20).rev().collect(), vec![]];
        for order in orders {
            for threads in [NonZeroUsize::MIN, THREE] {
                let expected: Vec<usize> = (0..order.len()).collect();
                let work = |at: usize| {
                    sleep(Duration::from_millis(at as u64 * 7 % 5));
                    Ok(at)
                };
                let mut taken = Vec::new();
                let take = |at, result| {
                    assert_eq!(at, result);
                    taken.push(result);
                };
                in_parallel_each(order.clone(), threads, work, take).unwrap();
                assert_eq!(taken, expected);
                assert_eq!(in_parallel(order.clone(), threads, work).unwrap(), expected);
            }
        }
    }

    #[test]
    fn the_error_is_that_of_the_lowest_failed_task() {
        for threads in [NonZeroUsize::MIN, THREE] {
            let work = |at: usize| match at {
                // The second one fails before the first does.
                4 => {
                    sleep(Duration::from_millis(20));
                    Err(Error::NoImage)
                }
                5 => Err(Error::Interrupted),
                at => Ok(at),
            };
            let mut taken = Vec::new();
            let take = |at, _| taken.push(at);
            let failed = in_parallel_each((0..50).collect(), threads, work, take);
            assert!(matches!(failed, Err(Error::NoImage)));
            assert!(
                taken.is_sorted() && taken.iter().all(|at| *at < 4),
                "{taken:?}"
            );
        }
    }
}
