//! Reading `/boxwood/v1/nodes/…`: a node and what is below it, as deep as the request asks for, with
//! pages, filters and chosen members; and the order of a collection.

use std::sync::Arc;

use catalog::EndpointKind;
use config_tree::{Key, NodePath, Tree};
use serde_json::{Map, Value, json};
use transaction_engine::{Operation as Does, RevisionNumber};

use super::blocking;
use super::call::{Call, Refused};
use super::dress::tree as shows;
use super::edits;
use super::history::numbered;
use super::route::{IF_MATCH, Operation, PREFIX, Parameter, Who, header, ok, queries, query, run};
use super::selection::{Fields, Filter};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::{Access, Caller, Rights};
use crate::condition::Tag;
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::presentation::{Presentation, TreePresentation};
use crate::query::Query;

/// How deep below the node an answer may go.
const DEEPEST: usize = 16;
/// How many children of one node an answer shows at most, and unless it is asked for.
const MOST_CHILDREN: usize = 1_000;
const USUAL_CHILDREN: usize = 100;
/// How many nodes an answer shows at most.
const MOST_NODES: usize = 10_000;

const READING: &[Parameter] = &[
    query("depth", "integer", "How many levels below the node are shown: 0 to 16, 1 unless given."),
    query(
        "fields",
        "string",
        "The members of bodies to show: names or JSON Pointers, with commas.",
    ),
    queries(
        "filter",
        "Only children whose body fits: MEMBER=VALUE, also with != < > <= >= and ~ for \"contains\". \
         MEMBER is a name, a JSON Pointer, or @key.",
    ),
    query("limit", "integer", "How many children at most: 1 to 1000, 100 unless given."),
    query("after", "string", "Children after this key: `next` of the page before."),
    query(
        "state",
        "string",
        "`staged`, as the caller's transaction has it (the default); `running`; or the number of a \
         revision, for administrators.",
    ),
    query("head", "string", "Another head of the appliance, such as `candidate`; administrators."),
    header("If-None-Match", "An ETag: 304 without a body when that is the state."),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "nodes", "root_get", Who::Users, run!(get))
        .does("Read the root", "The root of the configuration, and what is below it.")
        .with(READING)
        .answers(&[ok("Node", "The node.")])
        .refuses(&[400]),
    Operation::new(Methods::GET, "nodes/{path}", "node_get", Who::Users, run!(get))
        .does(
            "Read a node",
            "A node and what is below it, as the caller sees it: with what their transaction has \
             staged, without secrets. Steps of the path may be joined by / or %2F.",
        )
        .with(READING)
        .answers(&[ok("Node", "The node.")])
        .refuses(&[400, 403, 404, 410]),
    Operation::new(Methods::GET, "orders/{path}", "order_get", Who::Users, run!(order))
        .does("Read the order of a collection", "The keys of all members, in their order.")
        .answers(&[ok("Order", "The order.")])
        .refuses(&[403, 404]),
    Operation::new(
        Methods::PUT,
        "orders/{path}",
        "collection_reorder",
        Who::Writers,
        run!(edits::order_put),
    )
    .does("Put a collection in another order", "Names each of its members once.")
    .with(&[IF_MATCH, edits::COMMIT, edits::MESSAGE, edits::HEAD])
    .takes("Keys")
    .answers(&[ok("Order", "The order as it is now.")])
    .refuses(&[400, 403, 404, 409, 412, 503]),
];

/// A configuration that a caller sees.
pub(super) struct Seen {
    pub(super) tree: Tree,
    pub(super) revision: RevisionNumber,
}

/// What the caller sees of an appliance: their own transaction's state unless the query says another.
async fn seen(call: &Call<'_>, query: &Query<'_>) -> Result<Seen, Refused> {
    let (appliance, caller) = (call.appliance, call.caller()?);
    if let Some(name) = query.get("head").filter(|name| *name != "running") {
        if !caller.rights.is_all() {
            return Err(Failure::Forbidden(Place::Request).into());
        }
        let running = edits::head(appliance, name)?.running();
        return Ok(Seen { tree: running.tree.clone(), revision: running.number });
    }
    match query.get("state") {
        None | Some("staged") => Ok(staged(appliance, caller)),
        Some("running") => {
            let running = appliance.engine.running();
            Ok(Seen { tree: running.tree.clone(), revision: running.number })
        }
        Some(number) => {
            if !caller.rights.is_all() {
                return Err(Failure::Forbidden(Place::Request).into());
            }
            let (revision, engine) = (numbered("state", number)?, Arc::clone(&appliance.engine));
            let tree = blocking(move || {
                engine.tree_at(revision)?.ok_or_else(|| engine.no_revision(revision))
            });
            Ok(Seen { tree: tree.await??, revision })
        }
    }
}

/// What a caller sees in their transaction.
pub(super) fn staged(appliance: &Appliance, caller: &Caller) -> Seen {
    let tree = appliance.engine.view(&caller.session).tree().clone();
    Seen { tree, revision: appliance.engine.running_number() }
}

