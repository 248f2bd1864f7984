//! Waiting for sled to hand everything to the kernel, which it may forget to say.
//!
//! When a write fails on one of its threads, sled 0.34.7 notes the error, and on one of the two ways
//! that lead there wakes nobody: a flush that waits already waits for ever (seen with a full disk,
//! one time in five). Whoever begins a flush after that sees the error at once, and wakes the
//! others. So a flush that takes its time is not waited for alone: another one is begun beside it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// A flush seldom takes longer; on a busy disk another one beside it costs nothing.
const FIRST: Duration = Duration::from_millis(100);

/// As each that waits occupies one of sled's threads, of which there are 128.
const LONGEST: Duration = Duration::from_secs(30);

/// Hands everything to the kernel.
pub(super) fn flush(db: &sled::Db) -> Result<(), sled::Error> {
    await_one(|| db.flush_async()).map(drop)
}

/// Waits for what `begin` begins; for another of it beside, when that takes long.
fn await_one<T, F: Future<Output = T>>(begin: impl Fn() -> F) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut patience = FIRST;
    loop {
        // The one before goes on without anybody listening.
        let mut future = pin!(begin());
        // Woken for nothing now and then, which only begins another one earlier.
        for _ in 0..2 {
            if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
                return answer;
            }
            std::thread::park_timeout(patience);
        }
        patience = (patience * 2).min(LONGEST);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn one_that_never_comes_back_is_not_waited_for_alone() {
        let begun = AtomicU32::new(0);
        let answer = await_one(|| {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            std::future::poll_fn(move |_| match number {
                0 | 1 => Poll::Pending,
                _ => Poll::Ready(number),
            })
        });
        assert_eq!(answer, 2);
    }

    #[test]
    fn the_answer_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::Config::default().path(dir.path()).open().unwrap();
        for number in 0_u32..50 {
            db.insert(number.to_be_bytes(), b"value").unwrap();
            flush(&db).unwrap();
        }
    }
}
