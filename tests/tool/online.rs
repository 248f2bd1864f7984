//! Configurations of running daemons.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;
use support::{Exit, Server};

use crate::site::{
    OTHER_KEY, Site, body, boxwood, config_hash, configure, document, refused, text,
};

const EXPORT: &str = "/boxwood/v1/export";
const IMPORT: &str = "/boxwood/v1/import";

/// Runs a command that reads its standard input, and must succeed.
#[track_caller]
fn piped(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(support::binary());
    command.args(arguments).env_remove("BOXWOOD_PASSWORD");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    stdin.write_all(input.as_bytes()).expect("it is read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it says text")
}

/// Runs a command against a daemon, whose certificate is trusted as it is.
fn ask(server: &Server, command: &[&str]) -> Exit {
    let to = ["--url", server.url(), "--insecure"];
    boxwood(&[command, &to].concat()).env("BOXWOOD_PASSWORD", "admin").run()
}

#[track_caller]
fn answer(server: &Server, command: &[&str]) -> String {
    let Exit { status, stdout, stderr, .. } = ask(server, command);
    assert!(status.success(), "{status}\n{stdout}{stderr}");
    stdout
}

fn pair(site: &Site) -> (Server, Server) {
    let from = site.serve("from").https().start();
    configure(&mut from.admin());
    (from, site.serve("to").https().start())
}

#[test]
fn a_configuration_goes_from_one_daemon_to_another() {
    let site = Site::new();
    let (from, to) = pair(&site);
    assert_ne!(config_hash(&from), config_hash(&to));
    let certificate = from.client().certificate_pem();
    assert_ne!(to.client().certificate_pem(), certificate);
    let file = site.arg("whole.json");
    assert_eq!(answer(&from, &["export", "--output", &file]), "");
    let hash = config_hash(&from);
    assert_eq!(document(&text(&site.path("whole.json")))["config_hash"], hash.as_str());

    let said = answer(&to, &["import", &file, "--message", "From there & here"]);
    assert!(said.contains(&format!("config_hash {hash}")), "{said}");
    assert_eq!(config_hash(&to), hash);
    assert_eq!(to.client().certificate_pem(), certificate, "it serves what came along");
    to.client().login("eve", "open sesame").expect(200);
    let said = answer(&to, &["import", &file]);
    assert!(said.contains("no changes"), "{said}");
}

#[test]
fn a_rehearsal_changes_nothing_and_needs_no_lock() {
    let site = Site::new();
    let (from, to) = pair(&site);
    let file = site.arg("whole.json");
    answer(&from, &["export", "--output", &file]);
    let mut holder = to.admin();
    holder.open().expect(200);
    let before = config_hash(&to);
    let said = answer(&to, &["import", &file, "--dry-run"]);
    assert!(said.contains("changed /management/webinterface: /timeout\n"), "{said}");
    assert!(said.contains("added /passwords/") && said.contains("removed /x509/"), "{said}");
    assert!(said.contains("dry run") && !said.contains("v1:"), "{said}");
    assert_eq!(config_hash(&to), before);

    // In earnest the lock is needed, as for every change; and given back.
    let exit = ask(&to, &["import", &file]);
    refused(&exit, 1, &["locked by admin"]);
    assert_eq!(config_hash(&to), before);
    holder.rollback().expect(200);
    answer(&to, &["import", &file]);
    holder.open().expect(200);
}

#[test]
fn a_rehearsal_is_refused_with_what_the_import_is_refused_with() {
    let site = Site::new();
    let (from, to) = pair(&site);
    let mut found = document(&answer(&from, &["export"]));
    let nodes = found["nodes"].as_array_mut().expect("nodes");
    let admin = nodes.iter_mut().find(|node| node["body"]["name"] == "admin").expect("a user");
    // No rule of the catalog: the daemon knows its administrator by this name.
    admin["body"]["name"] = json!("root");
    let file = site.write("taken.json", &found.to_string());
    let before = config_hash(&to);
    let words = ["The built-in administrator keeps the name admin"];
    let imported = refused(&ask(&to, &["import", &file]), 1, &words);
    let rehearsed = refused(&ask(&to, &["import", &file, "--dry-run"]), 1, &words);
    assert_eq!(rehearsed, imported);
    assert_eq!(config_hash(&to), before);

    let data = site.data("data");
    let exit = boxwood(&["import", &file, "--dry-run", "--data-dir", &data]).run();
    refused(&exit, 1, &words);
}

#[test]
fn violations_come_all_at_once_and_leave_the_lock_free() {
    let site = Site::new();
    let (from, to) = pair(&site);
    let mut found = document(&answer(&from, &["export"]));
    body(&mut found, "/management/webinterface")["timeout"] = json!("hunter2");
    body(&mut found, "/management/email")["colour"] = json!("hunter2");
    let file = site.write("bad.json", &found.to_string());
    for flags in [&["import", &file][..], &["import", &file, "--dry-run"]] {
        let words = [
            "management/webinterface#timeout: ",
            "management/email: the body has a member that is not known here",
        ];
        let message = refused(&ask(&to, flags), 1, &words);
        assert!(!message.contains("hunter2"), "{message}");
    }
    assert!(!to.log().contains("hunter2"));
    let mut admin = to.admin();
    admin.open().expect(200);
    admin.rollback().expect(200);

    let file = site.arg("open.json");
    answer(&from, &["export", "--secrets", "omit", "--output", &file]);
    refused(&ask(&to, &["import", &file]), 1, &["secret-omitted", "/passwords/"]);
    assert!(answer(&from, &["import", &file]).contains("no changes"));
    let other = site.serve("other").https().env("BOXWOOD_SECRET_KEY", OTHER_KEY).start();
    let file = site.write("whole.json", &answer(&from, &["export"]));
    refused(&ask(&other, &["import", &file]), 1, &["was not sealed"]);
}

