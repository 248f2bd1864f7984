//! What one autocommitted request changes, on the tree it sees.

use catalog::{Catalog, SecretReader};
use config_tree::{Body, Key, NodePath, Tree};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::revision::{RevisionNumber, Timestamp};
use crate::shared::Rules;
use crate::transaction::OpenTransaction;

/// What one request changes, on the tree it sees. Given to the function that
/// [`crate::Engine::autocommit`] runs, as often as the revision below it moves.
pub struct Edit<'a> {
    transaction: &'a mut OpenTransaction,
    rules: Rules<'a>,
}

impl<'a> Edit<'a> {
    pub(crate) fn new(transaction: &'a mut OpenTransaction, rules: Rules<'a>) -> Self {
        Self { transaction, rules }
    }
}

impl Edit<'_> {
    /// The tree with the changes made so far.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        self.transaction.tree()
    }

    /// The schema of this configuration.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        self.rules.catalog
    }

    /// The present moment by the engine's clock; the same for the whole edit.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.transaction.opened
    }

    /// The revision that the edit began on.
    #[must_use]
    pub fn base(&self) -> RevisionNumber {
        self.transaction.base.number
    }

    /// Adds a member to a collection under a key that the collection's rule gives; its path is
    /// returned. When the edit is run again, the key may be another one.
    ///
    /// # Errors
    /// See [`Error`]; nothing is changed then.
    pub fn node_create(&mut self, collection: &NodePath, value: Value) -> Result<NodePath, Error> {
        self.transaction.create(&self.rules, collection, value)
    }

    /// Adds a member to a collection under a given key; its path is returned.
    ///
    /// # Errors
    /// [`Error::KeyTaken`], and those of any change; nothing is changed then.
    pub fn node_create_with_key(
        &mut self,
        collection: &NodePath,
        key: &Key,
        value: Value,
    ) -> Result<NodePath, Error> {
        self.transaction.create_with_key(&self.rules, collection, key, value)
    }

    /// Replaces the body of an object or a member. A secret that keeps its text stays sealed as it
    /// was.
    ///
    /// # Errors
    /// See [`Error`]; nothing is changed then.
    pub fn node_put(&mut self, path: &NodePath, value: Value) -> Result<(), Error> {
        self.transaction.replace(&self.rules, path, value)
    }

    /// Removes a member.
    ///
    /// # Errors
    /// See [`Error`]; nothing is changed then.
    pub fn node_delete(&mut self, path: &NodePath) -> Result<(), Error> {
        self.transaction.delete(&self.rules, path)
    }

    /// Adds an element to the list that a value holds.
    ///
    /// # Errors
    /// See [`Error`]; nothing is changed then.
    pub fn node_append(&mut self, path: &NodePath, element: Value) -> Result<(), Error> {
        self.transaction.append(&self.rules, path, element)
    }

    /// Puts the members of a collection in another order.
    ///
    /// # Errors
    /// See [`Error`]; nothing is changed then.
    pub fn collection_reorder(&mut self, path: &NodePath, keys: &[Key]) -> Result<(), Error> {
        self.transaction.reorder(&self.rules, path, keys)
    }

    /// Makes some nodes what they are in another tree of the same catalog, such as that of another
    /// head: bodies as they are, secrets sealed as they are, so both trees must be of one key. Paths
    /// at which neither tree has a node are passed over.
    ///
    /// # Errors
    /// [`Error::Internal`] where the trees do not fit together. What breaks rules is refused when
    /// the edit is committed.
    pub fn adopt(&mut self, tree: &Tree, paths: &[NodePath]) -> Result<(), Error> {
        self.transaction.adopt(tree, paths)
    }

    /// The clear text of a secret in the tree with the changes made so far.
    #[must_use]
    pub fn secret_reveal(&self, path: &NodePath, pointer: &str) -> Option<Zeroizing<String>> {
        let value = self.tree().body(path).map(Body::value)?;
        self.rules.sealer.reveal(path, pointer, value.pointer(pointer)?.as_str()?)
    }
}
