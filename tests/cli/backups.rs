//! Backups: taken while commits go on, verified, restored.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use support::{Evidence, Exit, Server, refused};

use crate::shared::{commit_something, config_hash};

#[track_caller]
fn command(args: &[&str]) -> Exit {
    Server::builder().bare().args(args).run()
}

#[track_caller]
fn succeed(args: &[&str]) -> String {
    let exit = command(args);
    assert!(exit.status.success(), "{}", exit.stderr);
    exit.stdout
}

#[test]
fn a_backup_taken_while_commits_go_on_is_one_revision_and_can_be_restored() {
    let evidence = Evidence::new();
    let path = |name: &str| evidence.path().join(name).display().to_string();
    let (data, file, restored) = (path("data"), path("backup"), path("restored"));
    let builder = Server::builder().serve(&data).http();
    let mut server = builder.start();
    let mut admin = server.admin();
    commit_something(&server);
    admin.put("/boxwood/v1/tags/before", &json!({ "revision": 2 }));
    let (printed, newest) = std::thread::scope(|scope| {
        let taking = scope.spawn(|| succeed(&["backup", "--data-dir", &data, "--output", &file]));
        while !taking.is_finished() {
            commit_something(&server);
        }
        let newest = server.client().get("/boxwood/v1/health").at("/revision");
        (taking.join().expect("a backup"), newest.as_u64().expect("a number"))
    });
    assert!(printed.starts_with("wrote "), "{printed}");
    assert!(server.log().contains("backup made"), "{}", server.log());
    let mode = fs::metadata(&file).expect("a backup").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(server.terminate().success());

    let verified = succeed(&["restore", &file, "--data-dir", &restored]);
    assert!(verified.starts_with("sps-6.2: revision "), "{verified}");
    succeed(&["verify", "--data-dir", &restored]);
    // The password and the tag are those of the backup, and its revision is one of the daemon's.
    let copy = Server::builder().serve(&restored).http().env_remove("BOXWOOD_ADMIN_PASSWORD");
    let copy = copy.start();
    let mut admin = copy.admin();
    let revision = admin.get("/boxwood/v1/health").at("/revision").as_u64().expect("a number");
    assert!((2..=newest).contains(&revision), "{revision} of {newest}");
    let tags = admin.get("/boxwood/v1/tags").expect(200);
    assert_eq!(tags.at("/items/0/name"), "before");
    let digest = |admin: &mut support::Client| {
        let shown = admin.get(&format!("/boxwood/v1/revisions/{revision}")).expect(200);
        shown.at("/digest")
    };
    let server = builder.start();
    assert_eq!(digest(&mut admin), digest(&mut server.admin()));
}

#[test]
fn a_closed_directory_with_several_appliances_and_a_short_history_is_backed_up() {
    let evidence = Evidence::new();
    let path = |name: &str| evidence.path().join(name).display().to_string();
    let (data, file, restored) = (path("data"), path("backup"), path("restored"));
    let builder = Server::builder()
        .appliance("sps-6.2")
        .appliance("prisma-access")
        .set("history.keep_revisions", 1);
    let mut server = builder.clone().serve(&data).http().start();
    for _ in 0..5 {
        commit_something(&server);
    }
    let hash = config_hash(&mut server.admin());
    assert!(server.terminate().success());
    succeed(&["backup", "--data-dir", &data, "--output", &file]);
    let verified = succeed(&["restore", &file, "--data-dir", &restored]);
    for part in ["sps-6.2: ", "prisma-access: ", "prisma-access, candidate: "] {
        assert!(verified.contains(part), "{part}: {verified}");
    }
    let copy = builder.serve(&restored).http().start();
    assert_eq!(config_hash(&mut copy.admin()), hash);
    copy.admin_of("prisma-access");
}

#[test]
fn damaged_backups_and_used_directories_are_refused_and_leave_nothing() {
    let evidence = Evidence::new();
    let path = |name: &str| evidence.path().join(name).display().to_string();
    let (data, file, restored) = (path("data"), path("backup"), path("restored"));
    refused(
        &command(&["backup", "--data-dir", &data, "--output", &file]),
        1,
        &["no configuration"],
    );
    assert!(!evidence.path().join("backup.unfinished").exists());
    let mut server = Server::builder().serve(&data).http().start();
    assert!(server.terminate().success());
    succeed(&["backup", "--data-dir", &data, "--output", &file]);
    refused(&command(&["restore", &file, "--data-dir", &data]), 1, &["is not empty"]);

    let whole = fs::read(&file).expect("a backup");
    for (place, damage) in [(0, 1), (whole.len() / 2, 1), (whole.len() - 1, 1)] {
        let mut bytes = whole.clone();
        bytes[place] ^= damage;
        fs::write(&file, bytes).expect("it can be written");
        refused(&command(&["restore", &file, "--data-dir", &restored]), 1, &["backup"]);
    }
    fs::write(&file, &whole[..whole.len() - 7]).expect("it can be written");
    refused(&command(&["restore", &file, "--data-dir", &restored]), 1, &["ends early"]);
    assert!(!evidence.path().join("restored").exists());
    assert!(!evidence.path().join("restored.unfinished").exists());
}
