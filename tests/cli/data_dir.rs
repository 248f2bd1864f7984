//! The data directory: one process at a time, and everything in it from one start to the next.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use support::{Evidence, Server, wait_for};

use crate::shared::{commit_something, config_hash, refused};

#[test]
fn a_second_process_is_refused_until_the_first_has_ended() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let builder = Server::builder().serve(&data).http();
    let mut first = builder.start();
    let name = data.to_str().expect("a path is text");
    refused(&builder.run(), 1, &[name, "in use"]);
    // By another way to the same place, and by the other command.
    let link = evidence.path().join("link");
    std::os::unix::fs::symlink(&data, &link).expect("a link can be made");
    refused(&Server::builder().serve(&link).http().run(), 1, &["in use"]);
    refused(&Server::builder().data_dir(&data).run(), 1, &[name, "in use"]);
    commit_something(&first);
    assert!(first.terminate().success());
    let mut second = builder.start();
    second.kill();
    builder.start();
}

#[test]
fn state_survives_a_restart() {
    let evidence = Evidence::new();
    let builder = Server::builder().serve(evidence.path().join("data")).https();
    let mut server = builder.start();
    let mut admin = server.admin();
    let fresh = config_hash(&mut admin);
    admin.open().expect(200);
    let secret = json!({ "plain": "correct horse battery" });
    let password = admin.post("/api/configuration/passwords", &secret).expect(201).at("/key");
    let trap = "/api/configuration/management/snmp/trap";
    let body = json!({
        "enabled": true,
        "version": {
            "selection": "3",
            "value": {
                "auth_method": "sha1",
                "auth_password": password,
                "encryption_method": "none",
                "encryption_password": null,
                "engine_id": "0x0123456789",
                "server": { "selection": "fqdn", "value": "traps.example.com" },
                "username": "traps",
            },
        },
    });
    admin.put(trap, &body).expect(200);
    admin.commit_with("before the restart").expect(200);
    let shown = admin.get(trap).expect(200).at("/body");
    let hash = config_hash(&mut admin);
    assert_ne!(hash, fresh);
    // Not committed, so it goes with the session.
    admin.open().expect(200);
    admin.put("/api/configuration/management/soap", &json!({ "enabled": false })).expect(200);
    let certificate = admin.certificate_pem();
    let token = admin.cookie("session_id").expect("a session").to_owned();
    let revision = admin.get("/boxwood/v1/health").at("/revision");
    assert!(server.terminate().success());

    let server = builder.start();
    let mut admin = server.admin();
    assert_eq!(config_hash(&mut admin), hash);
    assert_eq!(admin.get("/boxwood/v1/health").at("/revision"), revision);
    assert_eq!(admin.get(trap).expect(200).at("/body"), shown);
    let soap = admin.get("/api/configuration/management/soap").expect(200);
    assert_eq!(soap.at("/body/enabled"), true, "{soap}");
    assert_eq!(admin.get("/api/transaction").at("/body/status"), "closed");
    assert_eq!(admin.certificate_pem(), certificate);
    // The sealed password can be opened: a rule about its text holds, and holds again.
    admin.open().expect(200);
    admin.put(trap, &body).expect(200);
    let mut stale = server.client();
    stale.set_cookie(&format!("session_id={token}"));
    stale.get("/api/configuration").expect_error(401, "Unauthenticated");
}

#[test]
fn a_clean_stop_leaves_a_checkpoint_of_the_newest_revision() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let builder = Server::builder().serve(&data).http();
    for revision in [2, 3] {
        let mut server = builder.start();
        commit_something(&server);
        let checkpoint = data.join(format!("checkpoints/{revision:08}.checkpoint"));
        assert!(!checkpoint.exists(), "not before a thousand revisions");
        assert!(server.terminate().success());
        assert!(checkpoint.is_file(), "{}", checkpoint.display());
    }
    // And the next start agrees with it.
    let server = builder.start();
    assert!(!server.log().contains("\"WARN\""), "{}", server.log());
}

#[test]
fn files_are_their_owners_alone() {
    let evidence = Evidence::new();
    let data = evidence.path().join("new/data");
    let mut server = Server::builder().serve(&data).http().start();
    commit_something(&server);
    assert!(server.terminate().success());
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        assert_eq!(mode(&path) & 0o077, 0, "{} is open to others", path.display());
    }
}

#[test]
fn a_slip_in_the_appliance_does_not_change_a_configuration_for_good() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let builder = Server::builder().serve(&data).http();
    let other = builder.clone().arg("--appliance").arg("sps-7.0");
    let mut first = builder.start();
    commit_something(&first);
    let hash = config_hash(&mut first.admin());
    assert!(first.terminate().success());
    // The later catalog has a place for everything that is there, and defaults for more.
    let name = data.join("appliance");
    let shown = name.display().to_string();
    refused(&other.run(), 1, &["sps-6.2", "sps-7.0", "--appliance", &shown]);
    let mut server = builder.start();
    assert_eq!(config_hash(&mut server.admin()), hash, "nothing was added");
    assert!(server.terminate().success());
    // On purpose, it is one file; and then there is no way back.
    fs::write(&name, "sps-7.0\n").expect("it can be written");
    assert!(other.start().terminate().success());
    refused(&builder.run(), 1, &["sps-6.2", "sps-7.0"]);
    // A directory of a time before names were kept belongs to whom it is opened with.
    fs::remove_file(&name).expect("it can be removed");
    assert!(other.start().terminate().success());
    assert_eq!(fs::read_to_string(&name).expect("kept again"), "sps-7.0\n");
}

#[test]
fn a_data_directory_that_cannot_be_is_named() {
    let evidence = Evidence::new();
    let file = evidence.path().join("file");
    fs::write(&file, "").expect("a file can be written");
    for data in [file.clone(), file.join("below")] {
        let exit = Server::builder().serve(&data).http().run();
        refused(&exit, 1, &[data.to_str().expect("a path is text")]);
    }
    let exit = Server::builder().serve("").http().run();
    refused(&exit, 2, &["data_dir"]);
}

#[test]
fn dev_starts_fresh_each_time_and_leaves_nothing() {
    let mut server = Server::dev();
    let temporary = |server: &Server| -> Vec<_> {
        let entries = fs::read_dir(server.evidence()).expect("it can be read");
        let names = entries.map(|entry| entry.expect("it can be read").file_name());
        names.filter(|name| name.to_string_lossy().starts_with("boxwood-")).collect()
    };
    assert_eq!(temporary(&server).len(), 1, "it keeps its state there meanwhile");
    commit_something(&server);
    assert!(server.terminate().success());
    assert_eq!(temporary(&server).len(), 0);

    let mut server = Server::dev();
    let body = server.admin().get("/api/configuration/management/webinterface").at("/body");
    assert_eq!(body, json!({ "timeout": 10 }));
    assert!(server.interrupt().success());
    assert_eq!(temporary(&server).len(), 0);

    // Nor when it is stopped while it starts.
    let mut server = Server::builder().spawn();
    wait_for("a temporary directory", || !temporary(&server).is_empty() || !server.is_running());
    let status = server.terminate();
    assert!(status.success(), "{status}");
    assert_eq!(temporary(&server).len(), 0);
}

#[test]
fn dev_keeps_a_directory_that_was_named() {
    let evidence = Evidence::new();
    let builder = Server::builder().data_dir(evidence.path().join("data"));
    let mut server = builder.start();
    commit_something(&server);
    let hash = config_hash(&mut server.admin());
    assert!(server.terminate().success());
    assert_eq!(config_hash(&mut builder.start().admin()), hash);
}
