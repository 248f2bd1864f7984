//! Where the revisions of an engine are: in a store, or, of a forked engine, in memory.
//!
//! A fork sees the past of its origin and has its own future. What its origin had in a store is read
//! there; what was committed in memory since is a list that forks share until they differ, so a
//! fork of a fork of a fork costs no more than the first one and keeps none of them alive.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use config_tree::{Tree, TreeDigest};
use imbl::Vector;
use parking_lot::RwLock;

use crate::history_rules::HistoryRules;
use crate::revision::{RevisionInfo, RevisionNumber, RevisionRecord, Timestamp};
use crate::store::{
    Answer, Awaiting, CopyPart, MetadataChange, RevisionLog, Shortened, Slot, StoreError, Tag,
    Verified,
};

/// Records, tags, kept answers, and what awaits its confirmation.
pub(crate) enum Log {
    /// In a store.
    Durable(Arc<RevisionLog>),
    /// In memory, on top of what its origin had.
    Memory(Box<MemoryLog>),
}

/// Revisions that are forgotten with their engine.
pub(crate) struct MemoryLog {
    rules: HistoryRules,
    // As it began.
    origin: State,
    state: RwLock<State>,
}

#[derive(Clone)]
struct State {
    /// What the origin had in a store, up to the revision before `first`; `None` where nothing of
    /// that belongs to this history any more.
    past: Option<Arc<RevisionLog>>,
    /// The number of the first record of `tail`, or of the one that would be.
    first: RevisionNumber,
    tail: Vector<Arc<RevisionRecord>>,
    /// The newest revision.
    head: RevisionNumber,
    tags: Arc<BTreeMap<String, Tag>>,
    answers: HashMap<Slot, Answer>,
    awaiting: Option<Awaiting>,
}

impl Log {
    /// The log of a fork that begins at a revision of this one. Names of later revisions stay
    /// behind, and so do answers and what awaits its confirmation: they belong to requests that
    /// were made here.
    pub(crate) fn fork(&self, at: RevisionNumber, rules: HistoryRules) -> Self {
        let mut state = match self {
            Self::Durable(log) => State {
                past: Some(Arc::clone(log)),
                first: at.next(),
                tail: Vector::new(),
                head: at,
                tags: log.tags_shared(),
                answers: HashMap::new(),
                awaiting: None,
            },
            Self::Memory(log) => {
                let State { past, first, tail, tags, .. } = &*log.state.read();
                let mut state = State {
                    past: past.clone(),
                    first: *first,
                    tail: tail.clone(),
                    head: at,
                    tags: Arc::clone(tags),
                    answers: HashMap::new(),
                    awaiting: None,
                };
                state.cut(at);
                state
            }
        };
        if state.tags.values().any(|tag| tag.number > at) {
            Arc::make_mut(&mut state.tags).retain(|_, tag| tag.number <= at);
        }
        Self::Memory(Box::new(MemoryLog {
            rules,
            origin: state.clone(),
            state: RwLock::new(state),
        }))
    }

    /// The log of a fork that begins where this one began; `None` for one in a store.
    pub(crate) fn fork_origin(&self, rules: HistoryRules) -> Option<Self> {
        let Self::Memory(log) = self else { return None };
        let (origin, state) = (log.origin.clone(), RwLock::new(log.origin.clone()));
        Some(Self::Memory(Box::new(MemoryLog { rules, origin, state })))
    }
}

impl State {
    // Ends with a revision.
    fn cut(&mut self, at: RevisionNumber) {
        let kept = at.next().get().saturating_sub(self.first.get());
        self.tail.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        self.first = self.first.min(at.next());
    }

    fn oldest(&self) -> RevisionNumber {
        let past = self.past.as_ref().map(|past| past.oldest_number());
        past.filter(|oldest| *oldest < self.first).unwrap_or(self.first)
    }

