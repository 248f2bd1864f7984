//! Checking what changed finds exactly what checking everything finds.
//!
//! Random changes are made to valid trees of a small catalog with every rule of the tree; the fast
//! way and the slow way must then agree to the letter.

use std::collections::BTreeSet;

use catalog::{Catalog, Layer, rule};
use config_tree::{NodePath, Reference, Referrer, Tree, changes_between};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Sealed, body, brief, path, put};

const BOARDS: &str = "kind: collection
title: Boards
operations: [list, create, replace, delete]
schema:
  type: object
  additionalProperties: false
  required: [ports]
  properties:
    ports:
      x-ordered-map:
        type: object
        additionalProperties: false
        properties: {pins: {x-ordered-map: {type: integer}}, owner: {x-reference: /users}}
members:
  main: {ports: {'@order': [p], p: {pins: {'@order': ['1'], '1': 5}}}}
";

const FILES: [(&str, &str); 8] = [
    ("boards.yaml", BOARDS),
    ("catalog.yaml", "name: small\ntitle: Small\n"),
    ("folder.yaml", "kind: folder\ntitle: Folder\n"),
    (
        "folder/settings.yaml",
        "kind: object
title: Settings
schema:
  type: object
  additionalProperties: false
  properties:
    owner: {type: [string, 'null'], x-reference: /users}
    token: {x-reference: {collection: /secrets, secret: {member: text, text: {type: string, minLength: 3}}}}
    groups: {type: array, items: {x-reference: /groups}}
    port: {type: [string, 'null'], x-reference: {collection: /boards, fragment: ports/*}}
    pins: {type: array, items: {x-reference: {collection: /boards, fragment: ports/*/pins/*}}}
    either:
      x-union:
        tag: kind
        branches:
          user: {required: [value], properties: {value: {x-reference: /users}}}
          group: {required: [value], properties: {value: {x-reference: /groups}}}
default: {port: main.ports.p, pins: [main.ports.p.pins.1]}
",
    ),
    ("folder/other.yaml", "kind: object\ntitle: Other\nfidelity: opaque\ndefault: {}\n"),
    (
        "users.yaml",
        "kind: collection
title: Users
operations: [list, create, replace, delete]
schema:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, x-unique: true}
    mail: {type: [string, 'null'], x-unique: true}
    group: {x-reference: /groups}
    secret: {x-reference: {collection: /secrets, secret: {member: text, text: {type: string, pattern: '^[a-z]*$'}}}}
",
    ),
    ("groups.yaml", "kind: collection\ntitle: Groups\nfidelity: opaque\noperations: [list, create, replace, delete]\n"),
    (
        "secrets.yaml",
        "kind: collection
title: Secrets
operations: [create]
lifetime: referenced
exclusive: true
schema:
  type: object
  additionalProperties: false
  properties:
    text: {type: string, x-secret: true}
    partner: {x-reference: /secrets}
",
    ),
];

fn small() -> Catalog {
    let files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Catalog::from_files(files).unwrap_or_else(|error| panic!("{error}"))
}

fn fresh(catalog: &Catalog) -> Tree {
    let mut tree = catalog.skeleton();
    for (at, value) in catalog.factory(&mut |_, _| None) {
        tree.object_create(&at, body(catalog, &at, value).unwrap(), None).unwrap();
    }
    tree
}

#[derive(Clone, Debug)]
enum Step {
    Write(String, Value),
    Delete(String),
}

fn key() -> impl Strategy<Value = String> {
    "[a-d]"
}

fn port() -> impl Strategy<Value = String> {
    "(main|spare)\\.ports\\.[p-q]"
}

// An ordered map.
fn ordered(members: impl Iterator<Item = (String, Value)>) -> Value {
    let mut map: serde_json::Map<String, Value> = members.collect();
    map.insert("@order".into(), map.keys().cloned().collect());
    Value::Object(map)
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![Just("ab"), Just("abc"), Just("ABC"), Just("abcd")];
    let user = (
        key(),
        "[u-x]",
        prop::option::of(prop::option::of("[m-n]")),
        prop::option::of(key()),
        prop::option::of(key()),
    )
        .prop_map(|(key, name, mail, group, secret)| {
            let mut value = json!({"name": name});
            if let Some(mail) = mail {
                value["mail"] = json!(mail);
            }
            for (member, found) in [("group", group), ("secret", secret)] {
                if let Some(found) = found {
                    value[member] = json!(found);
                }
            }
            Step::Write(format!("/users/{key}"), value)
        });
    let secret =
        (key(), text, prop::option::weighted(0.3, key())).prop_map(|(key, text, partner)| {
            let mut value = json!({"text": text});
            if let Some(partner) = partner {
                value["partner"] = json!(partner);
            }
            Step::Write(format!("/secrets/{key}"), value)
        });
    let settings = (
        prop::option::of(key()),
        prop::option::of(key()),
        prop::collection::vec(key(), 0..3),
        prop::option::of((any::<bool>(), key())),
        prop::option::of(port()),
        prop::collection::vec((port(), "[1-2]"), 0..3),
    )
        .prop_map(|(owner, token, groups, either, port, pins)| {
            let pins: Vec<String> =
                pins.into_iter().map(|(port, pin)| format!("{port}.pins.{pin}")).collect();
            let mut value = json!({"owner": owner, "groups": groups, "port": port, "pins": pins});
            if let Some(token) = token {
                value["token"] = json!(token);
            }
            if let Some((user, key)) = either {
                let kind = if user { "user" } else { "group" };
                value["either"] = json!({"kind": kind, "value": key});
            }
            Step::Write("/folder/settings".into(), value)
        });
    let ports = prop::collection::btree_map(
        "[p-q]",
        (prop::collection::btree_set("[1-2]", 0..3), prop::option::of(key())),
        0..3,
    );
    let board = ("(main|spare)", ports).prop_map(|(key, ports)| {
        let ports = ports.into_iter().map(|(port, (pins, owner))| {
            let pins = ordered(pins.into_iter().map(|pin| (pin, json!(1))));
            let mut value = json!({"pins": pins});
            if let Some(owner) = owner {
                value["owner"] = json!(owner);
            }
            (port, value)
        });
        Step::Write(format!("/boards/{key}"), json!({"ports": ordered(ports)}))
    });
    prop_oneof![
        3 => board,
        1 => "(main|spare)".prop_map(|key| Step::Delete(format!("/boards/{key}"))),
        4 => user,
        3 => secret,
        2 => settings,
        2 => key().prop_map(|key| Step::Write(format!("/groups/{key}"), json!({"any": 1}))),
        1 => Just(Step::Write("/folder/other".into(), json!({"name": "u"}))),
        2 => ("(users|groups|secrets)", key()).prop_map(|(at, key)| Step::Delete(format!("/{at}/{key}"))),
        1 => "(settings|other)".prop_map(|name| Step::Delete(format!("/folder/{name}"))),
    ]
}

fn run(catalog: &Catalog, tree: &mut Tree, step: &Step) -> NodePath {
    match step {
        Step::Write(at, value) => {
            put(catalog, tree, at, value.clone());
            path(at)
        }
        Step::Delete(at) => {
            let _ = tree.object_delete(&path(at));
            path(at)
        }
    }
}

// The slow way to who refers to what, parts of targets included: a look at every body.
fn edges_by_scan(tree: &Tree) -> BTreeSet<(NodePath, Referrer)> {
    tree.walk()
        .flat_map(|(path, body)| {
            let edge = move |reference: &Reference| {
                let Reference { pointer, target, fragment } = reference.clone();
                (target, Referrer { path: path.clone(), pointer, fragment })
            };
            body.references().iter().map(edge).collect::<Vec<_>>()
        })
        .collect()
}

fn edges_by_index(tree: &Tree, targets: &BTreeSet<NodePath>) -> BTreeSet<(NodePath, Referrer)> {
    let of = |target: &NodePath| {
        let edge = |referrer| (target.clone(), referrer);
        tree.referrers(target).map(edge).collect::<Vec<_>>()
    };
    targets.iter().flat_map(of).collect()
}

// The slow way: members without a referrer that is itself alive.
fn unreferenced_by_scan(tree: &Tree) -> BTreeSet<NodePath> {
    let secrets: Vec<NodePath> =
        tree.members(&path("/secrets")).map(|(key, _)| path("/secrets").join(key)).collect();
    let mut gone = BTreeSet::new();
    loop {
        let more: Vec<_> = secrets
            .iter()
            .filter(|at| !gone.contains(*at))
            .filter(|at| tree.referrers(at).all(|referrer| gone.contains(&referrer.path)))
            .cloned()
            .collect();
        if more.is_empty() {
            return gone;
        }
        gone.extend(more);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn checking_the_changes_finds_what_checking_everything_finds(
        rounds in prop::collection::vec(prop::collection::vec(step(), 1..6), 1..6),
    ) {
        let catalog = small();
        let mut base = fresh(&catalog);
        prop_assert_eq!(catalog.check_tree(&base, &Sealed), []);
        for round in rounds {
            let mut tree = base.clone();
            let touched: Vec<NodePath> = round.iter().map(|s| run(&catalog, &mut tree, s)).collect();
            let changes = changes_between(&base, &tree, &touched);
            let fast = catalog.check_changes(&tree, &changes, &Sealed);
            let slow = catalog.check_tree(&tree, &Sealed);
            let by_scan = edges_by_scan(&tree);
            let mut targets: BTreeSet<NodePath> =
                by_scan.iter().map(|(target, _)| target.clone()).collect();
            targets.extend(tree.walk().map(|(path, _)| path));
            prop_assert_eq!(edges_by_index(&tree, &targets), by_scan);
            prop_assert!(slow.iter().all(|v| v.layer == Layer::Tree));
            prop_assert_eq!(&fast, &slow, "{:?}", round);
            if !fast.is_empty() {
                continue;
            }
            let dropped = catalog.unreferenced(&tree, &changes);
            prop_assert_eq!(dropped.iter().cloned().collect::<BTreeSet<_>>(), unreferenced_by_scan(&tree));
            for at in &dropped {
                tree.object_delete(at).unwrap();
                // A later one may still be referred to, an earlier one may not.
                prop_assert_eq!(tree.referrers(at).count(), 0, "{}", at);
            }
            prop_assert_eq!(catalog.check_tree(&tree, &Sealed), []);
            base = tree;
        }
    }
}

#[test]
fn each_rule_of_the_tree_speaks() {
    let catalog = small();
    let mut tree = fresh(&catalog);
    put(&catalog, &mut tree, "/secrets/a", json!({"text": "AB"}));
    put(&catalog, &mut tree, "/users/a", json!({"name": "u", "group": "none", "secret": "a"}));
    put(&catalog, &mut tree, "/users/b", json!({"name": "u"}));
    put(&catalog, &mut tree, "/folder/settings", json!({"token": "a"}));
    tree.object_delete(&path("/folder/other")).unwrap();
    let found: BTreeSet<&str> = catalog.check_tree(&tree, &Sealed).iter().map(|v| v.rule).collect();
    let expected = [
        rule::REFERENCE_TARGET,
        rule::REFERENCE_EXCLUSIVE,
        rule::SECRET_TEXT,
        rule::UNIQUE,
        rule::OBJECT_MISSING,
    ];
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn a_union_refers_to_what_its_branch_says() {
    let catalog = small();
    let mut tree = fresh(&catalog);
    put(&catalog, &mut tree, "/groups/a", json!({}));
    put(
        &catalog,
        &mut tree,
        "/folder/settings",
        json!({"either": {"kind": "group", "value": "a"}}),
    );
    assert_eq!(catalog.check_tree(&tree, &Sealed), []);
    put(&catalog, &mut tree, "/folder/settings", json!({"either": {"kind": "user", "value": "a"}}));
    assert_eq!(brief(&catalog.check_tree(&tree, &Sealed)), ["/either/value reference-target"]);
}

#[test]
fn a_tree_that_was_stored_wrongly_is_found_out() {
    let catalog = small();
    let mut tree = fresh(&catalog);
    put(&catalog, &mut tree, "/groups/a", json!({}));
    let lost = config_tree::Body::new(&json!({"name": "u", "group": "a"}), Vec::new());
    tree.object_create(&path("/users/a"), lost, None).unwrap();
    let wrong = config_tree::Body::new(&json!({"name": 1}), Vec::new());
    tree.object_create(&path("/users/b"), wrong, None).unwrap();
    let stray = config_tree::Body::new(&json!({}), Vec::new());
    tree.object_create(&path("/stray"), stray, None).unwrap();
    let found: Vec<String> = catalog
        .check_tree(&tree, &Sealed)
        .iter()
        .map(|v| format!("{}#{} {}", v.path, v.pointer, v.rule))
        .collect();
    assert_eq!(found, ["/stray# endpoint", "/users/a# reference-list", "/users/b#/name type"]);
}
