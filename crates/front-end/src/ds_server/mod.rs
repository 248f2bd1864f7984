//! The administration API of Text Control DS Server: security profiles over one head, each request
//! a transaction of its own, and the OAuth server that the profiles are for.
//!
//! A request passes these stations, in this order: the path names a [`Route`]; below `/admin` the
//! administrator's name and password (Basic, on every request); the method; the profile (400 where
//! there is none); the body; the engine's verb; the answer.

mod answer;
mod dress;
mod oauth;
mod profile;
mod random;
mod route;

use std::sync::Arc;

use config_tree::{Key, NodePath, node_path};
use hyper::header;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use transaction_engine::Engine;
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Rights;
use crate::credentials::basic;
use crate::dialect::{Dialect, Ground, Plan, Waiting};
use crate::failure::{At, Failure, Place};
use crate::http_path::canonical;
use crate::outcome::{Dressed, Outcome};
use crate::presentation::{Presentation, TreePresentation};
use crate::request;
use crate::session::Logins;
use crate::transport::{Request, RequestBody};

use oauth::{OAuth, Problem};
use profile::{existing, profiles};
use random::letters;
use route::{Field, Route};

/// What the settings say about the appliance.
#[derive(Clone, Debug, Default)]
pub struct DsServerSettings {
    /// The virtual directory in which the service lives, such as `/documentservices`; empty: none.
    pub base_path: String,
}

/// The shortest password that the administrator may be given, in characters (DS Server
/// documentation, password).
const PASSWORD_LENGTH: usize = 8;

/// The length of credentials that are made up, in letters and digits, as in the samples.
const MADE_UP: usize = 32;

struct DsServer {
    settings: DsServerSettings,
    shows: Arc<TreePresentation>,
    oauth: OAuth,
}

/// Prepares an appliance.
pub(crate) fn plan(ground: Ground, settings: DsServerSettings) -> Box<dyn Plan> {
    let shows = Arc::new(TreePresentation::new(ground.catalog));
    Box::new(DsServer { settings, shows, oauth: OAuth::default() })
}

impl Plan for DsServer {
    fn build(self: Box<Self>, _engine: &Arc<Engine>, _logins: &Arc<Logins>) -> Box<dyn Dialect> {
        self
    }
}

impl Dialect for DsServer {
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

    fn administrator_hash(&self, appliance: &Appliance) -> Option<Zeroizing<String>> {
        appliance.engine.secret_reveal(administrator(), "/passwordHash")
    }

    fn fork(&self, ground: Ground) -> Box<dyn Plan> {
        plan(ground, self.settings.clone())
    }

    fn presentation(&self) -> Arc<dyn Presentation> {
        Arc::clone(&self.shows) as _
    }
}

fn administrator() -> &'static NodePath {
    node_path!("/administrator")
}

/// A request on its way to a verb.
struct Call<'a> {
    dialect: &'a DsServer,
    appliance: &'a Appliance,
    request: &'a Request,
}

impl DsServer {
    async fn handle(&self, appliance: &Appliance, request: &Request, body: RequestBody) -> Outcome {
        let head = &request.head;
        let route = Route::parse(head.uri.path(), &self.settings.base_path);
        let verb = route.as_ref().map_or("undecodable", |route| route.verb(&head.method));
        let call = Call { dialect: self, appliance, request };
        let result = match route {
            Some(route) => call.dispatch(route, body).await,
            None => call.undecodable().await,
        };
        let result = result.map_err(|problem| match problem {
            Problem::OAuth(status, kind, sentence) => oauth::dressed(status, kind, sentence),
            Problem::Failure(failure) => {
                let path = canonical(head.uri.path());
                let rights = Some(&Rights::All);
                let limits = &appliance.process.options.limits;
                self.dress(&failure, &At { method: &head.method, path: &path, rights, limits })
            }
        });
        Outcome::new(verb, None, result)
    }
}

