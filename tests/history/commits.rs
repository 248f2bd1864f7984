//! Plans, rebases, requests sent twice, commits that await their confirmation.

use serde_json::{Value, json};
use support::{Client, Response, Server, opened, wait_for};

use crate::{HEALTH, MAIL, PASSWORDS, TRANSACTION, commit_load, concurrent, load, seen_load};

const PLAN: &str = "/boxwood/v1/transaction/plan";
const REBASE: &str = "/boxwood/v1/transaction/rebase";
const CONFIRMATION: &str = "/boxwood/v1/confirmation";

fn empty_post(client: &mut Client, path: &str) -> Response {
    client.request("POST", path).send()
}

#[test]
fn a_plan_shows_what_the_commit_then_does() {
    let server = Server::dev();
    let mut admin = server.admin();
    empty_post(&mut admin, PLAN).expect_error(409, "Conflict");
    admin.open().expect(200);
    load(&mut admin, 7);
    let plan = empty_post(&mut admin, PLAN).expect(200).json();
    assert_eq!(
        (&plan["base"], &plan["head"], &plan["error"]),
        (&json!(1), &json!(1), &json!(null))
    );
    assert_eq!(plan["changes"][0]["path"], json!(format!("{HEALTH}#maximum_load1")));
    assert_eq!(admin.get("/boxwood/v1/health").expect(200).at("/revision"), json!(1));
    admin.commit().expect(200);
    let revision = admin.get("/boxwood/v1/revisions/2").expect(200).json();
    assert_eq!(revision["changes"], plan["changes"]);
}

#[test]
fn a_plan_shows_conflicts_and_a_rebase_reports_them() {
    let server = concurrent();
    let (mut mine, mut other) = (server.admin(), server.admin());
    load(&mut mine, 7);
    let mut mail = other.get(MAIL).expect(200).at("/body");
    mail["admin_address"] = json!("b@example.com");
    other.put(MAIL, &mail).expect(200);
    other.commit().expect(200);
    let rebased = empty_post(&mut mine, REBASE).expect(200);
    assert_eq!(rebased.at("/base"), json!(2));
    assert_eq!(mine.get(MAIL).expect(200).at("/body/admin_address"), json!("b@example.com"));

    load(&mut other, 8);
    other.commit().expect(200);
    let plan = empty_post(&mut mine, PLAN).expect(200).json();
    assert_eq!(plan["error"]["type"], json!("Conflict"));
    let refused = empty_post(&mut mine, REBASE).expect_error(409, "Conflict");
    assert_eq!(refused.at("/error/details/reason"), json!("changed-meanwhile"));
    assert_eq!(refused.at("/error/details"), plan["error"]["details"]);
    let sides = refused.at("/error/details/errors/0");
    let loads = ["base", "theirs", "mine"].map(|side| sides[side]["maximum_load1"].clone());
    assert_eq!(loads, [json!(null), json!(8), json!(7)]);
    assert_eq!(seen_load(&mut mine), json!(7), "open and unchanged");
}

fn commit_keyed(client: &mut Client, key: &str, body: &Value) -> Response {
    client.request("PUT", TRANSACTION).header("Idempotency-Key", key).json(body).send()
}

#[test]
fn a_commit_sent_twice_is_made_once_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let commit = json!({"status": "commit", "message": "once"});
    let server = Server::builder().serve(folder.path()).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    load(&mut admin, 7);
    let first = commit_keyed(&mut admin, "k1", &commit).expect(200);
    let again = commit_keyed(&mut admin, "k1", &commit).expect(200);
    for (answer, replay) in [(&first, None), (&again, Some("true"))] {
        assert_eq!(answer.header("boxwood-revision"), Some("2"));
        assert_eq!(answer.header("boxwood-replay"), replay);
    }
    let (first, again) = (first.json(), again.json());
    assert_eq!(again, first);
    let other = json!({"status": "commit", "message": "another"});
    commit_keyed(&mut admin, "k1", &other).expect_error(422, "IdempotencyMismatch");
    commit_keyed(&mut admin, "k2", &commit).expect_error(409, "Conflict");
    admin.open().expect(200);
    load(&mut admin, 8);
    commit_keyed(&mut admin, "k1", &commit).expect_error(422, "IdempotencyMismatch");
    assert_eq!(seen_load(&mut admin), json!(8), "open and unchanged");
    commit_keyed(&mut admin, "k3", &commit).expect(200);
    for bad in ["", &"x".repeat(256)] {
        commit_keyed(&mut admin, bad, &commit).expect_error(400, "SyntacticError");
    }
    drop(server);

    let server = Server::builder().serve(folder.path()).start();
    let mut admin = server.admin();
    let again = commit_keyed(&mut admin, "k1", &commit).expect(200);
    assert_eq!(again.header("boxwood-revision"), Some("2"), "that of the commit");
    let again = again.json();
    assert_eq!(again["body"], first["body"]);
    assert_eq!(admin.get("/boxwood/v1/health").expect(200).at("/revision"), json!(3));
}

