//! Certificates and private keys in PEM: do they parse, and do they belong together?
//!
//! The armour is read strictly (nothing before, between or after, as SPS asks), the certificate by
//! x509-parser, which also reads the first version that TLS libraries refuse. Whether a key belongs
//! to a certificate is decided by deriving the public key from the private one, with the library
//! that will sign with it later; a key it cannot use is refused, because nothing could be said of
//! the pair and nothing could be served with it.

use rustls::crypto::ring::sign::any_supported_type;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::asn1_rs::{FromDer, Sequence};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

const CERTIFICATE: &str = "CERTIFICATE";
const KEY_LABELS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// Whether the text is one armoured certificate; otherwise what it must be.
pub(crate) fn certificate_check(text: &str) -> Result<(), &'static str> {
    match sections(text).as_deref() {
        Some([section]) if section.label == CERTIFICATE => parsed(section.text, |_| ()),
        Some([_, _, ..]) => Err("one certificate, not several"),
        _ => Err(
            "a PEM certificate: exactly the text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----",
        ),
    }
}

/// Whether the text is one or more armoured certificates; otherwise what it must be.
pub(crate) fn chain_check(text: &str) -> Result<(), &'static str> {
    match sections(text).as_deref() {
        Some(sections @ [_, ..]) if sections.iter().all(|s| s.label == CERTIFICATE) => {
            sections.iter().try_for_each(|section| parsed(section.text, |_| ()))
        }
        _ => Err("one or more PEM certificates with nothing around them"),
    }
}

/// Whether the text is one armoured private key without encryption; otherwise what it must be.
pub(crate) fn private_key_check(text: &str) -> Result<(), &'static str> {
    const PLAIN: &str =
        "a PEM private key: exactly the text from -----BEGIN … PRIVATE KEY----- to its END line";
    let sections = sections(text).unwrap_or_default();
    let [section] = sections.as_slice() else { return Err(PLAIN) };
    if section.label.contains("ENCRYPTED") || section.text.contains("ENCRYPTED") {
        return Err("an unencrypted private key; remove its passphrase first");
    }
    if !KEY_LABELS.contains(&section.label) {
        return Err(PLAIN);
    }
    let key = private_key(section.text).ok_or(PLAIN)?;
    // All three kinds are one sequence that begins with a version.
    match Sequence::from_der(key.secret_der()) {
        Ok(([], sequence)) if sequence.content.first() == Some(&0x02) => Ok(()),
        _ => Err("a private key in PKCS-1, PKCS-8 or SEC-1 form; this one cannot be read"),
    }
}

/// Why a certificate and a private key are no identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PairFault {
    /// One of them does not parse.
    Unreadable,
    /// The key is of a kind that nothing here can use.
    Unsupported,
    /// The key belongs to another certificate.
    Mismatch,
}

/// Whether the private key belongs to the certificate.
pub(crate) fn pair_check(certificate: &str, private_key: &str) -> Result<(), PairFault> {
    let key = self::private_key(private_key).ok_or(PairFault::Unreadable)?;
    let key = any_supported_type(&key).map_err(|_| PairFault::Unsupported)?;
    let derived = key.public_key().ok_or(PairFault::Unsupported)?;
    let (_, derived) =
        SubjectPublicKeyInfo::from_der(&derived).map_err(|_| PairFault::Unsupported)?;
    // The bits of the key and not the whole structure: writers differ in how they name RSA.
    let equal = parsed(certificate, |certificate| {
        certificate.public_key().subject_public_key.data == derived.subject_public_key.data
    })
    .map_err(|_| PairFault::Unreadable)?;
    if equal { Ok(()) } else { Err(PairFault::Mismatch) }
}

/// The place in `issuers` of the first certificate that did not issue the one before it.
///
/// A signature by an algorithm that cannot be verified here counts by its names alone.
pub(crate) fn chain_break(certificate: &str, issuers: &[&str]) -> Option<usize> {
    let mut subject = certificate;
    issuers.iter().position(|issuer| {
        let before = std::mem::replace(&mut subject, issuer);
        !is_issued_by(before, issuer).unwrap_or(false)
    })
}

fn is_issued_by(certificate: &str, issuer: &str) -> Option<bool> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let issuer = CertificateDer::from_pem_slice(issuer.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&certificate).ok()?;
    let (_, issuer) = X509Certificate::from_der(&issuer).ok()?;
    let signed = match certificate.verify_signature(Some(issuer.public_key())) {
        Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm) => true,
        Err(_) => false,
    };
    Some(certificate.issuer().as_raw() == issuer.subject().as_raw() && signed)
}

