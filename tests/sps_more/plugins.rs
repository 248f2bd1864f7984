//! `/api/upload/plugins`: an archive becomes a member of the configuration, in a transaction.

use serde_json::{Value, json};
use support::{Client, Response, Server, opened};

use crate::{create_user, texts};

const UPLOAD: &str = "/api/upload/plugins";
const AA: &str = "/api/configuration/plugins/aa";
const STORES: &str = "/api/configuration/plugins/credentialstore";

/// A ZIP archive of one file, stored as it is.
fn archive(name: &str, content: &str) -> Vec<u8> {
    let (name, content) = (name.as_bytes(), content.as_bytes());
    let sum = checksum(content).to_le_bytes();
    let size = u32::try_from(content.len()).expect("it is short").to_le_bytes();
    let name_size = u16::try_from(name.len()).expect("it is short").to_le_bytes();
    // Version, flags, method, time and date.
    let common =
        [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x50][..], &sum, &size, &size, &name_size].concat();
    let local = [b"PK\x03\x04", &common[..], &[0; 2], name, content].concat();
    let central = [b"PK\x01\x02\x14\x00", &common[..], &[0; 16], name].concat();
    let central_size = u32::try_from(central.len()).expect("it is short").to_le_bytes();
    let offset = u32::try_from(local.len()).expect("it is short").to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &central_size[..], &offset, &[0; 2]].concat();
    [local, central, end].concat()
}

fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

fn plugin(name: &str, kind: &str, version: &str) -> Vec<u8> {
    let manifest = format!(
        "api: 1.4\nname: {name}\ndescription: My plugin\nversion: {version}\ntype: {kind}\n\
         entry_point: main.py\n"
    );
    archive("MANIFEST", &manifest)
}

#[track_caller]
fn upload(client: &mut Client, content: &[u8], kind: &str) -> Response {
    client.request("POST", UPLOAD).text(content, kind).send()
}

// proves: SPS-48
#[test]
fn a_plugin_is_a_member_within_the_transaction_and_after_its_commit() {
    let (server, mut admin) = opened();
    let made = upload(&mut admin, &plugin("Mine", "aa", "1.12"), "application/zip").expect(201);
    let href = made.at("/meta/href");
    let href = href.as_str().unwrap();
    assert_eq!(made.header("location"), Some(href));
    assert_eq!(made.at("/meta/parent"), json!(AA));
    let expected = json!({
        "api": "1.4",
        "description": "My plugin",
        "name": "Mine",
        "path": "/opt/scb/var/plugins/aa/Mine",
        "version": "1.12",
    });
    assert_eq!(made.at("/body"), expected);
    assert_eq!(admin.get(href).expect(200).at("/body"), expected);
    server.admin().get(href).expect_error(404, "NotFound");
    let changes = admin.get("/api/transaction/changes").expect(200).at("/changes");
    assert_eq!(texts(&changes, "type"), ["create"]);
    admin.commit().expect(200);
    assert_eq!(server.admin().get(href).expect(200).at("/body"), expected);
}

#[test]
fn an_upload_replaces_the_plugin_of_its_name() {
    let (_server, mut admin) = opened();
    let first = upload(&mut admin, &plugin("Mine", "credentialstore", "1"), "application/zip");
    let second = upload(&mut admin, &plugin("Mine", "credentialstore", "2"), "application/zip");
    assert_eq!(first.expect(201).at("/key"), second.expect(201).at("/key"));
    let all = admin.get(STORES).expect(200).at("/items");
    assert_eq!(texts(&Value::Array(vec![all[0]["body"].clone()]), "version"), ["2"]);
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[test]
fn a_rollback_takes_the_plugin_back() {
    let (_server, mut admin) = opened();
    upload(&mut admin, &plugin("Mine", "aa", "1"), "application/zip").expect(201);
    admin.rollback().expect(200);
    assert_eq!(admin.get(AA).expect(200).at("/items"), json!([]));
}

#[test]
fn a_plugin_needs_a_transaction_or_opens_one() {
    let server = Server::dev();
    let mut admin = server.admin();
    upload(&mut admin, &plugin("Mine", "aa", "1"), "").expect_error(409, "Conflict");
    let server = Server::builder().appliance("sps-7.0").start();
    let mut admin = server.admin();
    upload(&mut admin, &plugin("Mine", "aa", "1"), "application/zip").expect(201);
    assert_eq!(admin.get("/api/transaction").expect(200).at("/body/status"), json!("open"));
    let signing = upload(&mut admin, &plugin("Signs", "signingca", "1"), "application/zip");
    let parent = signing.expect(201).at("/meta/parent");
    assert_eq!(parent, json!("/api/configuration/plugins/signingca"));
    admin.commit().expect(200);
}

#[test]
fn any_declared_type_is_taken_and_a_form_as_well() {
    let (_server, mut admin) = opened();
    for kind in ["application/zip", "application/octet-stream", "application/json"] {
        upload(&mut admin, &plugin("Mine", "aa", "1"), kind).expect(201);
    }
    let mut form = b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".to_vec();
    form.extend(plugin("InAForm", "aa", "1"));
    form.extend(b"\r\n--x--\r\n");
    let made = upload(&mut admin, &form, "application/json").expect(201);
    assert_eq!(made.at("/body/name"), json!("InAForm"));
    // What is no archive has a name made from its content.
    let made = upload(&mut admin, b"{\"not\": \"a plugin", "application/json").expect(201);
    let name = made.at("/body/name");
    assert!(name.as_str().unwrap().starts_with("plugin-"), "{name}");
    admin.commit().expect(200);
}

#[test]
fn a_plugin_that_is_wrong_is_refused_and_stages_nothing() {
    let (_server, mut admin) = opened();
    let unnamed = archive("MANIFEST", "type: aa\napi: 1.0\n");
    for (content, why) in
        [(plugin("Mine", "dishwasher", "1"), "credentialstore"), (unnamed, "name")]
    {
        let refused = upload(&mut admin, &content, "application/zip");
        let refused = refused.expect_error(400, "SemanticError");
        assert!(refused.text().contains(why), "{refused}");
    }
    upload(&mut admin, b"", "application/zip").expect_error(400, "InvalidRequestBody");
    assert_eq!(admin.get("/api/transaction/changes").expect(200).at("/changes"), json!([]));
}

#[test]
fn plugins_take_the_right_to_basic_settings() {
    let (server, mut admin) = opened();
    create_user(&mut admin, "viewer", &["basic-view"]);
    admin.commit().expect(200);
    let mut viewer = server.client();
    viewer.login("viewer", "open sesame");
    upload(&mut viewer, &plugin("Mine", "aa", "1"), "").expect_error(403, "Unauthorized");
}
