//! Several violations: the first of them in their order, and how many there are in all.
//!
//! A hostile body breaks a rule a million times. Each violation takes memory for its place and its
//! sentence, so only as many are kept as a person reads; the others are counted.

use std::collections::{BTreeSet, BinaryHeap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;

use crate::violation::Violation;

/// The first violations in their order, and the number of all. An empty one says that there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    kept: Vec<Violation>,
    total: usize,
}

impl Violations {
    /// As many violations as are kept.
    pub const MOST: usize = 1000;

    /// How many there are, those included that are not kept.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Adds those of another check; the order is for the caller to restore.
    pub fn extend(&mut self, others: impl Into<Self>) {
        let others = others.into();
        self.total += others.total;
        self.kept.extend(others.kept);
        if self.kept.len() > Self::MOST {
            self.kept.sort();
            self.kept.truncate(Self::MOST);
        }
    }

    /// Puts them in their order.
    pub fn sort(&mut self) {
        self.kept.sort();
    }

    /// The same number of violations, each changed.
    #[must_use]
    pub fn map(self, change: impl FnMut(Violation) -> Violation) -> Self {
        Self { kept: self.kept.into_iter().map(change).collect(), total: self.total }
    }
}

impl Deref for Violations {
    type Target = [Violation];

    fn deref(&self) -> &[Violation] {
        &self.kept
    }
}

impl<const N: usize> PartialEq<[Violation; N]> for Violations {
    fn eq(&self, other: &[Violation; N]) -> bool {
        self.total == N && self.kept == other
    }
}

impl From<Vec<Violation>> for Violations {
    fn from(mut kept: Vec<Violation>) -> Self {
        let total = kept.len();
        if total > Self::MOST {
            kept.sort();
            kept.truncate(Self::MOST);
        }
        Self { kept, total }
    }
}

impl From<Violation> for Violations {
    fn from(one: Violation) -> Self {
        Self { kept: vec![one], total: 1 }
    }
}

impl FromIterator<Violation> for Violations {
    fn from_iter<I: IntoIterator<Item = Violation>>(violations: I) -> Self {
        let mut gathered = Gathered::default();
        violations.into_iter().for_each(|violation| gathered.add(violation));
        gathered.sorted()
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.iter()
    }
}

/// Violations while they are found: the least of them, and the number of all.
#[derive(Default)]
pub(crate) struct Gathered {
    least: BinaryHeap<Violation>,
    total: usize,
}

impl Gathered {
    /// How many were found.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Whether a violation of this rule at this place would be kept; it is counted if not.
    pub(crate) fn admits(&mut self, pointer: &str, rule: &str) -> bool {
        let full = self.least.len() >= Violations::MOST;
        let last = self.least.peek().filter(|_| full);
        let admitted =
            last.is_none_or(|last| (pointer, rule) <= (last.pointer.as_str(), last.rule));
        self.total += usize::from(!admitted);
        admitted
    }

    /// Counts a violation, and keeps it if it is among the first.
    pub(crate) fn add(&mut self, violation: Violation) {
        self.total += 1;
        self.least.push(violation);
        if self.least.len() > Violations::MOST {
            self.least.pop();
        }
    }

    /// What was found, in its order.
    pub(crate) fn sorted(self) -> Violations {
        Violations { kept: self.least.into_sorted_vec(), total: self.total }
    }
}

/// Violations of several nodes while they are found, each once however often it is found: the least
/// of them, and of the others no more than is needed to count each once.
#[derive(Default)]
pub(crate) struct Found {
    least: BTreeSet<Violation>,
    others: HashSet<u64>,
}

impl Found {
    pub(crate) fn insert(&mut self, violation: Violation) {
        let is_less = self.least.last().is_some_and(|last| violation < *last);
        if self.least.len() < Violations::MOST || is_less {
            self.least.insert(violation);
        } else if !self.least.contains(&violation) {
            self.others.insert(digest(&violation));
        }
        if self.least.len() > Violations::MOST {
            let last = self.least.pop_last();
            self.others.extend(last.as_ref().map(digest));
        }
    }

    pub(crate) fn extend(&mut self, violations: impl IntoIterator<Item = Violation>) {
        violations.into_iter().for_each(|violation| self.insert(violation));
    }

    /// What was found, in its order.
    pub(crate) fn sorted(self) -> Violations {
        let total = self.least.len() + self.others.len();
        Violations { kept: self.least.into_iter().collect(), total }
    }
}

fn digest(violation: &Violation) -> u64 {
    let Violation { path, pointer, rule, layer: _, message, also: _ } = violation;
    let mut hasher = DefaultHasher::new();
    (path, pointer, rule, message).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use config_tree::NodePath;

    use super::*;
    use crate::violation::{Layer, rule};

    fn at(place: usize) -> Violation {
        Violation {
            path: NodePath::root(),
            pointer: format!("/{place:05}"),
            rule: rule::TYPE,
            layer: Layer::Shape,
            message: String::new(),
            also: Vec::new(),
        }
    }

    #[test]
    fn the_first_are_kept_in_whatever_order_they_come_and_all_are_counted() {
        let all = 3 * Violations::MOST;
        let first: Vec<_> = (0..Violations::MOST).map(at).collect();
        for found in [(0..all).collect::<Vec<_>>(), (0..all).rev().collect()] {
            let violations: Violations = found.into_iter().map(at).collect();
            assert_eq!(violations.total(), all);
            assert_eq!(violations[..], first);
        }
    }

    #[test]
    fn what_is_found_twice_is_counted_once() {
        let all = 3 * Violations::MOST;
        let mut found = Found::default();
        for _ in 0..2 {
            found.extend((0..all).rev().map(at));
        }
        let violations = found.sorted();
        assert_eq!(violations.total(), all);
        assert_eq!(violations[..], (0..Violations::MOST).map(at).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_admitted_is_counted() {
        let mut gathered = Gathered::default();
        (0..Violations::MOST).for_each(|place| gathered.add(at(place)));
        assert!(!gathered.admits("/99999", rule::TYPE));
        assert!(gathered.admits("/00000", rule::TYPE));
        assert_eq!(gathered.sorted().total(), Violations::MOST + 1);
    }
}
