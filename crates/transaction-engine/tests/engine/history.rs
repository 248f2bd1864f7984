//! The past: listed, read, compared, brought back, named; and trees from outside.

use config_tree::{Change, Key, NodePath, Tree};
use serde_json::{Value, json};
use transaction_engine::{Error, Page, RevisionNumber, SecretForm};

use crate::fixture::{Fixture, Place, Setup, part, path, value_at};
use crate::{assert_refused, scenarios};

scenarios![
    revisions_are_listed_by_pages,
    every_tree_of_the_past_is_there,
    a_difference_is_what_leads_from_one_to_the_other_in_sum,
    restoring_stages_the_difference_and_secrets_open_again,
    a_restored_order_is_the_former_one,
    restoring_needs_a_transaction_and_a_revision,
    names_are_kept_and_taken_away,
    a_tree_is_built_from_clear_or_sealed_bodies,
    a_tree_with_faults_names_all_of_them,
    a_built_tree_can_be_staged,
];

fn number(n: u64) -> RevisionNumber {
    RevisionNumber::new(n)
}

fn content(tree: &Tree) -> Vec<(NodePath, Value)> {
    tree.walk().map(|(path, body)| (path, body.value())).collect()
}

/// A past of thirty revisions with all kinds of changes; gives the tree after each.
fn past(fixture: &Fixture) -> Vec<Tree> {
    let mut trees =
        vec![fixture.engine.catalog().skeleton(), fixture.engine.running().tree.clone()];
    let things = path("/things");
    for n in 2..30_u64 {
        let session = fixture.opened("me");
        fixture.put(&session, "a", json!({ "n": n })).unwrap();
        fixture.create(&session, json!({ "n": n }));
        let view = fixture.engine.view(&session);
        let mut keys: Vec<Key> = view.tree().children(&things).cloned().collect();
        if n % 3 == 0 {
            fixture
                .engine
                .node_delete(&session, &things.join(&keys[keys.len() / 2]), None)
                .unwrap();
        } else if n % 4 == 0 {
            keys.rotate_left(1);
            fixture.engine.collection_reorder(&session, &things, &keys, None).unwrap();
        }
        if n % 5 == 0 {
            let secret = fixture.secret(&session, "hunter2");
            let body = json!({"n": 0, "password": secret.as_str()});
            fixture.put(&session, "b", body).unwrap();
        }
        assert_eq!(fixture.commit(&session).unwrap(), n);
        trees.push(fixture.engine.running().tree.clone());
    }
    trees
}

fn revisions_are_listed_by_pages(place: &Place) {
    let fixture = Setup::default().at(place);
    past(&fixture);
    let page = |page, limit| -> Vec<u64> {
        let infos = fixture.engine.revisions(page, limit).unwrap();
        infos.iter().map(|info| info.number.get()).collect()
    };
    assert_eq!(page(Page::Newest, 3), [29, 28, 27]);
    assert_eq!(page(Page::Before(number(27)), 3), [26, 25, 24]);
    assert_eq!(page(Page::Before(number(2)), 3), [1]);
    assert_eq!(page(Page::Before(number(0)), 3), [0; 0]);
    assert_eq!(page(Page::After(number(26)), 9), [27, 28, 29]);
    assert_eq!(page(Page::Newest, 100).len(), 29);
    let info = &fixture.engine.revisions(Page::Newest, 1).unwrap()[0];
    let record = fixture.record(29);
    assert_eq!((&info.author, &info.session), (&record.author, &record.session));
    assert_eq!((info.time, info.digest), (record.time, record.digest));
    assert_eq!((info.changes, &info.message), (record.changes.len(), &record.message));
}

fn every_tree_of_the_past_is_there(place: &Place) {
    let fixture = Setup::default().at(place);
    let trees = past(&fixture);
    let check = |fixture: &Fixture, numbers: &[usize]| {
        for n in numbers {
            let tree = fixture.engine.tree_at(number(*n as u64)).unwrap().unwrap();
            assert_eq!(content(&tree), content(&trees[*n]), "revision {n}");
            assert!(tree.is_consistent());
        }
    };
    // Backwards, forwards and at random: from the running tree and from those at hand.
    check(&fixture, &[29, 28, 0, 1, 15, 14, 16, 3, 25, 2]);
    let fixture = Setup::default().again(fixture, place);
    check(&fixture, &(0..30).collect::<Vec<_>>());
    assert!(fixture.engine.tree_at(number(30)).unwrap().is_none());
}

