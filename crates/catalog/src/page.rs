//! A catalog as a page for people: every endpoint with what is known of it.
//!
//! Made from the compiled catalog and not from its files, so that it says what is enforced, after
//! everything that files share or replace in each other is resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::catalog::Catalog;
use crate::check::count;
use crate::endpoint::{Endpoint, EndpointKind};
use crate::schema::{
    Condition, FragmentStep, JsonType, Members, Property, ReferenceRule, Schema, Shape, Unknown,
};

/// A page in Markdown that lists every endpoint with kind, fidelity, operations, fields, rules,
/// references and source.
#[must_use]
pub fn reference_page(catalog: &Catalog) -> String {
    let mut page = format!("# The catalog {}\n\n", catalog.name());
    page.push_str(
        "<!-- Made from config/catalogs by `make generated`; do not edit. docs/CATALOG.md explains \
         the words. -->\n\n",
    );
    if !catalog.description().is_empty() {
        let _ = writeln!(page, "{}\n", line(catalog.description()));
    }
    let _ = writeln!(page, "Transactions are {}.\n", catalog.default_mode());
    overview(catalog, &mut page);
    let users = users(catalog);
    for endpoint in catalog.endpoints() {
        section(endpoint, &users, &mut page);
    }
    page
}

fn overview(catalog: &Catalog, page: &mut String) {
    page.push_str("| path | title | kind | fidelity | operations |\n|---|---|---|---|---|\n");
    for endpoint in catalog.endpoints() {
        let path = endpoint.path();
        let _ = writeln!(
            page,
            "| [`{path}`](#{}) | {} | {} | {} | {} |",
            anchor(endpoint),
            line(endpoint.title()),
            endpoint.kind().name(),
            endpoint.fidelity(),
            operations(endpoint),
        );
    }
}

fn section(endpoint: Endpoint<'_>, users: &BTreeMap<String, BTreeSet<String>>, page: &mut String) {
    let path = endpoint.path().to_string();
    let _ = write!(page, "\n## {path}\n\n**{}.**", line(endpoint.title()));
    if !endpoint.description().is_empty() {
        let _ = write!(page, " {}", line(endpoint.description()));
    }
    let _ = writeln!(
        page,
        "\n\n- {}, {} fidelity, operations: {}",
        endpoint.kind().name(),
        endpoint.fidelity(),
        operations(endpoint)
    );
    if endpoint.is_lifetime_referenced() {
        page.push_str("- members that nothing refers to are dropped at commit\n");
    }
    if endpoint.is_exclusive() {
        page.push_str("- a member is referred to from one place at most\n");
    }
    if let Some(users) = users.get(&path) {
        let users: Vec<String> = users.iter().map(|user| format!("`{user}`")).collect();
        let _ = writeln!(page, "- referred to from {}", users.join(", "));
    }
    if let Some(source) = endpoint.source() {
        let _ = writeln!(page, "- source: {}", line(source));
    }
    if endpoint.kind() == EndpointKind::Folder {
        return;
    }
    fields(endpoint.schema(), page);
    if let Some(default) = endpoint.default() {
        json_block("Of a fresh appliance:", default, page);
    }
    for (key, body) in endpoint.members() {
        json_block(&format!("The built-in member `{key}`:"), body, page);
    }
    for example in endpoint.examples() {
        json_block(&format!("Example, {}:", line(&example.title)), &example.body, page);
    }
}

fn fields(schema: &Schema, page: &mut String) {
    let mut rows = Vec::new();
    describe(schema, "", Vec::new(), &mut rows);
    page.push_str("\n| field | type | rules | meaning |\n|---|---|---|---|\n");
    for Row { field, kind, rules, meaning } in rows {
        let field = if field.is_empty() { "(the body)".to_owned() } else { format!("`{field}`") };
        let _ = writeln!(page, "| {field} | {kind} | {} | {meaning} |", rules.join("; "));
    }
}

// Who refers to a collection, by the collection's path.
fn users(catalog: &Catalog) -> BTreeMap<String, BTreeSet<String>> {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for endpoint in catalog.endpoints() {
        let mut rules = Vec::new();
        references(endpoint.schema(), &mut rules);
        for rule in rules {
            users
                .entry(rule.collection.to_string())
                .or_default()
                .insert(endpoint.path().to_string());
        }
    }
    users
}

fn references<'s>(schema: &'s Schema, found: &mut Vec<&'s ReferenceRule>) {
    found.extend(schema.reference.as_deref());
    if let Some(items) = &schema.list.items {
        references(items, found);
    }
    let mut of = |members: &'s Members| {
        members.properties.iter().for_each(|property| references(&property.schema, found));
    };
    match &schema.shape {
        Shape::Any => {}
        Shape::Members(members) => of(members),
        Shape::Union(union) => union.branches.iter().for_each(|branch| of(&branch.members)),
        Shape::OrderedMap(item) => references(item, found),
    }
}

