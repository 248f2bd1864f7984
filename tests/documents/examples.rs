//! The examples run against a real daemon, as their page says.

use std::process::Command;

use serde_json::json;
use support::{Client, Server};

use crate::root;

/// Runs an example with a URL and a mail server, and expects what it prints.
#[track_caller]
fn run(program: &str, script: &str, server: &Server, mail_server: &str) {
    let output = Command::new(program)
        .arg(root().join("examples").join(script))
        .args([server.url(), mail_server])
        .env("TMPDIR", server.evidence())
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stdout, format!("the mail server is now {mail_server}\n"));
}

#[track_caller]
fn mail_server(admin: &mut Client) -> serde_json::Value {
    admin.get("/api/configuration/management/email").expect(200).at("/body/smtp_server")
}

#[test]
fn the_shell_and_python_examples_change_the_mail_server() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (program, script, name) in [
        ("sh", "shell/change-mail-server.sh", "one.example.com"),
        ("python3", "python/change_mail_server.py", "two.example.com"),
    ] {
        run(program, script, &server, name);
        let expected = json!({ "selection": "fqdn", "value": name });
        assert_eq!(mail_server(&mut admin), expected, "{script}");
    }
}

#[test]
fn an_example_that_cannot_commit_leaves_nothing_behind() {
    let server = Server::dev();
    let mut admin = server.admin();
    let before = mail_server(&mut admin);
    // Somebody else has the lock.
    admin.open().expect(200);
    for (program, script) in
        [("sh", "shell/change-mail-server.sh"), ("python3", "python/change_mail_server.py")]
    {
        let output = Command::new(program)
            .arg(root().join("examples").join(script))
            .args([server.url(), "x.example.com"])
            .env("TMPDIR", server.evidence())
            .output()
            .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        assert!(!output.status.success(), "{script}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("409"), "{script}: {stderr}");
    }
    admin.rollback().expect(200);
    assert_eq!(mail_server(&mut admin), before);
}
