//! Keywords about the members of an object, and the conditions between them.

use std::collections::BTreeMap;

use config_tree::NodePath;

use super::{Keywords, PROPERTY_KEYWORDS, Place};
use crate::check::{self, Secrets};
use crate::parse::Reader;
use crate::schema::{
    Condition, Derived, Identity, JsonType, Members, Property, ReadOnly, Types, Unknown,
};
use crate::suggest;
use crate::yaml::{Data, Member, Node};

impl<'a> Reader<'a> {
    pub(super) fn members(
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
        members.unknown = self.unknown(file, keywords, closed);
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

    fn unknown(&mut self, file: usize, keywords: &Keywords<'a>, closed: bool) -> Unknown {
        let Some(member) = keywords.get("additionalProperties") else {
            if let Some(unknown) = self.unknown_members {
                return unknown;
            }
            if !closed {
                let message = "the members are listed, but not whether others may stand there";
                let remedy =
                    "add `additionalProperties: false` to refuse unknown members, or `true`";
                self.fault(file, keywords.line, message, remedy);
            }
            return Unknown::Refuse;
        };
        match &member.node.data {
            Data::Bool(true) => Unknown::Keep,
            Data::Bool(false) => Unknown::Refuse,
            Data::Text(word) if word == "drop" => Unknown::Drop,
            _ => {
                let message = format!("`{}` is {}", member.name, member.node.kind());
                self.fault(file, member.line, message, "write true, false or drop");
                Unknown::Refuse
            }
        }
    }

    // Members that only the appliance sets, and where it takes them from.
    fn read_only(
        &mut self,
        file: usize,
        member: &'a Member,
        at_top: bool,
    ) -> (Option<ReadOnly>, Option<Derived>) {
        let stated = member.node.member("readOnly");
        let mut read_only = stated.is_some_and(|stated| self.boolean(file, stated));
        let mut derived = None;
        if let Some(source) = member.node.member("x-derived") {
            let text = self.text_of(file, source).unwrap_or_default();
            derived = Derived::parse(text);
            if derived.is_none() {
                let near = suggest::hint(text, Derived::NAMES);
                let message = format!("`x-derived` cannot be {text:?}{near}");
                let remedy = format!("use one of {}", Derived::NAMES.join(", "));
                self.fault(file, source.line, message, remedy);
            }
            if !at_top {
                let remedy = "use it for top members of a collection's schema";
                self.fault(file, source.line, "`x-derived` has no meaning here", remedy);
            }
            if let Some(stated) = stated.filter(|_| !read_only) {
                let message = "a derived member is always set by the appliance";
                self.fault(file, stated.line, message, "remove `readOnly`");
            }
            read_only = true;
        }
        (read_only.then_some(self.read_only_members), derived)
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
        let (read_only, derived) = self.read_only(file, member, at_top);
        Property {
            name: member.name.clone(),
            read_only,
            derived,
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
            let message = format!("the switch `{name}` is not a boolean");
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
                    format!("`{}` is not a part of an identity", part.name),
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
}
