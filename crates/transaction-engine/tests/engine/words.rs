//! What the words of a catalog make the engine do: counted keys, derived members, follow-ups.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::{Catalog, Hooks};
use config_tree::{Key, NodePath};
use serde_json::{Value, json};
use transaction_engine::clock::{Clock, ManualClock};
use transaction_engine::secrets::Sealer;
use transaction_engine::{Edit, Engine, Error, HistoryRules, Mode, Options, Timestamp};

use crate::fixture::{Place, path, value_at};

crate::scenarios![
    a_number_is_never_given_twice,
    many_at_once_get_a_number_each,
    the_appliance_writes_times_and_what_a_hook_computes,
    a_deletion_and_a_new_name_take_their_references_along,
    keys_are_chosen_by_those_who_may,
];

const FILES: [(&str, &str); 4] = [
    ("catalog.yaml", "name: words\ntitle: W\ndialect: other\nunknown_members: drop\n"),
    (
        "profiles.yaml",
        "kind: collection\ntitle: P\noperations: [list, create, replace, delete]\nkey: sequence\nunique: [[name]]\nschema:\n  type: object\n  required: [name]\n  properties:\n    name: {type: string}\n    at: {type: string, x-derived: created}\n    changed: {type: [string, 'null'], x-derived: updated-or-null}\n    loud: {type: string, x-derived: 'hook:loud'}\n",
    ),
    (
        "rules.yaml",
        "kind: collection\ntitle: R\noperations: [list, create, replace, delete]\nkey: sequence\nschema:\n  type: object\n  properties:\n    owner: {x-reference: {collection: /profiles, on_delete: cascade}}\n    names:\n      type: array\n      items: {x-reference: {collection: /profiles, by: name, on_delete: drop}}\n    held: {x-reference: {collection: /profiles, by: name}}\n",
    ),
    (
        "named.yaml",
        "kind: collection\ntitle: N\noperations: [create]\nkey: given\nkey_schema: {type: string, pattern: '^[a-z]+$'}\nfidelity: opaque\n",
    ),
];

struct Loud;

impl Hooks for Loud {
    fn derive(&self, _name: &str, body: &Value, _previous: Option<&Value>) -> Option<Value> {
        Some(body["name"].as_str()?.to_uppercase().into())
    }
}

fn open(place: &Place, clock: &Arc<ManualClock>) -> Engine {
    let files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let options = Options {
        catalog: Arc::new(Catalog::from_files(files).unwrap()),
        store: place.store(),
        checkpoints: Some(place.checkpoints()),
        checkpoint_every: 3,
        sealer: Arc::new(Sealer::from_key(&[7; 32])),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        mode: Mode::Autocommit,
        change_limit: 1000,
        history: HistoryRules::default(),
        appliers: Vec::new(),
    };
    let engine = Engine::open(options, &mut |_, _| None).unwrap();
    assert!(engine.hooks_set(Arc::new(Loud)) && !engine.hooks_set(Arc::new(Loud)));
    engine
}

fn run<T: Send + 'static>(
    engine: &Engine,
    change: impl FnMut(&mut Edit<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    engine.autocommit("me", None, change).map(|(value, _)| value)
}

fn create(engine: &Engine, at: &'static str, value: Value) -> Result<String, Error> {
    let made = run(engine, move |edit| edit.node_create(&path(at), value.clone()))?;
    Ok(made.key().unwrap().to_string())
}

fn delete(engine: &Engine, at: &str) -> Result<(), Error> {
    let at = path(at);
    run(engine, move |edit| edit.node_delete(&at))
}

fn put(engine: &Engine, at: &str, value: Value) -> Result<(), Error> {
    let at = path(at);
    run(engine, move |edit| edit.node_put(&at, value.clone()))
}

fn value(engine: &Engine, at: &str) -> Option<Value> {
    value_at(&engine.running().tree, &path(at))
}

