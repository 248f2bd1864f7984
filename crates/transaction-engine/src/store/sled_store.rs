//! The store on sled 0.34.7: the one module that knows it, and what it does not do.
//!
//! Three things were measured (docs/adr/0002). sled's `flush` does not reach the medium on Linux,
//! so a `syncfs` of the file system follows it. Values beyond a few kilobytes go to files that it
//! never syncs, so no value is longer than 4 KiB. And a damaged store makes it panic as often as it
//! answers with an error, so every call is guarded, and a panic becomes a sentence.
//!
//! sled has a lock of its own, whose error cannot be distinguished from others; ours comes first and
//! covers the whole data directory.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use parking_lot::Mutex;

use super::folder::create_folder;
use super::layout::CHUNK_BYTES;
use super::sled_flush::{Flusher, flush};
use super::{Batch, Limits, Scan, Store, StoreError};
use crate::store::failpoint::{Point, reach, skips};

/// The folder of sled's files below the data directory.
const FOLDER: &str = "revisions.sled";

/// The file whose lock says that the data directory is in use.
const LOCK: &str = "lock";

/// A gibibyte: sled holds a batch in memory several times.
const BATCH_BYTES: u64 = 1 << 30;

/// What the name of a snapshot of sled's ends in until it is whole.
const UNFINISHED: &str = "generating";

const REMEDY: &str = "keep a copy of the data directory and restore it from a backup";

/// What the names of trees begin with, but for the first store's, which has sled's default tree.
const TREE_PREFIX: &str = "appliance/";

/// A store on sled. The first one has the data directory to itself; [`SledStore::sibling`] makes
/// others in the same database, which is closed with the last of them.
pub struct SledStore {
    // Goes before the database does.
    tree: sled::Tree,
    name: Option<String>,
    database: Arc<Database>,
}

/// One database of sled's for all stores of a data directory: one lock, one set of threads, one
/// watch over flushes.
struct Database {
    // `None` only while it is dropped. Goes before the lock does.
    db: Option<sled::Db>,
    // The same: it has sled's files open, too.
    flusher: Option<Flusher>,
    // A handle on the file system that holds everything.
    medium: File,
    path: PathBuf,
    // Set by a failed write or sync of any store: it is unknown what is on the disk then, and that
    // goes for all of them.
    failed: AtomicBool,
    siblings: Mutex<BTreeSet<String>>,
    _lock: File,
}

/// How often, and how far apart, a store that is just being closed is tried again: five seconds.
const OPEN_TRIES: usize = 500;
const OPEN_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// How much space a file system must have left for a store to be opened.
const OPEN_BYTES: u64 = 4 << 20;

impl SledStore {
    /// How much memory sled gets for its pages, unless somebody knows better. Its own choice, a
    /// gibibyte, is a lot for a log that is read once.
    pub const CACHE_BYTES: u64 = 64 << 20;

    /// Opens the store in a data directory, and makes both when they are not there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another store on the directory lives, here or in another
    /// process; [`StoreError::Damaged`] when sled cannot make sense of its files.
    pub fn open(data_dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        create_folder(data_dir)?;
        let lock = take_lock(data_dir)?;
        let folder = data_dir.join(FOLDER);
        let medium = File::open(data_dir)
            .map_err(StoreError::io(format!("open the data directory {}", data_dir.display())))?;
        expect_space(&medium)?;
        if !folder.exists() {
            reach(Point::StoreBegun);
            create_store(data_dir, &folder, &medium, cache_bytes)?;
        }
        remove_unfinished(&folder)?;
        expect_readable(&folder)?;
        let db = open_when_free(&folder, cache_bytes)?;
        let second = db.clone();
        // The flush that was slow gets the same answer.
        let flusher = Flusher::start(move || _ = guarded("flush the store", || flush(&second)));
        let flusher = flusher.map_err(StoreError::io("look after the store"))?;
        let tree = sled::Tree::clone(&db);
        let database = Database {
            db: Some(db),
            flusher: Some(flusher),
            medium,
            path: data_dir.to_owned(),
            failed: AtomicBool::new(false),
            siblings: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { tree, name: None, database: Arc::new(database) })
    }

