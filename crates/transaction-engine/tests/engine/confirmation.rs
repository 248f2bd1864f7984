//! Commits that undo themselves unless somebody confirms them.

use std::time::Duration;

use serde_json::json;
use transaction_engine::store::MemStore;
use transaction_engine::{CommitOptions, ConfirmToken, Error, Mode};

use crate::fixture::{Fixture, Place, Setup, part, path};
use crate::{assert_refused, scenarios};

scenarios![
    an_unconfirmed_commit_is_in_force_and_undone_in_time,
    a_confirmed_commit_stays,
    it_can_be_confirmed_from_elsewhere_and_not_with_another_token,
    more_time_can_be_given,
    it_can_be_undone_at_once,
    nothing_else_is_committed_meanwhile,
    after_a_restart_the_time_that_was_left_is_left,
    what_became_overdue_while_nobody_was_there_is_undone_at_the_start,
    undoing_brings_back_secrets_order_and_members,
    a_commit_that_changes_nothing_awaits_nothing,
    a_retry_gets_the_same_token,
];

pub(crate) fn within(seconds: u64) -> CommitOptions {
    let confirm_within = Some(Duration::from_secs(seconds));
    CommitOptions { confirm_within, ..CommitOptions::default() }
}

fn commit(fixture: &Fixture, n: i64, seconds: u64) -> ConfirmToken {
    let session = fixture.opened("original");
    fixture.put(&session, "a", json!({ "n": n })).unwrap();
    let committed = fixture.commit_with(&session, within(seconds)).unwrap();
    committed.confirmation.unwrap().token
}

fn n(fixture: &Fixture) -> i64 {
    fixture.running(&part("a")).unwrap()["n"].as_i64().unwrap()
}

fn an_unconfirmed_commit_is_in_force_and_undone_in_time(place: &Place) {
    let fixture = Setup::default().at(place);
    commit(&fixture, 1, 60);
    assert_eq!((n(&fixture), fixture.number()), (1, 2), "in force at once");
    let until = fixture.engine.next_deadline().unwrap();
    assert_eq!(fixture.engine.confirmation().map(|(number, _)| number.get()), Some(2));
    fixture.later(59);
    assert_eq!(fixture.engine.expire_confirmation().unwrap(), None);
    fixture.later(1);
    // Unless the writer was quicker.
    fixture.engine.expire_confirmation().unwrap();
    assert_eq!((n(&fixture), fixture.number()), (0, 3));
    let record = fixture.record(3);
    assert_eq!(record.message.as_deref(), Some("Not confirmed in time: revision 2 undone"));
    assert_eq!((record.author.as_str(), record.time), ("original", until));
    assert_eq!((fixture.engine.next_deadline(), fixture.engine.confirmation()), (None, None));
    assert_eq!(fixture.engine.expire_confirmation().unwrap(), None, "once");
}

fn a_confirmed_commit_stays(place: &Place) {
    let fixture = Setup::default().at(place);
    let token = commit(&fixture, 1, 60);
    assert_eq!(fixture.engine.commit_confirm(token.as_str()).unwrap().get(), 2);
    fixture.later(100);
    assert_eq!(fixture.engine.expire_confirmation().unwrap(), None);
    assert_eq!((n(&fixture), fixture.number()), (1, 2));
    assert_refused!(fixture.engine.commit_confirm(token.as_str()), Error::NotAwaiting);
    let fixture = Setup::default().again(fixture, place);
    assert_eq!((n(&fixture), fixture.number()), (1, 2));
}

fn it_can_be_confirmed_from_elsewhere_and_not_with_another_token(place: &Place) {
    let fixture = Setup::default().at(place);
    let former = commit(&fixture, 1, 60);
    fixture.engine.commit_confirm(former.as_str()).unwrap();
    let token = commit(&fixture, 2, 60);
    for wrong in ["", "x", former.as_str()] {
        assert_refused!(fixture.engine.commit_confirm(wrong), Error::NotAwaiting);
        assert_refused!(fixture.engine.commit_cancel(wrong), Error::NotAwaiting);
    }
    assert!(!format!("{token:?}").contains(token.as_str()));
    // The session that committed is not asked for.
    let fixture = Setup::default().again(fixture, place);
    fixture.engine.commit_confirm(token.as_str()).unwrap();
    assert_eq!(n(&fixture), 2);
}

