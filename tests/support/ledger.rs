//! The fidelity ledger: which documented statements about an appliance a test proves.
//!
//! The statements are data, a file for each appliance in `tests/ledger`. A proof is a mark above a
//! function that tests, `proves: C-01, C-02` in a comment of its own, or the member `proves` of a
//! recording's `recording.json`. From both `docs/reference/fidelity.md` is made (`make generated`).
//! A statement that the page shows as proven must not lose its last proof, not even by making the
//! page again: to give one up, change its row by hand first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What begins the comment that marks a proof.
const MARK: &str = "// proves:";

/// Where a proof stands, by the number that it proves.
type Proofs = BTreeMap<String, BTreeSet<String>>;

/// One file of `tests/ledger`.
struct Ledger {
    appliance: String,
    title: String,
    statements: BTreeMap<String, Statement>,
}

#[derive(Default)]
struct Statement {
    text: String,
    ground: String,
    /// The choice that was made where nothing settles it.
    assumed: Option<String>,
    /// Why it has no proof yet.
    waits: Option<String>,
}

impl Ledger {
    fn parse(appliance: &str, text: &str) -> Result<Ledger, String> {
        let mut table: toml::Table = text.parse().map_err(|why| format!("{appliance}: {why}"))?;
        let text = |value: Option<toml::Value>| match value {
            Some(toml::Value::String(text)) => Some(text),
            _ => None,
        };
        let title = text(table.remove("title")).ok_or(format!("{appliance}: it has no title"))?;
        let Some(toml::Value::Table(entries)) = table.remove("statements") else {
            return Err(format!("{appliance}: it has no statements"));
        };
        let mut statements = BTreeMap::new();
        for (number, entry) in entries {
            let toml::Value::Table(mut entry) = entry else {
                return Err(format!("{number}: it is not a table"));
            };
            let statement = Statement {
                text: text(entry.remove("text")).ok_or(format!("{number}: it has no text"))?,
                ground: text(entry.remove("ground")).ok_or(format!("{number}: no ground"))?,
                assumed: text(entry.remove("assumed")),
                waits: text(entry.remove("waits")),
            };
            if let Some(name) = entry.keys().next() {
                return Err(format!("{number}: unknown member `{name}`"));
            }
            statements.insert(number, statement);
        }
        Ok(Ledger { appliance: appliance.to_owned(), title, statements })
    }

    fn proven<'a>(&'a self, proofs: &'a Proofs) -> impl Iterator<Item = &'a String> {
        self.statements.keys().filter(|number| proofs.contains_key(*number))
    }
}

/// The marks in the source text of a file.
fn marks(file: &str, text: &str, proofs: &mut Proofs) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(numbers) = line.strip_prefix(MARK) {
            open.extend(numbers.split(',').map(|number| number.trim().to_owned()));
            continue;
        }
        if open.is_empty() {
            is_test = line.ends_with("test]") || is_test && line.starts_with("//");
            continue;
        }
        if line.starts_with("#[") || line.starts_with("//") {
            is_test |= line.ends_with("test]");
            continue;
        }
        let declared = ["fn ", "pub(crate) fn ", "async fn "]
            .iter()
            .find_map(|word| line.strip_prefix(word)?.split(['(', '<']).next());
        let Some(name) = declared else {
            return Err(format!("{file}: the mark of {open:?} stands above no function"));
        };
        // A function of a table of tests has no attribute; it is named where the table is.
        if !is_test && text.matches(name).count() < 2 {
            return Err(format!("{file}: {name} proves {open:?} and is not run by any test"));
        }
        for number in open.drain(..) {
            proofs.entry(number).or_default().insert(format!("{file}::{name}"));
        }
        is_test = false;
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(format!("{file}: the mark of {open:?} stands above no function")),
    }
}

