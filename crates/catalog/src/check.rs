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

use crate::certificate::{self, PairFault};
use crate::schema::{
    Condition, FragmentStep, Identity, JsonType, Members, Property, ReferenceRule, Schema, Shape,
    TextRules, Union, compare, integral, same,
};
use crate::suggest;
use crate::violation::{Layer, Violation, rule};

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

/// Checks a body against its schema.
pub(crate) fn check(
    schema: &Schema,
    path: &NodePath,
    mut value: Value,
    secrets: Secrets,
) -> Result<Checked, Vec<Violation>> {
    let mut checker = Checker::new(path, secrets);
    checker.value(schema, &mut value, &Trail::ROOT);
    let Checker { mut found, references, secrets, .. } = checker;
    if found.is_empty() {
        return Ok(Checked { value, references, secrets });
    }
    found.sort();
    Err(found)
}

/// The way from the top of a body to a value in it. It lives on the stack and becomes text only
/// when there is something to say.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    pub(crate) const ROOT: Trail<'static> = Trail { parent: None, step: Step::Root };

    pub(crate) fn name(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Name(name) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// As a JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut text = self.parent.map(Trail::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => {
                text.push('/');
                text.push_str(&name.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                text.push('/');
                text.push_str(&index.to_string());
            }
        }
        text
    }

    /// As a person writes it: `` `smtp_auth.password` ``.
    fn shown(&self) -> String {
        match self.step {
            Step::Root => "the body".into(),
            _ => format!("`{}`", self.dotted()),
        }
    }

    fn dotted(&self) -> String {
        let mut text = self.parent.map(Trail::dotted).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&suggest::shown(name));
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
        text
    }
}

struct Checker<'p> {
    path: &'p NodePath,
    mode: Secrets,
    found: Vec<Violation>,
    references: Vec<Reference>,
    secrets: Vec<String>,
}

/// What surrounds the members of an object: nothing, or the union and the tag that selected them.
#[derive(Clone, Copy)]
struct Selected<'a> {
    union: &'a Union,
    tag: &'a str,
}

impl<'p> Checker<'p> {
    fn new(path: &'p NodePath, mode: Secrets) -> Self {
        Self { path, mode, found: Vec::new(), references: Vec::new(), secrets: Vec::new() }
    }

    fn say(&mut self, rule: &'static str, at: &Trail<'_>, message: String) {
        let (path, pointer) = (self.path.clone(), at.pointer());
        self.found.push(Violation { path, pointer, rule, layer: Layer::Shape, message });
    }

    fn value(&mut self, schema: &Schema, value: &mut Value, at: &Trail<'_>) {
        if let Some(reference) = &schema.reference {
            return self.reference(schema, reference, value, at);
        }
        let kind = JsonType::of(value);
        if !schema.types.admits(kind) {
            let message =
                format!("{} must be {} and is {}", at.shown(), schema.types, article(value));
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
            let message = format!("{} must be {}", at.shown(), alternatives(allowed.iter()));
            self.say(rule::ENUM, at, message);
        }
        if let Some(constant) = &schema.constant
            && !same(constant, value)
        {
            let message = format!("{} must be {}", at.shown(), plain(constant));
            self.say(rule::CONST, at, message);
        }
    }

    fn number(&mut self, schema: &Schema, value: &mut Value, at: &Trail<'_>) {
        let Value::Number(number) = &*value else { return };
        if let Some(min) = &schema.number.min
            && compare(number, min).is_lt()
        {
            self.say(rule::MINIMUM, at, format!("{} must be at least {min}", at.shown()));
        }
        if let Some(max) = &schema.number.max
            && compare(number, max).is_gt()
        {
            self.say(rule::MAXIMUM, at, format!("{} must be at most {max}", at.shown()));
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
            self.say(rule, at, format!("{} must {must}", at.shown()));
        }
    }

