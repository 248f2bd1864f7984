//! What every answer of Prisma Access has: JSON, and errors in the one envelope with a request id.

use serde_json::Value;

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    super::of_every_foreign_answer(answer, faults);
    if answer.request.method == "HEAD" {
        return;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return faults.rule(false, "its body is not JSON");
    };
    if answer.status < 400 {
        return faults.rule(body.get("_errors").is_none(), "it has errors and succeeds");
    }
    if answer.path().ends_with("/access_token") && body.get("error").is_some() {
        return;
    }
    let error = &body["_errors"][0];
    let is_code = error["code"] == 4 || error["code"].is_string();
    faults.rule(is_code, "its error has no code");
    faults.rule(error["message"].is_string(), "its error has no message");
    let details = &error["details"];
    faults.rule(details.is_object() || details.is_array(), "its error has no details");
    faults.rule(error.get("help").is_none(), "its error has help");
    let id = body["_request_id"].as_str().unwrap_or_default();
    faults.rule(id.len() == 36 && id.split('-').count() == 5, "its request id is not a UUID");
}
