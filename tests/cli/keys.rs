//! The key that seals secrets: private, made once, and never another one without a word.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use support::{Evidence, Server, ServerBuilder};

use crate::shared::{commit_something, refused};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct Site {
    _evidence: Evidence,
    builder: ServerBuilder,
    key_file: PathBuf,
}

/// A data directory for https: its certificate's private key is the first secret.
fn site() -> Site {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let builder = Server::builder().serve(&data).https();
    Site { _evidence: evidence, builder, key_file: data.join("secret.key") }
}

fn set_mode(site: &Site, mode: u32) {
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(&site.key_file, permissions).expect("a mode can be set");
}

#[test]
fn the_key_file_is_made_once_and_private() {
    let site = site();
    drop(site.builder.start());
    let mode = site.key_file.metadata().expect("it is made").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let key = fs::read_to_string(&site.key_file).expect("it can be read");
    assert!(key.trim().len() == 64 && key.trim().bytes().all(|b| b.is_ascii_hexdigit()));
    let server = site.builder.start();
    assert_eq!(fs::read_to_string(&site.key_file).expect("it can be read"), key);
    assert!(!server.log().contains(key.trim()));
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let site = site();
    drop(site.builder.start());
    let name = site.key_file.to_str().expect("a path is text");
    for mode in [0o640, 0o604, 0o660, 0o644] {
        set_mode(&site, mode);
        refused(&site.builder.run(), 1, &[name, &format!("{mode:04o}"), "chmod 600"]);
    }
    set_mode(&site, 0o400);
    commit_something(&site.builder.start());
}

#[test]
fn a_key_file_without_a_key_is_refused_and_its_content_not_repeated() {
    let site = site();
    drop(site.builder.start());
    let name = site.key_file.to_str().expect("a path is text");
    for content in ["", "beef", &KEY[1..], &format!("{KEY}00"), "not hexadecimal at all"] {
        fs::write(&site.key_file, content).expect("it can be written");
        let message = refused(&site.builder.run(), 1, &[name, "64 hexadecimal digits"]);
        assert!(content.is_empty() || !message.contains(content), "{message}");
        assert_eq!(fs::read_to_string(&site.key_file).expect("it can be read"), content);
    }
}

#[test]
fn a_given_key_is_used_and_no_file_made() {
    let site = site();
    let builder = site.builder.clone().env("BOXWOOD_SECRET_KEY", KEY);
    let mut server = builder.start();
    commit_something(&server);
    assert!(!site.key_file.exists());
    assert!(server.terminate().success());
    assert!(!server.log().contains(KEY));
    // In upper case it is the same key.
    let upper = site.builder.clone().env("BOXWOOD_SECRET_KEY", KEY.to_uppercase());
    commit_something(&upper.start());
}

#[test]
fn a_key_file_elsewhere_is_used_instead() {
    let site = site();
    let elsewhere = site.key_file.with_file_name("elsewhere.key");
    drop(site.builder.clone().set("secrets.key_file", elsewhere.display()).start());
    assert!(elsewhere.is_file() && !site.key_file.exists());
}

/// Without its secrets an appliance cannot even serve TLS: it has to say so, and not "ready".
#[test]
fn a_wrong_given_key_is_refused() {
    let site = site();
    drop(site.builder.clone().env("BOXWOOD_SECRET_KEY", KEY).start());
    let wrong = site.builder.clone().env("BOXWOOD_SECRET_KEY", OTHER_KEY);
    must_be_refused(&wrong);
    // The right one still opens everything.
    commit_something(&site.builder.clone().env("BOXWOOD_SECRET_KEY", KEY).start());
}

#[test]
fn another_key_file_is_refused() {
    let site = site();
    drop(site.builder.start());
    let key = fs::read_to_string(&site.key_file).expect("it can be read");
    fs::write(&site.key_file, OTHER_KEY).expect("it can be written");
    must_be_refused(&site.builder);
    fs::write(&site.key_file, key).expect("it can be written");
    commit_something(&site.builder.start());
}

#[test]
fn a_lost_key_file_is_not_replaced_without_a_word() {
    let site = site();
    drop(site.builder.start());
    let kept = site.key_file.with_file_name("kept.key");
    fs::rename(&site.key_file, &kept).expect("it can be moved");
    must_be_refused(&site.builder);
    assert!(!site.key_file.exists(), "a new key would open nothing");
    fs::rename(&kept, &site.key_file).expect("it can be moved");
    commit_something(&site.builder.start());
}

#[track_caller]
fn must_be_refused(builder: &ServerBuilder) {
    match builder.try_start() {
        Err(exit) => {
            refused(&exit, 1, &["key"]);
        }
        Ok(server) => {
            let handshake = server.client().try_connection().map(drop);
            panic!(
                "it starts, and its secrets are lost; a TLS handshake: {handshake:?}; its log:\n{}",
                server.log()
            );
        }
    }
}
