//! `/boxwood/v1/revisions` and `/boxwood/v1/tags`: the past, listed, read, compared, brought back,
//! named. Bodies are shown as everywhere, so without secrets.

use std::sync::Arc;

use config_tree::{Key, NodePath, Tree};
use hyper::Method;
use serde_json::{Value, json};
use transaction_engine::store::Tag;
use transaction_engine::{Page, RevisionInfo, RevisionNumber, RevisionRecord};

use super::call::{Call, Refused};
use super::route::{Operation, Who, number, ok, query, run};
use super::{blocking, changes};
use crate::answer::Answer;
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::presentation::Presentation;
use crate::query::Query;

const HREF: &str = "/boxwood/v1/revisions";

const ADMINISTRATORS: Who = Who::Administrators;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "revisions", "revisions", ADMINISTRATORS, run!(revisions))
        .does("List revisions", "A page of the history, the newest first.")
        .with(&[
            query("limit", "integer", "How many at most: 1 to 500, 50 unless it is given."),
            query("before", "integer", "Those before this revision."),
        ])
        .answers(&[ok("Revisions", "The page; `meta.next` leads on.")])
        .refuses(&[400]),
    Operation::new(
        Methods::GET,
        "revisions/{revision}",
        "revision_read",
        ADMINISTRATORS,
        run!(revision),
    )
    .does("Read a revision", "One revision with its changes.")
    .answers(&[ok("Revision", "The revision.")])
    .refuses(&[404, 410]),
    Operation::new(
        Methods::GET,
        "revisions/{revision}/tree",
        "tree_at",
        ADMINISTRATORS,
        run!(tree),
    )
    .does("Read the configuration of a revision", "Every body at and below a path, as it was.")
    .with(&[
        query("path", "string", "The node, as the appliance or as the tree names it."),
        query("limit", "integer", "How many bodies at most: 1 to 100000, 1000 unless it is given."),
    ])
    .answers(&[ok("Tree", "The bodies.")])
    .refuses(&[400, 404, 410]),
    Operation::new(Methods::GET, "revisions/diff", "revision_diff", ADMINISTRATORS, run!(diff))
        .does("Compare two revisions", "What leads from one to the other.")
        .with(&[
            query("from", "integer", "The revision to begin at; needed."),
            query("to", "integer", "The revision to end at; needed."),
        ])
        .answers(&[ok("Difference", "The changes.")])
        .refuses(&[400, 404, 410]),
    Operation::new(
        Methods::POST,
        "revisions/{revision}/restore",
        "revision_restore",
        ADMINISTRATORS,
        run!(restore),
    )
    .does("Stage the way back to a revision", "It takes effect with the commit.")
    .answers(&[ok("Changes", "What is staged now.")])
    .refuses(&[400, 404, 409, 410]),
    Operation::new(Methods::GET, "tags", "tags", ADMINISTRATORS, run!(tags))
        .does("List tags", "All names that revisions have.")
        .answers(&[ok("Tags", "All names.")]),
    Operation::new(Methods::GET, "tags/{name}", "tag", ADMINISTRATORS, run!(tag))
        .does("Read a tag", "The revision that has a name.")
        .answers(&[ok("Tag", "The name.")])
        .refuses(&[404]),
    Operation::new(Methods::PUT, "tags/{name}", "tag_set", ADMINISTRATORS, run!(tag))
        .does("Name a revision", "A named revision is kept, and all after it.")
        .takes("TagTarget")
        .answers(&[ok("Tag", "The name as it is now.")])
        .refuses(&[400, 404, 410, 503]),
    Operation::new(Methods::DELETE, "tags/{name}", "tag_delete", ADMINISTRATORS, run!(tag))
        .does("Remove a name", "The revision stays for as long as it would without it.")
        .answers(&[ok("Done", "It is gone.")])
        .refuses(&[404, 503]),
];

/// A page of the history, the newest first.
async fn revisions(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, query) = (call.appliance, call.query()?);
    let limit = limit(&query, 50, 500)?;
    let page = match query.get("before") {
        Some(before) => Page::Before(numbered("before", before)?),
        None => Page::Newest,
    };
    let engine = Arc::clone(&appliance.engine);
    let infos = blocking(move || engine.revisions(page, limit)).await??;
    let tags = appliance.engine.tags();
    let (oldest, newest) = (appliance.engine.oldest_revision(), appliance.engine.running_number());
    let more = infos.last().filter(|last| infos.len() == limit && last.number > oldest);
    let next = more.map(|last| format!("{HREF}?before={}&limit={limit}", last.number));
    let items: Vec<Value> = infos.iter().map(|info| info_shown(info, &tags)).collect();
    Ok(Answer::document(&json!({
        "items": items,
        "meta": {
            "href": HREF,
            "newest": newest.get(),
            "next": next,
            "oldest": oldest.get(),
            "parent": "/boxwood/v1",
        },
    })))
}

