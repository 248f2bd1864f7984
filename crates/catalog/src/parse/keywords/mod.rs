//! From the keywords of a schema to a [`Schema`].

use std::collections::BTreeMap;
use std::sync::Arc;

use config_tree::NodePath;

use super::{CATALOG_FILE, Def, Reader};
use crate::check::{self, Secrets};
use crate::parse::files::File;
use crate::schema::{JsonType, Schema, Shape, Types};
use crate::suggest;
use crate::yaml::{Member, Node};

mod members;
mod reference;
mod union;
mod values;

// The keywords of a schema, and the types whose values each applies to.
const KEYWORDS: &[(&str, Applies)] = &[
    ("title", Applies::All),
    ("description", Applies::All),
    ("default", Applies::All),
    ("examples", Applies::All),
    ("type", Applies::All),
    ("enum", Applies::All),
    ("const", Applies::All),
    ("$ref", Applies::All),
    ("minLength", Applies::Texts),
    ("maxLength", Applies::Texts),
    ("pattern", Applies::Texts),
    ("format", Applies::Texts),
    ("x-hint", Applies::Texts),
    ("x-secret", Applies::Texts),
    ("x-reference", Applies::Texts),
    ("minimum", Applies::Numbers),
    ("maximum", Applies::Numbers),
    ("items", Applies::Lists),
    ("minItems", Applies::Lists),
    ("maxItems", Applies::Lists),
    ("uniqueItems", Applies::Lists),
    ("properties", Applies::Objects),
    ("required", Applies::Objects),
    ("additionalProperties", Applies::Objects),
    ("x-switch", Applies::Objects),
    ("x-exactly-one-of", Applies::Objects),
    ("x-identity", Applies::Objects),
    ("x-union", Applies::Objects),
    ("x-ordered-map", Applies::Objects),
];

// What is said of a property and not of its value, so that it may be combined with `$ref`.
const PROPERTY_KEYWORDS: [&str; 6] =
    ["x-null-when", "x-required-when", "x-absent-when", "x-unique", "readOnly", "x-derived"];

const NOTES: [&str; 4] = ["title", "description", "default", "examples"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Applies {
    All,
    Texts,
    Numbers,
    Lists,
    Objects,
}

impl Applies {
    fn of(self, types: Types) -> bool {
        let admits = |kind| types.admits(kind);
        match self {
            Self::All => true,
            Self::Texts => admits(JsonType::String),
            Self::Numbers => admits(JsonType::Integer) || admits(JsonType::Number),
            Self::Lists => admits(JsonType::Array),
            Self::Objects => admits(JsonType::Object),
        }
    }
}

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It says what the members of a collection are; `x-unique` has a meaning for its properties.
    Member,
    /// Under `properties`.
    Property,
    /// Under `items`.
    Item,
    Elsewhere,
}

/// The members of one schema by name.
struct Keywords<'a> {
    line: usize,
    members: BTreeMap<&'a str, &'a Member>,
}

impl<'a> Keywords<'a> {
    fn get(&self, name: &str) -> Option<&'a Member> {
        self.members.get(name).copied()
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.members.contains_key(name))
    }
}

impl<'a> Reader<'a> {
    /// Reads a schema that stands at a certain place.
    pub(in crate::parse) fn schema(
        &mut self,
        file: usize,
        node: &'a Node,
        place: Place,
    ) -> Arc<Schema> {
        let before = self.faults.0.len();
        let Some(keywords) = self.keywords(file, node, place) else { return Arc::default() };
        let mut schema = match keywords.get("$ref") {
            Some(reference) => self.referenced(file, reference, &keywords),
            None => self.stated(file, &keywords, place),
        };
        self.notes(file, &keywords, &mut schema);
        if self.faults.0.len() == before {
            self.own_values(file, &keywords, &schema);
        }
        Arc::new(schema)
    }

    /// Reads the schemas of a file's `$defs` that nothing refers to, for their faults.
    pub(in crate::parse) fn all_defs(&mut self, index: usize, file: &'a File) {
        let Some(defs) = file.node.member("$defs") else { return };
        let Some(members) = defs.node.as_map() else {
            let message = format!("`$defs` is {}", defs.node.kind());
            return self.fault(index, defs.line, message, "state names with schemas");
        };
        for member in members {
            self.def(index, member, member.line);
        }
    }