    fn list(&mut self, schema: &Schema, items: &mut [Value], at: &Trail<'_>) {
        let rules = &schema.list;
        if let Some(min) = rules.min
            && items.len() < min
        {
            let message = format!("{} must have at least {}", at.shown(), count(min, "item"));
            self.say(rule::MIN_ITEMS, at, message);
        }
        if let Some(max) = rules.max
            && items.len() > max
        {
            let message = format!("{} must have at most {}", at.shown(), count(max, "item"));
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
                let message = format!("{} repeats an earlier item", at.shown());
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

    fn union(&mut self, union: &Union, members: &mut Map<String, Value>, at: &Trail<'_>) {
        let at_tag = at.name(&union.tag);
        let allowed = || list(union.tags().map(str::to_owned), "or");
        let branch = match members.get(&union.tag) {
            None => {
                let message = format!("{} is required: {}", at_tag.shown(), allowed());
                return self.say(rule::REQUIRED, &at_tag, message);
            }
            Some(Value::String(tag)) => union.branch(tag),
            Some(other) => {
                let message =
                    format!("{} must be a string and is {}", at_tag.shown(), article(other));
                return self.say(rule::TYPE, &at_tag, message);
            }
        };
        match branch {
            Some(branch) => {
                let selected = Selected { union, tag: &branch.tag };
                self.members(&branch.members, members, at, Some(selected));
            }
            None if union.others => {}
            None => {
                let message = format!("{} must be {}", at_tag.shown(), allowed());
                self.say(rule::UNION_TAG, &at_tag, message);
            }
        }
    }

    fn members(
        &mut self,
        rules: &Members,
        members: &mut Map<String, Value>,
        at: &Trail<'_>,
        selected: Option<Selected<'_>>,
    ) {
        let before = self.found.len();
        let context = Context { rules, at, selected };
        let on = match &rules.switch {
            None => Some(true),
            Some(switch) => members.get(switch).and_then(Value::as_bool),
        };
        let presence = self.presence(context, members, on);
        if on == Some(true) {
            self.one_of(context, members);
            for property in presence.fill {
                if let Some(default) = &property.schema.notes.default {
                    members.insert(property.name.clone(), Value::clone(default));
                }
            }
        }
        for property in &rules.properties {
            let is_switch = rules.switch.as_ref() == Some(&property.name);
            let ruled_out = on == Some(false) && !is_switch;
            if ruled_out || presence.skip.contains(&property.name.as_str()) {
                continue;
            }
            if let Some(value) = members.get_mut(&property.name) {
                self.value(&property.schema, value, &at.name(&property.name));
            }
        }
        if let Some(identity) = &rules.identity
            && self.found.len() == before
            && self.mode == Secrets::Plain
        {
            self.identity(identity, members, at);
        }
    }

    /// Which members are there that may not be, and the reverse. The values are looked at later.
    fn presence<'r>(
        &mut self,
        context: Context<'r>,
        members: &Map<String, Value>,
        on: Option<bool>,
    ) -> Presence<'r> {
        let Context { rules, at, selected } = context;
        let mut presence = Presence::default();
        let mut known = usize::from(selected.is_some());
        for property in &rules.properties {
            let found = members.get(&property.name);
            known += usize::from(found.is_some());
            let is_switch = rules.switch.as_ref() == Some(&property.name);
            match (found, on) {
                (None, _) if is_switch => self.missing(context, property, None),
                (Some(_), _) if is_switch => {}
                // Whether the others exist is not known while the switch is broken.
                (_, None) | (None, Some(false)) => {}
                (Some(_), Some(false)) => {
                    let switch = rules.switch.as_deref().unwrap_or_default();
                    let at_switch = at.name(switch);
                    let why = format!("when {} is false", at_switch.shown());
                    self.absent(&at.name(&property.name), &why);
                }
                (None, Some(true)) => {
                    if !self.lacking(context, property, members) {
                        presence.fill.push(property);
                    }
                }
                (Some(value), Some(true)) => {
                    if self.misplaced(context, property, value, members) {
                        presence.skip.push(&property.name);
                    }
                }
            }
        }
        // Of an optional group that does not exist, nothing does.
        if known < members.len() && (!rules.open || on == Some(false)) {
            self.strangers(context, members);
        }
        presence
    }

    /// Says that an absent member should be there; whether it did.
    fn lacking(
        &mut self,
        context: Context<'_>,
        property: &Property,
        members: &Map<String, Value>,
    ) -> bool {
        let condition = property.required_when.as_ref().filter(|when| when.holds(members));
        if property.required || condition.is_some() {
            self.missing(context, property, condition);
            return true;
        }
        // A default is only filled in where the member could have been written.
        property.schema.notes.default.is_none()
            || property.absent_when.as_ref().is_some_and(|when| when.holds(members))
    }

    fn missing(
        &mut self,
        context: Context<'_>,
        property: &Property,
        condition: Option<&Condition>,
    ) {
        let Context { rules, at, selected } = context;
        let switch = rules.switch.as_ref().filter(|switch| **switch != property.name);
        let why = match (condition, switch, selected) {
            (Some(condition), ..) => format!(" when {}", phrase(condition, at)),
            (None, Some(switch), _) => format!(" when {} is true", at.name(switch).shown()),
            (None, None, Some(Selected { union, tag })) => {
                format!(" when {} is {tag}", at.name(&union.tag).shown())
            }
            (None, None, None) => String::new(),
        };
        let at = at.name(&property.name);
        self.say(rule::REQUIRED, &at, format!("{} is required{why}", at.shown()));
    }

