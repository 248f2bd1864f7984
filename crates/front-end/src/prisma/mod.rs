//! The configuration API of Prisma Access: one candidate that all write and see, which reaches the
//! running configuration by a push.
//!
//! The candidate and the running configuration are two engines of one appliance. A write is a
//! commit on the candidate; a push, a revert and a load are one commit each, made from the tree of
//! the other engine. A request passes the same stations whatever it asks for, in this order: who
//! asks, what the path names, what the caller takes, the query, what the caller may, the body, its
//! rules, whether the object is there.

mod access;
mod container;
mod dress;
mod jobs;
mod objects;
mod push;
mod refusal;
mod route;
mod secret_form;
mod signing_key;
mod times;
mod token;
mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use catalog::Catalog;
use config_tree::NodePath;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;
use transaction_engine::Engine;
use uuid::Uuid;

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::{Caller, Rights};
use crate::dialect::{Dialect, Ground, Head, Plan, Waiting};
use crate::failure::{At, Failure, Place};
use crate::methods::Methods;
use crate::outcome::{Dressed, Outcome};
use crate::presentation::{Presentation, TreePresentation};
use crate::request;
use crate::session::Logins;
use crate::transport::{Request, RequestBody};

use access::Actor;
use dress::Flavour;
use refusal::Refusal;
use route::Route;
use signing_key::KeyStore;

/// The name of the head that is written to.
const CANDIDATE: &str = "candidate";

/// When references by name must mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckReferences {
    /// Never: what a reference names may come later.
    #[default]
    Never,
    /// With each write.
    Write,
    /// With each push, which fails otherwise.
    Push,
}

/// What the settings say about the appliance.
#[derive(Clone, Debug, Default)]
pub struct PrismaSettings {
    /// Whether `details.errorType` of an error says what kind it is.
    pub error_types: bool,
    /// Whether errors look as the live service has them, and not as its documentation does.
    pub live_errors: bool,
    /// When references by name must mean something.
    pub check_references: CheckReferences,
    /// How many times a job is asked for before it is done.
    pub job_polls: u32,
    /// How long a job takes.
    pub job_time: Duration,
}

/// The emulated service, apart from its running engine.
pub(crate) struct Prisma {
    settings: PrismaSettings,
    flavour: Flavour,
    heads: Vec<Head>,
    candidate: Arc<Engine>,
    keys: Arc<KeyStore>,
    /// What tokens are bound to in addition to the key.
    incarnation: Option<Uuid>,
    progress: jobs::Progress,
    shows: Arc<TreePresentation>,
}

/// The service before its engines exist.
struct PrismaPlan {
    settings: PrismaSettings,
    catalog: Arc<Catalog>,
    heads: Vec<Head>,
    keys: Arc<KeyStore>,
    incarnation: Option<Uuid>,
    idle_micros: Arc<AtomicI64>,
}

/// Prepares the service.
pub(crate) fn plan(ground: Ground, settings: PrismaSettings) -> Box<dyn Plan> {
    let keys = Arc::new(KeyStore::new(ground.data_dir.as_deref()));
    planned(ground, settings, keys)
}

fn planned(ground: Ground, settings: PrismaSettings, keys: Arc<KeyStore>) -> Box<dyn Plan> {
    Box::new(PrismaPlan {
        settings,
        catalog: ground.catalog,
        heads: Vec::new(),
        keys,
        incarnation: ground.incarnation,
        idle_micros: Arc::new(AtomicI64::new(token::LIFETIME * 1_000_000)),
    })
}

impl Plan for PrismaPlan {
    fn heads(&self) -> &'static [&'static str] {
        &[CANDIDATE]
    }

    fn take_heads(&mut self, heads: Vec<Head>) {
        self.heads = heads;
    }

    fn idle_micros(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.idle_micros)
    }

    fn build(self: Box<Self>, engine: &Arc<Engine>, _logins: &Arc<Logins>) -> Box<dyn Dialect> {
        let Self { settings, catalog, heads, keys, incarnation, .. } = *self;
        // Without a second head, writes go to the running one.
        let candidate = heads.first().map_or(engine, |head| &head.engine);
        Box::new(Prisma {
            flavour: Flavour { error_types: settings.error_types, live: settings.live_errors },
            candidate: Arc::clone(candidate),
            settings,
            heads,
            keys,
            incarnation,
            progress: jobs::Progress::default(),
            shows: Arc::new(TreePresentation::new(catalog)),
        })
    }
}