fn more_time_can_be_given(place: &Place) {
    let fixture = Setup::default().at(place);
    let token = commit(&fixture, 1, 60);
    fixture.later(50);
    let until = fixture.engine.commit_extend(token.as_str(), Duration::from_secs(60)).unwrap();
    assert_eq!(fixture.engine.next_deadline(), Some(until));
    fixture.later(59);
    let fixture = Setup::default().again(fixture, place);
    assert_eq!(n(&fixture), 1);
    fixture.later(1);
    assert_refused!(fixture.engine.commit_confirm(token.as_str()), Error::NotAwaiting);
    fixture.engine.expire_confirmation().unwrap();
    assert_eq!(n(&fixture), 0);
}

fn it_can_be_undone_at_once(place: &Place) {
    let fixture = Setup::default().at(place);
    let token = commit(&fixture, 1, 60);
    assert_eq!(fixture.engine.commit_cancel(token.as_str()).unwrap().get(), 3);
    assert_eq!(n(&fixture), 0);
    let message = fixture.record(3).message.unwrap();
    assert_eq!(message, "Cancelled before it was confirmed: revision 2 undone");
    fixture.commit_n("a", 5);
}

fn nothing_else_is_committed_meanwhile(place: &Place) {
    let fixture = Setup::mode(Mode::Concurrent).at(place);
    let others: Vec<_> = (0..4).map(|_| fixture.opened("other")).collect();
    for other in &others {
        fixture.create(other, json!({"n": 1}));
    }
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    let (done, answered) = std::sync::mpsc::channel();
    let first = done.clone();
    fixture.engine.transaction_commit_begin(&session, within(60), move |result| {
        first.send(result.map(drop)).unwrap();
    });
    for other in &others {
        let done = done.clone();
        fixture.engine.transaction_commit_begin(other, None, move |result| {
            done.send(result.map(drop)).unwrap();
        });
    }
    let answers: Vec<_> = answered.iter().take(5).collect();
    assert!(answers[0].is_ok());
    let until = fixture.engine.next_deadline().unwrap();
    for answer in &answers[1..] {
        match answer {
            Err(Error::AwaitingConfirmation { revision, until: told }) => {
                assert_eq!((revision.get(), *told), (2, until));
            }
            other => panic!("{other:?}"),
        }
    }
    let plan = fixture.engine.transaction_plan(&others[0]).unwrap();
    assert!(matches!(plan.refusal, Some(Error::AwaitingConfirmation { .. })), "{plan:?}");
    fixture.later(60);
    fixture.engine.expire_confirmation().unwrap();
    for other in &others {
        fixture.commit(other).expect("handed back, and merges with the undoing");
    }
    assert_eq!((n(&fixture), fixture.number()), (0, 7));
}

fn after_a_restart_the_time_that_was_left_is_left(place: &Place) {
    let fixture = Setup::default().at(place);
    let token = commit(&fixture, 1, 60);
    let until = fixture.engine.next_deadline();
    fixture.later(30);
    let fixture = Setup::default().again(fixture, place);
    assert_eq!((n(&fixture), fixture.engine.next_deadline()), (1, until));
    let session = fixture.opened("me");
    fixture.put(&session, "b", json!({"n": 1})).unwrap();
    assert_refused!(fixture.commit(&session), Error::AwaitingConfirmation { .. });
    fixture.later(29);
    assert_eq!(fixture.engine.commit_confirm(token.as_str()).unwrap().get(), 2);
    fixture.commit(&session).unwrap();
}

fn what_became_overdue_while_nobody_was_there_is_undone_at_the_start(place: &Place) {
    let fixture = Setup::default().at(place);
    commit(&fixture, 1, 60);
    fixture.later(3600);
    let fixture = Setup::default().again(fixture, place);
    assert_eq!((n(&fixture), fixture.number()), (0, 3));
    assert_eq!(fixture.record(3).author, "original");
    let fixture = Setup::default().again(fixture, place);
    assert_eq!((fixture.number(), fixture.engine.next_deadline()), (3, None));
}

