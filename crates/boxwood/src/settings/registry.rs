//! The one table of settings. A new setting is an entry here and a field in
//! [`Settings`]; `make generated` then rewrites the two files that list them.

use std::net::IpAddr;

use front_end::ProxyHeader;
use ipnet::IpNet;

use super::model::Settings;
use super::problem::Problem;
use super::raw::{Origin, Raw};
use super::takes::{RefusedNames, Takes, problems};
use super::value::{Mode, TransactionMode};
use crate::telemetry::{self, LogFormat};

/// Everything about one setting.
#[derive(Debug)]
pub struct Setting {
    /// The dotted name; what precedes the dot is the table in the TOML file.
    pub name: &'static str,
    /// The value where none is given.
    pub default: Preset,
    /// One sentence saying what it is for.
    pub about: &'static str,
    /// What it may be, and where it goes.
    takes: Takes<Settings>,
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
    /// Not a value of its own: what stands in for it, in words.
    Elsewhere(&'static str),
}

impl Preset {
    /// The default under the given command; `None` where it is not a value of its own.
    pub fn text(self, mode: Mode) -> Option<&'static str> {
        match (self, mode) {
            (Self::Same(text), _)
            | (Self::PerMode { serve: text, .. }, Mode::Serve)
            | (Self::PerMode { dev: text, .. }, Mode::Dev) => Some(text),
            (Self::Elsewhere(_), _) => None,
        }
    }

    /// The default, or both of them, for a reader.
    pub fn shown(self, none: &str) -> String {
        let shown = |text: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
        match self {
            Self::Same(text) | Self::Elsewhere(text) => shown(text),
            Self::PerMode { serve, dev } => format!("{}; in dev {}", shown(serve), shown(dev)),
        }
    }
}

