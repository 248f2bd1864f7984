//! Every rule of every built-in endpoint, tried: cases are derived from the schemas.
//!
//! A schema is walked together with a document that fits it. At each place the document is changed in
//! every way that a rule is about (absent, null, each wrong type, each bound and what lies beyond
//! it, each listed value and one that is none, each branch), and the check must accept the change
//! or name exactly the rule that it breaks, at exactly this place.

use std::collections::BTreeSet;

use config_tree::NodePath;
use serde_json::{Map, Number, Value, json};

use super::{Author, ORDER, Secrets, check_by, text_faults};
use crate::Catalog;
use crate::samples::{RSA, texts_for};
use crate::schema::{
    Condition, FragmentStep, JsonType, Members, Property, ReferenceRule, Schema, Shape, Union,
    Unknown,
};
use crate::violation::rule;

/// What is expected of a document: to be accepted, or to break a rule at a place.
struct Case {
    document: Value,
    breaks: Option<(String, &'static str)>,
}

#[derive(Default)]
struct Cases(Vec<Case>);

/// Where a value stands in a document.
#[derive(Clone, Copy)]
struct Spot<'a> {
    pointer: &'a str,
    /// Puts another value there.
    with: &'a dyn Fn(Value) -> Value,
    /// Whether other members depend on the value, so that another one can be wrong elsewhere.
    controls: bool,
}

impl Cases {
    fn good(&mut self, spot: Spot<'_>, value: Value) {
        if !spot.controls {
            self.0.push(Case { document: (spot.with)(value), breaks: None });
        }
    }

    fn bad(&mut self, spot: Spot<'_>, value: Value, rule: &'static str) {
        self.bad_at(spot, value, spot.pointer.to_owned(), rule);
    }

    fn bad_at(&mut self, spot: Spot<'_>, value: Value, pointer: String, rule: &'static str) {
        self.0.push(Case { document: (spot.with)(value), breaks: Some((pointer, rule)) });
    }
}

#[test]
fn each_rule_of_each_endpoint_speaks_and_only_when_it_should() {
    let mut rules = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for name in Catalog::builtin_names() {
        let catalog = Catalog::builtin(name).unwrap().unwrap();
        for endpoint in catalog.endpoints() {
            let schema = endpoint.schema();
            if !seen.insert(schema.to_json_schema().to_string()) {
                continue;
            }
            let mut cases = Cases::default();
            let spot = Spot { pointer: "", with: &|value| value, controls: false };
            value_cases(schema, spot, &mut cases);
            count += cases.0.len();
            for case in cases.0 {
                rules.extend(case.breaks.as_ref().map(|(_, rule)| *rule));
                try_case(&format!("{name} {}", endpoint.path()), schema, case);
            }
        }
    }
    assert!(count > 3000, "only {count} cases");
    let expected = BTreeSet::from([
        rule::TYPE,
        rule::REQUIRED,
        rule::UNKNOWN_MEMBER,
        rule::ABSENT,
        rule::NULL_WHEN,
        rule::EXACTLY_ONE_OF,
        rule::UNION_TAG,
        rule::ENUM,
        rule::MIN_LENGTH,
        rule::MAX_LENGTH,
        rule::PATTERN,
        rule::FORMAT,
        rule::MINIMUM,
        rule::MAXIMUM,
        rule::MIN_ITEMS,
        rule::MAX_ITEMS,
        rule::UNIQUE_ITEMS,
        rule::ORDER,
        rule::REFERENCE_FORM,
    ]);
    assert_eq!(rules, expected, "the built-in catalogs use all rules but `const`");
}

fn try_case(place: &str, schema: &Schema, Case { document, breaks }: Case) {
    let (root, document_) = (NodePath::root(), document.clone());
    // As the appliance, which may set every member.
    let found = check_by(schema, &root, document_, Secrets::Plain, Author::Appliance);
    match (found, breaks) {
        (Ok(_), None) => {}
        (Ok(_), Some(expected)) => panic!("{place}: {document} should break {expected:?}"),
        (Err(found), None) => panic!("{place}: {document} should be accepted: {found:?}"),
        (Err(found), Some((pointer, rule))) => assert!(
            found.iter().any(|v| v.pointer == pointer && v.rule == rule),
            "{place}: {document} should break {rule} at {pointer:?} and breaks {found:?}"
        ),
    }
}

