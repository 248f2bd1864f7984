//! Secrets in a body: taken out before it is shown, and put back.

use config_tree::pointer::unescape;
use serde_json::Value;

/// Takes out what stands at a JSON Pointer.
pub(crate) fn take_out(value: &mut Value, pointer: &str) {
    match holder(value, pointer) {
        Some((Value::Object(members), name)) => _ = members.remove(&name),
        // Taking an element away would move the others; a hole says that something is there.
        Some((Value::Array(elements), place)) => {
            if let Some(element) = place.parse().ok().and_then(|at: usize| elements.get_mut(at)) {
                *element = Value::Null;
            }
        }
        _ => {}
    }
}

/// Puts a text where [`take_out`] took one; whether there was a place for it.
pub(crate) fn put_back(value: &mut Value, pointer: &str, secret: Value) -> bool {
    match holder(value, pointer) {
        Some((Value::Object(members), name)) => members.insert(name, secret).is_none(),
        Some((Value::Array(elements), place)) => {
            let element = place.parse().ok().and_then(|at: usize| elements.get_mut(at));
            element.filter(|element| element.is_null()).map(|element| *element = secret).is_some()
        }
        _ => false,
    }
}

// The value in which a pointer's last step is taken, and that step.
fn holder<'v>(value: &'v mut Value, pointer: &str) -> Option<(&'v mut Value, String)> {
    let (parent, name) = pointer.rsplit_once('/')?;
    Some((value.pointer_mut(parent)?, unescape(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_taken_out_can_be_put_back() {
        let whole = json!({"a": {"b~/": "x"}, "l": ["y", "z"]});
        let mut value = whole.clone();
        for pointer in ["/a/b~0~1", "/l/1"] {
            take_out(&mut value, pointer);
        }
        assert_eq!(value, json!({"a": {}, "l": ["y", null]}));
        assert!(put_back(&mut value, "/a/b~0~1", json!("x")));
        assert!(put_back(&mut value, "/l/1", json!("z")));
        assert_eq!(value, whole);
        for taken in ["/a/b~0~1", "/l/0", "/l/9", "/n/m", ""] {
            assert!(!put_back(&mut value, taken, json!("w")), "{taken}");
        }
    }
}
