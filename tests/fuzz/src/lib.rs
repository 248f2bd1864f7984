//! What must hold of any bytes that come from outside.
//!
//! Each function takes bytes, hands them to a decoder of the product, and panics when what comes
//! back breaks a promise: that a path leads back to itself, that a body means one thing, that a
//! damaged record is never taken for another one. It says whether anything was accepted, so that
//! a test can tell whether a corpus gets past the first check at all.
//!
//! They stand here once and are called from two sides: by cargo-fuzz (`fuzz/`, `make fuzz`), which
//! looks for new inputs, and by `tests/corpus.rs`, which runs those that were found, and small
//! changes of them, in every `make test`.

mod body;
mod catalog_file;
mod credentials;
pub mod mutation;
mod path;
mod record;

pub use body::fuzz_body;
pub use catalog_file::fuzz_catalog;
pub use credentials::fuzz_credentials;
pub use path::fuzz_path;
pub use record::{fuzz_record, seeds as record_seeds};

/// A function that holds any bytes against a promise.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its folder in `fuzz/corpus` and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Panics when a promise is broken; `true` when something was accepted.
    pub run: fn(&[u8]) -> bool,
    /// What has a meaning in its inputs, for whoever changes them.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: [Target; 5] = [
    Target { name: "path", run: fuzz_path, words: path::WORDS },
    Target { name: "body", run: fuzz_body, words: body::WORDS },
    Target { name: "credentials", run: fuzz_credentials, words: credentials::WORDS },
    Target { name: "catalog", run: fuzz_catalog, words: catalog_file::WORDS },
    Target { name: "record", run: fuzz_record, words: record::WORDS },
];
