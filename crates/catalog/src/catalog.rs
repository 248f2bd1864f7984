//! A loaded catalog and the questions it answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use config_tree::{Change, Key, NodePath, Reference, Tree};
use serde_json::Value;

use crate::check::{self, Checked, Secrets, Trail};
use crate::embedded;
use crate::endpoint::{Endpoint, EndpointData, EndpointKind};
use crate::parse::{self, Fault, LoadError, Parsed};
use crate::rules::{self, SecretReader};
use crate::violation::{Layer, Violation, rule};

/// The schema of an appliance. Immutable, and meant to be shared.
#[derive(Debug)]
pub struct Catalog {
    name: String,
    title: String,
    description: String,
    mode: &'static str,
    appliance: BTreeMap<String, String>,
    // Sorted by path; the root is the first.
    endpoints: Vec<EndpointData>,
    places: Place,
}

/// Makes a new member for a collection: by the collection's path and the name of what is wanted,
/// its key and body.
pub type Mint<'m> = dyn FnMut(&NodePath, &str) -> Option<(Key, Value)> + 'm;

/// A step of the way from the root to an endpoint.
#[derive(Debug, Default)]
struct Place {
    // Index into the endpoints; every place of a catalog without faults has one.
    endpoint: Option<usize>,
    children: BTreeMap<Key, Self>,
}

// Loading.
impl Catalog {
    /// Loads a catalog that is part of the program; `None` if there is none of this name.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Result<Self, LoadError>> {
        let (_, files) = embedded::CATALOGS.iter().find(|(known, _)| *known == name)?;
        Some(Self::from_files(files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))))
    }

    /// The names of the catalogs that are part of the program.
    #[must_use]
    pub fn builtin_names() -> &'static [&'static str] {
        embedded::NAMES
    }

    /// Loads a catalog from a folder. Files that do not end in `.yaml` or `.yml` are ignored.
    ///
    /// # Errors
    /// Names every fault of every file.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        let mut files = Vec::new();
        let mut faults = Vec::new();
        collect(dir, "", 0, &mut files, &mut faults);
        if faults.is_empty() {
            return Self::from_files(files);
        }
        // A file that cannot be read does not hide the faults of the others.
        if let Err(error) = Self::from_files(files) {
            faults.extend(error.faults);
        }
        faults.sort();
        Err(LoadError { faults })
    }

    /// Loads a catalog from texts, each with its file name relative to the catalog's folder.
    ///
    /// # Errors
    /// Names every fault of every file.
    pub fn from_files(
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, LoadError> {
        let Parsed { name, title, description, mode, appliance, endpoints } =
            parse::parse(files.into_iter().collect())?;
        let mut places = Place::default();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let mut place = &mut places;
            for key in endpoint.path.segments() {
                place = place.children.entry(key.clone()).or_default();
            }
            place.endpoint = Some(index);
        }
        Ok(Self { name, title, description, mode, appliance, endpoints, places })
    }
}

// What there is.
impl Catalog {
    /// The name, such as `sps-6.2`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A short name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the catalog describes; may be empty.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How transactions work unless the settings say otherwise: `exclusive` or `concurrent`.
    #[must_use]
    pub fn default_mode(&self) -> &str {
        self.mode
    }

    /// A text about the appliance itself, such as `firmware_version`.
    #[must_use]
    pub fn appliance(&self, name: &str) -> Option<&str> {
        self.appliance.get(name).map(String::as_str)
    }

    /// What the catalog has at a path: a fixed endpoint, or a member of a collection, whether it
    /// exists or not.
    #[must_use]
    pub fn endpoint(&self, path: &NodePath) -> Option<Endpoint<'_>> {
        let mut place = &self.places;
        let keys = path.segments();
        for (depth, key) in keys.iter().enumerate() {
            match place.children.get(key) {
                Some(next) => place = next,
                None => {
                    let data = self.endpoints.get(place.endpoint?)?;
                    let is_member =
                        data.kind == EndpointKind::Collection && depth + 1 == keys.len();
                    return is_member.then(|| Endpoint::member(data));
                }
            }
        }
        self.endpoints.get(place.endpoint?).map(Endpoint::fixed)
    }

    /// All fixed endpoints in the order of their paths, the root first.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint<'_>> {
        self.endpoints.iter().map(Endpoint::fixed)
    }

    /// A tree of the catalog's folders and collections without a body.
    #[must_use]
    pub fn skeleton(&self) -> Tree {
        let mut tree = Tree::new();
        for endpoint in self.endpoints.iter().filter(|endpoint| !endpoint.path.is_root()) {
            let made = match endpoint.kind {
                EndpointKind::Folder => tree.folder_create(&endpoint.path),
                EndpointKind::Collection => tree.collection_create(&endpoint.path),
                EndpointKind::Object | EndpointKind::Value | EndpointKind::Member => Ok(()),
            };
            debug_assert!(made.is_ok(), "parents come first, and each path once");
        }
        tree
    }

    /// The bodies of a fresh appliance, each after those it refers to.
    ///
    /// Where a default refers to something that must be made anew for each appliance, such as a
    /// certificate, `mint` is asked for it by collection and name and gives its key and body. What
    /// it does not give is left out: as null where the schema allows it, otherwise together with
    /// the object that needs it.
    pub fn factory(&self, mint: &mut Mint<'_>) -> Vec<(NodePath, Value)> {
        let mut bodies = Vec::new();
        for endpoint in &self.endpoints {
            let Some(template) = &endpoint.default else { continue };
            let mut value = template.value.clone();
            let mut minted = Vec::new();
            for (pointer, collection, name) in &template.mints {
                let Some(place) = value.pointer_mut(pointer) else { continue };
                *place = match mint(collection, name) {
                    Some((key, body)) => {
                        minted.push((collection.join(&key), body));
                        Value::String(key.as_str().to_owned())
                    }
                    None => Value::Null,
                };
            }
            let fits = check::check(&endpoint.schema, &endpoint.path, value, Secrets::Plain);
            if let Ok(checked) = fits {
                bodies.extend(minted);
                bodies.push((endpoint.path.clone(), checked.value));
            }
        }
        bodies
    }
}

