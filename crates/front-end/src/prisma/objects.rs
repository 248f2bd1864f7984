//! The objects: listed, made, read, replaced, deleted on the candidate, which all see at once.

use std::collections::HashSet;

use catalog::{Catalog, Layer, Violation, Violations, rule};
use config_tree::{Body, Key, NodePath, Tree};
use hyper::StatusCode;
use serde_json::{Map, Value, json};
use transaction_engine::Edit;

use super::access::{Actor, invalid};
use super::container::{self, Asked};
use super::refusal::Refusal;
use super::route::{Base, Resource, missing};
use super::{CheckReferences, Prisma, secret_form};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::Failure;
use crate::json::wipe;

/// A body that may hold secrets; erased when it goes.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// An object as it is shown.
fn shown(catalog: &Catalog, path: &NodePath, body: &Body, base: Base) -> Value {
    let mut value = body.value();
    secret_form::show(catalog, path, &mut value);
    if let Value::Object(members) = &mut value {
        let container = members.remove(container::MEMBER);
        let container = container.as_ref().and_then(Value::as_str).unwrap_or_default();
        let (member, text) = container::shown(container, base);
        members.insert(member.to_owned(), json!(text));
        members.insert("id".to_owned(), json!(path.key().map(Key::as_str)));
    }
    value
}

/// Whether an object is one of a tenant's.
fn is_of(body: &Body, tenant: &str) -> bool {
    container_of(body).is_some_and(|container| container::is_of(&container, tenant))
}

/// Where an object is.
pub(super) fn container_of(body: &Body) -> Option<String> {
    match body.value_at("/container")? {
        Value::String(container) => Some(container),
        _ => None,
    }
}

/// The path of an object and its body, if it is the tenant's.
fn find<'t>(
    tree: &'t Tree,
    resource: Resource,
    id: &str,
    tenant: &str,
) -> Option<(NodePath, &'t Body)> {
    let path = resource.collection().join(&Key::parse(id).ok()?);
    let body = tree.body(&path).filter(|body| is_of(body, tenant))?;
    Some((path, body))
}

/// One object.
pub(super) fn read(
    prisma: &Prisma,
    actor: &Actor,
    resource: Resource,
    base: Base,
    id: &str,
) -> Result<Answer, Refusal> {
    let candidate = prisma.candidate.running();
    let found = find(&candidate.tree, resource, id, &actor.tenant);
    let (path, body) = found.ok_or_else(missing)?;
    let object = shown(prisma.candidate.catalog(), &path, body, base);
    Ok(Answer::json(StatusCode::OK, object.to_string()))
}

/// A page of objects, or the one of a name: those of a folder and those that it inherits.
pub(super) fn list(
    prisma: &Prisma,
    resource: Resource,
    base: Base,
    asked: &Asked,
) -> Result<Answer, Refusal> {
    let container = asked.container.as_ref().ok_or(Refusal::MissingQuery("folder"))?;
    let candidate = prisma.candidate.running();
    let (tree, catalog) = (&candidate.tree, prisma.candidate.catalog());
    let collection = resource.collection();
    let show = |(key, body)| shown(catalog, &collection.join(key), body, base);
    let mut chain = catalog.folder_chain(container);
    if !chain.contains(container) {
        chain.insert(0, container.clone());
    }
    let (total, data) = match &asked.name {
        Some(name) => {
            let found = named(tree, &collection, &chain, name);
            if base == Base::Current {
                let object = found.map(show).ok_or_else(missing)?;
                return Ok(Answer::json(StatusCode::OK, object.to_string()));
            }
            let page = found.into_iter().skip(asked.offset).take(asked.limit);
            (usize::from(found.is_some()), page.map(show).collect::<Vec<_>>())
        }
        None => {
            let chain: HashSet<String> = chain.into_iter().collect();
            let fits = |(_, body): &(&Key, &Body)| {
                container_of(body).is_some_and(|container| chain.contains(&container))
            };
            let found: Vec<_> = tree.members(&collection).filter(fits).collect();
            let page = found.iter().skip(asked.offset).take(asked.limit);
            (found.len(), page.copied().map(show).collect())
        }
    };
    let Asked { limit, offset, .. } = asked;
    let document = json!({ "data": data, "limit": limit, "offset": offset, "total": total });
    Ok(Answer::json(StatusCode::OK, document.to_string()))
}

