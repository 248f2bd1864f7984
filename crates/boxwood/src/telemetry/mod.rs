//! The log: the one place that knows the subscriber. Everything else only emits events.
//!
//! Lines go to standard error, since standard output carries the ready lines that scripts read.

mod json;
mod log_file;
mod outlet;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use transaction_engine::clock::{Clock, SystemClock};

use self::json::Json;
use self::log_file::LogFile;
pub use self::log_file::reopen;
use self::outlet::{Hooks, Outlet};
use crate::spelling::nearest;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
    /// For people when standard error is a terminal, JSON otherwise.
    Auto,
}

impl LogFormat {
    /// The words of the setting.
    pub const WORDS: &[(&str, LogFormat)] =
        &[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
}

/// The words that stand for a level in a filter.
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace", "off"];

/// The log of the process. When it goes, everything that was logged has been written, unless
/// standard error takes nothing.
#[must_use]
pub struct Log(Outlet);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// What happens to lines that standard error does not take.
const HOOKS: Hooks = Hooks {
    count: |dropped| _ = front_end::log_lines_dropped().inc_by(dropped),
    report: |dropped| {
        tracing::warn!(dropped, "log lines were dropped: standard error did not take them in time");
    },
};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is one.
    #[error("the log is set up already")]
    Again(#[from] TryInitError),
    /// The thread that writes it.
    #[error("cannot start the thread that writes the log")]
    Thread(#[from] std::io::Error),
    /// The file of `log.file`.
    #[error("cannot append to the log file {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Sets up the log of the whole process, in a file or on standard error.
///
/// # Errors
///
/// When it was set up before, its thread cannot be started, or the file cannot be written.
pub fn install(filter: &str, format: LogFormat, file: Option<&Path>) -> Result<Log, LogError> {
    let terminal = file.is_none() && std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Human => false,
        LogFormat::Json => true,
        LogFormat::Auto => !terminal,
    };
    let sink = match file {
        None => outlet::standard_error(),
        Some(path) => Box::new(LogFile::open(path).map_err(|source| {
            let path = path.to_owned();
            LogError::File { path, source }
        })?),
    };
    let outlet = Outlet::open(sink, HOOKS)?;
    subscriber(filter, json, terminal, outlet.clone()).try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Log(outlet))
}

/// Writes to standard error what people need and the log must not hold. If standard error is not
/// read, the words are lost after a second, and the caller goes on.
pub fn tell(text: &str) {
    outlet::tell(format!("{text}\n"));
}

// The standard hook writes to standard error itself, and waits there while it is not read.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let reason = panic.payload_as_str().unwrap_or("no reason given");
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    let backtrace = backtrace.as_ref().map(tracing::field::display);
    tracing::error!(location, reason, backtrace, "a thread panicked");
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
        true => Box::new(builder.fmt_fields(JsonFields::new()).event_format(Json).finish()),
        false => Box::new(builder.with_timer(Time).with_ansi(colour).finish()),
    }
}

/// The time of a line for people, from the one clock.
struct Time;

impl FormatTime for Time {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        write!(line, "{}", SystemClock.now())
    }
}

/// Whether the text is a filter that does what it seems to.
///
/// # Errors
///
/// A clause saying what is wrong. In addition to bad syntax, that is a mistyped level: `infoo` alone is a
/// correct filter, which shows all of a module of that name and nothing of the others.
pub fn check_filter(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("it is empty, and would silence the log; off says so openly".to_owned());
    }
    for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()) {
        if !LEVELS.contains(&word.as_str())
            && let Some(level) = nearest(&word, LEVELS.iter().copied())
        {
            return Err(format!("{word} is not a level, {level} is one"));
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
        assert_eq!(line["target"], module_path!());
        assert_eq!(line["span"], serde_json::json!({ "name": "request", "request.id": 7 }));
        assert!(line["timestamp"].as_str().is_some_and(|text| text.ends_with('Z')), "{line}");
    }

    #[test]
    fn json_lines_are_json_whatever_they_tell() {
        let nasty = "a \"quote\", a \\, \n\r\t\0\u{1b}[31m, \u{7f} and \u{2028} ü";
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber("info", true, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", nasty, empty = tracing::field::Empty);
            let _entered = tracing::info_span!("bare").entered();
            tracing::info!("{nasty}");
            let _entered = span.entered();
            let error: &(dyn std::error::Error + 'static) = &io::Error::other(nasty);
            let (minus, half, r#type) = (-7, 0.5, true);
            tracing::warn!(text = nasty, shown = %nasty, debug = ?nasty, error, minus, half, r#type);
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let parsed: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let [bare, full] = parsed.as_slice() else { panic!("{text}") };
        assert_eq!(bare["message"], nasty);
        assert_eq!(bare["span"], serde_json::json!({ "name": "bare" }));
        assert_eq!(full["span"], serde_json::json!({ "name": "request", "nasty": nasty }));
        assert_eq!(full["level"], "WARN");
        for name in ["text", "shown", "error"] {
            assert_eq!(full[name], nasty, "{name}");
        }
        assert_eq!(full["debug"], format!("{nasty:?}"));
        assert_eq!((&full["minus"], &full["half"]), (&(-7).into(), &"0.5".into()));
        assert_eq!(full["type"], true);
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
