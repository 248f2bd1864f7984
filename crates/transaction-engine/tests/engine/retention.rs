//! What is not kept for ever, and what nothing takes away.

use std::time::Duration;

use config_tree::{NodePath, Tree};
use serde_json::{Value, json};
use transaction_engine::{Error, HistoryRules, Page, RevisionNumber};

use crate::fixture::{Fixture, Place, Setup};
use crate::{assert_refused, scenarios};

scenarios![
    more_than_asked_for_are_taken_away_and_the_rest_stays_whole,
    old_ones_are_taken_away_although_there_are_few,
    a_name_keeps_its_revision_and_all_after_it,
    what_awaits_its_confirmation_is_kept,
    commits_feeds_and_readers_go_on_meanwhile,
    without_a_good_checkpoint_nothing_is_taken_away,
    the_background_does_it_by_itself,
];

fn number(n: u64) -> RevisionNumber {
    RevisionNumber::new(n)
}

fn keeping(revisions: u64) -> Setup {
    let history = HistoryRules { revisions, ..HistoryRules::default() };
    Setup { history, ..Setup::concurrent() }
}

fn content(tree: &Tree) -> Vec<(NodePath, Value)> {
    tree.walk().map(|(path, body)| (path, body.value())).collect()
}

fn commit_some(fixture: &Fixture, count: u64) -> Vec<Tree> {
    let mut trees = Vec::new();
    for n in 0..count {
        let session = fixture.opened("me");
        fixture.create(&session, json!({ "n": n }));
        fixture.put(&session, "a", json!({ "n": n + 1000 * fixture.number() })).unwrap();
        fixture.commit(&session).unwrap();
        trees.push(fixture.engine.running().tree.clone());
    }
    trees
}

fn create_some(fixture: &Fixture, count: u64) {
    for n in 0..count {
        let session = fixture.opened("me");
        fixture.create(&session, json!({ "n": n }));
        fixture.commit(&session).unwrap();
    }
}

fn kept(fixture: &Fixture) -> Vec<u64> {
    let infos = fixture.engine.revisions(Page::After(number(0)), 10_000).unwrap();
    infos.iter().map(|info| info.number.get()).collect()
}

fn more_than_asked_for_are_taken_away_and_the_rest_stays_whole(place: &Place) {
    // First all of it, then less: the background has nothing to do by itself before that.
    let fixture = keeping(10_000).at(place);
    let trees = commit_some(&fixture, 299);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture).len(), 300);

    let mut fixture = keeping(20).again(fixture, place);
    for round in 0..2 {
        fixture.engine.history_shorten().unwrap();
        assert_eq!(kept(&fixture), Vec::from_iter(281..=300), "round {round}");
        assert_eq!(fixture.engine.oldest_revision(), number(281));
        for n in [281, 290, 300] {
            let tree = fixture.engine.tree_at(number(n)).unwrap().unwrap();
            let index = usize::try_from(n - 2).unwrap();
            assert_eq!(content(&tree), content(&trees[index]), "revision {n}");
        }
        assert!(fixture.engine.revision_read(number(280)).unwrap().is_none());
        for gone in [0, 1, 280] {
            assert!(fixture.engine.tree_at(number(gone)).unwrap().is_none(), "{gone}");
        }
        let diff = fixture.engine.revision_diff(number(280), number(300));
        assert_refused!(diff, Error::NoRevision { .. });
        assert_refused!(fixture.engine.watch(number(279), || {}), Error::NoRevision { .. });
        fixture.engine.store_verify().unwrap();
        fixture = keeping(20).again(fixture, place);
    }
    commit_some(&fixture, 5);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), Vec::from_iter(286..=305));
}

fn old_ones_are_taken_away_although_there_are_few(place: &Place) {
    let history = HistoryRules { age: Some(Duration::from_secs(100)), ..HistoryRules::default() };
    let fixture = Setup { history, ..Setup::concurrent() }.at(place);
    commit_some(&fixture, 4);
    fixture.later(101);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), [5], "the newest is always kept");
    commit_some(&fixture, 2);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), [6, 7]);
    fixture.later(100);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), [6, 7]);
}

fn a_name_keeps_its_revision_and_all_after_it(place: &Place) {
    let fixture = keeping(10_000).at(place);
    let trees = commit_some(&fixture, 30);
    fixture.engine.tag_set("me", "good", number(12)).unwrap();
    let fixture = keeping(5).again(fixture, place);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), Vec::from_iter(12..=31));
    let tree = fixture.engine.tree_at(number(12)).unwrap().unwrap();
    assert_eq!(content(&tree), content(&trees[10]));
    assert_refused!(fixture.engine.tag_set("me", "gone", number(11)), Error::NoRevision { .. });
    fixture.engine.tag_delete("good").unwrap();
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), Vec::from_iter(27..=31));
}

fn what_awaits_its_confirmation_is_kept(place: &Place) {
    let fixture = keeping(1).at(place);
    let session = fixture.opened("me");
    fixture.create(&session, json!({"n": 0}));
    fixture.commit_with(&session, crate::confirmation::within(60)).unwrap();
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), [2]);
    fixture.later(60);
    let fixture = keeping(1).again(fixture, place);
    assert_eq!(fixture.number(), 3);
    assert_eq!(fixture.engine.running().tree.child_count(&crate::fixture::path("/things")), 0);
}

fn commits_feeds_and_readers_go_on_meanwhile(place: &Place) {
    let fixture = keeping(10).at(place);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2).map(|_| scope.spawn(|| create_some(&fixture, 100))).collect();
        let at_work = || writers.iter().any(|writer| !writer.is_finished());
        while at_work() {
            fixture.engine.history_shorten().unwrap();
            let newest = fixture.number();
            for n in newest.saturating_sub(3)..=newest {
                // There, or taken away meanwhile; never damaged.
                fixture.engine.revision_read(number(n)).unwrap();
                fixture.engine.tree_at(number(n)).unwrap();
            }
            fixture.engine.store_verify().unwrap();
        }
    });
    assert_eq!(fixture.number(), 201);
    fixture.engine.history_shorten().unwrap();
    assert_eq!(kept(&fixture), Vec::from_iter(192..=201));
    // A crash may bring some of them back, whole.
    let fixture = keeping(10).again(fixture, place);
    assert!(kept(&fixture).ends_with(&Vec::from_iter(192..=201)));
    fixture.engine.store_verify().unwrap();
}

fn without_a_good_checkpoint_nothing_is_taken_away(place: &Place) {
    let fixture = keeping(5).open(place.store()).unwrap();
    commit_some(&fixture, 20);
    assert!(fixture.engine.history_shorten().is_err(), "there is no folder for checkpoints");
    assert_eq!(kept(&fixture), Vec::from_iter(1..=21));
    assert!(!fixture.engine.is_poisoned());
}

fn the_background_does_it_by_itself(place: &Place) {
    let fixture = keeping(16).at(place);
    let (told, news) = std::sync::mpsc::channel();
    let _feed = fixture.engine.watch(number(1), move || told.send(()).unwrap_or(())).unwrap();
    // Each commit tells the background when there is something to do.
    for _ in 0..2_000 {
        commit_some(&fixture, 1);
        news.recv().unwrap();
        if fixture.engine.oldest_revision() > number(1) {
            break;
        }
    }
    assert!(fixture.engine.oldest_revision() > number(1));
    assert!(kept(&fixture).len() >= 16);
}
