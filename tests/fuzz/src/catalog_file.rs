//! Catalogs: any text is a catalog that keeps its word, or faults that say where.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Catalog, EndpointKind, Fault, LoadError, reference_page};
use config_tree::{Body, NodePath};
use serde_json::Value;

pub(crate) const WORDS: &[&str] = &[
    "kind: object\n",
    "kind: collection\n",
    "kind: folder\n",
    "kind: value\n",
    "extends: sps-6.2\n",
    "removed: [/management]\n",
    "schema:\n",
    "default: ",
    "examples:\n",
    "operations: [list, create, replace, delete]\n",
    "key: uuid\n",
    "fidelity: opaque\n",
    "type: object",
    "type: [string, \"null\"]",
    "properties:",
    "required: []",
    "additionalProperties: false",
    "x-union:",
    "x-reference: ",
    "x-secret: true",
    "x-mint: ",
    "x-null-when:",
    "$ref: \"#/$defs/x\"",
    "$defs:",
    "pattern: '^(a|b)*$'",
    "format: ",
    "enum: [",
    "minimum: ",
    "maxLength: ",
    "uniqueItems: true",
    "unique: [name]\n",
    "members:\n",
    "==> catalog.yaml\n",
    "  ",
    "- ",
    "{",
    "]",
    "&a ",
    "*a",
    "!t ",
    "---\n",
    "|\n",
];

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../config/catalogs/sps-6.2/", $name)))),*]
    };
}

// The appliance's shared schemas.
const SHARED: &str = include_str!("../../../config/catalogs/sps-6.2/catalog.yaml");

// The collections that most of its files refer to.
const BESIDE: &[(&str, &str)] = &files![
    "passwords.yaml",
    "private_keys.yaml",
    "x509.yaml",
    "network/nics.yaml",
    "policies/time_policies.yaml",
    "policies/content_policies.yaml",
    "policies/audit_policies.yaml",
];

/// The files of a catalog, each after a line `==> NAME`. Where none is the catalog's own, they stand
/// beside a few of the appliance's.
pub fn fuzz_catalog(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let files = files_of(text);
    let first = Catalog::from_files(files.clone());
    let mut turned: Vec<_> = files.clone();
    turned.reverse();
    match (first, Catalog::from_files(turned)) {
        (Ok(catalog), Ok(again)) => {
            assert_eq!(reference_page(&catalog), reference_page(&again), "in any order the same");
            check_catalog(&catalog);
            true
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again, "in any order the same faults");
            check_faults(&error, &files);
            false
        }
        (first, again) => panic!("in one order {:?}, in another {:?}", first.err(), again.err()),
    }
}

type Files = Vec<(String, String)>;

fn files_of(text: &str) -> Files {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut name = "thing.yaml".to_owned();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("==> ") {
            Some(next) => name = next.trim_end().to_owned(),
            None => files.entry(name.clone()).or_default().push_str(line),
        }
    }
    if !files.contains_key("catalog.yaml") {
        add_what_is_named(&mut files);
        let named: Vec<String> = files.keys().cloned().collect();
        for (at, name) in named.iter().flat_map(|n| n.match_indices('/').map(move |(i, _)| (i, n)))
        {
            let folder = "kind: folder\ntitle: Folder\ndescription: Holds the others.\n";
            files.entry(format!("{}.yaml", &name[..at])).or_insert_with(|| folder.to_owned());
        }
    }
    files.into_iter().collect()
}

// Of the appliance's catalog what these files speak of, and what that speaks of: all of it would
// take most of the time.
fn add_what_is_named(files: &mut BTreeMap<String, String>) {
    let (head, shared) = SHARED.split_once("$defs:\n").unwrap_or((SHARED, ""));
    let mut missing: Vec<(&str, String)> = schemas(shared);
    let mut own = format!("{head}$defs:\n  nothing: {{type: string}}\n");
    loop {
        let mut all: String = files.values().map(String::as_str).collect();
        all.push_str(&own);
        let is_named = |name: &str| all.contains(&format!("#/$defs/{name}"));
        let (named, others) = missing.into_iter().partition(|(name, _)| is_named(name));
        missing = others;
        own.extend(named.iter().map(|(_, text): &(&str, String)| text.as_str()));
        let mut grown = !named.is_empty();
        for (name, text) in BESIDE {
            let is_named = all.contains(&format!("/{}", name.trim_end_matches(".yaml")));
            if is_named && !files.contains_key(*name) {
                files.insert((*name).to_owned(), (*text).to_owned());
                grown = true;
            }
        }
        if !grown {
            break;
        }
    }
    files.insert("catalog.yaml".to_owned(), own);
}

