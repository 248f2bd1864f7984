//! Forks: the past of their origin, a future of their own, nothing durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use transaction_engine::clock::Clock;
use transaction_engine::{
    Begin, CommitOptions, Engine, Error, Fork, HistoryRules, Idempotency, Mode, Next, Page,
    RevisionNumber,
};

use crate::confirmation::within;
use crate::fixture::{Fixture, Place, Setup, part, path};
use crate::{assert_refused, scenarios};

scenarios![
    a_fork_sees_the_past_and_goes_its_own_way,
    a_fork_begins_at_any_revision,
    a_fork_of_a_fork_has_the_history_of_both,
    a_reset_leads_back_to_where_a_fork_began,
    the_revision_of_a_moment_is_found,
    what_belongs_to_requests_stays_with_the_origin,
    an_unconfirmed_commit_of_a_fork_is_undone_in_its_time,
    a_fork_outlives_its_origin_and_forgets_what_it_need_not_keep,
    who_watches_a_fork_sees_each_commit_and_the_end,
    forks_under_load_stay_apart,
    sixty_four_forks_are_as_sixty_four_plain_models,
    forks_are_made_reset_and_dropped_from_32_threads,
];

fn number(n: u64) -> RevisionNumber {
    RevisionNumber::new(n)
}

fn fork_at(origin: &Fixture, at: Option<u64>) -> Result<Fixture, Error> {
    let clock = Arc::clone(&origin.clock);
    let begin = at.map_or(Begin::Running, |at| Begin::Revision(number(at)));
    let clock_of_fork = Arc::clone(&clock) as Arc<dyn Clock>;
    let fork = Fork { begin, clock: clock_of_fork, message_required: None, appliers: Vec::new() };
    Ok(Fixture { engine: origin.engine.fork(fork)?, clock })
}

fn reset(fork: &Fixture) -> Fixture {
    let clock = Arc::clone(&fork.clock) as Arc<dyn Clock>;
    let begin = Begin::Origin;
    let reset = Fork { begin, clock, message_required: None, appliers: Vec::new() };
    Fixture { engine: fork.engine.fork(reset).unwrap(), clock: Arc::clone(&fork.clock) }
}

fn fork(origin: &Fixture) -> Fixture {
    fork_at(origin, None).unwrap()
}

fn history(engine: &Engine) -> Vec<u64> {
    let infos = engine.revisions(Page::After(number(0)), 1000).unwrap();
    infos.iter().map(|info| info.number.get()).collect()
}

fn n(fixture: &Fixture) -> i64 {
    fixture.running(&part("a")).unwrap()["n"].as_i64().unwrap()
}

fn a_fork_sees_the_past_and_goes_its_own_way(place: &Place) {
    let origin = Setup::default().at(place);
    origin.commit_n("a", 1);
    let (one, two) = (fork(&origin), fork(&origin));
    assert!(origin.engine.is_durable() && !one.engine.is_durable());
    assert_eq!((one.commit_n("a", 10), one.commit_n("a", 11)), (3, 4));
    assert_eq!(two.commit_n("b", 20), 3);
    assert_eq!(origin.commit_n("a", 2), 3);
    assert_eq!((n(&origin), n(&one), n(&two)), (2, 11, 1));
    assert_eq!(history(&one.engine), [1, 2, 3, 4]);
    assert_eq!(one.record(2), origin.record(2));
    assert_ne!(one.record(3).commit_id, two.record(3).commit_id);
    let tree = one.engine.tree_at(number(1)).unwrap().unwrap();
    assert_eq!(tree.digest(), origin.record(1).digest);
    let back = one.opened("me");
    one.engine.revision_restore(&back, number(2)).unwrap();
    one.commit(&back).unwrap();
    assert_eq!(n(&one), 1);
    // Rules hold as in the origin.
    let session = two.opened("me");
    assert_refused!(two.put(&session, "a", json!({"n": "x"})), Error::Invalid(_));
    drop((one, two));
    let origin = Setup::default().again(origin, place);
    assert_eq!((origin.number(), n(&origin)), (3, 2));
}

