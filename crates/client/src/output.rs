//! How answers are shown: for people as tables and differences, coloured on a terminal; for programs
//! as the documents themselves.

use std::io::{self, IsTerminal, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::Environment;
use crate::context::variable;
use crate::error::AskError;
use crate::options::Output;

/// The longest text in a cell of a table.
const WIDEST: usize = 60;

/// Where answers go, and in which form.
pub(crate) struct Out {
    form: Output,
    colour: bool,
}

impl Out {
    /// Colours are for terminals, unless NO_COLOR says otherwise (no-color.org).
    pub(crate) fn new(form: Output, environment: &Environment) -> Self {
        let plain = variable(environment, "NO_COLOR").is_some()
            || variable(environment, "TERM") == Some("dumb");
        Self { form, colour: io::stdout().is_terminal() && !plain }
    }

    /// Shows an answer: `text` makes what people read.
    pub(crate) fn answer(
        &self,
        document: &Value,
        text: impl FnOnce(&Self, &Value) -> String,
    ) -> Result<(), AskError> {
        let shown = match self.form {
            Output::Text => text(self, document),
            Output::Json => format!("{document:#}\n"),
            Output::Yaml => serde_norway::to_string(document).map_err(io::Error::other)?,
        };
        self.say(&shown)
    }

    /// Writes a text as it is.
    pub(crate) fn say(&self, text: &str) -> Result<(), AskError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// One document of several: a line of JSON, a document of YAML, or a text.
    pub(crate) fn item(
        &self,
        document: &Value,
        text: impl FnOnce(&Self, &Value) -> String,
    ) -> Result<(), AskError> {
        match self.form {
            Output::Json => self.say(&format!("{document}\n")),
            Output::Yaml => {
                self.say("---\n")?;
                self.answer(document, text)
            }
            Output::Text => self.answer(document, text),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A heading.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A list of changes as a unified difference.
    pub(crate) fn changes(&self, changes: &Value) -> String {
        let mut text = String::new();
        let mut last = String::new();
        for change in changes.as_array().into_iter().flatten() {
            let part = |name: &str| change[name].as_str().unwrap_or_default();
            let (node, pointer) = (part("node"), part("pointer"));
            if node != last {
                text.push_str(&self.bold(&format!("--- {node}\n+++ {node}\n")));
                last = node.to_owned();
            }
            let place = if pointer.is_empty() { part("type") } else { pointer };
            text.push_str(&self.paint("36", &format!("@@ {place} @@")));
            text.push('\n');
            let old = change.get("old_value").or_else(|| change.get("old_order"));
            let new = change.get("new_value").or_else(|| change.get("new_order"));
            text.push_str(&self.difference(old, new));
        }
        text
    }

    fn difference(&self, old: Option<&Value>, new: Option<&Value>) -> String {
        let lines =
            |value: Option<&Value>| value.map_or_else(String::new, |it| format!("{it:#}\n"));
        let (old, new) = (lines(old), lines(new));
        let diff = TextDiff::from_lines(&old, &new);
        let mut text = String::new();
        for change in diff.iter_all_changes() {
            let line = change.to_string();
            let line = line.trim_end_matches('\n');
            text.push_str(&match change.tag() {
                ChangeTag::Delete => self.paint("31", &format!("-{line}")),
                ChangeTag::Insert => self.paint("32", &format!("+{line}")),
                ChangeTag::Equal => format!(" {line}"),
            });
            text.push('\n');
        }
        text
    }

    /// A node: its body, or a table of what is below it.
    pub(crate) fn node(&self, node: &Value) -> String {
        let mut text = String::new();
        if let Some(body) = node.get("body") {
            return format!("{body:#}\n");
        }
        let children: Vec<&Value> = node["children"].as_array().into_iter().flatten().collect();
        if children.iter().all(|child| child.get("body").is_none()) {
            let row = |child: &&Value| {
                vec![
                    cell(&child["key"]),
                    cell(&child["kind"]),
                    cell(&child["count"]),
                    cell(&child["title"]),
                ]
            };
            text.push_str(
                &self.table(&["KEY", "KIND", "COUNT", "TITLE"], children.iter().map(row)),
            );
        } else {
            let names = columns(&children);
            let mut head = vec!["KEY"];
            let upper: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
            head.extend(upper.iter().map(String::as_str));
            let row = |child: &&Value| {
                let own = std::iter::once(cell(&child["key"]));
                own.chain(names.iter().map(|name| cell(&child["body"][name]))).collect()
            };
            text.push_str(&self.table(&head, children.iter().map(row)));
        }
        if let Some(next) = node["next"].as_str() {
            text.push_str(&format!("… more: --after {next}\n"));
        }
        text
    }

    /// A table: plain columns, since borders get in the way of a pipe.
    pub(crate) fn table(&self, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(head.iter().copied());
        for row in rows {
            table.add_row(row);
        }
        let lines = table.to_string();
        let lines =
            lines.lines().map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()));
        let painted = lines.enumerate().map(|(at, line)| match at {
            0 => format!("{}\n", self.bold(line)),
            _ => format!("{line}\n"),
        });
        painted.collect()
    }
}

/// A value in a cell.
pub(crate) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        other => other.to_string(),
    };
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

// The members of bodies that fit into a table: those that are not objects or lists, at most four.
fn columns(children: &[&Value]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for child in children {
        for (name, value) in child["body"].as_object().into_iter().flatten() {
            if !value.is_object() && !value.is_array() && !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    // A name first: that is what people look for.
    names.sort_by_key(|name| !matches!(name.as_str(), "name" | "id"));
    names.truncate(4);
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain() -> Out {
        Out { form: Output::Text, colour: false }
    }

    #[test]
    fn changes_are_a_unified_difference() {
        let changes = json!([
            {"node": "/a", "pointer": "/x", "type": "replace", "old_value": 1, "new_value": {"b": 2}},
            {"node": "/a", "pointer": "/y", "type": "replace", "old_value": "s", "new_value": "t"},
            {"node": "/l/1", "pointer": "", "type": "delete", "old_value": {"n": 1}},
        ]);
        let expected = "--- /a\n+++ /a\n@@ /x @@\n-1\n+{\n+  \"b\": 2\n+}\n@@ /y @@\n-\"s\"\n+\"t\"\n\
                        --- /l/1\n+++ /l/1\n@@ delete @@\n-{\n-  \"n\": 1\n-}\n";
        assert_eq!(plain().changes(&changes), expected);
        let coloured = Out { form: Output::Text, colour: true }.changes(&changes);
        assert!(coloured.contains("\u{1b}[31m-1\u{1b}[0m"), "{coloured}");
    }

    #[test]
    fn a_collection_is_a_table_of_what_fits() {
        let node = json!({"children": [
            {"key": "1", "body": {"a": [1], "name": "first", "on": true}},
            {"key": "2", "body": {"name": "a\nb"}},
        ], "next": "2"});
        let text = plain().node(&node);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["KEY", "NAME", "ON"]);
        assert_eq!(lines[1], ["1", "first", "true"]);
        assert_eq!(lines[2], ["2", "a", "b"]);
        assert!(text.contains("--after 2"));
    }
}
