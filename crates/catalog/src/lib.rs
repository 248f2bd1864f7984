//! What may stand where: the schema of an appliance as data.
//!
//! A [`Catalog`] is a folder of YAML files that mirrors the tree of paths. The files are written in
//! a subset of JSON Schema with a few keywords of our own (`docs/CATALOG.md` teaches them), so that
//! an endpoint is added and understood without a line of Rust, and so that one text drives
//! validation, the defaults of a fresh appliance, the documentation and the forms.
//!
//! Everything here is a pure function of the catalog and what it is given: checking one body
//! ([`Catalog::check_body`]), checking what a set of changes did to a tree
//! ([`Catalog::check_changes`]), and the same for a whole tree ([`Catalog::check_tree`]), which is
//! slow and therefore the judge of the former in tests. Secrets are sealed outside; rules about
//! the text of one ask for it through [`SecretReader`].
//!
//! ```
//! use catalog::Catalog;
//! use config_tree::NodePath;
//! use serde_json::json;
//!
//! let catalog = Catalog::builtin("sps-6.2").expect("it is built in")?;
//! let path = NodePath::parse("/management/webinterface").expect("a path");
//! assert_eq!(catalog.check_body(&path, json!({"timeout": 10})).unwrap().value, json!({"timeout": 10}));
//! let violations = catalog.check_body(&path, json!({"timeuot": 0})).unwrap_err();
//! assert_eq!(violations[0].message, "`timeout` is required");
//! assert_eq!(violations[1].message, "the body has a member that is not known here; did you mean `timeout`?");
//! # Ok::<(), catalog::LoadError>(())
//! ```

mod catalog;
mod certificate;
mod check;
mod derive;
mod embedded;
mod endpoint;
mod factory;
mod folders;
mod follow_up;
mod format;
mod key_rule;
mod keys;
mod layers;
mod lower;
mod page;
mod parse;
mod rules;
#[cfg(test)]
mod samples;
mod schema;
mod suggest;
mod time_format;
mod violation;
mod violations;
mod yaml;

pub use catalog::{Catalog, Mint};
pub use certificate::certificate_end;
pub use check::Checked;
pub use derive::Hooks;
pub use endpoint::{Endpoint, EndpointKind, Example, Fidelity, Operations};
pub use follow_up::FollowUp;
pub use key_rule::KeyRule;
pub use page::reference_page;
pub use parse::{Fault, LoadError};
pub use rules::SecretReader;
pub use schema::{Derived, Schema};
pub use time_format::TimeFormat;
pub use violation::{Layer, Violation, rule};
pub use violations::Violations;
