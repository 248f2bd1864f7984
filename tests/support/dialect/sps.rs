//! What every answer of SPS has: Allow, Content-Language, and JSON with `meta`.

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    let path = answer.path();
    if path != "/api" && !path.starts_with("/api/") {
        return;
    }
    if answer.status < 300 {
        let known = matches!(answer.status, 200 | 201 | 202 | 204);
        faults.rule(known, "its status is a success that SPS clients do not know");
    }
    if let Some(body) = super::of_an_object(answer, true, faults)
        && answer.status < 400
    {
        faults.rule(body["meta"].is_object(), "its body has no `meta`");
    }
}
