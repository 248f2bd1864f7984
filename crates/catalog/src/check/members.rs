//! Which members an object has, may have and must have.

use serde_json::{Map, Value};

use super::union::Selected;
use super::words::{list, phrase};
use super::{Author, Checker, Secrets, Trail};
use crate::certificate::{self, PairFault};
use crate::schema::{Condition, Identity, Members, Property, ReadOnly, Unknown};
use crate::suggest;
use crate::violation::rule;

#[derive(Clone, Copy)]
struct Context<'a> {
    rules: &'a Members,
    at: &'a Trail<'a>,
    selected: Option<Selected<'a>>,
}

impl Context<'_> {
    fn knows(self, name: &str) -> bool {
        self.rules.property(name).is_some() || self.selected.is_some_and(|s| s.union.tag == name)
    }

    // Whether another branch of the union has the member.
    fn knows_elsewhere(self, name: &str) -> bool {
        let has = |s: Selected<'_>| {
            s.union.branches.iter().any(|branch| branch.members.property(name).is_some())
        };
        self.selected.is_some_and(has)
    }
}

#[derive(Default)]
struct Presence<'a> {
    // Members that are at fault by being there.
    skip: Vec<&'a str>,
    // Absent members that have a default.
    fill: Vec<&'a Property>,
}

