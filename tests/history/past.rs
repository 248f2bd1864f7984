//! Revisions listed, read, compared, restored, named.

use serde_json::{Value, json};
use support::{Server, opened};

use crate::{HEALTH, MAIL, PASSWORDS, commit_load, load, seen_load};

const REVISIONS: &str = "/boxwood/v1/revisions";
const TAGS: &str = "/boxwood/v1/tags";

#[test]
fn revisions_are_listed_newest_first_by_pages() {
    let server = Server::dev();
    let mut admin = server.admin();
    for n in 2..7 {
        assert_eq!(commit_load(&mut admin, n), n);
    }
    let mut next = format!("{REVISIONS}?limit=2");
    let mut seen: Vec<u64> = Vec::new();
    loop {
        let page = admin.get(&next).expect(200).json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["revision"].as_u64().unwrap()));
        match &page["meta"]["next"] {
            Value::String(href) => next.clone_from(href),
            _ => break,
        }
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
    let first = admin.get(&format!("{REVISIONS}?before=2")).expect(200).at("/items/0");
    assert_eq!(first["message"], json!("Factory defaults"));
    for bad in ["?limit=0", "?limit=501", "?before=x", "?nothing=1"] {
        admin.get(&format!("{REVISIONS}{bad}")).expect_error(400, "SyntacticError");
    }
}

#[test]
fn a_revision_says_who_when_why_and_what() {
    let (_server, mut admin) = opened();
    load(&mut admin, 7);
    admin.commit_with("the load was too low").expect(200);
    let revision = admin.get("/boxwood/v1/revisions/2").expect(200).json();
    assert_eq!(revision["author"], json!("admin"));
    assert_eq!(revision["message"], json!("the load was too low"));
    let change = &revision["changes"][0];
    assert_eq!((&change["old_value"], &change["new_value"]), (&json!(null), &json!(7)));
    admin.get("/boxwood/v1/revisions/3").expect_error(404, "NotFound");
    admin.get("/boxwood/v1/revisions/0").expect(410);
    admin.request("DELETE", "/boxwood/v1/revisions/2").send().expect(405);
}

#[test]
fn trees_of_the_past_are_shown_and_compared() {
    let server = Server::dev();
    let mut admin = server.admin();
    (2..5).for_each(|n| assert_eq!(commit_load(&mut admin, n), n));
    let then = admin.get(&format!("{REVISIONS}/3/tree?path={HEALTH}")).expect(200).json();
    assert_eq!(then["nodes"][0]["path"], json!(HEALTH));
    assert_eq!(then["nodes"][0]["body"]["maximum_load1"], json!(3));
    // Another spelling of the same address, percent-encoded once more for the query.
    let encoded = format!("{REVISIONS}/3/tree?path={}", HEALTH.replace('_', "%255F"));
    assert_eq!(admin.get(&encoded).expect(200).at("/nodes"), then["nodes"]);
    let short = format!("{REVISIONS}/3/tree?path=/management&limit=2");
    let part = admin.get(&short).expect(200).json();
    assert_eq!((part["nodes"].as_array().unwrap().len(), &part["complete"]), (2, &json!(false)));
    let all = admin.get(&format!("{REVISIONS}/1/tree")).expect(200).json();
    assert_eq!(all["complete"], json!(true));
    assert!(!all.to_string().contains("PRIVATE KEY"));
    admin.get(&format!("{REVISIONS}/3/tree?path=/nowhere")).expect_error(404, "NotFound");

    let diff = admin.get(&format!("{REVISIONS}/diff?from=2&to=4")).expect(200).json();
    assert_eq!(diff["changes"].as_array().unwrap().len(), 1);
    assert_eq!(diff["changes"][0]["old_value"], json!(2));
    assert_eq!(diff["changes"][0]["new_value"], json!(4));
    let same = admin.get(&format!("{REVISIONS}/diff?from=2&to=2")).expect(200);
    assert_eq!(same.at("/changes"), json!([]));
    admin.get(&format!("{REVISIONS}/diff?from=2&to=9")).expect_error(404, "NotFound");
    admin.get(&format!("{REVISIONS}/diff?from=2")).expect_error(400, "SyntacticError");
}

#[test]
fn a_revision_is_restored_through_a_transaction_and_its_secrets_work() {
    let (_server, mut admin) = opened();
    let password = admin.post(PASSWORDS, &json!({"plain": "hunter2"})).expect(201).at("/key");
    let mut mail = admin.get(MAIL).expect(200).at("/body");
    let plain = mail.clone();
    mail["smtp_auth"] = json!({"enabled": true, "password": password, "username": "me"});
    admin.put(MAIL, &mail).expect(200);
    admin.commit().expect(200);
    admin.open().expect(200);
    admin.put(MAIL, &plain).expect(200);
    admin.commit().expect(200);

    let restore = format!("{REVISIONS}/2/restore");
    admin.request("POST", &restore).send().expect_error(409, "Conflict");
    admin.open().expect(200);
    let staged = admin.request("POST", &restore).send().expect(200).json();
    assert_eq!(staged["changes"].as_array().unwrap().len(), 2);
    admin.commit().expect(200);
    let key = admin.get(MAIL).expect(200).at("/body/smtp_auth/password/key");
    assert_eq!(key, password);
    for path in
        ["/boxwood/v1/revisions/2", "/boxwood/v1/revisions/4", "/boxwood/v1/revisions/4/tree"]
    {
        let text = admin.get(path).expect(200).text().to_owned();
        assert!(!text.contains("hunter2") && !text.contains("v1:"), "{path}: a secret");
    }
}

#[test]
fn revisions_have_names() {
    let server = Server::dev();
    let mut admin = server.admin();
    commit_load(&mut admin, 2);
    let good = format!("{TAGS}/before%20the%20upgrade");
    let set = admin.put(&good, &json!({"revision": 1})).expect(200).json();
    assert_eq!((&set["name"], &set["author"]), (&json!("before the upgrade"), &json!("admin")));
    admin.put(&good, &json!({"revision": 2})).expect(200);
    assert_eq!(admin.get(&good).expect(200).at("/revision"), json!(2));
    assert_eq!(admin.get(TAGS).expect(200).at("/items/0/revision"), json!(2));
    let listed = admin.get(REVISIONS).expect(200).at("/items/0/tags");
    assert_eq!(listed, json!(["before the upgrade"]));
    admin.put(&good, &json!({"revision": 9})).expect_error(404, "NotFound");
    admin.put(&good, &json!({"n": 1})).expect_error(400, "SyntacticError");
    admin.delete(&good).expect(200);
    admin.get(&good).expect_error(404, "NotFound");
    admin.delete(&good).expect_error(404, "NotFound");
}

#[test]
fn old_revisions_go_and_the_rest_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let builder = Server::builder().serve(folder.path());
        builder.set("history.keep_revisions", 5).start()
    };
    let mut server = start();
    let mut admin = server.admin();
    (2..30).for_each(|n| assert_eq!(commit_load(&mut admin, n), n));
    let mut oldest = || admin.get(REVISIONS).expect(200).at("/meta/oldest").as_u64().unwrap();
    support::wait_for("old revisions to go", || oldest() > 20);
    admin.get("/boxwood/v1/revisions/1").expect_error(410, "Gone");
    server.kill();
    let server = start();
    let mut admin = server.admin();
    assert_eq!(seen_load(&mut admin), json!(29));
    let then = admin.get(&format!("{REVISIONS}/27/tree?path={HEALTH}")).expect(200);
    assert_eq!(then.at("/nodes/0/body/maximum_load1"), json!(27));
}
