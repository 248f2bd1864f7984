//! What moves whole parts of a head: a push, a revert, a load. Each is one commit on one engine,
//! made from a tree of the other.

use std::collections::HashSet;
use std::sync::Arc;

use catalog::Catalog;
use config_tree::{NodePath, Tree, touched_between};
use hyper::StatusCode;
use serde_json::{Value, json};
use transaction_engine::{Edit, Engine, RevisionNumber};

use super::access::{Actor, invalid};
use super::objects::{container_of, dangling};
use super::refusal::Refusal;
use super::versions::{self, NewVersion};
use super::{CheckReferences, Prisma, container, route};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::authorship::written;
use crate::failure::Failure;

/// The part of a candidate that is pushed.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) tenant: String,
    /// Folders, with those inside them.
    pub(super) folders: Vec<String>,
    /// Whose changes; `None`: everybody's.
    pub(super) authors: Option<Vec<String>>,
}

impl Scope {
    /// Everything of a tenant.
    fn all(tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), folders: vec!["All".to_owned()], authors: None }
    }

    fn covers(&self, catalog: &Catalog, container: &str) -> bool {
        if !container::is_of(container, &self.tenant) {
            return false;
        }
        let chain = catalog.folder_chain(container);
        let names = |folder: &String| {
            let kept = container::kept(&self.tenant, "folder", folder);
            kept == container || chain.contains(&kept)
        };
        self.folders.iter().any(names)
    }

    fn has_author(&self, author: &str) -> bool {
        let is_it = |one: &String| one.eq_ignore_ascii_case(author);
        self.authors.as_ref().is_none_or(|authors| authors.iter().any(is_it))
    }
}

/// The objects that differ between two trees, of a scope's folders; authors are not looked at.
pub(super) fn differing(catalog: &Catalog, from: &Tree, to: &Tree, scope: &Scope) -> Vec<NodePath> {
    let mut paths = touched_between(from, to);
    paths.retain(|path| {
        let (before, after) = (from.body(path), to.body(path));
        let is_covered = || {
            let container = after.or(before).and_then(container_of);
            container.is_some_and(|container| scope.covers(catalog, &container))
        };
        // Members that only stand elsewhere in their collection do not differ.
        route::is_object(path) && before != after && is_covered()
    });
    paths
}

/// Those that are of the scope's authors.
fn of_authors(
    candidate: &Engine,
    base: RevisionNumber,
    paths: Vec<NodePath>,
    scope: &Scope,
) -> Result<Vec<NodePath>, Failure> {
    if scope.authors.is_none() {
        return Ok(paths);
    }
    let written = written(candidate, base, &paths)?;
    let is_theirs =
        |path: &NodePath| written.get(path).is_some_and(|by| scope.has_author(&by.author));
    Ok(paths.into_iter().filter(is_theirs).collect())
}

/// What a push would change now.
pub(super) fn pending(
    candidate: &Engine,
    running: &Engine,
    scope: &Scope,
) -> Result<Vec<NodePath>, Failure> {
    let from = candidate.running();
    let paths = differing(candidate.catalog(), &running.running().tree, &from.tree, scope);
    of_authors(candidate, from.number, paths, scope)
}

/// What is pushed: the candidate as it was when the push was asked for.
pub(super) struct Pushed {
    pub(super) scope: Scope,
    pub(super) base: RevisionNumber,
    pub(super) version: NewVersion,
}

/// Makes the scope of the running head what it was on the candidate, as one commit, which holds
/// the version, too. A job whose version is there already has done this.
pub(super) async fn publish(
    prisma: &Prisma,
    appliance: &Appliance,
    pushed: Pushed,
) -> Result<(), Failure> {
    let Pushed { scope, base, version } = pushed;
    let (candidate, running) = (Arc::clone(&prisma.candidate), Arc::clone(&appliance.engine));
    let checks = prisma.settings.check_references == CheckReferences::Push;
    let author = version.admin.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        let tree = candidate.tree_at(base)?.ok_or_else(|| candidate.no_revision(base))?;
        let now = running.running();
        let paths = differing(candidate.catalog(), &now.tree, &tree, &scope);
        let theirs = of_authors(&candidate, base, paths, &scope)?;
        Ok::<_, Failure>((tree, theirs, scope))
    });
    let (tree, theirs, scope) = prepared.await.map_err(|_| Failure::Internal)??;
    // With authors, what is theirs was found in the history; else it is looked for once more, as
    // another push may have come first.
    let theirs: Option<HashSet<NodePath>> =
        scope.authors.is_some().then(|| theirs.into_iter().collect());
    let change = move |edit: &mut Edit<'_>| {
        if versions::of_job(edit.tree(), version.job).is_some() {
            return Ok(());
        }
        let mut paths = differing(edit.catalog(), edit.tree(), &tree, &scope);
        paths.retain(|path| theirs.as_ref().is_none_or(|theirs| theirs.contains(path)));
        edit.adopt(&tree, &paths)?;
        if checks {
            let found = paths.iter().flat_map(|path| dangling(edit.catalog(), edit.tree(), path));
            let found: Vec<_> = found.collect();
            if !found.is_empty() {
                return Err(invalid(found));
            }
        }
        versions::add(edit, &version)
    };
    appliance.autocommit_on(&appliance.engine, &author, change).await
}

/// Makes the candidate of a tenant what is running.
pub(super) async fn revert(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
) -> Result<Answer, Refusal> {
    let (scope, running) = (Scope::all(&actor.tenant), Arc::clone(&appliance.engine));
    let change = move |edit: &mut Edit<'_>| {
        let running = running.running();
        let paths = differing(edit.catalog(), edit.tree(), &running.tree, &scope);
        edit.adopt(&running.tree, &paths)?;
        Ok::<_, Failure>(!paths.is_empty())
    };
    let changed = appliance.autocommit_on(&prisma.candidate, &actor.client, change).await?;
    let message = match changed {
        true => "All changes of the candidate are reverted.",
        false => "There are no changes to revert.",
    };
    Ok(Answer::json(StatusCode::OK, json!({ "success": true, "message": message }).to_string()))
}

/// Makes the candidate of a tenant what it was in a version.
pub(super) async fn load(
    prisma: &Prisma,
    appliance: &Appliance,
    actor: &Actor,
    body: &Value,
) -> Result<Answer, Refusal> {
    let asked = &body["version"];
    let number = asked.as_u64().or_else(|| asked.as_str()?.parse().ok());
    let number =
        number.ok_or_else(|| Failure::malformed("must be the number of a version", "/version"))?;
    let running = Arc::clone(&appliance.engine);
    let tenant = actor.tenant.clone();
    let found =
        tokio::task::spawn_blocking(move || versions::tree(&running, &tenant, number)).await;
    let tree = found.map_err(|_| Failure::Internal)??.ok_or_else(route::missing)?;
    let scope = Scope::all(&actor.tenant);
    let change = move |edit: &mut Edit<'_>| {
        let paths = differing(edit.catalog(), edit.tree(), &tree, &scope);
        Ok::<_, Failure>(edit.adopt(&tree, &paths)?)
    };
    appliance.autocommit_on(&prisma.candidate, &actor.client, change).await?;
    let message = format!(
        "Config loaded from {number}. Review the candidate and push it to make it running."
    );
    let document = json!({ "success": true, "message": message, "version": number });
    Ok(Answer::json(StatusCode::CREATED, document.to_string()))
}
