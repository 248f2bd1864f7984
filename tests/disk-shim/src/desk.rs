//! What the shim knows: the files below one folder that are open, and which operation is to fail.

use std::collections::HashMap;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use libc::{c_int, c_long};

use crate::record::{Counted, Kind, Record};

/// Whether a descriptor is of a file that is watched. Without a lock, since a signal handler may
/// write to a pipe while the thread below it holds ours. Descriptors beyond are not looked at.
static WATCHED: [AtomicBool; 8192] = [const { AtomicBool::new(false) }; 8192];

static DESK: LazyLock<Mutex<Desk>> = LazyLock::new(|| Mutex::new(Desk::new()));

/// Held over an operation and the writing down of it, so that the trace has the order in which
/// things were done.
pub(crate) struct Desk {
    watch: Vec<u8>,
    trace: c_int,
    fault: Option<Fault>,
    // How many operations there were that could have been told to fail.
    count: u64,
    paths: HashMap<c_int, Vec<u8>>,
}

/// `DISK_SHIM_FAIL=NUMBER:ERRNO:once|on:changes|all|syncs`; with the error number 0 the process is killed.
struct Fault {
    number: u64,
    errno: c_int,
    goes_on: bool,
    counted: Counted,
}

impl Fault {
    fn parse(text: &str) -> Option<Fault> {
        let mut parts = text.split(':');
        Some(Fault {
            number: parts.next()?.parse().ok()?,
            errno: parts.next()?.parse().ok()?,
            goes_on: parts.next()? == "on",
            counted: Counted::parse(parts.next()?),
        })
    }
}

/// What is to become of an operation.
enum Verdict {
    Done,
    Fails(c_int),
    /// Half of it is done. So a disk runs full.
    Halved,
    /// The process is killed; half of a write was done.
    Dies,
}

pub(crate) fn is_watched(fd: c_int) -> bool {
    usize::try_from(fd)
        .ok()
        .and_then(|fd| WATCHED.get(fd))
        .is_some_and(|it| it.load(Ordering::Acquire))
}

fn set_watched(fd: c_int, watched: bool) {
    if let Some(place) = usize::try_from(fd).ok().and_then(|fd| WATCHED.get(fd)) {
        place.store(watched, Ordering::Release);
    }
}

pub(crate) fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The desk, if the path is watched. `folder` is what a relative path is relative to.
pub(crate) fn desk_for(folder: c_int, path: &[u8]) -> Option<(MutexGuard<'static, Desk>, Vec<u8>)> {
    if path.first() != Some(&b'/') && !is_watched(folder) {
        return None;
    }
    let desk = desk();
    let whole = match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [desk.paths.get(&folder)?.as_slice(), b"/", path].concat(),
    };
    let rest = whole.strip_prefix(desk.watch.as_slice())?;
    matches!(rest.first(), None | Some(b'/')).then_some((desk, whole))
}

fn setting(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_default()
}

fn errno() -> c_int {
    // SAFETY: the address of this thread's error number is always good.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(value: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = value }
}

fn die() -> ! {
    loop {
        // SAFETY: a process may kill itself, and does not come back from it.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

impl Desk {
    fn new() -> Desk {
        let fault = setting("DISK_SHIM_FAIL").into_string().ok();
        let mut desk = Desk {
            watch: setting("DISK_SHIM_WATCH").into_vec(),
            trace: -1,
            fault: fault.as_deref().and_then(Fault::parse),
            count: 0,
            paths: HashMap::new(),
        };
        if desk.watch.is_empty() {
            // A path that no file has.
            desk.watch = b"//".to_vec();
        }
        if let Ok(path) = CString::new(setting("DISK_SHIM_TRACE").into_vec()) {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
            // SAFETY: the path ends with a zero byte and outlives the call.
            let fd = unsafe {
                libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600)
            };
            desk.trace = fd as c_int;
        }
        let mut start = Record::new(Kind::Start);
        start.a = std::process::id().into();
        desk.append(&start);
        desk
    }

    /// Does an operation, or fails it, and writes it down. `work` gets what it may do of a write.
    pub(crate) fn perform(
        &mut self,
        mut record: Record,
        work: impl FnOnce(&mut Record) -> c_long,
    ) -> c_long {
        let verdict = self.judge(&record);
        record.injected = !matches!(verdict, Verdict::Done);
        let answer = match verdict {
            Verdict::Done => work(&mut record),
            Verdict::Halved => {
                record.tear();
                work(&mut record)
            }
            Verdict::Fails(error) => {
                set_errno(error);
                -1
            }
            Verdict::Dies => {
                record.tear();
                let is_torn = !record.data.is_empty() && record.kind == Kind::Write;
                record.result = if is_torn { work(&mut record) } else { -i64::from(libc::EINTR) };
                self.append(&record);
                die()
            }
        };
        let error = errno();
        record.result = if answer < 0 { -i64::from(error) } else { answer };
        if record.kind == Kind::Write {
            record.data.truncate(usize::try_from(answer).unwrap_or(0));
        }
        self.append(&record);
        set_errno(error);
        answer
    }

    fn judge(&mut self, record: &Record) -> Verdict {
        let Some(fault) = &self.fault else { return Verdict::Done };
        if !fault.counted.takes(record) {
            return Verdict::Done;
        }
        self.count += 1;
        let is_first = self.count == fault.number;
        let is_full = fault.goes_on && fault.errno == libc::ENOSPC;
        match () {
            () if is_first && fault.errno == 0 => Verdict::Dies,
            () if is_first && is_full && record.can_tear() => Verdict::Halved,
            () if is_first || (fault.goes_on && self.count > fault.number) => {
                Verdict::Fails(fault.errno)
            }
            () => Verdict::Done,
        }
    }

    pub(crate) fn opened(&mut self, fd: c_long, path: Vec<u8>) {
        if let Ok(fd @ 0..) = c_int::try_from(fd) {
            self.paths.insert(fd, path);
            set_watched(fd, true);
        }
    }

    pub(crate) fn closed(&mut self, fd: c_int) {
        self.paths.remove(&fd);
        set_watched(fd, false);
    }

    pub(crate) fn append(&self, record: &Record) {
        let bytes = record.to_bytes();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            // SAFETY: the bytes are there and outlive the call.
            let written =
                unsafe { libc::syscall(libc::SYS_write, self.trace, rest.as_ptr(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) => rest = &rest[written..],
                // Whoever reads the trace finds it cut short.
                Err(_) => return,
            }
        }
    }
}
