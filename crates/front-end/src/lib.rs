//! HTTP in front of the engine: listeners, limits, logins, routing, dialects, answers.
//!
//! Reading order: [`transport`] brings a request; [`Router`] gives it a line in the log and hands it
//! to the dialect of its [`Appliance`]; the dialect (`sps`, say) finds out what it asks for, calls
//! one verb of the engine and writes what is shown. `own_api` holds Boxwood's own endpoints,
//! [`transfer`] takes a whole configuration out and in.
//!
//! A dialect imports neutral ground (everything here but the dialects), and only the router
//! imports a dialect. What is deliberately absent: no handler touches the store, checks a schema or
//! decides whether a transaction may be opened.

mod acting;
mod advalidation;
mod answer;
mod appgate;
mod appliance;
mod authorship;
mod autocommit;
mod caller;
mod changelog;
mod client_address;
mod condition;
mod confirmation_time;
mod credentials;
mod dialect;
mod ds_server;
mod failure;
mod fair_queue;
#[doc(hidden)]
pub mod fuzzing;
mod heavy;
mod http_path;
pub mod json;
mod login_gate;
mod methods;
pub mod metrics;
mod outcome;
mod own_api;
mod paging;
pub mod password;
mod presentation;
mod prisma;
mod query;
mod remembered;
mod renewal;
mod request;
mod router;
mod secret_places;
mod session;
mod sps;
pub mod throttle;
pub mod transfer;
pub mod transport;
mod world;

pub use acting::{Acting, Sending};
pub use advalidation::AdvalidationSettings;
pub use appliance::{Administrator, Appliance, Process, ProcessOptions};
pub use client_address::{Proxies, ProxyHeader};
pub use dialect::{Blueprint, Ground, Head};
pub use ds_server::DsServerSettings;
pub use metrics::{Metrics, log_lines_dropped};
pub use own_api::openapi;
pub use prisma::{CheckReferences, PrismaSettings};
pub use router::{BlueprintError, DIALECTS, DialectSettings, Router, UnknownDialect, blueprint};
pub use sps::{AuditError, SpsSettings};
pub use world::{Member, Worlds, WorldsOptions};
