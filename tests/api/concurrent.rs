//! Transactions as later appliances have them: many at once, opened by the first change.

use serde_json::{Value, json};
use support::Server;

use crate::fixtures::{
    DISK, HEALTH, MAIL, PASSWORDS, SOAP, SYSLOG, TRAP, WEBINTERFACE, body, changes, config_hash,
    health, mail, mail_with_password, metric, password, status, trap, with,
};

fn server() -> Server {
    Server::builder().set("transactions.mode", "concurrent").start()
}

#[test]
fn first_accepted_change_opens_a_transaction() {
    let server = server();
    let mut admin = server.admin();
    assert_eq!(status(&mut admin), "closed");
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    assert_eq!(status(&mut admin), "open");
    assert_eq!(changes(&mut admin).len(), 1);
    admin.open().expect(200);
    assert_eq!(changes(&mut admin).len(), 1, "opening by hand afterwards changes nothing");
    admin.commit().expect(200);
    assert_eq!(status(&mut admin), "closed");
    password(&mut admin, "secret");
    assert_eq!(status(&mut admin), "open");
}

#[test]
fn refused_change_opens_none() {
    let server = server();
    let mut admin = server.admin();
    admin.put(HEALTH, &json!({})).expect_error(400, "SyntacticError");
    admin.put(MAIL, &mail_with_password("none")).expect_error(400, "SemanticError");
    admin.post(PASSWORDS, &json!({})).expect_error(400, "SyntacticError");
    admin.request("PUT", MAIL).text("{", "application/json").send().expect(400);
    admin.put("/api/configuration/nothing", &json!({})).expect(404);
    admin.delete(MAIL).expect(405);
    assert_eq!(status(&mut admin), "closed");
    admin.commit().expect_error(409, "Conflict");
}

#[test]
fn many_transactions_are_open_at_once_and_do_not_see_each_other() {
    let server = server();
    let mut clients: Vec<_> = (0..4).map(|_| server.admin()).collect();
    for (load, client) in clients.iter_mut().enumerate() {
        client.open().expect(200);
        client.put(HEALTH, &with(&health(), "/maximum_load1", json!(load))).expect(200);
    }
    for (load, client) in clients.iter_mut().enumerate() {
        assert_eq!(body(client, HEALTH)["maximum_load1"], json!(load));
    }
    assert_eq!(metric(&mut clients[0], "boxwood_transactions_open"), 4.0);
    for client in &mut clients {
        client.rollback().expect(200);
        assert_eq!(body(client, HEALTH), health());
    }
}

#[test]
fn disjoint_changes_merge() {
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    let load = with(&health(), "/maximum_load1", json!(7));
    let address = with(&mail(), "/admin_address", json!("b@example.com"));
    one.put(HEALTH, &load).expect(200);
    let key = password(&mut two, "secret");
    let address_and_password =
        with(&address, "/smtp_auth", mail_with_password(&key)["smtp_auth"].clone());
    two.put(MAIL, &address_and_password).expect(200);
    one.commit().expect(200);
    // Until it commits, the second goes on seeing what was there when it began.
    assert_eq!(body(&mut two, HEALTH), health());
    two.commit().expect(200);
    for client in [&mut one, &mut two] {
        assert_eq!(body(client, HEALTH), load);
        assert_eq!(body(client, MAIL)["admin_address"], json!("b@example.com"));
        assert_eq!(body(client, MAIL)["smtp_auth"]["password"]["key"], json!(key));
    }
    assert_eq!(metric(&mut one, "boxwood_running_revision"), 3.0);
}

#[test]
fn overlap_is_a_conflict_and_the_transaction_stays_open() {
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    let theirs = with(&health(), "/maximum_load1", json!(1));
    let mine = with(&health(), "/maximum_load15", json!(2));
    one.put(HEALTH, &theirs).expect(200);
    two.put(HEALTH, &mine).expect(200);
    two.put(MAIL, &with(&mail(), "/admin_address", json!("b@example.com"))).expect(200);
    one.commit().expect(200);
    let hash = config_hash(&mut one);

    for _ in 0..2 {
        let answer = two.commit().expect_error(409, "Conflict");
        assert_eq!(answer.at("/error/details/reason"), json!("changed-meanwhile"));
        assert_eq!(answer.at("/error/details/errors/0/paths"), json!([HEALTH]), "{answer}");
        assert_eq!(answer.at("/error/details/errors").as_array().unwrap().len(), 1);
        assert_eq!(status(&mut two), "open");
        assert_eq!(body(&mut two, HEALTH), mine);
        assert_eq!(changes(&mut two).len(), 2);
        assert_eq!(config_hash(&mut one), hash);
    }
    assert_eq!(metric(&mut one, "boxwood_commits_total{outcome=\"conflict\"}"), 2.0);

    // Rolled back, the session sees the newer configuration and not the one at its opening.
    two.rollback().expect(200);
    assert_eq!(body(&mut two, HEALTH), theirs);
    two.put(HEALTH, &with(&theirs, "/maximum_load15", json!(2))).expect(200);
    two.commit().expect(200);
    let both = with(&theirs, "/maximum_load15", json!(2));
    assert_eq!(body(&mut one, HEALTH), both);
}

