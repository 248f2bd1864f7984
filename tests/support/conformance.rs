//! Recorded steps: a directory of requests and the answers they must get.
//!
//! A step is two files, and steps run in the order of their names:
//!
//! ```text
//! 03-PUT-mail-server.http             04-GET-...
//!     PUT /api/configuration/management/email
//!     X-Header: optional
//!
//!     {"admin_address": "a@example.com", ...}
//! 03-PUT-mail-server.expect.json
//!     {"status": 200,
//!      "headers": {"location": "<any>"},
//!      "body": {"key": "email", "meta": {"href": "...", "<more>": true}}}
//! ```
//!
//! * The request line has a method, which the file's name repeats, and a path. A body is sent as
//!   `application/json` unless a header says otherwise, and without the file's last line end.
//! * `Authorization: Basic user:password` is encoded when it is sent.
//! * `headers` names those that matter; `null` means the header must not be there. They, and
//!   `body`, may use placeholders: `"<any>"`, `"<uuid>"`, `"<int>"`, `"<capture:name>"`, and
//!   `{{name}}` for what was captured, in requests too. Objects have exactly the members expected,
//!   unless `"<more>": true` is among them.
//! * Without `body` the answer must have none.
//! * A placeholder for a capture may stand within a string: `"https://host/cb?code=<capture:code>"`.
//! * Credentials are headers like others: `X-API-Key: admin`, `Authorization: Bearer {{token}}`.
//!
//! A directory may have a `recording.json` that says of which appliance the steps are, and which
//! statements of `tests/ledger` they prove: `{"appliance": "ds-server", "proves": ["C-02"]}`.
//! The rules of that appliance's dialect hold of every answer.
//!
//! The files are a specification: nothing rewrites them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::client::Client;
use crate::encoding;
use crate::matching::{Captures, Difference, differences, fill_in, plain};
use crate::response::Response;

/// What says of which appliance the steps of a directory are.
const ABOUT: &str = "recording.json";

/// Runs the steps of a directory, all with the one client.
///
/// # Panics
///
/// At the first step whose answer is not as expected: later steps build on it. The message names
/// each difference by a JSON pointer and holds the exchange.
#[track_caller]
pub fn run(directory: impl AsRef<Path>, client: &mut Client) {
    run_with(directory, client, &[]);
}

/// As [`run`], with values that the steps may use as `{{name}}`.
///
/// # Panics
///
/// As [`run`].
#[track_caller]
pub fn run_with(directory: impl AsRef<Path>, client: &mut Client, known: &[(&str, Value)]) {
    if let Err(why) = play(directory.as_ref(), client, known) {
        panic!("{}: {why}", directory.as_ref().display());
    }
}

/// The appliance that a directory's `recording.json` names, if it does.
///
/// # Panics
///
/// When the file is not as it should be.
#[track_caller]
pub fn appliance(directory: impl AsRef<Path>) -> Option<String> {
    let directory = directory.as_ref();
    match About::read(directory) {
        Ok(about) => about.appliance,
        Err(why) => panic!("{}: {why}", directory.display()),
    }
}

/// What `recording.json` says; the ledger reads `proves` by itself.
#[derive(Debug, Default)]
struct About {
    appliance: Option<String>,
}

impl About {
    fn read(directory: &Path) -> Result<About, String> {
        let Ok(text) = fs::read_to_string(directory.join(ABOUT)) else {
            return Ok(About::default());
        };
        let mut members: Map<String, Value> =
            serde_json::from_str(&text).map_err(|why| format!("{ABOUT}: {why}"))?;
        let proves = members.remove("proves").unwrap_or_else(|| Value::Array(Vec::new()));
        if !proves.as_array().is_some_and(|all| all.iter().all(Value::is_string)) {
            return Err(format!("{ABOUT}: `proves` is not a list of numbers of statements"));
        }
        let appliance = match members.remove("appliance") {
            None => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(format!("{ABOUT}: `appliance` is not a name")),
        };
        match members.keys().next() {
            Some(name) => Err(format!("{ABOUT}: unknown member `{name}`")),
            None => Ok(About { appliance }),
        }
    }
}

fn play(directory: &Path, client: &mut Client, known: &[(&str, Value)]) -> Result<(), String> {
    let mut captures: Captures =
        known.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    About::read(directory)?;
    let steps = read(directory)?;
    if steps.is_empty() {
        return Err("there are no steps".to_owned());
    }
    for (name, step) in &steps {
        step.play(client, &mut captures).map_err(|why| format!("step {name}: {why}"))?;
    }
    Ok(())
}

/// A step as its files say.
struct Step {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    expected_headers: Map<String, Value>,
    expected_body: Option<Value>,
}

