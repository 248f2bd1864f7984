//! A certificate of the daemon's own, for appliances whose configuration holds none.
//!
//! It is made at the first start and kept beside the store, so that clients who came to trust it
//! need not do so anew at every start.

use std::fs::{DirBuilder, File, OpenOptions, rename};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use front_end::transport::{CertificateSlot, TlsError, self_signed};
use transaction_engine::Timestamp;
use zeroize::Zeroizing;

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
    #[error("the TLS certificate in {} cannot be used: {source}", folder.display())]
    Unusable {
        /// Where it is kept.
        folder: PathBuf,
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
    let key = Zeroizing::new(read(private_key)?);
    CertificateSlot::new(&read(certificate)?, &key).map_err(|source| CertificateError::Unusable {
        folder: certificate.parent().unwrap_or(Path::new(".")).to_owned(),
        source,
    })
}

/// Shows the pair that is kept in the data directory; one for `hosts` is made where there is none.
///
/// # Errors
/// The files must be readable, or the directory writable.
pub fn keep(
    data_dir: &Path,
    hosts: &[String],
    now: Timestamp,
    slot: &CertificateSlot,
) -> Result<(), CertificateError> {
    let folder = data_dir.join(FOLDER);
    let (certificate, private_key) = (folder.join(CERTIFICATE), folder.join(PRIVATE_KEY));
    let unusable = |source| CertificateError::Unusable { folder: folder.clone(), source };
    // Both or neither: a start that was cut off between the two is repeated.
    if !(certificate.exists() && private_key.exists()) {
        make_folder(&folder)?;
        let made = self_signed(hosts, now.as_micros().div_euclid(1_000_000)).map_err(unusable)?;
        write(&private_key, made.private_key_pem.as_bytes(), 0o600)?;
        write(&certificate, made.certificate_pem.as_bytes(), 0o644)?;
        tracing::info!(folder = %folder.display(), "a TLS certificate was made");
    }
    let key = Zeroizing::new(read(&private_key)?);
    slot.set(&read(&certificate)?, &key).map_err(unusable)
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

// Beside and renamed: under its name a file is whole.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), CertificateError> {
    let beside = path.with_extension("new");
    let done = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| rename(&beside, path))
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
            keep(data.path(), &["box.example".to_owned()], now, &slot).unwrap();
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
}
