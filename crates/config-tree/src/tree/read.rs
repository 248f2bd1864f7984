//! Reading a tree.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde_json::Value;

use super::{Edge, Found, Neighbours, Node, Referrer, Slot, Tree, edge, find};
use crate::body::Body;
use crate::digest::TreeDigest;
use crate::path::{Key, NodePath};

impl Tree {
    /// A root folder without children.
    #[must_use]
    pub fn new() -> Self {
        Self {
            root: Arc::new(Slot::Folder(OrdMap::new())),
            edges: OrdSet::new(),
            digest: TreeDigest::default(),
            bodies: 0,
        }
    }

    pub(crate) fn root(&self) -> &Slot {
        &self.root
    }

    /// The node at a path.
    #[must_use]
    pub fn get(&self, path: &NodePath) -> Option<Node<'_>> {
        find(&self.root, path.segments()).map(Node)
    }

    /// The body at a path; `None` where there is nothing, a folder or a collection.
    #[must_use]
    pub fn body(&self, path: &NodePath) -> Option<&Body> {
        match find(&self.root, path.segments())? {
            Found::Member(body) | Found::Slot(Slot::Object(body)) => Some(body),
            Found::Slot(_) => None,
        }
    }

    /// The siblings of a node; `None` for the root and where there is no node.
    #[must_use]
    pub fn neighbours(&self, path: &NodePath) -> Option<Neighbours<'_>> {
        let (key, parent) = path.segments().split_last()?;
        match find(&self.root, parent)? {
            Found::Slot(Slot::Folder(children)) => {
                children.get(key)?;
                Some(Neighbours {
                    first: &children.get_min()?.0,
                    last: &children.get_max()?.0,
                    previous: before(children, key),
                    next: after(children, key),
                })
            }
            Found::Slot(Slot::Collection(collection)) => {
                let rank = collection.get(key)?.rank;
                Some(Neighbours {
                    first: collection.first()?,
                    last: collection.last()?,
                    previous: collection.before(rank),
                    next: collection.after(rank),
                })
            }
            Found::Slot(Slot::Object(_)) | Found::Member(_) => None,
        }
    }

    /// The keys below a folder or a collection, in their order; nothing for an object.
    pub fn children(&self, path: &NodePath) -> impl Iterator<Item = &Key> {
        let (folder, collection) = match find(&self.root, path.segments()) {
            Some(Found::Slot(Slot::Folder(children))) => (Some(children.keys()), None),
            Some(Found::Slot(Slot::Collection(collection))) => (None, Some(collection.keys())),
            _ => (None, None),
        };
        folder.into_iter().flatten().chain(collection.into_iter().flatten())
    }

    /// The members of a collection with their bodies, in their order; nothing for another kind.
    pub fn members(&self, path: &NodePath) -> impl Iterator<Item = (&Key, &Body)> {
        let collection = match find(&self.root, path.segments()) {
            Some(Found::Slot(Slot::Collection(collection))) => Some(collection),
            _ => None,
        };
        collection.into_iter().flat_map(|c| c.iter().map(|(key, member)| (key, &member.body)))
    }

    /// How many children or members a node has.
    #[must_use]
    pub fn child_count(&self, path: &NodePath) -> usize {
        match find(&self.root, path.segments()) {
            Some(Found::Slot(Slot::Folder(children))) => children.len(),
            Some(Found::Slot(Slot::Collection(collection))) => collection.len(),
            _ => 0,
        }
    }

    /// The place of a member among its siblings, stable until a reorder; `None` for others.
    #[must_use]
    pub fn rank(&self, path: &NodePath) -> Option<u64> {
        let (key, parent) = path.segments().split_last()?;
        match find(&self.root, parent)? {
            Found::Slot(Slot::Collection(collection)) => Some(collection.get(key)?.rank),
            _ => None,
        }
    }

    /// The members of a collection that hold a value at a JSON Pointer by which the collection is
    /// indexed; nothing where it is not. Costs O(log n) and what is taken.
    pub fn holders<'a>(
        &'a self,
        collection: &NodePath,
        pointer: &str,
        value: &Value,
    ) -> impl Iterator<Item = &'a Key> + use<'a> {
        self.holders_of(collection, &[pointer], std::slice::from_ref(value))
    }

    /// The same for several values together, by pointers that are one index of the collection.
    pub fn holders_of<'a>(
        &'a self,
        collection: &NodePath,
        pointers: &[&str],
        values: &[Value],
    ) -> impl Iterator<Item = &'a Key> + use<'a> {
        let found = match find(&self.root, collection.segments()) {
            Some(Found::Slot(Slot::Collection(collection))) => Some(collection),
            _ => None,
        };
        found.map(|collection| collection.holders(pointers, values)).into_iter().flatten()
    }

    /// The highest number that was ever the key of a member of a collection, whether that member
    /// still exists or not; zero where there was none. Numbers are positive decimals.
    ///
    /// A tree that goes on from this one by changes never has a lower one, so the next number is
    /// always a new one. It is not part of the digest: it is about the past and not the content.
    #[must_use]
    pub fn sequence(&self, collection: &NodePath) -> u64 {
        match find(&self.root, collection.segments()) {
            Some(Found::Slot(Slot::Collection(collection))) => collection.sequence,
            _ => 0,
        }
    }

    /// All collections that ever had a numbered member, each with its [`Tree::sequence`].
    #[must_use]
    pub fn sequences(&self) -> Vec<(NodePath, u64)> {
        let mut found = Vec::new();
        let mut stack = vec![(NodePath::root(), &*self.root)];
        while let Some((path, slot)) = stack.pop() {
            match slot {
                Slot::Folder(children) => {
                    stack.extend(children.iter().rev().map(|(key, slot)| (path.join(key), &**slot)))
                }
                Slot::Collection(collection) if collection.sequence > 0 => {
                    found.push((path, collection.sequence));
                }
                Slot::Collection(_) | Slot::Object(_) => {}
            }
        }
        found
    }

    /// Who refers to a node, in the order of their paths. Costs O(log n) and what is taken.
    pub fn referrers(&self, target: &NodePath) -> impl Iterator<Item = Referrer> {
        let from = Edge {
            target: target.clone(),
            referrer: Referrer { path: NodePath::root(), pointer: String::new(), fragment: None },
        };
        self.edges
            .range(from..)
            .take_while(move |edge| edge.target == *target)
            .map(|edge| edge.referrer.clone())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// All bodies with their paths: folders in alphabetical order, members in theirs.
    pub fn walk(&self) -> impl Iterator<Item = (NodePath, &Body)> {
        let mut stack = vec![(NodePath::root(), &*self.root)];
        type Members<'a> = Box<dyn Iterator<Item = (&'a Key, &'a Body)> + 'a>;
        let mut members: Option<(NodePath, Members<'_>)> = None;
        std::iter::from_fn(move || {
            loop {
                if let Some((path, rest)) = &mut members {
                    if let Some((key, body)) = rest.next() {
                        return Some((path.join(key), body));
                    }
                    members = None;
                }
                match stack.pop()? {
                    (path, Slot::Object(body)) => return Some((path, body)),
                    (path, Slot::Folder(children)) => stack
                        .extend(children.iter().rev().map(|(key, slot)| (path.join(key), &**slot))),
                    (path, Slot::Collection(collection)) => {
                        let rest = collection.iter().map(|(key, member)| (key, &member.body));
                        members = Some((path, Box::new(rest)));
                    }
                }
            }
        })
    }

    /// Equal for equal content; changes with every change.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        self.digest
    }

    /// How many bodies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bodies
    }

    /// Whether there is no body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies == 0
    }

    /// Computes digest and reverse index again, as a check: `true` when both agree with the
    /// nodes. Costs O(n).
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let mut digest = TreeDigest::default();
        let mut edges = OrdSet::new();
        let mut bodies = 0;
        let mut previous: BTreeMap<NodePath, Key> = BTreeMap::new();
        for (path, body) in self.walk() {
            bodies += 1;
            digest.add_body(&path, body);
            edges.extend(body.references().iter().map(|reference| edge(&path, reference)));
            if let (Some(parent), Some(key)) = (path.parent(), path.key())
                && self.rank(&path).is_some()
            {
                digest.add_link(&parent, previous.get(&parent), key);
                previous.insert(parent, key.clone());
            }
        }
        digest == self.digest
            && edges == self.edges
            && bodies == self.bodies
            && collections_are_consistent(&self.root)
    }
}

fn collections_are_consistent(slot: &Slot) -> bool {
    match slot {
        Slot::Folder(children) => children.values().all(|child| collections_are_consistent(child)),
        Slot::Collection(collection) => collection.is_consistent(),
        Slot::Object(_) => true,
    }
}

fn after<'a, V: Clone>(children: &'a OrdMap<Key, V>, key: &Key) -> Option<&'a Key> {
    children.range::<_, Key>((Excluded(key), Unbounded)).next().map(|(key, _)| key)
}

fn before<'a, V: Clone>(children: &'a OrdMap<Key, V>, key: &Key) -> Option<&'a Key> {
    children.range::<_, Key>((Unbounded, Excluded(key))).next_back().map(|(key, _)| key)
}
