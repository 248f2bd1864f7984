//! The administration API of an Appgate SDP controller, around client profiles: versions by
//! `Accept`, tokens, and each request a transaction of its own.
//!
//! A request passes these stations, in this order: the path names a [`Route`]; `Accept` names a
//! version (406 otherwise, before anything else is looked at); the method; the token; the
//! privilege; the object; the body and its fields; what is taken already; the answer.

mod access;
mod dress;
mod export;
mod list;
mod objects;
mod profile;
mod route;
mod version;

use std::sync::Arc;

use catalog::Violation;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use transaction_engine::{Edit, Engine};

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Rights;
use crate::dialect::{Dialect, Ground, Plan, Waiting};
use crate::failure::{At, Failure, Place};
use crate::http_path::canonical;
use crate::outcome::{Dressed, Outcome};
use crate::presentation::{Presentation, TreePresentation};
use crate::request;
use crate::session::Logins;
use crate::transport::{Request, RequestBody};

use access::{Actor, global_settings};
use export::Form;
use route::{Resource, Route};

/// How long a token lasts where the settings do not say, in minutes.
const MINUTES: u64 = 720;

struct Appgate {
    shows: Arc<TreePresentation>,
    // The host of URLs where neither the profile nor the settings have one.
    host: String,
}

/// Prepares an appliance.
pub(crate) fn plan(ground: Ground) -> Box<dyn Plan> {
    let host = ground.hosts.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    planned(ground, host)
}

fn planned(ground: Ground, host: String) -> Box<dyn Plan> {
    Box::new(Appgate { shows: Arc::new(TreePresentation::new(ground.catalog)), host })
}

impl Plan for Appgate {
    fn build(self: Box<Self>, _engine: &Arc<Engine>, _logins: &Arc<Logins>) -> Box<dyn Dialect> {
        self
    }
}

impl Dialect for Appgate {
    fn answer<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
        body: RequestBody,
    ) -> Waiting<'a, Outcome> {
        Box::pin(self.handle(appliance, request, body))
    }

    fn dress(&self, failure: &Failure, at: &At<'_>) -> Dressed {
        dress::dress(failure, at, &*self.shows)
    }

    fn fork(&self, ground: Ground) -> Box<dyn Plan> {
        planned(ground, self.host.clone())
    }

    fn presentation(&self) -> Arc<dyn Presentation> {
        Arc::clone(&self.shows) as _
    }
}

/// A JSON answer.
fn json(status: StatusCode, document: &Value) -> Answer {
    Answer::json(status, document.to_string())
}

/// Violations as the failure of a body.
fn invalid(violations: Vec<Violation>) -> Failure {
    Failure::Engine(transaction_engine::Error::Invalid(violations.into()))
}

/// Why a request is not answered with what it asks for.
enum Problem {
    Failure(Failure),
    /// No version is spoken that is accepted; what was sent.
    NotAcceptable(String),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A request on its way to a verb.
struct Call<'a> {
    dialect: &'a Appgate,
    appliance: &'a Appliance,
    request: &'a Request,
}

impl Appgate {
    async fn handle(&self, appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
        let head = &request.head;
        let route = Route::parse(head.uri.path());
        let verb = route.as_ref().map_or("undecodable", |route| route.verb(&head.method));
        let call = Call { dialect: self, appliance, request };
        let mut session = None;
        let result = match route {
            Some(route) => call.dispatch(route, body, &mut session).await,
            None => Err(Failure::PathUndecodable.into()),
        };
        let result = result.map_err(|problem| match problem {
            Problem::NotAcceptable(received) => dress::not_acceptable(&received),
            Problem::Failure(failure) => {
                let path = canonical(head.uri.path());
                let rights = Some(&Rights::All);
                let limits = &appliance.process.options.limits;
                self.dress(&failure, &At { method: &head.method, path: &path, rights, limits })
            }
        });
        Outcome::new(verb, session, result)
    }
}

