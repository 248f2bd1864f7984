//! The tree: folders with fixed children, objects with a body, collections with ordered members.
//!
//! Alongside the nodes a tree keeps two things that must never disagree with them, and therefore
//! change in the same functions: the reverse index (who refers to a node) and the digest. All
//! changes go through [`Tree::object_create`], [`Tree::object_replace`], [`Tree::object_delete`]
//! and [`Tree::collection_reorder`]; [`Tree::apply`] speaks of the same four as data. Only a tree
//! that is read back has another way, [`Tree::collection_fill`], which gives what the first of the
//! four would.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde_json::Value;

use crate::body::{Body, Reference};
use crate::change::Change;
use crate::collection::Collection;
use crate::digest::TreeDigest;
use crate::fill::{Filled, fill, packed};
use crate::path::{Key, NodePath};

/// A whole configuration. Cloning costs a few pointers; the clones then change independently and
/// share what is equal.
#[derive(Clone)]
pub struct Tree {
    root: Arc<Slot>,
    // For each reference in a body of this tree one edge, sorted by target.
    edges: OrdSet<Edge>,
    digest: TreeDigest,
    bodies: usize,
}

/// What stands at a path, borrowed from a tree.
#[derive(Clone, Copy)]
pub struct Node<'a>(Found<'a>);

#[derive(Clone, Copy)]
enum Found<'a> {
    Slot(&'a Slot),
    Member(&'a Body),
}

/// The three kinds of nodes. A member of a collection is an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Fixed children, in alphabetical order.
    Folder,
    /// A body.
    Object,
    /// Members with keys, in an order of their own.
    Collection,
}

/// The siblings of a node: children of the same parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbours<'t> {
    /// The first child of the parent.
    pub first: &'t Key,
    /// The last child of the parent.
    pub last: &'t Key,
    /// The child before the node.
    pub previous: Option<&'t Key>,
    /// The child after the node.
    pub next: Option<&'t Key>,
}

/// Who names a node, and where in its body.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Referrer {
    /// The node whose body holds the reference.
    pub path: NodePath,
    /// JSON Pointer to the reference in that body.
    pub pointer: String,
    /// The part of the target that is named, where it is only a part.
    pub fragment: Option<String>,
}

/// Why a change does not fit a tree. The tree is then as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// There is no node at the path.
    #[error("there is nothing at {0}")]
    Missing(NodePath),
    /// There is a node already.
    #[error("there is something at {0} already")]
    Exists(NodePath),
    /// The node is of another kind than the change is for.
    #[error("the node at {0} is of another kind")]
    WrongKind(NodePath),
    /// A new order names other keys than the members have, or one twice.
    #[error("the new order of {0} does not name each member exactly once")]
    NotAPermutation(NodePath),
    /// Members that come all at once are not given in ascending order of their ranks.
    #[error("the members of {0} do not stand in the order of their ranks")]
    NotInOrder(NodePath),
    /// The node holds something else than the change says it replaces.
    #[error("{0} holds something else than the change expects")]
    Unexpected(NodePath),
}

#[derive(Clone)]
pub(crate) enum Slot {
    Folder(OrdMap<Key, Arc<Slot>>),
    Object(Body),
    Collection(Collection),
}

// The same in memory, which implies equality and costs nothing; unequal ones may still hold the
// same. It is what a search for differences needs to skip what two trees share.
impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(left), Self::Folder(right)) => left.ptr_eq(right),
            (Self::Object(left), Self::Object(right)) => left.is_same(right),
            (Self::Collection(left), Self::Collection(right)) => left.is_same(right),
            _ => false,
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    target: NodePath,
    referrer: Referrer,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

// Reading.
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
        let found = match find(&self.root, collection.segments()) {
            Some(Found::Slot(Slot::Collection(collection))) => Some(collection),
            _ => None,
        };
        found.map(|collection| collection.holders(pointer, value)).into_iter().flatten()
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

    /// Counts digest and reverse index anew, for those who doubt them: `true` when both agree with
    /// the nodes. Costs O(n).
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

