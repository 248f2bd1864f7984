//! `/api/audit`: searches in recorded sessions. This appliance records none, so those that there are
//! come from a file.

mod expression;
mod records;
mod search;

use hyper::header::HeaderValue;
use hyper::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::Call;
use crate::answer::Answer;
use crate::failure::{Failure, Place};
use crate::http_path::encoded;

pub use records::AuditError;
use records::Record;
pub(super) use records::Records;
use search::Search;

const SESSIONS: &str = "/api/audit/sessions";
const USERS: &str = "/api/audit/users";

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

/// A resource of the searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audit {
    /// `/api/audit/sessions`
    Sessions,
    /// `/api/audit/sessions/_count`
    Count,
    /// `/api/audit/sessions/_snapshot`
    Snapshot,
    /// `/api/audit/sessions/ID`
    Session(String),
    /// `/api/audit/sessions/ID/channels`
    Channels(String),
    /// `/api/audit/sessions/ID/channels/CHANNEL`
    Channel(String, String),
    /// `/api/audit/users`
    Users,
}

impl Audit {
    /// Reads the segments behind `/api/audit`.
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["sessions"] => Self::Sessions,
            ["sessions", "_count"] => Self::Count,
            ["sessions", "_snapshot"] => Self::Snapshot,
            ["sessions", key] => Self::Session((*key).to_owned()),
            ["sessions", key, "channels"] => Self::Channels((*key).to_owned()),
            ["sessions", key, "channels", channel] => {
                Self::Channel((*key).to_owned(), (*channel).to_owned())
            }
            ["users"] => Self::Users,
            _ => return None,
        })
    }

    /// Its name in logs and metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sessions => "audit_sessions",
            Self::Count => "audit_count",
            Self::Snapshot => "audit_snapshot",
            Self::Session(_) => "audit_session",
            Self::Channels(_) => "audit_channels",
            Self::Channel(..) => "audit_channel",
            Self::Users => "audit_users",
        }
    }
}

impl Call<'_> {
    /// Whether there is such a record.
    pub(super) fn is_recorded(&self, what: &Audit) -> bool {
        match what {
            Audit::Session(key) | Audit::Channels(key) => self.recorded(key).is_some(),
            Audit::Channel(key, channel) => self.channel(key, channel).is_some(),
            _ => true,
        }
    }

    /// Answers a search, or shows a record.
    pub(super) fn audit(&self, what: &Audit) -> Result<Answer, Failure> {
        let nothing = || Failure::NotFound(Place::Request);
        let records = &self.sps.records;
        match what {
            Audit::Sessions => self.listing(SESSIONS, "/api/audit", &records.sessions),
            Audit::Count => {
                let search = Search::read(self.head.uri.query(), &records.snapshot)?;
                let count = search.found(&records.sessions).len();
                let meta = self.meta("/api/audit/sessions/_count", SESSIONS);
                Ok(Answer::document(&json!({ "count": count, "meta": meta })))
            }
            Audit::Snapshot => {
                let meta = self.meta("/api/audit/sessions/_snapshot", SESSIONS);
                let body = json!({ "snapshot": records.snapshot });
                Ok(Answer::document(&json!({ "body": body, "key": "_snapshot", "meta": meta })))
            }
            Audit::Session(key) => {
                let record = self.recorded(key).ok_or_else(nothing)?;
                Ok(self.record(SESSIONS, record))
            }
            Audit::Channels(key) => {
                let record = self.recorded(key).ok_or_else(nothing)?;
                let session = format!("{SESSIONS}/{}", encoded(key));
                self.listing(&format!("{session}/channels"), &session, &record.channels)
            }
            Audit::Channel(key, channel) => {
                let record = self.channel(key, channel).ok_or_else(nothing)?;
                Ok(self.record(&format!("{SESSIONS}/{}/channels", encoded(key)), record))
            }
            Audit::Users => self.listing(USERS, "/api/audit", &users(&records.sessions)),
        }
    }

    fn recorded(&self, key: &str) -> Option<&Record> {
        self.sps.records.sessions.iter().find(|record| record.key == key)
    }

    fn channel(&self, key: &str, channel: &str) -> Option<&Record> {
        self.recorded(key)?.channels.iter().find(|record| record.key == channel)
    }

    fn record(&self, parent: &str, record: &Record) -> Answer {
        let href = format!("{parent}/{}", encoded(&record.key));
        let meta = self.meta(&href, parent);
        Answer::document(&json!({ "body": record.body, "key": record.key, "meta": meta }))
    }

    fn listing(&self, href: &str, parent: &str, records: &[Record]) -> Result<Answer, Failure> {
        let search = Search::read(self.head.uri.query(), &self.sps.records.snapshot)?;
        let found = search.found(records);
        let page = search.page(&found);
        if self.wants_csv() {
            return Ok(Answer::bytes(StatusCode::OK, CSV, search.csv(page))
                .header(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"))
                .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
        }
        let item = |record: &&Record| {
            json!({
                "body": search.shown(&record.body),
                "key": record.key,
                "meta": { "href": format!("{href}/{}", encoded(&record.key)) },
            })
        };
        let items: Vec<Value> = page.iter().map(item).collect();
        let mut meta = self.meta(href, parent);
        meta["match_count"] = json!(found.len());
        for (name, offset) in search.pages(found.len()) {
            meta[name] = json!(offset.map(|offset| search.link(href, offset)));
        }
        Ok(Answer::document(&json!({ "items": items, "meta": meta })))
    }

    fn wants_csv(&self) -> bool {
        let accepted = self.head.headers.get(header::ACCEPT);
        accepted.is_some_and(|accepted| accepted.as_bytes().starts_with(b"text/csv"))
    }
}

// The users of the sessions, each once.
fn users(sessions: &[Record]) -> Vec<Record> {
    let mut counted: Map<String, Value> = Map::new();
    let names = sessions.iter().filter_map(|session| {
        let user = session.body.pointer("/user/name").or_else(|| session.body.get("user.name"));
        user.and_then(Value::as_str)
    });
    for name in names.filter(|name| !name.is_empty() && !name.contains('/')) {
        let count = counted.get(name).and_then(Value::as_u64).unwrap_or(0);
        counted.insert(name.to_owned(), json!(count + 1));
    }
    let record = |(name, count): (String, Value)| Record {
        body: json!({ "name": name, "sessions": count }),
        key: name,
        channels: Vec::new(),
    };
    counted.into_iter().map(record).collect()
}
