//! What hostile clients cost, as bounds on memory and on the size of answers, never on time: bodies
//! that break a rule a million times, and floods of HTTP/2 frames. `BOXWOOD_HOSTILE=BINARY` (`make
//! hostile`) attacks that binary longer.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod bodies;
mod floods;
mod frames;
mod readers;

use support::{Server, ServerBuilder};

/// The longest form, or the short one of `make test`.
fn scaled(short: usize, long: usize) -> usize {
    if std::env::var_os("BOXWOOD_HOSTILE").is_some() { long } else { short }
}

fn builder() -> ServerBuilder {
    match std::env::var_os("BOXWOOD_HOSTILE") {
        Some(binary) => Server::builder().binary(binary),
        None => Server::builder(),
    }
}

/// The most memory that the server ever had, in KiB.
fn peak_memory(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
