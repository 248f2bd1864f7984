//! Configurations of data directories on which no daemon runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::site::{
    KEY, OTHER_KEY, Site, body, boxwood, config_hash, document, refused, succeed, text,
};

#[test]
fn a_document_says_what_it_is_and_holds_the_tree_in_its_order() {
    let site = Site::new();
    let exported = succeed(&["export", "--data-dir", &site.data("data")]);
    let mut found = document(&exported);
    assert_eq!(found["format"], "boxwood-configuration/1");
    assert_eq!(found["appliance"], "sps-6.2");
    assert_eq!((&found["revision"], &found["secrets"]), (&json!(2), &json!("sealed")));
    assert_eq!(*body(&mut found, "/management/webinterface"), json!({"timeout": 23}));
    let paths: Vec<&str> =
        found["nodes"].as_array().unwrap().iter().map(|n| n["path"].as_str().unwrap()).collect();
    let folders: Vec<&str> = paths.iter().filter_map(|path| path.split('/').nth(1)).collect();
    assert!(folders.is_sorted(), "{folders:?}");
    // A line for each node, so that two documents can be compared with any tool.
    let lines = exported.lines().filter(|line| line.starts_with("{\"path\": ")).count();
    assert_eq!(lines, paths.len());
    assert!(!exported.contains("open sesame"));

    let hash = config_hash(&site.serve("data").start());
    assert_eq!(found["config_hash"], hash.as_str());
}

#[test]
fn a_configuration_goes_into_a_fresh_directory_as_it_was() {
    let site = Site::new();
    let (from, file) = (site.data("from"), site.arg("whole.json"));
    assert_eq!(succeed(&["export", "--data-dir", &from, "--output", &file]), "");
    let mode = site.path("whole.json").metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let said = succeed(&["import", &file, "--data-dir", &site.arg("to"), "--message", "Moved"]);
    assert!(said.contains("as revision 2"), "{said}");

    let (old, new) = (site.serve("from").https().start(), site.serve("to").https().start());
    assert_eq!(config_hash(&old), config_hash(&new));
    assert_eq!(old.client().certificate_pem(), new.client().certificate_pem());
    new.client().login("eve", "open sesame").expect(200);
    drop((old, new));
    let again = succeed(&["export", "--data-dir", &site.arg("to")]);
    assert_eq!(document(&again)["nodes"], document(&text(&site.path("whole.json")))["nodes"]);
    // Once more, and there is nothing left to do.
    let said = succeed(&["import", &file, "--data-dir", &site.arg("to")]);
    assert!(said.contains("no changes"), "{said}");
}

#[test]
fn a_rehearsal_shows_places_without_values_and_changes_nothing() {
    let site = Site::new();
    let data = site.data("data");
    let mut found = document(&succeed(&["export", "--data-dir", &data]));
    body(&mut found, "/management/webinterface")["timeout"] = json!(17);
    body(&mut found, "/aaa/acls").as_array_mut().unwrap().pop();
    let nodes = found["nodes"].as_array_mut().unwrap();
    let group = nodes.iter().position(|n| n["body"]["name"] == "keepers").expect("a group");
    let removed = nodes.remove(group)["path"].as_str().unwrap().to_owned();
    let file = site.write("other.json", &found.to_string());
    let before = succeed(&["export", "--data-dir", &data]);

    let said = succeed(&["import", &file, "--dry-run", "--data-dir", &data]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "changed /aaa/acls");
    assert_eq!(lines[1], format!("removed {removed}"));
    assert_eq!(lines[2], "changed /management/webinterface: /timeout");
    assert!(lines[3].contains("0 added, 2 changed, 1 removed") && lines[3].contains("dry run"));
    assert!(lines[5].contains("differs from the hash recorded at export"), "{said}");
    assert_eq!(succeed(&["export", "--data-dir", &data]), before);

    // Neither is a directory made for it.
    let exit = boxwood(&["import", &file, "--dry-run", "--data-dir", &site.arg("none")]).run();
    refused(&exit, 1, &["there is no configuration in"]);
    assert!(!site.path("none").exists());

    let said = succeed(&["import", &file, "--data-dir", &data]);
    assert!(said.contains("0 added, 2 changed, 1 removed"), "{said}");
}

#[test]
fn secrets_that_were_left_out_are_those_that_are_here() {
    let site = Site::new();
    let (data, file) = (site.data("data"), site.arg("open.json"));
    succeed(&["export", "--data-dir", &data, "--secrets", "omit", "--output", &file]);
    let exported = text(&site.path("open.json"));
    assert!(exported.contains("\"secrets\": \"omitted\"") && !exported.contains("v1:"));
    let said = succeed(&["import", &file, "--data-dir", &data]);
    assert!(said.contains("no changes"), "{said}");

    let exit = boxwood(&["import", &file, "--data-dir", &site.arg("fresh")]).run();
    let message = refused(&exit, 1, &["nothing was imported", "secret-omitted", "/passwords/"]);
    // Three certificates and a password: each is named.
    assert_eq!(message.matches("#/private_key: ").count(), 3, "{message}");
    assert_eq!(message.matches("#/plain: ").count(), 1, "{message}");
}

