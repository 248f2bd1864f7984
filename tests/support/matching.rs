//! Comparing an answer with what was written down, where some values cannot be known beforehand.
//!
//! In the expectation a string may be a placeholder:
//!
//! | string | stands for |
//! |---|---|
//! | `"<any>"` | any value |
//! | `"<uuid>"` | a UUID in its lower-case textual form |
//! | `"<int>"` | a whole number |
//! | `"<capture:name>"` | any value, which from then on is known as `name` |
//! | `"a<capture:name>b"` | a string that begins and ends so; what stands between is `name` |
//! | `"{{name}}"` | the value known as `name`; within a longer string, its text |
//!
//! A value captured anywhere in an answer is known in all of the same answer. Objects have exactly
//! the members that are expected, unless `"<more>": true` is one of them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// The member that allows an object to have more members.
const MORE: &str = "<more>";

/// Values by the names they were captured under.
pub(crate) type Captures = BTreeMap<String, Value>;

/// One place where the answer is not as expected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// A JSON pointer; empty is the whole value.
    pub(crate) pointer: String,
    pub(crate) what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "(the whole)" } else { &self.pointer };
        write!(f, "{place}: {}", self.what)
    }
}

/// Compares, and adds what is captured.
pub(crate) fn differences(
    expected: &Value,
    found: &Value,
    captures: &mut Captures,
) -> Vec<Difference> {
    capture(expected, found, captures);
    let mut all = Vec::new();
    match substitute(expected, captures) {
        Ok(expected) => compare(&expected, found, "", &mut all),
        Err(unknown) => all.push(Difference { pointer: String::new(), what: unknown }),
    }
    all
}

/// The text with each `{{name}}` replaced; `spell` turns a value into text.
pub(crate) fn fill_in(
    text: &str,
    captures: &Captures,
    spell: impl Fn(&Value) -> String,
) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        let value = captures.get(name).ok_or_else(|| {
            let known: Vec<&str> = captures.keys().map(String::as_str).collect();
            format!("nothing was captured as {name:?}; known are {known:?}")
        })?;
        filled.push_str(before);
        filled.push_str(&spell(value));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A value as text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn capture(expected: &Value, found: &Value, captures: &mut Captures) {
    match (expected, found) {
        (Value::String(text), found) => {
            if let Some(name) = text.strip_prefix("<capture:").and_then(|it| it.strip_suffix('>')) {
                captures.insert(name.to_owned(), found.clone());
            } else if let Some((before, name, after)) = within(text)
                && let Ok(before) = fill_in(before, captures, plain)
                && let Ok(after) = fill_in(after, captures, plain)
                && let Some(part) = found.as_str().and_then(|it| between(it, &before, &after))
            {
                captures.insert(name.to_owned(), part.into());
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            for (expected, found) in expected.iter().zip(found) {
                capture(expected, found, captures);
            }
        }
        (Value::Object(expected), Value::Object(found)) => {
            for (key, expected) in expected {
                if let Some(found) = found.get(key) {
                    capture(expected, found, captures);
                }
            }
        }
        _ => {}
    }
}

/// The parts of a string that captures a part of another.
fn within(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("<capture:")?;
    let (name, after) = rest.split_once('>')?;
    Some((before, name, after))
}

/// What stands between the two ends of a text; not nothing.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.strip_prefix(before)?.strip_suffix(after).filter(|part| !part.is_empty())
}

fn substitute(expected: &Value, captures: &Captures) -> Result<Value, String> {
    Ok(match expected {
        Value::String(text) => {
            let whole = text.strip_prefix("{{").and_then(|it| it.strip_suffix("}}"));
            match whole.and_then(|name| captures.get(name)) {
                Some(value) => value.clone(),
                None => Value::String(fill_in(text, captures, plain)?),
            }
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|it| substitute(it, captures)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let mut filled = Map::new();
            for (key, value) in members {
                filled.insert(fill_in(key, captures, plain)?, substitute(value, captures)?);
            }
            Value::Object(filled)
        }
        other => other.clone(),
    })
}

