//! SIGKILL at every step that has a name, where a kill from outside seldom comes.
//!
//! The daemon is told to die at a point, is driven there by requests, dies there, dies once more
//! while the next one recovers, and is then opened for good. What was answered is there; what was
//! under way is there whole or not at all, and which of both is known for all points but one.
//!
//! A point without a scenario does not compile: [`scenarios`] has to say how each is reached.

mod background;
mod confirmations;
mod starts;
mod writes;

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::{Value, json};
use support::{Client, Response, Server, ServerBuilder, wait_for};
use transaction_engine::failpoint::Point;

use crate::luck::variable;
use crate::site::{Site, copy};
use crate::tree::{Tree, messages};
use crate::writer::Part;

/// What is going on when the daemon dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    FirstStart,
    LaterStart,
    /// A start that has to undo a commit which nobody confirmed in time.
    OverdueStart,
    Commit,
    ConfirmedCommit,
    Confirm,
    Extend,
    Cancel,
    /// The time of an unconfirmed commit passes under the running daemon.
    Expiry,
    TagSet,
    TagDelete,
    Checkpoints,
    /// Records are taken away.
    Shortening,
}

/// Where each point is reached.
const fn scenarios(point: Point) -> &'static [Scenario] {
    use Scenario as S;
    match point {
        Point::StoreBegun
        | Point::StoreHalfMade
        | Point::StoreMade
        | Point::StoreMoved
        | Point::FormatWritten
        | Point::NoteMade
        | Point::NoteSized => &[S::FirstStart],
        Point::FileMade
        | Point::FileWritten
        | Point::FileSynced
        | Point::FileMoved
        | Point::RecoveryRead
        | Point::RecoverySynced
        | Point::RecoveryNoted
        | Point::StartFilled => &[S::FirstStart, S::LaterStart],
        Point::StartRecovered | Point::StartSettled => {
            &[S::FirstStart, S::LaterStart, S::OverdueStart]
        }
        Point::CommitChecked | Point::CommitDurable => {
            &[S::FirstStart, S::Commit, S::ConfirmedCommit]
        }
        Point::CommitClosed | Point::CommitAnswered => &[S::Commit, S::ConfirmedCommit],
        Point::LogBatched | Point::StoreFlushed | Point::LogNoted => {
            &[S::FirstStart, S::OverdueStart, S::Commit, S::Confirm, S::Cancel]
        }
        Point::LogWritten | Point::LogSynced => &[
            S::FirstStart,
            S::OverdueStart,
            S::Commit,
            S::ConfirmedCommit,
            S::Confirm,
            S::Extend,
            S::Cancel,
            S::TagSet,
            S::TagDelete,
        ],
        Point::CommitVisible | Point::CommitApplied => {
            &[S::FirstStart, S::OverdueStart, S::Commit, S::Cancel, S::Expiry]
        }
        Point::TaskDone => {
            &[S::LaterStart, S::Confirm, S::Extend, S::Cancel, S::TagSet, S::Shortening]
        }
        Point::UndoPrepared | Point::UndoDurable => &[S::OverdueStart, S::Cancel, S::Expiry],
        Point::CheckpointBegun
        | Point::CheckpointMade
        | Point::CheckpointWritten
        | Point::CheckpointSynced
        | Point::CheckpointMoved
        | Point::CheckpointDurable => &[S::FirstStart, S::Checkpoints],
        Point::CheckpointRemoved => &[S::Checkpoints],
        Point::ShortenCovered
        | Point::ShortenBatched
        | Point::ShortenWritten
        | Point::ShortenDone => &[S::Shortening],
    }
}

/// What is there of a write after the daemon died at a point of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Absent,
    /// The store has it, and may have told the kernel or not.
    Either,
    Present,
}

const fn fate(point: Point) -> Fate {
    match point {
        Point::CommitChecked | Point::LogBatched | Point::UndoPrepared => Fate::Absent,
        Point::LogWritten => Fate::Either,
        _ => Fate::Present,
    }
}

impl Fate {
    #[track_caller]
    fn check(self, is_there: bool) {
        let fits = match self {
            Fate::Absent => !is_there,
            Fate::Either => true,
            Fate::Present => is_there,
        };
        assert!(fits, "it should be {self:?}, and that it is there is {is_there}");
    }
}

