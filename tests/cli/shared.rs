//! What these tests share.

use serde_json::Value;
pub(crate) use support::refused;
use support::{Client, Server};

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
