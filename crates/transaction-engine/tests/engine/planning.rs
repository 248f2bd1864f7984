//! Plans and rebases: what a commit would do, and moving onto what others did.

use catalog::rule;
use serde_json::json;
use transaction_engine::Error;

use crate::fixture::{Fixture, Place, Setup, part, path};
use crate::{assert_refused, scenarios};

scenarios![
    a_plan_is_what_the_commit_then_does_and_changes_nothing,
    a_plan_names_every_violation_and_every_conflict,
    a_transaction_moves_onto_the_present_head,
    a_rebase_reports_what_a_commit_would_and_changes_nothing,
    what_is_wrong_with_a_transaction_alone_does_not_stop_a_rebase,
    without_a_transaction_there_is_nothing_to_plan,
];

fn a_plan_is_what_the_commit_then_does_and_changes_nothing(place: &Place) {
    let fixture = Setup::concurrent().at(place);
    let (mine, other) = (fixture.opened("me"), fixture.opened("other"));
    let used = fixture.secret(&mine, "hunter2");
    fixture.secret(&mine, "unused");
    fixture.put(&mine, "a", json!({"n": 1, "password": used.as_str()})).unwrap();
    fixture.put(&other, "b", json!({"n": 2})).unwrap();
    fixture.commit(&other).unwrap();

    let plan = fixture.engine.transaction_plan(&mine).unwrap();
    assert_eq!((plan.base.get(), plan.head.get()), (1, 2));
    assert!(plan.refusal.is_none() && !plan.message_required);
    assert_eq!(plan.changes.len(), 2, "the used secret and its user, and no unused one");
    assert_eq!(fixture.number(), 2);
    assert_eq!(fixture.engine.transaction_changes(&mine).len(), 3, "all of it is still staged");

    fixture.commit(&mine).unwrap();
    assert_eq!(fixture.record(3).changes, plan.changes);
}

fn a_plan_names_every_violation_and_every_conflict(place: &Place) {
    let fixture = Setup::concurrent().at(place);
    let (mine, other) = (fixture.opened("me"), fixture.opened("other"));
    let secret = fixture.secret(&mine, "hunter2");
    let twice = json!({"n": 0, "password": secret.as_str()});
    fixture.put(&mine, "a", twice.clone()).unwrap();
    fixture.put(&mine, "b", twice).unwrap();
    match fixture.engine.transaction_plan(&mine).unwrap().refusal {
        Some(Error::Rejected(violations)) => {
            assert!(violations.iter().all(|v| v.rule == rule::REFERENCE_EXCLUSIVE));
        }
        other => panic!("{other:?}"),
    }
    fixture.put(&other, "a", json!({"n": 9})).unwrap();
    fixture.commit(&other).unwrap();
    let plan = fixture.engine.transaction_plan(&mine).unwrap();
    assert!(matches!(plan.refusal, Some(Error::Conflict { .. })), "{plan:?}");
    assert_eq!(plan.changes.len(), 3, "what the transaction asks for");
}

fn a_transaction_moves_onto_the_present_head(place: &Place) {
    let fixture = Setup::concurrent().at(place);
    let mine = fixture.opened("me");
    fixture.put(&mine, "a", json!({"n": 1})).unwrap();
    let made = fixture.create(&mine, json!({"n": 5}));
    fixture.commit_n("b", 2);
    assert_eq!(fixture.seen(&mine, &part("b")), Some(json!({"n": 0})), "its own base");
    assert_eq!(fixture.engine.transaction_rebase(&mine).unwrap().get(), 2);
    assert_eq!(fixture.seen(&mine, &part("b")), Some(json!({"n": 2})));
    assert_eq!(fixture.seen(&mine, &part("a")), Some(json!({"n": 1})));
    assert_eq!(fixture.seen(&mine, &made), Some(json!({"n": 5})));
    let plan = fixture.engine.transaction_plan(&mine).unwrap();
    assert_eq!((plan.base.get(), plan.changes.len()), (2, 2));
    assert_eq!(fixture.commit(&mine).unwrap(), 3);
}

fn a_rebase_reports_what_a_commit_would_and_changes_nothing(place: &Place) {
    let fixture = Setup::concurrent().at(place);
    let first = fixture.opened("first");
    let thing = fixture.create(&first, json!({"n": 1}));
    fixture.commit(&first).unwrap();
    let key = thing.key().unwrap().as_str();

    let (same, remover) = (fixture.opened("same"), fixture.opened("remover"));
    fixture.put(&same, "a", json!({"n": 3})).unwrap();
    fixture.engine.node_delete(&remover, &thing, None).unwrap();
    let user = fixture.opened("user");
    fixture.put(&user, "a", json!({"n": 4, "thing": key})).unwrap();
    fixture.commit(&user).unwrap();

    for session in [same, remover] {
        let before = fixture.engine.transaction_changes(&session);
        let told = |error| match error {
            Error::Conflict { base, head, overlaps } => (base, head, overlaps),
            other => panic!("{other:?}"),
        };
        let rebase = told(fixture.engine.transaction_rebase(&session).unwrap_err());
        let commit = told(fixture.commit(&session).unwrap_err());
        assert_eq!(rebase, commit);
        assert_eq!(fixture.engine.transaction_changes(&session), before);
        assert_eq!(fixture.engine.transaction_plan(&session).unwrap().base.get(), 2);
    }
}

fn what_is_wrong_with_a_transaction_alone_does_not_stop_a_rebase(place: &Place) {
    let fixture = Setup::concurrent().at(place);
    let mine = fixture.opened("me");
    let secret = fixture.secret(&mine, "hunter2");
    let twice = json!({"n": 0, "password": secret.as_str()});
    fixture.put(&mine, "a", twice.clone()).unwrap();
    fixture.put(&mine, "b", twice).unwrap();
    fixture.commit_n("c", 2);
    assert_eq!(fixture.engine.transaction_rebase(&mine).unwrap().get(), 2);
    assert_refused!(fixture.commit(&mine), Error::Rejected(_));
    fixture.put(&mine, "b", json!({"n": 1})).unwrap();
    assert_eq!(fixture.commit(&mine).unwrap(), 3);
}

fn without_a_transaction_there_is_nothing_to_plan(place: &Place) {
    let fixture: Fixture = Setup::concurrent().at(place);
    let session = fixture.session("me");
    assert_refused!(fixture.engine.transaction_plan(&session), Error::NoTransaction);
    assert_refused!(fixture.engine.transaction_rebase(&session), Error::NoTransaction);
    fixture.engine.session_end(&session);
    assert_refused!(fixture.engine.transaction_plan(&session), Error::SessionEnded);
    let nothing = fixture.opened("me");
    let plan = fixture.engine.transaction_plan(&nothing).unwrap();
    assert!(plan.changes.is_empty() && plan.refusal.is_none());
    assert!(fixture.seen(&nothing, &path("/parts")).is_none());
}