/// At which of its visits to a point the daemon dies, in turn.
fn visits(scenario: Scenario, point: Point) -> &'static [u64] {
    use Scenario as S;
    match (scenario, point) {
        // The key of secrets, its check, the administrator's password.
        (S::FirstStart, Point::FileMade | Point::FileMoved) => &[1, 2, 3],
        // What is there already is synced before anything else is done.
        (S::FirstStart, Point::StoreFlushed) => &[1, 2],
        (S::LaterStart, _) => &[1],
        (_, Point::StoreFlushed) => &[2],
        // A start asks the writer to undo what is overdue.
        (_, Point::TaskDone) => &[2],
        // The commit itself comes before what undoes it.
        (S::Expiry, Point::CommitVisible | Point::CommitApplied) => &[2],
        (S::Checkpoints | S::Shortening, _) if is_long() => &[1, 2],
        _ => &[1],
    }
}

/// Whether more kills were asked for than usual.
fn is_long() -> bool {
    variable("BOXWOOD_CRASH_KILLS").is_some_and(|kills| kills > 50)
}

/// Does something for each point, and each visit, of a scenario.
#[expect(clippy::print_stdout, reason = "shown when the test fails")]
fn each_point(scenario: Scenario, mut trial: impl FnMut(Point, &str)) {
    let mut points = 0;
    for point in Point::ALL.iter().filter(|point| scenarios(**point).contains(&scenario)) {
        for visit in visits(scenario, *point) {
            let failpoint = format!("{}@{visit}", point.name());
            println!("{scenario:?}: {failpoint}");
            trial(*point, &failpoint);
        }
        points += 1;
    }
    assert!(points > 0, "no point is reached by {scenario:?}");
}

#[test]
fn every_point_has_a_scenario_and_a_name_of_its_own() {
    let mut names: Vec<&str> = Point::ALL.iter().map(|point| point.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Point::ALL.len());
    for point in Point::ALL {
        assert!(!scenarios(*point).is_empty(), "nothing reaches {}", point.name());
    }
}

// ===== dying =====

fn armed(builder: &ServerBuilder, failpoint: &str) -> ServerBuilder {
    builder.clone().env("BOXWOOD_FAILPOINT", failpoint)
}

/// That this is the end which was asked for, and no other.
#[track_caller]
fn died_at(failpoint: &str, status: ExitStatus, log: &str) {
    let name = failpoint.split('@').next().unwrap_or_default();
    assert_eq!(status.signal(), Some(9), "{status} instead of dying at {failpoint}\n{log}");
    let says_so = log.lines().any(|line| line == format!("failpoint {name}: killed"));
    assert!(says_so, "it died elsewhere than at {failpoint}\n{log}");
}

#[track_caller]
fn dies(server: &mut Server, failpoint: &str) {
    wait_for(&format!("the end at {failpoint}"), || !server.is_running());
    let status = server.wait();
    died_at(failpoint, status, &server.log());
}

/// Starts, and dies before it is ready.
#[track_caller]
fn dies_at_start(builder: &ServerBuilder, failpoint: &str) {
    let Err(exit) = armed(builder, failpoint).try_start() else {
        panic!("a start goes past {failpoint}")
    };
    died_at(failpoint, exit.status, &exit.stderr);
    assert_eq!(exit.stdout, "", "it was ready before");
}

/// Opens for good, after another death at one of the steps of opening.
fn reopen(builder: &ServerBuilder, point: Point) -> Server {
    const RECOVERY: [&str; 5] =
        ["recovery.read", "store.flushed", "recovery.synced", "recovery.noted", "start.recovered"];
    dies_at_start(builder, RECOVERY[point as usize % RECOVERY.len()]);
    builder.start()
}

// ===== what is there before =====

const TRANSACTION: &str = "/api/transaction";
const CONFIRMATION: &str = "/boxwood/v1/confirmation";
const TAGS: &str = "/boxwood/v1/tags";

/// A data directory with some history, which is copied for each trial.
struct Base {
    site: Site,
    /// As commit number 1 left it.
    tree: Tree,
    /// How commit number 2 is to be confirmed, where it is.
    confirmation: Value,
    trials: usize,
}

