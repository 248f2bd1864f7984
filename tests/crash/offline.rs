//! A data directory looked at without a daemon: opened as the daemon opens it, and checked from end
//! to end.

use std::path::Path;

use catalog::Catalog;
use config_tree::NodePath;
use transaction_engine::secrets::Sealer;
use transaction_engine::store::{
    Batch, CheckpointDir, Limits, RevisionLog, Scan, SledStore, Store, StoreError,
};

use support::wait_for_value;

use crate::script::{Ledger, State, commit_of};

/// Sled, but for the sync of the whole file system: the images of these tests need no power cut to
/// survive, and there are many of them.
struct Hasty(SledStore);

impl Store for Hasty {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.write(batch)
    }

    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.write_in_order(batch)
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8]) -> Scan<'_> {
        self.0.scan(prefix)
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }
}

/// What is in a data directory, all of it checked; nothing when it has no revision.
///
/// # Errors
///
/// The store's own, with its causes, when it does not open or is not in order.
///
/// # Panics
///
/// When it is in order, and is not what was committed.
pub(crate) fn look(
    data: &Path,
    catalog: &Catalog,
    ledger: &Ledger,
) -> Result<Option<State>, String> {
    // A child that another test starts has our files open, and locked, until it runs its program.
    let opened = wait_for_value("the lock that a child of ours holds", || {
        Some(open(data, catalog)).filter(|opened| !matches!(opened, Err(StoreError::InUse { .. })))
    });
    let opened = opened.map_err(|error| with_causes(&error))?;
    let Some((log, recovered)) = opened else { return Ok(None) };
    log.verify().map_err(|error| with_causes(&error))?;
    let revision = recovered.number.get();
    if revision == 0 {
        return Ok(None);
    }
    if let Some(digest) = ledger.digests.get(&revision) {
        assert_eq!(recovered.tree.digest().to_string(), *digest, "of revision {revision}");
    }
    let body = |name: &str| {
        let path = NodePath::parse(&format!("/management/{name}")).expect("a path");
        recovered.tree.body(&path).unwrap_or_else(|| panic!("there is no {path}")).value()
    };
    let commit = commit_of(body, &ledger.sizes);
    let tagged = log.tag("kept").map(|tag| tag.number.get());
    Ok(Some(State { revision, commit, tagged, awaits: log.awaiting().is_some() }))
}

type Opened = (RevisionLog, transaction_engine::store::Recovered);

fn open(data: &Path, catalog: &Catalog) -> Result<Option<Opened>, StoreError> {
    if !data.join("lock").exists() {
        return Ok(None);
    }
    let store = Hasty(SledStore::open(data, SledStore::CACHE_BYTES)?);
    let checkpoints = CheckpointDir::open(data.join("checkpoints"))?;
    RevisionLog::open(Box::new(store), Some(checkpoints), catalog.skeleton()).map(Some)
}

/// Whether the key and the password's hash are whole where they are there. Where anything was
/// committed the key has to be: without it no secret could be opened.
///
/// # Errors
///
/// What is wrong with them.
pub(crate) fn look_at_private_files(data: &Path, is_used: bool) -> Result<(), String> {
    let (key, check) = (data.join("secret.key"), data.join("secret.check"));
    if key.exists() {
        let sealer = Sealer::from_file(&key, &check).map_err(|error| error.to_string())?;
        if check.exists() {
            sealer.keep_check(&check).map_err(|error| error.to_string())?;
        }
    } else if is_used || check.exists() {
        return Err("there is no key".to_owned());
    }
    match std::fs::read_to_string(data.join("administrator.hash")) {
        Ok(hash) if !(hash.starts_with("$argon2id$") && hash.ends_with('\n')) => {
            Err(format!("half a hash: {hash:?}"))
        }
        _ => Ok(()),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}
