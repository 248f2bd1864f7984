//! Secrets at rest: sealed the moment they are staged, opened only where one is used.
//!
//! AES-256-GCM-SIV, because a repeated nonce (a restored machine snapshot) then costs next to
//! nothing. The node's path and the place in its body are authenticated along with the text, so a
//! sealed secret cannot be moved to another node. The envelope is a string, so a sealed body is
//! still a JSON body: `v1:<key id>:<nonce>:<ciphertext>`, binary parts in lower-case hexadecimal.
//!
//! That is the envelope of the first appliance of a data directory. The others of it share the key,
//! and may have equal paths: their name is authenticated as well, and their envelope begins with
//! `v2`. Neither kind opens in the place of the other.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use catalog::SecretReader;
use config_tree::NodePath;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::store::private_file;

/// Of the first appliance of a data directory.
const UNBOUND_VERSION: &str = "v1";
/// Of an appliance that is authenticated by its name.
const BOUND_VERSION: &str = "v2";
const NONCE_BYTES: usize = 12;
/// What is sealed to recognise a key by, and its place, which does not exist in a tree.
const CHECK: &str = "key-check";

/// Seals and opens secrets with one key.
pub struct Sealer {
    cipher: Aes256GcmSiv,
    // The first digits of the key's hash: tells a wrong key from damage.
    key_id: String,
    token_key: Zeroizing<[u8; 32]>,
    // `None` for the first appliance of a data directory.
    appliance: Option<String>,
}

/// Why there is no usable key. The key itself is never shown.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or made.
    #[error("cannot use the secret key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("the secret key file {path} has mode {mode:04o}; others may read it: chmod 600 it")]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not 64 hexadecimal digits.
    #[error("a secret key is 64 hexadecimal digits (32 bytes); {0} is not")]
    Form(String),
    /// The file is gone, and something was sealed with its key.
    #[error(
        "the secret key file {path} is missing, and the secrets here were sealed with its key: \
         put it back, or give the key as BOXWOOD_SECRET_KEY"
    )]
    Lost {
        /// Which file.
        path: PathBuf,
    },
    /// It is not the key with which the secrets here were sealed.
    #[error(
        "this secret key is not the one that sealed the secrets here, or {check} is damaged: give \
         the former key, or restore that file from a backup"
    )]
    Other {
        /// What the former key sealed.
        check: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a new secret key")]
    Random,
}

impl Sealer {
    /// Uses a key of 32 bytes, written as 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::Form`], naming `origin`.
    pub fn from_hex(text: &str, origin: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form(origin.to_owned());
        let bytes = Zeroizing::new(unhex(text.trim()).ok_or_else(form)?);
        let key: Zeroizing<[u8; 32]> =
            Zeroizing::new(bytes.as_slice().try_into().map_err(|_| form())?);
        Ok(Self::from_key(&key))
    }

    /// Uses the key in a file. Where there is no file it is made (mode 0600, synced), unless
    /// something was sealed before: see [`Sealer::keep_check`].
    ///
    /// # Errors
    /// The file must be readable by its owner alone and hold a key.
    pub fn from_file(path: &Path, check: &Path) -> Result<Self, KeyError> {
        let file_error = |source| KeyError::File { path: path.to_owned(), source };
        if !path.exists() {
            if check.exists() {
                return Err(KeyError::Lost { path: path.to_owned() });
            }
            let mut key = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *key).map_err(|_| KeyError::Random)?;
            let text = Zeroizing::new(hex(&*key) + "\n");
            private_file::write(path, text.as_bytes()).map_err(file_error)?;
        }
        let mut file = File::open(path).map_err(file_error)?;
        let mode = file.metadata().map_err(file_error)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Mode { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(file_error)?;
        Self::from_hex(&text, &path.display().to_string())
    }

