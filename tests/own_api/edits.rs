//! Changing nodes: staged or at once, one or many, and secrets that stay what they are.

use serde_json::json;
use support::Server;

use crate::{admin, kind, v1};

const EMAIL: &str = "nodes/management/email";

#[test]
fn basic_credentials_commit_at_once_and_say_so_otherwise() {
    let server = Server::dev();
    let mut admin = server.client().basic("admin", "admin");
    let patch = json!({ "sender_address": "a@example.com" });
    let refused = admin.patch(&v1(EMAIL), &patch).expect(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("commit=true"), "{refused}");
    let path = v1(&format!("{EMAIL}?commit=true&message=at%20once"));
    let done = admin.patch(&path, &patch).expect(200).json();
    assert_eq!(done["body"]["sender_address"], "a@example.com");
    let revision = done["committed"]["revision"].as_u64().unwrap();
    let record = admin.get(&v1(&format!("revisions/{revision}"))).expect(200).json();
    assert!(record["message"] == "at once" && record["author"] == "admin", "{record}");
    let change = &record["changes"][0];
    assert!(change["node"] == "/management/email" && change["pointer"] == "/sender_address");
}

#[test]
fn a_commit_at_once_respects_the_lock() {
    let server = Server::dev();
    let mut holder = admin(&server, "sps-6.2");
    let mut other = admin(&server, "sps-6.2");
    holder.post(&v1("transaction"), &json!({})).expect(201);
    let path = v1(&format!("{EMAIL}?commit=true"));
    let patch = json!({ "sender_address": "a@example.com" });
    let held = other.patch(&path, &patch).expect(409).json();
    assert_eq!(held["reason"], "locked");
    let own = holder.patch(&path, &patch).expect(400).json();
    assert!(own["detail"].as_str().unwrap().contains("open in this session"), "{own}");
    holder.delete(&v1("transaction")).expect(200);
    other.patch(&path, &patch).expect(200);
    other.post(&v1("transaction"), &json!({})).expect(201);
}

#[test]
fn many_edits_are_one_or_none_and_all_that_is_wrong_is_said() {
    let server = Server::dev();
    let mut admin = admin(&server, "sps-6.2");
    let running = admin.get(V1_ABOUT).expect(200).at("/revision");
    let edits = json!({ "commit": { "message": "both" }, "edits": [
        { "op": "set", "path": "/management/email", "pointer": "/sender_address", "value": 7 },
        { "op": "set", "path": "/management/email", "pointer": "/admin_address", "value": "x@example.com" },
        { "op": "delete", "path": "/management/email" },
        { "op": "put", "path": "/nothing", "body": {} },
    ] });
    let refused = admin.post(&v1("edits"), &edits).expect(400).json();
    let errors = refused["errors"].as_array().unwrap();
    let places: Vec<_> = errors.iter().map(|error| error["edit"].as_u64().unwrap()).collect();
    assert_eq!(places, [0, 2, 3], "{refused}");
    assert!(errors[0]["path"] == "/management/email" && errors[0]["pointer"] == "/sender_address");
    assert_eq!(admin.get(V1_ABOUT).expect(200).at("/revision"), running);

    let edits = json!({ "commit": true, "edits": [
        { "op": "set", "path": "/management/email", "pointer": "/sender_address", "value": "a@example.com" },
        { "op": "merge", "path": "/management/email", "patch": { "admin_address": "x@example.com" } },
    ] });
    let done = admin.post(&v1("edits"), &edits).expect(200).json();
    assert_eq!(done["committed"]["changes"], 1, "{done}");
    assert_eq!(done["results"][1]["effect"], "changed");
    for bad in [json!({}), json!({ "edits": 1 }), json!({ "edits": [], "x": 1 })] {
        admin.post(&v1("edits"), &bad).expect(400);
    }
}

const V1_ABOUT: &str = "/boxwood/v1";

