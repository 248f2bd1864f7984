//! What one session has staged on top of the revision at which it began.
//!
//! The staged state is a whole tree that shares nearly everything with its base, plus the list of
//! nodes that were touched. The changes are not recorded but derived from the two trees when
//! they are asked for, so only net changes exist, and restoring a value leaves none.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::{Catalog, Checked, Endpoint, EndpointKind, FollowUp, KeyRule};
use config_tree::{
    Body, Change, Key, NodePath, Referrer, Tree, TreeError, changes_between, touched_between,
};
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Operation};
use crate::idempotency::Created;
use crate::revision::{Revision, Timestamp};
use crate::secrets::Sealer;
use crate::shared::Rules;

/// A transaction that can still change. Dropping it is a rollback.
#[derive(Clone)]
pub(crate) struct OpenTransaction {
    pub(crate) base: Arc<Revision>,
    pub(crate) opened: Timestamp,
    // Always `base.tree` with changes at `touched` paths only.
    tree: Tree,
    touched: BTreeSet<NodePath>,
    /// Members that were created under a key, for those who ask again.
    pub(crate) created: Created,
}

impl OpenTransaction {
    pub(crate) fn new(base: Arc<Revision>, opened: Timestamp) -> Self {
        let tree = base.tree.clone();
        Self { base, opened, tree, touched: BTreeSet::new(), created: Created::default() }
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The net changes, in an order in which they apply to the base.
    pub(crate) fn changes(&self) -> Vec<Change> {
        changes_between(&self.base.tree, &self.tree, &self.touched)
    }

    /// Whether anything differs from the base. Digests make that cheap.
    pub(crate) fn is_changed(&self) -> bool {
        self.tree.digest() != self.base.tree.digest()
    }

    /// Whether a node still holds what its caller saw.
    pub(crate) fn expect_seen(&self, path: &NodePath, seen: Option<&Body>) -> Result<(), Error> {
        match seen {
            Some(seen) if self.tree.body(path) != Some(seen) => Err(Error::Moved(path.clone())),
            _ => Ok(()),
        }
    }

    /// Whether the members of a collection still stand as its caller saw them.
    pub(crate) fn expect_order(&self, path: &NodePath, seen: Option<&[Key]>) -> Result<(), Error> {
        match seen {
            Some(seen) if !self.tree.children(path).eq(seen) => Err(Error::Moved(path.clone())),
            _ => Ok(()),
        }
    }

    /// Replaces the body of an object or a member.
    pub(crate) fn replace(
        &mut self,
        rules: &Rules<'_>,
        path: &NodePath,
        value: Value,
    ) -> Result<(), Error> {
        self.expect_operation(rules, path, Operation::Replace)?;
        let body = self.check(rules, path, path, value)?;
        let plan = rules.catalog.after_replace(&self.tree, path, &body);
        self.follow(rules, path, plan)?;
        self.touch(rules, path)?;
        self.tree.object_replace(path, body).map(drop).map_err(misfit)
    }

    /// Adds an element to the list that a value holds.
    pub(crate) fn append(
        &mut self,
        rules: &Rules<'_>,
        path: &NodePath,
        element: Value,
    ) -> Result<(), Error> {
        self.expect_operation(rules, path, Operation::Append)?;
        let Some(Value::Array(mut list)) = self.tree.body(path).map(Body::value) else {
            return Err(Error::NotAllowed { path: path.clone(), operation: Operation::Append });
        };
        list.push(element);
        let body = self.check(rules, path, path, Value::Array(list))?;
        self.touch(rules, path)?;
        self.tree.object_replace(path, body).map(drop).map_err(misfit)
    }

    /// Adds a member under a new key.
    pub(crate) fn create(
        &mut self,
        rules: &Rules<'_>,
        collection: &NodePath,
        value: Value,
    ) -> Result<NodePath, Error> {
        self.expect_operation(rules, collection, Operation::Create)?;
        let path = collection.join(&self.new_key(rules, collection)?);
        self.create_at(rules, collection, &path, value)?;
        Ok(path)
    }

    /// Adds a member, or replaces one, whatever operations the collection has.
    pub(crate) fn install(
        &mut self,
        rules: &Rules<'_>,
        collection: &NodePath,
        former: Option<&Key>,
        value: Value,
    ) -> Result<NodePath, Error> {
        let Some(key) = former else {
            let path = collection.join(&self.new_key(rules, collection)?);
            self.create_at(rules, collection, &path, value)?;
            return Ok(path);
        };
        let path = collection.join(key);
        let body = self.check(rules, &path, &path, value)?;
        let plan = rules.catalog.after_replace(&self.tree, &path, &body);
        self.follow(rules, &path, plan)?;
        self.touch(rules, &path)?;
        self.tree.object_replace(&path, body).map_err(misfit)?;
        Ok(path)
    }

    // The key that the rule of a collection gives to its next member.
    fn new_key(&self, rules: &Rules<'_>, collection: &NodePath) -> Result<Key, Error> {
        let rule = rules.catalog.endpoint(collection).map(Endpoint::key_rule).unwrap_or_default();
        let text = match rule {
            KeyRule::Uuid | KeyRule::GivenOrUuid => Uuid::new_v4().to_string(),
            KeyRule::Sequence => {
                let next = rules.sequences.next(collection, &self.tree);
                next.ok_or(Error::Internal("a collection has no number left"))?.to_string()
            }
            // A client that gives none breaks the rule for keys.
            KeyRule::Given => {
                return rules.catalog.check_key(collection, "").map_err(Error::Invalid);
            }
        };
        Key::parse(&text).map_err(|_| Error::Internal("a new key is not a key"))
    }

    /// Adds a member under a given key.
    pub(crate) fn create_with_key(
        &mut self,
        rules: &Rules<'_>,
        collection: &NodePath,
        key: &Key,
        value: Value,
    ) -> Result<NodePath, Error> {
        self.expect_operation(rules, collection, Operation::Create)?;
        let rule = rules.catalog.endpoint(collection).map(Endpoint::key_rule);
        if rule.is_some_and(KeyRule::may_be_given) {
            rules.catalog.check_key(collection, key.as_str()).map_err(Error::Invalid)?;
        }
        let path = collection.join(key);
        if self.tree.get(&path).is_some() {
            return Err(Error::KeyTaken(path));
        }
        self.create_at(rules, collection, &path, value)?;
        Ok(path)
    }

    /// Adds an object or a member at a given path; what the factory and an import do.
    pub(crate) fn create_at(
        &mut self,
        rules: &Rules<'_>,
        schema_at: &NodePath,
        path: &NodePath,
        value: Value,
    ) -> Result<(), Error> {
        let body = self.check(rules, schema_at, path, value)?;
        self.touch(rules, path)?;
        self.tree.object_create(path, body, None).map_err(misfit)
    }

    /// Takes a member away.
    pub(crate) fn delete(&mut self, rules: &Rules<'_>, path: &NodePath) -> Result<(), Error> {
        self.expect_operation(rules, path, Operation::Delete)?;
        if rules.catalog.is_builtin(path) {
            return Err(Error::BuiltIn(path.clone()));
        }
        let plan = rules.catalog.after_delete(&self.tree, path);
        self.follow(rules, path, plan)?;
        self.touch(rules, path)?;
        self.tree.object_delete(path).map(drop).map_err(misfit)
    }

    // Makes the changes that a deletion or a new name brings with it: all, or none.
    fn follow(
        &mut self,
        rules: &Rules<'_>,
        path: &NodePath,
        plan: Result<Vec<FollowUp>, Vec<Referrer>>,
    ) -> Result<(), Error> {
        let plan = plan.map_err(|referrers| Error::InUse { path: path.clone(), referrers })?;
        let new = plan.iter().map(FollowUp::path).chain([path]);
        let more = new.filter(|path| !self.touched.contains(*path)).count();
        if self.touched.len() + more > rules.change_limit {
            return Err(Error::TooManyChanges { limit: rules.change_limit });
        }
        for step in plan {
            self.touch(rules, step.path())?;
            match step {
                FollowUp::Replace { path, body } => self.tree.object_replace(&path, body),
                FollowUp::Delete { path } => self.tree.object_delete(&path),
            }
            .map_err(misfit)?;
        }
        Ok(())
    }

    /// Puts the members of a collection in another order.
    pub(crate) fn reorder(
        &mut self,
        rules: &Rules<'_>,
        path: &NodePath,
        keys: &[Key],
    ) -> Result<(), Error> {
        self.expect_operation(rules, path, Operation::Reorder)?;
        self.touch(rules, path)?;
        self.tree.collection_reorder(path, keys).map_err(|error| match error {
            TreeError::NotAPermutation(path) => Error::NotAPermutation(path),
            other => misfit(other),
        })
    }

    /// Becomes another tree of the same catalog.
    pub(crate) fn become_tree(&mut self, rules: &Rules<'_>, tree: &Tree) -> Result<(), Error> {
        let touched = touched_between(&self.tree, tree);
        let more = touched.iter().filter(|path| !self.touched.contains(path)).count();
        if self.touched.len() + more > rules.change_limit {
            return Err(Error::TooManyChanges { limit: rules.change_limit });
        }
        self.touched.extend(touched);
        self.tree = tree.clone();
        Ok(())
    }

    /// Makes some nodes what they are in another tree of the same catalog, whose bodies were sealed
    /// with the same key. New members come at the end of their collections. The limit on changes is
    /// not asked: they were let in over there.
    pub(crate) fn adopt(&mut self, tree: &Tree, paths: &[NodePath]) -> Result<(), Error> {
        let mut created = Vec::new();
        for path in paths {
            match (self.tree.body(path), tree.body(path).cloned()) {
                (Some(_), None) => drop(self.tree.object_delete(path).map_err(misfit)?),
                (None, Some(body)) => created.push((tree.rank(path), path, body)),
                (Some(before), Some(body)) if *before != body => {
                    self.tree.object_replace(path, body).map_err(misfit)?;
                }
                (Some(_), Some(_)) | (None, None) => continue,
            }
            self.touched.insert(path.clone());
        }
        created.sort_by_key(|(rank, ..)| *rank);
        for (_, path, body) in created {
            self.tree.object_create(path, body, None).map_err(misfit)?;
        }
        Ok(())
    }

    /// Removes what the catalog keeps only while something refers to it.
    pub(crate) fn drop_unreferenced(&mut self, catalog: &Catalog, changes: &[Change]) -> bool {
        let unused = catalog.unreferenced(&self.tree, changes);
        for path in &unused {
            if self.tree.object_delete(path).is_ok() {
                self.touched.insert(path.clone());
            }
        }
        !unused.is_empty()
    }

    /// The same changes on a newer revision.
    pub(crate) fn moved_to(&self, base: Arc<Revision>, tree: Tree) -> Self {
        let Self { base: _, opened, tree: _, touched, created } = self.clone();
        Self { base, opened, tree, touched, created }
    }

    fn expect_operation(
        &self,
        rules: &Rules<'_>,
        path: &NodePath,
        operation: Operation,
    ) -> Result<(), Error> {
        if self.tree.get(path).is_none() {
            return Err(Error::NotFound(path.clone()));
        }
        if allows(rules.catalog, path, operation) {
            Ok(())
        } else {
            Err(Error::NotAllowed { path: path.clone(), operation })
        }
    }

    // Checks a value against the schema at `schema_at`, seals its secrets for `path`, and sees
    // that what it refers to exists in this transaction.
    fn check(
        &self,
        rules: &Rules<'_>,
        schema_at: &NodePath,
        path: &NodePath,
        value: Value,
    ) -> Result<Body, Error> {
        let checked = rules.catalog.check_body(schema_at, value).map_err(Error::Invalid)?;
        let Checked { mut value, references, secrets } = checked;
        let (now, previous) = (rules.clock.now().as_micros(), self.tree.body(path));
        rules.catalog.fill_derived(path, &mut value, previous, now, rules.hooks);
        let former = self.tree.body(path).filter(|_| !secrets.is_empty()).map(Body::value);
        for pointer in &secrets {
            match former
                .as_ref()
                .and_then(|former| kept(rules.sealer, path, pointer, former, &value))
            {
                Some(sealed) => replace_secret(&mut value, pointer, sealed),
                None => seal(rules.sealer, path, pointer, &mut value)?,
            }
        }
        let violations =
            rules.catalog.check_references(&self.tree, path, &references, rules.sealer);
        if violations.is_empty() {
            Ok(Body::new(&value, references))
        } else {
            Err(Error::Invalid(violations))
        }
    }

    fn touch(&mut self, rules: &Rules<'_>, path: &NodePath) -> Result<(), Error> {
        if self.touched.len() >= rules.change_limit && !self.touched.contains(path) {
            return Err(Error::TooManyChanges { limit: rules.change_limit });
        }
        self.touched.insert(path.clone());
        Ok(())
    }
}

/// Whether the catalog has an operation at a path.
fn allows(catalog: &Catalog, path: &NodePath, operation: Operation) -> bool {
    catalog.endpoint(path).is_some_and(|endpoint| permits(endpoint, operation))
}

/// Whether an endpoint has an operation.
pub(crate) fn permits(endpoint: Endpoint<'_>, operation: Operation) -> bool {
    let operations = endpoint.operations();
    match (endpoint.kind(), operation) {
        (EndpointKind::Folder, operation) => operation == Operation::Read,
        (EndpointKind::Object | EndpointKind::Value, Operation::Replace) => operations.replace,
        (EndpointKind::Value, Operation::Append) => operations.append,
        (EndpointKind::Collection, Operation::Read) => operations.list,
        (EndpointKind::Collection, Operation::Create) => operations.create,
        (EndpointKind::Collection, Operation::Reorder) => operations.list && operations.replace,
        (EndpointKind::Member, Operation::Replace) => operations.replace,
        (EndpointKind::Member, Operation::Delete) => operations.delete,
        (_, Operation::Read) => true,
        _ => false,
    }
}

// The sealed text that a body has at this place already, where the secret in it stays the same: a
// body that is put back then stays as it was to the bit.
fn kept(
    sealer: &Sealer,
    path: &NodePath,
    pointer: &str,
    former: &Value,
    value: &Value,
) -> Option<String> {
    let sealed = former.pointer(pointer)?.as_str()?;
    let clear = sealer.open(path, pointer, sealed)?;
    (value.pointer(pointer)?.as_str()? == clear.as_str()).then(|| sealed.to_owned())
}

/// Puts another text in the place of a secret, and erases the one that was there.
pub(crate) fn replace_secret(value: &mut Value, pointer: &str, text: String) {
    use zeroize::Zeroize;
    if let Some(Value::String(secret)) = value.pointer_mut(pointer) {
        secret.zeroize();
        *secret = text;
    }
}

pub(crate) fn seal(
    sealer: &Sealer,
    path: &NodePath,
    pointer: &str,
    value: &mut Value,
) -> Result<(), Error> {
    use zeroize::Zeroize;
    let Some(Value::String(secret)) = value.pointer_mut(pointer) else {
        return Err(Error::Internal("a secret is not a string"));
    };
    let sealed = sealer
        .seal(path, pointer, secret)
        .ok_or(Error::Internal("the system gave no random bytes to seal a secret"))?;
    secret.zeroize();
    *secret = sealed;
    Ok(())
}

fn misfit(error: TreeError) -> Error {
    match error {
        TreeError::Missing(path) => Error::NotFound(path),
        _ => Error::Internal("a staged change does not fit its tree"),
    }
}