/// The proofs of a recording, by its `recording.json`.
fn recorded(folder: &str, text: &str, proofs: &mut Proofs) -> Result<(), String> {
    let about: Value = serde_json::from_str(text).map_err(|why| format!("{folder}: {why}"))?;
    let numbers = about["proves"].as_array().map(Vec::as_slice).unwrap_or_default();
    for number in numbers.iter().filter_map(Value::as_str) {
        proofs.entry(number.to_owned()).or_default().insert(folder.to_owned());
    }
    Ok(())
}

/// The page.
fn page(ledgers: &[Ledger], proofs: &Proofs) -> String {
    let mut page = "# Fidelity\n\nGenerated by `make generated` from `tests/ledger` and the marks \
                    in the tests; see [CONTRIBUTING](../CONTRIBUTING.md#proving-a-statement).\n\n\
                    Ground: S the seed, D other documentation, C code of clients, V a client was \
                    run, I inferred, R our choice.\n\n\
                    | Appliance | Statements | Proven | Assumed, not proven | Missing |\n\
                    |---|---|---|---|---|\n"
        .to_owned();
    for ledger in ledgers {
        let all = ledger.statements.len();
        let proven = ledger.proven(proofs).count();
        let open = ledger.statements.iter().filter(|(number, _)| !proofs.contains_key(*number));
        let assumed = open.filter(|(_, statement)| statement.assumed.is_some()).count();
        let missing = all - proven - assumed;
        let name = &ledger.title;
        let _ = writeln!(page, "| {name} | {all} | {proven} | {assumed} | {missing} |");
    }
    for Ledger { appliance, title, statements } in ledgers {
        let _ = write!(
            page,
            "\n## {title}\n\nAppliance `{appliance}`.\n\n\
             | No | Statement | Ground | State | Proof | Choice |\n|---|---|---|---|---|---|\n"
        );
        for (number, statement) in statements {
            let Statement { text, ground, assumed, waits } = statement;
            let by = proofs.get(number);
            let state = match (by, assumed) {
                (Some(_), _) => "proven",
                (None, Some(_)) => "assumed",
                (None, None) => "missing",
            };
            let by: Vec<String> = by.into_iter().flatten().map(|it| format!("`{it}`")).collect();
            let proof = match (by.is_empty(), waits) {
                (true, Some(why)) => why.clone(),
                _ => by.join(", "),
            };
            let choice = assumed.as_deref().unwrap_or_default();
            let row = format!("| {number} | {text} | {ground} | {state} | {proof} | {choice} |");
            let _ = writeln!(page, "{}", row.replace("|  |", "| |").replace("|  |", "| |"));
        }
    }
    page
}

/// The numbers that a page shows as proven.
fn shown_as_proven(page: &str) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for row in page.lines() {
        let cells: Vec<&str> = row.split(" | ").collect();
        if let [number, _, _, "proven", ..] = cells.as_slice() {
            shown.insert(number.trim_start_matches("| ").to_owned());
        }
    }
    shown
}

