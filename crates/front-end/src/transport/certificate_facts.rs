//! What a certificate says of itself: how long it is good, for which names, and whether we made it.

use std::net::IpAddr;

use transaction_engine::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::tls::{COMMON_NAME, CertificateSlot};

/// From this time before its end, a certificate is reported and a generated one is renewed.
const SOON_SECONDS: i64 = 30 * 86_400;

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its last moment.
    pub expires: Timestamp,
    /// Whether it was made by [`self_signed`](super::self_signed).
    pub generated: bool,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
}

/// Whether a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// For more than a month.
    Good,
    /// For less than a month.
    EndsSoon,
    /// It has expired.
    Over,
}

impl Validity {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::EndsSoon => "expires soon",
            Self::Over => "expired",
        }
    }
}

impl CertificateFacts {
    /// Whether it is good at a moment.
    #[must_use]
    pub fn validity(&self, now: Timestamp) -> Validity {
        let left = self.expires.as_micros().saturating_sub(now.as_micros()) / 1_000_000;
        match left {
            ..=0 => Validity::Over,
            1..=SOON_SECONDS => Validity::EndsSoon,
            _ => Validity::Good,
        }
    }

    /// Whether another one is to be made in its place: we made it, and it ends soon or lacks a name.
    #[must_use]
    pub fn is_due(&self, names: &[String], now: Timestamp) -> bool {
        let lacks = |name: &String| !self.names.contains(&name.to_ascii_lowercase());
        self.generated && (self.validity(now) != Validity::Good || names.iter().any(lacks))
    }
}

impl CertificateSlot {
    /// What is known of the certificate that is shown; `None` while the slot is empty.
    #[must_use]
    pub fn facts(&self) -> Option<CertificateFacts> {
        facts_of(&self.certificate()?)
    }
}

fn facts_of(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let is_ours = |name: &x509_parser::x509::X509Name<'_>| {
        name.iter_common_name().any(|name| name.as_str() == Ok(COMMON_NAME))
    };
    let expires = certificate.validity().not_after.timestamp();
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|names| &names.value.general_names);
    Some(CertificateFacts {
        expires: Timestamp::from_micros(expires.saturating_mul(1_000_000)),
        generated: is_ours(certificate.subject()) && is_ours(certificate.issuer()),
        names: names.filter_map(text_of).collect(),
    })
}

fn text_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::self_signed;
    use super::*;

    #[test]
    fn a_generated_one_is_due_at_its_end_and_when_it_lacks_a_name() {
        const DAY: i64 = 86_400;
        let start = 1_795_000_000;
        let made = self_signed(&["box.example".to_owned(), "192.0.2.7".to_owned()], start).unwrap();
        let slot = CertificateSlot::new(&made.certificate_pem, &made.private_key_pem).unwrap();
        let facts = slot.facts().unwrap();
        let known = ["localhost", "127.0.0.1", "::1", "box.example", "192.0.2.7"];
        assert_eq!(facts.names, known);
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let names = ["Box.example".to_owned()];
        for (day, validity) in [
            (0, Validity::Good),
            (794, Validity::Good),
            (796, Validity::EndsSoon),
            (824, Validity::EndsSoon),
            (826, Validity::Over),
        ] {
            let now = at(start + day * DAY);
            assert_eq!(facts.validity(now), validity, "{day}");
            assert_eq!(facts.is_due(&names, now), validity != Validity::Good, "{day}");
        }
        assert!(facts.is_due(&["other.example".to_owned()], at(start)));
        let given = CertificateFacts { generated: false, ..facts };
        assert!(!given.is_due(&["other.example".to_owned()], at(start + 900 * DAY)));
    }
}
