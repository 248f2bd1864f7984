//! What these tests share.

use serde_json::Value;
use support::{Client, Exit, Server};

/// A start that was refused: the exit code, nothing on standard output, and a message that has all
/// of these words in it. Returns the message.
#[track_caller]
pub(crate) fn refused(exit: &Exit, code: i32, words: &[&str]) -> String {
    let Exit { status, stdout, stderr, .. } = exit;
    assert_eq!((status.code(), stdout.as_str()), (Some(code), ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let from = stderr.rfind("boxwood: ").unwrap_or_else(|| panic!("no message:\n{stderr}"));
    let message = &stderr[from..];
    for word in words {
        assert!(message.contains(word), "the message does not say {word:?}: {message}");
    }
    message.to_owned()
}

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
