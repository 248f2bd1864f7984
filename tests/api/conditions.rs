//! Conditional requests: tags of what is shown, answers that need not be sent, changes that must
//! not overwrite another's.

use serde_json::json;
use support::{Client, Server, opened};

use crate::fixtures::{CONFIGURATION, MAIL, MANAGEMENT, WEBINTERFACE};

fn tag(client: &mut Client, path: &str) -> String {
    let answer = client.get(path).expect(200);
    let tag = answer.header("etag").unwrap_or_else(|| panic!("no tag: {answer}")).to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    tag
}

fn put_if(client: &mut Client, tag: &str, minutes: u32) -> support::Response {
    let body = json!({ "timeout": minutes });
    client.request("PUT", WEBINTERFACE).header("If-Match", tag).json(&body).send()
}

#[test]
fn every_configuration_answer_has_a_tag_that_follows_its_state_alone() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [CONFIGURATION, MANAGEMENT, MAIL, WEBINTERFACE] {
        assert_eq!(tag(&mut admin, path), tag(&mut server.admin(), path), "{path}");
    }
    let (mail, before) = (tag(&mut admin, MAIL), tag(&mut admin, WEBINTERFACE));
    admin.open().expect(200);
    let changed = admin.put(WEBINTERFACE, &json!({"timeout": 20})).expect(200);
    let after = changed.header("etag").expect("a change answers the new tag").to_owned();
    assert_ne!(after, before);
    assert_eq!(tag(&mut admin, WEBINTERFACE), after, "the transaction's own state");
    assert_eq!(tag(&mut server.admin(), WEBINTERFACE), before, "what others see");
    assert_eq!(tag(&mut admin, MAIL), mail, "another node");
    admin.put(WEBINTERFACE, &json!({"timeout": 10})).expect(200);
    assert_eq!(tag(&mut admin, WEBINTERFACE), before, "the same state, the same tag");
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let server = Server::dev();
    let mut admin = server.admin();
    let tag = tag(&mut admin, MAIL);
    for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let answer = admin.request("GET", MAIL).header("If-None-Match", &known).unchecked().send();
        assert_eq!(answer.status, 304, "{known}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    admin.request("GET", MAIL).header("If-None-Match", "\"other\"").send().expect(200);
}

#[test]
fn a_change_of_another_state_than_the_client_saw_is_refused() {
    let server = Server::builder().set("transactions.mode", "concurrent").start();
    let (mut one, mut two) = (server.admin(), server.admin());
    let seen = tag(&mut one, WEBINTERFACE);
    put_if(&mut one, &seen, 20).expect(200);
    one.commit().expect(200);

    let refused = put_if(&mut two, &seen, 30).expect_error(412, "PreconditionFailed");
    assert_eq!(refused.at("/error/details/resource"), WEBINTERFACE);
    assert_eq!(two.get("/api/transaction").expect(200).at("/body/status"), "closed");
    let now = tag(&mut two, WEBINTERFACE);
    put_if(&mut two, &format!("W/{now}"), 30).expect_error(412, "PreconditionFailed");
    put_if(&mut two, &now, 30).expect(200);
    two.request("PUT", WEBINTERFACE)
        .header("If-Match", "*")
        .json(&json!({"timeout": 40}))
        .send()
        .expect(200);
    two.commit().expect(200);
}

#[test]
fn a_member_is_deleted_only_as_the_client_saw_it() {
    const LISTS: &str = "/api/configuration/policies/userlists";
    let (_server, mut admin) = opened();
    let path = admin.post(LISTS, &json!({"name": "one"})).expect(201).at("/meta/href");
    let path = path.as_str().expect("a path").to_owned();
    let before = tag(&mut admin, &path);
    admin.put(&path, &json!({"name": "two"})).expect(200);
    let delete = |client: &mut Client, tag: &str| {
        client.request("DELETE", &path).header("If-Match", tag).send()
    };
    delete(&mut admin, &before).expect_error(412, "PreconditionFailed");
    let now = tag(&mut admin, &path);
    delete(&mut admin, &now).expect(200);
}

