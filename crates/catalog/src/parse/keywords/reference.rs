//! The keyword `x-reference`.

use std::sync::Arc;

use config_tree::NodePath;

use super::{Keywords, NOTES, Place};
use crate::parse::{Link, Reader};
use crate::schema::{FragmentStep, JsonType, ReferenceRule, SecretRule, Types};
use crate::suggest;
use crate::yaml::{Data, Member};

impl<'a> Reader<'a> {
    pub(super) fn reference(
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
}
