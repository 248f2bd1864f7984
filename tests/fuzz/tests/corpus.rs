//! Every input that was ever worth keeping, and small changes of it, against every promise.
//!
//! `BOXWOOD_FUZZ_MUTATIONS` says how many changes each target gets, `BOXWOOD_FUZZ_SECONDS` for how
//! long it goes on making them, `BOXWOOD_FUZZ_SEED` by which chance. An input that breaks a promise
//! is kept as evidence: copy it into the corpus with the fix.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fuzz_targets::mutation::{Chance, mutated};
use fuzz_targets::{TARGETS, Target};
use support::Evidence;

/// Enough to find what a small change breaks, in a few seconds for all targets.
const MUTATIONS: u64 = 3000;
/// A catalog takes longer than a path.
const MUTATIONS_OF_CATALOGS: u64 = 700;

#[test]
fn paths_lead_back_to_themselves() {
    over_its_corpus("path", 40);
}

#[test]
fn bodies_have_one_meaning_and_are_not_quoted() {
    over_its_corpus("body", 60);
}

#[test]
fn tokens_and_credentials_read_back() {
    over_its_corpus("credentials", 8);
}

#[test]
fn catalogs_keep_their_word_or_say_where_they_do_not() {
    over_its_corpus("catalog", 70);
}

#[test]
fn what_is_stored_reads_back_or_is_refused() {
    over_its_corpus("record", 18);
}

#[test]
fn each_target_can_be_fuzzed_and_has_a_corpus() {
    let in_fuzz = |folder: &str| names(&root().join("fuzz").join(folder));
    let names_here: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(in_fuzz("corpus"), names_here);
    let files: BTreeSet<String> = names_here.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(in_fuzz("fuzz_targets"), files);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in &names_here {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
    }
}

/// Runs a target over its corpus and over changes of it. At least so many inputs of the corpus must
/// be accepted: a promise about what is accepted says nothing where everything is refused.
#[expect(clippy::print_stdout, reason = "for whoever reads the log of a long run")]
fn over_its_corpus(name: &str, at_least: usize) {
    let target = TARGETS.into_iter().find(|target| target.name == name).unwrap();
    let evidence = Evidence::new();
    let note = File::create(evidence.path().join("input")).unwrap();
    let corpus = corpus(name);
    let accepted = corpus.iter().filter(|input| run(target, input, &note)).count();
    assert!(accepted >= at_least, "{accepted} of {} inputs are accepted", corpus.len());

    let mut chance = Chance::seeded(variable("BOXWOOD_FUZZ_SEED").unwrap_or(1));
    let more = wanted(name);
    let mut tried = 0;
    while more(tried) {
        let input = chance.pick(&corpus).unwrap().clone();
        run(target, &mutated(&input, &corpus, target.words, &mut chance), &note);
        tried += 1;
    }
    println!("{name}: {} inputs, {accepted} accepted; {tried} changes", corpus.len());
}

// Noted before it is run: whatever happens then, the input is there. In one file that stays open, as
// some file systems write out what replaces another file.
fn run(target: Target, input: &[u8], note: &File) -> bool {
    note.write_all_at(input, 0).unwrap();
    note.set_len(input.len() as u64).unwrap();
    (target.run)(input)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to look for more; no outcome depends on it"
)]
fn wanted(name: &str) -> impl Fn(u64) -> bool + use<> {
    let usual = if name == "catalog" { MUTATIONS_OF_CATALOGS } else { MUTATIONS };
    let mutations = variable("BOXWOOD_FUZZ_MUTATIONS").unwrap_or(usual);
    let until = variable("BOXWOOD_FUZZ_SECONDS")
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    move |tried| match until {
        Some(until) => Instant::now() < until,
        None => tried < mutations,
    }
}

#[expect(clippy::disallowed_methods, reason = "settings of the test itself, not of the product")]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, {text} is not")))
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/corpus").join(name);
    names(&folder).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

// Sorted, so that chance picks the same everywhere.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
