//! Sessions of commands through pipes: what they say, what they exit with.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread;

use serde_json::json;
use support::Server;

use crate::{User, said};

const EMAIL: &str = "/management/email";

#[test]
fn a_transaction_goes_across_commands() {
    let server = Server::dev();
    let user = User::at(&server);
    assert!(user.out(&["whoami"]).starts_with("admin (administrator) at https://127.0.0.1:"));
    user.refused(&["set", EMAIL, "sender_address", "a@example.com"], 4, &["boxwood open"]);
    user.out(&["open"]);
    let said = user.out(&["set", EMAIL, "/sender_address", "a@example.com"]);
    assert_eq!(said, "/management/email changed, staged\n");
    let shown = user.out(&["show"]);
    assert!(shown.contains("--- /management/email\n+++ /management/email\n@@ /sender_address @@"));
    assert!(shown.contains("+\"a@example.com\"") && !shown.contains('\u{1b}'), "{shown}");
    assert!(user.out(&["validate"]).contains("1 changes could be committed"));
    let committed = user.json(&["commit", "-m", "New sender"]);
    let revision = committed["revision"].to_string();
    assert!(user.out(&["history", "--limit", "1"]).contains("New sender"));
    assert!(user.out(&["history", &revision]).contains("+\"a@example.com\""));
    let blame = user.out(&["blame", EMAIL]);
    assert!(blame.lines().any(|l| l.starts_with(&revision) && l.ends_with("/sender_address")));
    user.out(&["tag", "here"]);
    assert!(user.out(&["tag"]).contains("here"));
    user.out(&["tag", "here", "--delete"]);

    let back = user.out(&["rollback"]);
    assert!(back.contains("-\"a@example.com\"") && back.contains("is staged"), "{back}");
    assert!(user.out(&["compare"]).contains("-\"a@example.com\""));
    user.out(&["discard"]);
    assert_eq!(user.out(&["show"]), "nothing is staged\n");
    let before = (committed["revision"].as_u64().unwrap() - 1).to_string();
    assert!(user.out(&["compare", &before]).contains("+\"a@example.com\""));
    user.out(&["logout"]);
    user.refused(&["whoami"], 1, &["boxwood login"]);
    assert!(!fs::read_to_string(user.contexts()).unwrap().contains("token"));
}

#[test]
fn answers_are_documents_for_programs() {
    let server = Server::dev();
    let user = User::at(&server);
    let node = user.json(&["get", EMAIL]);
    assert!(node["path"] == EMAIL && node["body"].is_object(), "{node}");
    let yaml = user.out(&["get", EMAIL, "--output", "yaml"]);
    assert!(yaml.lines().any(|line| line == "path: /management/email"), "{yaml}");
    assert!(user.out(&["get", "/"]).starts_with("KEY"));
    let part = user.json(&["get", EMAIL, "--fields", "sender_address"]);
    assert_eq!(part["body"].as_object().unwrap().len(), 1);
    let mode = fs::metadata(user.contexts()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read_to_string(user.contexts()).unwrap().contains("password"));
    assert!(user.out(&["context"]).contains("default"));
    let paths = user.out(&["paths", "/management/e"]);
    assert!(paths.lines().any(|path| path == EMAIL), "{paths}");
    assert!(user.out(&["refs", "/management/certificates"]).starts_with("NODE"));
}

#[test]
fn two_clients_see_the_lock_and_one_can_end_it() {
    let server = Server::dev();
    let (holder, other) = (User::at(&server), User::at(&server));
    holder.out(&["open"]);
    other.refused(&["open"], 4, &["locked by admin since", "sessions/"]);
    let sessions = other.json(&["sessions"]);
    let all = sessions["items"].as_array().unwrap();
    let held = all.iter().find(|one| one["lock"] == true).unwrap();
    other.out(&["sessions", "--end", held["session"].as_str().unwrap()]);
    other.out(&["open"]);
    holder.refused(&["show"], 1, &["has ended or expired"]);
}

#[test]
fn what_both_changed_is_a_conflict() {
    let server = Server::dev_of(&["sps-7.0"]);
    let (mine, theirs) = (User::at(&server), User::at(&server));
    mine.out(&["set", EMAIL, "sender_address", "mine@example.com"]);
    theirs.out(&["set", EMAIL, "sender_address", "theirs@example.com", "--commit"]);
    mine.refused(&["commit"], 4, &["/management/email"]);
    let said = mine.run(&["validate"]);
    assert!(said.code == 1 && said.out.contains("/management/email"), "{said:?}");
    mine.out(&["discard"]);
}

