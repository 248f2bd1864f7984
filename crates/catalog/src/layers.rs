//! The files of a catalog, and those of the catalog it builds on.
//!
//! An appliance changes from version to version in a few places, and a catalog that repeated the
//! rest would hide them. So a catalog may name another one that it `extends`, which may do the
//! same, and state only what differs: a chain of layers, of which the upper replace files of the
//! lower. What a name means is decided here, and nothing else: for a folder a folder next to it,
//! otherwise a catalog that is part of the program. The parser lays the files over each other.

use std::fs;
use std::path::{Path, PathBuf};

use config_tree::NodePath;

use crate::embedded;
use crate::parse::{CATALOG_FILE, Fault};
use crate::suggest;
use crate::yaml;

/// The files of one catalog by their names in its folder.
pub(crate) type Files = Vec<(String, String)>;

/// One catalog of a chain.
#[derive(Debug)]
pub(crate) struct Layer {
    /// What the catalog above calls it; empty for the uppermost.
    pub(crate) name: String,
    pub(crate) files: Files,
}

/// The layers from the lowest to the uppermost, and what keeps more from being read.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) layers: Vec<Layer>,
    pub(crate) faults: Vec<Fault>,
}

/// The layers of a catalog given as texts: what it extends is part of the program.
pub(crate) fn of_files(files: Files) -> Layers {
    chain(files, None)
}

/// The layers of a catalog in a folder: what it extends is a folder next to it, or part of the
/// program.
pub(crate) fn of_folder(dir: &Path) -> Layers {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    collect(dir, "", 0, &mut files, &mut faults);
    let mut layers = chain(files, fs::canonicalize(dir).ok());
    layers.faults.extend(faults);
    layers
}

fn chain(files: Files, mut dir: Option<PathBuf>) -> Layers {
    let mut found = Layers::default();
    found.layers.push(Layer { name: String::new(), files });
    // Each round adds a layer below the last one.
    while let Some(last) = found.layers.last() {
        let Some((name, line)) = extended(&last.files) else { break };
        let file = shown(&last.name, CATALOG_FILE);
        if found.layers.iter().any(|layer| layer.name == name) {
            let message = format!("the catalog builds on {name}, which builds on it");
            found.faults.push(fault(file, line, &message, "leave one `extends` out"));
            break;
        }
        let neighbour = dir.take().and_then(|dir| neighbouring_folder(&dir, &name));
        let files = match &neighbour {
            Some(folder) => {
                let (mut files, mut faults) = (Vec::new(), Vec::new());
                collect(folder, "", 0, &mut files, &mut faults);
                let prefixed = |fault: Fault| Fault { file: shown(&name, &fault.file), ..fault };
                found.faults.extend(faults.into_iter().map(prefixed));
                Some(files)
            }
            None => builtin(&name),
        };
        let Some(files) = files else {
            let near = suggest::hint(&name, embedded::NAMES.iter().copied());
            let message = format!("there is no catalog {name}{near}");
            let remedy =
                format!("name a folder next to this one, or one of {}", embedded::NAMES.join(", "));
            found.faults.push(fault(file, line, &message, &remedy));
            break;
        };
        dir = neighbour;
        found.layers.push(Layer { name, files });
    }
    found.layers.reverse();
    found
}

/// How a file of a layer is called in faults.
pub(crate) fn shown(layer: &str, file: &str) -> String {
    if layer.is_empty() { file.to_owned() } else { format!("{layer}/{file}") }
}

/// The files of a catalog that is part of the program.
pub(crate) fn builtin(name: &str) -> Option<Files> {
    let (_, files) = embedded::CATALOGS.iter().find(|(known, _)| *known == name)?;
    Some(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
}

// The name under `extends`, if it is a text at all; the parser tells if it is not.
fn extended(files: &Files) -> Option<(String, usize)> {
    let (_, text) = files.iter().find(|(name, _)| name == CATALOG_FILE)?;
    let (node, _) = yaml::parse(text);
    let member = node.as_ref()?.member("extends")?;
    Some((member.node.as_text()?.to_owned(), member.line))
}

/// The dialect that the uppermost of these layers states, as it is written.
pub(crate) fn dialect(layers: &Layers) -> Option<String> {
    layers.layers.iter().rev().find_map(|layer| {
        let (_, text) = layer.files.iter().find(|(name, _)| name == CATALOG_FILE)?;
        let (node, _) = yaml::parse(text);
        Some(node.as_ref()?.member("dialect")?.node.as_text()?.to_owned())
    })
}

fn neighbouring_folder(dir: &Path, name: &str) -> Option<PathBuf> {
    // A name and not a path: what a catalog reads is what stands next to it.
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return None;
    }
    let folder = fs::canonicalize(dir.parent()?.join(name)).ok()?;
    (folder.is_dir() && folder != dir).then_some(folder)
}

// All catalog files below a folder, and what keeps them from being read.
fn collect(dir: &Path, prefix: &str, depth: usize, files: &mut Files, faults: &mut Vec<Fault>) {
    let here = if prefix.is_empty() { dir.display().to_string() } else { prefix.to_owned() };
    if depth > NodePath::MAX_DEPTH {
        return faults.push(fault(here, 0, "the folder lies too deep", "move it up"));
    }
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the folder cannot be read: {error}");
            return faults.push(fault(here, 0, &message, "name a folder that you may read"));
        }
    };
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            faults.push(fault(here.clone(), 0, "a file's name is not UTF-8", "rename it"));
            continue;
        };
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, &name, depth + 1, files, faults);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            match fs::read_to_string(&path) {
                Ok(text) => files.push((name, text)),
                Err(error) => {
                    let message = format!("the file cannot be read: {error}");
                    faults.push(fault(name, 0, &message, "make it readable, and UTF-8"));
                }
            }
        }
    }
}

fn fault(file: String, line: usize, message: &str, remedy: &str) -> Fault {
    Fault { file, line, message: message.to_owned(), remedy: remedy.to_owned() }
}
