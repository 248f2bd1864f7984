//! What is stored: any bytes are refused or read back as they are, and a damaged store is never
//! taken for another one.

use std::sync::LazyLock;

use config_tree::{Body, Key, NodePath, Reference, Tree, changes_between};
use serde_json::json;
use transaction_engine::store::fuzzing;
use transaction_engine::store::{
    Answer, Awaiting, MemStore, MetadataChange, Recovered, RevisionLog, Store, StoreError, Tag,
};
use transaction_engine::{RevisionNumber, RevisionRecord, Timestamp};
use uuid::Uuid;

pub(crate) const WORDS: &[&str] = &[
    "record\n",
    "entry\n",
    "head\n",
    "note\n",
    "side t/one\n",
    "side w\n",
    "checkpoint\n",
    "store\n",
    "{\"create\":{\"path\":\"/c/a\",\"rank\":3,\"after\":{\"body\":1}}}",
    "\"refs\":[{\"at\":\"/to\",\"to\":\"/f/o\"}]",
    "\"message\":null",
    "\"rank\":18446744073709551615",
    "\"before\":{\"body\":",
    "\\u0041",
    "\\ud800",
    "\n",
    "00000000",
    "-9223372036854775808",
];

/// A word on the first line says what the bytes behind it are to be taken for.
pub fn fuzz_record(data: &[u8]) -> bool {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let rest = data.get(end + 1..).unwrap_or_default();
    match &data[..end] {
        b"record" => a_record_reads_back(rest),
        b"entry" => fuzzing::chain_entry(rest).is_some_and(|written| same(&written, rest)),
        b"head" => fuzzing::side_head(rest).is_some_and(|written| same(&written, rest)),
        b"note" => a_note_reads_back(rest),
        b"checkpoint" => a_checkpoint_reads_back(rest),
        b"store" => a_damaged_store_is_no_other(rest),
        word => match word.strip_prefix(b"side ") {
            Some(key) => a_side_entry_reads_back(key, rest),
            None => [a_record_reads_back(data), a_damaged_store_is_no_other(data)].contains(&true),
        },
    }
}

fn same(written: &[u8], read: &[u8]) -> bool {
    assert_eq!(written, read, "one form, to the bit");
    true
}

// ===== a record =====

fn a_record_reads_back(raw: &[u8]) -> bool {
    let heading = fuzzing::heading(raw);
    let Ok(record) = fuzzing::record(raw) else { return false };
    let RevisionRecord { author, session, message, changes, .. } = &record;
    let told = (author.clone(), session.clone(), message.clone(), changes.len());
    assert_eq!(heading, Some(told), "who looks at the heading alone sees the same");
    // Some texts are read and never written: with white space in a body. They are guarded by a hash.
    let Some(text) = fuzzing::record_text(&record) else { return false };
    let again = fuzzing::record(&text).expect("what was written can be read");
    assert_eq!(again, record);
    assert_eq!(fuzzing::record_text(&again).as_deref(), Some(text.as_slice()));
    a_chain_entry_is_exact(&record, raw);
    true
}

fn a_chain_entry_is_exact(record: &RevisionRecord, noise: &[u8]) {
    let mut previous = [0; 32];
    previous.iter_mut().zip(noise.iter().rev()).for_each(|(to, from)| *to = *from);
    let entry = fuzzing::chain_entry_of(record, previous).expect("it was encoded before");
    assert_eq!(fuzzing::chain_entry(&entry).as_deref(), Some(entry.as_slice()));
    let place = noise.iter().map(|byte| usize::from(*byte)).sum::<usize>() % entry.len();
    let mut turned = entry;
    turned[place] ^= 1 << (noise.len() % 8);
    assert_eq!(fuzzing::chain_entry(&turned), None, "a bit that turned is noticed");
}

// ===== what stands beside =====

