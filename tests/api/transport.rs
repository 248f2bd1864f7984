//! TLS and HTTP/1.1 as clients use them.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use support::{Client, Server, opened};

use crate::fixtures::{HEALTH, MAIL, PASSWORDS, config_hash, health, status, with};

/// The address without its scheme.
fn place(server: &Server) -> &str {
    server.url().split_once("://").expect("a scheme").1
}

#[test]
fn both_tls_versions_are_spoken() {
    let server = Server::dev();
    for (version, name) in [
        (&rustls::version::TLS12, rustls::ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, rustls::ProtocolVersion::TLSv1_3),
    ] {
        let mut client = server.client().tls_versions(&[version]);
        client.login("admin", "admin");
        client.get(MAIL).expect(200);
        assert_eq!(client.tls_version(), Some(name));
    }
}

#[test]
fn certificate_verifies_for_localhost_and_its_addresses() {
    let server = Server::dev();
    let root = server.client().certificate_pem();
    let port = place(&server).rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost"] {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let url = format!("https://{host}:{port}");
            let mut client = Client::verifying(&url, &root).tls_versions(&[version]);
            client.login("admin", "admin");
        }
    }
}

#[test]
fn certificate_names_the_listening_address() {
    let server = Server::builder().listen("https://127.0.0.2:0").start();
    let root = server.client().certificate_pem();
    Client::verifying(server.url(), &root).login("admin", "admin");
    // And no other: 127.0.0.3 would be another machine.
    let other = Server::builder().listen("https://127.0.0.3:0").start();
    let wrong = other.client().certificate_pem();
    assert!(Client::verifying(server.url(), &wrong).try_connection().is_err());
}

#[test]
fn certificate_stays_over_restarts() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let root = server.client().certificate_pem();
    server.terminate();
    let server = builder.start();
    Client::verifying(server.url(), &root).login("admin", "admin");
}

#[test]
fn clear_text_on_a_tls_port_gets_nothing() {
    let server = Server::dev();
    let mut socket = TcpStream::connect(place(&server)).unwrap();
    socket.write_all(b"GET /api/info HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an end here.
    let _ = socket.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    server.admin();
}

#[test]
fn several_listeners_serve_one_configuration() {
    let server = Server::builder().https().http().start();
    let [secure, plain] = server.urls() else { panic!("{:?}", server.urls()) };
    assert!(secure.starts_with("https://") && plain.starts_with("http://"));
    let mut one = Client::new(secure);
    let mut two = Client::new(plain);
    one.login("admin", "admin");
    two.login("admin", "admin");
    one.open().expect(200);
    two.open().expect_error(409, "Conflict");
    assert_eq!(config_hash(&mut one), config_hash(&mut two));
}

#[test]
fn connection_is_kept_through_answers_and_errors() {
    let (_server, mut admin) = opened();
    for _ in 0..3 {
        admin.get(MAIL).expect(200);
        admin.get("/api/nothing").expect(404);
        admin.put(HEALTH, &json!({})).expect(400);
        admin.delete(MAIL).expect(405);
        admin.request("PUT", HEALTH).text([0xFF_u8, 0xFE], "application/json").send().expect(400);
        admin.request("POST", PASSWORDS).text("x", "text/plain").send().expect(415);
        assert!(admin.is_connected());
    }
}

// Client checklist 10: whoever resends after a dropped connection would do a thing twice.
#[test]
fn body_that_is_not_utf_8_is_a_json_error_on_the_same_connection() {
    let (_server, mut admin) = opened();
    for (method, path) in [
        ("PUT", HEALTH),
        ("POST", PASSWORDS),
        ("PUT", "/api/transaction"),
        ("POST", "/api/transaction"),
    ] {
        let bytes = b"{\"plain\": \"gr\xF6\xDFer\"}".to_vec();
        let answer = admin.request(method, path).text(bytes, "application/json").send();
        let answer = answer.expect_error(400, "InvalidRequestBody");
        assert!(answer.at("/error/message").as_str().unwrap().contains("UTF-8"), "{answer}");
        assert!(admin.is_connected(), "{method} {path}");
    }
    assert_eq!(status(&mut admin), "open");
}

#[test]
fn requests_may_be_sent_ahead() {
    let server = Server::builder().http().start();
    let mut socket = TcpStream::connect(place(&server)).unwrap();
    let ahead = "GET /api/info HTTP/1.1\r\nHost: x\r\n\r\n\
                 POST /api/transaction HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}\
                 GET /boxwood/v1/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write_all(ahead.as_bytes()).unwrap();
    let mut answers = String::new();
    socket.read_to_string(&mut answers).unwrap();
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|text| &text[..3]).collect();
    assert_eq!(statuses, ["200", "401", "200"], "{answers}");
}

