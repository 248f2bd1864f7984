//! `boxwood edit`: the body of a node in an editor, as often as it takes; nothing that was written
//! is lost when it is refused.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Here, change};
use crate::context::variable;
use crate::error::AskError;
use crate::options::AtOnce;
use crate::place::resource;

/// What begins a line that is not part of the body.
const COMMENT: char = '#';

pub(super) fn edit(here: &Here<'_>, path: &str, at_once: &AtOnce) -> Result<(), AskError> {
    let node = format!("{}?depth=0", resource("nodes", path));
    let node = here.near(path, here.connection.get(node))?;
    let Some(body) = node.get("body") else {
        let kind = node["kind"].as_str().unwrap_or("node");
        return Err(AskError::Usage(format!(
            "{path} is a {kind} and has no body; edit one of the nodes below it"
        )));
    };
    let original = format!("{body:#}\n");
    let head =
        format!("# {path}: lines that begin with # are left out. Secrets stay as they are.\n");
    let mut file = tempfile::Builder::new().prefix("boxwood-").suffix(".json").tempfile()?;
    file.write_all(format!("{head}{original}").as_bytes())?;
    let mut tried = String::new();
    loop {
        let text = match run_editor(here, file.path()) {
            Ok(text) => text,
            Err(why) => return Err(keep(file, &why)),
        };
        let text = without_comments(&text);
        if text == original {
            return here
                .out
                .answer(&json!({ "results": [] }), |_, _| "nothing changed\n".to_owned());
        }
        let refusal = match attempt(here, path, &node, &text, at_once) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        // One who saves the same text again, or cannot be asked, has given up.
        if text == tried || !std::io::stdin().is_terminal() || !is_curable(&refusal) {
            return Err(keep(file, &refusal.to_string()));
        }
        let shown: String = refusal.to_string().lines().map(|line| format!("# {line}\n")).collect();
        std::fs::write(file.path(), format!("{head}{shown}{text}"))?;
        tried = text;
    }
}

fn is_curable(refusal: &AskError) -> bool {
    matches!(refusal, AskError::File { .. } | AskError::Refused { status: 400, .. })
}

fn attempt(
    here: &Here<'_>,
    path: &str,
    node: &Value,
    text: &str,
    at_once: &AtOnce,
) -> Result<(), AskError> {
    let body: Value = serde_json::from_str(text)
        .map_err(|error| AskError::file(path, format!("not JSON: {error}")))?;
    let edit = json!({ "op": "put", "path": path, "body": body, "etag": node["etag"] });
    change::send(here, path, edit, at_once)
}

fn run_editor(here: &Here<'_>, file: &Path) -> Result<String, String> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| variable(here.environment, name));
    let editor = editor.unwrap_or("vi");
    // An editor may come with arguments of its own.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let ended = Command::new(program).args(words).arg(file).status();
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(format!("the editor {editor:?} ended with {status}")),
        Err(error) => {
            return Err(format!(
                "cannot start the editor {editor:?}: {error}; set EDITOR to another"
            ));
        }
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with(COMMENT));
    lines.map(|line| format!("{line}\n")).collect()
}

// The text stays where it can be found.
fn keep(file: tempfile::NamedTempFile, why: &str) -> AskError {
    let place = file.path().to_owned();
    match file.keep() {
        Ok((_, place)) => {
            let why = format!("{why}\n  nothing was changed; your text is kept in this file");
            AskError::file(place, why)
        }
        Err(error) => AskError::file(place, error),
    }
}
