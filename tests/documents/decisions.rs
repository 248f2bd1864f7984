//! Decision records have one form.

use std::fs;

use crate::{root, text};

/// The headings, in order; those in brackets may be missing.
const HEADINGS: [&str; 6] =
    ["Status", "Context", "Decision", "[Alternatives]", "Consequences", "[Revisit when]"];

#[test]
fn decision_records_have_one_form() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("docs/adr")).expect("it can be read") {
        let name = entry.expect("it can be read").file_name().to_string_lossy().into_owned();
        let record = text(&format!("docs/adr/{name}"));
        let number = name.split('-').next().unwrap_or_default();
        assert!(record.starts_with(&format!("# {number}: ")), "{name}: the title has no number");
        let headings = record.lines().filter_map(|line| line.strip_prefix("## "));
        let headings: Vec<&str> = headings.collect();
        let expected = HEADINGS.iter().filter_map(|heading| {
            match heading.strip_prefix('[').and_then(|heading| heading.strip_suffix(']')) {
                Some(optional) => headings.contains(&optional).then_some(optional),
                None => Some(*heading),
            }
        });
        assert_eq!(headings, expected.collect::<Vec<_>>(), "{name}");
        count += 1;
    }
    assert!(count >= 18, "only {count} records were found");
}