fn undoing_brings_back_secrets_order_and_members(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let secret = fixture.secret(&session, "hunter2");
    fixture.put(&session, "a", json!({"n": 0, "password": secret.as_str()})).unwrap();
    let made: Vec<_> = (0..4).map(|n| fixture.create(&session, json!({ "n": n }))).collect();
    fixture.commit(&session).unwrap();
    let before = fixture.engine.running().tree.clone();

    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.engine.node_delete(&session, &made[1], None).unwrap();
    fixture.create(&session, json!({"n": 9}));
    let things = path("/things");
    let view = fixture.engine.view(&session);
    let mut keys: Vec<_> = view.tree().children(&things).cloned().collect();
    keys.reverse();
    fixture.engine.collection_reorder(&session, &things, &keys, None).unwrap();
    fixture.commit_with(&session, within(60)).unwrap();
    let secret = path("/passwords").join(&secret);
    assert!(fixture.running(&secret).is_none());
    fixture.later(60);
    let fixture = Setup::default().again(fixture, place);
    let after = fixture.engine.running().tree.clone();
    assert_eq!(after.digest(), before.digest());
    assert!(after.is_consistent() && after.children(&things).eq(before.children(&things)));
    assert_eq!(*fixture.engine.secret_reveal(&secret, "/plain").unwrap(), "hunter2");
}

fn a_commit_that_changes_nothing_awaits_nothing(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let committed = fixture.commit_with(&session, within(60)).unwrap();
    assert_eq!((committed.number.get(), committed.confirmation), (1, None));
    assert_eq!(fixture.engine.next_deadline(), None);
}

fn a_retry_gets_the_same_token(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    let options = || CommitOptions {
        confirm_within: Some(Duration::from_secs(60)),
        ..crate::retries::key("one", 1)
    };
    let first = fixture.commit_with(&session, options()).unwrap();
    let fixture = Setup::default().again(fixture, place);
    let session = fixture.session("me");
    let again = fixture.commit_with(&session, options()).unwrap();
    assert_eq!(again, first);
    fixture.engine.commit_confirm(again.confirmation.unwrap().token.as_str()).unwrap();
    assert_eq!(n(&fixture), 1);
}

#[test]
fn the_writer_undoes_by_itself_when_the_clock_goes_on_by_itself() {
    use std::sync::Arc;
    use transaction_engine::clock::SystemClock;
    use transaction_engine::secrets::Sealer;
    use transaction_engine::{Engine, HistoryRules, Options};

    let options = Options {
        catalog: Arc::new(crate::fixture::catalog()),
        store: Box::new(MemStore::new()),
        checkpoints: None,
        checkpoint_every: 1000,
        sealer: Arc::new(Sealer::from_key(&[7; 32])),
        clock: Arc::new(SystemClock),
        mode: Mode::Exclusive,
        change_limit: 1000,
        history: HistoryRules::default(),
        appliers: Vec::new(),
    };
    let engine = Engine::open(options, &mut |_, _| None).unwrap();
    let (told, undone) = std::sync::mpsc::channel();
    let mut feed = engine.watch(engine.running().number, move || told.send(()).unwrap()).unwrap();
    let session = engine.session_open("me");
    engine.transaction_open(&session).unwrap();
    engine.node_put(&session, &part("a"), json!({"n": 1}), None).unwrap();
    let confirm_within = Some(Duration::from_millis(50));
    let options = CommitOptions { confirm_within, ..CommitOptions::default() };
    engine.transaction_commit(&session, options).unwrap();
    for _ in 0..2 {
        undone.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    for number in [2, 3] {
        match feed.pull().unwrap() {
            transaction_engine::Next::Revision(record) => assert_eq!(record.number.get(), number),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(engine.running().tree.body(&part("a")).unwrap().value(), json!({"n": 0}));
}
