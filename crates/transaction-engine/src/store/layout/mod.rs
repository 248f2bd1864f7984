//! The bytes of a store: keys, chain entries, and revision records as JSON.
//!
//! Two goals pull against each other. What is kept for years should be readable without this
//! program, so records and checkpoints are JSON with named members. What guards it must be exact
//! to the bit, so a chain entry is a fixed number of bytes and covers itself and the raw bytes of
//! the record: damage is found before anything is parsed.
//!
//! Bodies are JSON text already and are carried through as they are ([`RawValue`]), checked but
//! not taken apart, once on the way in and once on the way out.
//!
//! `docs/reference/store-format.md` describes all of this for people; keep it in step.

mod chain;
mod keys;
mod record;

pub(super) use chain::{ChainEntry, GENESIS};
pub(super) use keys::*;
pub(super) use record::*;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::revision::{RevisionNumber, RevisionRecord, Timestamp};
    use blake3::Hash;
    use config_tree::{Body, Change, Key, NodePath, Reference, TreeDigest};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn any_path() -> impl Strategy<Value = NodePath> {
        prop::collection::vec("[^/@\\p{C}][^/\\p{C}]{0,9}", 1..5)
            .prop_filter_map("a path", |keys| {
                NodePath::from_segments(keys.iter().map(String::as_str)).ok()
            })
    }

    fn any_body() -> impl Strategy<Value = Body> {
        let value = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
            prop::collection::btree_map(".{0,5}", ".{0,9}", 0..4).prop_map(|map| {
                map.into_iter().map(|(name, text)| (name, serde_json::Value::from(text))).collect()
            }),
        ];
        let reference = (".{0,9}", any_path(), prop::option::of(".{0,9}"))
            .prop_map(|(pointer, target, fragment)| Reference { pointer, target, fragment });
        (value, prop::collection::vec(reference, 0..3))
            .prop_map(|(value, references)| Body::new(&value, references))
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let rank = || any::<Option<u64>>();
        let keys = || {
            prop::collection::vec("[a-z]{1,9}", 0..4).prop_map(|keys| {
                keys.iter().map(|key| Key::parse(key).unwrap()).collect::<Vec<_>>()
            })
        };
        prop_oneof![
            (any_path(), rank(), any_body()).prop_map(|(path, rank, after)| Change::Create {
                path,
                rank,
                after
            }),
            (any_path(), any_body(), any_body())
                .prop_map(|(path, before, after)| Change::Replace { path, before, after }),
            (any_path(), rank(), any_body()).prop_map(|(path, rank, before)| Change::Delete {
                path,
                rank,
                before
            }),
            (any_path(), keys(), keys()).prop_map(|(path, before, after)| Change::Reorder {
                path,
                before,
                after
            }),
        ]
    }

    fn any_record() -> impl Strategy<Value = RevisionRecord> {
        let names = (".*", ".*", prop::option::of(".*"));
        let changes = prop::collection::vec(any_change(), 0..6);
        (any::<(u64, i64, u128, [u8; 32])>(), names, changes).prop_map(
            |((number, time, id, digest), (author, session, message), changes)| RevisionRecord {
                number: RevisionNumber::new(number),
                time: Timestamp::from_micros(time),
                commit_id: Uuid::from_u128(id),
                author,
                session,
                message,
                changes,
                digest: TreeDigest::from_hex(&Hash::from_bytes(digest).to_hex()).unwrap(),
            },
        )
    }

    fn text_of(record: &RevisionRecord) -> Vec<u8> {
        let Encoded { chunks, bytes, hash } = encode_record(record).unwrap();
        assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() == CHUNK_BYTES));
        let text = chunks.concat();
        assert_eq!((text.len() as u64, blake3::hash(&text)), (bytes, hash));
        text
    }

    fn sample() -> RevisionRecord {
        let path = |text: &str| NodePath::parse(text).unwrap();
        let reference = |fragment: Option<&str>| Reference {
            pointer: "/password".into(),
            target: path("/passwords/p1"),
            fragment: fragment.map(Into::into),
        };
        let body = |text: &'static str, references| Body::from_text(text.into(), references);
        let key = |text: &str| Key::parse(text).unwrap();
        RevisionRecord {
            number: RevisionNumber::new(7),
            time: Timestamp::from_micros(1_700_000_000_000_001),
            commit_id: Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
            author: "admin".into(),
            session: "s1".into(),
            message: None,
            changes: vec![
                Change::Create { path: path("/c/a"), rank: Some(3), after: body("1", vec![]) },
                Change::Replace {
                    path: path("/o"),
                    before: body("null", vec![]),
                    after: body(
                        r#"{"password":"p1"}"#,
                        vec![reference(None), reference(Some("/x"))],
                    ),
                },
                Change::Delete { path: path("/f/ü\""), rank: None, before: body("[]", vec![]) },
                Change::Reorder {
                    path: path("/c"),
                    before: vec![key("a"), key("b")],
                    after: vec![key("b"), key("a")],
                },
            ],
            digest: TreeDigest::default(),
        }
    }

    // These two hold the bytes of format 1. When one fails, stores of the past become unreadable:
    // count the format up and read both.
    #[test]
    fn a_record_is_written_as_documented() {
        let expected = r#"{"number":7,"time":1700000000000001,"#.to_owned()
            + r#""commit_id":"01234567-89ab-cdef-0123-456789abcdef","author":"admin","#
            + r#""session":"s1","message":null,"digest":""#
            + &"0".repeat(64)
            + r#"","changes":["#
            + r#"{"create":{"path":"/c/a","rank":3,"after":{"body":1}}},"#
            + r#"{"replace":{"path":"/o","before":{"body":null},"#
            + r#""after":{"body":{"password":"p1"},"refs":["#
            + r#"{"at":"/password","to":"/passwords/p1"},"#
            + r#"{"at":"/password","to":"/passwords/p1","part":"/x"}]}}},"#
            + r#"{"delete":{"path":"/f/ü\"","before":{"body":[]}}},"#
            + r#"{"reorder":{"path":"/c","before":["a","b"],"after":["b","a"]}}]}"#;
        assert_eq!(String::from_utf8(text_of(&sample())).unwrap(), expected);
    }

    #[test]
    fn keys_and_chain_entries_are_written_as_documented() {
        let number = RevisionNumber::new(0x0102);
        assert_eq!(chain_key(number), b"c/\0\0\0\0\0\0\x01\x02");
        assert_eq!(chunk_key(number, 3), b"r/\0\0\0\0\0\0\x01\x02/\0\0\0\x03");
        assert_eq!(commit_key(Uuid::from_u128(1))[..4], *b"i/\0\0");

        let raw = text_of(&sample());
        let encoded = encode_record(&sample()).unwrap();
        let bytes = ChainEntry::new(&sample(), &encoded, GENESIS).to_bytes();
        assert_eq!(bytes.len(), 176);
        let head = b"\0\0\0\x01\0\0\0\0\0\0\0\x07\0\x06\x0a\x24\x18\x1e\x40\x01";
        assert_eq!(bytes[..20], *head, "format, number, time");
        assert_eq!(bytes[20..36], *sample().commit_id.as_bytes());
        assert_eq!(bytes[36..44], (raw.len() as u64).to_be_bytes());
        assert_eq!(bytes[44..48], [0, 0, 0, 1], "chunks");
        assert_eq!(bytes[48..80], *blake3::hash(&raw).as_bytes());
        assert_eq!(bytes[80..144], [0; 64], "digest, previous");
        assert_eq!(bytes[144..], *blake3::hash(&bytes[..144]).as_bytes());
    }

    #[test]
    fn every_key_of_ours_is_recognised_and_no_other() {
        let number = RevisionNumber::new(u64::MAX);
        assert_eq!(kind_of(&chain_key(number)), Some(KeyKind::Chain));
        assert_eq!(kind_of(&chunk_key(number, 9)), Some(KeyKind::Chunk(number)));
        assert_eq!(kind_of(&commit_key(Uuid::nil())), Some(KeyKind::Commit));
        for key in [FORMAT_KEY, HEAD_KEY, OLDEST_KEY] {
            assert_eq!(kind_of(key), Some(KeyKind::Single));
        }
        for key in [b"s".as_slice(), b"w", b"t/a", b"k/a", b"e/a"] {
            assert_eq!(kind_of(key), Some(KeyKind::Metadata));
        }
        for key in [b"".as_slice(), b"g", b"c/", b"c/1234567", b"r/12345678x1234", b"i/1"] {
            assert_eq!(kind_of(key), None);
        }
    }

    #[test]
    fn no_bit_of_a_chain_entry_may_differ() {
        let encoded = encode_record(&sample()).unwrap();
        let bytes = ChainEntry::new(&sample(), &encoded, GENESIS).to_bytes();
        assert_eq!(ChainEntry::parse(&bytes).unwrap().to_bytes(), bytes);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ChainEntry::parse(&bytes), None, "bit {bit}");
        }
        assert_eq!(ChainEntry::parse(&bytes[1..]), None);
    }

    proptest! {
        #[test]
        fn a_record_reads_back_as_it_was(record in any_record()) {
            let raw = text_of(&record);
            let heading = decode_heading(&raw).unwrap();
            prop_assert_eq!(heading.changes, record.changes.len());
            prop_assert_eq!((&heading.author, &heading.message), (&record.author, &record.message));
            prop_assert_eq!(decode_record(&raw).unwrap(), record);
        }

        #[test]
        fn a_chain_entry_reads_back_as_it_was(record in any_record(), previous: [u8; 32]) {
            let encoded = encode_record(&record).unwrap();
            let entry = ChainEntry::new(&record, &encoded, Hash::from_bytes(previous));
            prop_assert_eq!(ChainEntry::parse(&entry.to_bytes()), Some(entry));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(
            record in any_record(),
            place: prop::sample::Index,
            byte: u8,
            noise: Vec<u8>,
        ) {
            let mut raw = text_of(&record);
            let place = place.index(raw.len());
            raw[place] = byte;
            let _ = decode_record(&raw);
            let _ = decode_record(&raw[..place]);
            let _ = decode_record(&noise);
            let _ = ChainEntry::parse(&noise);
            let _ = kind_of(&noise);
        }
    }
}
