//! An address to listen on, as settings and flags have it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// How a listener is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// TLS.
    Https,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// An address to listen on, as in `https://127.0.0.1:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenUrl {
    /// Clear text or TLS.
    pub scheme: Scheme,
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The port; 0 asks the system for a free one.
    pub port: u16,
}

/// What is wrong with a listening address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the listening address {url:?} {fault}; an example is \"https://127.0.0.1:8443\"")]
pub struct ListenUrlError {
    url: String,
    fault: &'static str,
}

impl ListenUrlError {
    /// What is wrong, as the rest of a sentence whose subject is the address.
    pub fn fault(&self) -> &'static str {
        self.fault
    }
}

impl ListenUrl {
    /// Whether only this machine can reach it. A name counts only if it is `localhost`: what any other
    /// name will stand for when it is looked up is not known here.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => return Err("does not begin with \"http://\" or \"https://\""),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err("has more than a host and a port in it");
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) =
                    bracketed.split_once(']').ok_or("has no \"]\" after its IPv6 address")?;
                host.parse::<Ipv6Addr>()
                    .map_err(|_| "has something other than an IPv6 address in brackets")?;
                (host, port.strip_prefix(':').ok_or("has no port")?)
            }
            None => rest.rsplit_once(':').ok_or("has no port")?,
        };
        if host.is_empty() {
            return Err("has no host");
        }
        if host.contains(':') && !rest.starts_with('[') {
            return Err("has an IPv6 address without brackets");
        }
        let is_name = |host: &str| {
            host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
                // Only digits and dots, and yet no address: a mistyped one, not a name.
                && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if host.parse::<IpAddr>().is_err() && !is_name(host) {
            return Err("has a host that is neither an IP address nor a name");
        }
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or("has a port that is not a number from 0 to 65535")?;
        Ok(Self { scheme, host: host.to_owned(), port })
    }
}

impl FromStr for ListenUrl {
    type Err = ListenUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).map_err(|fault| ListenUrlError { url: text.to_owned(), fault })
    }
}

impl fmt::Display for ListenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        for text in [
            "https://127.0.0.1:8443",
            "http://127.0.0.1:0",
            "http://[::1]:80",
            "https://localhost:8443",
        ] {
            let url: ListenUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
            assert!(url.is_loopback(), "{text}");
        }
        for text in ["https://0.0.0.0:443", "http://[::]:80", "https://box.example:8443"] {
            assert!(!text.parse::<ListenUrl>().unwrap().is_loopback(), "{text}");
        }
        assert_eq!("http://localhost:80/".parse::<ListenUrl>().unwrap().port, 80);
    }

    #[test]
    fn faults_of_urls_are_named() {
        let table = [
            ("127.0.0.1:8443", "does not begin with"),
            ("ftp://127.0.0.1:1", "does not begin with"),
            ("https://127.0.0.1", "has no port"),
            ("https://:8443", "has no host"),
            ("https://127.0.0.1:", "has a port that is not a number"),
            ("https://127.0.0.1:+1", "has a port that is not a number"),
            ("https://127.0.0.1:65536", "has a port that is not a number"),
            ("https://127.0.0.1:1/api", "has more than a host and a port"),
            ("https://::1:80", "has an IPv6 address without brackets"),
            ("https://[::1:80", "has no \"]\""),
            ("https://[::1]80", "has no port"),
            ("https://[box]:80", "has something other than an IPv6 address in brackets"),
        ];
        for (text, fault) in table {
            let error = text.parse::<ListenUrl>().unwrap_err().to_string();
            assert!(error.contains(fault), "{text}: {error}");
            assert!(error.ends_with("an example is \"https://127.0.0.1:8443\""), "{error}");
        }
    }
}
