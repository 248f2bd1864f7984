//! What every answer of DS Server has: no envelope, and errors that are a JSON string or empty.

use serde_json::Value;

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    super::of_every_foreign_answer(answer, faults);
    let below_admin = answer.path().to_ascii_lowercase().contains("/admin/");
    if !below_admin || answer.request.method == "HEAD" {
        return;
    }
    for status in [201, 204, 403, 409, 422] {
        faults.rule(answer.status != status, "its status is one that DS Server does not have");
    }
    let body = serde_json::from_slice::<Value>(&answer.body).ok();
    let empty = answer.body.is_empty();
    match (answer.status, answer.request.method.as_str()) {
        (200, "PATCH" | "DELETE") => faults.rule(empty, "its body is not empty"),
        (200, _) => faults.rule(empty || body.is_some(), "its body is not JSON"),
        (401, _) => {
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            faults.rule(challenge.starts_with("Basic realm="), "it does not ask for Basic");
            faults.rule(empty, "it is a 401 with a body");
        }
        (400, _) => {
            let reason = body.as_ref().and_then(Value::as_str).unwrap_or_default();
            faults.rule(!reason.is_empty(), "it is a 400 whose body is not a JSON string");
        }
        _ => {}
    }
}
