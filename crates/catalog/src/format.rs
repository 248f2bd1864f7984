//! The named formats of texts.
//!
//! Each answers with what the text must be, as the end of a sentence, because "does not match
//! format fqdn" helps nobody. Formats are decided here in full: nothing is looked up or resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::certificate;

/// A named format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Email,
    Ip,
    Ipv4,
    Ipv6,
    Fqdn,
    Cidr,
    PemCertificate,
    PemCertificateChain,
    PemPrivateKey,
    Uuid,
    NoWhitespace,
}

impl Format {
    pub(crate) const ALL: [Self; 11] = [
        Self::Email,
        Self::Ip,
        Self::Ipv4,
        Self::Ipv6,
        Self::Fqdn,
        Self::Cidr,
        Self::PemCertificate,
        Self::PemCertificateChain,
        Self::PemPrivateKey,
        Self::Uuid,
        Self::NoWhitespace,
    ];

    /// The name that `format` uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Ip => "ip",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Fqdn => "fqdn",
            Self::Cidr => "cidr",
            Self::PemCertificate => "pem-certificate",
            Self::PemCertificateChain => "pem-certificate-chain",
            Self::PemPrivateKey => "pem-private-key",
            Self::Uuid => "uuid",
            Self::NoWhitespace => "no-whitespace",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether a text is of this format; otherwise what it must be.
    pub(crate) fn check(self, text: &str) -> Result<(), &'static str> {
        let must = |holds: bool, be: &'static str| if holds { Ok(()) } else { Err(be) };
        match self {
            Self::Email => must(is_email(text), "an e-mail address, such as admin@example.com"),
            Self::Ip => must(text.parse::<IpAddr>().is_ok(), "an IPv4 or IPv6 address"),
            Self::Ipv4 => must(text.parse::<Ipv4Addr>().is_ok(), "an IPv4 address"),
            Self::Ipv6 => must(text.parse::<Ipv6Addr>().is_ok(), "an IPv6 address"),
            Self::Fqdn => {
                must(is_fqdn(text), "a fully qualified domain name, such as mail.example.com")
            }
            Self::Cidr => {
                must(is_cidr(text), "an IP address with a prefix length, such as 192.0.2.1/24")
            }
            Self::PemCertificate => certificate::certificate_check(text),
            Self::PemCertificateChain => certificate::chain_check(text),
            Self::PemPrivateKey => certificate::private_key_check(text),
            Self::Uuid => must(is_uuid(text), "a UUID in lower case"),
            Self::NoWhitespace => must(!text.contains(char::is_whitespace), "without whitespace"),
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c))
    };
    local.len() <= 64 && local.split('.').all(atom) && is_hostname(domain)
}

fn is_fqdn(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    name.contains('.') && is_hostname(name)
}

// Labels of letters, digits and inner hyphens. The last one is not a number, or an address with a
// slip in it (10.0.0.256) would pass as a name.
fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number =
        text.rsplit('.').next().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && !last_is_number
}

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let canonical = prefix.len() <= 3
        && prefix.bytes().all(|b| b.is_ascii_digit())
        && (prefix == "0" || !prefix.starts_with('0'));
    match (address.parse::<IpAddr>(), prefix.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => canonical && bits <= 32,
        (Ok(IpAddr::V6(_)), Ok(bits)) => canonical && bits <= 128,
        _ => false,
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_tell_good_from_bad() {
        let long_label = format!("{}.example", "a".repeat(64));
        for (format, good, bad) in [
            (
                Format::Email,
                &["admin@example.com", "a.b+c@mail.example", "root@localhost"][..],
                &[
                    "",
                    "admin",
                    "@example.com",
                    "a@",
                    "a b@example.com",
                    "a@@b.c",
                    ".a@b.c",
                    "a@-b.c",
                    "<a@b.c>",
                    "a@10.0.0.1",
                ][..],
            ),
            (
                Format::Ip,
                &["192.0.2.1", "2001:db8::1", "::"],
                &[
                    "",
                    "192.0.2",
                    "192.0.2.256",
                    "192.0.2.1/24",
                    "[::1]",
                    "fe80::1%eth0",
                    " 192.0.2.1",
                    "01.2.3.4",
                ],
            ),
            (Format::Ipv4, &["192.0.2.1"], &["::1", "x"]),
            (Format::Ipv6, &["::1"], &["192.0.2.1", "x"]),
            (
                Format::Fqdn,
                &["mail.example.com", "a-b.c", "mail.example.com.", "xn--nxasmq6b.example", "1.a"],
                &[
                    "",
                    "localhost",
                    "10.0.0.1",
                    "10.0.0.256",
                    "-a.b",
                    "a-.b",
                    "a..b",
                    ".a.b",
                    "a b.c",
                    "a_b.c",
                    "mail.example.com..",
                    &long_label,
                ],
            ),
            (
                Format::Cidr,
                &["192.0.2.1/24", "192.0.2.0/0", "2001:db8::/128"],
                &[
                    "192.0.2.1",
                    "192.0.2.1/33",
                    "192.0.2.1/024",
                    "192.0.2.1/+4",
                    "::/129",
                    "/24",
                    "192.0.2.1/",
                ],
            ),
            (
                Format::Uuid,
                &["aec663b5-f5bd-4c93-bb51-36fea3328e58"],
                &["AEC663B5-f5bd-4c93-bb51-36fea3328e58", "aec663b5f5bd4c93bb5136fea3328e58", ""],
            ),
            (Format::NoWhitespace, &["", "a-b"], &["a b", "a\u{a0}b", "\n"]),
        ] {
            for text in good {
                assert_eq!(format.check(text), Ok(()), "{format:?} {text}");
            }
            for text in bad {
                assert!(format.check(text).is_err(), "{format:?} {text}");
            }
        }
    }

    #[test]
    fn names_read_back_and_are_in_the_manual() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.name()), Some(format));
            let manual = include_str!("../../../docs/CATALOG.md");
            assert!(manual.contains(&format!("`{}`", format.name())), "{format:?}");
        }
    }
}
