//! Ordered, keyed members.
//!
//! Two maps over one set: by key, to find a member, and by rank, to find its neighbours; both in
//! O(log n), both shared between trees. Ranks grow with creation and are never moved by a
//! deletion, so a deleted member can be put back exactly where it stood.

use imbl::OrdMap;

use crate::body::Body;
use crate::path::Key;

#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) rank: u64,
    pub(crate) body: Body,
}

/// Every key in `by_key` stands in `by_rank` under its rank, and nothing else does.
#[derive(Clone, Default)]
pub(crate) struct Collection {
    by_key: OrdMap<Key, Member>,
    by_rank: OrdMap<u64, Key>,
}

impl Collection {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Member> {
        self.by_key.get(key)
    }

    /// Members in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Member)> {
        self.by_rank.values().filter_map(|key| self.by_key.get(key).map(|member| (key, member)))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_rank.values()
    }

    pub(crate) fn first(&self) -> Option<&Key> {
        self.by_rank.get_min().map(|(_, key)| key)
    }

    pub(crate) fn last(&self) -> Option<&Key> {
        self.by_rank.get_max().map(|(_, key)| key)
    }

    pub(crate) fn before(&self, rank: u64) -> Option<&Key> {
        self.by_rank.range(..rank).next_back().map(|(_, key)| key)
    }

    pub(crate) fn after(&self, rank: u64) -> Option<&Key> {
        let next = rank.checked_add(1)?;
        self.by_rank.range(next..).next().map(|(_, key)| key)
    }

    /// Puts a new member at `rank`, or at the end where none is given or another stands there.
    /// Returns the rank it got.
    pub(crate) fn insert(&mut self, key: Key, body: Body, rank: Option<u64>) -> u64 {
        let end = self.by_rank.get_max().map_or(1, |(rank, _)| rank + 1);
        let rank = rank.filter(|rank| !self.by_rank.contains_key(rank)).unwrap_or(end);
        self.by_rank.insert(rank, key.clone());
        self.by_key.insert(key, Member { rank, body });
        rank
    }

    /// Replaces a body and returns the former one.
    pub(crate) fn replace(&mut self, key: &Key, body: Body) -> Option<Body> {
        let member = self.by_key.get_mut(key)?;
        Some(std::mem::replace(&mut member.body, body))
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Member> {
        let member = self.by_key.remove(key)?;
        self.by_rank.remove(&member.rank);
        Some(member)
    }

    /// Deals the ranks in use out anew, in the order of `keys`; `false`, and nothing changed, when
    /// `keys` are not exactly the members.
    pub(crate) fn reorder(&mut self, keys: &[Key]) -> bool {
        let distinct: std::collections::BTreeSet<&Key> = keys.iter().collect();
        if distinct.len() != self.len() || keys.len() != self.len() {
            return false;
        }
        if !keys.iter().all(|key| self.by_key.contains_key(key)) {
            return false;
        }
        let ranks: Vec<u64> = self.by_rank.keys().copied().collect();
        for (key, rank) in keys.iter().zip(ranks) {
            self.by_rank.insert(rank, key.clone());
            if let Some(member) = self.by_key.get_mut(key) {
                member.rank = rank;
            }
        }
        true
    }
}
