//! The verbs that change a session's transaction.

use std::sync::Arc;

use catalog::Hooks;
use config_tree::{Body, Key, NodePath};
use serde_json::Value;

use crate::edit::Edit;
use crate::engine::{Engine, View};
use crate::error::Error;
use crate::exclusive_lock::Mode;
use crate::idempotency::Idempotency;
use crate::session::{Session, State};
use crate::shared::Rules;
use crate::transaction::OpenTransaction;

impl Engine {
    /// Hands in what computes the members with `x-derived: hook:NAME`. Done once, before the first
    /// change; `false`, and nothing happens, when it was done before.
    pub fn hooks_set(&self, hooks: Arc<dyn Hooks + Send + Sync>) -> bool {
        self.shared.hooks.set(hooks).is_ok()
    }

    /// Replaces the body of an object or a member in the session's transaction; if `seen` is given,
    /// only if the node still holds that.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn node_put(
        &self,
        session: &Session,
        path: &NodePath,
        value: Value,
        seen: Option<&Body>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            transaction.expect_seen(path, seen)?;
            transaction.replace(rules, path, value)
        })
        .map(|((), view)| view)
    }

    /// Adds a member to a collection in the session's transaction; its path is new.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn node_create(
        &self,
        session: &Session,
        collection: &NodePath,
        value: Value,
    ) -> Result<(NodePath, View), Error> {
        self.stage(session, |transaction, rules| transaction.create(rules, collection, value))
    }

    /// Adds a member as [`Engine::node_create`] does, unless this transaction did so already under
    /// this key: then the member of that time is shown. The key goes with the transaction.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`], and those of any change.
    pub fn node_create_once(
        &self,
        session: &Session,
        collection: &NodePath,
        value: Value,
        idempotency: &Idempotency,
    ) -> Result<(NodePath, View), Error> {
        self.stage(session, |transaction, rules| {
            if let Some(path) = transaction.created.find(idempotency)? {
                return Ok(path.clone());
            }
            let path = transaction.create(rules, collection, value)?;
            transaction.created.keep(idempotency, path.clone());
            Ok(path)
        })
    }

    /// Puts a member into a collection for what arrives in another way than the collection's own
    /// operations, such as an upload: under a new key, or in the place of the member at `former`.
    /// The body is checked like any other.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn member_install(
        &self,
        session: &Session,
        collection: &NodePath,
        former: Option<&Key>,
        value: Value,
    ) -> Result<(NodePath, View), Error> {
        self.stage(session, |transaction, rules| {
            transaction.install(rules, collection, former, value)
        })
    }

    /// Adds an element to the list that a value holds, in the session's transaction; if `seen` is
    /// given, only if the node still holds that. Under a key that this transaction has had for it
    /// already, nothing is added.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`], and those of any change; nothing is staged then.
    pub fn node_append(
        &self,
        session: &Session,
        path: &NodePath,
        element: Value,
        seen: Option<&Body>,
        idempotency: Option<&Idempotency>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            if let Some(key) = idempotency
                && transaction.created.find(key)?.is_some()
            {
                return Ok(());
            }
            transaction.expect_seen(path, seen)?;
            transaction.append(rules, path, element)?;
            if let Some(key) = idempotency {
                transaction.created.keep(key, path.clone());
            }
            Ok(())
        })
        .map(|((), view)| view)
    }

    /// Takes a member away in the session's transaction; if `seen` is given, only if the node still
    /// holds that.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn node_delete(
        &self,
        session: &Session,
        path: &NodePath,
        seen: Option<&Body>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            transaction.expect_seen(path, seen)?;
            transaction.delete(rules, path)
        })
        .map(|((), view)| view)
    }

    /// Puts the members of a collection in another order in the session's transaction; if `seen` is
    /// given, only if they still stand in that one.
    ///
    /// # Errors
    /// See [`Error`]; nothing is staged then.
    pub fn collection_reorder(
        &self,
        session: &Session,
        path: &NodePath,
        keys: &[Key],
        seen: Option<&[Key]>,
    ) -> Result<View, Error> {
        self.stage(session, |transaction, rules| {
            transaction.expect_order(path, seen)?;
            transaction.reorder(rules, path, keys)
        })
        .map(|((), view)| view)
    }

    /// Makes several changes in the session's transaction, all of them or none. What `change` returned
    /// comes back with the state after it.
    ///
    /// # Errors
    /// What `change` failed with, and those of any change; nothing is staged then.
    pub fn transaction_edit<T, E: From<Error>>(
        &self,
        session: &Session,
        change: impl FnOnce(&mut Edit<'_>) -> Result<T, E>,
    ) -> Result<(T, View), E> {
        let mut state = session.state.lock();
        let mut transaction = match &*state {
            State::Closed if self.shared.exclusive_lock.mode() != Mode::Exclusive => {
                OpenTransaction::new(self.running(), self.shared.clock.now())
            }
            // A copy costs a few pointers, and is dropped when one of the changes is refused.
            other => other.open()?.clone(),
        };
        let done = change(&mut Edit::new(&mut transaction, self.shared.rules()))?;
        let view = View::Staged(transaction.tree().clone());
        *state = State::Open(Box::new(transaction));
        Ok((done, view))
    }

    // Stages into the session's open transaction. Outside exclusive mode the first change opens one,
    // which stays only if the change is accepted.
    pub(crate) fn stage<T>(
        &self,
        session: &Session,
        change: impl FnOnce(&mut OpenTransaction, &Rules<'_>) -> Result<T, Error>,
    ) -> Result<(T, View), Error> {
        let rules = self.shared.rules();
        let mut state = session.state.lock();
        if matches!(*state, State::Closed) && self.shared.exclusive_lock.mode() != Mode::Exclusive {
            let mut transaction = OpenTransaction::new(self.running(), self.shared.clock.now());
            let done = change(&mut transaction, &rules)?;
            let view = View::Staged(transaction.tree().clone());
            *state = State::Open(Box::new(transaction));
            return Ok((done, view));
        }
        let transaction = state.open_mut()?;
        let done = change(transaction, &rules)?;
        Ok((done, View::Staged(transaction.tree().clone())))
    }
}
