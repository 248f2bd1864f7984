//! Which dialect answers a request, and the one log line of each request.
//!
//! The only module that imports dialects. A listener belongs to one appliance; next to the
//! appliance's API, Boxwood's own stands at `/boxwood` on every listener.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::{Method, Response, header};
use tokio::time::Instant;
use tracing::Instrument;

use crate::advalidation::{self, AdvalidationSettings};
use crate::appgate;
use crate::appliance::Appliance;
use crate::dialect::{Blueprint, Ground, Waiting};
use crate::ds_server::{self, DsServerSettings};
use crate::failure::{At, Failure};
use crate::heavy;
use crate::http_path;
use crate::metrics::Metrics;
use crate::outcome::{Dressed, Outcome};
use crate::own_api;
use crate::prisma::{self, PrismaSettings};
use crate::sps::{self, SpsSettings};
use crate::transport::{AnswerBody, Handler, Peer, Request, RequestBody, check_head};

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

/// The dialects that are built in.
pub const DIALECTS: [&str; 5] = ["sps", "ds-server", "prisma", "advalidation", "appgate"];

/// The dialect that a catalog names, before the engine exists.
///
/// # Errors
/// It is not built in.
pub fn blueprint(ground: Ground, settings: DialectSettings) -> Result<Blueprint, UnknownDialect> {
    match ground.catalog.dialect() {
        "appgate" => Ok(Blueprint(appgate::plan(ground))),
        "prisma" => Ok(Blueprint(prisma::plan(ground, settings.prisma))),
        "advalidation" => Ok(Blueprint(advalidation::plan(ground, settings.advalidation))),
        "sps" => Ok(Blueprint(sps::plan(ground, settings.sps))),
        "ds-server" => Ok(Blueprint(ds_server::plan(ground, settings.ds_server))),
        other => {
            let catalog = ground.catalog.name().to_owned();
            Err(UnknownDialect { catalog, dialect: other.to_owned() })
        }
    }
}

/// Answers the requests of the listeners of one appliance.
pub struct Router {
    appliance: Arc<Appliance>,
}

impl Router {
    /// Answers for an appliance.
    #[must_use]
    pub fn new(appliance: Arc<Appliance>) -> Self {
        Self { appliance }
    }

    // The dialect's future is boxed already, and polled as it is.
    fn answer<'a>(&'a self, request: &'a Request, body: RequestBody) -> Waiting<'a, Outcome> {
        let appliance = &*self.appliance;
        let mut segments = request.head.uri.path().split('/');
        match segments.find(|segment| !segment.is_empty()) {
            Some("boxwood") => Box::pin(own_api::handle(appliance, request, body)),
            _ => appliance.dialect.answer(appliance, request, body),
        }
    }

    fn malformed(&self, failure: Failure, request: &Request) -> Outcome {
        let path = http_path::canonical(request.head.uri.path());
        let limits = &self.appliance.process.options.limits;
        let at = At { method: &request.head.method, path: &path, rights: None, limits };
        Outcome::new("malformed", None, Err(self.appliance.dialect.dress(&failure, &at)))
    }
}

impl Handler for Router {
    async fn handle(&self, request: &mut Request) -> Response<AnswerBody> {
        let appliance = &*self.appliance;
        let body = std::mem::take(&mut request.body);
        let proxies = &appliance.process.options.proxies;
        if let Some(client) = proxies.client(&request.peer, &request.head.headers) {
            request.peer = client;
        }
        let id = appliance.process.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let method = request.head.method.clone();
        let line = CompletionLine::begin(appliance, id, method.clone(), &request.peer);
        // For the lines on the way, which are few and rarely asked for: a span costs as much as the
        // rest of a read, and the line at the end says what it would.
        let span = tracing::debug_span!("request", id);
        let at_once = span.in_scope(|| match check_head(&request.head) {
            Ok(()) => appliance.dialect.answer_at_once(appliance, &request.head),
            Err(error) => Some(self.malformed(error.into(), request)),
        });
        let mut outcome = match at_once {
            Some(outcome) => outcome,
            None => heavy::scope(self.answer(request, body)).instrument(span).await,
        };
        line.complete(&outcome);
        outcome.answer.stamp(id, || appliance.engine.running_number().get());
        let mut response = outcome.answer.into_response();
        if method == Method::HEAD {
            let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0);
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            *response.body_mut() = AnswerBody::default();
        }
        response
    }

    fn panicked(&self) -> Response<AnswerBody> {
        let limits = &self.appliance.process.options.limits;
        let at = At { method: &Method::GET, path: "/", rights: None, limits };
        let Dressed { answer, .. } = self.appliance.dialect.dress(&Failure::Internal, &at);
        answer.into_response()
    }
}

/// Writes the one line at the end of a request, also when its client hung up before.
struct CompletionLine<'a> {
    appliance: &'a str,
    metrics: &'a Metrics,
    id: u64,
    method: Method,
    peer: &'a Peer,
    started: Instant,
    complete: bool,
}

impl<'a> CompletionLine<'a> {
    fn begin(appliance: &'a Appliance, id: u64, method: Method, peer: &'a Peer) -> Self {
        let Appliance { name, metrics, .. } = appliance;
        let started = Instant::now();
        Self { appliance: name, metrics, id, method, peer, started, complete: false }
    }

    fn complete(mut self, outcome: &Outcome) {
        self.complete = true;
        let taken = self.started.elapsed();
        let status = outcome.answer.status();
        self.metrics.request(&self.method, outcome.verb, status, taken);
        let (verb, status, duration_us) = (outcome.verb, status.as_u16(), micros(taken));
        let Self { id, appliance, .. } = self;
        let (method, peer) = (self.method.as_str(), self.peer.name());
        let session = outcome.session.as_deref().unwrap_or("-");
        // Neither is in the line where there is none.
        let refusal = outcome.refusal.as_ref();
        let (error, reason) = refusal.map(|(kind, why)| (*kind, why.as_str())).unzip();
        // The message as a text and not as something to format.
        tracing::info!(
            message = "answered",
            id,
            appliance,
            method,
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
            let Self { id, appliance, .. } = *self;
            let (method, peer) = (self.method.as_str(), self.peer.name());
            tracing::info!(id, appliance, method, duration_us, peer, "the client hung up");
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
