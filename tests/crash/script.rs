//! A fixed sequence of commits, tags and confirmations, and what may be there after any part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::{Value, json};
use support::{Client, RequestBuilder, Response};

const MANAGEMENT: &str = "/api/configuration/management";
const TAG: &str = "/boxwood/v1/tags/kept";

/// The key of the commits that have one: they write an answer beside the revision.
const KEY: &str = "Idempotency-Key";

/// One thing that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A commit of several nodes, with a text of so many bytes in one of them.
    Commit { bytes: usize, secret: bool, awaits: bool },
    /// What awaits its confirmation gets it.
    Confirm,
    /// The newest revision gets a name.
    Tag,
    /// The name is taken away.
    Untag,
}

/// What can be told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) revision: u64,
    /// The number of the commit that was the last one; 0 for the defaults.
    pub(crate) commit: u64,
    /// The revision that has the name.
    pub(crate) tagged: Option<u64>,
    pub(crate) awaits: bool,
}

/// What there may be: nothing at all before the first start, one state when all is answered, and
/// the next one too while a request is not.
pub(crate) type Possible = BTreeSet<Option<State>>;

/// What a client knows.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) possible: Possible,
    /// The same at each position of the trace from which on it was so.
    pub(crate) moments: Vec<(u64, Possible)>,
    /// The sizes of the texts, by the numbers of the commits.
    pub(crate) sizes: BTreeMap<u64, usize>,
    /// The digests of revisions, as far as they were asked for.
    pub(crate) digests: BTreeMap<u64, String>,
    /// Whether they are asked for.
    pub(crate) asks_digests: bool,
    commits: u64,
    token: String,
}

/// What became of a step.
#[derive(Debug)]
pub(crate) enum Outcome {
    Acknowledged,
    Refused(Response),
    /// There was no answer.
    Lost(io::Error),
}

/// The least that a commit can be.
pub(crate) const SMALL: Step = Step::Commit { bytes: 7, secret: false, awaits: false };

const fn large(bytes: usize) -> Step {
    Step::Commit { bytes, secret: false, awaits: false }
}

/// What is done between the first start and the first stop. Checkpoints are written, and the
/// first revisions forgotten, beside it.
pub(crate) const FIRST: &[Step] = &[
    SMALL,
    large(20_000),
    Step::Tag,
    Step::Commit { bytes: 1, secret: true, awaits: false },
    Step::Commit { bytes: 3000, secret: false, awaits: true },
    Step::Confirm,
    large(60_000),
    Step::Untag,
    SMALL,
    SMALL,
    SMALL,
];

/// What is done after it.
pub(crate) const SECOND: &[Step] =
    &[SMALL, Step::Commit { bytes: 100_000, secret: true, awaits: false }, Step::Tag];

impl Ledger {
    pub(crate) fn new() -> Ledger {
        let possible = Possible::from([None]);
        Ledger {
            moments: vec![(0, possible.clone())],
            possible,
            sizes: BTreeMap::from([(0, 0)]),
            digests: BTreeMap::new(),
            asks_digests: false,
            commits: 0,
            token: String::new(),
        }
    }

    /// The same client before a medium of which this is known.
    pub(crate) fn anew(&self, possible: Possible) -> Ledger {
        let (sizes, commits) = (self.sizes.clone(), self.commits);
        Ledger { possible, sizes, commits, ..Ledger::new() }
    }

    /// The first start commits the defaults.
    pub(crate) fn starts(&mut self, at: u64) {
        if self.possible.contains(&None) {
            let made = State { revision: 1, commit: 0, tagged: None, awaits: false };
            self.possible.insert(Some(made));
            self.moments.push((at, self.possible.clone()));
        }
    }

    /// This is there, and durable.
    ///
    /// # Panics
    ///
    /// When it may not be.
    pub(crate) fn found(&mut self, at: u64, state: State) {
        assert!(self.possible.contains(&Some(state)), "{state:?}, not one of {:?}", self.possible);
        self.possible = Possible::from([Some(state)]);
        self.moments.push((at, self.possible.clone()));
    }

