//! Each rule against an answer that breaks it.

use super::*;

const GOOD: &[(&str, &str)] = &[
    ("allow", "GET"),
    ("content-language", "en"),
    ("content-type", "application/json; charset=utf-8"),
];

#[test]
fn ordinary_answers_pass() {
    let error = r#"{"error": {"type": "T", "message": "m"}, "meta": {}}"#;
    for good in [
        Response::of("/api", 200, GOOD, r#"{"items": [], "meta": {}}"#),
        Response::of("/api/x?y=1", 404, GOOD, error),
        Response::of("/api/x", 204, GOOD, ""),
        Response::of("/boxwood/v1/health", 200, GOOD, r#"{"status": "ok"}"#),
        Response::of("/boxwood/v1/metrics", 200, &GOOD[..2], "requests_total 1"),
        Response::of("/favicon.ico", 404, &[], ""),
    ] {
        assert_eq!(good.faults(), [""; 0], "{good}");
    }
}

#[test]
fn each_rule_is_held() {
    let check = |answer: Response, fault: &str| {
        let faults = answer.faults();
        assert!(faults.iter().any(|it| it.contains(fault)), "{fault}: {faults:?}");
    };
    let body = r#"{"meta": {}}"#;
    check(Response::of("/api", 200, &GOOD[1..], body), "no Allow");
    check(Response::of("/api", 200, &GOOD[..1], body), "Content-Language");
    check(Response::of("/api", 200, &GOOD[..2], body), "Content-Type");
    check(Response::of("/api", 206, GOOD, body), "success that");
    check(Response::of("/api", 200, GOOD, "{}"), "no `meta`");
    check(Response::of("/api", 200, GOOD, "[]"), "not an object");
    check(Response::of("/api", 200, GOOD, "{"), "not JSON");
    check(Response::of("/api", 404, GOOD, body), "no `error.type`");
    check(Response::of("/api", 404, GOOD, ""), "error without a body");
    let code = r#"{"error": {"type": "T", "message": "m"}, "meta": {}, "code": 1}"#;
    check(Response::of("/api", 404, GOOD, code), "top-level `code`");
    check(Response::of("/api", 200, GOOD, r#"{"meta": {"a": 1, "A": 2}}"#), "\"/meta\"");
    let zipped = [GOOD, &[("content-encoding", "gzip")]].concat();
    check(Response::of("/api", 200, &zipped, body), "Content-Encoding");
}

/// The same answer, from a listener of another dialect.
fn from(dialect: Dialect, method: &str, answer: Response) -> Response {
    let mut answer = Response { dialect, ..answer };
    answer.request.method = method.to_owned();
    answer
}

const JSON: (&str, &str) = ("content-type", "application/json");
const BASIC: (&str, &str) = ("www-authenticate", "Basic realm=\"DS Server\"");
const LEFT: (&str, &str) = ("x-ratelimit-ipremaining", "15");

fn found(answer: &Response, fault: &str) {
    let faults = answer.faults();
    assert!(faults.iter().any(|it| it.contains(fault)), "{fault}: {faults:?}");
}

#[test]
fn answers_of_ds_server_have_no_envelope() {
    let path = "/admin/securityprofiles";
    let of = |method, status, headers: &[_], body| {
        from(Dialect::DsServer, method, Response::of(path, status, headers, body))
    };
    for good in [
        of("POST", 200, &[JSON], "7"),
        of("DELETE", 200, &[], ""),
        of("GET", 401, &[BASIC], ""),
        of("GET", 400, &[JSON], "\"There is no such profile.\""),
        of("PUT", 405, &[("allow", "GET, POST")], ""),
    ] {
        assert_eq!(good.faults(), [""; 0], "{good}");
    }
    let envelope = r#"{"error": {"type": "T", "message": "m"}, "meta": {}}"#;
    found(&of("GET", 400, &[JSON], envelope), "envelope of SPS");
    found(&of("GET", 400, &[JSON], envelope), "not a JSON string");
    found(&of("GET", 500, &[], ""), "500");
    found(&of("GET", 404, &[("allow", "GET")], ""), "has Allow");
    found(&of("PUT", 405, &[], ""), "without Allow");
    found(&of("GET", 200, &[("content-language", "en")], "[]"), "content-language");
    found(&of("GET", 200, &[], "[]"), "Content-Type");
    found(&of("GET", 401, &[], ""), "does not ask");
    found(&of("GET", 401, &[BASIC, JSON], "\"no\""), "401 with a body");
    found(&of("PATCH", 200, &[JSON], "7"), "not empty");
    found(&of("POST", 409, &[], ""), "does not have");
}

#[test]
fn answers_of_advalidation_have_their_envelope() {
    let of = |status, headers: &[_], body| {
        from(Dialect::Advalidation, "GET", Response::of("/v2/x", status, headers, body))
    };
    let error = r#"{"error": {"responseCode": 404, "issues": [{"type": "t", "message": "m"}]}}"#;
    let list = r#"{"meta": {"pagination":
        {"count": 0, "totalCount": 0, "page": 1, "totalPages": 1}}, "data": []}"#;
    for good in [
        of(200, &[JSON, LEFT], r#"{"data": {"id": 1}}"#),
        of(200, &[JSON, LEFT], list),
        of(204, &[LEFT], ""),
        of(404, &[JSON, LEFT], error),
    ] {
        assert_eq!(good.faults(), [""; 0], "{good}");
    }
    found(&of(204, &[], ""), "X-RateLimit");
    found(&of(204, &[LEFT], "x"), "204 with a body");
    found(&of(404, &[JSON, LEFT], ""), "not a JSON object");
    found(&of(422, &[JSON, LEFT], error), "responseCode");
    found(&of(404, &[JSON, LEFT], r#"{"error": {"issues": []}}"#), "no issue");
    let odd = r#"{"error": {"issues": [{"type": "", "code": 1}]}}"#;
    found(&of(404, &[JSON, LEFT], odd), "no `type`");
    found(&of(404, &[JSON, LEFT], odd), "do not know");
    found(&of(200, &[JSON, LEFT], r#"{"id": 1}"#), "not `data`");
    found(&of(200, &[JSON, LEFT], r#"{"data": [], "meta": {}}"#), "no `totalPages`");
}

#[test]
fn the_own_api_has_its_rules_on_every_listener() {
    let health = Response::of("/boxwood/v1/health", 200, GOOD, r#"{"status": "ok"}"#);
    assert_eq!(from(Dialect::DsServer, "GET", health).faults(), [""; 0]);
    let bare = Response::of("/boxwood/v1/health", 200, &[], r#"{"status": "ok"}"#);
    found(&from(Dialect::DsServer, "GET", bare), "no Allow");
}