// Changing.
impl Tree {
    /// Adds a folder; it and its children belong to the schema and count in no digest.
    ///
    /// # Errors
    /// The parent must be a folder that has no such child.
    pub fn folder_create(&mut self, path: &NodePath) -> Result<(), TreeError> {
        self.skeleton_create(path, Slot::Folder(OrdMap::new()))
    }

    /// Adds a collection without members.
    ///
    /// # Errors
    /// The parent must be a folder that has no such child.
    pub fn collection_create(&mut self, path: &NodePath) -> Result<(), TreeError> {
        self.skeleton_create(path, Slot::Collection(Collection::default()))
    }

    /// Adds a collection without members, which can be found by what they hold at these JSON
    /// Pointers: see [`Tree::holders`].
    ///
    /// # Errors
    /// The parent must be a folder that has no such child.
    pub fn collection_create_indexed(
        &mut self,
        path: &NodePath,
        pointers: &[String],
    ) -> Result<(), TreeError> {
        self.skeleton_create(path, Slot::Collection(Collection::indexed_by(pointers)))
    }

    fn skeleton_create(&mut self, path: &NodePath, slot: Slot) -> Result<(), TreeError> {
        if self.get(path).is_some() {
            return Err(TreeError::Exists(path.clone()));
        }
        let (key, parent) = split(path)?;
        match find_mut(&mut self.root, parent) {
            Some(Slot::Folder(children)) => {
                children.insert(key.clone(), Arc::new(slot));
                Ok(())
            }
            Some(_) => Err(TreeError::WrongKind(path.clone())),
            None => Err(TreeError::Missing(path.clone())),
        }
    }

    /// Adds an object to a folder, or a member to a collection: at `rank`, or at the end where
    /// none is given or the place is taken.
    ///
    /// # Errors
    /// The parent must be there, and the object must not.
    pub fn object_create(
        &mut self,
        path: &NodePath,
        body: Body,
        rank: Option<u64>,
    ) -> Result<(), TreeError> {
        if self.get(path).is_some() {
            return Err(TreeError::Exists(path.clone()));
        }
        let (key, parent) = split(path)?;
        let Some(slot) = find_mut(&mut self.root, parent) else {
            return Err(TreeError::Missing(path.clone()));
        };
        match slot {
            Slot::Folder(children) => {
                children.insert(key.clone(), Arc::new(Slot::Object(body.clone())));
            }
            Slot::Collection(collection) => {
                let rank = collection.insert(key.clone(), body.clone(), rank);
                let (previous, next) = (collection.before(rank), collection.after(rank));
                let folder = parent_path(path);
                if let Some(next) = next {
                    self.digest.remove_link(&folder, previous, next);
                    self.digest.add_link(&folder, Some(key), next);
                }
                self.digest.add_link(&folder, previous, key);
            }
            Slot::Object(_) => return Err(TreeError::WrongKind(path.clone())),
        }
        self.bodies += 1;
        self.body_added(path, &body);
        Ok(())
    }

    /// Adds all members of a collection that has none, each with its key, rank and body: the tree
    /// that [`Tree::object_create`] gives for one after the other, in a fraction of the time where
    /// there are many. Several threads share the work.
    ///
    /// # Errors
    /// There must be such a collection; ranks must ascend and no key may come twice.
    ///
    /// # Panics
    /// The system has no thread to give.
    pub fn collection_fill(
        &mut self,
        path: &NodePath,
        members: Vec<(Key, u64, Body)>,
    ) -> Result<(), TreeError> {
        let empty = match self.get(path) {
            Some(Node(Found::Slot(Slot::Collection(collection)))) => collection,
            Some(_) => return Err(TreeError::WrongKind(path.clone())),
            None => return Err(TreeError::Missing(path.clone())),
        };
        if let Some(key) = empty.first() {
            return Err(TreeError::Exists(path.join(key)));
        }
        if !members.is_sorted_by(|(_, rank, _), (_, next, _)| rank < next) {
            return Err(TreeError::NotInOrder(path.clone()));
        }
        let count = members.len();
        let twice = |key| TreeError::Exists(path.join(&key));
        let Filled { collection, digest, edges } = fill(path, empty, members).map_err(twice)?;
        if let Some(Slot::Collection(place)) = find_mut(&mut self.root, path.segments()) {
            *place = collection;
        }
        self.bodies += count;
        self.digest.add_digest(digest);
        self.edges.extend(packed(edges));
        Ok(())
    }

