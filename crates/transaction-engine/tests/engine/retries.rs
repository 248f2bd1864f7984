//! A request that is sent twice and done once; and a message where one is asked for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use transaction_engine::store::MemStore;
use transaction_engine::{CommitOptions, Error, HistoryRules, Idempotency, Mode};

use crate::fixture::{Place, Setup, part, path};
use crate::{assert_refused, scenarios};

scenarios![
    the_same_request_is_answered_again_and_not_done_again,
    the_answer_is_there_after_a_restart_and_for_its_time,
    another_request_under_the_same_key_is_refused,
    a_refused_commit_is_tried_anew,
    a_commit_without_changes_is_answered_again_too,
    keys_of_users_do_not_meet,
    the_same_request_in_one_batch_is_done_once,
    a_member_is_created_once,
    a_message_is_asked_for_where_the_configuration_says_so,
];

pub(crate) fn key(key: &str, request: u8) -> CommitOptions {
    let idempotency = Some(Idempotency::new(key, [request; 32]).unwrap());
    CommitOptions { idempotency, ..CommitOptions::default() }
}

fn the_same_request_is_answered_again_and_not_done_again(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    let first = fixture.commit_with(&session, key("one", 1)).unwrap();
    assert_eq!((first.number.get(), first.changes), (2, 1));
    let again = fixture.commit_with(&session, key("one", 1)).expect("although none is open");
    assert_eq!(again, first);
    let elsewhere = fixture.session("me");
    assert_eq!(fixture.commit_with(&elsewhere, key("one", 1)).unwrap(), first);

    // Another transaction is another request: it is refused and keeps what is staged.
    for session in [&session, &elsewhere] {
        fixture.engine.transaction_open(session).unwrap();
        fixture.put(session, "a", json!({"n": 2})).unwrap();
        assert_refused!(fixture.commit_with(session, key("one", 1)), Error::IdempotencyMismatch);
        assert!(fixture.engine.transaction_status(session).changed);
        assert_eq!(fixture.number(), 2);
        fixture.engine.transaction_rollback(session).unwrap();
        assert_eq!(fixture.commit_with(session, key("one", 1)).unwrap(), first);
    }
}

fn the_answer_is_there_after_a_restart_and_for_its_time(place: &Place) {
    let setup = || Setup {
        history: HistoryRules { answers: Duration::from_secs(60), ..HistoryRules::default() },
        ..Setup::default()
    };
    let fixture = setup().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    let first = fixture.commit_with(&session, key("one", 1)).unwrap();
    fixture.later(59);
    let fixture = setup().again(fixture, place);
    let session = fixture.session("me");
    assert_eq!(fixture.commit_with(&session, key("one", 1)).unwrap(), first);
    fixture.later(1);
    assert_refused!(fixture.commit_with(&session, key("one", 1)), Error::NoTransaction);
    // The key is free again, and what it replaces is gone.
    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "a", json!({"n": 2})).unwrap();
    assert_eq!(fixture.commit_with(&session, key("one", 2)).unwrap().number.get(), 3);
    fixture.later(59);
    fixture.commit_n("b", 1);
    assert_eq!(fixture.commit_with(&session, key("one", 2)).unwrap().number.get(), 3);
}

fn another_request_under_the_same_key_is_refused(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    fixture.commit_with(&session, key("one", 1)).unwrap();
    fixture.engine.transaction_open(&session).unwrap();
    fixture.put(&session, "a", json!({"n": 2})).unwrap();
    assert_refused!(fixture.commit_with(&session, key("one", 2)), Error::IdempotencyMismatch);
    assert_eq!(fixture.seen(&session, &part("a")), Some(json!({"n": 2})));
    for bad in ["", "a\nb", &"x".repeat(256)] {
        assert!(Idempotency::new(bad, [0; 32]).is_none());
    }
}

fn a_refused_commit_is_tried_anew(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let secret = fixture.secret(&session, "hunter2");
    let twice = json!({"n": 0, "password": secret.as_str()});
    fixture.put(&session, "a", twice.clone()).unwrap();
    fixture.put(&session, "b", twice).unwrap();
    assert_refused!(fixture.commit_with(&session, key("one", 1)), Error::Rejected(_));
    fixture.put(&session, "b", json!({"n": 1})).unwrap();
    assert_eq!(fixture.commit_with(&session, key("one", 1)).unwrap().number.get(), 2);
}

