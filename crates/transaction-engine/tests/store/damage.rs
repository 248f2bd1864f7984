//! Every bit that turns, every value that is cut or lost: named, never served.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use transaction_engine::store::{MemStore, RevisionLog, StoreError};

use crate::history::{History, assert_damaged, assert_holds, assert_same, number, open, open_mem};
use crate::metadata::{answer, awaiting, tag};

/// A log in memory, some of its values several kibibytes long.
fn stored(history: &History) -> MemStore {
    let store = MemStore::new();
    let (log, _) = open_mem(&store).unwrap();
    log.append(&history.records[..1]).unwrap();
    let metadata = vec![tag("one", 1), answer(1, 5), answer(2, 9), awaiting(2)];
    log.commit(&history.records[1..], metadata, None).unwrap();
    store
}

fn with_a_long_record(seed: u64) -> History {
    let mut history = History::of(seed, 3);
    history.commit(|tree| {
        let members: Vec<_> = (0..30).map(|n| crate::history::path(&format!("/c/m{n}"))).collect();
        for member in &members {
            tree.object_create(member, crate::history::body(9), None).unwrap();
        }
        members
    });
    history
}

fn assert_refused(store: &MemStore, what: &str) {
    match open_mem(store) {
        Err(StoreError::Damaged { .. } | StoreError::UnknownFormat { .. }) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn one_bit_in_any_byte_of_any_value_is_noticed_at_the_next_start() {
    let store = stored(&with_a_long_record(30));
    let mut flips = 0;
    for key in store.keys() {
        let length = transaction_engine::store::Store::get(&store, &key).unwrap().unwrap().len();
        // Every byte of the short values, and of the long ones the ends and a sample.
        for byte in (0..length).filter(|byte| *byte < 180 || byte % 97 == 0 || byte + 1 == length) {
            let image = store.crash();
            image.tamper(&key, |value| value[byte] ^= 1 << (byte % 8));
            assert_refused(&image, &format!("byte {byte} of {}", key.escape_ascii()));
            flips += 1;
        }
    }
    assert!(flips > 1_000, "{flips} is few");
}

#[test]
fn a_value_cut_or_lengthened_or_lost_is_noticed() {
    let store = stored(&with_a_long_record(31));
    for key in store.keys() {
        let name = key.escape_ascii().to_string();
        for keep in [0, 1, 7, 100, 4_095] {
            let image = store.crash();
            let mut cut = false;
            image.tamper(&key, |value| {
                cut = keep < value.len();
                value.truncate(keep);
            });
            if cut {
                assert_refused(&image, &format!("{name} cut to {keep}"));
            }
        }
        let image = store.crash();
        image.tamper(&key, |value| value.push(0));
        assert_refused(&image, &format!("{name} lengthened"));
        let image = store.crash();
        assert!(image.lose(&key));
        if key != chain_key(4) {
            assert_refused(&image, &format!("{name} lost"));
        }
    }
}

#[test]
fn the_newest_chain_entry_is_made_from_the_head_and_from_nothing_less() {
    let history = with_a_long_record(31);
    let store = stored(&history);
    store.lose(&chain_key(4));
    let image = store.crash();
    let (log, found) = open_mem(&image).unwrap();
    assert_holds(&log, &found, &history, 4);
    let image = store.crash();
    image.tamper(b"h", |head| head[60] ^= 1);
    assert_damaged(open_mem(&image), "the head cannot be read");
    // Nor does it hide that another one is missing.
    let image = store.crash();
    image.lose(&chain_key(3));
    assert_damaged(open_mem(&image), "revision 3 is missing");
}

#[test]
fn values_that_changed_places_are_noticed() {
    let store = stored(&with_a_long_record(32));
    let get = |key: &[u8]| transaction_engine::store::Store::get(&store, key).unwrap().unwrap();
    let keys = store.keys();
    for pair in keys.windows(2).filter(|pair| get(&pair[0]) != get(&pair[1])) {
        let image = store.crash();
        image.tamper(&pair[0], |value| *value = get(&pair[1]));
        image.tamper(&pair[1], |value| *value = get(&pair[0]));
        assert_refused(&image, &format!("{} swapped", pair[0].escape_ascii()));
    }
}

#[test]
fn an_older_head_does_not_hide_what_follows() {
    let history = History::of(33, 5);
    let store = stored(&history);
    let older = transaction_engine::store::Store::get(&store, &chain_key(3)).unwrap().unwrap();
    store.tamper(b"h", |head| *head = older);
    assert_damaged(open_mem(&store), "the head is revision 3");
}

#[test]
fn damage_names_the_revision() {
    let history = History::of(34, 5);
    let store = stored(&history);
    let image = store.crash();
    image.tamper(&[b"r/".as_slice(), &3_u64.to_be_bytes(), b"/\0\0\0\0"].concat(), |value| {
        value[9] ^= 1;
    });
    assert_damaged(open_mem(&image), "revision 3");
    let image = store.crash();
    image.tamper(&chain_key(4), |value| value[9] ^= 1);
    assert_damaged(open_mem(&image), "revision 4");
    let image = store.crash();
    image.tamper(b"f", |value| *value = b"2".to_vec());
    match open_mem(&image) {
        Err(StoreError::UnknownFormat { found, known }) => {
            assert_eq!((found.as_str(), known), ("2", 1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_running_log_checks_what_it_reads() {
    let history = History::of(35, 3);
    let store = MemStore::new();
    let (log, _) = open_mem(&store).unwrap();
    log.append(&history.records).unwrap();
    store.tamper(&[b"r/".as_slice(), &2_u64.to_be_bytes(), b"/\0\0\0\0"].concat(), |value| {
        value[40] ^= 8;
    });
    assert!(matches!(log.record(number(2)), Err(StoreError::Damaged { .. })));
    assert!(matches!(log.verify(), Err(StoreError::Damaged { .. })));
    assert_eq!(log.record(number(3)).unwrap().as_ref(), Some(&history.records[2]));
}

#[test]
fn verify_finds_what_nobody_speaks_of() {
    let history = History::of(36, 3);
    for stray in [b"x".as_slice(), b"i/0123456789abcdef", b"r/\0\0\0\0\0\0\0\x01/\0\0\0\x09", b"c/"]
    {
        let store = stored(&history);
        let mut batch = transaction_engine::store::Batch::default();
        batch.put(stray, 1_u64.to_be_bytes());
        transaction_engine::store::Store::write(&store, batch).unwrap();
        let found = open_mem(&store).and_then(|(log, _)| log.verify());
        assert!(matches!(found, Err(StoreError::Damaged { .. })), "{found:?}");
    }
}

#[test]
fn a_record_that_does_not_fit_is_named() {
    // Right hashes over wrong content: a mistake of ours, and not of the medium.
    let mut history = History::of(37, 3);
    let last = history.records.pop().unwrap();
    let store = MemStore::new();
    let (log, _) = open_mem(&store).unwrap();
    log.append(&history.records).unwrap();
    let mut wrong = last.clone();
    wrong.changes.remove(0);
    log.append(&[wrong]).unwrap();
    assert_damaged(open_mem(&store), "revision 3 does not lead to the tree");

    let store = MemStore::new();
    let (log, _) = open_mem(&store).unwrap();
    log.append(&history.records[..1]).unwrap();
    let mut early = last;
    early.number = number(2);
    log.append(&[early]).unwrap();
    assert_damaged(open_mem(&store), "revision 2 does not fit");
}

// ===== checkpoints =====

fn chain_key(number: u64) -> Vec<u8> {
    [b"c/".as_slice(), &number.to_be_bytes()].concat()
}

struct Checkpointed {
    store: MemStore,
    dir: TempDir,
}

impl Checkpointed {
    /// Checkpoints at 0, 2 and 4, and a head beyond.
    fn new(history: &History) -> Self {
        let it = Self { store: MemStore::new(), dir: tempfile::tempdir().unwrap() };
        let log = it.open().unwrap().0;
        for (record, tree) in history.records.iter().zip(&history.trees[1..]) {
            log.append(std::slice::from_ref(record)).unwrap();
            if matches!(record.number.get(), 2 | 4) {
                log.checkpoint(record.number, tree).unwrap();
            }
        }
        it
    }

    fn open(&self) -> Result<(RevisionLog, transaction_engine::store::Recovered), StoreError> {
        open(Box::new(self.store.clone()), Some(self.dir.path()))
    }

    fn file(&self, number: u64) -> PathBuf {
        self.dir.path().join(format!("{number:08}.checkpoint"))
    }
}

#[test]
fn a_damaged_checkpoint_is_a_warning_and_costs_only_time() {
    let history = History::of(40, 6);
    let it = Checkpointed::new(&history);
    let mut damaged = Vec::new();
    for file in [4, 2, 0].map(|number| it.file(number)) {
        let text = std::fs::read(&file).unwrap();
        std::fs::write(&file, &text[..text.len() / 2]).unwrap();
        damaged.push(file);
        let (log, found) = it.open().unwrap();
        assert_holds(&log, &found, &history, 6);
        for (warning, file) in found.warnings.iter().zip(&damaged) {
            assert!(warning.contains(file.to_str().unwrap()), "{warning}");
        }
        assert_eq!(found.warnings.len(), damaged.len());
    }
    assert_eq!(it.open().unwrap().0.verify().unwrap().warnings.len(), 3);
}

#[test]
fn every_bit_and_every_length_of_a_checkpoint_counts() {
    let history = History::of(41, 4);
    let it = Checkpointed::new(&history);
    let file = it.file(4);
    let good = std::fs::read(&file).unwrap();
    let check = |text: &[u8], what: String| {
        std::fs::write(&file, text).unwrap();
        let (_, found) = it.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found.warnings.len(), 1, "{what}");
        assert!(found.warnings[0].contains("00000004.checkpoint"), "{:?}", found.warnings);
        assert_same(&found.tree, history.newest());
    };
    for bit in 0..good.len() * 8 {
        // Every bit of every byte would take long; every byte, and every bit place, does not.
        if bit % 8 == (bit / 8) % 8 {
            let mut text = good.clone();
            text[bit / 8] ^= 1 << (bit % 8);
            check(&text, format!("bit {bit}"));
        }
    }
    for length in (0..good.len()).step_by(7).chain([good.len() - 1]) {
        check(&good[..length], format!("cut to {length}"));
    }
    check(&[good.as_slice(), b"\n"].concat(), "lengthened".into());
    let lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
    let without_one = [lines[0], &lines[2..].concat()].concat();
    check(&without_one, "a line gone".into());
    std::fs::write(&file, &good).unwrap();
    assert!(it.open().unwrap().1.warnings.is_empty());
}

#[test]
fn a_checkpoint_newer_than_the_head_says_that_revisions_were_lost() {
    let history = History::of(42, 6);
    let it = Checkpointed::new(&history);
    let short = MemStore::new();
    let (log, _) = open_mem(&short).unwrap();
    log.append(&history.records[..3]).unwrap();
    let opened = open(Box::new(short.clone()), Some(it.dir.path()));
    assert_damaged(opened, "newest revision is 3, and there is a checkpoint of revision 4");
    // Damaged or not, it was written once.
    std::fs::write(it.file(4), "").unwrap();
    assert_damaged(open(Box::new(short), Some(it.dir.path())), "revision 4");
    assert_damaged(open(Box::new(MemStore::new()), Some(it.dir.path())), "revision 4");
}

#[test]
fn a_store_that_lost_everything_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(Box::new(MemStore::new()), Some(dir.path())).unwrap());
    assert_damaged(open(Box::new(MemStore::new()), Some(dir.path())), "it is empty");
}

#[test]
fn a_checkpoint_of_another_history_is_not_used() {
    let history = History::of(43, 6);
    let (it, other) = (Checkpointed::new(&history), Checkpointed::new(&History::of(44, 6)));
    std::fs::copy(other.file(4), it.file(4)).unwrap();
    assert_damaged(it.open(), "revision 4 belongs to another history");
    // Nor one that only has the wrong name.
    let it = Checkpointed::new(&history);
    std::fs::copy(it.file(2), it.file(4)).unwrap();
    let (log, found) = it.open().unwrap();
    assert!(found.warnings[0].contains("it says it is of revision 2"), "{:?}", found.warnings);
    assert_holds(&log, &found, &history, 6);
}

#[test]
fn what_was_left_unfinished_goes_and_what_is_not_ours_stays() {
    let it = Checkpointed::new(&History::of(45, 4));
    let unfinished = it.dir.path().join("00000005.checkpoint.unfinished");
    let foreign = ["notes.txt", "5.checkpoint", "+0000005.checkpoint", "x.checkpoint"]
        .map(|name| it.dir.path().join(name));
    for file in foreign.iter().chain([&unfinished]) {
        std::fs::write(file, "x").unwrap();
    }
    assert!(it.open().unwrap().1.warnings.is_empty());
    assert!(!unfinished.exists());
    assert!(foreign.iter().all(|file: &PathBuf| Path::exists(file)));
}
