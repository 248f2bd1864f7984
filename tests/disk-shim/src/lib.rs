//! Stands between a program and the C library, by LD_PRELOAD, in tests alone.
//!
//! What the program does to files below the folder `DISK_SHIM_WATCH` is appended to the file
//! `DISK_SHIM_TRACE`, and the operation that `DISK_SHIM_FAIL` names fails without being done.
//! Everything else goes its way. Nothing here calls the functions that it replaces: the kernel is
//! called directly, so there is no way back in.
//!
//! Functions with variable arguments in C are given all they can have: they arrive in registers
//! either way, and one that was not given is not looked at by the kernel either.
//!
//! What is not replaced is not seen: calls that do not go through the C library, and calls inside
//! of it. Whoever reads a trace has to compare what it comes to with what is really there. Calls
//! that are seen and that no test has a model of are written down as such.

mod desk;
mod record;

use std::ffi::CStr;

use libc::{
    AT_FDCWD, AT_REMOVEDIR, O_CREAT, O_TRUNC, O_WRONLY, SEEK_CUR, c_char, c_int, c_long, c_uint,
    c_void, iovec, mode_t, off64_t, size_t, ssize_t,
};

use desk::{desk, desk_for, is_watched};
use record::{Kind, Record};

/// Calls the kernel.
macro_rules! kernel {
    ($number:ident $(, $argument:expr)*) => {
        // SAFETY: what the caller vouched for is handed on as it is.
        unsafe { libc::syscall(libc::$number $(, $argument)*) }
    };
}

/// A path as it was given.
///
/// # Safety
/// It ends with a zero byte.
unsafe fn text<'a>(path: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(path) }.to_bytes()
}

fn on_path(kind: Kind, path: &[u8]) -> Record {
    Record { path: path.to_vec(), ..Record::new(kind) }
}

fn on_file(kind: Kind, fd: c_int) -> Record {
    Record { fd, ..Record::new(kind) }
}

// ===== names =====

unsafe fn open_below(folder: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let work = || kernel!(SYS_openat, folder, path, flags, mode);
    // SAFETY: `open` demands the same of its callers.
    let Some((mut desk, whole)) = desk_for(folder, unsafe { text(path) }) else {
        return work() as c_int;
    };
    let record = Record { a: flags as u64, ..on_path(Kind::Open, &whole) };
    let fd = desk.perform(record, |_| work());
    desk.opened(fd, whole);
    fd as c_int
}

macro_rules! opens {
    ($($name:ident, $below:ident;)*) => {$(
        /// See open(2).
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
            // SAFETY: the caller's.
            unsafe { open_below(AT_FDCWD, path, flags, mode) }
        }

        /// See openat(2).
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $below(
            folder: c_int,
            path: *const c_char,
            flags: c_int,
            mode: mode_t,
        ) -> c_int {
            // SAFETY: the caller's.
            unsafe { open_below(folder, path, flags, mode) }
        }
    )*};
}

opens! { open, openat; open64, openat64; }

/// See close(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    if !is_watched(fd) {
        return kernel!(SYS_close, fd) as c_int;
    }
    let mut desk = desk();
    // Before the kernel can give the number to somebody else.
    desk.closed(fd);
    desk.perform(on_file(Kind::Close, fd), |_| kernel!(SYS_close, fd)) as c_int
}

unsafe fn on_name(
    kind: Kind,
    folder: c_int,
    path: *const c_char,
    work: impl FnOnce() -> c_long,
) -> c_int {
    // SAFETY: the caller's.
    match desk_for(folder, unsafe { text(path) }) {
        Some((mut desk, whole)) => desk.perform(on_path(kind, &whole), |_| work()) as c_int,
        None => work() as c_int,
    }
}

