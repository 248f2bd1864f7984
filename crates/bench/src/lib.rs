//! Benchmarks that mean something on any machine: every figure has a reference that was
//! taken in the same run, in turns with it, and only the ratio of the two is compared with a goal.
//!
//! What is measured is the product as it is shipped: the release binary with its logs on, syncs
//! before answers, every check and limit at its default. Where a part is left out to see what it
//! costs (the log, the sync), the row says so.
//!
//! Reading order: [`report`] is what comes out; [`rows`] has one file for each part of the table;
//! [`load`] is the client, [`bare`] the server without a product, [`daemon`] the real one;
//! [`appliance`] makes trees of any size; [`paths`] calls the product without a socket.

pub mod appliance;
pub mod bare;
pub mod daemon;
pub mod load;
pub mod paths;
pub mod plot;
pub mod report;
pub mod rows;
pub mod timing;

/// What goes wrong in a benchmark ends it: a sentence for the person who started it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The outcome of a step.
pub type Outcome<T> = Result<T, Failure>;
