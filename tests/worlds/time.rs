//! The time of a world: every timer obeys it, and nothing waits for it.

use serde_json::{Value, json};
use support::{Client, Evidence, Response, Server};

use crate::{WEB_INTERFACE, admin, fork, set_timeout, timeout, world};

fn clock(server: &Server, world: &str, body: &Value) -> Response {
    server.client().put(&format!("/boxwood/v1/worlds/{world}/clock"), body)
}

#[track_caller]
fn advance(server: &Server, world: &str, seconds: u64) {
    clock(server, world, &json!({ "advance_seconds": seconds })).expect(200);
}

/// The time of a world, to the second.
fn now(server: &Server, world: &str) -> String {
    let path = format!("/boxwood/v1/worlds/{world}/clock");
    let now = server.client().get(&path).expect(200).at("/now");
    now.as_str().unwrap()[..19].to_owned()
}

#[test]
fn a_clock_is_set_stopped_moved_and_let_go() {
    let server = Server::builder().http().start();
    world(&server, "a");
    let shown = clock(&server, "a", &json!({ "now": "2031-05-06T07:08:09Z", "frozen": true }));
    let shown = shown.expect(200).json();
    assert_eq!(shown["now"], "2031-05-06T07:08:09.000000Z");
    assert_eq!((&shown["frozen"], &shown["step_seconds"]), (&json!(true), &json!(0.0)));
    assert_eq!(now(&server, "a"), "2031-05-06T07:08:09");
    advance(&server, "a", 3600);
    assert_eq!(now(&server, "a"), "2031-05-06T08:08:09");
    // Revisions, and what a fork begins with.
    set_timeout(&mut admin(&server, "a"), 20);
    let time = admin(&server, "a").get("/boxwood/v1/revisions/2").expect(200).at("/time");
    assert_eq!(time, "2031-05-06T08:08:09.000000Z");
    fork(&server, &json!({ "name": "b", "from": "a" })).expect(201);
    advance(&server, "a", 1);
    assert_eq!(now(&server, "b"), "2031-05-06T08:08:09");
    // A reset leads back in time too.
    advance(&server, "b", 100);
    server.client().request("POST", "/boxwood/v1/worlds/b/reset").send().expect(200);
    assert_eq!(now(&server, "b"), "2031-05-06T08:08:09");
    // Steps: each request in the world moves it, and nothing else does.
    clock(&server, "b", &json!({ "step_seconds": 2 })).expect(200);
    let mut client = server.client().in_world("b");
    (0..3).for_each(|_| drop(client.get("/boxwood/v1/health").expect(200)));
    assert_eq!(now(&server, "b"), "2031-05-06T08:08:15");
    clock(&server, "b", &json!({ "frozen": false, "step_seconds": 0 })).expect(200);
    assert!(now(&server, "b").as_str() >= "2031-05-06T08:08:15");
    // Back in time: revisions keep their order all the same.
    clock(&server, "a", &json!({ "now": "2020-01-01T00:00:00Z" })).expect(200);
    set_timeout(&mut admin(&server, "a"), 21);
    let time = admin(&server, "a").get("/boxwood/v1/revisions/3").expect(200).at("/time");
    assert_eq!(time, "2031-05-06T08:08:09.000000Z");
}

#[test]
fn what_cannot_be_a_time_is_refused_and_nothing_moves() {
    let server = Server::builder().http().start();
    world(&server, "a");
    let at = json!({ "now": "2031-05-06T07:08:09Z", "frozen": true });
    clock(&server, "a", &at).expect(200);
    for (body, status) in [
        (json!({ "advance_seconds": -1 }), 400),
        (json!({ "advance_seconds": "1" }), 400),
        (json!({ "advance_seconds": 1e300 }), 400),
        (json!({ "advance_seconds": 300_000_000_000_u64 }), 400),
        (json!({ "now": "9999-12-31T23:59:59Z", "advance_seconds": 2 }), 400),
        (json!({ "now": "99999-01-01T00:00:00Z" }), 400),
        (json!({ "now": "2031-05-06" }), 400),
        (json!({ "now": 1 }), 400),
        (json!({ "frozen": 1 }), 400),
        (json!({ "forward": 1 }), 400),
        (json!([]), 400),
    ] {
        clock(&server, "a", &body).expect(status);
    }
    server.client().request("PUT", "/boxwood/v1/worlds/a/clock").send().expect(400);
    clock(&server, "nowhere", &json!({})).expect_error(404, "NoSuchWorld");
    assert_eq!(now(&server, "a"), "2031-05-06T07:08:09");
    // By centuries, with somebody logged in.
    let mut client = admin(&server, "a");
    advance(&server, "a", 200 * 365 * 86_400);
    assert!(now(&server, "a").starts_with("2231-"));
    client.get(WEB_INTERFACE).expect_error(401, "Unauthenticated");
}