struct Row {
    field: String,
    kind: String,
    rules: Vec<String>,
    meaning: String,
}

// A value and everything in it, one row each.
fn describe(schema: &Schema, field: &str, presence: Vec<String>, rows: &mut Vec<Row>) {
    let mut rules = presence;
    value_rules(schema, &mut rules);
    rows.push(Row { field: field.to_owned(), kind: kind(schema), rules, meaning: meaning(schema) });
    if let Some(items) = &schema.list.items {
        describe(items, &format!("{field}[]"), Vec::new(), rows);
    }
    match &schema.shape {
        Shape::Any => {}
        Shape::Members(members) => describe_members(members, field, None, rows),
        Shape::OrderedMap(item) => {
            describe(item, &joined(field, "*"), vec!["one for each key in `@order`".into()], rows);
        }
        Shape::Union(union) => {
            let tag = joined(field, &union.tag);
            let tags: Vec<&str> = union.tags().collect();
            let mut rules = vec!["required".to_owned(), format!("one of {}", code_list(&tags))];
            if union.others {
                rules.push("or another text, with any further members".into());
            }
            let kind = "a string".to_owned();
            rows.push(Row { field: tag.clone(), kind, rules, meaning: String::new() });
            for branch in &union.branches {
                let when = format!("when `{tag}` is `{}`", branch.tag);
                describe_members(&branch.members, field, Some(&when), rows);
            }
        }
    }
}

fn describe_members(members: &Members, field: &str, when: Option<&str>, rows: &mut Vec<Row>) {
    for property in &members.properties {
        let name = joined(field, &property.name);
        let mut rules = vec![presence(members, property, field)];
        rules.extend(when.map(|when| format!("only {when}")));
        for (condition, what) in [
            (&property.required_when, "required"),
            (&property.absent_when, "absent"),
            (&property.null_when, "null exactly"),
        ] {
            if let Some(condition) = condition {
                rules.push(format!("{what} when {}", holds(condition, field)));
            }
        }
        if property.unique {
            rules.push("unique in the collection".into());
        }
        describe(&property.schema, &name, rules, rows);
    }
    if members.unknown == Unknown::Keep {
        let rules = when.map(str::to_owned).into_iter().collect();
        let (kind, meaning) = ("any".to_owned(), "Others are accepted.".to_owned());
        rows.push(Row { field: joined(field, "…"), kind, rules, meaning });
    }
}

fn presence(members: &Members, property: &Property, field: &str) -> String {
    let word = if property.required { "required" } else { "optional" };
    if members.exactly_one_of.contains(&property.name) {
        let names: Vec<&str> = members.exactly_one_of.iter().map(String::as_str).collect();
        return format!("exactly one of {}", code_list(&names));
    }
    match &members.switch {
        Some(switch) if *switch != property.name => {
            format!("{word} when `{}` is true, otherwise absent", joined(field, switch))
        }
        _ => word.to_owned(),
    }
}