impl Base {
    fn new() -> Base {
        let site = Site::new();
        let mut server = site.builder().start();
        let mut admin = server.admin();
        stage(&mut admin, 1).expect("an answer");
        admin.commit().expect(200);
        admin.put(&format!("{TAGS}/kept"), &json!({ "revision": 1 })).expect(200);
        let tree = Tree::of(&server);
        server.kill();
        Base { site, tree, confirmation: Value::Null, trials: 0 }
    }

    /// With a commit number 2 that awaits its confirmation, longer than any test runs.
    fn awaiting() -> Base {
        let mut base = Base::new();
        let mut server = base.site.builder().start();
        let answer = commit_within(&mut server.admin(), 86_400).expect("an answer");
        base.confirmation = answer.expect(200).at("/confirmation");
        server.kill();
        base
    }

    /// With a commit number 2 that was not confirmed in time, and is not undone.
    fn overdue() -> Base {
        let base = Base::new();
        // It is overdue when the daemon comes to undoing it.
        let undoing = Point::UndoPrepared.name();
        let mut server = armed(&base.site.builder(), undoing).start();
        commit_unconfirmed(&mut server.admin());
        dies(&mut server, undoing);
        base
    }

    /// A copy for one trial.
    fn copy(&mut self) -> PathBuf {
        self.trials += 1;
        let data = self.site.evidence().join(format!("trial-{}", self.trials));
        copy(&self.site.data(), &data);
        data
    }

    /// The daemon on a copy.
    fn builder(&mut self) -> ServerBuilder {
        let data = self.copy();
        self.builder_in(&data)
    }

    /// Its password is in the data directory; to hash it again at each start takes long.
    fn builder_in(&self, data: &Path) -> ServerBuilder {
        self.site.builder_in(data).env_remove("BOXWOOD_ADMIN_PASSWORD")
    }
}

/// Stages two changes that belong together.
fn stage(client: &mut Client, number: u64) -> io::Result<()> {
    client.request("POST", TRANSACTION).try_send()?.expect(200);
    let (health, web) = (Part::Health.path(), Part::Web.path());
    let mut body = client.request("GET", &health).try_send()?.expect(200).at("/body");
    body["maximum_load1"] = json!(number);
    client.request("PUT", &health).json(&body).try_send()?.expect(200);
    let body = json!({ "timeout": 100 + number });
    client.request("PUT", &web).json(&body).try_send()?.expect(200);
    Ok(())
}

/// Commits number 2, to be confirmed.
fn commit_within(client: &mut Client, seconds: u64) -> io::Result<Response> {
    stage(client, 2)?;
    let command = json!({ "status": "commit", "confirm_within": seconds });
    client.request("PUT", TRANSACTION).json(&command).try_send()
}

/// Commits number 2, which nobody will confirm in time.
fn commit_unconfirmed(client: &mut Client) {
    if let Ok(answer) = commit_within(client, 1) {
        answer.expect(200);
    }
    // On a busy machine it may die of the undoing before it has answered.
}

/// The number of the commit whose changes are there, both of them.
#[track_caller]
fn number_in(tree: &Tree) -> u64 {
    let number = tree.body(&Part::Health.path())["maximum_load1"].as_u64();
    let timeout = tree.body(&Part::Web.path())["timeout"].as_u64();
    let number = number.expect("a commit set it");
    assert_eq!(timeout, Some(100 + number), "a commit is there by halves");
    number
}

/// Commit number 2 is undone, once, by a revision that says why.
fn is_undone(admin: &mut Client, base: &Base, why: &str) {
    let tree = Tree::seen_by(admin);
    let number = base.tree.revision + 1;
    assert_eq!((number_in(&tree), tree.revision), (1, number + 1));
    let said = format!("{why}: revision {number} undone");
    assert_eq!(messages(admin, &tree).iter().filter(|message| **message == said).count(), 1);
    assert_eq!(admin.get(CONFIRMATION).expect(200).at("/awaiting"), Value::Null);
}

/// Removes the copy of a trial that went well: they are many.
fn tidy(base: &Base) {
    let data = base.site.evidence().join(format!("trial-{}", base.trials));
    // What a daemon that still runs may write into it goes with the site.
    let _ = fs::remove_dir_all(data);
}

fn post(client: &mut Client, verb: &str, body: &Value) -> io::Result<Response> {
    client.request("POST", &format!("{CONFIRMATION}/{verb}")).json(body).try_send()
}
