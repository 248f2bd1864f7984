//! Certificates in files: one of the daemon's own, for appliances whose configuration holds none,
//! and one that the settings name.
//!
//! The own one is made at the first start and kept next to the store, so that clients who came to
//! trust it go on trusting it after a restart; before it expires, another one takes its place. Files
//! that the settings name are read again when they change. Open connections keep what they have.

use std::fs::{DirBuilder, File, OpenOptions, rename};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use front_end::Appliance;
use front_end::transport::{CertificateSlot, TlsError, Validity, self_signed};
use parking_lot::Mutex;
use transaction_engine::Timestamp;
use transaction_engine::clock::{Clock, SystemClock};
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(86_400);

/// Below the data directory.
const FOLDER: &str = "tls";
const CERTIFICATE: &str = "certificate.pem";
const PRIVATE_KEY: &str = "private_key.pem";

/// Why a certificate cannot be kept, made or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file could not be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The pair cannot be served, or none could be made.
    #[error("the TLS certificate {} cannot be used: {source}", path.display())]
    Unusable {
        /// The file, or the folder of both.
        path: PathBuf,
        /// Why not.
        source: TlsError,
    },
}

/// Shows the pair of PEM files.
///
/// # Errors
/// The files must be readable and belong together.
pub fn from_files(
    certificate: &Path,
    private_key: &Path,
) -> Result<CertificateSlot, CertificateError> {
    let slot = CertificateSlot::default();
    read_into(certificate, private_key, &slot)?;
    Ok(slot)
}

fn read_into(
    certificate: &Path,
    private_key: &Path,
    slot: &CertificateSlot,
) -> Result<(), CertificateError> {
    let key = Zeroizing::new(read(private_key)?);
    let unusable = |source| CertificateError::Unusable { path: certificate.to_owned(), source };
    slot.set(&read(certificate)?, &key).map_err(unusable)
}

/// Shows the pair that is kept in the data directory; one for `hosts` is made where there is none,
/// or where the one there ends soon or lacks one of `names`.
///
/// # Errors
/// The files must be readable, or the directory writable.
pub fn keep(
    data_dir: &Path,
    hosts: &[String],
    names: &[String],
    now: Timestamp,
    slot: &CertificateSlot,
) -> Result<(), CertificateError> {
    let folder = data_dir.join(FOLDER);
    let (certificate, private_key) = (folder.join(CERTIFICATE), folder.join(PRIVATE_KEY));
    let unusable = |source| CertificateError::Unusable { path: folder.clone(), source };
    // Both or neither: a start that was cut off between the two is repeated.
    let is_there = certificate.exists() && private_key.exists();
    if is_there {
        read_into(&certificate, &private_key, slot)?;
    }
    if !is_there || slot.facts().is_some_and(|facts| facts.is_due(names, now)) {
        make_folder(&folder)?;
        let made = self_signed(hosts, now.as_micros().div_euclid(1_000_000)).map_err(unusable)?;
        write(&private_key, made.private_key_pem.as_bytes(), 0o600)?;
        write(&certificate, made.certificate_pem.as_bytes(), 0o644)?;
        tracing::info!(folder = %folder.display(), "a TLS certificate was made");
        read_into(&certificate, &private_key, slot)?;
    }
    Ok(())
}

/// Where the certificate of an appliance comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Files that the settings name: the certificate and its key.
    Files(PathBuf, PathBuf),
    /// The daemon's own, in this data directory.
    Own(PathBuf),
    /// The configuration.
    Configuration,
}

/// Keeps the certificate of one appliance good for as long as the daemon runs.
pub struct Keeper {
    appliance: Arc<Appliance>,
    source: Source,
    hosts: Vec<String>,
    names: Vec<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the files were when they were read last.
    read: Option<[Stamp; 2]>,
    /// When the certificate's end was reported last.
    reported: Option<Timestamp>,
    /// Whether a renewal failed since then.
    failed: bool,
}

