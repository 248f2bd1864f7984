//! Clients that commit until the daemon is gone, and remember what they were told.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Client, RequestBuilder, Response, Server, Signal};

use crate::luck::{Luck, timed};

const MANAGEMENT: &str = "/api/configuration/management";

/// What several clients did since the start of a daemon, for whoever chooses the moment to kill.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Commits that were sent.
    pub(crate) sent: AtomicU64,
    /// Commits that were answered.
    pub(crate) acknowledged: AtomicU64,
    /// How long the last commit took, in microseconds.
    pub(crate) commit_micros: AtomicU64,
    /// From now on it is no fault when there is no answer.
    pub(crate) killed: AtomicBool,
}

/// A daemon under writers. It is killed when its test fails, as they would go on for ever.
pub(crate) struct Watched<'a> {
    pub(crate) server: &'a mut Server,
    pub(crate) progress: &'a Progress,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.progress.killed.store(true, Ordering::SeqCst);
            self.server.signal(Signal::KILL);
        }
    }
}

/// A part of the configuration, of which a writer has some to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Health,
    Disk,
    Mail,
    Trap,
    Syslog,
    Web,
}

pub(crate) const ALL: &[Part] =
    &[Part::Health, Part::Disk, Part::Mail, Part::Trap, Part::Syslog, Part::Web];

/// Bodies by paths, as GET shows them.
type Bodies = BTreeMap<String, Value>;

/// One client: the only one that changes its parts.
#[derive(Debug)]
pub(crate) struct Writer {
    parts: Vec<Part>,
    explicit_open: bool,
    luck: Luck,
    /// By what its commits are recognised when they are sent again.
    key: u64,
    /// How long the bodies are that may have any length; of some random length else.
    padding: Option<usize>,
    /// The number of the last commit that was tried; it is somewhere in each body.
    number: u64,
    /// The number of the last commit that is there, as far as that is known.
    there: Option<u64>,
    /// What the last acknowledged commit set.
    pub(crate) acknowledged: Bodies,
    /// What a commit set that was sent and not answered.
    pub(crate) in_doubt: Option<Bodies>,
    /// Acknowledged commits.
    pub(crate) commits: u64,
}

impl Writer {
    pub(crate) fn new(parts: &[Part], explicit_open: bool, luck: &mut Luck) -> Writer {
        Writer {
            parts: parts.to_vec(),
            explicit_open,
            luck: Luck::seeded(luck.next()),
            key: luck.next(),
            padding: None,
            number: 0,
            there: None,
            acknowledged: Bodies::new(),
            in_doubt: None,
            commits: 0,
        }
    }

    /// With bodies of this length, where a body may have any.
    pub(crate) fn padded(self, bytes: usize) -> Writer {
        Writer { padding: Some(bytes), ..self }
    }

    /// Commits until there is no answer.
    ///
    /// # Panics
    ///
    /// When there is none although nobody killed the daemon, and at every refusal.
    pub(crate) fn run(&mut self, mut client: Client, progress: &Progress) {
        let mut outcome = Ok(());
        while outcome.is_ok() {
            outcome = self.commit(&mut client, progress);
        }
        if let Err(why) = outcome {
            let killed = progress.killed.load(Ordering::SeqCst);
            assert!(killed, "no answer from a daemon that nobody killed: {why}");
        }
    }

    /// One commit. An error is a missing answer.
    pub(crate) fn commit(&mut self, client: &mut Client, progress: &Progress) -> io::Result<()> {
        assert_eq!(self.in_doubt, None, "what became of the last commit is known by now");
        self.number += 1;
        if self.explicit_open {
            answer(client.request("POST", "/api/transaction"), 200)?;
        }
        let mut bodies = Bodies::new();
        for part in &self.parts {
            // From a part of a chunk of the store to many of them.
            let padding = self.padding.unwrap_or_else(|| 1 << self.luck.below(17));
            let (path, body) = part.stage(client, self.number, padding)?;
            bodies.insert(path, body);
        }
        progress.sent.fetch_add(1, Ordering::SeqCst);
        let (outcome, taken) = timed(|| answer(self.command(client, self.number), 200));
        match outcome {
            Ok(_) => {
                self.acknowledged = bodies;
                self.there = Some(self.number);
                self.commits += 1;
                progress.commit_micros.store(taken.as_micros() as u64, Ordering::SeqCst);
                progress.acknowledged.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            Err(why) => {
                self.in_doubt = Some(bodies);
                Err(why)
            }
        }
    }

    fn command<'a>(&self, client: &'a mut Client, number: u64) -> RequestBuilder<'a> {
        // No other writer has this one.
        let key = format!("commit {number} of {}", self.key);
        let command = json!({ "status": "commit", "message": format!("commit {number}") });
        client.request("PUT", "/api/transaction").header("Idempotency-Key", &key).json(&command)
    }

    /// Sends the last commit that is there once more, as one who got no answer would: it is
    /// answered as before, and not made again.
    pub(crate) fn ask_again(&self, client: &mut Client) {
        if let Some(number) = self.there {
            let before = crate::tree::revision(client);
            self.command(client, number).send().expect(200);
            assert_eq!(crate::tree::revision(client), before, "a commit was made twice");
        }
    }

    /// Compares what was acknowledged with what is there after a restart: all of it, or all of the
    /// commit in doubt instead. Returns whether that one was there.
    ///
    /// # Panics
    ///
    /// When it is neither.
    pub(crate) fn settle(&mut self, tree: &crate::tree::Tree) -> bool {
        let doubted = self.in_doubt.take();
        let is_there = |bodies: &Bodies| bodies.iter().all(|(path, body)| tree.body(path) == body);
        if let Some(doubted) = doubted {
            if is_there(&doubted) {
                self.acknowledged = doubted;
                self.there = Some(self.number);
                return true;
            }
            assert!(
                is_there(&self.acknowledged),
                "a commit is there by halves\nbefore: {:#?}\nin doubt: {doubted:#?}\nfound: {:#?}",
                self.acknowledged,
                tree.bodies,
            );
        } else {
            assert!(
                is_there(&self.acknowledged),
                "an acknowledged commit is lost: {:#?}\nfound: {:#?}",
                self.acknowledged,
                tree.bodies,
            );
        }
        false
    }
}