    /// Another store in the same database, which is made when it is not there. Stores of one
    /// database know nothing of each other's keys, and share the medium: after a failed write or
    /// sync of one of them, none takes further writes.
    ///
    /// # Errors
    /// [`StoreError::Refused`] while a store of this name lives; the database cannot be read.
    pub fn sibling(&self, name: &str) -> Result<Self, StoreError> {
        let database = Arc::clone(&self.database);
        if !database.siblings.lock().insert(name.to_owned()) {
            return Err(StoreError::refused(format!("to open the store of {name} twice")));
        }
        let tree = guarded("open the store", || database.db()?.open_tree(tree_name(name)));
        let tree = tree.inspect_err(|_| _ = database.siblings.lock().remove(name))?;
        Ok(Self { tree, name: Some(name.to_owned()), database })
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.database.path
    }

    fn change(
        &self,
        work: impl FnOnce(&sled::Tree) -> Result<(), sled::Error>,
    ) -> Result<(), StoreError> {
        self.database.attempt(|| guarded("write to the store", || work(&self.tree)))
    }
}

fn tree_name(name: &str) -> String {
    format!("{TREE_PREFIX}{name}")
}

impl Database {
    fn db(&self) -> Result<&sled::Db, sled::Error> {
        // It is taken when the last store goes, and no call can come any more.
        self.db.as_ref().ok_or_else(|| sled::Error::Unsupported("the store is closed".into()))
    }

    /// Does what must not fail: the first that does is the last for all stores.
    fn attempt(&self, work: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        work().inspect_err(|_| self.failed.store(true, Ordering::Release))
    }

    fn sync(&self) -> Result<(), StoreError> {
        let flusher = self.flusher.as_ref().ok_or(StoreError::Poisoned)?;
        // Hands everything to the kernel, and on Linux no further.
        guarded("flush the store", || flusher.flush(self.db()?))?;
        reach(Point::StoreFlushed);
        if skips(Point::StoreFlushed) {
            return Ok(());
        }
        sync_medium(&self.medium, &self.path.join(FOLDER))
            .map_err(StoreError::io(format!("sync the data directory {}", self.path.display())))
    }
}

impl Store for SledStore {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check(self.limits())?;
        let mut changes = sled::Batch::default();
        for (key, value) in batch.into_operations() {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        self.change(|tree| tree.apply_batch(changes))
    }

    // sled begins a batch with a note of how long it is, in a write of its own that a flush waits
    // for in addition to that of the batch: as long as a small commit takes otherwise.
    fn write_in_order(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check(self.limits())?;
        self.change(|tree| {
            batch.into_operations().into_iter().try_for_each(|(key, value)| {
                match value {
                    Some(value) => tree.insert(key, value)?,
                    None => tree.remove(key)?,
                };
                Ok(())
            })
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.database.attempt(|| self.database.sync())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = guarded("read from the store", || self.tree.get(key))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8]) -> Scan<'_> {
        let mut entries = Some(self.tree.scan_prefix(prefix));
        Box::new(std::iter::from_fn(move || {
            let iter = entries.as_mut()?;
            match guarded("read from the store", || iter.next().transpose()) {
                Ok(Some((key, value))) => Some(Ok((key.to_vec(), value.to_vec()))),
                Ok(None) => None,
                Err(error) => {
                    // What comes after an error, or a panic, is anybody's guess.
                    entries = None;
                    Some(Err(error))
                }
            }
        }))
    }

    fn limits(&self) -> Limits {
        Limits { value_bytes: CHUNK_BYTES, batch_bytes: BATCH_BYTES }
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            self.database.siblings.lock().remove(name);
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.flusher.take());
        // What was acknowledged is on the medium already, so there is nothing to report.
        _ = self.db.take().map(close);
    }
}

/// Lets sled go, which flushes then, and may panic as at any other time. It may also wait forever,
/// but not when everything was flushed before, or something failed before.
fn close(db: sled::Db) -> Result<(), StoreError> {
    guarded("close the store", || {
        let flushed = flush(&db);
        drop(db);
        flushed
    })
}

fn take_lock(data_dir: &Path) -> Result<File, StoreError> {
    let path = data_dir.join(LOCK);
    let doing = || StoreError::io(format!("lock {}", path.display()));
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(doing())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(doing()(error)),
    }
}

/// Refuses to open a store on a full file system: sled writes while it opens, and what it cannot
/// write to its end it calls damage the next time (seen with a full tmpfs, not every time).
fn expect_space(medium: &File) -> Result<(), StoreError> {
    let doing = || StoreError::io("see how much space the store has");
    let system = rustix::fs::fstatvfs(medium).map_err(|error| doing()(error.into()))?;
    if system.f_bavail.saturating_mul(system.f_frsize) >= OPEN_BYTES {
        return Ok(());
    }
    let full = std::io::Error::from(rustix::io::Errno::NOSPC);
    let mebibytes = OPEN_BYTES >> 20;
    Err(StoreError::io(format!("open the store with less than {mebibytes} MiB of free space"))(
        full,
    ))
}

