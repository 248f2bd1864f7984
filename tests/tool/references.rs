//! `GET /boxwood/v1/references`: who uses a node.

use serde_json::{Value, json};
use support::{Client, Server};

use crate::site::{configure, create_user};

const REFERENCES: &str = "/boxwood/v1/references";
const USERS: &str = "/api/configuration/aaa/local_database/users";

#[track_caller]
fn users_of(client: &mut Client, path: &str) -> Value {
    client.get(&format!("{REFERENCES}?path={path}")).expect(200).at("/references")
}

#[test]
fn a_node_lists_who_uses_it_and_where() {
    let server = Server::dev();
    let mut admin = server.admin();
    let certificates = "/api/configuration/management/certificates";
    let shown = admin.get(certificates).expect(200);
    let href = shown.at("/body/server/meta/href");
    let href = href.as_str().expect("a path");
    let node = "/management/certificates";
    let expected =
        json!([{"fragment": null, "node": node, "path": certificates, "pointer": "/server"}]);
    assert_eq!(users_of(&mut admin, href), expected);
    // Named as the tree does, encoded, or with slashes that mean nothing, it is the same node.
    let bare = href.strip_prefix("/api/configuration").expect("an address");
    assert_eq!(users_of(&mut admin, bare), expected);
    assert_eq!(users_of(&mut admin, &href.replace('/', "%2F")), expected);
    assert_eq!(users_of(&mut admin, &format!("{href}/")), expected);
    assert_eq!(users_of(&mut admin, certificates), json!([]));
    let answer = admin.get(&format!("{REFERENCES}?path={href}")).expect(200);
    assert_eq!(answer.at("/meta/target"), href);
    assert_eq!(answer.at("/hidden"), 0);
}

#[test]
fn the_callers_own_transaction_counts_and_no_one_elses() {
    let server = Server::dev();
    let (mut admin, mut other) = (server.admin(), server.admin());
    admin.open().expect(200);
    let user = create_user(&mut admin, "eve", "open sesame");
    let path = format!("{USERS}/{user}");
    let group = json!({"name": "keepers", "members": [user]});
    admin.post("/api/configuration/aaa/local_database/groups", &group).expect(201);
    assert_eq!(users_of(&mut admin, &path).as_array().map(Vec::len), Some(1));
    other.get(&format!("{REFERENCES}?path={path}")).expect_error(404, "NotFound");
    admin.commit().expect(200);
    assert_eq!(users_of(&mut other, &path).as_array().map(Vec::len), Some(1));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let server = Server::dev();
    let asked = format!("{REFERENCES}?path=/api/configuration/management/email");
    server.client().get(&asked).expect_error(401, "Unauthenticated");
    let mut admin = server.admin();
    admin.get(REFERENCES).expect_error(400, "SyntacticError");
    admin.get(&format!("{REFERENCES}?paht=/x")).expect_error(400, "SyntacticError");
    admin.get(&format!("{REFERENCES}?path=x")).expect_error(400, "InvalidRequestPath");
    admin.get(&format!("{REFERENCES}?path=/nothing")).expect_error(404, "NotFound");
    admin.post(&asked, &json!({})).expect_error(405, "MethodNotAllowed");
}

#[test]
fn nobody_learns_of_what_they_may_not_read() {
    let server = Server::dev();
    let mut admin = server.admin();
    configure(&mut admin);
    // Without a group eve may read nothing.
    let mut eve = server.client();
    eve.login("eve", "open sesame").expect(200);
    let refusal = eve.get(&format!("{REFERENCES}?path=/management/email"));
    refusal.expect_error(403, "Unauthorized");

    // With the right to another part she is told how many use something, and not who.
    admin.open().expect(200);
    let key = eve_in(&mut admin);
    join(&mut admin, "basic-write", &key);
    admin.commit().expect(200);
    let user = admin.get(&format!("{USERS}/{key}")).expect(200);
    let password = user.at("/body/password/meta/href");
    let password = password.as_str().expect("a path");
    assert_eq!(users_of(&mut admin, password).as_array().map(Vec::len), Some(1));
    eve.login("eve", "open sesame").expect(200);
    eve.get(user.at("/meta/href").as_str().expect("a path")).expect_error(403, "Unauthorized");
    let answer = eve.get(&format!("{REFERENCES}?path={password}")).expect(200);
    assert_eq!((answer.at("/references"), answer.at("/hidden")), (json!([]), json!(1)));
}

fn eve_in(admin: &mut Client) -> String {
    let users = admin.get(USERS).expect(200).json();
    let mut items = users["items"].as_array().expect("a list").iter();
    let eve = items.find(|item| item["body"]["name"] == "eve").expect("eve");
    eve["key"].as_str().expect("a key").to_owned()
}

/// Makes a user a member of a group that a fresh appliance may have or not.
fn join(admin: &mut Client, group: &str, user: &str) {
    const GROUPS: &str = "/api/configuration/aaa/local_database/groups";
    let groups = admin.get(GROUPS).expect(200).json();
    let mut items = groups["items"].as_array().expect("a list").iter();
    let body = json!({"name": group, "members": [user]});
    match items.find(|item| item["body"]["name"] == group) {
        Some(item) => admin.put(item["meta"]["href"].as_str().expect("a path"), &body).expect(200),
        None => admin.post(GROUPS, &body).expect(201),
    };
}
