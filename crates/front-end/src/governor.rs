//! Where the committed configuration governs the daemon itself.
//!
//! Two endpoints do so far: `management/webinterface` says how long an idle session lasts, and
//! `management/certificates` names the certificate that TLS listeners show. Both take effect after
//! the commit that sets them, without a restart; open connections keep what they have.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use catalog::SecretReader;
use config_tree::{Change, Key, NodePath, Tree};
use serde_json::{Value, json};
use transaction_engine::{Applier, Refusal, Revision, Timestamp};
use zeroize::Zeroizing;

use crate::transport::{CertificateSlot, TlsError, self_signed};

/// Ten minutes: the appliance's default, for a tree that does not say (SPS guide, web interface).
const DEFAULT_IDLE_MINUTES: i64 = 10;
const MINUTE: i64 = 60 * 1_000_000;

/// Follows commits for the daemon.
pub struct Governor {
    secrets: Arc<dyn SecretReader + Send + Sync>,
    certificate: Arc<CertificateSlot>,
    /// Whether the certificate is given by files instead.
    certificate_fixed: bool,
    idle_micros: Arc<AtomicI64>,
    /// Whether the idle time is given by a setting instead.
    idle_fixed: bool,
}

impl Governor {
    /// Follows commits into `certificate` and `idle_micros`. What a setting gives is put in by the
    /// caller, and stays: `certificate_fixed`, `idle_fixed`.
    #[must_use]
    pub fn new(
        secrets: Arc<dyn SecretReader + Send + Sync>,
        certificate: Arc<CertificateSlot>,
        certificate_fixed: bool,
        idle_micros: Arc<AtomicI64>,
        idle_fixed: bool,
    ) -> Self {
        Self { secrets, certificate, certificate_fixed, idle_micros, idle_fixed }
    }

    // The certificate and key that `management/certificates.server` refers to.
    fn server_pair(&self, tree: &Tree) -> Option<(String, Zeroizing<String>)> {
        let server = server_reference(tree)?;
        let identity = tree.body(server)?.value();
        let certificate = identity.get("certificate")?.as_str()?.to_owned();
        let sealed = identity.get("private_key")?.as_str()?;
        let key = self.secrets.reveal(server, "/private_key", sealed)?;
        Some((certificate, key))
    }
}

impl Governor {
    /// Whether the configuration names a certificate for the server, usable or not.
    #[must_use]
    pub fn names_certificate(tree: &Tree) -> bool {
        server_reference(tree).is_some()
    }
}

impl Applier for Governor {
    fn prepare(&self, next: &Revision, changes: &[Change]) -> Result<(), Refusal> {
        let governs = !self.certificate_fixed && server_reference(&next.tree).is_some();
        if !governs || !touches(changes, &["management", "certificates"]) {
            return Ok(());
        }
        let refusal = |message| Refusal {
            path: path(&["management", "certificates"]),
            pointer: "/server".to_owned(),
            message,
        };
        match self.server_pair(&next.tree) {
            Some((certificate, key)) => {
                CertificateSlot::check(&certificate, &key).map_err(|error| {
                    refusal(format!("The server certificate cannot be served: {error}"))
                })
            }
            None => Err(refusal("The server certificate cannot be read".to_owned())),
        }
    }

    fn apply(&self, revision: &Revision, changes: &[Change]) {
        let at_start = changes.is_empty();
        if !self.idle_fixed {
            let idle = idle_minutes(&revision.tree).saturating_mul(MINUTE);
            self.idle_micros.store(idle, Ordering::Relaxed);
        }
        if self.certificate_fixed
            || !(at_start || touches(changes, &["management", "certificates"]))
        {
            return;
        }
        if let Some((certificate, key)) = self.server_pair(&revision.tree)
            && let Err(error) = self.certificate.set(&certificate, &key)
        {
            // `prepare` accepted it; at start it is what an earlier version accepted.
            tracing::error!(%error, "the configured server certificate cannot be served");
        }
    }
}

/// Where the server's certificate is; `None` for an appliance whose configuration names none.
fn server_reference(tree: &Tree) -> Option<&NodePath> {
    let body = tree.body(&path(&["management", "certificates"]))?;
    let server = body.references().iter().find(|r| r.pointer == "/server")?;
    Some(&server.target)
}

fn idle_minutes(tree: &Tree) -> i64 {
    let body = tree.body(&path(&["management", "webinterface"]));
    let minutes = body.and_then(|body| body.value().get("timeout")?.as_i64());
    // Another catalog may mean something else by it; nobody is locked out for that.
    minutes.filter(|minutes| *minutes > 0).unwrap_or(DEFAULT_IDLE_MINUTES)
}

fn touches(changes: &[Change], segments: &[&str]) -> bool {
    let path = path(segments);
    changes.iter().any(|change| *change.path() == path)
}

fn path(segments: &[&str]) -> NodePath {
    NodePath::from_segments(segments.iter().copied()).unwrap_or_else(|_| NodePath::root())
}

/// Makes what factory defaults need: self-signed certificates for the members of `/x509`, the
/// server's for the hosts it listens on. Failures are kept for the caller, who cannot go on.
pub struct Mint {
    hosts: Vec<String>,
    now: Timestamp,
    /// The first failure.
    pub failure: Option<TlsError>,
}

impl Mint {
    /// A mint for a server that listens on `hosts`.
    #[must_use]
    pub fn new(hosts: Vec<String>, now: Timestamp) -> Self {
        Self { hosts, now, failure: None }
    }

    /// A new member of a collection, for a name in the catalog's defaults.
    pub fn member(&mut self, collection: &NodePath, name: &str) -> Option<(Key, Value)> {
        if *collection != path(&["x509"]) {
            return None;
        }
        let hosts = if name == "server" { self.hosts.as_slice() } else { &[] };
        match self_signed(hosts, self.now.as_micros().div_euclid(1_000_000)) {
            Ok(pair) => {
                let key = Key::parse(&uuid::Uuid::new_v4().to_string()).ok()?;
                Some((
                    key,
                    json!({
                        "certificate": pair.certificate_pem,
                        "issuer_chain": [],
                        "private_key": *pair.private_key_pem,
                    }),
                ))
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }
}
