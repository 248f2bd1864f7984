//! Answers that wait in memory until their readers have taken them, and whose connection is cut when
//! they are too many.
//!
//! A reader that opens many streams and reads none of them costs as much as all it asked for. What
//! waits is bounded three times: a connection that holds too much is given no further answer until
//! it has read some of what it has; and when one address, or all together, hold too much, the
//! connection that has read nothing for the longest time is cut. One that keeps reading is spared
//! until twice the bound is reached.
//!
//! An answer counts with its whole size until its last byte has gone out, and also where its bytes
//! are shared with other answers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;
use super::watchdog::Watchdog;

/// Smaller answers are not counted, in bytes: that would cost them more than they weigh.
const LEAST_BYTES: usize = 4 * 1024;

/// Who has read something this short a time ago is reading.
const READING: Duration = Duration::from_secs(1);

/// What waits on all connections of a server.
pub(super) struct Waiting {
    most: usize,
    most_per_address: usize,
    most_per_connection: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    total: usize,
    /// By address; one that holds nothing is not in here.
    by_address: HashMap<IpAddr, usize>,
    /// The connections for which something waits.
    readers: HashMap<u64, Arc<Reader>>,
    next: u64,
}

/// What waits on one connection.
pub(super) struct Reader {
    number: u64,
    address: IpAddr,
    watchdog: Watchdog,
    waiting: Arc<Waiting>,
    room: Notify,
    cut: Notify,
    /// Whether it was cut; read and changed under the lock of [`Held`].
    is_cut: AtomicBool,
}

/// Bytes of an answer, counted for as long as anybody holds them.
struct Counted {
    bytes: Bytes,
    reader: Arc<Reader>,
}

impl Waiting {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            most: limits.waiting_bytes,
            most_per_address: limits.waiting_bytes_per_address,
            most_per_connection: limits.waiting_bytes_per_connection,
            held: Mutex::default(),
        })
    }

    /// A connection on which nothing waits yet.
    pub(super) fn reader(self: &Arc<Self>, address: IpAddr, watchdog: Watchdog) -> Arc<Reader> {
        let mut held = self.held.lock();
        held.next += 1;
        Arc::new(Reader {
            number: held.next,
            address,
            watchdog,
            waiting: Arc::clone(self),
            room: Notify::new(),
            cut: Notify::new(),
            is_cut: AtomicBool::new(false),
        })
    }

    /// Cuts those off that read the least, until what is left is within the bounds.
    fn relieve(&self, held: &mut Held, address: IpAddr, now: Instant) {
        let of_address = |held: &Held| held.by_address.get(&address).copied().unwrap_or_default();
        cut(held, self.most, |held| held.total, |_| true, now);
        cut(held, self.most_per_address, of_address, |of| of == address, now);
    }
}

fn cut(
    held: &mut Held,
    most: usize,
    bytes: impl Fn(&Held) -> usize,
    among: impl Fn(IpAddr) -> bool,
    now: Instant,
) {
    if bytes(held) <= most {
        return;
    }
    let among = held.readers.values().filter(|reader| among(reader.address));
    let mut readers: Vec<_> =
        among.map(|reader| (reader.watchdog.read_last(), Arc::clone(reader))).collect();
    readers.sort_by_key(|(read_last, reader)| (*read_last, reader.number));
    for (read_last, reader) in readers {
        let is_reading = now.saturating_duration_since(read_last) < READING;
        let bytes = bytes(held);
        if bytes <= most || (is_reading && bytes <= most.saturating_mul(2)) {
            return;
        }
        held.forget(&reader);
        reader.cut.notify_one();
    }
}

impl Held {
    fn add(&mut self, reader: &Arc<Reader>, bytes: usize) {
        self.total += bytes;
        *self.by_address.entry(reader.address).or_default() += bytes;
        self.readers.entry(reader.number).or_insert_with(|| Arc::clone(reader));
    }