#[test]
fn the_daemons_certificate_is_checked_unless_told_otherwise() {
    let site = Site::new();
    let (from, to) = pair(&site);
    let export = |url: &str, flags: &[&str]| {
        let all = [&["export", "--url", url], flags].concat();
        boxwood(&all).env("BOXWOOD_PASSWORD", "admin").run()
    };
    refused(&export(from.url(), &[]), 2, &["--ca", "--insecure"]);
    let right = site.write("from.pem", &from.client().certificate_pem());
    assert!(export(from.url(), &["--ca", &right]).status.success());
    let wrong = site.write("to.pem", &to.client().certificate_pem());
    refused(&export(from.url(), &["--ca", &wrong]), 1, &["gave no answer", "certificate"]);
    let none = site.write("none.pem", "no certificate");
    refused(&export(from.url(), &["--ca", &none]), 1, &["none.pem"]);
    refused(&export("https://127.0.0.1:1", &["--insecure"]), 1, &["https://127.0.0.1:1"]);
    refused(&export("ftp://127.0.0.1:1", &["--insecure"]), 2, &["https://HOST:PORT"]);
}

#[test]
fn plain_http_is_spoken_with_loopback_listeners() {
    let site = Site::new();
    let server = site.serve("data").http().start();
    let exit = boxwood(&["export", "--url", server.url()]).env("BOXWOOD_PASSWORD", "admin").run();
    assert_eq!(document(&exit.stdout)["format"], "boxwood-configuration/1");
}

#[test]
fn passwords_are_asked_for_and_never_repeated() {
    let site = Site::new();
    let server = site.serve("data").https().start();
    let command = ["export", "--url", server.url(), "--insecure"];
    // Standard input is empty here, and nobody is asked.
    refused(&boxwood(&command).run(), 1, &["BOXWOOD_PASSWORD"]);
    let exit = boxwood(&command).env("BOXWOOD_PASSWORD", "hunter2").run();
    let message = refused(&exit, 1, &["credentials"]);
    assert!(!message.contains("hunter2") && !server.log().contains("hunter2"));
    // The first line of standard input will do, and then the rest is the document.
    let exported = piped(&command, "admin\n");
    assert_eq!(document(&exported)["format"], "boxwood-configuration/1");
    let whole = format!("admin\n{exported}");
    let said = piped(&["import", "-", "--url", server.url(), "--insecure"], &whole);
    assert!(said.contains("no changes"), "{said}");
    // The variable is of no concern to a daemon.
    site.serve("other").env("BOXWOOD_PASSWORD", "x").start();
}

#[test]
fn only_who_may_see_and_change_everything_exports_and_imports() {
    let site = Site::new();
    let (from, _) = pair(&site);
    let mut eve = from.client();
    eve.login("eve", "open sesame").expect(200);
    eve.get(EXPORT).expect_error(403, "Unauthorized");
    eve.post(IMPORT, &json!({})).expect_error(403, "Unauthorized");
    let to = ["export", "--url", from.url(), "--insecure", "--user", "eve"];
    let exit = boxwood(&to).env("BOXWOOD_PASSWORD", "open sesame").run();
    refused(&exit, 1, &["You are not authorized", EXPORT]);
    from.client().get(EXPORT).expect_error(401, "Unauthenticated");
    from.client().post(IMPORT, &json!({})).expect_error(401, "Unauthenticated");
}

#[test]
fn the_endpoints_say_what_they_take() {
    let site = Site::new();
    let (from, to) = pair(&site);
    let mut admin = from.admin();
    admin.post(EXPORT, &json!({})).expect_error(405, "MethodNotAllowed");
    admin.get(IMPORT).expect_error(405, "MethodNotAllowed");
    admin.get(&format!("{EXPORT}?secrets=clear")).expect_error(400, "SyntacticError");
    admin.post(&format!("{IMPORT}?dry_run=maybe"), &json!({})).expect_error(400, "SyntacticError");
    admin.post(&format!("{IMPORT}?dryrun=true"), &json!({})).expect_error(400, "SyntacticError");
    // What a form of another site could send.
    let form = admin.request("POST", IMPORT).text("{}", "text/plain").send();
    form.expect_error(415, "InvalidRequestBody");
    admin.post(IMPORT, &json!({"nodes": []})).expect_error(400, "InvalidRequestBody");
    assert_eq!(admin.get(EXPORT).expect(200).json()["secrets"], "sealed");
    let whole = admin.get(&format!("{EXPORT}?secrets=omit")).expect(200).json();
    assert_eq!(whole["secrets"], "omitted");

    let whole = admin.get(EXPORT).expect(200).json();
    let done = to.admin().post(IMPORT, &whole).expect(200);
    assert_eq!(done.at("/revision"), 2, "{done}");
    assert_eq!(done.at("/config_hash"), whole["config_hash"]);
    assert_eq!(done.at("/nodes"), whole["nodes"].as_array().expect("nodes").len());
    assert!(done.at("/changes").as_array().is_some_and(|changes| changes.len() > 5));
}

#[test]
fn a_document_has_a_limit_of_its_own() {
    let site = Site::new();
    let server = site
        .serve("data")
        .https()
        .set("limits.body_bytes", 1000)
        .set("limits.import_bytes", 100_000)
        .start();
    let file = site.arg("whole.json");
    answer(&server, &["export", "--output", &file]);
    let whole = text(&site.path("whole.json"));
    assert!(whole.len() > 1000);
    assert!(answer(&server, &["import", &file]).contains("no changes"));
    let large = site.write("large.json", &format!("{whole}{}", " ".repeat(200_000)));
    refused(&ask(&server, &["import", &large]), 1, &["larger than the 100000 bytes"]);
}
