//! From the keywords of a schema to a [`Schema`].

use std::collections::BTreeMap;
use std::sync::Arc;

use config_tree::NodePath;
use regex::RegexBuilder;
use serde_json::{Number, Value};

use super::{CATALOG_FILE, Def, File, Link, Reader};
use crate::check::{self, Secrets};
use crate::format::Format;
use crate::schema::{
    Branch, Condition, FragmentStep, Identity, JsonType, Members, Pattern, Property, ReferenceRule,
    Schema, SecretRule, Shape, TextRules, Types, Union,
};
use crate::suggest;
use crate::yaml::{Data, Member, Node};

// What a schema may say, and of values of which type it then speaks.
const KEYWORDS: &[(&str, Speaks)] = &[
    ("title", Speaks::All),
    ("description", Speaks::All),
    ("default", Speaks::All),
    ("examples", Speaks::All),
    ("type", Speaks::All),
    ("enum", Speaks::All),
    ("const", Speaks::All),
    ("$ref", Speaks::All),
    ("minLength", Speaks::Texts),
    ("maxLength", Speaks::Texts),
    ("pattern", Speaks::Texts),
    ("format", Speaks::Texts),
    ("x-hint", Speaks::Texts),
    ("x-secret", Speaks::Texts),
    ("x-reference", Speaks::Texts),
    ("minimum", Speaks::Numbers),
    ("maximum", Speaks::Numbers),
    ("items", Speaks::Lists),
    ("minItems", Speaks::Lists),
    ("maxItems", Speaks::Lists),
    ("uniqueItems", Speaks::Lists),
    ("properties", Speaks::Objects),
    ("required", Speaks::Objects),
    ("additionalProperties", Speaks::Objects),
    ("x-switch", Speaks::Objects),
    ("x-exactly-one-of", Speaks::Objects),
    ("x-identity", Speaks::Objects),
    ("x-union", Speaks::Objects),
    ("x-ordered-map", Speaks::Objects),
];

// What is said of a property and not of its value, so that it may stand beside `$ref`.
const PROPERTY_KEYWORDS: [&str; 4] =
    ["x-null-when", "x-required-when", "x-absent-when", "x-unique"];

const NOTES: [&str; 4] = ["title", "description", "default", "examples"];

// A pattern that compiles to more than this is a mistake or an attack.
const PATTERN_LIMIT: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    All,
    Texts,
    Numbers,
    Lists,
    Objects,
}

impl Speaks {
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
    pub(super) fn schema(&mut self, file: usize, node: &'a Node, place: Place) -> Arc<Schema> {
        let before = self.faults.0.len();
        let Some(keywords) = self.keywords(file, node, place) else { return Arc::default() };
        let mut schema = match keywords.get("$ref") {
            Some(reference) => self.referenced(file, reference, &keywords),
            None => self.stated(file, &keywords, place == Place::Member),
        };
        self.notes(file, &keywords, &mut schema);
        if self.faults.0.len() == before {
            self.own_values(file, &keywords, &schema);
        }
        Arc::new(schema)
    }

