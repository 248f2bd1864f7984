//! Each operation on files that a daemon does, made to fail: once, from then on, or by a kill.
//!
//! A script of commits runs from the first start to a second stop. The n-th operation goes wrong;
//! what was answered must be there afterwards, and nothing by halves. The usual run takes some of
//! the operations, chosen by chance; `BOXWOOD_DISK_FAULTS=1` takes all of them (`make disk-faults`).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

use catalog::Catalog;
use support::{Client, Server};

use crate::luck::{Luck, variable};
use crate::offline;
use crate::record::{Counted, Kind, Record};
use crate::recorder::{Fault, Rig, What, plain_builder};
use crate::script::{FIRST, Ledger, Outcome, SECOND, SMALL, State, Step};

/// How many faults of each kind the usual run takes.
const SAMPLE: u64 = 2;

#[test]
fn any_operation_may_fail_once() {
    fail_one_after_the_other(What::Error, false, Counted::Changes);
}

#[test]
fn a_medium_may_fail_from_any_operation_on() {
    fail_one_after_the_other(What::Error, true, Counted::Changes);
}

#[test]
fn any_operation_may_find_the_medium_full() {
    fail_one_after_the_other(What::Full, false, Counted::Changes);
}

#[test]
fn a_medium_may_be_full_from_any_operation_on() {
    fail_one_after_the_other(What::Full, true, Counted::Changes);
}

#[test]
fn any_operation_may_be_the_last_before_a_kill() {
    fail_one_after_the_other(What::Kill, false, Counted::Changes);
}

#[test]
fn any_operation_that_reads_may_fail_once_as_well() {
    fail_one_after_the_other(What::Error, false, Counted::All);
}

#[test]
fn a_medium_may_be_gone_from_any_operation_on() {
    fail_one_after_the_other(What::Error, true, Counted::All);
}

#[test]
fn any_sync_of_the_file_system_may_fail_once() {
    fail_one_after_the_other(What::Error, false, Counted::Syncs);
}

fn fail_one_after_the_other(what: What, goes_on: bool, counted: Counted) {
    let fault = |number| Fault { number, what, goes_on, counted };
    let catalog = builtin();
    let operations = count(&catalog, fault(0));
    let takes_all = variable("BOXWOOD_DISK_FAULTS").is_some();
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    for fault in numbers(operations, takes_all).map(fault) {
        match catch_unwind(AssertUnwindSafe(|| run(fault, &catalog, &mut tally))) {
            // Up to a run that was over before: how many operations there are differs.
            Ok(false) if takes_all => break,
            Ok(_) => {}
            Err(_) => failures.push(fault),
        }
        // The evidence of a few is enough.
        assert!(failures.len() < 10, "not survived: {failures:#?}");
    }
    tally.report(operations);
    assert!(failures.is_empty(), "not survived: {failures:#?}");
    assert!(tally.hit > 0, "no fault came to pass");
}

/// All of them, or one by chance from each of several equal parts.
fn numbers(operations: u64, takes_all: bool) -> Box<dyn Iterator<Item = u64>> {
    if takes_all {
        return Box::new(1..);
    }
    let mut luck = Luck::new();
    let part = operations / SAMPLE;
    Box::new((0..SAMPLE).map(move |index| 1 + index * part + luck.below(part)))
}

/// What became of the runs.
#[derive(Default, Debug)]
struct Tally {
    hit: u64,
    starts_refused: u64,
    commits_refused: u64,
    killed: u64,
    without_effect: u64,
}

impl Tally {
    #[expect(clippy::print_stdout, reason = "for the person who asked for all faults")]
    fn report(&self, operations: u64) {
        println!("{operations} operations: {self:?}");
    }
}

pub(crate) fn builtin() -> Catalog {
    Catalog::builtin("sps-6.2").expect("it is built in").expect("it is right")
}

/// How many operations such a fault can be of; and that the script does what it is there for.
fn count(catalog: &Catalog, fault: Fault) -> u64 {
    static RECORDS: OnceLock<Vec<Record>> = OnceLock::new();
    let records = RECORDS.get_or_init(|| undisturbed(catalog));
    records.iter().filter(|record| fault.counted.takes(record)).count() as u64
}

