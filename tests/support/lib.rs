//! What tests of the whole share: the real binary as a child, a client that sees every byte, and a
//! runner for recorded steps.
//!
//! ```no_run
//! use support::{Server, opened};
//!
//! let (server, mut admin) = opened();
//! admin.get("/api/configuration/management/email").expect(200);
//!
//! let server = Server::dev_of(&["sps-6.2", "ds-server"]);
//! server.admin_of("ds-server").get("/admin/securityprofiles").expect(200);
//! ```
//!
//! A test owns what it touches: a process of its own, port 0, a fresh directory. It waits for
//! conditions, never for a time ([`wait_for`]). When it fails, the directory with the log stays and
//! its name is printed.

mod client;
pub mod conformance;
mod connection;
mod cookies;
mod dialect;
mod encoding;
mod evidence;
mod matching;
mod response;
mod server;
mod sps;
mod wait;

#[cfg(test)]
mod ledger;
#[cfg(test)]
mod scripted;

pub use client::{Client, RequestBuilder};
pub use connection::Connection;
pub use dialect::Dialect;
pub use evidence::Evidence;
pub use response::{Exchange, Response};
pub use rustix::process::Signal;
pub use server::{Exit, Server, ServerBuilder, binary, refused};
pub use sps::opened;
pub use wait::{PATIENCE, wait_for, wait_for_value};
