//! HTTP/2, spoken by another program's client: hyper's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use support::{PATIENCE, Server};
use tokio_rustls::TlsConnector;

use crate::fixtures::{HEALTH, MAIL, health, metric, with};

/// Trusts the server's certificate and offers HTTP/2 first.
fn config(server: &Server) -> Arc<ClientConfig> {
    let pem = server.client().certificate_pem();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn place(server: &Server) -> &str {
    server.url().split_once("://").expect("a scheme").1
}

struct Client {
    server: String,
    sender: SendRequest<Full<Bytes>>,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    headers: hyper::HeaderMap,
    body: Value,
}

impl Client {
    async fn new(server: &Server) -> Client {
        let socket = tokio::net::TcpStream::connect(place(server)).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(config(server)).connect(name, socket).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Client { server: server.url().to_owned(), sender, cookie: None }
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> impl Future<Output = Answer> + use<> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let mut sender = self.sender.clone();
        async move {
            sender.ready().await.unwrap();
            let answer = tokio::time::timeout(PATIENCE, sender.send_request(request));
            let (head, body) = answer.await.expect("an answer in time").unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Answer { status: head.status, headers: head.headers, body }
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, &[("content-type", "application/json")], &body.to_string()).await
    }

    async fn login(&mut self) {
        let basic = ("authorization", "Basic YWRtaW46YWRtaW4=");
        let answer = self.ask("GET", "/api/authentication", &[basic], "").await;
        assert_eq!(answer.status, 200);
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        self.cookie = Some(cookie.split_once(';').unwrap().0.to_owned());
    }
}

#[tokio::test]
async fn whole_transaction_over_http_2() {
    let server = Server::builder().arg("--log").arg("trace").start();
    let mut client = Client::new(&server).await;
    assert_eq!(client.get(MAIL).await.status, 401);
    client.login().await;
    // A length is known from the frames, so none need be stated.
    assert_eq!(client.ask("POST", "/api/transaction", &[], "").await.status, 200);
    let changed = with(&health(), "/maximum_load1", json!(7));
    assert_eq!(client.put(HEALTH, &changed).await.body["body"], changed);
    let refused = client.put(HEALTH, &json!({})).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]["type"]),
        (400, &json!("SyntacticError"))
    );
    for (name, value) in [
        ("allow", "GET, HEAD, OPTIONS, PUT"),
        ("content-language", "en"),
        ("content-type", "application/json; charset=utf-8"),
    ] {
        assert_eq!(refused.headers[name], value, "{name}");
    }
    let commit = client.put("/api/transaction", &json!({"status": "commit"})).await;
    assert_eq!(commit.body["body"]["status"], json!("closed"));
    let (head, get) = (client.ask("HEAD", HEALTH, &[], "").await, client.get(HEALTH).await);
    assert_eq!(
        (head.status, &head.headers["content-length"]),
        (get.status, &get.headers["content-length"])
    );
    assert_eq!(get.body["body"], changed);
    let token = client.cookie.as_ref().unwrap().split_once('=').unwrap().1;
    let log = server.log();
    assert!(log.contains("TRACE"));
    for secret in [token, "YWRtaW46YWRtaW4"] {
        let leak = log.lines().find(|line| line.contains(secret));
        assert_eq!(leak, None, "{secret} is in the log");
    }
}

#[tokio::test]
async fn requests_share_a_connection_and_a_session() {
    let server = Server::dev();
    let mut client = Client::new(&server).await;
    client.login().await;
    let asked: Vec<_> = (0..40).map(|_| tokio::spawn(client.ask("GET", MAIL, &[], ""))).collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(metric(&mut server.client(), "boxwood_sessions"), 1.0);
}

#[tokio::test]
async fn limits_hold_for_http_2_too() {
    let server =
        Server::builder().set("limits.body_bytes", 1000).set("limits.head_bytes", 8192).start();
    let mut client = Client::new(&server).await;
    client.login().await;
    client.ask("POST", "/api/transaction", &[], "").await;
    let large = json!({"plain": "x".repeat(2000)});
    let answer = client.put(HEALTH, &large).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body["error"]["type"], json!("InvalidRequestBody"));
    let long = "x".repeat(9000);
    let answer = client.ask("GET", MAIL, &[("x-long", long.as_str())], "").await;
    assert_eq!(answer.status, 431);
    assert_eq!(client.get(MAIL).await.status, 200, "the connection goes on");
}

