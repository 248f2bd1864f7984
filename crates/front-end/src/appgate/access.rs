//! Who asks: tokens that last for a time, and the privileges of those who have one.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Layer, Violation, rule};
use config_tree::{Body, NodePath, Tree, node_path};
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use transaction_engine::Engine;
use zeroize::Zeroizing;

use super::route::Resource;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::{Account, Proof, Rights, Standing};
use crate::credentials::Credentials;
use crate::failure::{Failure, Place};
use crate::metrics::LoginOutcome;
use crate::session::Login;
use crate::transport::Request;

/// Where the global settings are.
pub(super) fn global_settings() -> &'static NodePath {
    node_path!("/global-settings")
}

/// Somebody with a token.
pub(super) struct Actor {
    pub(super) login: Arc<Login>,
    /// `None` for the built-in administrator, who may do everything.
    privileges: Option<Vec<Value>>,
}

/// A user who was there at the login, and is there still.
struct UserProof(NodePath, Value);

impl Proof for UserProof {
    fn standing(&self, tree: &Tree) -> Option<Standing> {
        let name = tree.body(&self.0).and_then(|body| body.value_at("/name"));
        name.filter(|name| *name == self.1).map(|_| standing())
    }
}

impl Actor {
    /// The actor of a login; `None` where its user is gone.
    fn new(appliance: &Appliance, login: Arc<Login>) -> Option<Self> {
        let tree = &appliance.engine.running().tree;
        if !login.follow(tree) {
            return None;
        }
        let is_user = login.is_of_configuration();
        let privileges = is_user.then(|| privileges(tree, login.session.user()));
        Some(Self { login, privileges })
    }

    /// The name that changes are written under.
    pub(super) fn name(&self) -> &str {
        self.login.session.user()
    }

    fn fitting<'a>(&'a self, action: &str, target: &str) -> impl Iterator<Item = &'a Value> {
        let is = |privilege: &Value, name: &str, wanted: &str| {
            privilege[name] == "All" || privilege[name] == wanted
        };
        let all = self.privileges.iter().flatten();
        all.filter(move |one| is(one, "type", action) && is(one, "target", target))
    }

    /// Whether an action may be done to any object at all.
    pub(super) fn may(&self, action: &str, target: &str) -> Result<(), Failure> {
        match self.privileges.is_none() || self.fitting(action, target).next().is_some() {
            true => Ok(()),
            false => Err(Failure::Forbidden(Place::Request)),
        }
    }

    /// Whether an action may be done to every object.
    pub(super) fn may_all(&self, action: &str, target: &str) -> bool {
        let all = |one: &Value| one["scope"].is_null() || one["scope"]["all"] == json!(true);
        self.privileges.is_none() || self.fitting(action, target).any(all)
    }

    /// Whether an action may be done to an object of an id and tags.
    pub(super) fn may_one(&self, action: &str, target: &str, id: &str, body: &Body) -> bool {
        let within = |list: &Value, wanted: &Value| {
            list.as_array().is_some_and(|list| list.contains(wanted))
        };
        let fits = |one: &Value| {
            let scope = &one["scope"];
            let tags = body.value_at("/tags").unwrap_or_default();
            let tags = tags.as_array().map(Vec::as_slice).unwrap_or_default();
            within(&scope["ids"], &json!(id)) || tags.iter().any(|tag| within(&scope["tags"], tag))
        };
        self.may_all(action, target) || self.fitting(action, target).any(fits)
    }

    /// The tags that objects get which are made here.
    pub(super) fn default_tags(&self, resource: Resource) -> Vec<Value> {
        let creating = self.fitting("Create", resource.target());
        let tags = creating.filter_map(|one| one["defaultTags"].as_array());
        tags.flatten().cloned().collect()
    }

    fn privileges_shown(&self) -> Value {
        match &self.privileges {
            Some(privileges) => json!(privileges),
            None => json!([{
                "type": "All",
                "target": "All",
                "scope": { "all": true, "ids": [], "tags": [] },
                "defaultTags": [],
                "functions": [],
            }]),
        }
    }
}

// What the roles of a user grant.
fn privileges(tree: &Tree, user: &str) -> Vec<Value> {
    let Some(path) = user_path(tree, user) else { return Vec::new() };
    let roles = tree.body(&path).and_then(|body| body.value_at("/administrativeRoles"));
    let mut all = Vec::new();
    for role in roles.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let key = role.as_str().and_then(|text| config_tree::Key::parse(text).ok());
        let path = key.map(|key| Resource::Roles.collection().join(&key));
        let granted = path.and_then(|path| tree.body(&path)?.value_at("/privileges"));
        if let Some(Value::Array(granted)) = granted {
            all.extend(granted);
        }
    }
    all
}