fn a_fork_begins_at_any_revision(place: &Place) {
    let origin = Setup::default().at(place);
    (1..=4).for_each(|n| assert!(origin.commit_n("a", n) > 0));
    for (at, expected) in [(2, 1), (4, 3), (5, 4)] {
        let fork = fork_at(&origin, Some(at)).unwrap();
        assert_eq!((fork.number(), n(&fork)), (at, expected));
        assert_eq!(history(&fork.engine), Vec::from_iter(1..=at));
        assert_eq!(fork.engine.running().commit_id, origin.record(at).commit_id);
        assert_refused!(fork.engine.watch(number(at + 1), || {}), Error::NoRevision { .. });
        assert_eq!(fork.commit_n("a", 99), at + 1);
    }
    assert_eq!(fork_at(&origin, Some(0)).unwrap().running(&part("a")), None);
    assert_refused!(fork_at(&origin, Some(6)), Error::NoRevision { .. });
}

fn a_fork_of_a_fork_has_the_history_of_both(place: &Place) {
    let origin = Setup::default().at(place);
    let mut last = fork(&origin);
    for step in 0..200 {
        last.commit_n("a", step + 1);
        let next = fork(&last);
        last.commit_n("a", -1);
        last = next;
    }
    assert_eq!((last.number(), n(&last)), (201, 200));
    assert_eq!(history(&last.engine), Vec::from_iter(1..=201));
    let middle = fork_at(&last, Some(101)).unwrap();
    assert_eq!((middle.number(), n(&middle), middle.record(50)), (101, 100, origin_of(&last, 50)));
    assert_eq!(fork_at(&middle, Some(1)).unwrap().number(), 1);
}

fn a_reset_leads_back_to_where_a_fork_began(place: &Place) {
    let history_rules = HistoryRules { revisions: 5, ..HistoryRules::default() };
    let origin = Setup { history: history_rules, ..Setup::default() }.at(place);
    origin.commit_n("a", 1);
    origin.engine.tag_set("me", "early", number(1)).unwrap();
    let fork = fork(&origin);
    fork.engine.tag_delete("early").unwrap();
    (0..20).for_each(|n| assert!(fork.commit_n("a", 100 + n) > 0));
    let again = reset(&fork);
    assert_eq!((again.number(), n(&again), history(&again.engine)), (2, 1, vec![1, 2]));
    assert!(again.engine.tag("early").is_some());
    again.commit_n("a", 7);
    let again = reset(&again);
    assert_eq!((again.number(), n(&again)), (2, 1));
    assert_eq!(reset(&origin).number(), 2);
}

fn the_revision_of_a_moment_is_found(place: &Place) {
    let origin = Setup::default().at(place);
    let start = origin.clock.now();
    for n in 1..=6 {
        origin.later(10);
        origin.commit_n("a", n);
    }
    let at = |seconds: u64| {
        origin.engine.revision_at(start.plus(Duration::from_secs(seconds))).unwrap().get()
    };
    assert_eq!([0, 9, 10, 11, 29, 30, 59, 60, 1000].map(at), [1, 1, 2, 2, 3, 4, 6, 7, 7]);
}

fn origin_of(fixture: &Fixture, number: u64) -> transaction_engine::RevisionRecord {
    fixture.record(number)
}

fn what_belongs_to_requests_stays_with_the_origin(place: &Place) {
    let origin = Setup::mode(Mode::Exclusive).at(place);
    origin.commit_n("a", 1);
    origin.engine.tag_set("me", "early", number(1)).unwrap();
    origin.engine.tag_set("me", "late", number(2)).unwrap();
    let key = || Idempotency::new("key", [1; 32]);
    let keyed = || CommitOptions { idempotency: key(), ..CommitOptions::default() };
    let session = origin.opened("me");
    origin.put(&session, "a", json!({"n": 2})).unwrap();
    origin.commit_with(&session, keyed()).unwrap();
    let holder = origin.opened("holder");
    let fork = fork_at(&origin, Some(1)).unwrap();
    assert_eq!(fork.engine.tags().len(), 1);
    assert_eq!(fork.engine.tag("early").unwrap().number, number(1));
    assert_eq!(fork.engine.holder(), None, "a lock is not inherited");
    let session = fork.opened("me");
    fork.put(&session, "a", json!({"n": 7})).unwrap();
    let committed = fork.commit_with(&session, keyed()).unwrap();
    assert_eq!((committed.number, committed.changes), (number(2), 1), "not the origin's answer");
    assert_eq!(fork.commit_with(&session, keyed()).unwrap(), committed, "and its own again");
    fork.engine.tag_set("me", "mine", number(2)).unwrap();
    fork.engine.tag_delete("early").unwrap();
    assert_eq!(origin.engine.tags().len(), 2);
    assert!(origin.engine.tag("early").is_some() && origin.engine.holder().is_some());
    drop(holder);
}

