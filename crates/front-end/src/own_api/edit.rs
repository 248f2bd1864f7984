//! One edit of the configuration: how a request writes it, and how it is made.

use std::sync::Arc;

use catalog::{Catalog, KeyRule};
use config_tree::{Key, NodePath, Tree};
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use serde_json::{Map, Value, json};
use transaction_engine::{Edit as Staging, Error as EngineError};

use super::nodes::order_of;
use super::sealed_body::SealedBody;
use crate::caller::{Access, Rights};
use crate::condition::{self, Tag};
use crate::failure::{Failure, Place};
use crate::json::wipe;
use crate::presentation::{Presentation, TreePresentation};

/// What is done to a node.
#[derive(Debug)]
pub(super) enum Does {
    /// Its body is replaced; a member that is not there is made, under this key.
    Put(Value),
    /// JSON Merge Patch (RFC 7396).
    Merge(Value),
    /// JSON Patch (RFC 6902).
    Patch(Value),
    /// One value in its body is set; `None` removes it.
    Set(String, Option<Value>),
    /// A collection gets a member, or a list an element.
    Create(Option<String>, Value),
    Delete,
    /// The members of a collection get this order.
    Order(Vec<String>),
    /// A member gets another place in its collection.
    Move(Spot),
}

/// A place in a collection.
#[derive(Debug)]
pub(super) enum Spot {
    First,
    Last,
    Before(String),
    After(String),
}

/// One edit.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) path: NodePath,
    pub(super) does: Does,
    /// What the caller says the state is, as `If-Match` has it.
    expects: HeaderMap,
}

/// What an edit has done.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) op: &'static str,
    pub(super) path: NodePath,
    pub(super) effect: &'static str,
}

impl Edit {
    /// An edit, with the condition that a request has.
    pub(super) fn new(path: NodePath, does: Does, headers: &HeaderMap) -> Self {
        let mut expects = HeaderMap::new();
        for value in headers.get_all(header::IF_MATCH) {
            expects.append(header::IF_MATCH, value.clone());
        }
        Self { path, does, expects }
    }

    /// Reads one of a list of edits.
    pub(super) fn read(value: Value, place: &str) -> Result<Self, Failure> {
        let mut members = match value {
            Value::Object(members) => members,
            _ => {
                return Err(Failure::malformed("An edit is an object with `op` and `path`", place));
            }
        };
        let edit = Self::of_members(&mut members, place);
        let unknown = members.keys().next().cloned();
        wipe(&mut Value::Object(members));
        match (edit?, unknown) {
            (edit, None) => Ok(edit),
            (_, Some(name)) => {
                let message = format!("`{name}` is unknown in this edit");
                Err(Failure::malformed(message, format!("{place}/{name}")))
            }
        }
    }

    fn of_members(members: &mut Map<String, Value>, place: &str) -> Result<Self, Failure> {
        let op = text(members, "op", place)?;
        let path = text(members, "path", place)?;
        let wrong =
            || Failure::malformed("`path` must be a path as in /a/b", format!("{place}/path"));
        let path = crate::presentation::tree_path(&path).ok_or_else(wrong)?;
        let mut expects = HeaderMap::new();
        if let Some(etag) = optional(members, "etag", place)? {
            let wrong = || Failure::malformed("`etag` is not an ETag", format!("{place}/etag"));
            expects.insert(header::IF_MATCH, HeaderValue::from_str(&etag).map_err(|_| wrong())?);
        }
        let does = Does::of_members(&op, members, place)?;
        Ok(Self { path, does, expects })
    }

