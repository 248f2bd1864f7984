//! The transport against real sockets: who misbehaves is cut, who behaves is served.
//!
//! Every test has a server of its own on a port of its own, with limits of milliseconds where the test
//! is about one and of a minute where it is not. Nothing waits for a time: a test waits until the
//! socket closes, the counter moves, the answer comes, and gives up after [`PATIENCE`].

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use front_end::metrics::Metrics;
use front_end::transport::{
    AnswerBody, BodyError, CertificateSlot, Drained, Handler, Limits, ListenUrl, Request,
    SelfSigned, Server, Site, check_head, self_signed,
};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper::http::{self, Response, StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PATIENCE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);
const NOW: i64 = 1_795_000_000;

// Silence and drip.

#[tokio::test]
async fn silent_connection_is_closed() {
    let test = Test::http(Limits { header_timeout: SHORT, ..long() }).await;
    let mut client = test.connect().await;
    assert_eq!(rest(&mut client).await, b"");
    test.wait_until_closed().await;
    assert_eq!(test.echo.requests(), 0);
}

#[tokio::test]
async fn connection_idle_after_a_request_is_closed() {
    let test = Test::http(Limits { header_timeout: SHORT, ..long() }).await;
    let mut client = test.connect().await;
    send(&mut client, "GET /hello HTTP/1.1\r\nHost: box\r\n\r\n").await;
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    test.wait_until_closed().await;
}

