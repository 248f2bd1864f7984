//! Files of the store that are not what was written: named and refused, or without consequence.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use support::{Exit, Server};

use crate::luck::Luck;
use crate::site::{Site, copy, files};
use crate::tree::Tree;
use crate::writer::{ALL, Progress, Writer};

/// A stopped data directory with a history, checkpoints in it, and what it holds.
struct Sample {
    site: Site,
    tree: Tree,
}

impl Sample {
    fn new() -> Sample {
        let site = Site::new();
        let mut luck = Luck::seeded(1);
        let mut server = site.builder().start();
        let mut writer = Writer::new(ALL, true, &mut luck);
        let mut admin = server.admin();
        for _ in 0..25 {
            writer.commit(&mut admin, &Progress::default()).expect("an answer");
        }
        let tree = Tree::of(&server);
        assert!(server.terminate().success());
        Sample { site, tree }
    }

    /// Starts on a copy in which something was done to the files, and returns the daemon, or how
    /// it ended.
    fn start(&self, damage: impl FnOnce(&Path)) -> (Result<Server, Exit>, PathBuf) {
        let data = self.site.evidence().join("damaged");
        if data.exists() {
            fs::remove_dir_all(&data).expect("a copy can be removed");
        }
        copy(&self.site.data(), &data);
        damage(&data);
        (self.site.builder_in(&data).try_start(), data)
    }

    /// It starts, and holds what it held; returns the log.
    fn is_harmless(&self, what: &str, damage: impl FnOnce(&Path)) -> String {
        match self.start(damage).0 {
            Ok(server) => {
                assert_eq!(Tree::of(&server), self.tree, "{what}");
                server.log()
            }
            Err(exit) => panic!("{what}: {}\n{}", exit.status, exit.stderr),
        }
    }

    /// It does not start, twice; returns the message.
    fn is_refused(&self, what: &str, damage: impl FnOnce(&Path)) -> String {
        let (outcome, data) = self.start(damage);
        let message = refusal(what, &outcome.expect_err("it starts"));
        // Looking at it has not made it good.
        let again = self.site.builder_in(&data).try_start().expect_err("it starts now");
        assert_eq!(refusal(what, &again), message);
        message
    }
}

/// The message of a start that was refused as it should be.
fn refusal(what: &str, exit: &Exit) -> String {
    let Exit { status, stdout, stderr, .. } = exit;
    assert_eq!((status.code(), stdout.as_str()), (Some(1), ""), "{what}\n{stderr}");
    assert!(!stderr.contains("panicked"), "{what}\n{stderr}");
    let message = stderr.lines().last().unwrap_or_default();
    assert!(message.starts_with("boxwood: "), "{what}\n{stderr}");
    assert!(message.contains("damaged"), "{what}\n{stderr}");
    assert!(message.contains("backup"), "it says what to do: {what}\n{stderr}");
    message.to_owned()
}

fn flip(path: &Path, position: u64, bit: u64) {
    let file = fs::File::options().read(true).write(true).open(path).expect("a file can be opened");
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).expect("a position is in the file");
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, position).expect("a file can be written");
}

fn cut(path: &Path, length: u64) {
    let file = fs::File::options().write(true).open(path).expect("a file can be opened");
    file.set_len(length).expect("a file can be cut");
}

fn length(path: &Path) -> u64 {
    path.metadata().expect("a file is there").len()
}

/// The checkpoints, the newest first.
fn checkpoints(data: &Path) -> Vec<PathBuf> {
    let folder = data.join("checkpoints");
    let mut found: Vec<PathBuf> = files(&folder)
        .into_iter()
        .filter(|name| name.extension().is_some_and(|it| it == "checkpoint"))
        .map(|name| folder.join(name))
        .collect();
    found.reverse();
    found
}

const STORE: &str = "revisions.sled";

#[test]
fn a_flipped_bit_is_named_or_without_consequence() {
    let sample = Sample::new();
    let mut luck = Luck::seeded(2);
    let (mut refused, mut harmless) = (Vec::new(), 0);
    for file in files(&sample.site.data()) {
        let positions = match file.to_str().expect("a name is text") {
            "revisions.sled/db" => 60,
            // Not the store's: see tests/cli for the key and the password.
            "lock" | "secret.key" | "administrator.hash" => 0,
            _ => 6,
        };
        let length = length(&sample.site.data().join(&file));
        for _ in 0..positions {
            let (position, bit) = (luck.below(length), luck.below(8));
            let what = format!("bit {bit} of byte {position} of {}", file.display());
            match sample.start(|data| flip(&data.join(&file), position, bit)).0 {
                Ok(server) => {
                    assert_eq!(Tree::of(&server), sample.tree, "{what}");
                    harmless += 1;
                }
                Err(exit) => refused.push(format!("{what}: {}", refusal(&what, &exit))),
            }
        }
    }
    println!("{} flips refused, {harmless} without consequence", refused.len());
    for line in &refused {
        println!("  {line}");
    }
    assert!(!refused.is_empty() && harmless > 0);
}

