//! What the factory defaults need to generate for each appliance: its certificates.

use config_tree::{Key, NodePath};
use serde_json::{Value, json};
use transaction_engine::Timestamp;

use super::paths;
use crate::transport::{SelfSigned, TlsError, self_signed};

/// Makes what factory defaults need: self-signed certificates for the members of `/x509`, the
/// server's for the hosts it listens on. Failures are kept for the caller, who cannot go on.
pub(crate) struct FactoryGenerator {
    hosts: Vec<String>,
    now: Timestamp,
    /// The first failure.
    pub(crate) failure: Option<TlsError>,
}

impl FactoryGenerator {
    /// A generator for a server that listens on `hosts`.
    pub(crate) fn new(hosts: Vec<String>, now: Timestamp) -> Self {
        Self { hosts, now, failure: None }
    }

    /// A new member of a collection, for a name in the catalog's defaults.
    pub(crate) fn member(&mut self, collection: &NodePath, name: &str) -> Option<(Key, Value)> {
        if collection != paths::x509() {
            return None;
        }
        let hosts = if name == "server" { self.hosts.as_slice() } else { &[] };
        match self_signed(hosts, self.now.as_micros().div_euclid(1_000_000)) {
            Ok(pair) => {
                let key = Key::parse(&uuid::Uuid::new_v4().to_string()).ok()?;
                Some((key, identity(&pair)))
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                None
            }
        }
    }
}

/// The body of a member of `/x509`.
pub(super) fn identity(pair: &SelfSigned) -> Value {
    json!({
        "certificate": pair.certificate_pem,
        "issuer_chain": [],
        "private_key": *pair.private_key_pem,
    })
}