#[tokio::test]
async fn dripping_header_is_closed() {
    let test = Test::http(Limits { header_timeout: SHORT, ..long() }).await;
    let (mut reading, mut writing) = test.connect().await.into_split();
    let dripping = async {
        send(&mut writing, "GET /hello HTTP/1.1\r\nHost: box\r\nX-Drip: ").await;
        while writing.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let (answer, ()) = tokio::join!(rest(&mut reading), dripping);
    assert_eq!(answer, b"");
    assert_eq!(test.echo.requests(), 0);
}

#[tokio::test]
async fn dripping_header_of_a_later_request_is_closed() {
    let test = Test::http(Limits { header_timeout: SHORT, ..long() }).await;
    let (mut reading, mut writing) = test.connect().await.into_split();
    let dripping = async {
        send(&mut writing, "GET /hello HTTP/1.1\r\nHost: box\r\n\r\n").await;
        test.wait(|| test.echo.requests() == 1).await;
        send(&mut writing, "GET /hello HTTP/1.1\r\nHost: box\r\nX-Drip: ").await;
        while writing.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let (answer, ()) = tokio::join!(rest(&mut reading), dripping);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    assert_eq!(test.echo.requests(), 1);
}

#[tokio::test]
async fn silent_tls_connection_is_closed() {
    let test = Test::https(Limits { tls_timeout: SHORT, ..long() }).await;
    let mut client = test.connect().await;
    assert_eq!(rest(&mut client).await, b"");
    test.wait_for("boxwood_connections_refused_total{reason=\"handshake_timeout\"} 1").await;
}

#[tokio::test]
async fn tls_connection_without_a_request_is_closed() {
    let test = Test::https(Limits { header_timeout: SHORT, ..long() }).await;
    let mut client = test.connect_tls(&test.trusting(&["http/1.1"])).await.unwrap();
    rest(&mut client).await;
    test.wait_until_closed().await;
}

#[tokio::test]
async fn half_an_http2_preface_is_closed() {
    let test = Test::https(Limits { header_timeout: SHORT, ..long() }).await;
    let mut client = test.connect_tls(&test.trusting(&["h2"])).await.unwrap();
    send(&mut client, "PRI * HTTP").await;
    rest(&mut client).await;
    test.wait_until_closed().await;
}

#[tokio::test]
async fn http2_connection_without_a_request_is_closed() {
    let test = Test::https(Limits { header_timeout: SHORT, ..long() }).await;
    let (sender, ended) = test.http2().await;
    ended.await;
    drop(sender);
    test.wait_until_closed().await;
    assert_eq!(test.echo.requests(), 0);
}

#[tokio::test]
async fn http2_connection_idle_after_a_request_is_closed() {
    let test = Test::https(Limits { header_timeout: SHORT, ..long() }).await;
    let (mut sender, ended) = test.http2().await;
    assert_eq!(get2(&mut sender, "/hello").await, (StatusCode::OK, "hello".into()));
    ended.await;
    test.wait_until_closed().await;
}

#[tokio::test]
async fn time_in_the_handler_is_not_the_clients() {
    let test = Test::https(Limits { header_timeout: SHORT, ..long() }).await;
    let (mut sender, _ended) = test.http2().await;
    let asking = get2(&mut sender, "/wait");
    let opening = async {
        test.wait(|| test.echo.requests() == 1).await;
        sleep(SHORT * 3).await;
        test.echo.gate.add_permits(1);
    };
    let (answer, ()) = tokio::join!(asking, opening);
    assert_eq!(answer, (StatusCode::OK, "waited".into()));
}

// Sizes.

#[tokio::test]
async fn oversized_head_is_refused() {
    let test = Test::http(Limits { head_bytes: 2000, ..long() }).await;
    let complete =
        format!("GET /hello HTTP/1.1\r\nHost: box\r\nX-Long: {}\r\n\r\n", "x".repeat(2000));
    assert_eq!(test.raw(&complete).await.0, 431);
    let endless = format!("GET /hello HTTP/1.1\r\nHost: box\r\nX-Long: {}", "x".repeat(20_000));
    assert_eq!(test.raw(&endless).await.0, 431);
    let many = "X-Many: x\r\n".repeat(65);
    let many = format!("GET /hello HTTP/1.1\r\nHost: box\r\n{many}\r\n");
    assert_eq!(test.raw(&many).await.0, 431);
    assert_eq!(test.echo.requests(), 0);
}

#[tokio::test]
async fn oversized_body_is_refused() {
    let test = Test::http(Limits { body_bytes: 10, ..long() }).await;
    // Announced: refused without waiting for a byte of it.
    let announced = "POST /echo HTTP/1.1\r\nHost: box\r\nContent-Length: 11\r\n\r\n";
    assert_eq!(test.raw(announced).await.0, 413);
    let chunked = "POST /echo HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\n\
                   6\r\n123456\r\n5\r\n12345\r\n0\r\n\r\n";
    assert_eq!(test.raw(chunked).await.0, 413);
    let fitting = "POST /echo HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n4\r\n1234\r\n0\r\n\r\n";
    assert_eq!(test.raw(fitting).await, (200, "1234561234".into()));
}

#[tokio::test]
async fn stalled_body_is_answered_and_closed() {
    let test = Test::http(Limits { body_timeout: SHORT, ..long() }).await;
    let half = "POST /echo HTTP/1.1\r\nHost: box\r\nContent-Length: 10\r\n\r\n12345";
    assert_eq!(test.raw(half).await.0, 408);
    test.wait_until_closed().await;
}

#[tokio::test]
async fn broken_body_is_noticed() {
    let test = Test::http(long()).await;
    let broken =
        "POST /echo HTTP/1.1\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n";
    assert_eq!(test.raw(broken).await, (400, "the request body ended early".into()));
}

// Numbers of connections.

#[tokio::test]
async fn connections_are_limited() {
    let limits = Limits { connections: 2, ..long() };
    connections_over_the_limit_are_closed(limits, "connections").await;
    let limits = Limits { connections_per_address: 2, ..long() };
    connections_over_the_limit_are_closed(limits, "address").await;
}

async fn connections_over_the_limit_are_closed(limits: Limits, reason: &str) {
    let test = Test::http(limits).await;
    let mut first = test.http1().await;
    let mut second = test.http1().await;
    for open in [&mut first, &mut second] {
        assert_eq!(get1(open, "/hello").await.0, StatusCode::OK);
    }
    let mut third = test.connect().await;
    assert_eq!(rest(&mut third).await, b"");
    test.wait_for(&format!("boxwood_connections_refused_total{{reason=\"{reason}\"}} 1")).await;
    assert_eq!(get1(&mut second, "/hello").await.0, StatusCode::OK);

    drop(first);
    test.wait_for("boxwood_connections_open 1").await;
    let mut fourth = test.http1().await;
    assert_eq!(get1(&mut fourth, "/hello").await.0, StatusCode::OK);
}

// Answers that are not read, or read slowly.

#[tokio::test]
async fn answer_that_nobody_reads_is_cut_off() {
    let limits = Limits { header_timeout: SHORT, body_timeout: SHORT, ..long() };
    let test = Test::http(limits.clone()).await;
    let mut client = test.connect().await;
    send(&mut client, "GET /large HTTP/1.1\r\nHost: box\r\n\r\n").await;
    test.wait_until_closed().await;

    let test = Test::https(limits).await;
    let mut client = test.connect_tls(&test.trusting(&["http/1.1"])).await.unwrap();
    send(&mut client, "GET /large HTTP/1.1\r\nHost: box\r\n\r\n").await;
    test.wait_until_closed().await;

    let (mut sender, _ended) = test.http2().await;
    let request = http::Request::get("https://localhost/large").body(Empty::new()).unwrap();
    let unread = within(sender.send_request(request)).await.unwrap();
    test.wait_until_closed().await;
    drop(unread);
}

#[tokio::test]
async fn answer_that_is_read_slowly_is_not_cut_off() {
    let test = Test::https(Limits { header_timeout: SHORT, ..long() }).await;
    let mut client = test.connect_tls(&test.trusting(&["http/1.1"])).await.unwrap();
    send(&mut client, "GET /large HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n").await;
    let mut piece = vec![0; LARGE / 16];
    for _ in 0..16 {
        within(client.read_exact(&mut piece)).await.unwrap();
        sleep(SHORT / 4).await;
    }

    let (mut sender, _ended) = test.http2().await;
    let request = http::Request::get("https://localhost/large").body(Empty::new()).unwrap();
    let mut body = within(sender.send_request(request)).await.unwrap().into_body();
    let mut read = 0;
    let mut pause_after = LARGE / 16;
    while let Some(frame) = within(body.frame()).await {
        read += frame.unwrap().into_data().unwrap().len();
        if read > pause_after {
            pause_after += LARGE / 16;
            sleep(SHORT / 4).await;
        }
    }
    assert_eq!(read, LARGE);
}

// Heads.

#[tokio::test]
async fn heads_that_hyper_lets_through_are_refused() {
    let test = Test::http(long()).await;
    let close = "Connection: close\r\n\r\n";
    let table = [
        (format!("GET /hello HTTP/1.1\r\n{close}"), 400, "must have a Host"),
        (
            format!("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n{close}"),
            400,
            "more than one Host",
        ),
        (format!("GET /hello HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n{close}"), 400, "expectation"),
        (format!("POST /echo HTTP/1.1\r\nHost: a\r\n{close}"), 400, "must state its length"),
        (format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{close}"), 200, ""),
        (format!("GET /hello HTTP/1.0\r\n{close}"), 200, "hello"),
    ];
    for (request, status, says) in table {
        let (got, body) = test.raw(&request).await;
        assert_eq!(got, status, "{request}");
        assert!(body.contains(says), "{request}{body}");
    }
}

/// What the comment on `check_head` says about hyper, held true.
#[tokio::test]
async fn both_lengths_are_read_as_chunked_and_end_the_connection() {
    let test = Test::http(long()).await;
    let smuggled = "GET /hello HTTP/1.1\r\nHost: box\r\n\r\n";
    let [length, chunked] = ["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"];
    for fields in [[length, chunked].concat(), [chunked, length].concat()] {
        let request = format!(
            "POST /fields HTTP/1.1\r\nHost: box\r\n{fields}\r\n3\r\nabc\r\n0\r\n\r\n{smuggled}"
        );
        let before = test.echo.requests();
        let (status, body) = test.raw(&request).await;
        assert_eq!((status, body.as_str()), (200, "host transfer-encoding"));
        assert_eq!(test.echo.requests(), before + 1);
    }
    let differing =
        "POST /echo HTTP/1.1\r\nHost: box\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd";
    assert_eq!(test.raw(differing).await.0, 400);
}

#[tokio::test]
async fn expect_continue_is_honoured() {
    let test = Test::http(long()).await;
    let mut client = test.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: box\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\
                Connection: close\r\n\r\n";
    send(&mut client, head).await;
    let mut interim = [0; 25];
    within(client.read_exact(&mut interim)).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut client, "abc").await;
    let answer = String::from_utf8(rest(&mut client).await).unwrap();
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
}

// TLS.

#[tokio::test]
async fn tls_1_2_and_1_3_and_both_protocols_are_spoken() {
    let test = Test::https(long()).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for (alpn, agreed) in
            [(&["http/1.1"][..], "http/1.1"), (&["h2", "http/1.1"], "h2"), (&[], "")]
        {
            let config = client_config(&[&test.pair], &[version], alpn);
            let client = test.connect_tls(&config).await.unwrap();
            let connection = client.get_ref().1;
            assert_eq!(connection.protocol_version(), Some(version.version));
            assert_eq!(connection.alpn_protocol().unwrap_or_default(), agreed.as_bytes());
            let (status, body) = match agreed {
                "h2" => get2(&mut handshake2(client).await.0, "/hello").await,
                _ => get1(&mut handshake1(client).await, "/hello").await,
            };
            assert_eq!((status, body.as_str()), (StatusCode::OK, "hello"));
        }
    }
}

#[tokio::test]
async fn certificate_change_affects_new_connections_only() {
    let test = Test::https(long()).await;
    let next = self_signed(&[], NOW).unwrap();
    let both = client_config(&[&test.pair, &next], rustls::ALL_VERSIONS, &["http/1.1"]);
    let old = client_config(&[&test.pair], rustls::ALL_VERSIONS, &["http/1.1"]);

    let mut before = handshake1(test.connect_tls(&both).await.unwrap()).await;
    assert_eq!(get1(&mut before, "/hello").await.0, StatusCode::OK);
    test.tls.set(&next.certificate_pem, &next.private_key_pem).unwrap();
    assert_eq!(get1(&mut before, "/hello").await.0, StatusCode::OK);

    // This client has a session of the old certificate, and must be shown the new one all the same.
    let after = test.connect_tls(&both).await.unwrap();
    assert_eq!(after.get_ref().1.peer_certificates().unwrap(), [certificate(&next)]);
    assert!(test.connect_tls(&old).await.is_err());
    test.wait_for("boxwood_connections_refused_total{reason=\"handshake\"} 1").await;
}

#[tokio::test]
async fn sessions_are_resumed_under_one_certificate() {
    let test = Test::https(long()).await;
    let config = client_config(&[&test.pair], &[&rustls::version::TLS13], &["http/1.1"]);
    let mut first = handshake1(test.connect_tls(&config).await.unwrap()).await;
    assert_eq!(get1(&mut first, "/hello").await.0, StatusCode::OK);
    let second = test.connect_tls(&config).await.unwrap();
    assert_eq!(second.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[tokio::test]
async fn empty_slot_refuses_the_handshake() {
    let mut test = Test::https(long()).await;
    let tls = Arc::new(CertificateSlot::default());
    test.restart("https", long(), tls).await;
    assert!(test.connect_tls(&test.trusting(&[])).await.is_err());
}

// Panics and draining.

#[tokio::test]
async fn panic_is_answered_and_the_connection_goes_on() {
    let test = Test::https(long()).await;
    let mut one = handshake1(test.connect_tls(&test.trusting(&["http/1.1"])).await.unwrap()).await;
    let (mut two, _ended) = test.http2().await;
    for path in ["/panic", "/panic-later", "/panic"] {
        let expect = (StatusCode::INTERNAL_SERVER_ERROR, "{}".into());
        assert_eq!(get1(&mut one, path).await, expect);
        assert_eq!(get2(&mut two, path).await, expect);
    }
    assert_eq!(get1(&mut one, "/hello").await.0, StatusCode::OK);
    assert_eq!(get2(&mut two, "/hello").await.0, StatusCode::OK);
}

#[tokio::test]
async fn drain_finishes_requests_under_way() {
    for scheme in ["http", "https"] {
        let mut test = Test::start(scheme, long()).await;
        let asking = match scheme {
            "http" => {
                let mut sender = test.http1().await;
                tokio::spawn(async move { get1(&mut sender, "/wait").await })
            }
            _ => {
                let (mut sender, ended) = test.http2().await;
                tokio::spawn(async move {
                    let answer = get2(&mut sender, "/wait").await;
                    ended.await;
                    answer
                })
            }
        };
        test.wait(|| test.echo.requests() == 1).await;
        let draining = tokio::spawn(test.server.take().unwrap().drain());
        // The port is closed first, so that a successor can listen there.
        let refused = async { while TcpStream::connect(test.address).await.is_ok() {} };
        within(refused).await;
        assert!(!draining.is_finished());
        test.echo.gate.add_permits(1);
        let expect = (StatusCode::OK, "waited".into());
        assert_eq!(within(asking).await.unwrap(), expect, "{scheme}");
        assert_eq!(within(draining).await.unwrap(), Drained { finished: 1, cut_off: 0 });
        test.wait_until_closed().await;
    }
}

#[tokio::test]
async fn drain_ends_by_itself() {
    for scheme in ["http", "https"] {
        let mut test = Test::start(scheme, Limits { drain_timeout: SHORT, ..long() }).await;
        let silent = test.connect().await;
        let asking = match scheme {
            "http" => {
                let mut sender = test.http1().await;
                tokio::spawn(async move {
                    assert!(try_get1(&mut sender, "/never").await.is_err());
                })
            }
            _ => {
                let (mut sender, ended) = test.http2().await;
                tokio::spawn(async move {
                    assert!(try_get2(&mut sender, "/never").await.is_err());
                    ended.await;
                })
            }
        };
        test.wait(|| test.echo.requests() == 1).await;
        test.wait_for("boxwood_connections_open 2").await;
        let drained = within(test.server.take().unwrap().drain()).await;
        assert_eq!(drained, Drained { finished: 1, cut_off: 1 }, "{scheme}");
        within(asking).await.unwrap();
        test.wait_until_closed().await;
        // The handler of a cut connection is gone with it, on HTTP/2 too, where it is a task.
        test.wait(|| test.echo.handlers.load(Ordering::SeqCst) == 0).await;
        drop(silent);
    }
}

#[tokio::test]
async fn dropped_server_stops() {
    let mut test = Test::http(long()).await;
    let mut sender = test.http1().await;
    assert_eq!(get1(&mut sender, "/hello").await.0, StatusCode::OK);
    drop(test.server.take());
    test.wait_until_closed().await;
}

#[tokio::test]
async fn handler_of_a_client_that_left_is_dropped() {
    let test = Test::http(long()).await;
    let mut client = test.connect().await;
    send(&mut client, "GET /never HTTP/1.1\r\nHost: box\r\n\r\n").await;
    test.wait(|| test.echo.handlers.load(Ordering::SeqCst) == 1).await;
    drop(client);
    test.wait(|| test.echo.handlers.load(Ordering::SeqCst) == 0).await;
    test.wait_until_closed().await;

    let test = Test::https(long()).await;
    let (mut sender, _ended) = test.http2().await;
    let asking = tokio::spawn(async move { drop(try_get2(&mut sender, "/never").await) });
    test.wait(|| test.echo.handlers.load(Ordering::SeqCst) == 1).await;
    asking.abort();
    test.wait(|| test.echo.handlers.load(Ordering::SeqCst) == 0).await;
    test.wait_until_closed().await;
}

// === The server under test ===

/// Size of the answer to `/large`: more than sockets and windows swallow.
const LARGE: usize = 32 * 1024 * 1024;

struct Echo {
    limits: Limits,
    /// Lets `/wait` answer, once per permit.
    gate: Semaphore,
    requests: AtomicUsize,
    handlers: AtomicUsize,
}

struct Handling<'a>(&'a AtomicUsize);

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Echo {
    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    async fn answer(&self, request: &mut Request) -> (StatusCode, Bytes) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.handlers.fetch_add(1, Ordering::SeqCst);
        let _handling = Handling(&self.handlers);
        if let Err(error) = check_head(&request.head) {
            return (StatusCode::BAD_REQUEST, error.to_string().into());
        }
        match request.head.uri.path() {
            "/hello" => (StatusCode::OK, "hello".into()),
            "/large" => (StatusCode::OK, vec![b'x'; LARGE].into()),
            "/panic-later" => {
                tokio::task::yield_now().await;
                panic!("on purpose");
            }
            "/wait" => {
                self.gate.acquire().await.unwrap().forget();
                (StatusCode::OK, "waited".into())
            }
            "/never" => pending().await,
            "/fields" => {
                let fields = request.head.headers.keys().map(|name| name.as_str());
                let fields = fields.collect::<Vec<_>>().join(" ");
                let body = std::mem::take(&mut request.body);
                drop(body.read(1000, PATIENCE).await.unwrap());
                (StatusCode::OK, fields.into())
            }
            "/echo" => self.echo(request).await,
            _ => (StatusCode::NOT_FOUND, Bytes::new()),
        }
    }

    async fn echo(&self, request: &mut Request) -> (StatusCode, Bytes) {
        let body = std::mem::take(&mut request.body);
        match body.read(self.limits.body_bytes, self.limits.body_timeout).await {
            Ok(body) => (StatusCode::OK, body.to_vec().into()),
            Err(error) => {
                let status = match error {
                    BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                    BodyError::Stalled { .. } => StatusCode::REQUEST_TIMEOUT,
                    BodyError::Broken(_) => StatusCode::BAD_REQUEST,
                };
                (status, error.to_string().into())
            }
        }
    }
}

impl Handler for Echo {
    fn handle(&self, request: &mut Request) -> impl Future<Output = Response<AnswerBody>> + Send {
        assert_ne!(request.head.uri.path(), "/panic", "on purpose");
        async {
            let (status, body) = self.answer(request).await;
            let mut response = Response::builder().status(status);
            if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&status) {
                response = response.header(header::CONNECTION, "close");
            }
            response.body(body.into()).unwrap()
        }
    }

    fn panicked(&self) -> Response<AnswerBody> {
        Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body("{}".into()).unwrap()
    }
}

