//! What a client of the appliance may send: a body alone, or in the wrapper in which answers show it.

use catalog::Catalog;
use config_tree::NodePath;
use serde_json::Value;

/// The members of the wrapper around a body (SPS REST guide, "Message format").
const WRAPPER: [&str; 3] = ["body", "key", "meta"];

/// The body for a node, out of the wrapper in which an answer shows it; anything else as it is.
/// Where the schema itself has a member of such a name, there is no wrapper.
pub(super) fn unwrapped_for(catalog: &Catalog, path: &NodePath, value: Value) -> Value {
    // The catalog is asked only where there is something to ask.
    if !is_wrapped(&value) || WRAPPER.iter().any(|name| catalog.names_member(path, name)) {
        return value;
    }
    unwrapped(value)
}

/// The same for an element that is added to a list.
pub(super) fn element_unwrapped_for(catalog: &Catalog, path: &NodePath, value: Value) -> Value {
    if !is_wrapped(&value) || WRAPPER.iter().any(|name| catalog.element_names_member(path, name)) {
        return value;
    }
    unwrapped(value)
}

/// The body in the wrapper, with `key` and `meta` or without; anything else as it is.
pub(super) fn unwrapped(value: Value) -> Value {
    match value {
        wrapped if !is_wrapped(&wrapped) => wrapped,
        Value::Object(mut members) => members.remove("body").unwrap_or_default(),
        other => other,
    }
}

fn is_wrapped(value: &Value) -> bool {
    value.as_object().is_some_and(|members| {
        members.contains_key("body") && members.keys().all(|name| WRAPPER.contains(&name.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wrapper_of_an_answer_is_taken_off_and_nothing_else() {
        let catalog = Catalog::builtin("sps-6.2").unwrap().unwrap();
        let web = NodePath::parse("/management/webinterface").unwrap();
        let plain = json!({"timeout": 10});
        for wrapped in [
            json!({"body": plain}),
            json!({"body": plain, "key": "webinterface"}),
            json!({"body": plain, "key": "webinterface", "meta": {"href": "x"}}),
        ] {
            assert_eq!(unwrapped_for(&catalog, &web, wrapped), plain);
        }
        for other in [json!({"body": plain, "other": 1}), json!({"key": "x"}), json!([1]), plain] {
            assert_eq!(unwrapped_for(&catalog, &web, other.clone()), other);
        }
    }
}
