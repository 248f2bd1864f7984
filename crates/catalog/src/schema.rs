//! A compiled schema: what one value may be.
//!
//! A [`Schema`] is JSON Schema's bag of keywords with the extension keywords, patterns
//! compiled and `$ref`s resolved to shared pointers, so that a check allocates nothing until it
//! finds something. It is made by [`crate::parse`] alone, and immutable from then on.

use std::fmt;
use std::sync::Arc;

use config_tree::{Key, NodePath, pointer};
use regex::Regex;
use serde_json::{Map, Number, Value};

use crate::format::Format;

/// What a value may be. Read its plain form with [`Schema::to_json_schema`].
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub(crate) notes: Notes,
    pub(crate) types: Types,
    pub(crate) allowed: Option<Arc<[Value]>>,
    pub(crate) constant: Option<Arc<Value>>,
    pub(crate) text: TextRules,
    pub(crate) number: NumberRules,
    pub(crate) list: ListRules,
    pub(crate) shape: Shape,
    pub(crate) reference: Option<Arc<ReferenceRule>>,
    pub(crate) secret: bool,
}

/// What a schema says to people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) title: Option<Arc<str>>,
    pub(crate) description: Option<Arc<str>>,
    pub(crate) default: Option<Arc<Value>>,
    pub(crate) examples: Arc<[Value]>,
}

/// What is said of objects.
#[derive(Clone, Debug, Default)]
pub(crate) enum Shape {
    /// Nothing: any members.
    #[default]
    Any,
    Members(Arc<Members>),
    Union(Arc<Union>),
    /// Members of one kind, and `@order`.
    OrderedMap(Arc<Schema>),
}

#[derive(Clone, Debug)]
pub(crate) struct Members {
    // Sorted by name, each name once.
    pub(crate) properties: Vec<Property>,
    /// What becomes of other members.
    pub(crate) unknown: Unknown,
    /// The boolean member that says whether the others exist.
    pub(crate) switch: Option<String>,
    /// Of these, one exists.
    pub(crate) exactly_one_of: Vec<String>,
    pub(crate) identity: Option<Identity>,
}

/// What becomes of members that a schema does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Unknown {
    #[default]
    Refuse,
    Keep,
    /// They are taken out before the body is stored.
    Drop,
}

/// What becomes of a member that only the appliance sets, where a client sends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ReadOnly {
    #[default]
    Ignore,
    Refuse,
}

/// Where the appliance takes the value of a member from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Derived {
    /// The time at which the body was made.
    Created,
    /// The time at which it was made or last changed.
    Updated,
    /// The time at which it was last changed; null until then.
    UpdatedOrNull,
    /// What the dialect's hook of this name computes.
    Hook(String),
}

impl Derived {
    pub(crate) const NAMES: [&str; 4] = ["created", "updated", "updated-or-null", "hook:NAME"];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "created" => Some(Self::Created),
            "updated" => Some(Self::Updated),
            "updated-or-null" => Some(Self::UpdatedOrNull),
            _ => text.strip_prefix("hook:").filter(|n| !n.is_empty()).map(|n| Self::Hook(n.into())),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) schema: Arc<Schema>,
    pub(crate) required: bool,
    /// No other member of the collection has the same value here.
    pub(crate) unique: bool,
    /// Only the appliance sets it.
    pub(crate) read_only: Option<ReadOnly>,
    pub(crate) derived: Option<Derived>,
    pub(crate) null_when: Option<Condition>,
    pub(crate) required_when: Option<Condition>,
    pub(crate) absent_when: Option<Condition>,
}

/// Holds when every named sibling has one of the values listed for it.
#[derive(Clone, Debug)]
pub(crate) struct Condition(pub(crate) Vec<(String, Vec<Value>)>);

#[derive(Clone, Debug)]
pub(crate) struct Union {
    pub(crate) tag: String,
    // In the order of the file, each tag once; at least one.
    pub(crate) branches: Vec<Branch>,
    /// Whether there are more branches, of which nothing is known.
    pub(crate) others: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) tag: String,
    pub(crate) title: Option<Arc<str>>,
    pub(crate) description: Option<Arc<str>>,
    pub(crate) members: Members,
}

