//! Does one body fit its schema?
//!
//! An interpreter of our own and not a JSON Schema library, for the sake of what it says: every
//! fault at once, each at its exact place, of a union only the branch that the tag selects, and
//! never a value. On the way it collects what only the schema knows about a body: where it refers
//! to other nodes, and which of its texts are secrets. That it accepts the same documents as a
//! JSON Schema library is held by a property test against [`crate::lower`].
//!
//! A value that fits is left in its canonical form: references as bare keys, `10.0` as `10` where
//! an integer is meant, absent optional members with a default filled in.

use std::collections::BTreeSet;

use config_tree::{NodePath, Reference};
use serde_json::{Map, Value};

use crate::schema::{JsonType, Members, Schema, Shape, TextRules, compare, integral, same};
use crate::violation::{Layer, Violation, rule};
use crate::violations::{Gathered, Violations};
use order::ORDER;
use words::{alternatives, article, canonical, plain};

pub(crate) use trail::{Trail, pointer_shown};
pub(crate) use words::count;

mod members;
mod order;
mod reference;
mod trail;
mod union;
mod words;

/// A body that fits its schema, in canonical form, with what the schema knows about it.
#[derive(Clone, PartialEq)]
pub struct Checked {
    /// The value, its references as bare keys.
    pub value: Value,
    /// Where it refers to other nodes.
    pub references: Vec<Reference>,
    /// JSON Pointers of the secret texts.
    pub secrets: Vec<String>,
}

impl std::fmt::Debug for Checked {
    // The value holds secrets that are not yet sealed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { value: _, references, secrets } = self;
        write!(f, "Checked({} references, {} secrets)", references.len(), secrets.len())
    }
}

/// Whether the secrets of a body are as their user typed them or sealed for storage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Plain,
    Sealed,
}

/// Who made a body. Members that only the appliance sets are its own to bring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Client,
    Appliance,
}

/// Checks a body against its schema.
pub(crate) fn check(
    schema: &Schema,
    path: &NodePath,
    value: Value,
    secrets: Secrets,
) -> Result<Checked, Violations> {
    let author = match secrets {
        Secrets::Plain => Author::Client,
        Secrets::Sealed => Author::Appliance,
    };
    check_by(schema, path, value, secrets, author)
}

/// The same for a body of a certain author.
pub(crate) fn check_by(
    schema: &Schema,
    path: &NodePath,
    mut value: Value,
    secrets: Secrets,
    author: Author,
) -> Result<Checked, Violations> {
    let mut checker = Checker::new(path, secrets, author);
    checker.value(schema, &mut value, &Trail::ROOT);
    let Checker { found, references, secrets, .. } = checker;
    if found.total() == 0 {
        return Ok(Checked { value, references, secrets });
    }
    Err(found.sorted())
}

/// The way from the top of a body to a value in it. It lives on the stack and becomes text only
struct Checker<'p> {
    path: &'p NodePath,
    mode: Secrets,
    author: Author,
    found: Gathered,
    references: Vec<Reference>,
    secrets: Vec<String>,
}

impl<'p> Checker<'p> {
    fn new(path: &'p NodePath, mode: Secrets, author: Author) -> Self {
        Self {
            path,
            mode,
            author,
            found: Gathered::default(),
            references: Vec::new(),
            secrets: Vec::new(),
        }
    }

    // The sentence is made only if it is kept: a hostile body breaks a rule a million times.
    fn say(&mut self, rule: &'static str, at: &Trail<'_>, message: impl FnOnce() -> String) {
        let pointer = at.pointer_cut();
        if self.found.admits(&pointer, rule) {
            let (path, message) = (self.path.clone(), message());
            let layer = Layer::Shape;
            self.found.add(Violation { path, pointer, rule, layer, message, also: Vec::new() });
        }
    }

