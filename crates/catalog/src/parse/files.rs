//! The files of a catalog and of those it builds on, each path once.

use std::collections::BTreeSet;

use super::{CATALOG_FILE, Faults};
use crate::layers::{self, Layer};
use crate::suggest;
use crate::yaml::{self, Node};

pub(super) struct File {
    // Relative to the catalog's folder.
    pub(super) name: String,
    // As faults call it.
    pub(super) shown: String,
    // How many catalogs lie below the file's own.
    pub(super) layer: usize,
    pub(super) node: Node,
}

// All files that count: those of an upper layer in the place of those of a lower one. Of the files
// that describe a whole catalog each counts.
pub(super) fn read(layers: Vec<Layer>, faults: &mut Faults) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for (layer, Layer { name, files: texts }) in layers.into_iter().enumerate() {
        let above = read_layer(layer, &name, texts, faults);
        for path in removed(&above, &files, faults) {
            files.retain(|file| !is_below(&file.name, &path));
        }
        let stated: BTreeSet<&str> = above.iter().map(|file| file.name.as_str()).collect();
        files.retain(|f| f.name == CATALOG_FILE || !stated.contains(f.name.as_str()));
        files.extend(above);
    }
    files.sort_by(|a, b| (&a.name, a.layer).cmp(&(&b.name, b.layer)));
    files
}

fn read_layer(
    layer: usize,
    layer_name: &str,
    mut texts: Vec<(String, String)>,
    faults: &mut Faults,
) -> Vec<File> {
    texts.sort();
    let mut files = Vec::new();
    for (name, text) in texts {
        let shown = layers::shown(layer_name, &name);
        let (node, problems) = yaml::parse(&text);
        let understood = problems.is_empty();
        for problem in problems {
            faults.add(&shown, problem.line, problem.message, problem.remedy);
        }
        match node {
            Some(node) if node.as_map().is_some() => files.push(File { name, shown, layer, node }),
            Some(_) | None if understood => {
                faults.add(&shown, 1, "the file states nothing", "begin it with `kind:`");
            }
            _ => {}
        }
    }
    files
}

// The paths that a layer removes from the layers below it.
fn removed(above: &[File], below: &[File], faults: &mut Faults) -> Vec<String> {
    let Some(file) = above.iter().find(|file| file.name == CATALOG_FILE) else { return Vec::new() };
    let Some(member) = file.node.member("removed") else { return Vec::new() };
    let remedy = "write a list of paths of the catalog that this one extends";
    let Some(items) = member.node.as_list() else {
        let message = format!("`removed` is {}", member.node.kind());
        faults.add(&file.shown, member.line, message, remedy);
        return Vec::new();
    };
    let mut paths = Vec::new();
    for item in items {
        let path = item.as_text().and_then(|text| text.strip_prefix('/')).unwrap_or_default();
        if !path.is_empty() && below.iter().any(|file| is_below(&file.name, path)) {
            paths.push(path.to_owned());
        } else {
            let known = below.iter().filter_map(|file| file.name.strip_suffix(".yaml"));
            let near = suggest::nearest(path, known).filter(|_| !path.is_empty());
            let near = near.map(|near| format!("; did you mean `/{near}`?")).unwrap_or_default();
            let message = format!("there is nothing to remove at this path{near}");
            faults.add(&file.shown, item.line, message, remedy);
        }
    }
    paths
}

// Whether a file is that of a path, or of one below it.
fn is_below(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| rest == ".yaml" || rest.starts_with('/'))
}
