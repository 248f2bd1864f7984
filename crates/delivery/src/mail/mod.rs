//! Mail: how it is written, and how it is sent.

mod session;

use std::time::{Duration, SystemTime};

use lettre::Message as Text;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::configuration::Mail as Settings;
use crate::event::{Event, plain};
use crate::failure::Failure;
use crate::stamp::time_text;

pub(crate) use session::send;

/// A mail as it goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mail {
    /// The address that it comes from.
    pub from: String,
    /// The addresses that it goes to.
    pub to: Vec<String>,
    /// Its headers and its text.
    pub text: String,
}

/// Mails are answered by no person, and must not be answered by a program (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What is needed to write a mail about an event.
pub(crate) struct Letter<'a> {
    /// The event.
    pub(crate) event: &'a Event,
    /// The name of the appliance.
    pub(crate) appliance: &'a str,
    /// What it is called in its network.
    pub(crate) host: &'a str,
    /// A number that no other mail has.
    pub(crate) unique: u64,
}

impl Letter<'_> {
    /// Writes it. `to` is who gets it; `None` where there are no recipients.
    pub(crate) fn write(&self, settings: &Settings, to: &[&str]) -> Result<Option<Mail>, Failure> {
        if to.is_empty() {
            return Ok(None);
        }
        let event = self.event;
        let own = format!("boxwood@{}", self.domain());
        let from = settings.sender.as_deref().unwrap_or(&own);
        let subject = format!("[{}] {}: {}", self.host, event.kind.severity().name(), event.text);
        let micros = u64::try_from(event.time).unwrap_or(0);
        let mut builder = Text::builder()
            .from(mailbox(from)?)
            .subject(plain(&subject, 200))
            .date(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
            .message_id(Some(format!("<{}.{:x}@{}>", event.time, self.unique, self.domain())))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        for one in to {
            builder = builder.to(mailbox(one)?);
        }
        let written = builder
            .body(self.body())
            .map_err(|error| Failure::Never(format!("the mail cannot be written: {error}")))?;
        let text = String::from_utf8_lossy(&written.formatted()).into_owned();
        let to = to.iter().map(|one| (*one).to_owned()).collect();
        Ok(Some(Mail { from: from.to_owned(), to, text }))
    }

    fn body(&self) -> String {
        let Self { event, appliance, host, .. } = self;
        let mut body = format!(
            "{}.\n\nEvent:     {}\nSeverity:  {}\nTime:      {}\nAppliance: {appliance}, {host}\n",
            event.text,
            event.kind.name(),
            event.kind.severity().name(),
            time_text(event.time),
        );
        for (name, value) in &event.details {
            body.push_str(&format!("{:<10} {value}\n", format!("{name}:")));
        }
        body
    }

    /// The host, where it can be part of an address.
    fn domain(&self) -> &str {
        if self.host.is_empty() { "localhost" } else { self.host }
    }
}

fn mailbox(address: &str) -> Result<Mailbox, Failure> {
    address.parse().map_err(|error| {
        Failure::Never(format!(
            "{address:?} cannot be used as an address: {error}; correct it in management/email"
        ))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::configuration::Host;
    use crate::event::EventKind;

    pub(crate) fn settings() -> Settings {
        Settings {
            server: Host::Address("127.0.0.1".parse().unwrap()),
            starttls: None,
            login: None,
            sender: None,
            alerts: Some("alerts@example.com".to_owned()),
            reports: None,
            administrator: Some("admin@example.com".to_owned()),
        }
    }

    pub(crate) fn mail(text: &str) -> Mail {
        let event = Event::new(1_600_000_000_000_000, EventKind::Commit, text).with("revision", 12);
        let letter =
            Letter { event: &event, appliance: "sps-6.2", host: "sps.example.com", unique: 1 };
        letter.write(&settings(), &["alerts@example.com"]).unwrap().unwrap()
    }

    #[test]
    fn a_mail_says_what_happened_and_when() {
        let mail = mail("Revision 12 was committed by admin");
        assert_eq!(mail.from, "boxwood@sps.example.com");
        let lines: Vec<&str> = mail.text.split("\r\n").collect();
        for line in [
            "From: boxwood@sps.example.com",
            "To: alerts@example.com",
            "Subject: [sps.example.com] notice: Revision 12 was committed by admin",
            "Date: Sun, 13 Sep 2020 12:26:40 +0000",
            "Auto-Submitted: auto-generated",
            "Revision 12 was committed by admin.",
            "revision:  12",
        ] {
            assert!(lines.contains(&line), "{line}\n{}", mail.text);
        }
    }

    #[test]
    fn other_letters_are_encoded_and_lines_cannot_be_smuggled_in() {
        let mail = mail("Änderung\r\nBcc: other@example.com");
        assert!(mail.text.is_ascii(), "{}", mail.text);
        assert!(!mail.text.contains("\nBcc:"), "{}", mail.text);
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let event = Event::new(0, EventKind::Commit, "x");
        let letter = Letter { event: &event, appliance: "a", host: "h", unique: 1 };
        let refused = letter.write(&settings(), &["not an address"]).unwrap_err();
        assert!(refused.to_string().contains("management/email"), "{refused}");
    }
}