// ===== A document that fits =====

fn sample(schema: &Schema) -> Value {
    if let Some(reference) = &schema.reference {
        return key(reference, "k").into();
    }
    if let Some(allowed) = &schema.allowed {
        return allowed[0].clone();
    }
    if let Some(constant) = &schema.constant {
        return Value::clone(constant);
    }
    let kinds = JsonType::ALL.into_iter().filter(|kind| *kind != JsonType::Null);
    match kinds.into_iter().find(|kind| schema.types.admits(*kind)).unwrap() {
        JsonType::Null => Value::Null,
        JsonType::Boolean => true.into(),
        JsonType::Integer | JsonType::Number => {
            let bound = schema.number.min.clone().or_else(|| schema.number.max.clone());
            bound.map_or_else(|| json!(1), Value::Number)
        }
        JsonType::String => texts_for(&schema.text)[0].into(),
        JsonType::Array => {
            let items = schema.list.items.as_deref();
            let least = schema.list.min.unwrap_or(0).max(usize::from(items.is_some()));
            (0..least).map(|_| items.map_or(Value::Null, sample)).collect()
        }
        JsonType::Object => match &schema.shape {
            Shape::Any => json!({}),
            Shape::Members(members) => Value::Object(settled(members, &assignments(members)[0])),
            Shape::Union(union) => branch_sample(union, 0),
            Shape::OrderedMap(item) => json!({ORDER: ["k"], "k": sample(item)}),
        },
    }
}

fn branch_sample(union: &Union, at: usize) -> Value {
    let branch = &union.branches[at];
    let mut members = settled(&branch.members, &assignments(&branch.members)[0]);
    members.insert(union.tag.clone(), branch.tag.clone().into());
    Value::Object(members)
}

fn key(reference: &ReferenceRule, member: &str) -> String {
    let steps = reference.fragment.iter().map(|step| match step {
        FragmentStep::Name(name) => name,
        FragmentStep::Any => "k",
    });
    std::iter::once(member).chain(steps).collect::<Vec<_>>().join(".")
}

// Members on whose values the presence or nullness of others depends.
fn controllers(members: &Members) -> BTreeSet<&str> {
    let conditions = members.properties.iter().flat_map(conditions);
    conditions.flat_map(|condition| condition.0.iter().map(|(name, _)| name.as_str())).collect()
}

fn conditions(property: &Property) -> impl Iterator<Item = &Condition> {
    [&property.required_when, &property.absent_when, &property.null_when].into_iter().flatten()
}

type Assignment = Vec<(String, Value)>;

// Every combination of values that those members can have.
fn assignments(members: &Members) -> Vec<Assignment> {
    let mut all = vec![Vec::new()];
    for name in controllers(members) {
        let schema = &members.property(name).unwrap().schema;
        let values = match &schema.allowed {
            Some(allowed) => allowed.to_vec(),
            None if schema.types.admits(JsonType::Boolean) => vec![json!(true), json!(false)],
            None => vec![sample(schema)],
        };
        all = all
            .into_iter()
            .flat_map(|former: Assignment| {
                let with = move |value: &Value| {
                    let mut next = former.clone();
                    next.push((name.to_owned(), value.clone()));
                    next
                };
                values.iter().map(with).collect::<Vec<_>>()
            })
            .collect();
    }
    all
}