/// A revision with its changes.
async fn revision(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, number) = (call.appliance, call.revision()?);
    let (engine, shows) = (Arc::clone(&appliance.engine), appliance.shows());
    let found = blocking(move || {
        let record = engine.revision_read(number)?;
        record
            .map(|record| record_shown(&*shows, &record, &engine.tags(), usize::MAX))
            .ok_or_else(|| engine.no_revision(number))
    });
    Ok(Answer::document(&found.await??))
}

/// What stood at a path and below it.
async fn tree(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, number, query) = (call.appliance, call.revision()?, call.query()?);
    let limit = limit(&query, 1_000, 100_000)?;
    let path = path(&*appliance.shows(), &query)?;
    let (engine, shows) = (Arc::clone(&appliance.engine), appliance.shows());
    let node = path.clone();
    let shown = blocking(move || {
        let tree = engine.tree_at(number)?.ok_or_else(|| engine.no_revision(number))?;
        Ok::<_, transaction_engine::Error>(tree_shown(&*shows, &tree, &path, limit))
    });
    let shown = shown.await??.ok_or(Failure::NotFound(Place::Node(node)))?;
    let (nodes, complete) = shown;
    Ok(Answer::document(&json!({
        "complete": complete,
        "meta": { "href": format!("{HREF}/{number}/tree"), "parent": format!("{HREF}/{number}") },
        "nodes": nodes,
        "revision": number.get(),
    })))
}

/// What leads from one revision to another.
async fn diff(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, query) = (call.appliance, call.query()?);
    let needed = |name: &'static str| {
        let missing = || Failure::malformed(format!("The query needs {name}=REVISION"), "");
        numbered(name, query.get(name).ok_or_else(missing)?)
    };
    let (from, to) = (needed("from")?, needed("to")?);
    let (engine, shows) = (Arc::clone(&appliance.engine), appliance.shows());
    let found = blocking(move || {
        let changes = engine.revision_diff(from, to)?;
        Ok::<_, transaction_engine::Error>(changes::entries(&*shows, &changes))
    });
    Ok(Answer::document(&json!({
        "changes": found.await??,
        "from": from.get(),
        "meta": { "href": format!("{HREF}/diff"), "parent": HREF },
        "to": to.get(),
    })))
}

/// Stages what leads back to a revision.
async fn restore(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller, number) = (call.appliance, call.caller()?, call.revision()?);
    let (engine, session) = (Arc::clone(&appliance.engine), Arc::clone(&caller.session));
    let shows = appliance.shows();
    let found = blocking(move || {
        engine.revision_restore(&session, number)?;
        let staged = engine.transaction_changes(&session);
        Ok::<_, transaction_engine::Error>(changes::entries(&*shows, &staged))
    });
    Ok(Answer::document(&json!({
        "changes": found.await??,
        "meta": {
            "href": format!("{HREF}/{number}/restore"),
            "parent": format!("{HREF}/{number}"),
            "transaction": appliance.shows().transaction(),
        },
    })))
}

// ===== names =====

/// All names.
async fn tags(call: Call<'_>) -> Result<Answer, Refused> {
    let items: Vec<Value> = call.appliance.engine.tags().iter().map(tag_shown).collect();
    let meta = json!({ "href": "/boxwood/v1/tags", "parent": "/boxwood/v1" });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

/// Shows, sets or removes a name.
async fn tag(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, method) = (call.appliance, &call.head.method);
    let (name, body) = (call.step("name").to_owned(), call.body.as_ref());
    let engine = Arc::clone(&appliance.engine);
    match *method {
        Method::PUT => {
            let number = tagged(body)?;
            let user = call.caller()?.session.user().to_owned();
            let tag = blocking(move || engine.tag_set(&user, &name, number)).await??;
            Ok(Answer::document(&tag_shown(&tag)))
        }
        Method::DELETE => {
            blocking(move || engine.tag_delete(&name)).await??;
            Ok(Answer::document(&json!({ "meta": { "parent": "/boxwood/v1/tags" } })))
        }
        _ => {
            let tag = engine.tag(&name).ok_or(transaction_engine::Error::NoTag(name))?;
            Ok(Answer::document(&tag_shown(&tag)))
        }
    }
}