fn user_path(tree: &Tree, user: &str) -> Option<NodePath> {
    let users = Resource::Users.collection();
    let key = tree.holders(users, "/name", &json!(user)).next()?;
    Some(users.join(key))
}

/// The token of a request. A scheme that stands there twice does no harm.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let mut token = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let mut has_scheme = false;
    while let Some((scheme, rest)) = token.split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
    {
        has_scheme = true;
        token = rest.trim_start();
    }
    has_scheme.then_some(token)
}

/// Who asks, by the token of the request.
pub(super) fn actor(appliance: &Appliance, headers: &HeaderMap) -> Result<Actor, Failure> {
    let login = token(headers).and_then(|token| appliance.logins.find(token));
    let actor = login.and_then(|login| Actor::new(appliance, login));
    actor.ok_or(Failure::Unauthenticated)
}

/// Issues a token for a name and a password.
pub(super) async fn login(
    appliance: &Appliance,
    request: &Request,
    body: &Value,
) -> Result<Answer, Failure> {
    let provider = required(body)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (user, password) = (text("username"), Zeroizing::new(text("password")));
    let address = request.peer.address().ip();
    let credentials = Credentials { user, password };
    let find = |credentials: &Credentials| account(&appliance.engine, credentials);
    let verified = appliance.verify(address, &credentials, find).await?;
    let outcome = |granted| if granted { LoginOutcome::Granted } else { LoginOutcome::Refused };
    let verified = verified.filter(|_| provider == "local");
    appliance.metrics.login(outcome(verified.is_some()));
    let account = verified.ok_or(Failure::CredentialsWrong)?;
    let opened = appliance.logins.open_for(&credentials.user, account, Some(lifetime(appliance)));
    let (login, token) = opened.map_err(|_| Failure::SessionsFull)?;
    let actor = Actor::new(appliance, login).ok_or(Failure::CredentialsWrong)?;
    Ok(authorization(appliance, &actor, &token))
}

// The provider's name, where all is there that a login needs.
fn required(body: &Value) -> Result<String, Failure> {
    let place = |name: &str, rule, message: &str| Violation {
        path: NodePath::root(),
        pointer: format!("/{name}"),
        rule,
        layer: Layer::Shape,
        message: message.to_owned(),
        also: Vec::new(),
    };
    let mut wrong = Vec::new();
    for name in ["providerName", "deviceId", "username", "password"] {
        let is_needed = matches!(name, "providerName" | "deviceId");
        match body.get(name) {
            None | Some(Value::Null) if is_needed => {
                wrong.push(place(name, rule::REQUIRED, "may not be null"));
            }
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() && is_needed => {
                wrong.push(place(name, rule::MIN_LENGTH, "may not be empty"));
            }
            Some(Value::String(_)) => {}
            Some(_) => wrong.push(place(name, rule::TYPE, "must be a string")),
        }
    }
    match body["providerName"].as_str() {
        Some(provider) if wrong.is_empty() => Ok(provider.to_owned()),
        _ => Err(super::invalid(wrong)),
    }
}

fn account(engine: &Engine, credentials: &Credentials) -> Option<Account> {
    let tree = &engine.running().tree;
    let path = user_path(tree, &credentials.user)?;
    let kept = engine.secret_reveal(&path, "/password")?;
    let fits: bool = kept.as_bytes().ct_eq(credentials.password.as_bytes()).into();
    let proof: Arc<dyn Proof> = Arc::new(UserProof(path, json!(credentials.user)));
    fits.then(|| Account { proof: Some(proof), standing: standing() })
}

// Privileges are looked up at each request; no part of the tree is granted as such.
fn standing() -> Standing {
    let rights = Rights::Granted { grants: Vec::new(), stores: &[] };
    Standing { rights, groups: Vec::new() }
}

fn lifetime(appliance: &Appliance) -> Duration {
    let running = appliance.engine.running();
    let settings = running.tree.body(global_settings());
    let minutes = settings.and_then(|body| body.value_at("/administrationTokenExpiration"));
    Duration::from_secs(60 * minutes.and_then(|it| it.as_u64()).unwrap_or(super::MINUTES))
}

/// What a token allows.
pub(super) fn authorization(appliance: &Appliance, actor: &Actor, token: &str) -> Answer {
    let expires = appliance.logins.expires(&actor.login).as_micros();
    let document = json!({
        "user": {
            "name": actor.name(),
            "needTwoFactorAuth": false,
            "canAccessAuditLogs": actor.may_all("View", "AuditLog"),
            "privileges": actor.privileges_shown(),
        },
        "token": token,
        "expires": appliance.engine.catalog().time_format().text(expires),
        "messageOfTheDay": "",
        "ztpCollectiveType": "hosted",
        "ztpAccountType": "standard",
        "crlEnabled": false,
    });
    super::json(StatusCode::OK, &document)
}
