//! The one place where tests let time pass.

use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take on a busy machine before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
///
/// # Panics
///
/// When it does not within [`PATIENCE`]; `what` completes "waited in vain for ...".
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for_value(what, || condition().then_some(()));
}

/// Waits until there is a value.
///
/// # Panics
///
/// When there is none within [`PATIENCE`]; `what` completes "waited in vain for ...".
#[expect(clippy::disallowed_methods, reason = "the one polling loop; everything else waits by it")]
pub fn wait_for_value<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    // Short at first: most conditions hold soon.
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_there_is_a_value() {
        let mut asked = 0;
        let value = wait_for_value("three questions", || {
            asked += 1;
            (asked == 3).then_some("done")
        });
        assert_eq!((value, asked), ("done", 3));
    }
}