    // The record in memory, or the store that has it.
    fn find<T>(
        &self,
        number: RevisionNumber,
        here: impl FnOnce(&RevisionRecord) -> T,
        there: impl FnOnce(&RevisionLog) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        if number > self.head {
            return Ok(None);
        }
        match number.get().checked_sub(self.first.get()) {
            Some(index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                Ok(self.tail.get(index).map(|record| here(record)))
            }
            None => self.past.as_deref().map_or(Ok(None), there),
        }
    }

    fn change(&mut self, change: MetadataChange) {
        match change {
            MetadataChange::TagSet(tag) => {
                Arc::make_mut(&mut self.tags).insert(tag.name.clone(), tag);
            }
            MetadataChange::TagDelete(name) => {
                Arc::make_mut(&mut self.tags).remove(&name);
            }
            MetadataChange::Keep(answer) => {
                self.answers.insert(answer.slot, answer);
            }
            MetadataChange::Forget(slot, _) => {
                self.answers.remove(&slot);
            }
            MetadataChange::Await(awaiting) => self.awaiting = Some(awaiting),
            MetadataChange::Settle => self.awaiting = None,
        }
    }

    // Removes what need not be kept, by the rules that a store has in the background.
    fn shorten(&mut self, rules: &HistoryRules, now: Timestamp) {
        let tags = self.tags.values().map(|tag| tag.number);
        let awaiting = self.awaiting.as_ref().map(|awaiting| awaiting.number);
        let needed = tags.chain(awaiting).chain([self.head]).min().unwrap_or(self.head);
        let most = usize::try_from(rules.revisions.max(1)).unwrap_or(usize::MAX);
        let is_old = |record: &Arc<RevisionRecord>| {
            rules.age.is_some_and(|age| now.since(record.time) > age)
        };
        while self.first < needed
            && let Some(oldest) = self.tail.front()
            && (self.tail.len() > most || is_old(oldest))
        {
            self.tail.pop_front();
            self.first = self.first.next();
            self.past = None;
        }
    }
}

impl MemoryLog {
    fn commit(
        &self,
        records: &[RevisionRecord],
        metadata: Vec<MetadataChange>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut state = self.state.write();
        for record in records {
            if record.number != state.head.next() {
                let what = format!("revision {}: the next one is {}", record.number, state.head);
                return Err(StoreError::refused(what));
            }
            state.head = record.number;
            state.tail.push_back(Arc::new(record.clone()));
        }
        state.answers.retain(|_, answer| answer.expires > now);
        metadata.into_iter().for_each(|change| state.change(change));
        state.shorten(&self.rules, now);
        Ok(())
    }
}

