//! One connection: which protocol it speaks, the requests on it, and when it has to end.
//!
//! The protocol is decided by ALPN, and clear text is HTTP/1 only. hyper-util's `auto` looks at the
//! first bytes instead, with no timer while it waits for them, and we do not need it.
//!
//! hyper times the head of an HTTP/1 request and nothing else, with a timer that it makes for each
//! request. The [`Watchdog`] does that and the rest for both protocols, by three facts about the connection: how many requests are being handled, since when
//! nothing has happened, and since when the peer has taken none of our bytes. Time spent in a handler
//! is never the client's fault and is not counted.
//!
//! A panic in a handler is answered; hyper by itself would drop the connection and with it the other
//! requests of an HTTP/2 client. A handler never outlives its connection: so the connection limits
//! bound the handlers too, and a client that goes away takes its handler with it. A handler must
//! therefore be prepared to be dropped at any `await`.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::{self, Method, Version, header, request::Parts};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::body::Unread;
use super::prompt::Prompt;
use super::seldom::{Either, either};
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

/// An idle HTTP/2 connection that still took this many bytes between two looks is reading an answer.
/// More than pings and window updates add up to.
const READING_BYTES: u64 = 4 * 1024;

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. It is lent, since it is large and would be moved from future to future;
    /// whoever reads the body takes it out.
    ///
    /// The future is dropped when the client goes away and when draining takes too long, so a change
    /// that must be whole has to happen between two `await`s or on a thread of its own.
    fn handle(
        &self,
        request: &mut Request,
    ) -> impl Future<Output = http::Response<AnswerBody>> + Send;

    /// The answer to a request whose [`handle`](Self::handle) panicked.
    fn panicked(&self) -> http::Response<AnswerBody>;
}

/// A request: its head is complete, its body not read yet.
pub struct Request {
    /// Method, URI, version and header fields. Not checked yet: see [`check_head`].
    pub head: Parts,
    /// The body, still to be read.
    pub body: RequestBody,
    /// The client.
    pub peer: Peer,
    /// The client's certificate in DER. Always `None` as long as no listener asks for one.
    pub client_certificate: Option<Vec<u8>>,
}

/// Header fields and queries carry passwords and session identifiers: neither is shown.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { head, body: _, peer, client_certificate: _ } = self;
        f.debug_struct("Request")
            .field("method", &head.method)
            .field("path", &head.uri.path())
            .field("version", &head.version)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// HTTP/1.1 without a `Host` field.
    #[error("an HTTP/1.1 request must have a Host header")]
    HostMissing,
    /// More than one `Host` field.
    #[error("the request has more than one Host header")]
    HostRepeated,
    /// Both ways of stating the body's length.
    #[error(
        "the request has both a Content-Length and a Transfer-Encoding header: send one of them"
    )]
    LengthAmbiguous,
    /// `Expect` with anything but `100-continue`.
    #[error("the only expectation this server can meet is \"Expect: 100-continue\"")]
    ExpectationUnknown,
    /// POST or PUT without a stated length.
    #[error(
        "a POST or PUT request must state its length: send a Content-Length header, 0 if there is no body"
    )]
    LengthRequired,
}