/// Makes a store under another name and renames it when it is whole: sled's first files are not written
/// atomically, and half of one would be refused forever.
fn create_store(
    data_dir: &Path,
    folder: &Path,
    medium: &File,
    cache_bytes: u64,
) -> Result<(), StoreError> {
    let doing = || StoreError::io(format!("make the store {}", folder.display()));
    let unfinished = data_dir.join(format!("{FOLDER}.new"));
    if unfinished.exists() {
        // Left by a first start that was killed; nothing was ever acknowledged from it.
        std::fs::remove_dir_all(&unfinished).map_err(doing())?;
    }
    create_folder(&unfinished)?;
    let db = open_sled(&unfinished, cache_bytes)?;
    reach(Point::StoreHalfMade);
    // sled panics where a sync fails while it goes.
    close(db)?;
    sync_medium(medium, &unfinished).map_err(doing())?;
    reach(Point::StoreMade);
    std::fs::rename(&unfinished, folder).map_err(doing())?;
    reach(Point::StoreMoved);
    medium.sync_all().map_err(doing())
}

/// Removes what an opening that was cut off had begun.
///
/// sled writes a snapshot of its page table under another name and renames it. Without this it would
/// take half of one for a whole one, and refuse the store forever. Nothing is lost with it: the
/// snapshot before goes only when the new one is in place.
fn remove_unfinished(folder: &Path) -> Result<(), StoreError> {
    let doing = || StoreError::io(format!("remove what is unfinished in {}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(doing())? {
        let path = entry.map_err(doing())?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            std::fs::remove_file(&path).map_err(doing())?;
        }
    }
    Ok(())
}

/// Reads all of sled's files before sled does.
///
/// What sled cannot read while it opens it takes for the torn end of its log, and *erases* what
/// comes behind: one read that fails, and commits are gone for good. So whatever cannot be read is
/// found here, where it costs a refusal; and what could be read here sled reads from the memory
/// of the kernel.
fn expect_readable(folder: &Path) -> Result<(), StoreError> {
    let doing = || StoreError::io(format!("read the store {}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(doing())? {
        let path = entry.map_err(doing())?.path();
        if path.is_file() {
            let mut file = File::open(&path).map_err(doing())?;
            std::io::copy(&mut file, &mut std::io::sink()).map_err(doing())?;
        }
    }
    Ok(())
}

/// Opens sled as soon as it lets itself in.
///
/// A store that was closed in this process a moment ago may still hold sled's own lock: sled gives
/// it back in the background, and says nothing when it has. No other process can hold it, since
/// ours keeps them out.
fn open_when_free(folder: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    for _ in 0..OPEN_TRIES {
        match open_sled(folder, cache_bytes) {
            Err(StoreError::Io { source, .. }) if is_held(&source) => wait_a_moment(),
            answer => return answer,
        }
    }
    open_sled(folder, cache_bytes)
}

fn is_held(error: &std::io::Error) -> bool {
    // sled wraps what the system said in a sentence of its own.
    error.to_string().contains("could not acquire lock")
}

#[expect(clippy::disallowed_methods, reason = "there is no condition to wait for: see above")]
fn wait_a_moment() {
    std::thread::sleep(OPEN_PAUSE);
}

/// Opens sled on a thread of its own: a damaged store may take the stack with it.
fn open_sled(folder: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let config = sled::Config::default()
        .path(folder)
        .cache_capacity(cache_bytes)
        // Its flusher syncs twice a second for nothing, and never tells when it fails.
        .flush_every_ms(None);
    let doing = "open the store";
    let thread = std::thread::Builder::new()
        .name("store-open".into())
        .spawn(move || guarded(doing, || config.open()))
        .map_err(StoreError::io(doing))?;
    thread.join().unwrap_or_else(|panic| Err(panicked(doing, &*panic)))
}

/// Puts everything that was handed to the kernel on the medium, whatever files it is in.
#[cfg(target_os = "linux")]
fn sync_medium(medium: &File, _folder: &Path) -> std::io::Result<()> {
    rustix::fs::syncfs(medium).map_err(Into::into)
}

/// The same where there is no such call: file by file.
#[cfg(not(target_os = "linux"))]
fn sync_medium(medium: &File, folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let file = File::open(&path)?;
        if path.is_dir() {
            sync_medium(&file, &path)?;
        } else {
            file.sync_all()?;
        }
    }
    medium.sync_all()
}

// ===== sled's errors and panics =====

