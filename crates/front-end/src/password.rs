//! Hashing and checking passwords without hurting anybody else.
//!
//! One argon2id hash takes 30 ms of a core and 19 MiB. So hashes run on tokio's blocking threads, two
//! at a time, and a bounded number wait in a fair queue: a flood of logins makes its own logins fail
//! quickly and leaves the rest of the daemon, and those who were right before, alone. A hash that has
//! begun holds its turn until it is done, even if the client has gone, because the thread cannot be
//! stopped.
//!
//! A name that does not exist is checked against a hash that nothing matches, made with the same
//! parameters, so that the time of the answer does not tell which names exist.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::password_hash::{self, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use zeroize::Zeroizing;

use crate::fair_queue::{FairQueue, Full, Lane};

/// Hashes at once.
const WORKERS: usize = 2;

/// Hashes of strangers that may wait for a worker.
const WAITING: usize = 64;

/// Hashes of those who were right before that may wait for a worker.
const KNOWN_WAITING: usize = 32;

/// Where those wait who set a password: they have logged in.
const SETTING: Lane = Lane { id: [0; 32], known: true };

/// Length of a hash, in bytes.
const OUTPUT_BYTES: usize = Params::DEFAULT_OUTPUT_LEN;

/// Hashes and checks passwords. Clones share the same workers.
#[derive(Clone)]
pub struct PasswordHasher {
    queue: FairQueue,
    /// What the password of an unknown user is compared with.
    unknown: Arc<str>,
}

/// Why a password was neither accepted nor refused.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many are waiting.
    #[error("too many passwords are being checked at the moment: try again in a few seconds")]
    Busy,
    /// The stored hash is not one of ours.
    #[error("the stored password hash cannot be read")]
    UnreadableHash(#[source] password_hash::phc::Error),
    /// Hashing failed.
    #[error("the password cannot be hashed")]
    Failed(#[source] password_hash::Error),
    /// The system gave no random salt.
    #[error("there is no random salt for the password hash")]
    NoRandomness(#[source] getrandom::Error),
    /// The hashing thread died.
    #[error("the password check was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl PasswordHasher {
    /// Workers for the whole process.
    pub fn new() -> Result<Self, PasswordError> {
        Ok(Self {
            queue: FairQueue::new(WORKERS, KNOWN_WAITING, WAITING),
            unknown: matching_nothing()?.into(),
        })
    }

    /// The hash of a password, as a PHC string.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<String, PasswordError> {
        self.run(SETTING, move || hash_blocking(&password)).await
    }

    /// Whether the password fits the hash. `None` stands for an unknown user: never fits, and takes
    /// the same time to say so. Those in one lane wait for each other.
    pub(crate) async fn verify(
        &self,
        lane: Lane,
        phc: Option<String>,
        password: Zeroizing<String>,
    ) -> Result<bool, PasswordError> {
        let unknown = Arc::clone(&self.unknown);
        self.run(lane, move || {
            let fits = verify_blocking(phc.as_deref().unwrap_or(&unknown), &password)?;
            Ok(fits && phc.is_some())
        })
        .await
    }

    async fn run<T, F>(&self, lane: Lane, work: F) -> Result<T, PasswordError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, PasswordError> + Send + 'static,
    {
        let turn = self.queue.turn(lane).await.map_err(|Full| PasswordError::Busy)?;
        let working = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        working.await.map_err(PasswordError::Interrupted)?
    }
}

/// Shows nothing: even a hash that matches nothing tells its parameters and salt.
impl std::fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordHasher").finish_non_exhaustive()
    }
}

/// Whether a text is a hash that a password can be compared with.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_hash(phc: &str) -> Result<(), PasswordError> {
    verify_blocking(phc, "").map(drop)
}

/// The hash of a password on this thread, for the start of the daemon.
pub fn hash_blocking(password: &str) -> Result<String, PasswordError> {
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    getrandom::fill(&mut salt).map_err(PasswordError::NoRandomness)?;
    let hash: PasswordHash = argon2()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(PasswordError::Failed)?;
    Ok(hash.to_string())
}

fn verify_blocking(phc: &str, password: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(phc).map_err(PasswordError::UnreadableHash)?;
    match argon2().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(PasswordError::Failed(error)),
    }
}

/// The crate's defaults, which are OWASP's first choice: m = 19 MiB, t = 2, p = 1.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// A hash with our parameters whose output is random: checking it costs what checking a real one
/// costs, and no password is known or can be found that fits.
fn matching_nothing() -> Result<String, PasswordError> {
    let mut random = [0; Salt::RECOMMENDED_LENGTH + OUTPUT_BYTES];
    getrandom::fill(&mut random).map_err(PasswordError::NoRandomness)?;
    let (salt, output) = random.split_at(Salt::RECOMMENDED_LENGTH);
    let unreadable = PasswordError::UnreadableHash;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: (&Params::DEFAULT).try_into().map_err(PasswordError::Failed)?,
        salt: Some(Salt::new(salt).map_err(unreadable)?),
        hash: Some(Output::new(output).map_err(unreadable)?),
    };
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane { id: [1; 32], known: false };

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn right_password_fits_and_wrong_does_not() {
        let hasher = PasswordHasher::new().unwrap();
        let phc = hasher.hash(secret("s€cret")).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(hasher.verify(LANE, Some(phc.clone()), secret("s€cret")).await.unwrap());
        assert!(!hasher.verify(LANE, Some(phc), secret("s?cret")).await.unwrap());
        assert_ne!(hash_blocking("same").unwrap(), hash_blocking("same").unwrap());
    }

    #[tokio::test]
    async fn unknown_user_is_refused_at_the_same_cost() {
        let hasher = PasswordHasher::new().unwrap();
        assert!(!hasher.verify(LANE, None, secret("admin")).await.unwrap());
        let parameters = |phc: &str| phc.rsplitn(3, '$').last().map(str::to_owned);
        let real = hash_blocking("admin").unwrap();
        assert_eq!(parameters(&hasher.unknown), parameters(&real));
        assert_eq!(hasher.unknown.len(), real.len());
    }

    #[tokio::test]
    async fn foreign_hash_is_an_error_and_not_a_refusal() {
        let hasher = PasswordHasher::new().unwrap();
        let outcome = hasher.verify(LANE, Some("$1$old$style".into()), secret("x")).await;
        assert!(outcome.is_err(), "{outcome:?}");
    }

    #[tokio::test]
    async fn queue_is_bounded() {
        let hasher = PasswordHasher::new().unwrap();
        let turns = [hasher.queue.turn(LANE).await, hasher.queue.turn(LANE).await];
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(hasher.queue.turn(LANE))).collect();
        for one in &mut waiting {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(one.as_mut().poll(&mut context).is_pending());
        }
        let outcome = hasher.verify(LANE, None, secret("x")).await;
        assert!(matches!(outcome, Err(PasswordError::Busy)));
        drop((waiting, turns));
        assert!(!hasher.verify(LANE, None, secret("x")).await.unwrap());
    }
}
