//! Transactions of the default appliance: one at a time, opened explicitly.

use serde_json::{Value, json};
use support::{Response, Server, opened};

use crate::fixtures::{
    HEALTH, MAIL, PASSWORDS, TRAP, changes, config_hash, create, health, mail, mail_with_password,
    metric, password, status, trap, trap_3, violations, with,
};

const TRANSACTION: &str = "/api/transaction";

fn document(status: &str, changed: bool) -> Value {
    let mut meta = json!({"href": TRANSACTION, "parent": "/api", "remaining_seconds": 600});
    if changed {
        meta["changes"] = json!("/api/transaction/changes");
    }
    json!({
        "body": {"commit_message": "optional", "status": status},
        "key": "transaction",
        "meta": meta,
        "transaction": {"status": status},
    })
}

#[track_caller]
fn expect_reason(answer: Response, reason: &str) -> Response {
    let answer = answer.expect_error(409, "Conflict");
    assert_eq!(answer.at("/error/details/reason"), json!(reason), "{answer}");
    answer
}

// ===== status, open, commit, roll back =====

#[test]
fn status_carries_the_members_of_both_eras() {
    let server = Server::dev();
    let mut admin = server.admin();
    assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("closed", false));
    assert_eq!(admin.open().expect(200).json(), document("open", false));
    assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("open", false));
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("open", true));
    assert_eq!(admin.open().expect(200).json(), document("open", true), "opening twice is once");
    assert_eq!(admin.commit().expect(200).json(), document("closed", false));
    assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("closed", false));
}

#[test]
fn opening_takes_an_empty_body_of_any_type_and_an_empty_object() {
    let server = Server::dev();
    let mut admin = server.admin();
    let types = ["application/json", "application/x-www-form-urlencoded", "text/plain"];
    for content_type in types {
        admin.request("POST", TRANSACTION).header("Content-Type", content_type).send().expect(200);
        admin.rollback().expect(200);
    }
    for body in ["{}", " { } ", "{\r\n}"] {
        admin.request("POST", TRANSACTION).text(body, "application/json").send().expect(200);
        admin.rollback().expect(200);
    }
    admin.request("POST", TRANSACTION).chunked(&[]).send().expect(200);
    assert_eq!(status(&mut admin), "open");
}

#[test]
fn opening_takes_nothing_else() {
    let server = Server::dev();
    let mut admin = server.admin();
    for body in ["{\"status\": \"open\"}", "[]", "null", "1"] {
        let answer = admin.request("POST", TRANSACTION).text(body, "application/json").send();
        answer.expect_error(400, "SyntacticError");
    }
    for body in ["{", "open"] {
        let answer = admin.request("POST", TRANSACTION).text(body, "application/json").send();
        answer.expect_error(400, "InvalidRequestBody");
    }
    assert_eq!(status(&mut admin), "closed");
}

#[test]
fn change_without_a_transaction_is_a_conflict() {
    let server = Server::dev();
    let mut admin = server.admin();
    let before = config_hash(&mut admin);
    expect_reason(admin.put(MAIL, &mail()), "no-transaction");
    expect_reason(admin.post(PASSWORDS, &json!({"plain": "x"})), "no-transaction");
    expect_reason(admin.commit(), "no-transaction");
    assert_eq!(status(&mut admin), "closed");
    assert_eq!(config_hash(&mut admin), before);
}

#[test]
fn second_opener_is_told_who_holds_the_configuration_and_since_when() {
    let server = Server::dev();
    let mut holder = server.admin();
    let mut second = server.admin();
    holder.open().expect(200);
    holder.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    for _ in 0..2 {
        let answer = expect_reason(second.open(), "locked");
        assert_eq!(answer.at("/error/details/locked_by"), json!("admin"));
        let since = answer.at("/error/details/since");
        let since = since.as_str().expect("a time").to_owned();
        assert!(
            since.len() >= 20 && since.as_bytes()[10] == b'T' && since.ends_with('Z'),
            "{since}"
        );
        let message = answer.at("/error/message");
        let message = message.as_str().expect("a sentence");
        assert!(message.contains("admin") && message.contains(&since), "{message}");
    }
    expect_reason(second.put(HEALTH, &health()), "no-transaction");
    expect_reason(second.commit(), "no-transaction");
    second.rollback().expect(200);
    assert_eq!(status(&mut second), "closed");
    assert_eq!(changes(&mut holder).len(), 1, "the holder's transaction is as it was");
    holder.commit().expect(200);
    second.open().expect(200);
    holder.open().expect_error(409, "Conflict");
    second.rollback().expect(200);
    holder.open().expect(200);
}

