//! The HTTP client of all commands: what is trusted, and for how long it waits.
//!
//! Blocking, since a command has nothing else to do meanwhile. Nothing is trusted by itself: the
//! daemon's certificate is usually its own, so a file names it, or the check is skipped on request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// How long a daemon may take to be found, and to say whether it wants a body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why no connection can be made with what was given.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The URL names no daemon.
    #[error("{0:?} must be https://HOST:PORT or http://HOST:PORT, without a path")]
    Url(String),
    /// Nothing says whom to trust.
    #[error(
        "cannot verify the certificate of {0}: name the certificate to trust with --ca FILE, or \
         skip the check with --insecure"
    )]
    Trust(String),
    /// The file of certificates cannot be used.
    #[error("--ca {}: {why}", file.display())]
    Authority {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A client for one daemon.
///
/// # Errors
/// See [`AgentError`].
pub fn agent(url: &str, ca: Option<&Path>, insecure: bool) -> Result<Agent, AgentError> {
    let place = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if place.is_none_or(|place| place.is_empty() || place.contains(['/', '?', '#', '@'])) {
        return Err(AgentError::Url(url.to_owned()));
    }
    let secure = url.starts_with("https://");
    let roots = match ca {
        Some(file) => authorities(file)?,
        None if secure && !insecure => return Err(AgentError::Trust(url.to_owned())),
        None => Vec::new(),
    };
    let config = Agent::config_builder()
        .tls_config(tls(&roots, insecure))
        .http_status_as_error(false)
        // Credentials go where the user said, by the way the user said.
        .max_redirects(0)
        .proxy(None)
        .allow_non_standard_methods(true)
        .timeout_connect(Some(PATIENCE))
        .timeout_await_100(Some(PATIENCE))
        .build();
    Ok(config.new_agent())
}

/// TLS that trusts these certificates, or any when `insecure`.
#[must_use]
pub fn tls(roots: &[Certificate<'static>], insecure: bool) -> TlsConfig {
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(roots))
        .disable_verification(insecure)
        .build()
}

fn authorities(file: &Path) -> Result<Vec<Certificate<'static>>, AgentError> {
    let wrong = |why: String| AgentError::Authority { file: file.to_owned(), why };
    let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    if found.is_empty() {
        Err(wrong("there is no certificate in it".to_owned()))
    } else {
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_daemon_and_something_vouches_for_it() {
        for bad in ["ftp://h:1", "https://", "h:1", "https://h:1/api", "https://u:p@h:1"] {
            let refused = agent(bad, None, false).expect_err("refused").to_string();
            assert!(refused.contains("https://HOST:PORT"), "{bad}");
        }
        let refused = agent("https://127.0.0.1:1", None, false).expect_err("refused").to_string();
        assert!(refused.contains("--ca FILE"));
        assert!(agent("http://127.0.0.1:1", None, false).is_ok());
    }
}