impl Dialect for Prisma {
    fn answer<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
        body: RequestBody,
    ) -> Waiting<'a, Outcome> {
        Box::pin(self.handle(appliance, request, body))
    }

    fn dress(&self, failure: &Failure, _at: &At<'_>) -> Dressed {
        // A failure does not belong to the caller of this method alone.
        dress::dress_neutral(failure, self.flavour)
    }

    fn caller<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
    ) -> Waiting<'a, Result<Option<Caller>, Failure>> {
        Box::pin(self.own_api_caller(appliance, &request.head.headers))
    }

    fn fork(&self, ground: Ground) -> Box<dyn Plan> {
        // Making another key takes seconds; tokens say to which world they belong.
        planned(ground, self.settings.clone(), Arc::clone(&self.keys))
    }

    fn how_to_log_in(&self) -> &'static str {
        "POST /oauth2/access_token"
    }

    fn presentation(&self) -> Arc<dyn Presentation> {
        Arc::clone(&self.shows) as _
    }

    fn clients(&self) -> Option<&NodePath> {
        Some(route::service_accounts())
    }

    fn heads(&self) -> &[Head] {
        &self.heads
    }

    fn moves(&self, path: &NodePath) -> bool {
        route::is_object(path)
    }
}

impl Prisma {
    async fn handle(&self, appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
        let route = Route::parse(request.head.uri.path());
        let verb = route.as_ref().map_or("unknown", |route| route.verb(&request.head.method));
        let mut client = None;
        let result = self.stations(appliance, request, (route, body), &mut client).await;
        let dressed = result.map_err(|refusal| dress::dress(&refusal, self.flavour));
        Outcome::new(verb, client, dressed)
    }

    async fn stations(
        &self,
        appliance: &Appliance,
        request: &Request,
        (route, body): (Result<Route, Refusal>, RequestBody),
        client: &mut Option<Arc<str>>,
    ) -> Result<Answer, Refusal> {
        let head = &request.head;
        if let Ok(route @ (Route::Token | Route::Keys)) = &route {
            expect_method(route, &head.method)?;
            return match route {
                Route::Token => access::issue(self, appliance, request, body).await,
                _ => Ok(Answer::json(StatusCode::OK, self.keys.get().await?.key_set().to_string())),
            };
        }
        let actor = access::actor(self, appliance, &head.headers).await?;
        *client = Some(actor.client.as_str().into());
        let route = route?;
        expect_method(&route, &head.method)?;
        expect_json_taken(&head.headers)?;
        self.dispatch(appliance, head, &actor, route, body).await
    }

    async fn dispatch(
        &self,
        appliance: &Appliance,
        head: &Parts,
        actor: &Actor,
        route: Route,
        body: RequestBody,
    ) -> Result<Answer, Refusal> {
        let query = |base| container::asked(&actor.tenant, head.uri.query(), base);
        match (route, head.method.as_str()) {
            (Route::UserInfo, _) => Ok(access::user_info(actor)),
            (Route::Objects(resource, base), "POST") => {
                // The container of a current body is in it, so the query is not looked at.
                let asked = match base {
                    base @ route::Base::Legacy => query(base)?,
                    route::Base::Current => container::Asked::default(),
                };
                if base == route::Base::Legacy && asked.container.is_none() {
                    return Err(Refusal::MissingQuery("folder"));
                }
                expect_writer(actor)?;
                let body = self.body(appliance, head, body).await?;
                objects::create(self, appliance, actor, (resource, base), (asked, body)).await
            }
            (Route::Objects(resource, base), _) => {
                objects::list(self, resource, base, &query(base)?)
            }
            (Route::Object(resource, base, id), "PUT") => {
                expect_writer(actor)?;
                let body = self.body(appliance, head, body).await?;
                objects::replace(self, appliance, actor, (resource, base, &id), body).await
            }
            (Route::Object(resource, base, id), "DELETE") => {
                expect_writer(actor)?;
                objects::delete(self, appliance, actor, (resource, base, &id)).await
            }
            (Route::Object(resource, base, id), _) => {
                objects::read(self, actor, resource, base, &id)
            }
            (route, _) => self.operation(appliance, head, actor, (route, body)).await,
        }
    }

