//! Messages that wait to be sent, kept in a file so that a crash loses none of them.
//!
//! The file is a journal: one line for each message that came and for each that is done, with a
//! checksum in front. A line that was cut off, or damaged, does not fit its checksum and counts as
//! if it had never been written; so a message is there as a whole or not at all. At each start the
//! file is written again with what still waits, next to the old one, and put in its place.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::message::{Content, Message};

const FILE: &str = "queue";
const FRESH: &str = "queue.new";
/// The number of lines for done messages after which the file is written again.
const DEAD_LINES: usize = 1_000;

/// A line of the journal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line<'a> {
    /// The first line.
    Head(Head),
    /// A message that waits.
    Add(std::borrow::Cow<'a, Message>),
    /// The number of one that does not wait any more.
    Done(u64),
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Head {
    /// The number that the next message gets.
    next: u64,
    /// How often the daemon has started.
    boots: u32,
}

/// The queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    // Locked while the file is written, and before `state`.
    journal: Mutex<Journal>,
    limit: usize,
    boots: u32,
}

struct State {
    next: u64,
    waiting: BTreeMap<u64, Message>,
}

#[derive(Default)]
struct Journal {
    place: Option<PathBuf>,
    file: Option<File>,
    dead: usize,
    /// Whether the last line may be incomplete.
    torn: bool,
}

/// What became of messages that were to be queued.
#[derive(Default)]
pub(crate) struct Pushed {
    /// Those that wait now.
    pub(crate) accepted: Vec<Message>,
    /// Those for which there is no room.
    pub(crate) refused: Vec<Message>,
    /// Why they are in memory only, where they are.
    pub(crate) unkept: Option<io::Error>,
}

impl Queue {
    /// Opens the queue in a folder, which is made where there is none; `None`: it is in memory only.
    ///
    /// # Errors
    /// The files cannot be read or written.
    pub(crate) fn open(place: Option<&Path>, limit: usize, boots: u32) -> io::Result<Self> {
        let Some(place) = place else { return Ok(Self::in_memory(limit, boots)) };
        fs::create_dir_all(place)?;
        let (mut head, waiting) = read(&place.join(FILE))?;
        head.boots = head.boots.saturating_add(1);
        let mut journal = Journal { place: Some(place.to_owned()), ..Journal::default() };
        journal.rewrite(head, &waiting)?;
        Ok(Self::with(journal, head, waiting, limit))
    }

    /// A queue in memory only.
    pub(crate) fn in_memory(limit: usize, boots: u32) -> Self {
        Self::with(Journal::default(), Head { next: 1, boots }, BTreeMap::new(), limit)
    }

    fn with(journal: Journal, head: Head, waiting: BTreeMap<u64, Message>, limit: usize) -> Self {
        let state = Mutex::new(State { next: head.next.max(1), waiting });
        Self { state, journal: Mutex::new(journal), limit, boots: head.boots }
    }

