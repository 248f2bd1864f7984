//! One connection: its protocol, the requests on it, and when it has to end.
//!
//! The protocol is decided by ALPN, and clear text is HTTP/1 only. hyper-util's `auto` looks at the
//! first bytes instead, with no timer while it waits for them, and we do not need it.
//!
//! When it has to end for want of anything happening is the [`Watchdog`]'s to say.
//!
//! A panic in a handler is answered; hyper by itself would drop the connection and with it the other
//! requests of an HTTP/2 client. A handler never outlives its connection: so the connection limits
//! bound the handlers too, and a client that goes away takes its handler with it. A handler must
//! therefore be prepared to be dropped at any `await`.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::{self, header};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::address::network;
use super::body::Unread;
use super::eager::Eager;
use super::rare_wakeup::{Either, either};
use super::request::{Handler, Peer, Request};
use super::waiting::{Reader, Waiting};
use super::watchdog::{Busy, Verdict, Watchdog, WatchedIo};
use super::{AnswerBody, Limits, RequestBody};

/// hyper refuses a smaller read buffer.
const LEAST_BUFFER: usize = 8 * 1024;

/// Largest head of an HTTP/2 request, decompressed; hyper's own default, stated.
const HTTP2_HEAD_BYTES: usize = 16 * 1024;

/// HTTP/2 ping: how often, and how long the answer may take. It finds peers that vanished without a
/// word; those that answer pings and do nothing else are the watchdog's.
const HTTP2_PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Streams reset by the peer before we looked at them, and streams reset by us because of errors,
/// after which the connection ends (the "rapid reset" attacks).
const HTTP2_RESETS: (usize, usize) = (20, 128);

/// How much of a refused body is read and dropped at least, so that its sender sees the refusal.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Serves one connection to its end. It ends by itself, by the watchdog, or, once `stop` turns true,
/// when the requests under way are answered.
pub(crate) async fn serve<H, IO>(
    io: IO,
    protocol: Protocol,
    peer: Peer,
    handler: Arc<H>,
    limits: Arc<Limits>,
    waiting: &Arc<Waiting>,
    stop: watch::Receiver<bool>,
) where
    H: Handler,
    IO: Read + Write + Unpin + Send + 'static,
{
    let watchdog = Watchdog::new();
    let reader = waiting.reader(network(peer.address().ip()), watchdog.clone());
    let io = WatchedIo { io, watchdog: watchdog.clone() };
    // One thing to share for each request, and only with others of this connection: counting what
    // all connections share costs every request when there are several cores.
    let ours = Arc::new(Ours { handler, limits, peer, watchdog, reader, stop: stop.clone() });
    let service = {
        let ours = Arc::clone(&ours);
        service_fn(move |request: http::Request<Incoming>| {
            let ours = Arc::clone(&ours);
            // Taken here and not inside the future: a request counts from the moment it is known.
            let busy = ours.watchdog.request_begins();
            let mut received = ours.received(request);
            let answering = async move {
                // Over HTTP/1 an answer is not begun before the last one has gone out.
                if protocol == Protocol::Http2 {
                    ours.reader.room().await;
                }
                // Lent: what a future is given by value is in it twice.
                let response = ours.answer(&mut received.request).await;
                Ok::<_, Infallible>(ours.answered(received, response, busy))
            };
            match protocol {
                Protocol::Http1 => Eager::begin(answering),
                // Each has a task of its own, and must not hold up the others of its connection.
                Protocol::Http2 => Eager::leave(answering),
            }
        })
    };
    let Ours { limits, peer, .. } = &*ours;
    let outcome = match protocol {
        Protocol::Http1 => {
            let connection = http1_builder(limits).serve_connection(io, service);
            drive(connection, &ours, stop).await
        }
        Protocol::Http2 => {
            let connection = http2_builder(limits).serve_connection(io, service);
            drive(connection, &ours, stop).await
        }
    };
    tracing::debug!(%peer, ?protocol, %outcome, "connection ended");
}

/// What the requests of a connection share.
struct Ours<H> {
    handler: Arc<H>,
    limits: Arc<Limits>,
    peer: Peer,
    watchdog: Watchdog,
    reader: Arc<Reader>,
    stop: watch::Receiver<bool>,
}

/// A request, and where what was not read of its body goes.
struct Received {
    request: Request,
    unread: Unread,
}

impl<H: Handler> Ours<H> {
    fn received(&self, request: http::Request<Incoming>) -> Received {
        let (head, body) = request.into_parts();
        let unread = Unread::place_for(&body);
        let body = RequestBody::wire(body, unread.clone());
        let request = Request { head, body, peer: self.peer.clone(), client_certificate: None };
        Received { request, unread }
    }

