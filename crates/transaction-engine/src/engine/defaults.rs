//! Bringing a store up to the catalog: what the catalog has and the store lacks.

use std::sync::Arc;

use catalog::EndpointKind;
use config_tree::NodePath;

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
            } else if transaction.tree().body(&path).is_none() {
                for (path, value) in minted.drain(..).chain([(path, value)]) {
                    transaction.create_at(&rules, &path, &path, value)?;
                }
            } else {
                minted.clear();
            }
        }
        let fresh = running.number == RevisionNumber::new(0);
        let message = if fresh { "Factory defaults" } else { "Defaults of new endpoints" };
        let session = self.session_open("boxwood");
        *session.state.lock() = State::Open(Box::new(transaction));
        self.transaction_commit(&session, Some(message.to_owned())).map(drop)
    }
}
