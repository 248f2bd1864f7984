//! `boxwood` as a client: recorded sessions against a running daemon, through pipes for programs and
//! on a pseudo-terminal for people.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod sessions;
mod terminal;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::Server;
use tempfile::TempDir;

/// A person with contexts of their own.
struct User {
    home: TempDir,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl User {
    fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    /// Logged in as the administrator at the first listener of a daemon.
    fn at(server: &Server) -> Self {
        let user = Self::new();
        let said = user.run(&["login", server.url(), "--insecure"]);
        assert_eq!(said.code, 0, "{said:?}");
        user
    }

    fn contexts(&self) -> PathBuf {
        self.home.path().join("contexts.toml")
    }

    /// A command with nothing of this process's environment.
    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(support::binary());
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("BOXWOOD_CONTEXTS", self.contexts());
        command.env("BOXWOOD_PASSWORD", "admin");
        command
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    /// Runs a command that must succeed; its output.
    #[track_caller]
    fn out(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.out
    }

    /// The document that a command answers.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.out(&[arguments, &["--output", "json"]].concat())).unwrap()
    }

    /// Runs a command that must be refused with these words.
    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        for word in words {
            assert!(said.err.contains(word), "{arguments:?} does not say {word:?}: {said:?}");
        }
    }
}

fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Said { code, out: text(output.stdout), err: text(output.stderr) }
}