    fn remove(&mut self, address: IpAddr, bytes: usize) {
        self.total -= bytes;
        if let Some(of_address) = self.by_address.get_mut(&address) {
            *of_address -= bytes;
            if *of_address == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// Counts a connection no more: it is about to end, which frees what it holds.
    fn forget(&mut self, reader: &Reader) {
        self.remove(reader.address, reader.watchdog.waiting());
        self.readers.remove(&reader.number);
        reader.is_cut.store(true, Ordering::Relaxed);
    }
}

impl Reader {
    /// The same bytes, counted until they have gone out.
    pub(super) fn counted(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if bytes.len() < LEAST_BYTES {
            return bytes;
        }
        let mut held = self.waiting.held.lock();
        self.watchdog.waits(bytes.len());
        if !self.is_cut.load(Ordering::Relaxed) {
            held.add(self, bytes.len());
            self.waiting.relieve(&mut held, self.address, Instant::now());
        }
        drop(held);
        Bytes::from_owner(Counted { bytes, reader: Arc::clone(self) })
    }

    /// Waits until the connection holds so little that it may be given another answer.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.room.notified();
            if self.watchdog.waiting() < self.waiting.most_per_connection {
                return;
            }
            freed.await;
        }
    }

    /// Waits until the connection has to end.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }

    fn freed(&self, bytes: usize) {
        let mut held = self.waiting.held.lock();
        let left = self.watchdog.taken(bytes);
        if !self.is_cut.load(Ordering::Relaxed) {
            held.remove(self.address, bytes);
            if left == 0 {
                held.readers.remove(&self.number);
            }
        }
        drop(held);
        self.room.notify_waiters();
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.reader.freed(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const KIB: usize = 1024;

    fn waiting(all: usize, address: usize, connection: usize) -> Arc<Waiting> {
        Waiting::new(&Limits {
            waiting_bytes: all * KIB,
            waiting_bytes_per_address: address * KIB,
            waiting_bytes_per_connection: connection * KIB,
            ..Limits::default()
        })
    }

    fn reader(waiting: &Arc<Waiting>, host: u8) -> Arc<Reader> {
        waiting.reader(Ipv4Addr::new(192, 0, 2, host).into(), Watchdog::new())
    }

    fn piece(kib: usize) -> Bytes {
        vec![0; kib * KIB].into()
    }

    async fn is_cut(reader: &Reader) -> bool {
        tokio::time::timeout(Duration::from_millis(1), reader.cut()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_gone_out_leaves_nothing_behind() {
        let waiting = waiting(100, 100, 8);
        let one = reader(&waiting, 1);
        let small = one.counted(Bytes::from_static(b"small"));
        assert_eq!(waiting.held.lock().total, 0);
        let large = one.counted(piece(8));
        assert_eq!((waiting.held.lock().total, large.len()), (8 * KIB, 8 * KIB));
        let full = tokio::time::timeout(READING, one.room()).await;
        assert!(full.is_err(), "it waits");
        drop((small, large.slice(1..), large));
        one.room().await;
        let held = waiting.held.lock();
        assert_eq!((held.total, held.by_address.len(), held.readers.len()), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_idle_reader_of_an_address_is_cut() {
        let waiting = waiting(1000, 20, 100);
        let (old, young, other) = (reader(&waiting, 1), reader(&waiting, 1), reader(&waiting, 2));
        let _of_old = old.counted(piece(10));
        let _of_other = other.counted(piece(20));
        tokio::time::advance(READING).await;
        let _of_young = young.counted(piece(10));
        assert!(!is_cut(&old).await);
        let _more = young.counted(piece(5));
        assert!(is_cut(&old).await);
        assert!(!is_cut(&young).await && !is_cut(&other).await);
    }

    #[tokio::test(start_paused = true)]
    async fn readers_are_spared_up_to_twice_the_bound_of_all() {
        let waiting = waiting(20, 1000, 100);
        let (one, two) = (reader(&waiting, 1), reader(&waiting, 2));
        let of_one = one.counted(piece(15));
        let of_two = two.counted(piece(20));
        assert!(!is_cut(&one).await && !is_cut(&two).await);
        let more = two.counted(piece(6));
        assert!(is_cut(&one).await && !is_cut(&two).await);
        drop((of_one, of_two, more));
        assert_eq!(waiting.held.lock().total, 0);
    }
}
