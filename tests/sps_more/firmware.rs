//! `/api/firmware`: slots, uploads, tests and upgrades.

use serde_json::{Value, json};
use support::{Client, Response, Server, opened};

use crate::{create_user, texts};

const SLOTS: &str = "/api/firmware/slots";
const UPLOAD: &str = "/api/upload/firmware";
const TEST: &str = "/api/firmware/test";
const UPGRADE: &str = "/api/firmware/upgrade";

#[track_caller]
fn upload(client: &mut Client, content: &[u8], kind: Option<&str>) -> Response {
    client.request("POST", UPLOAD).text(content, kind.unwrap_or_default()).send()
}

fn iso(name: &str) -> Vec<u8> {
    let mut image = vec![0; 64 * 1024];
    image[32_768] = 1;
    image[32_769..32_774].copy_from_slice(b"CD001");
    image[32_808..32_840].fill(b' ');
    image[32_808..32_808 + name.len()].copy_from_slice(name.as_bytes());
    image
}

// proves: SPS-43
#[test]
fn five_slots_of_which_the_first_runs() {
    let server = Server::builder().set("sps.firmware_version", "7.3.1").start();
    let slots = server.admin().get(SLOTS).expect(200).json();
    assert!(slots["body"].is_object(), "one client insists on a body");
    assert_eq!(texts(&slots["items"], "key"), ["1", "2", "3", "4", "5"]);
    assert_eq!(
        slots["items"][0]["body"],
        json!({
            "after_reboot": true,
            "current": true,
            "upgrade_news": null,
            "upgrade_notes": null,
            "version": "7.3.1",
        })
    );
    assert_eq!(slots["items"][1]["body"], json!({}));
    for (name, value) in
        [("current_slot", 1), ("number_of_empty_slots", 4), ("slot_after_reboot", 1)]
    {
        assert_eq!(slots["meta"][name], json!(value), "{name}");
    }
}

#[test]
fn a_slot_has_a_page_of_its_own() {
    let server = Server::dev();
    let mut admin = server.admin();
    let slot = admin.get("/api/firmware/slots/1").expect(200).json();
    assert_eq!((&slot["key"], &slot["body"]["version"]), (&json!("1"), &json!("6.2.0")));
    assert_eq!(slot["meta"]["parent"], json!(SLOTS));
    for path in ["/api/firmware/slots/0", "/api/firmware/slots/6", "/api/firmware/slots/x"] {
        admin.get(path).expect_error(404, "NotFound");
    }
    admin.delete("/api/firmware/slots/1").expect_error(400, "SemanticError");
    server.client().get(SLOTS).expect_error(401, "Unauthenticated");
    let refused = admin.post(SLOTS, &json!({})).expect_error(405, "MethodNotAllowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
}

// proves: SPS-47
#[test]
fn an_image_of_any_declared_type_fills_a_slot() {
    let server = Server::dev();
    let mut admin = server.admin();
    let kinds = [
        None,
        Some("application/octet-stream"),
        Some("application/x-iso9660-image"),
        Some("application/json"),
    ];
    for (slot, kind) in (2..).zip(kinds) {
        let made = upload(&mut admin, &iso("SPS 7.0.1"), kind).expect(201);
        assert_eq!(made.at("/key"), json!(slot.to_string()), "{kind:?}");
        assert_eq!(made.header("location"), Some(format!("{SLOTS}/{slot}").as_str()));
    }
    upload(&mut admin, &iso("SPS 7.0.1"), None).expect_error(409, "Conflict");
    admin.delete("/api/firmware/slots/3").expect(200);
    // What is no image is taken as well; its version is the running one.
    let made = upload(&mut admin, b"{", Some("application/json")).expect(201);
    assert_eq!((made.at("/key"), made.at("/body/version")), (json!("3"), json!("6.2.0")));
}

#[test]
fn an_upload_is_bounded_and_not_empty() {
    let server = Server::builder().set("sps.upload_bytes", 2048).start();
    let mut admin = server.admin();
    upload(&mut admin, &[7; 2048], None).expect(201);
    upload(&mut admin, &[7; 2049], None).expect_error(413, "InvalidRequestBody");
    let mut admin = server.admin();
    upload(&mut admin, b"", None).expect_error(400, "InvalidRequestBody");
    let slots = admin.get(SLOTS).expect(200);
    assert_eq!(slots.at("/meta/number_of_empty_slots"), json!(3));
}

#[test]
fn an_upload_is_larger_than_a_body_may_be_elsewhere() {
    let server = Server::builder().set("limits.body_bytes", 4096).start();
    let mut admin = server.admin();
    upload(&mut admin, &iso("SPS 7.0.1"), None).expect(201);
}

// proves: SPS-50
#[test]
fn an_upgrade_shows_the_new_version_and_ends_the_sessions() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    upload(&mut admin, &iso("SPS_7.1.0"), None).expect(201);
    let summary = |answer: Response| answer.expect(200).at("/body/test_summary");
    let allowed = summary(admin.post(TEST, &json!({"slot_id": 2})));
    assert!(allowed.as_str().unwrap().starts_with("Upgrade is allowed;"), "{allowed}");
    let mut other = server.admin();
    other.open().expect(200);
    admin.post(UPGRADE, &json!({"slot_id": 2, "message": "to seven"})).expect(200);
    admin.get("/api").expect_error(401, "Unauthenticated");
    other.get("/api").expect_error(401, "Unauthenticated");

    let mut admin = server.admin();
    admin.open().expect(200);
    admin.rollback().expect(200);
    let check = |admin: &mut Client| {
        let info = admin.get("/api/info").expect(200).at("/body");
        assert_eq!(
            (&info["firmware_version"], &info["version"]),
            (&json!("7.1.0"), &json!("7 F1"))
        );
        let slots = admin.get(SLOTS).expect(200).json();
        assert_eq!(slots["meta"]["current_slot"], json!(2));
        assert_eq!(slots["items"][1]["body"]["current"], json!(true));
    };
    check(&mut admin);
    assert!(server.terminate().success());
    let server = builder.start();
    check(&mut server.admin());
}

