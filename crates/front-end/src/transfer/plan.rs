//! From a document to a tree, and from a tree to a revision.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::{Layer, Violation, Violations};
use config_tree::{NodePath, Tree, changes_between, touched_between};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transaction_engine::{Engine, Error, RevisionNumber, SecretForm, Session};

use super::config_hash;
use super::difference::{Difference, differences};
use super::document::{Document, DocumentError, RawNode};
use crate::json;
use crate::secret_places::put_back;

/// Rules that only documents can break; those of bodies and trees are the catalog's.
mod rule {
    /// The path is one, and no other node of the document has it.
    pub(super) const PATH: &str = "document-path";
    /// The body can be read.
    pub(super) const BODY: &str = "document-body";
    /// A secret that was left out stands here already, at the same place.
    pub(super) const OMITTED: &str = "secret-omitted";
}

/// Why a document was not imported. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not a document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It belongs to another appliance.
    #[error(
        "the document is of the appliance {found:?} and this one is {expected:?}; if it fits all \
         the same, change its `appliance`"
    )]
    Appliance {
        /// What the document says.
        found: String,
        /// The catalog here.
        expected: String,
    },
    /// It breaks rules: all of them, sorted by where they are broken.
    #[error("the document breaks {}{}", counted(.0.total()), listed(.0))]
    Violations(Violations),
    /// The engine refuses, for another reason than broken rules.
    #[error(transparent)]
    Engine(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(violations) | Error::Rejected(violations) => {
                Self::Violations(violations)
            }
            other => Self::Engine(other),
        }
    }
}

fn counted(violations: usize) -> String {
    format!("{violations} {}", if violations == 1 { "rule" } else { "rules" })
}

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("\n  {violation}")).collect()
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The nodes that differ, by path.
    pub changes: Vec<Difference>,
    /// The hash of the configuration with them.
    pub config_hash: String,
    /// How many nodes the document has.
    pub nodes: usize,
    /// The revision that holds them; without a commit, the one they were compared with.
    pub revision: u64,
}

/// What the history says of an import without a message.
pub const MESSAGE: &str = "Import";

/// How far an import is: how many nodes were checked.
pub type Reached<'a> = &'a dyn Fn(usize);

/// Says what a document would change in a revision, by the rules of an engine and of those who act
/// on its commits: everything that an import does but the commit. No lock is needed, and none held.
///
/// # Errors
/// See [`Refusal`].
pub fn rehearse(
    engine: &Engine,
    (number, base): (RevisionNumber, &Tree),
    document: &Document<'_>,
    json_depth: usize,
    reached: Reached<'_>,
) -> Result<Outcome, Refusal> {
    let tree = build(engine, base, document, json_depth, reached)?;
    let tree = engine.tree_rehearse(number, base, &tree)?;
    Ok(outcome(document, base, &tree, number))
}

/// Commits a document as one transaction of a session of its own. In exclusive mode it takes the
/// lock first, so that no long check ends with the news that it is held.
///
/// # Errors
/// See [`Refusal`].
pub fn import(
    engine: &Engine,
    user: &str,
    document: &Document<'_>,
    message: &str,
    json_depth: usize,
    reached: Reached<'_>,
) -> Result<Outcome, Refusal> {
    let guest = Guest { engine, session: engine.session_open(user) };
    engine.transaction_open(&guest.session)?;
    let base = engine.view(&guest.session).tree().clone();
    let tree = build(engine, &base, document, json_depth, reached)?;
    engine.tree_stage(&guest.session, &tree)?;
    let committed = engine.transaction_commit(&guest.session, Some(message.to_owned()))?;
    // What nothing refers to went with the commit.
    let running = engine.running();
    let tree = if running.number == committed.number { &running.tree } else { &tree };
    Ok(outcome(document, &base, tree, committed.number))
}