#[test]
fn staged_state_is_visible_to_its_session_only() {
    let server = Server::dev();
    let (mut writer, mut reader) = (server.admin(), server.admin());
    let staged = with(&health(), "/maximum_load1", json!(7));
    writer.open().expect(200);
    let shown = writer.put(HEALTH, &staged).expect(200).json();
    assert_eq!(writer.get(HEALTH).expect(200).json(), shown);
    assert_eq!(reader.get(HEALTH).expect(200).at("/body"), health());
    let key = password(&mut writer, "secret");
    let path = format!("{PASSWORDS}/{key}");
    writer.get(&path).expect(200);
    reader.get(&path).expect_error(404, "NotFound");
    assert_eq!(changes(&mut reader), [] as [Value; 0]);
    writer.commit().expect(200);
    assert_eq!(reader.get(HEALTH).expect(200).at("/body"), staged);
}

#[test]
fn rollback_is_safe_at_any_time_and_drops_what_is_staged() {
    let server = Server::dev();
    let mut admin = server.admin();
    let meta = json!({"meta": {"href": TRANSACTION, "parent": "/api"}});
    assert_eq!(admin.rollback().expect(200).json(), meta);
    admin.open().expect(200);
    assert_eq!(admin.rollback().expect(200).json(), meta);
    admin.open().expect(200);
    let before = config_hash(&mut admin);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    let key = password(&mut admin, "secret");
    assert_eq!(admin.rollback().expect(200).json(), meta);
    assert_eq!(status(&mut admin), "closed");
    assert_eq!(admin.get(HEALTH).expect(200).at("/body"), health());
    admin.get(&format!("{PASSWORDS}/{key}")).expect_error(404, "NotFound");
    assert_eq!(config_hash(&mut admin), before);
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
}

#[test]
fn commit_is_taken_in_every_spelling() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (load, body) in [
        "{\"status\":\"commit\"}",
        "{ \"status\" : \"commit\" }",
        "{\r\n  \"status\": \"commit\"\r\n}\r\n",
        "{\"status\": \"commit\", \"message\": \"why\"}",
        "{\"status\": \"commit\", \"commit_message\": \"why\"}",
        "{\"message\": null, \"status\": \"commit\"}",
        "{\"status\": \"commit\", \"message\": \"\"}",
        "{\"status\": \"commit\", \"message\": \"größer 大\"}",
    ]
    .iter()
    .enumerate()
    {
        admin.open().expect(200);
        admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(load))).expect(200);
        let answer = admin.request("PUT", TRANSACTION).text(*body, "application/json").send();
        assert_eq!(answer.expect(200).json(), document("closed", false), "{body}");
        assert_eq!(admin.get(HEALTH).expect(200).at("/body/maximum_load1"), json!(load));
    }
}

#[test]
fn other_commands_are_refused_and_the_transaction_stays() {
    let (_server, mut admin) = opened();
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    for (body, kind, pointer) in [
        ("{\"status\": \"open\"}", "SyntacticError", "/status"),
        ("{\"status\": \"Commit\"}", "SyntacticError", "/status"),
        ("{\"status\": null}", "SyntacticError", "/status"),
        ("{\"status\": true}", "SyntacticError", "/status"),
        ("{}", "SyntacticError", "/status"),
        ("{\"message\": \"why\"}", "SyntacticError", "/status"),
        ("{\"status\": \"commit\", \"message\": 1}", "SyntacticError", "/message"),
        ("{\"status\": \"commit\", \"commit_message\": []}", "SyntacticError", "/commit_message"),
        ("{\"status\": \"commit\", \"comment\": \"x\"}", "SyntacticError", "/comment"),
        ("\"commit\"", "SyntacticError", ""),
        ("[]", "SyntacticError", ""),
        ("commit", "InvalidRequestBody", ""),
        ("{\"status\": \"commit\"", "InvalidRequestBody", ""),
        ("{\"status\": \"commit\", \"status\": \"commit\"}", "InvalidRequestBody", ""),
        ("", "InvalidRequestBody", ""),
    ] {
        let answer = admin.request("PUT", TRANSACTION).text(body, "application/json").send();
        let answer = answer.expect_error(400, kind);
        if kind == "SyntacticError" {
            assert_eq!(answer.at("/error/details/errors/0/pointer"), json!(pointer), "{body}");
        }
        assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("open", true), "{body}");
    }
    assert_eq!(changes(&mut admin).len(), 1);
    admin.commit().expect(200);
}