    /// What is about whole heads: pushes, jobs, versions.
    async fn operation(
        &self,
        appliance: &Appliance,
        head: &Parts,
        actor: &Actor,
        (route, body): (Route, RequestBody),
    ) -> Result<Answer, Refusal> {
        // A job whose time has come is done before anything is said of what it changes.
        jobs::settle(self, appliance).await?;
        match route {
            Route::Push => {
                expect_writer(actor)?;
                let body = self.body(appliance, head, body).await?;
                jobs::push(self, appliance, actor, &body).await
            }
            Route::Candidate => {
                expect_writer(actor)?;
                push::revert(self, appliance, actor).await
            }
            Route::Load => {
                expect_writer(actor)?;
                let body = self.body(appliance, head, body).await?;
                push::load(self, appliance, actor, &body).await
            }
            Route::Versions(base) => Ok(versions::list(&appliance.engine, actor, base)),
            Route::Version(number, _) => versions::one(&appliance.engine, actor, &number),
            Route::Running => Ok(versions::running(&appliance.engine, actor)),
            Route::Jobs => {
                let base = route::Base::Current;
                let asked = container::asked(&actor.tenant, head.uri.query(), base)?;
                jobs::list(self, appliance, actor, &asked).await
            }
            Route::Job(id) => jobs::one(self, appliance, actor, &id).await,
            _ => Err(route::missing()),
        }
    }

    /// The body of a request that needs one.
    async fn body(
        &self,
        appliance: &Appliance,
        head: &Parts,
        body: RequestBody,
    ) -> Result<Value, Refusal> {
        let limits = &appliance.process.options.limits;
        let read = request::json(limits, &head.headers, body).await?;
        Ok(request::needed(read)?)
    }

    /// Who asks Boxwood's own API: by a token of this one, with the client's rights.
    async fn own_api_caller(
        &self,
        appliance: &Appliance,
        headers: &HeaderMap,
    ) -> Result<Option<Caller>, Failure> {
        let is_bearer = headers.get(header::AUTHORIZATION).is_some_and(|value| {
            value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
        });
        if !is_bearer {
            return Ok(None);
        }
        let actor = match access::actor(self, appliance, headers).await {
            Ok(actor) => actor,
            Err(Refusal::Neutral(failure)) => return Err(failure),
            Err(_) => return Err(Failure::Unauthenticated),
        };
        let mut caller = Caller::administrator(appliance.engine.session_open(&actor.client));
        if !actor.is_administrator {
            caller.rights = Rights::Granted { grants: Vec::new(), stores: &[] };
        }
        Ok(Some(caller))
    }
}

fn expect_method(route: &Route, method: &Method) -> Result<(), Refusal> {
    if route.permits(method) {
        return Ok(());
    }
    Err(Failure::MethodNotAllowed(Methods::NONE).into())
}

fn expect_writer(actor: &Actor) -> Result<(), Refusal> {
    if actor.writes { Ok(()) } else { Err(Failure::Forbidden(Place::Request).into()) }
}

/// Refuses a caller that takes no JSON.
fn expect_json_taken(headers: &HeaderMap) -> Result<(), Refusal> {
    let lines: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .map(|value| value.to_str().unwrap_or("unreadable"))
        .collect();
    let mut ranges = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|part| {
            part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        matches!(kind.as_str(), "*/*" | "application/*" | "application/json") && !refused
    };
    if lines.iter().all(|line| line.trim().is_empty()) || ranges.any(takes) {
        return Ok(());
    }
    let first = lines.iter().flat_map(|line| line.split(',')).next().unwrap_or_default();
    let kind = first.split(';').next().unwrap_or_default().trim();
    let subtype = kind.rsplit('/').next().unwrap_or_default();
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '*');
    let shown = subtype.chars().filter(|c| is_word(*c)).take(64).collect();
    Err(Refusal::NotAcceptable(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_unless_the_caller_excludes_it() {
        let read = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            expect_json_taken(&headers)
        };
        for good in
            ["", "*/*", "application/json", "text/html, application/json;q=0.1", "APPLICATION/*"]
        {
            assert!(read(good).is_ok(), "{good}");
        }
        for (bad, shown) in [
            ("application/xml", "xml"),
            ("text/html;q=1", "html"),
            ("application/json;q=0", "json"),
        ] {
            let Err(Refusal::NotAcceptable(found)) = read(bad) else { panic!("{bad}") };
            assert_eq!(found, shown);
        }
    }
}
