//! `/api/configuration` and below: reads, changes, order.

use std::sync::Arc;

use catalog::Catalog;
use config_tree::{Body, Key, NodePath, Tree};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, header};
use serde_json::{Value, json};
use transaction_engine::{Operation, Revision, View, operations_at};

use super::decode::{element_unwrapped_for, unwrapped, unwrapped_for};
use super::document::{self, Unfinished};
use super::read_cache::CachedDocument;
use super::{Call, Sps, find_login, shared_documents};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::{Access, Rights};
use crate::condition::{self, Tag};
use crate::failure::{Failure, Place};
use crate::heavy;
use crate::methods::Methods;
use crate::outcome::Outcome;
use crate::session::Login;
use crate::sps::address::href;
use crate::transport::RequestBody;

/// The answer to a read that was made before of the same revision; `None` where it was not, or the
/// caller does not see that revision, or may not see the node.
pub(super) fn node_get_again(sps: &Sps, appliance: &Appliance, head: &Parts) -> Option<Outcome> {
    if head.method != Method::GET {
        return None;
    }
    let kept = sps.cache.find(appliance.engine.running_number(), head.uri.path())?;
    let kept = kept.as_ref()?;
    let login = find_login(appliance, &head.headers)?;
    let is_seen = match appliance.engine.view(&login.session) {
        View::Running(running) => running.number == kept.revision,
        View::Staged(_) => false,
    };
    // Nodes that are only on the way to what may be seen are shown without the others.
    if !is_seen || !login.standing().rights.cover_with_neighbours(&kept.path) {
        return None;
    }
    let remaining = appliance.logins.remaining(&login).as_secs();
    let text = Unfinished::finish_kept(&kept.text, remaining);
    let answer = Answer::again(&kept.headers, text).unless_known(&head.headers);
    Some(Outcome::new("node_get", Some(Arc::clone(&login.name)), Ok(answer)))
}