    /// Whether what awaits its confirmation can be confirmed.
    pub(crate) fn has_token(&self) -> bool {
        !self.token.is_empty()
    }

    /// What there may be on a medium that got everything up to a position of the trace, and perhaps
    /// some of what was not synced.
    pub(crate) fn at(&self, position: u64) -> &Possible {
        let begun = self.moments.partition_point(|(at, _)| *at <= position);
        &self.moments[begun - 1].1
    }

    /// Does a step. The position is asked for before it is sent and when it is answered.
    pub(crate) fn perform(
        &mut self,
        step: Step,
        client: &mut Client,
        position: impl Fn() -> u64,
    ) -> Outcome {
        let number = self.commits + 1;
        let mut tagged = None;
        let request = match step {
            Step::Commit { bytes, secret, awaits } => {
                self.commits = number;
                self.sizes.insert(number, bytes);
                if let Err(why) = stage(client, number, bytes, secret) {
                    return Outcome::Lost(why);
                }
                let mut body = json!({ "status": "commit", "message": format!("{number}") });
                if awaits {
                    body["confirm_within"] = json!(3600);
                }
                let request = client.request("PUT", "/api/transaction").json(&body);
                match number % 2 {
                    0 => request.header(KEY, &format!("key {number}")),
                    _ => request,
                }
            }
            Step::Confirm => client
                .request("POST", "/boxwood/v1/confirmation/confirm")
                .json(&json!({ "token": self.token })),
            Step::Tag => {
                // The one that runs; another one may be there, and not shown.
                let revision = self.possible.iter().flatten().map(|state| state.revision).min();
                tagged = revision;
                client.request("PUT", TAG).json(&json!({ "revision": revision }))
            }
            Step::Untag => client.request("DELETE", TAG),
        };

        let before = std::mem::take(&mut self.possible);
        let after: Possible =
            before.iter().flatten().map(|state| Some(state.after(step, number, tagged))).collect();
        // Whatever is written from here on may be it, up to its answer.
        self.moments.push((position(), before.union(&after).copied().collect()));
        let (possible, outcome) = match request.try_send() {
            Ok(answer) if answer.status == 200 => {
                if let Some(Value::String(token)) = answer.json().pointer("/confirmation/token") {
                    self.token.clone_from(token);
                }
                (after, Outcome::Acknowledged)
            }
            Ok(answer) => (&before | &after, Outcome::Refused(answer)),
            Err(why) => (&before | &after, Outcome::Lost(why)),
        };
        self.possible = possible;
        self.moments.push((position(), self.possible.clone()));
        if self.asks_digests && matches!(outcome, Outcome::Acknowledged) {
            self.ask_digest(client);
        }
        outcome
    }

    fn ask_digest(&mut self, client: &mut Client) {
        let newest = self.possible.iter().flatten().map(|state| state.revision).max();
        let newest = newest.unwrap_or_default();
        let path = format!("/boxwood/v1/revisions/{newest}");
        // The daemon may be killed before it answers; the next step finds out.
        let Ok(shown) = client.request("GET", &path).try_send() else { return };
        let shown = shown.expect(200);
        let digest = shown.at("/digest").as_str().unwrap_or_default().to_owned();
        self.digests.insert(newest, digest);
    }
}

impl State {
    fn after(self, step: Step, number: u64, tagged: Option<u64>) -> State {
        match step {
            Step::Commit { awaits, .. } => {
                State { revision: self.revision + 1, commit: number, awaits, ..self }
            }
            Step::Confirm => State { awaits: false, ..self },
            Step::Tag => State { tagged, ..self },
            Step::Untag => State { tagged: None, ..self },
        }
    }

