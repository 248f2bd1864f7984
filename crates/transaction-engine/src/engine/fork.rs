//! Forks: engines that begin with the configuration of another one and go their own way in memory.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;

use crate::applier::Applier;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::Error;
use crate::exclusive_lock::ExclusiveLock;
use crate::history_rules::{HistoryRules, MessageRule};
use crate::hub::Hub;
use crate::lane::{Callers, Lane};
use crate::past::Past;
use crate::revision::{Revision, RevisionNumber, Timestamp};
use crate::sequences::Sequences;
use crate::shared::Shared;

/// Where a fork begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At the running revision.
    Running,
    /// At a revision of the past.
    Revision(RevisionNumber),
    /// Where this engine itself began as a fork, with the past that it had then. An engine that is
    /// not one has no such place: at its running revision.
    Origin,
}

/// How a fork differs from its origin.
pub struct Fork {
    /// Where it begins.
    pub begin: Begin,
    /// What time it is there.
    pub clock: Arc<dyn Clock>,
    /// Whether a commit needs a message there.
    pub message_required: Option<MessageRule>,
    /// Who acts on commits there.
    pub appliers: Vec<Arc<dyn Applier>>,
}

impl Engine {
    /// An engine that begins with this one's configuration and sees its past. Both share what is
    /// equal, so a fork costs a few pointers however large the configuration is. What is committed
    /// in it is checked, published, recorded and watched as here, and kept in memory only. It has
    /// no thread: commits run on the thread that hands them in.
    ///
    /// Sessions, locks, idempotency keys and an unconfirmed commit are this engine's own and stay
    /// here. The fork needs the process to go on, and not this engine.
    ///
    /// # Errors
    /// [`Error::NoRevision`] where there is no revision to begin at; the store cannot be read.
    pub fn fork(&self, fork: Fork) -> Result<Self, Error> {
        let Fork { begin, clock, message_required, appliers } = fork;
        let origin = &self.shared;
        let head = match begin {
            Begin::Running => self.running(),
            Begin::Revision(number) => self.revision_of(number)?,
            Begin::Origin => origin.origin.clone().unwrap_or_else(|| self.running()),
        };
        let history = HistoryRules { message_required, ..origin.history.clone() };
        let shared = Arc::new(Shared {
            catalog: Arc::clone(&origin.catalog),
            log: match begin {
                Begin::Origin => origin.log.fork_origin(history.clone()),
                Begin::Running | Begin::Revision(_) => None,
            }
            .unwrap_or_else(|| origin.log.fork(head.number, history.clone())),
            origin: Some(Arc::clone(&head)),
            running: ArcSwap::new(head),
            sealer: Arc::clone(&origin.sealer),
            clock,
            exclusive_lock: ExclusiveLock::new(origin.exclusive_lock.mode()),
            change_limit: origin.change_limit,
            checkpoint_every: u64::MAX,
            checkpointed: AtomicU64::new(0),
            shorten_not_before: AtomicU64::new(0),
            history,
            past: Past::default(),
            hub: Hub::default(),
            closed: AtomicBool::new(false),
            appliers,
            sequences: Sequences::default(),
            hooks: OnceLock::new(),
        });
        shared.appliers.iter().for_each(|applier| applier.apply(&shared.running.load(), &[]));
        let lane = Lane::Callers(Callers::new(Arc::clone(&shared)));
        Ok(Self::assembled(shared, lane, None, Vec::new()))
    }

    /// The newest revision that was committed no later than a moment, or the oldest one that is kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn revision_at(&self, moment: Timestamp) -> Result<RevisionNumber, Error> {
        let running = self.running();
        if running.time <= moment {
            return Ok(running.number);
        }
        // Times do not decrease with numbers.
        let (mut early, mut late) = (self.oldest_revision().get(), running.number.get());
        while early + 1 < late {
            let middle = early.midpoint(late);
            let time = self.shared.log.time(RevisionNumber::new(middle))?;
            if time.is_some_and(|time| time <= moment) {
                early = middle;
            } else {
                late = middle;
            }
        }
        Ok(RevisionNumber::new(early))
    }

    fn revision_of(&self, number: RevisionNumber) -> Result<Arc<Revision>, Error> {
        let running = self.running();
        if number == running.number {
            return Ok(running);
        }
        let tree = self.tree_at(number)?.ok_or_else(|| self.no_revision(number))?;
        let record = self.shared.log.record(number)?;
        Ok(Arc::new(match record {
            Some(record) => {
                let (time, commit_id) = (record.time, record.commit_id);
                Revision { number, tree, time, commit_id }
            }
            // The tree before the first commit has no record.
            None => Revision::empty(tree),
        }))
    }
}
