//! Which thread takes the commits of an engine.
//!
//! An engine with a store has a thread of its own ([`Writer`]), because a client that hangs up must
//! not stop a commit half-way, and because waiting commits can share a sync only if one party
//! collects them. A forked engine writes to memory alone and waits for nothing, so the thread that
//! hands in a commit takes it ([`Callers`]): ten thousand worlds have no thread between them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::commit::{Committer, Request, contained, hand_back};
use crate::error::Error;
use crate::retention::is_due;
use crate::shared::Shared;
use crate::store::StoreError;
use crate::store::failpoint::{Point, reach};

/// The most commits that share a sync, so that the first of them does not wait forever.
const COMMITS_PER_SYNC: usize = 64;

/// Nothing wakes the writer when the clock is set, so it looks at it now and then while a commit
/// awaits its confirmation.
const CLOCK_POLL: Duration = Duration::from_secs(10);

/// Where commits, and everything else that changes what is kept, are handed in.
pub(crate) enum Lane {
    /// A thread of its own takes them.
    Thread(Writer),
    /// The thread that hands one in takes what waits.
    Callers(Callers),
}

impl Lane {
    /// Does something between two batches, and waits for it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Committer) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        match self {
            Self::Thread(writer) => writer.queue.call(work),
            Self::Callers(callers) => callers.call(work),
        }
    }

    pub(crate) fn submit(&self, request: Request) {
        match self {
            Self::Thread(writer) => writer.submit(request),
            Self::Callers(callers) => callers.submit(request),
        }
    }

    /// Finishes what was accepted; what comes later is refused.
    pub(crate) fn stop(&self) {
        match self {
            Self::Thread(writer) => writer.stop(),
            Self::Callers(callers) => callers.stop(),
        }
    }
}

enum Message {
    Commit(Request),
    Task(Box<dyn FnOnce(&mut Committer) + Send>),
    Stop,
}

// A task that answers, and where its answer comes.
fn task<T: Send + 'static>(
    work: impl FnOnce(&mut Committer) -> Result<T, Error> + Send + 'static,
) -> (Message, Receiver<Result<T, Error>>) {
    let (answer, answered) = sync_channel(1);
    let task = Message::Task(Box::new(move |committer| {
        let done = contained(|| work(committer));
        reach(Point::TaskDone);
        // The caller that waited may be gone.
        let _ = answer.send(done);
    }));
    (task, answered)
}

// ===== a thread of its own =====

/// The writer thread's front.
pub(crate) struct Writer {
    queue: WriterQueue,
    thread: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

/// Where work for the writer thread is put.
#[derive(Clone)]
pub(crate) struct WriterQueue(Sender<Message>);

impl WriterQueue {
    /// Does something on the writer's thread, between two batches, and waits for it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Committer) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (task, answered) = task(work);
        let stopped = || Error::Store(StoreError::Poisoned);
        self.0.send(task).map_err(|_| stopped())?;
        answered.recv().map_err(|_| stopped())?
    }
}

impl Writer {
    /// `nudge` is used when there is something for the background to do.
    pub(crate) fn start(shared: Arc<Shared>, nudge: SyncSender<()>) -> Result<Self, Error> {
        let (queue, waiting) = channel();
        let committer = Committer::new(Arc::clone(&shared));
        let work = WriterThread { committer, nudge, held: None };
        let thread = std::thread::Builder::new()
            .name("boxwood-writer".to_owned())
            .spawn(move || work.run(&waiting))
            .map_err(|_| Error::Internal("the system gave no thread for the writer"))?;
        Ok(Self { queue: WriterQueue(queue), thread: Mutex::new(Some(thread)), shared })
    }

    pub(crate) fn queue(&self) -> WriterQueue {
        self.queue.clone()
    }

    fn submit(&self, request: Request) {
        if let Err(refused) = self.queue.0.send(Message::Commit(request))
            && let Message::Commit(request) = refused.0
        {
            hand_back(&self.shared, request, Err(Error::Store(StoreError::Poisoned)));
        }
    }

