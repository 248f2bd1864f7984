//! The sessions that are searched: read from a file when the appliance starts.
//!
//! The file is a JSON list of objects, or one object on each line. Each is what the appliance would
//! show of a recorded session. It has a name in `key`, `id` or `session_id`, otherwise its number;
//! `channels` are a list of their own.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The members that may name a record.
const NAMES: [&str; 3] = ["key", "id", "session_id"];

/// A record with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// Its name in paths.
    pub(super) key: String,
    /// What is shown of it.
    pub(super) body: Value,
    /// Its channels, where it has any.
    pub(super) channels: Vec<Record>,
}

/// The records.
#[derive(Debug, Default)]
pub(in crate::sps) struct Records {
    /// The sessions, in the order of the file.
    pub(super) sessions: Vec<Record>,
    /// Changes with what the records are.
    pub(super) snapshot: String,
}

/// Why a file of sessions cannot be used.
#[derive(Debug)]
pub struct AuditError {
    file: PathBuf,
    why: String,
}

impl Display for AuditError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { file, why } = self;
        write!(
            f,
            "cannot read the sessions in {}: {why}; give a JSON list of objects, or an object on \
             each line",
            file.display()
        )
    }
}

impl std::error::Error for AuditError {}

impl Records {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or has another form.
    pub(in crate::sps) fn read(file: &Path) -> Result<Self, AuditError> {
        let refused = |why: String| AuditError { file: file.to_owned(), why };
        let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
        Self::parse(&text).map_err(refused)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let values = match text.trim_start().starts_with('[') {
            true => serde_json::from_str(text).map_err(|error| error.to_string())?,
            false => lines(text)?,
        };
        let sessions = records(values)?;
        let snapshot = blake3::hash(text.as_bytes()).to_hex()[..32].to_owned();
        Ok(Self { sessions, snapshot })
    }
}

fn lines(text: &str) -> Result<Vec<Value>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(place, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| format!("line {}: {error}", place + 1))
    };
    lines.map(read).collect()
}

fn records(values: Vec<Value>) -> Result<Vec<Record>, String> {
    let mut all: Vec<Record> = Vec::with_capacity(values.len());
    for (place, mut body) in values.into_iter().enumerate() {
        let number = place + 1;
        let Some(members) = body.as_object_mut() else {
            return Err(format!("record {number} is not an object"));
        };
        let channels = match members.remove("channels") {
            Some(Value::Array(channels)) => records(channels)?,
            Some(_) => return Err(format!("`channels` of record {number} is not a list")),
            None => Vec::new(),
        };
        let name = NAMES.iter().find_map(|name| members.get(*name));
        let key = match name {
            Some(Value::String(name)) if !name.is_empty() && !name.contains('/') => name.clone(),
            Some(Value::Number(name)) => name.to_string(),
            Some(_) => return Err(format!("the name of record {number} is not a text")),
            None => number.to_string(),
        };
        all.push(Record { key, body, channels });
    }
    let mut keys: Vec<&str> = all.iter().map(|record| record.key.as_str()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two records have the name {}", pair[0])),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_lines_are_read_alike() {
        let list =
            Records::parse("[{\"id\": \"a\", \"channels\": [{\"type\": \"x\"}]}, {\"n\": 1}]");
        let lines =
            Records::parse("{\"id\": \"a\", \"channels\": [{\"type\": \"x\"}]}\n\n{\"n\": 1}\n");
        let (list, lines) = (list.unwrap(), lines.unwrap());
        assert_eq!(list.sessions, lines.sessions);
        assert_eq!((list.sessions[0].key.as_str(), list.sessions[1].key.as_str()), ("a", "2"));
        assert_eq!(list.sessions[0].channels[0].key, "1");
        assert_ne!(list.snapshot, lines.snapshot);
        assert!(Records::parse("").unwrap().sessions.is_empty());
    }

    #[test]
    fn what_has_another_form_is_refused_with_its_place() {
        for (text, why) in [
            ("[1]", "record 1"),
            ("{\"a\": 1}\n{", "line 2"),
            ("[{\"id\": {}}]", "name of record 1"),
            ("[{\"id\": \"a\"}, {\"id\": \"a\"}]", "two records"),
            ("[{\"channels\": 1}]", "channels"),
        ] {
            let refused = Records::parse(text).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
