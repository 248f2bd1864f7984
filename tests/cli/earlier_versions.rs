//! Data directories of released versions, as they were left: every later version opens them.
//! `tests/data-directories/VERSION` is one of each, made by the binary of that version.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use support::{Client, Evidence, Server};

use crate::shared::{commit_something, config_hash};

/// The password that the mail settings of every directory refer to.
const KEY: &str = "5342f9d8-d4f0-4d05-bfe2-b54cb71d94c1";

/// Numbers and digests of the revisions in the directory of 0.1.0.
const REVISIONS: [(u64, &str); 4] = [
    (4, "9e6d2dffd7142d1846a4bbe44cd21ca0a7324e06cb4858ae52302a5e794e57ba"),
    (3, "c83a4a01be68c37e925caa1b5a94592898e18c7c59e8e235b3db8e02a4cdf7ec"),
    (2, "48237a206fd0d8d8e1e9add690302298111f22237490cc8bf2cfd64bbaeeeb5e"),
    (1, "17ce28801c81d6540c981df41fb3023d88649a726eab1f29f53cbdf87cd87c5e"),
];

#[test]
fn a_data_directory_of_0_1_0_is_opened_with_all_that_is_in_it() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    copy(&source("0.1.0"), &data);
    // Without a password of this start, so that the stored one counts.
    let builder = Server::builder().serve(&data).http().env_remove("BOXWOOD_ADMIN_PASSWORD");
    let mut server = builder.start();
    let mut admin = server.admin();
    history_is_kept(&mut admin);
    secrets_can_be_opened(&mut admin);
    commit_something(&server);
    let hash = config_hash(&mut admin);
    assert!(server.terminate().success());
    assert_eq!(config_hash(&mut builder.start().admin()), hash);
}

fn history_is_kept(admin: &mut Client) {
    let revisions = admin.get("/boxwood/v1/revisions").expect(200);
    // A later catalog may have added defaults in a revision of its own, in front.
    let items = revisions.at("/items").as_array().cloned().unwrap_or_default();
    let found: Vec<_> = items[items.len().saturating_sub(REVISIONS.len())..]
        .iter()
        .map(|item| (item["revision"].as_u64().unwrap_or(0), item["digest"].clone()))
        .collect();
    assert_eq!(found, REVISIONS.map(|(number, digest)| (number, json!(digest))));
    let tags = admin.get("/boxwood/v1/tags").expect(200);
    assert_eq!((tags.at("/items/0/name"), tags.at("/items/0/revision")), ("mail".into(), 2.into()));
    let email = admin.get("/api/configuration/management/email").expect(200);
    assert_eq!(email.at("/body/smtp_server/value"), "mail3.example.com");
    assert_eq!(email.at("/body/smtp_auth/password/key"), KEY);
}

/// A rule about the text of a password holds only where the sealed text can be opened. A password
/// is used in one place, so it moves from the mail settings to the traps.
fn secrets_can_be_opened(admin: &mut Client) {
    admin.open().expect(200);
    let path = "/api/configuration/management/email";
    let mut email = admin.get(path).expect(200).at("/body");
    email["smtp_auth"] = json!({ "enabled": false });
    admin.put(path, &email).expect(200);
    let trap = json!({
        "enabled": true,
        "version": {
            "selection": "3",
            "value": {
                "auth_method": "sha1",
                "auth_password": KEY,
                "encryption_method": "none",
                "encryption_password": null,
                "engine_id": "0x0123456789",
                "server": { "selection": "fqdn", "value": "traps.example.com" },
                "username": "traps",
            },
        },
    });
    admin.put("/api/configuration/management/snmp/trap", &trap).expect(200);
    admin.commit().expect(200);
}

fn source(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-directories").join(version)
}

/// Copies a folder; git keeps no modes, so files become their owner's alone, as they were.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder can be made");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("modes can be set");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let (here, there) = (entry.path(), to.join(entry.file_name()));
        if here.is_dir() {
            copy(&here, &there);
            continue;
        }
        fs::copy(&here, &there).expect("a file can be copied");
        fs::set_permissions(&there, fs::Permissions::from_mode(0o600)).expect("modes can be set");
    }
}
