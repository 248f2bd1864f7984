//! The system calls of a daemon that reach for the network, by strace where the machine has it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use support::{Server, ServerBuilder, binary};
use tempfile::TempDir;

pub(crate) struct Trace {
    place: TempDir,
}

impl Trace {
    /// `None`, with a line that says so, where calls cannot be traced.
    pub(crate) fn new() -> Option<Self> {
        let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            println!("left out: system calls cannot be traced on this machine");
            return None;
        }
        Some(Self { place: tempfile::tempdir().unwrap() })
    }

    /// Starts a daemon whose calls are written down.
    pub(crate) fn start(&self, builder: ServerBuilder) -> Server {
        let script = self.place.path().join("traced");
        let text = format!(
            "#!/bin/sh\nexec strace -D -f -qq -e trace=connect,sendto,sendmsg,sendmmsg -o '{}' '{}' \"$@\"\n",
            self.place.path().join("calls").display(),
            binary().display(),
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        builder.binary(&script).start()
    }

    /// Where calls went, each address once, by the addresses of the internet that are in them.
    pub(crate) fn destinations(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.place.path().join("calls")).unwrap();
        let mut found: Vec<String> = calls.lines().filter_map(destination).collect();
        found.sort();
        found.dedup();
        found
    }
}

// connect(9, {sa_family=AF_INET, sin_port=htons(25), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
fn destination(call: &str) -> Option<String> {
    if !call.contains("sa_family=AF_INET") {
        return None;
    }
    let port = call.split("htons(").nth(1)?.split(')').next()?;
    let address = call.split("inet_addr(\"").nth(1).or_else(|| call.split("AF_INET6, \"").nth(1));
    let address = address.and_then(|rest| rest.split('"').next()).unwrap_or("?");
    Some(format!("{address}:{port}"))
}