/// See rename(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let work = || kernel!(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    // SAFETY: the caller's.
    let (from, to) = unsafe { (text(from), text(to)) };
    match desk_for(AT_FDCWD, from) {
        Some((mut desk, whole)) => {
            let record = Record { data: to.to_vec(), ..on_path(Kind::Rename, &whole) };
            desk.perform(record, |_| work()) as c_int
        }
        None => work() as c_int,
    }
}

/// See unlink(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    let work = || kernel!(SYS_unlinkat, AT_FDCWD, path, 0);
    // SAFETY: the caller's.
    unsafe { on_name(Kind::Unlink, AT_FDCWD, path, work) }
}

/// See unlinkat(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(folder: c_int, path: *const c_char, flags: c_int) -> c_int {
    let kind = if flags & AT_REMOVEDIR == 0 { Kind::Unlink } else { Kind::RemoveFolder };
    let work = || kernel!(SYS_unlinkat, folder, path, flags);
    // SAFETY: the caller's.
    unsafe { on_name(kind, folder, path, work) }
}

/// See mkdir(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    let work = || kernel!(SYS_mkdirat, AT_FDCWD, path, mode);
    // SAFETY: the caller's.
    unsafe { on_name(Kind::MakeFolder, AT_FDCWD, path, work) }
}

/// See rmdir(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    let work = || kernel!(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
    // SAFETY: the caller's.
    unsafe { on_name(Kind::RemoveFolder, AT_FDCWD, path, work) }
}

// ===== content =====

/// See read(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    on_descriptor(Kind::Read, fd, (0, 0), || kernel!(SYS_read, fd, buffer, count)) as ssize_t
}

/// The bytes that are to be written, and where.
struct Piece {
    fd: c_int,
    at: u64,
    bytes: Vec<u8>,
}

fn write_piece(piece: Piece, write: impl FnOnce(&[u8]) -> c_long) -> ssize_t {
    let Piece { fd, at, bytes } = piece;
    let (b, data) = (bytes.len() as u64, bytes);
    let record = Record { a: at, b, data, ..on_file(Kind::Write, fd) };
    desk().perform(record, |record| write(&record.data)) as ssize_t
}

/// Where the next write goes that does not say where.
fn position(fd: c_int) -> u64 {
    // SAFETY: `stat` is plain numbers, and the kernel fills it in.
    let mut about: libc::stat = unsafe { std::mem::zeroed() };
    let flags = kernel!(SYS_fcntl, fd, libc::F_GETFL);
    if flags & c_long::from(libc::O_APPEND) != 0 && kernel!(SYS_fstat, fd, &raw mut about) == 0 {
        return about.st_size as u64;
    }
    kernel!(SYS_lseek, fd, 0, SEEK_CUR) as u64
}

/// See write(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    if !is_watched(fd) {
        return kernel!(SYS_write, fd, buffer, count) as ssize_t;
    }
    // SAFETY: the caller's.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast(), count) }.to_vec();
    let piece = Piece { fd, at: position(fd), bytes };
    write_piece(piece, |bytes| kernel!(SYS_write, fd, bytes.as_ptr(), bytes.len()))
}

/// See writev(2). Of several pieces the first is written, which is all a caller may rely on.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    if !is_watched(fd) {
        return kernel!(SYS_writev, fd, pieces, count) as ssize_t;
    }
    // SAFETY: the caller's.
    let pieces = unsafe { std::slice::from_raw_parts(pieces, usize::try_from(count).unwrap_or(0)) };
    match pieces.iter().find(|piece| piece.iov_len > 0) {
        // SAFETY: the caller's.
        Some(piece) => unsafe { write(fd, piece.iov_base, piece.iov_len) },
        None => 0,
    }
}

