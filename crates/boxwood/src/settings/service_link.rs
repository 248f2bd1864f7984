//! Variables by which Kubernetes tells a pod where services are.
//!
//! A Service that is called `boxwood`, or `boxwood-something`, adds variables to every pod of its
//! namespace whose names begin as those of our settings do. They are passed over. Their values are
//! looked at as well, so that a misspelt setting is still refused.

use std::ffi::OsStr;
use std::net::IpAddr;

/// The protocols of a Service.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Whether the variable describes a Service: `BOXWOOD_SERVICE_HOST`, `BOXWOOD_PORT_8443_TCP_ADDR`
/// and so on.
pub(super) fn is_one(variable: &str, value: &OsStr) -> bool {
    let Some(value) = value.to_str() else { return false };
    is_of_service(variable, value) || is_of_link(variable, value)
}

/// `{NAME}_SERVICE_HOST`, `{NAME}_SERVICE_PORT` and `{NAME}_SERVICE_PORT_{PORT}`.
fn is_of_service(variable: &str, value: &str) -> bool {
    let Some((_, rest)) = variable.rsplit_once("_SERVICE_") else { return false };
    match rest {
        "HOST" => is_address(value),
        "PORT" => is_port(value),
        _ => rest.strip_prefix("PORT_").is_some_and(|name| !name.is_empty()) && is_port(value),
    }
}

/// `{NAME}_PORT`, `{NAME}_PORT_{NUMBER}_{PROTOCOL}` and that with `_PROTO`, `_PORT` and `_ADDR`.
fn is_of_link(variable: &str, value: &str) -> bool {
    if variable.ends_with("_PORT") && is_url(value) {
        return true;
    }
    let named = |protocol: &str| {
        let mark = format!("_{}", protocol.to_uppercase());
        variable.match_indices(&mark).any(|(at, _)| {
            let (before, after) = (&variable[..at], &variable[at + mark.len()..]);
            let is_link = before.rsplit_once("_PORT_").is_some_and(|(_, number)| is_port(number));
            is_link
                && match after {
                    "" => is_url(value),
                    "_PROTO" => value == protocol,
                    "_PORT" => is_port(value),
                    "_ADDR" => is_address(value),
                    _ => false,
                }
        })
    };
    PROTOCOLS.iter().any(|protocol| named(protocol))
}

/// `tcp://ADDRESS:PORT`.
fn is_url(value: &str) -> bool {
    let Some((protocol, rest)) = value.split_once("://") else { return false };
    let Some((address, port)) = rest.rsplit_once(':') else { return false };
    PROTOCOLS.contains(&protocol) && is_address(address) && is_port(port)
}

fn is_address(text: &str) -> bool {
    text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_sets_is_recognized_and_nothing_else() {
        for (variable, value) in [
            ("BOXWOOD_SERVICE_HOST", "10.96.0.7"),
            ("BOXWOOD_SERVICE_HOST", "fd00::7"),
            ("BOXWOOD_SERVICE_PORT", "8443"),
            ("BOXWOOD_SERVICE_PORT_HTTPS_API", "8443"),
            ("BOXWOOD_ADMIN_SERVICE_HOST", "10.96.0.7"),
            ("BOXWOOD_PORT", "tcp://10.96.0.7:8443"),
            ("BOXWOOD_PORT_8443_TCP", "tcp://10.96.0.7:8443"),
            ("BOXWOOD_PORT_8443_TCP", "tcp://[fd00::7]:8443"),
            ("BOXWOOD_PORT_8443_TCP_PROTO", "tcp"),
            ("BOXWOOD_PORT_8443_TCP_PORT", "8443"),
            ("BOXWOOD_PORT_8443_TCP_ADDR", "10.96.0.7"),
            ("BOXWOOD_PORT_53_UDP_PROTO", "udp"),
        ] {
            assert!(is_one(variable, OsStr::new(value)), "{variable}={value}");
        }
        for (variable, value) in [
            ("BOXWOOD_PORT", "8443"),
            ("BOXWOOD_PORT", "https://10.96.0.7:8443"),
            ("BOXWOOD_SERVICE_PORT", "https"),
            ("BOXWOOD_SERVICE_HOST", "localhost"),
            ("BOXWOOD_SERVICE_NAME", "8443"),
            ("BOXWOOD_PORT_8443_TCP_PROTO", "udp"),
            ("BOXWOOD_PORT_8443_TCP_NAME", "tcp"),
            ("BOXWOOD_LISTEN", "tcp://10.96.0.7:8443"),
            ("BOXWOOD_LIMITS_HEADER", "8"),
        ] {
            assert!(!is_one(variable, OsStr::new(value)), "{variable}={value}");
        }
    }
}
