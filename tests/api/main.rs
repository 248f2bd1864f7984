//! The REST API over real sockets, against the real binary: a module for each resource.
//!
//! Every test starts a server of its own, which takes less than a tenth of a second; a table of
//! cases shares one.
//!
//! | what is promised | held by |
//! |---|---|
//! | the tree: shapes of answers, links, `/api/configuration` | `configuration_reads` |
//! | the catalog: the four endpoints of the guide, to the last rule | `violations`, `configuration_writes` |
//! | transactions, exclusive and concurrent | `exclusive`, `concurrent` |
//! | secrets: created, used once, dropped, never shown | `secrets`, `sweep` |
//! | sessions: login, cookie, idle time, lockout | `authentication`, `sessions` |
//! | conditional requests: tags, 304, 412 | `conditions` |
//! | refusals: shape and order | `errors` |
//! | transport, limits, HTTP/2 | `transport`, `limits`, `http2` |
//! | what the appliance and the daemon say of themselves | `information`, `operation` |
//! | the configuration governs the daemon | `governor` |
//! | what real clients need, by number | `checklist` |

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod authentication;
mod checklist;
mod concurrent;
mod conditions;
mod configuration_reads;
mod configuration_writes;
mod errors;
mod exclusive;
mod fixtures;
mod governor;
mod http2;
mod information;
mod limits;
mod operation;
mod origins;
mod secrets;
mod sessions;
mod sweep;
mod transport;
mod violations;
