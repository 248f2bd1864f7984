//! What the tests share: short ways to write paths, trees and expectations.

use catalog::{Catalog, SecretReader, Violation, Violations};
use config_tree::{Body, NodePath, Tree};
use serde_json::Value;
use zeroize::Zeroizing;

/// A seal that everyone can break.
pub(crate) struct Sealed;

impl SecretReader for Sealed {
    fn reveal(&self, path: &NodePath, pointer: &str, sealed: &str) -> Option<Zeroizing<String>> {
        let text = sealed.strip_prefix(&format!("sealed {path}{pointer} "))?;
        Some(Zeroizing::new(text.to_owned()))
    }
}

pub(crate) fn path(text: &str) -> NodePath {
    NodePath::parse(text).unwrap()
}

pub(crate) fn sps() -> Catalog {
    Catalog::builtin("sps-6.2").unwrap().unwrap_or_else(|error| panic!("{error}"))
}

/// Checks a body and seals its secrets, as an engine does before it stores one.
pub(crate) fn body(catalog: &Catalog, at: &NodePath, value: Value) -> Result<Body, Violations> {
    let mut checked = catalog.check_body(at, value)?;
    for pointer in &checked.secrets {
        let secret = checked.value.pointer_mut(pointer).unwrap();
        *secret = format!("sealed {at}{pointer} {}", secret.as_str().unwrap()).into();
    }
    Ok(Body::new(&checked.value, checked.references))
}

/// Stores a body that fits.
pub(crate) fn put(catalog: &Catalog, tree: &mut Tree, at: &str, value: Value) {
    let at = path(at);
    let body = body(catalog, &at, value).unwrap();
    match tree.body(&at) {
        Some(_) => drop(tree.object_replace(&at, body).unwrap()),
        None => tree.object_create(&at, body, None).unwrap(),
    }
}

/// Pointer and rule of each violation.
pub(crate) fn brief(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|v| format!("{} {}", v.pointer, v.rule)).collect()
}
