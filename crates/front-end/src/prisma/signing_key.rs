//! The key that signs tokens: RSA with 2048 bits, made when the first token is asked for, kept in
//! the appliance's folder so that tokens of before a restart go on.
//!
//! `rsa` makes the key and nothing else. `ring` signs and verifies, in constant time.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use rsa::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};
use transaction_engine::store::private_file;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The file's name in the appliance's folder.
const FILE: &str = "token-signing.key";

/// The size of a key in bits.
const BITS: usize = 2_048;

/// Where the key is, and the key once it is needed.
pub(super) struct KeyStore {
    file: Option<PathBuf>,
    key: OnceLock<Arc<SigningKey>>,
    // Held while a key is made, which takes a while.
    making: Mutex<()>,
}

impl KeyStore {
    /// A key in a folder; without one, a key for this process.
    pub(super) fn new(folder: Option<&Path>) -> Self {
        let file = folder.map(|folder| folder.join(FILE));
        Self { file, key: OnceLock::new(), making: Mutex::new(()) }
    }

    /// The key. The first call reads it or makes it, on a thread that may take its time.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Arc<SigningKey>, Failure> {
        if let Some(key) = self.key.get() {
            return Ok(Arc::clone(key));
        }
        let store = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || store.read_or_make()).await;
        made.ok().flatten().ok_or(Failure::Internal)
    }

    fn read_or_make(&self) -> Option<Arc<SigningKey>> {
        let _making = self.making.lock();
        if let Some(key) = self.key.get() {
            return Some(Arc::clone(key));
        }
        let key = Arc::new(SigningKey::from_pkcs8(&self.document()?)?);
        Some(Arc::clone(self.key.get_or_init(|| key)))
    }

    fn document(&self) -> Option<Zeroizing<Vec<u8>>> {
        let Some(file) = &self.file else { return new_key() };
        match std::fs::read(file) {
            Ok(kept) => Some(Zeroizing::new(kept)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = new_key()?;
                let written = private_file::write(file, &made);
                let report = |error: &std::io::Error| {
                    tracing::error!(file = %file.display(), %error, "the key that signs tokens cannot be kept");
                };
                written.inspect_err(report).ok()?;
                Some(made)
            }
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "the key that signs tokens cannot be read");
                None
            }
        }
    }
}

fn new_key() -> Option<Zeroizing<Vec<u8>>> {
    let key = rsa::PrivateKey::new(&mut rsa::rand_core::UnwrapErr(getrandom::SysRng), BITS).ok()?;
    let document = key.to_pkcs8_der().ok()?;
    Some(Zeroizing::new(document.as_bytes().to_vec()))
}

/// A key that signs tokens.
pub(super) struct SigningKey {
    pair: RsaKeyPair,
    id: String,
}

impl SigningKey {
    fn from_pkcs8(document: &[u8]) -> Option<Self> {
        let pair = RsaKeyPair::from_pkcs8(document);
        let report = |_: &_| tracing::error!("the file of the key that signs tokens is damaged");
        let pair = pair.inspect_err(report).ok()?;
        let hash = blake3::hash(pair.public_key().as_ref()).to_hex();
        Some(Self { pair, id: hash[..16].to_owned() })
    }

    /// The name of the key, for the head of a token.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Signs a text by RS256.
    pub(super) fn sign(&self, text: &str) -> Option<Vec<u8>> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).ok()?;
        Some(signature)
    }

    /// Whether a signature of a text is this key's.
    pub(super) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key());
        key.verify(text.as_bytes(), signature).is_ok()
    }

    /// The public half as a key set (RFC 7517).
    pub(super) fn key_set(&self) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair.public_key());
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(&public.n),
            "e": URL_SAFE_NO_PAD.encode(&public.e),
        }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_kept_for_its_owner_and_signs_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = KeyStore::new(Some(folder.path())).read_or_make().unwrap();
        let signature = first.sign("text").unwrap();
        let mode = folder.path().join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = KeyStore::new(Some(folder.path())).read_or_make().unwrap();
        assert_eq!(first.key_set(), second.key_set());
        assert!(second.has_signed("text", &signature));
        assert!(!second.has_signed("texts", &signature));
        std::fs::write(folder.path().join(FILE), "damaged").unwrap();
        assert!(KeyStore::new(Some(folder.path())).read_or_make().is_none());
    }
}