// ===== frame by frame =====

/// A frame: nine bytes of head, and the payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The type, stream and payload of the next frame.
fn next_frame(stream: &mut impl Read) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).unwrap();
    (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload)
}

/// A header field as HPACK has it without tables, no part longer than 126 bytes.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        bytes.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

#[test]
fn more_requests_at_once_than_allowed_are_refused() {
    let server = Server::builder().set("limits.http2_streams", 2).start();
    let cookie = format!("session_id={}", server.admin().cookie("session_id").unwrap());
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let session = ClientConnection::new(config(&server), name).unwrap();
    let socket = TcpStream::connect(place(&server)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(SETTINGS, 0, 0, &[]));
    let head = |method: &str| {
        let fields = [
            (":method", method),
            (":scheme", "https"),
            (":authority", "box"),
            (":path", "/api/transaction"),
            ("cookie", &cookie),
        ];
        fields.iter().flat_map(|(name, value)| field(name, value)).collect::<Vec<u8>>()
    };
    // Two whose bodies are still to come, and one more.
    sent.extend(frame(HEADERS, END_HEADERS, 1, &head("POST")));
    sent.extend(frame(HEADERS, END_HEADERS, 3, &head("POST")));
    sent.extend(frame(HEADERS, END_HEADERS | END_STREAM, 5, &head("GET")));
    stream.write_all(&sent).unwrap();
    let refused = loop {
        match next_frame(&mut stream) {
            (SETTINGS, 0, payload) if !payload.is_empty() => {
                let streams: Vec<u8> =
                    [3_u16.to_be_bytes().as_slice(), &2_u32.to_be_bytes()].concat();
                assert!(payload.chunks(6).any(|setting| setting == streams), "{payload:?}");
            }
            (RESET, stream, payload) => break (stream, payload),
            (HEADERS, stream, _) => panic!("stream {stream} is answered"),
            _ => {}
        }
    };
    assert_eq!(refused, (5, 7_u32.to_be_bytes().to_vec()), "REFUSED_STREAM");
    // The others go on.
    stream.write_all(&frame(DATA, END_STREAM, 1, b"{}")).unwrap();
    loop {
        if let (HEADERS, stream, _) = next_frame(&mut stream) {
            assert_eq!(stream, 1);
            break;
        }
    }
}

/// What the process holds, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Many streams that ask for one listing and read none of it cost one listing, not one each.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_do_not_read_share_what_waits_for_them() {
    const LISTS: &str = "/api/configuration/policies/userlists";
    // As many on each as may wait there.
    const CONNECTIONS: usize = 30;
    const STREAMS: usize = 8;
    let server = Server::builder().https().start();
    let note = "x".repeat(4_000);
    let mut admin = server.admin();
    admin.open().expect(200);
    for number in 0..250 {
        let list = json!({ "name": format!("list {number}"), "note": note });
        admin.post(LISTS, &list).expect(201);
    }
    admin.commit().expect(200);
    let size = admin.get(LISTS).expect(200).body.len() as u64 / 1024;
    assert!(size > 900, "{size} KiB");
    let cookie = format!("session_id={}", admin.cookie("session_id").unwrap());
    let before = resident(server.pid());

    let mut waiting = Vec::new();
    for _ in 0..CONNECTIONS {
        let socket = tokio::net::TcpStream::connect(place(&server)).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(config(&server)).connect(name, socket).await.unwrap();
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        for _ in 0..STREAMS {
            let request =
                Request::get(format!("{}{LISTS}", server.url())).header("cookie", &cookie);
            let mut sender = sender.clone();
            sender.ready().await.unwrap();
            let answer = sender.send_request(request.body(Full::default()).unwrap());
            let answer = tokio::time::timeout(PATIENCE, answer).await.expect("in time").unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            waiting.push(answer);
        }
    }
    let grown = resident(server.pid()).saturating_sub(before);
    assert!(grown < 24 * size, "{grown} KiB for {} answers of {size} KiB", waiting.len());
    // Others get theirs meanwhile.
    assert_eq!(server.admin().get(LISTS).expect(200).body.len() as u64 / 1024, size);
}
