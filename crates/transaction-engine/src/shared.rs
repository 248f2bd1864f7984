//! What the verbs, the writer and the background all use. Nothing here knows any of them.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use catalog::{Catalog, Hooks};
use config_tree::Tree;

use crate::applier::Applier;
use crate::clock::Clock;
use crate::exclusive_lock::ExclusiveLock;
use crate::history_rules::HistoryRules;
use crate::hub::Hub;
use crate::log::Log;
use crate::past::Past;
use crate::revision::Revision;
use crate::secrets::Sealer;
use crate::sequences::Sequences;

/// One configuration as every part of the engine sees it.
pub(crate) struct Shared {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) running: ArcSwap<Revision>,
    // Where a fork began.
    pub(crate) origin: Option<Arc<Revision>>,
    pub(crate) log: Log,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) exclusive_lock: ExclusiveLock,
    pub(crate) change_limit: usize,
    pub(crate) checkpoint_every: u64,
    // The revision of the last checkpoint.
    pub(crate) checkpointed: AtomicU64,
    // After a failure: the revision before which the history is not shortened again.
    pub(crate) shorten_not_before: AtomicU64,
    pub(crate) history: HistoryRules,
    pub(crate) past: Past,
    pub(crate) hub: Hub,
    // Whether nothing comes any more for those who watch.
    pub(crate) closed: AtomicBool,
    pub(crate) appliers: Vec<Arc<dyn Applier>>,
    pub(crate) sequences: Sequences,
    pub(crate) hooks: OnceLock<Arc<dyn Hooks + Send + Sync>>,
}

/// What staging a change needs in addition to the transaction.
pub(crate) struct Rules<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) sealer: &'a Sealer,
    pub(crate) change_limit: usize,
    pub(crate) sequences: &'a Sequences,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) hooks: &'a dyn Hooks,
}

impl Shared {
    pub(crate) fn needs_message(&self, tree: &Tree) -> bool {
        self.history.message_required.as_ref().is_some_and(|rule| rule(tree))
    }

    pub(crate) fn rules(&self) -> Rules<'_> {
        let hooks: &dyn Hooks = match self.hooks.get() {
            Some(hooks) => &**hooks,
            None => &(),
        };
        Rules {
            catalog: &self.catalog,
            sealer: &self.sealer,
            change_limit: self.change_limit,
            sequences: &self.sequences,
            clock: &*self.clock,
            hooks,
        }
    }
}