    fn stop(&self) {
        // A writer that is gone already has nothing left to stop.
        let _ = self.queue.0.send(Message::Stop);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The writer thread's own.
struct WriterThread {
    committer: Committer,
    nudge: SyncSender<()>,
    // What came after the commits of a batch, and is done next.
    held: Option<Message>,
}

impl WriterThread {
    fn run(mut self, waiting: &Receiver<Message>) {
        loop {
            self.committer.expire_in_time();
            match self.next(waiting) {
                Ok(Message::Commit(first)) => {
                    let requests = self.collect(first, waiting);
                    self.committer.commit_all(requests);
                }
                Ok(Message::Task(task)) => task(&mut self.committer),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if is_due(&self.committer.shared) {
                // One that is at it already looks again when it is done.
                let _ = self.nudge.try_send(());
            }
        }
        // Requests that came after the stop are refused, not forgotten.
        let held = self.held.take().into_iter();
        for message in held.chain(std::iter::from_fn(|| waiting.try_recv().ok())) {
            if let Message::Commit(request) = message {
                let stopped = Error::Store(StoreError::Poisoned);
                hand_back(&self.committer.shared, request, Err(stopped));
            }
        }
    }

    fn next(&mut self, waiting: &Receiver<Message>) -> Result<Message, RecvTimeoutError> {
        match (self.held.take(), self.committer.time_left()) {
            (Some(held), _) => Ok(held),
            (None, Some(left)) => waiting.recv_timeout(left.min(CLOCK_POLL)),
            (None, None) => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    // The commits that are waiting already, up to something else.
    fn collect(&mut self, first: Request, waiting: &Receiver<Message>) -> VecDeque<Request> {
        let mut requests = VecDeque::from([first]);
        while requests.len() < COMMITS_PER_SYNC
            && let Ok(message) = waiting.try_recv()
        {
            match message {
                Message::Commit(request) => requests.push_back(request),
                other => {
                    self.held = Some(other);
                    break;
                }
            }
        }
        requests
    }
}

// ===== the caller's thread =====

/// Commits that are taken by those who hand them in. No thread waits for a lock to hand one in:
/// where another one is taking commits, it takes this one as well.
pub(crate) struct Callers {
    waiting: Mutex<VecDeque<Message>>,
    committer: Mutex<Committer>,
    stopped: AtomicBool,
}

impl Callers {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let committer = Mutex::new(Committer::new(shared));
        Self { waiting: Mutex::default(), committer, stopped: AtomicBool::new(false) }
    }

    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Committer) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (task, answered) = task(work);
        self.waiting.lock().push_back(task);
        self.work();
        answered.recv().map_err(|_| Error::Closed)?
    }

    fn submit(&self, request: Request) {
        self.waiting.lock().push_back(Message::Commit(request));
        self.work();
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.work();
    }

    // A message is put in before this is called, and the queue is looked at again after the
    // committer is free: so one of those who come at the same time finds it.
    fn work(&self) {
        while let Some(mut committer) = self.committer.try_lock() {
            self.drain(&mut committer);
            drop(committer);
            if self.waiting.lock().is_empty() {
                return;
            }
        }
    }

    fn drain(&self, committer: &mut Committer) {
        if !self.stopped.load(Ordering::Acquire) {
            committer.expire_in_time();
        }
        while let Some(message) = self.next() {
            match message {
                Message::Commit(first) if self.stopped.load(Ordering::Acquire) => {
                    hand_back(&committer.shared, first, Err(Error::Closed));
                }
                Message::Commit(first) => committer.commit_all(self.collect(first)),
                // Dropped where nothing is taken any more: that answers it.
                Message::Task(task) if !self.stopped.load(Ordering::Acquire) => task(committer),
                Message::Task(_) | Message::Stop => {}
            }
        }
    }

    fn next(&self) -> Option<Message> {
        self.waiting.lock().pop_front()
    }

    fn collect(&self, first: Request) -> VecDeque<Request> {
        let mut waiting = self.waiting.lock();
        let mut requests = VecDeque::from([first]);
        while requests.len() < COMMITS_PER_SYNC
            && let Some(Message::Commit(_)) = waiting.front()
            && let Some(Message::Commit(request)) = waiting.pop_front()
        {
            requests.push_back(request);
        }
        requests
    }
}
