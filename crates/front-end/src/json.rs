//! JSON text to a value, refusing whatever two readers could understand differently.
//!
//! A configuration is reviewed by people and compared by machines, so its text must have one meaning.
//! serde_json alone keeps the last of two members with one name, turns integers it cannot hold into
//! floats, and accepts NUL characters and empty names; PowerShell's parser fails on names that differ
//! only in case. All of that is refused here, with the place where it stands.
//!
//! Bodies hold secrets, so an error names members and positions and never quotes a value; what was
//! built up to the error is erased. Duplicate names must be caught while the object is being read,
//! so there is a visitor of our own. Integers out of range look like floats there, serde_json hands
//! both over as `f64`; when one is large enough to be suspect, the text, known to be valid by then, is
//! looked at once more. `arbitrary_precision` would tell them apart, and would change how numbers are
//! written in every crate of the build.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::Zeroize;

/// Names and pointers are cut to this many characters in a message: they come from the client.
const SHOWN_CHARACTERS: usize = 120;

/// serde_json gives up at this nesting by itself.
const PARSER_DEPTH: usize = 127;

/// Two to the power of 63: integers below it in size fit an `i64`.
const SUSPECT: f64 = 9_223_372_036_854_775_808.0;

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is no text, or only white space.
    #[error("the text is empty: a JSON value is expected")]
    Empty,
    /// The text begins with a byte-order mark.
    #[error("the text begins with a byte-order mark: JSON is sent as UTF-8 without one")]
    ByteOrderMark,
    /// The text is not UTF-8.
    #[error("the text is not UTF-8: the byte at offset {offset} does not belong there")]
    NotUtf8 {
        /// Offset of the first bad byte, from 0.
        offset: usize,
    },
    /// The text is not JSON.
    #[error("the text is not valid JSON: {reason} at line {line}, column {column}")]
    Syntax {
        /// What the parser says.
        reason: String,
        /// From 1.
        line: usize,
        /// From 1; 0 at the very beginning of a line.
        column: usize,
    },
    /// Arrays and objects stand too deep in each other.
    #[error("the text is nested deeper than {limit} levels at line {line}, column {column}")]
    TooDeep {
        /// The deepest level allowed.
        limit: usize,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An object has two members of one name.
    #[error("{} has the member {name:?} twice, at line {line}, column {column}", object(.pointer))]
    DuplicateMember {
        /// JSON Pointer of the object.
        pointer: String,
        /// The member.
        name: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An object has two members whose names differ only in upper and lower case.
    #[error("{} has the members {first:?} and {second:?}, which differ only in case", object(.pointer))]
    AmbiguousMembers {
        /// JSON Pointer of the object.
        pointer: String,
        /// One of the members.
        first: String,
        /// The other.
        second: String,
    },
    /// An object has a member with an empty name.
    #[error("{} has a member with an empty name, at line {line}, column {column}", object(.pointer))]
    EmptyName {
        /// JSON Pointer of the object.
        pointer: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A string or a name has a NUL character in it.
    #[error("{pointer:?} contains a NUL character, at line {line}, column {column}")]
    NulCharacter {
        /// JSON Pointer of the string; of the object, if it is in a name.
        pointer: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An integer that neither 64 bits with sign nor 64 bits without can hold.
    #[error(
        "the integer at line {line}, column {column} is out of range: -9223372036854775808 to 18446744073709551615 is allowed"
    )]
    IntegerOutOfRange {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

fn object(pointer: &str) -> String {
    match pointer {
        "" => "the object".to_owned(),
        pointer => format!("the object at {pointer:?}"),
    }
}

/// Reads one JSON value that is nested at most `max_depth` levels: 0 allows only scalars, 1 a flat
/// object. More than 127 levels are never allowed.
pub fn decode(bytes: &[u8], max_depth: usize) -> Result<Value, DecodeError> {
    read(readable(bytes)?, max_depth).inspect_err(|_| wipe_stack())
}

/// Erases what was left on the stack below here. To say where a text is wrong, serde_json counts its
/// lines by vector instructions, whose registers, full of the text, end up there.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut room = [0xff_u8; 16 * 1024];
    room.zeroize();
}

#[inline(never)]
fn read(text: &str, max_depth: usize) -> Result<Value, DecodeError> {
    let mut reading = Reading::new(max_depth.min(PARSER_DEPTH));
    let mut parser = serde_json::Deserializer::from_str(text);
    let mut value = Node { reading: &mut reading, depth: 0 }
        .deserialize(&mut parser)
        .map_err(|error| reading.explain(&error))?;
    let rest = match parser.end() {
        Ok(()) if reading.suspect_number => integers_in_range(text),
        Ok(()) => Ok(()),
        Err(error) => Err(reading.explain(&error)),
    };
    match rest {
        Ok(()) => Ok(value),
        Err(error) => {
            wipe(&mut value);
            Err(error)
        }
    }
}

/// Erases every string of a value. Member names stay: they are not secret.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn readable(bytes: &[u8]) -> Result<&str, DecodeError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(DecodeError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| DecodeError::NotUtf8 { offset: error.valid_up_to() })?;
    let blank = text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    if blank { Err(DecodeError::Empty) } else { Ok(text) }
}

/// What is known while the text is being read.
struct Reading {
    max_depth: usize,
    /// Where we are. Names are stored as they are and escaped only for a message.
    path: Vec<Step>,
    suspect_number: bool,
    /// What our visitor found wrong; the parser adds line and column.
    fault: Option<Fault>,
}

enum Step {
    Member(String),
    Item(usize),
}

/// A fault whose place in the text is not known yet.
enum Fault {
    TooDeep,
    DuplicateMember { pointer: String, name: String },
    AmbiguousMembers { pointer: String, first: String, second: String },
    EmptyName { pointer: String },
    NulCharacter { pointer: String },
}

impl Reading {
    fn new(max_depth: usize) -> Self {
        Self { max_depth, path: Vec::new(), suspect_number: false, fault: None }
    }

    /// Keeps the fault, and gives the parser an error to carry out of its recursion.
    fn refuse<E: serde::de::Error>(&mut self, fault: Fault) -> E {
        self.fault = Some(fault);
        E::custom("refused")
    }

    fn explain(&mut self, error: &serde_json::Error) -> DecodeError {
        let (line, column) = (error.line(), error.column());
        let Some(fault) = self.fault.take() else { return self.explain_syntax(error) };
        match fault {
            Fault::TooDeep => DecodeError::TooDeep { limit: self.max_depth, line, column },
            Fault::DuplicateMember { pointer, name } => {
                DecodeError::DuplicateMember { pointer, name, line, column }
            }
            Fault::AmbiguousMembers { pointer, first, second } => {
                DecodeError::AmbiguousMembers { pointer, first, second }
            }
            Fault::EmptyName { pointer } => DecodeError::EmptyName { pointer, line, column },
            Fault::NulCharacter { pointer } => DecodeError::NulCharacter { pointer, line, column },
        }
    }

    /// serde_json's syntax errors speak of tokens and never quote the text.
    fn explain_syntax(&self, error: &serde_json::Error) -> DecodeError {
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let reason =
            said.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&said);
        if reason == "recursion limit exceeded" {
            return DecodeError::TooDeep { limit: self.max_depth, line, column };
        }
        DecodeError::Syntax { reason: reason.to_owned(), line, column }
    }

    /// The place we are at, as a JSON Pointer.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Member(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                Step::Item(index) => pointer.push_str(&index.to_string()),
            }
            if pointer.len() > SHOWN_CHARACTERS {
                break;
            }
        }
        shown(&pointer)
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// One value, at a known depth.
struct Node<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        self.reading.suspect_number |= value.abs() >= SUSPECT;
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if text.contains('\0') {
            let pointer = self.reading.pointer();
            return Err(self.reading.refuse(Fault::NulCharacter { pointer }));
        }
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let mut items = Value::Array(Vec::new());
        match self.read_items(access, &mut items) {
            Ok(()) => Ok(items),
            Err(error) => {
                wipe(&mut items);
                Err(error)
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let mut members = Value::Object(Map::new());
        match self.read_members(access, &mut members) {
            Ok(()) => Ok(members),
            Err(error) => {
                wipe(&mut members);
                Err(error)
            }
        }
    }
}

