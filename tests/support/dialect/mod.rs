//! The voices a listener can have, and what each of them owes in every answer, whatever was asked.
//!
//! A dialect's rules stand in a module of its own. Boxwood's own API has the same rules on every
//! listener, and a few rules hold of every answer.

mod advalidation;
mod appgate;
mod ds_server;
mod own;
mod prisma;
mod sps;

use serde_json::Value;

use crate::response::Response;

/// Which rules the answers of a listener must follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// One Identity Safeguard for Privileged Sessions.
    #[default]
    Sps,
    /// Text Control DS Server.
    DsServer,
    /// Advalidation.
    Advalidation,
    /// Prisma Access.
    Prisma,
    /// Appgate SDP.
    Appgate,
}

impl Dialect {
    /// The dialect of a built-in appliance; those of SPS are the ones that are not listed.
    pub fn of_appliance(name: &str) -> Dialect {
        match name {
            "ds-server" => Dialect::DsServer,
            "advalidation" => Dialect::Advalidation,
            "prisma-access" => Dialect::Prisma,
            "appgate-sdp" => Dialect::Appgate,
            _ => Dialect::Sps,
        }
    }

    /// What is wrong with an answer by the rules of this dialect.
    pub(crate) fn faults(self, answer: &Response) -> Vec<String> {
        let mut faults = Faults::default();
        of_every_answer(answer, &mut faults);
        match (answer.path().starts_with("/boxwood/"), self) {
            (true, _) => own::check(answer, &mut faults),
            (false, Dialect::Sps) => sps::check(answer, &mut faults),
            (false, Dialect::DsServer) => ds_server::check(answer, &mut faults),
            (false, Dialect::Advalidation) => advalidation::check(answer, &mut faults),
            (false, Dialect::Prisma) => prisma::check(answer, &mut faults),
            (false, Dialect::Appgate) => appgate::check(answer, &mut faults),
        }
        faults.0
    }
}

/// Broken rules, collected.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn rule(&mut self, holds: bool, fault: &str) {
        if !holds {
            self.0.push(fault.to_owned());
        }
    }
}

fn of_every_answer(answer: &Response, faults: &mut Faults) {
    faults.rule(answer.header("content-encoding").is_none(), "it has Content-Encoding");
    let types = answer.headers_named("content-type").count();
    faults.rule(types <= 1, "it has several Content-Types");
}

/// The rules of a dialect that is not SPS: its answers have nothing that only SPS has, and no
/// request is answered with 500.
fn of_every_foreign_answer(answer: &Response, faults: &mut Faults) {
    faults.rule(answer.status != 500, "its status is 500");
    for name in ["content-language", "set-cookie"] {
        faults.rule(answer.header(name).is_none(), &format!("it has {name}, as answers of SPS do"));
    }
    let allow = answer.header("allow").is_some();
    let may_allow = answer.status == 405 || answer.request.method == "OPTIONS";
    faults.rule(!allow || may_allow, "it has Allow, as answers of SPS do");
    faults.rule(allow || answer.status != 405, "it is a 405 without Allow");
    if let Ok(body) = serde_json::from_slice::<Value>(&answer.body) {
        let of_sps = body.pointer("/error/type").is_some() || body.pointer("/meta/href").is_some();
        faults.rule(!of_sps, "its body is an envelope of SPS");
        let json =
            answer.header("content-type").is_some_and(|it| it.starts_with("application/json"));
        faults.rule(json, "its body is JSON, and its Content-Type does not say so");
    }
}

/// Keys that PowerShell's JSON reader cannot take: empty, or equal but for their case.
fn awkward_keys(value: &Value, pointer: String, faults: &mut Faults) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<String> = members.keys().map(|key| key.to_lowercase()).collect();
            keys.sort();
            let awkward =
                keys.windows(2).any(|pair| pair[0] == pair[1]) || keys.iter().any(String::is_empty);
            let fault = format!("the object at {pointer:?} has empty or nearly equal keys");
            faults.rule(!awkward, &fault);
            for (key, value) in members {
                awkward_keys(value, format!("{pointer}/{key}"), faults);
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                awkward_keys(value, format!("{pointer}/{place}"), faults);
            }
        }
        _ => {}
    }
}

/// The rules that answers of SPS and of the own API share: the headers, and JSON objects whose
/// errors have a type and a message.
fn of_an_object(answer: &Response, is_json: bool, faults: &mut Faults) -> Option<Value> {
    faults.rule(answer.header("allow").is_some(), "it has no Allow");
    let language = answer.header("content-language");
    faults.rule(language == Some("en"), "its Content-Language is not en");
    if !is_json {
        return None;
    }
    let has_body = !answer.body.is_empty();
    if has_body || answer.request.method == "HEAD" && answer.status != 204 {
        // Refusals of the own API are problem documents.
        let is_own = answer.path().starts_with("/boxwood/");
        let kind = match is_own && answer.status >= 400 {
            true => "application/problem+json",
            false => "application/json; charset=utf-8",
        };
        let json = answer.header("content-type") == Some(kind);
        faults.rule(json, &format!("its Content-Type is not `{kind}`"));
    }
    if !has_body {
        let to_head = answer.request.method == "HEAD";
        faults.rule(answer.status < 400 || to_head, "it is an error without a body");
        return None;
    }
    let body = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(body) => body,
        Err(why) => {
            faults.rule(false, &format!("its body is not JSON: {why}"));
            return None;
        }
    };
    faults.rule(body.is_object(), "its body is not an object");
    if answer.status >= 400 {
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default();
        faults.rule(!text("type").is_empty(), "its body has no `error.type`");
        faults.rule(!text("message").is_empty(), "its body has no `error.message`");
        faults.rule(body["meta"].is_object(), "its body has no `meta`");
        for name in ["code", "message", "error_description"] {
            let fault = format!("its body has a top-level `{name}`");
            faults.rule(body.get(name).is_none(), &fault);
        }
    }
    awkward_keys(&body, String::new(), faults);
    Some(body)
}

#[cfg(test)]
mod tests;