    fn value(&mut self, schema: &Schema, value: &mut Value, at: &Trail<'_>) {
        if let Some(reference) = &schema.reference {
            return self.reference(schema, reference, value, at);
        }
        let kind = JsonType::of(value);
        if !schema.types.admits(kind) {
            let message =
                || format!("{} must be {} and is {}", at.shown(), schema.types, article(value));
            return self.say(rule::TYPE, at, message);
        }
        self.listed(schema, value, at);
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(_) => self.number(schema, value, at),
            Value::String(text) => self.text(schema, text, at),
            Value::Array(items) => self.list(schema, items, at),
            Value::Object(members) => self.object(schema, members, at),
        }
    }

    fn listed(&mut self, schema: &Schema, value: &Value, at: &Trail<'_>) {
        if let Some(allowed) = &schema.allowed
            && !allowed.iter().any(|other| same(other, value))
        {
            let message = || format!("{} must be {}", at.shown(), alternatives(allowed.iter()));
            self.say(rule::ENUM, at, message);
        }
        if let Some(constant) = &schema.constant
            && !same(constant, value)
        {
            let message = || format!("{} must be {}", at.shown(), plain(constant));
            self.say(rule::CONST, at, message);
        }
    }

    fn number(&mut self, schema: &Schema, value: &mut Value, at: &Trail<'_>) {
        let Value::Number(number) = &*value else { return };
        if let Some(min) = &schema.number.min
            && compare(number, min).is_lt()
        {
            self.say(rule::MINIMUM, at, || format!("{} must be at least {min}", at.shown()));
        }
        if let Some(max) = &schema.number.max
            && compare(number, max).is_gt()
        {
            self.say(rule::MAXIMUM, at, || format!("{} must be at most {max}", at.shown()));
        }
        // One spelling for equal integers, or equal bodies would differ in their text.
        if number.is_f64()
            && !schema.types.is_any()
            && !schema.types.names().any(|name| name == "number")
            && let Some(whole) = integral(number)
        {
            *value = u64::try_from(whole)
                .map(Value::from)
                .or_else(|_| i64::try_from(whole).map(Value::from))
                .unwrap_or(Value::Null);
        }
    }

    fn text(&mut self, schema: &Schema, text: &str, at: &Trail<'_>) {
        if schema.secret {
            self.secrets.push(at.pointer());
            if self.mode == Secrets::Sealed {
                return;
            }
        }
        for (rule, must) in text_faults(&schema.text, text) {
            self.say(rule, at, || format!("{} must {must}", at.shown()));
        }
    }

    fn list(&mut self, schema: &Schema, items: &mut [Value], at: &Trail<'_>) {
        let rules = &schema.list;
        if let Some(min) = rules.min
            && items.len() < min
        {
            let message = || format!("{} must have at least {}", at.shown(), count(min, "item"));
            self.say(rule::MIN_ITEMS, at, message);
        }
        if let Some(max) = rules.max
            && items.len() > max
        {
            let message = || format!("{} must have at most {}", at.shown(), count(max, "item"));
            self.say(rule::MAX_ITEMS, at, message);
        }
        if let Some(schema) = &rules.items {
            for (index, item) in items.iter_mut().enumerate() {
                self.value(schema, item, &at.index(index));
            }
        }
        // After the items, because `"key"` and `{"key": "key"}` are then the same reference.
        if rules.unique {
            self.repetitions(items, at);
        }
    }

    fn repetitions(&mut self, items: &[Value], at: &Trail<'_>) {
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            if !seen.insert(canonical(item)) {
                let at = at.index(index);
                let message = || format!("{} repeats an earlier item", at.shown());
                self.say(rule::UNIQUE_ITEMS, &at, message);
            }
        }
    }

    fn object(&mut self, schema: &Schema, members: &mut Map<String, Value>, at: &Trail<'_>) {
        match &schema.shape {
            Shape::Any => {}
            Shape::Members(rules) => self.members(rules, members, at, None),
            Shape::Union(union) => self.union(union, members, at),
            Shape::OrderedMap(item) => self.ordered_map(item, members, at),
        }
    }
}

/// The rules of a text that it breaks, each with what the text must.
pub(crate) fn text_faults(rules: &TextRules, text: &str) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    // A character takes one to four bytes, so most texts need not be counted.
    let length = || text.chars().count();
    if let Some(min) = rules.min
        && text.len() < min.saturating_mul(4)
        && length() < min
    {
        faults.push((rule::MIN_LENGTH, format!("have at least {}", count(min, "character"))));
        if text.is_empty() {
            // An empty text breaks every other rule too; one sentence says it all.
            return faults;
        }
    }
    if let Some(max) = rules.max
        && text.len() > max
        && length() > max
    {
        faults.push((rule::MAX_LENGTH, format!("have at most {}", count(max, "character"))));
        if text.len() > max.saturating_mul(16) {
            return faults;
        }
    }
    let be = |otherwise: String| rules.hint.as_ref().map_or(otherwise, |hint| format!("be {hint}"));
    if let Some(pattern) = &rules.pattern
        && !pattern.0.is_match(text)
    {
        faults.push((rule::PATTERN, be(format!("match the pattern {}", pattern.0))));
    }
    if let Some(format) = rules.format
        && let Err(must) = format.check(text)
    {
        faults.push((rule::FORMAT, be(format!("be {must}"))));
    }
    faults
}

/// The secrets of a body that is known to fit.
pub(crate) fn secrets(schema: &Schema, value: &Value, at: &Trail<'_>, found: &mut Vec<String>) {
    if schema.secret && value.is_string() {
        found.push(at.pointer());
    }
    let each = |members: &Members, map: &Map<String, Value>, found: &mut Vec<String>| {
        for property in &members.properties {
            if let Some(value) = map.get(&property.name) {
                secrets(&property.schema, value, &at.name(&property.name), found);
            }
        }
    };
    match (value, &schema.shape) {
        (Value::Object(map), Shape::Members(members)) => each(members, map, found),
        (Value::Object(map), Shape::Union(union)) => {
            let tag = map.get(&union.tag).and_then(Value::as_str);
            if let Some(branch) = tag.and_then(|tag| union.branch(tag)) {
                each(&branch.members, map, found);
            }
        }
        (Value::Object(map), Shape::OrderedMap(item)) => {
            for (name, value) in map.iter().filter(|(name, _)| *name != ORDER) {
                secrets(item, value, &at.name(name), found);
            }
        }
        (Value::Array(items), _) => {
            for (index, value) in items.iter().enumerate() {
                if let Some(schema) = &schema.list.items {
                    secrets(schema, value, &at.index(index), found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod cases;
