//! The components of the OpenAPI document: what requests and answers of the own API are like.

use serde_json::{Map, Value, json};

/// All components, by their names.
pub(super) fn components() -> Map<String, Value> {
    let mut all = Map::new();
    for (name, schema) in entries() {
        all.insert(name.to_owned(), schema);
    }
    all
}

fn entries() -> Vec<(&'static str, Value)> {
    [general(), sessions(), nodes(), changes(), transactions(), past(), others()].concat()
}

/// An object; all of these members are there.
fn object(properties: Value) -> Value {
    let names: Vec<String> =
        properties.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
    json!({ "type": "object", "properties": properties, "required": names })
}

/// An object; these members may be there.
fn some(properties: &Value) -> Value {
    json!({ "type": "object", "properties": properties })
}

/// A request: these members, and no others.
fn request(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn list(name: &str) -> Value {
    json!({ "type": "array", "items": of(name) })
}

fn listing(name: &str) -> Value {
    object(json!({ "items": list(name), "meta": of("Meta") }))
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn maybe_text(about: &str) -> Value {
    json!({ "type": ["string", "null"], "description": about })
}

fn number(about: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": about })
}

fn truth(about: &str) -> Value {
    json!({ "type": "boolean", "description": about })
}

fn time(about: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": about })
}

fn or_null(schema: &Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn general() -> Vec<(&'static str, Value)> {
    let error = some(&json!({
        "detail": text("What is wrong."),
        "path": text("The node, as the tree names it."),
        "pointer": text("The place in the body, a JSON Pointer."),
        "rule": text("The rule of the catalog that is broken."),
        "edit": number("The place of the edit in the request."),
        "paths": { "type": "array", "items": { "type": "string" } },
        "base": { "description": "What the node held where the transaction began." },
        "theirs": { "description": "What others made of it." },
        "mine": { "description": "What the transaction made of it." },
    }));
    let old = object(json!({
        "type": text("The kind of refusal."),
        "message": text("What is wrong."),
        "details": { "type": "object" },
    }));
    let mut problem = object(json!({
        "type": json!({ "type": "string", "format": "uri-reference" }),
        "title": text("The kind of refusal in a few words."),
        "status": number("The HTTP status."),
        "detail": text("What is wrong, and where."),
        "remedy": text("What to do."),
        "error": old,
    }));
    problem["properties"]["instance"] = text("The path of the request.");
    problem["properties"]["errors"] = json!({ "type": "array", "items": error });
    problem["properties"]["reason"] = text("Which state does not allow it.");
    problem["properties"]["meta"] = of("Meta");
    problem["description"] = json!("A refusal (RFC 9457). All that is wrong is in `errors`.");
    let meta = json!({
        "type": "object",
        "description": "Links.",
        "properties": { "href": { "type": "string" }, "parent": { "type": ["string", "null"] } },
    });
    let kind = object(json!({
        "name": text("Its name."),
        "title": text("In a few words."),
        "remedy": text("What to do."),
        "meta": of("Meta"),
    }));
    let appliance = object(json!({
        "name": text("Its name."),
        "title": text("Its name for people."),
        "dialect": text("Which API it serves."),
        "mode": { "enum": ["exclusive", "concurrent", "autocommit"] },
    }));
    let mut health = object(json!({
        "revision": number("The running revision."),
        "status": { "enum": ["ok", "degraded"] },
        "store": { "enum": ["ok", "poisoned"] },
    }));
    health["properties"]["certificate"] = object(json!({
        "expires": text("When the certificate of the listener expires, if that is soon or past."),
        "status": { "enum": ["expires soon", "expired"] },
    }));
    vec![
        ("Problem", problem),
        ("ProblemKind", kind),
        ("Problems", listing("ProblemKind")),
        ("Meta", meta),
        ("Done", object(json!({ "meta": of("Meta") }))),
        ("Health", health),
        ("Ready", object(json!({ "status": { "const": "ready" } }))),
        (
            "About",
            object(json!({
                "product": { "const": "boxwood" },
                "version": text("The version of the daemon."),
                "api": { "const": "v1" },
                "appliance": appliance,
                "revision": number("The running revision."),
                "meta": of("Meta"),
            })),
        ),
        ("OpenApi", json!({ "type": "object", "description": "An OpenAPI 3.1 document." })),
        ("Body", json!({ "description": "What the catalog says of the node; see schema/{path}." })),
    ]
}

fn sessions() -> Vec<(&'static str, Value)> {
    let mut session = object(json!({
        "session": maybe_text("Its name; null for credentials that come with each request."),
        "user": text("Who is logged in."),
        "administrator": truth("Whether they may see and change everything."),
        "writes": truth("Whether they may change something."),
        "groups": { "type": "array", "items": { "type": "string" } },
        "current": truth("Whether it is the caller's own."),
        "lock": truth("Whether it holds the lock of an appliance in exclusive mode."),
        "transaction": or_null(&of("Opened")),
        "meta": of("Meta"),
    }));
    session["properties"]["opened"] = time("When it began.");
    session["properties"]["used"] = time("When it was used last.");
    session["properties"]["expires"] = time("When it ends unless it is used before.");
    let token = json!({
        "allOf": [
            of("Session"),
            object(json!({ "token": text("For `Authorization: Bearer`; shown once.") })),
        ],
    });
    let credentials = request(
        &json!({
            "user": text("The name."),
            "password": { "type": "string", "format": "password", "writeOnly": true },
        }),
        &["user", "password"],
    );
    vec![
        ("Session", session),
        ("NewSession", token),
        ("Sessions", listing("Session")),
        ("Credentials", credentials),
    ]
}

fn nodes() -> Vec<(&'static str, Value)> {
    let mut node = object(json!({
        "path": text("The path of the tree."),
        "key": maybe_text("The last step of it; null for the root."),
    }));
    for (name, schema) in [
        ("kind", json!({ "enum": ["folder", "object", "value", "collection", "member"] })),
        ("title", text("A name for people.")),
        ("body", json!({ "description": "What stands there, without secrets." })),
        ("etag", text("The tag of the body's state.")),
        ("count", number("How many children there are.")),
        ("children", list("Node")),
        ("next", maybe_text("The key to go on after, where there are more children.")),
        ("allow", json!({ "type": "array", "items": { "type": "string" } })),
        ("complete", truth("Whether nothing was left out for its size.")),
        ("revision", number("The revision that is shown.")),
        ("committed", or_null(&of("Committed"))),
        ("meta", of("Meta")),
    ] {
        node["properties"][name] = schema;
    }
    let child = object(json!({
        "key": text("The step."),
        "kind": text("What stands there."),
        "title": text("A name for people."),
    }));
    let description = object(json!({
        "path": text("The path that was asked for."),
        "pattern": text("The path as the catalog has it."),
        "kind": text("What stands there."),
        "title": text("A name for people."),
        "description": text("What it is for."),
        "fidelity": { "enum": ["full", "partial", "opaque"] },
        "operations": { "type": "array", "items": { "type": "string" } },
        "schema": { "description": "JSON Schema 2020-12 of the body, or null." },
        "default": { "description": "The body of a fresh appliance, or null." },
        "examples": { "type": "array", "items": { "type": "object" } },
        "key": { "type": "object", "description": "Where keys of members come from." },
        "unique": { "type": "array", "description": "Pointers whose values occur once." },
        "children": { "type": "array", "items": child },
        "meta": of("Meta"),
    }));
    let keys = json!({ "type": "array", "items": { "type": "string" } });
    vec![
        ("Node", node),
        ("Description", description),
        ("Keys", request(&json!({ "keys": keys }), &["keys"])),
        (
            "Order",
            object(json!({ "path": text("The collection."), "keys": keys, "meta": of("Meta") })),
        ),
    ]
}

fn edit(op: &str, more: &Value, required: &[&str]) -> Value {
    let mut properties = json!({
        "op": { "const": op },
        "path": text("The node, as the tree names it."),
        "etag": text("The state that is to be changed; refused when it is another."),
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut properties, more) {
        all.extend(more.clone());
    }
    request(&properties, &[&["op", "path"], required].concat())
}

fn changes() -> Vec<(&'static str, Value)> {
    let any = json!({ "description": "Any JSON value." });
    let place = json!({
        "before": text("The key of another member."),
        "after": text("The key of another member."),
        "to": { "enum": ["first", "last"] },
    });
    let keys = json!({ "keys": { "type": "array", "items": { "type": "string" } } });
    let edits = json!({ "oneOf": [
        edit("put", &json!({ "body": any }), &["body"]),
        edit("merge", &json!({ "patch": any }), &["patch"]),
        edit("patch", &json!({ "patch": of("JsonPatch") }), &["patch"]),
        edit("set", &json!({ "pointer": text("A JSON Pointer."), "value": any }), &["pointer", "value"]),
        edit("unset", &json!({ "pointer": text("A JSON Pointer.") }), &["pointer"]),
        edit("create", &json!({ "body": any, "key": text("The key.") }), &["body"]),
        edit("append", &json!({ "body": any }), &["body"]),
        edit("delete", &json!({}), &[]),
        edit("order", &keys, &["keys"]),
        edit("move", &place, &[]),
    ] });
    let commit = json!({ "anyOf": [of("CommitOptions"), { "type": ["boolean", "null"] }] });
    let result = object(json!({
        "op": text("What was done."),
        "path": text("To which node; of one that was made, its path."),
        "effect": { "enum": ["created", "changed", "deleted"] },
    }));
    let operation = json!({
        "type": "object",
        "properties": {
            "op": { "enum": ["add", "remove", "replace", "move", "copy", "test"] },
            "path": { "type": "string" },
            "from": { "type": "string" },
            "value": any,
        },
        "required": ["op", "path"],
    });
    let mut change = object(json!({
        "type": { "enum": ["create", "replace", "delete", "reorder"] },
        "path": text("The place, as the appliance names it."),
        "node": text("The node, as the tree names it."),
        "pointer": text("The place in the body."),
    }));
    for (name, schema) in [
        ("old_value", json!({})),
        ("new_value", json!({})),
        ("old_order", json!({ "type": "array", "items": { "type": "string" } })),
        ("new_order", json!({ "type": "array", "items": { "type": "string" } })),
        ("author", text("Who committed it.")),
        ("time", time("When.")),
        ("revision", number("By which revision.")),
    ] {
        change["properties"][name] = schema;
    }
    vec![
        ("Edit", edits),
        ("Edits", request(&json!({ "edits": list("Edit"), "commit": commit }), &["edits"])),
        (
            "Edited",
            object(json!({
                "results": { "type": "array", "items": result },
                "committed": or_null(&of("Committed")),
                "transaction": or_null(&of("Opened")),
                "meta": of("Meta"),
            })),
        ),
        ("JsonPatch", json!({ "type": "array", "items": operation })),
        ("Change", change),
        ("Changes", object(json!({ "changes": list("Change"), "meta": of("Meta") }))),
    ]
}

fn transactions() -> Vec<(&'static str, Value)> {
    let opened = object(json!({
        "base": number("The revision on which it is based."),
        "since": time("When it was opened."),
        "changes": { "type": ["integer", "null"], "description": "Changed nodes; null while it commits." },
    }));
    let holder = object(json!({
        "session": text("Which session."),
        "user": text("Whose."),
        "since": time("Since when."),
        "own": truth("Whether it is the caller's."),
    }));
    let message = json!({ "enum": ["required", "optional"] });
    let committed = object(json!({
        "revision": number("The revision that holds the changes."),
        "changes": number("How many nodes changed."),
        "confirmation": or_null(&object(json!({
            "token": text("To confirm it with."),
            "until": time("When it is undone unless it is confirmed."),
        }))),
        "meta": of("Meta"),
    }));
    let options = request(
        &json!({
            "message": maybe_text("Why, for the history."),
            "confirm_within": {
                "type": ["integer", "null"], "minimum": 1, "maximum": 604_800,
                "description": "Undo it unless it is confirmed within that many seconds.",
            },
        }),
        &[],
    );
    let token = json!({ "token": text("From the commit.") });
    let awaiting = object(json!({ "revision": number("Which."), "until": time("Until when.") }));
    let listed = object(json!({
        "session": text("Which session."),
        "user": text("Whose."),
        "base": number("The revision on which it is based."),
        "since": time("When it was opened."),
        "changes": { "type": ["integer", "null"] },
        "lock": truth("Whether it holds the lock."),
        "meta": of("Meta"),
    }));
    vec![
        ("Opened", opened),
        (
            "Transaction",
            object(json!({
                "open": truth("Whether one is open."),
                "changed": truth("Whether it differs from its base."),
                "commit_message": message,
                "head": number("The running revision."),
                "holder": or_null(&holder),
                "mode": { "enum": ["exclusive", "concurrent", "autocommit"] },
                "transaction": or_null(&of("Opened")),
                "meta": of("Meta"),
            })),
        ),
        ("OpenTransaction", listed),
        ("Transactions", listing("OpenTransaction")),
        ("CommitOptions", options),
        ("Committed", committed),
        (
            "Plan",
            object(json!({
                "base": number("The revision on which the transaction is based."),
                "head": number("The revision it would follow."),
                "changes": list("Change"),
                "commit_message": message,
                "problem": or_null(&of("Problem")),
                "error": { "type": ["object", "null"] },
                "meta": of("Meta"),
            })),
        ),
        ("Rebased", object(json!({ "base": number("The new base."), "meta": of("Meta") }))),
        ("Awaiting", object(json!({ "awaiting": or_null(&awaiting), "meta": of("Meta") }))),
        ("ConfirmToken", request(&token, &["token"])),
        (
            "Extension",
            request(
                &json!({ "token": text("From the commit."), "seconds": number("1 to 604800.") }),
                &["token", "seconds"],
            ),
        ),
        ("Confirmed", object(json!({ "confirmed": number("The revision.") }))),
        ("Extended", object(json!({ "until": time("The new time.") }))),
        ("Cancelled", object(json!({ "undone_by": number("The revision that undoes it.") }))),
    ]
}

fn past() -> Vec<(&'static str, Value)> {
    let common = json!({
        "revision": number("Its number."),
        "time": time("When."),
        "author": text("Who."),
        "session": text("In which session."),
        "message": maybe_text("Why."),
        "digest": text("Of the whole configuration."),
        "tags": { "type": "array", "items": { "type": "string" } },
        "meta": of("Meta"),
    });
    let with = |more: Value| {
        let mut all = common.clone();
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        object(all)
    };
    let tag = object(json!({
        "name": text("The name."),
        "revision": number("Of which revision."),
        "author": text("Who gave it."),
        "time": time("When."),
        "meta": of("Meta"),
    }));
    let blame = object(json!({
        "node": text("The node."),
        "pointer": text("The place in its body."),
        "revision": number("By which revision."),
        "author": text("Who."),
        "time": time("When."),
    }));
    let body = object(json!({ "path": text("Its path."), "body": {} }));
    let page = json!({
        "type": "object",
        "properties": { "next": maybe_text("The next page."), "newest": number("."), "oldest": number(".") },
    });
    vec![
        ("RevisionSummary", with(json!({ "changes": number("How many nodes it changed.") }))),
        (
            "Revision",
            with(json!({
                "changes": list("Change"),
                "commit_id": text("Its identity."),
                "complete": truth("Whether all changes are shown."),
            })),
        ),
        ("Revisions", object(json!({ "items": list("RevisionSummary"), "meta": page }))),
        (
            "Difference",
            object(json!({
                "changes": list("Change"), "from": number("."), "to": number("."), "meta": of("Meta"),
            })),
        ),
        (
            "Tree",
            object(json!({
                "nodes": { "type": "array", "items": body },
                "complete": truth("Whether that is all."),
                "revision": number("Which revision."),
                "meta": of("Meta"),
            })),
        ),
        ("Tag", tag),
        ("Tags", listing("Tag")),
        ("TagTarget", request(&json!({ "revision": number("The revision.") }), &["revision"])),
        (
            "Blame",
            object(json!({
                "path": text("The node."),
                "items": { "type": "array", "items": blame },
                "complete": truth("Whether all of it could be found."),
                "meta": of("Meta"),
            })),
        ),
    ]
}

fn others() -> Vec<(&'static str, Value)> {
    let reference = object(json!({
        "node": text("Who refers, as the tree names it."),
        "path": text("The same, as the appliance names it."),
        "pointer": text("Where in its body."),
        "fragment": { "type": ["string", "null"] },
    }));
    let head = object(json!({ "name": text("Its name."), "revision": number("Its revision.") }));
    let client = object(json!({ "name": text("Its name."), "body": {}, "meta": of("Meta") }));
    vec![
        (
            "References",
            object(json!({
                "references": { "type": "array", "items": reference },
                "hidden": number("How many more there are that the caller may not read."),
                "meta": of("Meta"),
            })),
        ),
        ("Head", head),
        ("Heads", listing("Head")),
        ("HeadChanges", object(json!({ "changes": list("Change"), "meta": of("Meta") }))),
        ("Client", client),
        ("Clients", listing("Client")),
        ("Outbox", outbox()),
        ("Figures", some(&figures())),
        ("HealthFigures", health_figures()),
        ("TestBy", request(&json!({ "settings": { "enum": ["committed", "staged"] } }), &[])),
        ("Tested", tested()),
        ("Export", json!({ "type": "object", "description": "A document of an export." })),
        ("Imported", json!({ "type": "object", "description": "What has changed, or would." })),
    ]
}

fn outbox() -> Value {
    let message = json!({
        "type": "object",
        "description": "A message as it goes out, and what became of it.",
    });
    object(json!({
        "messages": { "type": "array", "items": message },
        "mode": { "enum": ["record", "loopback", "send"] },
        "problems": { "type": "array", "items": { "type": "object" } },
        "queue": object(json!({
            "limit": number("How many messages may wait."),
            "waiting": number("How many wait."),
        })),
        "ways": { "type": "object", "description": "Which ways are configured." },
        "meta": of("Meta"),
    }))
}

fn figures() -> Value {
    let figure = json!({ "type": ["number", "null"] });
    let names = [
        "cpu_percent",
        "disk_percent",
        "load1",
        "load15",
        "load5",
        "memory_percent",
        "swap_percent",
    ];
    names.into_iter().map(|name| (name.to_owned(), figure.clone())).collect::<Map<_, _>>().into()
}

fn health_figures() -> Value {
    let nothing = json!({ "type": "null" });
    let maybe = json!({ "anyOf": [of("Figures"), nothing] });
    object(json!({
        "above_limit": { "type": "array", "items": { "type": "string" } },
        "figures": maybe,
        "limits": some(&figures()),
        "measured": maybe_text("When it was measured."),
        "replaced": maybe,
        "meta": of("Meta"),
    }))
}

fn tested() -> Value {
    object(json!({
        "configured": truth("Whether there is somebody to send to."),
        "problems": { "type": "array", "items": { "type": "string" } },
        "results": { "type": "array", "items": { "type": "object" } },
        "settings": { "enum": ["committed", "staged"] },
        "way": { "enum": ["mail", "trap", "syslog"] },
        "meta": of("Meta"),
    }))
}