/// Changes when a file is written or another takes its place.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Keeper {
    /// The time between two looks.
    pub const PAUSE: Duration = Duration::from_secs(2);

    /// Keeps the certificate of an appliance, which is for `hosts` and must be for `names`.
    #[must_use]
    pub fn new(
        appliance: Arc<Appliance>,
        source: Source,
        hosts: Vec<String>,
        names: Vec<String>,
    ) -> Self {
        let state = State { read: source.stamps(), ..State::default() };
        Self { appliance, source, hosts, names, state: Mutex::new(state) }
    }

    /// Reads files that have changed, or in any case; renews what ends soon; reports what ends. For
    /// a thread that may wait.
    pub fn look(&self, in_any_case: bool) {
        let (slot, now) = (self.appliance.certificate(), SystemClock.now());
        let mut state = self.state.lock();
        let renewed = match &self.source {
            Source::Files(certificate, private_key) => {
                let stamps = self.source.stamps();
                let is_changed = in_any_case || state.read != stamps;
                state.read = stamps;
                is_changed
                    .then(|| read_into(certificate, private_key, slot).map_err(|e| e.to_string()))
            }
            Source::Own(data_dir) => {
                let is_due = slot.facts().is_some_and(|facts| facts.is_due(&self.names, now));
                let keep = || keep(data_dir, &self.hosts, &self.names, now, slot);
                is_due.then(|| keep().map_err(|error| error.to_string()))
            }
            Source::Configuration => {
                match self.appliance.renew_certificate(&self.hosts, &self.names) {
                    Ok(false) => None,
                    Ok(true) => Some(Ok(())),
                    Err(error) => Some(Err(error)),
                }
            }
        };
        let appliance = self.appliance.name();
        match renewed {
            Some(Ok(())) => tracing::info!(appliance, "another TLS certificate is shown"),
            Some(Err(error)) if !state.failed || matches!(self.source, Source::Files(..)) => {
                state.failed = true;
                tracing::warn!(appliance, error, "the TLS certificate stays the one before");
            }
            Some(Err(_)) | None => {}
        }
        state.report(appliance, slot, now);
    }
}

impl State {
    // Once a day.
    fn report(&mut self, appliance: &str, slot: &CertificateSlot, now: Timestamp) {
        let Some(facts) = slot.facts() else { return };
        let validity = facts.validity(now);
        if validity == Validity::Good {
            self.reported = None;
            return;
        }
        if self.reported.is_some_and(|then| now.since(then) < DAY) {
            return;
        }
        (self.reported, self.failed) = (Some(now), false);
        let (state, expires) = (validity.text(), facts.expires.to_string());
        tracing::warn!(appliance, state, expires, "the TLS certificate must be replaced");
    }
}

impl Source {
    fn stamps(&self) -> Option<[Stamp; 2]> {
        let stamp = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        };
        match self {
            Self::Files(certificate, key) => Some([stamp(certificate), stamp(key)]),
            Self::Own(_) | Self::Configuration => None,
        }
    }
}

fn read(path: &Path) -> Result<String, CertificateError> {
    std::fs::read_to_string(path)
        .map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

fn make_folder(path: &Path) -> Result<(), CertificateError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(CertificateError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

// Under another name, and renamed: under its name a file is whole.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), CertificateError> {
    let unfinished = path.with_extension("new");
    let done = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&unfinished)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| rename(&unfinished, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    done.map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_pair_is_made_once_with_a_private_key_and_made_again_when_half_is_lost() {
        let data = tempfile::tempdir().unwrap();
        let keep = || {
            let slot = CertificateSlot::default();
            let now = Timestamp::from_micros(1_795_000_000_000_000);
            keep(data.path(), &["box.example".to_owned()], &[], now, &slot).unwrap();
            assert!(slot.is_filled());
            std::fs::read_to_string(data.path().join("tls/certificate.pem")).unwrap()
        };
        let first = keep();
        assert_eq!(keep(), first);
        let key = data.path().join("tls/private_key.pem");
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&key).unwrap();
        assert_ne!(keep(), first);
    }

    #[test]
    fn one_that_ends_soon_or_lacks_a_name_gives_way_to_another() {
        let data = tempfile::tempdir().unwrap();
        let keep = |day: i64, name: &str| {
            let slot = CertificateSlot::default();
            let now = Timestamp::from_micros((1_795_000_000 + day * 86_400) * 1_000_000);
            let names = [name.to_owned()];
            keep(data.path(), &names, &names, now, &slot).unwrap();
            slot.certificate().unwrap()
        };
        let first = keep(0, "box.example");
        assert_eq!(keep(700, "box.example"), first);
        let second = keep(800, "box.example");
        assert_ne!(second, first);
        assert_ne!(keep(800, "other.example"), second);
    }
}
