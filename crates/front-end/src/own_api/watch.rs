//! `/boxwood/v1/watch`: commits as server-sent events, each once, in order, from any revision on.
//!
//! `id` is the number of the revision, so a client that was cut off goes on with `Last-Event-ID`
//! where it was, whatever cut it off: a network, a restart, or this server because it did not read.
//! A commit that does not touch the path that is watched still moves `id`, without an event.
//!
//! The feed is asked on a thread that may wait for the store; between the two of them stand a few
//! pieces and no queue (docs/adr/0012).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config_tree::NodePath;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;
use transaction_engine::{Error, Feed, Next, RevisionRecord, Session};

use super::blocking;
use super::call::{Call, Refused};
use super::dress::refusal;
use super::history::{numbered, path, record_shown};
use super::route::{Answers, Operation, Who, header, query, run};
use crate::answer::Answer;
use crate::failure::At;
use crate::methods::Methods;
use crate::presentation::Presentation;
use crate::transport::{AnswerBody, Limits, Pieces};

/// How often a client hears something, and its session is looked at.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How many commits are taken from the feed at once.
const AT_ONCE: usize = 32;

/// How many changes are shown of one commit; the revision itself has the rest.
const CHANGES_SHOWN: usize = 1_000;

pub(super) const OPERATIONS: &[Operation] =
    &[Operation::new(Methods::GET, "watch", "watch", Who::Administrators, run!(watch))
        .does(
            "Watch commits",
            "A stream of server-sent events: each commit once, in order, from any revision on.",
        )
        .with(&[
            query("path", "string", "Commits that change this node or what is below it."),
            query("from", "integer", "The revision after which to begin; without it, from now on."),
            header("Last-Event-ID", "The revision at which an earlier stream was cut off."),
        ])
        .answers(&[Answers {
            status: 200,
            media: "text/event-stream",
            schema: "",
            about: "Events called `revision`, whose data is a Revision.",
        }])
        .refuses(&[400, 410])];

/// Begins to watch.
async fn watch(call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, caller, head) = (call.appliance, call.caller()?, call.head);
    let query = call.query()?;
    let path = path(&*appliance.shows(), &query)?;
    let last = head.headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let from = match (last, query.get("from")) {
        (Some(last), _) => numbered("Last-Event-ID", last)?,
        (None, Some(from)) => numbered("from", from)?,
        (None, None) => appliance.engine.running_number(),
    };
    let news = Arc::new(Notify::new());
    let wake = Arc::clone(&news);
    let feed = appliance.engine.watch(from, move || wake.notify_one())?;
    let (pieces, body) = AnswerBody::stream();
    let watcher = Watcher {
        pieces,
        news,
        path,
        shows: appliance.shows(),
        session: Arc::clone(&caller.session),
        patience: appliance.process.options.limits.body_timeout,
    };
    tokio::spawn(watcher.run(feed));
    Ok(Answer::events(body))
}

struct Watcher {
    pieces: Pieces,
    news: Arc<Notify>,
    path: NodePath,
    shows: Arc<dyn Presentation>,
    session: Arc<Session>,
    patience: Duration,
}

/// What is to be sent, and whether the stream goes on.
struct Sent {
    feed: Feed,
    text: String,
    goes_on: bool,
    waits: bool,
}

impl Watcher {
    async fn run(self, mut feed: Feed) {
        // At once, so that the client knows that it is heard.
        let mut text = "retry: 1000\n\n".to_owned();
        loop {
            if !text.is_empty() && !self.pieces.send(Bytes::from(text), self.patience).await {
                return;
            }
            // One who may not see anything any more sees nothing more.
            if self.session.is_ended() {
                return;
            }
            let (shows, path) = (Arc::clone(&self.shows), self.path.clone());
            let Ok(sent) = blocking(move || take(feed, &*shows, &path)).await else { return };
            feed = sent.feed;
            text = sent.text;
            if !sent.goes_on {
                let _ = self.pieces.send(Bytes::from(text), self.patience).await;
                return;
            }
            if sent.waits && text.is_empty() {
                tokio::select! {
                    news = timeout(HEARTBEAT, self.news.notified()) => if news.is_err() {
                        text.push_str(":\n\n");
                    },
                    () = self.pieces.closed() => return,
                }
            }
        }
    }
}

fn take(mut feed: Feed, shows: &dyn Presentation, path: &NodePath) -> Sent {
    let mut text = String::new();
    for _ in 0..AT_ONCE {
        match feed.pull() {
            Ok(Next::Revision(record)) => text.push_str(&event(shows, &record, path)),
            Ok(Next::Wait) => return Sent { feed, text, goes_on: true, waits: true },
            Ok(Next::CutOff) => {
                let resume = feed.position().get();
                text.push_str(&named("cut-off", &json!({ "resume": resume })));
                return Sent { feed, text, goes_on: false, waits: false };
            }
            Ok(Next::Closed) => return Sent { feed, text, goes_on: false, waits: false },
            Err(error) => {
                text.push_str(&failure(error, shows));
                return Sent { feed, text, goes_on: false, waits: false };
            }
        }
    }
    Sent { feed, text, goes_on: true, waits: false }
}

fn event(shows: &dyn Presentation, record: &RevisionRecord, path: &NodePath) -> String {
    let number = record.number;
    if record.changes.iter().all(|change| !change.path().starts_with(path)) {
        return format!("id: {number}\n\n");
    }
    let shown = if path.is_root() {
        record_shown(shows, record, &[], CHANGES_SHOWN)
    } else {
        record_shown(shows, &below(record, path), &[], CHANGES_SHOWN)
    };
    format!("id: {number}\n{}", named("revision", &shown))
}

// The record with those of its changes that are below a path.
fn below(record: &RevisionRecord, path: &NodePath) -> RevisionRecord {
    let changes = record.changes.iter().filter(|change| change.path().starts_with(path));
    RevisionRecord {
        number: record.number,
        time: record.time,
        commit_id: record.commit_id,
        author: record.author.clone(),
        session: record.session.clone(),
        message: record.message.clone(),
        changes: changes.cloned().collect(),
        digest: record.digest,
    }
}

// JSON text has no line feeds, so it is one line of data.
fn named(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

fn failure(error: Error, shows: &dyn Presentation) -> String {
    let limits = &Limits::default();
    let at = At { method: &Method::GET, path: "/boxwood/v1/watch", rights: None, limits };
    named("error", &refusal(&error.into(), &at, shows))
}
