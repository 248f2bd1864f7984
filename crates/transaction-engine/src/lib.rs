//! Transactions over a configuration tree: open, stage, review, commit durably, or roll back.
//!
//! The engine is synchronous and knows neither HTTP nor a runtime; time, storage and secrets are
//! handed in, so a whole scenario runs in a unit test. Its verbs ([`Engine`]) are the ones that
//! every layer above uses by the same names: `node_put`, `transaction_commit`.
//!
//! The order of a commit is the reason for most of what is here: **durable, then visible, then
//! acted upon, then acknowledged**. It is written once, in `commit.rs`.
//!
//! What is deliberately absent: no paths under which an API shows a node, no status codes, no
//! schema knowledge (the catalog answers every question about what may stand where), and no open
//! transaction on disk: one that was open when the process died is gone (docs/adr/0005).

mod applier;
mod autocommit;
mod background;
pub mod clock;
mod commit;
mod committed;
mod confirm;
mod confirmation;
mod edit;
mod engine;
mod error;
mod exclusive_lock;
mod history;
mod history_rules;
mod hub;
mod idempotency;
mod lane;
mod log;
mod past;
mod prepare;
mod rebase;
mod retention;
mod retry;
pub mod revision;
pub mod secrets;
mod sequences;
mod session;
mod session_id;
mod shared;
pub mod store;
mod transaction;
mod watch;

pub use applier::Applier;
pub use committed::{CommitOptions, Committed};
pub use confirmation::{ConfirmToken, Confirmation};
pub use edit::Edit;
pub use engine::{
    Begin, Engine, FactoryGenerator, Fork, Opened, Options, Page, SecretForm, Status, View,
    operations_at,
};
pub use error::{Error, Operation, Overlap, Refusal};
pub use exclusive_lock::{Holder, Mode};
pub use history_rules::{HistoryRules, MessageRule};
pub use idempotency::Idempotency;
pub use prepare::Plan;
pub use revision::{Revision, RevisionInfo, RevisionNumber, RevisionRecord, Timestamp};
pub use session::Session;
pub use session_id::SessionId;
pub use store::{chain, failpoint, private_file};
pub use watch::{Feed, Next};
