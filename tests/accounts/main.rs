//! Users who come from the configuration: when they may log in, what they may do, when they are
//! logged out; and the parts of the configuration that govern the daemon.

mod rights;

use serde_json::{Value, json};
use support::{Client, Response, Server, opened};

const USERS: &str = "/api/configuration/aaa/local_database/users";
const GROUPS: &str = "/api/configuration/aaa/local_database/groups";

fn password(client: &mut Client, plain: &str) -> String {
    let made = client.post("/api/configuration/passwords", &json!({"plain": plain})).expect(201);
    made.at("/key").as_str().expect("a key").to_owned()
}

fn expect_refused(server: &Server, user: &str, password: &str) {
    let mut client = server.client();
    let answer = client.request("GET", "/api/authentication").basic(user, password).send();
    answer.expect_error(401, "AuthenticationFailure");
}

fn create_user(client: &mut Client, name: &str, plain: &str) -> String {
    let key = password(client, plain);
    let made = client.post(USERS, &json!({"name": name, "password": key})).expect(201);
    made.at("/key").as_str().expect("a key").to_owned()
}

/// Makes a user a member of a group, which is made where there is none of the name.
fn join(client: &mut Client, group: &str, user: &str) {
    let groups = client.get(GROUPS).expect(200).json();
    let found = groups["items"].as_array().expect("a list").iter();
    let found: Vec<&Value> = found.filter(|item| item["body"]["name"] == group).collect();
    match found.first() {
        Some(item) => {
            let mut body = item["body"].clone();
            body["members"].as_array_mut().expect("a list").push(json!(user));
            client.put(item["meta"]["href"].as_str().expect("a path"), &body).expect(200);
        }
        None => {
            client.post(GROUPS, &json!({"name": group, "members": [user]})).expect(201);
        }
    }
}

/// A server with the user `eve`, password `open sesame`, in the given groups.
fn with_eve(groups: &[&str]) -> (Server, Client, String) {
    let (server, mut admin) = opened();
    let eve = create_user(&mut admin, "eve", "open sesame");
    groups.iter().for_each(|group| join(&mut admin, group, &eve));
    admin.commit().expect(200);
    (server, admin, eve)
}

fn eve(server: &Server) -> Client {
    let mut client = server.client();
    client.login("eve", "open sesame").expect(200);
    client
}

#[test]
fn a_user_can_log_in_after_the_commit_and_not_before() {
    let (server, mut admin) = opened();
    create_user(&mut admin, "eve", "open sesame");
    expect_refused(&server, "eve", "open sesame");
    admin.commit().expect(200);
    server.client().login("eve", "open sesame").expect(200);
    expect_refused(&server, "eve", "wrong");
    expect_refused(&server, "Eve", "open sesame");
}

#[test]
fn a_user_whose_password_is_stored_as_a_hash_can_log_in() {
    let (server, mut admin) = opened();
    // The SHA-256 of "open sesame".
    let hash = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
    let made = admin.post("/api/configuration/passwords", &json!({"hash": hash})).expect(201);
    admin.post(USERS, &json!({"name": "eve", "password": made.at("/key")})).expect(201);
    admin.commit().expect(200);
    server.client().login("eve", "open sesame").expect(200);
    expect_refused(&server, "eve", hash);
}

#[test]
fn deleting_a_user_or_changing_the_password_ends_the_sessions() {
    let (server, mut admin, key) = with_eve(&["basic-write"]);
    let mut session = eve(&server);
    session.open().expect(200);
    admin.open().expect_error(409, "Conflict");
    session.rollback().expect(200);

    admin.open().expect(200);
    let another = password(&mut admin, "another one");
    let user = format!("{USERS}/{key}");
    admin.put(&user, &json!({"name": "eve", "password": another})).expect(200);
    session.get("/api/configuration").expect(200);
    admin.commit().expect(200);
    session.get("/api/configuration").expect_error(401, "Unauthenticated");
    expect_refused(&server, "eve", "open sesame");
    let mut session = server.client();
    session.login("eve", "another one").expect(200);

    admin.open().expect(200);
    admin.delete(&user).expect_error(400, "SemanticError");
    let groups = admin.get(GROUPS).expect(200).json();
    for item in groups["items"].as_array().expect("a list") {
        let mut body = item["body"].clone();
        body["members"] = json!([]);
        admin.put(item["meta"]["href"].as_str().expect("a path"), &body).expect(200);
    }
    admin.delete(&user).expect(200);
    admin.commit().expect(200);
    session.get("/api/configuration").expect_error(401, "Unauthenticated");
    expect_refused(&server, "eve", "another one");
}