impl Node<'_> {
    fn read_items<'de, A>(self, mut access: A, into: &mut Value) -> Result<(), A::Error>
    where
        A: SeqAccess<'de>,
    {
        let Self { reading, depth } = self;
        let depth = deeper(reading, depth)?;
        let Value::Array(items) = into else { return Ok(()) };
        loop {
            reading.path.push(Step::Item(items.len()));
            let Some(item) = access.next_element_seed(Node { reading: &mut *reading, depth })?
            else {
                break;
            };
            reading.path.pop();
            items.push(item);
        }
        reading.path.pop();
        Ok(())
    }

    fn read_members<'de, A>(self, mut access: A, into: &mut Value) -> Result<(), A::Error>
    where
        A: MapAccess<'de>,
    {
        let Self { reading, depth } = self;
        let depth = deeper(reading, depth)?;
        let Value::Object(members) = into else { return Ok(()) };
        let mut only_lower_case = true;
        while let Some(name) = access.next_key::<String>()? {
            check_name(reading, members, &name)?;
            only_lower_case &= is_lower_case(&name);
            reading.path.push(Step::Member(name));
            let value = access.next_value_seed(Node { reading: &mut *reading, depth })?;
            if let Some(Step::Member(name)) = reading.path.pop() {
                members.insert(name, value);
            }
        }
        // Names without capitals cannot differ only in case, and catalogs have no others.
        if only_lower_case { Ok(()) } else { check_case(reading, members) }
    }
}

