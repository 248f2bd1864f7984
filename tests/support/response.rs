//! An answer, with the request that led to it, and the boring things that every answer must have.

use std::fmt;

use serde_json::Value;

use crate::connection::RawResponse;

/// What was sent, kept for the message of a failed expectation.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The method; empty when the bytes sent have none.
    pub method: String,
    /// The request target.
    pub path: String,
    /// All that was sent, lossily as text.
    pub sent: String,
}

/// A final answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// In the order they came, duplicates kept.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from its framing.
    pub body: Vec<u8>,
    /// The statuses of interim answers that came before, such as 100.
    pub interim: Vec<u16>,
    /// What was asked.
    pub request: Exchange,
}

impl Response {
    pub(crate) fn new(raw: RawResponse, request: Exchange) -> Response {
        let RawResponse { interim, version, status, headers, body, keep_alive: _ } = raw;
        Response { status, version, headers, body, interim, request }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of that name, in order.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(_) => panic!("the body is not UTF-8\n{self}"),
        }
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(why) => panic!("the body is not JSON: {why}\n{self}"),
        }
    }

    /// The member of the JSON body at a pointer, `/meta/href`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn at(&self, pointer: &str) -> Value {
        match self.json().pointer_mut(pointer) {
            Some(value) => value.take(),
            None => panic!("the body has nothing at {pointer}\n{self}"),
        }
    }

    /// The answer, when its status is this one.
    ///
    /// # Panics
    ///
    /// When it is another; the message holds the whole exchange.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        assert!(self.status == status, "expected status {status}\n{self}");
        self
    }

    /// The answer, when it is an error of this status and `error.type`.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn expect_error(self, status: u16, kind: &str) -> Response {
        let answer = self.expect(status);
        let found = answer.at("/error/type");
        assert!(found == kind, "expected an error of type {kind}, not {found}\n{answer}");
        answer
    }

    /// Checks what every answer must have, whatever was asked.
    ///
    /// # Panics
    ///
    /// When something is missing; the message names all of it and holds the exchange.
    #[track_caller]
    pub fn check(&self) {
        let faults = self.faults();
        assert!(faults.is_empty(), "this answer breaks the rules: {}\n{self}", faults.join("; "));
    }

    /// What [`Response::check`] finds.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut rule = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        let path = self.request.path.split('?').next().unwrap_or_default();
        let emulated = path == "/api" || path.starts_with("/api/");
        let own = path.starts_with("/boxwood/");
        rule(self.header("content-encoding").is_none(), "it has Content-Encoding");
        rule(self.headers_named("content-type").count() <= 1, "it has several Content-Types");
        if emulated || own {
            rule(self.header("allow").is_some(), "it has no Allow");
            rule(self.header("content-language") == Some("en"), "its Content-Language is not en");
        }
        if emulated && self.status < 300 {
            let known = matches!(self.status, 200 | 201 | 202 | 204);
            rule(known, "its status is a success that SPS clients do not know");
        }
        let speaks_json = emulated || own && !path.ends_with("/metrics");
        let has_body = !self.body.is_empty();
        if speaks_json && (has_body || self.request.method == "HEAD" && self.status != 204) {
            let json = self.header("content-type") == Some("application/json; charset=utf-8");
            rule(json, "its Content-Type is not `application/json; charset=utf-8`");
        }
        if speaks_json && has_body {
            match serde_json::from_slice::<Value>(&self.body) {
                Ok(body) => {
                    rule(body.is_object(), "its body is not an object");
                    rule(!emulated || body["meta"].is_object(), "its body has no `meta`");
                    if self.status >= 400 {
                        let text = |name: &str| body["error"][name].as_str().unwrap_or_default();
                        rule(!text("type").is_empty(), "its body has no `error.type`");
                        rule(!text("message").is_empty(), "its body has no `error.message`");
                        rule(body["meta"].is_object(), "its body has no `meta`");
                        for name in ["code", "message", "error_description"] {
                            let fault = format!("its body has a top-level `{name}`");
                            rule(body.get(name).is_none(), &fault);
                        }
                    }
                    let mut unusual = Vec::new();
                    awkward_keys(&body, String::new(), &mut unusual);
                    faults.extend(unusual);
                }
                Err(why) => rule(false, &format!("its body is not JSON: {why}")),
            }
        } else if self.status >= 400 && speaks_json && self.request.method != "HEAD" {
            rule(false, "it is an error without a body");
        }
        faults
    }
}