#[test]
fn empty_put_commits_where_the_setting_says_so() {
    let server = Server::builder().set("sps.lenient_commit", true).start();
    let mut admin = server.admin();
    for content_type in ["application/x-www-form-urlencoded", "application/json"] {
        admin.open().expect(200);
        let request = admin.request("PUT", TRANSACTION).header("Content-Type", content_type);
        assert_eq!(request.send().expect(200).json(), document("closed", false));
    }
    admin.request("PUT", TRANSACTION).send().expect_error(409, "Conflict");
}

#[test]
fn commit_without_changes_is_no_revision() {
    let server = Server::dev();
    let mut admin = server.admin();
    let (before, revision) =
        (config_hash(&mut admin), metric(&mut admin, "boxwood_running_revision"));
    admin.open().expect(200);
    admin.put(HEALTH, &health()).expect(200);
    assert_eq!(admin.commit().expect(200).json(), document("closed", false));
    assert_eq!(config_hash(&mut admin), before);
    assert_eq!(metric(&mut admin, "boxwood_running_revision"), revision);
}

#[test]
fn other_methods_are_refused() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [TRANSACTION, "/api/transaction/changes"] {
        admin.request("PATCH", path).send().expect_error(405, "MethodNotAllowed");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = admin.request(method, "/api/transaction/changes").send();
        let answer = answer.expect_error(405, "MethodNotAllowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    admin.get("/api/transaction/changes/1").expect_error(404, "NotFound");
    assert_eq!(status(&mut admin), "closed");
}

// ===== what a commit checks =====

// One password, used in two places: each place alone is right.
#[test]
fn refused_commit_reports_every_violation_and_leaves_the_transaction_as_it_was() {
    let server = Server::dev();
    let mut admin = server.admin();
    let mut reader = server.admin();
    let before = config_hash(&mut admin);
    admin.open().expect(200);
    let (one, two) = (password(&mut admin, "long enough"), password(&mut admin, "also long"));
    admin.put(MAIL, &mail_with_password(&one)).expect(200);
    admin.put(TRAP, &trap_3(&one, &one)).expect(200);
    let staged = (changes(&mut admin), admin.get(TRAP).expect(200).json());

    let refusal = admin.commit().expect_error(400, "SemanticError");
    let exclusive = |pointer: &str| (pointer.to_owned(), "reference-exclusive".to_owned());
    let expected = [
        exclusive("/smtp_auth/password"),
        exclusive("/version/value/auth_password"),
        exclusive("/version/value/encryption_password"),
    ];
    assert_eq!(violations(&refusal), expected, "{refusal}");
    let mut paths: Vec<String> = refusal
        .at("/error/details/errors")
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["paths"][0].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            format!("{MAIL}#smtp_auth/password"),
            format!("{TRAP}#version/value/auth_password"),
            format!("{TRAP}#version/value/encryption_password"),
        ]
    );

    assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("open", true));
    assert_eq!((changes(&mut admin), admin.get(TRAP).expect(200).json()), staged);
    assert_eq!(config_hash(&mut admin), before);
    reader.open().expect_error(409, "Conflict");
    assert_eq!(metric(&mut admin, "boxwood_commits_total{outcome=\"rejected\"}"), 1.0);

    // Repaired in the same transaction.
    let three = password(&mut admin, "a third one");
    admin.put(TRAP, &trap_3(&two, &three)).expect(200);
    admin.commit().expect(200);
    assert_eq!(reader.get(MAIL).expect(200).at("/body/smtp_auth/password/key"), json!(one));
    reader.open().expect(200);
}

#[test]
fn refused_commit_can_be_rolled_back() {
    let (_server, mut admin) = opened();
    let key = password(&mut admin, "long enough");
    admin.put(TRAP, &trap_3(&key, &key)).expect(200);
    admin.commit().expect_error(400, "SemanticError");
    admin.rollback().expect(200);
    assert_eq!(admin.get(TRAP).expect(200).at("/body"), trap());
    admin.open().expect(200);
    admin.commit().expect(200);
}