/// Checks what hyper 1.12 lets through.
///
/// It accepts HTTP/1.1 with no `Host` and with several, and any `Expect`. Two `Content-Length` fields
/// that differ it refuses itself. `Content-Length` beside `Transfer-Encoding: chunked` it accepts over
/// HTTP/1 by removing the `Content-Length`, whichever comes first, reading the body as chunked, and
/// closing the connection after the answer; RFC 9112 (6.3) allows that, nothing can be smuggled behind
/// such a request, and we never see the pair. h2 refuses `Transfer-Encoding` altogether. The check for
/// the pair stands here so that another version of hyper which hands both on does not open the gap.
pub fn check_head(head: &Parts) -> Result<(), HeadError> {
    let http1 = head.version <= Version::HTTP_11;
    let (mut hosts, mut stated, mut chunked, mut expects_more) = (0, false, false, false);
    // One pass costs less than looking for each of them.
    for (name, value) in &head.headers {
        match name {
            name if name == header::HOST => hosts += 1,
            name if name == header::CONTENT_LENGTH => stated = true,
            name if name == header::TRANSFER_ENCODING => chunked = true,
            name if name == header::EXPECT => {
                expects_more |= !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
    }
    match hosts {
        // HTTP/2 names the host in `:authority`, HTTP/1.0 need not name it at all.
        0 if head.version == Version::HTTP_11 => return Err(HeadError::HostMissing),
        0 | 1 => {}
        _ => return Err(HeadError::HostRepeated),
    }
    if stated && chunked {
        return Err(HeadError::LengthAmbiguous);
    }
    if expects_more {
        return Err(HeadError::ExpectationUnknown);
    }
    let needs_length = head.method == Method::POST || head.method == Method::PUT;
    if http1 && needs_length && !stated && !chunked {
        return Err(HeadError::LengthRequired);
    }
    Ok(())
}

/// How much of a refused body is read and dropped at least, so that its sender sees the refusal.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// The other end of a connection: what is known before its first byte of HTTP. Its text, which is in
/// the log line of every request, is made once.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    secure: bool,
    text: Arc<str>,
}

impl Peer {
    /// The client at an address, over TLS or not.
    #[must_use]
    pub fn new(address: SocketAddr, secure: bool) -> Self {
        Self { address, secure, text: address.to_string().into() }
    }

    /// The client's address; an IPv4 client of an IPv6 listener is shown as IPv4.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address and port, as text.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text
    }

    /// Whether the connection is TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Serves one connection to its end. It ends by itself, by the watchdog, or, once `stop` turns true,
/// when the requests under way are answered.
pub(crate) async fn serve<H, IO>(
    io: IO,
    protocol: Protocol,
    peer: Peer,
    handler: Arc<H>,
    limits: Arc<Limits>,
    stop: watch::Receiver<bool>,
) where
    H: Handler,
    IO: Read + Write + Unpin + Send + 'static,
{
    let watchdog = Watchdog::new();
    let io = WatchedIo { io, watchdog: watchdog.clone() };
    // One thing to share for each request, and only with others of this connection: counting what
    // all connections share costs every request when there are several cores.
    let ours = Arc::new(Ours { handler, limits, peer, watchdog, stop: stop.clone() });
    let service = {
        let ours = Arc::clone(&ours);
        service_fn(move |request: http::Request<Incoming>| {
            let ours = Arc::clone(&ours);
            // Taken here and not inside the future: a request counts from the moment it is known.
            let busy = ours.watchdog.request_begins();
            let mut received = ours.received(request);
            let answering = async move {
                // Lent: what a future is given by value is in it twice.
                let response = ours.answer(&mut received.request).await;
                Ok::<_, Infallible>(ours.answered(received, response, busy))
            };
            match protocol {
                Protocol::Http1 => Prompt::begin(answering),
                // Each has a task of its own, and must not hold up the others of its connection.
                Protocol::Http2 => Prompt::leave(answering),
            }
        })
    };
    let Ours { limits, peer, watchdog, .. } = &*ours;
    let outcome = match protocol {
        Protocol::Http1 => {
            let connection = http1_builder(limits).serve_connection(io, service);
            drive(connection, watchdog, limits, stop).await
        }
        Protocol::Http2 => {
            let connection = http2_builder(limits).serve_connection(io, service);
            drive(connection, watchdog, limits, stop).await
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
        // A client that waits to be told to go on sends nothing that could be discarded.
        let waits = request.head.headers.contains_key(header::EXPECT);
        // With it goes its body, and what is left of that to where it can be discarded.
        drop(request);
        if waits {
            unread.forget();
        } else {
            let limits = &self.limits;
            unread.discard(limits.body_bytes.max(DISCARD_BYTES), limits.body_timeout);
        }
        response.map(|body| body.held(busy, &self.stop))
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
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Silent => f.write_str("cut: no request came"),
            Self::Idle => f.write_str("cut: idle"),
            Self::Stalled => f.write_str("cut: the peer does not read"),
        }
    }
}

/// Polls a connection until it ends or has to.
async fn drive<C>(
    connection: C,
    watchdog: &Watchdog,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) -> Outcome
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let mut next_look = Instant::now() + limits.header_timeout;
    let mut closing = false;
    loop {
        let (told, look) = ((!closing).then_some(&mut stop), next_look);
        match either(connection.as_mut(), pin!(event(told, look))).await {
            Either::Often(Ok(())) => return Outcome::Finished,
            Either::Often(Err(error)) => return Outcome::Failed(error),
            Either::Seldom(Event::Stop) => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            Either::Seldom(Event::Look) => match watchdog.look(Instant::now(), limits) {
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

/// What happens to a connection beside its requests.
enum Event {
    Stop,
    Look,
}

async fn event(stop: Option<&mut watch::Receiver<bool>>, look: Instant) -> Event {
    let told = async {
        match stop {
            Some(stop) => stopped(stop).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = told => Event::Stop,
        () = sleep_until(look) => Event::Look,
    }
}

/// Waits until the server is told to stop, or its handle is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The guard that comes back holds a lock: it must not outlive this line.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// What happens on one connection, shared by its input and output, its requests and its driver.
#[derive(Clone, Debug)]
struct Watchdog(Arc<Mutex<Activity>>);

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
}

/// What is to be done with a connection.
#[derive(Debug, PartialEq)]
enum Verdict {
    LookAgain(Instant),
    Silent,
    Idle,
    Stalled,
}

impl Watchdog {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Activity {
            spoke: false,
            in_flight: 0,
            last: Instant::now(),
            written: 0,
            written_at_last_look: 0,
            blocked_since: None,
        })))
    }

    fn request_begins(&self) -> Busy {
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
            }
            Poll::Ready(Err(_)) => activity.blocked_since = None,
            Poll::Pending => {
                activity.blocked_since.get_or_insert_with(Instant::now);
            }
        }
    }

    fn look(&self, now: Instant, limits: &Limits) -> Verdict {
        self.0.lock().look(now, limits)
    }
}

