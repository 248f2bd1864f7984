//! Writes the inputs to begin with, from what is checked in: recorded requests, catalogs and their
//! defaults, encoded records. Run once for a new target; what fuzzers add stands beside them.

#![allow(clippy::unwrap_used, reason = "for the people who write it, who read the backtrace")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use catalog::{Catalog, EndpointKind};
use serde_json::Value;

/// Longer ones make a fuzzer slow, and say nothing that shorter ones do not.
const LONGEST: usize = 8192;

fn main() {
    let mut seeds = Seeds::default();
    recordings(&mut seeds);
    catalogs(&mut seeds);
    by_hand(&mut seeds);
    for (name, bytes) in fuzz_targets::record_seeds() {
        seeds.add("record", &name, &bytes);
    }
}

#[derive(Default)]
struct Seeds(BTreeSet<(String, Vec<u8>)>);

impl Seeds {
    fn add(&mut self, target: &str, name: &str, bytes: &[u8]) {
        if bytes.len() > LONGEST || !self.0.insert((target.to_owned(), bytes.to_vec())) {
            return;
        }
        let folder = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// The requests of all recorded stories: their targets, and their bodies with the line before.
fn recordings(seeds: &mut Seeds) {
    for file in files_below(&root().join("tests/conformance"), "http") {
        let text = filled_in(&fs::read_to_string(&file).unwrap());
        let name = name_of(&file, "tests/conformance");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let line = head.lines().next().unwrap_or_default();
        seeds.add("path", &name, line.split(' ').nth(1).unwrap_or_default().as_bytes());
        if !body.trim().is_empty() {
            seeds.add("body", &name, format!("{line}\n{body}").as_bytes());
        }
    }
}

// What a step takes from the answer of an earlier one.
fn filled_in(text: &str) -> String {
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        filled.push_str(name);
        filled.push_str(rest);
    }
    filled
}

/// Each file of the appliance's catalogs, and each body that they hold.
fn catalogs(seeds: &mut Seeds) {
    let example: String =
        Catalog::example_files().iter().map(|(n, text)| format!("==> {n}\n{text}")).collect();
    seeds.add("catalog", "example", example.as_bytes());
    for name in Catalog::builtin_names() {
        let folder = root().join("config/catalogs").join(name);
        for file in files_below(&folder, "yaml") {
            let text = fs::read_to_string(&file).unwrap();
            let place = file.strip_prefix(&folder).unwrap().display().to_string();
            let with_place = format!("==> {place}\n{text}");
            // What describes others says nothing alone.
            if place != "catalog.yaml" && !text.contains("kind: folder") {
                seeds.add("catalog", &name_of(&file, "config/catalogs"), with_place.as_bytes());
            }
        }
    }
    let catalog = Catalog::builtin("sps-6.2").unwrap().unwrap();
    for endpoint in catalog.endpoints().filter(|e| e.kind() != EndpointKind::Folder) {
        let path = endpoint.path();
        let name = path.to_string().trim_matches('/').replace('/', "-");
        seeds.add("path", &name, format!("/api/configuration{path}").as_bytes());
        let body = |value: &Value| format!("PUT /api/configuration{path}\n\n{value}\n");
        if let Some(value) = endpoint.default() {
            seeds.add("body", &format!("{name}-default"), body(value).as_bytes());
        }
        for (at, example) in endpoint.examples().iter().enumerate().take(3) {
            seeds.add("body", &format!("{name}-example-{at}"), body(&example.body).as_bytes());
        }
    }
}

/// What no recording has.
fn by_hand(seeds: &mut Seeds) {
    let paths: [(&str, &str); 12] = [
        ("dot-segments", "/api/configuration/../passwords/./x"),
        ("encoded-separator", "/api/configuration/a%2Fb"),
        ("encoded-dots", "/api/configuration/%2e%2e/x"),
        ("encoded-nul", "/api/configuration/a%00b"),
        ("not-utf-8", "/api/configuration/%ff"),
        ("utf-8", "/api/configuration/passwords/%C3%BC%20%25"),
        ("order-alone", "/api/configuration/@order"),
        ("order-attached", "/api/configuration/ssh/connections@order"),
        ("order-encoded", "/api/configuration/ssh/connections/%40order"),
        ("slashes", "//api///configuration//management/"),
        ("query", "/boxwood/v1/export?path=%2Fmanagement%252F"),
        ("revision", "/boxwood/v1/revisions/12/tree?path=%2Fpasswords"),
    ];
    for (name, text) in paths {
        seeds.add("path", name, text.as_bytes());
    }
    let bodies: [(&str, &str); 10] = [
        ("numbers", "[0, -0, 1.0, 0.1, 1e3, 5e-324, 1.7976931348623157e308, 18446744073709551615]"),
        ("too-large", "[18446744073709551616]"),
        ("twice", "{\"a\": 1, \"a\": 2}"),
        ("in-case-alone", "{\"Name\": 1, \"name\": 2}"),
        ("empty-name", "{\"\": 1}"),
        ("nul", "[\"\\u0000\"]"),
        ("surrogates", "[\"\\ud83d\\ude00\", \"\\ud83d\"]"),
        ("deep", "[[[[[[[[]]]]]]]]"),
        ("mark", "\u{feff}{}"),
        ("wrapped", "{\"body\": {\"plain\": \"a secret\"}, \"key\": null, \"meta\": {}}"),
    ];
    for (name, text) in bodies {
        seeds.add("body", name, text.as_bytes());
    }
    let credentials: [(&str, &str); 12] = [
        ("cookie", "cookie: session_id=0123456789abcdef0123456789abcdef01234567"),
        ("quoted", "cookie: session_id=\"0123456789abcdef0123456789abcdef01234567\""),
        ("among-others", "cookie: a=b; session_id=0123; session_id=4567\ncookie: session_id=89"),
        ("header", "session_id: 0123456789abcdef0123456789abcdef01234567"),
        ("both", "session_id: 0123\ncookie: other=4567"),
        ("spaces", "cookie:   a = b ;  session_id=0 1 ;"),
        ("empty", "cookie: session_id="),
        ("basic", "authorization: Basic YWRtaW46YWRtaW4="),
        ("without-padding", "authorization: basic YTpiOmM"),
        ("not-ascii", "authorization: Basic w7w6w7Y="),
        ("no-colon", "authorization: Basic YWRtaW4="),
        ("bearer", "authorization: Bearer YTpi"),
    ];
    for (name, text) in credentials {
        seeds.add("credentials", name, text.as_bytes());
    }
    let catalogs: [(&str, &str); 4] = [
        ("nothing", ""),
        ("twice", "kind: object\nkind: object\n"),
        (
            "extends",
            "==> catalog.yaml\nname: x\ntitle: X\nextends: sps-7.0\nremoved: [/starling]\n",
        ),
        ("unclosed", "kind: object\nschema: {type: [object\n"),
    ];
    for (name, text) in catalogs {
        seeds.add("catalog", name, text.as_bytes());
    }
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn name_of(file: &Path, below: &str) -> String {
    let inner = file.strip_prefix(root().join(below)).unwrap().with_extension("");
    inner.display().to_string().replace('/', "-")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