fn holds(condition: &Condition, field: &str) -> String {
    let one = |(name, values): &(String, Vec<Value>)| {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        format!("`{}` is {}", joined(field, name), values.join(" or "))
    };
    condition.0.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn kind(schema: &Schema) -> String {
    if let Some(reference) = &schema.reference {
        let null = if schema.types.admits(JsonType::Null) { ", or null" } else { "" };
        return format!("{}{null}", reference_kind(reference));
    }
    match schema.types.is_any() {
        true if schema.allowed.is_some() || schema.constant.is_some() => "a value".into(),
        true => "any".into(),
        false => schema.types.to_string(),
    }
}

fn reference_kind(reference: &ReferenceRule) -> String {
    let collection = &reference.collection;
    if let Some(by) = &reference.by {
        return format!("reference to a member of `{collection}` by its `{}`", by.member);
    }
    if reference.fragment.is_empty() {
        return format!("reference to a member of `{collection}`");
    }
    let steps: Vec<&str> = reference
        .fragment
        .iter()
        .map(|step| match step {
            FragmentStep::Name(name) => name,
            FragmentStep::Any => "*",
        })
        .collect();
    format!("reference to `{}` of a member of `{collection}`", steps.join("/"))
}

fn value_rules(schema: &Schema, rules: &mut Vec<String>) {
    if let Some(allowed) = &schema.allowed {
        let values: Vec<String> = allowed.iter().map(|value| format!("`{value}`")).collect();
        rules.push(format!("one of {}", values.join(", ")));
    }
    rules.extend(schema.constant.iter().map(|value| format!("`{value}`")));
    rules.extend(schema.number.min.iter().map(|min| format!("at least {min}")));
    rules.extend(schema.number.max.iter().map(|max| format!("at most {max}")));
    text_rules(schema, rules);
    rules.extend(schema.list.min.map(|min| format!("at least {}", count(min, "item"))));
    rules.extend(schema.list.max.map(|max| format!("at most {}", count(max, "item"))));
    if schema.list.unique {
        rules.push("no item twice".into());
    }
    if let Some(secret) = schema.reference.as_ref().and_then(|rule| rule.secret.as_ref()) {
        let mut of_text = Vec::new();
        text_rules(&secret.text, &mut of_text);
        rules.push(format!("the text of the secret: {}", of_text.join(", ")));
    }
    rules.extend(schema.notes.default.iter().map(|value| format!("default `{value}`")));
    if let Shape::Members(members) = &schema.shape
        && let Some(identity) = &members.identity
    {
        let (key, certificate) = (&identity.private_key, &identity.certificate);
        rules.push(format!("`{key}` belongs to `{certificate}`"));
        let chain = identity.issuers.iter();
        rules.extend(chain.map(|name| format!("each of `{name}` issued the one before it")));
    }
}

fn text_rules(schema: &Schema, rules: &mut Vec<String>) {
    let text = &schema.text;
    rules.extend(text.min.map(|min| format!("at least {}", count(min, "character"))));
    rules.extend(text.max.map(|max| format!("at most {}", count(max, "character"))));
    match (&text.hint, &text.pattern) {
        (Some(hint), _) => rules.push(escaped(hint)),
        (None, Some(pattern)) => {
            rules.push(format!("matches `{}`", pattern.0.as_str().replace('|', "\\|")));
        }
        (None, None) => {}
    }
    rules.extend(text.format.map(|format| format!("format `{}`", format.name())));
    if schema.secret {
        rules.push("secret".into());
    }
}

fn meaning(schema: &Schema) -> String {
    let title = schema.title().map(|title| format!("{}.", line(title)));
    let description = schema.description().map(line);
    title.into_iter().chain(description).collect::<Vec<_>>().join(" ")
}

fn operations(endpoint: Endpoint<'_>) -> String {
    let read = (endpoint.kind() != EndpointKind::Folder).then_some("read");
    read.into_iter().chain(endpoint.operations().words()).collect::<Vec<_>>().join(", ")
}

fn json_block(title: &str, value: &Value, page: &mut String) {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let _ = write!(page, "\n{title}\n\n```json\n{text}\n```\n");
}

// As GitHub makes one of a heading.
fn anchor(endpoint: Endpoint<'_>) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-');
    endpoint.path().to_string().chars().filter(kept).collect::<String>().to_lowercase()
}

fn joined(field: &str, name: &str) -> String {
    if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") }
}

fn code_list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

// Words of the catalog's author on one line of a table.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "\\|`*_<[]".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_generated_pages_are_current() {
        #[expect(clippy::disallowed_methods, reason = "asks the person who runs the test")]
        let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
        for name in Catalog::builtin_names() {
            let catalog = Catalog::builtin(name).unwrap().unwrap();
            let (path, page) = (folder.join(format!("{name}.md")), reference_page(&catalog));
            if update {
                std::fs::write(&path, &page).unwrap();
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(there == page, "docs/reference/{name}.md is not current: run `make generated`");
        }
    }

    #[test]
    fn the_page_names_every_endpoint_and_field() {
        let catalog = Catalog::builtin("sps-6.2").unwrap().unwrap();
        let page = reference_page(&catalog);
        for endpoint in catalog.endpoints() {
            assert!(page.contains(&format!("\n## {}\n", endpoint.path())), "{endpoint:?}");
        }
        for said in [
            "| `smtp_auth.password` | reference to a member of `/passwords` | required when `smtp_auth.enabled` is true, otherwise absent |",
            "| `version.value.encryption_password` | reference to a member of `/passwords`, or null | required; null exactly when `version.value.encryption_method` is `\"none\"`; the text of the secret: at least 8 characters, ",
            "| `interfaces.*.addresses.*` | a string | one for each key in `@order`; format `cidr` |",
            "| `listen_address` | reference to `interfaces/*/addresses/*` of a member of `/network/nics` |",
            "- referred to from `/http/channel_policies`, ",
        ] {
            assert!(page.contains(said), "{said}");
        }
        let rows = page.lines().filter(|line| line.starts_with('|'));
        for row in rows {
            let cells = row.replace("\\|", "").matches('|').count();
            assert!(cells == 5 || cells == 6, "{row}");
        }
    }
}
