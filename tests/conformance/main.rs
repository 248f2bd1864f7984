//! Recorded steps against the real binary: what goes in, and what must come out, as files.
//!
//! Each directory is a story with a server of its own; `support::conformance` says how its files
//! are read. They were written by reading the vendor's guide for 6.2.0 and the description of the
//! protocol, and nothing rewrites them.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use support::conformance::{appliance, run, run_with};
use support::{Server, ServerBuilder};

/// Every directory that a test below plays.
const PLAYED: [&str; 19] = [
    "advalidation-profile",
    "appgate-profile",
    "change-opens",
    "ds-server-profile",
    "errors",
    "guide-sequence",
    "health-monitoring",
    "mail-authentication",
    "mail-listing",
    "mail-server-by-name",
    "mail-starttls",
    "mail-starttls-certificates",
    "prisma-profile",
    "safeguard-ps",
    "secrets",
    "snmp-folder",
    "trap-2c",
    "trap-3-md5",
    "trap-3-sha-aes",
];

fn directory(name: &str) -> PathBuf {
    assert!(PLAYED.contains(&name), "{name} is not among PLAYED");
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(name)
}

fn play(name: &str) {
    play_on(name, &Server::builder());
}

fn play_on(name: &str, builder: &ServerBuilder) {
    let directory = directory(name);
    let server = match appliance(&directory) {
        Some(appliance) => builder.clone().appliance(&appliance).start(),
        None => builder.start(),
    };
    run(directory, &mut server.client());
}

/// With certificates, which are made anew so that none of them ever expires.
fn play_with_certificates(name: &str) {
    let server = Server::dev();
    let [key, other, authority] = [(); 3].map(|()| KeyPair::generate().unwrap());
    let certificate = |key: &KeyPair| {
        let params = CertificateParams::new(vec!["appliance.example.com".to_owned()]).unwrap();
        params.self_signed(key).unwrap().pem()
    };
    let known: [(&str, Value); 4] = [
        ("certificate", json!(certificate(&key))),
        ("private_key", json!(key.serialize_pem())),
        ("other_private_key", json!(other.serialize_pem())),
        ("ca", json!(certificate(&authority))),
    ];
    run_with(directory(name), &mut server.client(), &known);
}

#[test]
fn every_directory_is_played() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let found: BTreeSet<String> = fs::read_dir(here)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, PLAYED.map(str::to_owned).into());
}

// Input: a login, and reads of the mail settings in every form.
// Output: the guide's sample of listing mail settings, with its links.
#[test]
fn mail_listing() {
    play("mail-listing");
}

// Input: a password, the guide's first example, and what is wrong with others like it.
// Output: refusals by place and rule; the example, staged and then committed; the password gone
// when nothing refers to it.
#[test]
fn mail_authentication() {
    play("mail-authentication");
}

// Input: the guide's second example.
// Output: STARTTLS without checks, and refusals of groups without it and of it without groups.
#[test]
fn mail_starttls() {
    play("mail-starttls");
}

// Input: the guide's third example, with a certificate of the appliance and one of an authority.
// Output: both checks enabled; the identity shown without its key.
#[test]
fn mail_starttls_certificates() {
    play_with_certificates("mail-starttls-certificates");
}

// Input: mail servers by address and by name.
// Output: each only by its own selection.
#[test]
fn mail_server_by_name() {
    play("mail-server-by-name");
}

// Input: the limits of health monitoring, in and out of range.
// Output: the guide's sample, then the changed limits.
#[test]
fn health_monitoring() {
    play("health-monitoring");
}

// Input: reads of the folder, and changes of it.
// Output: the guide's sample of listing SNMP endpoints; 405 for changes.
#[test]
fn snmp_folder() {
    play("snmp-folder");
}

// Input: the guide's example of SNMP 2c.
// Output: it, and refusals of what belongs to version 3.
#[test]
fn trap_2c() {
    play("trap-2c");
}

// Input: the guide's example of SNMP 3 with MD5.
// Output: it, and refusals of short passwords, of engine IDs, and of a password for no encryption.
#[test]
fn trap_3_md5() {
    play("trap-3-md5");
}

// Input: the guide's example of SNMP 3 with `sha` and AES; one password used twice.
// Output: the commit of the latter refused, repaired, taken; both passwords gone at the end.
#[test]
fn trap_3_sha_aes() {
    play("trap-3-sha-aes");
}

// Input: the sequence of the guide's curl samples.
// Output: a password referred to and committed; a change rolled back.
#[test]
fn guide_sequence() {
    play("guide-sequence");
}

// Input: what safeguard-ps sends to edit the mail settings.
// Output: what it reads.
#[test]
fn safeguard_ps() {
    play("safeguard-ps");
}

// Input: everything that can go wrong without a second session.
// Output: the status, type and details of each.
#[test]
fn errors() {
    play("errors");
}

// Input: secrets of every kind that nothing refers to.
// Output: keys and locations, no listing, no change, and nothing left after the commit.
#[test]
fn secrets() {
    play_with_certificates("secrets");
}

// Input: changes without an open transaction, in concurrent mode.
// Output: the first that is accepted opens one.
#[test]
fn change_opens() {
    play_on("change-opens", &Server::builder().set("transactions.mode", "concurrent"));
}

// Input: the vendor's curl sample as it stands but for the host and the password, and the life of
// the profile that it makes.
// Output: the bare id; a code and a token for it; nothing left at the end.
#[test]
fn advalidation_profile() {
    play("advalidation-profile");
}

#[test]
fn ds_server_profile() {
    play("ds-server-profile");
}

#[test]
fn prisma_profile() {
    play("prisma-profile");
}

// Input: a profile as the page of the vendor has it, with each status that a client can reach.
// Output: the answers of that page, and nothing left at the end.
#[test]
fn appgate_profile() {
    play("appgate-profile");
}