fn undisturbed(catalog: &Catalog) -> Vec<Record> {
    let rig = Rig::new();
    let mut ledger = Ledger::new();
    assert!(matches!(live(&rig, FIRST, None, &mut ledger), Life::Whole));
    let paths = |text: &str| {
        let named = |record: &Record| String::from_utf8_lossy(&record.path).contains(text);
        rig.records().iter().filter(|(_, record)| named(record)).count()
    };
    assert!(paths("checkpoint.unfinished") >= 3, "checkpoints are written");
    assert!(matches!(live(&rig, SECOND, None, &mut ledger), Life::Whole));
    let state = offline::look(&rig.data(), catalog, &ledger).expect("it is in order");
    assert!(ledger.possible.contains(&state), "{state:?}");
    rig.records().into_iter().map(|(_, record)| record).collect()
}

/// How a daemon's life went.
#[derive(Debug)]
pub(crate) enum Life {
    Whole,
    /// It did not start, and said why.
    NoStart,
    /// It refused commits from some moment on.
    Refusing,
    Killed,
}

/// One run with one fault. Says whether the fault came at all.
fn run(fault: Fault, catalog: &Catalog, tally: &mut Tally) -> bool {
    let rig = Rig::new();
    match catch_unwind(AssertUnwindSafe(|| run_on(&rig, fault, catalog, tally))) {
        Ok(was_hit) => was_hit,
        Err(_) if !fault.goes_on && reads_from_memory(&rig) => true,
        Err(failure) => resume_unwind(failure),
    }
}

/// Whether the fault was one that no medium can have: of a read of sled's from a file that the
/// daemon has just read as a whole. Such a read is answered from the kernel's memory; failing, it
/// makes sled erase what it could not read.
fn reads_from_memory(rig: &Rig) -> bool {
    let records: Vec<Record> = rig.records().into_iter().map(|(_, record)| record).collect();
    let Some(at) = records.iter().position(|it| it.injected && it.kind == Kind::Read) else {
        return false;
    };
    let life = records[..at].iter().rposition(|it| it.kind == Kind::Start).unwrap_or(0);
    let opened = |it: &&Record| it.kind == Kind::Open && it.result >= 0;
    let opens: Vec<&Record> = records[life..at].iter().filter(opened).collect();
    let fd = i64::from(records[at].fd);
    let Some(last) = opens.iter().rfind(|it| it.result == fd) else { return false };
    let times = opens.iter().filter(|it| it.path == last.path).count();
    String::from_utf8_lossy(&last.path).contains("revisions.sled/") && times > 1
}

fn run_on(rig: &Rig, fault: Fault, catalog: &Catalog, tally: &mut Tally) -> bool {
    let mut ledger = Ledger::new();
    let mut lives = vec![live(rig, FIRST, Some(fault), &mut ledger)];
    let counted = counted(rig, fault);
    // The second daemon goes on counting where the first one ended.
    let rest = Fault { number: fault.number.saturating_sub(counted).max(1), ..fault };
    let is_over = counted >= fault.number && !fault.goes_on;
    lives.push(live(rig, SECOND, (!is_over).then_some(rest), &mut ledger));

    let was_hit = rig.records().iter().any(|(_, record)| record.injected);
    let state = match offline::look(&rig.data(), catalog, &ledger) {
        Ok(state) => state,
        Err(why) => panic!("{fault:?}: {lives:?}: it does not open: {why}"),
    };
    assert!(
        ledger.possible.contains(&state),
        "{fault:?}: {lives:?}: {state:?} is none of {:?}",
        ledger.possible
    );
    goes_on(rig, &mut ledger);
    tally.count(was_hit, &lives);
    was_hit
}

impl Tally {
    fn count(&mut self, was_hit: bool, lives: &[Life]) {
        let any = |which: fn(&Life) -> bool| u64::from(was_hit && lives.iter().any(which));
        self.hit += u64::from(was_hit);
        self.starts_refused += any(|life| matches!(life, Life::NoStart));
        self.commits_refused += any(|life| matches!(life, Life::Refusing));
        self.killed += any(|life| matches!(life, Life::Killed));
        let is_whole = lives.iter().all(|life| matches!(life, Life::Whole));
        self.without_effect += u64::from(was_hit && is_whole);
    }
}

fn counted(rig: &Rig, fault: Fault) -> u64 {
    rig.records().iter().filter(|(_, record)| fault.counted.takes(record)).count() as u64
}

