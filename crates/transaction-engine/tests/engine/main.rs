//! The engine as its callers use it, on both stores: scenarios, a model, crashes at every step.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod autocommit;
mod batches;
mod clients;
mod confirmation;
mod crash;
mod fixture;
mod forks;
mod history;
mod model;
mod planning;
mod retention;
mod retries;
mod scenarios;
mod size;
mod watching;
mod words;