/// Every setting: those without a table first, as TOML wants it.
pub static REGISTRY: &[Setting] = &[
    Setting {
        name: "listen",
        default: Preset::Same("https://127.0.0.1:8443"),
        about: "Addresses that accept connections for the first appliance; port 0 is any free port.",
        takes: Takes::Listeners(|s, value| s.listen = value),
    },
    Setting {
        name: "data_dir",
        default: Preset::PerMode { serve: "/var/lib/boxwood", dev: "" },
        about: "The directory that holds all state; empty, in dev only, is a temporary one that is \
                removed at exit.",
        takes: Takes::File(|s, value| s.data_dir = value),
    },
    Setting {
        name: "appliance",
        default: Preset::Same("sps-6.2"),
        about: "The appliance to emulate, or several; `appliances.NAME` has settings of each.",
        takes: Takes::Names(appliances),
    },
    Setting {
        name: "catalog",
        default: Preset::Same(""),
        about: "The directory of your own catalog, instead of a built-in one; see docs/CATALOG.md.",
        takes: Takes::File(|s, value| s.catalog = value),
    },
    Setting {
        name: "insecure_http",
        default: Preset::Same("false"),
        about: "Whether plain http is allowed on addresses that other machines can reach.",
        takes: Takes::Switch(|s, value| s.insecure_http = value),
    },
    Setting {
        name: "expose_dev",
        default: Preset::Same("false"),
        about: "Whether boxwood dev, whose login is known, may listen on addresses that other machines \
                can reach: for containers.",
        takes: Takes::Switch(|s, value| s.expose_dev = value),
    },
    Setting {
        name: "log.filter",
        default: Preset::Same("info"),
        about: "Events that are logged: a level, or levels by module as in \
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
        about: "Format of the log; auto is human on a terminal and json otherwise.",
        takes: Takes::Word {
            words: || words(LogFormat::WORDS),
            put: |s, word| choose(LogFormat::WORDS, word, &mut s.log.format),
        },
    },
    Setting {
        name: "log.file",
        default: Preset::Same(""),
        about: "The file that log lines are appended to, opened again on SIGHUP for rotation; empty is \
                standard error.",
        takes: Takes::File(|s, value| s.log.file = value),
    },
    Setting {
        name: "transactions.mode",
        default: Preset::Same("auto"),
        about: "One open transaction at a time, or many; auto follows the catalog.",
        takes: Takes::Word {
            words: || words(TransactionMode::WORDS),
            put: |s, word| choose(TransactionMode::WORDS, word, &mut s.transactions.mode),
        },
    },
    Setting {
        name: "sps.lenient_commit",
        default: Preset::Same("false"),
        about: "Whether PUT /api/transaction without a body commits instead of being refused.",
        takes: Takes::Switch(|s, value| s.sps.lenient_commit = value),
    },
    Setting {
        name: "sps.firmware_version",
        default: Preset::Same(""),
        about: "The firmware_version in /api/info; empty follows the catalog. Power BI takes 7.3 to 8.2.",
        takes: Takes::Text {
            accepted: "at most 64 printable characters",
            put: |s, text| printable(text).map(|value| s.sps.firmware_version = value),
        },
    },
    Setting {
        name: "sps.version",
        default: Preset::Same(""),
        about: "The version in /api/info; empty follows the catalog.",
        takes: Takes::Text {
            accepted: "at most 64 printable characters",
            put: |s, text| printable(text).map(|value| s.sps.version = value),
        },
    },
    Setting {
        name: "sps.x_token",
        default: Preset::Same("false"),
        about: "Whether browsers must send X-Token with what they change, as from SPS 7.5 on.",
        takes: Takes::Switch(|s, value| s.sps.x_token = value),
    },
    Setting {
        name: "sps.upload_bytes",
        default: Preset::Same("4294967296"),
        about: "Maximum size of an uploaded firmware or plugin, in bytes.",
        takes: Takes::Count { from: 1024, to: 1 << 40, put: |s, n| s.sps.upload_bytes = size(n) },
    },
    Setting {
        name: "sps.audit",
        default: Preset::Same(""),
        about: "JSON file with the sessions that /api/audit/sessions finds; empty is none.",
        takes: Takes::File(|s, value| s.sps.audit = value),
    },
    Setting {
        name: "limits.head_bytes",
        default: Preset::Same("65536"),
        about: "Maximum size of the request line and the headers together, in bytes.",
        // hyper's own buffer has at least 8192 bytes.
        takes: Takes::Count { from: 8192, to: 1 << 20, put: |s, n| s.limits.head_bytes = size(n) },
    },
    Setting {
        name: "limits.headers",
        default: Preset::Same("64"),
        about: "Maximum number of header lines in a request.",
        takes: Takes::Count { from: 8, to: 1024, put: |s, n| s.limits.headers = size(n) },
    },
    Setting {
        name: "limits.body_bytes",
        default: Preset::Same("10485760"),
        about: "Maximum size of a request body, in bytes.",
        takes: Takes::Count { from: 64, to: 1 << 30, put: |s, n| s.limits.body_bytes = size(n) },
    },
    Setting {
        name: "limits.import_bytes",
        default: Preset::Same("268435456"),
        about: "Maximum size of a document for POST /boxwood/v1/import, in bytes.",
        takes: Takes::Count { from: 64, to: 1 << 34, put: |s, n| s.limits.import_bytes = size(n) },
    },
    Setting {
        name: "limits.json_depth",
        default: Preset::Same("64"),
        about: "Maximum nesting depth of JSON bodies.",
        // From 128 on the JSON parser refuses by itself, with a less helpful sentence.
        takes: Takes::Count { from: 8, to: 127, put: |s, n| s.limits.json_depth = size(n) },
    },
    Setting {
        name: "limits.violations",
        default: Preset::Same("100"),
        about: "Maximum number of violations, conflicts or referrers that a refusal lists.",
        // As many as are kept.
        takes: Takes::Count { from: 1, to: 1000, put: |s, n| s.limits.violations = size(n) },
    },
    Setting {
        name: "limits.answer_bytes",
        default: Preset::Same("1048576"),
        about: "Maximum size of the answer to a refused request, in bytes.",
        takes: Takes::Count {
            from: 4096,
            to: 1 << 28,
            put: |s, n| s.limits.answer_bytes = size(n),
        },
    },
    Setting {
        name: "limits.waiting_bytes",
        default: Preset::Same("536870912"),
        about: "Maximum size of the answers waiting for their readers, in bytes; beyond it, slow readers are cut off.",
        takes: Takes::Count {
            from: 65536,
            to: 1 << 40,
            put: |s, n| s.limits.waiting_bytes = size(n),
        },
    },
    Setting {
        name: "limits.waiting_bytes_per_address",
        default: Preset::Same("268435456"),
        about: "Maximum size of the answers waiting for readers at one address, in bytes.",
        takes: Takes::Count {
            from: 65536,
            to: 1 << 40,
            put: |s, n| s.limits.waiting_bytes_per_address = size(n),
        },
    },
    Setting {
        name: "limits.waiting_bytes_per_connection",
        default: Preset::Same("8388608"),
        about: "Size of the answers waiting on one connection at which it gets no more for now, in bytes.",
        takes: Takes::Count {
            from: 65536,
            to: 1 << 40,
            put: |s, n| s.limits.waiting_bytes_per_connection = size(n),
        },
    },
    Setting {
        name: "limits.header_seconds",
        default: Preset::Same("10"),
        about: "Time allowed for the head of a request to arrive, in seconds.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.limits.header_time = t },
    },
    Setting {
        name: "limits.body_seconds",
        default: Preset::Same("30"),
        about: "Time allowed for the body of a request to arrive, in seconds.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.limits.body_time = t },
    },
    Setting {
        name: "limits.tls_seconds",
        default: Preset::Same("5"),
        about: "Time allowed for a TLS handshake, in seconds.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.limits.tls_time = t },
    },
    Setting {
        name: "limits.connections",
        default: Preset::Same("512"),
        about: "Maximum number of open connections.",
        takes: Takes::Count { from: 1, to: 100_000, put: |s, n| s.limits.connections = size(n) },
    },
    Setting {
        name: "limits.connections_per_address",
        default: Preset::Same("256"),
        about: "Maximum number of open connections from one address.",
        takes: Takes::Count {
            from: 1,
            to: 100_000,
            put: |s, n| s.limits.connections_per_address = size(n),
        },
    },
    Setting {
        name: "limits.drain_seconds",
        default: Preset::Same("5"),
        about: "Time allowed for running requests to finish when the daemon stops, in seconds.",
        takes: Takes::Seconds { from: 0.0, to: 600.0, put: |s, t| s.limits.drain_time = t },
    },
    Setting {
        name: "limits.sessions",
        default: Preset::Same("10000"),
        about: "Maximum number of sessions.",
        takes: Takes::Count { from: 1, to: 10_000_000, put: |s, n| s.limits.sessions = size(n) },
    },
    Setting {
        name: "limits.transaction_changes",
        default: Preset::Same("1000000"),
        about: "Maximum number of changes in one transaction.",
        takes: Takes::Count {
            from: 1,
            to: 100_000_000,
            put: |s, n| s.limits.transaction_changes = size(n),
        },
    },
    Setting {
        name: "limits.http2_streams",
        default: Preset::Same("64"),
        about: "Maximum number of concurrent requests on one HTTP/2 connection.",
        takes: Takes::Count { from: 1, to: 10_000, put: |s, n| s.limits.http2_streams = small(n) },
    },
    Setting {
        name: "worlds.most",
        default: Preset::PerMode { serve: "100", dev: "10000" },
        about: "Maximum number of worlds in addition to main; 0 is none.",
        takes: Takes::Count { from: 0, to: 1_000_000, put: |s, n| s.worlds.most = size(n) },
    },
    Setting {
        name: "login.failures",
        default: Preset::PerMode { serve: "10", dev: "0" },
        about: "Failed logins of a user from one network in login.window_seconds before others must \
                wait; 0 is off.",
        takes: Takes::Count { from: 0, to: 1_000_000, put: |s, n| s.login.failures = small(n) },
    },
    Setting {
        name: "login.window_seconds",
        default: Preset::Same("60"),
        about: "Time over which failed logins are counted, in seconds.",
        takes: Takes::Seconds { from: 0.05, to: 86_400.0, put: |s, t| s.login.window = t },
    },
    Setting {
        name: "login.block_seconds",
        default: Preset::Same("30"),
        about: "Longest wait after failed logins, in seconds; waits begin at one second and double.",
        takes: Takes::Seconds { from: 0.05, to: 86_400.0, put: |s, t| s.login.block = t },
    },
    Setting {
        name: "login.idle_seconds",
        default: Preset::Same("0"),
        about: "Idle time after which a session ends, in seconds; 0 leaves it to the configuration.",
        takes: Takes::Seconds {
            from: 0.0,
            to: 604_800.0,
            put: |s, t| s.login.idle = (!t.is_zero()).then_some(t),
        },
    },
    Setting {
        name: "login.lifetime_seconds",
        default: Preset::Same("86400"),
        about: "Time after which a session ends although it is used, in seconds; 0 sets no limit.",
        takes: Takes::Seconds {
            from: 0.0,
            to: 31_536_000.0,
            put: |s, t| s.login.lifetime = (!t.is_zero()).then_some(t),
        },
    },
    Setting {
        name: "login.admin_password_file",
        default: Preset::Same(""),
        about: "The file with the password of the user admin, read at start, for when \
                BOXWOOD_ADMIN_PASSWORD is not set.",
        takes: Takes::File(|s, value| s.login.admin_password_file = value),
    },
    Setting {
        name: "proxies.trusted",
        default: Preset::Same(""),
        about: "Networks of the proxies that may name the client of a request.",
        takes: Takes::Texts {
            accepted: "a list of networks such as 10.0.0.0/8, or addresses",
            put: |s, texts| networks(texts).map(|all| s.proxies.trusted = all),
        },
    },
    Setting {
        name: "proxies.header",
        default: Preset::Same("x-forwarded-for"),
        about: "The header in which those proxies name the client; they must not let clients set it.",
        takes: Takes::Word {
            words: || words(PROXY_HEADERS),
            put: |s, word| choose(PROXY_HEADERS, word, &mut s.proxies.header),
        },
    },
    Setting {
        name: "tls.certificate",
        default: Preset::Same(""),
        about: "PEM file with the certificate to serve and its chain; if empty, the daemon generates \
                one at first start.",
        takes: Takes::File(|s, value| s.tls_given.certificate = value),
    },
    Setting {
        name: "tls.private_key",
        default: Preset::Same(""),
        about: "PEM file with the private key of tls.certificate.",
        takes: Takes::File(|s, value| s.tls_given.private_key = value),
    },
    Setting {
        name: "tls.names",
        default: Preset::Same(""),
        about: "Names and addresses that the generated certificate is for, next to those of listeners.",
        takes: Takes::Texts {
            accepted: "a list of host names and addresses",
            put: |s, texts| host_names(texts).map(|names| s.tls_names = names),
        },
    },
    Setting {
        name: "secrets.key_file",
        default: Preset::Same(""),
        about: "The file with the key that seals secrets, made at first start; empty is secret.key \
                in the data directory.",
        takes: Takes::File(|s, value| s.secrets.key_file = value),
    },
    Setting {
        name: "store.cache_bytes",
        default: Preset::Same("67108864"),
        about: "Memory for the cache of the store, in bytes.",
        takes: Takes::Count { from: 1 << 20, to: 1 << 40, put: |s, n| s.store.cache_bytes = n },
    },
    Setting {
        name: "store.checkpoint_revisions",
        default: Preset::Same("1000"),
        about: "Number of revisions after which a checkpoint of the whole tree is written.",
        takes: Takes::Count {
            from: 1,
            to: 1_000_000,
            put: |s, n| s.store.checkpoint_revisions = n,
        },
    },
    Setting {
        name: "history.keep_revisions",
        default: Preset::Same("10000"),
        about: "Minimum number of revisions to keep. A tagged revision and all after it are always kept.",
        takes: Takes::Count {
            from: 1,
            to: 1_000_000_000,
            put: |s, n| s.history.keep_revisions = n,
        },
    },
    Setting {
        name: "history.keep_days",
        default: Preset::Same("0"),
        about: "Age in days after which a revision is removed even if fewer are kept; 0 sets no limit.",
        takes: Takes::Count { from: 0, to: 36_500, put: |s, n| s.history.keep_days = n },
    },
    Setting {
        name: "history.idempotency_seconds",
        default: Preset::Same("86400"),
        about: "Time that the answer of a commit with an Idempotency-Key is kept, in seconds.",
        takes: Takes::Seconds {
            from: 1.0,
            to: 31_536_000.0,
            put: |s, t| s.history.idempotency = t,
        },
    },
    Setting {
        name: "delivery.mode",
        default: Preset::Same("record"),
        about: "Whether mails, traps and syslog lines are kept in the outbox only, sent to loopback \
                addresses only, or sent.",
        takes: Takes::Word {
            words: || words(delivery::Mode::WORDS),
            put: |s, word| choose(delivery::Mode::WORDS, word, &mut s.delivery.mode),
        },
    },
    Setting {
        name: "delivery.smtp_port",
        default: Preset::Same("25"),
        about: "The port of mail servers.",
        takes: Takes::Count { from: 1, to: 65_535, put: |s, n| s.delivery.smtp_port = port(n) },
    },
    Setting {
        name: "delivery.trap_port",
        default: Preset::Same("162"),
        about: "The port of the servers that SNMP traps are sent to.",
        takes: Takes::Count { from: 1, to: 65_535, put: |s, n| s.delivery.trap_port = port(n) },
    },
    Setting {
        name: "delivery.queue_messages",
        default: Preset::Same("10000"),
        about: "Maximum number of messages that wait to be sent.",
        takes: Takes::Count {
            from: 1,
            to: 1_000_000,
            put: |s, n| s.delivery.queue_messages = size(n),
        },
    },
    Setting {
        name: "delivery.max_age_seconds",
        default: Preset::Same("172800"),
        about: "Age at which a message is given up after a failed attempt, in seconds.",
        takes: Takes::Seconds { from: 0.0, to: 31_536_000.0, put: |s, t| s.delivery.max_age = t },
    },
    Setting {
        name: "delivery.retry_seconds",
        default: Preset::Same("30"),
        about: "Wait after a first failed attempt, in seconds; it doubles up to an hour.",
        takes: Takes::Seconds { from: 0.01, to: 3600.0, put: |s, t| s.delivery.retry = t },
    },
    Setting {
        name: "delivery.attempt_seconds",
        default: Preset::Same("30"),
        about: "Time allowed for one attempt to send a message, in seconds.",
        takes: Takes::Seconds { from: 0.05, to: 3600.0, put: |s, t| s.delivery.timeout = t },
    },
    Setting {
        name: "delivery.outbox_messages",
        default: Preset::Same("1000"),
        about: "Number of messages that the outbox keeps in memory for a reader.",
        takes: Takes::Count {
            from: 1,
            to: 100_000,
            put: |s, n| s.delivery.outbox_messages = size(n),
        },
    },
    Setting {
        name: "delivery.gather_seconds",
        default: Preset::Same("60"),
        about: "Time over which equal events are gathered to one mail and one trap, in seconds; 0 \
                never gathers.",
        takes: Takes::Seconds { from: 0.0, to: 86_400.0, put: |s, t| s.delivery.gather = t },
    },
    Setting {
        name: "delivery.gather_after",
        default: Preset::PerMode { serve: "5", dev: "100" },
        about: "Number of equal events within delivery.gather_seconds that are sent one by one \
                before.",
        takes: Takes::Count { from: 0, to: 1_000_000, put: |s, n| s.delivery.gather_after = n },
    },
    Setting {
        name: "delivery.health_seconds",
        default: Preset::Same("10"),
        about: "Time between two measurements of load, memory, swap and disk, in seconds; 0 never \
                measures.",
        takes: Takes::Seconds { from: 0.0, to: 86_400.0, put: |s, t| s.delivery.health_every = t },
    },
];

