//! Ordered, keyed members.
//!
//! Two maps over one set: by key, to find a member, and by rank, to find its neighbours; both in
//! O(log n), both shared between trees. A deletion moves no rank, so a deleted member can be put
//! back exactly where it stood. A new member's rank is one more than the highest in use, so a
//! rank can be given again; the number of a member that is counted cannot: see `sequence`.
//!
//! Where members are known by a value of theirs, such as a name, a third map finds them by it, so
//! that finding out whether a name is taken does not mean reading a whole collection.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde_json::Value;

use crate::body::Body;
use crate::path::Key;

#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) rank: u64,
    pub(crate) body: Body,
}

/// Every key in `by_key` stands in `by_rank` under its rank, and nothing else does; and in
/// `by_value` under each value that its body has at one of the `indexed` pointers.
#[derive(Clone, Default)]
pub(crate) struct Collection {
    pub(crate) by_key: OrdMap<Key, Member>,
    pub(crate) by_rank: OrdMap<u64, Key>,
    pub(crate) indexed: Arc<[Vec<String>]>,
    pub(crate) by_value: OrdSet<Held>,
    /// The highest number that was ever the key of a member, or zero. A deletion leaves it.
    pub(crate) sequence: u64,
}

/// Values that a member has: their place in `indexed`, as one JSON text, and the member's key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pointer: usize,
    value: Arc<str>,
    key: Option<Key>,
}

// The same in memory, as with the slots of a tree.
impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank && self.body.is_same(&other.body)
    }
}

impl Collection {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.by_key.ptr_eq(&other.by_key)
    }

    pub(crate) fn by_key(&self) -> &OrdMap<Key, Member> {
        &self.by_key
    }

    /// A collection whose members can be found by what they hold at these JSON Pointers together.
    pub(crate) fn indexed_by(indexes: &[Vec<String>]) -> Self {
        Self { indexed: indexes.into(), ..Self::default() }
    }

    /// The members that hold these values at the pointers of an index; none where there is no such
    /// index.
    pub(crate) fn holders<'a>(
        &'a self,
        pointers: &[&str],
        values: &[Value],
    ) -> impl Iterator<Item = &'a Key> + use<'a> {
        let place = self.indexed.iter().position(|indexed| indexed == pointers);
        let text = text_of(values);
        let from = place.map(|pointer| Held { pointer, value: Arc::clone(&text), key: None });
        from.into_iter().flat_map(move |from| {
            let text = Arc::clone(&text);
            let pointer = from.pointer;
            self.by_value
                .range(from..)
                .take_while(move |held| held.pointer == pointer && held.value == text)
                .filter_map(|held| held.key.as_ref())
        })
    }

    // What a body adds to `by_value`. A null or absent value counts for no member.
    pub(crate) fn held(&self, key: &Key, body: &Body) -> Vec<Held> {
        let at = |(pointer, paths): (usize, &Vec<String>)| {
            let value = |path: &String| body.value_at(path).filter(|value| !value.is_null());
            let values: Option<Vec<Value>> = paths.iter().map(value).collect();
            Some(Held { pointer, value: text_of(&values?), key: Some(key.clone()) })
        };
        self.indexed.iter().enumerate().filter_map(at).collect()
    }

    /// Computes the third map again: `true` when it agrees with the members.
    pub(crate) fn is_consistent(&self) -> bool {
        let held = self.by_key.iter().flat_map(|(key, member)| self.held(key, &member.body));
        held.collect::<OrdSet<_>>() == self.by_value
    }

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
        self.sequence = self.sequence.max(number_of(&key).unwrap_or_default());
        self.by_rank.insert(rank, key.clone());
        self.by_value.extend(self.held(&key, &body));
        self.by_key.insert(key, Member { rank, body });
        rank
    }

    /// Replaces a body and returns the former one.
    pub(crate) fn replace(&mut self, key: &Key, body: Body) -> Option<Body> {
        let (former, new) = (self.held(key, &self.by_key.get(key)?.body), self.held(key, &body));
        let member = self.by_key.get_mut(key)?;
        let replaced = std::mem::replace(&mut member.body, body);
        former.iter().for_each(|held| _ = self.by_value.remove(held));
        self.by_value.extend(new);
        Some(replaced)
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Member> {
        let member = self.by_key.remove(key)?;
        self.by_rank.remove(&member.rank);
        self.held(key, &member.body).iter().for_each(|held| _ = self.by_value.remove(held));
        Some(member)
    }

    /// Distributes the ranks in use again, in the order of `keys`; `false`, and nothing changed, when
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

// One value stands for itself, which is the usual case and takes the least memory.
fn text_of(values: &[Value]) -> Arc<str> {
    match values {
        [one] => one.to_string().into(),
        all => all.iter().map(Value::to_string).collect::<Vec<_>>().join(",").into(),
    }
}

/// The number that a key is: a positive decimal of 64 bits without leading zeros.
#[must_use]
pub fn number_of(key: &Key) -> Option<u64> {
    let text = key.as_str();
    match text.as_bytes() {
        [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => text.parse().ok(),
        _ => None,
    }
}