impl Call<'_> {
    async fn dispatch(
        &self,
        route: Route,
        body: RequestBody,
        session: &mut Option<Arc<str>>,
    ) -> Result<Answer, Problem> {
        let head = &self.request.head;
        // The version is what a client asks for that does not know one yet.
        let version = match route {
            Route::Version | Route::Outside => version::NEWEST,
            _ => version::negotiate(&head.headers).map_err(Problem::NotAcceptable)?,
        };
        let methods = route.methods().ok_or(Failure::NotFound(Place::Request))?;
        if !methods.permits(&head.method) {
            return Err(Failure::MethodNotAllowed(methods).into());
        }
        if head.method == Method::OPTIONS {
            return Ok(Answer::empty(StatusCode::OK).allow(methods));
        }
        let answer = match route {
            Route::Version => version_shown(),
            Route::ProviderNames => self.provider_names(),
            Route::Login => {
                let body = Value::Object(self.object(body).await?);
                access::login(self.appliance, self.request, &body).await?
            }
            route => {
                let actor = access::actor(self.appliance, &head.headers)?;
                *session = Some(Arc::clone(&actor.login.name));
                self.with_token(route, &actor, version, body).await?
            }
        };
        Ok(answer)
    }

    async fn with_token(
        &self,
        route: Route,
        actor: &Actor,
        version: u32,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        let (appliance, head) = (self.appliance, &self.request.head);
        let method = head.method.as_str();
        match route {
            Route::Logout => {
                appliance.logins.end(&actor.login);
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            Route::Authorization => {
                let token = access::token(&head.headers).unwrap_or_default();
                Ok(access::authorization(appliance, actor, token))
            }
            Route::GlobalSettings => self.global_settings(actor, body).await,
            Route::List(resource) if method == "POST" => {
                actor.may("Create", resource.target())?;
                let body = self.object(body).await?;
                objects::create(appliance, actor, (resource, version), body).await
            }
            Route::List(resource) => {
                list::list(appliance, actor, (resource, version), self.request)
            }
            Route::One(resource, id) if matches!(method, "PUT" | "DELETE") => {
                let action = if method == "PUT" { "Edit" } else { "Delete" };
                let running = appliance.engine.running();
                let path = objects::existing(&running.tree, actor, action, (resource, &id))?;
                if method == "DELETE" {
                    return objects::delete(appliance, actor, path).await;
                }
                let body = self.object(body).await?;
                objects::replace(appliance, actor, (resource, version), path, body).await
            }
            Route::One(resource, id) => objects::read(appliance, actor, (resource, version), &id),
            Route::Url(id) => self.export(actor, &id, Form::Url).await,
            Route::Barcode(id) => self.export(actor, &id, Form::Barcode).await,
            _ => Err(Failure::NotFound(Place::Request)),
        }
    }

    async fn export(&self, actor: &Actor, id: &str, form: Form) -> Result<Answer, Failure> {
        export::export(self.appliance, actor, id, (form, &self.dialect.host)).await
    }

    async fn global_settings(&self, actor: &Actor, body: RequestBody) -> Result<Answer, Failure> {
        let (path, engine) = (global_settings(), &self.appliance.engine);
        let method = self.request.head.method.as_str();
        let action = if matches!(method, "PUT" | "DELETE") { "Edit" } else { "View" };
        actor.may(action, "GlobalSetting")?;
        let settings = match method {
            "PUT" => {
                let mut settings = self.object(body).await?;
                settings.retain(|_, value| !value.is_null());
                if settings.get("profileHostname").is_some_and(|host| host == "") {
                    settings.remove("profileHostname");
                }
                Value::Object(settings)
            }
            "DELETE" => {
                let default = engine.catalog().endpoint(path).and_then(|it| it.default());
                default.cloned().ok_or(Failure::Internal)?
            }
            _ => {
                let running = engine.running();
                let body = running.tree.body(path).ok_or(Failure::Internal)?;
                return Ok(json(StatusCode::OK, &body.value()));
            }
        };
        let change =
            move |edit: &mut Edit<'_>| edit.node_put(path, settings.clone()).map_err(Failure::from);
        self.appliance.autocommit(actor.name(), change).await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// The identity providers that anybody may see, to log in.
    fn provider_names(&self) -> Answer {
        let running = self.appliance.engine.running();
        let shown = running.tree.members(Resource::Providers.collection()).map(|(_, body)| {
            let name = body.value_at("/name");
            json!({ "name": name, "displayName": name, "type": body.value_at("/type") })
        });
        let document = json!({ "data": shown.collect::<Vec<_>>(), "bannerMessage": "" });
        json(StatusCode::OK, &document)
    }

    async fn object(&self, body: RequestBody) -> Result<Map<String, Value>, Failure> {
        let limits = &self.appliance.process.options.limits;
        match request::needed(request::json(limits, &self.request.head.headers, body).await?)? {
            Value::Object(members) => Ok(members),
            mut other => {
                crate::json::wipe(&mut other);
                Err(Failure::BodyInvalid("The body must be a JSON object".to_owned()))
            }
        }
    }
}

fn version_shown() -> Answer {
    let document = json!({
        "peerVersion": version::NEWEST,
        "lowestPeerVersionSupported": version::OLDEST,
    });
    json(StatusCode::OK, &document)
}