#[test]
fn a_commit_of_something_else_leaves_sessions_alone() {
    let (server, mut admin, _) = with_eve(&["basic-view"]);
    let mut session = eve(&server);
    admin.open().expect(200);
    create_user(&mut admin, "mallory", "x");
    admin.put("/api/configuration/management/webinterface", &json!({"timeout": 20})).expect(200);
    admin.commit().expect(200);
    session.get("/api/configuration/management/webinterface").expect(200);
}

#[test]
fn groups_give_rights_to_see_and_to_change() {
    let (server, mut admin, _) = with_eve(&["basic-view", "policies-write"]);
    // What others read over and over is kept, and shown to nobody who may not see it.
    for _ in 0..4 {
        for path in ["/aaa", "/ssh/options"] {
            admin.get(&format!("/api/configuration{path}")).expect(200);
        }
    }
    let mut session = eve(&server);
    session.get("/api/configuration").expect(200);
    session.get("/api/configuration/management").expect(200);
    session.get("/api/configuration/management/email").expect(200);
    session.get("/api/configuration/policies/time_policies").expect(200);
    let info = session.get("/api/info").expect(200);
    assert_eq!(info.at("/body/roles"), json!(["basic-view", "policies-write"]));
    for hidden in ["/aaa", "/aaa/acls", "/ssh/options", "/nothing/at/all"] {
        let path = format!("/api/configuration{hidden}");
        let refused = session.get(&path).expect_error(403, "Unauthorized");
        assert_eq!(refused.at("/error/details/resource"), json!(path));
    }
    session.open().expect(200);
    let timeout = json!({"timeout": 20});
    let refused = session.put("/api/configuration/management/webinterface", &timeout);
    refused.expect_error(403, "Unauthorized");
    password(&mut session, "a secret of hers");
    session.rollback().expect(200);
}

#[test]
fn a_name_with_which_nobody_could_log_in_is_refused() {
    let (_server, mut admin) = opened();
    for name in ["eve:root", ":", "eve\n"] {
        let refused = admin.post(USERS, &json!({"name": name})).expect_error(400, "SyntacticError");
        assert_eq!(refused.at("/error/details/errors/0/pointer"), "/name", "{name:?}");
    }
}

#[test]
fn a_refused_deletion_counts_the_referrers_that_its_reader_may_not_read() {
    const TIME: &str = "/api/configuration/policies/time_policies";
    const CHANNEL: &str = "/api/configuration/rdp/channel_policies/-20100";
    let (server, mut admin, _) = with_eve(&["policies-write"]);
    admin.open().expect(200);
    let mut time = admin.get(&format!("{TIME}/-100")).expect(200).at("/body");
    time["name"] = json!("office");
    let time = admin.post(TIME, &time).expect(201).at("/key");
    let mut policy = admin.get(CHANNEL).expect(200).at("/body");
    policy["rules"][0]["time_policy"] = time.clone();
    admin.put(CHANNEL, &policy).expect(200);
    admin.commit().expect(200);

    let mut session = eve(&server);
    session.open().expect(200);
    let path = format!("{TIME}/{}", time.as_str().expect("a key"));
    let refused = session.delete(&path).expect_error(400, "SemanticError");
    assert_eq!(refused.at("/error/details/errors/0/rule"), "in-use");
    assert_eq!(refused.at("/error/details/errors/0/paths"), json!([]));
    assert_eq!(refused.at("/error/details/errors/0/hidden"), 1);
    assert!(!refused.json().to_string().contains("rdp"), "{}", refused.json());
    session.rollback().expect(200);
    admin.open().expect(200);
    let shown = admin.delete(&path).expect_error(400, "SemanticError");
    let place = format!("{CHANNEL}#rules/0/time_policy");
    assert_eq!(shown.at("/error/details/errors/0/paths"), json!([place]));
}

#[test]
fn a_secret_of_others_looks_as_if_it_were_not_there() {
    const PASSWORDS: &str = "/api/configuration/passwords";
    let (server, mut admin, user) = with_eve(&["policies-write"]);
    let mine = admin.get(&format!("{USERS}/{user}")).expect(200).at("/body/password/key");
    let others = format!("{PASSWORDS}/{}", mine.as_str().expect("a key"));
    // Kept for those who ask again, and not for eve.
    (0..3).for_each(|_| drop(admin.get(&others).expect(200)));

    let mut session = eve(&server);
    session.open().expect(200);
    let unknown = format!("{PASSWORDS}/00000000-0000-4000-8000-000000000000");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let ask = |session: &mut Client, path: &str| {
            session.request(method, path).json(&json!({})).send().status
        };
        assert_eq!(ask(&mut session, &others), ask(&mut session, &unknown), "{method}");
    }
    session.get(&others).expect_error(404, "NotFound");
    let own = password(&mut session, "a secret of hers");
    session.get(&format!("{PASSWORDS}/{own}")).expect(200);
}