#[test]
fn a_member_sent_twice_is_created_once() {
    let (_server, mut admin) = opened();
    let mut create = |key: &str, text: &str| {
        let body = json!({ "plain": text });
        admin.request("POST", PASSWORDS).header("Idempotency-Key", key).json(&body).send()
    };
    let first = create("k1", "secret").expect(201);
    let again = create("k1", "secret").expect(201);
    assert_eq!(first.header("location"), again.header("location"));
    create("k1", "another").expect_error(422, "IdempotencyMismatch");
    assert_ne!(create("k2", "secret").expect(201).header("location"), first.header("location"));
}

fn commit_within(client: &mut Client, seconds: u64) -> Value {
    let commit = json!({"status": "commit", "confirm_within": seconds});
    client.put(TRANSACTION, &commit).expect(200).at("/confirmation")
}

#[test]
fn a_commit_that_nobody_confirms_is_undone() {
    let (_server, mut admin) = opened();
    load(&mut admin, 7);
    let confirmation = commit_within(&mut admin, 1);
    assert_eq!(confirmation["revision"], json!(2));
    assert_eq!(seen_load(&mut admin), json!(7), "in force at once");
    wait_for("the commit to be undone", || seen_load(&mut admin) == json!(null));
    let undone = admin.get("/boxwood/v1/revisions/3").expect(200).json();
    assert_eq!(undone["message"], json!("Not confirmed in time: revision 2 undone"));
    assert_eq!(undone["author"], json!("admin"));
    assert_eq!(admin.get(CONFIRMATION).expect(200).at("/awaiting"), json!(null));
}

#[test]
fn it_is_confirmed_extended_and_cancelled_with_its_token_from_any_session() {
    let server = concurrent();
    let (mut admin, mut other) = (server.admin(), server.admin());
    load(&mut admin, 7);
    let confirmation = commit_within(&mut admin, 600);
    let token = &confirmation["token"];
    let until = other.get(CONFIRMATION).expect(200).json()["awaiting"]["until"].clone();
    assert_eq!(until, confirmation["until"]);

    load(&mut other, 8);
    let refused = other.commit().expect_error(409, "Conflict");
    assert_eq!(refused.at("/error/details/reason"), json!("awaiting-confirmation"));
    assert_eq!(refused.at("/error/details/until"), until);

    let post = |client: &mut Client, verb: &str, body: &Value| {
        client.post(&format!("{CONFIRMATION}/{verb}"), body)
    };
    post(&mut other, "confirm", &json!({"token": "x"})).expect_error(404, "NotFound");
    post(&mut other, "confirm", &json!({})).expect_error(400, "SyntacticError");
    let wrong = json!({"token": token, "seconds": 0});
    post(&mut other, "extend", &wrong).expect_error(400, "SyntacticError");
    let extended = post(&mut other, "extend", &json!({"token": token, "seconds": 3600}));
    assert_ne!(extended.expect(200).at("/until"), until);
    let confirmed = post(&mut other, "confirm", &json!({ "token": token })).expect(200);
    assert_eq!(confirmed.at("/confirmed"), json!(2));
    assert_eq!(seen_load(&mut admin), json!(7));

    admin.open().expect(200);
    load(&mut admin, 9);
    let token = commit_within(&mut admin, 600)["token"].clone();
    let undone = post(&mut other, "cancel", &json!({ "token": token })).expect(200);
    assert_eq!(undone.at("/undone_by"), json!(4));
    assert_eq!(seen_load(&mut admin), json!(7));
    assert!(!server.log().contains(token.as_str().unwrap()), "a token is a secret");
}

#[test]
fn what_awaits_survives_a_kill_and_is_undone_when_its_time_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::builder().serve(folder.path()).start();
    let mut admin = server.admin();
    commit_load(&mut admin, 3);
    admin.open().expect(200);
    load(&mut admin, 7);
    let token = commit_within(&mut admin, 600)["token"].clone();
    server.kill();
    let mut server = Server::builder().serve(folder.path()).start();
    let mut admin = server.admin();
    assert_eq!(seen_load(&mut admin), json!(7));
    let confirm = json!({ "token": token });
    admin.post(&format!("{CONFIRMATION}/confirm"), &confirm).expect(200);
    admin.open().expect(200);
    load(&mut admin, 8);
    commit_within(&mut admin, 1);
    server.kill();
    let server = Server::builder().serve(folder.path()).start();
    let mut admin = server.admin();
    wait_for("the commit to be undone", || seen_load(&mut admin) == json!(7));
}

#[test]
fn without_a_login_nothing_is_told_or_done() {
    let server = Server::dev();
    let mut client = server.client();
    for (method, path) in [
        ("POST", PLAN),
        ("POST", REBASE),
        ("GET", CONFIRMATION),
        ("POST", "/boxwood/v1/confirmation/confirm"),
        ("GET", "/boxwood/v1/revisions"),
        ("GET", "/boxwood/v1/revisions/1"),
        ("POST", "/boxwood/v1/revisions/1/restore"),
        ("GET", "/boxwood/v1/tags"),
        ("PUT", "/boxwood/v1/tags/x"),
        ("GET", "/boxwood/v1/watch"),
    ] {
        client.request(method, path).send().expect_error(401, "Unauthenticated");
    }
}
