//! The file that describes a catalog as a whole.

use std::collections::BTreeMap;

use super::fields::{CATALOG_KEYWORDS, Fields};
use super::{Parsed, Reader};
use crate::folders::Folders;
use crate::schema::{ReadOnly, Unknown};
use crate::time_format::TimeFormat;
use crate::yaml::Member;

const MODES: [&str; 3] = ["exclusive", "concurrent", "autocommit"];

impl<'a> Reader<'a> {
    pub(super) fn catalog_file(&mut self, index: usize, parsed: &mut Parsed) {
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
        self.dialect(index, &fields, parsed);
        self.members_policy(index, &fields);
        let format = self.choice(index, &fields, "time_format", &TimeFormat::NAMES);
        if let Some(format) = format.and_then(TimeFormat::parse) {
            parsed.time_format = format;
        }
        if let Some(field) = fields.get("folders") {
            parsed.folders = Some(self.folder_tree(index, field));
        }
        if let Some(field) = fields.get("appliance") {
            parsed.appliance.extend(self.texts(index, field));
        }
    }

    fn dialect(&mut self, index: usize, fields: &Fields<'a>, parsed: &mut Parsed) {
        let Some(field) = fields.get("dialect") else { return };
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match field.node.as_text() {
            Some(name) if !name.is_empty() && name.chars().all(word) => {
                parsed.dialect = name.to_owned();
            }
            _ => {
                let message = "`dialect` is not the name of an API";
                let remedy = "write lower-case letters, digits and hyphens, such as `sps`";
                self.fault(index, field.line, message, remedy);
            }
        }
    }

    // What becomes of members that a client should not send.
    fn members_policy(&mut self, index: usize, fields: &Fields<'a>) {
        let unknown = self.choice(index, fields, "unknown_members", &["refuse", "keep", "drop"]);
        self.unknown_members = match unknown {
            Some("refuse") => Some(Unknown::Refuse),
            Some("keep") => Some(Unknown::Keep),
            Some(_) => Some(Unknown::Drop),
            None => self.unknown_members,
        };
        match self.choice(index, fields, "read_only_members", &["ignore", "refuse"]) {
            Some("ignore") => self.read_only_members = ReadOnly::Ignore,
            Some(_) => self.read_only_members = ReadOnly::Refuse,
            None => {}
        }
    }

    fn folder_tree(&mut self, index: usize, field: &Member) -> Folders {
        let remedy = "state `root:` with a name, and `parents:` and perhaps `aliases:` with a name \
                      for each name";
        let mut folders = Folders::default();
        for part in field.node.as_map().unwrap_or_default() {
            match (part.name.as_str(), part.node.as_text()) {
                ("root", Some(root)) => folders.root = root.to_owned(),
                ("parents", None) => folders.parents = self.texts(index, part),
                ("realm", Some(mark)) if !mark.is_empty() => folders.realm = Some(mark.to_owned()),
                ("aliases", None) => folders.aliases = self.texts(index, part),
                (name, _) => {
                    let message = format!("`{name}` says nothing about folders");
                    self.fault(index, part.line, message, remedy);
                }
            }
        }
        if folders.root.is_empty() {
            self.fault(index, field.line, "the folders have no root", remedy);
        }
        if let Some(name) = folders.circle() {
            let message = format!("the folder {name:?} lies in itself");
            self.fault(index, field.line, message, "correct `parents`");
        }
        folders
    }

    // Names with texts.
    fn texts(&mut self, index: usize, field: &Member) -> BTreeMap<String, String> {
        let Some(members) = field.node.as_map() else {
            let message = format!("`{}` is {}", field.name, field.node.kind());
            self.fault(index, field.line, message, "state names with texts");
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for member in members {
            match member.node.as_text() {
                Some(text) => _ = texts.insert(member.name.clone(), text.to_owned()),
                None => {
                    let message = format!("`{}` is {}", member.name, member.node.kind());
                    self.fault(index, member.line, message, "write a text, in quotes");
                }
            }
        }
        texts
    }
}