#[test]
fn a_conflict_shows_nothing_that_its_reader_may_not_read() {
    const TIME: &str = "/api/configuration/policies/time_policies";
    const CHANNEL: &str = "/api/configuration/rdp/channel_policies/-20100";
    let server = Server::builder().set("transactions.mode", "concurrent").start();
    let mut admin = server.admin();
    let user = create_user(&mut admin, "eve", "open sesame");
    join(&mut admin, "policies-write", &user);
    let mut time = admin.get(&format!("{TIME}/-100")).expect(200).at("/body");
    time["name"] = json!("office");
    let time = admin.post(TIME, &time).expect(201).at("/key");
    admin.commit().expect(200);

    let mut session = eve(&server);
    session.get(CHANNEL).expect_error(403, "Unauthorized");
    session.delete(&format!("{TIME}/{}", time.as_str().expect("a key"))).expect(200);
    let mut policy = admin.get(CHANNEL).expect(200).at("/body");
    policy["name"] = json!("for nobody's eyes");
    policy["rules"][0]["time_policy"] = time;
    admin.put(CHANNEL, &policy).expect(200);
    admin.commit().expect(200);
    let mut expect_discreet = |method: &str, path: &str, status: u16| {
        let request = session.request(method, path);
        let answer = match method {
            "PUT" => request.json(&json!({"status": "commit"})).send(),
            _ => request.send(),
        };
        let told = answer.expect(status).json();
        let error = told["error"]["details"]["errors"][0].clone();
        assert_eq!(error["paths"], json!([]), "{told}");
        assert_eq!(error["rule"], "reference-target", "it says what is wrong: {told}");
        for hidden in ["for nobody's eyes", CHANNEL, "-20100", "channel_policies"] {
            assert!(!told.to_string().contains(hidden), "{hidden}: {told}");
        }
    };
    expect_discreet("PUT", "/api/transaction", 409);
    expect_discreet("POST", "/boxwood/v1/transaction/plan", 200);
    expect_discreet("POST", "/boxwood/v1/transaction/rebase", 409);
}

// Input: a user who may write one branch, and a policy in a hidden branch that refers to it. Every
// verb on every node, wrong bodies, deletions that the hidden policy forbids, a conflict with it, and
// what Boxwood's own API says of all this.
// Output: neither the name nor the key of the hidden policy is in any answer.
#[test]
fn no_refusal_names_what_its_reader_may_not_see() {
    const TIME: &str = "/api/configuration/policies/time_policies";
    const CHANNELS: &str = "/api/configuration/rdp/channel_policies";
    const NAME: &str = "a name that stays hidden";
    let server = Server::builder().set("transactions.mode", "concurrent").start();
    let mut admin = server.admin();
    let user = create_user(&mut admin, "eve", "open sesame");
    join(&mut admin, "policies-write", &user);
    let create = |admin: &mut Client, path: &str, body: Value| {
        let key = admin.post(path, &body).expect(201).at("/key");
        key.as_str().expect("a key").to_owned()
    };
    let mut time = admin.get(&format!("{TIME}/-100")).expect(200).at("/body");
    time["name"] = json!("used");
    let used = create(&mut admin, TIME, time.clone());
    time["name"] = json!("free");
    let free = create(&mut admin, TIME, time);
    let mut policy = admin.get(&format!("{CHANNELS}/-20100")).expect(200).at("/body");
    policy["name"] = json!(NAME);
    policy["rules"][0]["time_policy"] = json!(used);
    let hidden = create(&mut admin, CHANNELS, policy.clone());
    admin.commit().expect(200);

    let mut session = eve(&server);
    let mut asked = 0;
    let mut check = |answer: Response| {
        asked += 1;
        let all = format!("{:?} {}", answer.headers, answer.text());
        for secret in [NAME, &hidden] {
            assert!(!all.contains(secret), "{answer}");
        }
        answer
    };
    let own = ["/boxwood/v1/references", "/boxwood/v1/history", "/boxwood/v1/blame"];
    for path in all_paths(&mut admin) {
        if path.contains(&hidden) {
            continue;
        }
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"] {
            check(session.request(method, &path).json(&json!({"name": NAME.len()})).send());
        }
        let node = path.strip_prefix("/api/configuration").expect("a node");
        own.iter().for_each(|kind| drop(check(session.get(&format!("{kind}{node}")))));
    }
    for path in ["transaction", "history", "revisions/1", "revisions/2/changes", "export", "heads"]
    {
        check(session.get(&format!("/boxwood/v1/{path}")));
    }
    check(session.get("/api/transaction"));
    session.rollback().expect(200);

    session.open().expect(200);
    check(session.delete(&format!("{TIME}/{used}")).expect(400));
    check(session.delete(&format!("{TIME}/{free}")).expect(200));
    policy["rules"][0]["time_policy"] = json!(free);
    admin.put(&format!("{CHANNELS}/{hidden}"), &policy).expect(200);
    admin.commit().expect(200);
    check(session.post("/boxwood/v1/transaction/plan", &json!({})));
    check(session.post("/boxwood/v1/transaction/rebase", &json!({})));
    check(session.get("/api/transaction"));
    check(session.commit().expect(409));
    assert!(asked > 500, "{asked}");
}