/// What is wrong with the proofs: marks of unknown statements, and statements that lost theirs.
fn faults(ledgers: &[Ledger], proofs: &Proofs, former: &str) -> Vec<String> {
    let known: BTreeSet<&String> =
        ledgers.iter().flat_map(|ledger| ledger.statements.keys()).collect();
    let mut faults = Vec::new();
    for (number, by) in proofs.iter().filter(|(number, _)| !known.contains(number)) {
        faults.push(format!("{by:?} proves {number}, which no file of tests/ledger has"));
    }
    for number in shown_as_proven(former) {
        if !proofs.contains_key(&number) {
            faults.push(format!(
                "{number} was proven and no test proves it any more: restore its proof, or give \
                 it up by changing its row in docs/reference/fidelity.md"
            ));
        }
    }
    faults
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below a directory, by their paths from the root.
fn files(from: &Path, found: &mut Vec<String>) {
    let entries = fs::read_dir(root().join(from)).expect("the directory can be read");
    for entry in entries {
        let entry = entry.expect("an entry can be read");
        let path = from.join(entry.file_name());
        if entry.path().is_dir() {
            files(&path, found);
        } else {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found.sort();
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the file can be read")
}

#[test]
fn the_generated_ledger_is_current() {
    #[expect(clippy::disallowed_methods, reason = "asks the person who runs the test, not a user")]
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    let (mut ledgers, mut proofs, mut wrong) = (Vec::new(), Proofs::new(), Vec::new());
    let mut all = Vec::new();
    files(Path::new("tests"), &mut all);
    for path in all.iter().filter(|path| !path.starts_with("tests/evidence/")) {
        let outcome = if let Some(name) = path.strip_prefix("tests/ledger/") {
            let name = name.strip_suffix(".toml").expect("a ledger is TOML");
            Ledger::parse(name, &read(path)).map(|ledger| ledgers.push(ledger))
        } else if let Some(folder) = path.strip_suffix("/recording.json") {
            recorded(folder, &read(path), &mut proofs)
        } else if path.ends_with(".rs") {
            marks(path, &read(path), &mut proofs)
        } else {
            Ok(())
        };
        wrong.extend(outcome.err());
    }
    let page_path = root().join("docs/reference/fidelity.md");
    let former = fs::read_to_string(&page_path).unwrap_or_default();
    wrong.extend(faults(&ledgers, &proofs, &former));
    assert!(wrong.is_empty(), "the fidelity ledger is broken:\n{}", wrong.join("\n"));
    let page = page(&ledgers, &proofs);
    if update {
        fs::write(&page_path, &page).expect("the page can be written");
    }
    let there = fs::read_to_string(&page_path).unwrap_or_default();
    assert!(there == page, "docs/reference/fidelity.md is out of date: run `make generated`");
}

fn ledger() -> Ledger {
    let text = "title = \"T\"\n[statements]\nX-01 = {ground = \"S\", text = \"One.\"}\n\
                X-02 = {ground = \"R\", text = \"Two.\", assumed = \"so\"}\n\
                X-03 = {ground = \"S\", text = \"Three.\", waits = \"later\"}";
    Ledger::parse("t", text).expect("it is good")
}

#[test]
fn marks_are_found_above_tests() {
    let mut proofs = Proofs::new();
    let text = format!("{MARK} X-01, X-02\n#[test]\nfn a() {{}}\n\n{MARK} X-01\nfn b() {{}}\n[b]");
    marks("f.rs", &text, &mut proofs).expect("they are good");
    assert_eq!(proofs["X-01"], ["f.rs::a", "f.rs::b"].map(str::to_owned).into());
    assert_eq!(proofs["X-02"], ["f.rs::a".to_owned()].into());
    recorded("d", r#"{"proves": ["X-02"]}"#, &mut proofs).expect("it is good");
    assert_eq!(proofs["X-02"].len(), 2);
    for bad in ["fn unused() {}", "struct S;", ""] {
        let outcome = marks("f.rs", &format!("{MARK} X-01\n{bad}\n"), &mut Proofs::new());
        assert!(outcome.expect_err("refused").contains("X-01"));
    }
}

#[test]
fn unknown_and_lost_statements_are_named() {
    let mut proofs = Proofs::new();
    marks("f.rs", &format!("{MARK} X-01\n#[test]\nfn a() {{}}"), &mut proofs).expect("good");
    let former = page(&[ledger()], &proofs);
    assert!(former.contains("| T | 3 | 1 | 1 | 1 |"), "{former}");
    assert!(former.contains("| X-01 | One. | S | proven | `f.rs::a` | |"), "{former}");
    assert!(former.contains("| X-02 | Two. | R | assumed | | so |"), "{former}");
    assert!(former.contains("| X-03 | Three. | S | missing | later | |"), "{former}");
    assert_eq!(faults(&[ledger()], &proofs, &former), [""; 0]);
    let lost = faults(&[ledger()], &Proofs::new(), &former);
    assert!(lost.len() == 1 && lost[0].starts_with("X-01 was proven"), "{lost:?}");
    proofs.insert("X-09".to_owned(), ["f.rs::z".to_owned()].into());
    let unknown = faults(&[ledger()], &proofs, "");
    assert!(unknown.len() == 1 && unknown[0].contains("X-09"), "{unknown:?}");
}
