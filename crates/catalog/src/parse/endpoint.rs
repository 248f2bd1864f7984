//! One file: what stands at a path and what may be done with it.

use config_tree::{Key, NodePath, pointer};
use serde_json::Value;

use super::fields::{Fields, KEYWORDS};
use super::keywords::Place;
use super::{Reader, Stated};
use crate::check::{self, Secrets};
use crate::endpoint::{EndpointData, EndpointKind, Example, Fidelity, Operations, Template};
use crate::key_rule::KeyRule;
use crate::rules;
use crate::schema::{JsonType, Schema, Shape, Types};
use crate::suggest;
use crate::yaml::Member;

impl<'a> Reader<'a> {
    pub(super) fn path_of(&mut self, index: usize) -> Option<NodePath> {
        let name = &self.files.get(index)?.name;
        let Some(stem) = name.strip_suffix(".yaml") else {
            self.fault(index, 0, "the file is not a `.yaml` file", "rename it");
            return None;
        };
        match NodePath::from_segments(stem.split('/')) {
            Ok(path) => Some(path),
            Err(error) => {
                let message = format!("the file's name is not a path: {error}");
                self.fault(index, 0, message, "rename the file");
                None
            }
        }
    }

    pub(super) fn endpoint(&mut self, index: usize, path: NodePath) -> Option<EndpointData> {
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
                "key_schema",
                "unique",
                "lifetime",
                "exclusive",
                "members",
            ],
            EndpointKind::Object | EndpointKind::Value => {
                &["key", "key_schema", "unique", "lifetime", "exclusive", "members"]
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
        self.keys(index, fields, endpoint);
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
                self.unique(index, fields, endpoint);
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
                    let message = format!("the member's name is not a key: {error}");
                    self.fault(index, member.line, message, "choose another key");
                    continue;
                }
            };
            self.built_in_key(index, member.line, endpoint, &key);
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
                self.fault(index, item.line, "this is not an example", remedy);
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
        let lifetime = self.choice(index, fields, "lifetime", &["referenced", "independent"]);
        endpoint.lifetime_referenced = lifetime == Some("referenced");
        if let Some(field) = fields.get("exclusive") {
            endpoint.exclusive = self.boolean(index, field);
        }
    }

    // Who chooses keys, and what they must be.
    fn keys(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let names = KeyRule::ALL.map(KeyRule::name);
        let rule = self.choice(index, fields, "key", &names).and_then(KeyRule::parse);
        endpoint.key_rule = rule.unwrap_or_default();
        let Some(field) = fields.get("key_schema") else { return };
        if !endpoint.key_rule.may_be_given() {
            let message = "`key_schema` says nothing where the appliance makes the keys";
            let remedy = "remove it, or say `key: given` or `key: given-or-uuid`";
            self.fault(index, field.line, message, remedy);
        }
        let schema = self.schema(index, &field.node, Place::Elsewhere);
        if schema.types != Types::default().with(JsonType::String) {
            self.fault(index, field.line, "a key is a text", "say `type: string`");
        }
        endpoint.key_schema = Some(schema);
    }

    // The keys of built-in members are such as a new member could have.
    fn built_in_key(&mut self, index: usize, line: usize, endpoint: &EndpointData, key: &Key) {
        let counted =
            endpoint.key_rule != KeyRule::Sequence || config_tree::number_of(key).is_some();
        let message = match &endpoint.key_schema {
            _ if !counted => Some("must be a positive integer".to_owned()),
            Some(schema) => {
                let value = Value::String(key.as_str().to_owned());
                let found = check::check(schema, &endpoint.path, value, Secrets::Plain);
                found.err().and_then(|v| v.into_iter().next()).map(|v| v.message)
            }
            None => None,
        };
        if let Some(message) = message {
            let message = format!("{:?} cannot be a key here: {message}", key.as_str());
            self.fault(index, line, message, "choose another key");
        }
    }

    // Values that together occur once in the collection.
    fn unique(&mut self, index: usize, fields: &Fields<'a>, endpoint: &mut EndpointData) {
        let Some(field) = fields.get("unique") else { return };
        let remedy = "write a list of lists of members, such as `[[name], [folder, name], [a/b]]`";
        let Some(groups) = field.node.as_list() else {
            let message = format!("`unique` is {}", field.node.kind());
            return self.fault(index, field.line, message, remedy);
        };
        for group in groups {
            let members = group.as_list().unwrap_or_default();
            let texts: Vec<&str> = members.iter().filter_map(|member| member.as_text()).collect();
            if texts.is_empty() || texts.len() != members.len() {
                self.fault(index, group.line, "this is not a list of members", remedy);
                continue;
            }
            let pointers: Vec<String> = texts.iter().map(|text| format!("/{text}")).collect();
            for (text, pointer) in texts.iter().zip(&pointers) {
                if endpoint.schema.at(pointer).is_empty() {
                    let message = format!("members of this collection have no `{text}`");
                    self.fault(index, group.line, message, "name a member of the schema");
                }
            }
            if endpoint.unique.contains(&pointers) {
                self.fault(index, group.line, "this is stated twice", "remove one of them");
            } else {
                endpoint.unique.push(pointers);
            }
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
                let message = format!("{name:?} is not an operation of this kind{near}");
                self.fault(index, item.line, message, format!("use some of {words}"));
            }
        }
        operations
    }
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
                pointer::push(pointer, name);
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

fn unique_names(schema: &Schema) -> Vec<Vec<String>> {
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
    names.iter().map(|name| vec![rules::pointer_to(name)]).collect()
}