impl Call<'_> {
    async fn dispatch(&self, route: Route, body: RequestBody) -> Result<Answer, Problem> {
        let head = &self.request.head;
        let actor = if route.is_admin() { self.administrator().await? } else { String::new() };
        let methods = route.methods().ok_or(Failure::NotFound(Place::Request))?;
        if !methods.permits(&head.method) {
            return Err(Failure::MethodNotAllowed(methods).into());
        }
        if head.method == Method::OPTIONS {
            return Ok(answer::done().allow(methods));
        }
        let answer = match route {
            Route::Profiles if head.method == Method::POST => self.create(actor, body).await?,
            Route::Profiles => self.list(),
            Route::Profile(id) if head.method == Method::DELETE => self.delete(actor, id).await?,
            Route::Profile(id) => self.get(&id)?,
            Route::Field(id, field) => self.patch(actor, id, field, body).await?,
            Route::Password(user) => self.set_password(actor, &user, body).await?,
            Route::Authorize => self.dialect.oauth.authorize(self.appliance, head)?,
            Route::Token => {
                let limits = &self.appliance.process.options.limits;
                let form = request::form(limits, &head.headers, body).await?;
                self.dialect.oauth.token(self.appliance, &head.headers, form)?
            }
            Route::UnknownAdmin | Route::Unknown => {
                return Err(Failure::NotFound(Place::Request).into());
            }
        };
        Ok(answer)
    }

    // Below `/admin` nothing is said to strangers, whatever the path is.
    async fn undecodable(&self) -> Result<Answer, Problem> {
        if route::is_below_admin(self.request.head.uri.path(), &self.dialect.settings.base_path) {
            self.administrator().await?;
        }
        Err(Failure::PathUndecodable.into())
    }

    // The administrator's name, by Basic on every request.
    async fn administrator(&self) -> Result<String, Failure> {
        let Parts { headers, .. } = &self.request.head;
        let given = headers.get(header::AUTHORIZATION).ok_or(Failure::Unauthenticated)?;
        let credentials = basic(given.as_bytes()).ok_or(Failure::CredentialsWrong)?;
        let address = self.request.peer.address().ip();
        match self.appliance.verify_administrator(address, &credentials).await? {
            true => Ok(credentials.user),
            false => Err(Failure::CredentialsWrong),
        }
    }

    // ===== security profiles =====

    /// Answers the bare id of the new profile.
    async fn create(&self, actor: String, body: RequestBody) -> Result<Answer, Failure> {
        let mut profile = match self.json(body).await? {
            Value::Object(profile) => profile,
            _ => return Err(Failure::malformed("A security profile is a JSON object", "")),
        };
        for optional in ["allowClientCredentialsGrantType", "clientCredentials"] {
            if profile.get(optional).is_some_and(Value::is_null) {
                profile.remove(optional);
            }
        }
        if !profile.contains_key("clientCredentials") {
            profile.insert("clientCredentials".to_owned(), made_up()?);
        }
        let profile = Value::Object(profile);
        let created = self.appliance.autocommit(&actor, move |edit| {
            edit.node_create(profiles(), profile.clone()).map_err(Failure::from)
        });
        let created = created.await?;
        let id = created.key().map(number).ok_or(Failure::Internal)?;
        Ok(answer::json(StatusCode::OK, &id))
    }

    /// The ids of all profiles, the oldest first.
    fn list(&self) -> Answer {
        let running = self.appliance.engine.running();
        let ids: Vec<Value> = running.tree.children(profiles()).map(number).collect();
        answer::json(StatusCode::OK, &Value::Array(ids))
    }

    fn get(&self, id: &str) -> Result<Answer, Failure> {
        let running = self.appliance.engine.running();
        let path = existing(&running.tree, id)?;
        let body = profile::revealed(self.appliance, &running.tree, &path)?;
        let key = path.key().ok_or(Failure::Internal)?;
        let shown = profile::shown(key, &body, self.appliance.now());
        let answer = answer::json(StatusCode::OK, &shown);
        // It holds the secret in clear.
        Ok(answer.header_text(header::CACHE_CONTROL, "no-store"))
    }

    async fn delete(&self, actor: String, id: String) -> Result<Answer, Failure> {
        let deleted = self.appliance.autocommit(&actor, move |edit| {
            let path = existing(edit.tree(), &id)?;
            edit.node_delete(&path)?;
            Ok(path)
        });
        self.dialect.oauth.forget(&deleted.await?);
        Ok(answer::done())
    }

    /// Replaces one field by the bare value in the body.
    async fn patch(
        &self,
        actor: String,
        id: String,
        field: Field,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        existing(&self.appliance.engine.running().tree, &id)?;
        let value = self.json(body).await?;
        let now = self.appliance.now();
        let patched = self.appliance.autocommit(&actor, move |edit| {
            let path = existing(edit.tree(), &id)?;
            let mut profile = edit.tree().body(&path).map(|body| body.value()).unwrap_or_default();
            profile::put_secret(&mut profile, edit.secret_reveal(&path, profile::SECRET))?;
            let was_expired = profile::is_expired(&profile, now);
            *profile.pointer_mut(field.pointer()).ok_or(Failure::Internal)? = value.clone();
            let ends = was_expired || profile::is_expired(&profile, now);
            edit.node_put(&path, profile)?;
            Ok(ends.then_some(path))
        });
        // A later date brings no token back.
        if let Some(expired) = patched.await? {
            self.dialect.oauth.forget(&expired);
        }
        Ok(answer::done())
    }

    // ===== the administrator =====

    async fn set_password(
        &self,
        actor: String,
        user: &str,
        body: RequestBody,
    ) -> Result<Answer, Failure> {
        if !user.eq_ignore_ascii_case(&self.appliance.process.administrator.name) {
            return Err(Failure::malformed("There is no user with this name", ""));
        }
        let body = self.json(body).await?;
        let password = body.get("newPassword").and_then(Value::as_str).unwrap_or_default();
        if password.chars().count() < PASSWORD_LENGTH {
            let message = format!(
                "`newPassword` must be a text of at least {PASSWORD_LENGTH} \
                                   characters"
            );
            return Err(Failure::malformed(message, "/newPassword"));
        }
        let password = Zeroizing::new(password.to_owned());
        let hash = self.appliance.process.hasher.hash(password).await?;
        let set = self.appliance.autocommit(&actor, move |edit| {
            let body = json!({ "passwordHash": hash });
            edit.node_put(administrator(), body).map_err(Failure::from)
        });
        set.await?;
        self.appliance.forget_credentials();
        tracing::info!(appliance = self.appliance.name(), "the administrator's password was set");
        Ok(answer::done())
    }

    async fn json(&self, body: RequestBody) -> Result<Value, Failure> {
        let limits = &self.appliance.process.options.limits;
        request::needed(request::json(limits, &self.request.head.headers, body).await?)
    }
}

/// Credentials for a profile that brings none (DS Server documentation, portal).
fn made_up() -> Result<Value, Failure> {
    Ok(json!({
        "id": format!("dsserver.{}", *letters(MADE_UP)?),
        "secret": *letters(MADE_UP)?,
        "authorizedRedirectUris": [],
    }))
}

fn number(key: &Key) -> Value {
    json!(config_tree::number_of(key).unwrap_or_default())
}
