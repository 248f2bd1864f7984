//! Does the whole tree hang together?
//!
//! The rules that no body can answer alone: references hold, what may be used once is used once,
//! what must be unique is unique. A commit must not cost a look at the whole tree, so the rules are
//! asked only where the changes can have broken them: about what was written, and, by the tree's
//! reverse index, about those who refer to what was written or deleted. The slow way, which asks
//! everything, is kept with the fast one and shares its rules; a property test holds them equal.

use std::collections::{BTreeMap, BTreeSet};

use config_tree::{Body, Change, Key, NodePath, Reference, Referrer, Tree, pointer};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::catalog::{Catalog, no_endpoint};
use crate::check::{self, Secrets, pointer_shown};
use crate::endpoint::EndpointKind;
use crate::follow_up;
use crate::schema::{ReferenceRule, SecretRule};
use crate::violation::{Layer, Violation, rule};
use crate::violations::{Found, Violations};

/// Reads secrets for the rules that speak of their text.
pub trait SecretReader {
    /// The text that was sealed, `None` if it cannot be opened. A sealed secret stands as a string
    /// in the place of its text: at the JSON Pointer in the body at the path.
    fn reveal(&self, path: &NodePath, pointer: &str, sealed: &str) -> Option<Zeroizing<String>>;
}

/// Whether one reference of a body at `path` holds.
pub(crate) fn reference(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
    reference: &Reference,
    secrets: &dyn SecretReader,
) -> Option<Violation> {
    let Reference { pointer, target, fragment } = reference;
    let schema = catalog.endpoint(path)?.schema();
    let rules = schema.references_at(pointer);
    let collection = target.parent()?;
    let say = |rule, message| Some(violation(path, pointer, rule, message));
    let lost = |what: &str| {
        let shown = pointer_shown(pointer);
        let message = format!("{shown} names {what} of {collection} that does not exist");
        say(rule::REFERENCE_TARGET, message)
    };
    if let Some(rule) = rules.iter().find(|rule| rule.by.is_some() && rule.leads_to(target)) {
        return by_name(catalog, tree, path, reference, rule);
    }
    let may_dangle = rules.iter().any(|rule| !rule.must_exist && rule.leads_to(target));
    let Some(body) = tree.body(target) else {
        return if may_dangle { None } else { lost("a member") };
    };
    if fragment.as_deref().is_some_and(|part| !has_part(&body.value(), part)) {
        return lost("a part of a member");
    }
    // Where branches of a union share a name, several rules may stand at one pointer; the body was
    // checked against the right one, so a reference that satisfies one of them is taken to hold.
    let mut fault = None;
    let fits =
        |rule: &&&ReferenceRule| rule.collection == collection && rule.fits(fragment.as_deref());
    for candidate in rules.iter().filter(fits) {
        let Some(secret) = &candidate.secret else { return None };
        match secret_fault(secret, target, body, secrets) {
            None => return None,
            Some(message) => fault = Some(message),
        }
    }
    match fault {
        Some(must) => {
            let shown = pointer_shown(pointer);
            say(rule::SECRET_TEXT, format!("the secret that {shown} refers to must {must}"))
        }
        None => {
            let message =
                format!("{} may not name a member of {collection}", pointer_shown(pointer));
            say(rule::REFERENCE_TARGET, message)
        }
    }
}

// A reference by name is looked at when its body is in the tree, which says in which folder.
fn by_name(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
    reference: &Reference,
    rule: &ReferenceRule,
) -> Option<Violation> {
    let body = tree.body(path)?;
    let name = body.value_at(&reference.pointer)?;
    if !rule.must_exist || follow_up::resolve(catalog, tree, rule, body, &name).is_some() {
        return None;
    }
    let collection = &rule.collection;
    let shown = pointer_shown(&reference.pointer);
    let message = format!("{shown} names a member of {collection} that does not exist");
    Some(violation(path, &reference.pointer, rule::REFERENCE_TARGET, message))
}

