//! Who asks: tokens are issued for a client and a tenant, and looked at with each request.

use std::net::IpAddr;

use catalog::Violations;
use config_tree::{Body, Key};
use hyper::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use transaction_engine::Engine;
use zeroize::Zeroizing;

use super::Prisma;
use super::refusal::Refusal;
use super::route::service_accounts;
use super::token::{self, Claims};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Account;
use crate::credentials::{self, Credentials};
use crate::failure::Failure;
use crate::query;
use crate::transport::{Request, RequestBody};

/// A client that has proved to be one.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// Its name: what a change is written under.
    pub(super) client: String,
    /// The tenant that its requests are about.
    pub(super) tenant: String,
    /// Whether it may change anything.
    pub(super) writes: bool,
    /// Whether it is the administrator.
    pub(super) is_administrator: bool,
}

/// What is kept of a further client.
struct ServiceAccount {
    writes: bool,
    tenants: Option<Vec<String>>,
    needs_new_secret: bool,
}

impl ServiceAccount {
    fn find(engine: &Engine, client: &str) -> Option<Self> {
        let path = service_accounts().join(&Key::parse(client).ok()?);
        let body = engine.running().tree.body(&path).map(Body::value)?;
        let texts = |list: &Value| {
            let texts = list.as_array()?.iter().filter_map(Value::as_str);
            Some(texts.map(str::to_owned).collect())
        };
        Some(Self {
            writes: body["role"] == "superuser",
            tenants: texts(&body["tenants"]),
            needs_new_secret: body["needs_new_secret"] == json!(true),
        })
    }

    fn may_use(&self, tenant: &str) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|one| one == tenant))
    }
}

fn has_secret(engine: &Engine, credentials: &Credentials) -> bool {
    let Ok(key) = Key::parse(&credentials.user) else { return false };
    let kept = engine.secret_reveal(&service_accounts().join(&key), "/secret");
    kept.is_some_and(|kept| bool::from(kept.as_bytes().ct_eq(credentials.password.as_bytes())))
}

/// The token that a request carries: as a bearer, or in a header of its own.
fn token_of(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(given) = text("authorization") {
        let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Failure::CredentialsWrong.into());
        }
        return Ok(Some(token.trim()));
    }
    Ok(text("x-auth-jwt").map(str::trim))
}

/// Who asks. Every request is asked, also one for what is not there.
pub(super) async fn actor(
    prisma: &Prisma,
    appliance: &Appliance,
    headers: &HeaderMap,
) -> Result<Actor, Refusal> {
    let token = token_of(headers)?.ok_or(Failure::Unauthenticated)?;
    if token.len() > token::MOST_BYTES {
        return Err(Refusal::KeyTooLong);
    }
    let key = prisma.keys.get().await?;
    let Claims { client, tenant, incarnation } = token::read(&key, token, appliance.now())?;
    // All worlds have one key.
    if incarnation != prisma.incarnation {
        return Err(Failure::CredentialsWrong.into());
    }
    if client == appliance.process.administrator.name {
        return Ok(Actor { client, tenant, writes: true, is_administrator: true });
    }
    // Looked up each time: a client that is removed is out at once.
    let account = ServiceAccount::find(&appliance.engine, &client);
    let account = account.filter(|account| account.may_use(&tenant));
    let account = account.ok_or(Failure::CredentialsWrong)?;
    if account.needs_new_secret {
        return Err(Refusal::NeedPasswordChange);
    }
    Ok(Actor { client, tenant, writes: account.writes, is_administrator: false })
}

/// Issues a token.
pub(super) async fn issue(
    prisma: &Prisma,
    appliance: &Appliance,
    request: &Request,
    body: RequestBody,
) -> Result<Answer, Refusal> {
    let limits = &appliance.process.options.limits;
    let form = body.read(limits.body_bytes, limits.body_timeout).await?;
    let form = Zeroizing::new(String::from_utf8_lossy(&form).into_owned());
    let Some(fields) = query::pairs(&form) else {
        return Ok(refused("invalid_request", "the body is not a form"));
    };
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.to_string())
    };
    if field("grant_type").as_deref() != Some("client_credentials") {
        return Ok(refused("unsupported_grant_type", "grant_type must be client_credentials"));
    }
    let by_header = request.head.headers.get(header::AUTHORIZATION);
    let credentials = match by_header {
        Some(header) => credentials::basic(header.as_bytes()),
        None => field("client_id")
            .zip(field("client_secret"))
            .map(|(user, password)| Credentials { user, password: Zeroizing::new(password) }),
    };
    let Some(credentials) = credentials else {
        return Ok(refused(
            "invalid_client",
            "send the client's id and secret by Basic or as form fields",
        ));
    };
    let scope = field("scope").unwrap_or_default();
    let Some(tenant) = token::tenant_of(&scope) else {
        return Ok(refused("invalid_scope", "scope must name a tenant: tsg_id:NUMBER"));
    };
    if !proves(appliance, request.peer.address().ip(), &credentials, tenant).await? {
        return Ok(refused("invalid_client", "client authentication failed"));
    }
    let incarnation = prisma.incarnation;
    let claims =
        Claims { client: credentials.user.clone(), tenant: tenant.to_owned(), incarnation };
    let key = prisma.keys.get().await?;
    let token = token::issue(&key, &claims, appliance.now()).ok_or(Failure::Internal)?;
    let document = json!({
        "access_token": token,
        "expires_in": token::LIFETIME - 1,
        "scope": format!("tsg_id:{tenant} profile email"),
        "token_type": "Bearer",
    });
    Ok(Answer::json(StatusCode::OK, document.to_string()))
}

async fn proves(
    appliance: &Appliance,
    address: IpAddr,
    credentials: &Credentials,
    tenant: &str,
) -> Result<bool, Failure> {
    if credentials.user == appliance.process.administrator.name {
        return appliance.verify_administrator(address, credentials).await;
    }
    let find = |credentials: &Credentials| {
        let account = ServiceAccount::find(&appliance.engine, &credentials.user)?;
        (has_secret(&appliance.engine, credentials) && account.may_use(tenant))
            .then(Account::administrator)
    };
    Ok(appliance.verify(address, credentials, find).await?.is_some())
}

// The form of RFC 6749. The status is the one that the service has today.
fn refused(error: &str, description: &str) -> Answer {
    let document = json!({ "error": error, "error_description": description });
    Answer::json(StatusCode::BAD_REQUEST, document.to_string())
}

/// Who asks, as OpenID says it.
pub(super) fn user_info(actor: &Actor) -> Answer {
    let name = &actor.client;
    let document = json!({
        "sub": name,
        "name": name,
        "given_name": name,
        "family_name": "",
        "email": if name.contains('@') { name.clone() } else { format!("{name}@localhost") },
    });
    Answer::json(StatusCode::OK, document.to_string())
}

/// One violation as the failure of a body.
pub(super) fn invalid(violations: impl Into<Violations>) -> Failure {
    Failure::Engine(transaction_engine::Error::Invalid(violations.into()))
}
