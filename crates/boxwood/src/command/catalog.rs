//! `boxwood catalog check` and `boxwood catalog new`: for those who write a catalog.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use catalog::{Catalog, EndpointKind};

use super::{CommandError, say};
use crate::appliance::fault_line;
use crate::cli::CatalogCommand;

/// Checks or begins a catalog.
///
/// # Errors
/// The catalog has faults, which were printed; or the directory cannot be written.
pub fn run(command: &CatalogCommand) -> Result<(), CommandError> {
    match command {
        CatalogCommand::Check { dir } => check(dir),
        CatalogCommand::New { dir } => new(dir),
    }
}

fn check(dir: &Path) -> Result<(), CommandError> {
    match Catalog::load(dir) {
        Ok(catalog) => say(format!("{}\n", summary(&catalog))),
        Err(error) => {
            let lines = error.faults.iter().map(|fault| fault_line(dir, fault) + "\n");
            say(lines.collect::<String>())?;
            Err(CommandError::Faults { dir: dir.to_owned(), count: error.faults.len() })
        }
    }
}

/// `lamp (Lamp): 3 endpoints: 2 objects, 1 collection`
fn summary(catalog: &Catalog) -> String {
    let count = |kind| {
        let endpoints = catalog.endpoints().filter(|endpoint| !endpoint.path().is_root());
        endpoints.filter(|endpoint| endpoint.kind() == kind).count()
    };
    let kinds =
        [EndpointKind::Folder, EndpointKind::Object, EndpointKind::Value, EndpointKind::Collection];
    let counts = kinds.map(|kind| (kind.name(), count(kind)));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let all = counts.iter().map(|(_, n)| n).sum();
    let parts: Vec<String> =
        counts.iter().filter(|(_, n)| *n > 0).map(|(word, n)| plural(*n, word)).collect();
    let mut text = format!("{} ({}): {}", catalog.name(), catalog.title(), plural(all, "endpoint"));
    if !parts.is_empty() {
        let _ = write!(text, ": {}", parts.join(", "));
    }
    text
}

fn new(dir: &Path) -> Result<(), CommandError> {
    let failed = |source| CommandError::Write { path: dir.to_owned(), source };
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(CommandError::NotEmpty(dir.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    for (name, text) in Catalog::example_files() {
        let path = dir.join(name);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|source| CommandError::Write { path: path.clone(), source })?;
        say(format!("{}\n", path.display()))?;
    }
    let shown = dir.display();
    say(format!(
        "\nboxwood catalog check {shown}    says what is wrong with it\n\
         boxwood dev --catalog {shown}    serves it\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_by_kind_and_leaves_the_root_out() {
        let files = [
            ("catalog.yaml", "name: lamp\ntitle: Lamp\n"),
            ("a.yaml", "kind: folder\ntitle: A\n"),
            ("a/b.yaml", "kind: object\ntitle: B\nfidelity: opaque\ndefault: {}\n"),
            ("c.yaml", "kind: object\ntitle: C\nfidelity: opaque\ndefault: {}\n"),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let catalog = Catalog::from_files(files).unwrap();
        assert_eq!(summary(&catalog), "lamp (Lamp): 3 endpoints: 1 folder, 2 objects");
    }
}