#[test]
fn secrets_of_another_key_are_refused_as_a_whole() {
    let site = Site::new();
    let file = site.arg("whole.json");
    succeed(&["export", "--data-dir", &site.data("data"), "--output", &file]);
    let import = boxwood(&["import", &file, "--data-dir", &site.arg("other")]);
    let exit = import.env("BOXWOOD_SECRET_KEY", OTHER_KEY).run();
    let message = refused(&exit, 1, &["breaks 4 rules", "was not sealed", "the key in use"]);
    assert!(!message.contains(KEY) && !message.contains("v1:"), "{message}");
    let server = site.serve("other").env("BOXWOOD_SECRET_KEY", OTHER_KEY).start();
    let mut client = server.client();
    let login = client.request("GET", "/api/authentication").basic("eve", "open sesame").send();
    login.expect_error(401, "AuthenticationFailure");
}

#[test]
fn every_violation_is_reported_and_nothing_imported() {
    let site = Site::new();
    let data = site.data("data");
    let before = succeed(&["export", "--data-dir", &data]);
    let mut found = document(&before);
    body(&mut found, "/management/webinterface")["timeout"] = json!("hunter2");
    body(&mut found, "/management/email")["colour"] = json!("hunter2");
    let nodes = found["nodes"].as_array_mut().unwrap();
    nodes.push(json!({"path": "/nothing", "body": {}}));
    nodes.push(json!({"path": "nowhere", "body": {}}));
    nodes.push(json!({"path": "/aaa/acls", "body": []}));
    let exit =
        boxwood(&["import", &site.write("bad.json", &found.to_string()), "--data-dir", &data]);
    let exit = exit.run();
    let words = [
        "breaks 5 rules",
        "/management/webinterface#/timeout: ",
        "/management/email#/colour: ",
        "/nothing#: ",
        "\"nowhere\" is not a path",
        "the document has /aaa/acls twice",
    ];
    let message = refused(&exit, 1, &words);
    assert!(!message.contains("hunter2"), "{message}");
    assert_eq!(succeed(&["export", "--data-dir", &data]), before);

    // What is missing is a violation of the whole.
    let mut found = document(&before);
    let nodes = found["nodes"].as_array_mut().unwrap();
    nodes.retain(|node| node["path"] != "/management/email");
    let file = site.write("less.json", &found.to_string());
    let exit = boxwood(&["import", &file, "--data-dir", &data]).run();
    refused(&exit, 1, &["/management/email", "object-missing"]);
}

#[test]
fn what_is_no_document_is_refused_without_repeating_it() {
    let site = Site::new();
    let data = site.data("data");
    let whole = succeed(&["export", "--data-dir", &data]);
    let import = |text: &str| {
        let file = site.write("bad.json", text);
        boxwood(&["import", &file, "--data-dir", &data]).run()
    };
    refused(&import("hunter2"), 1, &["not an exported configuration", "line 1"]);
    refused(
        &import("7"),
        1,
        &["not an exported configuration", "an object with the member `format`"],
    );
    refused(&import(&whole[..whole.len() / 2]), 1, &["not an exported configuration"]);
    refused(&import(&whole.replace("configuration/1", "configuration/9")), 1, &["`format`"]);
    refused(&import(&whole.replace("\"nodes\"", "\"nodez\"")), 1, &["nodez"]);
    let other = whole.replace("\"appliance\": \"sps-6.2\"", "\"appliance\": \"lamp\"");
    refused(&import(&other), 1, &["lamp", "sps-6.2"]);
    let missing = boxwood(&["import", &site.arg("missing.json"), "--data-dir", &data]).run();
    refused(&missing, 1, &["missing.json", "No such file"]);
}

#[test]
fn a_directory_that_is_in_use_or_empty_is_left_alone() {
    let site = Site::new();
    let data = site.data("data");
    let file = site.arg("whole.json");
    succeed(&["export", "--data-dir", &data, "--output", &file]);
    let server = site.serve("data").start();
    let before = config_hash(&server);
    for command in [&["export"][..], &["import", &file], &["import", &file, "--dry-run"]] {
        let exit = boxwood(&[command, &["--data-dir", &data]].concat()).run();
        refused(&exit, 1, &["in use", "--url"]);
    }
    assert_eq!(config_hash(&server), before);
    let exit = boxwood(&["export", "--data-dir", &site.arg("none")]).run();
    refused(&exit, 1, &["there is no configuration in", "--data-dir"]);
    assert!(!site.path("none").exists());
}

#[test]
fn settings_of_the_daemon_count_for_its_directory() {
    let site = Site::new();
    succeed(&["catalog", "new", &site.arg("lamp")]);
    let builder = site.serve("data").arg("--catalog").arg(site.path("lamp"));
    assert!(builder.start().terminate().success());
    let file = format!("data_dir = {:?}\ncatalog = {:?}\n", site.arg("data"), site.arg("lamp"));
    let config = site.write("boxwood.toml", &file);
    let exported = succeed(&["export", "--config", &config]);
    assert_eq!(document(&exported)["appliance"], "lamp");
    // The directory keeps the name of its catalog; without it, another has no place for what is
    // stored.
    let export = boxwood(&["export", "--data-dir", &site.arg("data")]);
    refused(&export.run(), 1, &["lamp", "sps-6.2", "--catalog"]);
    fs::remove_file(site.path("data/appliance")).expect("a name was kept");
    refused(&export.run(), 1, &["/light", "sps-6.2", "--catalog"]);
    let exit = boxwood(&["export", "--set", "limits.headers=x", "--set", "colour=1"]).run();
    refused(&exit, 2, &["limits.headers", "colour"]);
    assert!(fs::exists(site.path("data/lock")).expect("it can be looked for"));
}
