//! A fresh directory per server, removed when the test passes and kept when it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A directory for logs and whatever else explains a failure.
#[derive(Debug)]
pub struct Evidence {
    path: PathBuf,
}

impl Evidence {
    /// A fresh directory under `tests/evidence`, named after the test.
    pub fn new() -> Evidence {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let thread = thread::current();
        let test = thread.name().unwrap_or("unnamed").replace("::", ".");
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("evidence")
            .join(format!("{test}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("tests/evidence can be written");
        Evidence { path }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of a file in it; empty when there is none.
    pub fn text(&self, name: &str) -> String {
        fs::read(self.path.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

impl Default for Evidence {
    fn default() -> Evidence {
        Evidence::new()
    }
}

impl Drop for Evidence {
    #[expect(clippy::print_stderr, reason = "speaks to the person whose test failed")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("evidence is kept in {}", self.path.display());
            let log = self.text("stderr.log");
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(15)..] {
                eprintln!("  | {line}");
            }
        } else {
            // A directory that cannot be removed is untidy, and no reason to fail.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_stays_only_when_the_test_fails() {
        let passed = Evidence::new();
        let path = passed.path().to_owned();
        assert!(path.is_dir());
        drop(passed);
        assert!(!path.exists());

        let failed = Evidence::new();
        let path = failed.path().to_owned();
        fs::write(path.join("stderr.log"), "what happened").unwrap();
        thread::spawn(move || {
            let _owned = failed;
            panic!("on purpose, by the test of Evidence");
        })
        .join()
        .expect_err("the thread fails");
        assert!(path.join("stderr.log").is_file());
        fs::remove_dir_all(path).unwrap();
    }
}
