//! Every setting of the daemon: where it may be given, what it may be, and the plain struct that
//! results.
//!
//! Two tables, [`registry::REGISTRY`] and, for what each appliance has for itself,
//! [`appliance_registry::APPLIANCE_REGISTRY`], say of each setting its name, default, purpose and type.
//! Parsing, the help of the command line, `config/boxwood.toml` and `docs/reference/settings.md`
//! all come from them, so none of them can name a setting that the others do not know.
//!
//! Two aims pull against each other: an operator wants to learn of all mistakes in one start, and
//! the code behind wants values that need no further check. So every value given anywhere is parsed,
//! also one that a stronger source replaces; the problems are collected; and a [`Settings`] exists
//! only when there are none.
//!
//! The environment and the arguments are handed in: nothing here reads global state.
//!
//! Reading order, each module using only those before it: [`value`] and `raw` (types), [`problem`],
//! `model` (the plain struct), `takes` (parsing), [`registry`] and [`appliance_registry`] (the
//! tables), `appliances` (settings of each), `environment` and `file` (sources), `together` and `resolve` (sources to settings); [`mod@reference`] writes the texts.

pub mod appliance_registry;
mod appliances;
mod environment;
mod file;
mod model;
pub mod problem;
mod raw;
pub mod reference;
pub mod registry;
mod resolve;
mod secret_files;
mod service_link;
mod takes;
mod together;
pub mod value;
pub mod variables;

pub use front_end::transport::{ListenUrl, Scheme};
pub use model::{
    ApplianceSettings, HistorySettings, Limits, LogSettings, LoginSettings, SecretsSettings,
    Settings, StoreSettings, TlsFiles, TransactionSettings,
};
pub use problem::{BadSettings, Problem};
pub use raw::{Given, Origin, Raw};
pub use resolve::Sources;
pub use value::{Mode, Secret, SecretKey, TransactionMode};

#[cfg(test)]
mod tests;