// All members that may stand there when some have these values.
fn settled(members: &Members, assignment: &Assignment) -> Map<String, Value> {
    let mut map = Map::new();
    for property in &members.properties {
        let stated = assignment.iter().find(|(name, _)| *name == property.name);
        let value = stated.map_or_else(|| member_sample(members, property), |(_, v)| v.clone());
        map.insert(property.name.clone(), value);
    }
    let spare = members.exactly_one_of.iter().skip(1);
    spare.for_each(|name| drop(map.remove(name)));
    for property in &members.properties {
        if property.absent_when.as_ref().is_some_and(|when| when.holds(&map)) {
            map.remove(&property.name);
        }
    }
    let null = |property: &&Property| property.null_when.as_ref().is_some_and(|w| w.holds(&map));
    let null: Vec<String> =
        members.properties.iter().filter(null).map(|property| property.name.clone()).collect();
    for name in null.into_iter().filter(|name| map.contains_key(name)).collect::<Vec<_>>() {
        map.insert(name, Value::Null);
    }
    map
}

fn member_sample(members: &Members, property: &Property) -> Value {
    match &members.identity {
        Some(identity) if identity.certificate == property.name => RSA.0.into(),
        Some(identity) if identity.private_key == property.name => RSA.1.into(),
        Some(identity) if identity.issuers.as_ref() == Some(&property.name) => json!([]),
        _ => sample(&property.schema),
    }
}

// ===== Cases =====

fn value_cases(schema: &Schema, spot: Spot<'_>, cases: &mut Cases) {
    cases.good(spot, sample(schema));
    if let Some(reference) = &schema.reference {
        return reference_cases(schema, reference, spot, cases);
    }
    for value in [json!(null), json!(false), json!(7), json!(0.5), json!("§"), json!([]), json!({})]
    {
        if !schema.types.admits(JsonType::of(&value)) {
            cases.bad(spot, value, rule::TYPE);
        }
    }
    if !schema.types.is_any() && schema.types.admits(JsonType::Null) && schema.allowed.is_none() {
        cases.good(spot, Value::Null);
    }
    if let Some(allowed) = &schema.allowed {
        allowed.iter().for_each(|value| cases.good(spot, value.clone()));
        cases.bad(spot, json!("§"), rule::ENUM);
        return;
    }
    if schema.types.is_any() {
        return;
    }
    if schema.types.admits(JsonType::Integer) {
        number_cases(schema, spot, cases);
    }
    if schema.types.admits(JsonType::String) {
        text_cases(schema, spot, cases);
    }
    if schema.types.admits(JsonType::Array) {
        list_cases(schema, spot, cases);
    }
    if schema.types.admits(JsonType::Object) {
        match &schema.shape {
            Shape::Any => {}
            Shape::Members(members) => member_cases(members, None, spot, cases),
            Shape::Union(union) => union_cases(union, spot, cases),
            Shape::OrderedMap(item) => map_cases(item, spot, cases),
        }
    }
}

// A name is a text and nothing else; the empty one means that there is no reference.
fn name_cases(schema: &Schema, reference: &ReferenceRule, spot: Spot<'_>, cases: &mut Cases) {
    cases.good(spot, json!("k"));
    let mut bad = vec![json!(7), json!(["k"]), json!({}), json!({"key": "k"})];
    let null_fits = schema.types.admits(JsonType::Null);
    bad.extend((!null_fits).then_some(Value::Null));
    for value in bad {
        cases.bad(spot, value, rule::REFERENCE_FORM);
    }
    match reference.must_exist {
        true => cases.bad(spot, json!(""), rule::REFERENCE_FORM),
        false => cases.good(spot, json!("")),
    }
}

fn reference_cases(schema: &Schema, reference: &ReferenceRule, spot: Spot<'_>, cases: &mut Cases) {
    if reference.by.is_some() {
        return name_cases(schema, reference, spot, cases);
    }
    let key = key(reference, "k");
    cases.good(spot, json!({"key": key, "meta": {"href": "anything"}}));
    cases.good(spot, json!({"key": key}));
    let mut bad = vec![
        json!(""),
        json!("a/b"),
        json!("@k"),
        json!(7),
        json!([key]),
        json!({}),
        json!({"meta": {}}),
        json!({"key": 7}),
        json!({"key": key, "body": {}}),
    ];
    if !reference.fragment.is_empty() {
        bad.extend([json!("k"), json!(format!("{key}.k")), json!(key.replace('.', "/"))]);
        bad.push(json!(key.replacen(".k", ".@order", 1)));
    }
    bad.into_iter().for_each(|value| cases.bad(spot, value, rule::REFERENCE_FORM));
    if schema.types.admits(JsonType::Null) {
        cases.good(spot, Value::Null);
    } else {
        cases.bad(spot, Value::Null, rule::REFERENCE_FORM);
    }
}