struct Test {
    address: std::net::SocketAddr,
    echo: Arc<Echo>,
    metrics: Metrics,
    tls: Arc<CertificateSlot>,
    pair: SelfSigned,
    server: Option<Server>,
}

/// Limits that no test runs into unless it wants to.
fn long() -> Limits {
    Limits {
        header_timeout: PATIENCE * 2,
        body_timeout: PATIENCE * 2,
        tls_timeout: PATIENCE * 2,
        drain_timeout: PATIENCE * 2,
        ..Limits::default()
    }
}

impl Test {
    async fn http(limits: Limits) -> Self {
        Self::start("http", limits).await
    }

    async fn https(limits: Limits) -> Self {
        Self::start("https", limits).await
    }

    async fn start(scheme: &str, limits: Limits) -> Self {
        let pair = self_signed(&[], NOW).unwrap();
        let slot = CertificateSlot::new(&pair.certificate_pem, &pair.private_key_pem).unwrap();
        let tls = Arc::new(slot);
        let echo = Arc::new(Echo {
            limits: limits.clone(),
            gate: Semaphore::new(0),
            requests: AtomicUsize::new(0),
            handlers: AtomicUsize::new(0),
        });
        let address = ([127, 0, 0, 1], 0).into();
        let metrics = Metrics::new();
        let mut test = Self { address, echo, metrics, tls: Arc::clone(&tls), pair, server: None };
        test.restart(scheme, limits, tls).await;
        test
    }