#[test]
fn what_breaks_a_rule_only_together_says_which() {
    const LISTS: &str = "/api/configuration/policies/userlists";
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    let theirs = one.post(LISTS, &json!({"name": "same"})).expect(201).at("/meta/href");
    let mine = two.post(LISTS, &json!({"name": "same"})).expect(201).at("/meta/href");
    one.commit().expect(200);
    let answer = two.commit().expect_error(409, "Conflict");
    assert_eq!(answer.at("/error/details/reason"), "changed-meanwhile");
    assert!(answer.at("/error/message").as_str().unwrap().contains("must be unique"), "{answer}");
    let errors = answer.at("/error/details/errors");
    for (error, path) in errors.as_array().unwrap().iter().zip([&mine, &theirs]) {
        assert_eq!(error["rule"], "unique", "{answer}");
        assert!(error["message"].as_str().unwrap().contains("must be unique"), "{answer}");
        let told = [&mine, &theirs].map(|path| json!([format!("{}#name", path.as_str().unwrap())]));
        assert!(told.contains(&error["paths"]), "{path}: {answer}");
    }
    // The way out is what the sentence asks for.
    two.put(mine.as_str().unwrap(), &json!({"name": "another"})).expect(200);
    two.commit().expect(200);
}

#[test]
fn conflict_names_every_overlap() {
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    for (client, number) in [(&mut one, 1), (&mut two, 2)] {
        client.put(HEALTH, &with(&health(), "/maximum_load1", json!(number))).expect(200);
        let name = json!(format!("community{number}"));
        client.put(TRAP, &with(&trap(), "/version/value/community", name)).expect(200);
    }
    one.commit().expect(200);
    let answer = two.commit().expect_error(409, "Conflict");
    let mut paths: Vec<Value> = answer
        .at("/error/details/errors")
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["paths"][0].clone())
        .collect();
    paths.sort_by_key(Value::to_string);
    assert_eq!(paths, [json!(HEALTH), json!(TRAP)]);
}

#[test]
fn conflict_goes_when_the_overlap_is_taken_back() {
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    two.put(HEALTH, &with(&health(), "/maximum_load1", json!(2))).expect(200);
    two.put(SOAP, &json!({"enabled": false})).expect(200);
    one.put(HEALTH, &with(&health(), "/maximum_load1", json!(1))).expect(200);
    one.commit().expect(200);
    two.commit().expect_error(409, "Conflict");
    two.put(HEALTH, &health()).expect(200);
    two.commit().expect(200);
    assert_eq!(body(&mut one, HEALTH)["maximum_load1"], json!(1));
    assert_eq!(body(&mut one, SOAP), json!({"enabled": false}));
}

#[test]
fn commits_at_the_same_moment_all_arrive() {
    let server = server();
    let bodies = [
        (HEALTH, with(&health(), "/maximum_load1", json!(9))),
        (MAIL, with(&mail(), "/sender_address", json!("box@example.com"))),
        (TRAP, json!({"enabled": false})),
        (SOAP, json!({"enabled": false})),
        (SYSLOG, json!({"servers": ["192.0.2.5"]})),
        (WEBINTERFACE, json!({"timeout": 20})),
        (DISK, json!({"archiving_enabled": true, "enabled": true, "used_space_ratio_limit": 70})),
    ];
    std::thread::scope(|scope| {
        for (path, body) in &bodies {
            let mut client = server.admin();
            client.put(path, body).expect(200);
            scope.spawn(move || client.commit().expect(200));
        }
    });
    let mut admin = server.admin();
    for (path, expected) in &bodies {
        assert_eq!(body(&mut admin, path), *expected, "{path}");
    }
    assert_eq!(metric(&mut admin, "boxwood_running_revision"), 8.0);
}

#[test]
fn logout_of_one_leaves_the_transactions_of_others() {
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    one.put(HEALTH, &with(&health(), "/maximum_load1", json!(1))).expect(200);
    two.put(MAIL, &with(&mail(), "/admin_address", json!("b@example.com"))).expect(200);
    one.delete("/api/authentication").expect(200);
    assert_eq!(changes(&mut two).len(), 1);
    two.commit().expect(200);
    assert_eq!(body(&mut two, HEALTH), health());
}

#[test]
fn secret_of_one_transaction_is_nothing_to_another() {
    let server = server();
    let (mut one, mut two) = (server.admin(), server.admin());
    let key = password(&mut one, "secret");
    let refusal = two.put(MAIL, &mail_with_password(&key)).expect_error(400, "SemanticError");
    assert_eq!(refusal.at("/error/details/errors/0/rule"), json!("reference-target"));
    one.put(MAIL, &mail_with_password(&key)).expect(200);
    one.commit().expect(200);
    // Committed it exists for everybody, and this is still its one place.
    two.put(MAIL, &mail_with_password(&key)).expect(200);
    two.commit().expect(200);
}