// The one of a name in the nearest folder, by the index that keeps names unique.
fn named<'t>(
    tree: &'t Tree,
    collection: &NodePath,
    chain: &[String],
    name: &str,
) -> Option<(&'t Key, &'t Body)> {
    chain.iter().find_map(|container| {
        let values = [json!(container), json!(name)];
        let key = tree.holders_of(collection, &["/container", "/name"], &values).next()?;
        Some((key, tree.body(&collection.join(key))?))
    })
}

/// Makes an object.
pub(super) async fn create(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    (resource, base): (Resource, Base),
    (asked, body): (Asked, Value),
) -> Result<Answer, Refusal> {
    let collection = resource.collection();
    let mut members = members_of(body, &collection)?;
    let said = container::take_out(&mut members);
    let mut violations = beyond_the_catalog(&members, &collection);
    let place = match base {
        Base::Legacy => Ok(asked.container.ok_or(Refusal::MissingQuery("folder"))?),
        Base::Current => container::of_body(&actor.tenant, &said, &collection),
    };
    let place = place.unwrap_or_else(|violation| {
        violations.push(violation);
        container::kept(&actor.tenant, "folder", "All")
    });
    members.insert(container::MEMBER.to_owned(), json!(place));
    let value = Wiped(Value::Object(members));
    let checks = prisma.settings.check_references == CheckReferences::Write;
    let change = move |edit: &mut Edit<'_>| {
        let unnamed = collection.clone();
        let mut value = Wiped(value.0.clone());
        let mut violations = violations.clone();
        violations.extend(
            secret_form::take_back(edit, &unnamed, &mut value.0).err().into_iter().flatten(),
        );
        checked(edit.catalog(), &collection, &value.0, violations)?;
        let path = edit.node_create(&collection, std::mem::take(&mut value.0))?;
        finish(edit, path, checks, base)
    };
    let object = appliance.autocommit_on(&prisma.candidate, &actor.client, change).await?;
    Ok(Answer::json(StatusCode::CREATED, object.to_string()))
}

/// Replaces an object. It stays in its folder.
pub(super) async fn replace(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    (resource, base, id): (Resource, Base, &str),
    body: Value,
) -> Result<Answer, Refusal> {
    let collection = resource.collection();
    let mut members = members_of(body, &collection)?;
    container::take_out(&mut members);
    let violations = beyond_the_catalog(&members, &collection);
    let value = Wiped(Value::Object(members));
    let checks = prisma.settings.check_references == CheckReferences::Write;
    let (tenant, id) = (actor.tenant.clone(), id.to_owned());
    let change = move |edit: &mut Edit<'_>| {
        let mut value = Wiped(value.0.clone());
        let mut violations = violations.clone();
        let found = find(edit.tree(), resource, &id, &tenant);
        let place = found.as_ref().and_then(|(_, body)| container_of(body));
        let path = found.map(|(path, _)| path);
        let at = path.as_ref().unwrap_or(&collection);
        let place = place.unwrap_or_else(|| container::kept(&tenant, "folder", "All"));
        value.0[container::MEMBER] = json!(place);
        violations
            .extend(secret_form::take_back(edit, at, &mut value.0).err().into_iter().flatten());
        // A body that is wrong is refused before it is looked for where it belongs.
        checked(edit.catalog(), &collection, &value.0, violations)?;
        let path = path.ok_or_else(|| Failure::NotFound(crate::failure::Place::Request))?;
        edit.node_put(&path, std::mem::take(&mut value.0))?;
        finish(edit, path, checks, base)
    };
    let object = appliance.autocommit_on(&prisma.candidate, &actor.client, change).await?;
    Ok(Answer::json(StatusCode::OK, object.to_string()))
}

