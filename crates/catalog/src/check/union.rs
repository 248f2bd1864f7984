//! One of several shapes, selected by a tag.

use serde_json::{Map, Value};

use super::words::{article, list};
use super::{Checker, Trail};
use crate::schema::Union;
use crate::violation::rule;

/// What surrounds the members of an object: nothing, or the union and the tag that selected them.
#[derive(Clone, Copy)]
pub(super) struct Selected<'a> {
    pub(super) union: &'a Union,
    pub(super) tag: &'a str,
}

impl Checker<'_> {
    pub(super) fn union(
        &mut self,
        union: &Union,
        members: &mut Map<String, Value>,
        at: &Trail<'_>,
    ) {
        let at_tag = at.name(&union.tag);
        let allowed = || list(union.tags().map(str::to_owned), "or");
        let branch = match members.get(&union.tag) {
            None => {
                let message = || format!("{} is required: {}", at_tag.shown(), allowed());
                return self.say(rule::REQUIRED, &at_tag, message);
            }
            Some(Value::String(tag)) => union.branch(tag),
            Some(other) => {
                let message =
                    || format!("{} must be a string and is {}", at_tag.shown(), article(other));
                return self.say(rule::TYPE, &at_tag, message);
            }
        };
        match branch {
            Some(branch) => {
                let selected = Selected { union, tag: &branch.tag };
                self.members(&branch.members, members, at, Some(selected));
            }
            None if union.others => {}
            None => {
                let message = || format!("{} must be {}", at_tag.shown(), allowed());
                self.say(rule::UNION_TAG, &at_tag, message);
            }
        }
    }
}
