//! The key: whose it is, what it opens, and what guessing it costs.

use serde_json::json;
use support::Server;

use crate::{NAME, PROFILES, create, started, strict, total};

#[test]
fn the_key_says_who_asks() {
    let (server, mut admin) = started();
    let me = admin.get("/v2/users/me").expect(200).at("/data");
    assert_eq!((&me["id"], &me["name"]), (&json!(1), &json!("admin")));
    assert!(me["email"].as_str().unwrap().contains('@'));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = admin.request(method, "/v2/users/me").json(&json!({})).send().expect(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    admin.request("HEAD", "/v2/users/me").send().expect(200);
    let options = admin.request("OPTIONS", PROFILES).send().expect(204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS, POST"));
    server.client().request("OPTIONS", PROFILES).send().expect(401);
}

// Input: more wrong keys than an address may try.
// Output: 401 each time, at last with the time to wait.
#[test]
fn guessing_is_throttled_and_always_a_401() {
    let server = Server::builder().appliance(NAME).set("login.failures", 5).start();
    let mut client = server.client();
    let mut get = |key: &str| client.request("GET", PROFILES).header("X-API-Key", key).send();
    let mut blocked = None;
    for n in 0..30 {
        let answer = get(&format!("guess-{n}")).expect(401);
        assert_eq!(answer.at("/error/issues/0/type"), "authentication_failed");
        assert!(!answer.to_string().contains("< guess-"), "a key is not shown");
        blocked = answer.header("retry-after").map(str::to_owned).or(blocked);
    }
    let seconds: u64 = blocked.unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
}

// Input: the key twice, and one that no text is.
// Output: 401.
#[test]
fn a_key_is_one_text() {
    let server = Server::dev_of(&[NAME]);
    let mut client = server.client();
    let twice = client.request("GET", PROFILES).header("X-API-Key", "admin");
    twice.header("X-API-Key", "other").send().expect(401);
    let head = b"GET /v2/users/me HTTP/1.1\r\nHost: x\r\nX-API-Key: \xff\xfe\r\n\r\n";
    client.send_raw(head).expect(401);
}

#[test]
fn a_malformed_head_is_refused_in_the_same_envelope() {
    let server = Server::dev_of(&[NAME]);
    let answer = server.client().send_raw(b"GET /v2/users/me HTTP/1.1\r\n\r\n").expect(400);
    assert_eq!(answer.at("/error/responseCode"), json!(400));
    assert!(answer.header("x-ratelimit-ipremaining").is_some());
}

#[test]
fn the_key_opens_boxwoods_own_api_too() {
    let (server, mut admin) = started();
    create(&mut admin, PROFILES, &strict());
    let path = "/boxwood/v1/revisions";
    let mut client = server.client();
    client.get(path).expect(401);
    client.request("GET", path).header("X-API-Key", "wrong").send().expect(401);
    client.request("GET", path).basic("admin", "admin").send().expect(200);
    let revisions = client.request("GET", path).header("X-API-Key", "admin").send().expect(200);
    assert_eq!(revisions.at("/items/0/author"), "admin");
    assert_eq!(total(&mut admin, PROFILES), 1);
}