fn an_unconfirmed_commit_of_a_fork_is_undone_in_its_time(place: &Place) {
    let origin = Setup::default().at(place);
    let session = origin.opened("me");
    origin.put(&session, "a", json!({"n": 1})).unwrap();
    origin.commit_with(&session, within(60)).unwrap();
    let fork = fork(&origin);
    assert_eq!(fork.engine.next_deadline(), None, "the origin's is the origin's to confirm");
    let session = fork.opened("me");
    fork.put(&session, "a", json!({"n": 2})).unwrap();
    let committed = fork.commit_with(&session, within(30)).unwrap();
    let other = fork.opened("other");
    fork.put(&other, "b", json!({"n": 1})).unwrap();
    assert_refused!(fork.commit(&other), Error::AwaitingConfirmation { .. });
    fork.clock.advance(Duration::from_secs(31));
    // Nothing but the next commit looks at the clock here.
    assert_eq!(fork.commit(&other).unwrap(), 5);
    assert_eq!(n(&fork), 1);
    let token = committed.confirmation.unwrap().token;
    assert_refused!(fork.engine.commit_confirm(token.as_str()), Error::NotAwaiting);
}

fn a_fork_outlives_its_origin_and_forgets_what_it_need_not_keep(place: &Place) {
    let history_rules = HistoryRules { revisions: 20, ..HistoryRules::default() };
    let origin = Setup { history: history_rules, ..Setup::default() }.at(place);
    origin.commit_n("a", 1);
    let fork = fork(&origin);
    drop(origin);
    (0..10).for_each(|n| assert!(fork.commit_n("a", 100 + n) > 0));
    assert_eq!(fork.record(2).changes.len(), 1, "the store is still read");
    fork.engine.tag_set("me", "kept", number(5)).unwrap();
    (0..40).for_each(|n| assert!(fork.commit_n("a", 200 + n) > 0));
    assert_eq!(history(&fork.engine), Vec::from_iter(5..=52));
    fork.engine.tag_delete("kept").unwrap();
    fork.commit_n("a", 300);
    assert_eq!(history(&fork.engine), Vec::from_iter(34..=53));
    assert!(fork.engine.tree_at(number(20)).unwrap().is_none());
    fork.engine.history_shorten().unwrap();
}

