//! JSON bodies: one meaning for each text, one canonical form, and no value in any message.

use std::sync::LazyLock;

use catalog::{Catalog, EndpointKind, rule};
use config_tree::NodePath;
use front_end::json::{self, DecodeError};
use serde_json::{Value, json};

pub(crate) const WORDS: &[&str] = &[
    "{\"",
    "\":",
    ",\"",
    "null",
    "true",
    "[]",
    "{}",
    "[[[[",
    "\\u0000",
    "\\ud800",
    "\\u00fc",
    "1e400",
    "1.0",
    "-0",
    "18446744073709551616",
    "0.1",
    "5e-324",
    "\"selection\":",
    "\"body\":",
    "\"key\":",
    "\"meta\":{\"href\":\"/api/configuration/passwords/k1\"}",
    "\"enabled\":",
    "\u{feff}",
];

/// The daemon's own setting, and one that most bodies reach.
const DEPTHS: [usize; 2] = [64, 3];

/// What a value is replaced with, to see whether it comes out again in a message.
const CANARY: &str = "hunter2-7f3a9c";
const NUMBER_CANARY: u64 = 7_734_998_811;

/// Places for a body that names none: objects, a collection, a bare list, a union.
const PLACES: [&str; 6] = [
    "/management/email",
    "/management/snmp/trap",
    "/passwords",
    "/aaa/local_database/users",
    "/policies/usermapping_policies",
    "/http/connections",
];

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::builtin("sps-6.2").expect("it is built in").unwrap_or_else(|error| panic!("{error}"))
});

/// A body; a line before it may name the endpoint, as the first line of a request does.
pub fn fuzz_body(data: &[u8]) -> bool {
    let (places, text) = match place_of(data) {
        Some((place, text)) => (vec![place], text),
        None => (PLACES.iter().filter_map(|text| NodePath::parse(text).ok()).collect(), data),
    };
    let mut accepted = false;
    for depth in DEPTHS {
        if let Some(value) = check_decoding(text, depth) {
            accepted |= places.iter().filter(|place| check_against(place, &value)).count() > 0;
        }
    }
    accepted
}

fn place_of(data: &[u8]) -> Option<(NodePath, &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&data[..end]).ok()?;
    let path = line.rsplit(' ').next()?.strip_prefix("/api/configuration")?;
    let path = NodePath::parse(path).ok()?;
    let kind = CATALOG.endpoint(&path)?.kind();
    (kind != EndpointKind::Folder).then(|| (path, data[end + 1..].trim_ascii_start()))
}

// ===== decoding =====

fn check_decoding(text: &[u8], depth: usize) -> Option<Value> {
    let others = serde_json::from_slice::<Value>(text);
    let value = match json::decode(text, depth) {
        Ok(value) => value,
        Err(error) => {
            check_refusal(text, &error, others.ok());
            return None;
        }
    };
    let others = others.expect("what is accepted is JSON");
    assert_eq!(value, others, "and means what it means to everybody");
    assert!(depth_of(&value) <= depth);
    let colons = colons_outside_strings(text);
    assert_eq!(colons, members_of(&value), "no member was dropped for another of its name");
    let mut floats = Vec::new();
    gather_floats(&value, &mut floats);
    floats.sort_unstable();
    assert_eq!(floats, floats_outside_strings(text), "a number was read as another one");
    check_names(&value);
    let canonical = value.to_string();
    let again = json::decode(canonical.as_bytes(), depth).expect("canonical text is accepted");
    assert_eq!(again, value, "and is read back as it was: {canonical}");
    assert_eq!(again.to_string(), canonical);
    Some(value)
}

fn check_refusal(text: &[u8], error: &DecodeError, others: Option<Value>) {
    let told = error.to_string();
    let is_text = std::str::from_utf8(text).is_ok();
    match error {
        DecodeError::NotUtf8 { offset } => {
            let good = std::str::from_utf8(&text[..*offset]);
            assert!(!is_text && good.is_ok(), "the first bad byte is not at {offset}");
        }
        DecodeError::Syntax { line, .. } => {
            assert!(others.is_none(), "{told}: and others read it");
            assert!(*line <= text.split(|byte| *byte == b'\n').count(), "{told}");
        }
        DecodeError::Empty => assert!(others.is_none() && text.trim_ascii().is_empty()),
        DecodeError::ByteOrderMark => assert!(others.is_none()),
        DecodeError::TooDeep { .. }
        | DecodeError::DuplicateMember { .. }
        | DecodeError::AmbiguousMembers { .. }
        | DecodeError::EmptyName { .. }
        | DecodeError::NulCharacter { .. }
        | DecodeError::IntegerOutOfRange { .. } => assert!(is_text, "{told}"),
    }
    let Some(others) = others else { return };
    let mut names = String::new();
    gather_names(&others, &mut names);
    let mut texts = Vec::new();
    gather_texts(&others, &mut texts);
    for text in texts.into_iter().filter(|text| text.chars().count() > 8) {
        let elsewhere = names.contains(text) || FIXED_WORDS.contains(text);
        assert!(elsewhere || !told.contains(text), "a value is quoted: {told}");
    }
}

// What the sentences of the decoder may say by themselves.
const FIXED_WORDS: &str = "the text is nested deeper than levels at line column the object at has \
     the member twice members and which differ only in case with an empty name contains a NUL \
     character the integer is out of range: -9223372036854775808 to 18446744073709551615 is allowed";

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn members_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members_of).sum(),
        Value::Object(members) => members.len() + members.values().map(members_of).sum::<usize>(),
        _ => 0,
    }
}

// In JSON each of them belongs to one member.
fn colons_outside_strings(text: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => count += 1,
            _ => {}
        }
    }
    count
}

