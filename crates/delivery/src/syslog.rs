//! Syslog lines (RFC 5424), and how they are carried (RFC 5425, 5426, 6587).

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::configuration::{SyslogReceiver, SyslogTransport};
use crate::dial::Mode;
use crate::event::{Event, plain};
use crate::failure::Failure;
use crate::stamp::time_text;
use crate::tls;

/// Facility 16, local use 0.
const FACILITY: u8 = 16;
/// The least that receivers of datagrams should take (RFC 5426, 3.2).
const LINE_BYTES: usize = 2_048;
/// How long a receiver may take to close after the last line.
const FAREWELL: Duration = Duration::from_secs(2);

/// The line of an event.
pub(crate) fn line(event: &Event, appliance: &str, host: &str) -> String {
    let priority = FACILITY * 8 + event.kind.severity().number();
    let (time, host) = (time_text(event.time), token(host, 255));
    let kind = event.kind.name();
    let mut line = format!("<{priority}>1 {time} {host} boxwood - {kind} [boxwood@32473");
    parameter(&mut line, "appliance", appliance);
    for (name, value) in &event.details {
        parameter(&mut line, name, value);
    }
    line.push_str("] ");
    // The mark of UTF-8 is asked for, and irritates readers of a text that is ASCII anyway.
    if !event.text.is_ascii() {
        line.push('\u{feff}');
    }
    let room = LINE_BYTES.saturating_sub(line.len());
    line.push_str(&plain(&event.text, room));
    line
}

fn parameter(line: &mut String, name: &str, value: &str) {
    // Long ones are cut, so that the sentence has its place.
    let value = plain(value, 200);
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
    // Writing to a String does not fail.
    let _ = write!(line, " {}=\"{value}\"", token(name, 32));
}

/// Visible ASCII without what ends a name; a dash where nothing is left.
fn token(text: &str, length: usize) -> String {
    let wanted = |c: &char| c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"');
    let kept: String = text.chars().filter(wanted).take(length).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// Sends a line.
pub(crate) async fn send(
    line: &str,
    receiver: &SyslogReceiver,
    mode: Mode,
) -> Result<String, Failure> {
    let SyslogReceiver { host, port, transport } = receiver;
    match transport {
        SyslogTransport::Udp => {
            mode.datagram(host, *port, line.as_bytes()).await?;
            return Ok(format!("sent to {}; datagrams are not acknowledged", receiver.name()));
        }
        SyslogTransport::Tcp => {
            let mut stream = mode.tcp(host, *port).await?;
            carry(&mut stream, line).await
        }
        SyslogTransport::Tls(rules) => {
            let stream = mode.tcp(host, *port).await?;
            let mut stream = tls::encrypt(stream, host, rules).await?;
            carry(&mut stream, line).await
        }
    }
    .map_err(|error| {
        let hint = match transport {
            SyslogTransport::Tls(_) => "; check whether it asks for a client certificate",
            _ => "",
        };
        let name = receiver.name();
        Failure::Later(format!("{name} did not take the line: {error}{hint}"))
    })?;
    Ok(format!("sent to {}, which took it", receiver.name()))
}

async fn carry(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    line: &str,
) -> std::io::Result<()> {
    stream.write_all(format!("{} {line}", line.len()).as_bytes()).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    // A receiver says nothing; one that closes has read the line, and one that resets has not.
    let mut nothing = [0; 256];
    let ended = async {
        loop {
            match stream.read(&mut nothing).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // Many receivers close TLS without a farewell.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    };
    timeout(FAREWELL, ended).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    #[test]
    fn a_line_has_the_form_of_the_standard() {
        let event =
            Event::new(1_600_000_000_123_456, EventKind::Commit, "Revision 2 was committed")
                .with("author", "a\"b]c\\d")
                .with("message", "x\ny");
        assert_eq!(
            line(&event, "sps-6.2", "sps.example.com"),
            "<133>1 2020-09-13T12:26:40.123456Z sps.example.com boxwood - commit \
             [boxwood@32473 appliance=\"sps-6.2\" author=\"a\\\"b\\]c\\\\d\" message=\"x y\"] \
             Revision 2 was committed"
        );
    }

    #[test]
    fn a_line_fits_into_a_datagram_and_marks_other_letters() {
        let event = Event::new(0, EventKind::StoreReadOnly, "ä".repeat(3_000))
            .with("detail", "y".repeat(5_000));
        let line = line(&event, "sps-6.2", "");
        assert!(line.len() <= LINE_BYTES && line.starts_with("<130>1 1970-01-01T"), "{line}");
        assert!(line.contains(" - boxwood - store-read-only ") && line.contains("] \u{feff}ä"));
    }
}
