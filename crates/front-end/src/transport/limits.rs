//! Every number that bounds what a client may cost us, in one place.
//!
//! They are settings rather than constants because an appliance with a thousand scripts and a laptop
//! test want different ones, and because the tests prove each guard with limits of a few milliseconds.
//! The defaults are those measured in the study of hyper's gaps. Times are `Duration`s: a test's
//! 50 milliseconds and an operator's 10 seconds are the same field.

use std::time::Duration;

/// What one client, and all of them together, may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest request line and header fields together, in bytes (64 KiB). HTTP/2 heads are bounded by
    /// this and by 16 KiB, whichever is less. hyper cannot go below 8 KiB of buffer, so a smaller value
    /// is found out only when the head is complete.
    pub head_bytes: usize,
    /// Most header fields in one request, a count (64). HTTP/1 only: HTTP/2 counts their bytes.
    pub headers: usize,
    /// Largest request body where an endpoint names no limit of its own, in bytes (10 MiB).
    pub body_bytes: usize,
    /// Deepest nesting of a JSON document, in levels (64); serde_json itself stops at 127.
    pub json_depth: usize,
    /// Most violations, conflicts or referrers that one refusal shows, a count (100); it says how many
    /// there are in all. No more than a thousand are kept.
    pub violations: usize,
    /// Largest answer to a refused request, in bytes (1 MiB); details beyond it are left out.
    pub answer_bytes: usize,
    /// Time for a complete request head, counted from the connection's start or from the end of the
    /// previous request (10 s). It is the keep-alive idle limit as well.
    pub header_timeout: Duration,
    /// Time for a complete request body, and the longest time an answer may wait for its reader to take
    /// one more byte (30 s).
    pub body_timeout: Duration,
    /// Time for a TLS handshake (5 s).
    pub tls_timeout: Duration,
    /// Most open connections, over all listeners, a count (512). One more is closed at once.
    pub connections: usize,
    /// Most open connections from one address, a count (256); an IPv6 address stands for its /64.
    pub connections_per_address: usize,
    /// Time for the requests under way to finish when the server stops (5 s).
    pub drain_timeout: Duration,
    /// Most bytes of answers that wait for their readers, over all connections (512 MiB); then the
    /// connections that have read nothing for the longest time are cut.
    pub waiting_bytes: usize,
    /// The same for one address (256 MiB); an IPv6 address stands for its /64.
    pub waiting_bytes_per_address: usize,
    /// Most bytes of answers that wait on one connection (8 MiB); it gets further answers when it has
    /// read of these.
    pub waiting_bytes_per_connection: usize,
    /// Most concurrent streams of one HTTP/2 connection, a count (64).
    pub http2_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            headers: 64,
            body_bytes: 10 * 1024 * 1024,
            json_depth: 64,
            violations: 100,
            answer_bytes: 1024 * 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            tls_timeout: Duration::from_secs(5),
            connections: 512,
            connections_per_address: 256,
            drain_timeout: Duration::from_secs(5),
            waiting_bytes: 512 * 1024 * 1024,
            waiting_bytes_per_address: 256 * 1024 * 1024,
            waiting_bytes_per_connection: 8 * 1024 * 1024,
            http2_streams: 64,
        }
    }
}