    /// Says that a member that is there should not be, or not with this nullness; whether its
    /// value is then not worth looking at.
    fn misplaced(
        &mut self,
        context: Context<'_>,
        property: &Property,
        value: &Value,
        members: &Map<String, Value>,
    ) -> bool {
        let at_member = context.at.name(&property.name);
        if let Some(when) = property.absent_when.as_ref().filter(|when| when.holds(members)) {
            self.absent(&at_member, &format!("when {}", phrase(when, context.at)));
            return true;
        }
        let Some(when) = &property.null_when else { return false };
        let must = match (when.holds(members), value.is_null()) {
            (true, true) | (false, false) => return false,
            (true, false) => "must be null when",
            // The sibling's own fault is told; what would follow from it is guesswork.
            (false, true) if self.is_broken(when, context.rules, members) => return false,
            (false, true) => "may be null only when",
        };
        let message = format!("{} {must} {}", at_member.shown(), phrase(when, context.at));
        self.say(rule::NULL_WHEN, &at_member, message);
        true
    }

    fn absent(&mut self, at: &Trail<'_>, why: &str) {
        self.say(rule::ABSENT, at, format!("{} may not be present {why}", at.shown()));
    }

    fn strangers(&mut self, context: Context<'_>, members: &Map<String, Value>) {
        let Context { rules, at, selected } = context;
        for name in members.keys() {
            if rules.property(name).is_some() || selected.is_some_and(|s| s.union.tag == *name) {
                continue;
            }
            let at_member = at.name(name);
            let elsewhere = |s: &Selected<'_>| {
                s.union.branches.iter().any(|b| b.members.property(name).is_some())
            };
            if let Some(Selected { union, tag }) = selected.filter(elsewhere) {
                let why = format!("when {} is {tag}", at.name(&union.tag).shown());
                self.absent(&at_member, &why);
            } else if let Some(switch) = rules.switch.as_ref().filter(|_| rules.open) {
                self.absent(&at_member, &format!("when {} is false", at.name(switch).shown()));
            } else {
                let near = suggest::hint(name, rules.names());
                let message = format!("{} is not known here{near}", at_member.shown());
                self.say(rule::UNKNOWN_MEMBER, &at_member, message);
            }
        }
    }

    fn one_of(&mut self, context: Context<'_>, members: &Map<String, Value>) {
        let names = &context.rules.exactly_one_of;
        let present = names.iter().filter(|name| members.contains_key(*name)).count();
        if names.is_empty() || present == 1 {
            return;
        }
        let choice = list(names.iter().map(|name| context.at.name(name).shown()), "or");
        let message = match present {
            0 => format!("one of {choice} is required"),
            _ => format!("only one of {choice} may be present"),
        };
        self.say(rule::EXACTLY_ONE_OF, context.at, message);
    }

    /// Whether a sibling that a condition reads is itself at fault.
    fn is_broken(&self, when: &Condition, rules: &Members, members: &Map<String, Value>) -> bool {
        when.0.iter().filter_map(|(name, _)| rules.property(name)).any(|sibling| {
            match members.get(&sibling.name) {
                None => sibling.required,
                Some(value) => {
                    let mut scratch = Checker::new(self.path, self.mode);
                    scratch.value(&sibling.schema, &mut value.clone(), &Trail::ROOT);
                    !scratch.found.is_empty()
                }
            }
        })
    }

    fn identity(&mut self, identity: &Identity, members: &Map<String, Value>, at: &Trail<'_>) {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let (at_certificate, at_key) =
            (at.name(&identity.certificate), at.name(&identity.private_key));
        let Some(pem) = text(&identity.certificate) else { return };
        if let Some(key) = text(&identity.private_key)
            && let Err(fault) = certificate::pair_check(pem, key)
        {
            let (key, pem) = (at_key.shown(), at_certificate.shown());
            let message = match fault {
                PairFault::Mismatch => format!("{key} does not belong to {pem}"),
                PairFault::Unreadable => format!("{key} or {pem} cannot be read"),
                PairFault::Unsupported => format!(
                    "{key} must be an RSA key of 2048 bits or more, an ECDSA key on P-256 or P-384, or an Ed25519 key"
                ),
            };
            self.say(rule::KEY_PAIR, &at_key, message);
        }
        let Some(name) = &identity.issuers else { return };
        let at_chain = at.name(name);
        let chain = members.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let chain: Vec<&str> = chain.iter().filter_map(Value::as_str).collect();
        if let Some(index) = certificate::chain_break(pem, &chain) {
            let at_link = at_chain.index(index);
            let before = match index.checked_sub(1) {
                None => at_certificate.shown(),
                Some(index) => at_chain.index(index).shown(),
            };
            let message = format!("{} did not issue {before}", at_link.shown());
            self.say(rule::ISSUER_CHAIN, &at_link, message);
        }
    }

    fn ordered_map(&mut self, item: &Schema, members: &mut Map<String, Value>, at: &Trail<'_>) {
        self.order(members, at);
        for (name, value) in members.iter_mut().filter(|(name, _)| *name != ORDER) {
            self.value(item, value, &at.name(name));
        }
    }

    fn order(&mut self, members: &Map<String, Value>, at: &Trail<'_>) {
        let at_order = at.name(ORDER);
        let order = match members.get(ORDER) {
            None => {
                let message = format!("{} is required: a list of the keys", at_order.shown());
                return self.say(rule::REQUIRED, &at_order, message);
            }
            Some(Value::Array(order)) => order,
            Some(other) => {
                let message =
                    format!("{} must be a list and is {}", at_order.shown(), article(other));
                return self.say(rule::TYPE, &at_order, message);
            }
        };
        let mut keys = BTreeSet::new();
        for (index, item) in order.iter().enumerate() {
            let at = at_order.index(index);
            match item.as_str() {
                Some(key) if keys.insert(key) => {}
                Some(_) => {
                    let message = format!("{} repeats an earlier key", at.shown());
                    self.say(rule::UNIQUE_ITEMS, &at, message);
                }
                None => {
                    let message =
                        format!("{} must be a string and is {}", at.shown(), article(item));
                    self.say(rule::TYPE, &at, message);
                }
            }
        }
        let named = keys.iter().all(|key| *key != ORDER && members.contains_key(*key));
        if !named || keys.len() + 1 != members.len() {
            let message = format!("{} must name each other member once", at_order.shown());
            self.say(rule::ORDER, &at_order, message);
        }
    }

    fn reference(
        &mut self,
        schema: &Schema,
        reference: &ReferenceRule,
        value: &mut Value,
        at: &Trail<'_>,
    ) {
        if value.is_null() && schema.types.admits(JsonType::Null) {
            return;
        }
        let found = reference_key(value).and_then(|text| Some((reference.resolve(text)?, text)));
        let Some(((key, fragment), text)) = found else {
            let null = if schema.types.admits(JsonType::Null) { ", or null" } else { "" };
            let what = reference_form(reference);
            let message = format!("{} must be {what}{null}", at.shown());
            return self.say(rule::REFERENCE_FORM, at, message);
        };
        let target = reference.collection.join(&key);
        *value = Value::String(text.to_owned());
        self.references.push(Reference { pointer: at.pointer(), target, fragment });
    }
}