// proves: SPS-49
#[test]
fn an_upgrade_that_cannot_be_is_refused_and_says_why() {
    let server = Server::dev();
    let mut admin = server.admin();
    upload(&mut admin, &iso("SPS_6.0.0"), None).expect(201);
    for (slot, why) in [(1, "running"), (2, "older"), (3, "empty")] {
        let body = json!({"slot_id": slot});
        let summary = admin.post(TEST, &body).expect(200).at("/body/test_summary");
        let summary = summary.as_str().unwrap();
        assert!(summary.starts_with("Upgrade is not allowed;") && summary.contains(why));
        let refused = admin.post(UPGRADE, &body).expect_error(400, "SemanticError");
        assert!(refused.text().contains(why), "{refused}");
    }
    let bad: [Value; 5] = [
        json!({}),
        json!({"slot_id": 6}),
        json!({"slot_id": "2"}),
        json!({"slot_id": 2, "force": true}),
        json!([2]),
    ];
    for body in bad {
        admin.post(UPGRADE, &body).expect_error(400, "SyntacticError");
    }
    assert_eq!(admin.get("/api/info").expect(200).at("/body/firmware_version"), json!("6.2.0"));
}

#[test]
fn firmware_is_asked_for_and_nothing_is_fetched() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.post("/api/firmware/fetch", &json!({})).expect(202);
    assert_eq!(admin.get(SLOTS).expect(200).at("/meta/number_of_empty_slots"), json!(4));
}

#[test]
fn firmware_takes_the_right_to_basic_settings() {
    let (server, mut admin) = opened();
    create_user(&mut admin, "viewer", &["basic-view"]);
    create_user(&mut admin, "stranger", &["ssh-write"]);
    admin.commit().expect(200);
    let mut viewer = server.client();
    viewer.login("viewer", "open sesame");
    viewer.get(SLOTS).expect(200);
    viewer.post(UPGRADE, &json!({"slot_id": 1})).expect_error(403, "Unauthorized");
    let mut stranger = server.client();
    stranger.login("stranger", "open sesame");
    stranger.get(SLOTS).expect_error(403, "Unauthorized");
    upload(&mut stranger, b"x", None).expect_error(403, "Unauthorized");
}