// Checking.
impl Catalog {
    /// Checks a body for an object, for a member, or for a new member of a collection.
    ///
    /// The wrapper that answers have around a body is taken off: an object of `body` and at most
    /// `key` and `meta`, unless the endpoint itself has a member of such a name.
    ///
    /// # Errors
    /// Every violation, sorted.
    pub fn check_body(&self, path: &NodePath, value: Value) -> Result<Checked, Vec<Violation>> {
        match self.endpoint(path) {
            Some(endpoint) if endpoint.kind() != EndpointKind::Folder => {
                let schema = endpoint.schema();
                let named = ["body", "key", "meta"].iter().any(|name| schema.names_member(name));
                let value = if named { value } else { unwrapped(value) };
                check::check(schema, path, value, Secrets::Plain)
            }
            _ => Err(vec![no_endpoint(path)]),
        }
    }

    /// Whether the references of a body that is about to be staged hold in a tree: their targets
    /// exist, and are as the body needs them.
    pub fn check_references(
        &self,
        tree: &Tree,
        path: &NodePath,
        references: &[Reference],
        secrets: &dyn SecretReader,
    ) -> Vec<Violation> {
        let mut found: Vec<Violation> = references
            .iter()
            .filter_map(|r| rules::reference(self, tree, path, &r.pointer, &r.target, secrets))
            .collect();
        found.sort();
        found
    }

    /// What is wrong with a tree, given that it was valid before these changes. Costs
    /// O(changes · log n), except that a changed unique value costs a look at its collection.
    pub fn check_changes(
        &self,
        after: &Tree,
        changes: &[Change],
        secrets: &dyn SecretReader,
    ) -> Vec<Violation> {
        rules::changes(self, after, changes, secrets)
    }

    /// What is wrong with a tree, bodies included. Costs O(n).
    pub fn check_tree(&self, tree: &Tree, secrets: &dyn SecretReader) -> Vec<Violation> {
        rules::tree(self, tree, secrets)
    }

    /// JSON Pointers of the secret texts in a body that fits, sealed or not.
    #[must_use]
    pub fn secrets(&self, path: &NodePath, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(endpoint) = self.endpoint(path) {
            check::secrets(endpoint.schema(), value, &Trail::ROOT, &mut found);
        }
        found
    }

    /// Members that live only as long as something refers to them, and that these changes left
    /// without a referrer. Each comes before the members that only it refers to.
    #[must_use]
    pub fn unreferenced(&self, after: &Tree, changes: &[Change]) -> Vec<NodePath> {
        rules::unreferenced(self, after, changes)
    }
}

pub(crate) fn no_endpoint(path: &NodePath) -> Violation {
    Violation {
        path: path.clone(),
        pointer: String::new(),
        rule: rule::ENDPOINT,
        layer: Layer::Shape,
        message: format!("the catalog has nothing with a body at {path}"),
    }
}

fn unwrapped(value: Value) -> Value {
    match value {
        Value::Object(mut members)
            if members.contains_key("body")
                && members.keys().all(|name| matches!(name.as_str(), "body" | "key" | "meta")) =>
        {
            members.remove("body").unwrap_or_default()
        }
        other => other,
    }
}

// All catalog files below a folder, and what keeps them from being read.
fn collect(
    dir: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, String)>,
    faults: &mut Vec<Fault>,
) {
    let here = if prefix.is_empty() { dir.display().to_string() } else { prefix.to_owned() };
    if depth > NodePath::MAX_DEPTH {
        return faults.push(fault(here, "the folder lies too deep", "move it up"));
    }
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the folder cannot be read: {error}");
            return faults.push(fault(here, &message, "name a folder that you may read"));
        }
    };
    for entry in entries {
        let Ok(name) = entry.file_name().into_string() else {
            faults.push(fault(here.clone(), "a file's name is no UTF-8", "rename it"));
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
                    faults.push(fault(name, &message, "make it readable, and UTF-8"));
                }
            }
        }
    }
}

fn fault(file: String, message: &str, remedy: &str) -> Fault {
    Fault { file, line: 0, message: message.to_owned(), remedy: remedy.to_owned() }
}
