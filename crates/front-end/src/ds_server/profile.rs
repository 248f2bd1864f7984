//! Security profiles: how they are stored, shown, and judged by the clock.

use config_tree::{Key, NodePath, Tree, node_path};
use serde_json::{Value, json};
use transaction_engine::Timestamp;
use zeroize::Zeroizing;

use crate::appliance::Appliance;
use crate::failure::{Failure, Place};

/// Where profiles are.
pub(super) fn profiles() -> &'static NodePath {
    node_path!("/security_profiles")
}

/// Where the secret stands in a profile.
pub(super) const SECRET: &str = "/clientCredentials/secret";

/// The path of a profile; `None` for a text that cannot be an id.
pub(super) fn path(id: &str) -> Option<NodePath> {
    let number: u64 = id.parse().ok()?;
    // One spelling for each.
    (number.to_string() == id).then(|| Key::parse(id).ok().map(|key| profiles().join(&key)))?
}

/// The path of a profile that is there.
///
/// # Errors
/// There is none, whatever the text is: an unknown id is 400 here.
pub(super) fn existing(tree: &Tree, id: &str) -> Result<NodePath, Failure> {
    let missing = || Failure::NotFound(Place::Node(profiles().clone()));
    path(id).filter(|path| tree.body(path).is_some()).ok_or_else(missing)
}

/// The profile that a client id belongs to.
pub(super) fn of_client(tree: &Tree, client: &str) -> Option<NodePath> {
    let key = tree.holders(profiles(), "/clientCredentials/id", &json!(client)).next()?;
    Some(profiles().join(key))
}

/// The body of a profile with its secret in clear, as the API shows it and as it is checked.
///
/// # Errors
/// The secret cannot be opened.
pub(super) fn revealed(
    appliance: &Appliance,
    tree: &Tree,
    path: &NodePath,
) -> Result<Value, Failure> {
    let mut value = tree.body(path).map(config_tree::Body::value).unwrap_or_default();
    let secret = appliance.engine.secret_reveal_in(tree, path, SECRET);
    put_secret(&mut value, secret)?;
    Ok(value)
}

/// Puts the clear text in the place of the sealed one.
///
/// # Errors
/// There is none.
pub(super) fn put_secret(
    value: &mut Value,
    secret: Option<Zeroizing<String>>,
) -> Result<(), Failure> {
    let place = value.pointer_mut(SECRET).ok_or(Failure::Internal)?;
    *place = json!(*secret.ok_or(Failure::Internal)?);
    Ok(())
}

/// A profile as GET shows it (DS Server documentation, security profiles).
pub(super) fn shown(id: &Key, body: &Value, now: Timestamp) -> Value {
    let uris = &body["clientCredentials"]["authorizedRedirectUris"];
    json!({
        "id": id.as_str().parse::<u64>().unwrap_or_default(),
        "name": body["name"],
        "allowClientCredentialsGrantType": body["allowClientCredentialsGrantType"],
        "clientCredentials": body["clientCredentials"],
        "creationDate": body["creationDate"],
        "expiryDate": body["expiryDate"],
        "isExpired": is_expired(body, now),
        "hasRedirectUriAuthorized": uris.as_array().is_some_and(|uris| !uris.is_empty()),
    })
}

/// Whether a profile gives no tokens any more.
pub(super) fn is_expired(body: &Value, now: Timestamp) -> bool {
    let expiry = body["expiryDate"].as_str().and_then(moment);
    expiry.is_some_and(|expiry| expiry <= now.as_micros())
}

// A date and time in microseconds; without an offset it is UTC.
fn moment(text: &str) -> Option<i64> {
    let with_offset = text.parse::<jiff::Timestamp>().ok();
    let in_utc = || {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        local.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    with_offset.or_else(in_utc).map(jiff::Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_in_their_one_spelling() {
        for (id, expected) in [("7", true), ("07", false), ("+7", false), ("x", false), ("", false)]
        {
            assert_eq!(path(id).is_some(), expected, "{id}");
        }
        assert!(path("99999999999999999999999").is_none());
    }

    #[test]
    fn a_profile_expires_at_its_moment_with_and_without_an_offset() {
        let now = Timestamp::from_micros(1_577_836_800_000_000);
        for (text, expected) in [
            ("2020-01-01T00:00:00Z", true),
            ("2020-01-01T00:00:00", true),
            ("2020-01-01T00:00:00.001", false),
            ("2020-01-01T01:00:00+02:00", true),
            ("2019-12-31T23:59:59.999-01:00", false),
        ] {
            assert_eq!(is_expired(&json!({ "expiryDate": text }), now), expected, "{text}");
        }
        assert!(!is_expired(&json!({ "expiryDate": null }), now));
    }
}
