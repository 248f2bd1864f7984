//! Which certificate the server shows, and how it can be changed while the server runs.
//!
//! An administrator replaces the certificate through the API and expects two things: that a wrong pair
//! is refused with a reason, and that nothing already connected is cut. So the certificate lives in a
//! slot which every new handshake looks into. Checking comes first and replaces nothing when it fails.
//!
//! A resumed session shows no certificate at all, so a client that resumed across a change would go on
//! trusting the old one. The slot therefore is the session cache as well, and forgets it on a change.
//!
//! rustls with ring; the provider is passed explicitly, so no process-wide default is needed and
//! aws-lc-rs stays out of the build.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{
    ClientHello, ResolvesServerCert, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Sessions kept for resumption; the oldest are forgotten first.
const RESUMABLE_SESSIONS: usize = 512;

/// How long a generated certificate lasts: the longest that Apple's clients accept.
const VALIDITY: Duration = Duration::from_secs(825 * 86_400);

/// By which a generated certificate is known to be one.
pub(super) const COMMON_NAME: &str = "Boxwood";

/// A client's clock may be behind ours by this much and still accept a fresh certificate.
const CLOCK_SKEW_SECONDS: i64 = 3_600;

/// The certificate shown to new connections. An empty slot refuses every handshake.
pub struct CertificateSlot {
    pair: ArcSwapOption<CertifiedKey>,
    sessions: ArcSwap<ServerSessionMemoryCache>,
}

/// A generated certificate with its key.
pub struct SelfSigned {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// Its private key, as unencrypted PKCS#8 PEM.
    pub private_key_pem: Zeroizing<String>,
}

/// Why a certificate and key cannot be used, or one could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate text has no certificate in it.
    #[error("there is no certificate in the PEM text: it must contain a CERTIFICATE block{}", found(.labels))]
    NoCertificate {
        /// The labels of the blocks that are there.
        labels: Vec<String>,
    },
    /// The key text has no private key in it.
    #[error("there is no private key in the PEM text: it must contain a PRIVATE KEY block{}", found(.labels))]
    NoPrivateKey {
        /// The labels of the blocks that are there.
        labels: Vec<String>,
    },
    /// The private key is protected by a passphrase.
    #[error(
        "the private key is encrypted: give it without a passphrase, for instance after `openssl pkey -in key.pem -out plain.pem`"
    )]
    EncryptedPrivateKey,
    /// A PEM block is damaged.
    #[error("the {what} is not valid PEM: a block is cut off or is not base64")]
    DamagedPem {
        /// "certificate" or "private key".
        what: &'static str,
    },
    /// The certificate block does not hold an X.509 certificate.
    #[error("the CERTIFICATE block does not hold a readable X.509 certificate")]
    UnreadableCertificate(#[source] rustls::Error),
    /// The key is of a kind that cannot be used for TLS.
    #[error(
        "the private key cannot be used: RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519 is needed"
    )]
    UnusableKey(#[source] rustls::Error),
    /// Both are fine, and they do not belong together.
    #[error("the private key does not belong to the first certificate of the PEM text")]
    Mismatch,
    /// A host name that cannot stand in a certificate.
    #[error(
        "a certificate cannot be made for the host {host:?}: it must be an IP address or a name in ASCII"
    )]
    UnusableHost {
        /// The name as given.
        host: String,
    },
    /// Key generation or signing failed.
    #[error("a self-signed certificate could not be made")]
    Generation(#[source] rcgen::Error),
}

fn found(labels: &[String]) -> String {
    match labels {
        [] => String::new(),
        labels => format!(", found {}", labels.join(", ")),
    }
}

impl CertificateSlot {
    /// A slot that shows this certificate.
    pub fn new(certificate_pem: &str, private_key_pem: &str) -> Result<Self, TlsError> {
        let slot = Self::default();
        slot.set(certificate_pem, private_key_pem)?;
        Ok(slot)
    }

    /// Another slot with the same certificate, and sessions of its own.
    pub(crate) fn copied(&self) -> Self {
        let copy = Self::default();
        copy.pair.store(self.pair.load_full());
        copy
    }

