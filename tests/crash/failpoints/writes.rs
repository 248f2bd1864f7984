//! Dying in a commit, and in what is written beside revisions.

use serde_json::{Value, json};
use support::{Client, Server};
use transaction_engine::failpoint::Point;

use super::{
    Base, CONFIRMATION, Fate, Scenario, TAGS, TRANSACTION, armed, dies, each_point, fate,
    number_in, post, reopen, stage, tidy,
};
use crate::tree::{Tree, messages, revision};

const KEY: &str = "the same request";
const WHY: &str = "under way";

/// Stages number 2 and commits it; the answer, if there was one.
fn commit(client: &mut Client, command: &Value) -> Option<Value> {
    stage(client, 2).expect("nothing is written before the commit");
    retry(client, command).map(|answer| answer.expect(200).json())
}

fn retry(client: &mut Client, command: &Value) -> Option<support::Response> {
    let request = client.request("PUT", TRANSACTION).header("Idempotency-Key", KEY);
    request.json(command).try_send().ok()
}

/// A daemon that dies in a commit, and the next one; the answer, if there was one.
fn commit_dying(
    base: &mut Base,
    point: Point,
    failpoint: &str,
    command: &Value,
) -> (Option<Value>, Server) {
    let builder = base.builder();
    let mut server = armed(&builder, failpoint).start();
    let answer = commit(&mut server.admin(), command);
    dies(&mut server, failpoint);
    (answer, reopen(&builder, point))
}

#[test]
fn a_commit_that_dies_anywhere_is_there_whole_or_not_at_all_and_is_made_once() {
    let mut base = Base::new();
    let command = json!({ "status": "commit", "message": WHY });
    each_point(Scenario::Commit, |point, failpoint| {
        let (answer, server) = commit_dying(&mut base, point, failpoint, &command);
        let mut admin = server.admin();
        let tree = Tree::seen_by(&mut admin);
        let is_there = number_in(&tree) == 2;
        fate(point).check(is_there);
        assert!(is_there || (answer.is_none() && tree == base.tree));

        // Whoever got no answer asks again, and there is one commit in the end.
        let again = retry(&mut admin, &command).expect("an answer");
        if is_there {
            let again = again.expect(200).json();
            assert!(answer.is_none_or(|answer| answer["body"] == again["body"]));
        } else {
            again.expect_error(409, "Conflict");
            commit(&mut admin, &command).expect("an answer");
        }
        let tree = Tree::seen_by(&mut admin);
        assert_eq!((number_in(&tree), tree.revision), (2, base.tree.revision + 1));
        let messages = messages(&mut admin, &tree);
        assert_eq!(messages.iter().filter(|message| *message == WHY).count(), 1);
        tidy(&base);
    });
}

#[test]
fn a_commit_to_be_confirmed_that_dies_anywhere_awaits_or_is_not_there() {
    let mut base = Base::new();
    let command = json!({ "status": "commit", "message": WHY, "confirm_within": 600 });
    each_point(Scenario::ConfirmedCommit, |point, failpoint| {
        let (answer, server) = commit_dying(&mut base, point, failpoint, &command);
        let mut admin = server.admin();
        let tree = Tree::seen_by(&mut admin);
        let is_there = number_in(&tree) == 2;
        fate(point).check(is_there);
        let awaiting = admin.get(CONFIRMATION).expect(200).at("/awaiting");
        if is_there {
            assert_eq!(awaiting["revision"], json!(base.tree.revision + 1));
            let again = retry(&mut admin, &command).expect("an answer").expect(200).json();
            assert_eq!(again["confirmation"]["until"], awaiting["until"]);
            let confirmation = &again["confirmation"];
            assert!(answer.is_none_or(|answer| answer["confirmation"] == *confirmation));
            let token = json!({ "token": confirmation["token"] });
            post(&mut admin, "cancel", &token).expect("an answer").expect(200);
            assert_eq!(number_in(&Tree::seen_by(&mut admin)), 1);
        } else {
            assert_eq!((awaiting, answer), (Value::Null, None));
            assert_eq!(tree, base.tree);
        }
        tidy(&base);
    });
}

#[test]
fn a_tag_is_set_or_not_wherever_it_dies() {
    let mut base = Base::new();
    each_point(Scenario::TagSet, |point, failpoint| {
        let builder = base.builder();
        let mut server = armed(&builder, failpoint).start();
        let (tag, body) = (format!("{TAGS}/new"), json!({ "revision": 2 }));
        let mut admin = server.admin();
        let answer = admin.request("PUT", &tag).json(&body).try_send();
        assert!(answer.is_err(), "it dies before the answer");
        dies(&mut server, failpoint);

        let server = reopen(&builder, point);
        let mut admin = server.admin();
        fate(point).check(admin.get(&tag).status == 200);
        assert_eq!(admin.get(&format!("{TAGS}/kept")).expect(200).at("/revision"), json!(1));
        admin.put(&tag, &body).expect(200);
        assert_eq!(admin.get(&tag).expect(200).at("/revision"), json!(2));
        assert_eq!(revision(&mut admin), base.tree.revision);
        tidy(&base);
    });
}

#[test]
fn a_tag_is_deleted_or_not_wherever_it_dies() {
    let mut base = Base::new();
    each_point(Scenario::TagDelete, |point, failpoint| {
        let builder = base.builder();
        let mut server = armed(&builder, failpoint).start();
        let tag = format!("{TAGS}/kept");
        assert!(server.admin().request("DELETE", &tag).try_send().is_err());
        dies(&mut server, failpoint);

        let server = reopen(&builder, point);
        let mut admin = server.admin();
        let deleted = admin.get(&tag).status == 404;
        fate(point).check(deleted);
        admin.delete(&tag).expect(if deleted { 404 } else { 200 });
        assert_eq!(Tree::seen_by(&mut admin), base.tree);
        tidy(&base);
    });
}

#[test]
fn a_fate_that_does_not_fit_is_noticed() {
    for (fate, is_there) in [(Fate::Absent, true), (Fate::Present, false)] {
        std::panic::catch_unwind(|| fate.check(is_there)).expect_err("it does not fit");
    }
}
