//! The administrator's password: given, kept, or made up at the first start.
//!
//! Only its hash is kept, in a file of mode 0600 next to the store. A password that is given at a
//! start (`BOXWOOD_ADMIN_PASSWORD`) replaces the kept one, which is also how a forgotten one is
//! reset.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use front_end::password::{PasswordError, check_hash, hash_blocking};
use transaction_engine::private_file;
use zeroize::Zeroizing;

use crate::settings::Secret;

/// The name of the built-in administrator, as on the appliance.
pub const NAME: &str = "admin";

/// Characters of a made-up password; none that is easily taken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LENGTH: usize = 24;

/// Why there is no administrator.
#[derive(Debug, thiserror::Error)]
pub enum AdministratorError {
    /// The file could not be read or written.
    #[error("cannot use the administrator's password file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no hash, so no login would succeed.
    #[error(
        "the administrator's password file {path} is damaged; set a new password with BOXWOOD_ADMIN_PASSWORD: {source}"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: PasswordError,
    },
    /// The password could not be hashed.
    #[error("the administrator's password cannot be hashed: {0}")]
    Hash(#[from] PasswordError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a new password")]
    Random,
}

/// The hash, a PHC string, of the administrator's password: of the given one, of the one that the
/// file keeps, or of a generated one, which is handed to `show`.
///
/// # Errors
/// The file must be readable and writable.
pub fn keep(
    file: &Path,
    given: Option<&Secret>,
    show: impl FnOnce(&str),
) -> Result<String, AdministratorError> {
    let path = file.to_owned();
    let hash = match given {
        Some(given) => hash_blocking(given.expose())?,
        None => {
            if let Some(kept) = read(&path)? {
                check_hash(&kept).map_err(|source| AdministratorError::Damaged { path, source })?;
                return Ok(kept);
            }
            let password = make_up()?;
            let hash = hash_blocking(&password)?;
            // Before it counts: killed in between, the next start generates another one. The
            // other way round there would be one that no person has seen.
            show(&password);
            hash
        }
    };
    write(&path, &hash)?;
    Ok(hash)
}

fn read(path: &Path) -> Result<Option<String>, AdministratorError> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AdministratorError::File { path: path.to_owned(), source }),
    }
}

// Whole or not at all: with half a hash no login would succeed.
fn write(path: &Path, hash: &str) -> Result<(), AdministratorError> {
    let done = private_file::write(path, format!("{hash}\n").as_bytes());
    done.map_err(|source| AdministratorError::File { path: path.to_owned(), source })
}

fn make_up() -> Result<Zeroizing<String>, AdministratorError> {
    let mut bytes = Zeroizing::new([0_u8; LENGTH]);
    getrandom::fill(&mut *bytes).map_err(|_| AdministratorError::Random)?;
    // 32 characters: every byte chooses evenly.
    let characters = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(Zeroizing::new(characters.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_password_is_made_up_once_kept_privately_and_replaced_when_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("administrator.hash");
        let mut shown = Vec::new();
        let first = keep(&file, None, |password| {
            assert!(!file.exists(), "it is shown before it counts");
            shown.push(password.to_owned());
        });
        let first = first.unwrap();
        assert_eq!(shown[0].len(), LENGTH);
        let not_shown = |_: &str| panic!("nothing is generated any more");
        assert_eq!(keep(&file, None, not_shown).unwrap(), first);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let given = keep(&file, Some(&Secret::new("changed")), not_shown).unwrap();
        assert_ne!(given, first);
        assert_eq!(keep(&file, None, not_shown).unwrap(), given);
        assert!(!std::fs::read_to_string(file).unwrap().contains("changed"));
    }
}