    /// Shows another certificate from the next handshake on. Open connections keep theirs; when the
    /// pair is refused, the one in the slot stays.
    pub fn set(&self, certificate_pem: &str, private_key_pem: &str) -> Result<(), TlsError> {
        let pair = checked_pair(certificate_pem, private_key_pem)?;
        self.pair.store(Some(Arc::new(pair)));
        // After the certificate, or a handshake in between would leave a session of the old one.
        self.sessions.store(ServerSessionMemoryCache::new(RESUMABLE_SESSIONS));
        Ok(())
    }

    /// Whether there is a certificate to show.
    pub fn is_filled(&self) -> bool {
        self.pair.load().is_some()
    }

    /// The certificate that is shown, in DER; `None` while the slot is empty.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let pair = self.pair.load();
        pair.as_ref()?.cert.first().map(|certificate| certificate.to_vec())
    }

    /// Whether this pair could be [`set`](Self::set), without setting it.
    pub fn check(certificate_pem: &str, private_key_pem: &str) -> Result<(), TlsError> {
        checked_pair(certificate_pem, private_key_pem).map(drop)
    }

    /// TLS 1.2 and 1.3, HTTP/2 preferred over HTTP/1.1 by ALPN, the certificate out of this slot.
    pub(crate) fn server_config(self: &Arc<Self>) -> ServerConfig {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("ring offers cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.session_storage = Arc::clone(self) as Arc<dyn StoresServerSessions>;
        // `curl --http1.0`, which the guide of SPS advises, offers the last one alone.
        config.alpn_protocols = [&b"h2"[..], b"http/1.1", b"http/1.0"].map(<[u8]>::to_vec).into();
        config
    }
}

impl Default for CertificateSlot {
    fn default() -> Self {
        Self {
            pair: ArcSwapOption::empty(),
            sessions: ArcSwap::new(ServerSessionMemoryCache::new(RESUMABLE_SESSIONS)),
        }
    }
}

/// Written by hand, so that neither key material nor session secrets can reach a log.
impl std::fmt::Debug for CertificateSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filled = self.pair.load().is_some();
        f.debug_struct("CertificateSlot").field("filled", &filled).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { certificate_pem, private_key_pem: _ } = self;
        f.debug_struct("SelfSigned")
            .field("certificate_pem", certificate_pem)
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for CertificateSlot {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pair.load_full()
    }
}

impl StoresServerSessions for CertificateSlot {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.sessions.load().put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.load().get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.load().take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// Makes a certificate for `localhost`, `127.0.0.1`, `::1` and `hosts`, valid from an hour before
/// `now_unix_seconds`. It names no CA flag and no key usage, because clients that trust
/// exactly this certificate disagree about which of them a certificate that signs itself must have.
pub fn self_signed(hosts: &[String], now_unix_seconds: i64) -> Result<SelfSigned, TlsError> {
    let mut params =
        CertificateParams::new(alternative_names(hosts)?).map_err(TlsError::Generation)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // rcgen uses the crate `time`, which we do not: whole seconds are added to the epoch that it offers.
    let start = u64::try_from(now_unix_seconds - CLOCK_SKEW_SECONDS).unwrap_or(0);
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(start);
    params.not_after = params.not_before + VALIDITY;

    let key = KeyPair::generate().map_err(TlsError::Generation)?;
    let certificate = params.self_signed(&key).map_err(TlsError::Generation)?;
    Ok(SelfSigned {
        certificate_pem: certificate.pem(),
        private_key_pem: Zeroizing::new(key.serialize_pem()),
    })
}

/// The names of the certificate, each once. rcgen turns those that are IP addresses into IP entries.
fn alternative_names(hosts: &[String]) -> Result<Vec<String>, TlsError> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    for host in hosts {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let usable = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_graphic());
        if !usable {
            return Err(TlsError::UnusableHost { host: host.clone() });
        }
        let wildcard = bare.parse().is_ok_and(|address: IpAddr| address.is_unspecified());
        if !wildcard && !names.contains(&bare) {
            names.push(bare);
        }
    }
    Ok(names)
}

