//! From the files of a catalog to its endpoints.
//!
//! An author who corrects a catalog wants one round and not twenty, so nothing here stops at a
//! fault: what cannot be understood counts as "anything goes", and the reading goes on. Whatever
//! would make the catalog do something else than it says is a fault, from a misspelt keyword to a
//! default that its own schema refuses; a catalog with a fault is not loaded at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use config_tree::{Key, NodePath, Reference};
use serde_json::Value;

use crate::check::{self, Secrets};
use crate::endpoint::{EndpointData, EndpointKind, Example, Fidelity, Operations, Template};
use crate::factory;
use crate::layers::{self, Layer};
use crate::rules;
use crate::schema::{FragmentStep, JsonType, ReferenceRule, Schema, Shape, Types};
use crate::suggest;
use crate::yaml::{self, Member, Node};
use keywords::Place;

mod keywords;

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
    pub(crate) mode: &'static str,
    pub(crate) appliance: BTreeMap<String, String>,
    // Sorted by path; the root is the first.
    pub(crate) endpoints: Vec<EndpointData>,
}

/// The file that describes the catalog as a whole and the root of the tree.
pub(crate) const CATALOG_FILE: &str = "catalog.yaml";

const MODES: [&str; 2] = ["exclusive", "concurrent"];

/// Reads the files of a catalog and of those it builds on, from the lowest to the uppermost.
pub(crate) fn parse(layers: Vec<Layer>) -> Result<Parsed, LoadError> {
    let mut faults = Faults::default();
    let files = read(layers, &mut faults);
    let mut reader = Reader {
        files: &files,
        faults,
        links: Vec::new(),
        stated: Vec::new(),
        defs: BTreeMap::new(),
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

struct File {
    // Relative to the catalog's folder.
    name: String,
    // As faults call it.
    shown: String,
    // How many catalogs lie below the file's own.
    layer: usize,
    node: Node,
}

// All files that count: those of an upper layer in the place of those of a lower one. Of the files
// that describe a whole catalog each counts.
fn read(layers: Vec<Layer>, faults: &mut Faults) -> Vec<File> {
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

// The paths that a layer takes away from the layers below it.
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

struct Reader<'a> {
    files: &'a [File],
    faults: Faults,
    // References to collections, followed when all files are read.
    links: Vec<Link>,
    // References to built-in members, followed then, too.
    stated: Vec<Stated>,
    // The schemas under `$defs` that were asked for so far, by file and name.
    defs: BTreeMap<(usize, &'a str), Def>,
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
            mode: "exclusive",
            appliance: BTreeMap::new(),
            endpoints: Vec::new(),
        };
        let files = self.files;
        for (index, file) in files.iter().enumerate() {
            if file.name == CATALOG_FILE {
                self.catalog_file(index, &mut parsed);
            } else if let Some(path) = self.path_of(index)
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
        self.links(&parsed.endpoints);
        self.stated_targets(&parsed.endpoints);
        self.circles(&parsed.endpoints);
        parsed
    }

    fn catalog_file(&mut self, index: usize, parsed: &mut Parsed) {
        let fields = self.fields(index, &CATALOG_KEYWORDS);
        parsed.name = self.required_text(index, &fields, "name");
        parsed.title = self.required_text(index, &fields, "title");
        if let Some(description) = self.text(index, &fields, "description") {
            parsed.description = description;
        }
        self.text(index, &fields, "extends");
        if let Some(mode) = self.choice(index, &fields, "transactions", &MODES) {
            parsed.mode = mode;
        }
        let Some(appliance) = fields.get("appliance") else { return };
        let Some(members) = appliance.node.as_map() else {
            let message = format!("`appliance` is {}", appliance.node.kind());
            return self.fault(index, appliance.line, message, "state names with texts");
        };
        for member in members {
            match member.node.as_text() {
                Some(text) => {
                    parsed.appliance.insert(member.name.clone(), text.to_owned());
                }
                None => {
                    let message = format!("`{}` is {}", member.name, member.node.kind());
                    self.fault(index, member.line, message, "write a text, in quotes");
                }
            }
        }
    }

    fn path_of(&mut self, index: usize) -> Option<NodePath> {
        let name = &self.files.get(index)?.name;
        let Some(stem) = name.strip_suffix(".yaml") else {
            self.fault(index, 0, "the file is no `.yaml` file", "rename it");
            return None;
        };
        match NodePath::from_segments(stem.split('/')) {
            Ok(path) => Some(path),
            Err(error) => {
                let message = format!("the file's name is no path: {error}");
                self.fault(index, 0, message, "rename the file");
                None
            }
        }
    }

    fn endpoint(&mut self, index: usize, path: NodePath) -> Option<EndpointData> {
        const KINDS: [&str; 4] = ["folder", "object", "value", "collection"];
        let fields = self.fields(index, &KEYWORDS);
        let Some(kind) = self.choice(index, &fields, "kind", &KINDS) else {
            if !fields.contains_key("kind") {
                self.fault(
                    index,
                    1,
                    "`kind` is missing",
                    format!("add one of {}", KINDS.join(", ")),
                );
            }
            return None;
        };
        let title = self.required_text(index, &fields, "title");
        let description = self.text(index, &fields, "description").unwrap_or_default();
        let mut endpoint = EndpointData::folder(path, &title, &description);
        endpoint.source = self.text(index, &fields, "source");
        endpoint.fidelity = self
            .choice(index, &fields, "fidelity", &Fidelity::NAMES)
            .and_then(Fidelity::parse)
            .unwrap_or(Fidelity::Full);
        endpoint.kind = match kind {
            "folder" => EndpointKind::Folder,
            "object" => EndpointKind::Object,
            "value" => EndpointKind::Value,
            _ => EndpointKind::Collection,
        };
        self.misplaced(index, &fields, endpoint.kind);
        if endpoint.kind != EndpointKind::Folder {
            self.body(index, &fields, &mut endpoint);
        }
        match endpoint.kind {
            EndpointKind::Folder => {}
            EndpointKind::Collection => self.collection(index, &fields, &mut endpoint),
            _ => self.writable(index, &fields, &mut endpoint),
        }
        Some(endpoint)
    }

    // Keywords that say nothing about a file of this kind.
    fn misplaced(&mut self, index: usize, fields: &Fields<'a>, kind: EndpointKind) {
        let misplaced: &[&str] = match kind {
            EndpointKind::Folder => &[
                "schema",
                "default",
                "examples",
                "operations",
                "key",
                "lifetime",
                "exclusive",
                "members",
            ],
            EndpointKind::Object | EndpointKind::Value => {
                &["key", "lifetime", "exclusive", "members"]
            }
            EndpointKind::Collection | EndpointKind::Member => &["default"],
        };
        for name in misplaced {
            if let Some(field) = fields.get(name) {
                let message = format!("`{name}` says nothing about {}", kind.phrase());
                self.fault(index, field.line, message, "remove it");
            }
        }
    }

    fn body(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let before = self.faults.0.len();
        let opaque = endpoint.fidelity == Fidelity::Opaque;
        match fields.get("schema") {
            Some(field) if opaque => {
                let message = "an opaque endpoint accepts any object, so its schema says nothing";
                self.fault(
                    index,
                    field.line,
                    message,
                    "remove `schema`, or say `fidelity: partial`",
                );
            }
            Some(field) => {
                let place = match endpoint.kind {
                    EndpointKind::Collection => Place::Member,
                    _ => Place::Elsewhere,
                };
                endpoint.schema = self.schema(index, &field.node, place);
                endpoint.unique = unique_names(&endpoint.schema);
            }
            None if opaque => {}
            None => {
                let remedy = "add it, or say `fidelity: opaque` to accept any object";
                self.fault(index, 1, "`schema` is missing", remedy);
            }
        }
        if self.faults.0.len() != before {
            // What a broken schema says about a default is guesswork.
            return;
        }
        self.default(index, fields, endpoint);
        self.built_in(index, fields, endpoint);
        self.examples(index, fields, endpoint);
    }

    fn default(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let Some(field) = fields.get("default") else {
            if endpoint.kind != EndpointKind::Collection {
                let remedy = "state the body of a fresh appliance";
                self.fault(index, 1, "`default` is missing", remedy);
            }
            return;
        };
        endpoint.default = self.template(index, field, endpoint, "the default");
    }

    // The built-in members of a collection.
    fn built_in(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let Some(field) = fields.get("members") else { return };
        let Some(members) = field.node.as_map() else {
            let message = format!("`members` is {}", field.node.kind());
            return self.fault(index, field.line, message, "state keys with bodies");
        };
        for member in members {
            let key = match Key::parse(&member.name) {
                Ok(key) => key,
                Err(error) => {
                    let message = format!("the member's name is no key: {error}");
                    self.fault(index, member.line, message, "choose another key");
                    continue;
                }
            };
            let what = format!("the member {key}");
            if let Some(template) = self.template(index, member, endpoint, &what) {
                endpoint.members.push((key, template));
            }
        }
    }

    // A body of a fresh appliance.
    fn template(
        &mut self,
        index: usize,
        field: &Member,
        endpoint: &EndpointData,
        what: &str,
    ) -> Option<Template> {
        let shown = field.node.to_json();
        let mut value = shown.clone();
        let mut names = Vec::new();
        take_mints(&mut value, &mut String::new(), &mut names);
        let checked = self.accepted(index, field, endpoint, value, what)?;
        let (mut mints, mut references) = (Vec::new(), Vec::new());
        for reference in checked.references {
            let name = names.iter().find(|(pointer, _)| *pointer == reference.pointer);
            match (name, reference.target.parent()) {
                (Some((pointer, name)), Some(collection)) => {
                    mints.push((pointer.clone(), collection, name.clone()));
                }
                _ => {
                    let line = field.node.line_at(&reference.pointer);
                    let (what, reference) = (what.to_owned(), reference.clone());
                    self.stated.push(Stated {
                        file: index,
                        line,
                        what,
                        reference: reference.clone(),
                    });
                    references.push(reference);
                }
            }
        }
        for (pointer, _) in &names {
            if !mints.iter().any(|(minted, ..)| minted == pointer) {
                let line = field.node.line_at(pointer);
                let message = "`x-mint` stands where the schema has no reference";
                self.fault(index, line, message, "write the value itself");
            }
        }
        if let Some(pointer) = checked.secrets.first() {
            let line = field.node.line_at(pointer);
            let message = format!("{what} holds a secret, which would then be known to everyone");
            self.fault(index, line, message, "leave it out, or refer to a minted one");
        }
        Some(Template { shown, value: checked.value, mints, references })
    }

    fn examples(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let Some(field) = fields.get("examples") else { return };
        let remedy = "write a list of `title:` and `body:`";
        let Some(items) = field.node.as_list() else {
            let message = format!("`examples` is {}", field.node.kind());
            return self.fault(index, field.line, message, remedy);
        };
        for item in items {
            let title = item.member("title").and_then(|member| member.node.as_text());
            let (Some(title), Some(body), Some(2)) =
                (title, item.member("body"), item.as_map().map(<[_]>::len))
            else {
                self.fault(index, item.line, "this is no example", remedy);
                continue;
            };
            let what = format!("the example {title:?}");
            if self.accepted(index, body, endpoint, body.node.to_json(), &what).is_some() {
                endpoint
                    .examples
                    .push(Example { title: title.to_owned(), body: body.node.to_json() });
            }
        }
    }

    // Checks a value of the file against the schema of the file.
    fn accepted(
        &mut self,
        index: usize,
        field: &Member,
        endpoint: &EndpointData,
        value: Value,
        what: &str,
    ) -> Option<check::Checked> {
        match check::check(&endpoint.schema, &endpoint.path, value, Secrets::Plain) {
            Ok(checked) => Some(checked),
            Err(violations) => {
                for violation in violations {
                    let line = match violation.pointer.as_str() {
                        "" => field.line,
                        pointer => field.node.line_at(pointer),
                    };
                    let message =
                        format!("{what} does not satisfy the schema: {}", violation.message);
                    self.fault(index, line, message, "correct the one or the other");
                }
                None
            }
        }
    }

    fn collection(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let allowed = Operations::names(endpoint.kind);
        match fields.get("operations") {
            None => {
                let remedy = format!("list those that exist: {}", allowed.join(", "));
                self.fault(index, 1, "`operations` is missing", remedy);
            }
            Some(field) => endpoint.operations = self.operations(index, field, allowed),
        }
        self.choice(index, fields, "key", &["uuid"]);
        let lifetime = self.choice(index, fields, "lifetime", &["referenced", "independent"]);
        endpoint.lifetime_referenced = lifetime == Some("referenced");
        if let Some(field) = fields.get("exclusive") {
            endpoint.exclusive = self.boolean(index, field);
        }
    }

    // What may be done with an object: unless the file says otherwise, it can be replaced.
    fn writable(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        endpoint.operations = match fields.get("operations") {
            None => Operations::of_object(),
            Some(field) => self.operations(index, field, Operations::names(endpoint.kind)),
        };
        let list = Types::default().with(JsonType::Array);
        if endpoint.operations.append && endpoint.schema.types != list {
            let line = fields.get("operations").map_or(1, |field| field.line);
            let message = "an element can only be appended to a list";
            self.fault(index, line, message, "remove `append`, or say `type: array`");
        }
    }

    fn operations(&mut self, index: usize, field: &Member, allowed: &[&str]) -> Operations {
        let mut operations = Operations::default();
        let words = allowed.join(", ");
        let Some(items) = field.node.as_list() else {
            let message = format!("`operations` is {}", field.node.kind());
            self.fault(index, field.line, message, format!("write a list out of {words}"));
            return operations;
        };
        for item in items {
            let name = item.as_text().unwrap_or_default();
            if !allowed.contains(&name) || !operations.allow(name) {
                let near = suggest::hint(name, allowed.iter().copied());
                let message = format!("{name:?} is no operation of this kind{near}");
                self.fault(index, item.line, message, format!("use some of {words}"));
            }
        }
        operations
    }

    // Each folder has a file, each file of a folder has a folder with files.
    fn folders(&mut self, endpoints: &[EndpointData]) {
        let kinds: BTreeMap<&NodePath, EndpointKind> =
            endpoints.iter().map(|endpoint| (&endpoint.path, endpoint.kind)).collect();
        let stated: BTreeSet<&str> =
            self.files.iter().filter_map(|file| file.name.strip_suffix(".yaml")).collect();
        let parents: BTreeSet<NodePath> =
            endpoints.iter().filter_map(|endpoint| endpoint.path.parent()).collect();
        let mut faults = Vec::new();
        for parent in &parents {
            let stem = stem_of(parent);
            match kinds.get(parent) {
                Some(EndpointKind::Folder) => {}
                Some(kind) => {
                    let message = format!(
                        "files stand in the folder `{stem}/`, but this is {}",
                        kind.phrase()
                    );
                    faults.push((
                        format!("{stem}.yaml"),
                        1,
                        message,
                        "say `kind: folder`, or move the files",
                    ));
                }
                // A file that is there but was not understood has its own faults.
                None if stated.contains(stem.as_str()) => {}
                None => {
                    let message = format!("the folder `{stem}/` has no such file beside it");
                    faults.push((
                        format!("{stem}.yaml"),
                        0,
                        message,
                        "add it, with `kind: folder`",
                    ));
                }
            }
        }
        for endpoint in endpoints {
            if endpoint.kind == EndpointKind::Folder
                && endpoint.fidelity != Fidelity::Opaque
                && !endpoint.path.is_root()
                && !parents.contains(&endpoint.path)
            {
                let stem = stem_of(&endpoint.path);
                let message = format!("this is a folder, but `{stem}/` has no files");
                faults.push((format!("{stem}.yaml"), 1, message, "add its children, or remove it"));
            }
        }
        for (file, line, message, remedy) in faults {
            let file = self.shown(&file);
            self.faults.add(&file, line, message, remedy);
        }
    }

    // What the bodies of a fresh appliance refer to is there.
    fn stated_targets(&mut self, endpoints: &[EndpointData]) {
        for Stated { file, line, what, reference } in std::mem::take(&mut self.stated) {
            let Reference { target, fragment, .. } = &reference;
            let member = target.parent().zip(target.key()).and_then(|(collection, key)| {
                let at = endpoints.binary_search_by(|e| e.path.cmp(&collection)).ok()?;
                endpoints.get(at)?.member(key)
            });
            let part = |member: &Template| match fragment {
                None => true,
                Some(part) => rules::has_part(&member.value, part),
            };
            if !member.is_some_and(part) {
                let message = format!("{what} refers to a member that no fresh appliance has");
                let remedy = "write `{x-mint: name}` in its place, or state it under `members` of \
                              its collection";
                self.fault(file, line, message, remedy);
            }
        }
    }

    // A fresh appliance is filled body by body, each after those it refers to.
    fn circles(&mut self, endpoints: &[EndpointData]) {
        for path in factory::order(endpoints).circles {
            let file = format!("{}.yaml", stem_of(&path.parent().unwrap_or_else(NodePath::root)));
            let message =
                format!("the built-in members refer to each other in a circle, by {path}");
            let file = self.shown(&file);
            self.faults.add(&file, 0, message, "leave one of the references out");
        }
    }

    // Each reference names a collection, and a secret that its members have.
    fn links(&mut self, endpoints: &[EndpointData]) {
        for Link { file, line, rule } in std::mem::take(&mut self.links) {
            let target = endpoints
                .binary_search_by(|endpoint| endpoint.path.cmp(&rule.collection))
                .ok()
                .and_then(|at| endpoints.get(at))
                .filter(|endpoint| endpoint.kind == EndpointKind::Collection);
            let Some(target) = target else {
                let collections: Vec<String> = endpoints
                    .iter()
                    .filter(|endpoint| endpoint.kind == EndpointKind::Collection)
                    .map(|endpoint| endpoint.path.to_string())
                    .collect();
                let wanted = rule.collection.to_string();
                let near = suggest::hint(&wanted, collections.iter().map(String::as_str));
                let message = format!("there is no collection {wanted}{near}");
                self.fault(file, line, message, "name a collection of this catalog");
                continue;
            };
            if let Some(secret) = &rule.secret
                && !has_secret(&target.schema, &secret.member)
            {
                let message =
                    format!("members of {} have no secret `{}`", rule.collection, secret.member);
                self.fault(file, line, message, "name a member with `x-secret: true`");
            }
            if !rule.fragment.is_empty()
                && target.members.iter().any(|(k, _)| k.as_str().contains('.'))
            {
                let message =
                    format!("a key of {} has a dot, so its parts cannot be named", rule.collection);
                self.fault(file, line, message, "choose keys without dots under its `members`");
            }
            if !has_fragment(&target.schema, &rule.fragment) {
                let message = format!("members of {} have no such part", rule.collection);
                let remedy = "write the names of members, and `*` for the keys of an ordered map";
                self.fault(file, line, message, remedy);
            }
        }
    }
}

const CATALOG_KEYWORDS: [&str; 8] =
    ["name", "title", "description", "extends", "removed", "transactions", "appliance", "$defs"];

const KEYWORDS: [&str; 13] = [
    "kind",
    "title",
    "description",
    "fidelity",
    "source",
    "schema",
    "default",
    "examples",
    "operations",
    "key",
    "lifetime",
    "exclusive",
    "members",
];

type Fields<'a> = BTreeMap<&'a str, &'a Member>;

// Reading single fields.
impl<'a> Reader<'a> {
    fn fields(&mut self, index: usize, keywords: &[&str]) -> Fields<'a> {
        let files = self.files;
        let members = files.get(index).and_then(|file| file.node.as_map()).unwrap_or_default();
        let mut fields = BTreeMap::new();
        for member in members {
            if keywords.contains(&member.name.as_str()) || member.name == "$defs" {
                fields.insert(member.name.as_str(), member);
            } else {
                let near = suggest::hint(&member.name, keywords.iter().copied());
                let message = format!("unknown keyword `{}`{near}", member.name);
                let remedy = format!("use one of {}", keywords.join(", "));
                self.fault(index, member.line, message, remedy);
            }
        }
        fields
    }

    fn required_text(&mut self, index: usize, fields: &Fields<'a>, name: &str) -> String {
        if !fields.contains_key(name) {
            self.fault(index, 1, format!("`{name}` is missing"), "add it");
        }
        self.text(index, fields, name).unwrap_or_default()
    }

    fn text(&mut self, index: usize, fields: &Fields<'a>, name: &str) -> Option<String> {
        let field = fields.get(name)?;
        self.text_of(index, field).map(|text| text.trim().to_owned())
    }

    fn text_of(&mut self, index: usize, field: &'a Member) -> Option<&'a str> {
        let text = field.node.as_text();
        if text.is_none() {
            let message = format!("`{}` is {}", field.name, field.node.kind());
            self.fault(index, field.line, message, "write a text, in quotes if it looks otherwise");
        }
        text
    }

    fn boolean(&mut self, index: usize, field: &Member) -> bool {
        if let yaml::Data::Bool(value) = field.node.data {
            return value;
        }
        let message = format!("`{}` is {}", field.name, field.node.kind());
        self.fault(index, field.line, message, "write true or false");
        false
    }

    fn choice<'c>(
        &mut self,
        index: usize,
        fields: &Fields<'a>,
        name: &str,
        choices: &[&'c str],
    ) -> Option<&'c str> {
        let field = fields.get(name)?;
        let text = self.text_of(index, field)?;
        let chosen = choices.iter().find(|choice| **choice == text).copied();
        if chosen.is_none() {
            let near = suggest::hint(text, choices.iter().copied());
            let message = format!("`{name}` cannot be {text:?}{near}");
            self.fault(index, field.line, message, format!("use one of {}", choices.join(", ")));
        }
        chosen
    }
}

fn stem_of(path: &NodePath) -> String {
    path.segments().iter().map(Key::as_str).collect::<Vec<_>>().join("/")
}

// Replaces `{"x-mint": name}` by a key that any reference accepts.
fn take_mints(value: &mut Value, pointer: &mut String, found: &mut Vec<(String, String)>) {
    let name = match value {
        Value::Object(members) if members.len() == 1 => {
            members.get("x-mint").and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    };
    if let Some(name) = name {
        *value = Value::String("x-mint".into());
        found.push((pointer.clone(), name));
        return;
    }
    let length = pointer.len();
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                pointer.push('/');
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                take_mints(value, pointer, found);
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter_mut().enumerate() {
                pointer.push_str(&format!("/{index}"));
                take_mints(value, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

fn unique_names(schema: &Schema) -> Vec<String> {
    let of = |members: &crate::schema::Members| {
        members.properties.iter().filter(|p| p.unique).map(|p| p.name.clone()).collect::<Vec<_>>()
    };
    let mut names = match &schema.shape {
        Shape::Members(members) => of(members),
        Shape::Union(union) => union.branches.iter().flat_map(|b| of(&b.members)).collect(),
        Shape::Any | Shape::OrderedMap(_) => Vec::new(),
    };
    names.sort();
    names.dedup();
    names
}

// Whether bodies can have a part at the end of these steps.
fn has_fragment(schema: &Schema, steps: &[FragmentStep]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let below = |members: &crate::schema::Members, name: &str| {
        members.property(name).is_some_and(|property| has_fragment(&property.schema, rest))
    };
    match (&schema.shape, step) {
        (Shape::Members(members), FragmentStep::Name(name)) => below(members, name),
        (Shape::Union(union), FragmentStep::Name(name)) => {
            union.branches.iter().any(|branch| below(&branch.members, name))
        }
        (Shape::OrderedMap(item), FragmentStep::Any) => has_fragment(item, rest),
        _ => false,
    }
}

fn has_secret(schema: &Schema, name: &str) -> bool {
    let has = |members: &crate::schema::Members| {
        members.property(name).is_some_and(|property| property.schema.secret)
    };
    match &schema.shape {
        Shape::Members(members) => has(members),
        Shape::Union(union) => union.branches.iter().any(|branch| has(&branch.members)),
        Shape::Any | Shape::OrderedMap(_) => false,
    }
}
