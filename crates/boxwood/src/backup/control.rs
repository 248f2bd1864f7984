//! How a command of the same machine reaches the daemon of a data directory: a socket whose name is
//! made of the directory's device and inode, so that it leaves no file behind and needs no port.
//!
//! The name is free to all users of the machine, so each side asks the system who the other one is:
//! the daemon answers root and its own user, the command trusts the owner of the directory.

use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::BackupError;
use super::source::Source;

const ASK: &[u8] = b"backup\n";
const ROOT: u32 = 0;

fn address(data_dir: &Path) -> io::Result<SocketAddr> {
    let folder = fs::metadata(data_dir)?;
    SocketAddr::from_abstract_name(format!("boxwood/{:x}/{:x}", folder.dev(), folder.ino()))
}

/// Answers commands for the rest of the process's life, on a thread of its own. The daemon runs
/// without it too: a command then finds the directory in use.
pub fn serve(source: Source) {
    let source = Arc::new(source);
    let begun = address(&source.root).and_then(|address| UnixListener::bind_addr(&address));
    let begun = begun.and_then(|listener| {
        let work = move || listener.incoming().flatten().for_each(|peer| answer(&source, peer));
        thread::Builder::new().name("boxwood-control".to_owned()).spawn(work).map(drop)
    });
    if let Err(error) = begun {
        tracing::warn!(%error, "no backup can be taken while the daemon runs");
    }
}

/// One at a time: two backups at once would read the disk against each other.
fn answer(source: &Source, mut peer: UnixStream) {
    let own = rustix::process::geteuid().as_raw();
    let user = user_of(&peer);
    if user.as_ref().is_ok_and(|user| *user != ROOT && *user != own) || user.is_err() {
        tracing::warn!(?user, "a backup was refused to another user");
        return;
    }
    let mut asked = [0; ASK.len()];
    if peer.read_exact(&mut asked).is_err() || asked != *ASK {
        return;
    }
    let out = io::BufWriter::with_capacity(1 << 16, &peer);
    match source.write(out) {
        Ok((_, copied)) => {
            for (appliance, revision) in copied {
                let revision = revision.get();
                tracing::info!(appliance, revision, "backup made");
            }
        }
        Err(error) => {
            let reason = transaction_engine::chain(&error).to_string();
            tracing::warn!(reason, "backup failed");
        }
    }
}

/// Asks the daemon of a data directory for a backup; `None` when no daemon answers for it.
///
/// # Errors
/// Another user's process answers.
pub fn ask(data_dir: &Path) -> Result<Option<impl Read>, BackupError> {
    let failed = || BackupError::io(format!("cannot reach the daemon of {}", data_dir.display()));
    let Ok(address) = address(data_dir) else { return Ok(None) };
    let mut stream = match UnixStream::connect_addr(&address) {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(None),
        Err(error) => return Err(failed()(error)),
    };
    let found = user_of(&stream).map_err(failed())?;
    let owner = fs::metadata(data_dir).map_err(failed())?.uid();
    if found != owner && found != ROOT {
        return Err(BackupError::Stranger { found, owner });
    }
    stream.write_all(ASK).map_err(failed())?;
    Ok(Some(BufReader::with_capacity(1 << 16, stream)))
}

fn user_of(peer: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(peer)?.uid.as_raw())
}
