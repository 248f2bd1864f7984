//! The JSON documents in which the appliance shows nodes: object, folder, collection.
//!
//! Written as text and not through a value tree: the body of a node is text already, in the form
//! in which it is shown ([`config_tree::Body::shown`]), and reads are most of the traffic. Members
//! are in alphabetical order, as in the vendor's samples.

use catalog::Catalog;
use config_tree::{Body, Key, Kind, Neighbours, NodePath, Reference, Renderer, Shown, Tree};
use serde_json::{Value, json};

use super::address::{CONFIGURATION, href};
use crate::condition::Tag;
use crate::http_path::encoded;
use crate::presentation::without_secrets;

/// A document up to the seconds that the session has left, the one thing in it that depends on who
/// asks and when.
pub(crate) struct Unfinished(Vec<u8>);

/// What follows the seconds: the end of `meta` and of the document.
const END: &[u8] = b",\"transaction\":\"/api/transaction\"}}";

impl Unfinished {
    /// What there is, to be kept.
    pub(crate) fn text(&self) -> &[u8] {
        &self.0
    }

    /// The document, for a session that ends after this number of seconds if nothing else happens.
    pub(crate) fn finish(self, remaining_seconds: u64) -> Vec<u8> {
        let Self(mut text) = self;
        text.extend_from_slice(itoa::Buffer::new().format(remaining_seconds).as_bytes());
        text.extend_from_slice(END);
        text
    }

    /// What there is.
    pub(crate) fn into_text(self) -> Vec<u8> {
        self.0
    }

    /// What follows it.
    pub(crate) fn end(remaining_seconds: u64) -> Vec<u8> {
        let mut digits = itoa::Buffer::new();
        [digits.format(remaining_seconds).as_bytes(), END].concat()
    }

    /// The same of a text that is kept.
    pub(crate) fn finish_kept(text: &[u8], remaining_seconds: u64) -> Vec<u8> {
        let mut digits = itoa::Buffer::new();
        [text, digits.format(remaining_seconds).as_bytes(), END].concat()
    }
}

/// The document of a node and the tag of its state; `None` where there is none.
pub(crate) fn node(catalog: &Catalog, tree: &Tree, path: &NodePath) -> Option<(Unfinished, Tag)> {
    let found = tree.get(path)?;
    Some(match found.body() {
        Some(body) => object(catalog, tree, path, body, None),
        None => listing(catalog, tree, path, found.kind(), None),
    })
}

/// The same for a reader who does not see everything around the node: neither members nor
/// neighbours that are not seen are in it.
pub(crate) fn node_in_part(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
    is_seen: &dyn Fn(&NodePath) -> bool,
) -> Option<(Unfinished, Tag)> {
    let found = tree.get(path)?;
    Some(match found.body() {
        Some(body) => object(catalog, tree, path, body, Some(is_seen)),
        None => listing(catalog, tree, path, found.kind(), Some(is_seen)),
    })
}

/// Which nodes a reader sees; `None`: all.
type Seen<'s> = Option<&'s dyn Fn(&NodePath) -> bool>;

fn object(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
    body: &Body,
    seen: Seen<'_>,
) -> (Unfinished, Tag) {
    let shown = shown(catalog, path, body);
    let mut text = Vec::with_capacity(shown.text.len() + 1024);
    text.extend_from_slice(b"{\"body\":");
    text.extend_from_slice(&shown.text);
    text.extend_from_slice(b",\"key\":");
    string(&mut text, path.key().map_or("configuration", Key::as_str));
    text.extend_from_slice(b",\"meta\":");
    meta(catalog, tree, path, seen, &mut text);
    (Unfinished(text), Tag::of_body(shown.tag))
}

fn listing(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
    kind: Kind,
    seen: Seen<'_>,
) -> (Unfinished, Tag) {
    let is_seen = |key: &Key| seen.is_none_or(|is_seen| is_seen(&path.join(key)));
    let base = href(path);
    let mut text = Vec::with_capacity(512 + tree.child_count(path) * (2 * base.len() + 96));
    text.extend_from_slice(b"{\"items\":[");
    if kind == Kind::Collection {
        // Members carry their bodies, as later versions do; older clients ignore them.
        let members = tree.members(path).filter(|(key, _)| is_seen(key));
        for (index, (key, body)) in members.enumerate() {
            separate(index, &mut text);
            text.extend_from_slice(b"{\"body\":");
            text.extend_from_slice(&shown(catalog, &path.join(key), body).text);
            text.push(b',');
            item(&base, key, &mut text);
        }
    } else {
        for (index, key) in tree.children(path).filter(|key| is_seen(key)).enumerate() {
            separate(index, &mut text);
            text.push(b'{');
            item(&base, key, &mut text);
        }
    }
    let tag = Tag::of_listing(&text);
    text.extend_from_slice(b"],\"meta\":");
    meta(catalog, tree, path, seen, &mut text);
    (Unfinished(text), tag)
}

