//! Conditional requests: tags of what is shown, answers that need not be sent, changes that must
//! not overwrite another's.

use serde_json::json;
use support::{Client, Server};

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
    let server = Server::dev();
    let mut admin = server.admin();
    admin.open().expect(200);
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
