//! Server-sent events: each commit once, in order, resumable, and no burden to anybody.

use support::{Client, Server};

use crate::{HEALTH, MAIL, commit_load};

/// A stream of events that is read as it comes.
struct Events {
    client: Client,
    text: String,
}

impl Events {
    fn watch(server: &Server, query: &str, last: Option<u64>) -> Self {
        let mut client = server.admin();
        let token = client.cookie("session_id").unwrap().to_owned();
        let resume = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /boxwood/v1/watch{query} HTTP/1.1\r\nHost: x\r\nCookie: session_id={token}\r\n{resume}\r\n"
        );
        client.connection().send(request.as_bytes()).unwrap();
        let mut events = Self { client, text: String::new() };
        events.until("retry: 1000");
        events
    }

    /// Reads until a text has come, and forgets what came up to it.
    fn until(&mut self, text: &str) {
        while !self.text.contains(text) {
            let bytes = self.client.connection().read_some().unwrap();
            assert!(!bytes.is_empty(), "the stream ended without {text:?}: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
        let end = self.text.find(text).unwrap() + text.len();
        self.text.drain(..end);
    }
}

#[test]
fn commits_come_in_order_from_the_past_into_the_present() {
    let server = Server::dev();
    let mut admin = server.admin();
    (2..5).for_each(|n| assert_eq!(commit_load(&mut admin, n), n));
    let mut events = Events::watch(&server, "?from=2", None);
    events.until("id: 3\nevent: revision\ndata: {");
    events.until("id: 4\n");
    (5..8).for_each(|n| assert_eq!(commit_load(&mut admin, n), n));
    for n in 5..8 {
        events.until(&format!("id: {n}\n"));
    }
    events.until("maximum_load1");
}

#[test]
fn a_reader_goes_on_where_it_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::builder().serve(folder.path()).start();
    let mut admin = server.admin();
    let mut events = Events::watch(&server, "?from=0", None);
    events.until("id: 1\n");
    commit_load(&mut admin, 2);
    events.until("id: 2\n");
    commit_load(&mut admin, 3);
    server.kill();
    let server = Server::builder().serve(folder.path()).start();
    let mut events = Events::watch(&server, "?from=0", Some(2));
    events.until("id: 3\n");
    assert!(!events.text.contains("id: 1") && !events.text.contains("id: 2"));
}

#[test]
fn one_part_of_the_configuration_can_be_watched_alone() {
    let server = Server::dev();
    let mut admin = server.admin();
    let mut events = Events::watch(&server, &format!("?path={MAIL}"), None);
    commit_load(&mut admin, 2);
    events.until("id: 2\n\n");
    let encoded = HEALTH.replace('_', "%255F");
    let mut other = Events::watch(&server, &format!("?path={encoded}"), None);
    commit_load(&mut admin, 3);
    other.until("id: 3\nevent: revision\n");
    events.until("id: 3\n\n");
}

#[test]
fn a_stop_ends_streams_at_once_and_a_logout_ends_its_own() {
    let mut server = Server::dev();
    let mut admin = server.admin();
    let mut mine = Events::watch(&server, "", None);
    let mut other = Events::watch(&server, "", None);
    // Another connection of the same session logs out; the next commit shows that it is over.
    mine.client.fork().delete("/api/authentication").expect(200);
    commit_load(&mut admin, 2);
    other.until("id: 2\n");
    let rest = mine.client.connection().read_to_end();
    let rest = String::from_utf8_lossy(&rest.unwrap_or_default()).into_owned();
    assert!(!rest.contains("id: 2"), "told to one who has logged out: {rest}");

    assert!(server.terminate().success());
    other.client.connection().read_to_end().unwrap();
}

#[test]
fn a_reader_that_does_not_read_delays_nobody() {
    let server = Server::dev();
    let mut admin = server.admin();
    let _silent: Vec<Events> = (0..4).map(|_| Events::watch(&server, "?from=0", None)).collect();
    (2..80).for_each(|n| assert_eq!(commit_load(&mut admin, n), n));
    let mut events = Events::watch(&server, "?from=0", None);
    for n in 1..80 {
        events.until(&format!("id: {n}\n"));
    }
}

#[test]
fn a_position_that_is_not_there_is_refused() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.get("/boxwood/v1/watch?from=9").expect_error(404, "NotFound");
    admin.get("/boxwood/v1/watch?from=x").expect_error(400, "SyntacticError");
    admin.get("/boxwood/v1/watch?path=x").expect_error(400, "SyntacticError");
    let resumed = admin.request("GET", "/boxwood/v1/watch").header("Last-Event-ID", "9").send();
    resumed.expect_error(404, "NotFound");
}