// The shared schemas by their names, each with its lines.
fn schemas(text: &'static str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let name = line.strip_prefix("  ").and_then(|rest| rest.split_once(':'));
        match name.filter(|(name, _)| !name.starts_with([' ', '#'])) {
            Some((name, _)) => found.push((name, line.to_owned())),
            None => found.last_mut().into_iter().for_each(|(_, text)| text.push_str(line)),
        }
    }
    found
}

// ===== faults =====

fn check_faults(error: &LoadError, files: &Files) {
    assert!(!error.faults.is_empty(), "a refusal says why");
    assert!(error.faults.is_sorted(), "faults are sorted");
    let texts: BTreeMap<&str, &str> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    for fault in &error.faults {
        check_fault(fault, &texts);
    }
    assert!(error.to_string().lines().count() > error.faults.len(), "each on a line of its own");
}

fn check_fault(fault: &Fault, texts: &BTreeMap<&str, &str>) {
    assert!(!fault.message.is_empty() && !fault.remedy.is_empty(), "{fault}");
    let Some(text) = texts.get(fault.file.as_str()) else {
        // A file that is missing, or one of the catalog that this one extends.
        let missing = fault.line == 0 || fault.file.contains('/') || fault.file == "catalog.yaml";
        assert!(missing, "the fault is in a file that is not there: {fault}");
        return;
    };
    let lines = text.split(['\n', '\r']).count();
    assert!(fault.line <= lines, "{fault}: the file has {lines} lines");
}

// ===== a catalog keeps its word =====

fn check_catalog(catalog: &Catalog) {
    assert!(["exclusive", "concurrent"].contains(&catalog.default_mode()));
    let paths: Vec<&NodePath> = catalog.endpoints().map(|endpoint| endpoint.path()).collect();
    assert!(paths.first().is_some_and(|path| path.is_root()) && paths.is_sorted());
    for endpoint in catalog.endpoints() {
        let path = endpoint.path();
        if let Some(parent) = path.parent() {
            let parent = catalog.endpoint(&parent).expect("it stands in a folder");
            assert_eq!(parent.kind(), EndpointKind::Folder, "{path}");
        }
        for example in endpoint.examples() {
            let checked = catalog.check_body(path, example.body.clone());
            assert!(checked.is_ok(), "{path}: {}: {checked:?}", example.title);
        }
    }
    check_factory(catalog);
}

// Without anybody who mints: what is left of the defaults is right in itself.
fn check_factory(catalog: &Catalog) {
    let bodies = catalog.factory(&mut |_, _| None);
    let mut tree = catalog.skeleton();
    let mut there = BTreeSet::new();
    for (path, value) in bodies {
        let checked = catalog.check_body(&path, wrapped(value.clone()));
        let checked = checked.unwrap_or_else(|faults| panic!("{path}: {faults:?}"));
        assert_eq!(checked.value, value, "{path}: a default is in its canonical form");
        let all = checked.references.iter().all(|reference| there.contains(&reference.target));
        assert!(all, "{path}: what a default refers to comes before it");
        let body = Body::new(&checked.value, checked.references);
        let is_member = catalog.endpoint(&path).is_some_and(|e| e.kind() == EndpointKind::Member);
        let rank = is_member.then_some(there.len() as u64);
        tree.object_create(&path, body, rank).unwrap_or_else(|error| panic!("{path}: {error}"));
        there.insert(path);
    }
    assert!(tree.is_consistent());
}

// As an answer has it, since a body may itself look like such an answer.
fn wrapped(value: Value) -> Value {
    let is_like_one = value.get("body").is_some();
    if is_like_one { serde_json::json!({ "body": value }) } else { value }
}
