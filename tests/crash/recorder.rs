//! A daemon whose file calls are written down, and failed on demand (`tests/disk-shim`).

use std::fs;
use std::path::{Path, PathBuf};

use support::{Evidence, Server, ServerBuilder, binary};

use crate::record::{Counted, Kind, Record};

/// A medium of its own, in an evidence directory of its own.
#[derive(Debug)]
pub(crate) struct Rig {
    evidence: Evidence,
}

/// What is to become of one operation of a daemon, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) number: u64,
    pub(crate) what: What,
    /// Whether all later ones fail as well.
    pub(crate) goes_on: bool,
    /// Which operations are counted.
    pub(crate) counted: Counted,
}

/// How an operation goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// EIO.
    Error,
    /// ENOSPC; when it goes on, half of the first write gets through.
    Full,
    /// SIGKILL, with half of a write done.
    Kill,
}

impl Rig {
    pub(crate) fn new() -> Rig {
        let rig = Rig { evidence: Evidence::new() };
        fs::create_dir(rig.medium()).expect("the medium can be made");
        rig
    }

    /// A directory beside the medium, for whatever explains a failure.
    pub(crate) fn evidence(&self) -> &Path {
        self.evidence.path()
    }

    /// Everything in here is watched.
    pub(crate) fn medium(&self) -> PathBuf {
        self.evidence.path().join("medium")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.medium().join("data")
    }

    fn trace(&self) -> PathBuf {
        self.evidence.path().join("trace")
    }

    /// `boxwood serve` on it, which is watched and makes checkpoints and forgets all the time.
    pub(crate) fn builder(&self, fault: Option<Fault>) -> ServerBuilder {
        let builder = plain_builder(&self.data())
            .env("LD_PRELOAD", shim())
            .env("DISK_SHIM_WATCH", self.medium())
            .env("DISK_SHIM_TRACE", self.trace());
        match fault {
            Some(fault) => builder.env("DISK_SHIM_FAIL", fault.to_text()),
            None => builder,
        }
    }

    /// How long the trace is by now. What happened before is in it.
    pub(crate) fn position(&self) -> u64 {
        self.trace().metadata().map_or(0, |about| about.len())
    }

    /// All operations so far, each with the position after it.
    pub(crate) fn records(&self) -> Vec<(u64, Record)> {
        let bytes = fs::read(self.trace()).expect("the shim writes a trace");
        let (mut records, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let record = Record::from_bytes(&bytes, &mut at).expect("a trace of whole records");
            records.push((at as u64, record));
        }
        let unknown: Vec<_> = records.iter().filter(|(_, it)| it.kind == Kind::Unknown).collect();
        assert!(unknown.is_empty(), "the model has to learn of these calls: {unknown:#?}");
        records
    }
}

/// The same daemon, unwatched.
pub(crate) fn plain_builder(data: &Path) -> ServerBuilder {
    Server::builder()
        .serve(data)
        .http()
        .set("transactions.mode", "exclusive")
        .set("store.checkpoint_revisions", 3)
        .set("history.keep_revisions", 4)
}

fn shim() -> PathBuf {
    let shim = binary().with_file_name("libdisk_shim.so");
    assert!(
        shim.is_file(),
        "there is no {}: run `cargo build -p disk-shim` first, or `make test`",
        shim.display()
    );
    shim
}

impl Fault {
    fn to_text(self) -> String {
        let errno = match self.what {
            What::Error => 5,
            What::Full => 28,
            What::Kill => 0,
        };
        let length = if self.goes_on { "on" } else { "once" };
        let which = match self.counted {
            Counted::Changes => "changes",
            Counted::All => "all",
            Counted::Syncs => "syncs",
        };
        format!("{}:{errno}:{length}:{which}", self.number)
    }

    /// What the system says of it, as a person reads it.
    pub(crate) fn sentence(self) -> &'static str {
        match self.what {
            What::Error => "Input/output error",
            What::Full => "No space left on device",
            What::Kill => "killed",
        }
    }
}