/// Whether a body has a part, named by the steps to it.
pub(crate) fn has_part(body: &Value, part: &str) -> bool {
    part.split('/').try_fold(body, |value, step| value.get(step)).is_some()
}

/// What the changes broke.
pub(crate) fn changes(
    catalog: &Catalog,
    after: &Tree,
    changes: &[Change],
    secrets: &dyn SecretReader,
) -> Violations {
    let mut touched = Touched::default();
    for change in changes {
        touched.change(catalog, after, change);
    }
    let mut found = Found::default();
    for path in &touched.missing {
        found.extend(missing(catalog, after, path));
    }
    for path in &touched.bodies {
        let Some(body) = after.body(path) else { continue };
        if catalog.endpoint(path).is_none_or(|e| e.kind() == EndpointKind::Folder) {
            found.insert(no_endpoint(path));
        }
        for r in body.references() {
            found.extend(reference(catalog, after, path, r, secrets));
            touched.targets.insert(r.target.clone());
        }
    }
    for target in &touched.retargeted {
        for Referrer { path, pointer, fragment } in after.referrers(target) {
            let back = Reference { pointer, target: target.clone(), fragment };
            found.extend(reference(catalog, after, &path, &back, secrets));
        }
    }
    for target in &touched.targets {
        exclusive(catalog, after, target, &mut found);
    }
    for ((collection, pointers), all) in &touched.unique {
        let index: Vec<&str> = pointers.iter().map(String::as_str).collect();
        for values in all {
            let keys: Vec<&Key> = after.holders_of(collection, &index, values).collect();
            not_unique(after, collection, pointers, keys, &mut found);
        }
    }
    found.sorted()
}

/// Everything that is wrong.
pub(crate) fn tree(catalog: &Catalog, tree: &Tree, secrets: &dyn SecretReader) -> Violations {
    let mut found = Found::default();
    let mut targets = BTreeSet::new();
    for endpoint in catalog.endpoints() {
        found.extend(missing(catalog, tree, endpoint.path()));
        for (key, _) in endpoint.members() {
            found.extend(missing(catalog, tree, &endpoint.path().join(key)));
        }
        for pointers in &endpoint.data().unique {
            unique(tree, endpoint.path(), pointers, &mut found);
        }
    }
    for (path, body) in tree.walk() {
        shape(catalog, &path, body, &mut found);
        for r in body.references() {
            found.extend(reference(catalog, tree, &path, r, secrets));
            targets.insert(r.target.clone());
        }
    }
    for target in &targets {
        exclusive(catalog, tree, target, &mut found);
    }
    found.sorted()
}

/// Members whose life ended with their last referrer.
pub(crate) fn unreferenced(catalog: &Catalog, after: &Tree, changes: &[Change]) -> Vec<NodePath> {
    let mut candidates: Vec<NodePath> = Vec::new();
    for change in changes {
        match change {
            Change::Create { path, .. } => candidates.push(path.clone()),
            Change::Replace { before, .. } | Change::Delete { before, .. } => {
                candidates.extend(before.references().iter().map(|r| r.target.clone()));
            }
            Change::Reorder { .. } => {}
        }
    }
    candidates.sort();
    candidates.dedup();
    candidates.reverse();
    let mut dropped = Vec::new();
    let mut gone = BTreeSet::new();
    while let Some(path) = candidates.pop() {
        let bound = catalog
            .endpoint(&path)
            .is_some_and(|e| e.kind() == EndpointKind::Member && e.is_lifetime_referenced());
        let Some(body) = after.body(&path).filter(|_| bound && !gone.contains(&path)) else {
            continue;
        };
        if after.referrers(&path).all(|referrer| gone.contains(&referrer.path)) {
            candidates.extend(body.references().iter().map(|r| r.target.clone()));
            gone.insert(path.clone());
            dropped.push(path);
        }
    }
    dropped
}

