//! The tree: folders with fixed children, objects with a body, collections with ordered members.
//!
//! Alongside the nodes a tree keeps two things that must never disagree with them, and therefore
//! change in the same functions: the reverse index (who refers to a node) and the digest. All
//! changes go through [`Tree::object_create`], [`Tree::object_replace`], [`Tree::object_delete`]
//! and [`Tree::collection_reorder`]; [`Tree::apply`] takes the same four as data. Only a tree
//! that is read back has another way, [`Tree::collection_fill`], which gives what the first of the
//! four would.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::body::{Body, Reference};
use crate::collection::Collection;
use crate::digest::TreeDigest;
use crate::path::{Key, NodePath};

mod read;
mod write;

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

pub(crate) fn edge(path: &NodePath, reference: &Reference) -> Edge {
    let Reference { pointer, target, fragment } = reference.clone();
    Edge { target, referrer: Referrer { path: path.clone(), pointer, fragment } }
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