fn number_cases(schema: &Schema, spot: Spot<'_>, cases: &mut Cases) {
    let beyond = |bound: &Number, by: i64| json!(bound.as_i64().unwrap() + by);
    if let Some(min) = &schema.number.min {
        cases.good(spot, Value::Number(min.clone()));
        cases.bad(spot, beyond(min, -1), rule::MINIMUM);
    }
    if let Some(max) = &schema.number.max {
        cases.good(spot, Value::Number(max.clone()));
        cases.bad(spot, beyond(max, 1), rule::MAXIMUM);
    }
}

fn text_cases(schema: &Schema, spot: Spot<'_>, cases: &mut Cases) {
    texts_for(&schema.text).into_iter().for_each(|text| cases.good(spot, text.into()));
    let mut tries = vec![String::new(), "§ \u{0}".into(), "x y".into(), "-".into()];
    for bound in [schema.text.min, schema.text.max].into_iter().flatten() {
        tries.extend([bound.saturating_sub(1), bound, bound + 1].map(|n| "x".repeat(n)));
    }
    for text in tries {
        let faults = text_faults(&schema.text, &text);
        if faults.is_empty() {
            cases.good(spot, text.into());
        } else {
            faults.iter().for_each(|(rule, _)| cases.bad(spot, text.clone().into(), rule));
        }
    }
    // What the rules say, and not only what the check makes of them.
    let says = |rule: &str, cases: &Cases| {
        let breaks =
            |case: &Case| case.breaks.as_ref().is_some_and(|b| b.0 == spot.pointer && b.1 == rule);
        cases.0.iter().any(breaks)
    };
    let text = &schema.text;
    for (stated, rule) in [
        (text.min.is_some_and(|min| min > 0), rule::MIN_LENGTH),
        (text.max.is_some(), rule::MAX_LENGTH),
        (text.pattern.is_some(), rule::PATTERN),
        (text.format.is_some(), rule::FORMAT),
    ] {
        assert_eq!(says(rule, cases), stated, "{} {rule}", spot.pointer);
    }
}

fn list_cases(schema: &Schema, spot: Spot<'_>, cases: &mut Cases) {
    let item = schema.list.items.as_deref().map_or(json!(1), sample);
    let of = |count: usize| Value::Array(vec![item.clone(); count]);
    let least = schema.list.min.unwrap_or(0);
    if least > 0 {
        cases.bad(spot, of(least - 1), rule::MIN_ITEMS);
    }
    if let Some(max) = schema.list.max {
        cases.bad(spot, of(max + 1), rule::MAX_ITEMS);
    }
    if schema.list.unique {
        cases.bad_at(spot, of(2), format!("{}/1", spot.pointer), rule::UNIQUE_ITEMS);
    }
    if let Some(items) = &schema.list.items {
        let pointer = format!("{}/0", spot.pointer);
        let with = |value: Value| {
            let rest = std::iter::repeat_n(item.clone(), least.saturating_sub(1));
            (spot.with)(std::iter::once(value).chain(rest).collect())
        };
        value_cases(items, Spot { pointer: &pointer, with: &with, controls: spot.controls }, cases);
    }
}