    /// Calls the handler; a panic becomes the handler's own answer to panics.
    async fn answer(&self, request: &mut Request) -> http::Response<AnswerBody> {
        // An async block, so that a `handle` which panics before its first await is caught as well.
        let mut handling = pin!(async { self.handler.handle(request).await });
        let outcome = poll_fn(|context| {
            // Unwind safety: the future is not polled again after a panic, and what it shares with
            // the rest of the process sits behind parking_lot locks, which a panic releases.
            match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
                Ok(poll) => poll.map(Some),
                Err(_) => Poll::Ready(None),
            }
        })
        .await;
        match outcome {
            Some(response) => response,
            None => {
                tracing::error!(peer = %self.peer, "a request handler panicked");
                self.handler.panicked()
            }
        }
    }

    fn answered(
        &self,
        received: Received,
        response: http::Response<AnswerBody>,
        busy: Busy,
    ) -> http::Response<AnswerBody> {
        let Received { request, unread } = received;
        // A client that waits for 100 Continue sends nothing that could be discarded.
        let waits = request.head.headers.contains_key(header::EXPECT);
        // With it goes its body, and what is left of that to where it can be discarded.
        drop(request);
        if waits {
            unread.forget();
        } else {
            let limits = &self.limits;
            unread.discard(limits.body_bytes.max(DISCARD_BYTES), limits.body_timeout);
        }
        response.map(|body| body.held(busy, &self.stop).counted(&self.reader))
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The watchdog does this, with one timer for each connection where hyper makes one for each
        // request.
        .header_read_timeout(None)
        // The buffer bounds an endless head, the header size bounds a complete one exactly.
        .max_buf_size(limits.head_bytes.max(LEAST_BUFFER))
        .max_header_size(limits.head_bytes)
        .max_headers(limits.headers);
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let head_bytes = limits.head_bytes.min(HTTP2_HEAD_BYTES);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_PING.0)
        .keep_alive_timeout(HTTP2_PING.1)
        .max_pending_accept_reset_streams(HTTP2_RESETS.0)
        .max_local_error_reset_streams(HTTP2_RESETS.1);
    builder
}

/// How a connection ended.
#[derive(Debug)]
enum Outcome {
    Finished,
    Failed(hyper::Error),
    /// No request came.
    Silent,
    /// It did not end although asked to.
    Idle,
    /// The peer did not read.
    Stalled,
    /// Too much waited, and the peer had read nothing for the longest time.
    Crowded,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Silent => f.write_str("cut: no request came"),
            Self::Idle => f.write_str("cut: idle"),
            Self::Stalled => f.write_str("cut: the peer does not read"),
            Self::Crowded => {
                f.write_str("cut: too many answers wait, and the peer reads the least")
            }
        }
    }
}

/// Polls a connection until it ends or has to.
async fn drive<C, H>(connection: C, ours: &Ours<H>, mut stop: watch::Receiver<bool>) -> Outcome
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let Ours { watchdog, limits, reader, .. } = ours;
    let mut connection = pin!(connection);
    let mut next_look = Instant::now() + limits.header_timeout;
    let mut closing = false;
    loop {
        let (stopping, look) = ((!closing).then_some(&mut stop), next_look);
        match either(connection.as_mut(), pin!(event(stopping, reader, look))).await {
            Either::Often(Ok(())) => return Outcome::Finished,
            Either::Often(Err(error)) => return Outcome::Failed(error),
            Either::Rare(Event::Stop) => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            Either::Rare(Event::Crowded) => return Outcome::Crowded,
            Either::Rare(Event::Look) => match watchdog.look(Instant::now(), limits) {
                Verdict::LookAgain(at) => next_look = at,
                Verdict::Silent => return Outcome::Silent,
                Verdict::Stalled => return Outcome::Stalled,
                Verdict::Idle if closing => return Outcome::Idle,
                Verdict::Idle => {
                    // Says goodbye, so that a request on its way is known to be lost and is sent
                    // again elsewhere; cut at the next look if that does not end it.
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                    next_look = Instant::now() + limits.header_timeout;
                }
            },
        }
    }
}

/// What happens to a connection other than requests.
enum Event {
    Stop,
    Crowded,
    Look,
}

async fn event(stop: Option<&mut watch::Receiver<bool>>, reader: &Reader, look: Instant) -> Event {
    let stopping = async {
        match stop {
            Some(stop) => stopped(stop).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = stopping => Event::Stop,
        () = reader.cut() => Event::Crowded,
        () = sleep_until(look) => Event::Look,
    }
}

/// Waits until the server begins to stop, or its handle is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The guard that comes back holds a lock: it must not outlive this line.
    let _ = stop.wait_for(|stopping| *stopping).await;
}