    async fn restart(&mut self, scheme: &str, limits: Limits, tls: Arc<CertificateSlot>) {
        let url: ListenUrl = format!("{scheme}://127.0.0.1:0").parse().unwrap();
        let listener = url.bind().await.unwrap();
        self.address = listener.address();
        assert_eq!(listener.to_string(), format!("{scheme}://{}", self.address));
        let (echo, metrics) = (Arc::clone(&self.echo), self.metrics.clone());
        let site = Site { bound: listener, handler: echo, tls, metrics };
        self.server = Some(Server::start(vec![site], limits));
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect_tls(
        &self,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.connect().await;
        within(TlsConnector::from(Arc::clone(config)).connect(name, stream)).await
    }

    fn trusting(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        client_config(&[&self.pair], rustls::ALL_VERSIONS, alpn)
    }

    async fn http1(&self) -> http1::SendRequest<Empty<Bytes>> {
        handshake1(self.connect().await).await
    }

    async fn http2(&self) -> (http2::SendRequest<Empty<Bytes>>, impl Future<Output = ()> + use<>) {
        handshake2(self.connect_tls(&self.trusting(&["h2"])).await.unwrap()).await
    }

    /// Sends bytes, reads until the server closes, and takes the answer apart.
    async fn raw(&self, request: &str) -> (u16, String) {
        let mut client = self.connect().await;
        send(&mut client, request).await;
        let answer = String::from_utf8(rest(&mut client).await).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn wait(&self, condition: impl Fn() -> bool) {
        let waiting = async {
            while !condition() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        within(waiting).await;
    }

    async fn wait_for(&self, line: &str) {
        self.wait(|| self.metrics.encode().lines().any(|found| found == line)).await;
    }

    async fn wait_until_closed(&self) {
        self.wait_for("boxwood_connections_open 0").await;
    }
}

// === Clients ===

async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it took too long")
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    // A server that has seen enough may close before it has read everything.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
}

/// Everything until the end; being cut off is an end too.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = within(stream.read_to_end(&mut bytes)).await;
    bytes
}

fn certificate(pair: &SelfSigned) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes()).unwrap()
}

