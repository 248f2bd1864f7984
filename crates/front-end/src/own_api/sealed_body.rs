//! Bodies that hold secrets, changed without being shown.
//!
//! While a body is changed, a marker that cannot be guessed stands in the place of each secret: a patch
//! can neither test a secret nor copy it to where it would be shown.

use config_tree::NodePath;
use serde_json::Value;
use transaction_engine::Edit as Staging;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::failure::{Failure, Place};
use crate::json::wipe;
use crate::secret_places::put_back;

/// A body with a marker in the place of each secret.
pub(super) struct SealedBody {
    value: Value,
    // Where each secret stood, its marker, and its text.
    secrets: Vec<(String, String, Zeroizing<String>)>,
}

impl SealedBody {
    /// Replaces a body. A secret that the new one leaves out, as it is left out where the node is
    /// shown, stays as it was if the new body has a place for it.
    pub(super) fn put(
        staging: &mut Staging<'_>,
        path: &NodePath,
        body: &Value,
    ) -> Result<(), Failure> {
        let kept = Self::of(staging, path)?;
        let mut with_secrets = body.clone();
        let mut filled = false;
        for (pointer, _, secret) in &kept.secrets {
            if is_left_out(&with_secrets, pointer) {
                filled |= put_back(&mut with_secrets, pointer, Value::String(secret.to_string()));
            }
        }
        if !filled {
            return Self::store(staging, path, with_secrets);
        }
        let fits = |body: &Value| staging.catalog().check_body(path, body.clone()).is_ok();
        // Another branch of a union may have no place for what the former one had.
        if fits(body) && !fits(&with_secrets) {
            wipe(&mut with_secrets);
            return Self::store(staging, path, body.clone());
        }
        Self::store(staging, path, with_secrets)
    }

    /// Changes a body in place.
    pub(super) fn change(
        staging: &mut Staging<'_>,
        path: &NodePath,
        change: impl FnOnce(&mut Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut sealed = Self::of(staging, path)?;
        change(&mut sealed.value)?;
        let mut value = std::mem::take(&mut sealed.value);
        for pointer in staging.catalog().secrets(path, &value) {
            let Some(place) = value.pointer_mut(&pointer) else { continue };
            let known = sealed.secrets.iter().find(|(_, marker, _)| *place == marker.as_str());
            if let Some((_, _, secret)) = known {
                *place = Value::String(secret.to_string());
            }
        }
        if sealed.secrets.iter().any(|(_, marker, _)| holds(&value, marker)) {
            wipe(&mut value);
            let message = "A secret cannot be copied or moved to where it would be shown";
            return Err(Failure::malformed(message, ""));
        }
        Self::store(staging, path, value)
    }

    fn of(staging: &Staging<'_>, path: &NodePath) -> Result<Self, Failure> {
        let missing = || Failure::NotFound(Place::Node(path.clone()));
        let mut value = staging.tree().body(path).ok_or_else(missing)?.value();
        let mut secrets = Vec::new();
        for pointer in staging.catalog().secrets(path, &value) {
            let secret = staging.secret_reveal(path, &pointer).ok_or(Failure::Internal)?;
            let marker = format!("secret {}", Uuid::new_v4());
            let place = value.pointer_mut(&pointer).ok_or(Failure::Internal)?;
            *place = Value::String(marker.clone());
            secrets.push((pointer, marker, secret));
        }
        Ok(Self { value, secrets })
    }

    // What only the appliance sets may be sent as it is: a client that puts back what was shown does so.
    fn store(staging: &mut Staging<'_>, path: &NodePath, mut value: Value) -> Result<(), Failure> {
        if let Err(violations) = staging.catalog().check_body(path, value.clone()) {
            let former = staging.tree().body(path).map(config_tree::Body::value);
            for violation in violations.iter().filter(|one| one.rule == catalog::rule::READ_ONLY) {
                let pointer = violation.pointer.as_str();
                let is_same = former.as_ref().is_some_and(|former| {
                    former.pointer(pointer).is_some_and(|it| value.pointer(pointer) == Some(it))
                });
                if is_same {
                    crate::secret_places::take_out(&mut value, pointer);
                }
            }
        }
        Ok(staging.node_put(path, value)?)
    }
}

// In an object the member is not there; in a list, whose elements keep their places, null is.
fn is_left_out(body: &Value, pointer: &str) -> bool {
    let Some((holder, _)) = pointer.rsplit_once('/') else { return false };
    match body.pointer(holder) {
        Some(Value::Object(_)) => body.pointer(pointer).is_none(),
        Some(Value::Array(_)) => body.pointer(pointer).is_some_and(Value::is_null),
        _ => false,
    }
}

fn holds(value: &Value, marker: &str) -> bool {
    match value {
        Value::String(text) => text.contains(marker),
        Value::Array(items) => items.iter().any(|item| holds(item, marker)),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(marker) || holds(value, marker))
        }
        _ => false,
    }
}
