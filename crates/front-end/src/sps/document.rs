//! The JSON documents in which the appliance shows nodes: object, folder, collection.
//!
//! Written as text and not through a value tree: the body of a node is text already, in the form
//! in which it is shown ([`config_tree::Body::shown`]), and reads are most of the traffic. Members
//! are in alphabetical order, as in the vendor's samples.

use bytes::Bytes;
use catalog::Catalog;
use config_tree::{Body, Key, Kind, Neighbours, NodePath, Shown, Tree};
use serde_json::{Value, json};

use crate::condition::Tag;
use crate::sps::address::href;

/// What a document needs beside the tree.
pub(crate) struct Context<'a> {
    pub(crate) catalog: &'a Catalog,
    /// Seconds until the session ends if nothing else happens.
    pub(crate) remaining_seconds: u64,
}

/// The document of a node and the tag of its state; `None` where there is none.
pub(crate) fn node(context: &Context<'_>, tree: &Tree, path: &NodePath) -> Option<(Vec<u8>, Tag)> {
    let found = tree.get(path)?;
    Some(match found.body() {
        Some(body) => {
            let tag = Tag::of_body(shown(context.catalog, path, body).tag);
            (object(context, tree, path, body), tag)
        }
        None => listing(context, tree, path, found.kind()),
    })
}

fn object(context: &Context<'_>, tree: &Tree, path: &NodePath, body: &Body) -> Vec<u8> {
    let shown = &shown(context.catalog, path, body).text;
    let mut text = Vec::with_capacity(shown.len() + 512);
    text.extend_from_slice(b"{\"body\":");
    text.extend_from_slice(shown);
    text.extend_from_slice(b",\"key\":");
    string(&mut text, path.key().map_or("configuration", Key::as_str));
    text.extend_from_slice(b",\"meta\":");
    meta(context, tree, path, &mut text);
    text.push(b'}');
    text
}

fn listing(context: &Context<'_>, tree: &Tree, path: &NodePath, kind: Kind) -> (Vec<u8>, Tag) {
    let base = href(path);
    let mut text = Vec::with_capacity(512 + tree.child_count(path) * (2 * base.len() + 96));
    text.extend_from_slice(b"{\"items\":[");
    if kind == Kind::Collection {
        // Members carry their bodies, as later versions do; older clients ignore them.
        for (index, (key, body)) in tree.members(path).enumerate() {
            separate(index, &mut text);
            text.extend_from_slice(b"{\"body\":");
            text.extend_from_slice(&shown(context.catalog, &path.join(key), body).text);
            text.push(b',');
            item(&path.join(key), key, &mut text);
        }
    } else {
        for (index, key) in tree.children(path).enumerate() {
            separate(index, &mut text);
            text.push(b'{');
            item(&path.join(key), key, &mut text);
        }
    }
    let tag = Tag::of_listing(&text);
    text.extend_from_slice(b"],\"meta\":");
    meta(context, tree, path, &mut text);
    text.push(b'}');
    (text, tag)
}

fn separate(index: usize, text: &mut Vec<u8>) {
    if index > 0 {
        text.push(b',');
    }
}

fn item(path: &NodePath, key: &Key, text: &mut Vec<u8>) {
    text.extend_from_slice(b"\"key\":");
    string(text, key.as_str());
    text.extend_from_slice(b",\"meta\":{\"href\":");
    string(text, &href(path));
    text.extend_from_slice(b"}}");
}

/// A document with nothing but the navigation of a node, which DELETE answers.
pub(crate) fn meta_only(context: &Context<'_>, tree: &Tree, path: &NodePath) -> Vec<u8> {
    let mut text = b"{\"meta\":".to_vec();
    meta(context, tree, path, &mut text);
    text.push(b'}');
    text
}

fn meta(context: &Context<'_>, tree: &Tree, path: &NodePath, text: &mut Vec<u8>) {
    let own = href(path);
    let Some(parent) = path.parent() else {
        // The root is its own first and last, and has neither parent nor neighbours (7.3 guide).
        let odd = format!(
            "{{\"first\":\"{own}\",\"href\":\"{own}\",\"last\":\"{own}\",\"next\":null,\
             \"parent\":null,\"previous\":null,"
        );
        text.extend_from_slice(odd.as_bytes());
        return meta_end(context, text);
    };
    // Neighbours would list the keys of a collection that may not be listed.
    let neighbours = if is_listed(context.catalog, &parent) { tree.neighbours(path) } else { None };
    let sibling = |key: &Key| href(&parent.join(key));
    text.push(b'{');
    if let Some(Neighbours { first, .. }) = &neighbours {
        member(text, "first", Some(&sibling(first)));
    }
    member(text, "href", Some(&own));
    if let Some(Neighbours { last, next, .. }) = &neighbours {
        member(text, "last", Some(&sibling(last)));
        member(text, "next", next.as_ref().map(sibling).as_deref());
    }
    member(text, "parent", Some(&href(&parent)));
    if let Some(Neighbours { previous, .. }) = &neighbours {
        member(text, "previous", previous.as_ref().map(sibling).as_deref());
    }
    meta_end(context, text);
}

fn meta_end(context: &Context<'_>, text: &mut Vec<u8>) {
    let end = format!(
        "\"remaining_seconds\":{},\"transaction\":\"/api/transaction\"}}",
        context.remaining_seconds
    );
    text.extend_from_slice(end.as_bytes());
}

fn member(text: &mut Vec<u8>, name: &str, value: Option<&str>) {
    string(text, name);
    text.push(b':');
    match value {
        Some(value) => string(text, value),
        None => text.extend_from_slice(b"null"),
    }
    text.push(b',');
}

fn string(text: &mut Vec<u8>, value: &str) {
    // Writing a string to memory cannot fail.
    let _ = serde_json::to_writer(text, value);
}

fn is_listed(catalog: &Catalog, parent: &NodePath) -> bool {
    catalog.endpoint(parent).is_none_or(|endpoint| endpoint.operations().list)
}

/// A body as it is shown: references embedded with their links, secrets left out. Made once for
/// each body and then shared.
pub(crate) fn shown<'b>(catalog: &Catalog, path: &NodePath, body: &'b Body) -> &'b Shown {
    body.shown(|body| {
        let mut value = body.value();
        let secrets = catalog.secrets(path, &value);
        if secrets.is_empty() && body.references().is_empty() {
            return body.bytes().clone();
        }
        for pointer in &secrets {
            remove(&mut value, pointer);
        }
        for reference in body.references() {
            if let Some(place) = value.pointer_mut(&reference.pointer) {
                let key = place.take();
                *place = embedded(key, &reference.target, reference.fragment.as_deref());
            }
        }
        Bytes::from(value.to_string())
    })
}

fn embedded(key: Value, target: &NodePath, fragment: Option<&str>) -> Value {
    let mut link = href(target);
    if let Some(inner) = fragment {
        link.push('#');
        link.push_str(inner);
    }
    json!({ "key": key, "meta": { "href": link } })
}

fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return;
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(members)) => _ = members.remove(&name),
        // Taking an element away would move the others; a hole says that something is there.
        Some(Value::Array(elements)) => {
            if let Some(element) = name.parse().ok().and_then(|at: usize| elements.get_mut(at)) {
                *element = Value::Null;
            }
        }
        _ => {}
    }
}
