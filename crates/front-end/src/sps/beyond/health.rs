//! `/api/health_status`: how busy the machine is, by the figures of the machine that this runs on.

use std::path::PathBuf;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::Call;
use crate::answer::Answer;
use crate::failure::Failure;

/// The protocols whose connections are counted. This appliance relays none.
const PROTOCOLS: [&str; 8] = ["http", "ica", "mssql", "rdp", "ssh", "telnet", "total", "vnc"];

/// Where Linux says how busy it is.
const STAT: &str = "/proc/stat";
const MEMORY: &str = "/proc/meminfo";
const LOAD: &str = "/proc/loadavg";

/// Time that all processors together spent since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spent {
    busy: u64,
    all: u64,
}

/// What was read last, since the use of processors is one between two moments.
#[derive(Default)]
pub(in crate::sps) struct Health {
    last: Mutex<Spent>,
}

impl Health {
    /// The figures, as they are now. Those that this system does not have are null.
    pub(in crate::sps) fn figures(&self, disk: Option<PathBuf>) -> Value {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let memory = read(MEMORY);
        let load = read(LOAD);
        let load = |place: usize| -> Option<f64> { load.split(' ').nth(place)?.parse().ok() };
        let sessions = PROTOCOLS.map(|name| (name.to_owned(), json!(0)));
        json!({
            "cpu": self.processors(&read(STAT)),
            "disk": disk_used(disk),
            "load1": load(0),
            "load15": load(2),
            "load5": load(1),
            "mem": share(&memory, "MemTotal", "MemAvailable"),
            "sessions": Value::Object(sessions.into_iter().collect()),
            "swap": share(&memory, "SwapTotal", "SwapFree"),
        })
    }

    // The share of time in which processors were busy, since the last question.
    fn processors(&self, stat: &str) -> Option<f64> {
        let now = spent(stat)?;
        let before = std::mem::replace(&mut *self.last.lock(), now);
        let (busy, all) =
            (now.busy.saturating_sub(before.busy), now.all.saturating_sub(before.all));
        percent(busy, all).or_else(|| percent(now.busy, now.all))
    }
}

impl Call<'_> {
    /// How busy the machine is. There is no `body` (core protocol §8).
    pub(super) async fn health_status(&self) -> Result<Answer, Failure> {
        let figures = self.figures().await?;
        Ok(Answer::document(&json!({
            "health_status": figures,
            "meta": self.meta("/api/health_status", "/api"),
        })))
    }

    /// The figures, read on a thread that may wait for the disk.
    pub(in crate::sps) async fn figures(&self) -> Result<Value, Failure> {
        let health = std::sync::Arc::clone(&self.sps.health);
        let disk = self.sps.machine.folder().ok().flatten().map(PathBuf::from);
        let read = tokio::task::spawn_blocking(move || health.figures(disk));
        read.await.map_err(|_| Failure::Internal)
    }
}

fn spent(stat: &str) -> Option<Spent> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<u64> = line.split_whitespace().filter_map(|time| time.parse().ok()).collect();
    // The fourth and fifth are time without work; guests from the ninth on are in the first two.
    let all = times.iter().take(8).sum();
    let idle: u64 = times.get(3..5)?.iter().sum();
    Some(Spent { busy: u64::checked_sub(all, idle)?, all })
}

// How much of something is used.
fn share(memory: &str, all: &str, free: &str) -> Option<f64> {
    let figure = |name: &str| -> Option<u64> {
        let value = memory.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse().ok()
    };
    let (all, free) = (figure(all)?, figure(free)?);
    // Without swap none of it is used.
    percent(all.saturating_sub(free), all).or(Some(0.0))
}

fn disk_used(folder: Option<PathBuf>) -> Option<f64> {
    let statistics = rustix::fs::statvfs(folder.unwrap_or_else(std::env::temp_dir)).ok()?;
    percent(statistics.f_blocks.saturating_sub(statistics.f_bfree), statistics.f_blocks)
}

// With one digit behind the point.
fn percent(part: u64, all: u64) -> Option<f64> {
    let thousandths = part.checked_mul(1_000)?.checked_div(all)?;
    Some(f64::from(u32::try_from(thousandths).ok()?) / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_busy_between_two_questions() {
        let health = Health::default();
        assert_eq!(health.processors("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 1 1 1 1"), Some(20.0));
        assert_eq!(health.processors("cpu  60 0 10 120 10 0 0 0 0 0\n"), Some(50.0));
        assert_eq!(health.processors("cpu  60 0 10 120 10 0 0 0 0 0\n"), Some(35.0));
        assert_eq!(health.processors(""), None);
    }

    #[test]
    fn memory_is_a_share_of_what_there_is() {
        let memory = "MemTotal:  1000 kB\nMemAvailable:  250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
        assert_eq!(share(memory, "MemTotal", "MemAvailable"), Some(75.0));
        assert_eq!(share(memory, "SwapTotal", "SwapFree"), Some(0.0));
        assert_eq!(share("", "MemTotal", "MemAvailable"), None);
    }

    #[test]
    fn this_machine_has_figures() {
        let figures = Health::default().figures(None);
        assert!(figures["disk"].is_number(), "{figures}");
    }
}