fn a_note_reads_back(bytes: &[u8]) -> bool {
    let Some(note) = fuzzing::note(bytes) else { return false };
    assert_eq!(fuzzing::note(&note).as_deref(), Some(note.as_slice()));
    // The head of the side entries may be missing, in a note of an older Boxwood.
    let entry = 176;
    let length = bytes.len().min(note.len());
    assert_eq!(note[..length.min(entry)], bytes[..length.min(entry)]);
    let rest = bytes.get(entry..length).unwrap_or_default();
    assert!(rest.iter().all(|byte| *byte == 0) || note[entry..length] == *rest);
    true
}

fn a_side_entry_reads_back(key: &[u8], text: &[u8]) -> bool {
    let mut accepted = false;
    // As it is, which no fuzzer gets right, and with the hash that belongs to it.
    for value in [text.to_vec(), fuzzing::side_value(key, text), Vec::new()] {
        let Some(written) = fuzzing::side_entry(key, &value) else { continue };
        accepted = true;
        let again = fuzzing::side_entry(key, &written);
        assert_eq!(again.as_deref(), Some(written.as_slice()), "written once is written for good");
        if let Some(last) = value.len().checked_sub(1) {
            let mut turned = value;
            turned[text.len() % (last + 1)] ^= 1;
            assert_eq!(fuzzing::side_entry(key, &turned), None, "a bit that turned is noticed");
        }
    }
    accepted
}

// ===== a checkpoint =====

fn a_checkpoint_reads_back(lines: &[u8]) -> bool {
    let skeleton = skeleton();
    let newest = RevisionNumber::new(PAST.records.len() as u64);
    let read = |bytes: &[u8]| fuzzing::checkpoint(bytes, newest, &skeleton);
    // Anywhere, and in the last line, which covers all others.
    let anywhere = lines.iter().map(|byte| usize::from(*byte)).sum::<usize>();
    for place in [anywhere % PAST.checkpoint.len(), PAST.checkpoint.len() - 2 - anywhere % 66] {
        let mut turned = PAST.checkpoint.clone();
        turned[place] ^= 1 << (lines.len() % 8);
        assert!(read(&turned).is_err(), "a bit that turned in byte {place} is noticed");
    }
    // Whatever a fuzzer makes of the lines, with the end that belongs to them.
    let Ok(tree) = read(&fuzzing::checkpoint_ended(lines)) else { return false };
    assert!(tree.is_consistent());
    if let Ok(written) = fuzzing::checkpoint_of(newest, [0; 32], &tree) {
        let again = read(&written).expect("what was written can be read");
        assert_eq!(again.digest(), tree.digest());
    }
    true
}

// ===== a whole store =====

/// Six bytes for each thing that happens to a good store: what, to which entry, where, and how.
const STEP: usize = 6;

fn a_damaged_store_is_no_other(steps: &[u8]) -> bool {
    let store = PAST.store.crash();
    let keys = store.keys();
    for step in steps.chunks_exact(STEP).take(16) {
        damage(&store, &keys, step);
    }
    let (log, recovered) = match RevisionLog::open(Box::new(store.clone()), None, skeleton()) {
        Ok(opened) => opened,
        Err(error) => {
            let expected =
                matches!(error, StoreError::Damaged { .. } | StoreError::UnknownFormat { .. });
            assert!(expected, "{error:?}");
            return false;
        }
    };
    check_recovered(&log, &recovered);
    steps.len() >= STEP
}

fn damage(store: &MemStore, keys: &[Vec<u8>], step: &[u8]) {
    let key = &keys[usize::from(step[1]) % keys.len()];
    let other = &keys[usize::from(step[4]) % keys.len()];
    let place = usize::from(step[2]) << 8 | usize::from(step[3]);
    let value = |key: &[u8]| store.get(key).ok().flatten().unwrap_or_default();
    match step[0] % 6 {
        0 => {
            _ = store.tamper(key, |value| {
                let place = place % value.len().max(1);
                value.get_mut(place).into_iter().for_each(|byte| *byte ^= step[5]);
            })
        }
        1 => _ = store.tamper(key, |value| value.truncate(place % (value.len() + 1))),
        2 => _ = store.tamper(key, |value| value.insert(place % (value.len() + 1), step[5])),
        3 => _ = store.lose(key),
        4 => {
            let from = value(other);
            _ = store.tamper(key, |value| *value = from);
        }
        _ => {
            let (one, two) = (value(key), value(other));
            _ = store.tamper(key, |value| *value = two);
            _ = store.tamper(other, |value| *value = one);
        }
    }
}

