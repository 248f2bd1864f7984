//! What tests of the whole share: the real binary as a child, a client that sees every byte, and a
//! runner for recorded steps.
//!
//! ```no_run
//! use support::Server;
//!
//! let server = Server::dev();
//! let mut admin = server.admin();
//! admin.open().expect(200);
//! admin.get("/api/configuration/management/email").expect(200);
//! ```
//!
//! A test owns what it touches: a process of its own, port 0, a fresh directory. It waits for
//! conditions, never for a time ([`wait_for`]). When it fails, the directory with the log stays and
//! its name is printed.

mod client;
pub mod conformance;
mod connection;
mod cookies;
mod encoding;
mod evidence;
mod matching;
mod response;
mod server;
mod wait;

#[cfg(test)]
mod scripted;

pub use client::{Client, RequestBuilder};
pub use connection::Connection;
pub use evidence::Evidence;
pub use response::{Exchange, Response};
pub use rustix::process::Signal;
pub use server::{Exit, Server, ServerBuilder, binary, refused};
pub use wait::{PATIENCE, wait_for, wait_for_value};