/// What changes can have broken, each thing once.
#[derive(Default)]
struct Touched {
    /// Bodies that were written.
    bodies: BTreeSet<NodePath>,
    /// Nodes that were deleted.
    missing: BTreeSet<NodePath>,
    /// Targets that are gone or hold something else, so that their referrers may be wrong.
    retargeted: BTreeSet<NodePath>,
    /// Targets that may have one referrer more.
    targets: BTreeSet<NodePath>,
    /// Values that came into a collection, by collection and the pointers to them.
    unique: BTreeMap<(NodePath, Vec<String>), Vec<Vec<Value>>>,
}

impl Touched {
    fn change(&mut self, catalog: &Catalog, after: &Tree, change: &Change) {
        match change {
            Change::Create { path, after, .. } => {
                self.bodies.insert(path.clone());
                self.values(catalog, path, after);
            }
            Change::Replace { path, before, after } => {
                self.bodies.insert(path.clone());
                self.retargeted.insert(path.clone());
                self.retargeted.extend(follow_up::names(catalog, path, before));
                self.values(catalog, path, after);
            }
            Change::Delete { path, before, .. } if after.body(path).is_none() => {
                self.missing.insert(path.clone());
                self.retargeted.insert(path.clone());
                self.retargeted.extend(follow_up::names(catalog, path, before));
            }
            // Deleted and created again: the other change says what it became.
            Change::Delete { path, before, .. } => {
                self.retargeted.insert(path.clone());
                self.retargeted.extend(follow_up::names(catalog, path, before));
            }
            Change::Reorder { .. } => {}
        }
    }

    fn values(&mut self, catalog: &Catalog, path: &NodePath, body: &Body) {
        let Some(collection) = path.parent() else { return };
        for (pointers, values) in unique_members(catalog, path, body) {
            let key = (collection.clone(), pointers.to_vec());
            self.unique.entry(key).or_default().push(values);
        }
    }
}

/// The values of a body that no other member of its collection may have, by JSON Pointer.
pub(crate) fn unique_values(
    catalog: &Catalog,
    path: &NodePath,
    body: &Body,
) -> Vec<(String, String)> {
    unique_members(catalog, path, body)
        .map(|(pointers, values)| {
            let texts: Vec<String> = values.iter().map(Value::to_string).collect();
            (pointers.join(","), texts.join(","))
        })
        .collect()
}

fn unique_members<'c>(
    catalog: &'c Catalog,
    path: &NodePath,
    body: &Body,
) -> impl Iterator<Item = (&'c [String], Vec<Value>)> {
    let endpoint = catalog.endpoint(path).filter(|e| e.kind() == EndpointKind::Member);
    let groups = endpoint.map_or(&[][..], |endpoint| &endpoint.data().unique);
    groups.iter().filter_map(|pointers| Some((pointers.as_slice(), values_of(body, pointers)?)))
}

/// The place of a top member as a JSON Pointer.
pub(crate) fn pointer_to(name: &str) -> String {
    format!("/{}", pointer::escape(name))
}

fn violation(path: &NodePath, pointer: &str, rule: &'static str, message: String) -> Violation {
    let (path, pointer) = (path.clone(), pointer.to_owned());
    Violation { path, pointer, rule, layer: Layer::Tree, message, also: Vec::new() }
}

fn missing(catalog: &Catalog, tree: &Tree, path: &NodePath) -> Option<Violation> {
    let kind = catalog.endpoint(path)?.kind();
    let fixed = matches!(kind, EndpointKind::Object | EndpointKind::Value);
    let always = fixed || catalog.is_builtin(path);
    (always && tree.body(path).is_none()).then(|| {
        violation(path, "", rule::OBJECT_MISSING, format!("{path} always exists and is missing"))
    })
}

fn shape(catalog: &Catalog, path: &NodePath, body: &Body, found: &mut Found) {
    let endpoint = match catalog.endpoint(path) {
        Some(endpoint) if endpoint.kind() != EndpointKind::Folder => endpoint,
        _ => {
            found.insert(no_endpoint(path));
            return;
        }
    };
    match check::check(endpoint.schema(), path, body.value(), Secrets::Sealed) {
        Err(violations) => found.extend(violations),
        Ok(checked) => {
            let mut kept = body.references().to_vec();
            let mut present = checked.references;
            kept.sort();
            present.sort();
            if kept != present {
                let message = "the references kept with the body are not those in it".to_owned();
                found.insert(violation(path, "", rule::REFERENCE_LIST, message));
            }
        }
    }
}

