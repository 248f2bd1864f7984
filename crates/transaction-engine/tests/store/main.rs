//! The log of revisions on its stores: the same suite on each, and every way to lose or damage
//! one. What is promised stands in `docs/reference/store-format.md`.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod history;

mod contract;
mod crash;
mod damage;
mod log;
mod metadata;
mod siblings;
mod sled_files;