fn deeper<E: serde::de::Error>(reading: &mut Reading, depth: usize) -> Result<usize, E> {
    if depth >= reading.max_depth {
        return Err(reading.refuse(Fault::TooDeep));
    }
    Ok(depth + 1)
}

fn check_name<E>(reading: &mut Reading, before: &Map<String, Value>, name: &str) -> Result<(), E>
where
    E: serde::de::Error,
{
    let fault = if name.is_empty() {
        Fault::EmptyName { pointer: reading.pointer() }
    } else if name.contains('\0') {
        Fault::NulCharacter { pointer: reading.pointer() }
    } else if before.contains_key(name) {
        Fault::DuplicateMember { pointer: reading.pointer(), name: shown(name) }
    } else {
        return Ok(());
    };
    Err(reading.refuse(fault))
}

/// Whether folding the case certainly changes nothing.
fn is_lower_case(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

fn check_case<E>(reading: &mut Reading, members: &Map<String, Value>) -> Result<(), E>
where
    E: serde::de::Error,
{
    let mut folded = HashMap::with_capacity(members.len());
    for name in members.keys() {
        match folded.entry(name.to_lowercase()) {
            Entry::Vacant(free) => {
                free.insert(name);
            }
            Entry::Occupied(other) => {
                let pointer = reading.pointer();
                let (first, second) = (shown(other.get()), shown(name));
                return Err(reading.refuse(Fault::AmbiguousMembers { pointer, first, second }));
            }
        }
    }
    Ok(())
}

/// Looks for an integer that was turned into a float. The text is valid JSON: outside of strings, a
/// digit or a minus sign begins a number.
fn integers_in_range(text: &str) -> Result<(), DecodeError> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at + 1),
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(bytes, at);
                let number = &text[at..end];
                let fits = number.contains(['.', 'e', 'E'])
                    || number.parse::<i64>().is_ok()
                    || number.parse::<u64>().is_ok();
                if !fits {
                    let (line, column) = place(&text[..at]);
                    return Err(DecodeError::IntegerOutOfRange { line, column });
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// The offset behind the closing quote of a string whose content begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    start + bytes[start..].iter().take_while(|byte| part(byte)).count()
}

