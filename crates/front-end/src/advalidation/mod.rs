//! The API of Advalidation v2, as far as it is about connection profiles and their rules: one head,
//! each request a transaction of its own.
//!
//! A request passes these stations, in this order: the rate limit of its address; the key, before
//! anything else is looked at; the path and the method; the object; the query or the body; the
//! engine's verb; the answer.

mod dress;
mod limiter;
mod resource;
mod route;

use std::sync::Arc;

use config_tree::{Key, NodePath, Tree};
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::{Map, Value, json};
use transaction_engine::{Edit, Engine};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::{Caller, Rights};
use crate::credentials::Credentials;
use crate::dialect::{Dialect, Ground, Plan, Waiting};
use crate::failure::{At, Failure, Place};
use crate::http_path::canonical;
use crate::outcome::{Dressed, Outcome};
use crate::paging::Paging;
use crate::presentation::{Presentation, TreePresentation};
use crate::request;
use crate::session::Logins;
use crate::transport::{Request, RequestBody};

use dress::json_answer;
use limiter::{BUCKET, Limiter, RETRY_SECONDS};
use resource::{Kind, profile, rule, rules};
use route::Route;

/// The header with the key.
const API_KEY: &str = "x-api-key";

/// How lists are paged. The names of the parameters are not documented.
const PAGING: Paging =
    Paging { number: "page", size: &["limit", "perPage"], default: 25, maximum: 100 };

/// What the settings say about the appliance.
#[derive(Clone, Debug)]
pub struct AdvalidationSettings {
    /// Whether an address that sends too many requests is refused.
    pub rate_limit: bool,
    /// The status of an answer to a creation.
    pub create_status: u16,
    /// The status of an answer to a change.
    pub update_status: u16,
    /// The status of an answer to a deletion; one other than 204 has a body.
    pub delete_status: u16,
}

impl Default for AdvalidationSettings {
    fn default() -> Self {
        Self { rate_limit: false, create_status: 201, update_status: 200, delete_status: 204 }
    }
}

struct Advalidation {
    settings: AdvalidationSettings,
    limiter: Limiter,
    shows: Arc<TreePresentation>,
}

/// Prepares an appliance.
pub(crate) fn plan(ground: Ground, settings: AdvalidationSettings) -> Box<dyn Plan> {
    let shows = Arc::new(TreePresentation::new(ground.catalog));
    Box::new(Advalidation { settings, limiter: Limiter::default(), shows })
}

impl Plan for Advalidation {
    fn build(self: Box<Self>, _engine: &Arc<Engine>, _logins: &Arc<Logins>) -> Box<dyn Dialect> {
        self
    }
}

impl Dialect for Advalidation {
    fn answer<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
        body: RequestBody,
    ) -> Waiting<'a, Outcome> {
        Box::pin(self.handle(appliance, request, body))
    }

    fn dress(&self, failure: &Failure, at: &At<'_>) -> Dressed {
        let mut dressed = dress::dress(failure, at, &*self.shows);
        dressed.answer = dress::remaining(dressed.answer, BUCKET);
        dressed
    }

    fn caller<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
    ) -> Waiting<'a, Result<Option<Caller>, Failure>> {
        Box::pin(own_api_caller(appliance, request))
    }

    fn fork(&self, ground: Ground) -> Box<dyn Plan> {
        plan(ground, self.settings.clone())
    }

    fn how_to_log_in(&self) -> &'static str {
        "the X-API-Key header, or HTTP Basic with the administrator's name and password"
    }

    fn presentation(&self) -> Arc<dyn Presentation> {
        Arc::clone(&self.shows) as _
    }
}

// ===== who asks =====

/// Refuses a request without a key that counts. The administrator's password is one.
async fn expect_key(appliance: &Appliance, request: &Request) -> Result<(), Failure> {
    let key = sent_key(&request.head.headers)?.ok_or(Failure::Unauthenticated)?;
    let user = appliance.process.administrator.name.clone();
    let address = request.peer.address().ip();
    match appliance.verify_administrator(address, &Credentials { user, password: key }).await? {
        true => Ok(()),
        false => Err(Failure::CredentialsWrong),
    }
}

