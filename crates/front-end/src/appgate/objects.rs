//! The objects: made, read, replaced and deleted.

use catalog::{Catalog, Layer, Violation, rule};
use config_tree::{Body, Key, NodePath, Tree};
use hyper::StatusCode;
use serde_json::{Map, Value, json};
use transaction_engine::Edit;
use uuid::Uuid;

use super::access::Actor;
use super::route::Resource;
use super::{profile, version};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::{Failure, Place};
use crate::json::wipe;
use crate::secret_places::take_out;

/// A body that may hold secrets; erased when it goes.
struct Wiped(Map<String, Value>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// An object as a version shows it.
pub(super) fn shown(
    catalog: &Catalog,
    tree: &Tree,
    (resource, version): (Resource, u32),
    (key, body): (&Key, &Body),
) -> Value {
    let path = resource.collection().join(key);
    let mut value = body.value();
    for pointer in catalog.secrets(&path, &value) {
        take_out(&mut value, &pointer);
    }
    if let Value::Object(members) = &mut value {
        members.insert("id".to_owned(), json!(key.as_str()));
        if resource == Resource::Profiles {
            profile::complete(tree, key, members);
        }
        version::gate(resource, version, members);
    }
    value
}

/// The path of an object that is there, for what may be done to it.
pub(super) fn existing(
    tree: &Tree,
    actor: &Actor,
    action: &str,
    (resource, id): (Resource, &str),
) -> Result<NodePath, Failure> {
    actor.may(action, resource.target())?;
    let missing = || Failure::NotFound(Place::Request);
    let uuid = Uuid::try_parse(id).map_err(|_| missing())?.hyphenated().to_string();
    let key = Key::parse(&uuid).map_err(|_| missing())?;
    let path = resource.collection().join(&key);
    let body = tree.body(&path).filter(|_| uuid.eq_ignore_ascii_case(id)).ok_or_else(missing)?;
    match actor.may_one(action, resource.target(), &uuid, body) {
        true => Ok(path),
        false => Err(Failure::Forbidden(Place::Request)),
    }
}

/// One object.
pub(super) fn read(
    appliance: &Appliance,
    actor: &Actor,
    (resource, version): (Resource, u32),
    id: &str,
) -> Result<Answer, Failure> {
    let running = appliance.engine.running();
    let path = existing(&running.tree, actor, "View", (resource, id))?;
    let catalog = appliance.engine.catalog();
    answer(catalog, &running.tree, (resource, version), &path)
        .map(|value| super::json(StatusCode::OK, &value))
}

fn answer(
    catalog: &Catalog,
    tree: &Tree,
    spoken: (Resource, u32),
    path: &NodePath,
) -> Result<Value, Failure> {
    let found = path.key().zip(tree.body(path));
    found.map(|found| shown(catalog, tree, spoken, found)).ok_or(Failure::Internal)
}

/// Makes an object, under the id that the client may have chosen.
pub(super) async fn create(
    appliance: &Appliance,
    actor: &Actor,
    (resource, version): (Resource, u32),
    body: Map<String, Value>,
) -> Result<Answer, Failure> {
    let mut sent = Wiped(body);
    let key = chosen_key(resource, sent.0.remove("id"));
    drop_foreign(&mut sent.0);
    add_tags(&mut sent.0, actor.default_tags(resource));
    let change = move |edit: &mut Edit<'_>| {
        let mut members = Wiped(sent.0.clone());
        let mut wrong: Vec<_> = key.as_ref().err().into_iter().cloned().collect();
        if resource == Resource::Profiles {
            wrong.extend(profile::prepare(edit, None, version, &mut members.0));
        }
        let collection = resource.collection();
        let value = Value::Object(std::mem::take(&mut members.0));
        let value = checked(edit.catalog(), collection, value, wrong)?;
        let path = match &key {
            Ok(Some(key)) => edit.node_create_with_key(collection, key, value)?,
            _ => edit.node_create(collection, value)?,
        };
        answer(edit.catalog(), edit.tree(), (resource, version), &path)
    };
    let made = appliance.autocommit(actor.name(), change).await?;
    Ok(super::json(StatusCode::OK, &made))
}