/// Members that together are a certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) private_key: String,
    pub(crate) issuers: Option<String>,
}

/// What a reference points to, and what it asks of its target.
#[derive(Clone, Debug)]
pub(crate) struct ReferenceRule {
    pub(crate) collection: NodePath,
    /// The way into the member's body to the part that is named; empty where the whole member is.
    pub(crate) fragment: Vec<FragmentStep>,
    pub(crate) secret: Option<SecretRule>,
    /// Set where the text is not a key but what the target holds at a member of its own.
    pub(crate) by: Option<ByName>,
    /// Whether a body may not name what does not exist.
    pub(crate) must_exist: bool,
    pub(crate) on_delete: OnDelete,
    pub(crate) on_rename: OnRename,
}

/// How a reference names its target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ByName {
    /// The member of the target that holds the name.
    pub(crate) member: String,
    /// The member of both bodies that says in which folder they are, where names are looked up in
    /// the referrer's folder and those around it.
    pub(crate) within: Option<String>,
}

/// What a reference does when its target is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum OnDelete {
    /// The target cannot be deleted.
    #[default]
    Refuse,
    /// The item is removed from its list.
    Drop,
    Null,
    /// The body that refers is deleted, too.
    Cascade,
    /// It stays, and names nothing.
    Keep,
}

/// What a reference by name does when its target gets another name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum OnRename {
    #[default]
    Rewrite,
    Refuse,
    Keep,
}

impl OnDelete {
    pub(crate) const NAMES: [&str; 5] = ["refuse", "drop", "null", "cascade", "keep"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::Refuse, Self::Drop, Self::Null, Self::Cascade, Self::Keep];
        Self::NAMES.iter().position(|known| *known == name).map(|at| all[at])
    }
}

impl OnRename {
    pub(crate) const NAMES: [&str; 3] = ["rewrite", "refuse", "keep"];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let all = [Self::Rewrite, Self::Refuse, Self::Keep];
        Self::NAMES.iter().position(|known| *known == name).map(|at| all[at])
    }
}

/// One step of the way into a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FragmentStep {
    Name(String),
    /// Any key of an ordered map.
    Any,
}

/// What the text of a referenced secret must satisfy.
#[derive(Clone, Debug)]
pub(crate) struct SecretRule {
    /// The member of the target that holds the text.
    pub(crate) member: String,
    /// A schema of a string that says something of length, pattern and format only.
    pub(crate) text: Arc<Schema>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct TextRules {
    pub(crate) min: Option<usize>,
    pub(crate) max: Option<usize>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Option<Format>,
    /// Completes the sentence "… must be".
    pub(crate) hint: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) Arc<Regex>);

#[derive(Clone, Debug, Default)]
pub(crate) struct NumberRules {
    pub(crate) min: Option<Number>,
    pub(crate) max: Option<Number>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ListRules {
    pub(crate) items: Option<Arc<Schema>>,
    pub(crate) min: Option<usize>,
    pub(crate) max: Option<usize>,
    pub(crate) unique: bool,
}

/// A set of JSON types; empty means any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Types(u8);

/// A JSON type as `type` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JsonType {
    Null = 1,
    Boolean = 2,
    Integer = 4,
    Number = 8,
    String = 16,
    Array = 32,
    Object = 64,
}

