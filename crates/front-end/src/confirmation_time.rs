//! How long a commit may wait for its confirmation, as a request says it.

use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// The longest time that a commit may wait for its confirmation: a week.
const LONGEST_WAIT: u64 = 7 * 86_400;

/// How long a commit may wait for its confirmation, in whole seconds.
pub(crate) fn wait(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().filter(|seconds| (1..=LONGEST_WAIT).contains(seconds));
    seconds.map(Duration::from_secs)
}

/// The refusal of another value.
pub(crate) fn bad_wait(name: &str) -> Failure {
    let message = format!("`{name}` must be a whole number from 1 to {LONGEST_WAIT}");
    Failure::malformed(message, format!("/{name}"))
}