/// The settings that have a flag of their own, and the flag.
pub const FLAGS: &[(&str, &str)] = &[
    ("listen", "--listen"),
    ("data_dir", "--data-dir"),
    ("appliance", "--appliance"),
    ("catalog", "--catalog"),
    ("log.filter", "--log"),
    ("insecure_http", "--insecure-http"),
    ("expose_dev", "--expose-dev"),
];

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    REGISTRY.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// The default, as text, under the given command.
    pub fn default_in(&self, mode: Mode) -> &'static str {
        self.default.text(mode).unwrap_or_default()
    }

    /// What it may be, as the end of "it takes ...".
    pub fn accepted(&self) -> String {
        self.takes.accepted()
    }

    /// The spelled value in the syntax of TOML.
    pub(super) fn to_toml(&self, spelled: &str) -> String {
        self.takes.to_toml(spelled)
    }

    /// Parses the value and puts it in its field, or says why not.
    pub(super) fn apply(
        &self,
        settings: &mut Settings,
        raw: &Raw,
        origin: &Origin,
    ) -> Vec<Problem> {
        problems(&self.takes, self.name, settings, raw, origin)
    }
}

// ===== words, and the width of numbers =====

/// Whether the word is in the list; its meaning goes to the field.
pub(super) fn choose<T: Copy>(list: &[(&str, T)], word: &str, field: &mut T) -> bool {
    let found = list.iter().find(|(known, _)| *known == word);
    if let Some((_, value)) = found {
        *field = *value;
    }
    found.is_some()
}