impl Call<'_> {
    pub(super) async fn node(&self, path: &NodePath, body: RequestBody) -> Result<Answer, Failure> {
        let login = self.login()?;
        let view = self.appliance.engine.view(&login.session);
        if view.tree().get(path).is_none() || !self.may_see_stored(login, &view, path) {
            return Err(Failure::NotFound(Place::Request));
        }
        let allow = node_methods(self.appliance.engine.catalog(), path);
        self.expect_method(allow)?;
        let answer = match self.head.method {
            Method::OPTIONS => self.options(allow),
            Method::GET | Method::HEAD => {
                let standing = login.standing();
                return match &view {
                    _ if !standing.rights.cover_with_neighbours(path) => {
                        self.partial_get(&standing.rights, &view, path, allow)
                    }
                    View::Running(running) if is_large(&running.tree, path) => {
                        self.large_get(running, path, allow)
                    }
                    _ => self.node_get(&view, path, allow),
                };
            }
            // Apart, so that a read does not pay for what a change keeps while it waits.
            _ => Box::pin(self.node_change(path, &view, body)).await?,
        };
        Ok(answer.allow(allow))
    }

    fn may_see_stored(&self, login: &Login, view: &View, path: &NodePath) -> bool {
        let rights = &login.standing().rights;
        !rights.is_stored(path)
            || rights.allow_stored(&self.appliance.engine.running().tree, view.tree(), path)
    }

    fn node_get(&self, view: &View, path: &NodePath, allow: Methods) -> Result<Answer, Failure> {
        let (document, tag) = document::node(self.appliance.engine.catalog(), view.tree(), path)
            .ok_or_else(|| Failure::NotFound(Place::Request))?;
        let asked = self.head.uri.path();
        let to_keep = match view {
            View::Running(running)
                if self.sps.cache.wants(running.number, asked, document.text().len()) =>
            {
                Some((running.number, document.text().into()))
            }
            _ => None,
        };
        let text = document.finish(self.remaining_seconds());
        let answer = Answer::text(StatusCode::OK, text).tagged(tag.value()).allow(allow);
        if let Some((revision, text)) = to_keep {
            let headers = answer.kept_headers(revision.get());
            let (asked, path) = (asked.into(), path.clone());
            self.sps.cache.put(CachedDocument { revision, asked, path, text, headers });
        }
        Ok(answer.unless_known(&self.head.headers))
    }

    // Of a node whose surroundings may not be seen: members and links that lead to the others are
    // left out.
    fn partial_get(
        &self,
        rights: &Rights,
        view: &View,
        path: &NodePath,
        allow: Methods,
    ) -> Result<Answer, Failure> {
        let is_seen = |path: &NodePath| rights.allow(Access::Read, path);
        let catalog = self.appliance.engine.catalog();
        let (document, tag) = document::node_in_part(catalog, view.tree(), path, &is_seen)
            .ok_or_else(|| Failure::NotFound(Place::Request))?;
        let text = document.finish(self.remaining_seconds());
        let answer = Answer::text(StatusCode::OK, text).tagged(tag.value()).allow(allow);
        Ok(answer.unless_known(&self.head.headers))
    }

    // A document that waits for its reader is shared with others who read the same.
    fn large_get(
        &self,
        running: &Revision,
        path: &NodePath,
        allow: Methods,
    ) -> Result<Answer, Failure> {
        let catalog = self.appliance.engine.catalog();
        let make = || {
            let (document, tag) = document::node(catalog, &running.tree, path)?;
            Some((document.into_text(), tag))
        };
        let document = self.sps.shared.get(running.number, path, make);
        let document = document.ok_or(Failure::NotFound(Place::Request))?;
        let end = Unfinished::end(self.remaining_seconds());
        let answer = Answer::shared_text(StatusCode::OK, document.bytes(), end);
        let answer = answer.tagged(document.tag.value()).allow(allow);
        Ok(answer.unless_known(&self.head.headers))
    }

    async fn node_change(
        &self,
        path: &NodePath,
        view: &View,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        let session = &self.login()?.session;
        let engine = &self.appliance.engine;
        match self.head.method {
            Method::POST if engine.allows(path, Operation::Append) => {
                let element = self.json_needed(body).await?;
                let element = element_unwrapped_for(engine.catalog(), path, element);
                let key = heavy::run(|| self.idempotency(Some(&element)))?;
                let seen = self.expected_state(view, path)?;
                let view =
                    heavy::run(|| engine.node_append(session, path, element, seen, key.as_ref()))?;
                self.show(StatusCode::CREATED, &view, path)
            }
            Method::POST => {
                let value = self.json_needed(body).await?;
                let value = unwrapped_for(engine.catalog(), path, value);
                let key = heavy::run(|| self.idempotency(Some(&value)))?;
                let (created, view) = heavy::run(|| match key {
                    Some(key) => engine.node_create_once(session, path, value, &key),
                    None => engine.node_create(session, path, value),
                })?;
                let answer = self.show(StatusCode::CREATED, &view, &created)?;
                Ok(answer.header_text(header::LOCATION, &href(&created)))
            }
            Method::PUT => {
                let value = self.json_needed(body).await?;
                let value = unwrapped_for(engine.catalog(), path, value);
                let seen = self.expected_state(view, path)?;
                let view = heavy::run(|| engine.node_put(session, path, value, seen))?;
                self.show(StatusCode::OK, &view, path)
            }
            _ => {
                // The navigation of what is about to go, as the appliance answers it.
                let former = document::meta_only(engine.catalog(), view.tree(), path);
                engine.node_delete(session, path, self.expected_state(view, path)?)?;
                Ok(Answer::text(StatusCode::OK, former.finish(self.remaining_seconds())))
            }
        }
    }

    // What `If-Match` says the node holds: that, and nothing that came since, may be changed.
    fn expected_state<'v>(
        &self,
        view: &'v View,
        path: &NodePath,
    ) -> Result<Option<&'v Body>, Failure> {
        if !condition::is_conditional(&self.head.headers) {
            return Ok(None);
        }
        let catalog = self.appliance.engine.catalog();
        match view.tree().body(path) {
            Some(body) => {
                let tag = Tag::of_body(document::shown(catalog, path, body).tag);
                if condition::match_fails(&self.head.headers, tag) {
                    return Err(Failure::PreconditionFailed(Place::Request));
                }
                Ok(Some(body))
            }
            None => Err(Failure::PreconditionFailed(Place::Request)),
        }
    }

    /// `<collection>/@order`: all keys, and another order for them (core protocol §5.5).
    pub(super) async fn order(
        &self,
        path: &NodePath,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        let session = &self.login()?.session;
        let engine = &self.appliance.engine;
        let view = engine.view(session);
        let collection = view.tree().get(path).filter(|_| engine.allows(path, Operation::Reorder));
        if collection.is_none() {
            return Err(Failure::NotFound(Place::Request));
        }
        let allow = Methods::GET.and(Methods::PUT);
        self.expect_method(allow)?;
        let view = match self.head.method {
            Method::OPTIONS => return Ok(self.options(allow)),
            Method::PUT => {
                let keys = keys(&unwrapped(self.json_needed(body).await?))?;
                let seen = self.expected_order(&view, path)?;
                engine.collection_reorder(session, path, &keys, seen.as_deref())?
            }
            _ => view,
        };
        let rights = &self.login()?.standing().rights;
        let (keys, tag) =
            shown_order(&view, path, |key| rights.allow(Access::Read, &path.join(key)));
        let meta = json!({
            "href": self.path,
            "parent": href(path),
            "remaining_seconds": self.remaining_seconds(),
            "transaction": "/api/transaction",
        });
        let answer = Answer::document(&json!({ "body": keys, "key": "@order", "meta": meta }));
        let answer = answer.tagged(tag.value()).allow(allow);
        let is_read = self.head.method != Method::PUT;
        Ok(if is_read { answer.unless_known(&self.head.headers) } else { answer })
    }

    // What `If-Match` says the order is: that one, and none that came since, may be changed.
    fn expected_order(&self, view: &View, path: &NodePath) -> Result<Option<Vec<Key>>, Failure> {
        if !condition::is_conditional(&self.head.headers) {
            return Ok(None);
        }
        if condition::match_fails(&self.head.headers, shown_order(view, path, |_| true).1) {
            return Err(Failure::PreconditionFailed(Place::Request));
        }
        Ok(Some(view.tree().children(path).cloned().collect()))
    }

    fn show(&self, status: StatusCode, view: &View, path: &NodePath) -> Result<Answer, Failure> {
        match document::node(self.appliance.engine.catalog(), view.tree(), path) {
            Some((document, tag)) => {
                let text = document.finish(self.remaining_seconds());
                Ok(Answer::text(status, text).tagged(tag.value()))
            }
            None => Err(Failure::NotFound(Place::Request)),
        }
    }
}

