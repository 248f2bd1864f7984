//! The keyword `x-union`.

use std::collections::BTreeMap;

use super::Place;
use crate::parse::Reader;
use crate::schema::{Branch, Members, Union};
use crate::suggest;
use crate::yaml::Member;

impl<'a> Reader<'a> {
    pub(super) fn union(&mut self, file: usize, member: &'a Member, at_top: bool) -> Option<Union> {
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
            let message =
                "a branch states the members that accompany the tag, so its type is object";
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
}