/// Calls sled, and makes a sentence of whatever comes instead of an answer.
fn guarded<T>(doing: &str, work: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, StoreError> {
    let quiet = Quiet::begin();
    // Nothing of ours is left half done: all that `work` touches is sled's.
    let answer = catch_unwind(AssertUnwindSafe(work));
    drop(quiet);
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(translated(doing, error)),
        Err(panic) => Err(panicked(doing, &*panic)),
    }
}

fn translated(doing: &str, error: sled::Error) -> StoreError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    match error {
        // These are what sled says of files whose content makes no sense to it.
        sled::Error::Io(source)
            if !matches!(source.kind(), InvalidData | InvalidInput | NotFound | UnexpectedEof) =>
        {
            StoreError::Io { doing: doing.to_owned(), source }
        }
        other => StoreError::damaged(format!("could not {doing}: {other}"), REMEDY),
    }
}

fn panicked(doing: &str, panic: &(dyn Any + Send)) -> StoreError {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .and_then(|text| text.lines().next())
        .unwrap_or("no reason given");
    if let Some(source) = system_error(message) {
        return StoreError::Io { doing: doing.to_owned(), source };
    }
    StoreError::damaged(format!("could not {doing}: sled stopped with {message:?}"), REMEDY)
}

/// What the system said, if that is what sled stopped at: a full disk is not damage.
fn system_error(message: &str) -> Option<std::io::Error> {
    let (_, rest) = message.split_once("Os { code: ")?;
    let (code, _) = rest.split_once(',')?;
    code.parse().ok().map(std::io::Error::from_raw_os_error)
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics of this thread off standard error while it lives: they come back as errors.
struct Quiet {
    before: bool,
}

impl Quiet {
    fn begin() -> Self {
        static HOOK: Once = Once::new();
        // Adds to the hook that is there, once and for all; other panics are shown as ever.
        HOOK.call_once(|| {
            let shown = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if !QUIET.get() {
                    shown(info);
                }
            }));
        });
        Self { before: QUIET.replace(true) }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(work: impl FnOnce() -> Result<(), sled::Error>) -> String {
        guarded("try it", work).unwrap_err().to_string()
    }

    #[test]
    fn a_panic_of_sled_is_an_error_with_its_first_line() {
        let text = sentence(|| panic!("tried to serialize {}\nand more", 1));
        assert!(text.contains(r#"could not try it: sled stopped with "tried to serialize 1""#));
        assert!(sentence(|| panic!("plain")).contains("plain"));
        assert!(sentence(|| std::panic::panic_any(7)).contains("no reason given"));
        assert!(!QUIET.get(), "later panics are shown again");
    }

    #[test]
    fn a_failed_sync_is_the_last_for_all_stores_of_a_database() {
        let dir = tempfile::tempdir().unwrap();
        let first = SledStore::open(dir.path(), 1 << 20).unwrap();
        let second = first.sibling("second").unwrap();
        let batch = || {
            let mut batch = Batch::default();
            batch.put("key", "value");
            batch
        };
        second.write(batch()).unwrap();
        second.sync().unwrap();
        let failing = || Err(StoreError::Poisoned);
        first.database.attempt(failing).unwrap_err();
        for store in [&first, &second] {
            assert!(matches!(store.write(batch()), Err(StoreError::Poisoned)));
            assert!(matches!(store.write_in_order(batch()), Err(StoreError::Poisoned)));
            assert!(matches!(store.sync(), Err(StoreError::Poisoned)));
        }
        assert_eq!(second.get(b"key").unwrap().unwrap(), b"value", "reads go on");
    }

    #[test]
    fn a_panic_over_an_error_of_the_system_is_one() {
        let full = || std::io::Error::from(rustix::io::Errno::NOSPC);
        let error = guarded("try it", || -> Result<(), _> { panic!("on an Err: {:?}", full()) });
        match error {
            Err(StoreError::Io { source, .. }) => {
                assert_eq!(source.to_string(), full().to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_of_the_system_are_told_from_damage() {
        use std::io::{Error, ErrorKind};
        let of = |kind| guarded("try it", || Err::<(), _>(Error::from(kind).into())).unwrap_err();
        for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other] {
            assert!(matches!(of(kind), StoreError::Io { .. }), "{kind}");
        }
        for kind in [ErrorKind::UnexpectedEof, ErrorKind::InvalidData, ErrorKind::NotFound] {
            assert!(matches!(of(kind), StoreError::Damaged { .. }), "{kind}");
        }
        assert!(sentence(|| Err(sled::Error::Unsupported("odd".into()))).contains("odd"));
    }
}
