//! Where lines go: collected, and written together by a thread of its own.
//!
//! A system call for each line costs more than the answer it reports. So lines wait for at most
//! [`PAUSE`]; a warning or an error is written at once, together with the lines before it.
//!
//! Logging never waits for the stream: standard error may be a pipe that is not read, a full
//! disk, a slow terminal. Lines that find no room are dropped and counted, and so are those whose
//! write fails. The first write that succeeds afterwards is followed by one line with their number.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others at most, and how long a stream that is busy is left alone.
const PAUSE: Duration = Duration::from_millis(10);

/// Number of bytes that do not wait for more. Not fewer, because waking the thread that writes costs more,
/// on busy processors, than everything else about a line: at full speed it wakes every [`PAUSE`].
const ENOUGH_BYTES: usize = 256 << 10;

/// Number of bytes that wait before lines are dropped.
const WAITING_BYTES: usize = 1 << 20;

/// Room above [`WAITING_BYTES`] that is kept for warnings and errors.
const RESERVED_BYTES: usize = 64 << 10;

/// How long the end of the process waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Collects lines for a stream. Clones are the same outlet.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    emptied: Condvar,
    hooks: Hooks,
}

/// What is done about dropped lines.
pub(super) struct Hooks {
    /// Counts them.
    pub(super) count: fn(u64),
    /// Reports how many they were, when lines are written again.
    pub(super) report: fn(u64),
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    urgent: bool,
    // Lines are being written that are no longer in `bytes`.
    writing: bool,
    // Lines dropped since the last report.
    dropped: u64,
}

impl Outlet {
    /// Collects lines for a stream.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn open(sink: Box<dyn Write + Send>, hooks: Hooks) -> io::Result<Self> {
        let outlet = Self(Arc::new(Shared {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            hooks,
        }));
        let writer = outlet.clone();
        let work = move || writer.run(Stream { sink, is_cut: false });
        std::thread::Builder::new().name("boxwood-log".to_owned()).spawn(work)?;
        Ok(outlet)
    }

    /// Waits until every line has been written, but no longer than [`LAST_LINES`].
    pub(super) fn flush(&self) {
        let Shared { waiting, filled, emptied, .. } = &*self.0;
        let mut waiting = waiting.lock();
        waiting.urgent = true;
        filled.notify_one();
        let is_busy = |waiting: &mut Waiting| waiting.writing || !waiting.bytes.is_empty();
        emptied.wait_while_for(&mut waiting, is_busy, LAST_LINES);
    }

    // Never ends: the thread goes with its process.
    fn run(&self, mut stream: Stream) {
        let mut taken = Vec::new();
        loop {
            self.take(&mut taken);
            let lost = stream.write_lines(&taken);
            taken.clear();
            let report = {
                let mut waiting = self.0.waiting.lock();
                waiting.writing = false;
                waiting.dropped += lost;
                match lost {
                    0 => std::mem::take(&mut waiting.dropped),
                    _ => 0,
                }
            };
            self.0.emptied.notify_all();
            (self.0.hooks.count)(lost);
            if report > 0 {
                (self.0.hooks.report)(report);
            }
        }
    }

    // Waits until there is something to write, and for a while for more of it.
    fn take(&self, taken: &mut Vec<u8>) {
        let Shared { waiting, filled, .. } = &*self.0;
        let mut waiting = waiting.lock();
        filled.wait_while(&mut waiting, |waiting| waiting.bytes.is_empty());
        let is_early =
            |waiting: &mut Waiting| waiting.bytes.len() < ENOUGH_BYTES && !waiting.urgent;
        filled.wait_while_for(&mut waiting, is_early, PAUSE);
        std::mem::swap(taken, &mut waiting.bytes);
        waiting.urgent = false;
        waiting.writing = true;
    }

    fn add(&self, line: &[u8], is_urgent: bool) {
        let room = if is_urgent { WAITING_BYTES + RESERVED_BYTES } else { WAITING_BYTES };
        let mut waiting = self.0.waiting.lock();
        let before = waiting.bytes.len();
        if before + line.len() > room {
            waiting.dropped += 1;
            drop(waiting);
            return (self.0.hooks.count)(1);
        }
        waiting.bytes.extend_from_slice(line);
        let is_enough = before < ENOUGH_BYTES && waiting.bytes.len() >= ENOUGH_BYTES;
        let is_news = before == 0 || is_enough || (is_urgent && !waiting.urgent);
        waiting.urgent |= is_urgent;
        drop(waiting);
        if is_news {
            self.0.filled.notify_one();
        }
    }
}

/// The process's standard error, without the lock by which Rust's own handle makes others wait.
pub(super) fn standard_error() -> Box<dyn Write + Send> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Writes to standard error what is not for the log, and waits no longer than [`LAST_LINES`].
pub(super) fn tell(text: String) {
    let (done, is_done) = std::sync::mpsc::channel();
    let write = move || {
        // When nothing can be written there, no other place is left to report it.
        let _ = standard_error().write_all(text.as_bytes());
        let _ = done.send(());
    };
    if std::thread::Builder::new().name("boxwood-notice".to_owned()).spawn(write).is_ok() {
        let _ = is_done.recv_timeout(LAST_LINES);
    }
}

