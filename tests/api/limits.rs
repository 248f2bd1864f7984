//! Each documented limit is a setting with a refusal.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use support::{Client, Response, Server, ServerBuilder, opened, wait_for};

use crate::fixtures::{
    HEALTH, MAIL, MANAGEMENT, PASSWORDS, SYSLOG, ask_from, body, changes, health, metric, password,
    status, with,
};

fn limited(name: &str, value: impl std::fmt::Display) -> ServerBuilder {
    Server::builder().set(name, value)
}

fn place(server: &Server) -> &str {
    server.url().split_once("://").expect("a scheme").1
}

/// A server that speaks plain http, for what TLS would only hide.
fn socket(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(place(server)).unwrap();
    socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
    socket
}

/// What comes until the server closes; a reset is an end too.
fn rest(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(why) => panic!("the server neither answers nor closes: {why}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Each setting of `limits` with the test of its refusal.
const TESTED: [(&str, &str); 13] = [
    ("body_bytes", "limits::body_of_too_many_bytes"),
    ("body_seconds", "limits::body_that_does_not_come_in_time"),
    ("connections", "limits::connections_in_all"),
    ("connections_per_address", "limits::connections_from_one_address"),
    ("drain_seconds", "limits::draining_ends_in_time"),
    ("head_bytes", "limits::head_of_too_many_bytes"),
    ("header_seconds", "limits::head_that_does_not_come_in_time"),
    ("headers", "limits::head_of_too_many_headers"),
    ("http2_streams", "http2::more_requests_at_once_than_allowed_are_refused"),
    ("json_depth", "limits::body_of_too_many_levels"),
    ("sessions", "sessions::sessions_are_limited_and_one_that_ends_makes_room"),
    ("tls_seconds", "limits::handshake_that_does_not_come_in_time"),
    ("transaction_changes", "limits::changes_in_one_transaction"),
];

#[test]
fn every_documented_limit_has_a_tested_refusal() {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = std::fs::read_to_string(tests.join("../docs/reference/settings.md")).unwrap();
    let mut documented: Vec<&str> = settings
        .lines()
        .filter_map(|line| line.strip_prefix("| `limits.")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    documented.sort_unstable();
    // The size of an import is refused in tests/tool, where imports are; what a refusal may show,
    // and what may wait for readers, is in tests/hostile.
    let elsewhere = ["answer_bytes", "import_bytes", "violations"];
    documented.retain(|name| !elsewhere.contains(name) && !name.starts_with("waiting_bytes"));
    assert_eq!(documented, TESTED.map(|(name, _)| name));
    for (_, test) in TESTED {
        let (module, name) = test.split_once("::").unwrap();
        let source = std::fs::read_to_string(tests.join(format!("api/{module}.rs"))).unwrap();
        assert!(source.contains(&format!("#[test]\nfn {name}()")), "{test}");
    }
}

// ===== heads =====

/// Whether a request is refused for its head. hyper answers and closes at once, so a client that is
/// still sending may find the connection broken instead of the answer (docs/adr/0008).
fn head_is_refused(outcome: std::io::Result<Response>) -> bool {
    outcome.map_or(true, |answer| matches!(answer.status, 414 | 431))
}

#[test]
fn head_of_too_many_bytes() {
    let server = limited("limits.head_bytes", 8192).start();
    let with_header = |bytes: usize| {
        let mut client = server.client();
        let request = client.request("GET", "/api/info").header("X-Long", &"x".repeat(bytes));
        request.unchecked().try_send()
    };
    assert_eq!(with_header(7000).map(|answer| answer.status).ok(), Some(200));
    assert!(head_is_refused(with_header(8192)));
    assert!(head_is_refused(with_header(100_000)));
    let long = format!("/api/{}", "x".repeat(9000));
    assert!(head_is_refused(server.client().request("GET", &long).unchecked().try_send()));
    server.client().get("/api/info").expect(200);
}

#[test]
fn head_of_too_many_headers() {
    let server = limited("limits.headers", 20).start();
    let with_headers = |count: usize| {
        let mut client = server.client();
        let mut request = client.request("GET", "/api/info");
        for number in 0..count {
            request = request.header(&format!("X-{number}"), "x");
        }
        request.unchecked().send().status
    };
    // The client sends two of its own, Host and Accept.
    assert_eq!(with_headers(18), 200);
    assert_eq!(with_headers(19), 431);
}

#[test]
fn default_limits_let_ordinary_clients_through() {
    let server = Server::dev();
    let mut admin = server.admin();
    let mut request = admin.request("GET", MAIL);
    for number in 0..50 {
        request = request.header(&format!("X-{number}"), &"x".repeat(1000));
    }
    request.send().expect(200);
    admin.open().expect(200);
    let text = "x".repeat(5_000_000);
    admin.put(SYSLOG, &json!({"text": text})).expect(200);
}

// ===== bodies =====

#[test]
fn body_of_too_many_bytes() {
    let server = limited("limits.body_bytes", 1000).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let of_length = |bytes: usize| {
        let text = json!({"text": ""}).to_string();
        json!({"text": "x".repeat(bytes - text.len())}).to_string()
    };
    let put = |client: &mut Client, text: String| -> Response {
        client.request("PUT", SYSLOG).text(text, "application/json").send()
    };
    put(&mut admin, of_length(1000)).expect(200);
    for length in [1001, 5000] {
        let answer = put(&mut admin, of_length(length)).expect_error(413, "InvalidRequestBody");
        assert!(answer.at("/error/message").as_str().unwrap().contains("1000"), "{answer}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    let text = of_length(1001);
    let (front, back) = text.as_bytes().split_at(500);
    let answer = admin.request("PUT", SYSLOG).chunked(&[front, back]).send();
    answer.expect_error(413, "InvalidRequestBody");
    assert_eq!(body(&mut admin, SYSLOG)["text"].as_str().map(str::len), Some(989));
}

// Who is still sending when the refusal comes must be able to read it: a connection that is closed
// with unread bytes is reset, and a reset takes the answer away again.
#[test]
fn refusal_reaches_a_client_that_is_still_sending() {
    let server = limited("limits.body_bytes", 1000).start();
    let plain = limited("limits.body_bytes", 1000).http().start();
    for server in [&server, &plain] {
        let mut admin = server.admin();
        admin.open().expect(200);
        let text = json!({"text": "x".repeat(2_000_000)});
        for _ in 0..5 {
            admin.put(SYSLOG, &text).expect_error(413, "InvalidRequestBody");
        }
    }
}

// The same for refusals that do not look at the body, of a size that is allowed.
#[test]
fn refusal_without_a_look_at_the_body_reaches_a_client_that_is_still_sending() {
    let server = Server::dev();
    let plain = Server::builder().http().start();
    let text = json!({"text": "x".repeat(2_000_000)});
    for server in [&server, &plain] {
        let mut admin = server.admin();
        for _ in 0..5 {
            server.client().put(SYSLOG, &text).expect_error(401, "Unauthenticated");
            admin.put("/api/nothing", &text).expect_error(404, "NotFound");
            admin.put(MANAGEMENT, &text).expect_error(405, "MethodNotAllowed");
        }
    }
}

#[test]
fn announced_body_is_refused_before_it_is_sent() {
    let server = limited("limits.body_bytes", 1000).http().start();
    let token = server.admin().cookie("session_id").unwrap().to_owned();
    let mut socket = socket(&server);
    let head = format!(
        "PUT {SYSLOG} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\nContent-Length: 1001\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    let answer = rest(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn body_of_too_many_levels() {
    let server = limited("limits.json_depth", 8).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    admin.put(SYSLOG, &nested(8)).expect(200);
    let answer = admin.put(SYSLOG, &nested(9)).expect_error(400, "InvalidRequestBody");
    assert!(answer.at("/error/message").as_str().unwrap().contains('8'), "{answer}");
    let lists = (1..8).fold(json!([]), |inner, _| json!([inner]));
    admin.put(SYSLOG, &json!({"a": lists})).expect_error(400, "InvalidRequestBody");
    assert_eq!(body(&mut admin, SYSLOG), nested(8));
    assert!(admin.is_connected());
}

#[test]
fn default_depth_is_64() {
    let (_server, mut admin) = opened();
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    admin.put(SYSLOG, &nested(64)).expect(200);
    admin.put(SYSLOG, &nested(65)).expect_error(400, "InvalidRequestBody");
}

#[test]
fn members_of_one_name() {
    let (_server, mut admin) = opened();
    for text in ["{\"a\": 1, \"a\": 1}", "{\"x\": [{\"a\": 1, \"b\": 2, \"a\": 3}]}"] {
        let answer = admin.request("PUT", SYSLOG).text(text, "application/json").send();
        answer.expect_error(400, "InvalidRequestBody");
    }
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
}

// ===== times =====

#[test]
fn head_that_does_not_come_in_time() {
    let server = limited("limits.header_seconds", 0.3).http().start();
    for beginning in ["", "GET /api/info HTTP/1.1\r\nHost: x\r\nX-Half: "] {
        let mut socket = socket(&server);
        socket.write_all(beginning.as_bytes()).unwrap();
        let answer = rest(&mut socket);
        assert!(!answer.contains(" 200 "), "{answer}");
    }
}

#[test]
fn connection_that_is_idle_for_too_long_after_an_answer() {
    let server = limited("limits.header_seconds", 0.3).http().start();
    let mut socket = socket(&server);
    socket.write_all(b"GET /api/info HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let answer = rest(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn head_that_does_not_come_in_time_over_tls() {
    let server = limited("limits.header_seconds", 0.3).start();
    let mut client = server.client();
    let connection = client.connection();
    connection.send(b"GET /api/info HTTP/1.1\r\n").unwrap();
    let answer = connection.read_to_end().unwrap_or_default();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn body_that_does_not_come_in_time() {
    let server = limited("limits.body_seconds", 0.3).http().start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let token = admin.cookie("session_id").unwrap();
    let mut socket = socket(&server);
    let text = format!(
        "PUT {HEALTH} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\nContent-Length: 500\r\n\r\n{{\"maximum_load1\": "
    );
    socket.write_all(text.as_bytes()).unwrap();
    let answer = rest(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("\"InvalidRequestBody\"") && answer.contains("connection: close"),
        "{answer}"
    );
    assert!(answer.contains("allow: ") && answer.contains("content-language: en"), "{answer}");
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
    assert_eq!(status(&mut admin), "open");
}

#[test]
fn body_that_breaks_off_changes_nothing() {
    let server = Server::builder().http().start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let token = admin.cookie("session_id").unwrap().to_owned();
    let mut socket = socket(&server);
    let text = format!(
        "PUT {HEALTH} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\nContent-Length: 500\r\n\r\n{}",
        with(&health(), "/maximum_load1", json!(7))
    );
    socket.write_all(text.as_bytes()).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    rest(&mut socket);
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
}

#[test]
fn handshake_that_does_not_come_in_time() {
    let server = limited("limits.tls_seconds", 0.3).start();
    let mut socket = socket(&server);
    socket.write_all(&[0x16, 0x03, 0x01]).unwrap();
    rest(&mut socket);
    let mut client = server.client();
    let refused = "boxwood_connections_refused_total{reason=\"handshake_timeout\"}";
    wait_for("the count of the handshake", || metric(&mut client, refused) == 1.0);
}

// ===== counts =====

fn check_connections(setting: &str, reason: &str) {
    let server = limited(setting, 2).http().start();
    let (mut one, mut two) = (server.client(), server.client());
    one.get("/api/info").expect(200);
    two.get("/api/info").expect(200);
    let mut three = server.client();
    assert!(three.request("GET", "/api/info").try_send().is_err(), "one too many is closed");
    one.get("/api/info").expect(200);
    let refused = format!("boxwood_connections_refused_total{{reason=\"{reason}\"}}");
    assert!(metric(&mut one, &refused) >= 1.0);
    if reason == "address" {
        let request = "GET /api/info HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n";
        let answer = ask_from("127.0.0.2", &server, request);
        assert!(answer.starts_with("HTTP/1.1 200 "), "another address is not meant: {answer}");
    }
    two.disconnect();
    wait_for("a free connection", || three.request("GET", "/api/info").try_send().is_ok());
}

#[test]
fn connections_in_all() {
    check_connections("limits.connections", "connections");
}

#[test]
fn connections_from_one_address() {
    check_connections("limits.connections_per_address", "address");
}

#[test]
fn changes_in_one_transaction() {
    let server = limited("limits.transaction_changes", 2).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    password(&mut admin, "one");
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(1))).expect(200);
    let answer = admin.post(PASSWORDS, &json!({"plain": "two"})).expect(400);
    assert!(answer.at("/error/message").as_str().unwrap().contains("at most 2"), "{answer}");
    // What is in it already may change further.
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(2))).expect(200);
    assert_eq!(changes(&mut admin).len(), 2);
    admin.commit().expect(200);
}

// ===== the end =====

#[test]
fn request_under_way_is_answered_before_the_end() {
    let mut server = Server::builder().http().start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let token = admin.cookie("session_id").unwrap().to_owned();
    let body = with(&health(), "/maximum_load1", json!(7)).to_string();
    let (front, back) = body.split_at(10);
    let mut socket = socket(&server);
    let head = format!(
        "PUT {HEALTH} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    // The body is asked for, so the request is under way.
    let mut interim = [0; 25];
    socket.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(front.as_bytes()).unwrap();
    server.request_termination();
    wait_for("the end of accepting", || TcpStream::connect(place(&server)).is_err());
    socket.write_all(back.as_bytes()).unwrap();
    let answer = rest(&mut socket);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn draining_ends_in_time() {
    let mut server = limited("limits.drain_seconds", 0.2).http().start();
    let token = server.admin().cookie("session_id").unwrap().to_owned();
    let mut socket = socket(&server);
    let head = format!(
        "PUT {HEALTH} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\nContent-Length: 10\r\n\r\n{{"
    );
    socket.write_all(head.as_bytes()).unwrap();
    // The body may take 30 seconds; the end does not wait for it.
    assert_eq!(server.terminate().code(), Some(0));
    rest(&mut socket);
}