const ORDER: &str = "@order";

#[derive(Clone, Copy)]
struct Context<'a> {
    rules: &'a Members,
    at: &'a Trail<'a>,
    selected: Option<Selected<'a>>,
}

#[derive(Default)]
struct Presence<'a> {
    // Members that are at fault by being there.
    skip: Vec<&'a str>,
    // Absent members that have a default.
    fill: Vec<&'a Property>,
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

/// A JSON Pointer as a person writes it.
pub(crate) fn pointer_shown(pointer: &str) -> String {
    if pointer.is_empty() {
        return "the body".into();
    }
    let mut text = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) {
            text.push_str(&format!("[{step}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&suggest::shown(&step));
        }
    }
    format!("`{text}`")
}

// `smtp_auth.enabled` is true and …
fn phrase(condition: &Condition, at: &Trail<'_>) -> String {
    let one = |(name, values): &(String, Vec<Value>)| {
        format!("{} is {}", at.name(name).shown(), alternatives(values.iter()))
    };
    list(condition.0.iter().map(one), "and")
}

fn alternatives<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    list(values.map(plain), "or")
}

// A value that the catalog's author wrote.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(
        || value.to_string(),
        |text| match text {
            "" => "the empty text".to_owned(),
            _ => text.to_owned(),
        },
    )
}

fn list(words: impl Iterator<Item = String>, last: &str) -> String {
    let words: Vec<String> = words.collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [front @ .., end] => format!("{} {last} {end}", front.join(", ")),
    }
}

/// A number of things.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn article(value: &Value) -> &'static str {
    match JsonType::of(value) {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number with a fraction or beyond 64 bits",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    }
}

// A text that is equal for equal values, one and one point zero included.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => {
            integral(number).map_or_else(|| number.to_string(), |whole| whole.to_string())
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod cases;
