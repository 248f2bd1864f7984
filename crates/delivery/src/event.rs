//! What happens to an appliance that somebody wants to hear of.

use serde::{Deserialize, Serialize};

/// A kind of event. Its number is that of the notification in the MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A revision was committed.
    Commit,
    /// A login was refused.
    LoginRefused,
    /// An address and user are blocked after too many refused logins.
    LoginBlocked,
    /// The store refuses writes.
    StoreReadOnly,
    /// A certificate expires soon, or has expired.
    CertificateExpires,
    /// A measured figure is above its limit.
    HealthLimit,
    /// A measured figure is below its limit again.
    HealthRecovered,
    /// Somebody asked for a test message.
    Test,
}

impl EventKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Commit,
        Self::LoginRefused,
        Self::LoginBlocked,
        Self::StoreReadOnly,
        Self::CertificateExpires,
        Self::HealthLimit,
        Self::HealthRecovered,
        Self::Test,
    ];

    /// Its name in answers, queries and syslog lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::LoginRefused => "login-refused",
            Self::LoginBlocked => "login-blocked",
            Self::StoreReadOnly => "store-read-only",
            Self::CertificateExpires => "certificate-expires",
            Self::HealthLimit => "health-limit",
            Self::HealthRecovered => "health-recovered",
            Self::Test => "test",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The last arc of its notification in the MIB.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Commit => 1,
            Self::LoginRefused => 2,
            Self::LoginBlocked => 3,
            Self::StoreReadOnly => 4,
            Self::CertificateExpires => 5,
            Self::HealthLimit => 6,
            Self::HealthRecovered => 7,
            Self::Test => 8,
        }
    }

    /// Its name in the MIB.
    #[must_use]
    pub fn notification(self) -> &'static str {
        match self {
            Self::Commit => "boxwoodCommit",
            Self::LoginRefused => "boxwoodLoginRefused",
            Self::LoginBlocked => "boxwoodLoginBlocked",
            Self::StoreReadOnly => "boxwoodStoreReadOnly",
            Self::CertificateExpires => "boxwoodCertificateExpires",
            Self::HealthLimit => "boxwoodHealthLimit",
            Self::HealthRecovered => "boxwoodHealthRecovered",
            Self::Test => "boxwoodTest",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::StoreReadOnly => Severity::Critical,
            Self::LoginRefused
            | Self::LoginBlocked
            | Self::CertificateExpires
            | Self::HealthLimit => Severity::Warning,
            Self::Commit | Self::HealthRecovered => Severity::Notice,
            Self::Test => Severity::Informational,
        }
    }

    /// Whether the administrator hears of it in addition to those who get alerts.
    #[must_use]
    pub fn concerns_administrator(self) -> bool {
        matches!(self, Self::StoreReadOnly | Self::CertificateExpires)
    }
}

/// A severity, numbered as in RFC 5424.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// 2
    Critical,
    /// 4
    Warning,
    /// 5
    Notice,
    /// 6
    Informational,
}

impl Severity {
    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Critical => 2,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Informational => 6,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Informational => "informational",
        }
    }
}

/// Something that happened. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in microseconds since 1970.
    pub time: i64,
    /// What kind of thing.
    pub kind: EventKind,
    /// One sentence for people, without a full stop.
    pub text: String,
    /// Names and values for programs.
    pub details: Vec<(&'static str, String)>,
}

impl Event {
    /// An event without details.
    #[must_use]
    pub fn new(time: i64, kind: EventKind, text: impl Into<String>) -> Self {
        Self { time, kind, text: plain(&text.into(), 1_000), details: Vec::new() }
    }

    /// With one detail more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.push((name, plain(&value.to_string(), 500)));
        self
    }
}

/// The text without control characters, and cut to a number of bytes: what a client wrote goes
/// into headers and lines.
pub(crate) fn plain(text: &str, bytes: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if out.len() + c.len_utf8() > bytes {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_and_numbers_of_their_own() {
        for (place, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.number() as usize, place + 1);
            assert_eq!(EventKind::named(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(EventKind::named("nothing"), None);
    }

    #[test]
    fn no_event_holds_a_line_break() {
        let event = Event::new(0, EventKind::Commit, "a\r\nBcc: x").with("message", "b\nc");
        assert_eq!(event.text, "a  Bcc: x");
        assert_eq!(event.details, [("message", "b c".to_owned())]);
        assert_eq!(plain("äöü", 3), "ä");
    }
}