    /// Makes the edit.
    pub(super) fn make(
        &self,
        staging: &mut Staging<'_>,
        running: &Tree,
        rights: &Rights,
        shows: &TreePresentation,
    ) -> Result<Done, Failure> {
        self.permit(staging.tree(), running, rights)?;
        self.expect(staging.tree(), shows)?;
        let path = &self.path;
        let done = |effect| Done { op: self.does.name(), path: path.clone(), effect };
        match &self.does {
            Does::Put(body) if staging.tree().get(path).is_none() => {
                create_given(staging, path, body)?;
                return Ok(done("created"));
            }
            Does::Put(body) => SealedBody::put(staging, path, body)?,
            Does::Merge(patch) => SealedBody::change(staging, path, |value| {
                json_patch::merge(value, patch);
                Ok(())
            })?,
            Does::Patch(patch) => SealedBody::change(staging, path, |value| patched(value, patch))?,
            Does::Set(pointer, new) => {
                SealedBody::change(staging, path, |value| set(value, pointer, new.as_ref()))?;
            }
            Does::Create(key, body) => return create(staging, path, key.as_deref(), body),
            Does::Delete => {
                staging.node_delete(path)?;
                return Ok(done("deleted"));
            }
            Does::Order(keys) => staging.collection_reorder(path, &parsed(keys)?)?,
            Does::Move(spot) => moved(staging, path, spot)?,
        }
        Ok(done("changed"))
    }

    fn permit(&self, tree: &Tree, running: &Tree, rights: &Rights) -> Result<(), Failure> {
        let place = || Place::Node(self.path.clone());
        if !rights.allow(Access::Write, &self.path) {
            return Err(Failure::Forbidden(place()));
        }
        if rights.is_stored(&self.path) && !rights.allow_stored(running, tree, &self.path) {
            return Err(Failure::NotFound(place()));
        }
        Ok(())
    }

    fn expect(&self, tree: &Tree, shows: &TreePresentation) -> Result<(), Failure> {
        if !condition::is_conditional(&self.expects) {
            return Ok(());
        }
        let tag = match (tree.body(&self.path), &self.does) {
            (Some(body), _) => Some(Tag::of_body(shows.shown(&self.path, body).tag)),
            (None, Does::Order(_)) => Some(order_of(tree, &self.path).1),
            (None, _) => None,
        };
        match tag {
            Some(tag) if !condition::match_fails(&self.expects, tag) => Ok(()),
            _ => Err(Failure::PreconditionFailed(Place::Node(self.path.clone()))),
        }
    }
}

impl Drop for Edit {
    // A body may hold a secret.
    fn drop(&mut self) {
        match &mut self.does {
            Does::Put(value) | Does::Merge(value) | Does::Patch(value) | Does::Create(_, value) => {
                wipe(value);
            }
            Does::Set(_, Some(value)) => wipe(value),
            Does::Set(_, None) | Does::Delete | Does::Order(_) | Does::Move(_) => {}
        }
    }
}

impl Does {
    fn of_members(
        op: &str,
        members: &mut Map<String, Value>,
        place: &str,
    ) -> Result<Self, Failure> {
        let mut value = |name: &str| needed(members, name, place);
        Ok(match op {
            "put" => Self::Put(value("body")?),
            "merge" => Self::Merge(value("patch")?),
            "patch" => Self::Patch(value("patch")?),
            "set" => {
                Self::Set(text(members, "pointer", place)?, Some(needed(members, "value", place)?))
            }
            "unset" => Self::Set(text(members, "pointer", place)?, None),
            "create" | "append" => {
                let body = needed(members, "body", place)?;
                Self::Create(optional(members, "key", place)?, body)
            }
            "delete" => Self::Delete,
            "order" => Self::Order(keys(&value("keys")?, &format!("{place}/keys"))?),
            "move" => Self::Move(Spot::of_members(members, place)?),
            _ => {
                let message = "`op` must be put, merge, patch, set, unset, create, append, delete, \
                               order or move";
                return Err(Failure::malformed(message, format!("{place}/op")));
            }
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Merge(_) => "merge",
            Self::Patch(_) => "patch",
            Self::Set(_, Some(_)) => "set",
            Self::Set(_, None) => "unset",
            Self::Create(..) => "create",
            Self::Delete => "delete",
            Self::Order(_) => "order",
            Self::Move(_) => "move",
        }
    }
}

impl Spot {
    fn of_members(members: &mut Map<String, Value>, place: &str) -> Result<Self, Failure> {
        let before = optional(members, "before", place)?;
        let after = optional(members, "after", place)?;
        let to = optional(members, "to", place)?;
        match (before, after, to.as_deref()) {
            (Some(key), None, None) => Ok(Self::Before(key)),
            (None, Some(key), None) => Ok(Self::After(key)),
            (None, None, Some("first")) => Ok(Self::First),
            (None, None, Some("last")) => Ok(Self::Last),
            _ => {
                let message = "A move needs one of \"before\": KEY, \"after\": KEY, \"to\": \"first\" \
                               and \"to\": \"last\"";
                Err(Failure::malformed(message, place))
            }
        }
    }
}

// ===== reading members =====

fn needed(members: &mut Map<String, Value>, name: &str, place: &str) -> Result<Value, Failure> {
    let missing = || Failure::malformed(format!("This edit needs `{name}`"), place);
    members.remove(name).ok_or_else(missing)
}

fn text(members: &mut Map<String, Value>, name: &str, place: &str) -> Result<String, Failure> {
    let missing = || Failure::malformed(format!("An edit needs `{name}`"), place);
    optional(members, name, place)?.ok_or_else(missing)
}

fn optional(
    members: &mut Map<String, Value>,
    name: &str,
    place: &str,
) -> Result<Option<String>, Failure> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            let message = format!("`{name}` must be a string");
            Err(Failure::malformed(message, format!("{place}/{name}")))
        }
    }
}

