//! `/boxwood/v1/worlds`: worlds made, shown, reset and dropped.
//!
//! For the operator, and not for one appliance: what is asked here is about all worlds, whichever
//! one the request names. The stations are those of the rest of Boxwood's own API.

mod clock;
mod guard;
mod make;
mod route;

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header;
use serde_json::{Value, json};

use super::dress;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::{At, Failure, Place};
use crate::http_path::{canonical, parent_href};
use crate::outcome::{Dressed, Outcome};
use crate::request;
use crate::transport::{Request, RequestBody};
use crate::world::{NotMade, World, WorldRefusal, Worlds};

use route::Endpoint;
pub(crate) use route::is_control;

const HREF: &str = "/boxwood/v1/worlds";

/// Why something about worlds is refused.
enum Problem {
    World(WorldRefusal),
    Failure(Failure),
}

impl From<WorldRefusal> for Problem {
    fn from(refusal: WorldRefusal) -> Self {
        Self::World(refusal)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<NotMade> for Problem {
    fn from(error: NotMade) -> Self {
        match error {
            NotMade::Refused(refusal) => Self::World(refusal),
            NotMade::Engine(error) => Self::Failure(error.into()),
        }
    }
}

/// Answers a request below `/boxwood/v1/worlds`. `appliance` is the one of `main` at whose listener
/// it arrived.
pub(crate) async fn handle(
    worlds: &Arc<Worlds>,
    appliance: &Appliance,
    request: &Request,
    body: RequestBody,
) -> Outcome {
    let (head, path) = (&request.head, canonical(request.head.uri.path()));
    let endpoint = Endpoint::parse(head.uri.path());
    let verb = endpoint.as_ref().map_or("unknown", |endpoint| endpoint.verb(&head.method));
    let result = stations(worlds, appliance, request, endpoint, body).await;
    let dressed = result.map_err(|problem| match problem {
        Problem::World(refusal) => dress_world(&refusal, &path),
        Problem::Failure(failure) => {
            let limits = &appliance.process.options.limits;
            let at = At { method: &head.method, path: &path, rights: None, limits };
            dress::dress(&failure.into(), &at, appliance)
        }
    });
    Outcome::new(verb, None, dressed)
}

async fn stations(
    worlds: &Arc<Worlds>,
    appliance: &Appliance,
    request: &Request,
    endpoint: Option<Endpoint>,
    body: RequestBody,
) -> Result<Answer, Problem> {
    let endpoint = endpoint.ok_or(Failure::NotFound(Place::Request))?;
    guard::expect_operator(worlds, appliance, request).await?;
    let (head, allow) = (&request.head, endpoint.allow());
    if !allow.permits(&head.method) {
        return Err(Failure::MethodNotAllowed(allow).into());
    }
    let limits = &appliance.process.options.limits;
    let body = request::json(limits, &head.headers, body).await?;
    let answer = match (endpoint, head.method.as_str()) {
        (_, "OPTIONS") => {
            let path = canonical(head.uri.path());
            Answer::document(&json!({ "meta": { "href": path, "parent": parent_href(&path) } }))
        }
        (Endpoint::Worlds, "POST") => make::make(worlds, appliance, body).await?,
        (Endpoint::Worlds, _) => all(worlds),
        (Endpoint::World(name), "DELETE") => drop_world(worlds, &name)?,
        (Endpoint::World(name), _) => Answer::document(&shown(worlds, &*worlds.find(&name)?)),
        (Endpoint::Clock(name), "PUT") => clock::change(worlds, &name, body).await?,
        (Endpoint::Clock(name), _) => clock::show(worlds, &name)?,
        (Endpoint::Reset(name), _) => {
            let world = worlds.reset(&name)?;
            tracing::info!(world = name, "world reset");
            Answer::document(&shown(worlds, &world))
        }
    };
    Ok(answer.allow(allow))
}

fn all(worlds: &Worlds) -> Answer {
    let items: Vec<_> = worlds.all().iter().map(|world| shown(worlds, world)).collect();
    let meta = json!({ "href": HREF, "parent": "/boxwood/v1" });
    Answer::document(&json!({ "items": items, "meta": meta }))
}

fn drop_world(worlds: &Worlds, name: &str) -> Result<Answer, WorldRefusal> {
    worlds.drop_world(name)?;
    tracing::info!(world = name, "world dropped");
    Ok(Answer::document(&json!({ "meta": { "parent": HREF } })))
}

/// A world as it is shown.
fn shown(worlds: &Worlds, world: &World) -> Value {
    let urls: serde_json::Map<_, _> =
        worlds.urls(world).into_iter().map(|(name, url)| (name.to_string(), json!(url))).collect();
    let appliance = |appliance: &Arc<Appliance>| {
        let state = json!({
            "revision": appliance.engine.running_number().get(),
            "sessions": appliance.logins.count(),
        });
        (appliance.name.to_string(), state)
    };
    let appliances: serde_json::Map<_, _> = world.appliances.iter().map(appliance).collect();
    json!({
        "appliances": appliances,
        "from": world.from.as_deref(),
        "made": world.made.to_string(),
        "meta": { "href": format!("{HREF}/{}", world.name), "parent": HREF },
        "name": &*world.name,
        "urls": urls,
    })
}

/// Shows why something about worlds is refused.
pub(crate) fn dress_world(refusal: &WorldRefusal, path: &str) -> Dressed {
    let (status, kind) = refusal.standing();
    let sentence = refusal.to_string();
    dress::bare(status, kind, sentence, path)
}

/// An answer to a request that made something.
fn created(href: &str, document: &Value) -> Answer {
    Answer::text(StatusCode::CREATED, document.to_string()).header_text(header::LOCATION, href)
}
