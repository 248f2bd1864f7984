//! Which dialect answers a request, and the one log line of each request.
//!
//! The only module that imports dialects. A listener belongs to one appliance; next to the
//! appliance's API, Boxwood's own stands at `/boxwood` on every listener.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::http::request::Parts;
use hyper::{Method, Response, header};
use tokio::time::Instant;
use tracing::Instrument;

use crate::advalidation::{self, AdvalidationSettings};
use crate::appgate;
use crate::appliance::Appliance;
use crate::dialect::{Blueprint, Fixed, Ground, Waiting};
use crate::ds_server::{self, DsServerSettings};
use crate::failure::{At, Failure};
use crate::heavy;
use crate::http_path;
use crate::metrics::Metrics;
use crate::outcome::{Dressed, Outcome};
use crate::own_api::{self, worlds};
use crate::prisma::{self, PrismaSettings};
use crate::sps::{self, AuditError, SpsSettings};
use crate::transport::{AnswerBody, Handler, Peer, Request, RequestBody, check_head};
use crate::world::{Chosen, WorldRefusal, Worlds};

/// What the settings say about the appliance, for each dialect that has settings.
#[derive(Clone, Debug, Default)]
pub struct DialectSettings {
    /// Of the dialect `prisma`.
    pub prisma: PrismaSettings,
    /// Of the dialect `advalidation`.
    pub advalidation: AdvalidationSettings,
    /// Of the dialect `sps`.
    pub sps: SpsSettings,
    /// Of the dialect `ds-server`.
    pub ds_server: DsServerSettings,
}

/// The catalog names a dialect that is not built in.
#[derive(Debug, thiserror::Error)]
#[error("the catalog {catalog} has the dialect {dialect:?}; those built in are {known}", known = DIALECTS.join(", "))]
pub struct UnknownDialect {
    catalog: String,
    dialect: String,
}

/// Why there is no dialect for an appliance.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// It is not built in.
    #[error(transparent)]
    Dialect(#[from] UnknownDialect),
    /// The sessions that its searches should find cannot be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// The dialects that are built in.
pub const DIALECTS: [&str; 5] = ["sps", "ds-server", "prisma", "advalidation", "appgate"];

/// The dialect that a catalog names, before the engine exists.
///
/// # Errors
/// It is not built in, or a file that it needs cannot be used.
pub fn blueprint(ground: Ground, settings: DialectSettings) -> Result<Blueprint, BlueprintError> {
    let fixed = Fixed::of(&ground);
    let plan = match ground.catalog.dialect() {
        "appgate" => appgate::plan(ground),
        "prisma" => prisma::plan(ground, settings.prisma),
        "advalidation" => advalidation::plan(ground, settings.advalidation),
        "sps" => sps::plan(ground, settings.sps)?,
        "ds-server" => ds_server::plan(ground, settings.ds_server),
        other => {
            let catalog = ground.catalog.name().to_owned();
            return Err(UnknownDialect { catalog, dialect: other.to_owned() }.into());
        }
    };
    Ok(Blueprint { plan, fixed })
}

/// Answers the requests of the listeners of one appliance, in whichever world they name.
pub struct Router {
    worlds: Arc<Worlds>,
    number: usize,
}

impl Router {
    /// Answers for the appliance of this number.
    ///
    /// # Panics
    /// When there is no such appliance.
    #[must_use]
    pub fn new(worlds: Arc<Worlds>, number: usize) -> Self {
        assert!(number < worlds.main().appliances.len(), "there is no appliance {number}");
        Self { worlds, number }
    }

    /// The appliance of `main`, for what belongs to no other world.
    fn main(&self) -> Chosen {
        let world = self.worlds.main();
        let appliance = Arc::clone(&world.appliances[self.number]);
        Chosen { world, appliance }
    }

    // The world that a request is for; about worlds as such it is answered in `main`.
    fn choose(&self, head: &Parts) -> (Chosen, Option<WorldRefusal>) {
        match self.worlds.choose(head, None, self.number) {
            Ok(chosen) => (chosen, None),
            Err(_) if worlds::is_control(head.uri.path()) => (self.main(), None),
            Err(refusal) => (self.main(), Some(refusal)),
        }
    }

    // The dialect's future is boxed already, and polled as it is.
    fn answer<'a>(
        &'a self,
        appliance: &'a Appliance,
        request: &'a Request,
        body: RequestBody,
    ) -> Waiting<'a, Outcome> {
        let path = request.head.uri.path();
        match path.split('/').find(|segment| !segment.is_empty()) {
            Some("boxwood") if worlds::is_control(path) => Box::pin(self.control(request, body)),
            Some("boxwood") => Box::pin(own_api::handle(appliance, request, body)),
            _ => appliance.dialect.answer(appliance, request, body),
        }
    }

    async fn control(&self, request: &Request, body: RequestBody) -> Outcome {
        worlds::handle(&self.worlds, &self.main().appliance, request, body).await
    }
}

