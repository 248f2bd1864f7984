//! References are generated or written by hand, and the index says which.

use std::collections::BTreeSet;
use std::fs;

use crate::{root, text};

/// Whether a page says in its first lines that it is generated.
fn says_generated(page: &str) -> bool {
    page.lines().take(4).any(|line| line.contains("`make generated`"))
}

/// The pages that a part of the index links to.
fn linked(part: &str) -> BTreeSet<String> {
    let targets = part.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn the_index_tells_generated_pages_from_written_ones() {
    let index = text("docs/reference/README.md");
    let (generated, written) = index.split_once("**Written by hand:**").expect("two parts");
    let (mut found_generated, mut found_written) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(root().join("docs/reference")).expect("it can be read") {
        let name = entry.expect("it can be read").file_name().to_string_lossy().into_owned();
        if !name.ends_with(".md") || name == "README.md" {
            continue;
        }
        let page = text(&format!("docs/reference/{name}"));
        let list = match says_generated(&page) {
            true => &mut found_generated,
            false => &mut found_written,
        };
        list.insert(name);
    }
    assert_eq!(linked(generated), found_generated);
    assert_eq!(linked(written), found_written);
}
