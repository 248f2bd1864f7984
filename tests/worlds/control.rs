//! Making, showing, resetting and dropping worlds, and who may.

use serde_json::{Value, json};
use support::{Evidence, Server};

use crate::{WEB_INTERFACE, WORLDS, admin, fork, set_timeout, timeout, world};

#[test]
fn a_world_is_made_shown_listed_and_dropped() {
    let server = Server::dev_of(&["sps-6.2", "advalidation"]);
    let made = fork(&server, &json!({ "name": "ci-1" })).expect(201);
    assert_eq!(made.header("location"), Some("/boxwood/v1/worlds/ci-1"));
    let body = made.json();
    assert_eq!((&body["name"], &body["from"]), (&json!("ci-1"), &json!("main")));
    for appliance in ["sps-6.2", "advalidation"] {
        let port = server.url_of(appliance).rsplit_once(':').unwrap().1;
        let expected = format!("https://ci-1.localhost:{port}");
        assert_eq!(body["urls"][appliance], expected);
        assert_eq!(body["appliances"][appliance]["sessions"], 0);
    }
    let mut client = server.client();
    assert_eq!(client.get("/boxwood/v1/worlds/ci-1").expect(200).json(), body);
    // Without a name and without a body there is a name all the same.
    let other = client.request("POST", WORLDS).send().expect(201).at("/name");
    let names = |list: Value| {
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().map(|item| item["name"].clone()).collect::<Vec<_>>()
    };
    let list = client.get(WORLDS).expect(200).json();
    assert_eq!(names(list), [json!("main"), json!("ci-1"), other.clone()]);
    client.delete("/boxwood/v1/worlds/ci-1").expect(200);
    client.get("/boxwood/v1/worlds/ci-1").expect_error(404, "NoSuchWorld");
    client.delete("/boxwood/v1/worlds/ci-1").expect_error(404, "NoSuchWorld");
    assert_eq!(names(client.get(WORLDS).expect(200).json()), [json!("main"), other]);
    fork(&server, &json!({ "name": "ci-1" })).expect(201);
}

#[test]
fn what_cannot_be_made_is_refused_and_nothing_is_made() {
    let server = Server::builder().http().set("worlds.most", 2).start();
    world(&server, "a");
    let long = "x".repeat(300);
    for (body, status, kind) in [
        (json!({ "name": "a" }), 409, "Conflict"),
        (json!({ "name": "main" }), 409, "Conflict"),
        (json!({ "name": "" }), 400, "InvalidRequest"),
        (json!({ "name": "A" }), 400, "InvalidRequest"),
        (json!({ "name": "a b" }), 400, "InvalidRequest"),
        (json!({ "name": "ä" }), 400, "InvalidRequest"),
        (json!({ "name": "a/b" }), 400, "InvalidRequest"),
        (json!({ "name": long }), 400, "InvalidRequest"),
        (json!({ "name": 7 }), 400, "SyntacticError"),
        (json!({ "nmae": "b" }), 400, "SyntacticError"),
        (json!([]), 400, "SyntacticError"),
        (json!({ "name": "b", "from": "nowhere" }), 404, "NoSuchWorld"),
        (json!({ "name": "b", "from": { "revision": 99 } }), 404, "NotFound"),
        (json!({ "name": "b", "from": { "tag": "none" } }), 404, "NotFound"),
        (
            json!({ "name": "b", "from": { "appliance": "x", "revision": 1 } }),
            400,
            "SyntacticError",
        ),
        (json!({ "name": "b", "from": { "revision": 1, "tag": "t" } }), 400, "SyntacticError"),
    ] {
        fork(&server, &body).expect_error(status, kind);
    }
    world(&server, "b");
    let full = fork(&server, &json!({ "name": "c" })).expect_error(503, "TooManyWorlds");
    assert!(full.text().contains("worlds.most"), "{}", full.text());
    let mut client = server.client();
    client.delete("/boxwood/v1/worlds/main").expect_error(409, "Conflict");
    client.put("/boxwood/v1/worlds/a", &json!({})).expect_error(405, "MethodNotAllowed");
    client.get("/boxwood/v1/worlds/a/reset").expect_error(405, "MethodNotAllowed");
    client.get("/boxwood/v1/worlds/a/nothing").expect_error(404, "NotFound");
    client.request("POST", "/boxwood/v1/worlds/x/reset").send().expect_error(404, "NoSuchWorld");
}

#[test]
fn a_reset_leads_back_to_where_a_world_began() {
    let server = Server::builder().http().start();
    let mut main = server.admin();
    set_timeout(&mut main, 20);
    world(&server, "a");
    set_timeout(&mut main, 21);
    let mut client = admin(&server, "a");
    set_timeout(&mut client, 30);
    client.put("/boxwood/v1/tags/mine", &json!({ "revision": 2 })).expect(200);
    client.open().expect(200);
    let reset = server.client().request("POST", "/boxwood/v1/worlds/a/reset").send().expect(200);
    assert_eq!(
        (reset.at("/from"), reset.at("/appliances/sps-6.2/revision")),
        ("main".into(), 2.into())
    );
    client.get(WEB_INTERFACE).expect_error(401, "Unauthenticated");
    let mut again = admin(&server, "a");
    assert_eq!(timeout(&mut again), 20);
    assert_eq!(again.get("/boxwood/v1/tags").expect(200).at("/items"), json!([]));
    // The lock of the former session is not there either.
    set_timeout(&mut again, 31);
    assert_eq!(timeout(&mut main), 21);
}

