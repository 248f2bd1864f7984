//! Keys that clients give.

use config_tree::{Key, NodePath};
use serde_json::Value;

use crate::catalog::{Catalog, no_endpoint};
use crate::check::{self, Secrets};
use crate::endpoint::EndpointKind;
use crate::key_rule::KeyRule;
use crate::schema::{JsonType, Schema, TextRules, Types};
use crate::violation::{Layer, Violation, rule};
use crate::violations::Violations;

/// Whether a text can be the key of a new member.
pub(crate) fn check(
    catalog: &Catalog,
    collection: &NodePath,
    text: &str,
) -> Result<Key, Violations> {
    let endpoint = catalog.endpoint(collection);
    let Some(endpoint) = endpoint.filter(|e| e.kind() == EndpointKind::Collection) else {
        return Err(no_endpoint(collection).into());
    };
    let say = |message| {
        let (path, pointer) = (collection.clone(), "/key".to_owned());
        Violations::from(Violation {
            path,
            pointer,
            rule: rule::KEY,
            layer: Layer::Shape,
            message,
            also: Vec::new(),
        })
    };
    let rule = endpoint.key_rule();
    if !rule.may_be_given() {
        return Err(say("`key` is made by the appliance and may not be sent".into()));
    }
    let uuid = uuid();
    let stated = endpoint.key_schema();
    let schema = stated.or((rule == KeyRule::GivenOrUuid).then_some(&uuid));
    if let Some(schema) = schema {
        let wrapped = Value::String(text.to_owned());
        if let Err(violations) = check::check(schema, collection, wrapped, Secrets::Plain) {
            let about = |violation: Violation| Violation {
                pointer: "/key".into(),
                message: violation.message.replacen("the body", "`key`", 1),
                ..violation
            };
            return Err(violations.map(about));
        }
    }
    Key::parse(text).map_err(|error| say(format!("`key` cannot be used: {error}")))
}

fn uuid() -> Schema {
    Schema {
        types: Types::default().with(JsonType::String),
        text: TextRules { format: Some(crate::format::Format::Uuid), ..TextRules::default() },
        ..Schema::default()
    }
}
