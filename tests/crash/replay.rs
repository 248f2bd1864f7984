//! A power cut at any moment of a daemon's life, played on a model of the medium.
//!
//! What daemons do to their files is recorded: a first start, commits small and large with
//! checkpoints and forgetting beside them, a stop, a start, a kill, a start again. Then the record
//! is played up to some moment, what was not synced by then is dropped, kept, torn and reordered in
//! many ways (`medium.rs`), and each image has to open and hold exactly what was acknowledged by
//! then, perhaps with the one request that was under way.
//!
//! The usual run takes some moments, chosen by chance; `BOXWOOD_REPLAY_CUTS` says how many images
//! there are to be.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use catalog::Catalog;
use tempfile::TempDir;

use crate::faults::{Life, builtin, live};
use crate::luck::{Luck, variable};
use crate::medium::{CUTS, Cut, Medium};
use crate::offline;
use crate::record::{Counted, Kind, Record};
use crate::recorder::{Fault, Rig, What, plain_builder};
use crate::script::{FIRST, Ledger, Outcome, Possible, SECOND, SMALL, State};

/// How many images the usual run looks at.
const IMAGES: u64 = 250;

/// A daemon is started on one in so many; the others are opened without.
const STARTED: u64 = 50;

/// So many images are made of one recording.
const OF_ONE: u64 = 1000;

#[test]
fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let mut luck = Luck::new();
    let catalog = builtin();
    let mut rest = variable("BOXWOOD_REPLAY_CUTS").unwrap_or(IMAGES);
    while rest > 0 {
        let images = rest.min(OF_ONE);
        cut_one(&catalog, images, &mut luck);
        rest -= images;
    }
}

/// Records once, and cuts the power in so many ways.
fn cut_one(catalog: &Catalog, images: u64, luck: &mut Luck) {
    let rig = Rig::new();
    let mut ledger = Ledger::new();
    ledger.asks_digests = true;
    record(&rig, &mut ledger, luck);
    let records = rig.records();
    is_complete(&rig, &records);

    let moments: Vec<usize> =
        (0..records.len()).filter(|index| is_telling(&records, *index)).collect();
    assert!(moments.len() > 150, "only {} moments to cut the power at", moments.len());
    let mut chosen: Vec<usize> =
        (0..images).map(|_| moments[luck.below(moments.len() as u64) as usize]).collect();
    chosen.sort_unstable();

    let mut medium = Medium::new(&rig.medium());
    let (mut played, mut durable) = (0, 0);
    for (number, moment) in (0..).zip(chosen) {
        records[played..=moment].iter().for_each(|(_, record)| medium.apply(record));
        played = moment + 1;
        let cut = CUTS[luck.below(CUTS.len() as u64) as usize];
        durable += u64::from(medium.is_durable());
        let folder = image_folder();
        let seed = luck.next();
        medium.leave(folder.path(), cut, &mut Luck::seeded(seed));
        let image = Image { folder: folder.path(), moment, cut, position: records[moment].0 };
        let check = || image.check(catalog, &ledger, number % STARTED == 0);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
            // As it was before it was opened.
            medium.leave(&rig.evidence().join("image"), cut, &mut Luck::seeded(seed));
            resume_unwind(panic);
        }
    }
    assert!(durable < images / 2, "at {durable} of {images} moments there was nothing to lose");
}

/// In memory where there is such a place: opening a store syncs, for which nothing waits here.
fn image_folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("boxwood-image-");
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).expect("a folder can be made")
}

/// The lives of three daemons, the second of which is killed.
fn record(rig: &Rig, ledger: &mut Ledger, luck: &mut Luck) {
    let first = live(rig, FIRST, None, ledger);
    assert!(matches!(first, Life::Whole), "{first:?}");
    // In the start, between two commits, or in one.
    let number = 1 + luck.below(60);
    let kill = Fault { number, what: What::Kill, goes_on: false, counted: Counted::Changes };
    live(rig, SECOND, Some(kill), ledger);
    let third = live(rig, SECOND, None, ledger);
    assert!(matches!(third, Life::Whole), "{third:?}");
}

/// That the trace tells of everything that was done to files.
fn is_complete(rig: &Rig, records: &[(u64, Record)]) {
    let mut medium = Medium::new(&rig.medium());
    records.iter().for_each(|(_, record)| medium.apply(record));
    medium.compare(&rig.medium());
    let count = |kind| records.iter().filter(|(_, record)| record.kind == kind).count();
    assert!(count(Kind::SyncSystem) >= FIRST.len() + SECOND.len(), "commits are synced");
}

/// Whether something could be otherwise after this operation than after the one before. What was
/// pending is most before a sync.
fn is_telling(records: &[(u64, Record)], index: usize) -> bool {
    records[index].1.is_change() && records[index].1.kind != Kind::SyncRange
}

/// What one power cut left.
struct Image<'a> {
    folder: &'a Path,
    moment: usize,
    cut: Cut,
    position: u64,
}

impl Image<'_> {
    fn check(&self, catalog: &Catalog, ledger: &Ledger, starts: bool) {
        let Image { moment, cut, position, .. } = *self;
        let data = self.folder.join("data");
        let when = format!("cut after operation {moment} (at {position} in the trace), {cut:?}");
        let possible = ledger.at(position);
        let is_first = possible.contains(&None);
        assert!(is_first || data.exists(), "{when}: there is nothing");
        if data.exists() {
            let state = offline::look(&data, catalog, ledger);
            let state = state.unwrap_or_else(|why| panic!("{when}: it does not open: {why}"));
            assert!(possible.contains(&state), "{when}: {state:?} is none of {possible:?}");
            // What was read once is read again, whatever the opening itself wrote.
            assert_eq!(offline::look(&data, catalog, ledger), Ok(state), "{when}: opened twice");
            let keys = offline::look_at_private_files(&data, state.is_some());
            keys.unwrap_or_else(|why| panic!("{when}: {why}"));
        }
        if starts {
            self.start(ledger, possible.clone());
        }
    }

    /// The real daemon goes on from there.
    fn start(&self, ledger: &Ledger, possible: Possible) {
        let mut ledger = ledger.anew(possible);
        ledger.starts(0);
        let server = plain_builder(&self.folder.join("data")).start();
        let mut admin = server.admin();
        let state = State::shown(&mut admin, &ledger.sizes);
        ledger.found(0, state);
        if !state.awaits {
            let outcome = ledger.perform(SMALL, &mut admin, || 0);
            assert!(matches!(outcome, Outcome::Acknowledged), "{outcome:?}");
        }
    }
}