#[test]
fn conditions_hold_and_patches_that_do_not_fit_say_where() {
    let server = Server::dev_of(&["sps-7.0"]);
    let mut admin = admin(&server, "sps-7.0");
    let etag = admin.get(&v1(EMAIL)).expect(200).at("/etag");
    let patch = json!([
        { "op": "test", "path": "/nothing", "value": 1 },
        { "op": "replace", "path": "/sender_address", "value": "b@example.com" },
    ]);
    let json_patch = |admin: &mut support::Client, patch: &serde_json::Value| {
        let request = admin.request("PATCH", &v1(EMAIL));
        request.text(patch.to_string(), "application/json-patch+json").send()
    };
    let refused = json_patch(&mut admin, &patch).expect(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("does not fit"), "{refused}");
    json_patch(&mut admin, &json!([patch[1]])).expect(200);
    let request = admin.request("PUT", &v1(EMAIL)).header("If-Match", etag.as_str().unwrap());
    let refused = request.json(&json!({})).send().expect(412).json();
    assert_eq!(kind(&refused), "precondition-failed");
    admin.request("PATCH", &v1(EMAIL)).text("{", "application/json").send().expect(400);
    admin.request("PATCH", &v1(EMAIL)).text("{}", "text/plain").send().expect(415);
    admin.delete(&v1(EMAIL)).expect(405);
    admin.put(&v1("nodes/management/emial"), &json!({})).expect(404);
}

#[test]
fn a_secret_stays_through_changes_and_cannot_be_copied_out() {
    let server = Server::dev_of(&["ds-server"]);
    let mut admin = admin(&server, "ds-server");
    let credentials = json!({ "id": "c", "secret": "the secret", "authorizedRedirectUris": [] });
    let body = json!({ "name": "x", "allowClientCredentialsGrantType": true, "clientCredentials": credentials });
    let path = v1("nodes/security_profiles?commit=true");
    let made = admin.post(&path, &body).expect(201);
    let shown = made.at("/body");
    assert!(!shown.to_string().contains("the secret"), "{shown}");
    let node = v1(&format!("nodes{}?commit=true", made.at("/path").as_str().unwrap()));
    // What was shown is put back as it was, but for a name.
    let mut again = shown.clone();
    again["name"] = json!("y");
    admin.put(&node, &again).expect(200);
    admin.patch(&node, &json!({ "name": "z" })).expect(200);
    let copy = json!([{ "op": "copy", "from": "/clientCredentials/secret", "path": "/name" }]);
    let request = admin.request("PATCH", &node);
    let refused = request.text(copy.to_string(), "application/json-patch+json").send().expect(400);
    assert!(!refused.text().contains("the secret"), "{}", refused.text());
    let guess =
        json!([{ "op": "test", "path": "/clientCredentials/secret", "value": "the secret" }]);
    let request = admin.request("PATCH", &node);
    request.text(guess.to_string(), "application/json-patch+json").send().expect(400);

    // It is still the secret that it was.
    let mut user = server.client_of("ds-server");
    let form = "grant_type=client_credentials";
    let request = user.request("POST", "/oauth/token").basic("c", "the secret");
    request.text(form, "application/x-www-form-urlencoded").send().expect(200);
}

#[test]
fn members_move_in_their_collection() {
    let server = Server::dev();
    let mut admin = admin(&server, "sps-6.2");
    admin.post(&v1("transaction"), &json!({})).expect(201);
    let body = |name: &str| json!({ "name": name, "password": null });
    let make = |admin: &mut support::Client, name: &str| {
        let path = v1("nodes/aaa/local_database/users");
        let made = admin.post(&path, &body(name)).json();
        made["key"].as_str().map(str::to_owned)
    };
    let keys: Vec<_> = ["a", "b", "c"].iter().filter_map(|name| make(&mut admin, name)).collect();
    if keys.len() < 3 {
        panic!("{}", admin.get(&v1("schema/aaa/local_database/users")).text());
    }
    let order = v1("orders/aaa/local_database/users");
    let listed = |admin: &mut support::Client| admin.get(&order).expect(200).at("/keys");
    // The administrator is a member that is built in.
    let own = listed(&mut admin)[0].clone();
    assert_eq!(listed(&mut admin), json!([own, keys[0], keys[1], keys[2]]));
    let to = json!({ "edits": [
        { "op": "move", "path": format!("/aaa/local_database/users/{}", keys[2]), "to": "first" },
        { "op": "move", "path": format!("/aaa/local_database/users/{}", keys[0]), "after": keys[1] },
    ] });
    admin.post(&v1("edits"), &to).expect(200);
    assert_eq!(listed(&mut admin), json!([keys[2], own, keys[1], keys[0]]));
    let before = json!([keys[0], own, keys[1], keys[2]]);
    admin.put(&order, &json!({ "keys": before })).expect(200);
    assert_eq!(listed(&mut admin), before);
    admin.put(&order, &json!({ "keys": [keys[0]] })).expect(400);
}