fn map_cases(item: &Schema, spot: Spot<'_>, cases: &mut Cases) {
    let (good, order) = (sample(item), format!("{}/{ORDER}", spot.pointer));
    cases.good(spot, json!({ORDER: []}));
    cases.good(spot, json!({ORDER: ["b", "a"], "a": good, "b": good}));
    cases.bad_at(spot, json!({"a": good}), order.clone(), rule::REQUIRED);
    cases.bad_at(spot, json!({ORDER: "a", "a": good}), order.clone(), rule::TYPE);
    cases.bad_at(spot, json!({ORDER: [1]}), format!("{order}/0"), rule::TYPE);
    cases.bad_at(spot, json!({ORDER: ["a", "b"], "a": good}), order.clone(), rule::ORDER);
    cases.bad_at(spot, json!({ORDER: [], "a": good}), order.clone(), rule::ORDER);
    let twice = json!({ORDER: ["a", "a"], "a": good});
    cases.bad_at(spot, twice, format!("{order}/1"), rule::UNIQUE_ITEMS);
    let pointer = format!("{}/a", spot.pointer);
    let with = |value: Value| (spot.with)(json!({ORDER: ["a"], "a": value}));
    value_cases(item, Spot { pointer: &pointer, with: &with, controls: spot.controls }, cases);
}

fn union_cases(union: &Union, spot: Spot<'_>, cases: &mut Cases) {
    let at_tag = format!("{}/{}", spot.pointer, union.tag);
    cases.bad_at(spot, json!({}), at_tag.clone(), rule::REQUIRED);
    for value in [json!(null), json!(1), json!([])] {
        cases.bad_at(spot, json!({(&*union.tag): value}), at_tag.clone(), rule::TYPE);
    }
    let other = json!({(&*union.tag): "§"});
    if union.others {
        cases.good(spot, json!({(&*union.tag): "§", "anything": [1]}));
    } else {
        cases.bad_at(spot, other, at_tag, rule::UNION_TAG);
    }
    for (at, branch) in union.branches.iter().enumerate() {
        cases.good(spot, branch_sample(union, at));
        member_cases(&branch.members, Some((union, at)), spot, cases);
    }
}

fn member_cases(
    members: &Members,
    branch: Option<(&Union, usize)>,
    spot: Spot<'_>,
    cases: &mut Cases,
) {
    let tagged = |mut map: Map<String, Value>| {
        let tag = branch.map(|(union, at)| (union.tag.clone(), union.branches[at].tag.clone()));
        map.extend(tag.map(|(name, value)| (name, value.into())));
        Value::Object(map)
    };
    let all = assignments(members);
    let controllers = controllers(members);
    for assignment in &all {
        cases.good(spot, tagged(settled(members, assignment)));
    }
    let base = settled(members, &all[0]);
    stranger_cases(members, branch, &tagged, &base, spot, cases);
    if let Some(switch) = &members.switch {
        switch_cases(members, switch, &tagged, &base, spot, cases);
    }
    choice_cases(members, &tagged, &base, spot, cases);
    for property in &members.properties {
        let controls = controllers.contains(&*property.name)
            || members.switch.as_ref() == Some(&property.name)
            || members.identity.is_some();
        for assignment in &all {
            presence_cases(members, property, assignment, controls, &tagged, spot, cases);
        }
        let may_stand = |assignment: &&Assignment| {
            let map = settled(members, assignment);
            map.get(&property.name).is_some_and(|value| !value.is_null())
        };
        let mut map = settled(members, all.iter().find(may_stand).unwrap_or(&all[0]));
        if members.exactly_one_of.contains(&property.name) {
            map.retain(|name, _| !members.exactly_one_of.contains(name));
        }
        let pointer = format!("{}/{}", spot.pointer, property.name);
        let with = |value: Value| {
            let mut map = map.clone();
            map.insert(property.name.clone(), value);
            (spot.with)(tagged(map))
        };
        // Where null depends on others, it is tried with them above.
        let mut schema = Schema::clone(&property.schema);
        if property.null_when.is_some() {
            schema.types = without_null(&schema);
        }
        if property.null_when.is_some() && schema.reference.is_some() {
            continue;
        }
        let controls = controls || spot.controls;
        value_cases(&schema, Spot { pointer: &pointer, with: &with, controls }, cases);
    }
}

fn without_null(schema: &Schema) -> crate::schema::Types {
    let kinds = JsonType::ALL.into_iter().filter(|kind| *kind != JsonType::Null);
    kinds
        .filter(|kind| schema.types.admits(*kind))
        .fold(Default::default(), |t: crate::schema::Types, k| t.with(k))
}

