//! Dying while a checkpoint is written, and while old records are taken away, under commits.

use support::Server;

use super::{Base, Scenario, armed, died_at, dies, each_point, reopen, tidy};
use crate::luck::Luck;
use crate::site::files;
use crate::tree::{Tree, messages};
use crate::writer::{ALL, Progress, Writer};

/// More than any of these points is away.
const COMMITS: usize = 60;

#[test]
fn a_checkpoint_that_dies_anywhere_costs_nothing() {
    die_under_commits(Scenario::Checkpoints, "history.keep_revisions", 1000, |data_files| {
        // One that was written and not moved is of no use, and does not stay.
        assert!(!data_files.iter().any(|file| file.ends_with(".unfinished")), "{data_files:?}");
    });
}

#[test]
fn records_that_are_taken_away_leave_a_whole_history_wherever_that_dies() {
    die_under_commits(Scenario::Shortening, "history.keep_revisions", 3, |_| ());
}

fn die_under_commits(scenario: Scenario, setting: &str, value: u64, check: impl Fn(&[String])) {
    let mut base = Base::new();
    // A tag would keep everything.
    let server = base.site.builder().start();
    server.admin().delete("/boxwood/v1/tags/kept").expect(200);
    drop(server);
    let mut luck = Luck::new();
    each_point(scenario, |point, failpoint| {
        let data = base.copy();
        let builder = base.builder_in(&data);
        let builder = builder.set("store.checkpoint_revisions", 2).set(setting, value);
        let mut writer = Writer::new(ALL, true, &mut luck);
        let mut revision = base.tree.revision;
        // Twice on the same directory.
        for _ in 0..2 {
            let commits = writer.commits;
            match armed(&builder, failpoint).try_start() {
                Ok(server) => commit_until_it_dies(server, failpoint, &mut writer),
                // What was left to do the last time is done at once.
                Err(exit) => died_at(failpoint, exit.status, &exit.stderr),
            }
            let server = reopen(&builder, point);
            let mut admin = server.admin();
            let tree = Tree::seen_by(&mut admin);
            let landed = writer.settle(&tree);
            revision += writer.commits - commits + u64::from(landed);
            assert_eq!(tree.revision, revision, "each commit is a revision, once");
            let _ = messages(&mut admin, &tree);
            assert!(!server.log().contains("\"WARN\""), "{}", server.log());
            let names = files(&data);
            check(&names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>());
        }
        tidy(&base);
    });
}

fn commit_until_it_dies(mut server: Server, failpoint: &str, writer: &mut Writer) {
    let mut client = server.admin();
    let died = (0..COMMITS).any(|_| writer.commit(&mut client, &Progress::default()).is_err());
    assert!(died, "{COMMITS} commits do not reach {failpoint}\n{}", server.log());
    dies(&mut server, failpoint);
}
