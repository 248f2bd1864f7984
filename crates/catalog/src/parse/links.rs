//! What only all files together can say: folders have children, references lead somewhere.

use std::collections::{BTreeMap, BTreeSet};

use config_tree::{Key, NodePath, Reference};

use super::{Link, Reader, Stated};
use crate::endpoint::{EndpointData, EndpointKind, Fidelity, Template};
use crate::factory;
use crate::rules;
use crate::schema::{ByName, FragmentStep, Schema, Shape};
use crate::suggest;

impl Reader<'_> {
    // Each folder has a file, each file of a folder has a folder with files.
    pub(super) fn folders(&mut self, endpoints: &[EndpointData]) {
        let kinds: BTreeMap<&NodePath, EndpointKind> =
            endpoints.iter().map(|endpoint| (&endpoint.path, endpoint.kind)).collect();
        let stated: BTreeSet<&str> =
            self.files.iter().filter_map(|file| file.name.strip_suffix(".yaml")).collect();
        let parents: BTreeSet<NodePath> =
            endpoints.iter().filter_map(|endpoint| endpoint.path.parent()).collect();
        let mut faults = Vec::new();
        for parent in &parents {
            let stem = stem_of(parent);
            match kinds.get(parent) {
                Some(EndpointKind::Folder) => {}
                Some(kind) => {
                    let message = format!(
                        "files stand in the folder `{stem}/`, but this is {}",
                        kind.phrase()
                    );
                    faults.push((
                        format!("{stem}.yaml"),
                        1,
                        message,
                        "say `kind: folder`, or move the files",
                    ));
                }
                // A file that is there but was not understood has its own faults.
                None if stated.contains(stem.as_str()) => {}
                None => {
                    let message = format!("the folder `{stem}/` has no such file next to it");
                    faults.push((
                        format!("{stem}.yaml"),
                        0,
                        message,
                        "add it, with `kind: folder`",
                    ));
                }
            }
        }
        for endpoint in endpoints {
            if endpoint.kind == EndpointKind::Folder
                && endpoint.fidelity != Fidelity::Opaque
                && !endpoint.path.is_root()
                && !parents.contains(&endpoint.path)
            {
                let stem = stem_of(&endpoint.path);
                let message = format!("this is a folder, but `{stem}/` has no files");
                faults.push((format!("{stem}.yaml"), 1, message, "add its children, or remove it"));
            }
        }
        for (file, line, message, remedy) in faults {
            let file = self.shown(&file);
            self.faults.add(&file, line, message, remedy);
        }
    }

    // What the bodies of a fresh appliance refer to is there.
    pub(super) fn stated_targets(&mut self, endpoints: &[EndpointData]) {
        for Stated { file, line, what, reference } in std::mem::take(&mut self.stated) {
            let Reference { target, fragment, .. } = &reference;
            let member = target.parent().zip(target.key()).and_then(|(collection, key)| {
                let at = endpoints.binary_search_by(|e| e.path.cmp(&collection)).ok()?;
                endpoints.get(at)?.member(key)
            });
            let part = |member: &Template| match fragment {
                None => true,
                Some(part) => rules::has_part(&member.value, part),
            };
            if !member.is_some_and(part) {
                let message = format!("{what} refers to a member that no fresh appliance has");
                let remedy = "write `{x-mint: name}` in its place, or state it under `members` of \
                              its collection";
                self.fault(file, line, message, remedy);
            }
        }
    }

    // A fresh appliance is filled body by body, each after those it refers to.
    pub(super) fn circles(&mut self, endpoints: &[EndpointData]) {
        for path in factory::order(endpoints).circles {
            let file = format!("{}.yaml", stem_of(&path.parent().unwrap_or_else(NodePath::root)));
            let message =
                format!("the built-in members refer to each other in a circle, by {path}");
            let file = self.shown(&file);
            self.faults.add(&file, 0, message, "leave one of the references out");
        }
    }

    // Each reference names a collection, and a secret that its members have.
    // Gives what members are called by, for each collection.
    pub(super) fn links(
        &mut self,
        endpoints: &[EndpointData],
        folders: bool,
    ) -> Vec<(NodePath, String)> {
        let mut names = Vec::new();
        for Link { file, line, rule } in std::mem::take(&mut self.links) {
            let target = endpoints
                .binary_search_by(|endpoint| endpoint.path.cmp(&rule.collection))
                .ok()
                .and_then(|at| endpoints.get(at))
                .filter(|endpoint| endpoint.kind == EndpointKind::Collection);
            let Some(target) = target else {
                let collections: Vec<String> = endpoints
                    .iter()
                    .filter(|endpoint| endpoint.kind == EndpointKind::Collection)
                    .map(|endpoint| endpoint.path.to_string())
                    .collect();
                let wanted = rule.collection.to_string();
                let near = suggest::hint(&wanted, collections.iter().map(String::as_str));
                let message = format!("there is no collection {wanted}{near}");
                self.fault(file, line, message, "name a collection of this catalog");
                continue;
            };
            if let Some(by) = &rule.by {
                self.named_target(file, line, target, by, folders);
                names.push((rule.collection.clone(), by.member.clone()));
            }
            if let Some(secret) = &rule.secret
                && !has_secret(&target.schema, &secret.member)
            {
                let message =
                    format!("members of {} have no secret `{}`", rule.collection, secret.member);
                self.fault(file, line, message, "name a member with `x-secret: true`");
            }
            if !rule.fragment.is_empty()
                && target.members.iter().any(|(k, _)| k.as_str().contains('.'))
            {
                let message =
                    format!("a key of {} has a dot, so its parts cannot be named", rule.collection);
                self.fault(file, line, message, "choose keys without dots under its `members`");
            }
            if !has_fragment(&target.schema, &rule.fragment) {
                let message = format!("members of {} have no such part", rule.collection);
                let remedy = "write the names of members, and `*` for the keys of an ordered map";
                self.fault(file, line, message, remedy);
            }
        }
        names
    }

    // A name means one member, and is found without looking at all.
    fn named_target(
        &mut self,
        file: usize,
        line: usize,
        target: &EndpointData,
        by: &ByName,
        folders: bool,
    ) {
        let path = &target.path;
        if target.index_of(by).is_none() {
            let names: Vec<&str> =
                by.within.iter().chain([&by.member]).map(String::as_str).collect();
            let message = format!("members of {path} are not unique by {}", names.join(" and "));
            let remedy = format!("say `unique: [[{}]]` there", names.join(", "));
            self.fault(file, line, message, remedy);
        }
        if by.within.is_some() && !folders {
            let message = "`within` needs a tree of folders";
            self.fault(file, line, message, "state `folders` in catalog.yaml");
        }
        if target.lifetime_referenced || target.exclusive {
            let message = format!("the members of {path} are kept by references to their keys");
            self.fault(file, line, message, "refer to them by key");
        }
    }
}

fn stem_of(path: &NodePath) -> String {
    path.segments().iter().map(Key::as_str).collect::<Vec<_>>().join("/")
}

// Whether bodies can have a part at the end of these steps.
fn has_fragment(schema: &Schema, steps: &[FragmentStep]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let below = |members: &crate::schema::Members, name: &str| {
        members.property(name).is_some_and(|property| has_fragment(&property.schema, rest))
    };
    match (&schema.shape, step) {
        (Shape::Members(members), FragmentStep::Name(name)) => below(members, name),
        (Shape::Union(union), FragmentStep::Name(name)) => {
            union.branches.iter().any(|branch| below(&branch.members, name))
        }
        (Shape::OrderedMap(item), FragmentStep::Any) => has_fragment(item, rest),
        _ => false,
    }
}

fn has_secret(schema: &Schema, name: &str) -> bool {
    let has = |members: &crate::schema::Members| {
        members.property(name).is_some_and(|property| property.schema.secret)
    };
    match &schema.shape {
        Shape::Members(members) => has(members),
        Shape::Union(union) => union.branches.iter().any(|branch| has(&branch.members)),
        Shape::Any | Shape::OrderedMap(_) => false,
    }
}