/// The keys of a collection, as a list of texts.
pub(super) fn keys(value: &Value, place: &str) -> Result<Vec<String>, Failure> {
    let wrong = || Failure::malformed("An order is a list of all keys of the collection", place);
    let items = value.as_array().ok_or_else(wrong)?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

fn parsed(keys: &[String]) -> Result<Vec<Key>, Failure> {
    let wrong = || Failure::malformed("An order is a list of all keys of the collection", "/keys");
    keys.iter().map(|key| Key::parse(key).map_err(|_| wrong())).collect()
}

// ===== making edits =====

// A member under the key that its path has, where clients may choose keys.
fn create_given(staging: &mut Staging<'_>, path: &NodePath, body: &Value) -> Result<(), Failure> {
    let missing = || Failure::NotFound(Place::Node(path.clone()));
    let (collection, key) = path.parent().zip(path.key().cloned()).ok_or_else(missing)?;
    let endpoint = staging.catalog().endpoint(&collection).ok_or_else(missing)?;
    if staging.tree().get(&collection).is_none() || !endpoint.operations().create {
        return Err(missing());
    }
    if !endpoint.key_rule().may_be_given() {
        let message = format!(
            "There is nothing at {path}, and the appliance chooses the keys of {collection}: create \
             the member with POST {}",
            super::nodes::href(&collection)
        );
        return Err(Failure::malformed(message, ""));
    }
    staging.node_create_with_key(&collection, &key, body.clone())?;
    Ok(())
}

fn create(
    staging: &mut Staging<'_>,
    path: &NodePath,
    key: Option<&str>,
    body: &Value,
) -> Result<Done, Failure> {
    let endpoint = staging.catalog().endpoint(path);
    if endpoint.is_some_and(catalog::Endpoint::is_list) && key.is_none() {
        staging.node_append(path, body.clone())?;
        return Ok(Done { op: "append", path: path.clone(), effect: "changed" });
    }
    let rule = endpoint.map(catalog::Endpoint::key_rule);
    let created = match key {
        None => staging.node_create(path, body.clone())?,
        Some(text) => {
            if !rule.is_some_and(KeyRule::may_be_given) {
                let message = "The appliance chooses the keys here; leave `key` out";
                return Err(Failure::malformed(message, "/key"));
            }
            let wrong = |_| Failure::malformed("`key` is not a key", "/key");
            staging.node_create_with_key(path, &Key::parse(text).map_err(wrong)?, body.clone())?
        }
    };
    Ok(Done { op: "create", path: created, effect: "created" })
}

fn moved(staging: &mut Staging<'_>, path: &NodePath, spot: &Spot) -> Result<(), Failure> {
    let missing = || EngineError::NotFound(path.clone());
    let (collection, own) = path.parent().zip(path.key().cloned()).ok_or_else(missing)?;
    let mut keys: Vec<Key> = staging.tree().children(&collection).cloned().collect();
    let at = keys.iter().position(|key| *key == own).ok_or_else(missing)?;
    let own = keys.remove(at);
    let find = |wanted: &str| {
        let found = keys.iter().position(|key| key.as_str() == wanted);
        let message = format!("{collection} has no other member {wanted:?} to move next to");
        found.ok_or_else(|| Failure::malformed(message, ""))
    };
    let to = match spot {
        Spot::First => 0,
        Spot::Last => keys.len(),
        Spot::Before(key) => find(key)?,
        Spot::After(key) => find(key)? + 1,
    };
    keys.insert(to, own);
    Ok(staging.collection_reorder(&collection, &keys)?)
}

fn patched(value: &mut Value, patch: &Value) -> Result<(), Failure> {
    let read = serde_json::from_value::<json_patch::Patch>(patch.clone());
    let patch = read.map_err(|_| {
        let message =
            "A JSON Patch is a list of operations with `op`, `path`, and `value` or `from`";
        Failure::malformed(message, "")
    })?;
    // What stands in the message is the kind of fault and a place, not a value.
    json_patch::patch(value, &patch).map_err(|error| {
        let place = format!("/{}", error.operation);
        Failure::malformed(format!("The patch does not fit: {}", error.kind), place)
    })
}

// Sets or removes one value. Below an object that is there a member may be new.
fn set(value: &mut Value, pointer: &str, new: Option<&Value>) -> Result<(), Failure> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let message = format!("`pointer` must be a JSON Pointer such as /{pointer}");
        return Err(Failure::malformed(message, ""));
    }
    let is_there = value.pointer(pointer).is_some();
    let op = match (is_there, new) {
        (true, Some(new)) => json!({ "op": "replace", "path": pointer, "value": new }),
        (false, Some(new)) => json!({ "op": "add", "path": pointer, "value": new }),
        (true, None) => json!({ "op": "remove", "path": pointer }),
        (false, None) => {
            let message = format!("There is nothing at {pointer} to remove");
            return Err(Failure::malformed(message, ""));
        }
    };
    patched(value, &json!([op])).map_err(|_| {
        let message = format!("There is no place for a value at {pointer}");
        Failure::malformed(message, "")
    })
}

