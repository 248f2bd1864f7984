//! The interpreter accepts exactly what a JSON Schema library accepts of the lowered schema.
//!
//! Documents are grown from the schemas themselves, so that most are valid or nearly so, and then
//! damaged a little: random JSON would be refused at its first member and prove nothing.

use std::cell::Cell;
use std::collections::BTreeMap;

use config_tree::{Key, NodePath};
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::check::{self, Author, Secrets};
use crate::format::Format;
use crate::samples::{TEXTS, texts_for};
use crate::schema::{FragmentStep, JsonType, Members, Schema, Shape, compare};
use crate::{Catalog, rule};

// Rules that plain JSON Schema cannot state.
const BEYOND: [&str; 3] = [rule::ORDER, rule::KEY_PAIR, rule::ISSUER_CHAIN];

// Every keyword, and the combinations in which one could disturb another.
const EVERYTHING: &str = r##"
kind: object
title: Everything
schema:
  type: object
  additionalProperties: false
  required: [numbers, choice, group]
  properties:
    numbers:
      type: object
      additionalProperties: true
      properties:
        any: {type: number, minimum: -1.5, maximum: 2.5}
        whole: {type: integer, minimum: -3, maximum: 10}
        wide: {type: integer}
        both: {type: [integer, string], minimum: 1, minLength: 2, maxLength: 5}
        loose: {minimum: 3, minLength: 2, maxItems: 1, enum: [1, "ab", null, [1], {a: 1.0}]}
        fixed: {const: 7}
    texts:
      type: array
      uniqueItems: true
      minItems: 1
      maxItems: 4
      items: {type: string, pattern: '^[a-z0-9.]*$', maxLength: 20}
    mixed: {type: array, uniqueItems: true}
    choice:
      type: [object, "null"]
      x-union:
        tag: type
        branches:
          empty: {}
          open: {additionalProperties: true, properties: {value: {type: string}}}
          opening:
            x-switch: on
            additionalProperties: true
            properties:
              on: {type: boolean}
              may: {type: integer}
          group:
            x-switch: on
            required: [must]
            properties:
              on: {type: boolean}
              must: {type: string, minLength: 1}
              may: {type: integer, default: 3}
          nested:
            required: [value]
            properties:
              value:
                x-union:
                  tag: selection
                  branches:
                    a: {required: [value], properties: {value: {type: integer}}}
                    b: {required: [value], properties: {value: {type: boolean}}}
    group:
      type: [object, boolean]
      x-switch: enabled
      x-exactly-one-of: [plain, hash]
      required: [mode]
      properties:
        enabled: {type: boolean}
        plain: {type: string, x-secret: true}
        hash: {type: string}
        mode: {enum: [none, some, all]}
        secret: {type: [string, "null"], x-null-when: {mode: none}}
        extra: {type: integer, x-required-when: {mode: [some, all]}}
        never: {type: integer, x-absent-when: {mode: all, extra: 1}}
    opening:
      x-switch: on
      additionalProperties: true
      required: [must]
      properties:
        on: {type: boolean}
        must: {type: string}
    guess:
      x-union:
        tag: kind
        others: true
        branches:
          a: {required: [value], properties: {value: {type: integer}}}
    references:
      type: object
      additionalProperties: false
      x-exactly-one-of: [one, many]
      properties:
        part: {x-reference: {collection: /boards, fragment: ports/*}}
        pin:
          type: [string, "null"]
          x-reference: {collection: /boards, fragment: ports/*/pins/*}
        one: {type: [string, "null"], x-reference: /things}
        many: {type: array, items: {x-reference: /things}}
    map: {x-ordered-map: {type: integer, minimum: 0}}
default: {numbers: {}, choice: null, group: false}
"##;

fn catalogs() -> Vec<Catalog> {
    let files = [
        ("catalog.yaml", "name: test\ntitle: Test\n"),
        ("everything.yaml", EVERYTHING),
        (
            "boards.yaml",
            "kind: collection
title: Boards
operations: [create]
schema:
  type: object
  additionalProperties: true
  required: [ports]
  properties:
    ports:
      x-ordered-map:
        type: object
        additionalProperties: false
        properties: {pins: {x-ordered-map: {type: integer}}}
",
        ),
        (
            "things.yaml",
            "kind: collection\ntitle: Things\nfidelity: opaque\noperations: [create]\n",
        ),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let own = Catalog::from_files(files).unwrap_or_else(|error| panic!("{error}"));
    let builtin = Catalog::builtin_names()
        .iter()
        .map(|name| Catalog::builtin(name).unwrap().unwrap_or_else(|error| panic!("{error}")));
    builtin.chain([own]).collect()
}

// Each schema once, with the first path that has it: many endpoints share one.
fn schemas(catalogs: &[Catalog]) -> Vec<(String, &Schema)> {
    let mut found: BTreeMap<String, (String, &Schema)> = BTreeMap::new();
    for catalog in catalogs {
        for endpoint in catalog.endpoints() {
            let place = format!("{} {}", catalog.name(), endpoint.path());
            let text = endpoint.schema().to_json_schema().to_string();
            found.entry(text).or_insert((place, endpoint.schema()));
        }
    }
    found.into_values().collect()
}

fn validator(schema: &Schema) -> Validator {
    let mut options = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("node-key", |text: &str| Key::parse(text).is_ok());
    for format in Format::ALL {
        options = options.with_format(format.name(), move |text: &str| format.check(text).is_ok());
    }
    options.build(&schema.to_json_schema()).unwrap()
}

fn accepts(schema: &Schema, document: &Value) -> Result<(), crate::Violations> {
    match check::check_by(
        schema,
        &NodePath::root(),
        document.clone(),
        Secrets::Plain,
        Author::Appliance,
    ) {
        Ok(_) => Ok(()),
        Err(violations) if violations.iter().all(|v| BEYOND.contains(&v.rule)) => Ok(()),
        Err(violations) => Err(violations),
    }
}

#[test]
fn the_interpreter_and_a_json_schema_library_accept_the_same() {
    for (place, schema) in schemas(&catalogs()) {
        let validator = validator(schema);
        let (valid, invalid) = (Cell::new(0), Cell::new(0));
        let documents = (grown(schema), mutations());
        let mut runner =
            TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(600) });
        let outcome = runner.run(&documents, |(mut document, mutations)| {
            mutations.into_iter().for_each(|mutation| mutate(&mut document, mutation));
            let ours = accepts(schema, &document);
            let theirs = validator.is_valid(&document);
            let count = if theirs { &valid } else { &invalid };
            count.set(count.get() + 1);
            prop_assert_eq!(ours.is_ok(), theirs, "{}\n{:?}", document, ours);
            Ok(())
        });
        let (valid, invalid) = (valid.get(), invalid.get());
        outcome.unwrap_or_else(|error| panic!("{place}: {error}"));
        let opaque = schema.to_json_schema() == Schema::any_object().to_json_schema();
        assert!(valid > 30, "{place}: only {valid} documents were valid");
        assert!(opaque || invalid > 30, "{place}: only {invalid} were not");
    }
}

#[test]
fn what_is_accepted_is_left_in_a_canonical_form() {
    for (place, schema) in schemas(&catalogs()) {
        let mut runner =
            TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
        let outcome = runner.run(&grown(schema), |document| {
            let root = NodePath::root();
            if let Ok(once) =
                check::check_by(schema, &root, document, Secrets::Plain, Author::Appliance)
            {
                let twice = check::check_by(
                    schema,
                    &root,
                    once.value.clone(),
                    Secrets::Plain,
                    Author::Appliance,
                );
                prop_assert_eq!(twice.as_ref(), Ok(&once));
                for reference in &once.references {
                    let found = once.value.pointer(&reference.pointer).and_then(Value::as_str);
                    let part = reference.fragment.iter().flat_map(|part| part.split('/'));
                    let steps: Vec<&str> =
                        reference.target.key().map(Key::as_str).into_iter().chain(part).collect();
                    let named = steps.join(".");
                    prop_assert_eq!(found, Some(named.as_str()));
                    prop_assert_eq!(schema.references_at(&reference.pointer).is_empty(), false);
                }
                let mut secrets = Vec::new();
                check::secrets(schema, &once.value, &check::Trail::ROOT, &mut secrets);
                prop_assert_eq!(&secrets, &once.secrets);
            }
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{place}: {error}"));
    }
}

// ===== Growing documents =====

fn numbers() -> Vec<Value> {
    let texts = "0 1 2 3 5 7 10 11 80 100 101 720 721 -1 -3 -4 0.5 2.5 2.6 -1.5 10.0 7.0 1e3 1e30 \
                 -1e30 9223372036854775808 18446744073709551615 18446744073709551616";
    texts.split_whitespace().map(|text| serde_json::from_str(text).unwrap()).collect()
}

// Documents that mostly fit the schema.
fn grown(schema: &Schema) -> BoxedStrategy<Value> {
    if let Some(reference) = &schema.reference {
        let key = |member: &str| {
            let steps = reference.fragment.iter().map(|step| match step {
                FragmentStep::Name(name) => name,
                FragmentStep::Any => "k",
            });
            json!(std::iter::once(member).chain(steps).collect::<Vec<_>>().join("."))
        };
        let mut forms = vec![
            key("k1"),
            key("k2"),
            json!({"key": key("k1")}),
            json!({"key": key("k1"), "meta": {}}),
        ];
        forms.extend(schema.types.admits(JsonType::Null).then_some(Value::Null));
        return select(forms).boxed();
    }
    if let Some(allowed) = &schema.allowed {
        return select(allowed.to_vec()).boxed();
    }
    if let Some(constant) = &schema.constant {
        return Just(Value::clone(constant)).boxed();
    }
    let kinds: Vec<_> = JsonType::ALL
        .into_iter()
        .filter(|kind| {
            schema.types.admits(*kind) && !schema.types.is_any()
                || *kind == JsonType::Null && schema.types.is_any()
        })
        .map(|kind| grown_of(schema, kind))
        .collect();
    proptest::strategy::Union::new(kinds).boxed()
}

fn grown_of(schema: &Schema, kind: JsonType) -> BoxedStrategy<Value> {
    match kind {
        JsonType::Null => Just(Value::Null).boxed(),
        JsonType::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        JsonType::Integer | JsonType::Number => {
            let fits = |value: &Value| {
                let Value::Number(number) = value else { return false };
                let kind = JsonType::of(value);
                schema.types.admits(kind)
                    && schema.number.min.as_ref().is_none_or(|min| compare(number, min).is_ge())
                    && schema.number.max.as_ref().is_none_or(|max| compare(number, max).is_le())
            };
            select(numbers().into_iter().filter(fits).collect::<Vec<_>>()).boxed()
        }
        JsonType::String => select(texts_for(&schema.text)).prop_map(Value::from).boxed(),
        JsonType::Array => {
            let items = schema.list.items.as_deref().map_or(Just(Value::Null).boxed(), grown);
            let most = schema.list.max.unwrap_or(3).min(3);
            prop::collection::vec(items, schema.list.min.unwrap_or(0)..=most)
                .prop_map(Value::from)
                .boxed()
        }
        JsonType::Object => match &schema.shape {
            Shape::Any => {
                select(vec![json!({}), json!({"a": 1}), json!({"body": {"b": []}})]).boxed()
            }
            Shape::Members(members) => grown_members(members, None),
            Shape::Union(union) => {
                let other = json!({(union.tag.clone()): "another", "value": []});
                let other = union.others.then(|| Just(other).boxed());
                let known = union.branches.iter().map(|branch| {
                    grown_members(&branch.members, Some((union.tag.clone(), branch.tag.clone())))
                });
                proptest::strategy::Union::new(known.chain(other)).boxed()
            }
            Shape::OrderedMap(item) => prop::collection::btree_map("[a-c]", grown(item), 0..3)
                .prop_map(|members| {
                    let mut members: Map<String, Value> = members.into_iter().collect();
                    let order = members.keys().cloned().map(Value::from).collect();
                    members.insert("@order".into(), order);
                    Value::Object(members)
                })
                .boxed(),
        },
    }
}

fn grown_members(members: &Members, tag: Option<(String, String)>) -> BoxedStrategy<Value> {
    let rules = members.clone();
    let values: Vec<_> = members
        .properties
        .iter()
        .map(|property| (Just(property.name.clone()), grown(&property.schema), any::<bool>()))
        .collect();
    (values, any::<Index>())
        .prop_map(move |(values, choice)| {
            let spare: Map<String, Value> =
                values.iter().map(|(name, value, _)| (name.clone(), value.clone())).collect();
            let wanted = |name: &str| rules.property(name).is_some_and(|p| p.required);
            let mut document: Map<String, Value> = values
                .into_iter()
                .filter(|(name, _, kept)| *kept || wanted(name))
                .map(|(name, value, _)| (name, value))
                .collect();
            if let Some(switch) = &rules.switch
                && spare.get(switch) == Some(&Value::Bool(false))
            {
                document.retain(|name, _| name == switch);
            } else {
                settle(&rules, &mut document, &spare, &choice);
            }
            document.extend(tag.clone().map(|(name, value)| (name, Value::from(value))));
            Value::Object(document)
        })
        .boxed()
}

// Makes a document obey the rules between members.
fn settle(
    rules: &Members,
    document: &mut Map<String, Value>,
    spare: &Map<String, Value>,
    choice: &Index,
) {
    if !rules.exactly_one_of.is_empty() {
        let chosen = choice.get(&rules.exactly_one_of);
        document.retain(|name, _| name == chosen || !rules.exactly_one_of.contains(name));
        document.insert(chosen.clone(), spare[chosen].clone());
    }
    for property in &rules.properties {
        let name = property.name.as_str();
        if property.required_when.as_ref().is_some_and(|when| when.holds(document)) {
            document.insert(name.into(), spare[name].clone());
        }
        if property.absent_when.as_ref().is_some_and(|when| when.holds(document)) {
            document.remove(name);
        }
        if property.null_when.as_ref().is_some_and(|when| when.holds(document))
            && document.contains_key(name)
        {
            document.insert(name.into(), Value::Null);
        }
    }
}

// ===== Damaging them =====

#[derive(Clone, Debug)]
struct Mutation {
    place: Index,
    kind: usize,
    with: Value,
    name: &'static str,
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let names = select(vec![
        "",
        "value",
        "selection",
        "enabled",
        "plain",
        "hash",
        "key",
        "meta",
        "body",
        "@order",
        "x",
        "mode",
        "extra",
        "never",
        "type",
        "must",
        "on",
        "kind",
    ]);
    let values = prop_oneof![
        2 => select(TEXTS.map(Value::from).to_vec()),
        2 => select(numbers()),
        3 => select(vec![
            Value::Null, json!(true), json!(false), json!([]), json!({}), json!(["a", "a"]),
            json!([1, 1.0]), json!({"key": "k"}), json!({"key": 1}), json!({"key": "k", "x": 1}),
            json!({"key": "a/b"}), json!([[1], [1.0]]), json!({"selection": "ip"}),
        ]),
    ];
    let mutation = (any::<Index>(), 0_usize..5, values, names)
        .prop_map(|(place, kind, with, name)| Mutation { place, kind, with, name });
    prop::collection::vec(mutation, 0..3)
}

fn mutate(document: &mut Value, mutation: Mutation) {
    let Mutation { place, kind, with, name } = mutation;
    let mut pointers = Vec::new();
    places(document, String::new(), &mut pointers);
    let pointer = place.get(&pointers);
    let Some(target) = document.pointer_mut(pointer) else { return };
    match (kind, target) {
        (0, Value::Object(members)) => {
            members.insert(name.to_owned(), with);
        }
        (1, Value::Object(members)) => {
            let names: Vec<String> = members.keys().cloned().collect();
            if !names.is_empty() {
                members.remove(place.get(&names));
            }
        }
        (2, Value::Array(items)) => {
            let more: Vec<Value> = items.iter().cloned().chain([with]).collect();
            items.extend(more);
        }
        (3, Value::Object(members)) => {
            let names: Vec<String> = members.keys().cloned().collect();
            if !names.is_empty()
                && let Some(value) = members.remove(place.get(&names))
            {
                members.insert(name.to_owned(), value);
            }
        }
        (_, target) => *target = with,
    }
}

fn places(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = config_tree::pointer::escape(name);
                places(value, format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(value, format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(pointer);
}
