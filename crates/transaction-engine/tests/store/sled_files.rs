//! What only the store on disk can suffer: damaged files, and a second opener.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use transaction_engine::store::{Batch, Recovered, RevisionLog, Store, StoreError};

use crate::history::{History, assert_damaged, assert_holds, assert_same, copy_folder, open, sled};

#[test]
fn a_second_opener_is_refused_while_the_first_lives() {
    let dir = tempfile::tempdir().unwrap();
    let first = sled(dir.path()).unwrap();
    match sled(dir.path()) {
        Err(error @ StoreError::InUse { .. }) => {
            assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
        }
        other => panic!("{:?}", other.err()),
    }
    drop(first);
    for _ in 0..20 {
        drop(sled(dir.path()).unwrap());
    }
}

#[test]
fn a_new_data_directory_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("a/b");
    let store = sled(&data_dir).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    assert_eq!(mode(&data_dir.join("lock")), 0o600);
    assert_eq!(mode(&data_dir.join("revisions.sled")), 0o700);
    assert_eq!(store.data_dir(), data_dir);
}

#[test]
fn a_place_that_cannot_be_a_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = sled(&file).err().unwrap();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn an_opening_that_was_cut_off_is_made_good_by_the_next() {
    let history = History::of(5, 5);
    let dir = written(&history);
    let folder = dir.path().join("revisions.sled");
    // Newer than the one that is whole, as far as its name says.
    let unfinished = folder.join("snap.7FFFFFFFFFFFFFFF.generating");
    for content in ["", "half of a snapshot, and no more of it"] {
        std::fs::write(&unfinished, content).unwrap();
        let (log, recovered) = reopen(dir.path()).unwrap();
        assert_holds(&log, &recovered, &history, 5);
        drop(log);
        assert!(!unfinished.exists());
    }
}

/// A directory with a past of many commits, closed properly.
fn written(history: &History) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = reopen(dir.path()).unwrap();
    for record in &history.records {
        log.append(std::slice::from_ref(record)).unwrap();
    }
    dir
}

fn reopen(data_dir: &Path) -> Result<(RevisionLog, Recovered), StoreError> {
    open(Box::new(sled(data_dir)?), Some(&data_dir.join("checkpoints")))
}

/// Damages copies of a directory, and sees to it that each is refused or as good as the original;
/// returns how many were refused.
fn damage_copies(history: &History, seeds: u64, damage: impl Fn(&Path, u64) -> String) -> u64 {
    let origin = written(history);
    let mut refused = 0;
    for seed in 0..seeds {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(origin.path(), copy.path());
        let place = damage(copy.path(), seed);
        match reopen(copy.path()) {
            Ok((log, found)) => {
                assert_same(&found.tree, history.newest());
                log.verify().unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            Err(StoreError::Damaged { .. } | StoreError::UnknownFormat { .. }) => refused += 1,
            Err(other) => panic!("{place}: {other:?}"),
        }
    }
    refused
}

#[test]
fn a_turned_bit_in_a_file_gives_an_error_or_the_same_tree() {
    // sled itself takes some of these for the end of its log, and opens at an earlier revision.
    let refused = damage_copies(&History::of(50, 40), 20, flip);
    assert!(refused > 0, "twenty flips hit nothing but dead space");
}

#[test]
fn a_file_cut_short_gives_an_error_or_the_same_tree() {
    let refused = damage_copies(&History::of(51, 40), 10, |data_dir, seed| {
        let db = data_dir.join("revisions.sled/db");
        let file = std::fs::OpenOptions::new().write(true).open(&db).unwrap();
        let length = random(seed) % file.metadata().unwrap().len();
        file.set_len(length).unwrap();
        format!("cut to {length}")
    });
    assert!(refused > 0, "ten cuts hit nothing but dead space");
}

#[test]
fn a_lost_tail_is_noticed_without_a_checkpoint_of_it() {
    let history = History::of(52, 9);
    let dir = written(&history);
    let older = tempfile::tempdir().unwrap();
    let (log, _) = reopen(older.path()).unwrap();
    log.append(&history.records[..8]).unwrap();
    drop(log);
    std::fs::remove_dir_all(dir.path().join("revisions.sled")).unwrap();
    std::fs::create_dir(dir.path().join("revisions.sled")).unwrap();
    copy_folder(&older.path().join("revisions.sled"), &dir.path().join("revisions.sled"));
    assert_damaged(reopen(dir.path()), "newest revision is 8, and revision 9 was durable");

    // Damaged itself, the note is a warning and no more; the store is what counts.
    std::fs::write(dir.path().join("checkpoints/head"), [7; 8192]).unwrap();
    let (log, found) = reopen(dir.path()).unwrap();
    assert_eq!(found.warnings.len(), 1);
    assert_holds(&log, &found, &history, 8);
    drop(log);
    assert_eq!(reopen(dir.path()).unwrap().1.warnings, [""; 0]);
}

/// Turns one bit of one of sled's files, in a stretch that holds something, and says where.
fn flip(data_dir: &Path, seed: u64) -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(data_dir.join("revisions.sled"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    // Mostly the file with the records; a snapshot or a setting now and then.
    let db = data_dir.join("revisions.sled/db");
    let file = match random(seed) % 4 {
        0 => files[usize::try_from(seed).unwrap() % files.len()].clone(),
        _ => db,
    };
    let mut bytes = std::fs::read(&file).unwrap();
    let mut draw = seed;
    let place = loop {
        draw += 1_000;
        let place = usize::try_from(random(draw) % bytes.len() as u64).unwrap();
        if bytes[place..].iter().take(16).any(|byte| *byte != 0) {
            break place;
        }
    };
    bytes[place] ^= 1 << (seed % 8);
    std::fs::write(&file, bytes).unwrap();
    format!("byte {place} of {}", file.display())
}

fn random(seed: u64) -> u64 {
    let hash = blake3::hash(&seed.to_le_bytes());
    u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap())
}

#[test]
fn a_store_opens_again_the_moment_it_was_closed() {
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    std::thread::scope(|scope| {
        for dir in &dirs {
            scope.spawn(|| {
                for _ in 0..25 {
                    let store = sled(dir.path()).unwrap();
                    let mut batch = Batch::default();
                    batch.put(b"k".to_vec(), b"v".to_vec());
                    store.write(batch).unwrap();
                }
            });
        }
    });
}
