//! Where lines go: collected, and written together by a thread of its own.
//!
//! A system call for each line costs more than the answer it tells of. So lines wait for at most
//! [`PAUSE`]; what may be the last that is ever heard of the process, a warning or an error, does
//! not wait, and takes those before it along. A reader who does not keep up holds the log up, and
//! with it whoever logs, as if every line were written at once: lines are never dropped.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others at most.
const PAUSE: Duration = Duration::from_millis(10);

/// So many bytes do not wait for more. Not fewer, because waking the thread that writes costs more,
/// on busy processors, than everything else about a line: at full speed it wakes every [`PAUSE`].
const ENOUGH_BYTES: usize = 256 << 10;

/// So many bytes wait before those who log wait too.
const WAITING_BYTES: usize = 1 << 20;

/// Collects lines for a stream. Clones are the same outlet.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    // Held while lines are taken and written, so that they come out in their order.
    stream: Mutex<Stream>,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    closed: bool,
}

struct Stream {
    taken: Vec<u8>,
    sink: Box<dyn Write + Send>,
}

impl Outlet {
    /// Collects lines for a stream.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn open(sink: Box<dyn Write + Send>) -> io::Result<Self> {
        let outlet = Self(Arc::new(Shared {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            stream: Mutex::new(Stream { taken: Vec::new(), sink }),
        }));
        let writer = outlet.clone();
        std::thread::Builder::new().name("boxwood-log".to_owned()).spawn(move || writer.run())?;
        Ok(outlet)
    }

    /// Writes what waits, and from now on every line at once.
    pub(super) fn close(&self) {
        self.0.waiting.lock().closed = true;
        self.0.filled.notify_all();
        self.write_out();
    }

    fn run(&self) {
        while self.wait() {
            self.write_out();
        }
    }

    // Until there is something to write and has been for a while; `false` when nothing will wait
    // any more.
    fn wait(&self) -> bool {
        let Shared { waiting, filled, .. } = &*self.0;
        let mut waiting = waiting.lock();
        filled.wait_while(&mut waiting, |waiting| waiting.bytes.is_empty() && !waiting.closed);
        let is_early =
            |waiting: &mut Waiting| waiting.bytes.len() < ENOUGH_BYTES && !waiting.closed;
        filled.wait_while_for(&mut waiting, is_early, PAUSE);
        !waiting.closed
    }

    fn add(&self, line: &[u8], at_once: bool) {
        let mut waiting = self.0.waiting.lock();
        let before = waiting.bytes.len();
        waiting.bytes.extend_from_slice(line);
        let is_news = before == 0 || (before < ENOUGH_BYTES && waiting.bytes.len() >= ENOUGH_BYTES);
        let at_once = at_once || waiting.closed || waiting.bytes.len() > WAITING_BYTES;
        drop(waiting);
        if at_once {
            self.write_out();
        } else if is_news {
            self.0.filled.notify_one();
        }
    }

    fn write_out(&self) {
        let mut stream = self.0.stream.lock();
        let Stream { taken, sink } = &mut *stream;
        std::mem::swap(taken, &mut self.0.waiting.lock().bytes);
        // Nobody is left to tell.
        let _ = sink.write_all(taken);
        taken.clear();
    }
}

impl<'w> MakeWriter<'w> for Outlet {
    type Writer = Line<'w>;

    fn make_writer(&'w self) -> Line<'w> {
        Line { outlet: self, at_once: true }
    }

    fn make_writer_for(&'w self, metadata: &Metadata<'_>) -> Line<'w> {
        Line { outlet: self, at_once: *metadata.level() <= Level::WARN }
    }
}

/// Takes one line, which comes in one piece. It borrows the outlet: counting who has it would be one
/// more thing that all threads change for each line.
pub(super) struct Line<'w> {
    outlet: &'w Outlet,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.outlet.add(line, self.at_once);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Sends what is written, piece by piece.
    struct Sink(Sender<Vec<u8>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outlet() -> (Outlet, Receiver<Vec<u8>>) {
        let (sender, written) = channel();
        (Outlet::open(Box::new(Sink(sender))).unwrap(), written)
    }

    #[test]
    fn a_line_is_written_although_nothing_follows() {
        let (outlet, written) = outlet();
        outlet.add(b"one\n", false);
        assert_eq!(written.recv().unwrap(), b"one\n");
        outlet.add(b"two\n", false);
        assert_eq!(written.recv().unwrap(), b"two\n");
    }

    #[test]
    fn an_urgent_line_takes_those_before_it_along() {
        let (outlet, written) = outlet();
        outlet.add(b"one\n", false);
        outlet.add(b"two\n", true);
        let all: Vec<u8> = written.try_iter().flatten().collect();
        assert_eq!(all, b"one\ntwo\n");
    }

    #[test]
    fn all_lines_come_out_once_and_each_threads_in_their_order() {
        let (outlet, written) = outlet();
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
        outlet.close();
        let all: Vec<u8> = written.try_iter().flatten().collect();
        let all = String::from_utf8(all).unwrap();
        for thread in 0..4 {
            let prefix = format!("{thread} ");
            let found: Vec<_> = all.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
            assert_eq!(found, (0..500).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn after_the_end_lines_are_written_at_once() {
        let (outlet, written) = outlet();
        outlet.add(b"one\n", false);
        outlet.close();
        outlet.add(b"two\n", false);
        let all: Vec<u8> = written.try_iter().flatten().collect();
        assert_eq!(all, b"one\ntwo\n");
    }

    #[test]
    fn a_reader_who_does_not_keep_up_holds_up_those_who_log() {
        let (outlet, written) = outlet();
        let stream = outlet.0.stream.lock();
        let logging = {
            let outlet = outlet.clone();
            std::thread::spawn(move || outlet.add(&vec![b'x'; WAITING_BYTES + 1], false))
        };
        while outlet.0.waiting.lock().bytes.is_empty() {
            std::thread::yield_now();
        }
        assert!(!logging.is_finished());
        drop(stream);
        logging.join().unwrap();
        let all: usize = written.try_iter().map(|piece| piece.len()).sum();
        assert_eq!(all, WAITING_BYTES + 1);
    }
}