    /// How often a daemon has opened this queue.
    pub(crate) fn boots(&self) -> u32 {
        self.boots
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// The messages that wait, in their order.
    pub(crate) fn waiting(&self) -> Vec<Message> {
        self.state.lock().waiting.values().cloned().collect()
    }

    /// A number that no other message has, for one that does not wait.
    pub(crate) fn number(&self) -> u64 {
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        number
    }

    /// Takes messages in. They are on the disk when this returns, so it is not for a thread that
    /// others wait for.
    pub(crate) fn push(&self, new: Vec<(u64, i64, EventKind, Content)>) -> Pushed {
        let mut journal = self.journal.lock();
        let mut pushed = Pushed::default();
        let room = self.limit.saturating_sub(self.len());
        for (id, time, event, content) in new {
            let message = Message { id, time, event, content };
            match pushed.accepted.len() < room {
                true => pushed.accepted.push(message),
                false => pushed.refused.push(message),
            }
        }
        pushed.unkept = journal.append(pushed.accepted.iter().map(added), true).err();
        let mut state = self.state.lock();
        let accepted = pushed.accepted.iter().map(|message| (message.id, message.clone()));
        state.waiting.extend(accepted);
        pushed
    }

    /// The first message of a lane.
    pub(crate) fn first(&self, lane: &str) -> Option<Message> {
        let state = self.state.lock();
        state.waiting.values().find(|message| message.content.lane() == lane).cloned()
    }

    /// The lanes that have messages.
    pub(crate) fn lanes(&self) -> Vec<String> {
        let state = self.state.lock();
        let mut lanes: Vec<String> =
            state.waiting.values().map(|message| message.content.lane()).collect();
        lanes.sort();
        lanes.dedup();
        lanes
    }

    /// Forgets a message. Not synced: after a power cut it may be sent again.
    pub(crate) fn done(&self, id: u64) -> io::Result<()> {
        let mut journal = self.journal.lock();
        if self.state.lock().waiting.remove(&id).is_none() {
            return Ok(());
        }
        journal.append(std::iter::once(Line::Done(id)), false)?;
        journal.dead += 1;
        if journal.dead >= DEAD_LINES.max(self.len()) {
            let (head, waiting) = {
                let state = self.state.lock();
                (Head { next: state.next, boots: self.boots }, state.waiting.clone())
            };
            journal.rewrite(head, &waiting)?;
        }
        Ok(())
    }
}

fn added(message: &Message) -> Line<'_> {
    Line::Add(std::borrow::Cow::Borrowed(message))
}

impl Journal {
    fn append<'a>(
        &mut self,
        lines: impl Iterator<Item = Line<'a>>,
        durable: bool,
    ) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut text = String::new();
        if self.torn {
            text.push('\n');
        }
        for line in lines {
            text.push_str(&encoded(&line)?);
        }
        self.torn = true;
        file.write_all(text.as_bytes())?;
        self.torn = false;
        if durable { file.sync_data() } else { Ok(()) }
    }

    /// Writes the file again with what waits.
    fn rewrite(&mut self, head: Head, waiting: &BTreeMap<u64, Message>) -> io::Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let fresh = place.join(FRESH);
        let mut text = encoded(&Line::Head(head))?;
        for message in waiting.values() {
            text.push_str(&encoded(&added(message))?);
        }
        let mut file = private(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, place.join(FILE))?;
        File::open(place)?.sync_all()?;
        (self.file, self.dead, self.torn) = (Some(file), 0, false);
        Ok(())
    }
}

// Messages name people and what they did.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn encoded(line: &Line<'_>) -> io::Result<String> {
    let json = serde_json::to_string(line).map_err(io::Error::other)?;
    Ok(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())))
}