// Whatever opens holds what was written, up to some revision: a store alone cannot know that its
// tail was cut off cleanly (the note and the checkpoints beside it do), and it holds nothing else.
fn check_recovered(log: &RevisionLog, recovered: &Recovered) {
    let reached = usize::try_from(recovered.number.get()).expect("it is small");
    assert!(reached <= PAST.records.len(), "a revision that never was");
    for (record, index) in PAST.records.iter().zip(0..reached) {
        let read = log.record(record.number).expect("it was checked");
        assert_eq!(read.as_ref(), Some(record), "revision {index} is another one");
    }
    if let Some(last) = reached.checked_sub(1) {
        assert_eq!(recovered.tree.digest(), PAST.records[last].digest);
    }
    let (tags, awaiting) = (log.tags(), log.awaiting());
    let none = tags.is_empty() && awaiting.is_none();
    let all = tags == [tag("one")] && awaiting == Some(awaited());
    assert!(none || all, "{tags:?}, {awaiting:?}");
    let kept = log.answer(&SLOT).expect("it was checked");
    assert!(kept.is_none() || kept == Some(answer()), "{kept:?}");
}

// ===== a past to damage =====

struct Past {
    records: Vec<RevisionRecord>,
    store: MemStore,
    checkpoint: Vec<u8>,
}

static PAST: LazyLock<Past> = LazyLock::new(past);

const SLOT: [u8; 32] = [5; 32];

fn path(text: &str) -> NodePath {
    NodePath::parse(text).expect("it is one")
}

fn skeleton() -> Tree {
    let mut tree = Tree::new();
    tree.folder_create(&path("/f")).expect("the root is there");
    tree.collection_create(&path("/c")).expect("the root is there");
    tree
}

fn body(n: u64) -> Body {
    let value = json!({"n": n, "text": format!("\"\\\u{1}\u{7f}ü{n}"), "to": "o"});
    let to = |pointer: &str, fragment: Option<&str>| Reference {
        pointer: pointer.to_owned(),
        target: path("/f/o"),
        fragment: fragment.map(str::to_owned),
    };
    Body::new(&value, vec![to("/to", None), to("/text", Some("/n"))])
}

fn tag(name: &str) -> Tag {
    let (name, author) = (name.to_owned(), "me".to_owned());
    Tag { name, number: RevisionNumber::new(1), time: Timestamp::from_micros(7), author }
}

fn awaited() -> Awaiting {
    let (number, until) = (RevisionNumber::new(5), Timestamp::from_micros(99));
    Awaiting { number, until, token: [3; 32] }
}

fn answer() -> Answer {
    Answer {
        slot: SLOT,
        request: [9; 32],
        number: RevisionNumber::new(2),
        changes: 3,
        confirm: Some((Uuid::from_u128(2), Timestamp::from_micros(50))),
        expires: Timestamp::from_micros(500),
    }
}

