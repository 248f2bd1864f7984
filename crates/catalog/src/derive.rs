//! What the appliance itself writes into bodies: times, and values that a hook computes.

use config_tree::Body;
use serde_json::Value;

use crate::endpoint::EndpointData;
use crate::schema::{Derived, Members, Property, Shape};
use crate::time_format::TimeFormat;

/// The computed values of a dialect, by the names that its catalog uses in `x-derived: hook:NAME`.
pub trait Hooks {
    /// The value of a member of a body that is about to be stored; `None` leaves the member out.
    /// `previous` is the body that it replaces.
    fn derive(&self, name: &str, body: &Value, previous: Option<&Value>) -> Option<Value>;
}

/// No computed values: what a hook would give is left out.
impl Hooks for () {
    fn derive(&self, _name: &str, _body: &Value, _previous: Option<&Value>) -> Option<Value> {
        None
    }
}

/// Fills in what the appliance sets in the body of a member.
pub(crate) fn fill(
    endpoint: &EndpointData,
    format: TimeFormat,
    body: &mut Value,
    previous: Option<&Body>,
    microseconds: i64,
    hooks: &dyn Hooks,
) {
    let properties = read_only(endpoint, body);
    if properties.is_empty() {
        return;
    }
    let previous = previous.map(Body::value);
    let previous = previous.as_ref();
    // What is not derived stays as it was; so do the times of a body that stays as it was.
    for property in &properties {
        let kept = previous.and_then(|previous| previous.get(&property.name)).cloned();
        if let Some(kept) = kept.filter(|_| !matches!(property.derived, Some(Derived::Hook(_)))) {
            set(body, &property.name, Some(kept));
        }
    }
    let is_changed = previous.is_none_or(|previous| differs(&properties, body, previous));
    let now = || Value::String(format.text(microseconds));
    for property in &properties {
        let name = &property.name;
        match &property.derived {
            Some(Derived::Created) if previous.is_none() => set(body, name, Some(now())),
            Some(Derived::Updated) if is_changed => set(body, name, Some(now())),
            Some(Derived::UpdatedOrNull) if previous.is_none() => {
                set(body, name, Some(Value::Null));
            }
            Some(Derived::UpdatedOrNull) if is_changed => set(body, name, Some(now())),
            _ => {}
        }
    }
    for property in &properties {
        if let Some(Derived::Hook(hook)) = &property.derived {
            let value = hooks.derive(hook, body, previous);
            set(body, &property.name, value);
        }
    }
}

// The properties of the present body that only the appliance sets.
fn read_only<'e>(endpoint: &'e EndpointData, body: &Value) -> Vec<&'e Property> {
    let of = |members: &'e Members| members.properties.iter().filter(|p| p.read_only.is_some());
    match &endpoint.schema.shape {
        Shape::Members(members) => of(members).collect(),
        Shape::Union(union) => {
            let tag = body.get(&union.tag).and_then(Value::as_str);
            let branch = tag.and_then(|tag| union.branch(tag));
            branch.into_iter().flat_map(|branch| of(&branch.members)).collect()
        }
        Shape::Any | Shape::OrderedMap(_) => Vec::new(),
    }
}

// Whether a client changed something.
fn differs(properties: &[&Property], body: &Value, previous: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        properties.iter().for_each(|property| set(&mut value, &property.name, None));
        value
    };
    without(body) != without(previous)
}

fn set(body: &mut Value, name: &str, value: Option<Value>) {
    let Value::Object(members) = body else { return };
    match value {
        Some(value) => _ = members.insert(name.to_owned(), value),
        None => _ = members.remove(name),
    }
}