/// Keys that PowerShell's JSON reader cannot take: empty, or equal but for their case.
fn awkward_keys(value: &Value, pointer: String, faults: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<String> = members.keys().map(|key| key.to_lowercase()).collect();
            keys.sort();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) || keys.iter().any(String::is_empty) {
                faults.push(format!("the object at {pointer:?} has empty or nearly equal keys"));
            }
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

/// The whole exchange, for people.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8000;
        let indent = |f: &mut fmt::Formatter<'_>, mark: &str, text: &str| {
            let shown: String = text.chars().take(SHOWN).collect();
            for line in shown.lines() {
                writeln!(f, "  {mark} {line}")?;
            }
            match shown.len() < text.len() {
                true => writeln!(f, "  {mark} ... {} bytes in all", text.len()),
                false => Ok(()),
            }
        };
        indent(f, ">", &self.request.sent)?;
        for status in &self.interim {
            writeln!(f, "  < {} {status}", self.version)?;
        }
        writeln!(f, "  < {} {}", self.version, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "  < {name}: {value}")?;
        }
        writeln!(f, "  <")?;
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => indent(f, "<", &format!("{value:#}")),
            Err(_) => indent(f, "<", &String::from_utf8_lossy(&self.body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(path: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        Response {
            status,
            version: "HTTP/1.1".to_owned(),
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            interim: Vec::new(),
            request: Exchange {
                method: "GET".to_owned(),
                path: path.to_owned(),
                sent: format!("GET {path} HTTP/1.1\r\n\r\n"),
            },
        }
    }

    const GOOD: &[(&str, &str)] = &[
        ("allow", "GET"),
        ("content-language", "en"),
        ("content-type", "application/json; charset=utf-8"),
    ];

    #[test]
    fn ordinary_answers_pass() {
        let error = r#"{"error": {"type": "T", "message": "m"}, "meta": {}}"#;
        for good in [
            answer("/api", 200, GOOD, r#"{"items": [], "meta": {}}"#),
            answer("/api/x?y=1", 404, GOOD, error),
            answer("/api/x", 204, GOOD, ""),
            answer("/boxwood/v1/health", 200, GOOD, r#"{"status": "ok"}"#),
            answer("/boxwood/v1/metrics", 200, &GOOD[..2], "requests_total 1"),
            answer("/favicon.ico", 404, &[], ""),
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
        check(answer("/api", 200, &GOOD[1..], body), "no Allow");
        check(answer("/api", 200, &GOOD[..1], body), "Content-Language");
        check(answer("/api", 200, &GOOD[..2], body), "Content-Type");
        check(answer("/api", 206, GOOD, body), "success that");
        check(answer("/api", 200, GOOD, "{}"), "no `meta`");
        check(answer("/api", 200, GOOD, "[]"), "not an object");
        check(answer("/api", 200, GOOD, "{"), "not JSON");
        check(answer("/api", 404, GOOD, body), "no `error.type`");
        check(answer("/api", 404, GOOD, ""), "error without a body");
        let code = r#"{"error": {"type": "T", "message": "m"}, "meta": {}, "code": 1}"#;
        check(answer("/api", 404, GOOD, code), "top-level `code`");
        check(answer("/api", 200, GOOD, r#"{"meta": {"a": 1, "A": 2}}"#), "\"/meta\"");
        let zipped = [GOOD, &[("content-encoding", "gzip")]].concat();
        check(answer("/api", 200, &zipped, body), "Content-Encoding");
    }

    #[test]
    #[should_panic(expected = "expected status 201\n  > GET /api HTTP/1.1")]
    fn an_unexpected_status_shows_the_exchange() {
        answer("/api", 200, GOOD, "{}").expect(201);
    }
}
