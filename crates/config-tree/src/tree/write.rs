//! Changing a tree.

use std::sync::Arc;

use imbl::OrdMap;

use super::{Found, Node, Slot, Tree, TreeError, edge, find_mut};
use crate::body::Body;
use crate::change::Change;
use crate::collection::Collection;
use crate::fill::{Filled, fill, packed};
use crate::path::{Key, NodePath};

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
        let indexes: Vec<Vec<String>> = pointers.iter().map(|one| vec![one.clone()]).collect();
        self.collection_create_indexed_by(path, &indexes)
    }

    /// The same with indexes of several pointers each: see [`Tree::holders_of`].
    ///
    /// # Errors
    /// The parent must be a folder that has no such child.
    pub fn collection_create_indexed_by(
        &mut self,
        path: &NodePath,
        indexes: &[Vec<String>],
    ) -> Result<(), TreeError> {
        self.skeleton_create(path, Slot::Collection(Collection::indexed_by(indexes)))
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

    /// Makes sure that the numbers of a collection go on after this one: see [`Tree::sequence`].
    /// What a tree that is read back needs, and one that is put in the place of a newer one.
    ///
    /// # Errors
    /// There must be such a collection.
    pub fn sequence_raise(&mut self, path: &NodePath, number: u64) -> Result<(), TreeError> {
        match self.get(path) {
            Some(Node(Found::Slot(Slot::Collection(collection)))) => {
                if collection.sequence >= number {
                    return Ok(());
                }
            }
            Some(_) => return Err(TreeError::WrongKind(path.clone())),
            None => return Err(TreeError::Missing(path.clone())),
        }
        if let Some(Slot::Collection(collection)) = find_mut(&mut self.root, path.segments()) {
            collection.sequence = number;
        }
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