pub(super) fn words<T>(list: &[(&'static str, T)]) -> Vec<&'static str> {
    list.iter().map(|(word, _)| *word).collect()
}

/// A text to show; empty is none.
pub(super) fn printable(text: &str) -> Result<Option<String>, String> {
    match text.chars().count() {
        0 => Ok(None),
        1..=64 if !text.contains(char::is_control) => Ok(Some(text.to_owned())),
        _ => Err("it is too long or has control characters".to_owned()),
    }
}

fn appliances(settings: &mut Settings, names: &[&str]) -> Result<(), RefusedNames> {
    let known = catalog::Catalog::builtin_names();
    let own = &settings.own_catalogs;
    let mut refused = Vec::new();
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            refused.push(((*name).to_owned(), "it is named twice".to_owned()));
        } else if !known.contains(name) && !own.contains(*name) {
            let own = own.iter().map(String::as_str);
            let all: Vec<&str> = known.iter().copied().chain(own).collect();
            refused.push(((*name).to_owned(), format!("it is none of {}", all.join(", "))));
        }
    }
    if refused.is_empty() {
        settings.names = names.iter().map(|name| (*name).to_owned()).collect();
        return Ok(());
    }
    Err(refused)
}

/// The ranges above keep every count within the type; the limit is for a range widened carelessly.
const PROXY_HEADERS: &[(&str, ProxyHeader)] =
    &[("x-forwarded-for", ProxyHeader::XForwardedFor), ("forwarded", ProxyHeader::Forwarded)];

fn host_names(texts: &[&str]) -> Result<Vec<String>, String> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    let parse = |text: &&str| match text.parse::<IpAddr>().is_ok() || text.bytes().all(is_part) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!("{text} is not a host name in ASCII or an address")),
    };
    texts.iter().map(parse).collect()
}

/// Networks, or addresses that stand for themselves.
fn networks(texts: &[&str]) -> Result<Vec<IpNet>, String> {
    let parse = |text: &&str| {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| format!("{text} is not a network"))
    };
    texts.iter().map(parse).collect()
}

pub(super) fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn port(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

pub(super) fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