    /// Compares this key with the one that was used here before, by something that one sealed; at
    /// the first time, seals it. With another key every secret would silently be unreadable.
    ///
    /// # Errors
    /// [`KeyError::Other`] for another key.
    pub fn keep_check(&self, check: &Path) -> Result<(), KeyError> {
        let file_error = |source| KeyError::File { path: check.to_owned(), source };
        let root = NodePath::root();
        if !check.exists() {
            let sealed = self.seal(&root, CHECK, CHECK).ok_or(KeyError::Random)?;
            return private_file::write(check, (sealed + "\n").as_bytes()).map_err(file_error);
        }
        let sealed = std::fs::read(check).map_err(file_error)?;
        match self.open(&root, CHECK, String::from_utf8_lossy(&sealed).trim()) {
            Some(_) => Ok(()),
            None => Err(KeyError::Other { check: check.to_owned() }),
        }
    }

    /// Uses a key of 32 bytes.
    #[must_use]
    pub fn from_key(key: &[u8; 32]) -> Self {
        let key_id = blake3::derive_key("boxwood 2026 secret key id", key);
        let token_key = Zeroizing::new(blake3::derive_key("boxwood 2026 confirmation tokens", key));
        let cipher = Aes256GcmSiv::new(&(*key).into());
        Self { cipher, key_id: hex(&key_id[..4]), token_key, appliance: None }
    }

    /// The same key for another appliance than the first of a data directory. What one appliance
    /// sealed does not open in another, also at the same place. The name must stay the same as long
    /// as there are secrets: take that of the appliance's folder, not that of its version.
    #[must_use]
    pub fn for_appliance(&self, name: &str) -> Self {
        Self {
            cipher: self.cipher.clone(),
            key_id: self.key_id.clone(),
            token_key: self.token_key.clone(),
            appliance: Some(name.to_owned()),
        }
    }

    fn version(&self) -> &'static str {
        if self.appliance.is_some() { BOUND_VERSION } else { UNBOUND_VERSION }
    }

    // What is authenticated along with a secret. The length keeps name and path apart.
    fn place(&self, path: &NodePath, pointer: &str) -> String {
        match &self.appliance {
            Some(name) => format!("{}:{name}{path}#{pointer}", name.len()),
            None => format!("{path}#{pointer}"),
        }
    }

    /// A token for a commit: it cannot be guessed without the key, and need not be stored to be
    /// given again.
    pub(crate) fn token(&self, commit_id: Uuid) -> Zeroizing<String> {
        let hash = blake3::keyed_hash(&self.token_key, commit_id.as_bytes());
        Zeroizing::new(hex(&hash.as_bytes()[..20]))
    }

    /// Seals a secret for one place in one node; `None` when the system gives no random bytes.
    #[must_use]
    pub fn seal(&self, path: &NodePath, pointer: &str, secret: &str) -> Option<String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let place = self.place(path, pointer);
        let payload = Payload { msg: secret.as_bytes(), aad: place.as_bytes() };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).ok()?;
        Some(format!("{}:{}:{}:{}", self.version(), self.key_id, hex(&nonce), hex(&sealed)))
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    #[must_use]
    pub fn open(&self, path: &NodePath, pointer: &str, sealed: &str) -> Option<Zeroizing<String>> {
        let mut parts = sealed.split(':');
        let (version, key_id) = (parts.next()?, parts.next()?);
        let (nonce, sealed) = (unhex(parts.next()?)?, unhex(parts.next()?)?);
        if version != self.version() || key_id != self.key_id || parts.next().is_some() {
            return None;
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let place = self.place(path, pointer);
        let payload = Payload { msg: &sealed, aad: place.as_bytes() };
        let secret = self.cipher.decrypt(&Nonce::from(nonce), payload).ok()?;
        String::from_utf8(secret).ok().map(Zeroizing::new)
    }
}

