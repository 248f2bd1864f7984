//! Large bodies: few at a time, and off the threads that answer.
//!
//! A body takes many times its size while it is a value: 10 MiB of empty objects are 112 MiB. Only a
//! few requests may hold such a value at once, the others wait with their bytes. Decoding and checking
//! one takes as long as thousands of small requests, so the thread is handed over meanwhile.

use std::cell::RefCell;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::failure::Failure;

/// From this size on a body is large, in bytes.
const LARGE: usize = 256 * 1024;

/// Requests with a large body that are worked on at once, of all appliances.
static TURNS: Semaphore = Semaphore::const_new(2);

tokio::task_local! {
    static TURN: RefCell<Option<SemaphorePermit<'static>>>;
}

/// Runs a request; the turn that it takes is over with it.
pub(crate) async fn scope<F: Future>(request: F) -> F::Output {
    TURN.scope(RefCell::new(None), request).await
}

/// Waits until a body of this size may be decoded.
pub(crate) async fn turn(bytes: usize) -> Result<(), Failure> {
    let has_turn = TURN.try_with(|turn| turn.borrow().is_some()).unwrap_or(true);
    if bytes < LARGE || has_turn {
        return Ok(());
    }
    let permit = TURNS.acquire().await.map_err(|_| Failure::Internal)?;
    TURN.try_with(|turn| turn.replace(Some(permit))).map(drop).map_err(|_| Failure::Internal)
}

/// Does what takes long for a large body; on a thread of its own where this request has one.
pub(crate) fn run<T>(work: impl FnOnce() -> T) -> T {
    let large = TURN.try_with(|turn| turn.borrow().is_some()).unwrap_or(false);
    let several = || {
        let handle = Handle::try_current();
        handle.is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
    };
    if large && several() { tokio::task::block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_large_body_waits_for_a_turn_and_a_small_one_does_not() {
        let (first, second) = (TURNS.acquire().await.unwrap(), TURNS.acquire().await.unwrap());
        scope(turn(LARGE - 1)).await.unwrap();
        let mut waits = Box::pin(scope(turn(LARGE)));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(waits.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
        drop((first, second));
        waits.await.unwrap();
        assert_eq!(TURNS.available_permits(), 2);
    }
}