    /// Replaces the body of an object or a member and returns the former one.
    ///
    /// # Errors
    /// There must be one.
    pub fn object_replace(&mut self, path: &NodePath, body: Body) -> Result<Body, TreeError> {
        if self.body(path).is_none() {
            return Err(self.no_body(path));
        }
        let (key, parent) = split(path)?;
        let former = match find_mut(&mut self.root, parent) {
            Some(Slot::Collection(collection)) => collection.replace(key, body.clone()),
            Some(Slot::Folder(children)) => {
                match children.insert(key.clone(), Arc::new(Slot::Object(body.clone()))).as_deref()
                {
                    Some(Slot::Object(former)) => Some(former.clone()),
                    _ => None,
                }
            }
            _ => None,
        };
        let former = former.ok_or_else(|| TreeError::Missing(path.clone()))?;
        self.body_removed(path, &former);
        self.body_added(path, &body);
        Ok(former)
    }

    /// Takes an object or a member away and returns its body.
    ///
    /// # Errors
    /// There must be one.
    pub fn object_delete(&mut self, path: &NodePath) -> Result<Body, TreeError> {
        if self.body(path).is_none() {
            return Err(self.no_body(path));
        }
        let (key, parent) = split(path)?;
        let former = match find_mut(&mut self.root, parent) {
            Some(Slot::Collection(collection)) => collection.remove(key).map(|member| {
                let (previous, next) =
                    (collection.before(member.rank), collection.after(member.rank));
                let folder = parent_path(path);
                if let Some(next) = next {
                    self.digest.remove_link(&folder, Some(key), next);
                    self.digest.add_link(&folder, previous, next);
                }
                self.digest.remove_link(&folder, previous, key);
                member.body
            }),
            Some(Slot::Folder(children)) => match children.remove(key).as_deref() {
                Some(Slot::Object(former)) => Some(former.clone()),
                _ => None,
            },
            _ => None,
        };
        let former = former.ok_or_else(|| TreeError::Missing(path.clone()))?;
        self.bodies -= 1;
        self.body_removed(path, &former);
        Ok(former)
    }

    /// Puts the members of a collection in another order. Costs O(members).
    ///
    /// # Errors
    /// `keys` must name every member exactly once.
    pub fn collection_reorder(&mut self, path: &NodePath, keys: &[Key]) -> Result<(), TreeError> {
        if self.get(path).is_none() {
            return Err(TreeError::Missing(path.clone()));
        }
        let Some(Slot::Collection(collection)) = find_mut(&mut self.root, path.segments()) else {
            return Err(TreeError::WrongKind(path.clone()));
        };
        let before: Vec<Key> = collection.keys().cloned().collect();
        if !collection.reorder(keys) {
            return Err(TreeError::NotAPermutation(path.clone()));
        }
        for_links(&before, |previous, key| self.digest.remove_link(path, previous, key));
        for_links(keys, |previous, key| self.digest.add_link(path, previous, key));
        Ok(())
    }

    /// Applies one change that says what it expects to find.
    ///
    /// # Errors
    /// The change must fit: what it creates is absent, what it replaces or deletes is as it says.
    pub fn apply(&mut self, change: &Change) -> Result<(), TreeError> {
        match change {
            Change::Create { path, rank, after } => self.object_create(path, after.clone(), *rank),
            Change::Replace { path, before, after } => {
                self.expect(path, before)?;
                self.object_replace(path, after.clone()).map(drop)
            }
            Change::Delete { path, before, .. } => {
                self.expect(path, before)?;
                self.object_delete(path).map(drop)
            }
            Change::Reorder { path, before, after } => {
                if !self.children(path).eq(before) {
                    return Err(TreeError::Unexpected(path.clone()));
                }
                self.collection_reorder(path, after)
            }
        }
    }

