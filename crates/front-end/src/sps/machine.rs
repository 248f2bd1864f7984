//! What the appliance is apart from its configuration: its firmware, its place in a cluster, whether
//! it was set up.
//!
//! None of it belongs to a revision, so none of it is undone with one. It is kept as one small file
//! in the appliance's folder, written whole; without a folder it lasts as long as the process.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use transaction_engine::store::private_file;

use super::slots::Slots;
use crate::failure::Failure;

/// The folder below the appliance's own.
const FOLDER: &str = "sps";

/// The file's name in it.
const FILE: &str = "machine.json";

/// Everything that is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The firmware slots.
    pub(super) slots: Slots,
    /// The nodes of the cluster by their names; empty where the appliance is in none.
    pub(super) nodes: BTreeMap<String, Node>,
    /// The appliance for passwords that this one has joined.
    pub(super) spp: Option<String>,
    /// By what the vendor's cloud knows the appliance.
    pub(super) instance: Option<String>,
    /// Whether the Welcome Wizard was completed here.
    pub(super) set_up: bool,
    /// The hash of the administrator's password that the wizard was given.
    pub(super) administrator_hash: Option<String>,
}

/// A node of the cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Node {
    /// Where it listens.
    pub(super) address: String,
    /// What it does in the cluster.
    pub(super) roles: Vec<String>,
}

/// The state, and where it is kept.
pub(super) struct Machine {
    folder: Option<PathBuf>,
    state: Mutex<State>,
}

impl Machine {
    /// Reads what is kept in the appliance's folder. What cannot be read is left where it is and
    /// reported; the appliance starts as a new one then.
    pub(super) fn open(appliance: Option<&Path>) -> Self {
        let folder = appliance.map(|appliance| appliance.join(FOLDER));
        let state = folder.as_deref().map_or_else(State::default, |folder| {
            read(&folder.join(FILE)).unwrap_or_else(|error| {
                let folder = folder.display();
                tracing::error!(%folder, %error, "the state of the machine cannot be read");
                State::default()
            })
        });
        Self { folder, state: Mutex::new(state) }
    }

    /// The state as it is now.
    pub(super) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// The folder for files of its own, made where it is missing; `None` where nothing is kept.
    pub(super) fn folder(&self) -> io::Result<Option<&Path>> {
        let Some(folder) = self.folder.as_deref() else { return Ok(None) };
        std::fs::create_dir_all(folder)?;
        Ok(Some(folder))
    }

    /// Changes the state and keeps it; nothing has changed when either fails. On a thread that may
    /// wait for the disk.
    pub(super) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut State) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let machine = Arc::clone(self);
        let changed = tokio::task::spawn_blocking(move || machine.change_now(change)).await;
        changed.map_err(|_| Failure::Internal)?
    }

    fn change_now<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut state = self.state.lock();
        let mut next = state.clone();
        let outcome = change(&mut next)?;
        self.keep(&next).map_err(|error| {
            tracing::error!(%error, "the state of the machine cannot be kept");
            Failure::Internal
        })?;
        *state = next;
        Ok(outcome)
    }

    fn keep(&self, state: &State) -> io::Result<()> {
        let Some(folder) = self.folder()? else { return Ok(()) };
        private_file::write(&folder.join(FILE), &serde_json::to_vec(state)?)
    }
}

fn read(file: &Path) -> io::Result<State> {
    match std::fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_changed_is_there_again_and_what_was_refused_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Arc::new(Machine::open(Some(folder.path())));
        let changed = machine.change(|state| {
            state.spp = Some("spp.example.com".to_owned());
            Ok(7)
        });
        assert_eq!(changed.await.unwrap(), 7);
        let refused = machine.change(|state| {
            state.spp = None;
            Err::<(), _>(Failure::inconsistent("no"))
        });
        assert!(refused.await.is_err());
        let again = Machine::open(Some(folder.path()));
        assert_eq!(again.state().spp.as_deref(), Some("spp.example.com"));
    }

    #[test]
    fn a_damaged_file_is_a_new_appliance() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
        std::fs::write(folder.path().join(FOLDER).join(FILE), "{").unwrap();
        assert!(!Machine::open(Some(folder.path())).state().set_up);
    }
}
