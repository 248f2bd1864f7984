//! A disk that fails under the real daemon: full, or with errors when it is made to sync.
//!
//! Nothing in the daemon is prepared for these tests. A limit on the size of its files works for
//! everybody; the other two need root and mounts of their own, and say so when they cannot run.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use support::{Server, ServerBuilder, binary, wait_for_value};

use crate::luck::Luck;
use crate::mount::{Mount, run};
use crate::site::Site;
use crate::tree::Tree;
use crate::writer::{ALL, Part, Progress, Writer};

/// What is demanded of a daemon whose disk begins to fail, and of the next one on a good disk.
/// The log of the first must say what the system said, one of the `causes`.
fn fail_and_recover(
    builder: &ServerBuilder,
    fail: impl FnOnce(&Server),
    heal: impl FnOnce(),
    replace: impl FnOnce(),
    causes: &[&str],
) {
    let mut luck = Luck::new();
    let mut server = builder.start();
    let mut writer = Writer::new(ALL, true, &mut luck);
    let mut admin = server.admin();
    for _ in 0..9 {
        writer.commit(&mut admin, &Progress::default()).expect("an answer");
    }
    let mut before = Tree::of(&server);

    fail(&server);

    // Until what the store has in reserve is used up.
    let syslog = Part::Syslog.path();
    let (refused, staged) = wait_for_value("a commit that is refused", || {
        let body = json!({ "padding": "y".repeat(100_000), "luck": luck.next() });
        admin.open().expect(200);
        admin.put(&syslog, &body).expect(200);
        let answer = admin.commit();
        if answer.status == 200 {
            // The disk may have failed after the sync: then this commit is the last one.
            before = Tree::read_by(&mut server.admin());
            assert_eq!(before.body(&syslog), &body);
            return None;
        }
        Some((answer.expect_error(503, "StoreUnavailable"), body))
    });
    let message = refused.at("/error/message").as_str().unwrap_or_default().to_owned();
    assert!(message.contains("restart"), "it says what to do: {refused}");

    // Nothing of it is visible to others, and what was acknowledged still is.
    let mut other = server.admin();
    for (path, body) in &before.bodies {
        assert_eq!(other.get(path).expect(200).at("/body"), *body, "reads go on");
    }
    let health = other.get("/boxwood/v1/health").expect(200);
    assert_eq!(health.at("/store"), "poisoned", "{health}");
    assert_eq!(health.at("/revision"), before.revision, "{health}");
    other.request("GET", "/boxwood/v1/ready").unchecked().send().expect(503);
    // The transaction is still there, for whoever wants to copy it, and can be given up.
    assert_eq!(admin.get("/api/transaction").expect(200).at("/body/status"), "open");
    assert_eq!(admin.get(&syslog).expect(200).at("/body"), staged);
    admin.commit().expect_error(503, "StoreUnavailable");
    admin.rollback().expect(200);
    assert_eq!(admin.get(&syslog).expect(200).at("/body"), *before.body(&syslog));

    // And so it stays, also on a good disk, until a restart.
    heal();
    other.open().expect(200);
    other.put(&syslog, &staged).expect(200);
    other.commit().expect_error(503, "StoreUnavailable");
    assert!(server.terminate().success(), "it stops in order:\n{}", server.log());
    let log = server.log();

    replace();
    let server = builder.start();
    let after = Tree::of(&server);
    if after.revision != before.revision {
        // A sync that failed may have reached the disk all the same: then the commit is there whole.
        assert_eq!(after.revision, before.revision + 1);
        assert_eq!(*after.body(&syslog), staged);
    } else {
        assert!(after == before, "something acknowledged is lost");
    }
    // What could not be committed then can be now.
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(&syslog, &staged).expect(200);
    admin.commit().expect(200);
    assert_eq!(admin.get(&syslog).expect(200).at("/body"), staged);

    let errors: Vec<&str> = log.lines().filter(|line| line.contains("\"ERROR\"")).collect();
    assert!(!log.contains("panicked"), "{log}");
    assert!(errors.iter().any(|line| line.contains("the store failed")), "{errors:#?}");
    let says_why = |line: &&str| causes.iter().any(|cause| line.contains(cause));
    assert!(errors.iter().any(says_why), "the log says why: {errors:#?}");
}

#[test]
fn a_file_that_may_not_grow_stops_commits_and_loses_none() {
    let site = Site::new();
    // The signal that comes with the error would end the daemon; being ignored is inherited.
    let builder = Server::builder()
        .binary("/bin/sh")
        .bare()
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(binary())
        .args(["serve", "--listen", "http://127.0.0.1:0", "--data-dir"])
        .arg(site.data())
        .args(["--set", "store.checkpoint_revisions=7"])
        .env("BOXWOOD_ADMIN_PASSWORD", "admin");
    let fail = |server: &Server| {
        let pid = Pid::from_raw(server.pid().cast_signed());
        let db = site.data().join("revisions.sled/db");
        let length = db.metadata().expect("the store has a file").len();
        // Below where it ends by now, so that also what was prepared cannot be written.
        let limit = Rlimit { current: Some(length / 2), maximum: None };
        prlimit(pid, Resource::Fsize, limit).expect("a child's limits can be set");
    };
    fail_and_recover(&builder, fail, || (), || (), &["File too large"]);
}