struct Stream {
    sink: Box<dyn Write + Send>,
    // The last write ended within a line.
    is_cut: bool,
}

impl Stream {
    /// Writes lines, and returns how many of them were lost.
    fn write_lines(&mut self, lines: &[u8]) -> u64 {
        // A line that was cut off is ended, so that the next one stands alone.
        if self.is_cut && self.write(b"\n") == 1 {
            self.is_cut = false;
        }
        let written = self.write(lines);
        let rest = lines.get(written..).unwrap_or_default();
        if rest.is_empty() {
            return 0;
        }
        self.is_cut |= written > 0 && lines.get(written - 1) != Some(&b'\n');
        count_lines(rest)
    }

    /// Writes as much as the sink takes, and returns how much that was.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.sink.write(rest) {
                Ok(0) => break,
                Ok(some) => written += some,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another process has made the stream one that does not wait.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::park_timeout(PAUSE);
                }
                Err(_) => break,
            }
        }
        written
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl<'w> MakeWriter<'w> for Outlet {
    type Writer = Line<'w>;

    fn make_writer(&'w self) -> Line<'w> {
        Line { outlet: self, is_urgent: true }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Line<'w> {
        Line { outlet: self, is_urgent: *metadata.level() <= Level::WARN }
    }
}

/// Takes one line, which comes in one piece. It borrows the outlet: counting who has it would be one
/// more thing that all threads change for each line.
pub(super) struct Line<'w> {
    outlet: &'w Outlet,
    is_urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.outlet.add(line, self.is_urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const SILENT: Hooks = Hooks { count: |_| {}, report: |_| {} };

    /// Sends what is written, piece by piece. Blocks while no piece is taken.
    struct Sink(SyncSender<Vec<u8>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outlet(pieces: usize, hooks: Hooks) -> (Outlet, Receiver<Vec<u8>>) {
        let (sender, written) = sync_channel(pieces);
        (Outlet::open(Box::new(Sink(sender)), hooks).unwrap(), written)
    }

    #[test]
    fn a_line_is_written_although_nothing_follows() {
        let (outlet, written) = outlet(9, SILENT);
        outlet.add(b"one\n", false);
        assert_eq!(written.recv().unwrap(), b"one\n");
        outlet.add(b"two\n", true);
        assert_eq!(written.recv().unwrap(), b"two\n");
    }

    #[test]
    fn all_lines_come_out_once_and_each_threads_in_their_order() {
        let (outlet, written) = outlet(2_000, SILENT);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let outlet = &outlet;
                scope.spawn(move || {
                    for n in 0..500 {
                        outlet.add(format!("{thread} {n}\n").as_bytes(), n % 97 == 0);
                    }
                });
            }
        });
        outlet.flush();
        let all: Vec<u8> = written.try_iter().flatten().collect();
        let all = String::from_utf8(all).unwrap();
        for thread in 0..4 {
            let prefix = format!("{thread} ");
            let found: Vec<_> = all.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
            assert_eq!(found, (0..500).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_stream_that_is_not_read_holds_up_nothing_and_lines_are_counted() {
        static COUNTED: AtomicU64 = AtomicU64::new(0);
        static REPORTED: AtomicU64 = AtomicU64::new(0);
        let hooks = Hooks {
            count: |lost| _ = COUNTED.fetch_add(lost, Ordering::Relaxed),
            report: |lost| _ = REPORTED.fetch_add(lost, Ordering::Relaxed),
        };
        let (outlet, written) = outlet(0, hooks);
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let lines = 4 * WAITING_BYTES as u64 / 1024;
        for _ in 0..lines {
            outlet.add(&line, false);
        }
        let dropped = COUNTED.load(Ordering::Relaxed);
        assert!(dropped >= 2 * WAITING_BYTES as u64 / 1024, "{dropped}");
        outlet.add(b"an error\n", true);
        let mut text = Vec::new();
        while !text.ends_with(b"an error\n") {
            text.extend(written.recv().unwrap());
        }
        outlet.add(b"again\n", true);
        assert_eq!(written.recv().unwrap(), b"again\n");
        assert_eq!(count_lines(&text), lines - dropped + 1);
        assert_eq!(REPORTED.load(Ordering::Relaxed), dropped);
    }

    #[test]
    fn a_full_disk_loses_lines_that_are_counted_and_the_next_one_stands_alone() {
        /// Takes a number of bytes, then fails once, then takes everything.
        struct Disk(usize, bool, Arc<Mutex<Vec<u8>>>);
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let room = if self.1 { bytes.len() } else { self.0.min(bytes.len()) };
                if room == 0 {
                    self.1 = true;
                    return Err(io::Error::from(ErrorKind::StorageFull));
                }
                self.0 -= room.min(self.0);
                self.2.lock().extend_from_slice(&bytes[..room]);
                Ok(room)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let text = Arc::new(Mutex::default());
        let mut stream =
            Stream { sink: Box::new(Disk(6, false, Arc::clone(&text))), is_cut: false };
        assert_eq!(stream.write_lines(b"one\ntwo\nthree\n"), 2);
        assert_eq!(stream.write_lines(b"four\n"), 0);
        assert_eq!(*text.lock(), b"one\ntw\nfour\n");
    }
}
