//! Bringing a store up to the catalog: what the catalog has and the store lacks.

use std::sync::Arc;

use catalog::{Catalog, Endpoint, EndpointKind};
use config_tree::{NodePath, Tree};
use serde_json::Value;

use crate::engine::{Engine, FactoryGenerator};
use crate::error::Error;
use crate::revision::RevisionNumber;
use crate::session::State;
use crate::shared::Rules;
use crate::transaction::OpenTransaction;

impl Engine {
    // A default that is not stored needs no generated member either, so those are made on demand.
    pub(super) fn fill_in_defaults(&self, mint: &mut FactoryGenerator<'_>) -> Result<(), Error> {
        let running = self.running();
        let catalog = &self.shared.catalog;
        let has = |path: &NodePath| running.tree.body(path).is_some();
        let has_all = catalog.endpoints().all(|endpoint| {
            let mut members = endpoint.members().map(|(key, _)| endpoint.path().join(key));
            (endpoint.default().is_none() || has(endpoint.path())) && members.all(|path| has(&path))
        });
        if has_all {
            return Ok(());
        }
        // Another catalog than when it was committed: who waited for it waits no more.
        let running = if self.cancel_unconfirmed()? { self.running() } else { running };
        let mut transaction = OpenTransaction::new(Arc::clone(&running), self.shared.clock.now());
        let rules = Rules { change_limit: usize::MAX, ..self.shared.rules() };
        let mut minted = Vec::new();
        for (path, value) in catalog.factory(mint) {
            let is_member =
                catalog.endpoint(&path).is_some_and(|e| e.kind() == EndpointKind::Member);
            if is_member && !catalog.is_builtin(&path) {
                minted.push((path, value));
            } else if transaction.tree().body(&path).is_none()
                && !(is_member && is_taken(catalog, transaction.tree(), &path, &value))
            {
                for (path, value) in minted.drain(..).chain([(path, value)]) {
                    transaction.create_at(&rules, &path, &path, value)?;
                }
            } else {
                minted.clear();
            }
        }
        if !transaction.is_changed() {
            return Ok(());
        }
        let fresh = running.number == RevisionNumber::new(0);
        let message = if fresh { "Factory defaults" } else { "Defaults of new endpoints" };
        let session = self.session_open("boxwood");
        *session.state.lock() = State::Open(Box::new(transaction));
        self.transaction_commit(&session, Some(message.to_owned())).map(drop)
    }
}

// Whether another member has what occurs once, a name for example, since it was made before the
// catalog had a built-in member of that name. It stays in the place of the new one.
fn is_taken(catalog: &Catalog, tree: &Tree, path: &NodePath, value: &Value) -> bool {
    let Some(collection) = path.parent() else { return false };
    let unique = catalog.endpoint(&collection).map(Endpoint::unique).unwrap_or_default();
    unique.iter().any(|pointers| {
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        let values = pointers.iter().map(|pointer| value.pointer(pointer).cloned());
        let values: Option<Vec<Value>> = values.collect();
        values
            .is_some_and(|values| tree.holders_of(&collection, &pointers, &values).next().is_some())
    })
}