type Tagged<'t> = &'t dyn Fn(Map<String, Value>) -> Value;

// A member that is not known, and those that other branches know.
fn stranger_cases(
    members: &Members,
    branch: Option<(&Union, usize)>,
    tagged: Tagged<'_>,
    base: &Map<String, Value>,
    spot: Spot<'_>,
    cases: &mut Cases,
) {
    let with = |name: &str| {
        let mut map = base.clone();
        map.insert(name.to_owned(), json!(1));
        tagged(map)
    };
    if members.unknown != Unknown::Refuse {
        cases.good(spot, with("§"));
        return;
    }
    cases.bad_at(spot, with("§"), format!("{}/§", spot.pointer), rule::UNKNOWN_MEMBER);
    let Some((union, _)) = branch else { return };
    let others = union.branches.iter().flat_map(|branch| branch.members.names());
    for name in others.filter(|name| members.property(name).is_none()) {
        cases.bad_at(spot, with(name), format!("{}/{name}", spot.pointer), rule::ABSENT);
    }
}

fn switch_cases(
    members: &Members,
    switch: &str,
    tagged: Tagged<'_>,
    base: &Map<String, Value>,
    spot: Spot<'_>,
    cases: &mut Cases,
) {
    let off = Map::from_iter([(switch.to_owned(), json!(false))]);
    cases.good(spot, tagged(off.clone()));
    let others = base.iter().filter(|(name, _)| *name != switch);
    let stranger = ("§".to_owned(), json!(1));
    for (name, value) in
        others.chain((members.unknown == Unknown::Keep).then_some((&stranger.0, &stranger.1)))
    {
        let mut map = off.clone();
        map.insert(name.clone(), value.clone());
        cases.bad_at(spot, tagged(map), format!("{}/{name}", spot.pointer), rule::ABSENT);
    }
}

fn choice_cases(
    members: &Members,
    tagged: Tagged<'_>,
    base: &Map<String, Value>,
    spot: Spot<'_>,
    cases: &mut Cases,
) {
    let Some(first) = members.exactly_one_of.first() else { return };
    let mut none = base.clone();
    none.remove(first);
    cases.bad(spot, tagged(none.clone()), rule::EXACTLY_ONE_OF);
    for name in &members.exactly_one_of {
        let value = sample(&members.property(name).unwrap().schema);
        let mut one = none.clone();
        one.insert(name.clone(), value.clone());
        cases.good(spot, tagged(one));
        if name != first {
            let mut two = base.clone();
            two.insert(name.clone(), value);
            cases.bad(spot, tagged(two), rule::EXACTLY_ONE_OF);
        }
    }
}

// A member that is there, absent and null, while others have certain values.
fn presence_cases(
    members: &Members,
    property: &Property,
    assignment: &Assignment,
    controls: bool,
    tagged: Tagged<'_>,
    spot: Spot<'_>,
    cases: &mut Cases,
) {
    let name = &property.name;
    if members.exactly_one_of.contains(name) {
        return;
    }
    let map = settled(members, assignment);
    let holds = |when: &Option<Condition>| when.as_ref().is_some_and(|when| when.holds(&map));
    let at = format!("{}/{name}", spot.pointer);
    let spot = Spot { controls: controls || spot.controls, ..spot };
    let mut without = map.clone();
    without.remove(name);
    if property.required || holds(&property.required_when) {
        cases.bad_at(spot, tagged(without), at.clone(), rule::REQUIRED);
    } else {
        cases.good(spot, tagged(without));
    }
    let with = |value: Value| {
        let mut map = map.clone();
        map.insert(name.clone(), value);
        tagged(map)
    };
    if holds(&property.absent_when) {
        cases.bad_at(spot, with(member_sample(members, property)), at, rule::ABSENT);
        return;
    }
    let Some(when) = &property.null_when else { return };
    let (good, bad) = match when.holds(&map) {
        true => (Value::Null, sample(&property.schema)),
        false => (sample(&property.schema), Value::Null),
    };
    cases.good(spot, with(good));
    cases.bad_at(spot, with(bad), at, rule::NULL_WHEN);
}
