//! Places at which a test lets the process die, and nothing at all in a release build.
//!
//! A kill from outside comes when it comes; some of the moments that matter are a few instructions
//! long. So the steps of a commit, and everything else that writes, have names. A debug build that
//! was [armed](arm) with one of them kills itself there, by the signal that cannot be caught.
//! All names stand in one table, so that a test can go through all of them, and a step that no test
//! reaches is noticed.
//!
//! One failpoint can be skipped instead: a sync that does not happen shows whether a method that is
//! to find missing syncs finds one.

macro_rules! points {
    ($($(#[$about:meta])* $point:ident $name:literal,)*) => {
        /// A step, by what has happened so far.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point { $($(#[$about])* $point,)* }

        impl Point {
            /// All there are.
            pub const ALL: &[Point] = &[$(Point::$point,)*];

            /// By what it is armed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Point::$point => $name,)* }
            }
        }
    };
}

points! {
    // A store is made.
    /// The data directory is locked, and there is no store.
    StoreBegun "store.begun",
    /// sled has made its files, under another name.
    StoreHalfMade "store.half_made",
    /// They are on the disk, under another name.
    StoreMade "store.made",
    /// They are in their place, and their folder is not synced.
    StoreMoved "store.moved",
    /// The format version is written, and nothing else.
    FormatWritten "format.written",
    /// The note of what is durable has a name and no length.
    NoteMade "note.made",
    /// The note has its length, and its folder is not synced.
    NoteSized "note.sized",
    /// A private file is made, under another name, and empty.
    FileMade "file.made",
    /// A private file is written, under another name.
    FileWritten "file.written",
    /// A private file is on the disk, under another name.
    FileSynced "file.synced",
    /// A private file is in its place, and its folder is not synced.
    FileMoved "file.moved",

    // A store is opened.
    /// Everything was read and checked, and may so far be in the kernel's memory only.
    RecoveryRead "recovery.read",
    /// What was read is on the medium.
    RecoverySynced "recovery.synced",
    /// And it is noted.
    RecoveryNoted "recovery.noted",
    /// The engine runs on what was read, and may still have to undo something.
    StartRecovered "start.recovered",
    /// What was overdue is undone; defaults may be missing.
    StartSettled "start.settled",
    /// Nothing is missing.
    StartFilled "start.filled",

    // A commit, or another write.
    /// Commits are checked, and nothing of them is written.
    CommitChecked "commit.checked",
    /// A batch is made, and nothing of it is written.
    LogBatched "log.batched",
    /// The store has the batch.
    LogWritten "log.written",
    /// The kernel has everything. The sync that follows can be skipped.
    StoreFlushed "store.flushed",
    /// The batch is on the medium.
    LogSynced "log.synced",
    /// And it is noted.
    LogNoted "log.noted",
    /// Commits are durable, and not visible yet.
    CommitDurable "commit.durable",
    /// A commit is seen, and not acted upon.
    CommitVisible "commit.visible",
    /// A commit is acted upon.
    CommitApplied "commit.applied",
    /// The transaction is over, its lock released, and the answer not given.
    CommitClosed "commit.closed",
    /// The answer is given to the sender.
    CommitAnswered "commit.answered",
    /// Something else that the writer was asked for is done, and the answer not given.
    TaskDone "task.done",

    // A commit is undone.
    /// It is known what takes it back, and nothing of that is written.
    UndoPrepared "undo.prepared",
    /// The undoing is durable, and not visible yet.
    UndoDurable "undo.durable",

    // The background.
    /// A checkpoint is due, and nothing of it is written.
    CheckpointBegun "checkpoint.begun",
    /// It is made, under another name, and empty.
    CheckpointMade "checkpoint.made",
    /// It is written, under another name.
    CheckpointWritten "checkpoint.written",
    /// It is on the disk, under another name.
    CheckpointSynced "checkpoint.synced",
    /// It is in its place, and its folder is not synced.
    CheckpointMoved "checkpoint.moved",
    /// It is durable in its place, and the old ones are there.
    CheckpointDurable "checkpoint.durable",
    /// An old one is removed.
    CheckpointRemoved "checkpoint.removed",
    /// A checkpoint was read back, and the records that it covers may go.
    ShortenCovered "shorten.covered",
    /// What takes them away is not written.
    ShortenBatched "shorten.batched",
    /// It is written, and not synced.
    ShortenWritten "shorten.written",
    /// All that was to go is gone.
    ShortenDone "shorten.done",
}

/// Dies here if the process was armed with this point.
#[inline]
pub(crate) fn reach(point: Point) {
    #[cfg(debug_assertions)]
    armed::reach(point);
    #[cfg(not(debug_assertions))]
    let _ = point;
}

/// Whether what follows this point is not to be done.
#[inline]
pub(crate) fn skips(point: Point) -> bool {
    #[cfg(debug_assertions)]
    let skipped = armed::skips(point);
    #[cfg(not(debug_assertions))]
    let skipped = {
        let _ = point;
        false
    };
    skipped
}

#[cfg(debug_assertions)]
pub use armed::arm;

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    static ARMED: OnceLock<Armed> = OnceLock::new();

    #[derive(Debug)]
    struct Armed {
        point: Point,
        effect: Effect,
    }

    #[derive(Debug)]
    enum Effect {
        /// Dies when it is reached as often as this counts.
        Kill(AtomicU64),
        Skip,
    }

    /// Arms this process, once: `NAME` dies where that point is reached first, `NAME@3` where it is
    /// for the third time, `skip:NAME` leaves out what follows that point.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn arm(text: &str) -> Result<(), String> {
        let armed = parse(text)?;
        ARMED.set(armed).map_err(|_| "a process is armed once".to_owned())
    }

    fn parse(text: &str) -> Result<Armed, String> {
        let (name, effect) = match (text.strip_prefix("skip:"), text.split_once('@')) {
            (Some(name), _) => (name, Effect::Skip),
            (None, Some((name, count))) => {
                let count = count.parse().ok().filter(|count| *count > 0);
                let count = count.ok_or_else(|| format!("{text:?} has no count after the @"))?;
                (name, Effect::Kill(AtomicU64::new(count)))
            }
            (None, None) => (text, Effect::Kill(AtomicU64::new(1))),
        };
        let point = Point::ALL.iter().find(|point| point.name() == name);
        let point = *point.ok_or_else(|| format!("there is no failpoint {name:?}"))?;
        if matches!(effect, Effect::Skip) && point != Point::StoreFlushed {
            return Err(format!("nothing is skipped after {name:?}"));
        }
        Ok(Armed { point, effect })
    }

    pub(super) fn reach(point: Point) {
        if let Some(Armed { point: armed, effect: Effect::Kill(left) }) = ARMED.get()
            && *armed == point
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            die(point);
        }
    }

    pub(super) fn skips(point: Point) -> bool {
        ARMED
            .get()
            .is_some_and(|armed| armed.point == point && matches!(armed.effect, Effect::Skip))
    }

    fn die(point: Point) -> ! {
        // So that a test can tell this end from others.
        let _ = writeln!(std::io::stderr(), "failpoint {}: killed", point.name());
        let _ = kill_process(getpid(), Signal::KILL);
        // Not a line of ours runs after that.
        loop {
            std::thread::park();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn names_are_told_apart_and_mistakes_are_named() {
            for point in Point::ALL {
                assert_eq!(parse(point.name()).unwrap().point, *point);
            }
            let Effect::Kill(count) = parse("log.synced@3").unwrap().effect else {
                panic!("it is not a kill")
            };
            assert_eq!(count.into_inner(), 3);
            assert!(matches!(parse("skip:store.flushed").unwrap().effect, Effect::Skip));
            for bad in ["", "log.syncd", "log.synced@", "log.synced@0", "skip:log.synced"] {
                parse(bad).expect_err(bad);
            }
        }
    }
}