impl JsonType {
    pub(crate) const ALL: [Self; 7] = [
        Self::Null,
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::String,
        Self::Array,
        Self::Object,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The narrowest type of a value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if integral(number).is_some() => Self::Integer,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

impl Types {
    pub(crate) fn with(self, kind: JsonType) -> Self {
        Self(self.0 | kind as u8)
    }

    pub(crate) fn is_any(self) -> bool {
        self.0 == 0
    }

    /// Whether the type is named, or every type is allowed.
    pub(crate) fn admits(self, kind: JsonType) -> bool {
        let integer = kind == JsonType::Integer && self.0 & JsonType::Number as u8 != 0;
        self.is_any() || self.0 & kind as u8 != 0 || integer
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        JsonType::ALL.into_iter().filter(move |kind| self.0 & *kind as u8 != 0).map(JsonType::name)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.names().map(|name| match name {
            "null" => "null".to_owned(),
            "array" => "a list".to_owned(),
            "integer" | "object" => format!("an {name}"),
            _ => format!("a {name}"),
        });
        // Null reads best at the end: "an integer or null".
        let (null, mut rest): (Vec<_>, Vec<_>) = named.partition(|name| name == "null");
        rest.extend(null);
        f.write_str(&rest.join(" or "))
    }
}

impl Members {
    /// No members at all.
    pub(crate) fn none() -> Self {
        Self {
            properties: Vec::new(),
            unknown: Unknown::Refuse,
            switch: None,
            exactly_one_of: Vec::new(),
            identity: None,
        }
    }

    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        let at = self.properties.binary_search_by(|p| p.name.as_str().cmp(name)).ok()?;
        self.properties.get(at)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(|property| property.name.as_str())
    }
}

impl Union {
    pub(crate) fn branch(&self, tag: &str) -> Option<&Branch> {
        self.branches.iter().find(|branch| branch.tag == tag)
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.branches.iter().map(|branch| branch.tag.as_str())
    }
}

impl FragmentStep {
    fn fits(&self, step: &str) -> bool {
        match self {
            Self::Name(name) => name == step,
            Self::Any => !step.is_empty() && !step.starts_with('@'),
        }
    }
}

/// The path under which a tree keeps what refers to a name: two steps below the collection, where
/// no node can stand. `None` if the name is empty or too long.
pub(crate) fn named(collection: &NodePath, member: &str, name: &str) -> Option<NodePath> {
    let mut key = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() || matches!(c, '%' | '/' | '@') {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|b| key.push_str(&format!("%{b:02X}")));
        } else {
            key.push(c);
        }
    }
    if key == "." || key == ".." {
        key = key.replace('.', "%2E");
    }
    let member = Key::parse(&format!("={member}")).ok()?;
    Some(collection.join(&member).join(&Key::parse(&key).ok()?))
}

impl ReferenceRule {
    /// Whether a reference to this target can come from this rule.
    pub(crate) fn leads_to(&self, target: &NodePath) -> bool {
        match (&self.by, target.parent()) {
            (None, Some(parent)) => parent == self.collection,
            (Some(by), Some(parent)) => {
                parent.parent().as_ref() == Some(&self.collection)
                    && parent.key().and_then(|key| key.as_str().strip_prefix('='))
                        == Some(&by.member)
            }
            (_, None) => false,
        }
    }

    /// The member and the part of it that a key names: `nic1.interfaces.a` is the part
    /// `interfaces/a` of `nic1`. `None` if it is not such a key.
    pub(crate) fn resolve(&self, text: &str) -> Option<(Key, Option<String>)> {
        // A reference as a whole is bound by the rules of a key, too.
        let whole = Key::parse(text).ok()?;
        if self.fragment.is_empty() {
            return Some((whole, None));
        }
        let (member, part) = text.split_once('.')?;
        let part = part.replace('.', "/");
        self.fits(Some(&part)).then_some((Key::parse(member).ok()?, Some(part)))
    }

    /// Whether a part of a member is one that may be named.
    pub(crate) fn fits(&self, fragment: Option<&str>) -> bool {
        match fragment {
            None => self.fragment.is_empty(),
            Some(text) => {
                text.split('/').count() == self.fragment.len()
                    && self.fragment.iter().zip(text.split('/')).all(|(step, at)| step.fits(at))
            }
        }
    }
}

impl Condition {
    /// Whether the siblings are as the condition says.
    pub(crate) fn holds(&self, siblings: &Map<String, Value>) -> bool {
        self.0.iter().all(|(name, values)| {
            siblings.get(name).is_some_and(|found| values.iter().any(|value| same(value, found)))
        })
    }
}