    /// Reads the schemas of a file's `$defs` that nothing refers to, for their faults.
    pub(super) fn all_defs(&mut self, index: usize, file: &'a File) {
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

    fn stated(&mut self, file: usize, keywords: &Keywords<'a>, at_top: bool) -> Schema {
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
        schema.shape = self.shape(file, keywords, at_top);
        if let Some(member) = keywords.get("x-reference") {
            schema.reference = self.reference(file, member, keywords);
        }
        schema
    }

    // A schema that only points to another one, perhaps with other words for people.
    fn referenced(&mut self, file: usize, member: &'a Member, keywords: &Keywords<'a>) -> Schema {
        for (name, other) in &keywords.members {
            if *name != "$ref" && !NOTES.contains(name) {
                let message = format!("`{name}` cannot stand beside `$ref`");
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

    fn types(&mut self, file: usize, keywords: &Keywords<'a>) -> Types {
        let mut types = Types::default();
        let Some(member) = keywords.get("type") else {
            // These keywords say by themselves what they speak of.
            if keywords.has_any(&["x-reference", "x-secret"]) {
                types = types.with(JsonType::String);
            }
            if keywords.has_any(&["x-union", "x-ordered-map", "x-switch"]) {
                types = types.with(JsonType::Object);
            }
            return types;
        };
        let names = match &member.node.data {
            Data::List(items) => items.iter().collect(),
            _ => vec![&member.node],
        };
        for node in names {
            // `null` without quotes is a null in YAML and can only mean the type here.
            let name = match &node.data {
                Data::Null => "null",
                _ => node.as_text().unwrap_or_default(),
            };
            match JsonType::parse(name) {
                Some(kind) => types = types.with(kind),
                None => {
                    let known = JsonType::ALL.map(JsonType::name);
                    let near = suggest::hint(name, known);
                    let message = format!("{name:?} is no type{near}");
                    self.fault(
                        file,
                        node.line,
                        message,
                        format!("use some of {}", known.join(", ")),
                    );
                }
            }
        }
        types
    }

    // A keyword that speaks of values which the type excludes was meant for something else.
    fn applicable(&mut self, file: usize, keywords: &Keywords<'a>, types: Types) {
        for (name, speaks) in KEYWORDS {
            if let Some(member) = keywords.get(name)
                && !speaks.of(types)
            {
                let message = format!("`{name}` says nothing about {types}");
                self.fault(file, member.line, message, "remove it, or correct `type`");
            }
        }
    }

    fn allowed(&mut self, file: usize, keywords: &Keywords<'a>) -> Option<Vec<Value>> {
        let member = keywords.get("enum")?;
        match member.node.as_list() {
            Some(items) if !items.is_empty() => Some(items.iter().map(Node::to_json).collect()),
            _ => {
                self.fault(file, member.line, "`enum` lists no values", "write a list of values");
                None
            }
        }
    }

    fn text_rules(&mut self, file: usize, keywords: &Keywords<'a>) -> TextRules {
        TextRules {
            min: self.count(file, keywords, "minLength"),
            max: self.count(file, keywords, "maxLength"),
            pattern: self.pattern(file, keywords),
            format: self.format(file, keywords),
            hint: keywords
                .get("x-hint")
                .and_then(|member| self.text_of(file, member))
                .map(|text| text.trim().into()),
        }
    }

    fn pattern(&mut self, file: usize, keywords: &Keywords<'a>) -> Option<Pattern> {
        let member = keywords.get("pattern")?;
        let text = self.text_of(file, member)?;
        match RegexBuilder::new(text).size_limit(PATTERN_LIMIT).build() {
            Ok(regex) => Some(Pattern(Arc::new(regex))),
            Err(error) => {
                let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
                let message = format!("the pattern cannot be used: {reason}");
                self.fault(
                    file,
                    member.line,
                    message,
                    "correct it; look-around does not exist here",
                );
                None
            }
        }
    }

    fn format(&mut self, file: usize, keywords: &Keywords<'a>) -> Option<Format> {
        let member = keywords.get("format")?;
        let name = self.text_of(file, member)?;
        let format = Format::parse(name);
        if format.is_none() {
            let known = Format::ALL.map(Format::name);
            let message = format!("unknown format {name:?}{}", suggest::hint(name, known));
            self.fault(file, member.line, message, format!("use one of {}", known.join(", ")));
        }
        format
    }

    fn list_rules(&mut self, file: usize, keywords: &Keywords<'a>, schema: &mut Schema) {
        schema.list.items =
            keywords.get("items").map(|member| self.schema(file, &member.node, Place::Elsewhere));
        schema.list.min = self.count(file, keywords, "minItems");
        schema.list.max = self.count(file, keywords, "maxItems");
        schema.list.unique = self.flag(file, keywords, "uniqueItems");
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

    fn members(
        &mut self,
        file: usize,
        keywords: &Keywords<'a>,
        at_top: bool,
        closed: bool,
    ) -> Option<Members> {
        let mut members = Members::none();
        if let Some(properties) = keywords.get("properties") {
            let Some(list) = properties.node.as_map() else {
                let message = format!("`properties` is {}", properties.node.kind());
                self.fault(file, properties.line, message, "state names with schemas");
                return None;
            };
            for member in list {
                members.properties.push(self.property(file, member, at_top));
            }
            members.properties.sort_by(|a, b| a.name.cmp(&b.name));
            members.properties.dedup_by(|a, b| a.name == b.name);
        }
        members.open = self.openness(file, keywords, closed);
        for (line, name) in self.names(file, keywords, "required") {
            match members.properties.iter_mut().find(|property| property.name == name) {
                Some(property) => property.required = true,
                None => self.no_property(file, line, &name, &members),
            }
        }
        for (line, name) in self.names(file, keywords, "x-exactly-one-of") {
            match members.property(&name) {
                Some(_) => members.exactly_one_of.push(name),
                None => self.no_property(file, line, &name, &members),
            }
        }
        members.switch = self.switch(file, keywords, &mut members);
        members.identity = self.identity(file, keywords, &members);
        self.conditions(file, keywords, &members);
        self.defaults(file, keywords, &members);
        Some(members)
    }

    // A default is filled in for an absent optional member, which must not break another rule.
    fn defaults(&mut self, file: usize, keywords: &Keywords<'a>, members: &Members) {
        let Some(list) = keywords.get("properties").and_then(|p| p.node.as_map()) else { return };
        for member in list {
            let Some(property) = members.property(&member.name) else { continue };
            let chosen = members.exactly_one_of.contains(&member.name);
            if property.schema.notes.default.is_some() && (chosen || property.null_when.is_some()) {
                let message = format!("`{}` cannot have a default", member.name);
                let remedy = "remove it: whether the member stands there depends on others";
                self.fault(file, member.line, message, remedy);
            }
        }
    }

    fn openness(&mut self, file: usize, keywords: &Keywords<'a>, closed: bool) -> bool {
        match keywords.get("additionalProperties") {
            Some(_) => self.flag(file, keywords, "additionalProperties"),
            None if closed => false,
            None => {
                let message = "the members are listed, but not whether others may stand there";
                let remedy =
                    "add `additionalProperties: false` to refuse unknown members, or `true`";
                self.fault(file, keywords.line, message, remedy);
                false
            }
        }
    }

    fn property(&mut self, file: usize, member: &'a Member, at_top: bool) -> Property {
        let schema = self.schema(file, &member.node, Place::Property);
        let unique = member.node.member("x-unique");
        if let Some(unique) = unique.filter(|_| !at_top) {
            let message = "`x-unique` has no meaning here";
            self.fault(
                file,
                unique.line,
                message,
                "use it for top members of a collection's schema",
            );
        }
        let null_when = self.condition(file, &member.node, "x-null-when");
        if null_when.is_some() && !schema.types.admits(JsonType::Null) {
            let message = format!("`{}` can never be null", member.name);
            self.fault(file, member.line, message, "add `\"null\"` to its `type`");
        }
        Property {
            name: member.name.clone(),
            required: false,
            unique: unique.is_some_and(|unique| self.boolean(file, unique)),
            null_when,
            required_when: self.condition(file, &member.node, "x-required-when"),
            absent_when: self.condition(file, &member.node, "x-absent-when"),
            schema,
        }
    }

    fn condition(&mut self, file: usize, node: &'a Node, name: &str) -> Option<Condition> {
        let member = node.member(name)?;
        let remedy = "write `{sibling: value}` or `{sibling: [value, value]}`";
        match member.node.as_map() {
            Some(tests) if !tests.is_empty() => {
                let test = |test: &Member| {
                    let values = match test.node.as_list() {
                        Some(items) => items.iter().map(Node::to_json).collect(),
                        None => vec![test.node.to_json()],
                    };
                    (test.name.clone(), values)
                };
                Some(Condition(tests.iter().map(test).collect()))
            }
            _ => {
                let message = format!("`{name}` is {}", member.node.kind());
                self.fault(file, member.line, message, remedy);
                None
            }
        }
    }

    // Conditions read siblings that exist, and values that those can have.
    fn conditions(&mut self, file: usize, keywords: &Keywords<'a>, members: &Members) {
        let Some(list) = keywords.get("properties").and_then(|p| p.node.as_map()) else { return };
        for member in list {
            for name in PROPERTY_KEYWORDS {
                let tests = member.node.member(name).and_then(|when| when.node.as_map());
                for test in tests.unwrap_or_default() {
                    self.condition_test(file, test, members);
                }
            }
        }
    }

    fn condition_test(&mut self, file: usize, test: &Member, members: &Members) {
        let Some(sibling) = members.property(&test.name) else {
            return self.no_property(file, test.line, &test.name, members);
        };
        let values = match test.node.as_list() {
            Some(items) => items.iter().collect(),
            None => vec![&test.node],
        };
        for value in values {
            let root = NodePath::root();
            if check::check(&sibling.schema, &root, value.to_json(), Secrets::Plain).is_err() {
                let message = format!("`{}` never has this value", test.name);
                self.fault(file, value.line, message, "correct the value, or the sibling's schema");
            }
        }
    }

    fn no_property(&mut self, file: usize, line: usize, name: &str, members: &Members) {
        let near = suggest::hint(name, members.names());
        let message = format!("there is no property `{name}` here{near}");
        self.fault(file, line, message, "add it to `properties`, or correct the name");
    }

    fn switch(
        &mut self,
        file: usize,
        keywords: &Keywords<'a>,
        members: &mut Members,
    ) -> Option<String> {
        let member = keywords.get("x-switch")?;
        let name = self.text_of(file, member)?.to_owned();
        let Some(property) = members.properties.iter_mut().find(|p| p.name == name) else {
            self.no_property(file, member.line, &name, members);
            return None;
        };
        if property.schema.types != Types::default().with(JsonType::Boolean) {
            let message = format!("the switch `{name}` is no boolean");
            self.fault(file, member.line, message, "give it `type: boolean`");
        }
        property.required = true;
        Some(name)
    }

    fn identity(
        &mut self,
        file: usize,
        keywords: &Keywords<'a>,
        members: &Members,
    ) -> Option<Identity> {
        let member = keywords.get("x-identity")?;
        let remedy =
            "state `certificate:`, `private_key:` and perhaps `issuers:` with names of properties";
        let mut found = BTreeMap::new();
        for part in member.node.as_map().unwrap_or_default() {
            let known = ["certificate", "private_key", "issuers"].contains(&part.name.as_str());
            match part.node.as_text() {
                Some(name) if known && members.property(name).is_some() => {
                    found.insert(part.name.as_str(), name.to_owned());
                }
                Some(name) if known => self.no_property(file, part.line, name, members),
                _ => self.fault(
                    file,
                    part.line,
                    format!("`{}` is no part of an identity", part.name),
                    remedy,
                ),
            }
        }
        match (found.remove("certificate"), found.remove("private_key")) {
            (Some(certificate), Some(private_key)) => {
                Some(Identity { certificate, private_key, issuers: found.remove("issuers") })
            }
            _ => {
                self.fault(file, member.line, "`x-identity` lacks certificate or key", remedy);
                None
            }
        }
    }

    fn union(&mut self, file: usize, member: &'a Member, at_top: bool) -> Option<Union> {
        const PARTS: [&str; 3] = ["tag", "branches", "others"];
        let remedy =
            "state `tag:` with a name and `branches:` with a schema for each value of the tag";
        let mut parts = BTreeMap::new();
        for part in member.node.as_map().unwrap_or_default() {
            if PARTS.contains(&part.name.as_str()) {
                parts.insert(part.name.as_str(), part);
            } else {
                let near = suggest::hint(&part.name, PARTS);
                let message = format!("unknown keyword `{}`{near}", part.name);
                self.fault(file, part.line, message, remedy);
            }
        }
        let Some(tag) = parts.get("tag") else {
            self.fault(file, member.line, "the union has no tag", remedy);
            return None;
        };
        let tag = self.text_of(file, tag)?.to_owned();
        let branches = parts.get("branches").and_then(|part| part.node.as_map());
        let Some(branches) = branches.filter(|branches| !branches.is_empty()) else {
            self.fault(file, member.line, "the union has no branches", remedy);
            return None;
        };
        let others = parts.get("others").is_some_and(|part| self.boolean(file, part));
        let branches = branches.iter().map(|b| self.branch(file, b, &tag, at_top)).collect();
        Some(Union { tag, branches, others })
    }

    fn branch(&mut self, file: usize, member: &'a Member, tag: &str, at_top: bool) -> Branch {
        const KEYWORDS: [&str; 9] = [
            "title",
            "description",
            "type",
            "properties",
            "required",
            "additionalProperties",
            "x-switch",
            "x-exactly-one-of",
            "x-identity",
        ];
        let mut branch = Branch {
            tag: member.name.clone(),
            title: None,
            description: None,
            members: Members::none(),
        };
        let Some(keywords) = self.keywords(file, &member.node, Place::Elsewhere) else {
            return branch;
        };
        for (name, other) in &keywords.members {
            if !KEYWORDS.contains(name) {
                let message = format!("`{name}` cannot stand in a branch of a union");
                let remedy = format!("use some of {}", KEYWORDS.join(", "));
                self.fault(file, other.line, message, remedy);
            }
        }
        if keywords.get("type").is_some_and(|t| t.node.as_text() != Some("object")) {
            let message = "a branch states members beside the tag, so its type is object";
            self.fault(
                file,
                member.line,
                message,
                "put another value under a property, such as `value`",
            );
        }
        if let Some(members) = self.members(file, &keywords, at_top, true) {
            branch.members = members;
        }
        if branch.members.property(tag).is_some() {
            let message = format!("the branch states the tag `{tag}` again");
            self.fault(file, member.line, message, "remove it from `properties`");
        }
        let text = |reader: &mut Self, name| {
            keywords.get(name).and_then(|m| reader.text_of(file, m)).map(|text| text.trim().into())
        };
        branch.title = text(self, "title");
        branch.description = text(self, "description");
        branch
    }

    fn reference(
        &mut self,
        file: usize,
        member: &'a Member,
        keywords: &Keywords<'a>,
    ) -> Option<Arc<ReferenceRule>> {
        for (name, other) in &keywords.members {
            if !["type", "x-reference"].contains(name) && !NOTES.contains(name) {
                let message = format!("`{name}` cannot stand beside `x-reference`");
                self.fault(file, other.line, message, "remove it: a reference is a key");
            }
        }
        const PARTS: [&str; 3] = ["collection", "fragment", "secret"];
        let remedy =
            "write the path of a collection, or `collection:` with it and `fragment:` or `secret:`";
        for part in member.node.as_map().unwrap_or_default() {
            if !PARTS.contains(&part.name.as_str()) {
                let message =
                    format!("unknown keyword `{}`{}", part.name, suggest::hint(&part.name, PARTS));
                self.fault(file, part.line, message, remedy);
            }
        }
        let path = match &member.node.data {
            Data::Text(path) => Some((path.as_str(), member.line)),
            _ => {
                let part = member.node.member("collection");
                part.and_then(|part| Some((part.node.as_text()?, part.line)))
            }
        };
        let Some((path, line)) = path else {
            self.fault(file, member.line, "the reference names no collection", remedy);
            return None;
        };
        let collection = match NodePath::parse(path) {
            Ok(collection) => collection,
            Err(error) => {
                self.fault(file, line, format!("this is no path: {error}"), remedy);
                return None;
            }
        };
        let secret = member.node.member("secret").and_then(|part| self.secret_rule(file, part));
        let fragment = member.node.member("fragment");
        if let (Some(part), Some(_)) = (fragment, &secret) {
            let message = "a reference to a part of a body asks nothing of a secret";
            self.fault(file, part.line, message, "keep `fragment` or `secret`");
        }
        let fragment = fragment.map(|part| self.fragment(file, part)).unwrap_or_default();
        let rule = Arc::new(ReferenceRule { collection, fragment, secret });
        self.links.push(Link { file, line, rule: Arc::clone(&rule) });
        Some(rule)
    }

    fn fragment(&mut self, file: usize, part: &'a Member) -> Vec<FragmentStep> {
        let text = self.text_of(file, part).unwrap_or_default();
        let step = |step: &str| match step {
            "*" => Some(FragmentStep::Any),
            "" => None,
            name if name.starts_with('@') || name.contains(['.', '*']) => None,
            name => Some(FragmentStep::Name(name.to_owned())),
        };
        let steps: Option<Vec<FragmentStep>> = text.split('/').map(step).collect();
        if steps.is_none() && part.node.as_text().is_some() {
            let message = "this is no way into a body";
            let remedy = "write the names of members, and `*` for the keys of an ordered map, \
                          such as `interfaces/*/addresses/*`";
            self.fault(file, part.line, message, remedy);
        }
        steps.unwrap_or_default()
    }

    fn secret_rule(&mut self, file: usize, part: &'a Member) -> Option<SecretRule> {
        let remedy = "state `member:` with a name, and `text:` with a schema of a string";
        for other in part.node.as_map().unwrap_or_default() {
            if other.name != "member" && other.name != "text" {
                let near = suggest::hint(&other.name, ["member", "text"]);
                let message = format!("unknown keyword `{}`{near}", other.name);
                self.fault(file, other.line, message, remedy);
            }
        }
        let (Some(member), Some(text)) = (part.node.member("member"), part.node.member("text"))
        else {
            let message = "the rule does not say which member of the target it is about, and what";
            self.fault(file, part.line, message, remedy);
            return None;
        };
        let member = self.text_of(file, member)?.to_owned();
        let schema = self.schema(file, &text.node, Place::Elsewhere);
        let more = schema.allowed.is_some() || schema.constant.is_some() || schema.secret;
        if more || schema.types != Types::default().with(JsonType::String) {
            let message = "of a secret, only length, pattern and format can be asked";
            self.fault(file, text.line, message, remedy);
        }
        Some(SecretRule { member, text: schema })
    }

    fn names(&mut self, file: usize, keywords: &Keywords<'a>, name: &str) -> Vec<(usize, String)> {
        let Some(member) = keywords.get(name) else { return Vec::new() };
        let Some(items) = member.node.as_list() else {
            let message = format!("`{name}` is {}", member.node.kind());
            self.fault(file, member.line, message, "write a list of names");
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item.as_text() {
                Some(text) => Some((item.line, text.to_owned())),
                None => {
                    self.fault(file, item.line, format!("a name is {}", item.kind()), "quote it");
                    None
                }
            })
            .collect()
    }

    fn flag(&mut self, file: usize, keywords: &Keywords<'a>, name: &str) -> bool {
        keywords.get(name).is_some_and(|member| self.boolean(file, member))
    }

    fn count(&mut self, file: usize, keywords: &Keywords<'a>, name: &str) -> Option<usize> {
        let member = keywords.get(name)?;
        let count = match &member.node.data {
            Data::Number(number) => number.as_u64().and_then(|count| usize::try_from(count).ok()),
            _ => None,
        };
        if count.is_none() {
            let message = format!("`{name}` is no number of things");
            self.fault(file, member.line, message, "write zero or a positive integer");
        }
        count
    }

    fn number(&mut self, file: usize, keywords: &Keywords<'a>, name: &str) -> Option<Number> {
        let member = keywords.get(name)?;
        match &member.node.data {
            Data::Number(number) => Some(number.clone()),
            _ => {
                let message = format!("`{name}` is {}", member.node.kind());
                self.fault(file, member.line, message, "write a number");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_explains_each_keyword() {
        let manual = include_str!("../../../../docs/CATALOG.md");
        let schema = KEYWORDS.iter().map(|(name, _)| *name).chain(PROPERTY_KEYWORDS);
        for keyword in schema.chain(super::super::KEYWORDS) {
            let explained = manual
                .lines()
                .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
                .any(|(cell, _)| cell.split(", ").any(|word| word == format!("`{keyword}`")));
            assert!(explained, "docs/CATALOG.md lacks {keyword}");
        }
    }
}
