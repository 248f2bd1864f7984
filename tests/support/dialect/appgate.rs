//! What every answer of Appgate SDP has: bare JSON objects, and errors of an id and a message.

use serde_json::Value;

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    super::of_every_foreign_answer(answer, faults);
    if answer.request.method == "HEAD" || answer.request.method == "OPTIONS" {
        return;
    }
    if answer.status == 204 {
        return faults.rule(answer.body.is_empty(), "it is a 204 with a body");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return faults.rule(false, "its body is not JSON");
    };
    faults.rule(answer.status != 201, "its status is one that Appgate SDP does not have");
    if answer.status < 400 {
        return;
    }
    faults.rule(body["id"].is_string(), "its error has no id");
    faults.rule(body["message"].is_string(), "its error has no message");
    faults.rule(body["errors"].is_array() == (answer.status == 422), "`errors` is not of a 422");
    for bound in ["minSupportedVersion", "maxSupportedVersion"] {
        let is_there = body[bound].is_u64();
        faults.rule(is_there == (answer.status == 406), "the bounds are not those of a 406");
    }
}
