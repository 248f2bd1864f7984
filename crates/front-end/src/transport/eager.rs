//! Answers that need not wait, given while hyper still hands the request over.
//!
//! hyper calls a service and polls what it gets back a little later. In between it looks whether
//! the client is still there, and for that it wants room to read into: the buffer it has is shared
//! with the request's head, so it allocates another one, of eight kibibytes, for every request that
//! is not over by then. Most are, if they are begun at once.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that was polled when it was made, or is still to be.
pub(super) enum Eager<F: Future> {
    /// It had nothing to wait for. Empty when it has been handed out.
    Ready(Option<F::Output>),
    /// It waits, or has not been begun.
    Waiting(Pin<Box<F>>),
}

impl<F: Future> Eager<F> {
    /// Begins a future. No task is woken for it before it is polled again, so that must be done soon
    /// and whatever happens.
    pub(super) fn begin(future: F) -> Self {
        let mut future = Box::pin(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Self::Ready(Some(output)),
            Poll::Pending => Self::Waiting(future),
        }
    }

    /// Leaves a future to its poller.
    pub(super) fn leave(future: F) -> Self {
        Self::Waiting(Box::pin(future))
    }
}

impl<F: Future> Future for Eager<F>
where
    F::Output: Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.get_mut() {
            Self::Ready(output) => output.take().map_or(Poll::Pending, Poll::Ready),
            Self::Waiting(future) => future.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn what_is_begun_has_happened_and_what_is_left_has_not() {
        let done = Cell::new(0);
        let step = || async { done.set(done.get() + 1) };
        let (begun, left) = (Eager::begin(step()), Eager::leave(step()));
        assert_eq!(done.get(), 1);
        begun.await;
        left.await;
        assert_eq!(done.get(), 2);
    }

    #[tokio::test]
    async fn what_waits_is_woken_by_what_it_waits_for() {
        let (send, sent) = oneshot::channel();
        let waiting = Eager::begin(async {
            yield_now().await;
            sent.await
        });
        let telling = async {
            yield_now().await;
            send.send(7).unwrap();
        };
        assert_eq!(tokio::join!(waiting, telling), (Ok(7), ()));
    }
}