#[test]
fn a_commit_is_confirmed_or_undone() {
    let server = Server::dev_of(&["sps-7.0"]);
    let user = User::at(&server);
    user.refused(&["confirm"], 2, &["awaits"]);
    user.out(&["set", EMAIL, "sender_address", "a@example.com"]);
    assert!(user.out(&["commit", "--confirm", "10"]).contains("boxwood confirm"));
    assert!(user.out(&["confirm", "--extend", "20"]).contains("until"));
    assert!(user.out(&["confirm"]).contains("is confirmed"));
    user.out(&["set", EMAIL, "sender_address", "b@example.com"]);
    user.out(&["commit", "--confirm", "10", "--key", "once"]);
    assert!(user.out(&["confirm", "--cancel"]).contains("undone by"));
}

#[test]
fn bad_input_says_what_where_and_what_to_do() {
    let server = Server::dev();
    let user = User::new();
    user.refused(&["get", "/"], 2, &["boxwood login"]);
    user.refused(&["get", "/", "--context", "lab"], 2, &["no context \"lab\"", "--context lab"]);
    user.refused(&["login", server.url()], 2, &["--ca FILE", "--insecure"]);
    user.refused(&["login", "ftp://x"], 2, &["https://HOST:PORT"]);
    let wrong = said(
        user.command(&["login", server.url(), "--insecure"])
            .env("BOXWOOD_PASSWORD", "no")
            .output()
            .unwrap(),
    );
    assert!(wrong.code == 1 && wrong.err.contains("failed"), "{wrong:?}");
    user.out(&["login", server.url(), "--insecure"]);
    user.refused(&["get", "/management/emial"], 1, &["Did you mean /management/email?"]);
    user.refused(&["set", EMAIL, "sender_address", "x", "--message", "m"], 2, &["--commit"]);
    user.refused(&["set", "/management/webinterface", "timeout", "[1"], 2, &["quotes"]);
    user.refused(&["put", EMAIL, "/nothing.json", "--commit"], 1, &["/nothing.json"]);
    user.refused(&["get", "/", "--filter", "x"], 1, &["MEMBER=VALUE"]);
    let expired = said(user.command(&["whoami"]).env("BOXWOOD_TOKEN", "0123").output().unwrap());
    assert!(expired.code == 1 && expired.err.contains("expired"), "{expired:?}");
}

#[test]
fn what_does_not_answer_or_is_another_program_is_told_apart() {
    let user = User::new();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    user.refused(&["get", "/", "--url", &format!("http://{gone}")], 3, &["gave no answer"]);
    for (body, words) in [
        ("{\"hello\": 1}", "does not answer as a Boxwood"),
        ("{\"product\": \"boxwood\", \"api\": \"v2\"}", "version v2"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stranger = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            std::io::Read::read(&mut stream, &mut request).unwrap();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
        });
        user.refused(&["login", &url], 3, &[words]);
        stranger.join().unwrap();
    }
}

#[test]
fn bodies_come_from_files_and_pipes_and_members_move() {
    let server = Server::dev_of(&["ds-server"]);
    let user = User::at(&server);
    let profile = |name: &str| {
        let credentials = json!({ "id": name, "secret": "s", "authorizedRedirectUris": [] });
        json!({ "name": name, "clientCredentials": credentials }).to_string()
    };
    let file = user.home.path().join("profile.json");
    fs::write(&file, profile("one")).unwrap();
    user.out(&["add", "/security_profiles", file.to_str().unwrap(), "--commit", "-m", "one"]);
    let mut child = user
        .command(&["add", "/security_profiles", "-", "--commit"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(profile("two").as_bytes()).unwrap();
    let added = said(child.wait_with_output().unwrap());
    assert!(added.code == 0 && added.out.contains("created, committed"), "{added:?}");
    let table = user.out(&["get", "/security_profiles"]);
    assert!(table.contains("NAME") && table.contains("two"), "{table}");
    let found = user.json(&["get", "/security_profiles", "--filter", "name=two"]);
    let path = found["children"][0]["path"].as_str().unwrap();
    user.out(&["delete", path, "--commit"]);
    user.refused(&["get", path], 1, &["nothing at"]);
}

#[test]
fn commits_are_watched() {
    let server = Server::dev_of(&["sps-7.0"]);
    let user = User::at(&server);
    user.out(&["set", EMAIL, "sender_address", "a@example.com", "--commit"]);
    let watched = user.out(&["watch", "/management", "--from", "1", "--count", "1"]);
    assert!(watched.contains("+\"a@example.com\""), "{watched}");
    let lines = user.out(&["watch", "--from", "1", "--count", "1", "--output", "json"]);
    assert_eq!(lines.lines().count(), 1);
}

#[test]
fn the_program_describes_itself_without_a_daemon() {
    let user = User::new();
    let document: serde_json::Value = serde_json::from_str(&user.out(&["openapi"])).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for shell in ["bash", "zsh", "fish"] {
        assert!(user.out(&["completion", shell]).contains("boxwood paths"), "{shell}");
    }
    assert!(user.out(&["man"]).contains(".TH boxwood"));
    let dir = user.home.path().join("man");
    user.out(&["man", dir.to_str().unwrap()]);
    assert!(dir.join("boxwood-commit.1").exists());
}
