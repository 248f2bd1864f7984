//! The text of a document: written line by line, read without building what it holds.

use std::borrow::Cow;

use catalog::Catalog;
use config_tree::{Body, NodePath, Tree};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use transaction_engine::RevisionNumber;

use super::config_hash;
use crate::json::wipe_stack;
use crate::secret_places::take_out;

/// What documents say of themselves.
pub const FORMAT: &str = "boxwood-configuration/1";

/// What becomes of secrets in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretHandling {
    /// They stay as they are stored: who has the secret key can open them.
    Sealed,
    /// They are left out.
    Omitted,
}

impl SecretHandling {
    /// Reads what people write: `sealed` or `omit`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "sealed" => Some(Self::Sealed),
            "omit" => Some(Self::Omitted),
            _ => None,
        }
    }

    // What a document says of itself.
    fn word(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Omitted => "omitted",
        }
    }
}

/// A tree as a document.
#[must_use]
pub fn export(
    catalog: &Catalog,
    number: RevisionNumber,
    tree: &Tree,
    secrets: SecretHandling,
) -> Vec<u8> {
    let head = [
        ("format", json!(FORMAT)),
        ("appliance", json!(catalog.name())),
        ("revision", json!(number.get())),
        ("config_hash", json!(config_hash(tree))),
        ("secrets", json!(secrets.word())),
    ];
    let mut text = String::from("{\n");
    for (name, value) in head {
        text.push_str(&format!("{}: {value},\n", json!(name)));
    }
    text.push_str("\"nodes\": [");
    for (index, (path, body)) in tree.walk().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        node(catalog, &path, body, secrets, &mut text);
    }
    text.push_str("\n]}\n");
    text.into_bytes()
}

fn node(
    catalog: &Catalog,
    path: &NodePath,
    body: &Body,
    secrets: SecretHandling,
    text: &mut String,
) {
    text.push_str(&format!("{{\"path\": {}, \"body\": ", json!(path.to_string())));
    let omitted = match secrets {
        SecretHandling::Sealed => Vec::new(),
        SecretHandling::Omitted => catalog.secrets(path, &body.value()),
    };
    if omitted.is_empty() {
        text.push_str(body.text());
    } else {
        let mut value = body.value();
        omitted.iter().for_each(|pointer| take_out(&mut value, pointer));
        text.push_str(&format!("{value}, \"omitted\": {}", json!(omitted)));
    }
    text.push('}');
}

/// Why a text is not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON, or not of this form.
    #[error("not an exported configuration: {reason} at line {line}, column {column}")]
    Form {
        /// What is wrong, without anything that was found.
        reason: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It is of another time, or something else altogether.
    #[error("the document's `format` is not {FORMAT}, which is what this Boxwood reads")]
    Format,
    /// It does not say what became of the secrets.
    #[error("the document's `secrets` must be \"sealed\" or \"omitted\"")]
    Secrets,
}

/// A configuration as text. Borrows it: a large one is not kept twice.
#[derive(Debug)]
pub struct Document<'t> {
    /// The catalog it was written with.
    pub appliance: Cow<'t, str>,
    /// The hash of the configuration that was exported, if it was not removed.
    pub config_hash: Option<Cow<'t, str>>,
    pub(super) nodes: Vec<RawNode<'t>>,
}

// Unknown members are refused: a misspelt one would otherwise be lost without a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'t> {
    #[serde(borrow, rename = "format")]
    _format: Cow<'t, str>,
    #[serde(borrow)]
    appliance: Cow<'t, str>,
    #[serde(rename = "revision")]
    _revision: Option<u64>,
    #[serde(borrow)]
    config_hash: Option<Cow<'t, str>>,
    #[serde(borrow)]
    secrets: Cow<'t, str>,
    #[serde(borrow)]
    nodes: Vec<RawNode<'t>>,
}

/// One node as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a node: an object with `path` and `body`")]
pub(super) struct RawNode<'t> {
    #[serde(borrow)]
    pub(super) path: Cow<'t, str>,
    #[serde(borrow)]
    pub(super) body: &'t RawValue,
    #[serde(default)]
    pub(super) omitted: Vec<String>,
}

/// A body may hold a secret in clear, where somebody wrote the document by hand.
impl std::fmt::Debug for RawNode<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawNode({:?})", self.path)
    }
}

/// As much of any document as says what it is.
#[derive(Deserialize)]
#[serde(expecting = "an object with the member `format`")]
struct Kind<'t> {
    #[serde(borrow)]
    format: Option<Cow<'t, str>>,
}

impl<'t> Document<'t> {
    /// Reads the head of a document, and where its nodes are.
    ///
    /// # Errors
    /// The text must be JSON of this form. Bodies are not looked into.
    pub fn parse(text: &'t [u8]) -> Result<Self, DocumentError> {
        Self::read(text).inspect_err(|_| wipe_stack())
    }

    #[inline(never)]
    fn read(text: &'t [u8]) -> Result<Self, DocumentError> {
        // First, so that a document of a later format is not refused for its members.
        let kind: Kind<'_> = serde_json::from_slice(text).map_err(|error| form(&error))?;
        if kind.format.as_deref() != Some(FORMAT) {
            return Err(DocumentError::Format);
        }
        let whole: Whole<'t> = serde_json::from_slice(text).map_err(|error| form(&error))?;
        if ![SecretHandling::Sealed, SecretHandling::Omitted]
            .iter()
            .any(|o| o.word() == whole.secrets)
        {
            return Err(DocumentError::Secrets);
        }
        let Whole { appliance, config_hash, nodes, .. } = whole;
        Ok(Self { appliance, config_hash, nodes })
    }

    /// How many nodes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

// serde's sentences about types and values quote what was found, which may be a secret.
fn form(error: &serde_json::Error) -> DocumentError {
    let sentence = error.to_string();
    let reason = sentence.split(" at line ").next().unwrap_or_default();
    let reason = match reason.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => format!("expected {expected}"),
        _ => reason.to_owned(),
    };
    DocumentError::Form { reason, line: error.line(), column: error.column() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Document::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn other_texts_are_refused_without_quoting_them() {
        assert!(refusal("").starts_with("not an exported configuration: "));
        assert!(refusal("{\"format\": \"boxwood-configuration/2\"}").contains(FORMAT));
        assert!(refusal("{}").contains(FORMAT));
        let with = |rest: &str| refusal(&format!("{{\"format\": \"{FORMAT}\", {rest}}}"));
        let head = "\"appliance\": \"a\", \"secrets\": \"sealed\"";
        assert!(with(head).contains("missing field `nodes`"), "{}", with(head));
        assert!(with("\"nodez\": []").contains("unknown field `nodez`"));
        let clear = with("\"appliance\": \"a\", \"secrets\": \"clear\", \"nodes\": []");
        assert!(clear.contains("`secrets`"), "{clear}");
        let leaky = with(&format!("{head}, \"nodes\": \"hunter2\""));
        assert!(leaky.contains("expected a sequence") && !leaky.contains("hunter2"), "{leaky}");
        let twice = with(&format!("{head}, {head}, \"nodes\": []"));
        assert!(twice.contains("duplicate field"), "{twice}");
    }
}