/// Replaces an object by a whole other one.
pub(super) async fn replace(
    appliance: &Appliance,
    actor: &Actor,
    (resource, version): (Resource, u32),
    path: NodePath,
    body: Map<String, Value>,
) -> Result<Answer, Failure> {
    let mut sent = Wiped(body);
    sent.0.remove("id");
    drop_foreign(&mut sent.0);
    let change = move |edit: &mut Edit<'_>| {
        let missing = || Failure::NotFound(Place::Request);
        let stored = edit.tree().body(&path).map(Body::value).ok_or_else(missing)?;
        let mut members = Wiped(sent.0.clone());
        let wrong = match resource {
            Resource::Profiles => profile::prepare(edit, Some(&path), version, &mut members.0),
            _ => Vec::new(),
        };
        if resource == Resource::Policies {
            version::keep(version, &stored, &mut members.0);
        }
        if resource == Resource::Users
            && !members.0.contains_key("password")
            && let Some(password) = edit.secret_reveal(&path, "/password")
        {
            members.0.insert("password".to_owned(), json!(*password));
        }
        let value = Value::Object(std::mem::take(&mut members.0));
        let value = checked(edit.catalog(), &path, value, wrong)?;
        edit.node_put(&path, value)?;
        answer(edit.catalog(), edit.tree(), (resource, version), &path)
    };
    let put = appliance.autocommit(actor.name(), change).await?;
    Ok(super::json(StatusCode::OK, &put))
}

/// Deletes an object.
pub(super) async fn delete(
    appliance: &Appliance,
    actor: &Actor,
    path: NodePath,
) -> Result<Answer, Failure> {
    let change = move |edit: &mut Edit<'_>| edit.node_delete(&path).map_err(Failure::from);
    appliance.autocommit(actor.name(), change).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

// The id that a client chose; a violation where it is none.
fn chosen_key(resource: Resource, id: Option<Value>) -> Result<Option<Key>, Violation> {
    let Some(id) = id.filter(|id| !id.is_null()) else { return Ok(None) };
    let parsed = id.as_str().and_then(|text| {
        let uuid = Uuid::try_parse(text).ok()?.hyphenated().to_string();
        Key::parse(&uuid).ok().filter(|_| uuid.eq_ignore_ascii_case(text))
    });
    let wrong = || Violation {
        path: resource.collection().clone(),
        pointer: "/id".to_owned(),
        rule: rule::KEY,
        layer: Layer::Shape,
        message: "must be a UUID".to_owned(),
        also: Vec::new(),
    };
    parsed.map(Some).ok_or_else(wrong)
}

// What only the controller sets, and what is null, which is the same as absent.
fn drop_foreign(members: &mut Map<String, Value>) {
    members.retain(|name, value| {
        let is_ours = matches!(&**name, "created" | "updated" | "exported" | "globalHostname");
        !is_ours && !value.is_null()
    });
}

fn add_tags(members: &mut Map<String, Value>, more: Vec<Value>) {
    if more.is_empty() {
        return;
    }
    if let Value::Array(tags) = members.entry("tags").or_insert_with(|| json!([])) {
        for tag in more {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
}

// The body, or all that is wrong with it, at once. That something is taken is asked after this.
fn checked(
    catalog: &Catalog,
    path: &NodePath,
    value: Value,
    mut wrong: Vec<Violation>,
) -> Result<Value, Failure> {
    match catalog.check_body(path, value.clone()) {
        Ok(mut checked) => wipe(&mut checked.value),
        Err(found) => {
            // What was said of a place already is enough.
            let is_new = |one: &Violation| wrong.iter().all(|known| known.pointer != one.pointer);
            let found: Vec<_> = found.into_iter().filter(is_new).collect();
            wrong.extend(found);
        }
    }
    if wrong.is_empty() { Ok(value) } else { Err(super::invalid(wrong)) }
}