fn a_commit_without_changes_is_answered_again_too(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let first = fixture.commit_with(&session, key("none", 1)).unwrap();
    assert_eq!((first.number.get(), first.changes), (1, 0));
    let fixture = Setup::default().again(fixture, place);
    let session = fixture.session("me");
    assert_eq!(fixture.commit_with(&session, key("none", 1)).unwrap(), first);
}

fn keys_of_users_do_not_meet(place: &Place) {
    let fixture = Setup::default().at(place);
    for (n, user) in ["me", "you"].iter().enumerate() {
        let session = fixture.opened(user);
        fixture.put(&session, "a", json!({"n": n + 1})).unwrap();
        let number = fixture.commit_with(&session, key("one", 1)).unwrap().number.get();
        assert_eq!(number, n as u64 + 2);
    }
}

fn the_same_request_in_one_batch_is_done_once(place: &Place) {
    let fixture = Setup::mode(Mode::Concurrent).at(place);
    let sessions: Vec<_> = (0..20).map(|_| fixture.opened("me")).collect();
    for session in &sessions {
        fixture.create(session, json!({"n": 1}));
    }
    let (done, all) = std::sync::mpsc::channel();
    for session in &sessions {
        let done = done.clone();
        fixture.engine.transaction_commit_begin(session, key("one", 1), move |result| {
            done.send(result.map(|committed| committed.number.get())).unwrap();
        });
    }
    let (done, refused): (Vec<_>, Vec<_>) = all.iter().take(20).partition(Result::is_ok);
    assert_eq!(done.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [2]);
    assert_eq!(refused.len(), 19);
    for result in refused {
        assert_refused!(result, Error::IdempotencyMismatch);
    }
    assert_eq!(fixture.number(), 2);
    let open = sessions.iter().filter(|s| fixture.engine.transaction_status(s).open).count();
    assert_eq!(open, 19, "the others have theirs still");
}

fn a_member_is_created_once(place: &Place) {
    let fixture = Setup::default().at(place);
    let session = fixture.opened("me");
    let things = path("/things");
    let create = |key: &str, request: u8| {
        let idempotency = Idempotency::new(key, [request; 32]).unwrap();
        fixture.engine.node_create_once(&session, &things, json!({"n": 1}), &idempotency)
    };
    let (first, _) = create("one", 1).unwrap();
    assert_eq!(create("one", 1).unwrap().0, first);
    assert_refused!(create("one", 2), Error::IdempotencyMismatch);
    assert_ne!(create("two", 1).unwrap().0, first);
    assert_eq!(fixture.engine.view(&session).tree().child_count(&things), 2);
    fixture.engine.transaction_rollback(&session).unwrap();
    fixture.engine.transaction_open(&session).unwrap();
    assert_ne!(create("one", 1).unwrap().0, first, "the key went with the transaction");
}

fn a_message_is_asked_for_where_the_configuration_says_so(place: &Place) {
    let rule = |tree: &config_tree::Tree| {
        tree.body(&part("c")).is_some_and(|body| body.value()["n"] == json!(1))
    };
    let history = HistoryRules { message_required: Some(Arc::new(rule)), ..Default::default() };
    let fixture = Setup { history, ..Setup::default() }.at(place);
    let session = fixture.opened("me");
    assert!(!fixture.engine.transaction_status(&session).message_required);
    fixture.put(&session, "c", json!({"n": 1})).unwrap();
    fixture.commit(&session).expect("what is running decides, not what comes");

    fixture.engine.transaction_open(&session).unwrap();
    assert!(fixture.engine.transaction_status(&session).message_required);
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    assert!(fixture.engine.transaction_plan(&session).unwrap().message_required);
    let with = |text: &str| CommitOptions::from(Some(text.to_owned()));
    assert_refused!(fixture.commit(&session), Error::MessageRequired);
    assert_refused!(fixture.commit_with(&session, with(" \n")), Error::MessageRequired);
    assert_eq!(fixture.commit_with(&session, with("why")).unwrap().number.get(), 3);
    fixture.engine.transaction_open(&session).unwrap();
    fixture.commit(&session).expect("nothing to give a reason for");
}

#[test]
fn an_answer_is_in_the_batch_of_its_commit() {
    // Whatever a crash leaves: the revision and its answer, or neither.
    let store = MemStore::new();
    let place = Place::over(store.clone());
    let fixture = Setup::default().open(Box::new(store.clone())).unwrap();
    let session = fixture.opened("me");
    fixture.put(&session, "a", json!({"n": 1})).unwrap();
    let operations = store.operations();
    fixture.commit_with(&session, key("one", 1)).unwrap();
    assert_eq!(store.operations(), operations + 2, "one write and one sync");
    drop((fixture, place));
}