/// A session that ends with the import, whatever becomes of it.
struct Guest<'e> {
    engine: &'e Engine,
    session: Arc<Session>,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.engine.session_end(&self.session);
    }
}

fn outcome(document: &Document<'_>, base: &Tree, tree: &Tree, number: RevisionNumber) -> Outcome {
    let changes = changes_between(base, tree, &touched_between(base, tree));
    Outcome {
        changes: differences(&changes),
        config_hash: config_hash(tree),
        nodes: document.len(),
        revision: number.get(),
    }
}

fn build(
    engine: &Engine,
    base: &Tree,
    document: &Document<'_>,
    json_depth: usize,
    reached: Reached<'_>,
) -> Result<Tree, Refusal> {
    let expected = engine.catalog().name();
    if document.appliance != expected {
        let found = document.appliance.clone().into_owned();
        return Err(Refusal::Appliance { found, expected: expected.to_owned() });
    }
    let mut reading = Reading { base, json_depth, seen: BTreeSet::new(), found: Vec::new() };
    let nodes = document.nodes.iter().enumerate().filter_map(|(done, node)| {
        reached(done);
        reading.node(node)
    });
    let built = engine.tree_build(nodes, SecretForm::Sealed).map_err(Refusal::from);
    if reading.found.is_empty() {
        return built;
    }
    match built {
        // What is wrong with the whole may be so only because these nodes are missing in it.
        Err(Refusal::Violations(violations)) => reading
            .found
            .extend(violations.into_iter().filter(|violation| violation.layer == Layer::Shape)),
        Err(other) => return Err(other),
        Ok(_) => {}
    }
    reading.found.sort();
    Err(Refusal::Violations(reading.found.into()))
}

/// Bodies on their way from text to a tree, with what is wrong with their text.
struct Reading<'a> {
    base: &'a Tree,
    json_depth: usize,
    seen: BTreeSet<NodePath>,
    found: Vec<Violation>,
}

impl Reading<'_> {
    fn node(&mut self, node: &RawNode<'_>) -> Option<(NodePath, Value)> {
        let path = match NodePath::parse(&node.path) {
            Ok(path) => path,
            Err(error) => {
                let message = format!("{:?} is not a path: {error}", node.path);
                return self.say(&NodePath::root(), "", rule::PATH, message);
            }
        };
        if !self.seen.insert(path.clone()) {
            let message = format!("the document has {path} twice");
            return self.say(&path, "", rule::PATH, message);
        }
        match json::decode(node.body.get().as_bytes(), self.json_depth) {
            Ok(body) => self.completed(path, body, &node.omitted),
            Err(error) => self.say(&path, "", rule::BODY, error.to_string()),
        }
    }

    // Secrets that were left out are those that stand here, sealed for this very place.
    fn completed(
        &mut self,
        path: NodePath,
        mut body: Value,
        omitted: &[String],
    ) -> Option<(NodePath, Value)> {
        if omitted.is_empty() {
            return Some((path, body));
        }
        let here = self.base.body(&path).map(config_tree::Body::value).unwrap_or_default();
        let mut complete = true;
        for pointer in omitted {
            let secret = here.pointer(pointer).filter(|secret| secret.is_string());
            let kept = secret.is_some_and(|secret| put_back(&mut body, pointer, secret.clone()));
            if !kept {
                let message = "the secret was left out of the document and is not here either; \
                               export with sealed secrets, or create it here first"
                    .to_owned();
                complete = false;
                self.say::<()>(&path, pointer, rule::OMITTED, message);
            }
        }
        complete.then_some((path, body))
    }

    fn say<T>(
        &mut self,
        path: &NodePath,
        pointer: &str,
        rule: &'static str,
        message: String,
    ) -> Option<T> {
        let (path, pointer) = (path.clone(), pointer.to_owned());
        self.found.push(Violation {
            path,
            pointer,
            rule,
            layer: Layer::Shape,
            message,
            also: Vec::new(),
        });
        None
    }
}
