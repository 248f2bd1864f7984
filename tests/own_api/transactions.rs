//! Transactions from their opening to their commit.

use serde_json::json;
use support::Server;

use crate::{admin, kind, v1};

const EMAIL: &str = "nodes/management/email";

#[test]
fn a_transaction_is_opened_planned_committed_and_repeated() {
    let server = Server::dev();
    let mut admin = admin(&server, "sps-6.2");
    let refused = admin.patch(&v1(EMAIL), &json!({ "sender_address": "a@example.com" }));
    let refused = refused.expect(409).json();
    assert_eq!(refused["reason"], "no-transaction");
    assert!(refused["remedy"].as_str().unwrap().contains("POST /boxwood/v1/transaction"));

    let open = admin.post(&v1("transaction"), &json!({})).expect(201).json();
    assert!(open["open"] == true && open["holder"]["own"] == true && open["mode"] == "exclusive");
    admin.patch(&v1(EMAIL), &json!({ "sender_address": "a@example.com" })).expect(200);
    let staged = admin.get(&v1("transaction/changes")).expect(200).at("/changes");
    assert_eq!(staged[0]["new_value"], "a@example.com", "{staged}");
    let plan = admin.post(&v1("transaction/plan"), &json!({})).expect(200).json();
    assert!(plan["problem"].is_null() && plan["changes"] == staged, "{plan}");

    let commit = |admin: &mut support::Client, message: &str| {
        let request = admin.request("POST", &v1("transaction/commit"));
        request.header("Idempotency-Key", "once").json(&json!({ "message": message })).send()
    };
    let done = commit(&mut admin, "why").expect(200).json();
    let again = commit(&mut admin, "why").expect(200).json();
    assert_eq!(again["revision"], done["revision"]);
    assert_eq!(kind(&commit(&mut admin, "else").expect(422).json()), "idempotency-mismatch");
    assert_eq!(admin.get(&v1("transaction")).expect(200).at("/open"), false);
    admin.post(&v1("transaction/commit"), &json!({})).expect(409);
}

#[test]
fn a_commit_that_is_not_confirmed_can_be_confirmed_or_undone() {
    let server = Server::dev_of(&["sps-7.0"]);
    let mut admin = admin(&server, "sps-7.0");
    admin.patch(&v1(EMAIL), &json!({ "sender_address": "a@example.com" })).expect(200);
    let body = json!({ "confirm_within": 600 });
    let done = admin.post(&v1("transaction/commit"), &body).expect(200).json();
    let token = done["confirmation"]["token"].as_str().unwrap();
    let undone = admin.post(&v1("confirmation/cancel"), &json!({ "token": token }));
    assert!(undone.expect(200).at("/undone_by").as_u64() > done["revision"].as_u64());
    for bad in [json!({ "confirm_within": 0 }), json!({ "message": 1 }), json!({ "x": 1 })] {
        admin.post(&v1("transaction/commit"), &bad).expect(400);
    }
}

#[test]
fn what_both_sides_changed_is_a_conflict_with_both_sides() {
    let server = Server::dev_of(&["sps-7.0"]);
    let (mut mine, mut theirs) = (admin(&server, "sps-7.0"), admin(&server, "sps-7.0"));
    mine.patch(&v1(EMAIL), &json!({ "sender_address": "mine@example.com" })).expect(200);
    let path = v1(&format!("{EMAIL}?commit=true"));
    theirs.patch(&path, &json!({ "sender_address": "theirs@example.com" })).expect(200);
    let plan = mine.post(&v1("transaction/plan"), &json!({})).expect(200).json();
    assert_eq!(plan["problem"]["reason"], "changed-meanwhile", "{plan}");
    let refused = mine.post(&v1("transaction/commit"), &json!({})).expect(409).json();
    let error = &refused["errors"][0];
    assert_eq!(error["path"], "/management/email");
    assert_eq!(error["theirs"]["sender_address"], "theirs@example.com");
    assert_eq!(error["mine"]["sender_address"], "mine@example.com");
    mine.delete(&v1("transaction")).expect(200);
}
