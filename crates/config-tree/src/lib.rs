//! The configuration as a value.
//!
//! A [`Tree`] is immutable in spirit: cloning one costs a few pointers, a change of a clone copies
//! only the way from the root to what changed, and everything else is shared. So a reader holds
//! one revision for as long as it likes, a transaction is a clone with changes, and a commit is a
//! swap of pointers.
//!
//! Two goals pull against each other here: a node must be cheap to show (reads are most of the
//! traffic) and cheap to change. Bodies are therefore kept as canonical JSON *text* with a cache
//! for the form in which they are shown, and parsed only when somebody changes or compares them.
//!
//! What is deliberately absent: no I/O, no clock, no HTTP, no schema, no vendor's path prefix.
//!
//! ```
//! use config_tree::{Body, Change, Key, NodePath, Tree};
//! use serde_json::json;
//!
//! let mut base = Tree::new();
//! base.folder_create(&NodePath::parse("/management")?)?;
//! let mut tree = base.clone();
//! let path = NodePath::parse("/management/webinterface")?;
//! tree.object_create(&path, Body::new(&json!({"timeout": 10}), Vec::new()), None)?;
//! assert!(base.body(&path).is_none(), "the base is untouched");
//! assert_eq!(tree.body(&path).unwrap().text(), r#"{"timeout":10}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod body;
pub mod change;
mod collection;
mod compare;
pub mod digest;
mod fill;
pub mod path;
pub mod pointer;
pub mod tree;

pub use body::{Body, Reference, Renderer, Shown};
pub use change::{Change, changes_between, invert};
pub use collection::number_of;
pub use compare::touched_between;
pub use digest::TreeDigest;
pub use path::{Key, NodePath, PathError};
pub use tree::{Kind, Neighbours, Node, Referrer, Tree, TreeError};
