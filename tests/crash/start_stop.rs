//! SIGKILL while the daemon starts, for the first time and later, and while it stops.

use std::fs;
use std::path::Path;
use std::time::Duration;

use support::{Server, ServerBuilder};

use crate::luck::{Luck, dither, timed, watch_for};
use crate::site::{Site, files};
use crate::tree::Tree;
use crate::writer::{ALL, Progress, Writer};

/// Files in the order in which a first start makes them.
const MILESTONES: &[&str] = &[
    "lock",
    "revisions.sled/conf",
    "revisions.sled/db",
    "checkpoints/head",
    "secret.key",
    "checkpoints/00000000.checkpoint",
    "administrator.hash",
];

#[test]
fn a_first_start_that_is_killed_is_made_good_by_the_next() {
    let mut luck = Luck::new();
    let (_, start_time) = timed(|| Site::new().builder().start());
    let mut early = 0;
    for round in 0..6 {
        for milestone in MILESTONES {
            let site = Site::new();
            let mut server = site.builder().spawn();
            watch_for(milestone, || site.data().join(milestone).exists() || !server.is_running());
            // Every other time right away, and else a little later.
            if round % 2 == 1 {
                dither(luck.within(Duration::from_millis(2)));
            }
            server.kill();
            early += usize::from(server.stdout().is_empty());
            is_made_good(&site);
        }
    }
    for _ in 0..15 {
        let site = Site::new();
        let mut server = site.builder().spawn();
        dither(luck.within(start_time));
        server.kill();
        early += usize::from(server.stdout().is_empty());
        is_made_good(&site);
    }
    assert!(early >= MILESTONES.len(), "only {early} kills came before the ready line");
}

/// The next start finds, or makes, a whole appliance.
fn is_made_good(site: &Site) {
    let tree = Tree::of(&site.builder().start());
    assert_eq!(tree.revision, 1, "the defaults are committed once");
    assert_eq!(tree.body("/api/configuration/management/webinterface")["timeout"], 10);
}

#[test]
fn a_made_up_password_is_known_to_somebody_whenever_the_first_start_is_killed() {
    let mut luck = Luck::new();
    for round in 0..8 {
        let site = Site::new();
        let builder = site.builder().env_remove("BOXWOOD_ADMIN_PASSWORD");
        let mut server = builder.spawn();
        let hash = site.data().join("administrator.hash");
        watch_for("the password's hash", || hash.exists() || !server.is_running());
        if round > 0 {
            dither(luck.within(Duration::from_millis(1)));
        }
        server.kill();
        let told = [made_up(&server.log())];
        let server = builder.start();
        let passwords = told.into_iter().chain([made_up(&server.log())]).flatten();
        let login = |password: String| {
            let mut client = server.client();
            client.request("GET", "/api/authentication").basic("admin", &password).send().status
        };
        let statuses: Vec<u16> = passwords.map(login).collect();
        assert!(statuses.contains(&200), "no password was shown that logs in: {statuses:?}");
    }
}

/// The password that a log shows, if it does.
fn made_up(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("generated a password for admin"))?;
    line.rsplit_once(' ').map(|(_, password)| password.to_owned())
}

#[test]
fn a_later_start_that_is_killed_changes_nothing() {
    let mut luck = Luck::new();
    let site = Site::new();
    let before = some_history(&site, &mut luck);
    let (_, start_time) = timed(|| site.builder().start());
    let mut early = 0;
    for _ in 0..20 {
        let mut server = site.builder().spawn();
        dither(luck.within(start_time));
        server.kill();
        early += usize::from(server.stdout().is_empty());
    }
    assert_eq!(Tree::of(&site.builder().start()), before);
    assert!(early >= 5, "only {early} kills came before the ready line");
}

#[test]
fn a_stop_that_is_killed_loses_nothing() {
    let mut luck = Luck::new();
    let site = Site::new();
    let mut before = some_history(&site, &mut luck);
    let builder = stopping_with_a_checkpoint(&site);
    let mut stopped = 0;
    for round in 0..15 {
        let mut server = builder.start();
        let mut writer = Writer::new(ALL, true, &mut luck);
        let mut admin = server.admin();
        writer.commit(&mut admin, &Progress::default()).expect("an answer");
        let checkpoints = checkpoints(&site.data());
        server.request_termination();
        // In turn: at the signal, when it begins to stop, and when it writes the checkpoint.
        watch_for("the stop", || match round % 3 {
            0 => true,
            1 => server.log().contains("\"stopping\"") || !server.is_running(),
            _ => checkpoints != self::checkpoints(&site.data()) || !server.is_running(),
        });
        dither(luck.within(Duration::from_millis(1)));
        stopped += usize::from(server.kill().success());
        let server = builder.start();
        let tree = Tree::of(&server);
        assert!(!writer.settle(&tree), "nothing is in doubt");
        assert_eq!(tree.revision, before.revision + 1);
        before = tree;
    }
    assert!(stopped < 15, "no kill came before the end");
}

/// Commits some, and returns what is there then.
fn some_history(site: &Site, luck: &mut Luck) -> Tree {
    let server = site.builder().start();
    let mut writer = Writer::new(ALL, true, luck);
    let mut admin = server.admin();
    for _ in 0..10 {
        writer.commit(&mut admin, &Progress::default()).expect("an answer");
    }
    Tree::of(&server)
}

/// A checkpoint is due at each stop, and not before.
fn stopping_with_a_checkpoint(site: &Site) -> ServerBuilder {
    Server::builder().serve(site.data()).http().set("store.checkpoint_revisions", 1000)
}

fn checkpoints(data: &Path) -> Vec<std::path::PathBuf> {
    match fs::exists(data.join("checkpoints")) {
        Ok(true) => files(&data.join("checkpoints")),
        _ => Vec::new(),
    }
}
