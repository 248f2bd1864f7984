//! When a connection has to end: what happens on it, looked at now and then.
//!
//! hyper times the head of an HTTP/1 request and nothing else, with a timer that it makes for each
//! request. The [`Watchdog`] does that and the rest for both protocols, by three facts about the
//! connection: how many requests are being handled, since when nothing has happened, and since when
//! the peer has taken none of our bytes. Time spent in a handler is never the client's fault and is
//! not counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Limits;

/// An idle HTTP/2 connection that still took this many bytes between two looks is reading an answer.
/// More than pings and window updates add up to.
const READING_BYTES: u64 = 4 * 1024;

/// What happens on one connection, shared by its input and output, its requests and its driver.
#[derive(Clone, Debug)]
pub(super) struct Watchdog(Arc<Mutex<Activity>>);

#[derive(Debug)]
struct Activity {
    /// Whether any request has come.
    spoke: bool,
    /// Requests whose handler has not answered yet.
    in_flight: usize,
    /// The last time a request was answered, or a peer was seen reading its answer; at first, since
    /// when there is a connection.
    last: Instant,
    /// Bytes the peer took, now and when it was last looked at.
    written: u64,
    written_at_last_look: u64,
    /// Since when bytes are waiting of which the peer took none.
    blocked_since: Option<Instant>,
    /// Bytes of large answers that have not gone out completely.
    waiting: usize,
    /// The last time when the peer had taken enough bytes to be reading, or when the first of those
    /// answers began to wait.
    read_last: Instant,
    written_at_read_last: u64,
}

/// What is to be done with a connection.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    LookAgain(Instant),
    Silent,
    Idle,
    Stalled,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Activity {
            spoke: false,
            in_flight: 0,
            last: Instant::now(),
            written: 0,
            written_at_last_look: 0,
            blocked_since: None,
            waiting: 0,
            read_last: Instant::now(),
            written_at_read_last: 0,
        })))
    }

    pub(super) fn request_begins(&self) -> Busy {
        let mut activity = self.0.lock();
        activity.spoke = true;
        activity.in_flight += 1;
        drop(activity);
        Busy(self.clone())
    }

    fn wrote(&self, outcome: &Poll<io::Result<usize>>) {
        let mut activity = self.0.lock();
        match outcome {
            Poll::Ready(Ok(bytes)) => {
                activity.written += *bytes as u64;
                activity.blocked_since = None;
                if activity.waiting > 0 {
                    activity.reads();
                }
            }
            Poll::Ready(Err(_)) => activity.blocked_since = None,
            Poll::Pending => {
                activity.blocked_since.get_or_insert_with(Instant::now);
            }
        }
    }

    pub(super) fn look(&self, now: Instant, limits: &Limits) -> Verdict {
        self.0.lock().look(now, limits)
    }

    /// A large answer begins to wait for its reader.
    pub(super) fn waits(&self, bytes: usize) {
        let mut activity = self.0.lock();
        if activity.waiting == 0 {
            activity.read_last = Instant::now();
            activity.written_at_read_last = activity.written;
        }
        activity.waiting += bytes;
    }

    /// A large answer has gone out; returns the bytes of those that still wait.
    pub(super) fn taken(&self, bytes: usize) -> usize {
        let mut activity = self.0.lock();
        activity.waiting -= bytes;
        activity.waiting
    }

    /// The bytes of large answers that wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().waiting
    }

    /// When the peer was last seen reading what waits.
    pub(super) fn read_last(&self) -> Instant {
        self.0.lock().read_last
    }
}

impl Activity {
    fn reads(&mut self) {
        if self.written - self.written_at_read_last >= READING_BYTES {
            self.read_last = Instant::now();
            self.written_at_read_last = self.written;
        }
    }

    /// By what waits, also on a socket that takes bytes: an HTTP/2 peer may read pings and keep the
    /// windows of its streams shut.
    fn look(&mut self, now: Instant, limits: &Limits) -> Verdict {
        let until = self.read_last + limits.body_timeout;
        let waits = self.waiting > 0;
        if waits && now >= until {
            return Verdict::Stalled;
        }
        match self.look_at_requests(now, limits) {
            Verdict::LookAgain(at) if waits => Verdict::LookAgain(at.min(until)),
            verdict => verdict,
        }
    }

