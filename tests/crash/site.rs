//! A data directory that outlives the daemons that use it.

use std::fs;
use std::path::{Path, PathBuf};

use support::{Evidence, Server, ServerBuilder};

/// A data directory in an evidence directory of its own.
#[derive(Debug)]
pub(crate) struct Site {
    evidence: Evidence,
    concurrent: bool,
}

impl Site {
    pub(crate) fn new() -> Site {
        Site { evidence: Evidence::new(), concurrent: false }
    }

    pub(crate) fn concurrent() -> Site {
        Site { concurrent: true, ..Site::new() }
    }

    /// A directory beside the data, for whatever explains a failure.
    pub(crate) fn evidence(&self) -> &Path {
        self.evidence.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.evidence.path().join("data")
    }

    /// `boxwood serve` on it, with plain http for speed, and with checkpoints under fire.
    pub(crate) fn builder(&self) -> ServerBuilder {
        self.builder_in(&self.data())
    }

    pub(crate) fn builder_in(&self, data: &Path) -> ServerBuilder {
        let mode = if self.concurrent { "concurrent" } else { "exclusive" };
        Server::builder()
            .serve(data)
            .http()
            .set("store.checkpoint_revisions", 7)
            .set("transactions.mode", mode)
    }
}

/// Copies a directory with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory can be made");
    for entry in fs::read_dir(from).expect("a directory can be read") {
        let entry = entry.expect("a directory can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// All files below a directory, by their paths from there, in order.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        for entry in fs::read_dir(directory.join(&relative)).expect("a directory can be read") {
            let entry = entry.expect("a directory can be read");
            let path = relative.join(entry.file_name());
            match entry.path().is_dir() {
                true => waiting.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}