async fn get(call: Call<'_>) -> Result<Answer, Refused> {
    let (query, path) = (call.query()?, call.node()?);
    let (appliance, caller) = (call.appliance, call.caller()?);
    may_see(appliance, caller, &path)?;
    let seen = seen(&call, &query).await?;
    let reading = Reading::read(&query)?;
    let view = NodeView::new(appliance, &caller.rights, &seen.tree);
    let (mut document, tag) = view.document(&path, &reading)?;
    document["revision"] = json!(seen.revision.get());
    let answer = Answer::document(&document);
    Ok(match tag {
        Some(tag) => answer.tagged(tag.value()).unless_known(&call.head.headers),
        None => answer,
    })
}

/// Whether a caller may read a place. Before anything is looked up: whether something is there is
/// part of what rights protect.
pub(super) fn may_see(
    appliance: &Appliance,
    caller: &Caller,
    path: &NodePath,
) -> Result<(), Failure> {
    let rights = &caller.rights;
    if !rights.allow(Access::Read, path) {
        return Err(Failure::Forbidden(Place::Node(path.clone())));
    }
    if rights.is_stored(path) {
        let (running, view) = (appliance.engine.running(), appliance.engine.view(&caller.session));
        if !rights.allow_stored(&running.tree, view.tree(), path) {
            return Err(Failure::NotFound(Place::Node(path.clone())));
        }
    }
    Ok(())
}

async fn order(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller, path) = (call.appliance, call.caller()?, call.node()?);
    may_see(appliance, caller, &path)?;
    let seen = staged(appliance, caller);
    Ok(order_shown(appliance, &seen.tree, &path)?.unless_known(&call.head.headers))
}

/// The order of a collection, as an answer with its tag.
pub(super) fn order_shown(
    appliance: &Appliance,
    tree: &Tree,
    path: &NodePath,
) -> Result<Answer, Failure> {
    let endpoint = appliance.engine.catalog().endpoint(path);
    if endpoint.is_none_or(|found| found.kind() != EndpointKind::Collection) {
        return Err(Failure::NotFound(Place::Node(path.clone())));
    }
    let (keys, tag) = order_of(tree, path);
    let meta = json!({
        "href": format!("{PREFIX}/orders{path}"),
        "parent": format!("{PREFIX}/nodes{path}"),
    });
    let document = json!({ "keys": keys, "meta": meta, "path": path.to_string() });
    Ok(Answer::document(&document).tagged(tag.value()))
}

/// The keys of a collection in their order, and the tag of that.
pub(super) fn order_of(tree: &Tree, path: &NodePath) -> (Vec<String>, Tag) {
    let keys: Vec<String> = tree.children(path).map(|key| key.as_str().to_owned()).collect();
    let tag = Tag::of_listing(json!(keys).to_string().as_bytes());
    (keys, tag)
}

// ===== the document of a node =====

/// What of a node is shown.
pub(super) struct Reading {
    depth: usize,
    limit: usize,
    after: Option<String>,
    fields: Option<Fields>,
    filters: Vec<Filter>,
}

impl Reading {
    /// The node alone.
    pub(super) fn alone() -> Self {
        Self { depth: 0, limit: USUAL_CHILDREN, after: None, fields: None, filters: Vec::new() }
    }

    fn read(query: &Query<'_>) -> Result<Self, Failure> {
        let filters: Result<Vec<_>, _> = query.all("filter").map(Filter::read).collect();
        Ok(Self {
            depth: number(query, "depth", 0, DEEPEST)?.unwrap_or(1),
            limit: number(query, "limit", 1, MOST_CHILDREN)?.unwrap_or(USUAL_CHILDREN),
            after: query.get("after").map(str::to_owned),
            fields: query.get("fields").map(Fields::read).transpose()?,
            filters: filters?,
        })
    }
}

fn number(
    query: &Query<'_>,
    name: &str,
    least: usize,
    most: usize,
) -> Result<Option<usize>, Failure> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    let message = format!("`{name}` must be a whole number from {least} to {most}");
    number.map(Some).ok_or_else(|| Failure::malformed(message, ""))
}

/// The nodes of a tree as one caller may see them.
pub(super) struct NodeView<'a> {
    appliance: &'a Appliance,
    rights: &'a Rights,
    tree: &'a Tree,
    shows: TreePresentation,
    running: Tree,
}

/// How many more nodes an answer may show.
struct Left(usize);

impl<'a> NodeView<'a> {
    pub(super) fn new(appliance: &'a Appliance, rights: &'a Rights, tree: &'a Tree) -> Self {
        let running = appliance.engine.running().tree.clone();
        Self { appliance, rights, tree, shows: shows(appliance), running }
    }

