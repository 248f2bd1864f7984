//! The named formats of texts.
//!
//! Each answers with what the text must be, as the end of a sentence, because "does not match
//! format fqdn" does not help. Formats are decided here in full: nothing is looked up or resolved.

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
    DateTime,
    /// Where the offset is missing, UTC is meant.
    DateTimeUtc,
    Uri,
    TimeZone,
}

impl Format {
    pub(crate) const ALL: [Self; 15] = [
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
        Self::DateTime,
        Self::DateTimeUtc,
        Self::Uri,
        Self::TimeZone,
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
            Self::DateTime => "date-time",
            Self::DateTimeUtc => "date-time-or-utc",
            Self::Uri => "uri",
            Self::TimeZone => "time-zone",
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
            Self::DateTime => {
                must(is_date_time(text, false), "a time, such as 2024-01-31T23:59:59Z")
            }
            Self::DateTimeUtc => {
                must(is_date_time(text, true), "a time, such as 2024-01-31T23:59:59Z")
            }
            Self::Uri => must(is_uri(text), "a URI, such as https://example.com/a"),
            Self::TimeZone => {
                must(is_time_zone(text), "the name of a time zone, such as America/New_York")
            }
            Self::NoWhitespace => must(!text.contains(char::is_whitespace), "without whitespace"),
        }
    }
}

// The names of the IANA database, in alphabetical order, former ones included: none of them goes
// away. They are part of the program, so that a body is judged alike on every machine.
fn is_time_zone(text: &str) -> bool {
    const NAMES: &str = include_str!("time_zones.txt");
    NAMES.lines().any(|name| name == text)
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

// RFC 3339: a date, a time of day, perhaps a fraction, and an offset.
fn is_date_time(text: &str, offset_may_be_missing: bool) -> bool {
    let Some((date, rest)) = text.split_once(['T', 't']) else { return false };
    let numbers = |text: &str, widths: &[usize], separator: char| -> Option<Vec<u32>> {
        let parts: Vec<&str> = text.split(separator).collect();
        let fits = |(part, width): (&&str, &usize)| {
            part.len() == *width && part.bytes().all(|b| b.is_ascii_digit())
        };
        let all = parts.len() == widths.len() && parts.iter().zip(widths).all(fits);
        all.then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
    };
    let day = numbers(date, &[4, 2, 2], '-').is_some_and(|date| {
        let leap = date[0].is_multiple_of(4)
            && (!date[0].is_multiple_of(100) || date[0].is_multiple_of(400));
        let days = match date[1] {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&date[2])
    });
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
    let (time, offset) = rest.split_at(end.unwrap_or(rest.len()));
    let (time, fraction) = time.split_once('.').map_or((time, "0"), |(time, part)| (time, part));
    let clock = |text: &str, widths: &[usize]| {
        numbers(text, widths, ':').is_some_and(|time| {
            time[0] < 24 && time[1] < 60 && time.get(2).is_none_or(|second| *second < 60)
        })
    };
    let fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    let offset = match offset {
        "Z" | "z" => true,
        "" => offset_may_be_missing,
        _ => offset.strip_prefix(['+', '-']).is_some_and(|text| clock(text, &[2, 2])),
    };
    day && clock(time, &[2, 2, 2]) && fraction && offset
}

// RFC 3986 as far as it is worth refusing: a scheme, and no character that a URI cannot have.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    let scheme = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let mut bytes = rest.bytes();
    let mut allowed = true;
    while let Some(byte) = bytes.next() {
        allowed &= match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|b| b.is_ascii_hexdigit())),
            _ => byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte),
        };
    }
    scheme && !rest.is_empty() && allowed
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
            (
                Format::DateTime,
                &[
                    "2024-01-31T23:59:59Z",
                    "2024-02-29t00:00:00.123456789-07:00",
                    "2000-02-29T00:00:00z",
                ],
                &[
                    "",
                    "2024-01-31",
                    "2024-01-31T23:59:59",
                    "2023-02-29T00:00:00Z",
                    "1900-02-29T00:00:00Z",
                    "2024-13-01T00:00:00Z",
                    "2024-04-31T00:00:00Z",
                    "2024-01-31T24:00:00Z",
                    "2024-01-31T23:59Z",
                    "2024-01-31T23:59:59.Z",
                    "2024-01-31T23:59:59+0100",
                    "2024-01-31T23:59:59+01:60",
                    "2024-01-31 23:59:59Z",
                    "24-01-31T23:59:59Z",
                    "2024-1-31T23:59:59Z",
                    "2024-01-31T23:59:59ZZ",
                ],
            ),
            (Format::DateTimeUtc, &["2024-01-31T23:59:59", "2024-01-31T23:59:59.5Z"], &["x"]),
            (
                Format::Uri,
                &["https://example.com/a?b=%20#c", "urn:a:b"],
                &["", "/a", "https:", "a b:c", "http://a b", "x:%2", "1a:b", "http://é"],
            ),
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
