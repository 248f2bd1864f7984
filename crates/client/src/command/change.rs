//! Changes of nodes: each is one edit, staged or committed at once.

use std::io::{self, Read};
use std::path::Path;

use serde_json::{Value, json};

use super::Here;
use crate::Environment;
use crate::error::AskError;
use crate::options::{Ask, AtOnce, To};
use crate::output::cell;
use crate::place::resource;
use crate::value;

pub(super) fn run(ask: &Ask, environment: &Environment) -> Result<(), AskError> {
    match ask {
        Ask::Set { path, pointer, value, at_once, connect } => {
            let here = Here::new(connect, environment)?;
            set(&here, path, pointer, value, at_once)
        }
        Ask::Unset { path, pointer, at_once, connect } => {
            let edit = json!({ "op": "unset", "path": path, "pointer": pointed(pointer) });
            send(&Here::new(connect, environment)?, path, edit, at_once)
        }
        Ask::Put { path, file, at_once, connect } => {
            let edit = json!({ "op": "put", "path": path, "body": body(file)? });
            send(&Here::new(connect, environment)?, path, edit, at_once)
        }
        Ask::Add { path, file, key, at_once, connect } => {
            let edit = json!({ "op": "create", "path": path, "key": key, "body": body(file)? });
            send(&Here::new(connect, environment)?, path, edit, at_once)
        }
        Ask::Delete { path, at_once, connect } => {
            let edit = json!({ "op": "delete", "path": path });
            send(&Here::new(connect, environment)?, path, edit, at_once)
        }
        Ask::Move { path, to, at_once, connect } => {
            send(&Here::new(connect, environment)?, path, moved(path, to), at_once)
        }
        _ => Ok(()),
    }
}

fn set(
    here: &Here<'_>,
    path: &str,
    pointer: &str,
    text: &str,
    at_once: &AtOnce,
) -> Result<(), AskError> {
    let pointer = pointed(pointer);
    let described = here.near(path, here.connection.get(resource("schema", path)))?;
    let value = value::read(text, &described["schema"], &pointer)?;
    let edit = json!({ "op": "set", "path": path, "pointer": pointer, "value": value });
    send(here, path, edit, at_once)
}

// The name of a member is short for the pointer to it.
fn pointed(pointer: &str) -> String {
    if pointer.is_empty() || pointer.starts_with('/') {
        return pointer.to_owned();
    }
    format!("/{}", pointer.replace('~', "~0"))
}

fn moved(path: &str, to: &To) -> Value {
    let mut edit = json!({ "op": "move", "path": path });
    match (to.first, to.last, &to.before, &to.after) {
        (true, ..) => edit["to"] = json!("first"),
        (_, true, ..) => edit["to"] = json!("last"),
        (_, _, Some(key), _) => edit["before"] = json!(key),
        (_, _, _, key) => edit["after"] = json!(key),
    }
    edit
}

/// Sends one edit, and says what it did.
pub(super) fn send(
    here: &Here<'_>,
    path: &str,
    edit: Value,
    at_once: &AtOnce,
) -> Result<(), AskError> {
    let mut request = json!({ "edits": [edit] });
    if at_once.commit {
        request["commit"] = json!({ "message": at_once.message });
    }
    let edited = here.near(path, here.connection.post("edits", &request)).map_err(advised)?;
    here.out.answer(&edited, |_, edited| {
        let result = &edited["results"][0];
        let (path, effect) = (cell(&result["path"]), cell(&result["effect"]));
        match &edited["committed"] {
            Value::Null => format!("{path} {effect}, staged\n"),
            committed => {
                format!("{path} {effect}, committed as revision {}\n", committed["revision"])
            }
        }
    })
}

// In the words of this command line.
fn advised(error: AskError) -> AskError {
    match error {
        AskError::Refused { status, problem, hint: None }
            if problem["reason"] == "no-transaction" =>
        {
            let hint = "Open a transaction with `boxwood open`, or commit at once with --commit.";
            AskError::Refused { status, problem, hint: Some(hint.to_owned()) }
        }
        other => other,
    }
}

fn body(file: &Path) -> Result<Value, AskError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| AskError::file(file, error))?;
    serde_json::from_str(&text).map_err(|error| AskError::file(file, format!("not JSON: {error}")))
}