fn malformed(appliance: &Appliance, failure: Failure, request: &Request) -> Outcome {
    let path = http_path::canonical(request.head.uri.path());
    let limits = &appliance.process.options.limits;
    let at = At { method: &request.head.method, path: &path, rights: None, limits };
    let dressed = match path.starts_with("/boxwood/") {
        true => own_api::dressed(failure, &at, appliance),
        false => appliance.dialect.dress(&failure, &at),
    };
    Outcome::new("malformed", None, Err(dressed))
}

fn refused(refusal: &WorldRefusal, request: &Request) -> Outcome {
    let path = http_path::canonical(request.head.uri.path());
    Outcome::new("unknown_world", None, Err(worlds::dress_world(refusal, &path)))
}

impl Handler for Router {
    async fn handle(&self, request: &mut Request) -> Response<AnswerBody> {
        let (chosen, refusal) = self.choose(&request.head);
        let Chosen { world, appliance } = &chosen;
        let body = std::mem::take(&mut request.body);
        let proxies = &appliance.process.options.proxies;
        if let Some(client) = proxies.client(&request.peer, &request.head.headers) {
            request.peer = client;
        }
        let id = appliance.process.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let line = CompletionLine::begin(&chosen, id, request);
        // For the lines on the way, which are few and rarely asked for: a span costs as much as the
        // rest of a read, and the line at the end says what it would.
        let span = tracing::debug_span!("request", id);
        let at_once = span.in_scope(|| match check_head(&request.head) {
            Err(error) => Some(malformed(appliance, error.into(), request)),
            Ok(()) => match &refusal {
                Some(refusal) => Some(refused(refusal, request)),
                None => {
                    world.step_time();
                    appliance.settle();
                    appliance.dialect.answer_at_once(appliance, &request.head)
                }
            },
        });
        let mut outcome = match at_once {
            Some(outcome) => outcome,
            None => heavy::scope(self.answer(appliance, request, body)).instrument(span).await,
        };
        if outcome.refusal.is_some()
            && let Some(ending) = world.ending()
        {
            let refusal = WorldRefusal::Gone(Arc::clone(&world.name), ending);
            outcome = refused(&refusal, request);
        }
        line.complete(&outcome);
        outcome.answer.stamp(id, || appliance.engine.running_number().get());
        let mut response = outcome.answer.into_response();
        if request.head.method == Method::HEAD {
            let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0);
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            *response.body_mut() = AnswerBody::default();
        }
        response
    }

    fn panicked(&self) -> Response<AnswerBody> {
        let Chosen { appliance, .. } = self.main();
        let limits = &appliance.process.options.limits;
        let at = At { method: &Method::GET, path: "/", rights: None, limits };
        let Dressed { answer, .. } = appliance.dialect.dress(&Failure::Internal, &at);
        answer.into_response()
    }
}

/// Writes the one line at the end of a request, also when its client hung up before.
struct CompletionLine<'a> {
    appliance: &'a str,
    world: Option<&'a str>,
    metrics: &'a Metrics,
    id: u64,
    method: &'a Method,
    /// As the client sent it, without the query, which may hold secrets.
    path: &'a str,
    peer: &'a Peer,
    started: Instant,
    complete: bool,
}

/// The length in bytes from which on a path is cut off in the log.
const LONGEST_PATH: usize = 256;

impl<'a> CompletionLine<'a> {
    fn begin(chosen: &'a Chosen, id: u64, request: &'a Request) -> Self {
        let Chosen { world, appliance } = chosen;
        let Appliance { name, metrics, .. } = &**appliance;
        let Request { head, peer, .. } = request;
        let path = head.uri.path();
        let end = path.floor_char_boundary(LONGEST_PATH);
        let (method, path, started) = (&head.method, &path[..end], Instant::now());
        let world = (!world.is_main()).then_some(&*world.name);
        let complete = false;
        Self { appliance: name, world, metrics, id, method, path, peer, started, complete }
    }

    fn complete(mut self, outcome: &Outcome) {
        self.complete = true;
        let taken = self.started.elapsed();
        let status = outcome.answer.status();
        self.metrics.request(self.method, outcome.verb, status, taken);
        let (verb, status, duration_us) = (outcome.verb, status.as_u16(), micros(taken));
        let Self { id, appliance, world, .. } = self;
        let (method, path, peer) = (self.method.as_str(), self.path, self.peer.name());
        let session = outcome.session.as_deref().unwrap_or("-");
        // Neither is in the line where there is none.
        let refusal = outcome.refusal.as_ref();
        let (error, reason) = refusal.map(|(kind, why)| (*kind, why.as_str())).unzip();
        // The message as a text and not as something to format.
        tracing::info!(
            message = "answered",
            id,
            appliance,
            world,
            method,
            path,
            verb,
            status,
            duration_us,
            session,
            peer,
            error,
            reason,
            request_id = outcome.answer.name_of_request(),
        );
    }
}

impl Drop for CompletionLine<'_> {
    fn drop(&mut self) {
        if !self.complete {
            let duration_us = micros(self.started.elapsed());
            let Self { id, appliance, world, .. } = *self;
            let (method, path, peer) = (self.method.as_str(), self.path, self.peer.name());
            tracing::info!(
                id,
                appliance,
                world,
                method,
                path,
                duration_us,
                peer,
                "the client hung up"
            );
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