fn who_watches_a_fork_sees_each_commit_and_the_end(place: &Place) {
    let origin = Setup::default().at(place);
    origin.commit_n("a", 1);
    let fork = fork(&origin);
    let woken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let mut feed = fork.engine.watch(number(1), wake).unwrap();
    origin.commit_n("a", 2);
    fork.commit_n("a", 3);
    for expected in [2, 3] {
        match feed.pull().unwrap() {
            Next::Revision(record) => assert_eq!(*record, fork.record(expected)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((feed.pull().unwrap(), woken.load(Ordering::SeqCst)), (Next::Wait, 1));
    let session = fork.opened("me");
    fork.put(&session, "a", json!({"n": 4})).unwrap();
    fork.engine.shutdown();
    assert_eq!((feed.pull().unwrap(), woken.load(Ordering::SeqCst)), (Next::Closed, 2));
    assert_refused!(fork.commit(&session), Error::Closed);
    assert_refused!(fork.engine.tag_set("me", "x", number(1)), Error::Closed);
    assert_refused!(
        fork.engine.autocommit("me", None, |edit| edit.node_put(&part("a"), json!({"n": 5}))),
        Error::Closed
    );
}

fn forks_under_load_stay_apart(place: &Place) {
    const COMMITS: u64 = 40;
    let origin = Setup::concurrent().at(place);
    let forks: Vec<_> = (0..8).map(|_| fork(&origin)).collect();
    std::thread::scope(|scope| {
        for (mark, fork) in forks.iter().enumerate() {
            for _ in 0..3 {
                scope.spawn(move || {
                    for _ in 0..COMMITS {
                        let session = fork.opened("writer");
                        fork.create(&session, json!({ "n": mark }));
                        fork.commit(&session).unwrap();
                    }
                });
            }
        }
    });
    for (mark, fork) in forks.iter().enumerate() {
        let tree = &fork.engine.running().tree;
        let things: Vec<_> = tree.members(&path("/things")).map(|(_, body)| body.value()).collect();
        assert_eq!(things.len() as u64, 3 * COMMITS);
        assert!(things.iter().all(|thing| thing["n"] == json!(mark)));
        assert_eq!(fork.number(), 1 + 3 * COMMITS);
    }
    assert_eq!(origin.number(), 1);
}

/// What a fork should be like: a number, the things in their order, the revision.
#[derive(Clone, PartialEq, Debug)]
struct Model {
    n: i64,
    things: Vec<i64>,
    number: u64,
}

impl Model {
    fn of(fork: &Fixture) -> Self {
        let tree = &fork.engine.running().tree;
        let collection = path("/things");
        let things = tree.members(&collection);
        let things = things.map(|(_, body)| body.value()["n"].as_i64().unwrap()).collect();
        Self { n: n(fork), things, number: fork.number() }
    }
}

// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn sixty_four_forks_are_as_sixty_four_plain_models(place: &Place) {
    let origin = Setup::default().at(place);
    origin.commit_n("a", 1);
    let began = Model::of(&origin);
    let mut forks: Vec<_> =
        (0..64).map(|_| (fork(&origin), began.clone(), began.clone())).collect();
    let mut numbers = Numbers(7);
    for step in 0..2_000_i64 {
        let (at, other) = (numbers.below(64), numbers.below(64));
        match numbers.below(8) {
            0..=2 => {
                let (fork, model, _) = &mut forks[at];
                fork.commit_n("a", 1_000 + step);
                (model.n, model.number) = (1_000 + step, model.number + 1);
            }
            3..=4 => {
                let (fork, model, _) = &mut forks[at];
                let session = fork.opened("me");
                fork.create(&session, json!({ "n": step }));
                fork.commit(&session).unwrap();
                model.things.push(step);
                model.number += 1;
            }
            5 => {
                // What is not committed shows nowhere.
                let fork = &forks[at].0;
                let session = fork.opened("me");
                fork.put(&session, "a", json!({ "n": -1 })).unwrap();
                fork.engine.session_end(&session);
            }
            6 => {
                let (fork, model, began) = &mut forks[at];
                *fork = reset(fork);
                *model = began.clone();
            }
            _ => {
                let (made, model) = (fork(&forks[other].0), forks[other].1.clone());
                forks[at] = (made, model.clone(), model);
            }
        }
        assert_eq!(Model::of(&forks[at].0), forks[at].1, "step {step}");
    }
    for (at, (fork, model, _)) in forks.iter().enumerate() {
        assert_eq!(Model::of(fork), *model, "fork {at}");
        assert!(fork.engine.running().tree.is_consistent(), "fork {at}");
    }
    assert_eq!(Model::of(&origin), began);
}

fn forks_are_made_reset_and_dropped_from_32_threads(place: &Place) {
    let origin = Setup::concurrent().at(place);
    origin.commit_n("a", 1);
    let shared = fork(&origin);
    std::thread::scope(|scope| {
        for thread in 1..=32_i64 {
            let (origin, shared) = (&origin, &shared);
            scope.spawn(move || {
                for round in 0..6 {
                    let mine = fork(if round % 2 == 0 { origin } else { shared });
                    let before = mine.number();
                    assert_eq!(mine.commit_n("b", thread), before + 1);
                    assert_eq!(mine.running(&part("b")).unwrap()["n"], thread);
                    let again = reset(&mine);
                    drop(mine);
                    assert_eq!(again.number(), before);
                    let session = shared.opened("writer");
                    shared.create(&session, json!({ "n": thread }));
                    shared.commit(&session).unwrap();
                }
            });
        }
    });
    assert_eq!((origin.number(), shared.number()), (2, 2 + 32 * 6));
    assert_eq!(shared.engine.running().tree.members(&path("/things")).count(), 32 * 6);
    assert!(shared.engine.running().tree.is_consistent());
}