/// The key of a request, if it has one; an empty one is none.
fn sent_key(headers: &HeaderMap) -> Result<Option<Zeroizing<String>>, Failure> {
    let mut sent = headers.get_all(API_KEY).iter().filter(|value| !value.is_empty());
    let Some(key) = sent.next() else { return Ok(None) };
    let text = std::str::from_utf8(key.as_bytes()).ok().filter(|_| sent.next().is_none());
    let text = text.ok_or(Failure::CredentialsWrong)?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// Who asks Boxwood's own API, by a key. A request without one may still have Basic credentials,
/// which that API checks itself.
async fn own_api_caller(
    appliance: &Appliance,
    request: &Request,
) -> Result<Option<Caller>, Failure> {
    if !request.head.headers.contains_key(API_KEY) {
        return Ok(None);
    }
    expect_key(appliance, request).await?;
    let name = &appliance.process.administrator.name;
    Ok(Some(Caller::administrator(appliance.engine.session_open(name))))
}

// ===== stations =====

/// A request on its way to a verb.
struct Call<'a> {
    settings: &'a AdvalidationSettings,
    appliance: &'a Appliance,
    request: &'a Request,
}

impl Advalidation {
    async fn handle(&self, appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
        let head = &request.head;
        let route = Route::parse(head.uri.path());
        let verb = route.as_ref().map_or("undecodable", |route| route.verb(&head.method));
        let left = self.left(appliance, request);
        let call = Call { settings: &self.settings, appliance, request };
        let result = match left {
            Some(_) => call.answer(route, body).await,
            None => Err(Failure::Limited { retry_seconds: RETRY_SECONDS }),
        };
        let result = result.map_err(|failure| {
            let path = canonical(head.uri.path());
            let rights = Some(&Rights::All);
            let limits = &appliance.process.options.limits;
            self.dress(&failure, &At { method: &head.method, path: &path, rights, limits })
        });
        let mut outcome = Outcome::new(verb, None, result);
        outcome.answer = dress::remaining(outcome.answer, left.unwrap_or_default());
        outcome
    }

    // The number of requests that the address has left after this one. Where nothing is refused,
    // nothing is used up: a client would slow down for nothing.
    fn left(&self, appliance: &Appliance, request: &Request) -> Option<u32> {
        match self.settings.rate_limit {
            true => self.limiter.take(request.peer.address().ip(), appliance.now()),
            false => Some(BUCKET),
        }
    }
}

