//! What need not happen while somebody waits: checkpoints, and taking old records away.
//!
//! A thread of its own writes checkpoints beside commits, reads them back, and then has the writer
//! take old records away, a few at a time between two batches. Nothing is taken away that no
//! checkpoint covers which was read back and found right, nothing that a tag or an unconfirmed
//! commit needs, and the newest record never.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::error::Error;
use crate::lane::WriterQueue;
use crate::retention::{is_older, protected, since_checkpoint};
use crate::revision::RevisionNumber;
use crate::shared::Shared;
use crate::store::failpoint::{Point, reach};
use crate::store::{Shortened, chain};

/// At most so many records are looked at for their age in one go.
const RETENTION_SCAN_RECORDS: usize = 4096;

/// What the background works on, with the writer's help.
pub(crate) struct Duties {
    shared: Arc<Shared>,
    queue: WriterQueue,
    // One at a time.
    busy: Mutex<()>,
}

/// The thread.
pub(crate) struct Background {
    pub(crate) duties: Arc<Duties>,
    thread: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
    stop: Arc<AtomicBool>,
}

impl Duties {
    /// Writes a checkpoint if one is due, and takes away what need not be kept.
    pub(crate) fn run(&self) -> Result<(), Error> {
        let _one = self.busy.lock();
        let shared = &self.shared;
        if shared.log.is_poisoned() {
            return Ok(());
        }
        if since_checkpoint(shared) >= shared.checkpoint_every {
            self.checkpoint();
        }
        self.shorten().inspect_err(|_| {
            let next = shared.running.load().number.get() + shared.checkpoint_every;
            shared.shorten_not_before.store(next, Ordering::Relaxed);
        })
    }

    fn shorten(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let from = self.oldest_to_keep()?;
        if from <= shared.log.oldest_number() {
            return Ok(());
        }
        if shared.log.cover(from).is_err() {
            self.checkpoint();
            shared.log.cover(from)?;
        }
        reach(Point::ShortenCovered);
        while self.queue.call(move |work| Ok(work.shared.log.shorten(from)?))? == Shortened::InPart
        {
        }
        reach(Point::ShortenDone);
        tracing::debug!(oldest = shared.log.oldest_number().get(), "history shortened");
        Ok(())
    }

    fn oldest_to_keep(&self) -> Result<RevisionNumber, Error> {
        let (shared, protected) = (&self.shared, protected(&self.shared));
        let head = shared.log.head_number().get();
        let by_count = (head + 1).saturating_sub(shared.history.revisions.max(1));
        let mut from = shared.log.oldest_number().max(RevisionNumber::new(by_count));
        for _ in 0..RETENTION_SCAN_RECORDS {
            if from >= protected || !is_older(shared, from)? {
                break;
            }
            from = from.next();
        }
        Ok(from.min(protected))
    }

    fn checkpoint(&self) {
        let running = self.shared.running.load_full();
        match self.shared.log.checkpoint(running.number, &running.tree) {
            Ok(()) => tracing::debug!(revision = running.number.get(), "checkpoint written"),
            // Only the next start takes longer; the revisions themselves are in the store.
            Err(error) => {
                tracing::warn!(error = chain(&error), "a checkpoint could not be written");
            }
        }
        self.shared.checkpointed.store(running.number.get(), Ordering::Relaxed);
    }

    // At the end, so that the next start has less to replay.
    fn last_checkpoint(&self) {
        let head = self.shared.running.load().number.get();
        if head > self.shared.checkpointed.load(Ordering::Relaxed) && !self.shared.log.is_poisoned()
        {
            self.checkpoint();
        }
    }
}

impl Background {
    pub(crate) fn start(
        shared: Arc<Shared>,
        queue: WriterQueue,
        nudge: SyncSender<()>,
        nudged: Receiver<()>,
    ) -> Result<Self, Error> {
        let duties = Arc::new(Duties { shared, queue, busy: Mutex::new(()) });
        let stop = Arc::new(AtomicBool::new(false));
        let (at_work, told) = (Arc::clone(&duties), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("boxwood-history".to_owned())
            .spawn(move || {
                while nudged.recv().is_ok() && !told.load(Ordering::Acquire) {
                    if let Err(error) = at_work.run() {
                        tracing::warn!(error = chain(&error), "the history was not shortened");
                    }
                }
            })
            .map_err(|_| Error::Internal("the system gave no thread for the history"))?;
        Ok(Self { duties, thread: Mutex::new(Some((nudge, thread))), stop })
    }

    /// After the writer has stopped: waits for what is under way, and writes a checkpoint.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        if let Some((nudge, thread)) = self.thread.lock().take() {
            // A full channel wakes it as well.
            let _ = nudge.try_send(());
            drop(nudge);
            let _ = thread.join();
            self.duties.last_checkpoint();
        }
    }
}