impl Activity {
    fn look(&mut self, now: Instant, limits: &Limits) -> Verdict {
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
struct WatchedIo<IO> {
    io: IO,
    watchdog: Watchdog,
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
    use super::*;

    fn check(method: &str, version: Version, headers: &[(&str, &str)]) -> Result<(), HeadError> {
        let mut builder = http::Request::builder().method(method).version(version).uri("/");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        check_head(&builder.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn heads() {
        const ONE: Version = Version::HTTP_11;
        let host = ("host", "box");
        let length = ("content-length", "0");
        let chunked = ("transfer-encoding", "chunked");
        type Row<'a> = (&'a str, Version, &'a [(&'a str, &'a str)], Result<(), HeadError>);
        let table: &[Row<'_>] = &[
            ("GET", ONE, &[host], Ok(())),
            ("GET", ONE, &[], Err(HeadError::HostMissing)),
            ("GET", ONE, &[host, host], Err(HeadError::HostRepeated)),
            ("GET", Version::HTTP_10, &[], Ok(())),
            ("GET", Version::HTTP_10, &[host, host], Err(HeadError::HostRepeated)),
            ("GET", Version::HTTP_2, &[], Ok(())),
            ("POST", ONE, &[host, length], Ok(())),
            ("POST", ONE, &[host, chunked], Ok(())),
            ("POST", ONE, &[host, length, chunked], Err(HeadError::LengthAmbiguous)),
            ("POST", ONE, &[host], Err(HeadError::LengthRequired)),
            ("PUT", Version::HTTP_10, &[], Err(HeadError::LengthRequired)),
            ("POST", Version::HTTP_2, &[], Ok(())),
            ("DELETE", ONE, &[host], Ok(())),
            ("PUT", ONE, &[host, length, ("expect", "100-Continue")], Ok(())),
            ("PUT", ONE, &[host, length, ("expect", "tea")], Err(HeadError::ExpectationUnknown)),
        ];
        for (method, version, headers, expect) in table {
            assert_eq!(
                check(method, *version, headers),
                *expect,
                "{method} {version:?} {headers:?}"
            );
        }
    }

    #[test]
    fn debug_shows_neither_fields_nor_query_nor_body() {
        let head = http::Request::get("/api/x?password=hunter2").header("authorization", "hunter2");
        let request = Request {
            head: head.body(()).unwrap().into_parts().0,
            body: RequestBody::memory("hunter2"),
            peer: Peer::new(([127, 0, 0, 1], 1).into(), true),
            client_certificate: None,
        };
        let shown = format!("{request:?} {:?}", request.body);
        assert!(shown.contains("/api/x") && !shown.contains("hunter2"), "{shown}");
    }

    /// A connection at time zero, and the time so many seconds later.
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
}