impl Call<'_> {
    async fn answer(&self, route: Option<Route>, body: RequestBody) -> Result<Answer, Failure> {
        expect_key(self.appliance, self.request).await?;
        let route = route.ok_or(Failure::PathUndecodable)?;
        let methods = route.methods().ok_or(Failure::NotFound(Place::Request))?;
        let method = &self.request.head.method;
        if !methods.permits(method) {
            return Err(Failure::MethodNotAllowed(methods));
        }
        if *method == Method::OPTIONS {
            return Ok(Answer::empty(StatusCode::NO_CONTENT).allow(methods));
        }
        match route {
            Route::Me => Ok(self.me()),
            Route::Profiles if *method == Method::POST => {
                self.create(Kind::Profile, None, body).await
            }
            Route::Profiles => self.list_profiles(),
            Route::Profile(key) => self.member(None, key, body).await,
            Route::Rules(parent) if *method == Method::POST => {
                self.create(Kind::Rule, Some(parent), body).await
            }
            Route::Rules(parent) => self.list_rules(&parent),
            Route::Rule(parent, key) => self.member(Some(parent), key, body).await,
            Route::Unknown => Err(Failure::NotFound(Place::Request)),
        }
    }

    async fn member(
        &self,
        parent: Option<Key>,
        key: Key,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        let target = Target { parent, key };
        let running = self.appliance.engine.running();
        let shown = target.shown(&running.tree)?;
        match self.request.head.method {
            Method::PATCH => self.patch(target, body).await,
            Method::DELETE => self.delete(target).await,
            _ => Ok(json_answer(StatusCode::OK, &json!({ "data": shown }))),
        }
    }

    // ===== verbs =====

    /// Whose key it is. The members are not documented.
    fn me(&self) -> Answer {
        let name = &self.appliance.process.administrator.name;
        let email = format!("{name}@advalidation.example");
        let me = json!({ "id": 1, "name": name, "email": email });
        json_answer(StatusCode::OK, &json!({ "data": me }))
    }

    fn list_profiles(&self) -> Result<Answer, Failure> {
        let page = PAGING.read(self.request.head.uri.query())?;
        let running = self.appliance.engine.running();
        let collection = Kind::Profile.collection();
        let total = running.tree.child_count(collection);
        let keys = running.tree.children(collection).skip(page.offset()).take(page.len());
        Ok(list(&running.tree, Kind::Profile, keys, page, total))
    }

    fn list_rules(&self, parent: &Key) -> Result<Answer, Failure> {
        let running = self.appliance.engine.running();
        let rules = rules(&running.tree, parent)?;
        let page = PAGING.read(self.request.head.uri.query())?;
        let keys = rules.iter().skip(page.offset()).take(page.len());
        Ok(list(&running.tree, Kind::Rule, keys, page, rules.len()))
    }

    async fn create(
        &self,
        kind: Kind,
        parent: Option<Key>,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        if let Some(parent) = &parent {
            profile(&self.appliance.engine.running().tree, parent)?;
        }
        let sent = self.sent(kind, body).await?;
        let value = Kind::made(sent, parent.as_ref());
        let change = move |edit: &mut Edit<'_>| {
            // It may have gone meanwhile.
            if let Some(parent) = &parent {
                profile(edit.tree(), parent)?;
            }
            let path = edit.node_create(kind.collection(), value.clone())?;
            shown_at(edit.tree(), kind, &path)
        };
        self.changed(self.settings.create_status, change).await
    }

    async fn patch(&self, target: Target, body: RequestBody) -> Result<Answer, Failure> {
        let sent = self.sent(target.kind(), body).await?;
        let change = move |edit: &mut Edit<'_>| {
            let (path, body) = target.found(edit.tree())?;
            let merged = Kind::merged(body, &sent);
            edit.node_put(&path, merged)?;
            shown_at(edit.tree(), target.kind(), &path)
        };
        self.changed(self.settings.update_status, change).await
    }

    async fn delete(&self, target: Target) -> Result<Answer, Failure> {
        let change = move |edit: &mut Edit<'_>| {
            let (path, _) = target.found(edit.tree())?;
            edit.node_delete(&path)?;
            Ok(Value::Null)
        };
        self.changed(self.settings.delete_status, change).await
    }

    // ===== what they share =====

    async fn sent(&self, kind: Kind, body: RequestBody) -> Result<Map<String, Value>, Failure> {
        let limits = &self.appliance.process.options.limits;
        let body = request::json(limits, &self.request.head.headers, body).await?;
        let missing = || Failure::BodyMissing("The request needs a JSON object".to_owned());
        kind.sent(body.ok_or_else(missing)?)
    }

    /// Changes something, and answers with what the change returned.
    async fn changed(
        &self,
        status: u16,
        change: impl FnMut(&mut Edit<'_>) -> Result<Value, Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        let actor = &self.appliance.process.administrator.name;
        let data = self.appliance.autocommit(actor, change).await?;
        let status = StatusCode::from_u16(status).map_err(|_| Failure::Internal)?;
        Ok(match status {
            StatusCode::NO_CONTENT => Answer::empty(status),
            status => json_answer(status, &json!({ "data": data })),
        })
    }
}

/// A profile, or a rule of one, that a path names.
struct Target {
    parent: Option<Key>,
    key: Key,
}

impl Target {
    fn kind(&self) -> Kind {
        if self.parent.is_some() { Kind::Rule } else { Kind::Profile }
    }

    fn found<'t>(&self, tree: &'t Tree) -> Result<(NodePath, &'t config_tree::Body), Failure> {
        match &self.parent {
            Some(parent) => rule(tree, parent, &self.key),
            None => profile(tree, &self.key),
        }
    }

    fn shown(&self, tree: &Tree) -> Result<Value, Failure> {
        let (_, body) = self.found(tree)?;
        Ok(self.kind().shown(&self.key, body))
    }
}

fn shown_at(tree: &Tree, kind: Kind, path: &NodePath) -> Result<Value, Failure> {
    let (key, body) = path.key().zip(tree.body(path)).ok_or(Failure::Internal)?;
    Ok(kind.shown(key, body))
}

fn list<'k>(
    tree: &Tree,
    kind: Kind,
    keys: impl Iterator<Item = &'k Key>,
    page: crate::paging::Page,
    total: usize,
) -> Answer {
    let body = |key| Some((key, tree.body(&kind.collection().join(key))?));
    let data: Vec<Value> = keys.filter_map(body).map(|(key, body)| kind.shown(key, body)).collect();
    let pagination = json!({
        "count": data.len(),
        "totalCount": total,
        "page": page.number,
        "totalPages": page.pages(total),
    });
    json_answer(StatusCode::OK, &json!({ "meta": { "pagination": pagination }, "data": data }))
}
