//! The client against scripted answers.

use serde_json::json;

use super::*;
use crate::scripted::Scripted;

const EMPTY: &str = "HTTP/1.1 200 OK\nAllow: GET\nContent-Language: en\nContent-Length: 0\n\n";

#[test]
fn a_request_is_what_was_said() {
    let server = Scripted::plain(&[&[EMPTY, EMPTY, EMPTY]]);
    let mut client = Client::new(&server.url);
    client.request("POST", "/api//x?y=%20").header("accept", "a/b").send();
    client.put("/api/x", &json!({"a": 1})).expect(200);
    client.set_cookie("session_id=ab; Path=/");
    client.request("GET", "/api/x").basic("admin", "a").send();
    let place = server.url.replace("http://", "");
    assert_eq!(
        server.requests(),
        [
            format!(
                "POST /api//x?y=%20 HTTP/1.1\nHost: {place}\nContent-Length: 0\naccept: a/b\n\n"
            ),
            format!(
                "PUT /api/x HTTP/1.1\nHost: {place}\nAccept: */*\nContent-Length: 7\n\
                 Content-Type: application/json\n\n{{\"a\":1}}"
            ),
            format!(
                "GET /api/x HTTP/1.1\nHost: {place}\nAccept: */*\nCookie: session_id=ab\n\
                 Authorization: Basic YWRtaW46YQ==\n\n"
            ),
        ]
    );
}

#[test]
fn credentials_go_with_each_request_until_others_are_given() {
    const ANSWER: &str = "HTTP/1.1 200 OK\nContent-Length: 0\n\n";
    let server = Scripted::plain(&[&[ANSWER, ANSWER, ANSWER]]);
    let mut client = Client::new(&server.url)
        .dialect(Dialect::DsServer)
        .credentials("authorization", "x")
        .basic("admin", "a");
    client.get("/one");
    client.request("GET", "/two").header("authorization", "Bearer t").send();
    client.request("GET", "/three").no_credentials().send();
    let requests = server.requests();
    assert_eq!(requests[0].matches("uthorization").count(), 1);
    assert!(requests[0].contains("\nAuthorization: Basic YWRtaW46YQ==\n"));
    assert!(requests[1].contains("\nauthorization: Bearer t\n"));
    assert_eq!(requests[1].matches("uthorization").count(), 1);
    assert!(!requests[2].contains("uthorization"));
}

#[test]
fn answers_are_read_in_every_framing() {
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nX: 1\nx: 2\n\n\
                   3;ext\nabc\n2\nde\n0\nTrailer: 1\n\n";
    let head = "HTTP/1.1 200 OK\nContent-Length: 500\n\n";
    let until_close = "HTTP/1.1 200 OK\n\nto the end";
    let server = Scripted::plain(&[&[chunked, head, until_close], &[EMPTY]]);
    let mut client = Client::new(&server.url);
    let response = client.get("/chunked");
    assert_eq!(response.text(), "abcde");
    assert_eq!(response.headers_named("x").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(client.request("HEAD", "/head").send().body, b"");
    assert_eq!(client.get("/close").text(), "to the end");
    client.get("/again").expect(200);
    server.requests();
}

#[test]
fn cookies_go_back_and_connections_that_close_are_replaced() {
    let login = "HTTP/1.1 200 OK\nSet-Cookie: session_id=ab; Path=/\nContent-Length: 0\n\
                 Allow: GET\nContent-Language: en\nConnection: close\n\n";
    let server = Scripted::plain(&[&[login], &[EMPTY, EMPTY]]);
    let mut client = Client::new(&server.url);
    client.login("admin", "admin");
    assert_eq!(client.cookie("session_id"), Some("ab"));
    assert!(!client.is_connected());
    client.get("/api/x");
    assert!(client.is_connected());
    client.request("GET", "/api/x").no_cookie().send();
    let requests = server.requests();
    assert!(requests[1].contains("Cookie: session_id=ab"));
    assert!(!requests[2].contains("Cookie"));
}

#[test]
fn a_body_is_held_back_until_asked_for() {
    let go_on = "HTTP/1.1 100 Continue\n\n";
    let refused = "HTTP/1.1 413 Too Large\nContent-Length: 0\n\n";
    let server = Scripted::plain(&[&[go_on, EMPTY, refused]]);
    let mut client = Client::new(&server.url);
    let response = client.request("PUT", "/x").json(&json!({})).expect_continue().send();
    assert_eq!((response.status, response.interim), (200, vec![100]));
    let response = client.request("PUT", "/x").json(&json!({})).expect_continue().send();
    assert_eq!((response.status, response.interim), (413, vec![]));
    let requests = server.requests();
    assert_eq!(requests[1], "{}");
    assert!(!requests[2].ends_with("{}"));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\nContent-Length: 5\n\nabc",
        "HTTP/1.1 200 OK\nContent-Length: 1\nTransfer-Encoding: chunked\n\na",
        "HTTP/2 200\n\n",
        "HTTP/1.1 20 OK\n\n",
        "HTTP/1.1 200 OK\nno header\n\n",
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabcd\n0\n\n",
    ] {
        let server = Scripted::plain(&[&[answer]]);
        let mut client = Client::new(&server.url);
        let outcome = client.request("GET", "/x").try_send();
        assert!(outcome.is_err(), "{answer:?} passed for {outcome:?}");
        server.requests();
    }
}

#[test]
fn raw_bytes_go_out_as_they_are() {
    let bad = "HTTP/1.1 400 Bad Request\nContent-Length: 0\nConnection: close\n\n";
    let server = Scripted::plain(&[&[bad]]);
    let mut client = Client::new(&server.url);
    let response = client.send_raw(b"GET /api \xff HTTP/1.1\r\n\r\n").expect(400);
    assert_eq!((response.request.method.as_str(), response.request.path.as_str()), ("GET", "/api"));
    assert_eq!(response.faults().len(), 3, "{:?}", response.faults());
    server.requests();
}

#[test]
fn tls_with_and_without_verification() {
    let (server, pem) = Scripted::tls(&[&[EMPTY, EMPTY], &[EMPTY], &[EMPTY]]);
    let mut client = Client::new(&server.url);
    client.get("/api").expect(200);
    client.get("/api").expect(200);
    assert_eq!(client.tls_version(), Some(ProtocolVersion::TLSv1_3));
    let seen = client.certificate_pem();
    assert_eq!(seen.replace(['\r', '\n'], ""), pem.replace(['\r', '\n'], ""));
    drop(client);

    Client::verifying(&server.url, &seen).get("/api").expect(200);

    let mut old = Client::new(&server.url).tls_versions(&[&rustls::version::TLS12]);
    old.get("/api").expect(200);
    assert_eq!(old.tls_version(), Some(ProtocolVersion::TLSv1_2));
    server.requests();
}

#[test]
fn another_root_is_not_trusted() {
    let (other, _) = Scripted::tls(&[&[EMPTY]]);
    let (_, unrelated) = Scripted::tls(&[]);
    let mut client = Client::verifying(&other.url, &unrelated);
    let why = client.request("GET", "/api").try_send().expect_err("refused");
    assert!(why.to_string().contains("certificate"), "{why}");
}
