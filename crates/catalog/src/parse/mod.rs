//! From the files of a catalog to its endpoints.
//!
//! An author who corrects a catalog wants one round and not twenty, so nothing here stops at a
//! fault: what cannot be understood counts as "anything goes", and the reading goes on. Whatever
//! would make the catalog do something else than it says is a fault, from a misspelt keyword to a
//! default that its own schema refuses; a catalog with a fault is not loaded at all.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use config_tree::{NodePath, Reference};

use crate::endpoint::EndpointData;
use crate::folders::Folders;
use crate::layers::Layer;
use crate::schema::{ReadOnly, ReferenceRule, Schema, Unknown};
use crate::time_format::TimeFormat;
use files::File;

mod endpoint;
mod fields;
mod files;
mod keywords;
mod links;
mod whole;

/// One thing that is wrong with a catalog.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    /// The file, relative to the catalog's folder.
    pub file: String,
    /// The line, counted from one; zero where the fault is not in the text.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, message, remedy } = self;
        match line {
            0 => write!(f, "{file}: {message}; {remedy}"),
            _ => write!(f, "{file}:{line}: {message}; {remedy}"),
        }
    }
}

/// Why a catalog was not loaded: all its faults, sorted by file and line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadError {
    /// At least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.faults.len() == 1 { "fault" } else { "faults" };
        write!(f, "the catalog has {} {plural}", self.faults.len())?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
    }
}

impl std::error::Error for LoadError {}

/// What the files say.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) dialect: String,
    pub(crate) mode: &'static str,
    pub(crate) time_format: TimeFormat,
    pub(crate) folders: Option<Folders>,
    pub(crate) appliance: BTreeMap<String, String>,
    // Sorted by path; the root is the first.
    pub(crate) endpoints: Vec<EndpointData>,
}

impl Parsed {
    /// The dialect of a catalog that states none.
    pub(crate) const DIALECT: &str = "sps";
}

/// The file that describes the catalog as a whole and the root of the tree.
pub(crate) const CATALOG_FILE: &str = "catalog.yaml";

/// Reads the files of a catalog and of those it builds on, from the lowest to the uppermost.
pub(crate) fn parse(layers: Vec<Layer>) -> Result<Parsed, LoadError> {
    let mut faults = Faults::default();
    let files = files::read(layers, &mut faults);
    let mut reader = Reader {
        files: &files,
        faults,
        links: Vec::new(),
        stated: Vec::new(),
        defs: BTreeMap::new(),
        unknown_members: None,
        read_only_members: ReadOnly::default(),
    };
    let parsed = reader.catalog();
    let Reader { faults: Faults(mut faults), .. } = reader;
    if faults.is_empty() {
        return Ok(parsed);
    }
    faults.sort();
    faults.dedup();
    Err(LoadError { faults })
}

#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    fn add(
        &mut self,
        file: &str,
        line: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (message, remedy) = (message.into(), remedy.into());
        self.0.push(Fault { file: file.to_owned(), line, message, remedy });
    }
}
struct Reader<'a> {
    files: &'a [File],
    faults: Faults,
    // References to collections, followed when all files are read.
    links: Vec<Link>,
    // References to built-in members, followed then, too.
    stated: Vec<Stated>,
    // The schemas under `$defs` that were asked for so far, by file and name.
    defs: BTreeMap<(usize, &'a str), Def>,
    // What becomes of unknown members where a schema does not say it.
    unknown_members: Option<Unknown>,
    read_only_members: ReadOnly,
}

/// A reference in a body of a fresh appliance.
struct Stated {
    file: usize,
    line: usize,
    what: String,
    reference: Reference,
}

struct Link {
    file: usize,
    line: usize,
    rule: Arc<ReferenceRule>,
}

enum Def {
    // Being read: a reference to it from inside would never end.
    Busy,
    Read(Arc<Schema>),
}

impl<'a> Reader<'a> {
    fn fault(
        &mut self,
        file: usize,
        line: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let name = self.files.get(file).map_or(CATALOG_FILE, |file| &file.shown);
        self.faults.add(name, line, message, remedy);
    }

    // How a file is called in faults, whether it exists or not.
    fn shown(&self, name: &str) -> String {
        let file = self.files.iter().find(|file| file.name == name);
        file.map_or_else(|| name.to_owned(), |file| file.shown.clone())
    }

    fn catalog(&mut self) -> Parsed {
        let mut parsed = Parsed {
            name: String::new(),
            title: String::new(),
            description: String::new(),
            dialect: Parsed::DIALECT.to_owned(),
            mode: "exclusive",
            time_format: TimeFormat::default(),
            folders: None,
            appliance: BTreeMap::new(),
            endpoints: Vec::new(),
        };
        let files = self.files;
        for (index, file) in files.iter().enumerate() {
            // It says what the other files need not repeat, so it is read before them.
            if file.name == CATALOG_FILE {
                self.catalog_file(index, &mut parsed);
            }
        }
        for (index, file) in files.iter().enumerate() {
            if file.name != CATALOG_FILE
                && let Some(path) = self.path_of(index)
                && let Some(endpoint) = self.endpoint(index, path)
            {
                parsed.endpoints.push(endpoint);
            }
        }
        if !files.iter().any(|file| file.name == CATALOG_FILE) {
            let remedy = "add one with `name:` and `title:`";
            self.faults.add(CATALOG_FILE, 0, "the catalog has no such file", remedy);
        }
        for (index, file) in files.iter().enumerate() {
            self.all_defs(index, file);
        }
        let root = EndpointData::folder(NodePath::root(), &parsed.title, &parsed.description);
        parsed.endpoints.push(root);
        parsed.endpoints.sort_by(|a, b| a.path.cmp(&b.path));
        self.folders(&parsed.endpoints);
        let folders = parsed.folders.is_some();
        for (collection, member) in self.links(&parsed.endpoints, folders) {
            let target = parsed.endpoints.iter_mut().find(|endpoint| endpoint.path == collection);
            if let Some(target) = target.filter(|target| !target.named_by.contains(&member)) {
                target.named_by.push(member);
            }
        }
        self.stated_targets(&parsed.endpoints);
        self.circles(&parsed.endpoints);
        parsed
    }
}
