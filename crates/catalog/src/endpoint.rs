//! One endpoint of a catalog: what stands at a path and what may be done with it.

use std::fmt;
use std::sync::Arc;

use config_tree::{Key, NodePath, Reference};
use serde_json::Value;

use crate::key_rule::KeyRule;
use crate::rules::pointer_to;
use crate::schema::{ByName, JsonType, Schema, Types};

/// What stands at a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EndpointKind {
    /// Fixed children.
    Folder,
    /// A body that is an object.
    Object,
    /// A body that is a bare text, number or list.
    Value,
    /// Members that come and go.
    Collection,
    /// A member of a collection.
    Member,
}

impl EndpointKind {
    /// The word that a catalog's file uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Object => "object",
            Self::Value => "value",
            Self::Collection => "collection",
            Self::Member => "member",
        }
    }

    /// The word in a sentence.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::Object => "an object",
            Self::Value => "a value",
            Self::Collection => "a collection",
            Self::Member => "a member",
        }
    }
}

/// How much of the original's behaviour the schema knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fidelity {
    /// Every member and every rule.
    Full,
    /// What the file says; the original may have more.
    Partial,
    /// Nothing: any object is accepted.
    Opaque,
}

impl Fidelity {
    pub(crate) const NAMES: [&str; 3] = ["full", "partial", "opaque"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Full, Self::Partial, Self::Opaque].into_iter().find(|f| f.name() == name)
    }

    /// The word that a catalog's file uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Opaque => "opaque",
        }
    }
}

impl fmt::Display for Fidelity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What may be done with an object, or with a collection and its members. Reading an object or
/// one member always may.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Operations {
    /// The collection can be listed.
    pub list: bool,
    /// Members can be added.
    pub create: bool,
    /// Bodies can be replaced.
    pub replace: bool,
    /// Members can be removed.
    pub delete: bool,
    /// An element can be added to the end of a value that is a list.
    pub append: bool,
}

impl Operations {
    /// Those that a file of this kind may list.
    pub(crate) fn names(kind: EndpointKind) -> &'static [&'static str] {
        match kind {
            EndpointKind::Folder => &[],
            EndpointKind::Object => &["replace"],
            EndpointKind::Value => &["replace", "append"],
            EndpointKind::Collection | EndpointKind::Member => {
                &["list", "create", "replace", "delete"]
            }
        }
    }

    /// Those of an object whose file says nothing else.
    pub(crate) fn of_object() -> Self {
        Self { replace: true, ..Self::default() }
    }

    /// The words for what may be done, as a catalog's file lists them.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let flags = [
            ("list", self.list),
            ("create", self.create),
            ("replace", self.replace),
            ("delete", self.delete),
            ("append", self.append),
        ];
        flags.into_iter().filter(|(_, may)| *may).map(|(word, _)| word)
    }

    pub(crate) fn allow(&mut self, name: &str) -> bool {
        let flag = match name {
            "list" => &mut self.list,
            "create" => &mut self.create,
            "replace" => &mut self.replace,
            "delete" => &mut self.delete,
            "append" => &mut self.append,
            _ => return false,
        };
        *flag = true;
        true
    }
}

/// A body with a name, for people and tests.
#[derive(Clone, PartialEq, Debug)]
pub struct Example {
    /// What the example shows.
    pub title: String,
    /// A body that satisfies the schema. Its references name members that need not exist.
    pub body: Value,
}

/// What stands at a path, borrowed from a catalog.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    data: &'a EndpointData,
    // Not that of the data where a member of the collection is meant.
    kind: EndpointKind,
}

impl<'a> Endpoint<'a> {
    pub(crate) fn fixed(data: &'a EndpointData) -> Self {
        Self { data, kind: data.kind }
    }

    pub(crate) fn member(data: &'a EndpointData) -> Self {
        Self { data, kind: EndpointKind::Member }
    }

