//! How an appliance shows nodes: under which path, and in which form.

use std::sync::Arc;

use bytes::Bytes;
use catalog::Catalog;
use config_tree::{Body, NodePath, Reference, Renderer, Shown};
use serde_json::Value;

use crate::secret_places::take_out;

/// How an appliance shows nodes. Boxwood's own API shows them as the appliance of the listener does.
pub(crate) trait Presentation: Send + Sync {
    /// The path under which a node is shown.
    fn href(&self, path: &NodePath) -> String;

    /// A body as it is shown: without secrets. Made once for each body and then shared.
    fn shown<'b>(&self, path: &NodePath, body: &'b Body) -> &'b Shown;

    /// A node that a caller names in a query: as the appliance shows it, or as the tree has it.
    /// `None` for what is neither.
    fn node_path(&self, asked: &str) -> Option<NodePath> {
        tree_path(asked)
    }

    /// The path of the caller's transaction, where the appliance has one.
    fn transaction(&self) -> Option<&'static str> {
        None
    }
}

/// A path of the tree as a caller writes it.
pub(crate) fn tree_path(asked: &str) -> Option<NodePath> {
    let rest = asked.strip_prefix('/')?;
    NodePath::from_segments(rest.split('/').filter(|key| !key.is_empty())).ok()
}

/// How a reference is shown, from the text that names its target.
pub(crate) type ShowReference<'a> = &'a dyn Fn(Value, &Reference) -> Value;

/// A body without its secrets, references written by `reference`. The same bytes where nothing has
/// to be left out or rewritten.
pub(crate) fn without_secrets(
    catalog: &Catalog,
    path: &NodePath,
    body: &Body,
    reference: Option<ShowReference<'_>>,
) -> Bytes {
    let mut value = body.value();
    let secrets = catalog.secrets(path, &value);
    let rewrites = reference.filter(|_| !body.references().is_empty());
    if secrets.is_empty() && rewrites.is_none() {
        return body.bytes().clone();
    }
    for pointer in &secrets {
        take_out(&mut value, pointer);
    }
    if let Some(rewrite) = rewrites {
        for found in body.references() {
            if let Some(place) = value.pointer_mut(&found.pointer) {
                *place = rewrite(place.take(), found);
            }
        }
    }
    Bytes::from(value.to_string())
}

// The form of this presentation among those in which bodies are kept.
const TREE_RENDERER: Renderer = Renderer::new(1);

/// Paths of the tree and bare references: how an appliance is shown whose own API has no address
/// for every node.
pub(crate) struct TreePresentation {
    catalog: Arc<Catalog>,
}

impl TreePresentation {
    /// Shows the nodes of a catalog.
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog }
    }
}

impl Presentation for TreePresentation {
    fn href(&self, path: &NodePath) -> String {
        path.to_string()
    }

    fn shown<'b>(&self, path: &NodePath, body: &'b Body) -> &'b Shown {
        body.shown(TREE_RENDERER, |body| without_secrets(&self.catalog, path, body, None))
    }
}