#[test]
fn who_may_change_nothing_cannot_hold_the_configuration() {
    let (server, _, _) = with_eve(&["basic-view"]);
    let mut session = eve(&server);
    session.get("/api/transaction").expect(200);
    session.open().expect_error(403, "Unauthorized");
    session.commit().expect_error(403, "Unauthorized");
    session.rollback().expect(200);
    let secret = session.post("/api/configuration/passwords", &json!({"plain": "x"}));
    secret.expect_error(403, "Unauthorized");
}

/// Every node there is, with the folders on the way.
fn all_paths(admin: &mut Client) -> Vec<String> {
    let mut found = vec!["/api/configuration".to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let node = admin.get(&path);
        if node.status == 405 {
            continue;
        }
        let node = node.expect(200).json();
        for item in node["items"].as_array().into_iter().flatten() {
            found.push(item["meta"]["href"].as_str().expect("a path").to_owned());
        }
    }
    found
}

#[test]
fn without_a_group_nothing_can_be_reached_by_any_method() {
    let (server, mut admin, _) = with_eve(&[]);
    let paths = all_paths(&mut admin);
    assert!(paths.len() > 10, "{paths:?}");
    let mut session = eve(&server);
    for path in &paths {
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "POST", "DELETE"] {
            let answer = session.request(method, path).json(&json!({})).send();
            assert_eq!(answer.status, 403, "{method} {path}");
        }
    }
}

#[test]
fn the_administrators_name_is_not_for_others_and_nobody_is_locked_out() {
    let (server, mut admin) = opened();
    create_user(&mut admin, "admin", "usurper");
    let refused = admin.commit().expect_error(400, "SemanticError");
    assert!(
        refused.at("/error/message").as_str().is_some_and(|text| text.contains("must be unique"))
    );
    let place = refused.at("/error/details/errors/0/paths/0");
    let place = place.as_str().expect("where it is wrong");
    assert!(place.starts_with(USERS) && place.ends_with("#name"), "{place}");
    assert_eq!(admin.get("/api/transaction").expect(200).at("/body/status"), "open");
    expect_refused(&server, "admin", "usurper");
    server.admin().get("/api/configuration/aaa").expect(200);
}

#[test]
fn the_configured_names_show_in_the_information_about_the_appliance() {
    let (server, mut admin) = opened();
    let names = json!({"hostname": "gate", "domainname": "example.org", "nickname": "front door"});
    admin.put("/api/configuration/network/naming", &names).expect(200);
    assert_ne!(server.client().get("/api/info").expect(200).at("/body/hostname"), "gate");
    admin.commit().expect(200);
    let info = server.client().get("/api/info").expect(200);
    for (member, value) in names.as_object().expect("members") {
        assert_eq!(&info.at(&format!("/body/{member}")), value);
    }
}

#[test]
fn the_history_of_the_whole_is_for_the_administrator_alone() {
    let (server, mut admin, _) = with_eve(&["basic-write", "policies-write"]);
    let mut session = eve(&server);
    let whole =
        ["revisions", "revisions/1", "revisions/1/tree", "revisions/diff?from=1&to=2", "tags"];
    for path in whole.into_iter().chain(["watch", "export"]) {
        let path = format!("/boxwood/v1/{path}");
        session.get(&path).expect_error(403, "Unauthorized");
        server.client().get(&path).expect_error(401, "Unauthenticated");
    }
    for path in whole {
        admin.get(&format!("/boxwood/v1/{path}")).expect(200);
    }
}
