//! Waiting for sled to hand everything to the kernel, which it may forget to say.
//!
//! When a write fails on one of its threads, sled 0.34.7 notes the error, and on one of the two ways
//! that lead there wakes no waiter: a flush that waits already waits forever (seen with a full disk,
//! one time in five). The next flush sees the error at once, and wakes the
//! others. So a flush that takes its time is not waited for alone: another one is begun.
//!
//! Where a commit waits, that is the business of a thread of its own, as handing the flush itself to
//! another thread would cost every commit two changes of threads.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// A flush rarely takes longer; on a busy disk another one costs nothing.
const FLUSH_PATIENCE: Duration = Duration::from_millis(100);

/// As each that waits occupies one of sled's threads, of which there are 128.
const LONGEST_FLUSH_PATIENCE: Duration = Duration::from_secs(30);

/// Hands everything to the kernel, from a thread that need not be quick about it.
pub(super) fn flush(db: &sled::Db) -> Result<(), sled::Error> {
    await_one(|| db.flush_async()).map(drop)
}

/// Flushes, and looks after flushes that do not come back.
pub(super) struct Flusher {
    watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Watched {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    // How many flushes were begun, and how many of them have not come back: stores that share a
    // database flush at the same time.
    begun: u64,
    under_way: u32,
    // Whether the thread sleeps until there is a flush to look after.
    asleep: bool,
    stopped: bool,
}

impl Flusher {
    /// Begins to look after the flushes of a store; `help` begins others, until one comes back.
    pub(super) fn start(help: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let watched = Arc::new(Watched::default());
        let watch = Arc::clone(&watched);
        let thread = std::thread::Builder::new().name("boxwood-flush".to_owned());
        let thread = thread.spawn(move || watch.run(&help))?;
        Ok(Self { watched, thread: Some(thread) })
    }

    /// Hands everything to the kernel.
    pub(super) fn flush(&self, db: &sled::Db) -> Result<(), sled::Error> {
        let _under_way = self.watched.begin();
        db.flush().map(drop)
    }
}

/// A flush that has not come back, nor ended in a panic.
struct UnderWay<'w>(&'w Watched);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state.lock().under_way -= 1;
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.watched.state.lock().stopped = true;
        self.watched.changed.notify_one();
        // Whatever stopped it, nothing is left to look after.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Watched {
    fn begin(&self) -> UnderWay<'_> {
        let mut state = self.state.lock();
        state.begun += 1;
        state.under_way += 1;
        if state.asleep {
            self.changed.notify_one();
        }
        UnderWay(self)
    }

    // While one flush follows another this thread need not be woken: it looks now and then, and
    // goes to sleep when nothing has happened between two looks.
    fn run(&self, help: &dyn Fn()) {
        let mut state = self.state.lock();
        let mut seen = 0;
        while !state.stopped {
            if state.begun == seen && state.under_way == 0 {
                state.asleep = true;
                self.changed.wait(&mut state);
                state.asleep = false;
                continue;
            }
            if state.begun == seen {
                drop(state);
                help();
                state = self.state.lock();
            }
            seen = state.begun;
            let is_idle = |state: &mut State| !state.stopped;
            self.changed.wait_while_for(&mut state, is_idle, FLUSH_PATIENCE);
        }
    }
}

/// Waits for what `begin` begins; for another one too, when that takes long.
fn await_one<T, F: Future<Output = T>>(begin: impl Fn() -> F) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut patience = FLUSH_PATIENCE;
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
        patience = (patience * 2).min(LONGEST_FLUSH_PATIENCE);
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
    fn a_flush_that_does_not_come_back_is_helped_and_others_are_not() {
        let (helped, helps) = std::sync::mpsc::channel();
        let flusher = Flusher::start(move || helped.send(()).unwrap()).unwrap();
        for _ in 0..2 {
            let _under_way = flusher.watched.begin();
            helps.recv().unwrap();
        }
        drop(flusher);
        assert!(helps.try_iter().count() <= 1, "one may have been on its way");
    }

    #[test]
    fn the_watch_ends_with_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::Config::default().path(dir.path()).open().unwrap();
        let flusher = Flusher::start(|| {}).unwrap();
        for number in 0_u32..50 {
            db.insert(number.to_be_bytes(), b"value").unwrap();
            flusher.flush(&db).unwrap();
        }
        let watched = Arc::downgrade(&flusher.watched);
        drop(flusher);
        assert!(watched.upgrade().is_none(), "its thread has ended");
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
