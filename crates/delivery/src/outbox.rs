//! Each message as it would go out or went out, and what became of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::configuration::Way;
use crate::message::Message;
use crate::stamp::time_text;

/// The outbox takes no more memory than this.
const BYTES: usize = 16 << 20;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was not sent, since it may not be.
    Recorded(String),
    /// It waits in the queue.
    Waiting,
    /// It was sent.
    Sent {
        /// When, in microseconds since 1970.
        time: i64,
        /// What the other side answered.
        reply: String,
    },
    /// It will not be sent.
    GivenUp(String),
}

impl State {
    /// The words for states.
    pub const WORDS: [&str; 4] = ["recorded", "waiting", "sent", "given-up"];

    /// Its word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        Self::WORDS[self.place()]
    }

    fn place(&self) -> usize {
        match self {
            Self::Recorded(_) => 0,
            Self::Waiting => 1,
            Self::Sent { .. } => 2,
            Self::GivenUp(_) => 3,
        }
    }
}

struct Entry {
    message: Message,
    /// How it goes out, without secrets.
    envelope: Value,
    state: State,
    attempts: u32,
    /// Why the last attempt failed.
    error: Option<String>,
}

impl Entry {
    fn shown(&self) -> Value {
        let mut shown = self.message.shown();
        shown["attempts"] = json!(self.attempts);
        shown["envelope"] = self.envelope.clone();
        shown["error"] = json!(self.error);
        shown["state"] = json!(self.state.word());
        match &self.state {
            State::Recorded(why) => shown["reason"] = json!(why),
            State::Sent { time, reply } => {
                shown["reply"] = json!(reply);
                shown["sent"] = json!(time_text(*time));
            }
            State::GivenUp(why) => shown["error"] = json!(why),
            State::Waiting => {}
        }
        shown
    }
}

/// What is asked of the outbox.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Messages of this way only.
    pub way: Option<Way>,
    /// Messages in this state only.
    pub state: Option<String>,
    /// Messages about events of this name only.
    pub event: Option<String>,
    /// Messages with a greater number only.
    pub after: u64,
}

/// The outbox.
pub(crate) struct Outbox {
    entries: Mutex<Entries>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
    /// By way and state, `waiting` excepted.
    counts: [[AtomicU64; 4]; 3],
    /// Attempts that failed, by way.
    failed: [AtomicU64; 3],
    limit: usize,
}

#[derive(Default)]
struct Entries {
    list: VecDeque<Entry>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        let (entries, changes) = (Mutex::default(), watch::Sender::new(0));
        Self { entries, changes, counts: Default::default(), failed: Default::default(), limit }
    }

    /// Puts a message in.
    pub(crate) fn put(&self, message: Message, envelope: Value, state: State) {
        self.count(&message, &state);
        let mut entries = self.entries.lock();
        entries.bytes += message.content.size();
        entries.list.push_back(Entry { message, envelope, state, attempts: 0, error: None });
        while entries.list.len() > self.limit || entries.bytes > BYTES {
            let Some(oldest) = entries.list.pop_front() else { break };
            entries.bytes -= oldest.message.content.size();
        }
        drop(entries);
        self.changed();
    }

    /// An attempt ended.
    pub(crate) fn attempted(&self, message: &Message, state: State, error: Option<&str>) {
        if error.is_some() {
            self.failed[message.content.way() as usize].fetch_add(1, Ordering::Relaxed);
        }
        self.count(message, &state);
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.list.iter_mut().find(|entry| entry.message.id == message.id) {
            entry.attempts += 1;
            entry.state = state;
            entry.error = error.map(str::to_owned);
        }
        drop(entries);
        self.changed();
    }

    fn count(&self, message: &Message, state: &State) {
        if *state != State::Waiting {
            let of_way = &self.counts[message.content.way() as usize];
            of_way[state.place()].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The messages that are wanted, the oldest first.
    pub(crate) fn list(&self, wanted: &Wanted) -> Vec<Value> {
        let entries = self.entries.lock();
        let fits = |entry: &&Entry| {
            entry.message.id > wanted.after
                && wanted.way.is_none_or(|way| way == entry.message.content.way())
                && wanted.state.as_deref().is_none_or(|state| state == entry.state.word())
                && wanted.event.as_deref().is_none_or(|event| event == entry.message.event.name())
        };
        entries.list.iter().filter(fits).map(Entry::shown).collect()
    }

    /// Forgets all messages but those that wait to be sent.
    pub(crate) fn clear(&self) {
        let mut entries = self.entries.lock();
        entries.list.retain(|entry| entry.state == State::Waiting);
        entries.bytes = entries.list.iter().map(|entry| entry.message.content.size()).sum();
        drop(entries);
        self.changed();
    }

    /// One who hears of changes.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How many messages of a way ended in a state since the start: recorded, sent, given up.
    pub(crate) fn ended(&self, way: Way) -> [(&'static str, u64); 3] {
        let of_way = &self.counts[way as usize];
        [0, 2, 3].map(|place| (State::WORDS[place], of_way[place].load(Ordering::Relaxed)))
    }

    /// How many attempts failed.
    pub(crate) fn failed(&self, way: Way) -> u64 {
        self.failed[way as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;
    use crate::message::Content;

    fn message(id: u64) -> Message {
        let content = Content::Syslog { to: "x".to_owned(), line: "y".to_owned() };
        Message { id, time: 0, event: EventKind::Commit, content }
    }

    #[test]
    fn the_oldest_make_room_and_what_waits_is_not_cleared() {
        let outbox = Outbox::new(3);
        for id in 1..=4 {
            outbox.put(message(id), Value::Null, State::Waiting);
        }
        outbox.attempted(&message(3), State::Waiting, Some("no"));
        outbox.attempted(&message(3), State::Sent { time: 0, reply: "250".to_owned() }, None);
        let all = outbox.list(&Wanted::default());
        assert_eq!(all.iter().map(|m| m["id"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(all[1]["attempts"], 2);
        assert_eq!(all[1]["reply"], "250");
        let sent = Wanted { state: Some("sent".to_owned()), ..Wanted::default() };
        assert_eq!(outbox.list(&sent).len(), 1);
        assert_eq!(outbox.ended(Way::Syslog)[1], ("sent", 1));
        assert_eq!(outbox.failed(Way::Syslog), 1);
        outbox.clear();
        assert_eq!(outbox.list(&Wanted::default()).len(), 2);
    }
}