fn tagged(body: Option<&Value>) -> Result<RevisionNumber, Failure> {
    let members = body.and_then(Value::as_object).filter(|members| members.len() == 1);
    let number = members.and_then(|members| members.get("revision")?.as_u64());
    number
        .map(RevisionNumber::new)
        .ok_or_else(|| Failure::malformed("Send {\"revision\": NUMBER}", "/revision"))
}

fn tag_shown(tag: &Tag) -> Value {
    let Tag { name, number, time, author } = tag;
    json!({
        "author": author,
        "name": name,
        "revision": number.get(),
        "time": time.to_string(),
        "meta": { "revision": format!("{HREF}/{number}") },
    })
}

// ===== what is shown =====

fn info_shown(info: &RevisionInfo, tags: &[Tag]) -> Value {
    let RevisionInfo { number, time, author, session, message, changes, digest } = info;
    let tags: Vec<&str> = tags_of(*number, tags);
    json!({
        "author": author,
        "changes": changes,
        "digest": digest.to_string(),
        "message": message,
        "meta": { "href": format!("{HREF}/{number}") },
        "revision": number.get(),
        "session": session,
        "tags": tags,
        "time": time.to_string(),
    })
}

fn tags_of(number: RevisionNumber, tags: &[Tag]) -> Vec<&str> {
    tags.iter().filter(|tag| tag.number == number).map(|tag| tag.name.as_str()).collect()
}

/// A revision with at most that many of its changes, of which one may become several entries.
pub(super) fn record_shown(
    shows: &dyn Presentation,
    record: &RevisionRecord,
    tags: &[Tag],
    most: usize,
) -> Value {
    let shown = &record.changes[..record.changes.len().min(most)];
    json!({
        "author": record.author,
        "changes": changes::entries(shows, shown),
        "commit_id": record.commit_id.to_string(),
        "complete": shown.len() == record.changes.len(),
        "digest": record.digest.to_string(),
        "message": record.message,
        "meta": { "href": format!("{HREF}/{}", record.number), "parent": HREF },
        "revision": record.number.get(),
        "session": record.session,
        "tags": tags_of(record.number, tags),
        "time": record.time.to_string(),
    })
}

// Every body at a path and below it, up to a limit; whether that is all. `None`: nothing there.
fn tree_shown(
    shows: &dyn Presentation,
    tree: &Tree,
    path: &NodePath,
    limit: usize,
) -> Option<(Vec<Value>, bool)> {
    tree.get(path)?;
    let (mut nodes, mut rest) = (Vec::new(), vec![path.clone()]);
    while let Some(path) = rest.pop() {
        if let Some(body) = tree.body(&path) {
            if nodes.len() == limit {
                return Some((nodes, false));
            }
            let shown = shows.shown(&path, body);
            let body: Value = serde_json::from_slice(&shown.text).unwrap_or_default();
            nodes.push(json!({ "body": body, "path": shows.href(&path) }));
            continue;
        }
        // No more than can still be shown, the first of them last.
        let children: Vec<&Key> = tree.children(&path).take(limit + 1 - nodes.len()).collect();
        rest.extend(children.into_iter().rev().map(|key| path.join(key)));
    }
    Some((nodes, true))
}

// ===== queries =====

fn limit(query: &Query, usual: usize, most: usize) -> Result<usize, Failure> {
    let Some(text) = query.get("limit") else { return Ok(usual) };
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Failure::malformed(format!("`limit` must be from 1 to {most}"), ""))
}

pub(super) fn numbered(name: &str, text: &str) -> Result<RevisionNumber, Failure> {
    let message = || Failure::malformed(format!("`{name}` must be the number of a revision"), "");
    number(text).ok_or_else(message)
}

/// A path of the configuration, as the API shows it or as the tree has it; the root when absent.
pub(super) fn path(shows: &dyn Presentation, query: &Query<'_>) -> Result<NodePath, Failure> {
    let Some(text) = query.get("path").filter(|text| !text.is_empty()) else {
        return Ok(NodePath::root());
    };
    let message = "`path` must be that of a node, as in /api/configuration/management/email";
    shows.node_path(text).ok_or_else(|| Failure::malformed(message, ""))
}
