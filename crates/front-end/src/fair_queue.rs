//! Places at a scarce resource, given fairly: a crowd in one lane does not hold up the others.
//!
//! Waiting is done in lanes, and the lanes are served in turns. Lanes of those who are known
//! have a waiting room of their own and every second turn, so that a flood of strangers, each in
//! another lane, cannot shut them out either. Each room has a bounded number of places; when it is
//! full, a newcomer takes the place of the last one of the longest lane, if that lane is longer than
//! the newcomer's would be.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Who waits together: a digest of what identifies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// What identifies those in the lane.
    pub(crate) id: [u8; 32],
    /// Whether those in the lane were right before.
    pub(crate) known: bool,
}

/// The queue. Clones share it.
#[derive(Clone)]
pub(crate) struct FairQueue(Arc<Mutex<State>>);

struct State {
    free: usize,
    known: Room,
    strangers: Room,
    /// Whether the strangers are next.
    strangers_next: bool,
}

struct Room {
    places: usize,
    // No lane is empty. The first one is served next.
    lanes: VecDeque<(Lane, VecDeque<oneshot::Sender<Turn>>)>,
}

/// A turn at the resource; dropping it gives it to the next one who waits.
pub(crate) struct Turn(Option<FairQueue>);

/// There is no place to wait in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl FairQueue {
    /// A queue for a resource that serves `turns` at once, with a number of places for those who wait,
    /// in each of the two rooms.
    pub(crate) fn new(turns: usize, known: usize, strangers: usize) -> Self {
        let room = |places| Room { places, lanes: VecDeque::new() };
        let (known, strangers) = (room(known), room(strangers));
        Self(Arc::new(Mutex::new(State { free: turns, known, strangers, strangers_next: false })))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Full`], at once or when others with a better claim come.
    pub(crate) async fn turn(&self, lane: Lane) -> Result<Turn, Full> {
        let waiting = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            let room = if lane.known { &mut state.known } else { &mut state.strangers };
            room.enter(lane)?
        };
        // A sender that is dropped was displaced.
        waiting.await.map_err(|_| Full)
    }

    fn give_back(self) {
        let mut state = self.0.lock();
        while let Some(next) = state.next() {
            match next.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                // The one who waited is gone. Dropped as it is, the turn would come back here.
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
        state.free += 1;
    }
}

impl State {
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (first, second) = match self.strangers_next {
            true => (&mut self.strangers, &mut self.known),
            false => (&mut self.known, &mut self.strangers),
        };
        let next = first.next().or_else(|| second.next());
        self.strangers_next = !self.strangers_next;
        next
    }
}

impl Room {
    fn enter(&mut self, lane: Lane) -> Result<oneshot::Receiver<Turn>, Full> {
        // The places of those who have gone are free.
        self.lanes.iter_mut().for_each(|(_, waiting)| waiting.retain(|one| !one.is_closed()));
        self.lanes.retain(|(_, waiting)| !waiting.is_empty());
        let own = self.lanes.iter().find(|(other, _)| *other == lane).map_or(0, |(_, w)| w.len());
        if self.lanes.iter().map(|(_, waiting)| waiting.len()).sum::<usize>() >= self.places {
            let longest = self.lanes.iter_mut().max_by_key(|(_, waiting)| waiting.len());
            let (_, waiting) =
                longest.filter(|(_, waiting)| waiting.len() > own + 1).ok_or(Full)?;
            waiting.pop_back();
        }
        let (sender, receiver) = oneshot::channel();
        match self.lanes.iter_mut().find(|(other, _)| *other == lane) {
            Some((_, waiting)) => waiting.push_back(sender),
            None => self.lanes.push_back((lane, VecDeque::from([sender]))),
        }
        Ok(receiver)
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let (lane, mut waiting) = self.lanes.pop_front()?;
        let next = waiting.pop_front();
        if !waiting.is_empty() {
            self.lanes.push_back((lane, waiting));
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting = std::pin::Pin<Box<dyn Future<Output = Result<Turn, Full>>>>;

    fn lane(id: u8) -> Lane {
        Lane { id: [id; 32], known: false }
    }

    fn wait(queue: &FairQueue, lane: Lane) -> Waiting {
        let queue = queue.clone();
        let mut waiting: Waiting = Box::pin(async move { queue.turn(lane).await });
        assert!(poll(&mut waiting).is_none(), "there is no free turn");
        waiting
    }

    fn poll(waiting: &mut Waiting) -> Option<Result<Turn, Full>> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn lanes_take_turns_whatever_their_length() {
        let queue = FairQueue::new(1, 8, 8);
        let turn = queue.turn(lane(0)).await.unwrap();
        let mut crowd: Vec<_> = (0..4).map(|_| wait(&queue, lane(1))).collect();
        let mut one = wait(&queue, lane(2));
        drop(turn);
        let first = poll(&mut crowd[0]).unwrap().unwrap();
        drop(first);
        assert!(poll(&mut one).unwrap().is_ok(), "the second lane is next");
    }

    #[tokio::test]
    async fn the_known_have_every_second_turn_and_a_room_of_their_own() {
        let queue = FairQueue::new(1, 2, 2);
        let turn = queue.turn(lane(0)).await.unwrap();
        let mut strangers = [wait(&queue, lane(1)), wait(&queue, lane(2))];
        assert_eq!(queue.turn(lane(3)).await.err(), Some(Full));
        let mut known = wait(&queue, Lane { known: true, ..lane(3) });
        drop(turn);
        drop(poll(&mut known).expect("those who are known come first").unwrap());
        drop(poll(&mut strangers[0]).unwrap().unwrap());
        assert!(poll(&mut strangers[1]).unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_newcomer_displaces_the_last_of_a_long_lane_and_nobody_of_a_short_one() {
        let queue = FairQueue::new(1, 1, 3);
        let _turn = queue.turn(lane(0)).await.unwrap();
        let mut crowd: Vec<_> = (0..3).map(|_| wait(&queue, lane(1))).collect();
        let _one = wait(&queue, lane(2));
        assert_eq!(poll(&mut crowd[2]).map(|outcome| outcome.err()), Some(Some(Full)));
        assert!(poll(&mut crowd[1]).is_none());
        assert_eq!(queue.turn(lane(1)).await.err(), Some(Full));
    }

    #[tokio::test]
    async fn those_who_went_away_cost_no_turn_and_no_place() {
        let queue = FairQueue::new(1, 1, 2);
        let turn = queue.turn(lane(0)).await.unwrap();
        drop([wait(&queue, lane(1)), wait(&queue, lane(2))]);
        let mut here = wait(&queue, lane(3));
        drop(turn);
        drop(poll(&mut here).unwrap().unwrap());
        let again = queue.turn(lane(4)).await;
        assert!(again.is_ok(), "the turn came back");
        let State { free, .. } = &*queue.0.lock();
        assert_eq!(*free, 0);
    }
}
