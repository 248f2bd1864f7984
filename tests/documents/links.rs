//! Links between documents lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// The folders with documents; the root itself is not descended into.
const FOLDERS: [&str; 5] = ["docs", "examples", "packaging", "tests", "crates"];

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut pages = Vec::new();
    for entry in fs::read_dir(root()).expect("it can be read").flatten() {
        pages.extend(Some(entry.path()).filter(|path| is_page(path)));
    }
    for folder in FOLDERS {
        collect(&root().join(folder), &mut pages);
    }
    assert!(pages.len() > 30, "only {} pages were found", pages.len());
    let broken: Vec<String> = pages.iter().flat_map(|page| broken_links(page)).collect();
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        // What tests leave behind is no document.
        if path.is_dir() && !path.ends_with("evidence") {
            collect(&path, pages);
        } else if is_page(&path) {
            pages.push(path);
        }
    }
}

fn broken_links(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("a page can be read");
    let folder = page.parent().expect("a page is in a folder");
    let mut broken = Vec::new();
    for target in targets(&text) {
        let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
        let path = if file.is_empty() { page.to_owned() } else { folder.join(file) };
        let found = path.exists() && (heading.is_empty() || headings(&path).contains(heading));
        if !found {
            broken.push(format!("{}: {target}", page.display()));
        }
    }
    broken
}

/// The targets of links into the repository, outside blocks of code.
fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target.to_owned());
            }
        }
    }
    targets
}

/// The lines of a page that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The anchors of a page's headings, as renderers make them.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let titles = prose(&text).filter(|line| line.starts_with('#'));
    titles.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn anchors_are_those_of_the_usual_renderers() {
    assert_eq!(anchor("`appliances.NAME`"), "appliancesname");
    assert_eq!(anchor("Proving a statement"), "proving-a-statement");
    assert_eq!(targets("[a](b.md#c) [d](https://e)\n```\n[f](g)\n```\n"), ["b.md#c"]);
}
