//! Waiting for what happens all the time, and for what hardly ever does.
//!
//! A task that waits for two things looks at both whenever one of them wakes it. Where one wakes it
//! for every request and the other once in minutes, each look at the second is for nothing, and
//! costs a lock that is shared with all other connections. So the second gets a waker of its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// Which of the two it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Either<A, B> {
    Often(A),
    Rare(B),
}

/// Waits for either; for `often` first, where both have happened.
pub(super) async fn either<A: Future, B: Future>(
    mut often: Pin<&mut A>,
    mut rare: Pin<&mut B>,
) -> Either<A::Output, B::Output> {
    // Rung at first: nothing has looked yet.
    let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: Mutex::new(None) });
    let ringing = Waker::from(Arc::clone(&bell));
    let mut known: Option<Waker> = None;
    poll_fn(move |context| {
        // Before the look at `rare`, so that no ringing is lost.
        if !known.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            known = Some(context.waker().clone());
            known.clone_into(&mut bell.task.lock());
        }
        if let Poll::Ready(output) = often.as_mut().poll(context) {
            return Poll::Ready(Either::Often(output));
        }
        if bell.rung.load(Ordering::Acquire) && bell.rung.swap(false, Ordering::AcqRel) {
            return rare.as_mut().poll(&mut Context::from_waker(&ringing)).map(Either::Rare);
        }
        Poll::Pending
    })
    .await
}

/// Remembers that it was `rare` that woke the task.
struct Bell {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn the_rare_one_is_looked_at_when_it_has_happened_and_else_once() {
        let (tick, mut ticks) = mpsc::unbounded_channel();
        let (tell, mut sent) = oneshot::channel();
        let looks = Cell::new(0);
        let mut often = pin!(async {
            while let Some(number) = ticks.recv().await {
                if number == 7 {
                    return number;
                }
            }
            0
        });
        let mut rare = pin!(poll_fn(|context| {
            looks.set(looks.get() + 1);
            Pin::new(&mut sent).poll(context)
        }));
        let waiting = async {
            let first = either(often.as_mut(), rare.as_mut()).await;
            assert_eq!(first, Either::Rare(Ok("now")));
            assert_eq!(looks.get(), 2, "at first, and when it was sent");
            assert_eq!(
                either(often.as_mut(), pin!(std::future::pending::<()>())).await,
                Either::Often(7)
            );
        };
        let driving = async {
            for number in 0..5 {
                tick.send(number).unwrap();
                tokio::task::yield_now().await;
            }
            tell.send("now").unwrap();
            tokio::task::yield_now().await;
            tick.send(7).unwrap();
        };
        tokio::join!(waiting, driving);
    }

    #[tokio::test]
    async fn what_has_happened_already_is_seen() {
        let rare = either(pin!(std::future::pending::<()>()), pin!(async { 3 })).await;
        assert_eq!(rare, Either::Rare(3));
        assert_eq!(either(pin!(async { 1 }), pin!(async { 2 })).await, Either::Often(1));
    }

    #[tokio::test]
    async fn it_rings_from_another_thread() {
        let (tell, sent) = oneshot::channel();
        let teller = std::thread::spawn(move || tell.send(()).unwrap());
        let rare = either(pin!(std::future::pending::<()>()), pin!(sent)).await;
        assert_eq!(rare, Either::Rare(Ok(())));
        teller.join().unwrap();
    }
}
