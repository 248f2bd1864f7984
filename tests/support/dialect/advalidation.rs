//! What every answer of Advalidation has: `data`, or `error` with its issues.

use serde_json::Value;

use super::Faults;
use crate::response::Response;

pub(super) fn check(answer: &Response, faults: &mut Faults) {
    super::of_every_foreign_answer(answer, faults);
    let path = answer.path();
    if path != "/v2" && !path.starts_with("/v2/") {
        return;
    }
    let remaining = answer.header("x-ratelimit-ipremaining").map(str::parse::<u64>);
    faults.rule(matches!(remaining, Some(Ok(_))), "it has no X-RateLimit-IPRemaining");
    if answer.request.method == "HEAD" {
        return;
    }
    if answer.status == 204 {
        faults.rule(answer.body.is_empty(), "it is a 204 with a body");
        return;
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else {
        faults.rule(false, "its body is not a JSON object");
        return;
    };
    let members: Vec<&str> = body.keys().map(String::as_str).collect();
    if answer.status >= 400 {
        faults.rule(members == ["error"], "its body is not one `error`");
        error(answer.status, &body["error"], faults);
        return;
    }
    match members.as_slice() {
        ["data"] => {}
        ["data", "meta"] | ["meta", "data"] => {
            faults.rule(body["data"].is_array(), "its `data` is not a list");
            pagination(&body["meta"]["pagination"], faults);
        }
        _ => faults.rule(false, "its body is not `data`, nor `meta` and `data`"),
    }
}

fn error(status: u16, error: &Value, faults: &mut Faults) {
    let code = error["responseCode"].as_u64();
    faults.rule(code == Some(status.into()), "its `error.responseCode` is not its status");
    let issues = error["issues"].as_array().map(Vec::as_slice).unwrap_or_default();
    faults.rule(!issues.is_empty(), "its error has no issue");
    for issue in issues {
        for name in ["type", "message"] {
            let text = issue[name].as_str().unwrap_or_default();
            faults.rule(!text.is_empty(), &format!("an issue of it has no `{name}`"));
        }
        let known = ["type", "message", "relatedField", "relatedId"];
        let all_known = issue
            .as_object()
            .is_some_and(|members| members.keys().all(|name| known.contains(&name.as_str())));
        faults.rule(all_known, "an issue of it has members that clients do not know");
    }
}

fn pagination(pagination: &Value, faults: &mut Faults) {
    for name in ["count", "totalCount", "page", "totalPages"] {
        let fault = format!("its pagination has no `{name}`");
        faults.rule(pagination[name].is_u64(), &fault);
    }
}
