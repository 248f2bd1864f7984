//! Which process listens on a port, for the message about a port that is taken.

use std::fmt;
use std::fs;
use std::path::Path;

/// A process that listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// The process that listens on a port of this machine; `None` where that cannot be found out, as
/// with a process of another user.
#[must_use]
pub fn of(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let sockets: Vec<String> =
        tables.iter().flatten().flat_map(|table| listening(table, port)).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .find(|pid| sockets.iter().any(|socket| has(*pid, socket)))
        .map(|pid| Holder { pid, name: name(pid) })
}

/// The sockets in a table of the kernel that listen on the port, as links to them read.
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let sockets = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (local.ends_with(&suffix) && *state == LISTEN).then(|| format!("socket:[{inode}]"))
    });
    sockets.collect()
}

fn has(pid: u32, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let mut targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target == Path::new(socket))
}

fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "" => "another program".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_holder_of_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = of(listener.local_addr().unwrap().port()).expect("this process listens");
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.name.is_empty());
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 x\n   \
            1: 0100007F:20FB 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 78 1 x\n   \
            2: 0100007F:20FC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 79 1 x\n";
        assert_eq!(listening(table, 8443), ["socket:[77]"]);
    }
}
