//! Delivery against receivers over real sockets.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod flow;
mod mail;
mod pki;
mod site;
mod smtp;
mod syslog;
mod traps;