fn separate(index: usize, text: &mut Vec<u8>) {
    if index > 0 {
        text.push(b',');
    }
}

fn item(parent: &str, key: &Key, text: &mut Vec<u8>) {
    put(text, &["\"key\":"]);
    string(text, key.as_str());
    put(text, &[",\"meta\":{\"href\":\"", parent, "/", &encoded(key.as_str()), "\"}}"]);
}

/// A document with nothing but the navigation of a node, which DELETE answers.
pub(crate) fn meta_only(catalog: &Catalog, tree: &Tree, path: &NodePath) -> Unfinished {
    let mut text = b"{\"meta\":".to_vec();
    meta(catalog, tree, path, None, &mut text);
    Unfinished(text)
}

// Up to the seconds.
fn meta(catalog: &Catalog, tree: &Tree, path: &NodePath, seen: Seen<'_>, text: &mut Vec<u8>) {
    let (Some(parent), Some(key)) = (path.parent(), path.key()) else {
        return root_meta(text);
    };
    // Neighbours would list the keys of a collection that may not be listed.
    let neighbours = match seen {
        _ if !is_listed(catalog, &parent) => None,
        None => tree.neighbours(path),
        Some(is_seen) => seen_neighbours(tree, &parent, key, is_seen),
    };
    let parent = href(&parent);
    text.push(b'{');
    if let Some(Neighbours { first, .. }) = &neighbours {
        link("first", &parent, Some(first), text);
    }
    link("href", &parent, Some(key), text);
    if let Some(Neighbours { last, next, .. }) = &neighbours {
        link("last", &parent, Some(last), text);
        link("next", &parent, *next, text);
    }
    put(text, &["\"parent\":\"", &parent, "\","]);
    if let Some(Neighbours { previous, .. }) = &neighbours {
        link("previous", &parent, *previous, text);
    }
    put(text, &["\"remaining_seconds\":"]);
}

fn seen_neighbours<'t>(
    tree: &'t Tree,
    parent: &NodePath,
    key: &Key,
    is_seen: &dyn Fn(&NodePath) -> bool,
) -> Option<Neighbours<'t>> {
    let seen = tree.children(parent).filter(|key| is_seen(&parent.join(key)));
    let seen: Vec<&Key> = seen.collect();
    let at = seen.iter().position(|other| *other == key)?;
    Some(Neighbours {
        first: seen.first()?,
        last: seen.last()?,
        next: seen.get(at + 1).copied(),
        previous: at.checked_sub(1).map(|before| seen[before]),
    })
}

// The root is its own first and last, and has neither parent nor neighbours (7.3 guide).
fn root_meta(text: &mut Vec<u8>) {
    let own = CONFIGURATION;
    put(text, &["{\"first\":\"", own, "\",\"href\":\"", own, "\",\"last\":\"", own]);
    put(text, &["\",\"next\":null,\"parent\":null,\"previous\":null,\"remaining_seconds\":"]);
}

/// A member of `meta` that leads to a child of `parent`, or nowhere. A shown path has nothing that
/// JSON escapes.
fn link(name: &str, parent: &str, key: Option<&Key>, text: &mut Vec<u8>) {
    match key {
        Some(key) => {
            put(text, &["\"", name, "\":\"", parent, "/", &encoded(key.as_str()), "\","]);
        }
        None => put(text, &["\"", name, "\":null,"]),
    }
}

fn put(text: &mut Vec<u8>, pieces: &[&str]) {
    for piece in pieces {
        text.extend_from_slice(piece.as_bytes());
    }
}

fn string(text: &mut Vec<u8>, value: &str) {
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(text, value);
}

fn is_listed(catalog: &Catalog, parent: &NodePath) -> bool {
    catalog.endpoint(parent).is_none_or(|endpoint| endpoint.operations().list)
}

// The form of SPS among those in which bodies are kept.
const RENDERER: Renderer = Renderer::new(0);

/// A body as it is shown: references embedded with their links, secrets left out. Made once for
/// each body and then shared.
pub(crate) fn shown<'b>(catalog: &Catalog, path: &NodePath, body: &'b Body) -> &'b Shown {
    let embed = |key: Value, reference: &Reference| {
        embedded(key, &reference.target, reference.fragment.as_deref())
    };
    body.shown(RENDERER, |body| without_secrets(catalog, path, body, Some(&embed)))
}

fn embedded(key: Value, target: &NodePath, fragment: Option<&str>) -> Value {
    let mut link = href(target);
    if let Some(inner) = fragment {
        link.push('#');
        link.push_str(inner);
    }
    json!({ "key": key, "meta": { "href": link } })
}
