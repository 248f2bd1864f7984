//! The keyword `x-reference`.

use std::sync::Arc;

use config_tree::NodePath;

use super::{Keywords, NOTES, Place};
use crate::parse::{Link, Reader};
use crate::schema::{
    ByName, FragmentStep, JsonType, OnDelete, OnRename, ReferenceRule, SecretRule, Types,
};
use crate::suggest;
use crate::yaml::{Data, Member};

impl<'a> Reader<'a> {
    pub(super) fn reference(
        &mut self,
        file: usize,
        member: &'a Member,
        keywords: &Keywords<'a>,
        place: Place,
    ) -> Option<Arc<ReferenceRule>> {
        const NAME_RULES: [&str; 4] = ["minLength", "maxLength", "pattern", "x-hint"];
        let by_name = member.node.member("by").is_some();
        for (name, other) in &keywords.members {
            let allowed = ["type", "x-reference"].contains(name)
                || NOTES.contains(name)
                || by_name && NAME_RULES.contains(name);
            if !allowed {
                let message = format!("`{name}` cannot be combined with `x-reference`");
                self.fault(file, other.line, message, "remove it: a reference is a key");
            }
        }
        const PARTS: [&str; 8] = [
            "collection",
            "fragment",
            "secret",
            "by",
            "within",
            "must_exist",
            "on_delete",
            "on_rename",
        ];
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
                self.fault(file, line, format!("this is not a path: {error}"), remedy);
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
        let mut rule = ReferenceRule {
            collection,
            fragment,
            secret,
            by: self.by_name(file, member),
            must_exist: true,
            on_delete: OnDelete::default(),
            on_rename: OnRename::default(),
        };
        self.effects(file, member, &mut rule);
        self.effects_fit(file, member, &rule, keywords, place);
        let rule = Arc::new(rule);
        self.links.push(Link { file, line, rule: Arc::clone(&rule) });
        Some(rule)
    }

    fn by_name(&mut self, file: usize, member: &'a Member) -> Option<ByName> {
        let within = member.node.member("within");
        let Some(by) = member.node.member("by") else {
            for name in ["within", "on_rename"] {
                if let Some(part) = member.node.member(name) {
                    let message = format!("`{name}` says nothing about a reference by key");
                    self.fault(file, part.line, message, "remove it, or say `by:` with a member");
                }
            }
            return None;
        };
        for name in ["fragment", "secret"] {
            if let Some(part) = member.node.member(name) {
                let message = format!("`{name}` cannot stand next to `by`");
                self.fault(file, part.line, message, "keep one of them");
            }
        }
        let name = self.text_of(file, by)?.to_owned();
        let within = within.and_then(|part| self.text_of(file, part)).map(str::to_owned);
        Some(ByName { member: name, within })
    }

    // What happens when the target goes or changes its name.
    fn effects(&mut self, file: usize, member: &'a Member, rule: &mut ReferenceRule) {
        if let Some(part) = member.node.member("must_exist") {
            rule.must_exist = self.boolean(file, part);
        }
        if let Some(part) = member.node.member("on_delete") {
            // `null` without quotes is a null in YAML and can only mean the word here.
            let text = match &part.node.data {
                Data::Null => "null",
                _ => self.text_of(file, part).unwrap_or_default(),
            };
            match OnDelete::parse(text) {
                Some(effect) => rule.on_delete = effect,
                None => self.no_effect(file, part, text, &OnDelete::NAMES),
            }
        }
        if let Some(part) = member.node.member("on_rename") {
            let text = self.text_of(file, part).unwrap_or_default();
            match OnRename::parse(text) {
                Some(effect) => rule.on_rename = effect,
                None => self.no_effect(file, part, text, &OnRename::NAMES),
            }
        }
    }

    fn no_effect(&mut self, file: usize, part: &Member, text: &str, known: &[&str]) {
        let near = suggest::hint(text, known.iter().copied());
        let message = format!("`{}` cannot be {text:?}{near}", part.name);
        self.fault(file, part.line, message, format!("use one of {}", known.join(", ")));
    }

    // The schema around a reference allows what its words do.
    fn effects_fit(
        &mut self,
        file: usize,
        member: &'a Member,
        rule: &ReferenceRule,
        keywords: &Keywords<'a>,
        place: Place,
    ) {
        let null = self.types(file, keywords).admits(JsonType::Null);
        let (message, remedy) = match rule.on_delete {
            OnDelete::Null if !null => {
                ("the reference can never be null", "add `\"null\"` to its `type`")
            }
            OnDelete::Drop if place != Place::Item => {
                ("the reference is not an item of a list", "state it under `items`")
            }
            OnDelete::Keep if rule.must_exist => {
                ("what a reference must name cannot go", "say `must_exist: false`, too")
            }
            _ => return,
        };
        let line = member.node.member("on_delete").map_or(member.line, |part| part.line);
        self.fault(file, line, message, remedy);
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
            let message = "this is not a path into a body";
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