    fn look_at_requests(&mut self, now: Instant, limits: &Limits) -> Verdict {
        let read = self.written - self.written_at_last_look;
        self.written_at_last_look = self.written;
        if read >= READING_BYTES {
            self.last = now;
        }
        if let Some(since) = self.blocked_since {
            let until = since + limits.body_timeout;
            return if now >= until { Verdict::Stalled } else { Verdict::LookAgain(until) };
        }
        if self.in_flight > 0 {
            return Verdict::LookAgain(now + limits.header_timeout);
        }
        let until = self.last + limits.header_timeout;
        match (now >= until, self.spoke) {
            (false, _) => Verdict::LookAgain(until),
            (true, false) => Verdict::Silent,
            (true, true) => Verdict::Idle,
        }
    }
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct Busy(Watchdog);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut activity = self.0.0.lock();
        activity.in_flight -= 1;
        activity.last = Instant::now();
    }
}

/// A socket that tells the watchdog what the peer takes.
pub(super) struct WatchedIo<IO> {
    pub(super) io: IO,
    pub(super) watchdog: Watchdog,
}

impl<IO: Read + Unpin> Read for WatchedIo<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<IO: Write + Unpin> Write for WatchedIo<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watchdog.wrote(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watchdog.wrote(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    // Not looked at: a socket's flush does nothing and would pass for progress.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A connection at time zero, and the time a number of seconds later.
    fn activity() -> (Watchdog, impl Fn(u64) -> Instant, Limits) {
        let watchdog = Watchdog::new();
        let start = watchdog.0.lock().last;
        (watchdog, move |seconds| start + Duration::from_secs(seconds), Limits::default())
    }

    #[test]
    fn connection_without_a_request_is_silent() {
        let (watchdog, at, limits) = activity();
        assert_eq!(watchdog.look(at(9), &limits), Verdict::LookAgain(at(10)));
        assert_eq!(watchdog.look(at(10), &limits), Verdict::Silent);
    }

    #[test]
    fn time_in_a_handler_does_not_count() {
        let (watchdog, at, limits) = activity();
        let busy = watchdog.request_begins();
        assert_eq!(watchdog.look(at(1000), &limits), Verdict::LookAgain(at(1010)));
        drop(busy);
        watchdog.0.lock().last = at(1000);
        assert_eq!(watchdog.look(at(1009), &limits), Verdict::LookAgain(at(1010)));
        assert_eq!(watchdog.look(at(1010), &limits), Verdict::Idle);
    }

    #[test]
    fn peer_that_takes_nothing_is_stalled_and_one_that_reads_is_not_idle() {
        let (watchdog, at, limits) = activity();
        drop(watchdog.request_begins());
        watchdog.wrote(&Poll::Pending);
        watchdog.0.lock().blocked_since = Some(at(1));
        assert_eq!(watchdog.look(at(30), &limits), Verdict::LookAgain(at(31)));
        assert_eq!(watchdog.look(at(31), &limits), Verdict::Stalled);
        watchdog.wrote(&Poll::Ready(Ok(READING_BYTES as usize)));
        assert_eq!(watchdog.look(at(32), &limits), Verdict::LookAgain(at(42)));
        watchdog.wrote(&Poll::Ready(Ok(READING_BYTES as usize - 1)));
        assert_eq!(watchdog.look(at(42), &limits), Verdict::Idle);
    }

    #[test]
    fn peer_that_leaves_large_answers_waiting_is_stalled_whatever_else_it_takes() {
        let (watchdog, at, limits) = activity();
        let _busy = watchdog.request_begins();
        watchdog.waits(1 << 20);
        watchdog.0.lock().read_last = at(0);
        watchdog.wrote(&Poll::Ready(Ok(READING_BYTES as usize - 1)));
        assert_eq!(watchdog.look(at(25), &limits), Verdict::LookAgain(at(30)));
        assert_eq!(watchdog.look(at(30), &limits), Verdict::Stalled);
        assert_eq!(watchdog.taken(1 << 20), 0);
        assert_eq!(watchdog.look(at(30), &limits), Verdict::LookAgain(at(40)));
    }
}