/// When a certificate in PEM stops being valid, in seconds since 1970; `None` for what cannot be
/// read.
#[must_use]
pub fn certificate_end(pem: &str) -> Option<i64> {
    parsed(pem, |certificate| certificate.validity().not_after.timestamp()).ok()
}

fn parsed<T>(pem: &str, use_it: impl FnOnce(&X509Certificate<'_>) -> T) -> Result<T, &'static str> {
    const FAULT: &str = "a certificate that can be read; this one cannot";
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| FAULT)?;
    match X509Certificate::from_der(&der) {
        Ok(([], certificate)) => Ok(use_it(&certificate)),
        _ => Err(FAULT),
    }
}

// Wiped when it is no longer needed: the decoded key is a copy that no other code wipes.
fn private_key(pem: &str) -> Option<Zeroizing<PrivateKeyDer<'static>>> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok().map(Zeroizing::new)
}

struct Section<'a> {
    label: &'a str,
    text: &'a str,
}

// The armoured sections of a text that consists of nothing else; a last line end is not required.
fn sections(text: &str) -> Option<Vec<Section<'_>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let label = rest.strip_prefix("-----BEGIN ")?.split_once("-----")?.0;
        let end = format!("-----END {label}-----");
        let length = rest.find(&end)? + end.len();
        let (text, after) = rest.split_at_checked(length)?;
        // A second beginning inside would be armour that the decoder skips.
        if text.matches("-----BEGIN ").count() != 1 {
            return None;
        }
        found.push(Section { label, text });
        let after_line = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'));
        rest = match after_line {
            Some(next) => next,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    fn self_signed(name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.into()]).unwrap().self_signed(&key);
        (certificate.unwrap().pem().replace("\r\n", "\n"), key.serialize_pem())
    }

    #[test]
    fn a_certificate_stands_alone() {
        let (pem, key) = self_signed("a.example");
        let bare = pem.trim_end();
        for good in [&pem, bare, &pem.replace('\n', "\r\n")] {
            assert_eq!(certificate_check(good), Ok(()));
        }
        let damaged = pem.replacen("MI", "MA", 1);
        let two = format!("{pem}{pem}");
        for bad in [
            "",
            "x",
            &key,
            &damaged,
            &two,
            &format!(" {pem}"),
            &format!("{pem}\n"),
            &format!("Subject: x\n{pem}"),
            &format!("{bare} x"),
            &pem.replace('\n', " "),
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        ] {
            assert!(certificate_check(bad).is_err(), "{bad}");
        }
        assert_eq!(chain_check(&two), Ok(()));
        assert!(chain_check("").is_err());
    }

    #[test]
    fn a_private_key_is_unencrypted_and_readable() {
        let (certificate, key) = self_signed("a.example");
        assert_eq!(private_key_check(&key), Ok(()));
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(private_key_check(&encrypted).unwrap_err().contains("unencrypted"));
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert!(private_key_check(old).unwrap_err().contains("unencrypted"));
        let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for bad in ["", "x", junk, &certificate, &format!("{key}{key}")] {
            assert!(private_key_check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pairs_are_told_from_strangers_for_each_kind_of_key() {
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                CertificateParams::new(vec!["a.example".into()]).unwrap().self_signed(&key);
            let certificate = certificate.unwrap().pem();
            assert_eq!(pair_check(&certificate, &key.serialize_pem()), Ok(()));
            let other = KeyPair::generate_for(algorithm).unwrap().serialize_pem();
            assert_eq!(pair_check(&certificate, &other), Err(PairFault::Mismatch));
        }
        let rsa = (include_str!("../tests/data/rsa.crt"), include_str!("../tests/data/rsa.key"));
        assert_eq!(certificate_check(rsa.0), Ok(()));
        assert_eq!(private_key_check(rsa.1), Ok(()));
        assert_eq!(pair_check(rsa.0, rsa.1), Ok(()));
        assert_eq!(pair_check(&self_signed("b.example").0, rsa.1), Err(PairFault::Mismatch));
        assert_eq!(pair_check("x", rsa.1), Err(PairFault::Unreadable));
    }

    #[test]
    fn a_chain_is_linked_by_names_and_signatures() {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(root, root_key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["a.example".into()]).unwrap();
        let leaf_pem = leaf.signed_by(&leaf_key, &issuer).unwrap().pem();
        let stranger = self_signed("c.example").0;
        assert_eq!(chain_break(&leaf_pem, &[]), None);
        assert_eq!(chain_break(&leaf_pem, &[&root_pem]), None);
        assert_eq!(chain_break(&leaf_pem, &[&stranger]), Some(0));
        assert_eq!(chain_break(&leaf_pem, &[&root_pem, &stranger]), Some(1));
    }
}
