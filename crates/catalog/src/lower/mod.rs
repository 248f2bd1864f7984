//! A schema as plain JSON Schema 2020-12, for tools that know nothing of our keywords.
//!
//! Each keyword of our own has an equal in the standard, only longer and with worse messages: a
//! union is a `oneOf` over constant tags, a condition an `if`. What has no equal is left out and
//! makes the plain schema accept more: that `@order` names each member, that a key belongs to its
//! certificate, that two forms of a reference in a list name the same, and everything that only a
//! tree can answer. Otherwise both accept the same documents; the test below holds them equal.

use serde_json::{Map, Value, json};

use crate::schema::{
    Condition, FragmentStep, JsonType, Members, Notes, Property, ReferenceRule, Schema, Shape,
    Union, Unknown,
};

impl Schema {
    /// The schema of one body in plain JSON Schema 2020-12, without `$ref`s. The formats beyond the
    /// standard's keep their names.
    #[must_use]
    pub fn to_json_schema(&self) -> Value {
        let mut out = Map::new();
        notes(&self.notes, &mut out);
        if let Some(reference) = &self.reference {
            let null = self.types.admits(JsonType::Null);
            out.extend(reference_forms(reference, null));
            if reference.by.is_some() {
                self.texts(&mut out);
            }
            return Value::Object(out);
        }
        if !self.types.is_any() {
            let names: Vec<&str> = self.types.names().collect();
            out.insert(
                "type".into(),
                if let [one] = names[..] { json!(one) } else { json!(names) },
            );
        }
        self.values(&mut out);
        self.texts(&mut out);
        self.lists(&mut out);
        match &self.shape {
            Shape::Any => {}
            Shape::Members(rules) => members(rules, None, self.types_beside_object(), &mut out),
            Shape::Union(rules) => union(rules, self.types_beside_object(), &mut out),
            Shape::OrderedMap(item) => ordered_map(item, &mut out),
        }
        Value::Object(out)
    }

    fn types_beside_object(&self) -> bool {
        self.types.is_any() || self.types.names().any(|name| name != "object")
    }

    fn values(&self, out: &mut Map<String, Value>) {
        if let Some(allowed) = &self.allowed {
            out.insert("enum".into(), json!(**allowed));
        }
        if let Some(constant) = &self.constant {
            out.insert("const".into(), Value::clone(constant));
        }
        let integer = !self.types.is_any()
            && self.types.admits(JsonType::Integer)
            && !self.types.names().any(|name| name == "number");
        // An integer is one that can be stored without loss.
        let (least, most) = (integer.then(|| i64::MIN.into()), integer.then(|| u64::MAX.into()));
        for (name, bound) in [
            ("minimum", self.number.min.clone().or(least)),
            ("maximum", self.number.max.clone().or(most)),
        ] {
            if let Some(bound) = bound {
                out.insert(name.into(), Value::Number(bound));
            }
        }
    }

    fn texts(&self, out: &mut Map<String, Value>) {
        if let Some(min) = self.text.min {
            out.insert("minLength".into(), json!(min));
        }
        if let Some(max) = self.text.max {
            out.insert("maxLength".into(), json!(max));
        }
        if let Some(pattern) = &self.text.pattern {
            out.insert("pattern".into(), json!(pattern.0.as_str()));
        }
        if let Some(format) = self.text.format {
            out.insert("format".into(), json!(format.name()));
        }
        if self.secret {
            out.insert("writeOnly".into(), json!(true));
        }
    }

    fn lists(&self, out: &mut Map<String, Value>) {
        if let Some(items) = &self.list.items {
            out.insert("items".into(), items.to_json_schema());
        }
        if let Some(min) = self.list.min {
            out.insert("minItems".into(), json!(min));
        }
        if let Some(max) = self.list.max {
            out.insert("maxItems".into(), json!(max));
        }
        if self.list.unique {
            out.insert("uniqueItems".into(), json!(true));
        }
    }
}

fn notes(notes: &Notes, out: &mut Map<String, Value>) {
    if let Some(title) = &notes.title {
        out.insert("title".into(), json!(&**title));
    }
    if let Some(description) = &notes.description {
        out.insert("description".into(), json!(&**description));
    }
    if let Some(default) = &notes.default {
        out.insert("default".into(), Value::clone(default));
    }
    if !notes.examples.is_empty() {
        out.insert("examples".into(), json!(*notes.examples));
    }
}

// A key, or the embedded form in which answers show it.
fn reference_forms(reference: &ReferenceRule, null: bool) -> Map<String, Value> {
    if let Some(by) = &reference.by {
        let mut name = Map::new();
        let types = if null { json!(["string", "null"]) } else { json!("string") };
        name.insert("type".into(), types);
        let collection = &reference.collection;
        let text = format!("the `{}` of a member of {collection}", by.member);
        name.insert("description".into(), text.into());
        return name;
    }
    let mut key = json!({
        "type": "string",
        "format": "node-key",
        "description": format!("the key of a member of {}", reference.collection),
    });
    if !reference.fragment.is_empty() {
        key["pattern"] = fragment_pattern(&reference.fragment).into();
        key["description"] =
            format!("the key of a part of a member of {}", reference.collection).into();
    }
    let embedded = json!({
        "type": "object",
        "properties": {"key": key, "meta": true},
        "required": ["key"],
        "additionalProperties": false,
    });
    let mut forms = vec![key, embedded];
    if null {
        forms.push(json!({"type": "null"}));
    }
    Map::from_iter([("anyOf".to_owned(), Value::Array(forms))])
}