#[test]
fn acknowledged_commit_is_there_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let key = password(&mut admin, "secret");
    admin.put(MAIL, &mail_with_password(&key)).expect(200);
    admin.commit_with("mail with a password").expect(200);
    let (hash, document) = (config_hash(&mut admin), admin.get(MAIL).expect(200).json());
    server.kill();

    let server = builder.start();
    let mut admin = server.admin();
    assert_eq!(config_hash(&mut admin), hash);
    assert_eq!(admin.get(MAIL).expect(200).json(), document);
    admin.get(&format!("{PASSWORDS}/{key}")).expect(200);
    assert_eq!(metric(&mut admin, "boxwood_running_revision"), 2.0);
}

// ===== the changelog =====

#[test]
fn changelog_without_changes_is_empty() {
    let server = Server::dev();
    let mut admin = server.admin();
    let empty = json!({
        "changes": [],
        "meta": {
            "href": "/api/transaction/changes",
            "parent": "/api/transaction",
            "remaining_seconds": 600,
            "transaction": "/api/transaction",
        },
    });
    assert_eq!(admin.get("/api/transaction/changes").expect(200).json(), empty);
    admin.open().expect(200);
    assert_eq!(admin.get("/api/transaction/changes").expect(200).json(), empty);
}

#[test]
fn changelog_lists_each_parameter_that_differs() {
    let (_server, mut admin) = opened();
    let body = with(&mail(), "/admin_address", json!("b@example.com"));
    let body = with(&body, "/smtp_server/value", json!("192.0.2.26"));
    admin.put(MAIL, &body).expect(200);
    admin.put(HEALTH, &with(&health(), "/maximum_load5", json!(3))).expect(200);
    let replace = |path: String, old: Value, new: Value| json!({"type": "replace", "path": path, "old_value": old, "new_value": new});
    let mut found = changes(&mut admin);
    found.sort_by_key(|entry| entry["path"].to_string());
    assert_eq!(
        found,
        [
            replace(
                format!("{MAIL}#admin_address"),
                json!("admin@example.com"),
                json!("b@example.com")
            ),
            replace(format!("{MAIL}#smtp_server/value"), json!("192.0.2.25"), json!("192.0.2.26")),
            replace(format!("{HEALTH}#maximum_load5"), json!(null), json!(3)),
        ]
    );
}

#[test]
fn changelog_has_net_changes_only() {
    let (_server, mut admin) = opened();
    for load in [1, 2, 3] {
        admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(load))).expect(200);
    }
    let found = changes(&mut admin);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["old_value"], json!(null));
    assert_eq!(found[0]["new_value"], json!(3));
    admin.put(HEALTH, &health()).expect(200);
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
    assert_eq!(admin.get(TRANSACTION).expect(200).json(), document("open", false));
}

#[test]
fn changelog_shows_groups_unions_and_creations_as_wholes_and_no_secret() {
    let (_server, mut admin) = opened();
    let key = create(&mut admin, PASSWORDS, &json!({"plain": "distinctive-secret"}));
    admin.put(MAIL, &mail_with_password(&key)).expect(200);
    let fqdn = json!({"selection": "fqdn", "value": "traps.example.com"});
    admin.put(TRAP, &with(&trap(), "/version/value/server", fqdn.clone())).expect(200);
    let answer = admin.get("/api/transaction/changes").expect(200);
    assert!(!answer.text().contains("distinctive-secret"), "{answer}");
    let mut found = changes(&mut admin);
    found.sort_by_key(|entry| entry["path"].to_string());
    let href = format!("{PASSWORDS}/{key}");
    assert_eq!(
        found,
        [
            json!({
                "type": "replace",
                "path": format!("{MAIL}#smtp_auth"),
                "old_value": {"enabled": false},
                "new_value": {
                    "enabled": true,
                    "password": {"key": key, "meta": {"href": href}},
                    "username": "appliance",
                },
            }),
            json!({
                "type": "replace",
                "path": format!("{TRAP}#version/value/server"),
                "old_value": {"selection": "ip", "value": "192.0.2.40"},
                "new_value": fqdn,
            }),
            json!({"type": "create", "path": href, "new_value": {}}),
        ]
    );
}