// By their bits, sorted.
fn floats_outside_strings(text: &[u8]) -> Vec<u64> {
    let (mut found, mut inside, mut escaped) = (Vec::new(), false, false);
    let mut number = String::new();
    for byte in text.iter().chain(b" ") {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' if !inside => {
                // The `e` of `true` and `false` begins no number.
                let goes_on = !number.is_empty() || matches!(byte, b'-' | b'0'..=b'9');
                number.extend(goes_on.then_some(char::from(*byte)));
                continue;
            }
            _ => {}
        }
        if number == "-0" || number.contains(['.', 'e', 'E']) {
            found.extend(number.parse().map(f64::to_bits));
        }
        number.clear();
    }
    found.sort_unstable();
    found
}

fn gather_floats(value: &Value, into: &mut Vec<u64>) {
    match value {
        Value::Number(number) if number.is_f64() => {
            into.extend(number.as_f64().map(f64::to_bits));
        }
        Value::Array(items) => items.iter().for_each(|item| gather_floats(item, into)),
        Value::Object(members) => {
            members.values().for_each(|value| gather_floats(value, into));
        }
        _ => {}
    }
}

fn check_names(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.contains('\0')),
        Value::Array(items) => items.iter().for_each(check_names),
        Value::Object(members) => {
            assert!(members.keys().all(|name| !name.is_empty() && !name.contains('\0')));
            let mut folded: Vec<String> = members.keys().map(|name| name.to_lowercase()).collect();
            folded.sort();
            folded.dedup();
            assert_eq!(folded.len(), members.len(), "names differ in more than case");
            members.values().for_each(check_names);
        }
        _ => {}
    }
}

fn gather_names(value: &Value, into: &mut String) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather_names(item, into)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            into.push_str(name);
            into.push('\n');
            gather_names(value, into);
        }),
        _ => {}
    }
}

fn gather_texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather_texts(item, into)),
        Value::Object(members) => members.values().for_each(|value| gather_texts(value, into)),
        _ => {}
    }
}

// ===== against the catalog =====

fn check_against(place: &NodePath, value: &Value) -> bool {
    let accepted = check_verdict(place, value.clone());
    let text = value.to_string();
    if text.contains(CANARY) || text.contains(&NUMBER_CANARY.to_string()) {
        // A fuzzer found out about it and made it the name of a member, which may be shown.
        return accepted;
    }
    let scalars = scalars_of(value);
    check_silence(place, value, None);
    // One at a time, so that what lies behind the first fault is reached too.
    for which in (0..scalars).take(8) {
        check_silence(place, value, Some(which));
    }
    accepted
}

fn check_verdict(place: &NodePath, value: Value) -> bool {
    let verdict = CATALOG.check_body(place, value.clone());
    assert_eq!(CATALOG.check_body(place, value), verdict, "one body, one verdict");
    let checked = match verdict {
        Ok(checked) => checked,
        Err(violations) => {
            check_violations(place, &violations);
            return false;
        }
    };
    let text_at = |pointer: &str| checked.value.pointer(pointer).and_then(Value::as_str);
    for reference in &checked.references {
        let key = text_at(&reference.pointer).expect("a reference stands where it is said to");
        let target = reference.target.key().expect("it is to a member").as_str();
        assert!(key.starts_with(target), "{key} does not name {target}");
    }
    let mut secrets = checked.secrets.clone();
    assert!(secrets.iter().all(|pointer| text_at(pointer).is_some()), "a secret is a text");
    let mut found = CATALOG.secrets(place, &checked.value);
    secrets.sort();
    found.sort();
    assert_eq!(secrets, found, "all secrets of a body are known, whoever asks");
    let canonical = checked.value.to_string();
    let read = json::decode(canonical.as_bytes(), 127).expect("canonical text is accepted");
    let again = CATALOG.check_body(place, read);
    assert_eq!(again.as_ref(), Ok(&checked), "what fits goes on to fit: {canonical}");
    true
}

fn check_violations(place: &NodePath, violations: &[catalog::Violation]) {
    assert!(!violations.is_empty(), "a refusal says why");
    assert!(violations.is_sorted(), "violations are sorted");
    for violation in violations {
        assert_eq!(&violation.path, place);
        assert!(rule::ALL.iter().any(|(name, ..)| *name == violation.rule), "{violation}");
        assert!(violation.pointer.is_empty() || violation.pointer.starts_with('/'), "{violation}");
        assert!(!violation.message.is_empty() && !violation.message.ends_with('.'), "{violation}");
    }
}

fn check_silence(place: &NodePath, value: &Value, which: Option<usize>) {
    let mut seen = 0;
    let mut marked = value.clone();
    mark(&mut marked, which, &mut seen);
    let Err(violations) = CATALOG.check_body(place, marked) else { return };
    check_violations(place, &violations);
    for violation in violations {
        let told = violation.to_string();
        let number = NUMBER_CANARY.to_string();
        assert!(!told.contains(CANARY) && !told.contains(&number), "a value is quoted: {told}");
    }
}

fn mark(value: &mut Value, which: Option<usize>, seen: &mut usize) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, which, seen)),
        Value::Object(members) => members.values_mut().for_each(|value| mark(value, which, seen)),
        Value::String(_) | Value::Number(_) => {
            if which.is_none_or(|which| which == *seen) {
                *value = if value.is_string() { json!(CANARY) } else { json!(NUMBER_CANARY) };
            }
            *seen += 1;
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn scalars_of(value: &Value) -> usize {
    let mut seen = 0;
    mark(&mut value.clone(), Some(usize::MAX), &mut seen);
    seen
}
