//! What every [`Store`] does, whatever it is made of.

use transaction_engine::store::{Batch, Store, StoreError};

use crate::history::Place;

fn keys(store: &dyn Store, prefix: &[u8]) -> Vec<Vec<u8>> {
    store.scan(prefix).map(|entry| entry.unwrap().0).collect()
}

fn batch(entries: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in entries {
        match value {
            Some(value) => batch.put(*key, *value),
            None => batch.delete(*key),
        }
    }
    batch
}

#[test]
fn entries_are_in_the_order_of_their_keys_and_found_by_prefix() {
    for mut place in Place::all() {
        let store = place.store();
        store
            .write(batch(&[("b/2", Some("x")), ("a", Some("y")), ("b/1", Some("")), ("b", None)]))
            .unwrap();
        assert_eq!(keys(&*store, b""), [b"a".as_slice(), b"b/1", b"b/2"]);
        assert_eq!(keys(&*store, b"b/"), [b"b/1".as_slice(), b"b/2"]);
        assert_eq!(keys(&*store, b"c"), [b""; 0]);
        assert_eq!(store.get(b"b/1").unwrap(), Some(Vec::new()));
        assert_eq!(store.get(b"b").unwrap(), None);
    }
}

#[test]
fn what_was_synced_is_there_again() {
    for mut place in Place::all() {
        let store = place.store();
        store.write(batch(&[("a", Some("1")), ("b", Some("2"))])).unwrap();
        store.write(batch(&[("a", None), ("b", Some("3"))])).unwrap();
        store.sync().unwrap();
        drop(store);
        let store = place.store();
        assert_eq!(store.get(b"a").unwrap(), None);
        assert_eq!(store.get(b"b").unwrap(), Some(b"3".to_vec()));
    }
}

#[test]
fn a_value_beyond_four_kibibytes_is_refused_with_its_whole_batch() {
    for mut place in Place::all() {
        let store = place.store();
        let mut batch = Batch::default();
        batch.put("fits", vec![0; 4096]);
        store.write(batch.clone()).unwrap();
        batch.put("small", "");
        batch.put("large", vec![0; 4097]);
        let refused = store.write(batch);
        assert!(matches!(refused, Err(StoreError::TooLarge { bytes: 4097, limit: 4096, .. })));
        assert_eq!(keys(&*store, b""), [b"fits"]);
    }
}

#[test]
fn what_is_written_in_order_is_there_like_a_batch() {
    for mut place in Place::all() {
        let store = place.store();
        let operations = [("a", Some("1")), ("b", Some("2")), ("a", None), ("b", Some("3"))];
        store.write_in_order(batch(&operations)).unwrap();
        store.sync().unwrap();
        let mut large = batch(&[("small", Some(""))]);
        large.put("large", vec![0; 4097]);
        assert!(matches!(store.write_in_order(large), Err(StoreError::TooLarge { .. })));
        drop(store);
        let store = place.store();
        assert_eq!(keys(&*store, b""), [b"b"]);
        assert_eq!(store.get(b"b").unwrap(), Some(b"3".to_vec()));
    }
}

#[test]
fn a_store_is_read_while_it_is_written() {
    for mut place in Place::all() {
        let store = place.store();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..200_u32 {
                    let mut batch = Batch::default();
                    batch.put(n.to_be_bytes(), "x");
                    batch.put("count", n.to_string());
                    store.write(batch).unwrap();
                }
            });
            for _ in 0..200 {
                let seen = keys(&*store, b"");
                assert!(seen.is_sorted(), "a scan goes forward");
            }
        });
        assert_eq!(keys(&*store, b"").len(), 201);
    }
}