fn decoded(line: &[u8]) -> Option<Line<'static>> {
    let (sum, json) = line.split_at_checked(8)?;
    let json = json.strip_prefix(b" ")?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if crc32fast::hash(json) != sum {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn read(path: &Path) -> io::Result<(Head, BTreeMap<u64, Message>)> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let (mut head, mut waiting) = (Head::default(), BTreeMap::new());
    let mut damaged = 0usize;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match decoded(line) {
            Some(Line::Head(found)) => head = found,
            Some(Line::Add(message)) => {
                head.next = head.next.max(message.id + 1);
                waiting.insert(message.id, message.into_owned());
            }
            Some(Line::Done(id)) => drop(waiting.remove(&id)),
            None => damaged += 1,
        }
    }
    if damaged > 0 {
        tracing::warn!(damaged, file = %path.display(), "lines of the queue cannot be read and are left out");
    }
    Ok((head, waiting))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Content {
        Content::Syslog { to: "udp://127.0.0.1:514".to_owned(), line: text.to_owned() }
    }

    fn push(queue: &Queue, texts: &[&str]) -> Pushed {
        let new = texts.iter().map(|text| (queue.number(), 1, EventKind::Commit, line(text)));
        queue.push(new.collect())
    }

    fn texts(queue: &Queue) -> Vec<String> {
        let text = |message: Message| match message.content {
            Content::Syslog { line, .. } => line,
            other => format!("{other:?}"),
        };
        queue.waiting().into_iter().map(text).collect()
    }

    #[test]
    fn what_waits_is_there_after_a_restart_and_what_is_done_is_not() {
        let place = tempfile::tempdir().unwrap();
        let place = Some(place.path());
        let queue = Queue::open(place, 10, 0).unwrap();
        let pushed = push(&queue, &["a", "b", "c"]);
        queue.done(pushed.accepted[1].id).unwrap();
        drop(queue);
        let queue = Queue::open(place, 10, 0).unwrap();
        assert_eq!(texts(&queue), ["a", "c"]);
        assert_eq!(queue.boots(), 2);
        assert!(push(&queue, &["d"]).accepted[0].id > 3);
        drop(queue);
        assert_eq!(texts(&Queue::open(place, 10, 0).unwrap()), ["a", "c", "d"]);
    }

    #[test]
    fn a_journal_that_is_cut_off_anywhere_has_whole_messages_only() {
        let kept = tempfile::tempdir().unwrap();
        let queue = Queue::open(Some(kept.path()), 10, 0).unwrap();
        push(&queue, &["first"]);
        push(&queue, &["second", "third"]);
        let bytes = fs::read(kept.path().join(FILE)).unwrap();
        let mut seen = 0;
        // Each place would take its sync; the last is that of the whole file.
        let ends = [bytes.len() - 1, bytes.len()];
        for length in (0..bytes.len()).step_by(11).chain(ends) {
            let place = tempfile::tempdir().unwrap();
            fs::write(place.path().join(FILE), &bytes[..length]).unwrap();
            let queue = Queue::open(Some(place.path()), 10, 0).unwrap();
            let texts = texts(&queue);
            assert_eq!(texts, ["first", "second", "third"][..texts.len()]);
            assert!(texts.len() >= seen, "{length}");
            seen = texts.len();
            // What comes next is not swallowed by the torn line.
            push(&queue, &["next"]);
            drop(queue);
            assert_eq!(Queue::open(Some(place.path()), 10, 0).unwrap().len(), seen + 1);
        }
        assert_eq!(seen, 3);
    }

    #[test]
    fn damage_costs_the_line_that_it_hits() {
        let place = tempfile::tempdir().unwrap();
        push(&Queue::open(Some(place.path()), 10, 0).unwrap(), &["first", "second", "third"]);
        let file = place.path().join(FILE);
        let damaged = fs::read_to_string(&file).unwrap().replace("second", "sEcond");
        fs::write(&file, damaged).unwrap();
        assert_eq!(texts(&Queue::open(Some(place.path()), 10, 0).unwrap()), ["first", "third"]);
    }

    #[test]
    fn a_full_queue_refuses_the_newest() {
        let queue = Queue::open(None, 2, 1).unwrap();
        let pushed = push(&queue, &["a", "b", "c"]);
        assert_eq!((pushed.accepted.len(), pushed.refused.len()), (2, 1));
        assert_eq!(texts(&queue), ["a", "b"]);
    }

    #[test]
    fn the_file_does_not_grow_with_what_is_done() {
        let place = tempfile::tempdir().unwrap();
        let queue = Queue::open(Some(place.path()), 10, 0).unwrap();
        for _ in 0..DEAD_LINES {
            let id = queue.number();
            // Without the sync of `push`, which is not what is looked at here.
            queue
                .state
                .lock()
                .waiting
                .insert(id, Message { id, time: 0, event: EventKind::Commit, content: line("x") });
            queue.done(id).unwrap();
        }
        assert!(fs::metadata(place.path().join(FILE)).unwrap().len() < 200);
        assert!(queue.number() > DEAD_LINES as u64);
    }
}
