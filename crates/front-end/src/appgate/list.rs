//! Lists: narrowed, sorted, and a range of them. Only what is in the range is built.

use std::borrow::Cow;

use config_tree::{Body, Key, Tree};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::access::Actor;
use super::profile;
use super::route::Resource;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::Failure;
use crate::{query, transport::Request};

/// What the members of a list may be narrowed and sorted by.
const FIELDS: [&str; 6] = ["id", "name", "notes", "tags", "created", "updated"];

/// The same, of client profiles in addition.
const PROFILE_FIELDS: [&str; 6] =
    ["type", "spaKeyName", "identityProviderName", "hostname", "globalHostname", "exported"];

/// What free text is looked for in.
const SEARCHED: [&str; 6] =
    ["name", "notes", "tags", "spaKeyName", "identityProviderName", "hostname"];

/// What a request asks of a list. What cannot be read is as if it were not there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    queries: Vec<String>,
    filters: Vec<(&'static str, String)>,
    range: Option<(usize, usize)>,
    order: Option<&'static str>,
    descending: bool,
}

impl Asked {
    fn read(query: &str, resource: Resource) -> Self {
        let mut asked = Self::default();
        for (name, value) in query::pairs(query).unwrap_or_default() {
            match &*name {
                "query" if value.is_empty() => {}
                "query" => asked.queries.push(value.into_owned()),
                "range" => asked.range = range(&value).or(asked.range),
                "orderBy" => asked.order = field(resource, &value).or(asked.order),
                "descending" => asked.descending = value.eq_ignore_ascii_case("true"),
                other => {
                    let field = field(resource, other);
                    asked.filters.extend(field.map(|field| (field, value.into_owned())));
                }
            }
        }
        asked
    }
}

// A field by its name.
fn field(resource: Resource, name: &str) -> Option<&'static str> {
    let more: &[&str] = if resource == Resource::Profiles { &PROFILE_FIELDS } else { &[] };
    FIELDS.iter().chain(more).copied().find(|field| *field == name)
}

// `a-b`, both included, from 1.
fn range(text: &str) -> Option<(usize, usize)> {
    let (from, to) = text.split_once('-')?;
    let number = |text: &str| {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse::<usize>().ok())?
    };
    let (from, to) = (number(from)?, number(to)?);
    (from <= to).then_some((from, to))
}

/// An object of a list, of which single fields can be asked.
#[derive(Clone, Copy)]
struct Row<'t> {
    tree: &'t Tree,
    resource: Resource,
    key: &'t Key,
    body: &'t Body,
}

impl<'t> Row<'t> {
    fn text(&self, field: &str) -> Cow<'t, str> {
        if field == "id" {
            return Cow::Borrowed(self.key.as_str());
        }
        let stored = |name: &str| self.body.value_at(&format!("/{name}"));
        let is_group = || stored("type").is_some_and(|kind| kind == "Group");
        let value = match field {
            _ if self.resource != Resource::Profiles => stored(field),
            "exported" => profile::exported(self.tree, self.key),
            "globalHostname" if !is_group() => profile::global_host(self.tree),
            "spaKeyName" if !is_group() => stored(field).or_else(|| stored("name")),
            _ => stored(field),
        };
        match value {
            Some(Value::String(text)) => Cow::Owned(text),
            Some(Value::Array(all)) => {
                let texts: Vec<_> = all.iter().filter_map(Value::as_str).collect();
                Cow::Owned(texts.join("\n"))
            }
            _ => Cow::Borrowed(""),
        }
    }

    fn contains(&self, field: &str, lower: &str) -> bool {
        self.text(field).to_lowercase().contains(lower)
    }
}

/// The list that a request asks for.
pub(super) fn list(
    appliance: &Appliance,
    actor: &Actor,
    (resource, version): (Resource, u32),
    request: &Request,
) -> Result<Answer, Failure> {
    let target = resource.target();
    actor.may("View", target)?;
    let asked = Asked::read(request.head.uri.query().unwrap_or_default(), resource);
    let running = appliance.engine.running();
    let tree = &running.tree;
    let all = actor.may_all("View", target);
    let readable =
        |(key, body): &(&Key, &Body)| all || actor.may_one("View", target, key.as_str(), body);
    let members = tree.members(resource.collection()).filter(readable);
    let mut rows: Vec<Row<'_>> =
        members.map(|(key, body)| Row { tree, resource, key, body }).collect();
    let total = rows.len();
    narrow(&mut rows, &asked);
    let order = asked.order.unwrap_or("name");
    rows.sort_by_cached_key(|row| (row.text(order), row.key.as_str()));
    if asked.descending {
        rows.reverse();
    }
    let count = rows.len();
    let (from, to) = asked.range.unwrap_or((0, count));
    let first = from.max(1);
    let catalog = appliance.engine.catalog();
    let page = rows.iter().take(to).skip(first - 1);
    let shown = page
        .map(|row| super::objects::shown(catalog, tree, (resource, version), (row.key, row.body)));
    let filters = asked.filters.iter().map(|(name, value)| json!({ "name": name, "value": value }));
    let mut document = json!({
        "data": shown.collect::<Vec<_>>(),
        "range": format!("{from}-{}/{count}", to.min(count)),
        "orderBy": order,
        "descending": asked.descending,
        "queries": asked.queries,
        "filterBy": filters.collect::<Vec<_>>(),
    });
    if version >= 19 {
        document["totalCount"] = json!(total);
    }
    if version < 20
        && let Some(first) = asked.queries.first()
    {
        document["query"] = json!(first);
    }
    Ok(super::json(StatusCode::OK, &document))
}

fn narrow(rows: &mut Vec<Row<'_>>, asked: &Asked) {
    for query in &asked.queries {
        let lower = query.to_lowercase();
        rows.retain(|row| SEARCHED.iter().any(|field| row.contains(field, &lower)));
    }
    for (field, value) in &asked.filters {
        let lower = value.to_lowercase();
        rows.retain(|row| row.contains(field, &lower));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_ignored() {
        let read = |query| Asked::read(query, Resource::Profiles);
        for query in [
            "range=x",
            "range=5-3",
            "range=-1-3",
            "range=1-99999999999999999999999",
            "orderBy=nothing",
            "filterBy=map%5Bname%3Aacme%5D",
            "descending=1",
            "query=",
            "%ff",
        ] {
            assert_eq!(read(query), Asked::default(), "{query}");
        }
        let asked = read("query=a+b&query=%20&name=us&range=3-5&orderBy=hostname&descending=true");
        assert_eq!(asked.queries, ["a b", " "]);
        assert_eq!(asked.filters, [("name", "us".to_owned())]);
        assert_eq!((asked.range, asked.order), (Some((3, 5)), Some("hostname")));
        assert!(asked.descending);
    }
}
