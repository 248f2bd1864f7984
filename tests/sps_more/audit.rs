//! `/api/audit`: searches in sessions that come from a file.

use std::fs;

use serde_json::{Value, json};
use support::{Server, opened};

use crate::{create_user, texts};

const SESSIONS: &str = "/api/audit/sessions";

fn records() -> Value {
    let record = |(id, user, protocol, start): (&str, &str, &str, &str)| {
        json!({
            "id": id,
            "user": {"name": user},
            "protocol": protocol,
            "start_time": start,
            "channels": [{"id": "c1", "type": "session"}],
        })
    };
    let all = [
        ("s1", "alice", "SSH", "2026-03-01T10:00:00Z"),
        ("s2", "bob", "RDP", "2026-03-02T10:00:00Z"),
        ("s3", "alice", "RDP", "2026-03-03T10:00:00Z"),
        ("s4", "carol", "SSH", "2026-03-04T10:00:00Z"),
        ("s5", "alice", "SSH", "2026-03-05T10:00:00Z"),
    ];
    all.into_iter().map(record).collect()
}

fn server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sessions.json");
    fs::write(&file, records().to_string()).expect("it can be written");
    let server = Server::builder().arg("--audit").arg(&file).start();
    (folder, server)
}

// proves: SPS-46
#[test]
fn an_appliance_without_sessions_has_well_formed_empty_results() {
    let server = Server::dev();
    let mut admin = server.admin();
    let found = admin.get(SESSIONS).expect(200).json();
    assert_eq!(found["items"], json!([]));
    assert_eq!((&found["meta"]["match_count"], &found["meta"]["next"]), (&json!(0), &Value::Null));
    assert_eq!(admin.get("/api/audit/sessions/_count").expect(200).at("/count"), json!(0));
    let snapshot = admin.get("/api/audit/sessions/_snapshot").expect(200).at("/body/snapshot");
    assert!(snapshot.is_string());
    admin.get("/api/audit/sessions/s1").expect_error(404, "NotFound");
    admin.get("/api/audit/nothing").expect_error(404, "NotFound");
    assert_eq!(admin.get("/api/audit/users").expect(200).at("/items"), json!([]));
    server.client().get(SESSIONS).expect_error(401, "Unauthenticated");
}

// proves: SPS-55
#[test]
fn searches_narrow_order_and_page() {
    let (_folder, server) = server();
    let mut admin = server.admin();
    let mut keys = |query: &str| {
        let found = admin.get(&format!("{SESSIONS}?{query}")).expect(200);
        texts(&found.at("/items"), "key")
    };
    assert_eq!(keys(""), ["s1", "s2", "s3", "s4", "s5"]);
    assert_eq!(keys("q=user.name:alice%20AND%20protocol:ssh"), ["s1", "s5"]);
    assert_eq!(keys("q=protocol%3ARDP"), ["s2", "s3"]);
    assert_eq!(keys("q=start_time:[2026-03-04+TO+*]"), ["s4", "s5"]);
    assert_eq!(keys("q=NOT+user.name:a*&sort=-start_time"), ["s4", "s2"]);
    assert_eq!(keys("sort=user.name,-start_time&limit=2"), ["s5", "s3"]);
    assert_eq!(admin.get("/api/audit/sessions/_count?q=alice").expect(200).at("/count"), json!(3));
    for bad in ["q=(", "limit=0", "limit=x", "offset=-1", "unknown=1", "snapshot=other"] {
        let refused = admin.get(&format!("{SESSIONS}?{bad}"));
        refused.expect_error(400, "SyntacticError");
    }
}

#[test]
fn following_the_links_shows_every_session_once() {
    let (_folder, server) = server();
    let mut admin = server.admin();
    let snapshot = admin.post("/api/audit/sessions/_snapshot", &json!({})).expect(200);
    let snapshot = snapshot.at("/body/snapshot");
    let snapshot = snapshot.as_str().expect("a text");
    let mut next = json!(format!("{SESSIONS}?limit=2&sort=start_time&snapshot={snapshot}"));
    let mut seen = Vec::new();
    while let Value::String(path) = next {
        let page = admin.get(&path).expect(200).json();
        assert_eq!(page["meta"]["match_count"], json!(5));
        seen.extend(texts(&page["items"], "key"));
        next = page["meta"]["next"].clone();
    }
    assert_eq!(seen, ["s1", "s2", "s3", "s4", "s5"]);
}

#[test]
fn members_are_chosen_and_shown_as_lines() {
    let (_folder, server) = server();
    let mut admin = server.admin();
    let path = format!("{SESSIONS}?fields=user.name,protocol&limit=1");
    let found = admin.get(&path).expect(200).at("/items");
    assert_eq!(found[0]["body"], json!({"protocol": "SSH", "user": {"name": "alice"}}));
    assert_eq!(found[0]["meta"]["href"], json!("/api/audit/sessions/s1"));
    let lines = admin.request("GET", &path).header("Accept", "text/csv").unchecked().send();
    assert_eq!(lines.expect(200).text(), "user.name,protocol\r\nalice,SSH\r\n");
}

#[test]
fn a_session_has_channels_and_a_user() {
    let (_folder, server) = server();
    let mut admin = server.admin();
    let session = admin.get("/api/audit/sessions/s2").expect(200).json();
    assert_eq!((&session["key"], &session["body"]["protocol"]), (&json!("s2"), &json!("RDP")));
    let channels = admin.get("/api/audit/sessions/s2/channels").expect(200).at("/items");
    assert_eq!(texts(&channels, "key"), ["c1"]);
    let channel = admin.get("/api/audit/sessions/s2/channels/c1").expect(200);
    assert_eq!(channel.at("/body/type"), json!("session"));
    admin.get("/api/audit/sessions/s2/channels/c2").expect_error(404, "NotFound");
    let users = admin.get("/api/audit/users").expect(200).at("/items");
    assert_eq!(users[0]["body"], json!({"name": "alice", "sessions": 3}));
}

#[test]
fn searching_takes_the_right_to_search() {
    let (server, mut admin) = opened();
    create_user(&mut admin, "seeker", &["search"]);
    create_user(&mut admin, "viewer", &["basic-view"]);
    admin.commit().expect(200);
    let mut seeker = server.client();
    seeker.login("seeker", "open sesame");
    seeker.get(SESSIONS).expect(200);
    let mut viewer = server.client();
    viewer.login("viewer", "open sesame");
    viewer.get(SESSIONS).expect_error(403, "Unauthorized");
}

#[test]
fn a_file_that_cannot_be_read_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sessions.json");
    fs::write(&file, "[{\"id\": \"a\"}, 7]").expect("it can be written");
    let refused = Server::builder().arg("--audit").arg(&file).try_start();
    let exit = refused.expect_err("it is refused");
    assert!(exit.stderr.contains("record 2 is not an object"), "{}", exit.stderr);
}
