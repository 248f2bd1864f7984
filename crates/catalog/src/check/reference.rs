//! References to other nodes.

use config_tree::Reference;
use serde_json::Value;

use super::{Checker, Trail};
use crate::schema::{ByName, FragmentStep, JsonType, ReferenceRule, Schema, named};
use crate::violation::rule;

impl Checker<'_> {
    pub(super) fn reference(
        &mut self,
        schema: &Schema,
        reference: &ReferenceRule,
        value: &mut Value,
        at: &Trail<'_>,
    ) {
        if value.is_null() && schema.types.admits(JsonType::Null) {
            return;
        }
        if let Some(by) = &reference.by {
            return self.by_name(schema, reference, by, value, at);
        }
        let found = reference_key(value).and_then(|text| Some((reference.resolve(text)?, text)));
        let Some(((key, fragment), text)) = found else {
            let null = if schema.types.admits(JsonType::Null) { ", or null" } else { "" };
            let what = reference_form(reference);
            let message = || format!("{} must be {what}{null}", at.shown());
            return self.say(rule::REFERENCE_FORM, at, message);
        };
        let target = reference.collection.join(&key);
        *value = Value::String(text.to_owned());
        self.references.push(Reference { pointer: at.pointer(), target, fragment });
    }

    // What a name means depends on the tree, so the reference is kept under the name.
    fn by_name(
        &mut self,
        schema: &Schema,
        reference: &ReferenceRule,
        by: &ByName,
        value: &Value,
        at: &Trail<'_>,
    ) {
        let name = value.as_str();
        if let Some(text) = name {
            self.text(schema, text, at);
        }
        // An empty text is the usual way to say that there is no reference.
        if name == Some("") && !reference.must_exist {
            return;
        }
        match name.and_then(|name| named(&reference.collection, &by.member, name)) {
            Some(target) => {
                self.references.push(Reference { pointer: at.pointer(), target, fragment: None });
            }
            None => {
                let null = if schema.types.admits(JsonType::Null) { ", or null" } else { "" };
                let collection = &reference.collection;
                let message = || {
                    format!(
                        "{} must be the `{}` of a member of {collection}{null}",
                        at.shown(),
                        by.member,
                    )
                };
                self.say(rule::REFERENCE_FORM, at, message);
            }
        }
    }
}

/// What a reference must be, as the end of a sentence.
fn reference_form(reference: &ReferenceRule) -> String {
    let collection = &reference.collection;
    if reference.fragment.is_empty() {
        return format!("the key of a member of {collection}");
    }
    let steps: Vec<&str> = reference
        .fragment
        .iter()
        .map(|step| match step {
            FragmentStep::Name(name) => name,
            FragmentStep::Any => "KEY",
        })
        .collect();
    format!("the key of a part of a member of {collection}, in the form MEMBER.{}", steps.join("."))
}

/// The key in a reference, bare or embedded as answers show it.
fn reference_key(value: &Value) -> Option<&str> {
    match value {
        Value::String(key) => Some(key),
        Value::Object(members) if members.keys().all(|name| name == "key" || name == "meta") => {
            members.get("key")?.as_str()
        }
        _ => None,
    }
}
