//! The value of `set` as it is written on a command line: JSON, or a text where the schema has one.

use serde_json::Value;

use crate::error::AskError;

/// Reads a value for a place of a body, whose schema decides what is not clear.
pub(crate) fn read(text: &str, schema: &Value, pointer: &str) -> Result<Value, AskError> {
    let mut types = Vec::new();
    let is_known = collect(schema, &steps(pointer), &mut types);
    let takes_text = types.iter().any(|one| one == "string");
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::String(_)) => Ok(value),
        Ok(value) if takes_text && !types.iter().any(|one| fits(one, &value)) => {
            Ok(Value::String(text.to_owned()))
        }
        Ok(value) => Ok(value),
        Err(_) if takes_text || !is_known => Ok(Value::String(text.to_owned())),
        Err(_) => Err(AskError::Usage(format!(
            "{text:?} is not JSON, and {pointer} takes {}: write numbers, true, false and null as \
             they are, lists and objects in quotes of the shell: '[\"a\", \"b\"]'",
            listed(&types)
        ))),
    }
}

fn listed(types: &[String]) -> String {
    let mut types = types.to_vec();
    types.sort();
    types.dedup();
    if types.is_empty() { "another type".to_owned() } else { types.join(" or ") }
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_string(),
    }
}

fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

// The types that a schema has at a place; whether it says anything of the place.
fn collect(schema: &Value, steps: &[String], types: &mut Vec<String>) -> bool {
    let mut found = false;
    for word in ["anyOf", "oneOf", "allOf"] {
        for branch in schema[word].as_array().into_iter().flatten() {
            found |= collect(branch, steps, types);
        }
    }
    for word in ["then", "else"] {
        found |= schema[word].is_object() && collect(&schema[word], steps, types);
    }
    let Some((step, rest)) = steps.split_first() else {
        let before = types.len();
        match &schema["type"] {
            Value::String(one) => types.push(one.clone()),
            Value::Array(all) => {
                types.extend(all.iter().filter_map(|it| it.as_str().map(str::to_owned)))
            }
            _ => {}
        }
        for value in schema["enum"].as_array().into_iter().flatten().chain(schema.get("const")) {
            let kinds = ["null", "boolean", "integer", "number", "array", "object", "string"];
            types.extend(kinds.iter().find(|kind| fits(kind, value)).map(|it| (*it).to_owned()));
        }
        return found || types.len() > before;
    };
    let own = &schema["properties"][step.as_str()];
    if own.is_object() {
        return collect(own, rest, types) || found;
    }
    let is_place = step == "-" || step.parse::<usize>().is_ok();
    if is_place && schema["items"].is_object() {
        return collect(&schema["items"], rest, types) || found;
    }
    let others = &schema["additionalProperties"];
    if others.is_object() { collect(others, rest, types) || found } else { found }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_decides_what_is_not_clear() {
        let schema = json!({"properties": {
            "text": {"type": "string"},
            "number": {"type": ["integer", "null"]},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "list": {"type": "array", "items": {"type": "string"}},
            "on": {"enum": [true, false]},
        }});
        let read = |pointer: &str, text: &str| read(text, &schema, pointer);
        for (pointer, text, expected) in [
            ("/text", "hello", json!("hello")),
            ("/text", "12", json!("12")),
            ("/text", "\"12\"", json!("12")),
            ("/number", "12", json!(12)),
            ("/number", "null", json!(null)),
            ("/either", "12", json!(12)),
            ("/list/-", "x", json!("x")),
            ("/list", "[\"a\"]", json!(["a"])),
            ("/on", "true", json!(true)),
            ("/unknown", "free text", json!("free text")),
        ] {
            assert_eq!(read(pointer, text).unwrap(), expected, "{pointer} {text}");
        }
        let refused = read("/number", "twelve").unwrap_err().to_string();
        assert!(refused.contains("integer or null") && refused.contains("quotes"), "{refused}");
    }
}
