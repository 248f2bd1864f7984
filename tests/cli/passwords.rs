//! The administrator's password: made up once, given, replaced.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::{Evidence, Server, ServerBuilder};

fn without_password(evidence: &Evidence) -> ServerBuilder {
    let builder = Server::builder().serve(evidence.path().join("data")).http();
    builder.env_remove("BOXWOOD_ADMIN_PASSWORD")
}

/// The passwords that standard error shows.
fn shown(server: &Server) -> Vec<String> {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("generated a password for admin"));
    lines.filter_map(|line| Some(line.rsplit_once(": ")?.1.to_owned())).collect()
}

fn login(server: &Server, password: &str) -> u16 {
    let mut client = server.client();
    client.request("GET", "/api/authentication").basic("admin", password).send().status
}

#[test]
fn a_password_is_made_up_and_shown_once() {
    let evidence = Evidence::new();
    let builder = without_password(&evidence);
    let mut server = builder.start();
    let passwords = shown(&server);
    assert_eq!(passwords.len(), 1, "{}", server.log());
    assert!(passwords[0].len() >= 20, "it cannot be guessed");
    assert_eq!(login(&server, &passwords[0]), 200);
    assert_eq!(login(&server, "admin"), 401, "there is no default password");
    assert_eq!(login(&server, ""), 401);
    assert!(server.terminate().success());
    assert_eq!(server.stdout().len(), 1, "standard output has the ready line only");
    assert_eq!(server.log().matches(&passwords[0]).count(), 1, "it is in no log line");

    let server = builder.start();
    assert_eq!(shown(&server), [""; 0], "the second start shows none");
    assert_eq!(login(&server, &passwords[0]), 200);
}

#[test]
fn two_appliances_have_two_passwords() {
    let (one, other) = (Evidence::new(), Evidence::new());
    assert_ne!(shown(&without_password(&one).start()), shown(&without_password(&other).start()));
}

#[test]
fn a_given_password_replaces_the_one_before_and_stays() {
    let evidence = Evidence::new();
    let builder = without_password(&evidence);
    let made_up = shown(&builder.start()).remove(0);
    let server = builder.clone().env("BOXWOOD_ADMIN_PASSWORD", "tigers like tea").start();
    assert_eq!(shown(&server), [""; 0]);
    assert_eq!((login(&server, "tigers like tea"), login(&server, &made_up)), (200, 401));
    assert!(!server.log().contains("tigers"));
    drop(server);
    let server = builder.start();
    assert_eq!((login(&server, "tigers like tea"), login(&server, &made_up)), (200, 401));
    drop(server);

    let file = evidence.path().join("data/administrator.hash");
    let mode = file.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let text = fs::read_to_string(&file).expect("it can be read");
    assert!(text.starts_with("$argon2id$") && !text.contains("tigers"), "{text}");

    // A damaged one is not an open door, and can be replaced too.
    fs::write(&file, b"\xff\xfe").expect("it can be written");
    let server = builder.clone().env("BOXWOOD_ADMIN_PASSWORD", "another one").start();
    assert_eq!((login(&server, "another one"), login(&server, "tigers like tea")), (200, 401));
}

#[test]
fn a_damaged_password_file_is_noticed_at_start() {
    let evidence = Evidence::new();
    let builder = without_password(&evidence);
    drop(builder.start());
    let file = evidence.path().join("data/administrator.hash");
    for damage in ["", "\n", "$argon2id$v=19$m=19456,t=2,p=1$c2Fs", "admin"] {
        fs::write(&file, damage).expect("it can be written");
        match builder.try_start() {
            Err(exit) => {
                let words = [file.to_str().expect("a path is text"), "BOXWOOD_ADMIN_PASSWORD"];
                crate::shared::refused(&exit, 1, &words);
            }
            Ok(_) => panic!("nobody can log in, and it starts all the same: {damage:?}"),
        }
    }
}

#[test]
fn an_empty_password_is_refused() {
    let evidence = Evidence::new();
    let exit = without_password(&evidence).env("BOXWOOD_ADMIN_PASSWORD", "").run();
    crate::shared::refused(&exit, 2, &["BOXWOOD_ADMIN_PASSWORD", "empty"]);
}

#[test]
fn dev_takes_another_password_too() {
    let server = Server::builder().env("BOXWOOD_ADMIN_PASSWORD", "other").start();
    assert_eq!((login(&server, "other"), login(&server, "admin")), (200, 401));
}