fn a_difference_is_what_leads_from_one_to_the_other_in_sum(place: &Place) {
    let fixture = Setup::default().at(place);
    let trees = past(&fixture);
    for (from, to) in [(0, 29), (29, 0), (3, 4), (4, 3), (7, 22), (22, 7), (9, 9)] {
        let changes = fixture.engine.revision_diff(number(from), number(to)).unwrap();
        let mut tree = trees[usize::try_from(from).unwrap()].clone();
        changes.iter().for_each(|change| tree.apply(change).unwrap());
        assert_eq!(content(&tree), content(&trees[usize::try_from(to).unwrap()]), "{from}-{to}");
    }
    assert_eq!(fixture.engine.revision_diff(number(9), number(9)).unwrap(), []);
    assert_eq!(
        fixture.engine.revision_diff(number(3), number(4)).unwrap(),
        fixture.record(4).changes
    );
    let future = fixture.engine.revision_diff(number(1), number(99));
    assert_refused!(future, Error::NoRevision { .. });
}

fn restoring_stages_the_difference_and_secrets_open_again(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let secret = fixture.secret(&session, "hunter2");
    fixture.put(&session, "a", json!({"n": 1, "password": secret.as_str()})).unwrap();
    let thing = fixture.create(&session, json!({"n": 5}));
    fixture.commit(&session).unwrap();
    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "a", json!({"n": 2})).unwrap();
    fixture.engine.node_delete(&session, &thing, None).unwrap();
    fixture.commit(&session).unwrap();
    let secret = path("/passwords").join(&secret);
    assert!(fixture.running(&secret).is_none());

    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "b", json!({"n": 7})).unwrap();
    fixture.engine.revision_restore(&session, number(2)).unwrap();
    assert_eq!(fixture.seen(&session, &thing), Some(json!({"n": 5})), "under its former key");
    assert_eq!(fixture.seen(&session, &part("b")), Some(json!({"n": 0})), "all of it");
    assert_eq!(fixture.running(&part("a")), Some(json!({"n": 2})), "staged, not more");
    assert_eq!(fixture.commit(&session).unwrap(), 4);
    assert_eq!(*fixture.engine.secret_reveal(&secret, "/plain").unwrap(), "hunter2");
    assert_eq!(fixture.record(4).digest, fixture.record(2).digest);
}

fn a_restored_order_is_the_former_one(place: &Place) {
    let fixture = Setup::default().at(place);
    let trees = past(&fixture);
    let things = path("/things");
    for n in [3, 17, 28] {
        let session = fixture.opened("me");
        let view = fixture.engine.revision_restore(&session, number(n)).unwrap();
        let former = &trees[usize::try_from(n).unwrap()];
        assert!(view.tree().children(&things).eq(former.children(&things)));
        fixture.commit(&session).unwrap();
        let running = fixture.engine.running();
        assert_eq!(content(&running.tree), content(former));
        assert!(running.tree.is_consistent());
    }
}

fn restoring_needs_a_transaction_and_a_revision(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.session("me");
    let closed = fixture.engine.revision_restore(&session, number(1));
    assert_refused!(closed, Error::NoTransaction);
    fixture.engine.transaction_open(&session).unwrap();
    let future = fixture.engine.revision_restore(&session, number(2));
    assert_refused!(future, Error::NoRevision { .. });
    fixture.engine.revision_restore(&session, number(1)).unwrap();
    assert!(!fixture.engine.transaction_status(&session).changed);
    fixture.engine.revision_restore(&session, number(0)).unwrap();
    assert_refused!(fixture.commit(&session), Error::Rejected(_));
}

