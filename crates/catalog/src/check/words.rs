//! The words of which violations are made.

use serde_json::Value;

use super::Trail;
use crate::schema::{Condition, JsonType, integral};

// `smtp_auth.enabled` is true and …
pub(super) fn phrase(condition: &Condition, at: &Trail<'_>) -> String {
    let one = |(name, values): &(String, Vec<Value>)| {
        format!("{} is {}", at.name(name).shown(), alternatives(values.iter()))
    };
    list(condition.0.iter().map(one), "and")
}

pub(super) fn alternatives<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    list(values.map(plain), "or")
}

// A value that the catalog's author wrote.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(
        || value.to_string(),
        |text| match text {
            "" => "the empty text".to_owned(),
            _ => text.to_owned(),
        },
    )
}

pub(super) fn list(words: impl Iterator<Item = String>, last: &str) -> String {
    let words: Vec<String> = words.collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., end] => format!("{} {last} {end}", front.join(", ")),
    }
}

/// A number of things.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

pub(super) fn article(value: &Value) -> &'static str {
    match JsonType::of(value) {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number with a fraction or beyond 64 bits",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    }
}

// A text that is equal for equal values, one and one point zero included.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            integral(number).map_or_else(|| number.to_string(), |whole| whole.to_string())
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        _ => value.to_string(),
    }
}
