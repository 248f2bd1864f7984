//! Logging in, who is logged in, and ending sessions with their locks.

use serde_json::json;
use support::Server;

use crate::{admin, kind, v1, with_token};

#[test]
fn a_token_is_a_session_on_every_appliance() {
    let appliances = ["sps-6.2", "prisma-access", "ds-server", "advalidation"];
    let server = Server::dev_of(&appliances);
    for appliance in appliances {
        let mut client = admin(&server, appliance);
        let own = client.get(&v1("session")).expect(200).json();
        assert_eq!(own["user"], "admin", "{appliance}");
        assert!(own["administrator"] == true && own["current"] == true);
        assert!(own.get("token").is_none(), "a token is shown once");
        let listed = client.get(&v1("sessions")).expect(200).at("/items");
        assert_eq!(listed.as_array().unwrap().len(), 1, "{appliance}");
        client.delete(&v1("session")).expect(200);
        client.get(&v1("session")).expect(401);
    }
}

#[test]
fn wrong_credentials_are_refused_and_say_what_to_do() {
    let server = Server::dev();
    let mut client = server.client();
    let refused = client.post(&v1("sessions"), &json!({ "user": "admin", "password": "no" }));
    assert_eq!(kind(&refused.expect(401).json()), "authentication-failure");
    let refused = client.request("POST", &v1("sessions")).send().expect(401).json();
    assert!(refused["remedy"].as_str().unwrap().contains("password"), "{refused}");
    let refused = client.post(&v1("sessions"), &json!({ "user": "admin" })).expect(400).json();
    assert_eq!(kind(&refused), "syntactic-error");
    let refused = client.get(&v1("nodes")).expect(401).json();
    assert!(refused["remedy"].as_str().unwrap().contains("POST /boxwood/v1/sessions"), "{refused}");
    let mut stranger = server.client().credentials("Authorization", "Bearer 0123");
    stranger.get(&v1("nodes")).expect(401);
    client.request("POST", &v1("sessions")).basic("admin", "admin").send().expect(201);
}

#[test]
fn an_administrator_ends_a_session_and_its_lock_is_free() {
    let server = Server::dev();
    let mut holder = admin(&server, "sps-6.2");
    let mut other = admin(&server, "sps-6.2");
    holder.post(&v1("transaction"), &json!({})).expect(201);
    let held = other.post(&v1("transaction"), &json!({})).expect(409).json();
    assert_eq!((kind(&held).as_str(), held["reason"].as_str()), ("conflict", Some("locked")));
    assert!(held["locked_by"] == "admin" && held["since"].is_string(), "{held}");
    let name = held["session"].as_str().unwrap().to_owned();
    assert!(held["remedy"].as_str().unwrap().contains(&format!("sessions/{name}")), "{held}");

    let open = other.get(&v1("transactions")).expect(200).at("/items/0");
    assert!(open["session"] == name.as_str() && open["lock"] == true, "{open}");
    other.delete(&v1(&format!("transactions/{name}"))).expect(200);
    other.delete(&v1(&format!("transactions/{name}"))).expect(404);
    other.post(&v1("transaction"), &json!({})).expect(201);
    other.delete(&v1("transaction")).expect(200);

    holder.post(&v1("transaction"), &json!({})).expect(201);
    other.delete(&v1(&format!("sessions/{name}"))).expect(200);
    holder.get(&v1("session")).expect(401);
    other.post(&v1("transaction"), &json!({})).expect(201);
}

#[test]
fn a_session_of_the_appliance_is_one_here_and_is_listed() {
    let server = Server::dev();
    let mut cookie = server.admin();
    cookie.post("/api/transaction", &json!({})).expect(200);
    let mut admin = admin(&server, "sps-6.2");
    let sessions = admin.get(&v1("sessions")).expect(200).at("/items");
    let found = sessions.as_array().unwrap().iter().find(|one| one["lock"] == true).unwrap();
    assert_eq!(found["transaction"]["changes"], 0, "{found}");
    assert_eq!(cookie.get(&v1("session")).expect(200).at("/session"), found["session"]);
    let ended = v1(&format!("sessions/{}", found["session"].as_str().unwrap()));
    admin.delete(&ended).expect(200);
    cookie.get("/api/transaction").expect(401);
}

#[test]
fn users_of_the_appliance_see_and_change_what_they_may() {
    let server = Server::dev();
    let mut admin = admin(&server, "sps-6.2");
    let edits = json!({ "commit": true, "edits": [
        { "op": "create", "path": "/passwords", "body": { "plain": "open sesame" } },
    ] });
    let made = admin.post(&v1("edits"), &edits);
    // Nothing refers to the password yet, so it does not outlast its commit.
    made.expect(200);
    admin.post(&v1("transaction"), &json!({})).expect(201);
    let made = admin.post(&v1("nodes/passwords"), &json!({ "plain": "open sesame" })).expect(201);
    let key = made.at("/key");
    let user = json!({ "name": "eve", "password": key });
    let eve = admin.post(&v1("nodes/aaa/local_database/users"), &user).expect(201).at("/key");
    let groups = v1("nodes/aaa/local_database/groups");
    let found = admin.get(&format!("{groups}?filter=name=basic-view")).expect(200);
    let group = found.at("/children/0/key");
    let members = json!({ "members": [eve] });
    let request = admin.request("PATCH", &format!("{groups}/{}", group.as_str().unwrap()));
    request.text(members.to_string(), "application/merge-patch+json").send().expect(200);
    admin.post(&v1("transaction/commit"), &json!({})).expect(200);

    let mut eve = with_token(&server, "sps-6.2", "eve", "open sesame");
    let own = eve.get(&v1("session")).expect(200).json();
    assert!(own["administrator"] == false && own["groups"] == json!(["basic-view"]), "{own}");
    eve.get(&v1("nodes/management/email")).expect(200);
    eve.get(&v1("nodes/aaa/acls")).expect(403);
    let root = eve.get(&v1("nodes")).expect(200).at("/children");
    assert!(root.as_array().unwrap().iter().all(|node| node["key"] != "aaa"), "{root}");
    eve.put(&v1("nodes/management/email?commit=true"), &json!({})).expect(403);
    eve.post(&v1("transaction"), &json!({})).expect(403);
    eve.get(&v1("revisions")).expect(403);
    let sessions = eve.get(&v1("sessions")).expect(200).at("/items");
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
}
