//! Version 3 with the user-based security model: RFC 3412 (the message), 3414 (keys, HMAC-MD5-96,
//! HMAC-SHA-96, CBC-DES) and 3826 (CFB128-AES-128).
//!
//! The sender of a trap is the authoritative engine: its ID, boots and time are what the receiver
//! checks. Boots must not go back, or receivers refuse what comes as old.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::ber;
use crate::configuration::{Cipher, Digest, User};
use crate::failure::Failure;

/// What is authenticated, encrypted: bits of the flags.
const AUTHENTICATED: u8 = 1;
const ENCRYPTED: u8 = 2;
const LARGEST: i64 = 65_507;
const USER_BASED: i64 = 3;
/// A password is repeated to a megabyte (RFC 3414, A.2).
const STRETCHED: usize = 1 << 20;

/// The engine that sends: how often it has booted, and since when it runs.
#[derive(Clone)]
pub(crate) struct Engine {
    boots: u32,
    started: Instant,
    /// Never the same twice in a boot.
    salt: Arc<AtomicU64>,
    messages: Arc<AtomicU64>,
}

impl Engine {
    /// An engine at this boot.
    pub(crate) fn new(boots: u32, started: Instant, seed: u64) -> Self {
        let boots = boots.min(i32::MAX as u32);
        let (salt, messages) = (Arc::new(AtomicU64::new(seed)), Arc::new(AtomicU64::new(1)));
        Self { boots, started, salt, messages }
    }

    // Sixty-eight years fit into the time; nothing runs for so long.
    fn time(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX).min(i32::MAX as u32)
    }
}

/// The message that carries a PDU.
pub(super) fn message(pdu: &[u8], user: &User, engine: &Engine) -> Result<Vec<u8>, Failure> {
    let time = engine.time();
    let scoped = ber::sequence(&[ber::octets(&user.engine_id), ber::octets(b""), pdu.to_vec()]);
    let (flags, salt, data) = match &user.privacy {
        None => (AUTHENTICATED, Vec::new(), scoped),
        Some((cipher, password)) => {
            let password = opened(password.reveal(), "encryption")?;
            let key = localized(user.digest, &password, &user.engine_id);
            let local = engine.salt.fetch_add(1, Ordering::Relaxed);
            let (salt, data) = match cipher {
                Cipher::Des => des(&key, engine.boots, local as u32, scoped),
                Cipher::Aes128 => aes128(&key, engine.boots, time, local, scoped),
            };
            (AUTHENTICATED | ENCRYPTED, salt, ber::octets(&data))
        }
    };
    let id = engine.messages.fetch_add(1, Ordering::Relaxed) & i32::MAX as u64;
    let head = ber::sequence(&[
        ber::integer(id as i64),
        ber::integer(LARGEST),
        ber::octets(&[flags]),
        ber::integer(USER_BASED),
    ]);
    let salt = ber::octets(&salt);
    let security = ber::sequence(&[
        ber::octets(&user.engine_id),
        ber::integer(i64::from(engine.boots)),
        ber::integer(i64::from(time)),
        ber::octets(user.name.as_bytes()),
        ber::octets(&[0; 12]),
        salt.clone(),
    ]);
    let mut whole = ber::sequence(&[ber::integer(3), head, ber::octets(&security), data.clone()]);
    let password = opened(user.auth_password.reveal(), "authentication")?;
    let key = localized(user.digest, &password, &user.engine_id);
    let code = code(user.digest, &key, &whole);
    // Nothing but the salt and the data follows it.
    let end = whole.len() - salt.len() - data.len();
    whole[end - 12..end].copy_from_slice(&code);
    Ok(whole)
}

fn opened(password: Option<Zeroizing<String>>, of: &str) -> Result<Zeroizing<String>, Failure> {
    password.ok_or_else(|| {
        Failure::Later(format!(
            "the {of} password of the trap user cannot be read: store it as text under /passwords \
             and refer to it in management/snmp/trap"
        ))
    })
}

/// The key of a password for an engine (RFC 3414, A.2).
fn localized(digest: Digest, password: &str, engine_id: &[u8]) -> Zeroizing<Vec<u8>> {
    match digest {
        Digest::Md5 => localized_by::<Md5>(password, engine_id),
        Digest::Sha1 => localized_by::<Sha1>(password, engine_id),
    }
}

