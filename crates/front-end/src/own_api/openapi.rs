//! `/boxwood/v1/openapi.json`: the own API as an OpenAPI 3.1 document, made from its rows.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::problem::PROBLEMS;
use super::route::{Answers, Operation, PREFIX, Parameter, Place, Takes, Who, operations};
use super::schemas::components;
use crate::methods::Methods;

/// The statuses with which every operation that needs a login may refuse.
const WITH_LOGIN: [u16; 3] = [401, 403, 503];

/// The document of the own API.
pub(super) fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for row in operations() {
        let path =
            if row.path.is_empty() { PREFIX.to_owned() } else { format!("{PREFIX}/{}", row.path) };
        let methods = paths.entry(path).or_insert_with(|| of_path(row.path));
        methods.insert(word(row.method), operation(row));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Boxwood",
            "version": "v1",
            "summary": "A transactional configuration daemon.",
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": components(),
            "responses": { "Problem": problem_response() },
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token that POST /boxwood/v1/sessions answers.",
                },
                "operator": {
                    "type": "http", "scheme": "basic",
                    "description": "The administrator's name and password, with each request.",
                },
            },
        },
        "security": [{ "token": [] }, { "operator": [] }],
    })
}

const DESCRIPTION: &str = "Nodes, transactions, history and sessions of one appliance, in the paths of \
                           its configuration tree. Refusals are problem documents (RFC 9457).";

fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = operations().map(tag).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

// The first step of a path.
fn tag(row: &Operation) -> &'static str {
    match row.path.split('/').next() {
        None | Some("") => "about",
        Some(step) => step,
    }
}

fn word(method: Methods) -> String {
    method.name().to_ascii_lowercase()
}

// What all methods of a path have: the steps that a request chooses.
fn of_path(path: &'static str) -> Map<String, Value> {
    let steps = path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
    let steps: Vec<Value> = steps.map(step).collect();
    let mut methods = Map::new();
    if !steps.is_empty() {
        methods.insert("parameters".to_owned(), Value::Array(steps));
    }
    methods
}

fn step(name: &str) -> Value {
    let (kind, about) = match name {
        "revision" => (json!({ "type": "integer", "minimum": 0 }), "The number of a revision."),
        "path" => {
            (json!({ "type": "string" }), "The path of a node; its slashes may be percent-encoded.")
        }
        "session" => (json!({ "type": "string" }), "The name of a session."),
        _ => (json!({ "type": "string", "minLength": 1 }), "A name."),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": kind, "description": about })
}

fn operation(row: &Operation) -> Value {
    let mut shown = json!({
        "operationId": row.verb,
        "summary": row.summary,
        "description": format!("{} {}", row.about, row.who.phrase()),
        "tags": [tag(row)],
        "responses": responses(row),
    });
    if row.who == Who::Anybody {
        shown["security"] = json!([]);
    }
    if !row.parameters.is_empty() {
        shown["parameters"] = row.parameters.iter().map(parameter).collect();
    }
    if let Some(body) = request_body(row.takes) {
        shown["requestBody"] = body;
    }
    shown
}

fn parameter(one: &Parameter) -> Value {
    let place = match one.place {
        Place::Query => "query",
        Place::Header => "header",
    };
    let mut schema = json!({ "type": one.kind });
    if one.repeats {
        schema = json!({ "type": "array", "items": schema });
    }
    json!({ "name": one.name, "in": place, "description": one.about, "schema": schema })
}

fn request_body(takes: Takes) -> Option<Value> {
    let of =
        |schema: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
    Some(match takes {
        Takes::Nothing => return None,
        Takes::Json { schema, required } => {
            json!({ "required": required, "content": { "application/json": of(schema) } })
        }
        Takes::Stream { schema } => {
            json!({ "required": true, "content": { "application/json": of(schema) } })
        }
        Takes::Either(kinds) => {
            let kinds: Map<String, Value> =
                kinds.iter().map(|(media, schema)| ((*media).to_owned(), of(schema))).collect();
            json!({ "required": true, "content": kinds })
        }
    })
}

fn responses(row: &Operation) -> Map<String, Value> {
    let mut all = Map::new();
    for Answers { status, media, schema, about } in row.answers {
        let schema = match *schema {
            "" => json!({ "type": "string" }),
            name => json!({ "$ref": format!("#/components/schemas/{name}") }),
        };
        let content = json!({ *media: { "schema": schema } });
        all.insert(status.to_string(), json!({ "description": about, "content": content }));
    }
    let guards: &[u16] = if row.who == Who::Anybody { &[] } else { &WITH_LOGIN };
    let body: &[u16] =
        if matches!(row.takes, Takes::Nothing) { &[] } else { &[400, 408, 413, 415] };
    let login: &[u16] = if row.verb == "session_open" { &[401] } else { &[] };
    for status in [row.refusals, guards, body, login].concat() {
        all.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    all
}

fn problem_response() -> Value {
    let kinds: Vec<String> = PROBLEMS.iter().map(|one| one.slug()).collect();
    json!({
        "description": format!("A refusal: {}.", kinds.join(", ")),
        "content": {
            "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_the_document_and_every_reference_has_its_target() {
        let document = document();
        for row in operations() {
            let path = format!("{PREFIX}/{}", row.path);
            let path = path.trim_end_matches('/');
            let found = &document["paths"][path][word(row.method)];
            assert_eq!(found["operationId"], row.verb, "{path}");
        }
        let text = document.to_string();
        for target in text.split("\"$ref\":\"#").skip(1) {
            let pointer = target.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        for name in components().keys() {
            let used = text.contains(&format!("\"#/components/schemas/{name}\""));
            assert!(used, "nothing uses the schema {name}");
        }
    }
}