/// One daemon from its start to its end, with everything that is demanded of it on the way.
pub(crate) fn live(rig: &Rig, steps: &[Step], fault: Option<Fault>, ledger: &mut Ledger) -> Life {
    ledger.starts(rig.position());
    let is_fatal = fault.is_some_and(|fault| fault.what == What::Kill);
    let mut server = match rig.builder(fault).try_start() {
        Ok(server) => server,
        Err(exit) if is_fatal && exit.status.code().is_none() => return Life::Killed,
        Err(exit) => {
            let fault = fault.expect("without a fault it starts");
            assert_eq!((exit.status.code(), exit.stdout.as_str()), (Some(1), ""), "{fault:?}");
            assert!(exit.stderr.contains(fault.sentence()), "{fault:?}: {}", exit.stderr);
            assert!(!exit.stderr.contains("panicked"), "{fault:?}: {}", exit.stderr);
            return Life::NoStart;
        }
    };
    let life = follow(rig, steps, &mut server, fault, ledger);
    let log = server.log();
    assert!(!log.contains("panicked"), "{fault:?}: {}", tail(&log));
    life
}

/// The lines of a log that are worth reading.
fn tail(log: &str) -> String {
    let lines = log.lines().filter(|line| !line.contains("\"INFO\""));
    lines.map(|line| format!("{line}\n")).collect()
}

fn follow(
    rig: &Rig,
    steps: &[Step],
    server: &mut Server,
    fault: Option<Fault>,
    ledger: &mut Ledger,
) -> Life {
    let mut admin = server.admin();
    let state = State::shown(&mut admin, &ledger.sizes);
    ledger.found(rig.position(), state);
    let (confirm, steps) = match (state.awaits, ledger.has_token()) {
        (false, _) => (&[][..], steps),
        // First what was left open: nothing else is taken before.
        (true, true) => (&[Step::Confirm][..], steps),
        // Made, and never answered: it goes when its time has come.
        (true, false) => (&[][..], &[][..]),
    };
    let mut refused = false;
    for step in confirm.iter().chain(steps) {
        match ledger.perform(*step, &mut admin, || rig.position()) {
            Outcome::Acknowledged => {}
            Outcome::Refused(answer) => {
                answer.expect_error(503, "StoreUnavailable");
                refuses_from_now_on(rig, server, &mut admin, fault, ledger);
                refused = true;
                break;
            }
            Outcome::Lost(why) => {
                let status = server.wait();
                assert!(status.code().is_none(), "{fault:?}: {step:?}: {why}: {status}");
                return Life::Killed;
            }
        }
    }
    drop(admin);
    let status = server.terminate();
    match (refused, status.code()) {
        (_, None) if fault.is_some_and(|fault| fault.what == What::Kill) => Life::Killed,
        (true, Some(0)) => Life::Refusing,
        (false, Some(0)) => Life::Whole,
        _ => panic!("{fault:?}: it does not stop in order: {status}"),
    }
}

/// What is demanded of a daemon that has refused something: it says why, takes no more, and goes on
/// showing what was there before.
fn refuses_from_now_on(
    rig: &Rig,
    server: &Server,
    admin: &mut Client,
    fault: Option<Fault>,
    ledger: &mut Ledger,
) {
    let fault = fault.expect("without a fault nothing is refused");
    let log = server.log();
    assert!(log.contains(fault.sentence()), "{fault:?}: the log says why:\n{}", tail(&log));
    // For others than the one who has it staged.
    let shown = State::shown(&mut server.admin(), &ledger.sizes);
    assert!(ledger.possible.contains(&Some(shown)), "{fault:?}: {shown:?}");
    match ledger.perform(SMALL, admin, || rig.position()) {
        Outcome::Refused(answer) => {
            let message = answer.expect_error(503, "StoreUnavailable").at("/error/message");
            assert!(message.as_str().is_some_and(|text| text.contains("restart")), "{message}");
        }
        outcome => panic!("{fault:?}: after a write that failed: {outcome:?}"),
    }
}

/// On a good medium everything goes on as if nothing had been.
fn goes_on(rig: &Rig, ledger: &mut Ledger) {
    let position = || rig.position();
    ledger.starts(position());
    let server = plain_builder(&rig.data()).start();
    let mut admin = server.admin();
    let state = State::shown(&mut admin, &ledger.sizes);
    ledger.found(position(), state);
    if state.awaits {
        // Nothing else is taken meanwhile.
        return;
    }
    let step = Step::Commit { bytes: 9, secret: true, awaits: false };
    let outcome = ledger.perform(step, &mut admin, position);
    assert!(matches!(outcome, Outcome::Acknowledged), "{outcome:?}");
}
