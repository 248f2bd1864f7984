//! HTTP in front of the engine: listeners, limits, login, routing, the SPS dialect, answers.
//!
//! Reading order: [`transport`] brings a request; [`Service`] gives it a span and a line in the
//! log; `sps` finds out what it asks for and calls one verb of the engine; `sps::document` writes
//! what is shown; `error` is the one table from what went wrong to statuses. `operation` holds
//! Boxwood's own endpoints, [`transfer`] takes a whole configuration out and in; [`Governor`] and
//! [`Accounts`] are where the committed tree governs this crate.
//!
//! What is deliberately absent: no handler touches the store, checks a schema or decides whether a
//! transaction may be opened.

mod accounts;
mod condition;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod governor;
pub mod json;
pub mod metrics;
mod operation;
pub mod password;
mod request;
mod respond;
mod service;
mod session;
mod sps;
pub mod throttle;
pub mod transfer;
pub mod transport;

pub use accounts::Accounts;
pub use governor::{Governor, Mint};
pub use metrics::Metrics;
pub use operation::message_required;
pub use service::{Administrator, Service, ServiceOptions};
