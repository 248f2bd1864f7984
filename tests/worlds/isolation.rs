//! What belongs to one world means nothing in another.

use std::sync::mpsc;
use std::thread;

use serde_json::json;
use support::{Client, Server, wait_for};

use crate::{PASSWORDS, WEB_INTERFACE, admin, set_timeout, timeout, world};

#[test]
fn sessions_locks_caches_keys_and_throttles_are_apart() {
    let server = Server::builder().http().set("login.failures", 3).start();
    world(&server, "a");
    world(&server, "b");
    let (mut main, mut a, mut b) = (server.admin(), admin(&server, "a"), admin(&server, "b"));
    // The same revision number and path, and three documents, asked for again so that they are kept.
    set_timeout(&mut main, 20);
    set_timeout(&mut a, 30);
    set_timeout(&mut b, 40);
    for _ in 0..4 {
        let seen = [&mut main, &mut a, &mut b].map(timeout);
        assert_eq!(seen, [20, 30, 40]);
    }
    // All of them hold the lock of their own world.
    for client in [&mut main, &mut a, &mut b] {
        client.open().expect(200);
    }
    let mut second = admin(&server, "a");
    second.open().expect_error(409, "Conflict");
    a.rollback().expect(200);
    second.open().expect(200);
    // One key, two requests.
    let key = |client: &mut Client, minutes: u64| {
        client.put(WEB_INTERFACE, &json!({ "timeout": minutes })).expect(200);
        let commit = client.request("PUT", "/api/transaction").header("Idempotency-Key", "k");
        commit.json(&json!({ "status": "commit" })).send().expect(200)
    };
    key(&mut main, 21);
    key(&mut b, 41);
    assert_eq!([timeout(&mut main), timeout(&mut second), timeout(&mut b)], [21, 30, 41]);
    // Who guesses in one is blocked there alone.
    let mut guesser = server.client().in_world("a");
    for _ in 0..4 {
        let request = guesser.request("GET", "/api/authentication").basic("admin", "wrong");
        request.send().expect(401);
    }
    let blocked = guesser.request("GET", "/api/authentication").basic("admin", "admin").send();
    assert!(blocked.expect(401).text().contains("too many failed logins"));
    admin(&server, "b");
    server.admin();
}

#[test]
fn every_dialect_is_apart_in_every_world() {
    let server = Server::dev_of(&["prisma-access", "ds-server", "advalidation"]);
    world(&server, "a");
    let form = "grant_type=client_credentials&scope=tsg_id:1";
    let token = |world: &str| {
        let mut client = server.client_of("prisma-access").in_world(world);
        let request = client.request("POST", "/oauth2/access_token").basic("admin", "admin");
        let request = request.text(form, "application/x-www-form-urlencoded");
        format!("Bearer {}", request.send().expect(200).at("/access_token").as_str().unwrap())
    };
    let (of_main, of_a) = (token("main"), token("a"));
    let path = "/sse/config/v1/authentication-profiles?folder=Shared";
    let list = |world: &str, token: &str| {
        let client = server.client_of("prisma-access").in_world(world);
        client.credentials("authorization", token).get(path)
    };
    list("main", &of_main).expect(200);
    list("a", &of_a).expect(200);
    list("a", &of_main).expect(401);
    list("main", &of_a).expect(401);
    let address = json!({ "name": "only-in-a" });
    let mut client = server.client_of("prisma-access").in_world("a");
    client = client.credentials("authorization", &of_a);
    client.post(path, &address).expect(201);
    assert_eq!(list("a", &of_a).expect(200).at("/total"), 1);
    assert_eq!(list("main", &of_main).expect(200).at("/total"), 0);

    let mut profile =
        json!({ "name": "p", "withoutCookiesAction": "pass", "withCookiesAction": "fail" });
    let mut a = server.admin_of("advalidation").in_world("a");
    a.post("/v2/connection-profiles", &profile).expect(201);
    profile["name"] = json!("q");
    let mut main = server.admin_of("advalidation");
    let made = main.post("/v2/connection-profiles", &profile).expect(201);
    assert_eq!(made.at("/data/id"), 1, "a counter of its own");
    assert_eq!(a.get("/v2/connection-profiles").expect(200).at("/data/0/name"), "p");

    let credentials = json!({ "id": "x", "secret": "s", "authorizedRedirectUris": [] });
    let body = json!({ "name": "x", "clientCredentials": credentials });
    let mut a = server.admin_of("ds-server").in_world("a");
    a.post("/admin/securityprofiles", &body).expect(200);
    // The id of a client is unique, in each world.
    server.admin_of("ds-server").post("/admin/securityprofiles", &body).expect(200);
    a.post("/admin/securityprofiles", &body).expect(400);
}

#[test]
fn a_world_that_is_dropped_while_it_is_used_gives_clear_answers() {
    let server = Server::builder().http().start();
    world(&server, "a");
    let mut client = admin(&server, "a");
    client.open().expect(200);
    client.post(PASSWORDS, &json!({ "plain": "x" })).expect(201);
    // A stream of events ends.
    let (sender, ended) = mpsc::channel();
    let mut watcher = client.fork();
    let stream = thread::spawn(move || {
        let answer = watcher.request("GET", "/boxwood/v1/watch").unchecked().send();
        sender.send(()).unwrap();
        answer
    });
    wait_for("the stream to be open", || server.log().contains("\"verb\":\"watch\""));
    server.client().delete("/boxwood/v1/worlds/a").expect(200);
    ended.recv_timeout(support::PATIENCE).unwrap();
    assert_eq!(stream.join().unwrap().status, 200);
    let commit = client.request("PUT", "/api/transaction").json(&json!({ "status": "commit" }));
    let gone = commit.unchecked().send();
    assert!(gone.text().contains("POST /boxwood/v1/worlds"), "{}", gone.text());
    assert_eq!(gone.status, 404);
    // Another one of that name is another one.
    world(&server, "a");
    client.get(WEB_INTERFACE).expect_error(401, "Unauthenticated");
    assert_eq!(timeout(&mut admin(&server, "a")), 10);
}