    pub(crate) fn data(self) -> &'a EndpointData {
        self.data
    }

    /// The path; of a member, that of its collection.
    #[must_use]
    pub fn path(self) -> &'a NodePath {
        &self.data.path
    }

    /// The path as documentation writes it: `/management/email`, `/passwords/{key}`.
    #[must_use]
    pub fn pattern(self) -> String {
        match self.kind {
            EndpointKind::Member => format!("{}/{{key}}", self.data.path),
            _ => self.data.path.to_string(),
        }
    }

    /// What stands here.
    #[must_use]
    pub fn kind(self) -> EndpointKind {
        self.kind
    }

    /// A short name for people.
    #[must_use]
    pub fn title(self) -> &'a str {
        &self.data.title
    }

    /// What it is for; may be empty.
    #[must_use]
    pub fn description(self) -> &'a str {
        &self.data.description
    }

    /// How much of the original is known.
    #[must_use]
    pub fn fidelity(self) -> Fidelity {
        self.data.fidelity
    }

    /// Where the knowledge comes from.
    #[must_use]
    pub fn source(self) -> Option<&'a str> {
        self.data.source.as_deref()
    }

    /// The body of a fresh appliance, as the file writes it: what is minted is
    /// `{"x-mint": name}`. `None` for folders, collections and members.
    #[must_use]
    pub fn default(self) -> Option<&'a Value> {
        self.data.default.as_ref().map(|template| &template.shown)
    }

    /// Bodies that satisfy the schema.
    #[must_use]
    pub fn examples(self) -> &'a [Example] {
        &self.data.examples
    }

    /// The schema of the body; of a collection, that of its members; of a folder, any object.
    #[must_use]
    pub fn schema(self) -> &'a Schema {
        &self.data.schema
    }

    /// What may be done with a collection or a member. An object can be replaced, a folder listed.
    #[must_use]
    pub fn operations(self) -> Operations {
        match self.kind {
            EndpointKind::Folder => Operations { list: true, ..Operations::default() },
            _ => self.data.operations,
        }
    }

    /// Whether the body is a bare list.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.kind == EndpointKind::Value
            && self.data.schema.types == Types::default().with(JsonType::Array)
    }

    /// The built-in members of a collection with their bodies in a fresh appliance, as the file
    /// writes them. They may be changed but not removed.
    pub fn members(self) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        let members = if self.kind == EndpointKind::Collection { &*self.data.members } else { &[] };
        members.iter().map(|(key, template)| (key, &template.shown))
    }

    /// Where the key of a new member comes from.
    #[must_use]
    pub fn key_rule(self) -> KeyRule {
        self.data.key_rule
    }

    /// What a key must be that a client gives, where the catalog says it.
    #[must_use]
    pub fn key_schema(self) -> Option<&'a Schema> {
        self.data.key_schema.as_deref()
    }

    /// What occurs once in a collection: each a list of JSON Pointers whose values together do.
    #[must_use]
    pub fn unique(self) -> &'a [Vec<String>] {
        &self.data.unique
    }

    /// Whether members that nothing refers to are dropped at commit.
    #[must_use]
    pub fn is_lifetime_referenced(self) -> bool {
        self.data.lifetime_referenced
    }

    /// Whether a member may be referenced once only.
    #[must_use]
    pub fn is_exclusive(self) -> bool {
        self.data.exclusive
    }
}

impl fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, {})", self.pattern(), self.kind.name())
    }
}

#[derive(Debug)]
pub(crate) struct EndpointData {
    pub(crate) path: NodePath,
    pub(crate) kind: EndpointKind,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) fidelity: Fidelity,
    pub(crate) source: Option<String>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) default: Option<Template>,
    pub(crate) examples: Vec<Example>,
    pub(crate) operations: Operations,
    pub(crate) lifetime_referenced: bool,
    pub(crate) exclusive: bool,
    pub(crate) key_rule: KeyRule,
    // What a key must be that a client gives.
    pub(crate) key_schema: Option<Arc<Schema>>,
    // JSON Pointers to values that together occur once in the collection.
    pub(crate) unique: Vec<Vec<String>>,
    // Members by whose values references name members of this collection.
    pub(crate) named_by: Vec<String>,
    // In the order of the file, each key once.
    pub(crate) members: Vec<(Key, Template)>,
}

/// A body of a fresh appliance in which some references are still to be minted.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) shown: Value,
    /// In canonical form, with placeholders where the mints are.
    pub(crate) value: Value,
    /// Pointer, collection and name of each mint.
    pub(crate) mints: Vec<(String, NodePath, String)>,
    /// What it refers to otherwise: built-in members.
    pub(crate) references: Vec<Reference>,
}

impl EndpointData {
    /// The least that can be said of an endpoint; the rest is filled in by the parser.
    pub(crate) fn folder(path: NodePath, title: &str, description: &str) -> Self {
        Self {
            path,
            kind: EndpointKind::Folder,
            title: title.to_owned(),
            description: description.to_owned(),
            fidelity: Fidelity::Full,
            source: None,
            schema: Arc::new(Schema::any_object()),
            default: None,
            examples: Vec::new(),
            operations: Operations::default(),
            lifetime_referenced: false,
            exclusive: false,
            key_rule: KeyRule::default(),
            key_schema: None,
            unique: Vec::new(),
            named_by: Vec::new(),
            members: Vec::new(),
        }
    }

    /// The unique values among which a name is looked up, in the order of their index.
    pub(crate) fn index_of(&self, by: &ByName) -> Option<&[String]> {
        let wanted: Vec<String> =
            by.within.iter().chain([&by.member]).map(|name| pointer_to(name)).collect();
        let same = |group: &&Vec<String>| {
            group.len() == wanted.len() && wanted.iter().all(|pointer| group.contains(pointer))
        };
        self.unique.iter().find(same).map(Vec::as_slice)
    }

    /// A built-in member.
    pub(crate) fn member(&self, key: &Key) -> Option<&Template> {
        self.members.iter().find(|(known, _)| known == key).map(|(_, template)| template)
    }
}