// A violation at each of several referrers names the others.
fn exclusive(catalog: &Catalog, tree: &Tree, target: &NodePath, found: &mut Found) {
    let applies = catalog
        .endpoint(target)
        .is_some_and(|e| e.kind() == EndpointKind::Member && e.is_exclusive());
    if !applies {
        return;
    }
    let referrers: Vec<Referrer> = tree.referrers(target).collect();
    if referrers.len() < 2 {
        return;
    }
    let place = |r: &Referrer| format!("{} in {}", pointer_shown(&r.pointer), r.path);
    for (index, referrer) in referrers.iter().enumerate() {
        let other = if index == 0 { &referrers[1] } else { &referrers[0] };
        let more = match referrers.len() - 2 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "{} names something that may be used only once, and {}{more} uses it too; create another one",
            pointer_shown(&referrer.pointer),
            place(other),
        );
        let (path, pointer) = (&referrer.path, &referrer.pointer);
        let violation = violation(path, pointer, rule::REFERENCE_EXCLUSIVE, message);
        found.insert(Violation { also: vec![other.path.clone()], ..violation });
    }
}

// Looks for values that occur twice in a whole collection.
fn unique(tree: &Tree, collection: &NodePath, pointers: &[String], found: &mut Found) {
    let mut holders: BTreeMap<String, Vec<&Key>> = BTreeMap::new();
    for (key, body) in tree.members(collection) {
        if let Some(values) = values_of(body, pointers) {
            let texts: Vec<String> = values.iter().map(Value::to_string).collect();
            holders.entry(texts.join(",")).or_default().push(key);
        }
    }
    for keys in holders.into_values() {
        not_unique(tree, collection, pointers, keys, found);
    }
}

// A violation at each of several holders of a value names another one.
fn not_unique(
    tree: &Tree,
    collection: &NodePath,
    pointers: &[String],
    mut keys: Vec<&Key>,
    found: &mut Found,
) {
    keys.sort_by_cached_key(|key| tree.rank(&collection.join(key)));
    let [first, second, ..] = keys[..] else { return };
    // The last one is named: the others say within what.
    let Some(pointer) = pointers.last() else { return };
    let each: Vec<String> = pointers.iter().map(|pointer| pointer_shown(pointer)).collect();
    let shown = each.join(" with ");
    for key in keys {
        let other = if key == first { second } else { first };
        let message =
            format!("{shown} must be unique in {collection}, and the member {other} has the same");
        let violation = violation(&collection.join(key), pointer, rule::UNIQUE, message);
        found.insert(Violation { also: vec![collection.join(other)], ..violation });
    }
}

// The values that must be unique together; several members may lack one, or have null there.
fn values_of(body: &Body, pointers: &[String]) -> Option<Vec<Value>> {
    let value = |pointer: &String| body.value_at(pointer).filter(|value| !value.is_null());
    pointers.iter().map(value).collect()
}

// The rule about the text that a secret breaks, as what the secret must.
fn secret_fault(
    secret: &SecretRule,
    target: &NodePath,
    body: &Body,
    secrets: &dyn SecretReader,
) -> Option<String> {
    let pointer = format!("/{}", secret.member);
    let Some(Value::String(sealed)) = member_of(body, &secret.member) else {
        return Some(format!("be stored with `{}`, because its text is needed", secret.member));
    };
    let Some(text) = secrets.reveal(target, &pointer, &sealed) else {
        return Some("be sealed with the present key; create it again".into());
    };
    let faults = check::text_faults(&secret.text.text, &text);
    let faults: Vec<String> = faults.into_iter().map(|(_, must)| must).collect();
    (!faults.is_empty()).then(|| faults.join(" and "))
}

/// One top member of a body, without building the rest.
fn member_of(body: &Body, name: &str) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(body.text());
    Member(name).deserialize(&mut deserializer).ok().flatten()
}

struct Member<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
