//! The one table of settings. A new setting is an entry here and a field in
//! [`Settings`]; `make generated` then rewrites the two files that list them.

use std::path::PathBuf;
use std::time::Duration;

use super::ListenUrl;
use super::Settings;
use super::problem::Problem;
use super::source::{Origin, Raw};
use super::value::{LogFormat, TransactionMode};
use crate::telemetry;

/// All there is to know of a setting.
#[derive(Debug)]
pub struct Setting {
    /// The dotted name; what precedes the dot is the table in the TOML file.
    pub name: &'static str,
    /// The value when nobody gives one.
    pub default: Preset,
    /// One sentence saying what it is for.
    pub about: &'static str,
    /// What it may be, and where it goes.
    takes: Takes,
}

/// A default, as the text one would give in the environment.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// The same for all commands.
    Same(&'static str),
    /// Different per command.
    PerMode {
        /// For `boxwood serve`.
        serve: &'static str,
        /// For `boxwood dev`.
        dev: &'static str,
    },
}

/// The type of a setting, together with the assignment to its field.
#[derive(Debug)]
enum Takes {
    /// Text with rules of its own; the refusal is a clause beginning with "it".
    Text { accepted: &'static str, put: fn(&mut Settings, &str) -> Result<(), String> },
    /// A word out of a list.
    Word { words: fn() -> Vec<&'static str>, put: fn(&mut Settings, &str) -> bool },
    /// True or false.
    Switch(fn(&mut Settings, bool)),
    /// A whole number.
    Count { from: u64, to: u64, put: fn(&mut Settings, u64) },
    /// A time in seconds, which may have a fraction.
    Seconds { from: f64, to: f64, put: fn(&mut Settings, Duration) },
    /// A path; empty is none.
    File { put: fn(&mut Settings, Option<PathBuf>) },
    /// Listeners.
    Listeners(fn(&mut Settings, Vec<ListenUrl>)),
}

/// Every setting: those without a table first, as TOML wants it.
pub static REGISTRY: &[Setting] = &[
    Setting {
        name: "listen",
        default: Preset::Same("https://127.0.0.1:8443"),
        about: "Where connections are accepted; port 0 is any free port.",
        takes: Takes::Listeners(|s, value| s.listen = value),
    },
    Setting {
        name: "data_dir",
        default: Preset::PerMode { serve: "/var/lib/boxwood", dev: "" },
        about: "The directory that holds all state; empty, in dev only, is a temporary one that is \
                removed at exit.",
        takes: Takes::File { put: |s, value| s.data_dir = value },
    },
    Setting {
        name: "appliance",
        default: Preset::Same("sps-6.2"),
        about: "The appliance to emulate: the name of a catalog that is built in.",
        takes: Takes::Text {
            accepted: "the name of a built-in catalog, such as sps-6.2",
            put: |s, text| built_in(text).map(|()| s.appliance = text.to_owned()),
        },
    },
    Setting {
        name: "catalog",
        default: Preset::Same(""),
        about: "The directory of a catalog of your own, in the place of a built-in one; \
                docs/CATALOG.md teaches writing one.",
        takes: Takes::File { put: |s, value| s.catalog = value },
    },
    Setting {
        name: "insecure_http",
        default: Preset::Same("false"),
        about: "Allow plain http on addresses that other machines can reach.",
        takes: Takes::Switch(|s, value| s.insecure_http = value),
    },
    Setting {
        name: "log.filter",
        default: Preset::Same("info"),
        about: "Which events are logged: a level, or levels by module as in \
                warn,transaction_engine=debug.",
        takes: Takes::Text {
            accepted: "error, warn, info, debug, trace or off, or directives such as \
                       warn,transaction_engine=debug",
            put: |s, text| telemetry::check_filter(text).map(|()| s.log.filter = text.to_owned()),
        },
    },
    Setting {
        name: "log.format",
        default: Preset::Same("auto"),
        about: "How events are logged; auto is human on a terminal and json otherwise.",
        takes: Takes::Word {
            words: || words(LogFormat::WORDS),
            put: |s, word| choose(LogFormat::WORDS, word, &mut s.log.format),
        },
    },
    Setting {
        name: "transactions.mode",
        default: Preset::Same("auto"),
        about: "One open transaction at a time, or many; auto is what the catalog says.",
        takes: Takes::Word {
            words: || words(TransactionMode::WORDS),
            put: |s, word| choose(TransactionMode::WORDS, word, &mut s.transactions.mode),
        },
    },
    Setting {
        name: "sps.lenient_commit",
        default: Preset::Same("false"),
        about: "Let PUT /api/transaction without a body commit, instead of refusing it.",
        takes: Takes::Switch(|s, value| s.sps.lenient_commit = value),
    },
    Setting {
        name: "sps.firmware_version",
        default: Preset::Same(""),
        about: "The firmware_version that /api/info shows; empty is what the catalog says.",
        takes: Takes::Text {
            accepted: "at most 64 printable characters",
            put: |s, text| printable(text).map(|value| s.sps.firmware_version = value),
        },
    },
    Setting {
        name: "sps.version",
        default: Preset::Same(""),
        about: "The version that /api/info shows; empty is what the catalog says.",
        takes: Takes::Text {
            accepted: "at most 64 printable characters",
            put: |s, text| printable(text).map(|value| s.sps.version = value),
        },
    },
    Setting {
        name: "limits.head_bytes",
        default: Preset::Same("65536"),
        about: "Largest request line and headers together.",
        // hyper's own buffer has at least 8192 bytes.
        takes: Takes::Count { from: 8192, to: 1 << 20, put: |s, n| s.limits.head_bytes = size(n) },
    },
    Setting {
        name: "limits.headers",
        default: Preset::Same("64"),
        about: "Most header lines in a request.",
        takes: Takes::Count { from: 8, to: 1024, put: |s, n| s.limits.headers = size(n) },
    },
    Setting {
        name: "limits.body_bytes",
        default: Preset::Same("10485760"),
        about: "Largest request body.",
        takes: Takes::Count { from: 64, to: 1 << 30, put: |s, n| s.limits.body_bytes = size(n) },
    },
    Setting {
        name: "limits.import_bytes",
        default: Preset::Same("268435456"),
        about: "Largest document that POST /boxwood/v1/import takes.",
        takes: Takes::Count { from: 64, to: 1 << 34, put: |s, n| s.limits.import_bytes = size(n) },
    },
    Setting {
        name: "limits.json_depth",
        default: Preset::Same("64"),
        about: "Most JSON arrays and objects inside one another.",
        // From 128 on the JSON parser refuses by itself, with a less helpful sentence.
        takes: Takes::Count { from: 8, to: 127, put: |s, n| s.limits.json_depth = size(n) },
    },
    Setting {
        name: "limits.header_seconds",
        default: Preset::Same("10"),
        about: "Time for the head of a request to arrive.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.limits.header_time = t },
    },
    Setting {
        name: "limits.body_seconds",
        default: Preset::Same("30"),
        about: "Time for the body of a request to arrive.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.limits.body_time = t },
    },
    Setting {
        name: "limits.tls_seconds",
        default: Preset::Same("5"),
        about: "Time for a TLS handshake.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.limits.tls_time = t },
    },
    Setting {
        name: "limits.connections",
        default: Preset::Same("512"),
        about: "Most connections open at once.",
        takes: Takes::Count { from: 1, to: 100_000, put: |s, n| s.limits.connections = size(n) },
    },
    Setting {
        name: "limits.connections_per_address",
        default: Preset::Same("256"),
        about: "Most connections open at once from one address.",
        takes: Takes::Count {
            from: 1,
            to: 100_000,
            put: |s, n| s.limits.connections_per_address = size(n),
        },
    },
    Setting {
        name: "limits.drain_seconds",
        default: Preset::Same("5"),
        about: "Time for running requests to end when the daemon stops.",
        takes: Takes::Seconds { from: 0.0, to: 600.0, put: |s, t| s.limits.drain_time = t },
    },
    Setting {
        name: "limits.sessions",
        default: Preset::Same("10000"),
        about: "Most sessions alive at once.",
        takes: Takes::Count { from: 1, to: 10_000_000, put: |s, n| s.limits.sessions = size(n) },
    },
    Setting {
        name: "limits.transaction_changes",
        default: Preset::Same("1000000"),
        about: "Most changes in one transaction.",
        takes: Takes::Count {
            from: 1,
            to: 100_000_000,
            put: |s, n| s.limits.transaction_changes = size(n),
        },
    },
    Setting {
        name: "limits.http2_streams",
        default: Preset::Same("64"),
        about: "Most requests at once on one HTTP/2 connection.",
        takes: Takes::Count { from: 1, to: 10_000, put: |s, n| s.limits.http2_streams = small(n) },
    },
    Setting {
        name: "login.failures",
        default: Preset::Same("10"),
        about: "Failed logins, within login.window_seconds, that block an address and user.",
        takes: Takes::Count { from: 1, to: 1_000_000, put: |s, n| s.login.failures = small(n) },
    },
    Setting {
        name: "login.window_seconds",
        default: Preset::Same("60"),
        about: "The time over which failed logins are counted.",
        takes: Takes::Seconds { from: 0.05, to: 86_400.0, put: |s, t| s.login.window = t },
    },
    Setting {
        name: "login.block_seconds",
        default: Preset::Same("300"),
        about: "How long an address and user stay blocked.",
        takes: Takes::Seconds { from: 0.05, to: 86_400.0, put: |s, t| s.login.block = t },
    },
    Setting {
        name: "login.idle_seconds",
        default: Preset::Same("0"),
        about: "When an unused session ends; 0 leaves it to management/webinterface.timeout.",
        takes: Takes::Seconds {
            from: 0.0,
            to: 604_800.0,
            put: |s, t| s.login.idle = (!t.is_zero()).then_some(t),
        },
    },
    Setting {
        name: "tls.certificate",
        default: Preset::Same(""),
        about: "PEM file with the certificate to serve, and its chain; empty is a certificate \
                generated at first start.",
        takes: Takes::File { put: |s, value| s.tls_given.certificate = value },
    },
    Setting {
        name: "tls.private_key",
        default: Preset::Same(""),
        about: "PEM file with the private key of tls.certificate.",
        takes: Takes::File { put: |s, value| s.tls_given.private_key = value },
    },
    Setting {
        name: "secrets.key_file",
        default: Preset::Same(""),
        about: "The file with the key that seals secrets, made at first start; empty is secret.key \
                in the data directory.",
        takes: Takes::File { put: |s, value| s.secrets.key_file = value },
    },
    Setting {
        name: "store.cache_bytes",
        default: Preset::Same("67108864"),
        about: "Memory for the cache of the store.",
        takes: Takes::Count { from: 1 << 20, to: 1 << 40, put: |s, n| s.store.cache_bytes = n },
    },
    Setting {
        name: "store.checkpoint_revisions",
        default: Preset::Same("1000"),
        about: "A checkpoint of the whole tree is written after so many revisions.",
        takes: Takes::Count {
            from: 1,
            to: 1_000_000,
            put: |s, n| s.store.checkpoint_revisions = n,
        },
    },
    Setting {
        name: "history.keep_revisions",
        default: Preset::Same("10000"),
        about: "So many revisions are kept at least; a tag keeps its revision and all after it.",
        takes: Takes::Count {
            from: 1,
            to: 1_000_000_000,
            put: |s, n| s.history.keep_revisions = n,
        },
    },
    Setting {
        name: "history.keep_days",
        default: Preset::Same("0"),
        about: "Revisions older than so many days go although they are fewer; 0 is no such limit.",
        takes: Takes::Count { from: 0, to: 36_500, put: |s, n| s.history.keep_days = n },
    },
    Setting {
        name: "history.idempotency_seconds",
        default: Preset::Same("86400"),
        about: "How long the answer of a commit with an Idempotency-Key is kept for a retry.",
        takes: Takes::Seconds {
            from: 1.0,
            to: 31_536_000.0,
            put: |s, t| s.history.idempotency = t,
        },
    },
];

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    REGISTRY.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// What it may be, as an ending of "it takes ...".
    pub fn accepted(&self) -> String {
        match &self.takes {
            Takes::Text { accepted, .. } => (*accepted).to_owned(),
            Takes::Word { words, .. } => format!("one of {}", words().join(", ")),
            Takes::Switch(_) => "true or false".to_owned(),
            Takes::Count { from, to, .. } => format!("a whole number from {from} to {to}"),
            Takes::Seconds { from, to, .. } => format!("seconds from {from} to {to}"),
            Takes::File { .. } => "a path".to_owned(),
            Takes::Listeners(_) => {
                "a list of https://ADDRESS:PORT or http://ADDRESS:PORT".to_owned()
            }
        }
    }

    /// The spelled value in the syntax of TOML.
    pub(super) fn to_toml(&self, spelled: &str) -> String {
        match &self.takes {
            Takes::Switch(_) | Takes::Count { .. } | Takes::Seconds { .. } => spelled.to_owned(),
            Takes::Text { .. } | Takes::Word { .. } | Takes::File { .. } => format!("{spelled:?}"),
            Takes::Listeners(_) => {
                let urls: Vec<String> = spelled.split(',').map(|url| format!("{url:?}")).collect();
                format!("[{}]", urls.join(", "))
            }
        }
    }

    /// Parses the value and puts it in its field, or says why not.
    pub(super) fn apply(
        &self,
        settings: &mut Settings,
        raw: &Raw,
        origin: &Origin,
    ) -> Vec<Problem> {
        let refusal = |value: &dyn std::fmt::Display, why: Option<String>| {
            let (name, accepted) = (self.name, self.accepted());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!("`{name}` cannot be {value}{why}; it takes {accepted}");
            Problem::new(name, origin.clone(), message)
        };
        let wrong = |why: Option<String>| vec![refusal(raw, why)];
        match &self.takes {
            Takes::Text { put, .. } => match text(raw).map(|text| put(settings, text)) {
                Some(Ok(())) => Vec::new(),
                Some(Err(why)) => wrong(Some(why)),
                None => wrong(None),
            },
            Takes::Word { put, .. } => match text(raw) {
                Some(text) if put(settings, text) => Vec::new(),
                _ => wrong(None),
            },
            Takes::Switch(put) => match switch(raw) {
                Some(value) => {
                    put(settings, value);
                    Vec::new()
                }
                None => wrong(None),
            },
            Takes::Count { from, to, put } => match count(raw) {
                Some(number) if (*from..=*to).contains(&number) => {
                    put(settings, number);
                    Vec::new()
                }
                _ => wrong(None),
            },
            Takes::Seconds { from, to, put } => match seconds(raw) {
                Some(number) if (*from..=*to).contains(&number) => {
                    put(settings, Duration::from_secs_f64(number));
                    Vec::new()
                }
                _ => wrong(None),
            },
            Takes::File { put } => match text(raw) {
                // Somebody pasted the content of the file: it is not repeated, it may be a key.
                Some(text) if text.contains("-----BEGIN") || text.contains(char::is_control) => {
                    let message = format!("`{}` is the path of a file, not its content", self.name);
                    vec![Problem::new(self.name, origin.clone(), message)]
                }
                Some(text) => {
                    put(settings, (!text.is_empty()).then(|| PathBuf::from(text)));
                    Vec::new()
                }
                None => wrong(None),
            },
            Takes::Listeners(put) => {
                let texts: Option<Vec<&str>> = match raw {
                    Raw::Spelled(text) => Some(text.split(',').map(str::trim).collect()),
                    Raw::List(items) => items.iter().map(text).collect(),
                    _ => None,
                };
                let Some(texts) = texts else { return wrong(None) };
                if texts.is_empty() {
                    return vec![refusal(&"empty", None)];
                }
                let (mut urls, mut problems) = (Vec::new(), Vec::new());
                for text in texts {
                    match text.parse::<ListenUrl>() {
                        Ok(url) => urls.push(url),
                        Err(why) => {
                            let why = format!("it {}", why.fault());
                            problems.push(refusal(&Raw::Text(text.to_owned()), Some(why)));
                        }
                    }
                }
                if problems.is_empty() {
                    put(settings, urls);
                }
                problems
            }
        }
    }
}

// ===== from raw values to plain ones =====

fn text(raw: &Raw) -> Option<&str> {
    match raw {
        Raw::Spelled(text) | Raw::Text(text) => Some(text),
        _ => None,
    }
}

fn switch(raw: &Raw) -> Option<bool> {
    match raw {
        Raw::Switch(value) => Some(*value),
        Raw::Spelled(text) => text.parse().ok(),
        _ => None,
    }
}

fn count(raw: &Raw) -> Option<u64> {
    match raw {
        Raw::Integer(digits, radix) => u64::from_str_radix(digits, *radix).ok(),
        Raw::Spelled(text) => text.parse().ok(),
        _ => None,
    }
}

fn seconds(raw: &Raw) -> Option<f64> {
    match raw {
        Raw::Integer(digits, 10) | Raw::Float(digits) | Raw::Spelled(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// Whether the word is in the list; its meaning goes to the field.
fn choose<T: Copy>(list: &[(&str, T)], word: &str, field: &mut T) -> bool {
    let found = list.iter().find(|(known, _)| *known == word);
    if let Some((_, value)) = found {
        *field = *value;
    }
    found.is_some()
}

fn words<T>(list: &[(&'static str, T)]) -> Vec<&'static str> {
    list.iter().map(|(word, _)| *word).collect()
}

/// A text to show; empty is none.
fn printable(text: &str) -> Result<Option<String>, String> {
    match text.chars().count() {
        0 => Ok(None),
        1..=64 if !text.contains(char::is_control) => Ok(Some(text.to_owned())),
        _ => Err("it is too long or has control characters".to_owned()),
    }
}

fn built_in(name: &str) -> Result<(), String> {
    let known = catalog::Catalog::builtin_names();
    if known.contains(&name) {
        return Ok(());
    }
    Err(format!("it is none of {}", known.join(", ")))
}

/// The ranges above keep every count within the type; the limit is for a range widened carelessly.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