fn localized_by<D: sha1::digest::Digest>(password: &str, engine_id: &[u8]) -> Zeroizing<Vec<u8>> {
    let password = password.as_bytes();
    if password.is_empty() {
        return Zeroizing::new(vec![0; <D as sha1::digest::Digest>::output_size()]);
    }
    let mut stretched = D::new();
    // Whole passwords as far as they fit into a block, then what is left.
    let block = Zeroizing::new(password.repeat(4096usize.div_ceil(password.len())));
    let mut left = STRETCHED;
    while left > 0 {
        let take = left.min(block.len());
        stretched.update(&block[..take]);
        left -= take;
    }
    let key = Zeroizing::new(stretched.finalize().to_vec());
    let mut local = D::new();
    local.update(&*key);
    local.update(engine_id);
    local.update(&*key);
    Zeroizing::new(local.finalize().to_vec())
}

/// The first twelve bytes of the message's authentication code.
fn code(digest: Digest, key: &[u8], message: &[u8]) -> [u8; 12] {
    let code = match digest {
        Digest::Md5 => coded::<Hmac<Md5>>(key, message),
        Digest::Sha1 => coded::<Hmac<Sha1>>(key, message),
    };
    let mut first = [0; 12];
    first.copy_from_slice(&code[..12]);
    first
}

fn coded<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    match <M as KeyInit>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        }
        // An HMAC takes keys of any length.
        Err(_) => vec![0; 12],
    }
}

// RFC 3414, 8.1.1.1: the salt is boots and a counter; with half of the key it makes the vector.
fn des(key: &[u8], boots: u32, local: u32, mut data: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let mut salt = boots.to_be_bytes().to_vec();
    salt.extend(local.to_be_bytes());
    let vector: Vec<u8> = key[8..16].iter().zip(&salt).map(|(a, b)| a ^ b).collect();
    data.resize(data.len().next_multiple_of(8), 0);
    let length = data.len();
    if let Ok(cipher) = cbc::Encryptor::<des::Des>::new_from_slices(&key[..8], &vector) {
        let padded =
            cipher.encrypt_padded::<cbc::cipher::block_padding::NoPadding>(&mut data, length);
        debug_assert!(padded.is_ok());
    }
    (salt, data)
}

// RFC 3826, 3.1.2.1: boots, time and the salt make the vector.
fn aes128(key: &[u8], boots: u32, time: u32, local: u64, mut data: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let salt = local.to_be_bytes().to_vec();
    let vector = [&boots.to_be_bytes()[..], &time.to_be_bytes(), &salt].concat();
    if let Ok(cipher) = cfb_mode::Encryptor::<aes::Aes128>::new_from_slices(&key[..16], &vector) {
        cipher.encrypt(&mut data);
    }
    (salt, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // RFC 3414, A.3.1 and A.3.2.
    #[test]
    fn keys_are_those_of_the_standard() {
        let engine_id = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
        let key = localized(Digest::Md5, "maplesyrup", &engine_id);
        assert_eq!(hex(&key), "526f5eed9fcce26f8964c2930787d82b");
        let key = localized(Digest::Sha1, "maplesyrup", &engine_id);
        assert_eq!(hex(&key), "6695febc9288e36282235fc7151f128497b38f3f");
    }

    // RFC 2202, test case 1 of each.
    #[test]
    fn codes_are_those_of_the_standard() {
        assert_eq!(hex(&code(Digest::Md5, &[0x0b; 16], b"Hi There")), "9294727a3638bb1c13f48ef8");
        assert_eq!(hex(&code(Digest::Sha1, &[0x0b; 20], b"Hi There")), "b617318655057264e28bc0b6");
    }

    // FIPS 81, CBC: "Now is the time for all ". The vector is key and salt by exclusive or.
    #[test]
    fn des_is_that_of_the_standard() {
        let mut key = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef].to_vec();
        // Boots 0 and counter 0 leave the vector as it is.
        key.extend([0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef]);
        let (salt, data) = des(&key, 0, 0, b"Now is the time for all ".to_vec());
        assert_eq!(salt, [0; 8]);
        assert_eq!(hex(&data), "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6");
    }

    // NIST SP 800-38A, F.3.13: CFB128-AES128.
    #[test]
    fn aes_is_that_of_the_standard() {
        let key = [
            0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf,
            0x4f, 0x3c,
        ];
        let data = [
            0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93,
            0x17, 0x2a,
        ];
        let (salt, data) =
            aes128(&key, 0x0001_0203, 0x0405_0607, 0x0809_0a0b_0c0d_0e0f, data.to_vec());
        assert_eq!(hex(&salt), "08090a0b0c0d0e0f");
        assert_eq!(hex(&data), "3b3fd92eb72dad20333449f8e83cfb4a");
    }
}