#[test]
fn sessions_and_their_locks_end_at_their_time() {
    let server = Server::builder().http().start();
    for name in ["main", "a"] {
        if name == "a" {
            world(&server, name);
        }
        let (mut first, mut second) = (admin(&server, name), admin(&server, name));
        first.open().expect(200);
        advance(&server, name, 599);
        // This one is used, the other is not.
        second.open().expect_error(409, "Conflict");
        advance(&server, name, 1);
        second.open().expect(200);
        first.get(WEB_INTERFACE).expect_error(401, "Unauthenticated");
        second.rollback().expect(200);
    }
    let left = server.admin().get("/api/authentication").expect(200);
    assert!(!left.text().is_empty());
}

#[test]
fn an_unconfirmed_commit_is_undone_at_its_time_and_in_its_order() {
    let server = Server::builder().http().start();
    world(&server, "a");
    for name in ["a", "main"] {
        clock(&server, name, &json!({ "now": "2031-01-01T00:00:00Z", "frozen": true })).expect(200);
        let mut client = admin(&server, name);
        client.open().expect(200);
        client.put(WEB_INTERFACE, &json!({ "timeout": 60 })).expect(200);
        let commit = json!({ "status": "commit", "confirm_within": 120 });
        client.put("/api/transaction", &commit).expect(200);
        assert_eq!(timeout(&mut client), 60);
        advance(&server, name, 119);
        assert_eq!(timeout(&mut client), 60);
        advance(&server, name, 500);
        assert_eq!(timeout(&mut client), 10);
        let undone = client.get("/boxwood/v1/revisions/3").expect(200);
        assert_eq!(undone.at("/time"), "2031-01-01T00:02:00.000000Z", "when it was due");
    }
}

#[test]
fn tokens_limits_and_throttles_obey() {
    let server = Server::builder()
        .appliance("advalidation")
        .appliance("prisma-access")
        .set("appliances.advalidation.rate_limit", true)
        .set("login.failures", 3)
        .start();
    world(&server, "a");
    clock(&server, "a", &json!({ "frozen": true })).expect(200);
    let mut client =
        server.client_of("advalidation").in_world("a").credentials("X-API-Key", "admin");
    (0..15).for_each(|_| drop(client.get("/v2/connection-profiles").expect(200)));
    client.get("/v2/connection-profiles").expect(429);
    advance(&server, "a", 2);
    client.get("/v2/connection-profiles").expect(200);
    client.get("/v2/connection-profiles").expect(200);
    client.get("/v2/connection-profiles").expect(429);

    let mut token = server.client_of("prisma-access").in_world("a");
    let form = "grant_type=client_credentials&scope=tsg_id:1";
    let request = token.request("POST", "/oauth2/access_token").basic("admin", "admin");
    let answer = request.text(form, "application/x-www-form-urlencoded").send().expect(200);
    let bearer = format!("Bearer {}", answer.at("/access_token").as_str().unwrap());
    let mut client = token.fork().credentials("authorization", &bearer);
    let path = "/sse/config/v1/authentication-profiles?folder=Shared";
    client.get(path).expect(200);
    advance(&server, "a", 899);
    client.get(path).expect(200);
    advance(&server, "a", 1);
    client.get(path).expect(401);
}

#[test]
fn the_time_of_serve_is_the_machine_s() {
    let evidence = Evidence::new();
    let server = Server::builder().serve(evidence.path().join("data")).http().start();
    let mut main: Client = server.admin();
    main.put("/boxwood/v1/worlds/main/clock", &json!({ "advance_seconds": 1 }))
        .expect_error(409, "Conflict");
    main.post("/boxwood/v1/worlds", &json!({ "name": "a" })).expect(201);
    main.put("/boxwood/v1/worlds/a/clock", &json!({ "advance_seconds": 1 })).expect(200);
}