fn checked_pair(certificate_pem: &str, private_key_pem: &str) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate_pem)?;
    let key = private_key(private_key_pem)?;
    let key = provider().key_provider.load_private_key(key).map_err(TlsError::UnusableKey)?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch),
        Err(unreadable) => Err(TlsError::UnreadableCertificate(unreadable)),
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::DamagedPem { what: "certificate" })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { labels: labels(pem) });
    }
    Ok(chain)
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let labels = labels(pem);
    // The old OpenSSL format keeps the label and announces encryption in a header line below it.
    if labels.iter().any(|label| label.contains("ENCRYPTED"))
        || pem.contains("Proc-Type: 4,ENCRYPTED")
    {
        return Err(TlsError::EncryptedPrivateKey);
    }
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(key) => Ok(key),
        Err(rustls_pki_types::pem::Error::NoItemsFound) => Err(TlsError::NoPrivateKey { labels }),
        Err(_) => Err(TlsError::DamagedPem { what: "private key" }),
    }
}

/// What the PEM text says its blocks are.
fn labels(pem: &str) -> Vec<String> {
    pem.lines()
        .filter_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .map(|label| label.chars().take(40).collect())
        .collect()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn generated() -> SelfSigned {
        self_signed(&[], NOW).unwrap()
    }

    fn refusal(certificate: &str, key: &str) -> String {
        CertificateSlot::check(certificate, key).unwrap_err().to_string()
    }

    #[test]
    fn generated_pair_is_usable() {
        let made =
            self_signed(&["box.example".into(), "192.0.2.7".into(), "[2001:db8::1]".into()], NOW);
        let made = made.unwrap();
        CertificateSlot::new(&made.certificate_pem, &made.private_key_pem).unwrap();
    }

    #[test]
    fn names_are_single_and_wildcard_addresses_left_out() {
        let hosts =
            ["LOCALHOST", "[::1]", "0.0.0.0", "box.example", "box.example"].map(str::to_owned);
        assert_eq!(
            alternative_names(&hosts).unwrap(),
            ["localhost", "127.0.0.1", "::1", "box.example"]
        );
        assert!(matches!(
            self_signed(&["ein büro".into()], NOW),
            Err(TlsError::UnusableHost { .. })
        ));
    }

    #[test]
    fn refusals_name_the_fault() {
        let (one, other) = (generated(), generated());
        let (certificate, key) = (&one.certificate_pem, &one.private_key_pem);

        assert!(matches!(
            CertificateSlot::check(certificate, &other.private_key_pem),
            Err(TlsError::Mismatch)
        ));
        assert_eq!(
            refusal(key, key),
            "there is no certificate in the PEM text: it must contain a CERTIFICATE block, found PRIVATE KEY"
        );
        assert_eq!(
            refusal(certificate, "nonsense"),
            "there is no private key in the PEM text: it must contain a PRIVATE KEY block"
        );
        assert!(refusal(certificate, certificate).ends_with("found CERTIFICATE"));
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(matches!(
            CertificateSlot::check(certificate, &encrypted),
            Err(TlsError::EncryptedPrivateKey)
        ));
        let legacy = key.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n", 1);
        assert!(matches!(
            CertificateSlot::check(certificate, &legacy),
            Err(TlsError::EncryptedPrivateKey)
        ));
        let half = &certificate[..certificate.len() / 2];
        assert!(matches!(
            CertificateSlot::check(half, key),
            Err(TlsError::DamagedPem { what: "certificate" })
        ));
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            CertificateSlot::check(junk, key),
            Err(TlsError::UnreadableCertificate(_))
        ));
        let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(CertificateSlot::check(certificate, junk), Err(TlsError::UnusableKey(_))));
    }

    #[test]
    fn refused_pair_leaves_the_slot_as_it_was() {
        let one = generated();
        let slot = CertificateSlot::new(&one.certificate_pem, &one.private_key_pem).unwrap();
        let before = slot.pair.load_full();
        slot.set("", "").unwrap_err();
        assert!(Arc::ptr_eq(&before.unwrap(), &slot.pair.load_full().unwrap()));
    }

    #[test]
    fn change_forgets_resumable_sessions() {
        let (one, other) = (generated(), generated());
        let slot = CertificateSlot::new(&one.certificate_pem, &one.private_key_pem).unwrap();
        assert!(slot.put(vec![1], vec![2]));
        assert!(slot.get(&[1]).is_some());
        slot.set(&other.certificate_pem, &other.private_key_pem).unwrap();
        assert!(slot.get(&[1]).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let one = generated();
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
