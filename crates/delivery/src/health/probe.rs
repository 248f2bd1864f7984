//! Where figures come from.

use std::fs;
use std::path::PathBuf;

use parking_lot::Mutex;

use super::Figures;

/// Measures.
pub trait Probe: Send + Sync {
    /// The figures of this moment. May read files.
    fn measure(&self) -> Figures;
}

/// Measures the machine that the daemon runs on, and the disk that a path is on.
pub struct MachineProbe {
    path: PathBuf,
    /// Busy and whole processor time of the last measurement.
    last: Mutex<Option<(u64, u64)>>,
}

impl MachineProbe {
    /// Measures the machine, and the disk of this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::new(None) }
    }

    fn cpu(&self) -> Option<f64> {
        let now = processor_time(&fs::read_to_string("/proc/stat").ok()?)?;
        let before = self.last.lock().replace(now)?;
        percent(now.0.checked_sub(before.0)?, now.1.checked_sub(before.1)?)
    }

    fn disk(&self) -> Option<f64> {
        let disk = rustix::fs::statvfs(&self.path).ok()?;
        let used = disk.f_blocks.checked_sub(disk.f_bfree)?;
        // As `df` counts: what only the system's administrator may use does not count as free.
        percent(used, used.checked_add(disk.f_bavail)?)
    }
}

impl Probe for MachineProbe {
    fn measure(&self) -> Figures {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let mut loads = load.split(' ').map(|word| word.parse::<f64>().ok());
        let mut next = || loads.next().flatten();
        let (load1, load5, load15) = (next(), next(), next());
        Figures {
            cpu_percent: self.cpu(),
            disk_percent: self.disk(),
            load1,
            load15,
            load5,
            memory_percent: in_use(&memory, "MemTotal:", "MemAvailable:"),
            swap_percent: in_use(&memory, "SwapTotal:", "SwapFree:"),
        }
    }
}

/// Busy and whole processor time, from `/proc/stat`.
fn processor_time(stat: &str) -> Option<(u64, u64)> {
    let words = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    // User, nice, system, idle, waiting, interrupts; time of guests is in that of users already.
    let times: Vec<u64> = words.take(8).map_while(|word| word.parse().ok()).collect();
    let whole: u64 = times.iter().sum();
    let idle = times.get(3)? + times.get(4)?;
    Some((whole.checked_sub(idle)?, whole))
}

fn in_use(memory: &str, total: &str, free: &str) -> Option<f64> {
    let figure = |name: &str| {
        let line = memory.lines().find(|line| line.starts_with(name))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let (total, free) = (figure(total)?, figure(free)?);
    // A machine without swap uses none of it.
    if total == 0 { Some(0.0) } else { percent(total.checked_sub(free)?, total) }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1_000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_texts_of_the_kernel() {
        let stat = "cpu  10 20 30 100 40 1 2 3 0 0\ncpu0 1 2 3\n";
        assert_eq!(processor_time(stat), Some((66, 206)));
        assert_eq!(processor_time("cpu  10 x"), None);
        let memory = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
        assert_eq!(in_use(memory, "MemTotal:", "MemAvailable:"), Some(75.0));
        assert_eq!(in_use(memory, "SwapTotal:", "SwapFree:"), Some(0.0));
        assert_eq!(in_use("", "MemTotal:", "MemAvailable:"), None);
    }

    #[test]
    fn this_machine_can_be_measured() {
        let probe = MachineProbe::new(std::env::temp_dir());
        let figures = probe.measure();
        for (name, figure) in figures.named() {
            // The first measurement of the processor has nothing to compare with.
            assert!(figure.is_some() || name == "cpu_percent", "{name}");
        }
        assert!(figures.disk_percent.is_some_and(|disk| (0.0..=100.0).contains(&disk)));
    }
}
