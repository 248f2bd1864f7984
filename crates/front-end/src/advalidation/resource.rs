//! Profiles and rules: which members clients send and see, and how the one becomes the other.

use config_tree::{Body, Key, NodePath, Tree, node_path, number_of};
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Place};

/// The member of a rule that says whose it is. Clients have it in the path.
pub(super) const PARENT: &str = "parent";

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A connection profile.
    Profile,
    /// A rule of one.
    Rule,
}

impl Kind {
    /// Where its objects are.
    pub(super) fn collection(self) -> &'static NodePath {
        match self {
            Self::Profile => node_path!("/connection-profiles"),
            Self::Rule => node_path!("/connection-profile-rules"),
        }
    }

    /// The members that clients may send.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Profile => &["name", "withoutCookiesAction", "withCookiesAction"],
            Self::Rule => &["action", "type", "providerId", "customName", "customDescription"],
        }
    }

    /// What clients see: what is absent is null.
    pub(super) fn shown(self, key: &Key, body: &Body) -> Value {
        let value = body.value();
        let mut shown = Map::new();
        shown.insert("id".to_owned(), json!(number_of(key)));
        for name in ["createdAt", "updatedAt"].iter().chain(self.members()) {
            shown.insert((*name).to_owned(), value.get(name).cloned().unwrap_or_default());
        }
        Value::Object(shown)
    }

    /// What a client sent, without the members that it cannot set.
    ///
    /// # Errors
    /// It is not an object.
    pub(super) fn sent(self, body: Value) -> Result<Map<String, Value>, Failure> {
        let Value::Object(mut sent) = body else {
            return Err(Failure::BodyInvalid("The body must be a JSON object".to_owned()));
        };
        sent.retain(|name, _| self.members().contains(&name.as_str()));
        for value in sent.values_mut() {
            // JSON Schema takes 5.0 for an integer, this API does not: any fraction says so.
            if value.is_f64() {
                *value = json!(0.5);
            }
        }
        Ok(sent)
    }

    /// A new object from what a client sent; null is as good as absent.
    pub(super) fn made(mut sent: Map<String, Value>, parent: Option<&Key>) -> Value {
        sent.retain(|_, value| !value.is_null());
        if let Some(parent) = parent {
            sent.insert(PARENT.to_owned(), json!(parent.as_str()));
        }
        Value::Object(sent)
    }

    /// An object changed by what a client sent (RFC 7396, JSON Merge Patch): null removes a member.
    pub(super) fn merged(body: &Body, sent: &Map<String, Value>) -> Value {
        let mut value = body.value();
        let Value::Object(members) = &mut value else { return value };
        for (name, value) in sent {
            match value {
                Value::Null => _ = members.remove(name),
                value => _ = members.insert(name.clone(), value.clone()),
            }
        }
        // The client cannot be blamed for a provider that was there before the type changed.
        if sent.get("type").is_some_and(|kind| kind == "custom") && !sent.contains_key("providerId")
        {
            members.remove("providerId");
        }
        value
    }
}

/// The path and the body of a profile.
///
/// # Errors
/// There is none.
pub(super) fn profile<'t>(tree: &'t Tree, key: &Key) -> Result<(NodePath, &'t Body), Failure> {
    let path = Kind::Profile.collection().join(key);
    let body = tree.body(&path).ok_or(Failure::NotFound(Place::Request))?;
    Ok((path, body))
}

/// The path and the body of a rule of this profile.
///
/// # Errors
/// There is none.
pub(super) fn rule<'t>(
    tree: &'t Tree,
    parent: &Key,
    key: &Key,
) -> Result<(NodePath, &'t Body), Failure> {
    let (profile, _) = profile(tree, parent)?;
    let path = Kind::Rule.collection().join(key);
    let is_of = |body: &&Body| body.references().iter().any(|found| found.target == profile);
    let body = tree.body(&path).filter(is_of).ok_or(Failure::NotFound(Place::Request))?;
    Ok((path, body))
}

/// The rules of a profile, in the order of their ids.
///
/// # Errors
/// There is no such profile.
pub(super) fn rules(tree: &Tree, parent: &Key) -> Result<Vec<Key>, Failure> {
    let (profile, _) = profile(tree, parent)?;
    let referrers = tree.referrers(&profile);
    let mut keys: Vec<Key> = referrers.filter_map(|one| one.path.key().cloned()).collect();
    keys.sort_by_key(number_of);
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: &Value) -> Body {
        Body::new(value, Vec::new())
    }

    fn sent(kind: Kind, value: Value) -> Map<String, Value> {
        kind.sent(value).unwrap()
    }

    #[test]
    fn members_that_clients_cannot_set_are_left_out() {
        let value = json!({"id": 9, "createdAt": 5, "parent": "7", "body": {}, "name": "x"});
        assert_eq!(Value::Object(sent(Kind::Profile, value.clone())), json!({"name": "x"}));
        assert!(sent(Kind::Rule, value).is_empty());
        assert!(Kind::Profile.sent(json!([])).is_err());
    }

    #[test]
    fn a_number_with_a_fraction_is_not_an_integer_even_if_it_is_whole() {
        let sent = sent(Kind::Rule, json!({"providerId": 5.0}));
        assert_eq!(sent["providerId"], json!(0.5));
    }

    #[test]
    fn a_merge_replaces_adds_and_removes() {
        let before = body(&json!({"parent": "1", "type": "custom", "customName": "a"}));
        let patch = json!({"customName": "b", "customDescription": "c"});
        let merged = Kind::merged(&before, &sent(Kind::Rule, patch));
        let expected = json!(
            {"parent": "1", "type": "custom", "customName": "b", "customDescription": "c"}
        );
        assert_eq!(merged, expected);
        let merged = Kind::merged(&before, &sent(Kind::Rule, json!({"customName": null})));
        assert_eq!(merged, json!({"parent": "1", "type": "custom"}));
    }

    #[test]
    fn a_provider_goes_with_its_type_unless_it_is_sent() {
        let before = body(&json!({"type": "provider", "providerId": 7}));
        let merged = |patch| Kind::merged(&before, &sent(Kind::Rule, patch));
        let patch = json!({"type": "custom", "customName": "x"});
        assert_eq!(merged(patch.clone()), patch);
        let both = json!({"type": "custom", "customName": "x", "providerId": 8});
        assert_eq!(merged(both.clone()), both);
        assert_eq!(merged(json!({"type": "provider"})), before.value());
    }

    #[test]
    fn what_is_absent_is_shown_as_null() {
        let key = Key::parse("3").unwrap();
        let shown = Kind::Rule.shown(&key, &body(&json!({"parent": "1", "action": "pass"})));
        let expected = json!({
            "id": 3, "createdAt": null, "updatedAt": null, "action": "pass", "type": null,
            "providerId": null, "customName": null, "customDescription": null,
        });
        assert_eq!(shown, expected);
    }
}
