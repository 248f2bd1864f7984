//! What the words for keys, unique values, unknown, read-only and derived members do.

use catalog::{Catalog, Hooks, KeyRule, TimeFormat};
use config_tree::{Body, Change};
use serde_json::{Value, json};

use crate::support::{Sealed, body, brief, path, put};

const PROFILES: &str = r#"
kind: collection
title: Profiles
operations: [list, create, replace, delete]
key: sequence
unique: [[folder, name], [credentials/id]]
schema:
  type: object
  required: [name]
  properties:
    name: {type: string, minLength: 1}
    folder: {type: string}
    credentials:
      type: object
      required: [id]
      properties:
        id: {type: string}
    exported: {type: string, readOnly: true}
    createdAt: {type: string, format: date-time, x-derived: created}
    updatedAt: {type: [string, "null"], format: date-time, x-derived: updated-or-null}
    changedAt: {type: string, x-derived: updated}
    shout: {type: string, x-derived: "hook:shout"}
"#;

fn catalog(more: &str) -> Catalog {
    let whole = format!("name: t\ntitle: T\ndialect: other\nunknown_members: drop\n{more}");
    let files = [
        ("catalog.yaml", whole.as_str()),
        ("profiles.yaml", PROFILES),
        (
            "named.yaml",
            "kind: collection\ntitle: N\noperations: [create]\nkey: given\nkey_schema: {type: string, pattern: '^[a-z]+$'}\nfidelity: opaque\n",
        ),
        (
            "either.yaml",
            "kind: collection\ntitle: E\noperations: [create]\nkey: given-or-uuid\nfidelity: opaque\n",
        ),
    ];
    Catalog::from_files(files.map(|(name, text)| (name.to_owned(), text.to_owned())))
        .unwrap_or_else(|error| panic!("{error}"))
}

struct Shout;

impl Hooks for Shout {
    fn derive(&self, name: &str, body: &Value, _previous: Option<&Value>) -> Option<Value> {
        assert_eq!(name, "shout");
        Some(body["name"].as_str()?.to_uppercase().into())
    }
}

#[test]
fn the_dialect_is_stated_once_and_sps_otherwise() {
    assert_eq!(catalog("").dialect(), "other");
    assert_eq!(Catalog::builtin("sps-7.0").unwrap().unwrap().dialect(), "sps");
}

#[test]
fn unknown_members_are_dropped_at_every_level() {
    let sent = json!({"name": "a", "x": 1, "credentials": {"id": "i", "secret": "s"}});
    let kept = catalog("").check_body(&path("/profiles"), sent).unwrap().value;
    assert_eq!(kept, json!({"name": "a", "credentials": {"id": "i"}}));
}

#[test]
fn what_only_the_appliance_sets_is_ignored_or_refused() {
    let sent = json!({"name": "a", "exported": 7, "createdAt": "whenever"});
    let at = path("/profiles/1");
    assert_eq!(catalog("").check_body(&at, sent.clone()).unwrap().value, json!({"name": "a"}));
    let refused = catalog("read_only_members: refuse\n").check_body(&at, sent.clone());
    assert_eq!(brief(&refused.unwrap_err()), ["/createdAt read-only", "/exported read-only"]);
    let own = catalog("").check_kept_body(&at, sent);
    assert_eq!(brief(&own.unwrap_err()), ["/createdAt format", "/exported type"]);
}

#[test]
fn times_and_hooks_are_filled_in() {
    let catalog = catalog("time_format: rfc3339-micros-z\n");
    assert_eq!(catalog.time_format(), TimeFormat::Micros);
    let at = path("/profiles/1");
    let fill = |body: Value, previous: Option<&Value>, time| {
        let mut body = catalog.check_body(&at, body).unwrap().value;
        let previous = previous.map(|previous| Body::new(previous, Vec::new()));
        catalog.fill_derived(&at, &mut body, previous.as_ref(), time, &Shout);
        body
    };
    let (first, second) = ("1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000002Z");
    let mut made = fill(json!({"name": "a"}), None, 1);
    let expected = json!({"name": "a", "createdAt": first, "updatedAt": null, "changedAt": first,
        "shout": "A"});
    assert_eq!(made, expected);
    made["exported"] = "then".into();
    assert_eq!(fill(json!({"name": "a"}), Some(&made), 2), made, "nothing changed");
    let changed = fill(json!({"name": "b", "createdAt": "x"}), Some(&made), 2);
    let expected = json!({"name": "b", "createdAt": first, "updatedAt": second,
        "changedAt": second, "shout": "B", "exported": "then"});
    assert_eq!(changed, expected);
    assert!(catalog.check_kept_body(&at, changed).is_ok());
}

#[test]
fn keys_are_made_counted_or_given() {
    let catalog = catalog("");
    let rule = |at: &str| catalog.endpoint(&path(at)).unwrap().key_rule();
    assert_eq!(rule("/profiles"), KeyRule::Sequence);
    assert_eq!((rule("/named"), rule("/either")), (KeyRule::Given, KeyRule::GivenOrUuid));
    let key = |at: &str, text: &str| {
        catalog.check_key(&path(at), text).map(|key| key.to_string()).map_err(|v| brief(&v))
    };
    assert_eq!(key("/named", "abc"), Ok("abc".to_owned()));
    assert_eq!(key("/named", "a1"), Err(vec!["/key pattern".to_owned()]));
    assert_eq!(key("/either", "a"), Err(vec!["/key format".to_owned()]));
    let uuid = "aec663b5-f5bd-4c93-bb51-36fea3328e58";
    assert_eq!(key("/either", uuid), Ok(uuid.to_owned()));
    assert_eq!(key("/profiles", "7"), Err(vec!["/key key".to_owned()]));
    assert_eq!(key("/nothing", "7"), Err(vec![" endpoint".to_owned()]));
}

#[test]
fn values_are_unique_together_and_inside() {
    let catalog = catalog("");
    let mut tree = catalog.skeleton();
    put(&catalog, &mut tree, "/profiles/1", json!({"name": "a", "folder": "f"}));
    put(&catalog, &mut tree, "/profiles/2", json!({"name": "a", "folder": "g"}));
    put(&catalog, &mut tree, "/profiles/3", json!({"name": "a"}));
    put(&catalog, &mut tree, "/profiles/4", json!({"name": "a", "credentials": {"id": "i"}}));
    assert_eq!(catalog.check_tree(&tree, &Sealed), []);
    for (value, expected) in [
        (json!({"name": "a", "folder": "f"}), ["/name unique", "/name unique"]),
        (
            json!({"name": "b", "credentials": {"id": "i"}}),
            ["/credentials/id unique", "/credentials/id unique"],
        ),
    ] {
        let (mut after, at) = (tree.clone(), path("/profiles/5"));
        let new = body(&catalog, &at, value).unwrap();
        after.object_create(&at, new.clone(), None).unwrap();
        let changes = [Change::Create { path: at, rank: None, after: new }];
        let found = catalog.check_changes(&after, &changes, &Sealed);
        assert_eq!(brief(&found), expected);
        assert_eq!(
            found,
            catalog.check_tree(&after, &Sealed),
            "the fast way sees what the slow sees"
        );
    }
    let kept = body(&catalog, &path("/profiles/1"), json!({"name": "a", "folder": "f"})).unwrap();
    let values = vec![("/folder,/name".to_owned(), "\"f\",\"a\"".to_owned())];
    assert_eq!(catalog.unique_values(&path("/profiles/1"), &kept), values);
}