/// Line and column, from 1, of what follows `before`.
fn place(before: &str) -> (usize, usize) {
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, expect: &str) {
        let said = match decode(text.as_bytes(), 64) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expect, "{text}");
    }

    #[test]
    fn values_are_read_as_they_stand() {
        check(
            r#" {"b": [1, -2, 1.5, true, null, "x\u00e4"], "a": {}} "#,
            r#"{"a":{},"b":[1,-2,1.5,true,null,"xä"]}"#,
        );
        check("7", "7");
        check("18446744073709551615", "18446744073709551615");
        check("-9223372036854775808", "-9223372036854775808");
        check("1e20", "1e+20");
        check("18446744073709551616.0", "1.8446744073709552e+19");
        // Read as its neighbour by a parser that takes short cuts.
        check("1.7976931348674405", "1.7976931348674405");
        check(r#"["99999999999999999999\"", 1e30]"#, r#"["99999999999999999999\"",1e+30]"#);
    }

    #[test]
    fn refusals() {
        check("", "the text is empty: a JSON value is expected");
        check(" \r\n\t", "the text is empty: a JSON value is expected");
        check(
            "\u{feff}{}",
            "the text begins with a byte-order mark: JSON is sent as UTF-8 without one",
        );
        check(
            r#"{"a": 1, "a": 1}"#,
            r#"the object has the member "a" twice, at line 1, column 12"#,
        );
        check(
            "{\"x/y\": [0, {\"secret\": \"s\",\n\"secret\": \"t\"}]}",
            r#"the object at "/x~1y/1" has the member "secret" twice, at line 2, column 8"#,
        );
        check(
            r#"{"o": {"Name": 1, "b": 2, "name": 3}}"#,
            r#"the object at "/o" has the members "Name" and "name", which differ only in case"#,
        );
        check(
            r#"{"Ä": 1, "ä": 3}"#,
            r#"the object has the members "Ä" and "ä", which differ only in case"#,
        );
        check(r#"{"": 1}"#, "the object has a member with an empty name, at line 1, column 3");
        check(r#"{"a": "s\u0000t"}"#, r#""/a" contains a NUL character, at line 1, column 16"#);
        check(r#"{"s\u0000t": 1}"#, r#""" contains a NUL character, at line 1, column 11"#);
        check(
            "[1,\n 18446744073709551616]",
            "the integer at line 2, column 2 is out of range: -9223372036854775808 to 18446744073709551615 is allowed",
        );
        check(
            "-9223372036854775809",
            "the integer at line 1, column 1 is out of range: -9223372036854775808 to 18446744073709551615 is allowed",
        );
        check("{} {}", "the text is not valid JSON: trailing characters at line 1, column 4");
        check(
            r#"{"a": hunter2}"#,
            "the text is not valid JSON: expected value at line 1, column 7",
        );
        check("[1e400]", "the text is not valid JSON: number out of range at line 1, column 6");
        check(
            r#"["\ud800"]"#,
            "the text is not valid JSON: unexpected end of hex escape at line 1, column 9",
        );
    }

    #[test]
    fn bad_bytes_are_located() {
        assert_eq!(decode(b"{\"a\": \"\xff\"}", 64), Err(DecodeError::NotUtf8 { offset: 7 }));
        assert_eq!(decode(b"\xff\xfe{\0}\0", 64), Err(DecodeError::NotUtf8 { offset: 0 }));
    }

    #[test]
    fn depth_is_counted_in_arrays_and_objects() {
        assert!(decode(b"1", 0).is_ok());
        assert!(matches!(decode(b"[]", 0), Err(DecodeError::TooDeep { limit: 0, .. })));
        assert!(decode(br#"{"a": [{}]}"#, 3).is_ok());
        assert!(matches!(decode(br#"{"a": [{}]}"#, 2), Err(DecodeError::TooDeep { limit: 2, .. })));
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(decode(nested(127).as_bytes(), 1000).is_ok());
        let deep = decode(nested(128).as_bytes(), 1000);
        assert!(matches!(deep, Err(DecodeError::TooDeep { limit: 127, .. })));
        let deeper = decode(nested(200_000).as_bytes(), 64);
        assert!(matches!(deeper, Err(DecodeError::TooDeep { limit: 64, .. })));
    }

    #[test]
    fn messages_stay_short_and_on_one_line() {
        let name = "n\n".repeat(10_000).replace('\n', "\\n");
        let text = format!(r#"{{"{name}": {{"{name}": 1, "{name}": 2}}}}"#);
        let said = decode(text.as_bytes(), 64).unwrap_err().to_string();
        assert!(said.len() < 1000 && !said.contains('\n'), "{said}");
    }

    #[test]
    fn values_are_never_quoted() {
        for text in [
            r#"{"p": "hunter2", "p": "hunter2"}"#,
            r#"{"p": "hunter2\u0000"}"#,
            r#"{"p": "hunter2" "q"}"#,
            r#"{"p": "hunter2\ud800"}"#,
            r#"{"p": "hunter2"#,
            r#"["hunter2"] hunter2"#,
            r#"{"p": hunter2}"#,
        ] {
            let error = decode(text.as_bytes(), 64).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn wiping_leaves_no_string() {
        let mut value = json!({"a": ["s", {"b": "t"}], "c": 1});
        wipe(&mut value);
        assert_eq!(value, json!({"a": ["", {"b": ""}], "c": 1}));
    }
}
