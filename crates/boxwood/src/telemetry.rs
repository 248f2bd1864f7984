//! The log: the one place that knows the subscriber. Everything else only emits events.
//!
//! Lines go to standard error, since standard output carries the ready lines that scripts read.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::settings::problem::nearest;
use crate::settings::{LogFormat, LogSettings};

/// The words that stand for a level in a filter.
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];

/// Sets up the log of the whole process.
///
/// # Errors
///
/// When it was set up before.
pub fn install(settings: &LogSettings) -> Result<(), TryInitError> {
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Human => false,
        LogFormat::Json => true,
        LogFormat::Auto => !terminal,
    };
    subscriber(&settings.filter, json, terminal, std::io::stderr).try_init()
}

/// A subscriber that writes the events which pass the filter: as JSON objects, a line each, or as
/// text with or without colour. `filter` has passed [`check_filter`]; if not, the level is info.
pub fn subscriber<W>(
    filter: &str,
    json: bool,
    colour: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match json {
        // The span is listed once, with its fields, and the event's own fields stand at the top.
        true => Box::new(builder.json().flatten_event(true).with_span_list(false).finish()),
        false => Box::new(builder.with_ansi(colour).finish()),
    }
}

/// Whether the text is a filter that does what it seems to.
///
/// # Errors
///
/// A clause saying what is wrong. Beside syntax, that is a mistyped level: `infoo` alone is a
/// correct filter, which shows all of a module of that name and nothing of the others.
pub fn check_filter(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("it is empty, and would silence the log; off says so openly".to_owned());
    }
    for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()) {
        if !LEVELS.contains(&word.as_str())
            && let Some(level) = nearest(&word, LEVELS.iter().copied())
        {
            return Err(format!("{word} is no level, {level} is one"));
        }
    }
    EnvFilter::try_new(text).map(drop).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: &str, json: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(filter, json, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", request.id = 7);
            let _entered = span.enter();
            tracing::info!(revision = 42, "Committed revision 42");
            tracing::debug!("Details");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_have_message_fields_and_span() {
        let text = written("info", true);
        let line: serde_json::Value = serde_json::from_str(text.trim()).expect("one line");
        assert_eq!(line["message"], "Committed revision 42");
        assert_eq!(line["revision"], 42);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["span"]["request.id"], 7);
    }

    #[test]
    fn human_lines_follow_the_filter() {
        assert!(written("info", false).contains("Committed revision 42"));
        assert!(!written("info", false).contains("Details"));
        assert!(written("debug", false).contains("Details"));
        assert_eq!(written("off", false), "");
    }

    #[test]
    fn filters_that_would_surprise_are_refused() {
        for good in
            ["info", "WARN", "off", "warn,transaction_engine=debug", "front_end[request]=trace"]
        {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("infoo", "info is one"),
            ("wran,front_end=debug", "warn is one"),
            ("front_end=loud", "level"),
        ] {
            let refusal = check_filter(bad).expect_err(bad);
            assert!(refusal.contains(why), "{bad}: {refusal}");
        }
    }
}