/// The methods of a node, by what the catalog says of its path.
pub(super) fn node_methods(catalog: &Catalog, path: &NodePath) -> Methods {
    let allows = operations_at(catalog, path);
    let posts = allows(Operation::Create) || allows(Operation::Append);
    Methods::NONE
        .and_if(allows(Operation::Read), Methods::GET)
        .and_if(posts, Methods::POST)
        .and_if(allows(Operation::Replace), Methods::PUT)
        .and_if(allows(Operation::Delete), Methods::DELETE)
}

// Whether the document of a node is worth sharing.
fn is_large(tree: &Tree, path: &NodePath) -> bool {
    tree.child_count(path) >= shared_documents::LEAST_MEMBERS
}

// The keys of a collection as `@order` shows them, and the tag of that.
fn shown_order(view: &View, path: &NodePath, is_seen: impl Fn(&Key) -> bool) -> (Value, Tag) {
    let keys = view.tree().children(path).filter(|key| is_seen(key));
    let keys: Value = keys.map(Key::as_str).collect();
    let tag = Tag::of_listing(keys.to_string().as_bytes());
    (keys, tag)
}

fn keys(value: &Value) -> Result<Vec<Key>, Failure> {
    let wrong = || Failure::malformed("An order is an array of all keys of the collection", "");
    let elements = value.as_array().ok_or_else(wrong)?;
    elements
        .iter()
        .map(|element| Key::parse(element.as_str().ok_or_else(wrong)?).map_err(|_| wrong()))
        .collect()
}