#[test]
fn http_1_0_is_served_and_closed() {
    let server = Server::builder().http().start();
    let mut socket = TcpStream::connect(place(&server)).unwrap();
    socket.write_all(b"GET /api/info HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn ambiguous_heads_are_refused() {
    let server = Server::builder().http().start();
    let token = server.admin().cookie("session_id").unwrap().to_owned();
    let host = "Host: box\r\n";
    for (head, status) in [
        ("GET /api/info HTTP/1.1\r\n".to_owned(), 400),
        (format!("GET /api/info HTTP/1.1\r\n{host}Host: other\r\n"), 400),
        (format!("POST /api/transaction HTTP/1.1\r\n{host}"), 411),
        (format!("PUT /api/transaction HTTP/1.1\r\n{host}"), 411),
        (
            format!("POST /api/transaction HTTP/1.1\r\n{host}Content-Length: 0\r\nExpect: tea\r\n"),
            417,
        ),
        (
            format!(
                "POST /api/transaction HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n"
            ),
            400,
        ),
        (format!("POST /api/transaction HTTP/1.1\r\n{host}Content-Length: x\r\n"), 400),
        (format!("POST /api/transaction HTTP/1.1\r\n{host}Content-Length: -1\r\n"), 400),
        (format!("POST /api/transaction HTTP/1.1\r\n{host}Transfer-Encoding: gzip\r\n"), 400),
        (format!("GET /api/info HTTP/1.1\r\n{host}X Y: z\r\n"), 400),
        ("GET  /api/info HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("nonsense\r\n".to_owned(), 400),
    ] {
        let mut client = server.client();
        let request = format!("{head}Cookie: session_id={token}\r\n\r\n");
        let answer = client.send_raw(request.as_bytes());
        assert_eq!(answer.status, status, "{answer}");
    }
    let mut admin = server.admin();
    assert_eq!(status(&mut admin), "closed");
}

#[test]
fn post_without_a_length_is_411_with_a_json_body() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (method, path) in [
        ("POST", "/api/transaction"),
        ("PUT", "/api/transaction"),
        ("PUT", HEALTH),
        ("POST", PASSWORDS),
    ] {
        let answer = admin.request(method, path).no_length().send().expect(411);
        assert!(answer.at("/error/message").as_str().unwrap().contains("Content-Length"));
        assert_eq!(answer.at("/meta/href"), json!(path));
    }
    // The other methods need none.
    admin.request("DELETE", "/api/transaction").no_length().send().expect(200);
    admin.request("GET", MAIL).no_length().send().expect(200);
}

#[test]
fn body_in_chunks_is_a_body() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.request("POST", "/api/transaction").chunked(&[b"{", b"}"]).send().expect(200);
    let text = with(&health(), "/maximum_load1", json!(7)).to_string();
    let (front, back) = text.as_bytes().split_at(20);
    admin.request("PUT", HEALTH).chunked(&[front, back]).send().expect(200);
    admin.commit().expect(200);
}

#[test]
fn expectation_to_continue_is_met() {
    let server = Server::dev();
    let mut admin = server.admin();
    let answer =
        admin.request("POST", "/api/transaction").json(&json!({})).expect_continue().send();
    assert_eq!(answer.expect(200).interim, [100]);
    let changed = with(&health(), "/maximum_load1", json!(7));
    let answer = admin.request("PUT", HEALTH).json(&changed).expect_continue().send();
    assert_eq!(answer.expect(200).interim, [100]);
    // Who may not send it is told at once, instead of being asked for the body.
    let mut stranger = server.client();
    let answer = stranger.request("PUT", HEALTH).json(&changed).expect_continue().send();
    assert_eq!(answer.expect_error(401, "Unauthenticated").interim, [] as [u16; 0]);
    // And one with nothing to send.
    let answer = admin.request("GET", MAIL).header("Expect", "100-continue").send();
    answer.expect(200);
}

#[test]
fn clients_need_not_say_who_they_are_or_what_they_accept() {
    let server = Server::builder().http().start();
    let token = server.admin().cookie("session_id").unwrap().to_owned();
    let request = format!("GET {MAIL} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\n\r\n");
    let answer = server.client().send_raw(request.as_bytes()).expect(200);
    answer.check();
}

#[test]
fn nothing_is_compressed_or_refused_for_what_a_client_accepts() {
    let server = Server::dev();
    let mut admin = server.admin();
    for accept in [
        "*/*",
        "application/json",
        "application/json, */*;q=0.5",
        "application/octet-stream",
        "text/csv",
        "text/html",
        "image/png",
        "",
    ] {
        let request = admin.request("GET", MAIL).header("Accept", accept);
        let answer =
            request.header("Accept-Encoding", "gzip, deflate, br, zstd").send().expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("content-encoding"), None);
    }
}

#[test]
fn type_of_a_body_that_is_not_there_says_nothing() {
    let server = Server::dev();
    let mut admin = server.admin();
    for content_type in ["application/json", "text/xml", "nonsense"] {
        for method in ["GET", "DELETE", "POST"] {
            let request = admin.request(method, "/api/transaction");
            request.header("Content-Type", content_type).send().expect(200);
        }
        admin.rollback().expect(200);
    }
}

#[test]
fn no_headers_for_other_sites() {
    let server = Server::dev();
    let mut admin = server.admin();
    let answer = admin.request("GET", MAIL).header("Origin", "https://evil.example").send();
    let found: Vec<_> =
        answer.headers.iter().filter(|(name, _)| name.starts_with("access-control")).collect();
    assert_eq!(found, [] as [&(String, String); 0]);
}
