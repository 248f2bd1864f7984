//! The log's JSON: an object in a line for each event.
//!
//! Time and level first, the event's own fields, where in the code it comes from, and the span in
//! which it happened with that span's fields. The library's form of the same parses the text of a
//! span's fields into values for every event, which costs more than a read does; here it is copied.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use transaction_engine::Timestamp;
use transaction_engine::clock::{Clock, SystemClock};

/// Formats events as JSON; spans' fields are to be formatted by [`JsonFields`].
pub(super) struct Json;

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'l> LookupSpan<'l>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        thread_local! {
            static LINE: Cell<String> = const { Cell::new(String::new()) };
        }
        // Taken and put back: an event within the formatting of another one finds an empty text.
        let mut line = LINE.take();
        line.clear();
        write_event(&mut line, context, event);
        let written = writer.write_str(&line);
        LINE.set(line);
        written
    }
}

fn write_event<S>(line: &mut String, context: &FmtContext<'_, S, JsonFields>, event: &Event<'_>)
where
    S: Subscriber + for<'l> LookupSpan<'l>,
{
    let metadata = event.metadata();
    line.push_str("{\"timestamp\":\"");
    timestamp(line, SystemClock.now());
    line.push_str("\",\"level\":\"");
    line.push_str(metadata.level().as_str());
    line.push('"');
    event.record(&mut Members(line));
    line.push_str(",\"target\":");
    quoted(line, metadata.target());
    if let Some(span) = context.lookup_current() {
        let extensions = span.extensions();
        let fields = extensions.get::<FormattedFields<JsonFields>>();
        let fields = fields.map_or("{}", |fields| fields.fields.as_str());
        line.push_str(",\"span\":{\"name\":");
        quoted(line, span.name());
        let inner = fields.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
            line.push(',');
            line.push_str(inner);
        }
        line.push('}');
    }
    line.push_str("}\n");
}

/// RFC 3339 with microseconds. Within a second only these change, and the rest is kept.
fn timestamp(line: &mut String, now: Timestamp) {
    thread_local! {
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    const SECOND_CHARS: usize = "2026-11-22T00:45:00".len();
    let (second, micros) =
        (now.as_micros().div_euclid(1_000_000), now.as_micros().rem_euclid(1_000_000));
    SECOND.with_borrow_mut(|(known, text)| {
        if *known != second {
            *text = Timestamp::from_micros(second.saturating_mul(1_000_000)).to_string();
            text.truncate(SECOND_CHARS);
            *known = second;
        }
        line.push_str(text);
    });
    line.push('.');
    let mut unit = 100_000;
    while unit > 0 {
        line.push(char::from(b'0' + (micros / unit % 10) as u8));
        unit /= 10;
    }
    line.push('Z');
}

/// Writes an event's fields as members of the object. Writing to memory cannot fail.
struct Members<'a>(&'a mut String);

impl Members<'_> {
    fn name(&mut self, field: &Field) -> &mut String {
        // Names are written in the code; those that are Rust's own words stand there as `r#type`.
        let name = field.name();
        self.0.push_str(",\"");
        self.0.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.0.push_str("\":");
        self.0
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        quoted(self.name(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field).push_str(itoa::Buffer::new().format(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.name(field).push_str(itoa::Buffer::new().format(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.name(field).push_str(if value { "true" } else { "false" });
    }

    // Floats too, since JSON has no word for some of them.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = self.name(field);
        line.push('"');
        let _ = write!(Escaped(line), "{value:?}");
        line.push('"');
    }
}

fn quoted(line: &mut String, text: &str) {
    line.push('"');
    escape(line, text);
    line.push('"');
}

/// Escapes what a JSON string may not hold (RFC 8259, 7).
fn escape(line: &mut String, mut text: &str) {
    let is_special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
    // Hardly a text has any; without branches, many bytes are looked at at once.
    if !text.bytes().fold(false, |any, byte| any | is_special(byte)) {
        return line.push_str(text);
    }
    while let Some(at) = text.bytes().position(is_special) {
        line.push_str(&text[..at]);
        match text.as_bytes()[at] {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            b'\n' => line.push_str("\\n"),
            other => _ = write!(line, "\\u{other:04x}"),
        }
        text = &text[at + 1..];
    }
    line.push_str(text);
}

struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_those_of_everything_else() {
        let start = 1_795_308_300_000_000;
        for micros in [start, start + 7, start + 999_999, start + 1_000_000, start - 1, 0, -1] {
            let now = Timestamp::from_micros(micros);
            let mut line = String::new();
            timestamp(&mut line, now);
            assert_eq!(line, now.to_string());
        }
    }
}
