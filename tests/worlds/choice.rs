//! Which world a request means.

use serde_json::json;
use support::Server;

use crate::{WEB_INTERFACE, admin, set_timeout, timeout, world};

#[test]
fn a_world_is_chosen_by_header_or_by_host_name() {
    let server = Server::builder().http().https().start();
    world(&server, "a");
    let mut first = admin(&server, "a");
    set_timeout(&mut first, 33);
    let token = first.cookie("session_id").unwrap().to_owned();
    for url in server.urls() {
        let mut client = support::Client::new(url);
        for host in ["a.localhost", "A.localhost", "a.localhost:8443", "a.LOCALHOST."] {
            let request = client.request("GET", WEB_INTERFACE).header("session_id", &token);
            let status = request.header("Host", host).unchecked().send().status;
            // A name is a name as it was given; its domain is one of DNS.
            assert_eq!(status, if host.starts_with('a') { 200 } else { 404 }, "{host}");
        }
        let by_both = client.request("GET", WEB_INTERFACE).header("session_id", &token);
        let by_both = by_both.header("Host", "a.localhost").header("Boxwood-World", "a").send();
        assert_eq!(by_both.expect(200).at("/body/timeout"), 33);
        // The session is of that world alone.
        let request = client.request("GET", WEB_INTERFACE).header("session_id", &token);
        request.send().expect_error(401, "Unauthenticated");
        let main = client.request("GET", WEB_INTERFACE).header("Boxwood-World", "main");
        main.header("session_id", &token).send().expect_error(401, "Unauthenticated");
    }
    // Links are as the appliance has them.
    let shown = first.get(WEB_INTERFACE).expect(200);
    assert_eq!(shown.at("/meta/href"), WEB_INTERFACE);
    assert_eq!(timeout(&mut server.admin()), 10);
}

#[test]
fn an_unknown_world_is_404_and_says_how_to_make_it() {
    let server = Server::dev_of(&["sps-6.2", "ds-server", "advalidation", "prisma-access"]);
    for (appliance, path) in [
        ("sps-6.2", "/api/configuration"),
        ("ds-server", "/admin/securityprofiles"),
        ("advalidation", "/v2/connection-profiles"),
        ("prisma-access", "/sse/config/v1/addresses"),
        ("sps-6.2", "/boxwood/v1/health"),
    ] {
        let mut client = server.client_of(appliance);
        let request = client.request("GET", path).header("Boxwood-World", "nowhere");
        let answer = request.unchecked().send().expect(404);
        let message = answer.at("/error/message").as_str().unwrap().to_owned();
        assert!(message.contains("POST /boxwood/v1/worlds"), "{message}");
        assert!(message.contains("\"nowhere\""), "{message}");
    }
}

#[test]
fn a_header_that_cannot_be_meant_is_refused() {
    let server = Server::builder().http().start();
    world(&server, "a");
    world(&server, "b");
    let mut client = server.client();
    let twice = client.request("GET", "/api").header("Boxwood-World", "a");
    twice.header("Boxwood-World", "a").unchecked().send().expect(400);
    let disagree = client.request("GET", "/api").header("Boxwood-World", "a");
    let disagree = disagree.header("Host", "b.localhost").unchecked().send().expect(400);
    assert!(disagree.text().contains("names two worlds"), "{}", disagree.text());
    let long = "x".repeat(300);
    for (name, status) in
        [("", 404), ("é", 400), ("../main", 404), ("a b", 404), ("A", 404), (long.as_str(), 404)]
    {
        let request = client.request("GET", "/api").header("Boxwood-World", name);
        request.unchecked().send().expect(status);
    }
    let deep = client.request("GET", "/api").header("Host", "x.a.localhost");
    deep.unchecked().send().expect(404);
    // What is about worlds as such is not about one of them.
    let control = client.request("POST", "/boxwood/v1/worlds").header("Boxwood-World", "c");
    control.json(&json!({ "name": "c" })).send().expect(201);
}