fn a_number_is_never_given_twice(place: &Place) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    let engine = open(place, &clock);
    let profile =
        |engine: &Engine, name: &str| create(engine, "/profiles", json!({ "name": name }));
    assert_eq!(profile(&engine, "a").unwrap(), "1");
    assert_eq!(profile(&engine, "b").unwrap(), "2");
    assert!(profile(&engine, "b").is_err(), "the name is taken, and the number is a gap");
    delete(&engine, "/profiles/2").unwrap();
    let next: u64 = profile(&engine, "c").unwrap().parse().unwrap();
    assert!(next > 2);
    delete(&engine, &format!("/profiles/{next}")).unwrap();
    // From the records, and from a checkpoint, in which the member is not.
    for _ in 0..2 {
        drop(profile(&engine, "x"));
    }
    drop(engine);
    let engine = open(place, &clock);
    let again: u64 = profile(&engine, "d").unwrap().parse().unwrap();
    assert!(again > next, "{again} after {next}");
}

fn many_at_once_get_a_number_each(place: &Place) {
    let engine = open(place, &Arc::new(ManualClock::new(Timestamp::from_micros(0))));
    let keys: Vec<String> = std::thread::scope(|scope| {
        let each = |n: usize| {
            let engine = &engine;
            scope.spawn(move || create(engine, "/profiles", json!({ "name": n.to_string() })))
        };
        let threads: Vec<_> = (0..32).map(each).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 32);
    assert_eq!(engine.running().tree.child_count(&path("/profiles")), 32);
}

fn the_appliance_writes_times_and_what_a_hook_computes(place: &Place) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(0)));
    let engine = open(place, &clock);
    create(&engine, "/profiles", json!({"name": "a", "at": "never", "x": 1})).unwrap();
    let first = "1970-01-01T00:00:00Z";
    let made = json!({"name": "a", "at": first, "changed": null, "loud": "A"});
    assert_eq!(value(&engine, "/profiles/1"), Some(made.clone()));
    clock.advance(std::time::Duration::from_secs(5));
    put(&engine, "/profiles/1", json!({"name": "a"})).unwrap();
    assert_eq!(value(&engine, "/profiles/1"), Some(made), "nothing changed");
    put(&engine, "/profiles/1", json!({"name": "b"})).unwrap();
    let changed = json!({"name": "b", "at": first, "changed": "1970-01-01T00:00:05Z", "loud": "B"});
    assert_eq!(value(&engine, "/profiles/1"), Some(changed));
}

fn a_deletion_and_a_new_name_take_their_references_along(place: &Place) {
    let engine = open(place, &Arc::new(ManualClock::new(Timestamp::from_micros(0))));
    for name in ["a", "b"] {
        create(&engine, "/profiles", json!({ "name": name })).unwrap();
    }
    create(&engine, "/rules", json!({"owner": "1"})).unwrap();
    create(&engine, "/rules", json!({"names": ["a", "b"]})).unwrap();
    let before = engine.running().number;
    delete(&engine, "/profiles/1").unwrap();
    assert_eq!(engine.running().number, before.next(), "all in one commit");
    assert_eq!(value(&engine, "/rules/1"), None);
    assert_eq!(value(&engine, "/rules/2"), Some(json!({"names": ["b"]})));
    put(&engine, "/profiles/2", json!({"name": "c"})).unwrap();
    assert_eq!(value(&engine, "/rules/2"), Some(json!({"names": ["c"]})));
    create(&engine, "/rules", json!({"held": "c"})).unwrap();
    let Err(Error::InUse { referrers, .. }) = delete(&engine, "/profiles/2") else {
        panic!("it is held")
    };
    let paths: Vec<NodePath> = referrers.into_iter().map(|referrer| referrer.path).collect();
    assert_eq!(paths, [path("/rules/3")]);
    assert!(create(&engine, "/rules", json!({"held": "nothing"})).is_err());
}

fn keys_are_chosen_by_those_who_may(place: &Place) {
    let engine = open(place, &Arc::new(ManualClock::new(Timestamp::from_micros(0))));
    let give = |text: &'static str| {
        run(&engine, move |edit| {
            let key = Key::parse(text).unwrap();
            edit.node_create_with_key(&path("/named"), &key, json!({}))
        })
    };
    assert_eq!(give("abc").unwrap(), path("/named/abc"));
    assert!(matches!(give("a1"), Err(Error::Invalid(_))));
    assert!(matches!(create(&engine, "/named", json!({})), Err(Error::Invalid(_))));
}