    /// What a daemon shows.
    pub(crate) fn shown(client: &mut Client, sizes: &BTreeMap<u64, usize>) -> State {
        let health = client.get("/boxwood/v1/health").expect(200);
        let tag = client.get(TAG);
        let awaiting = client.get("/boxwood/v1/confirmation").expect(200);
        let body = |name: &str| client.get(&format!("{MANAGEMENT}/{name}")).expect(200).at("/body");
        State {
            revision: health.at("/revision").as_u64().unwrap_or_default(),
            commit: commit_of(body, sizes),
            tagged: (tag.status == 200).then(|| tag.at("/revision").as_u64().unwrap_or_default()),
            awaits: !awaiting.at("/awaiting").is_null(),
        }
    }
}

/// The commit that made what is there.
///
/// # Panics
///
/// When parts of it are of different commits.
pub(crate) fn commit_of(mut body: impl FnMut(&str) -> Value, sizes: &BTreeMap<u64, usize>) -> u64 {
    let syslog = body("syslog");
    let number = syslog["number"].as_u64().unwrap_or(0);
    let size = sizes.get(&number).unwrap_or_else(|| panic!("commit {number} was never sent"));
    let text = syslog["padding"].as_str().unwrap_or_default();
    assert!(text.len() == *size && text.bytes().all(|byte| byte == b'x'), "torn: {syslog}");
    let timeout = if number == 0 { 10 } else { 100 + number };
    assert_eq!(body("webinterface")["timeout"], timeout, "half of commit {number}");
    let load = if number == 0 { Value::Null } else { json!(number) };
    assert_eq!(body("health_monitoring")["maximum_load1"], load, "half of commit {number}");
    number
}

/// Stages everything that a commit changes. An error is a missing answer.
fn stage(client: &mut Client, number: u64, bytes: usize, secret: bool) -> io::Result<()> {
    // It may be open still, after a commit that was refused.
    let opened = client.request("POST", "/api/transaction").unchecked().try_send()?;
    assert!(matches!(opened.status, 200 | 409), "{opened}");
    let syslog = json!({
        "number": number,
        "padding": "x".repeat(bytes),
        "servers": [{ "port": 514, "protocol": "tcp" }],
    });
    let health = json!({
        "maximum_disk_utilization_ratio": null,
        "maximum_load1": number,
        "maximum_load5": null,
        "maximum_load15": null,
        "maximum_swap_utilization_ratio": null,
    });
    put(client, "syslog", &syslog)?;
    put(client, "webinterface", &json!({ "timeout": 100 + number }))?;
    put(client, "health_monitoring", &health)?;
    if secret {
        let body = trap(client, number)?;
        put(client, "snmp/trap", &body)?;
    }
    Ok(())
}

fn put(client: &mut Client, name: &str, body: &Value) -> io::Result<()> {
    answered(client.request("PUT", &format!("{MANAGEMENT}/{name}")).json(body), 200).map(drop)
}

fn answered(request: RequestBuilder<'_>, status: u16) -> io::Result<Response> {
    Ok(request.try_send()?.expect(status))
}

fn trap(client: &mut Client, number: u64) -> io::Result<Value> {
    const PASSWORDS: &str = "/api/configuration/passwords";
    let mut keys = Vec::new();
    for what in ["auth", "encryption"] {
        let body = json!({ "plain": format!("{what} secret {number}") });
        let key = answered(client.request("POST", PASSWORDS).json(&body), 201)?.at("/key");
        let href = format!("{PASSWORDS}/{}", key.as_str().unwrap_or_default());
        keys.push(json!({ "key": key, "meta": { "href": href } }));
    }
    Ok(json!({
        "enabled": true,
        "version": {
            "selection": "3",
            "value": {
                "auth_method": "sha1",
                "auth_password": keys[0],
                "encryption_method": "aes",
                "encryption_password": keys[1],
                "engine_id": "0x0000000000000001",
                "server": { "selection": "ip", "value": "192.0.2.40" },
                "username": format!("user {number}"),
            },
        },
    }))
}
