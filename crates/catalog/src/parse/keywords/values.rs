//! Keywords about single values: types, texts, numbers and lists.

use std::sync::Arc;

use regex::RegexBuilder;
use serde_json::{Number, Value};

use super::{Keywords, Place};
use crate::format::Format;
use crate::parse::Reader;
use crate::schema::{JsonType, Pattern, Schema, TextRules, Types};
use crate::suggest;
use crate::yaml::{Data, Node};

// A pattern that compiles to more than this is a mistake or an attack.
const PATTERN_LIMIT: usize = 1 << 20;

impl<'a> Reader<'a> {
    pub(super) fn types(&mut self, file: usize, keywords: &Keywords<'a>) -> Types {
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
                    let message = format!("{name:?} is not a type{near}");
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

    pub(super) fn allowed(&mut self, file: usize, keywords: &Keywords<'a>) -> Option<Vec<Value>> {
        let member = keywords.get("enum")?;
        match member.node.as_list() {
            Some(items) if !items.is_empty() => Some(items.iter().map(Node::to_json).collect()),
            _ => {
                self.fault(file, member.line, "`enum` lists no values", "write a list of values");
                None
            }
        }
    }

    pub(super) fn text_rules(&mut self, file: usize, keywords: &Keywords<'a>) -> TextRules {
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

    pub(super) fn list_rules(&mut self, file: usize, keywords: &Keywords<'a>, schema: &mut Schema) {
        schema.list.items =
            keywords.get("items").map(|member| self.schema(file, &member.node, Place::Item));
        schema.list.min = self.count(file, keywords, "minItems");
        schema.list.max = self.count(file, keywords, "maxItems");
        schema.list.unique = self.flag(file, keywords, "uniqueItems");
    }

    pub(super) fn names(
        &mut self,
        file: usize,
        keywords: &Keywords<'a>,
        name: &str,
    ) -> Vec<(usize, String)> {
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

    pub(super) fn flag(&mut self, file: usize, keywords: &Keywords<'a>, name: &str) -> bool {
        keywords.get(name).is_some_and(|member| self.boolean(file, member))
    }

    fn count(&mut self, file: usize, keywords: &Keywords<'a>, name: &str) -> Option<usize> {
        let member = keywords.get(name)?;
        let count = match &member.node.data {
            Data::Number(number) => number.as_u64().and_then(|count| usize::try_from(count).ok()),
            _ => None,
        };
        if count.is_none() {
            let message = format!("`{name}` is not a count");
            self.fault(file, member.line, message, "write zero or a positive integer");
        }
        count
    }

    pub(super) fn number(
        &mut self,
        file: usize,
        keywords: &Keywords<'a>,
        name: &str,
    ) -> Option<Number> {
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
