//! Maps with an order of their keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::words::article;
use super::{Checker, Trail};
use crate::schema::Schema;
use crate::violation::rule;

/// The member that lists the others in their order.
pub(super) const ORDER: &str = "@order";

impl Checker<'_> {
    pub(super) fn ordered_map(
        &mut self,
        item: &Schema,
        members: &mut Map<String, Value>,
        at: &Trail<'_>,
    ) {
        self.order(members, at);
        for (name, value) in members.iter_mut().filter(|(name, _)| *name != ORDER) {
            self.value(item, value, &at.name(name));
        }
    }

    fn order(&mut self, members: &Map<String, Value>, at: &Trail<'_>) {
        let at_order = at.name(ORDER);
        let order = match members.get(ORDER) {
            None => {
                let message = || format!("{} is required: a list of the keys", at_order.shown());
                return self.say(rule::REQUIRED, &at_order, message);
            }
            Some(Value::Array(order)) => order,
            Some(other) => {
                let message =
                    || format!("{} must be a list and is {}", at_order.shown(), article(other));
                return self.say(rule::TYPE, &at_order, message);
            }
        };
        let mut keys = BTreeSet::new();
        for (index, item) in order.iter().enumerate() {
            let at = at_order.index(index);
            match item.as_str() {
                Some(key) if keys.insert(key) => {}
                Some(_) => {
                    let message = || format!("{} repeats an earlier key", at.shown());
                    self.say(rule::UNIQUE_ITEMS, &at, message);
                }
                None => {
                    let message =
                        || format!("{} must be a string and is {}", at.shown(), article(item));
                    self.say(rule::TYPE, &at, message);
                }
            }
        }
        let named = keys.iter().all(|key| *key != ORDER && members.contains_key(*key));
        if !named || keys.len() + 1 != members.len() {
            let message = || format!("{} must name each other member once", at_order.shown());
            self.say(rule::ORDER, &at_order, message);
        }
    }
}