impl Progress {
    /// About as long as a commit takes.
    pub(crate) fn commit_time(&self) -> Duration {
        Duration::from_micros(self.commit_micros.load(Ordering::SeqCst).clamp(200, 20_000))
    }
}

impl Part {
    pub(crate) fn path(self) -> String {
        let name = match self {
            Part::Health => "health_monitoring",
            Part::Disk => "disk_fillup_prevention",
            Part::Mail => "email",
            Part::Trap => "snmp/trap",
            Part::Syslog => "syslog",
            Part::Web => "webinterface",
        };
        format!("{MANAGEMENT}/{name}")
    }

    /// Stages a body with `number` in it, as long as that if it may be, and returns its path and how it must be shown.
    fn stage(
        self,
        client: &mut Client,
        number: u64,
        padding: usize,
    ) -> io::Result<(String, Value)> {
        let body = match self {
            Part::Health => json!({
                "maximum_disk_utilization_ratio": number % 101,
                "maximum_load1": number,
                "maximum_load5": number,
                "maximum_load15": number,
                "maximum_swap_utilization_ratio": null,
            }),
            Part::Disk => json!({
                "archiving_enabled": number.is_multiple_of(2),
                "enabled": true,
                "used_space_ratio_limit": number % 101,
            }),
            Part::Web => json!({ "timeout": 100 + number % 600 }),
            Part::Syslog => json!({
                "number": number,
                "padding": "x".repeat(padding),
                "servers": [{ "port": 514, "protocol": "tcp" }],
            }),
            Part::Mail => json!({
                "admin_address": format!("admin-{number}@example.com"),
                "alerting_address": null,
                "reporting_address": null,
                "sender_address": format!("sender-{number}@example.com"),
                "smtp_auth": {
                    "enabled": true,
                    "password": password(client, number)?,
                    "username": format!("user {number}"),
                },
                "smtp_encryption": { "selection": "disabled" },
                "smtp_server": { "selection": "fqdn", "value": format!("mx{number}.example.com") },
            }),
            Part::Trap => json!({
                "enabled": true,
                "version": {
                    "selection": "3",
                    "value": {
                        "auth_method": "sha1",
                        "auth_password": password(client, number)?,
                        "encryption_method": "aes",
                        "encryption_password": password(client, number)?,
                        "engine_id": format!("0x{number:016X}"),
                        "server": { "selection": "ip", "value": "192.0.2.40" },
                        "username": format!("user {number}"),
                    },
                },
            }),
        };
        let path = self.path();
        let shown = answer(client.request("PUT", &path).json(&body), 200)?.at("/body");
        assert_eq!(shown, body, "the staged {path} is another than was sent");
        Ok((path, body))
    }
}

/// Stages a new secret, and returns the reference to it as it is shown.
fn password(client: &mut Client, number: u64) -> io::Result<Value> {
    const PASSWORDS: &str = "/api/configuration/passwords";
    let body = json!({ "plain": format!("secret number {number}") });
    let made = answer(client.request("POST", PASSWORDS).json(&body), 201)?;
    let key = made.at("/key");
    let href = format!("{PASSWORDS}/{}", key.as_str().expect("a key is a text"));
    Ok(json!({ "key": key, "meta": { "href": href } }))
}

/// The answer, which has this status; an error is a missing answer.
fn answer(request: RequestBuilder<'_>, status: u16) -> io::Result<Response> {
    Ok(request.try_send()?.expect(status))
}
