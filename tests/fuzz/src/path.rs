//! Request targets: what a path names, and that it leads back to itself.

use config_tree::{Key, NodePath};
use front_end::fuzzing::{Named, canonical, href, operation, query, route};
use hyper::Uri;

pub(crate) const WORDS: &[&str] = &[
    "/api/configuration/",
    "/boxwood/v1/revisions/",
    "/@order",
    "@order",
    "%40order",
    "%2F",
    "%2f",
    "%25",
    "%00",
    "%ff",
    "%C3%BC",
    "%ED%A0%80",
    "%2e%2e",
    "..",
    "//",
    "?path=",
    "%",
];

/// A request target as it stands in a request's first line.
pub fn fuzz_path(data: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(data) {
        a_node_path_reads_back_as_written(text);
        // hyper lets less through than this; the router must not rely on it.
        what_is_named_leads_back(text);
    }
    let Ok(uri) = Uri::try_from(data) else { return false };
    let path = uri.path();
    let named = what_is_named_leads_back(path);
    assert_eq!(named, expected(path), "{path:?}");
    uri.query().is_some_and(a_query_is_decoded_once)
        || operation(path).is_some()
        || matches!(named, Named::Node(_) | Named::Order(_))
}

fn a_node_path_reads_back_as_written(text: &str) {
    if let Ok(path) = NodePath::parse(text) {
        assert_eq!(path.to_string(), text);
        assert!(path.segments().iter().all(is_safe), "{path}");
    }
}

fn what_is_named_leads_back(path: &str) -> Named {
    let named = route(path);
    let shown = canonical(path);
    assert_eq!(canonical(&shown), shown, "a canonical path stays as it is");
    assert_eq!(route(&shown), named, "and names the same");
    assert_eq!(operation(&shown), operation(path));
    match &named {
        Named::Node(node) => {
            assert_eq!(route(&href(node)), named, "a node is found under the path it is shown at");
            assert!(node.segments().iter().all(is_safe), "{node}");
        }
        Named::Order(node) => {
            assert_eq!(route(&format!("{}/@order", href(node))), named);
            assert!(node.segments().iter().all(is_safe), "{node}");
        }
        Named::Other(_) | Named::Undecodable => {}
    }
    named
}

// Nothing of a path may end or change it when it is written elsewhere.
fn is_safe(key: &Key) -> bool {
    let text = key.as_str();
    !text.is_empty()
        && text.len() <= Key::MAX_BYTES
        && !text.contains('/')
        && !text.contains(char::is_control)
        && !text.starts_with('@')
        && text != "."
        && text != ".."
}

fn a_query_is_decoded_once(text: &str) -> bool {
    let Some(value) = query(text) else { return false };
    assert!(!value.contains(char::is_control), "{value:?}");
    let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(query(&format!("path={encoded}")).as_deref(), Some(value.as_str()));
    true
}

// The same in other words: split, decode each part, look at what they say.
fn expected(path: &str) -> Named {
    let parts: Option<Vec<String>> =
        path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let Some(parts) = parts else { return Named::Undecodable };
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    let Some(below) = words.strip_prefix(&["api", "configuration"]) else {
        return Named::Other(match words.as_slice() {
            ["api"] => "root",
            ["api", "authentication"] => "authentication",
            ["api", "authentication", "types"] => "authentication_types",
            ["api", "authentication", "login_methods"] => "login_methods",
            ["api", "info"] => "info",
            ["api", "setup"] => "setup",
            ["api", "transaction"] => "transaction",
            ["api", "transaction", "changes"] => "transaction_changes",
            _ => "unknown",
        });
    };
    let joined = format!("/{}", below.join("\u{0}"));
    // `x/@order` and `x@order` are the order of `x`.
    let (joined, is_order) = match joined.strip_suffix("@order") {
        Some(front) => (front.strip_suffix('\u{0}').unwrap_or(front).to_owned(), true),
        None => (joined, false),
    };
    let keys = joined[1..].split('\u{0}').filter(|_| joined.len() > 1);
    match NodePath::from_segments(keys) {
        Ok(path) if is_order => Named::Order(path),
        Ok(path) => Named::Node(path),
        Err(_) => Named::Other("unknown"),
    }
}

fn decoded(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = (piece.get(..2)?, piece.get(2..)?);
        let value = |digit: u8| char::from(digit).to_digit(16);
        let digits = digits.as_bytes();
        bytes.push(u8::try_from(value(digits[0])? * 16 + value(digits[1])?).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let text = String::from_utf8(bytes).ok()?;
    (!part.contains('%') || !text.contains(char::is_control)).then_some(text)
}