fn past() -> Past {
    let mut records: Vec<RevisionRecord> = Vec::new();
    let mut tree = skeleton();
    for n in 0..5 {
        let (before, touched) = (tree.clone(), step(&mut tree, n));
        let changes = changes_between(&before, &tree, &touched);
        records.push(RevisionRecord {
            number: RevisionNumber::new(n + 1),
            time: Timestamp::from_micros(1_700_000_000_000_000 + n as i64),
            commit_id: Uuid::from_u128(u128::from(n) + 1),
            author: "admin".to_owned(),
            session: format!("s{n}"),
            message: n.is_multiple_of(2).then(|| format!("why \"{n}\"\n")),
            changes,
            digest: tree.digest(),
        });
    }
    let store = MemStore::new();
    let opened = RevisionLog::open(Box::new(store.clone()), None, skeleton());
    let (log, _) = opened.expect("an empty store can be opened");
    let side = vec![
        MetadataChange::TagSet(tag("one")),
        MetadataChange::Keep(answer()),
        MetadataChange::Await(awaited()),
    ];
    log.commit(&records[..4], Vec::new(), None).expect("they follow each other");
    log.commit(&records[4..], side, None).expect("it follows");
    drop(log);
    let newest = RevisionNumber::new(5);
    let checkpoint = fuzzing::checkpoint_of(newest, [0; 32], &tree).expect("bodies are canonical");
    Past { records, store, checkpoint }
}

fn step(tree: &mut Tree, n: u64) -> Vec<NodePath> {
    let object = path("/f/o");
    let made = match n {
        0 => tree.object_create(&object, body(0), None),
        _ => tree.object_replace(&object, body(n)).map(drop),
    };
    made.expect("the folder is there");
    let member = path(&format!("/c/k{n}"));
    // One of them is longer than what is stored in one piece.
    let long = Body::new(&json!("x".repeat(5000)), Vec::new());
    let value = if n == 3 { long } else { body(n) };
    tree.object_create(&member, value, None).expect("the collection is there");
    let mut touched = vec![object, member];
    if n == 2 {
        tree.object_delete(&path("/c/k0")).expect("it is there");
        touched.push(path("/c/k0"));
    }
    if n == 4 {
        let turned: Vec<Key> = tree.children(&path("/c")).cloned().collect::<Vec<_>>();
        let turned: Vec<Key> = turned.into_iter().rev().collect();
        tree.collection_reorder(&path("/c"), &turned).expect("the same keys");
        touched.push(path("/c"));
    }
    touched
}

/// Good inputs of each kind, to begin with.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let with = |word: &str, bytes: &[u8]| [word.as_bytes(), b"\n", bytes].concat();
    let mut seeds = Vec::new();
    let mut previous = [0; 32];
    for record in &PAST.records {
        let number = record.number;
        if let Some(text) = fuzzing::record_text(record) {
            seeds.push((format!("record-{number}"), with("record", &text)));
        }
        if let Some(entry) = fuzzing::chain_entry_of(record, previous) {
            seeds.push((format!("entry-{number}"), with("entry", &entry)));
            previous.copy_from_slice(&entry[144..]);
        }
    }
    let stored = |key: &[u8]| PAST.store.get(key).ok().flatten().unwrap_or_default();
    let (head, side) = (stored(b"h"), stored(b"s"));
    seeds.push(("side-head".to_owned(), with("head", &side)));
    seeds.push(("note".to_owned(), with("note", &[head.clone(), side].concat())));
    seeds.push(("note-of-an-older-one".to_owned(), with("note", &head)));
    for key in PAST.store.keys() {
        let named = [b"t/".as_slice(), b"k/", b"w"].iter().any(|prefix| key.starts_with(prefix));
        if named {
            let value = stored(&key);
            let word = [b"side ", key.as_slice(), b"\n", &value[32..]].concat();
            seeds.push((format!("side-{}", char::from(key[0])), word));
        }
    }
    let lines: Vec<&[u8]> = PAST.checkpoint.split_inclusive(|byte| *byte == b'\n').collect();
    let lines = lines[..lines.len() - 1].concat();
    seeds.push(("checkpoint".to_owned(), with("checkpoint", &lines)));
    for what in 0..6_u8 {
        let steps = [what, 7, 0, 40, 3, 1].repeat(usize::from(what % 3) + 1);
        seeds.push((format!("store-{what}"), with("store", &steps)));
    }
    seeds.push(("store-unharmed".to_owned(), with("store", &[0, 7, 0, 40, 3, 0])));
    seeds
}