/// All steps of a directory by name.
fn read(directory: &Path) -> Result<BTreeMap<String, Step>, String> {
    let text = |name: &str| {
        fs::read_to_string(directory.join(name)).map_err(|why| format!("{name}: {why}"))
    };
    let entries = fs::read_dir(directory).map_err(|why| why.to_string())?;
    let (mut requests, mut expectations) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        let name = entry.map_err(|why| why.to_string())?.file_name().to_string_lossy().into_owned();
        if let Some(step) = name.strip_suffix(".http") {
            requests.insert(step.to_owned());
        } else if let Some(step) = name.strip_suffix(".expect.json") {
            expectations.insert(step.to_owned());
        } else if name != "README.md" && name != ABOUT {
            return Err(format!("{name} is neither a request nor an expectation"));
        }
    }
    if let Some(lone) = requests.symmetric_difference(&expectations).next() {
        return Err(format!("{lone} has only one of .http and .expect.json"));
    }
    let mut steps = BTreeMap::new();
    for name in requests {
        let request = text(&format!("{name}.http"))?;
        let expectation = text(&format!("{name}.expect.json"))?;
        let step =
            Step::parse(&name, &request, &expectation).map_err(|why| format!("{name}: {why}"))?;
        steps.insert(name, step);
    }
    Ok(steps)
}