/// A client that trusts exactly these certificates. The clock is NOW, whatever the machine says.
fn client_config(
    trusted: &[&SelfSigned],
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in trusted {
        roots.add(certificate(pair)).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(FixedTime))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

#[derive(Debug)]
struct FixedTime;

impl rustls::time_provider::TimeProvider for FixedTime {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let now = Duration::from_secs(NOW.try_into().unwrap());
        Some(rustls::pki_types::UnixTime::since_unix_epoch(now))
    }
}

async fn handshake1<S>(stream: S) -> http1::SendRequest<Empty<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = within(http1::handshake(TokioIo::new(stream))).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A sender, and a future that ends when the connection has; dropping that ends the connection.
async fn handshake2<S>(
    stream: S,
) -> (http2::SendRequest<Empty<Bytes>>, impl Future<Output = ()> + use<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(stream));
    let (sender, connection) = within(handshake).await.unwrap();
    let mut task = AbortOnDrop(tokio::spawn(async { drop(connection.await) }));
    (sender, async move { drop(within(&mut task.0).await) })
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn try_get1(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    path: &str,
) -> hyper::Result<(StatusCode, String)> {
    within(poll_fn(|context| sender.poll_ready(context))).await?;
    let request = http::Request::get(path).header("host", "localhost").body(Empty::new()).unwrap();
    read(within(sender.send_request(request)).await?).await
}

async fn get1(sender: &mut http1::SendRequest<Empty<Bytes>>, path: &str) -> (StatusCode, String) {
    try_get1(sender, path).await.unwrap()
}

async fn try_get2(
    sender: &mut http2::SendRequest<Empty<Bytes>>,
    path: &str,
) -> hyper::Result<(StatusCode, String)> {
    let request =
        http::Request::get(format!("https://localhost{path}")).body(Empty::new()).unwrap();
    read(within(sender.send_request(request)).await?).await
}

async fn get2(sender: &mut http2::SendRequest<Empty<Bytes>>, path: &str) -> (StatusCode, String) {
    try_get2(sender, path).await.unwrap()
}

async fn read(response: Response<hyper::body::Incoming>) -> hyper::Result<(StatusCode, String)> {
    let status = response.status();
    let body = within(response.into_body().collect()).await?.to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}
