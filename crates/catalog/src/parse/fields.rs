//! The fields of a file, each of one kind.

use std::collections::BTreeMap;

use super::Reader;
use crate::suggest;
use crate::yaml::{self, Member};

pub(super) const CATALOG_KEYWORDS: [&str; 13] = [
    "name",
    "title",
    "description",
    "extends",
    "removed",
    "dialect",
    "transactions",
    "unknown_members",
    "read_only_members",
    "time_format",
    "folders",
    "appliance",
    "$defs",
];

pub(super) const KEYWORDS: [&str; 15] = [
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
    "key_schema",
    "unique",
    "lifetime",
    "exclusive",
    "members",
];

pub(super) type Fields<'a> = BTreeMap<&'a str, &'a Member>;

// Reading single fields.
impl<'a> Reader<'a> {
    pub(super) fn fields(&mut self, index: usize, keywords: &[&str]) -> Fields<'a> {
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

    pub(super) fn required_text(
        &mut self,
        index: usize,
        fields: &Fields<'a>,
        name: &str,
    ) -> String {
        if !fields.contains_key(name) {
            self.fault(index, 1, format!("`{name}` is missing"), "add it");
        }
        self.text(index, fields, name).unwrap_or_default()
    }

    pub(super) fn text(&mut self, index: usize, fields: &Fields<'a>, name: &str) -> Option<String> {
        let field = fields.get(name)?;
        self.text_of(index, field).map(|text| text.trim().to_owned())
    }

    pub(super) fn text_of(&mut self, index: usize, field: &'a Member) -> Option<&'a str> {
        let text = field.node.as_text();
        if text.is_none() {
            let message = format!("`{}` is {}", field.name, field.node.kind());
            self.fault(index, field.line, message, "write a text, in quotes if it looks otherwise");
        }
        text
    }

    pub(super) fn boolean(&mut self, index: usize, field: &Member) -> bool {
        if let yaml::Data::Bool(value) = field.node.data {
            return value;
        }
        let message = format!("`{}` is {}", field.name, field.node.kind());
        self.fault(index, field.line, message, "write true or false");
        false
    }

    pub(super) fn choice<'c>(
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