macro_rules! positioned {
    ($($read:ident, $write:ident, $truncate:ident;)*) => {$(
        /// See pread(2).
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $read(
            fd: c_int,
            buffer: *mut c_void,
            count: size_t,
            at: off64_t,
        ) -> ssize_t {
            let work = || kernel!(SYS_pread64, fd, buffer, count, at);
            on_descriptor(Kind::Read, fd, (0, 0), work) as ssize_t
        }

        /// See pwrite(2).
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $write(
            fd: c_int,
            buffer: *const c_void,
            count: size_t,
            at: off64_t,
        ) -> ssize_t {
            if !is_watched(fd) {
                return kernel!(SYS_pwrite64, fd, buffer, count, at) as ssize_t;
            }
            // SAFETY: the caller's.
            let bytes = unsafe { std::slice::from_raw_parts(buffer.cast(), count) }.to_vec();
            let piece = Piece { fd, at: at as u64, bytes };
            write_piece(piece, |bytes| {
                kernel!(SYS_pwrite64, fd, bytes.as_ptr(), bytes.len(), at)
            })
        }

        /// See ftruncate(2).
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $truncate(fd: c_int, length: off64_t) -> c_int {
            let work = || kernel!(SYS_ftruncate, fd, length);
            on_descriptor(Kind::Truncate, fd, (length as u64, 0), work) as c_int
        }
    )*};
}

positioned! { pread, pwrite, ftruncate; pread64, pwrite64, ftruncate64; }

// ===== syncs =====

fn on_descriptor(
    kind: Kind,
    fd: c_int,
    (a, b): (u64, u64),
    work: impl FnOnce() -> c_long,
) -> c_long {
    if !is_watched(fd) {
        return work();
    }
    desk().perform(Record { a, b, ..on_file(kind, fd) }, |_| work())
}

/// See fsync(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    on_descriptor(Kind::Sync, fd, (0, 0), || kernel!(SYS_fsync, fd)) as c_int
}

/// See fdatasync(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    on_descriptor(Kind::Sync, fd, (1, 0), || kernel!(SYS_fdatasync, fd)) as c_int
}

/// See syncfs(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncfs(fd: c_int) -> c_int {
    on_descriptor(Kind::SyncSystem, fd, (0, 0), || kernel!(SYS_syncfs, fd)) as c_int
}

/// See sync_file_range(2).
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sync_file_range(
    fd: c_int,
    at: off64_t,
    count: off64_t,
    flags: c_uint,
) -> c_int {
    let work = || kernel!(SYS_sync_file_range, fd, at, count, flags);
    on_descriptor(Kind::SyncRange, fd, (at as u64, count as u64), work) as c_int
}

// ===== what there is no model of =====

fn unknown(name: &str, is_ours: bool) {
    if is_ours {
        desk().append(&on_path(Kind::Unknown, name.as_bytes()));
    }
}

fn is_below(folder: c_int, path: *const c_char) -> bool {
    // SAFETY: every caller has it from a caller in C, of whom a path or nothing is demanded.
    !path.is_null() && desk_for(folder, unsafe { text(path) }).is_some()
}

macro_rules! unknowns {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty, $ours:expr,
        $number:ident($($given:expr),*);)*) => {$(
        /// Noted and done.
        ///
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> $answer {
            unknown(stringify!($name), $ours);
            kernel!($number $(, $given)*) as $answer
        }
    )*};
}

type Path = *const c_char;
type Address = *mut c_void;

/// Whether a call of fcntl(2) makes another descriptor of the same file.
fn doubles(fd: c_int, command: c_int) -> bool {
    matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) && is_watched(fd)
}

/// Whether files can be changed through memory.
fn is_shared(fd: c_int, protection: c_int, flags: c_int) -> bool {
    protection & libc::PROT_WRITE != 0 && flags & libc::MAP_SHARED != 0 && is_watched(fd)
}