#[test]
fn an_order_is_changed_only_as_the_client_saw_it() {
    const LISTS: &str = "/api/configuration/policies/userlists";
    const ORDER: &str = "/api/configuration/policies/userlists/@order";
    let (_server, mut admin) = opened();
    for name in ["one", "two", "three"] {
        admin.post(LISTS, &json!({ "name": name })).expect(201);
    }
    let (before, shown) = (tag(&mut admin, ORDER), admin.get(ORDER).expect(200).json());
    let known = admin.request("GET", ORDER).header("If-None-Match", &before).unchecked().send();
    assert_eq!(known.status, 304);
    let mut keys = shown["body"].as_array().expect("keys").clone();
    keys.rotate_left(1);
    let put = |client: &mut Client, tag: &str, body: &serde_json::Value| {
        client.request("PUT", ORDER).header("If-Match", tag).json(body).send()
    };
    let changed = put(&mut admin, &before, &json!(keys)).expect(200);
    let after = changed.header("etag").expect("a change answers the new tag").to_owned();
    assert_ne!(after, before);
    assert_eq!(tag(&mut admin, ORDER), after);
    keys.rotate_left(1);
    put(&mut admin, &before, &json!(keys)).expect_error(412, "PreconditionFailed");
    assert_eq!(tag(&mut admin, ORDER), after, "nothing changed");
    // In the wrapper in which it is shown, as bodies may be.
    put(&mut admin, "*", &shown).expect(200);
    assert_eq!(tag(&mut admin, ORDER), before);
}

#[test]
fn a_list_gets_an_element_only_as_the_client_saw_it_and_only_once() {
    const ROUTING: &str = "/api/configuration/network/routing";
    let (_server, mut admin) = opened();
    let before = tag(&mut admin, ROUTING);
    let route = json!({"gateway": "192.0.2.1", "target_network": "198.51.100.0/24"});
    let mut post = |name: &str, value: &str| {
        admin.request("POST", ROUTING).header(name, value).json(&route).send()
    };
    let first = post("If-Match", &before).expect(201).at("/body");
    post("If-Match", &before).expect_error(412, "PreconditionFailed");
    let second = post("Idempotency-Key", "k").expect(201).at("/body");
    assert_eq!(second.as_array().map(Vec::len), first.as_array().map(|list| list.len() + 1));
    assert_eq!(post("Idempotency-Key", "k").expect(201).at("/body"), second, "added once");
    let other = json!({"gateway": "192.0.2.2", "target_network": "198.51.100.0/24"});
    let request = admin.request("POST", ROUTING).header("Idempotency-Key", "k");
    request.json(&other).send().expect_error(422, "IdempotencyMismatch");
    let request = admin.request("POST", ROUTING).header("Idempotency-Key", "k");
    let twice = request.header("Idempotency-Key", "l").json(&other).send();
    twice.expect_error(400, "SyntacticError");
    assert_eq!(admin.get(ROUTING).expect(200).at("/body"), second);
}

#[test]
fn every_answer_names_the_running_revision() {
    let server = Server::dev();
    let mut admin = server.admin();
    let named = |answer: &support::Response| {
        answer.header("boxwood-revision").and_then(|text| text.parse::<u64>().ok())
    };
    let before = named(&admin.get(MAIL).expect(200)).expect("a number");
    admin.open().expect(200);
    admin.put(WEBINTERFACE, &json!({"timeout": 20})).expect(200);
    assert_eq!(named(&admin.commit().expect(200)), Some(before + 1));
    for path in ["/api/info", "/api/configuration/nothing", "/boxwood/v1/health", "/"] {
        assert_eq!(
            named(&admin.request("GET", path).unchecked().send()),
            Some(before + 1),
            "{path}"
        );
    }
}