// The verbs of both kinds.
impl Log {
    /// Adds revisions, and changes what is kept in addition to them, all of it or nothing.
    pub(crate) fn commit(
        &self,
        records: &[RevisionRecord],
        metadata: Vec<MetadataChange>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Durable(log) => log.commit(records, metadata, Some(now)),
            Self::Memory(log) => log.commit(records, metadata, now),
        }
    }

    /// Hands everything that is kept to `put`: see [`RevisionLog::copy`].
    pub(crate) fn copy<E: From<StoreError>>(
        &self,
        put: &mut dyn FnMut(CopyPart) -> Result<(), E>,
    ) -> Result<RevisionNumber, E> {
        match self {
            Self::Durable(log) => log.copy(put),
            Self::Memory(_) => Err(StoreError::InMemory.into()),
        }
    }

    pub(crate) fn record(
        &self,
        number: RevisionNumber,
    ) -> Result<Option<RevisionRecord>, StoreError> {
        match self {
            Self::Durable(log) => log.record(number),
            Self::Memory(log) => {
                log.state.read().find(number, RevisionRecord::clone, |past| past.record(number))
            }
        }
    }

    pub(crate) fn info(&self, number: RevisionNumber) -> Result<Option<RevisionInfo>, StoreError> {
        match self {
            Self::Durable(log) => log.info(number),
            Self::Memory(log) => {
                log.state.read().find(number, RevisionRecord::info, |past| past.info(number))
            }
        }
    }

    pub(crate) fn time(&self, number: RevisionNumber) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Durable(log) => log.time(number),
            Self::Memory(log) => {
                log.state.read().find(number, |record| record.time, |past| past.time(number))
            }
        }
    }

    pub(crate) fn digest(&self, number: RevisionNumber) -> Result<Option<TreeDigest>, StoreError> {
        match self {
            Self::Durable(log) => log.digest(number),
            Self::Memory(_) if number == RevisionNumber::ZERO => Ok(Some(TreeDigest::default())),
            Self::Memory(log) => {
                log.state.read().find(number, |record| record.digest, |past| past.digest(number))
            }
        }
    }

    pub(crate) fn head_number(&self) -> RevisionNumber {
        match self {
            Self::Durable(log) => log.head_number(),
            Self::Memory(log) => log.state.read().head,
        }
    }

    pub(crate) fn oldest_number(&self) -> RevisionNumber {
        match self {
            Self::Durable(log) => log.oldest_number(),
            Self::Memory(log) => log.state.read().oldest(),
        }
    }

    pub(crate) fn tags(&self) -> Vec<Tag> {
        match self {
            Self::Durable(log) => log.tags(),
            Self::Memory(log) => log.state.read().tags.values().cloned().collect(),
        }
    }

    pub(crate) fn tag(&self, name: &str) -> Option<Tag> {
        match self {
            Self::Durable(log) => log.tag(name),
            Self::Memory(log) => log.state.read().tags.get(name).cloned(),
        }
    }

    pub(crate) fn awaiting(&self) -> Option<Awaiting> {
        match self {
            Self::Durable(log) => log.awaiting(),
            Self::Memory(log) => log.state.read().awaiting.clone(),
        }
    }

    pub(crate) fn answer(&self, slot: &Slot) -> Result<Option<Answer>, StoreError> {
        match self {
            Self::Durable(log) => log.answer(slot),
            Self::Memory(log) => Ok(log.state.read().answers.get(slot).cloned()),
        }
    }

    /// Whether a write failed, so that no further one is taken.
    pub(crate) fn is_poisoned(&self) -> bool {
        match self {
            Self::Durable(log) => log.is_poisoned(),
            Self::Memory(_) => false,
        }
    }

    /// How many times a medium was synced.
    pub(crate) fn syncs(&self) -> u64 {
        match self {
            Self::Durable(log) => log.syncs(),
            Self::Memory(_) => 0,
        }
    }
}

// What only a store has.
impl Log {
    fn durable(&self) -> Option<&RevisionLog> {
        match self {
            Self::Durable(log) => Some(log),
            Self::Memory(_) => None,
        }
    }

    /// Whether revisions outlive their engine.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable().is_some()
    }

    pub(crate) fn has_checkpoints(&self) -> bool {
        self.durable().is_some_and(RevisionLog::has_checkpoints)
    }

    pub(crate) fn checkpoints(&self) -> Result<Vec<RevisionNumber>, StoreError> {
        self.durable().map_or(Ok(Vec::new()), RevisionLog::checkpoints)
    }

    pub(crate) fn checkpoint(&self, number: RevisionNumber, tree: &Tree) -> Result<(), StoreError> {
        self.durable().map_or(Ok(()), |log| log.checkpoint(number, tree))
    }

    pub(crate) fn checkpoint_tree(&self, number: RevisionNumber) -> Result<Tree, StoreError> {
        self.durable().ok_or_else(no_store)?.checkpoint_tree(number)
    }

    pub(crate) fn cover(&self, from: RevisionNumber) -> Result<(), StoreError> {
        self.durable().ok_or_else(no_store)?.cover(from)
    }

    pub(crate) fn shorten(&self, from: RevisionNumber) -> Result<Shortened, StoreError> {
        self.durable().ok_or_else(no_store)?.shorten(from)
    }

    pub(crate) fn verify(&self) -> Result<Verified, StoreError> {
        self.durable().ok_or_else(no_store)?.verify()
    }
}

fn no_store() -> StoreError {
    StoreError::refused("what a forked configuration, which has no store, does not have")
}