impl SecretReader for Sealer {
    fn reveal(&self, path: &NodePath, pointer: &str, sealed: &str) -> Option<Zeroizing<String>> {
        self.open(path, pointer, sealed)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(key {})", self.key_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    #[test]
    fn a_secret_opens_only_where_it_was_sealed_and_with_its_key() {
        let sealer = Sealer::from_hex(&"ab".repeat(32), "test").unwrap();
        let sealed = sealer.seal(&path("/passwords/1"), "/plain", "hunter2").unwrap();
        assert!(!sealed.contains("hunter2"));
        let opened = sealer.open(&path("/passwords/1"), "/plain", &sealed).unwrap();
        assert_eq!(*opened, "hunter2");
        assert!(sealer.open(&path("/passwords/2"), "/plain", &sealed).is_none());
        assert!(sealer.open(&path("/passwords/1"), "/hash", &sealed).is_none());
        let other = Sealer::from_hex(&"cd".repeat(32), "test").unwrap();
        assert!(other.open(&path("/passwords/1"), "/plain", &sealed).is_none());
        for damaged in ["", "v1", "v1:::", "hunter2", &sealed[..sealed.len() - 2]] {
            assert!(sealer.open(&path("/passwords/1"), "/plain", damaged).is_none());
        }
        assert_ne!(sealer.seal(&path("/passwords/1"), "/plain", "hunter2").unwrap(), sealed);
    }

    #[test]
    fn a_secret_of_one_appliance_does_not_open_in_another_with_the_same_key() {
        let first = Sealer::from_key(&[7; 32]);
        let (one, other) = (first.for_appliance("one"), first.for_appliance("other"));
        let place = path("/accounts/1");
        for (sealer, strangers) in
            [(&first, [&one, &other]), (&one, [&first, &other]), (&other, [&first, &one])]
        {
            let sealed = sealer.seal(&place, "/secret", "hunter2").unwrap();
            assert_eq!(*sealer.open(&place, "/secret", &sealed).unwrap(), "hunter2");
            for stranger in strangers {
                assert!(stranger.open(&place, "/secret", &sealed).is_none());
                // Nor when the envelope is changed to look like the stranger's.
                let (_, rest) = sealed.split_once(':').unwrap();
                let forged = format!("{}:{rest}", stranger.version());
                assert!(stranger.open(&place, "/secret", &forged).is_none());
            }
        }
        assert_eq!(first.token(Uuid::nil()), one.token(Uuid::nil()));
    }

    #[test]
    fn what_the_first_version_sealed_still_opens() {
        let sealed =
            "v1:2dc7670f:cceba0c559a42c864933a830:36c714dc2ff650c262f84c3fd1b3c1e22c568c930d9287";
        let sealer = Sealer::from_key(&[7; 32]);
        let opened = sealer.open(&path("/passwords/1"), "/plain", sealed).unwrap();
        assert_eq!(*opened, "hunter2");
        assert!(
            sealer.for_appliance("one").open(&path("/passwords/1"), "/plain", sealed).is_none()
        );
    }

    #[test]
    fn the_key_file_is_made_once_and_must_be_private() {
        let folder = tempfile::tempdir().unwrap();
        let (file, check) = (folder.path().join("secret.key"), folder.path().join("secret.check"));
        let first = Sealer::from_file(&file, &check).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Sealer::from_file(&file, &check).unwrap().key_id, first.key_id);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let refused = Sealer::from_file(&file, &check).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&file, "tooshort").unwrap();
        let refused = Sealer::from_file(&file, &check).unwrap_err();
        assert!(!refused.to_string().contains("tooshort"), "{refused}");
    }

    #[test]
    fn another_key_than_before_is_noticed_and_a_lost_one_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, check) = (folder.path().join("secret.key"), folder.path().join("secret.check"));
        let sealer = Sealer::from_file(&file, &check).unwrap();
        sealer.keep_check(&check).unwrap();
        sealer.keep_check(&check).expect("the same key again");
        let other = Sealer::from_key(&[1; 32]).keep_check(&check);
        assert!(matches!(other, Err(KeyError::Other { .. })), "{other:?}");
        std::fs::remove_file(&file).unwrap();
        let lost = Sealer::from_file(&file, &check);
        assert!(matches!(lost, Err(KeyError::Lost { .. })), "{lost:?}");
        assert!(!file.exists());
    }
}