fn compare(expected: &Value, found: &Value, pointer: &str, all: &mut Vec<Difference>) {
    let mut differ = |pointer: &str, what: String| {
        all.push(Difference { pointer: pointer.to_owned(), what });
    };
    match (expected, found) {
        (Value::String(text), found) if text.starts_with('<') && text.ends_with('>') => {
            let holds = match text.as_str() {
                "<any>" => true,
                "<uuid>" => found.as_str().is_some_and(is_uuid),
                "<int>" => found.is_i64() || found.is_u64(),
                _ if text.starts_with("<capture:") => true,
                _ => found == expected,
            };
            if !holds {
                differ(pointer, format!("expected {text}, found {}", short(found)));
            }
        }
        (Value::String(text), Value::String(found)) if within(text).is_some() => {
            let holds = within(text)
                .is_some_and(|(before, _, after)| between(found, before, after).is_some());
            if !holds {
                differ(pointer, format!("expected {text:?}, found {found:?}"));
            }
        }
        (Value::Array(wanted), Value::Array(items)) => {
            for (place, (wanted, item)) in wanted.iter().zip(items).enumerate() {
                compare(wanted, item, &format!("{pointer}/{place}"), all);
            }
            for (place, item) in items.iter().enumerate().skip(wanted.len()) {
                let pointer = format!("{pointer}/{place}");
                all.push(Difference { pointer, what: format!("unexpected {}", short(item)) });
            }
            for (place, wanted) in wanted.iter().enumerate().skip(items.len()) {
                let pointer = format!("{pointer}/{place}");
                all.push(Difference { pointer, what: format!("missing {}", short(wanted)) });
            }
        }
        (Value::Object(wanted), Value::Object(members)) => {
            let more = wanted.get(MORE) == Some(&Value::Bool(true));
            let step =
                |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            for (key, wanted) in wanted.iter().filter(|(key, _)| !(more && *key == MORE)) {
                match members.get(key) {
                    Some(member) => compare(wanted, member, &step(key), all),
                    None => all.push(Difference {
                        pointer: step(key),
                        what: format!("missing, expected {}", short(wanted)),
                    }),
                }
            }
            for (key, member) in
                members.iter().filter(|(key, _)| !more && !wanted.contains_key(*key))
            {
                let what = format!("unexpected {}", short(member));
                all.push(Difference { pointer: step(key), what });
            }
        }
        _ if expected == found => {}
        _ => differ(pointer, format!("expected {}, found {}", short(expected), short(found))),
    }
}

/// A value on one line, cut where it gets long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(expected: Value, found: Value, expect: &[&str]) {
        let differences: Vec<String> = differences(&expected, &found, &mut Captures::new())
            .iter()
            .map(Difference::to_string)
            .collect();
        assert_eq!(differences, expect);
    }

    #[test]
    fn equal_values_do_not_differ() {
        let value = json!({"a": [1, "x", null, {"b": true}], "<more>": false});
        check(value.clone(), value, &[]);
    }

    #[test]
    fn each_difference_has_its_pointer() {
        check(
            json!({"a": {"b/c": [1, 2]}, "gone": null, "s": "x"}),
            json!({"a": {"b/c": [1, 3, 4]}, "s": "y", "new": {}}),
            &[
                "/a/b~1c/1: expected 2, found 3",
                "/a/b~1c/2: unexpected 4",
                "/gone: missing, expected null",
                "/s: expected \"x\", found \"y\"",
                "/new: unexpected {}",
            ],
        );
        check(json!([1, 2]), json!([1]), &["/1: missing 2"]);
        check(json!({}), json!([]), &["(the whole): expected {}, found []"]);
    }

    #[test]
    fn placeholders_stand_for_what_they_say() {
        check(
            json!({"a": "<any>", "u": "<uuid>", "i": "<int>", "<more>": true}),
            json!({"a": [], "u": "e2b1a1b0-0b0a-4c3e-8f00-000000000001", "i": -3, "x": 1}),
            &[],
        );
        check(
            json!({"u": "<uuid>", "i": "<int>", "n": "<int>"}),
            json!({"u": "E2B1", "i": 1.5, "n": "1"}),
            &[
                "/i: expected <int>, found 1.5",
                "/n: expected <int>, found \"1\"",
                "/u: expected <uuid>, found \"E2B1\"",
            ],
        );
        check(json!("<other>"), json!("<other>"), &[]);
    }

    #[test]
    fn captures_are_known_at_once_and_later() {
        let mut captures = Captures::new();
        let expected = json!({"href": "/x/{{id}}", "key": "<capture:id>", "n": "<capture:n>"});
        let found = json!({"href": "/x/ab", "key": "ab", "n": 5});
        assert_eq!(differences(&expected, &found, &mut captures), []);
        let later = json!({"{{id}}": "{{n}}", "text": "n is {{n}}"});
        assert_eq!(differences(&later, &json!({"ab": 5, "text": "n is 5"}), &mut captures), []);
        let wrong = differences(&json!("{{id}}"), &json!("cd"), &mut captures);
        assert_eq!(wrong[0].to_string(), "(the whole): expected \"ab\", found \"cd\"");
        let unknown = differences(&json!("{{other}}"), &json!("cd"), &mut captures);
        assert!(unknown[0].what.contains("nothing was captured as \"other\""), "{unknown:?}");
    }

    #[test]
    fn a_part_of_a_string_is_captured() {
        let mut captures = Captures::new();
        let expected = json!({"at": "https://h/cb?code=<capture:code>&state={{state}}"});
        captures.insert("state".to_owned(), json!("s"));
        let found = json!({"at": "https://h/cb?code=abc&state=s"});
        assert_eq!(differences(&expected, &found, &mut captures), []);
        assert_eq!(captures["code"], json!("abc"));
        let other = json!({"at": "https://h/cb?code=&state=s"});
        assert_eq!(differences(&expected, &other, &mut captures).len(), 1);
    }
}
