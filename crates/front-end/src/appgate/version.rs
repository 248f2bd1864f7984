//! Which version of the API a request asks for, by its `Accept`, and what a version shows.

use hyper::HeaderMap;
use hyper::header::ACCEPT;
use serde_json::{Map, Value};

use super::route::Resource;

/// The oldest version that is spoken.
pub(super) const OLDEST: u32 = 17;

/// The newest version that is spoken.
pub(super) const NEWEST: u32 = 23;

/// What of a refused `Accept` is repeated, in characters.
const REPEATED: usize = 200;

/// The version that a request asks for.
///
/// # Errors
/// None of those that are spoken. What was sent, cut to a length for a message.
pub(super) fn negotiate(headers: &HeaderMap) -> Result<u32, String> {
    let sent: Vec<&str> =
        headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    let sent = sent.join(", ");
    let asked = sent.split(',').filter_map(one_type).filter(|(_, weight)| *weight > 0);
    let best = asked.max_by_key(|(version, weight)| (*weight, *version));
    best.map(|(version, _)| version).ok_or_else(|| sent.chars().take(REPEATED).collect())
}

// The version that one media type names, and its weight in thousandths.
fn one_type(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let digits = kind.strip_prefix("application/vnd.appgate.peer-v")?.strip_suffix("+json")?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let version = digits.parse().ok().filter(|version| (OLDEST..=NEWEST).contains(version))?;
    let mut weight = 1000;
    for part in parts {
        if let Some(text) = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")) {
            weight = thousandths(text.trim())?;
        }
    }
    Some((version, weight))
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !are_digits {
        return None;
    }
    let weight: u32 = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1000).then_some(weight)
}

/// Takes out of an object what a version does not have.
pub(super) fn gate(resource: Resource, version: u32, members: &mut Map<String, Value>) {
    let newer: &[(&str, u32)] = match resource {
        Resource::Profiles => {
            &[("globalHostname", 18), ("exported", 18), ("type", 20), ("profileUrls", 20)]
        }
        Resource::Policies => &[("clientProfileSettings", 18)],
        _ => &[],
    };
    for (name, since) in newer {
        if version < *since {
            members.remove(*name);
        }
    }
    let settings = members.get_mut("clientProfileSettings").and_then(Value::as_object_mut);
    if let Some(settings) = settings.filter(|_| resource == Resource::Policies && version < 19) {
        settings.remove("force");
    }
}

/// Keeps in a replacement what the client's version cannot know.
pub(super) fn keep(version: u32, stored: &Value, members: &mut Map<String, Value>) {
    const SETTINGS: &str = "clientProfileSettings";
    let Some(kept) = stored.get(SETTINGS) else { return };
    if version < 18 {
        members.insert(SETTINGS.to_owned(), kept.clone());
    } else if version < 19
        && let Some(settings) = members.get_mut(SETTINGS).and_then(Value::as_object_mut)
        && let Some(force) = kept.get("force")
    {
        settings.insert("force".to_owned(), force.clone());
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_best_version_among_types_and_weights_is_taken() {
        let v = |n: u32| format!("application/vnd.appgate.peer-v{n}+json");
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(text).unwrap());
            negotiate(&headers).ok()
        };
        for (text, expected) in [
            (v(23), Some(23)),
            (v(17).to_uppercase(), Some(17)),
            (format!("{}, {}", v(17), v(20)), Some(20)),
            (format!("{};q=0.5, {};q=0.4", v(17), v(20)), Some(17)),
            (format!("application/json, {} ; q=0.1", v(18)), Some(18)),
            (format!("{}, {}", v(5), v(19)), Some(19)),
            (format!("{};q=0", v(19)), None),
            (format!("{};q=2", v(19)), None),
            (v(16), None),
            (v(24), None),
            ("*/*".to_owned(), None),
            ("application/json".to_owned(), None),
            ("application/vnd.appgate.peer-v+json".to_owned(), None),
            ("application/vnd.appgate.peer-v+18+json".to_owned(), None),
            ("application/vnd.appgate.peer-v99999999999999999999+json".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(read(&text), expected, "{text}");
        }
        assert!(negotiate(&HeaderMap::new()).is_err());
    }
}