impl Step {
    fn parse(name: &str, request: &str, expectation: &str) -> Result<Step, String> {
        let request = request.replace("\r\n", "\n");
        let (head, body) = request.split_once("\n\n").unwrap_or((request.trim_end(), ""));
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err("the first line is no method and path".to_owned());
        };
        if name.split('-').nth(1) != Some(method) {
            return Err(format!("the name does not have the request's method, {method}"));
        }
        let headers = lines
            .map(|line| match line.split_once(':') {
                Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                None => Err(format!("this is no header: {line:?}")),
            })
            .collect::<Result<_, _>>()?;
        let mut expectation: Map<String, Value> = serde_json::from_str(expectation)
            .map_err(|why| format!("the expectation is no JSON object: {why}"))?;
        let status = expectation
            .remove("status")
            .and_then(|status| u16::try_from(status.as_u64()?).ok())
            .ok_or("the expectation has no `status`")?;
        let expected_headers = match expectation.remove("headers") {
            None => Map::new(),
            Some(Value::Object(headers)) => headers,
            Some(_) => return Err("`headers` of the expectation is no object".to_owned()),
        };
        let expected_body = expectation.remove("body");
        if let Some(name) = expectation.keys().next() {
            return Err(format!("the expectation has an unknown member `{name}`"));
        }
        Ok(Step {
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body: body.strip_suffix('\n').unwrap_or(body).to_owned(),
            status,
            expected_headers,
            expected_body,
        })
    }

    fn play(&self, client: &mut Client, captures: &mut Captures) -> Result<(), String> {
        let path = fill_in(&self.path, captures, plain)?;
        let mut request = client.request(&self.method, &path).unchecked();
        if !self.body.is_empty() {
            // Within JSON text a captured string must stay one, whatever is in it.
            let spell = |value: &Value| match value {
                Value::String(text) => {
                    let quoted = Value::String(text.clone()).to_string();
                    quoted[1..quoted.len() - 1].to_owned()
                }
                other => other.to_string(),
            };
            let body = fill_in(&self.body, captures, spell)?;
            let typed =
                self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            request = request.text(body, if typed { "" } else { "application/json" });
        }
        for (name, value) in &self.headers {
            let value = fill_in(value, captures, plain)?;
            request = match value.strip_prefix("Basic ").and_then(|pair| pair.split_once(':')) {
                Some((user, password)) => request.header(name, &encoding::basic(user, password)),
                None => request.header(name, &value),
            };
        }
        let response = request.try_send().map_err(|why| format!("there is no answer: {why}"))?;
        let mut faults = self.faults(&response, captures);
        faults.extend(response.faults());
        match faults.is_empty() {
            true => Ok(()),
            false => Err(format!("\n  - {}\n{response}", faults.join("\n  - "))),
        }
    }

    fn faults(&self, response: &Response, captures: &mut Captures) -> Vec<String> {
        let mut faults = Vec::new();
        if response.status != self.status {
            faults.push(format!("status: expected {}, found {}", self.status, response.status));
        }
        // The body first: headers may speak of what is captured there.
        match (&self.expected_body, response.body.is_empty()) {
            (None, true) => {}
            (None, false) => faults.push("body: expected none".to_owned()),
            (Some(_), true) => faults.push("body: expected one, found none".to_owned()),
            (Some(expected), false) => match serde_json::from_slice(&response.body) {
                Ok(found) => {
                    let of_body = |it: Difference| format!("body {it}");
                    faults.extend(differences(expected, &found, captures).into_iter().map(of_body));
                }
                Err(why) => faults.push(format!("body: it is not JSON: {why}")),
            },
        }
        for (name, expected) in &self.expected_headers {
            let found = response.header(name).map_or(Value::Null, Value::from);
            // Checked apart, since "<any>" takes null too.
            if found.is_null() && !expected.is_null() {
                faults.push(format!("header {name}: missing, expected {expected}"));
                continue;
            }
            let of_header = |it: Difference| format!("header {name}: {}", it.what);
            faults.extend(differences(expected, &found, captures).into_iter().map(of_header));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scripted::Scripted;

    const ORDINARY: &str =
        "Allow: GET\nContent-Language: en\nContent-Type: application/json; charset=utf-8\n";

    fn answer(status: u16, body: &str) -> String {
        format!("HTTP/1.1 {status} X\n{ORDINARY}Content-Length: {}\n\n{body}", body.len())
    }

    /// Writes the files, plays them against the answers, and returns the outcome and the requests.
    fn played(files: &[(&str, &str)], answers: &[String]) -> (Result<(), String>, Vec<String>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("the file is written");
        }
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let connections: &[&[&str]] = if answers.is_empty() { &[] } else { &[&answers] };
        let server = Scripted::plain(connections);
        let mut client = Client::new(&server.url);
        let outcome = play(directory.path(), &mut client, &[("given", json!("known"))]);
        (outcome, server.requests())
    }

    #[test]
    fn steps_hand_values_on() {
        let (outcome, requests) = played(
            &[
                (
                    "01-POST-create.http",
                    "POST /api/passwords\nAuthorization: Basic u:p\n\n{\"a\": \"{{given}}\"}\n",
                ),
                (
                    "01-POST-create.expect.json",
                    r#"{"status": 201, "headers": {"allow": "GET", "location": null},
                        "body": {"key": "<capture:id>", "meta": {"href": "/api/x/{{id}}"}}}"#,
                ),
                ("02-GET-it.http", "GET /api/x/{{id}}\n"),
                (
                    "02-GET-it.expect.json",
                    r#"{"status": 200, "body": {"k": "{{id}}", "<more>": true}}"#,
                ),
            ],
            &[
                answer(201, r#"{"key": "a\"b", "meta": {"href": "/api/x/a\"b"}}"#),
                answer(200, r#"{"k": "a\"b", "meta": {}}"#),
            ],
        );
        assert_eq!(outcome, Ok(()));
        assert!(requests[0].starts_with("POST /api/passwords HTTP/1.1\n"));
        assert!(requests[0].contains("\nAuthorization: Basic dTpw\n"));
        assert!(requests[0].ends_with("\n\n{\"a\": \"known\"}"), "{}", requests[0]);
        assert!(requests[1].starts_with("GET /api/x/a\"b HTTP/1.1\n"));
    }

    #[test]
    fn all_differences_of_a_step_are_named() {
        let (outcome, _) = played(
            &[
                ("01-GET-x.http", "GET /api/x\n"),
                (
                    "01-GET-x.expect.json",
                    r#"{"status": 200, "headers": {"location": "<any>", "allow": "PUT"},
                        "body": {"a": 1, "meta": {"b": "<int>"}}}"#,
                ),
            ],
            &[answer(404, r#"{"a": 2, "meta": {"b": "x"}}"#)],
        );
        let why = outcome.expect_err("the step fails");
        for part in [
            "step 01-GET-x: \n",
            "- status: expected 200, found 404\n",
            "- header location: missing, expected \"<any>\"\n",
            "- header allow: expected \"PUT\", found \"GET\"\n",
            "- body /a: expected 1, found 2\n",
            "- body /meta/b: expected <int>, found \"x\"\n",
            "- its body has no `error.type`\n",
            "> GET /api/x HTTP/1.1\n",
            "< HTTP/1.1 404\n",
        ] {
            assert!(why.contains(part), "{part:?} is not in:\n{why}");
        }
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let check = |files: &[(&str, &str)], expect: &str| {
            let (outcome, _) = played(files, &[]);
            let why = outcome.expect_err("refused");
            assert!(why.contains(expect), "{why}");
        };
        let good = r#"{"status": 200}"#;
        check(&[(ABOUT, r#"{"proves": 1}"#)], "list of numbers");
        check(&[(ABOUT, r#"{"appliance": 1}"#)], "not a name");
        check(&[(ABOUT, r#"{"apliance": "x"}"#)], "unknown member `apliance`");
        check(&[], "no steps");
        check(&[("01-GET-x.http", "GET /")], "only one of");
        check(&[("01-GET-x.txt", "")], "neither a request nor an expectation");
        check(&[("01-PUT-x.http", "GET /"), ("01-PUT-x.expect.json", good)], "request's method");
        check(&[("01-GET-x.http", "GET"), ("01-GET-x.expect.json", good)], "no method and path");
        check(&[("01-GET-x.http", "GET /"), ("01-GET-x.expect.json", "{}")], "no `status`");
        let odd = r#"{"status": 200, "bodi": 1}"#;
        check(&[("01-GET-x.http", "GET /"), ("01-GET-x.expect.json", odd)], "`bodi`");
        let (outcome, _) =
            played(&[("01-GET-x.http", "GET /{{no}}"), ("01-GET-x.expect.json", good)], &[]);
        assert!(outcome.expect_err("refused").contains("nothing was captured as \"no\""));
    }
}
