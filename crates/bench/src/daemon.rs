//! Processes under test: the release binary of the product, and this crate's own servers; what
//! they cost as the kernel counts it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::load::Target;
use crate::timing::now;
use crate::{Failure, Outcome};

/// The password of the administrator of every daemon started here.
pub const PASSWORD: &str = "bench-bench";

const READY: &str = "boxwood ready ";

/// A running process with a clear and a TLS listener; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// The clear listener.
    pub clear: Target,
    /// The TLS listener.
    pub secure: Target,
    /// From the start of the process to its last ready line.
    pub start_seconds: f64,
}

impl Daemon {
    /// Starts `boxwood serve` on a data directory, everything else at its default; its log goes to
    /// `boxwood.log` next to the directory.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn start(data_dir: &Path, flags: &[&str]) -> Outcome<Self> {
        let log = data_dir.with_extension("log");
        let mut command = Command::new(sibling("boxwood")?);
        command.args([
            "serve",
            "--listen",
            "http://127.0.0.1:0",
            "--listen",
            "https://127.0.0.1:0",
        ]);
        command.arg("--data-dir").arg(data_dir).args(flags);
        command.env_clear().env("BOXWOOD_ADMIN_PASSWORD", PASSWORD);
        Self::launch(command, &log)
    }

    /// Starts this crate's own binary with arguments that make it serve something.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn own(args: &[&str], log: &Path) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args);
        Self::launch(command, log)
    }

    fn launch(mut command: Command, log: &Path) -> Outcome<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
        let started = now();
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut next = || -> Outcome<Target> {
            let line = lines.next().ok_or_else(|| not_ready(log))??;
            let url = line.strip_prefix(READY).ok_or_else(|| format!("unexpected: {line}"))?;
            Target::parse(url).ok_or_else(|| format!("no address: {url}").into())
        };
        let (clear, secure) = (next()?, next()?);
        let start_seconds = started.elapsed().as_secs_f64();
        Ok(Self { child, clear, secure, start_seconds })
    }

    /// What it has used of the processors so far, in seconds: all threads that are alive.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn cpu_seconds(&self) -> Outcome<f64> {
        let mut nanos = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += text.split(' ').next().unwrap_or("0").parse::<f64>()?;
        }
        Ok(nanos / 1e9)
    }

    /// How often its threads gave the processor up by themselves: wake-ups.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn waits(&self) -> Outcome<f64> {
        let mut total = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            total += field(&task?.path().join("status"), "voluntary_ctxt_switches")?;
        }
        Ok(total)
    }

    /// Resident memory in MiB: what anonymous pages hold, and with the pages of its files.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn resident_mib(&self) -> Outcome<f64> {
        let status = PathBuf::from(format!("/proc/{}/status", self.child.id()));
        Ok(field(&status, "VmRSS")? / 1024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A figure of this process's own status, such as `VmHWM`, in the unit of the kernel (kB).
///
/// # Errors
/// The kernel does not say.
pub fn own_status(name: &str) -> Outcome<f64> {
    field(Path::new("/proc/self/status"), name)
}

/// What this thread has used of a processor so far, in nanoseconds.
#[must_use]
pub fn thread_cpu_nanos() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

fn field(file: &Path, name: &str) -> Outcome<f64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|rest| rest.split_whitespace().next());
    Ok(value.ok_or_else(|| format!("{} has no {name}", file.display()))?.parse()?)
}

fn sibling(name: &str) -> Outcome<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} is missing; cargo build --release --package boxwood", path.display()).into())
}

fn not_ready(log: &Path) -> Failure {
    let text = fs::read_to_string(log).unwrap_or_default();
    format!("a server did not start: {text}").into()
}
