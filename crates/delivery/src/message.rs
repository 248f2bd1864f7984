//! A message that is ready to go out: it holds no secret, and goes out as it is shown.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::configuration::{Configuration, Way};
use crate::event::{Event, EventKind};
use crate::failure::Failure;
use crate::mail::{Letter, Mail};
use crate::snmp::Trap;
use crate::stamp::time_text;
use crate::{snmp, syslog};

/// A message with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Its number, that no other message of the appliance has.
    pub id: u64,
    /// When it was written, in microseconds since 1970.
    pub time: i64,
    /// What it is about.
    pub event: EventKind,
    /// What goes out.
    pub content: Content,
}

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// A mail.
    Mail(Mail),
    /// A trap.
    Trap(Trap),
    /// A syslog line.
    Syslog {
        /// The name of the receiver.
        to: String,
        /// The line.
        line: String,
    },
}

impl Content {
    /// The way that it goes.
    pub(crate) fn way(&self) -> Way {
        match self {
            Self::Mail(_) => Way::Mail,
            Self::Trap(_) => Way::Trap,
            Self::Syslog { .. } => Way::Syslog,
        }
    }

    /// Messages of one lane go out one after the other, and wait for each other.
    pub(crate) fn lane(&self) -> String {
        match self {
            Self::Mail(_) | Self::Trap(_) => self.way().name().to_owned(),
            Self::Syslog { to, .. } => to.clone(),
        }
    }

    /// Its size in memory, as far as it matters.
    pub(crate) fn size(&self) -> usize {
        256 + match self {
            Self::Mail(mail) => mail.text.len(),
            Self::Trap(trap) => trap.text.len() + trap.details.len(),
            Self::Syslog { line, .. } => line.len(),
        }
    }
}

impl Message {
    /// The message as it is shown, next to what became of it.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = json!({
            "event": self.event.name(),
            "id": self.id,
            "time": time_text(self.time),
            "way": self.content.way().name(),
        });
        match &self.content {
            Content::Mail(mail) => {
                shown["mail"] = json!({"from": mail.from, "text": mail.text, "to": mail.to});
            }
            Content::Trap(trap) => shown["trap"] = trap.decoded(),
            Content::Syslog { to, line } => shown["syslog"] = json!({"line": line, "to": to}),
        }
        shown
    }
}

/// Writes messages about events.
pub(crate) struct Writer<'a> {
    /// The name of the appliance.
    pub(crate) appliance: &'a str,
    /// What the configuration says.
    pub(crate) configuration: &'a Configuration,
    /// Hundredths of a second since the start.
    pub(crate) uptime: u32,
}

impl Writer<'_> {
    /// What goes out about an event by a way, in the order of the receivers; `unique` is in what
    /// has to have a number.
    pub(crate) fn write(
        &self,
        event: &Event,
        way: Way,
        unique: u64,
    ) -> Result<Vec<Content>, Failure> {
        let Self { appliance, configuration, uptime } = *self;
        Ok(match way {
            Way::Mail => match &configuration.mail {
                None => Vec::new(),
                Some(mail) => {
                    let mut to: Vec<&str> = mail.alerts.iter().map(String::as_str).collect();
                    if event.kind.concerns_administrator() {
                        let administrator = mail.administrator.as_deref();
                        to.extend(administrator.filter(|one| !to.contains(one)));
                    }
                    let host = configuration.host.as_str();
                    let letter = Letter { event, appliance, host, unique };
                    letter.write(mail, &to)?.map(Content::Mail).into_iter().collect()
                }
            },
            Way::Trap => match configuration.traps {
                None => Vec::new(),
                Some(_) => {
                    let id = (unique & i32::MAX as u64) as i32;
                    vec![Content::Trap(snmp::Trap::new(event, appliance, id, uptime))]
                }
            },
            Way::Syslog => {
                let line = syslog::line(event, appliance, &configuration.host);
                let to = configuration.syslog.iter().map(|receiver| receiver.name());
                to.map(|to| Content::Syslog { to, line: line.clone() }).collect()
            }
        })
    }
}
