//! A loaded catalog and the questions it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config_tree::{Body, Change, Key, NodePath, Reference, Referrer, Tree};
use serde_json::Value;

use crate::check::{self, Author, Checked, Secrets, Trail};
use crate::derive::{self, Hooks};
use crate::embedded;
use crate::endpoint::{Endpoint, EndpointData, EndpointKind, Template};
use crate::factory;
use crate::folders::Folders;
use crate::follow_up::{self, FollowUp};
use crate::keys;
use crate::layers::{self, Layers};
use crate::parse::{self, LoadError, Parsed};
use crate::rules::{self, SecretReader};
use crate::schema::Schema;
use crate::time_format::TimeFormat;
use crate::violation::{Layer, Violation, rule};
use crate::violations::Violations;

/// The schema of an appliance. Immutable, and meant to be shared.
#[derive(Debug)]
pub struct Catalog {
    name: String,
    title: String,
    description: String,
    dialect: String,
    mode: &'static str,
    time_format: TimeFormat,
    folders: Option<Folders>,
    appliance: BTreeMap<String, String>,
    // Sorted by path; the root is the first.
    endpoints: Vec<EndpointData>,
    places: Place,
    // The bodies of a fresh appliance, each after those it refers to.
    fresh: Vec<factory::Place>,
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
        Some(Self::from_files(layers::builtin(name)?))
    }

    /// The dialect of a catalog that is part of the program, without loading it.
    #[must_use]
    pub fn dialect_of_builtin(name: &str) -> Option<String> {
        let layers = layers::of_files(layers::builtin(name)?);
        Some(layers::dialect(&layers).unwrap_or_else(|| Parsed::DIALECT.to_owned()))
    }

    /// The dialect of the catalog in a folder, without checking the catalog; `None` where the
    /// folder cannot be read.
    #[must_use]
    pub fn dialect_of_folder(dir: &Path) -> Option<String> {
        let layers = layers::of_folder(dir);
        let stated = layers::dialect(&layers).unwrap_or_else(|| Parsed::DIALECT.to_owned());
        layers.faults.is_empty().then_some(stated)
    }

    /// The names of the catalogs that are part of the program.
    #[must_use]
    pub fn builtin_names() -> &'static [&'static str] {
        embedded::NAMES
    }

    /// The files of a small catalog to begin with: three endpoints, a reference and a secret. Names
    /// are relative to the catalog's folder.
    #[must_use]
    pub fn example_files() -> Vec<(String, String)> {
        embedded::EXAMPLE.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect()
    }

    /// Loads a catalog from a folder. Files that do not end in `.yaml` or `.yml` are ignored. The
    /// catalog that it extends, if any, is a folder next to it, or part of the program.
    ///
    /// # Errors
    /// Names every fault of every file.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        Self::from_layers(layers::of_folder(dir))
    }

    /// Loads a catalog from texts, each with its file name relative to the catalog's folder. The
    /// catalog that it extends, if any, is part of the program.
    ///
    /// # Errors
    /// Names every fault of every file.
    pub fn from_files(
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, LoadError> {
        Self::from_layers(layers::of_files(files.into_iter().collect()))
    }

    fn from_layers(Layers { layers, mut faults }: Layers) -> Result<Self, LoadError> {
        let parsed = match parse::parse(layers) {
            Ok(parsed) if faults.is_empty() => parsed,
            // A file that cannot be read does not hide the faults of the others.
            other => {
                faults.extend(other.err().into_iter().flat_map(|error| error.faults));
                faults.sort();
                return Err(LoadError { faults });
            }
        };
        let Parsed {
            name,
            title,
            description,
            dialect,
            mode,
            time_format,
            folders,
            appliance,
            endpoints,
        } = parsed;
        let mut places = Place::default();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let mut place = &mut places;
            for key in endpoint.path.segments() {
                place = place.children.entry(key.clone()).or_default();
            }
            place.endpoint = Some(index);
        }
        let fresh = factory::order(&endpoints).places;
        Ok(Self {
            name,
            title,
            description,
            dialect,
            mode,
            time_format,
            folders,
            appliance,
            endpoints,
            places,
            fresh,
        })
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

    /// The API that the appliance has, such as `sps`.
    #[must_use]
    pub fn dialect(&self) -> &str {
        &self.dialect
    }

    /// How the appliance writes times.
    #[must_use]
    pub fn time_format(&self) -> TimeFormat {
        self.time_format
    }

    /// A folder and those around it, from the innermost to the root, each under all its names;
    /// nothing where the catalog has no `folders`.
    #[must_use]
    pub fn folder_chain(&self, folder: &str) -> Vec<String> {
        self.folders.as_ref().map_or_else(Vec::new, |folders| folders.chain(folder))
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

    /// A tree of the catalog's folders and collections without a body. Collections are indexed by
    /// the values that must be unique in them.
    #[must_use]
    pub fn skeleton(&self) -> Tree {
        let mut tree = Tree::new();
        for endpoint in self.endpoints.iter().filter(|endpoint| !endpoint.path.is_root()) {
            let made = match endpoint.kind {
                EndpointKind::Folder => tree.folder_create(&endpoint.path),
                EndpointKind::Collection => {
                    tree.collection_create_indexed_by(&endpoint.path, &endpoint.unique)
                }
                EndpointKind::Object | EndpointKind::Value | EndpointKind::Member => Ok(()),
            };
            debug_assert!(made.is_ok(), "parents come first, and each path once");
        }
        tree
    }

    /// The bodies of a fresh appliance, built-in members included, each after those it refers to.
    ///
    /// Where a default refers to something that must be generated for each appliance, such as a
    /// certificate, `mint` is asked for it by collection and name and gives its key and body. What
    /// it does not give is left out: as null where the schema allows it, otherwise together with
    /// the body that needs it and those that refer to that.
    pub fn factory(&self, mint: &mut Mint<'_>) -> Vec<(NodePath, Value)> {
        let mut bodies = Vec::new();
        let mut there = BTreeSet::new();
        for &place in &self.fresh {
            let Some((path, template)) = factory::template(&self.endpoints, place) else {
                continue;
            };
            let Some(endpoint) = self.endpoints.get(place.0) else { continue };
            if template.references.iter().any(|r| !there.contains(&r.target)) {
                continue;
            }
            let (value, minted) = minted(template, mint);
            if let Ok(checked) = check::check(&endpoint.schema, &path, value, Secrets::Plain) {
                bodies.extend(minted);
                bodies.push((path.clone(), checked.value));
                there.insert(path);
            }
        }
        bodies
    }

    /// Whether a path is that of a built-in member, which may be changed but not removed.
    #[must_use]
    pub fn is_builtin(&self, path: &NodePath) -> bool {
        self.endpoint(path).is_some_and(|endpoint| {
            endpoint.kind() == EndpointKind::Member
                && path.key().is_some_and(|key| endpoint.data().member(key).is_some())
        })
    }
}

// Checking.
impl Catalog {
    /// Checks a body for an object, for a member, or for a new member of a collection.
    ///
    /// # Errors
    /// Every violation, sorted.
    pub fn check_body(&self, path: &NodePath, value: Value) -> Result<Checked, Violations> {
        match self.endpoint(path) {
            Some(endpoint) if endpoint.kind() != EndpointKind::Folder => {
                let schema = endpoint.schema();
                check::check(schema, path, value, Secrets::Plain)
            }
            _ => Err(no_endpoint(path).into()),
        }
    }

    /// Whether a member of this name may stand at the top of a body here.
    #[must_use]
    pub fn names_member(&self, path: &NodePath, name: &str) -> bool {
        self.endpoint(path).is_some_and(|endpoint| endpoint.schema().names_member(name))
    }

    /// The same for an element of the list that a body here is.
    #[must_use]
    pub fn element_names_member(&self, path: &NodePath, name: &str) -> bool {
        let endpoint = self.endpoint(path);
        let items = endpoint.and_then(|endpoint| endpoint.schema().list.items.as_ref());
        items.is_some_and(|schema| schema.names_member(name))
    }

    /// Checks one element that is to be added to a value that is a list, alone; that the list may
    /// have it is for [`Catalog::check_body`] to say of the whole.
    ///
    /// # Errors
    /// Every violation, sorted, with pointers into the element.
    pub fn check_element(&self, path: &NodePath, value: Value) -> Result<Checked, Violations> {
        let endpoint = self.endpoint(path).filter(|endpoint| endpoint.is_list());
        let Some(endpoint) = endpoint else { return Err(no_endpoint(path).into()) };
        match &endpoint.schema().list.items {
            Some(schema) => check::check(schema, path, value, Secrets::Plain),
            None => check::check(&Schema::default(), path, value, Secrets::Plain),
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
    ) -> Violations {
        references.iter().filter_map(|r| rules::reference(self, tree, path, r, secrets)).collect()
    }

    /// What is wrong with a tree, given that it was valid before these changes. Costs
    /// O(changes · log n); unique values are looked up in the indexes of [`Catalog::skeleton`].
    pub fn check_changes(
        &self,
        after: &Tree,
        changes: &[Change],
        secrets: &dyn SecretReader,
    ) -> Violations {
        rules::changes(self, after, changes, secrets)
    }

    /// Checks a body that comes from the appliance itself, an import for example: it may hold what
    /// only the appliance sets.
    ///
    /// # Errors
    /// Every violation, sorted.
    pub fn check_kept_body(&self, path: &NodePath, value: Value) -> Result<Checked, Violations> {
        match self.endpoint(path) {
            Some(endpoint) if endpoint.kind() != EndpointKind::Folder => {
                let schema = endpoint.schema();
                check::check_by(schema, path, value, Secrets::Plain, Author::Appliance)
            }
            _ => Err(no_endpoint(path).into()),
        }
    }

    /// Checks a key that a client gives to a new member. The violations are about `/key`.
    ///
    /// # Errors
    /// Every violation, sorted.
    pub fn check_key(&self, collection: &NodePath, text: &str) -> Result<Key, Violations> {
        keys::check(self, collection, text)
    }

    /// Fills in what the appliance sets in the body of a member: times, what a hook computes, and
    /// what was there before. The body is one that [`Catalog::check_body`] gave; `previous` is the
    /// one that it replaces. The time is in microseconds since the Unix epoch.
    pub fn fill_derived(
        &self,
        path: &NodePath,
        body: &mut Value,
        previous: Option<&Body>,
        microseconds: i64,
        hooks: &dyn Hooks,
    ) {
        let member = self.endpoint(path).filter(|endpoint| endpoint.kind() != EndpointKind::Folder);
        if let Some(endpoint) = member {
            derive::fill(endpoint.data(), self.time_format, body, previous, microseconds, hooks);
        }
    }

    /// The values of a body that no other member of its collection may have: for each its place as
    /// a JSON Pointer and its JSON text; both are several, with commas between, where values are
    /// unique together. Nothing for what is not a member.
    #[must_use]
    pub fn unique_values(&self, path: &NodePath, body: &Body) -> Vec<(String, String)> {
        rules::unique_values(self, path, body)
    }

    /// What is wrong with a tree, bodies included. Costs O(n).
    pub fn check_tree(&self, tree: &Tree, secrets: &dyn SecretReader) -> Violations {
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

    /// The references of a body by name that mean no member, for an appliance on which they may
    /// dangle (`must_exist: false`) and that yet asks.
    #[must_use]
    pub fn dangling(&self, tree: &Tree, path: &NodePath) -> Vec<Reference> {
        follow_up::dangling(self, tree, path)
    }

    /// Who refers to a member, by its key or by its name.
    #[must_use]
    pub fn referrers(&self, tree: &Tree, path: &NodePath) -> Vec<Referrer> {
        follow_up::referrers(self, tree, path)
    }

    /// What has to change with the deletion of a member from this tree, in an order in which it
    /// can be done, before the deletion itself.
    ///
    /// # Errors
    /// Those that refer to the member and do not let it go.
    pub fn after_delete(
        &self,
        tree: &Tree,
        path: &NodePath,
    ) -> Result<Vec<FollowUp>, Vec<Referrer>> {
        follow_up::after_delete(self, tree, path)
    }

    /// What has to change where a member of this tree gets another body, and with it perhaps
    /// another name.
    ///
    /// # Errors
    /// Those that refer to the member by its name and do not let it have another one.
    pub fn after_replace(
        &self,
        tree: &Tree,
        path: &NodePath,
        body: &Body,
    ) -> Result<Vec<FollowUp>, Vec<Referrer>> {
        follow_up::after_replace(self, tree, path, body)
    }

    /// Members that live only as long as something refers to them, and that these changes left
    /// without a referrer. Each comes before the members that only it refers to.
    #[must_use]
    pub fn unreferenced(&self, after: &Tree, changes: &[Change]) -> Vec<NodePath> {
        rules::unreferenced(self, after, changes)
    }
}

// A body with what was minted for it, and the members that were made.
fn minted(template: &Template, mint: &mut Mint<'_>) -> (Value, Vec<(NodePath, Value)>) {
    let mut value = template.value.clone();
    let mut made = Vec::new();
    for (pointer, collection, name) in &template.mints {
        let Some(place) = value.pointer_mut(pointer) else { continue };
        *place = match mint(collection, name) {
            Some((key, body)) => {
                made.push((collection.join(&key), body));
                Value::String(key.as_str().to_owned())
            }
            None => Value::Null,
        };
    }
    (value, made)
}

pub(crate) fn no_endpoint(path: &NodePath) -> Violation {
    Violation {
        path: path.clone(),
        pointer: String::new(),
        rule: rule::ENDPOINT,
        layer: Layer::Shape,
        message: format!("the catalog has nothing with a body at {path}"),
        also: Vec::new(),
    }
}