    /// A node with what is below it, and the tag of its body.
    pub(super) fn document(
        &self,
        path: &NodePath,
        reading: &Reading,
    ) -> Result<(Value, Option<Tag>), Failure> {
        if self.tree.get(path).is_none() {
            return Err(Failure::NotFound(Place::Node(path.clone())));
        }
        if let Some(after) = &reading.after {
            let key = Key::parse(after).ok().map(|key| path.join(&key));
            if key.is_none_or(|path| self.tree.get(&path).is_none()) {
                let message = "`after` names no child of the node; begin with the first page again";
                return Err(Failure::malformed(message, ""));
            }
        }
        let mut left = Left(MOST_NODES);
        let mut node = self.node(path, reading, reading.depth, true, &mut left);
        let parent = path.parent().map(|parent| href(&parent));
        node["allow"] = json!(self.allow(path));
        node["complete"] = json!(left.0 > 0);
        node["meta"] = json!({ "href": href(path), "parent": parent });
        Ok((node, self.tree.body(path).map(|body| Tag::of_body(self.shows.shown(path, body).tag))))
    }

    fn node(
        &self,
        path: &NodePath,
        reading: &Reading,
        depth: usize,
        is_first: bool,
        left: &mut Left,
    ) -> Value {
        left.0 = left.0.saturating_sub(1);
        let endpoint = self.appliance.engine.catalog().endpoint(path);
        let mut node = Map::new();
        node.insert("path".to_owned(), json!(path.to_string()));
        node.insert("key".to_owned(), json!(path.key().map(Key::as_str)));
        if let Some(endpoint) = endpoint {
            node.insert("kind".to_owned(), json!(endpoint.kind().name()));
            if endpoint.kind() != EndpointKind::Member {
                node.insert("title".to_owned(), json!(endpoint.title()));
            }
        }
        match self.tree.body(path) {
            Some(body) => {
                let shown = self.shows.shown(path, body);
                let value = serde_json::from_slice(&shown.text).unwrap_or_default();
                let value = reading
                    .fields
                    .as_ref()
                    .map_or_else(|| Value::clone(&value), |fields| fields.of(&value));
                node.insert("body".to_owned(), value);
                node.insert("etag".to_owned(), json!(Tag::of_body(shown.tag).text()));
            }
            None => {
                node.insert("count".to_owned(), json!(self.tree.child_count(path)));
                if depth > 0 {
                    self.children(path, reading, depth, is_first, left, &mut node);
                }
            }
        }
        Value::Object(node)
    }

    // `next` is the key to go on after, where there are more.
    fn children(
        &self,
        path: &NodePath,
        reading: &Reading,
        depth: usize,
        is_first: bool,
        left: &mut Left,
        node: &mut Map<String, Value>,
    ) {
        let after = reading.after.as_deref().filter(|_| is_first);
        let mut keys = self.tree.children(path);
        if let Some(after) = after {
            keys.by_ref().find(|key| key.as_str() == after);
        }
        let (mut shown, mut last, mut more) = (Vec::new(), None, false);
        for key in keys {
            let child = path.join(key);
            if !self.is_seen(&child) || (is_first && !self.fits(&child, key, &reading.filters)) {
                continue;
            }
            if shown.len() == reading.limit || left.0 == 0 {
                more = true;
                break;
            }
            shown.push(self.node(&child, reading, depth - 1, false, left));
            last = Some(key.as_str().to_owned());
        }
        node.insert("children".to_owned(), Value::Array(shown));
        node.insert("next".to_owned(), json!(last.filter(|_| more)));
    }

    fn is_seen(&self, path: &NodePath) -> bool {
        self.rights.allow(Access::Read, path)
            && (!self.rights.is_stored(path)
                || self.rights.allow_stored(&self.running, self.tree, path))
    }

    fn fits(&self, path: &NodePath, key: &Key, filters: &[Filter]) -> bool {
        if filters.is_empty() {
            return true;
        }
        let body = self.tree.body(path).map(|body| self.shows.shown(path, body));
        let value = body.and_then(|shown| serde_json::from_slice(&shown.text).ok());
        let value: Value = value.unwrap_or_default();
        filters.iter().all(|filter| filter.fits(key.as_str(), &value))
    }

    // What the caller may do here, as methods of this API.
    fn allow(&self, path: &NodePath) -> Vec<&'static str> {
        let writes = self.rights.allow(Access::Write, path);
        let methods = methods(self.appliance, path);
        let all = [Methods::GET, Methods::POST, Methods::PUT, Methods::PATCH, Methods::DELETE];
        let may = all.iter().filter(|one| **one == Methods::GET || writes);
        may.filter(|one| methods.and(**one) == methods).map(|one| one.name()).collect()
    }
}

/// The methods that a node has.
pub(super) fn methods(appliance: &Appliance, path: &NodePath) -> Methods {
    let does = appliance.engine.operations(path);
    let replaces = does(Does::Replace);
    Methods::NONE
        .and_if(does(Does::Read), Methods::GET)
        .and_if(does(Does::Create) || does(Does::Append), Methods::POST)
        .and_if(replaces, Methods::PUT.and(Methods::PATCH))
        .and_if(does(Does::Delete), Methods::DELETE)
}

/// Where a node is read.
pub(super) fn href(path: &NodePath) -> String {
    let steps = path.segments().iter();
    let steps = steps.map(|key| crate::http_path::encoded(key.as_str()).into_owned());
    std::iter::once(format!("{PREFIX}/nodes")).chain(steps).collect::<Vec<_>>().join("/")
}
