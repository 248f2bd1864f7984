//! What of a node a request wants to see: members of bodies, and children whose bodies fit.

use std::cmp::Ordering;

use config_tree::pointer;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// The members of bodies to show, as JSON Pointers.
#[derive(Debug)]
pub(super) struct Fields(Vec<String>);

impl Fields {
    /// Reads names and pointers with commas between.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let fields: Vec<String> =
            text.split(',').map(str::trim).filter(|f| !f.is_empty()).map(pointer_of).collect();
        if fields.is_empty() {
            let message = "`fields` must have names of members or JSON Pointers, with commas";
            return Err(Failure::malformed(message, ""));
        }
        Ok(Self(fields))
    }

    /// A body with these members only; one that is not an object is shown whole.
    pub(super) fn of(&self, body: &Value) -> Value {
        if !body.is_object() {
            return body.clone();
        }
        let mut shown = Value::Object(Map::new());
        for field in &self.0 {
            if let Some(value) = body.pointer(field) {
                place(&mut shown, field, value.clone());
            }
        }
        shown
    }
}

// A name is short for the pointer to it.
fn pointer_of(text: &str) -> String {
    if text.starts_with('/') { text.to_owned() } else { format!("/{}", pointer::escape(text)) }
}

// Puts a value where it was, below objects that are made on the way. An element of a list is left
// out, since it would have no place.
fn place(shown: &mut Value, field: &str, value: Value) {
    let mut at = shown;
    let mut steps = pointer::steps(field).peekable();
    while let Some(step) = steps.next() {
        let Value::Object(members) = at else { return };
        if steps.peek().is_none() {
            members.insert(step.into_owned(), value);
            return;
        }
        at = members.entry(step.into_owned()).or_insert_with(|| Value::Object(Map::new()));
    }
}

/// A condition on a child.
#[derive(Debug)]
pub(super) struct Filter {
    /// `None`: the key.
    member: Option<String>,
    is: Comparison,
    text: String,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
}

// Longer signs first, as they begin with shorter ones.
const SIGNS: [(&str, Comparison); 7] = [
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("~", Comparison::Contains),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Filter {
    /// Reads `MEMBER=VALUE` and the like.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let signs = SIGNS.iter().filter_map(|(sign, is)| Some((text.find(sign)?, *sign, *is)));
        // The leftmost sign; of those at one place, the longest, which comes first.
        let found = signs.min_by_key(|(at, ..)| *at).filter(|(at, ..)| *at > 0);
        let Some((at, sign, is)) = found else {
            let message =
                "`filter` must be MEMBER=VALUE, or have one of != < > <= >= ~ for the sign";
            return Err(Failure::malformed(message, ""));
        };
        let (member, value) = (&text[..at], &text[at + sign.len()..]);
        let member = (member != "@key").then(|| pointer_of(member));
        let (text, is_json) = (value.to_owned(), serde_json::from_str(value));
        let value = is_json.unwrap_or_else(|_| Value::String(text.clone()));
        Ok(Self { member, is, text, value })
    }

    /// Whether a child fits.
    pub(super) fn fits(&self, key: &str, body: &Value) -> bool {
        let own_key;
        let found = match &self.member {
            None => {
                own_key = Value::String(key.to_owned());
                Some(&own_key)
            }
            Some(member) => body.pointer(member),
        };
        let Some(found) = found else { return self.is == Comparison::Unequal };
        let is = |orders: &[Ordering]| self.compare(found).is_some_and(|it| orders.contains(&it));
        match self.is {
            Comparison::Equal => is(&[Ordering::Equal]),
            Comparison::Unequal => !is(&[Ordering::Equal]),
            Comparison::Less => is(&[Ordering::Less]),
            Comparison::AtMost => is(&[Ordering::Less, Ordering::Equal]),
            Comparison::Greater => is(&[Ordering::Greater]),
            Comparison::AtLeast => is(&[Ordering::Greater, Ordering::Equal]),
            Comparison::Contains => match found {
                Value::String(text) => text.contains(&self.text),
                Value::Array(items) => items.contains(&self.value),
                _ => false,
            },
        }
    }

    // A text is compared with what was written, also where that looks like a number.
    fn compare(&self, found: &Value) -> Option<Ordering> {
        match (found, &self.value) {
            (Value::String(found), Value::String(wanted)) => Some(found.as_str().cmp(wanted)),
            (Value::String(found), _) => Some(found.as_str().cmp(&self.text)),
            (Value::Number(found), Value::Number(wanted)) => {
                found.as_f64()?.partial_cmp(&wanted.as_f64()?)
            }
            (found, wanted) => (found == wanted).then_some(Ordering::Equal),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chosen_members_stay_where_they_are() {
        let body = json!({"a": 1, "b": {"c": 2, "d": 3}, "l": [1], "x/y": 4});
        let of = |text: &str| Fields::read(text).unwrap().of(&body);
        assert_eq!(of("a,/b/c"), json!({"a": 1, "b": {"c": 2}}));
        assert_eq!(of("l, x/y ,nothing"), json!({"l": [1], "x/y": 4}));
        assert_eq!(Fields::read("a").unwrap().of(&json!([1])), json!([1]));
        assert!(Fields::read(" , ").is_err());
    }

    #[test]
    fn filters_compare_by_value() {
        let body = json!({"n": 5, "name": "alice", "on": true, "l": ["x"], "b": {"c": "12"}});
        for (text, expected) in [
            ("name=alice", true),
            ("name=\"alice\"", true),
            ("name!=alice", false),
            ("name~lic", true),
            ("n=5", true),
            ("n>=5", true),
            ("n<5", false),
            ("n>4.5", true),
            ("on=true", true),
            ("/b/c=12", true),
            ("l~x", true),
            ("gone=1", false),
            ("gone!=1", true),
            ("@key=k", true),
            ("@key~z", false),
        ] {
            assert_eq!(Filter::read(text).unwrap().fits("k", &body), expected, "{text}");
        }
        for bad in ["", "name", "=x"] {
            assert!(Filter::read(bad).is_err(), "{bad}");
        }
    }
}