    fn keywords(&mut self, file: usize, node: &'a Node, place: Place) -> Option<Keywords<'a>> {
        let Some(members) = node.as_map() else {
            let message = format!("a schema is a mapping, and this is {}", node.kind());
            self.fault(file, node.line, message, "write keywords, such as `type: string`");
            return None;
        };
        let mut found = BTreeMap::new();
        for member in members {
            let name = member.name.as_str();
            if KEYWORDS.iter().any(|(known, _)| *known == name) {
                found.insert(name, member);
            } else if PROPERTY_KEYWORDS.contains(&name) {
                if place != Place::Property {
                    let message = format!("`{name}` is said of a property, and this is none");
                    self.fault(
                        file,
                        member.line,
                        message,
                        "move it to a schema under `properties`",
                    );
                }
            } else {
                let known = KEYWORDS.iter().map(|(known, _)| *known).chain(PROPERTY_KEYWORDS);
                let message = format!("unknown keyword `{name}`{}", suggest::hint(name, known));
                self.fault(file, member.line, message, "see the table in docs/CATALOG.md");
            }
        }
        Some(Keywords { line: node.line, members: found })
    }

    fn stated(&mut self, file: usize, keywords: &Keywords<'a>, place: Place) -> Schema {
        let types = self.types(file, keywords);
        self.applicable(file, keywords, types);
        let mut schema = Schema {
            types,
            allowed: self.allowed(file, keywords).map(Arc::from),
            constant: keywords.get("const").map(|member| Arc::new(member.node.to_json())),
            text: self.text_rules(file, keywords),
            secret: self.flag(file, keywords, "x-secret"),
            ..Schema::default()
        };
        schema.number.min = self.number(file, keywords, "minimum");
        schema.number.max = self.number(file, keywords, "maximum");
        self.list_rules(file, keywords, &mut schema);
        schema.shape = self.shape(file, keywords, place == Place::Member);
        if let Some(member) = keywords.get("x-reference") {
            schema.reference = self.reference(file, member, keywords, place);
        }
        schema
    }

    // A schema that only points to another one, perhaps with other words for people.
    fn referenced(&mut self, file: usize, member: &'a Member, keywords: &Keywords<'a>) -> Schema {
        for (name, other) in &keywords.members {
            if *name != "$ref" && !NOTES.contains(name) {
                let message = format!("`{name}` cannot be combined with `$ref`");
                self.fault(
                    file,
                    other.line,
                    message,
                    "move it into the schema that is referred to",
                );
            }
        }
        let Some(text) = self.text_of(file, member) else { return Schema::default() };
        let Some(name) = text.strip_prefix("#/$defs/") else {
            let message = format!("{text:?} cannot be resolved");
            self.fault(file, member.line, message, "write `#/$defs/` and a name");
            return Schema::default();
        };
        match self.definition(file, name) {
            Ok(Some((index, def))) => Schema::clone(&self.def(index, def, member.line)),
            Ok(None) => {
                let message =
                    format!("`$defs` of this file and of {CATALOG_FILE} have no `{name}`");
                self.fault(file, member.line, message, "add it to one of them");
                Schema::default()
            }
            Err(()) => {
                let message = format!("`{name}` is defined here and in {CATALOG_FILE}");
                self.fault(file, member.line, message, "rename the one of this file");
                Schema::default()
            }
        }
    }

    // The schema that a name means in a file: its own, or that of the uppermost catalog that has
    // one. A catalog may give a name another meaning than the one it builds on, but a file may not
    // hide a name that its author could see.
    fn definition(&self, file: usize, name: &str) -> Result<Option<(usize, &'a Member)>, ()> {
        let def = |other: &'a File| other.node.member("$defs")?.node.member(name);
        let files = self.files;
        let shared: Vec<(usize, usize, &'a Member)> = files
            .iter()
            .enumerate()
            .filter(|(_, other)| other.name == CATALOG_FILE)
            .filter_map(|(index, other)| Some((index, other.layer, def(other)?)))
            .collect();
        let layer = files.get(file).map_or(0, |file| file.layer);
        match files.get(file).filter(|file| file.name != CATALOG_FILE).and_then(def) {
            Some(_) if shared.iter().any(|(_, other, _)| *other <= layer) => Err(()),
            Some(own) => Ok(Some((file, own))),
            None => {
                let uppermost = shared.into_iter().max_by_key(|(_, layer, _)| *layer);
                Ok(uppermost.map(|(index, _, def)| (index, def)))
            }
        }
    }

    fn def(&mut self, index: usize, def: &'a Member, asked: usize) -> Arc<Schema> {
        let key = (index, def.name.as_str());
        match self.defs.get(&key) {
            Some(Def::Read(schema)) => return Arc::clone(schema),
            Some(Def::Busy) => {
                let message = format!("`{}` contains itself", def.name);
                self.fault(index, asked, message, "a schema must come to an end");
                return Arc::default();
            }
            None => {}
        }
        self.defs.insert(key, Def::Busy);
        let schema = self.schema(index, &def.node, Place::Elsewhere);
        self.defs.insert(key, Def::Read(Arc::clone(&schema)));
        schema
    }

    fn notes(&mut self, file: usize, keywords: &Keywords<'a>, schema: &mut Schema) {
        if let Some(member) = keywords.get("title") {
            schema.notes.title = self.text_of(file, member).map(|text| text.trim().into());
        }
        if let Some(member) = keywords.get("description") {
            schema.notes.description = self.text_of(file, member).map(|text| text.trim().into());
        }
        if let Some(member) = keywords.get("default") {
            schema.notes.default = Some(Arc::new(member.node.to_json()));
        }
        if let Some(member) = keywords.get("examples") {
            match member.node.as_list() {
                Some(items) => {
                    schema.notes.examples = items.iter().map(Node::to_json).collect();
                }
                None => {
                    let message = format!("`examples` is {}", member.node.kind());
                    self.fault(file, member.line, message, "write a list of values");
                }
            }
        }
    }

    // Default and examples of a schema satisfy the schema.
    fn own_values(&mut self, file: usize, keywords: &Keywords<'a>, schema: &Schema) {
        for name in ["default", "examples"] {
            let Some(member) = keywords.get(name) else { continue };
            let values: Vec<(&Node, usize)> = match member.node.as_list() {
                Some(items) if name == "examples" => items.iter().map(|n| (n, n.line)).collect(),
                _ => vec![(&member.node, member.line)],
            };
            for (node, line) in values {
                let root = NodePath::root();
                match check::check(schema, &root, node.to_json(), Secrets::Plain) {
                    Ok(checked) if name == "default" && !checked.references.is_empty() => {
                        let message = "a default cannot refer to a member";
                        self.fault(file, line, message, "remove the default");
                    }
                    Ok(_) => {}
                    Err(violations) => {
                        for violation in violations {
                            let message = format!(
                                "`{name}` does not satisfy the schema: {}",
                                violation.message
                            );
                            self.fault(file, line, message, "correct the one or the other");
                        }
                    }
                }
            }
        }
    }

    // A keyword for values which the type excludes was meant for something else.
    fn applicable(&mut self, file: usize, keywords: &Keywords<'a>, types: Types) {
        for (name, applies) in KEYWORDS {
            if let Some(member) = keywords.get(name)
                && !applies.of(types)
            {
                let message = format!("`{name}` says nothing about {types}");
                self.fault(file, member.line, message, "remove it, or correct `type`");
            }
        }
    }

    fn shape(&mut self, file: usize, keywords: &Keywords<'a>, at_top: bool) -> Shape {
        const MEMBERS: [&str; 6] = [
            "properties",
            "required",
            "additionalProperties",
            "x-switch",
            "x-exactly-one-of",
            "x-identity",
        ];
        let stated = keywords.has_any(&MEMBERS);
        let special = ["x-union", "x-ordered-map"].map(|name| keywords.get(name));
        match special {
            [None, None] if stated => {
                let closed = keywords.get("x-switch").is_some();
                self.members(file, keywords, at_top, closed)
                    .map_or(Shape::Any, |members| Shape::Members(Arc::new(members)))
            }
            [None, None] => Shape::Any,
            [Some(member), _] | [_, Some(member)]
                if stated || special.iter().all(Option::is_some) =>
            {
                let message = format!(
                    "`{}` and other statements about members exclude each other",
                    member.name
                );
                self.fault(file, member.line, message, "state the members inside it");
                Shape::Any
            }
            [Some(member), _] => self
                .union(file, member, at_top)
                .map_or(Shape::Any, |union| Shape::Union(Arc::new(union))),
            [_, Some(member)] => {
                Shape::OrderedMap(self.schema(file, &member.node, Place::Elsewhere))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_explains_each_keyword() {
        let manual = include_str!("../../../../../docs/CATALOG.md");
        let schema = KEYWORDS.iter().map(|(name, _)| *name).chain(PROPERTY_KEYWORDS);
        for keyword in schema.chain(crate::parse::fields::KEYWORDS) {
            let explained = manual
                .lines()
                .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
                .any(|(cell, _)| cell.split(", ").any(|word| word == format!("`{keyword}`")));
            assert!(explained, "docs/CATALOG.md lacks {keyword}");
        }
    }
}