    fn expect(&self, path: &NodePath, body: &Body) -> Result<(), TreeError> {
        match self.body(path) {
            Some(present) if present == body => Ok(()),
            Some(_) => Err(TreeError::Unexpected(path.clone())),
            None => Err(self.no_body(path)),
        }
    }

    fn no_body(&self, path: &NodePath) -> TreeError {
        match self.get(path) {
            Some(_) => TreeError::WrongKind(path.clone()),
            None => TreeError::Missing(path.clone()),
        }
    }

    fn body_added(&mut self, path: &NodePath, body: &Body) {
        self.digest.add_body(path, body);
        for reference in body.references() {
            self.edges.insert(edge(path, reference));
        }
    }

    fn body_removed(&mut self, path: &NodePath, body: &Body) {
        self.digest.remove_body(path, body);
        for reference in body.references() {
            self.edges.remove(&edge(path, reference));
        }
    }
}

impl<'a> Node<'a> {
    /// What kind of node this is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.0 {
            Found::Slot(Slot::Folder(_)) => Kind::Folder,
            Found::Slot(Slot::Collection(_)) => Kind::Collection,
            Found::Slot(Slot::Object(_)) | Found::Member(_) => Kind::Object,
        }
    }

    /// What it holds, if it is an object.
    #[must_use]
    pub fn body(self) -> Option<&'a Body> {
        match self.0 {
            Found::Slot(Slot::Object(body)) | Found::Member(body) => Some(body),
            Found::Slot(_) => None,
        }
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tree({} bodies, {})", self.bodies, self.digest)
    }
}

fn collections_are_consistent(slot: &Slot) -> bool {
    match slot {
        Slot::Folder(children) => children.values().all(|child| collections_are_consistent(child)),
        Slot::Collection(collection) => collection.is_consistent(),
        Slot::Object(_) => true,
    }
}

pub(crate) fn edge(path: &NodePath, reference: &Reference) -> Edge {
    let Reference { pointer, target, fragment } = reference.clone();
    Edge { target, referrer: Referrer { path: path.clone(), pointer, fragment } }
}

fn split(path: &NodePath) -> Result<(&Key, &[Key]), TreeError> {
    path.segments().split_last().ok_or_else(|| TreeError::Exists(path.clone()))
}

fn parent_path(path: &NodePath) -> NodePath {
    path.parent().unwrap_or_else(NodePath::root)
}

fn for_links(keys: &[Key], mut each: impl FnMut(Option<&Key>, &Key)) {
    let mut previous = None;
    for key in keys {
        each(previous, key);
        previous = Some(key);
    }
}

fn after<'a, V: Clone>(children: &'a OrdMap<Key, V>, key: &Key) -> Option<&'a Key> {
    children.range::<_, Key>((Excluded(key), Unbounded)).next().map(|(key, _)| key)
}

fn before<'a, V: Clone>(children: &'a OrdMap<Key, V>, key: &Key) -> Option<&'a Key> {
    children.range::<_, Key>((Unbounded, Excluded(key))).next_back().map(|(key, _)| key)
}

fn find<'a>(root: &'a Slot, keys: &[Key]) -> Option<Found<'a>> {
    let mut slot = root;
    for (index, key) in keys.iter().enumerate() {
        match slot {
            Slot::Folder(children) => slot = children.get(key)?,
            Slot::Collection(collection) if index + 1 == keys.len() => {
                return collection.get(key).map(|member| Found::Member(&member.body));
            }
            Slot::Collection(_) | Slot::Object(_) => return None,
        }
    }
    Some(Found::Slot(slot))
}

// Copies the way from the root, and nothing else, where it is shared with another tree. Callers
// look the node up first, so that a miss copies nothing.
fn find_mut<'a>(root: &'a mut Arc<Slot>, keys: &[Key]) -> Option<&'a mut Slot> {
    let mut slot = root;
    for key in keys {
        match Arc::make_mut(slot) {
            Slot::Folder(children) => slot = children.get_mut(key)?,
            Slot::Collection(_) | Slot::Object(_) => return None,
        }
    }
    Some(Arc::make_mut(slot))
}
