//! What a deletion or a new name does to those that refer to a member.
//!
//! A reference by key names one member forever. One by name is kept under the name, and which
//! member it means is looked up when it matters: in the unique index of the collection, in the
//! referrer's folder and those around it. So a name may be free, be given later, or mean another
//! member in another folder, and nothing has to be rewritten for that.

use std::collections::{BTreeMap, BTreeSet};

use config_tree::{Body, NodePath, Reference, Referrer, Tree, pointer};
use serde_json::Value;

use crate::catalog::Catalog;
use crate::check::{self, Secrets};
use crate::rules::pointer_to;
use crate::schema::{OnDelete, OnRename, ReferenceRule, named};

/// A change that another one brings with it.
#[derive(Clone, PartialEq, Debug)]
pub enum FollowUp {
    /// A body that refers to the member gets another one.
    Replace {
        /// Where.
        path: NodePath,
        /// What it holds then, its secrets sealed as before.
        body: Body,
    },
    /// A body that refers to the member goes, too.
    Delete {
        /// Where.
        path: NodePath,
    },
}

impl FollowUp {
    /// The body that changes.
    #[must_use]
    pub fn path(&self) -> &NodePath {
        match self {
            Self::Replace { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// What becomes of one reference.
enum Edit {
    Drop,
    Set(Value),
}

/// The edits of each body, by JSON Pointer.
type Edits = BTreeMap<NodePath, Vec<(Referrer, Edit)>>;

/// The member that a name means for a body.
pub(crate) fn resolve(
    catalog: &Catalog,
    tree: &Tree,
    rule: &ReferenceRule,
    body: &Body,
    name: &Value,
) -> Option<NodePath> {
    let by = rule.by.as_ref()?;
    let target = catalog.endpoint(&rule.collection)?.data();
    let index = target.index_of(by)?;
    let pointers: Vec<&str> = index.iter().map(String::as_str).collect();
    let folder = by.within.as_ref().map(|within| {
        let value = body.value_at(&pointer_to(within));
        value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
    });
    let chain: Vec<Option<String>> = match folder {
        None => vec![None],
        Some(folder) => {
            let around = catalog.folder_chain(&folder).into_iter().map(Some);
            let own = Some(folder.clone());
            std::iter::once(own).chain(around).collect()
        }
    };
    let member = pointer_to(&by.member);
    chain.iter().find_map(|folder| {
        let value = |at: &&str| match folder {
            Some(folder) if **at != *member => Value::String(folder.clone()),
            _ => name.clone(),
        };
        let values: Vec<Value> = pointers.iter().map(value).collect();
        let key = tree.holders_of(&rule.collection, &pointers, &values).next()?;
        Some(rule.collection.join(key))
    })
}

/// The paths under which references to the names of a member are kept.
pub(crate) fn names(catalog: &Catalog, path: &NodePath, body: &Body) -> Vec<NodePath> {
    let (Some(endpoint), Some(collection)) = (catalog.endpoint(path), path.parent()) else {
        return Vec::new();
    };
    let name = |member: &String| {
        let value = body.value_at(&pointer_to(member))?;
        named(&collection, member, value.as_str()?)
    };
    endpoint.data().named_by.iter().filter_map(name).collect()
}

/// Who refers to a member, by key or by name.
pub(crate) fn referrers(catalog: &Catalog, tree: &Tree, path: &NodePath) -> Vec<Referrer> {
    let mut found: Vec<Referrer> = tree.referrers(path).collect();
    let Some(body) = tree.body(path) else { return found };
    for name in names(catalog, path, body) {
        let means_it = |referrer: &Referrer| {
            let Some(body) = tree.body(&referrer.path) else { return false };
            let Some(text) = body.value_at(&referrer.pointer) else { return false };
            rule_of(catalog, &referrer.path, &referrer.pointer, &name)
                .and_then(|rule| resolve(catalog, tree, rule, body, &text))
                .is_some_and(|target| target == *path)
        };
        found.extend(tree.referrers(&name).filter(means_it));
    }
    found
}

// The rule by which a body refers to a target, which is a node or a name.
fn rule_of<'c>(
    catalog: &'c Catalog,
    path: &NodePath,
    pointer: &str,
    target: &NodePath,
) -> Option<&'c ReferenceRule> {
    let rules = catalog.endpoint(path)?.schema().references_at(pointer);
    rules.into_iter().find(|rule| rule.leads_to(target))
}

/// The references of a body by name that mean nothing.
pub(crate) fn dangling(catalog: &Catalog, tree: &Tree, path: &NodePath) -> Vec<Reference> {
    let Some(body) = tree.body(path) else { return Vec::new() };
    let means_nothing = |reference: &&Reference| {
        let rule = rule_of(catalog, path, &reference.pointer, &reference.target);
        let Some(rule) = rule.filter(|rule| rule.by.is_some()) else { return false };
        let name = body.value_at(&reference.pointer).unwrap_or_default();
        resolve(catalog, tree, rule, body, &name).is_none()
    };
    body.references().iter().filter(means_nothing).cloned().collect()
}

/// What goes with a member, or those that keep it.
pub(crate) fn after_delete(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
) -> Result<Vec<FollowUp>, Vec<Referrer>> {
    let mut gone = vec![path.clone()];
    let (mut refused, mut edits) = (Vec::new(), Edits::new());
    let mut next = 0;
    while let Some(target) = gone.get(next).cloned() {
        next += 1;
        for referrer in referrers(catalog, tree, &target) {
            match effect(catalog, &referrer, &target) {
                OnDelete::Keep => {}
                OnDelete::Cascade if !catalog.is_builtin(&referrer.path) => {
                    if !gone.contains(&referrer.path) {
                        gone.push(referrer.path);
                    }
                }
                OnDelete::Refuse | OnDelete::Cascade => refused.push(referrer),
                OnDelete::Drop => push(&mut edits, referrer, Edit::Drop),
                OnDelete::Null => push(&mut edits, referrer, Edit::Set(Value::Null)),
            }
        }
    }
    let all: BTreeSet<&NodePath> = gone.iter().collect();
    refused.retain(|referrer| !all.contains(&referrer.path));
    edits.retain(|path, _| !all.contains(path));
    let mut plan = edited(catalog, tree, edits, &mut refused);
    // Each after those that refer to it; the member itself is not listed.
    plan.extend(gone.into_iter().skip(1).rev().map(|path| FollowUp::Delete { path }));
    if refused.is_empty() { Ok(plan) } else { Err(refused) }
}

// By key or by name: what the rule says that fits the reference.
fn effect(catalog: &Catalog, referrer: &Referrer, target: &NodePath) -> OnDelete {
    let rules =
        catalog.endpoint(&referrer.path).map(|e| e.schema().references_at(&referrer.pointer));
    let collection = target.parent();
    rules
        .unwrap_or_default()
        .into_iter()
        .find(|rule| Some(&rule.collection) == collection.as_ref())
        .map_or(OnDelete::Refuse, |rule| rule.on_delete)
}

/// What a new name brings with it, or those that keep the old one.
pub(crate) fn after_replace(
    catalog: &Catalog,
    tree: &Tree,
    path: &NodePath,
    body: &Body,
) -> Result<Vec<FollowUp>, Vec<Referrer>> {
    let (mut refused, mut edits) = (Vec::new(), Edits::new());
    let (Some(endpoint), Some(former)) = (catalog.endpoint(path), tree.body(path)) else {
        return Ok(Vec::new());
    };
    let collection = endpoint.path();
    for member in &endpoint.data().named_by {
        let pointer = pointer_to(member);
        let (old, new) = (former.value_at(&pointer), body.value_at(&pointer));
        if old == new {
            continue;
        }
        let old = old.as_ref().and_then(Value::as_str);
        let Some(name) = old.and_then(|old| named(collection, member, old)) else { continue };
        let users = referrers(catalog, tree, path);
        for referrer in users.into_iter().filter(|referrer| referrer.path != *path) {
            let Some(rule) = rule_of(catalog, &referrer.path, &referrer.pointer, &name) else {
                continue;
            };
            match (rule.on_rename, &new) {
                (OnRename::Keep, _) => {}
                (OnRename::Rewrite, Some(new)) => {
                    push(&mut edits, referrer, Edit::Set(new.clone()));
                }
                (OnRename::Rewrite | OnRename::Refuse, _) => refused.push(referrer),
            }
        }
    }
    let plan = edited(catalog, tree, edits, &mut refused);
    if refused.is_empty() { Ok(plan) } else { Err(refused) }
}

fn push(edits: &mut Edits, referrer: Referrer, edit: Edit) {
    edits.entry(referrer.path.clone()).or_default().push((referrer, edit));
}

// The bodies after the edits. One that its schema then refuses keeps what it refers to.
fn edited(
    catalog: &Catalog,
    tree: &Tree,
    edits: Edits,
    refused: &mut Vec<Referrer>,
) -> Vec<FollowUp> {
    let mut plan = Vec::new();
    for (path, edits) in edits {
        let body = tree.body(&path).zip(catalog.endpoint(&path)).and_then(|(body, endpoint)| {
            let value = edit(body.value(), &edits);
            check::check(endpoint.schema(), &path, value, Secrets::Sealed).ok()
        });
        match body {
            Some(checked) => {
                let body = Body::new(&checked.value, checked.references);
                plan.push(FollowUp::Replace { path, body });
            }
            None => refused.extend(edits.into_iter().map(|(referrer, _)| referrer)),
        }
    }
    plan
}

fn edit(mut value: Value, edits: &[(Referrer, Edit)]) -> Value {
    let mut dropped: Vec<(&str, usize)> = Vec::new();
    for (referrer, edit) in edits {
        match (edit, referrer.pointer.rsplit_once('/')) {
            (Edit::Set(new), _) => {
                if let Some(place) = value.pointer_mut(&referrer.pointer) {
                    *place = new.clone();
                }
            }
            (Edit::Drop, Some((list, index))) => {
                dropped.extend(pointer::unescape(index).parse().ok().map(|index| (list, index)));
            }
            (Edit::Drop, None) => {}
        }
    }
    // From the end of each list, so that no index moves.
    dropped.sort_unstable_by(|a, b| b.cmp(a));
    for (list, index) in dropped {
        if let Some(Value::Array(items)) = value.pointer_mut(list)
            && index < items.len()
        {
            items.remove(index);
        }
    }
    value
}
