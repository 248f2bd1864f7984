//! Dying while an unconfirmed commit is confirmed, gets more time, is cancelled, or expires.

use serde_json::{Value, json};
use support::Client;

use super::{
    Base, CONFIRMATION, Scenario, armed, commit_unconfirmed, dies, each_point, fate, is_undone,
    number_in, post, reopen, tidy,
};
use crate::tree::Tree;

#[test]
fn a_commit_is_confirmed_or_still_awaits_wherever_it_dies() {
    ask_and_die(Scenario::Confirm, "confirm", &json!({}), |base, admin| {
        let awaiting = awaiting(admin);
        let confirmed = awaiting.is_null();
        let answer = ask(admin, base, "confirm", &json!({}));
        answer.expect("an answer").expect(if confirmed { 404 } else { 200 });
        let tree = Tree::seen_by(admin);
        assert_eq!((number_in(&tree), tree.revision), (2, base.tree.revision + 1));
        confirmed
    });
}

#[test]
fn a_commit_has_more_time_or_not_wherever_it_dies() {
    let more = json!({ "seconds": 200_000 });
    ask_and_die(Scenario::Extend, "extend", &more, |base, admin| {
        let until = awaiting(admin)["until"].clone();
        assert!(until.is_string(), "it awaits in any case");
        ask(admin, base, "confirm", &json!({})).expect("an answer").expect(200);
        let tree = Tree::seen_by(admin);
        assert_eq!((number_in(&tree), tree.revision), (2, base.tree.revision + 1));
        until != base.confirmation["until"]
    });
}

#[test]
fn a_commit_is_cancelled_once_or_still_awaits_wherever_it_dies() {
    ask_and_die(Scenario::Cancel, "cancel", &json!({}), |base, admin| {
        let cancelled = awaiting(admin).is_null();
        assert_eq!(number_in(&Tree::seen_by(admin)), if cancelled { 1 } else { 2 });
        let answer = ask(admin, base, "cancel", &json!({})).expect("an answer");
        answer.expect(if cancelled { 404 } else { 200 });
        is_undone(admin, base, "Cancelled before it was confirmed");
        cancelled
    });
}

#[test]
fn a_commit_that_expires_is_undone_once_wherever_that_dies() {
    let mut base = Base::new();
    each_point(Scenario::Expiry, |point, failpoint| {
        let builder = base.builder();
        let mut server = armed(&builder, failpoint).start();
        commit_unconfirmed(&mut server.admin());
        dies(&mut server, failpoint);
        is_undone(&mut reopen(&builder, point).admin(), &base, "Not confirmed in time");
        tidy(&base);
    });
}

/// Asks for something with the token, and dies before the answer. `check` looks at what is there
/// then, brings it to its end, and says whether what was asked for had been done.
fn ask_and_die(
    scenario: Scenario,
    verb: &str,
    more: &Value,
    check: impl Fn(&Base, &mut Client) -> bool,
) {
    let mut base = Base::awaiting();
    each_point(scenario, |point, failpoint| {
        let builder = base.builder();
        let mut server = armed(&builder, failpoint).start();
        let answer = ask(&mut server.admin(), &base, verb, more);
        assert!(answer.is_err(), "it dies before the answer");
        dies(&mut server, failpoint);
        let server = reopen(&builder, point);
        fate(point).check(check(&base, &mut server.admin()));
        tidy(&base);
    });
}

fn ask(
    client: &mut Client,
    base: &Base,
    verb: &str,
    more: &Value,
) -> std::io::Result<support::Response> {
    let mut body = more.clone();
    body["token"] = base.confirmation["token"].clone();
    post(client, verb, &body)
}

fn awaiting(client: &mut Client) -> Value {
    client.get(CONFIRMATION).expect(200).at("/awaiting")
}
