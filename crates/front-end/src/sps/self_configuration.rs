//! Where the committed configuration of the appliance configures the daemon that emulates it.
//!
//! Two endpoints do so far: `management/webinterface` says how long an idle session lasts, and
//! `management/certificates` names the certificate that TLS listeners show. Both take effect after
//! the commit that sets them, without a restart; open connections keep what they have.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use catalog::SecretReader;
use config_tree::{Change, NodePath, Tree};
use transaction_engine::{Applier, Refusal, Revision};
use zeroize::Zeroizing;

use super::paths;
use crate::transport::CertificateSlot;

/// Ten minutes: the appliance's default, for a tree that does not say (SPS guide, web interface).
const DEFAULT_IDLE_MINUTES: i64 = 10;
const MINUTE: i64 = 60 * 1_000_000;

/// Follows commits for the daemon.
pub(crate) struct SelfConfiguration {
    secrets: Arc<dyn SecretReader + Send + Sync>,
    certificate: Arc<CertificateSlot>,
    /// Whether the certificate is given by files instead.
    certificate_fixed: bool,
    /// Whether it shows at the start what the configuration says.
    certificate_current: bool,
    idle_micros: Arc<AtomicI64>,
    /// Whether the idle time is given by a setting instead.
    idle_fixed: bool,
}

impl SelfConfiguration {
    /// Follows commits into `certificate` and `idle_micros`. What a setting gives is put in by the
    /// caller, and stays: `certificate_fixed`, `idle_fixed`. With `certificate_current` the slot
    /// shows already what the configuration says.
    pub(crate) fn new(
        secrets: Arc<dyn SecretReader + Send + Sync>,
        certificate: Arc<CertificateSlot>,
        certificate_fixed: bool,
        certificate_current: bool,
        idle_micros: Arc<AtomicI64>,
        idle_fixed: bool,
    ) -> Self {
        Self {
            secrets,
            certificate,
            certificate_fixed,
            certificate_current,
            idle_micros,
            idle_fixed,
        }
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

impl SelfConfiguration {
    /// Whether the configuration names a certificate for the server, usable or not.
    pub(crate) fn names_certificate(tree: &Tree) -> bool {
        server_reference(tree).is_some()
    }
}

impl Applier for SelfConfiguration {
    fn prepare(&self, next: &Revision, changes: &[Change]) -> Result<(), Refusal> {
        let governs = !self.certificate_fixed && server_reference(&next.tree).is_some();
        if !governs || !touches(changes, paths::certificates()) {
            return Ok(());
        }
        let refusal = |message| Refusal {
            path: paths::certificates().clone(),
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
        let looks =
            (at_start && !self.certificate_current) || touches(changes, paths::certificates());
        if self.certificate_fixed || !looks {
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
pub(super) fn server_reference(tree: &Tree) -> Option<&NodePath> {
    let body = tree.body(paths::certificates())?;
    let server = body.references().iter().find(|r| r.pointer == "/server")?;
    Some(&server.target)
}

fn idle_minutes(tree: &Tree) -> i64 {
    let body = tree.body(paths::webinterface());
    let minutes = body.and_then(|body| body.value().get("timeout")?.as_i64());
    // Another catalog may mean something else by it; that must lock no user out.
    minutes.filter(|minutes| *minutes > 0).unwrap_or(DEFAULT_IDLE_MINUTES)
}

fn touches(changes: &[Change], path: &NodePath) -> bool {
    changes.iter().any(|change| change.path() == path)
}
