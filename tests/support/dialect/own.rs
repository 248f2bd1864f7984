//! What every answer of Boxwood's own API has, on a listener of any dialect.

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    let is_json = !answer.path().ends_with("/metrics");
    let Some(body) = super::of_an_object(answer, is_json, faults) else { return };
    if answer.status < 400 {
        return;
    }
    for name in ["type", "title", "detail", "remedy", "instance"] {
        let text = body[name].as_str().unwrap_or_default();
        faults.rule(!text.is_empty(), &format!("its problem has no `{name}`"));
    }
    faults.rule(body["status"] == answer.status, "its problem has another `status`");
}
