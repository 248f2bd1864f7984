//! Texts that satisfy the rules of the built-in catalogs, for tests that make documents of schemas.

use crate::check::text_faults;
use crate::schema::TextRules;

/// A certificate and its private key.
pub(crate) const RSA: (&str, &str) =
    (include_str!("../tests/data/rsa.crt"), include_str!("../tests/data/rsa.key"));

/// Good ones and bad ones.
pub(crate) const TEXTS: [&str; 40] = [
    "",
    "a",
    "ab",
    "abc",
    "public",
    "some text",
    "none",
    "all",
    "x\u{0}y",
    "0x0123456789ABCDEF",
    "0x12",
    "192.0.2.1",
    "2001:db8::1",
    "mail.example.com",
    "localhost",
    "admin@example.com",
    "aec663b5-f5bd-4c93-bb51-36fea3328e58",
    "éü",
    "a/b",
    "@x",
    "k1.ports.a",
    "k1.ports.a.pins.b",
    "k1.ports.@order",
    "k1..a",
    "/special/basic",
    "America/New_York",
    "2.3.5.32",
    "http://tsa.example.com/",
    "10:10",
    "2024-02-29T23:59:59.5+02:00",
    "2024-02-29T23:59:59",
    "24:00",
    "PROTOCOL/ARCHIVEDATE/",
    "192.0.2.1/24",
    "ssh-rsa AAAA= somebody",
    "TLSv1_2",
    "k1.interfaces.a",
    "k1.interfaces.a.addresses.b",
    RSA.0,
    RSA.1,
];

/// The texts that satisfy some rules, at least one.
pub(crate) fn texts_for(rules: &TextRules) -> Vec<&'static str> {
    let fits = |text: &&str| text_faults(rules, text).is_empty();
    let texts: Vec<&str> = TEXTS.into_iter().filter(fits).collect();
    assert!(!texts.is_empty(), "a sample is missing for {rules:?}");
    texts
}