unknowns! {
    renameat(from: c_int, path: Path, to: c_int, other: Path) -> c_int,
        is_below(from, path) || is_below(to, other),
        SYS_renameat2(from, path, to, other, 0);
    renameat2(from: c_int, path: Path, to: c_int, other: Path, flags: c_uint) -> c_int,
        is_below(from, path) || is_below(to, other),
        SYS_renameat2(from, path, to, other, flags);
    mkdirat(folder: c_int, path: Path, mode: mode_t) -> c_int,
        is_below(folder, path),
        SYS_mkdirat(folder, path, mode);
    creat(path: Path, mode: mode_t) -> c_int,
        is_below(AT_FDCWD, path),
        SYS_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    creat64(path: Path, mode: mode_t) -> c_int,
        is_below(AT_FDCWD, path),
        SYS_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    link(path: Path, other: Path) -> c_int,
        is_below(AT_FDCWD, path) || is_below(AT_FDCWD, other),
        SYS_linkat(AT_FDCWD, path, AT_FDCWD, other, 0);
    linkat(from: c_int, path: Path, to: c_int, other: Path, flags: c_int) -> c_int,
        is_below(from, path) || is_below(to, other),
        SYS_linkat(from, path, to, other, flags);
    symlink(target: Path, path: Path) -> c_int,
        is_below(AT_FDCWD, path),
        SYS_symlinkat(target, AT_FDCWD, path);
    symlinkat(target: Path, folder: c_int, path: Path) -> c_int,
        is_below(folder, path),
        SYS_symlinkat(target, folder, path);
    truncate(path: Path, length: off64_t) -> c_int,
        is_below(AT_FDCWD, path),
        SYS_truncate(path, length);
    truncate64(path: Path, length: off64_t) -> c_int,
        is_below(AT_FDCWD, path),
        SYS_truncate(path, length);
    fallocate(fd: c_int, mode: c_int, at: off64_t, count: off64_t) -> c_int,
        is_watched(fd),
        SYS_fallocate(fd, mode, at, count);
    fallocate64(fd: c_int, mode: c_int, at: off64_t, count: off64_t) -> c_int,
        is_watched(fd),
        SYS_fallocate(fd, mode, at, count);
    pwritev(fd: c_int, pieces: *const iovec, count: c_int, at: off64_t) -> ssize_t,
        is_watched(fd),
        SYS_pwritev(fd, pieces, count, at, 0);
    pwritev64(fd: c_int, pieces: *const iovec, count: c_int, at: off64_t) -> ssize_t,
        is_watched(fd),
        SYS_pwritev(fd, pieces, count, at, 0);
    copy_file_range(
        from: c_int, start: Address, to: c_int, at: Address, count: size_t, flags: c_uint
    ) -> ssize_t,
        is_watched(to),
        SYS_copy_file_range(from, start, to, at, count, flags);
    sendfile(to: c_int, from: c_int, at: Address, count: size_t) -> ssize_t,
        is_watched(to),
        SYS_sendfile(to, from, at, count);
    sendfile64(to: c_int, from: c_int, at: Address, count: size_t) -> ssize_t,
        is_watched(to),
        SYS_sendfile(to, from, at, count);
    splice(
        from: c_int, start: Address, to: c_int, at: Address, count: size_t, flags: c_uint
    ) -> ssize_t,
        is_watched(to),
        SYS_splice(from, start, to, at, count, flags);
    dup(fd: c_int) -> c_int,
        is_watched(fd),
        SYS_dup(fd);
    dup3(fd: c_int, other: c_int, flags: c_int) -> c_int,
        is_watched(fd) || is_watched(other),
        SYS_dup3(fd, other, flags);
    fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int,
        doubles(fd, command),
        SYS_fcntl(fd, command, argument);
    fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int,
        doubles(fd, command),
        SYS_fcntl(fd, command, argument);
    mmap(
        at: Address, count: size_t, protection: c_int, flags: c_int, fd: c_int, offset: off64_t
    ) -> Address,
        is_shared(fd, protection, flags),
        SYS_mmap(at, count, protection, flags, fd, offset);
    mmap64(
        at: Address, count: size_t, protection: c_int, flags: c_int, fd: c_int, offset: off64_t
    ) -> Address,
        is_shared(fd, protection, flags),
        SYS_mmap(at, count, protection, flags, fd, offset);
}
