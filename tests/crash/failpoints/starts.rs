//! Dying while it starts: the first time, later, and with something to undo.

use super::{
    Base, Fate, Scenario, armed, died_at, dies_at_start, each_point, fate, is_undone, stage, tidy,
};
use crate::site::Site;
use crate::tree::Tree;
use crate::writer::Part;

#[test]
fn a_first_start_that_dies_anywhere_is_made_good_by_the_next() {
    each_point(Scenario::FirstStart, |_, failpoint| {
        let site = Site::new();
        dies_at_start(&site.builder(), failpoint);
        // Again, where there is still something to do for it.
        if let Err(exit) = armed(&site.builder(), failpoint).try_start() {
            died_at(failpoint, exit.status, &exit.stderr);
        }
        let server = site.builder().start();
        let mut admin = server.admin();
        let tree = Tree::seen_by(&mut admin);
        assert_eq!(tree.revision, 1, "the defaults are committed once");
        assert_eq!(tree.body(&Part::Web.path())["timeout"], 10);
        stage(&mut admin, 1).expect("an answer");
        admin.commit().expect(200);
        assert!(!site.data().join("revisions.sled.new").exists());
    });
}

#[test]
fn a_later_start_that_dies_anywhere_changes_nothing() {
    let mut base = Base::new();
    each_point(Scenario::LaterStart, |_, failpoint| {
        // With a password to be written, and not the one that is there.
        let builder = base.builder().env("BOXWOOD_ADMIN_PASSWORD", "admin");
        for _ in 0..2 {
            dies_at_start(&builder, failpoint);
        }
        assert_eq!(Tree::of(&builder.start()), base.tree);
        tidy(&base);
    });
}

#[test]
fn what_is_overdue_is_undone_once_wherever_the_start_that_does_it_dies() {
    let mut base = Base::overdue();
    each_point(Scenario::OverdueStart, |point, failpoint| {
        let builder = base.builder();
        dies_at_start(&builder, failpoint);
        match armed(&builder, failpoint).try_start() {
            Ok(_) => assert_ne!(fate(point), Fate::Absent, "there was something to undo"),
            Err(exit) => died_at(failpoint, exit.status, &exit.stderr),
        }
        is_undone(&mut builder.start().admin(), &base, "Not confirmed in time");
        tidy(&base);
    });
}