#[test]
fn a_full_disk_stops_commits_and_loses_none() {
    let site = Site::new();
    let Some(disk) = mount_tmpfs(&site.evidence().join("disk"), "24m") else { return };
    let data = disk.path().join("data");
    let builder = site.builder_in(&data);
    let ballast = disk.path().join("ballast");
    let fail = |_: &Server| fill(&ballast);
    fail_and_recover(&builder, fail, || remove(&ballast), || (), &["No space left on device"]);

    // A start on a full disk is no occasion to lose something either.
    let before = Tree::of(&builder.start());
    fill(&ballast);
    match builder.try_start() {
        Ok(server) => {
            server.admin().get("/api/configuration/management/email").expect(200);
        }
        Err(exit) => {
            assert_eq!((exit.status.code(), exit.stdout.as_str()), (Some(1), ""));
            assert!(exit.stderr.contains("No space left"), "it says why: {}", exit.stderr);
        }
    }
    remove(&ballast);
    assert_eq!(Tree::of(&builder.start()), before);
}

#[test]
fn a_first_start_on_a_full_disk_says_so_and_the_next_one_works() {
    let site = Site::new();
    let Some(disk) = mount_tmpfs(&site.evidence().join("disk"), "24m") else { return };
    let builder = site.builder_in(&disk.path().join("data"));
    let ballast = disk.path().join("ballast");
    // From nothing at all to nearly enough.
    for free in [0, 8 << 10, 64 << 10, 512 << 10, 2 << 20] {
        fill(&ballast);
        let length = ballast.metadata().expect("there is ballast").len();
        let file = fs::File::options().write(true).open(&ballast).expect("there is ballast");
        file.set_len(length - free).expect("a file can be cut");
        if let Err(exit) = builder.try_start() {
            assert_eq!((exit.status.code(), exit.stdout.as_str()), (Some(1), ""));
            assert!(exit.stderr.contains("No space left"), "{free} free: {}", exit.stderr);
        }
    }
    remove(&ballast);
    assert_eq!(Tree::of(&builder.start()).revision, 1);
}

#[test]
fn a_sync_that_fails_stops_commits_and_loses_none() {
    let site = Site::new();
    // A file system that takes everything, on an image that cannot: what the kernel accepted turns
    // out to be unwritable when it is synced.
    let Some(below) = mount_tmpfs(&site.evidence().join("below"), "32m") else { return };
    let image = below.path().join("image");
    let made = fs::File::create(&image).and_then(|file| file.set_len(256 << 20));
    made.expect("an image can be made");
    let image_text = image.to_str().expect("a path is text");
    if let Err(why) = run("mkfs.ext4", &["-q", "-F", image_text]) {
        skipped(&format!("there is no file system to make: {why}"));
        return;
    }
    let point = site.evidence().join("disk");
    let Some(disk) = mount_image(&image, &point) else { return };
    let builder = site.builder_in(&disk.path().join("data"));
    let ballast = below.path().join("ballast");
    let fail = |_: &Server| fill(&ballast);
    let disk = Cell::new(Some(disk));
    let replace = || {
        // What could not be written is still in the kernel's memory, and is not to be trusted.
        drop(disk.take());
        // And what the old device could not write may be held against the new mount of it.
        let copy = site.evidence().join("image");
        fs::copy(&image, &copy).expect("an image can be copied");
        let mounted = mount_image(&copy, &point).expect("what could be mounted once can be again");
        disk.set(Some(mounted));
    };
    fail_and_recover(
        &builder,
        fail,
        || remove(&ballast),
        replace,
        &["No space left on device", "os error"],
    );
}

/// Says that a test did not run. Straight to standard error: what is printed is not shown when a
/// test passes.
fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "{test}: skipped: {why}");
}

/// Takes all the room there is.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).expect("ballast can be made");
    for size in [1 << 20, 4096, 1] {
        let block = vec![0x5a; size];
        while file.write_all(&block).is_ok() {}
    }
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("ballast can be removed");
}

/// `None`, with a word about it, where mounts are not allowed.
fn mount(path: &Path, arguments: &[&str]) -> Option<Mount> {
    Mount::at(path, arguments)
        .inspect_err(|why| skipped(&format!("mounting is not permitted here: {why}")))
        .ok()
}

fn mount_tmpfs(path: &Path, size: &str) -> Option<Mount> {
    mount(path, &["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
}

fn mount_image(image: &Path, path: &Path) -> Option<Mount> {
    mount(path, &["-o", "loop", image.to_str().expect("a path is text")])
}