fn fragment_pattern(steps: &[FragmentStep]) -> String {
    const STEP: &str = "[^./@][^./]*";
    let steps = steps.iter().map(|step| match step {
        FragmentStep::Name(name) => regex::escape(name),
        FragmentStep::Any => STEP.to_owned(),
    });
    let steps: Vec<String> = std::iter::once(STEP.to_owned()).chain(steps).collect();
    format!("^{}$", steps.join("\\."))
}

fn union(union: &Union, others: bool, out: &mut Map<String, Value>) {
    let branch = |branch: &crate::schema::Branch| {
        let mut one = Map::new();
        for (name, text) in [("title", &branch.title), ("description", &branch.description)] {
            if let Some(text) = text {
                one.insert(name.into(), json!(&**text));
            }
        }
        one.insert("type".into(), json!("object"));
        members(&branch.members, Some((&union.tag, &branch.tag)), false, &mut one);
        Value::Object(one)
    };
    let mut branches: Vec<Value> = union.branches.iter().map(branch).collect();
    if union.others {
        let known: Vec<&str> = union.tags().collect();
        branches.push(json!({
            "type": "object",
            "properties": {&union.tag: {"type": "string", "not": {"enum": known}}},
            "required": [union.tag],
        }));
    }
    if others {
        branches.push(json!({"not": {"type": "object"}}));
    }
    out.insert("oneOf".into(), Value::Array(branches));
}

fn members(rules: &Members, tag: Option<(&str, &str)>, others: bool, out: &mut Map<String, Value>) {
    let mut properties: Map<String, Value> = rules
        .properties
        .iter()
        .map(|property| (property.name.clone(), property_schema(property)))
        .collect();
    let mut required: Vec<&str> = Vec::new();
    if let Some((name, value)) = tag {
        properties.insert(name.to_owned(), json!({"const": value}));
        required.push(name);
    }
    if !properties.is_empty() {
        out.insert("properties".into(), Value::Object(properties));
    }
    if rules.unknown == Unknown::Refuse {
        out.insert("additionalProperties".into(), json!(false));
    }
    let wanted = |property: &&Property| property.required;
    let names = rules.properties.iter().filter(wanted).map(|p| p.name.as_str());
    match &rules.switch {
        None => {
            required.extend(names);
            all_of(conditions(rules, others), out);
        }
        Some(switch) => {
            required.push(switch);
            let mut on =
                Map::from_iter([("required".to_owned(), json!(names.collect::<Vec<_>>()))]);
            all_of(conditions(rules, others), &mut on);
            let off: Map<String, Value> = rules
                .names()
                .filter(|name| name != switch)
                .map(|name| (name.to_owned(), json!(false)))
                .collect();
            let mut none = Map::from_iter([("properties".to_owned(), Value::Object(off))]);
            if rules.unknown == Unknown::Keep {
                // The switch, and the tag with it.
                none.insert("maxProperties".into(), json!(1 + usize::from(tag.is_some())));
            }
            out.insert("if".into(), json!({"properties": {switch: {"const": true}}}));
            out.insert("then".into(), Value::Object(on));
            out.insert("else".into(), Value::Object(none));
        }
    }
    if !required.is_empty() {
        out.insert("required".into(), json!(required));
    }
}

// What only the appliance sets counts for nothing in a request, and is described for answers.
fn property_schema(property: &Property) -> Value {
    let mut schema = property.schema.to_json_schema();
    if let (Some(_), Value::Object(keywords)) = (property.read_only, &mut schema) {
        keywords.insert("readOnly".into(), true.into());
    }
    schema
}

fn all_of(parts: Vec<Value>, out: &mut Map<String, Value>) {
    if !parts.is_empty() {
        out.insert("allOf".into(), Value::Array(parts));
    }
}

fn conditions(rules: &Members, others: bool) -> Vec<Value> {
    let mut parts = Vec::new();
    for property in &rules.properties {
        let name = property.name.as_str();
        if let Some(when) = &property.null_when {
            parts.push(json!({
                "if": holds(when),
                "then": {"properties": {name: {"type": "null"}}},
                "else": {"properties": {name: {"not": {"type": "null"}}}},
            }));
        }
        if let Some(when) = &property.required_when {
            parts.push(json!({"if": holds(when), "then": {"required": [name]}}));
        }
        if let Some(when) = &property.absent_when {
            parts.push(json!({"if": holds(when), "then": {"properties": {name: false}}}));
        }
    }
    if !rules.exactly_one_of.is_empty() {
        let mut choice: Vec<Value> = rules
            .exactly_one_of
            .iter()
            .map(|name| json!({"type": "object", "required": [name]}))
            .collect();
        if others {
            choice.push(json!({"not": {"type": "object"}}));
        }
        parts.push(json!({"oneOf": choice}));
    }
    parts
}

fn holds(condition: &Condition) -> Value {
    let tests: Map<String, Value> =
        condition.0.iter().map(|(name, values)| (name.clone(), json!({"enum": values}))).collect();
    let names: Vec<&str> = condition.0.iter().map(|(name, _)| name.as_str()).collect();
    json!({"properties": tests, "required": names})
}

fn ordered_map(item: &Schema, out: &mut Map<String, Value>) {
    let order = json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true});
    out.insert("properties".into(), json!({"@order": order}));
    out.insert("required".into(), json!(["@order"]));
    out.insert("additionalProperties".into(), item.to_json_schema());
}

#[cfg(test)]
mod equivalence;
