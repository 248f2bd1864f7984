//! Secrets as the API shows them: `-AQ==` and more, longer than any that is accepted as clear text.
//!
//! The form is a hash of the sealed text, so it gives nothing away and stays the same as long as
//! the secret does. A client that sends it back keeps the secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use catalog::{Catalog, Layer, Violation, rule};
use config_tree::NodePath;
use serde_json::Value;
use transaction_engine::Edit;

/// What every form begins with, and no clear text may.
const MARK: &str = "-AQ==";

/// Longer than the longest clear text, 128 characters, when it is encoded.
const BYTES: usize = 108;

fn form(sealed: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("boxwood 2026 shown form of a sealed secret");
    hasher.update(sealed.as_bytes());
    let mut bytes = [0; BYTES];
    hasher.finalize_xof().fill(&mut bytes);
    format!("{MARK}{}", STANDARD.encode(bytes))
}

/// Shows the secrets of a body.
pub(super) fn show(catalog: &Catalog, path: &NodePath, value: &mut Value) {
    for pointer in catalog.secrets(path, value) {
        if let Some(Value::String(text)) = value.pointer_mut(&pointer) {
            *text = form(text);
        }
    }
}

/// Puts the clear text in the place of each form that a client sends back. A form that is none of
/// the object's is refused.
pub(super) fn take_back(
    edit: &Edit<'_>,
    path: &NodePath,
    value: &mut Value,
) -> Result<(), Vec<Violation>> {
    let catalog = edit.catalog();
    let former = edit.tree().body(path).map(config_tree::Body::value).unwrap_or_default();
    let former_places = catalog.secrets(path, &former);
    let mut unknown = Vec::new();
    for pointer in catalog.secrets(path, value) {
        let Some(Value::String(text)) = value.pointer_mut(&pointer) else { continue };
        if !text.starts_with(MARK) {
            continue;
        }
        let is_it = |place: &&String| {
            let sealed = former.pointer(place).and_then(Value::as_str);
            sealed.is_some_and(|sealed| form(sealed) == *text)
        };
        let place = former_places.iter().find(is_it);
        match place.and_then(|place| edit.secret_reveal(path, place)) {
            Some(clear) => clear.as_str().clone_into(text),
            None => unknown.push(Violation {
                path: path.clone(),
                pointer,
                rule: rule::PATTERN,
                layer: Layer::Shape,
                message: "the encrypted form is not one of this object; send the clear text"
                    .to_owned(),
                also: Vec::new(),
            }),
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(unknown) }
}