#[test]
fn a_reset_of_main_leads_to_factory_state_in_dev_and_is_refused_where_it_is_durable() {
    let server = Server::builder().http().start();
    let mut main = server.admin();
    set_timeout(&mut main, 20);
    world(&server, "a");
    server.client().request("POST", "/boxwood/v1/worlds/main/reset").send().expect(200);
    main.get(WEB_INTERFACE).expect_error(401, "Unauthenticated");
    let mut main = server.admin();
    assert_eq!((timeout(&mut main), timeout(&mut admin(&server, "a"))), (10, 20));
    set_timeout(&mut main, 22);
    // And once more, from there.
    server.client().request("POST", "/boxwood/v1/worlds/main/reset").send().expect(200);
    assert_eq!(timeout(&mut server.admin()), 10);

    let evidence = Evidence::new();
    let server = Server::builder().http().data_dir(evidence.path().join("data")).start();
    set_timeout(&mut server.admin(), 20);
    let reset = server.client().request("POST", "/boxwood/v1/worlds/main/reset").send();
    reset.expect_error(409, "Conflict");
    assert_eq!(timeout(&mut server.admin()), 20);
}

#[test]
fn a_world_begins_at_a_revision_or_a_tag() {
    let server = Server::builder().http().start();
    let mut main = server.admin();
    for minutes in [20, 21, 22] {
        set_timeout(&mut main, minutes);
    }
    main.put("/boxwood/v1/tags/before", &json!({ "revision": 2 })).expect(200);
    fork(&server, &json!({ "name": "r", "from": { "revision": 3 } })).expect(201);
    fork(&server, &json!({ "name": "t", "from": { "tag": "before" } })).expect(201);
    fork(&server, &json!({ "name": "f", "from": { "world": "r", "revision": 1 } })).expect(201);
    for (name, minutes, newest) in [("r", 21, 3), ("t", 20, 2), ("f", 10, 1)] {
        let mut client = admin(&server, name);
        assert_eq!(timeout(&mut client), minutes, "{name}");
        let history = client.get("/boxwood/v1/revisions").expect(200);
        assert_eq!(history.at("/meta/newest"), newest, "{name}");
    }
}

#[test]
fn in_dev_control_is_open_on_this_machine_but_not_to_pages_of_others() {
    let server = Server::builder().http().start();
    let mut client = server.client();
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let request = client.request("POST", WORLDS).header(name, value);
        request.json(&json!({})).unchecked().send().expect_error(403, "Unauthorized");
        // Not with a password either: a browser sends one that it knows by itself.
        let request = client.request("GET", WORLDS).header(name, value).basic("admin", "admin");
        request.send().expect_error(403, "Unauthorized");
    }
    let host = server.url().strip_prefix("http://").unwrap().to_owned();
    let own = client.request("GET", WORLDS).header("Origin", &format!("http://{host}"));
    own.header("Sec-Fetch-Site", "same-origin").send().expect(200);
    // A name of somebody else that was made to mean this machine.
    let rebound = client.request("GET", WORLDS).header("Host", "evil.example");
    rebound.send().expect_error(401, "Unauthenticated");
    let rebound = client.request("GET", WORLDS).header("Host", "evil.example");
    rebound.basic("admin", "admin").send().expect(200);
}

#[test]
fn in_serve_control_takes_the_administrator() {
    let evidence = Evidence::new();
    let server = Server::builder().serve(evidence.path().join("data")).http().start();
    let mut client = server.client();
    client.get(WORLDS).expect_error(401, "Unauthenticated");
    client.post(WORLDS, &json!({})).expect_error(401, "Unauthenticated");
    let wrong = client.request("GET", WORLDS).basic("admin", "wrong").send();
    wrong.expect_error(401, "AuthenticationFailure");
    let made = client.request("POST", WORLDS).basic("admin", "admin").json(&json!({"name": "a"}));
    made.send().expect(201);
    // A login of the appliance does as well, in main; one of a world is not of the operator.
    let mut main = server.admin();
    main.get("/boxwood/v1/worlds/a").expect(200);
    let mut in_world = admin(&server, "a");
    in_world.get(WORLDS).expect_error(401, "Unauthenticated");
    let reset = main.request("POST", "/boxwood/v1/worlds/main/reset").send();
    reset.expect_error(409, "Conflict");
    main.delete("/boxwood/v1/worlds/a").expect(200);
    in_world.request("GET", WEB_INTERFACE).unchecked().send().expect(404);
}
