//! Worlds: complete sets of the daemon's appliances, apart from each other.
//!
//! A world is forked from another one in microseconds, since trees share what is equal: it has
//! engines, logins, throttles, caches and a clock of its own, in memory only. `main` is the world
//! that is always there. A world never changes what it is: a reset puts another one under its name,
//! so a request that still runs in the old one cannot be taken for one in the new one.

mod choice;
mod name;
mod refusal;
mod table;
mod time;

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use transaction_engine::clock::{AdjustableClock, Clock};
use transaction_engine::{Engine, RevisionNumber, Timestamp};

use crate::appliance::Appliance;

pub(crate) use name::WorldName;
pub(crate) use refusal::WorldRefusal;
pub(crate) use table::{Chosen, NewWorld, NotMade};
pub use table::{Member, Worlds, WorldsOptions};
pub(crate) use time::TimeChange;

/// The name of the world that is always there.
pub(crate) const MAIN: &str = "main";

/// A complete set of appliances.
pub(crate) struct World {
    pub(crate) name: Arc<str>,
    /// The name of the world that it was forked from; `None` for `main` as it began.
    pub(crate) from: Option<Arc<str>>,
    /// When it was made, by its own clock.
    pub(crate) made: Timestamp,
    /// In the order of the daemon's appliances; never empty.
    pub(crate) appliances: Vec<Arc<Appliance>>,
    /// Its time; `None` where that is the machine's.
    pub(crate) clock: Option<Arc<AdjustableClock>>,
    /// Its time as it was when it was made, to which a reset leads back.
    began: AdjustableClock,
    // Held while its time moves.
    moving: Mutex<()>,
    ending: OnceLock<Ending>,
}

/// How a world ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was dropped.
    Dropped,
    /// Another one has its name now.
    Reset,
}

/// Where an appliance of another world begins.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Where this one is.
    Running,
    /// Where this one began.
    Origin,
    /// At a revision of the running head; other heads as they were then.
    At(RevisionNumber),
    /// Where kept engines are.
    Kept(&'a KeptEngines),
}

/// The engines of an appliance as they were at one moment, for others to begin there.
pub(crate) struct KeptEngines {
    /// The running head.
    pub(crate) running: Engine,
    /// The others, in the order of the appliance's heads.
    pub(crate) heads: Vec<Engine>,
}

impl World {
    fn new(
        (name, from): (Arc<str>, Option<Arc<str>>),
        appliances: Vec<Arc<Appliance>>,
        clock: Option<Arc<AdjustableClock>>,
    ) -> Self {
        let began = clock.as_deref().map(AdjustableClock::copied).unwrap_or_default();
        let made = began.now();
        let (moving, ending) = (Mutex::default(), OnceLock::new());
        Self { name, from, made, appliances, clock, began, moving, ending }
    }

    /// Whether it is the one that is always there.
    pub(crate) fn is_main(&self) -> bool {
        &*self.name == MAIN
    }

    /// How it ended, if it has.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending.get().copied()
    }

    /// Ends it: its sessions, its feeds, its commits. Requests that are under way in it are
    /// answered. Waits where an engine has a store, so not for a runtime's thread then.
    fn end(&self, ending: Ending) {
        if self.ending.set(ending).is_err() {
            return;
        }
        for appliance in &self.appliances {
            appliance.end_sessions();
            appliance.heads().iter().for_each(|head| head.engine.shutdown());
            appliance.engine.shutdown();
        }
    }

    /// Whether ending it waits for a store.
    fn is_durable(&self) -> bool {
        self.appliances.iter().any(|appliance| appliance.engine.is_durable())
    }
}