impl Checker<'_> {
    pub(super) fn members(
        &mut self,
        rules: &Members,
        members: &mut Map<String, Value>,
        at: &Trail<'_>,
        selected: Option<Selected<'_>>,
    ) {
        let before = self.found.total();
        let context = Context { rules, at, selected };
        self.read_only(context, members);
        if rules.unknown == Unknown::Drop {
            members.retain(|name, _| context.knows(name) || context.knows_elsewhere(name));
        }
        let on = match &rules.switch {
            None => Some(true),
            Some(switch) => members.get(switch).and_then(Value::as_bool),
        };
        let presence = self.presence(context, members, on);
        if on == Some(true) {
            self.one_of(context, members);
            for property in presence.fill {
                if let Some(default) = &property.schema.notes.default {
                    members.insert(property.name.clone(), Value::clone(default));
                }
            }
        }
        for property in &rules.properties {
            let is_switch = rules.switch.as_ref() == Some(&property.name);
            let ruled_out = on == Some(false) && !is_switch;
            if ruled_out || presence.skip.contains(&property.name.as_str()) {
                continue;
            }
            if let Some(value) = members.get_mut(&property.name) {
                self.value(&property.schema, value, &at.name(&property.name));
            }
        }
        if let Some(identity) = &rules.identity
            && self.found.total() == before
            && self.mode == Secrets::Plain
        {
            self.identity(identity, members, at);
        }
    }

    /// Takes out what only the appliance may set, or says that it may not stand there.
    fn read_only(&mut self, context: Context<'_>, members: &mut Map<String, Value>) {
        if self.author == Author::Appliance {
            return;
        }
        for property in &context.rules.properties {
            let Some(policy) = property.read_only else { continue };
            if members.remove(&property.name).is_some() && policy == ReadOnly::Refuse {
                let at = context.at.name(&property.name);
                let message =
                    || format!("{} is set by the appliance and may not be sent", at.shown());
                self.say(rule::READ_ONLY, &at, message);
            }
        }
    }

    /// Which members are there that may not be, and the reverse. The values are looked at later.
    fn presence<'r>(
        &mut self,
        context: Context<'r>,
        members: &Map<String, Value>,
        on: Option<bool>,
    ) -> Presence<'r> {
        let Context { rules, at, selected } = context;
        let mut presence = Presence::default();
        let mut known = usize::from(selected.is_some());
        for property in &rules.properties {
            let found = members.get(&property.name);
            known += usize::from(found.is_some());
            let is_switch = rules.switch.as_ref() == Some(&property.name);
            match (found, on) {
                (None, _) if is_switch => self.missing(context, property, None),
                (Some(_), _) if is_switch => {}
                // Whether the others exist is not known while the switch is broken.
                (_, None) | (None, Some(false)) => {}
                (Some(_), Some(false)) => {
                    let switch = rules.switch.as_deref().unwrap_or_default();
                    let at_switch = at.name(switch);
                    let why = format!("when {} is false", at_switch.shown());
                    self.absent(&at.name(&property.name), &why);
                }
                (None, Some(true)) => {
                    if !self.lacking(context, property, members) {
                        presence.fill.push(property);
                    }
                }
                (Some(value), Some(true)) => {
                    if self.misplaced(context, property, value, members) {
                        presence.skip.push(&property.name);
                    }
                }
            }
        }
        // Of an optional group that does not exist, nothing does.
        if known < members.len() && (rules.unknown != Unknown::Keep || on == Some(false)) {
            self.strangers(context, members);
        }
        presence
    }

    /// Says that an absent member should be there; whether it did.
    fn lacking(
        &mut self,
        context: Context<'_>,
        property: &Property,
        members: &Map<String, Value>,
    ) -> bool {
        let condition = property.required_when.as_ref().filter(|when| when.holds(members));
        if property.read_only.is_some() && self.author == Author::Client {
            return true;
        }
        if property.required || condition.is_some() {
            self.missing(context, property, condition);
            return true;
        }
        // A default is only filled in where the member could have been written.
        property.schema.notes.default.is_none()
            || property.absent_when.as_ref().is_some_and(|when| when.holds(members))
    }

    fn missing(
        &mut self,
        context: Context<'_>,
        property: &Property,
        condition: Option<&Condition>,
    ) {
        let Context { rules, at, selected } = context;
        let switch = rules.switch.as_ref().filter(|switch| **switch != property.name);
        let why = match (condition, switch, selected) {
            (Some(condition), ..) => format!(" when {}", phrase(condition, at)),
            (None, Some(switch), _) => format!(" when {} is true", at.name(switch).shown()),
            (None, None, Some(Selected { union, tag })) => {
                format!(" when {} is {tag}", at.name(&union.tag).shown())
            }
            (None, None, None) => String::new(),
        };
        let at = at.name(&property.name);
        self.say(rule::REQUIRED, &at, || format!("{} is required{why}", at.shown()));
    }

    /// Says that a member that is there should not be, or not with this nullness; whether its
    /// value is then not worth looking at.
    fn misplaced(
        &mut self,
        context: Context<'_>,
        property: &Property,
        value: &Value,
        members: &Map<String, Value>,
    ) -> bool {
        let at_member = context.at.name(&property.name);
        if let Some(when) = property.absent_when.as_ref().filter(|when| when.holds(members)) {
            self.absent(&at_member, &format!("when {}", phrase(when, context.at)));
            return true;
        }
        let Some(when) = &property.null_when else { return false };
        let must = match (when.holds(members), value.is_null()) {
            (true, true) | (false, false) => return false,
            (true, false) => "must be null when",
            // The sibling's own fault is reported; what would follow from it is guesswork.
            (false, true) if self.is_broken(when, context.rules, members) => return false,
            (false, true) => "may be null only when",
        };
        let message = || format!("{} {must} {}", at_member.shown(), phrase(when, context.at));
        self.say(rule::NULL_WHEN, &at_member, message);
        true
    }

    fn absent(&mut self, at: &Trail<'_>, why: &str) {
        self.say(rule::ABSENT, at, || format!("{} may not be present {why}", at.shown()));
    }

    fn strangers(&mut self, context: Context<'_>, members: &Map<String, Value>) {
        let Context { rules, at, selected } = context;
        for name in members.keys() {
            if context.knows(name) {
                continue;
            }
            let at_member = at.name(name);
            if let Some(Selected { union, tag }) =
                selected.filter(|_| context.knows_elsewhere(name))
            {
                let why = format!("when {} is {tag}", at.name(&union.tag).shown());
                self.absent(&at_member, &why);
            } else if let Some(switch) =
                rules.switch.as_ref().filter(|_| rules.unknown == Unknown::Keep)
            {
                self.absent(&at_member, &format!("when {} is false", at.name(switch).shown()));
            } else {
                // Without the name, which may hold a secret: the pointer has it.
                let message = || {
                    let near = suggest::hint(name, rules.names());
                    format!("{} has a member that is not known here{near}", at.shown())
                };
                self.say(rule::UNKNOWN_MEMBER, &at_member, message);
            }
        }
    }

    fn one_of(&mut self, context: Context<'_>, members: &Map<String, Value>) {
        let names = &context.rules.exactly_one_of;
        let present = names.iter().filter(|name| members.contains_key(*name)).count();
        if names.is_empty() || present == 1 {
            return;
        }
        let choice = list(names.iter().map(|name| context.at.name(name).shown()), "or");
        let message = || match present {
            0 => format!("one of {choice} is required"),
            _ => format!("only one of {choice} may be present"),
        };
        self.say(rule::EXACTLY_ONE_OF, context.at, message);
    }

    /// Whether a sibling that a condition reads is itself at fault.
    fn is_broken(&self, when: &Condition, rules: &Members, members: &Map<String, Value>) -> bool {
        when.0.iter().filter_map(|(name, _)| rules.property(name)).any(|sibling| {
            match members.get(&sibling.name) {
                None => sibling.required,
                Some(value) => {
                    let mut scratch = Checker::new(self.path, self.mode, self.author);
                    scratch.value(&sibling.schema, &mut value.clone(), &Trail::ROOT);
                    scratch.found.total() > 0
                }
            }
        })
    }

    fn identity(&mut self, identity: &Identity, members: &Map<String, Value>, at: &Trail<'_>) {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let (at_certificate, at_key) =
            (at.name(&identity.certificate), at.name(&identity.private_key));
        let Some(pem) = text(&identity.certificate) else { return };
        if let Some(key) = text(&identity.private_key)
            && let Err(fault) = certificate::pair_check(pem, key)
        {
            let (key, pem) = (at_key.shown(), at_certificate.shown());
            let message = || match fault {
                PairFault::Mismatch => format!("{key} does not belong to {pem}"),
                PairFault::Unreadable => format!("{key} or {pem} cannot be read"),
                PairFault::Unsupported => format!(
                    "{key} must be an RSA key of 2048 bits or more, an ECDSA key on P-256 or P-384, or an Ed25519 key"
                ),
            };
            self.say(rule::KEY_PAIR, &at_key, message);
        }
        let Some(name) = &identity.issuers else { return };
        let at_chain = at.name(name);
        let chain = members.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let chain: Vec<&str> = chain.iter().filter_map(Value::as_str).collect();
        if let Some(index) = certificate::chain_break(pem, &chain) {
            let at_link = at_chain.index(index);
            let before = match index.checked_sub(1) {
                None => at_certificate.shown(),
                Some(index) => at_chain.index(index).shown(),
            };
            let message = || format!("{} did not issue {before}", at_link.shown());
            self.say(rule::ISSUER_CHAIN, &at_link, message);
        }
    }
}