/// How the nodes of a catalog are shown in this API.
pub(super) fn shows(catalog: &Arc<Catalog>) -> TreePresentation {
    TreePresentation::new(Arc::clone(catalog))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_set_or_taken_away() {
        let mut value = json!({"a": {"b": 1}, "l": [1, 2]});
        set(&mut value, "/a/b", Some(&json!("x"))).unwrap();
        set(&mut value, "/a/c", Some(&json!(null))).unwrap();
        set(&mut value, "/l/-", Some(&json!(3))).unwrap();
        set(&mut value, "/l/0", None).unwrap();
        assert_eq!(value, json!({"a": {"b": "x", "c": null}, "l": [2, 3]}));
        for (bad, new) in [("/n/m", Some(json!(1))), ("/n", None), ("a", None)] {
            assert!(set(&mut value, bad, new.as_ref()).is_err(), "{bad}");
        }
    }

    #[test]
    fn edits_are_read_and_strangers_refused() {
        let read = |value| Edit::read(value, "/edits/0");
        let edit = read(json!({"op": "set", "path": "/a", "pointer": "/b", "value": 1})).unwrap();
        assert!(matches!(&edit.does, Does::Set(pointer, Some(_)) if pointer == "/b"));
        assert!(read(json!({"op": "move", "path": "/a", "to": "first"})).is_ok());
        for bad in [
            json!(1),
            json!({"op": "put", "path": "/a"}),
            json!({"op": "fly", "path": "/a"}),
            json!({"op": "delete", "path": "a"}),
            json!({"op": "delete", "path": "/a", "body": 1}),
            json!({"op": "move", "path": "/a", "to": "middle"}),
            json!({"op": "move", "path": "/a", "to": "first", "after": "b"}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