/// Deletes an object, and shows it for the last time.
pub(super) async fn delete(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    (resource, base, id): (Resource, Base, &str),
) -> Result<Answer, Refusal> {
    let (tenant, id) = (actor.tenant.clone(), id.to_owned());
    let change = move |edit: &mut Edit<'_>| {
        let found = find(edit.tree(), resource, &id, &tenant);
        let found = found.map(|(path, body)| {
            let object = shown(edit.catalog(), &path, body, base);
            (path, object)
        });
        let gone = || Failure::NotFound(crate::failure::Place::Request);
        let (path, object) = found.ok_or_else(gone)?;
        edit.node_delete(&path)?;
        Ok::<_, Failure>(object)
    };
    let object = appliance.autocommit_on(&prisma.candidate, &actor.client, change).await?;
    Ok(Answer::json(StatusCode::OK, object.to_string()))
}

// What a change answers with, after the last rule.
fn finish(edit: &Edit<'_>, path: NodePath, checks: bool, base: Base) -> Result<Value, Failure> {
    if checks {
        let dangling = dangling(edit.catalog(), edit.tree(), &path);
        if !dangling.is_empty() {
            return Err(invalid(dangling));
        }
    }
    let body = edit.tree().body(&path).ok_or(Failure::Internal)?;
    Ok(shown(edit.catalog(), &path, body, base))
}

/// The references of an object that mean nothing.
pub(super) fn dangling(catalog: &Catalog, tree: &Tree, path: &NodePath) -> Vec<Violation> {
    let found = catalog.dangling(tree, path).into_iter().map(|reference| Violation {
        path: path.clone(),
        pointer: reference.pointer,
        rule: rule::REFERENCE_TARGET,
        layer: Layer::Tree,
        message: "names an object that is not there".to_owned(),
        also: Vec::new(),
    });
    found.collect()
}

fn members_of(body: Value, path: &NodePath) -> Result<Map<String, Value>, Refusal> {
    match body {
        Value::Object(members) => Ok(members),
        mut other => {
            wipe(&mut other);
            let message = "the body must be an object";
            Err(invalid(vec![violation(path, "", rule::TYPE, message)]).into())
        }
    }
}

fn violation(path: &NodePath, pointer: &str, rule: &'static str, message: &str) -> Violation {
    let (path, pointer, message) = (path.clone(), pointer.to_owned(), message.to_owned());
    Violation { path, pointer, rule, layer: Layer::Shape, message, also: Vec::new() }
}

// What the catalog cannot say: the member of ours is not a client's, and of the methods of an
// authentication profile there is one at most. Its schema is a `oneOf` of branches that all fit
// anything, which taken at its word would refuse every body.
fn beyond_the_catalog(members: &Map<String, Value>, path: &NodePath) -> Vec<Violation> {
    let mut found = Vec::new();
    if members.contains_key(container::MEMBER) {
        let message = "`container` is not known here";
        found.push(violation(path, "/container", rule::UNKNOWN_MEMBER, message));
    }
    let is_profile = path.key().is_some_and(|key| key.as_str() == "authentication-profiles");
    let methods = members.get("method").and_then(Value::as_object);
    if is_profile && methods.is_some_and(|methods| methods.len() > 1) {
        let message = "only one method may be present";
        found.push(violation(path, "/method", rule::EXACTLY_ONE_OF, message));
    }
    found
}

// All that is wrong with a body, at once.
fn checked(
    catalog: &Catalog,
    path: &NodePath,
    value: &Value,
    violations: Vec<Violation>,
) -> Result<(), Failure> {
    let mut violations = Violations::from(violations);
    match catalog.check_body(path, value.clone()) {
        Ok(mut checked) => wipe(&mut checked.value),
        Err(found) => violations.extend(found),
    }
    if violations.is_empty() { Ok(()) } else { Err(invalid(violations)) }
}
