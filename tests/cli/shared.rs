//! What these tests share.

use serde_json::Value;
pub(crate) use support::refused;
use support::{Client, Server, wait_for};

/// The hash of the configuration, as a logged-in user sees it.
#[track_caller]
pub(crate) fn config_hash(client: &mut Client) -> Value {
    client.get("/api/info").expect(200).at("/body/config_hash")
}

/// Commits another timeout, as a small change.
#[track_caller]
pub(crate) fn commit_something(server: &Server) {
    let mut admin = server.admin();
    admin.open().expect(200);
    let path = "/api/configuration/management/webinterface";
    let timeout = admin.get(path).expect(200).at("/body/timeout").as_u64().expect("minutes") + 1;
    admin.put(path, &serde_json::json!({ "timeout": timeout })).expect(200);
    admin.commit().expect(200);
}

/// The head of a commit, which has been read when the daemon asks for its body.
pub(crate) fn begin_commit(client: &mut Client) -> &'static [u8] {
    const TRANSACTION: &str = "/api/transaction";
    const BODY: &[u8] = br#"{"status": "commit"}"#;
    let token = client.cookie("session_id").expect("a session").to_owned();
    let head = format!(
        "PUT {TRANSACTION} HTTP/1.1\r\nHost: localhost\r\nCookie: session_id={token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        BODY.len()
    );
    let connection = client.connection();
    connection.send(head.as_bytes()).expect("the daemon is there");
    let mut interim = Vec::new();
    wait_for("100 Continue", || {
        interim.extend(connection.read_some().expect("the daemon answers"));
        interim.ends_with(b"\r\n\r\n")
    });
    assert!(interim.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&interim));
    BODY
}