fn names_are_kept_and_taken_away(place: &Place) {
    let fixture = Setup::default().at(place);
    past(&fixture);
    let engine = &fixture.engine;
    engine.tag_set("me", "good", number(3)).unwrap();
    engine.tag_set("me", "before the upgrade", number(5)).unwrap();
    fixture.later(1);
    engine.tag_set("you", "good", number(4)).unwrap();
    assert_refused!(engine.tag_set("me", "a/b", number(1)), Error::TagName);
    assert_refused!(engine.tag_set("me", "", number(1)), Error::TagName);
    assert_refused!(engine.tag_set("me", "x", number(30)), Error::NoRevision { .. });
    assert_refused!(engine.tag_delete("x"), Error::NoTag(_));

    let fixture = Setup::default().again(fixture, place);
    let tags = fixture.engine.tags();
    let told: Vec<_> =
        tags.iter().map(|tag| (tag.name.as_str(), tag.number.get(), tag.author.as_str())).collect();
    assert_eq!(told, [("before the upgrade", 5, "me"), ("good", 4, "you")]);
    fixture.engine.tag_delete("good").unwrap();
    let fixture = Setup::default().again(fixture, place);
    assert_eq!(fixture.engine.tag("good"), None);
    assert_eq!(fixture.engine.tag("before the upgrade").unwrap(), tags[0]);
}

fn bodies(password: &Value) -> Vec<(NodePath, Value)> {
    vec![
        (path("/things/t2"), json!({"n": 2})),
        (path("/things/t1"), json!({"n": 1})),
        (path("/passwords/p1"), json!({ "plain": password })),
        (part("a"), json!({"n": 1, "thing": "t1", "password": "p1"})),
        (part("b"), json!({"n": 2})),
        (part("c"), json!({"n": 3})),
    ]
}

fn a_tree_is_built_from_clear_or_sealed_bodies(place: &Place) {
    let fixture = Setup::default().at(place);
    let clear = fixture.engine.tree_build(bodies(&json!("hunter2")), SecretForm::Clear).unwrap();
    let order: Vec<_> = clear.children(&path("/things")).map(Key::to_string).collect();
    assert_eq!(order, ["t2", "t1"]);
    let sealed = value_at(&clear, &path("/passwords/p1")).unwrap()["plain"].clone();
    assert!(sealed.as_str().unwrap().starts_with("v1:"));
    let again = fixture.engine.tree_build(bodies(&sealed), SecretForm::Sealed).unwrap();
    assert_eq!(again.digest(), clear.digest(), "what was sealed stays as it is");
}

fn a_tree_with_faults_names_all_of_them(place: &Place) {
    let fixture = Setup::default().at(place);
    let build = |nodes: Vec<(NodePath, Value)>, form| match fixture.engine.tree_build(nodes, form) {
        Err(Error::Rejected(violations)) => {
            violations.iter().map(|v| format!("{}#{}", v.path, v.pointer)).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let mut nodes = bodies(&json!("hunter2"));
    nodes[3].1 = json!({"n": "x", "more": 1});
    nodes.push((path("/nowhere"), json!({})));
    nodes.push((path("/things/t1"), json!({"n": 1})));
    let told = build(nodes, SecretForm::Clear);
    assert_eq!(told, ["/nowhere#", "/parts/a#/more", "/parts/a#/n", "/things/t1#"]);

    let mut nodes = bodies(&json!("hunter2"));
    nodes.remove(1);
    nodes.pop();
    assert_eq!(build(nodes, SecretForm::Clear), ["/parts/a#/thing", "/parts/c#"]);
    // Sealed for another place, or not at all.
    assert_eq!(build(bodies(&json!("hunter2")), SecretForm::Sealed), ["/passwords/p1#/plain"]);
}

fn a_built_tree_can_be_staged(place: &Place) {
    let fixture = Setup::default().at(place);
    let tree = fixture.engine.tree_build(bodies(&json!("hunter2")), SecretForm::Clear).unwrap();
    let session = fixture.opened("me");
    fixture.engine.tree_stage(&session, &tree).unwrap();
    assert_eq!(fixture.commit(&session).unwrap(), 2);
    assert_eq!(fixture.engine.running().tree.digest(), tree.digest());
    let created = |change: &&Change| matches!(change, Change::Create { .. });
    assert_eq!(fixture.record(2).changes.iter().filter(created).count(), 3);
    assert_eq!(*fixture.engine.secret_reveal(&path("/passwords/p1"), "/plain").unwrap(), "hunter2");
}
