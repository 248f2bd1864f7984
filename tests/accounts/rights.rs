//! Rights are those of now, and a right on one member shows no other.

use serde_json::{Value, json};
use support::{Client, Server, wait_for};

use crate::{GROUPS, create_user, eve, join, with_eve};

const EMAIL: &str = "/api/configuration/management/email";
const TIME: &str = "/api/configuration/policies/time_policies";

/// Takes everybody out of every group.
fn disband(admin: &mut Client) {
    let groups = admin.get(GROUPS).expect(200).json();
    for item in groups["items"].as_array().expect("a list") {
        let mut body = item["body"].clone();
        body["members"] = json!([]);
        admin.put(item["meta"]["href"].as_str().expect("a path"), &body).expect(200);
    }
}

/// Imports the configuration with other privileges, which REST cannot change.
fn grant(admin: &mut Client, group: &str, object: &str, permission: &str) {
    let mut document =
        admin.request("GET", "/boxwood/v1/export?secrets=omit").send().expect(200).json();
    let nodes = document["nodes"].as_array_mut().expect("nodes");
    let acls = nodes.iter_mut().find(|node| node["path"] == "/aaa/acls").expect("privileges");
    let entry = json!({"group": group, "objects": [object], "permission": permission});
    acls["body"].as_array_mut().expect("a list").push(entry);
    admin.request("POST", "/boxwood/v1/import").json(&document).send().expect(200);
}

#[test]
fn a_changed_membership_counts_at_the_next_request() {
    let (server, mut admin, user) = with_eve(&["basic-view"]);
    let mut session = eve(&server);
    session.get(EMAIL).expect(200);
    admin.open().expect(200);
    disband(&mut admin);
    admin.commit().expect(200);
    let refused = session.get(EMAIL).expect_error(403, "Unauthorized");
    let message = refused.at("/error/message");
    assert!(message.as_str().is_some_and(|text| text.contains("none of your groups")), "{message}");
    assert_eq!(session.get("/api/info").expect(200).at("/body/roles"), json!([]));

    admin.open().expect(200);
    join(&mut admin, "basic-write", &user);
    admin.commit().expect(200);
    let email = session.get(EMAIL).expect(200).at("/body");
    session.open().expect(200);
    session.put(EMAIL, &email).expect(200);
}

#[test]
fn what_was_staged_with_a_right_that_is_gone_is_not_committed() {
    let server = Server::builder().set("transactions.mode", "concurrent").start();
    let mut admin = server.admin();
    let user = create_user(&mut admin, "eve", "open sesame");
    join(&mut admin, "policies-write", &user);
    admin.commit().expect(200);
    let mut session = eve(&server);
    let mut policy = session.get(&format!("{TIME}/-100")).expect(200).at("/body");
    policy["name"] = json!("hers");
    session.post(TIME, &policy).expect(201);

    disband(&mut admin);
    join(&mut admin, "basic-write", &user);
    admin.commit().expect(200);
    session.commit().expect_error(403, "Unauthorized");
    let names = admin.get(TIME).expect(200).json().to_string();
    assert!(!names.contains("hers"), "{names}");
}

#[test]
fn a_right_on_one_member_shows_no_other() {
    let (server, mut admin, user) = with_eve(&[]);
    admin.open().expect(200);
    let mut policy = admin.get(&format!("{TIME}/-100")).expect(200).at("/body");
    let mut keys = Vec::new();
    for name in ["first", "second", "third"] {
        policy["name"] = json!(name);
        let made = admin.post(TIME, &policy).expect(201);
        keys.push(made.at("/key").as_str().expect("a key").to_owned());
    }
    join(&mut admin, "one", &user);
    admin.commit().expect(200);
    for key in &keys[..2] {
        grant(&mut admin, "one", &format!("/policies/time_policies/{key}"), "read");
    }
    // What the administrator reads over and over is kept, and not for eve.
    let paths = ["", "/policies", "/policies/time_policies"];
    let paths = paths.map(|path| format!("/api/configuration{path}"));
    for _ in 0..4 {
        paths.iter().for_each(|path| drop(admin.get(path).expect(200)));
        admin.get(&format!("{TIME}/{}", keys[0])).expect(200);
    }

    let mut session = eve(&server);
    let listed = |session: &mut Client, path: &str| -> Vec<String> {
        let listing = session.get(path).expect(200).json();
        let items = listing["items"].as_array().expect("items").iter();
        items.map(|item| item["key"].as_str().expect("a key").to_owned()).collect()
    };
    assert_eq!(listed(&mut session, &paths[0]), ["policies"]);
    assert_eq!(listed(&mut session, &paths[1]), ["time_policies"]);
    assert_eq!(listed(&mut session, &paths[2]), keys[..2]);
    let order = session.get(&format!("{TIME}/@order")).expect(200).at("/body");
    assert_eq!(order, json!(keys[..2]));
    let member = session.get(&format!("{TIME}/{}", keys[0])).expect(200);
    for (link, key) in [("first", 0), ("last", 1), ("next", 1)] {
        assert_eq!(member.at(&format!("/meta/{link}")), format!("{TIME}/{}", keys[key]), "{link}");
    }
    assert_eq!(member.at("/meta/previous"), Value::Null);
    session.get(&format!("{TIME}/{}", keys[2])).expect_error(403, "Unauthorized");
    session.get(&format!("{TIME}/-100")).expect_error(403, "Unauthorized");
}

#[test]
fn a_session_ends_although_it_is_used() {
    let server = Server::builder().set("login.lifetime_seconds", 2).start();
    let mut admin = server.admin();
    let left = admin.get(EMAIL).expect(200).at("/meta/remaining_seconds");
    assert!(left.as_u64().is_some_and(|seconds| seconds <= 2), "{left}");
    wait_for("the end of a session that is used", || admin.get(EMAIL).status == 401);
}