/// Describing a schema to others than the checker.
impl Schema {
    /// The schema that accepts any object.
    #[must_use]
    pub fn any_object() -> Self {
        Self { types: Types::default().with(JsonType::Object), ..Self::default() }
    }

    /// A short name for people.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.notes.title.as_deref()
    }

    /// What the value means.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.notes.description.as_deref()
    }

    /// Whether a member of this name may stand at the top of a body.
    pub(crate) fn names_member(&self, name: &str) -> bool {
        match &self.shape {
            Shape::Any => false,
            Shape::Members(members) => members.property(name).is_some(),
            Shape::Union(union) => {
                union.tag == name
                    || union.branches.iter().any(|b| b.members.property(name).is_some())
            }
            Shape::OrderedMap(_) => true,
        }
    }

    /// The schemas that may stand at one step of a JSON Pointer: several where branches of a union
    /// share a name.
    fn children<'a>(&'a self, step: &str) -> Vec<&'a Self> {
        let of = |members: &'a Members| members.property(step).map(|p| &*p.schema);
        match &self.shape {
            Shape::Members(members) => of(members).into_iter().collect(),
            Shape::Union(union) => union.branches.iter().filter_map(|b| of(&b.members)).collect(),
            Shape::OrderedMap(item) => vec![&**item],
            Shape::Any => self.list.items.as_deref().into_iter().collect(),
        }
    }

    /// The reference rules that may apply at a JSON Pointer.
    pub(crate) fn references_at(&self, pointer: &str) -> Vec<&ReferenceRule> {
        self.at(pointer).into_iter().filter_map(|schema| schema.reference.as_deref()).collect()
    }

    /// The schemas that may apply at a JSON Pointer.
    pub(crate) fn at(&self, pointer: &str) -> Vec<&Self> {
        let mut schemas = vec![self];
        for step in pointer::steps(pointer) {
            schemas = schemas.into_iter().flat_map(|schema| schema.children(&step)).collect();
        }
        schemas
    }
}

/// Equality as JSON Schema sees it: one and one point zero are the same number.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

/// The order of numbers, exact among integers.
pub(crate) fn compare(a: &Number, b: &Number) -> std::cmp::Ordering {
    match (integral(a), integral(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        // `Number` holds no NaN, so the order is total.
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(std::cmp::Ordering::Equal),
    }
}

/// The number as an integer that can be stored: `1.0` is one, `2^64` and `1.5` are none.
pub(crate) fn integral(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    // serde_json turns integers that are too large into floats; those were altered and are refused.
    let value = number.as_f64()?;
    let stored = value > -9_223_372_036_854_775_808.0 && value < 18_446_744_073_709_551_616.0;
    #[expect(clippy::cast_possible_truncation, reason = "integral and within the range")]
    (stored && value.fract() == 0.0).then_some(value as i128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(same(&json!([1, {"a": 2.0}]), &json!([1.0, {"a": 2}])));
        assert!(!same(&json!(1), &json!("1")));
        assert!(!same(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)));
    }

    #[test]
    fn integers_beyond_64_bits_are_no_integers() {
        let kind = |text: &str| JsonType::of(&serde_json::from_str(text).unwrap());
        assert_eq!(kind("10.0"), JsonType::Integer);
        assert_eq!(kind("1e3"), JsonType::Integer);
        assert_eq!(kind("18446744073709551615"), JsonType::Integer);
        assert_eq!(kind("18446744073709551616"), JsonType::Number);
        assert_eq!(kind("-9223372036854775809"), JsonType::Number);
        assert_eq!(kind("0.5"), JsonType::Number);
    }

    #[test]
    fn types_read_as_a_phrase() {
        let types = Types::default().with(JsonType::Null).with(JsonType::Integer);
        assert_eq!(types.to_string(), "an integer or null");
        assert!(types.admits(JsonType::Null) && !types.admits(JsonType::Number));
        assert!(Types::default().with(JsonType::Number).admits(JsonType::Integer));
    }
}
