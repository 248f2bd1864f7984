//! Progress of long operations on standard error; short ones, and standard output, have none.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long an operation may take before it reports progress, and the time between two reports.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts what is done, and says so each second until it is dropped.
pub struct Progress {
    done: Arc<AtomicU64>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is said of so much.
pub type Say = fn(done: u64, total: u64) -> String;

impl Progress {
    /// Begins to count up to `total`.
    pub fn begin(total: u64, say: Say) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let (end, ended) = channel::<()>();
        let seen = Arc::clone(&done);
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let sentence = say(seen.load(Ordering::Relaxed), total);
                // Where it cannot be written, the work goes on.
                let _ = writeln!(io::stderr(), "boxwood: {sentence}");
            }
        });
        // Without a thread the work is done in silence.
        Self { done, end: Some(end), thread: thread.ok() }
    }

    /// Says how much is done by now.
    pub fn reached(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