#[test]
fn damaged_checkpoints_are_a_warning_and_no_more() {
    let sample = Sample::new();
    let newest = checkpoints(&sample.site.data()).first().expect("there are some").clone();
    let name = newest.file_name().and_then(|it| it.to_str()).expect("a name is text");
    assert_eq!(name, "00000026.checkpoint", "a stop leaves one of the newest revision");

    let middle = length(&newest) / 2;
    let log = sample.is_harmless("a flipped bit", |data| {
        flip(&checkpoints(data)[0], middle, 3);
    });
    let warning = log.lines().find(|line| line.contains("\"WARN\"")).unwrap_or_default();
    assert!(warning.contains(name) && warning.contains("damaged"), "{log}");

    sample.is_harmless("a cut checkpoint", |data| cut(&checkpoints(data)[0], middle));
    sample.is_harmless("an empty checkpoint", |data| cut(&checkpoints(data)[0], 0));
    sample.is_harmless("an unfinished checkpoint", |data| {
        let unfinished = data.join("checkpoints/00000027.checkpoint.unfinished");
        fs::write(unfinished, "half a li").expect("a file can be written");
    });
    let log = sample.is_harmless("all checkpoints flipped", |data| {
        checkpoints(data).iter().for_each(|path| flip(path, 100, 0));
    });
    assert_eq!(log.matches("\"WARN\"").count(), checkpoints(&sample.site.data()).len(), "{log}");
    sample.is_harmless("no checkpoint", |data| {
        checkpoints(data).iter().for_each(|path| fs::remove_file(path).expect("it is there"));
    });
    sample.is_harmless("no folder of checkpoints", |data| {
        fs::remove_dir_all(data.join("checkpoints")).expect("it is there");
    });
    let log = sample.is_harmless("both notes of the newest revision flipped", |data| {
        flip(&data.join("checkpoints/head"), 50, 0);
        flip(&data.join("checkpoints/head"), 4096 + 50, 0);
    });
    assert!(log.contains("the note of the newest revision"), "{log}");
}

#[test]
fn a_store_that_lost_something_is_refused_and_not_made_anew() {
    let sample = Sample::new();
    let remove = |path: PathBuf| fs::remove_dir_all(path).expect("it is there");
    let message = sample.is_refused("no store", |data| remove(data.join(STORE)));
    assert!(message.contains("checkpoint of revision 26"), "{message}");
    sample.is_refused("an empty store", |data| {
        remove(data.join(STORE));
        fs::create_dir(data.join(STORE)).expect("a folder can be made");
    });
    sample.is_refused("no db", |data| {
        fs::remove_file(data.join(STORE).join("db")).expect("it is there");
    });
    sample.is_refused("an empty db", |data| cut(&data.join(STORE).join("db"), 0));
    sample.is_refused("another store", |data| {
        let other = Sample::new();
        remove(data.join(STORE));
        copy(&other.site.data().join(STORE), &data.join(STORE));
    });
    for part in 1..8 {
        let what = format!("{part} eighths of the db");
        let (outcome, _) = sample.start(|data| {
            let db = data.join(STORE).join("db");
            cut(&db, length(&db) * part / 8);
        });
        match outcome {
            // Its end holds nothing yet: sled takes room in advance.
            Ok(server) => assert_eq!(Tree::of(&server), sample.tree, "{what}"),
            Err(exit) => drop(refusal(&what, &exit)),
        }
    }
}

#[test]
fn a_store_that_went_back_in_time_is_refused() {
    let site = Site::new();
    let mut luck = Luck::seeded(3);
    let mut server = site.builder().start();
    let mut writer = Writer::new(ALL, true, &mut luck);
    let mut admin = server.admin();
    writer.commit(&mut admin, &Progress::default()).expect("an answer");
    assert!(server.kill().code().is_none());
    let old = site.evidence().join("old");
    copy(&site.data().join(STORE), &old);

    // One more commit, acknowledged, and no checkpoint: the note alone knows of it.
    let mut server = site.builder().start();
    let mut admin = server.admin();
    writer.commit(&mut admin, &Progress::default()).expect("an answer");
    let tree = Tree::of(&server);
    server.kill();
    let new = site.evidence().join("new");
    copy(&site.data().join(STORE), &new);

    fs::remove_dir_all(site.data().join(STORE)).expect("it is there");
    copy(&old, &site.data().join(STORE));
    let exit = site.builder().try_start().expect_err("it starts with an old store");
    let message = refusal("an old store", &exit);
    assert!(message.contains("newest revision is 2, and revision 3"), "{message}");

    fs::remove_dir_all(site.data().join(STORE)).expect("it is there");
    copy(&new, &site.data().join(STORE));
    assert_eq!(Tree::of(&site.builder().start()), tree);
}
