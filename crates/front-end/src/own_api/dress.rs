//! Failures as Boxwood's own API shows them: problem documents (RFC 9457), with the members `error`
//! and `meta` of its first version next to them.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde_json::{Map, Value, json};
use transaction_engine::Error as EngineError;

use super::call::Refused;
use super::nodes::methods;
use super::problem::{Problem, remedy, standing};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::{At, Failure};
use crate::http_path::parent_href;
use crate::methods::Methods;
use crate::outcome::Dressed;
use crate::presentation::{Presentation, TreePresentation};

/// The media type of a problem document.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Shows a refusal.
pub(super) fn dress(refused: &Refused, at: &At<'_>, appliance: &Appliance) -> Dressed {
    let first = match refused {
        Refused::Once(failure) => failure,
        Refused::Edits(failures) => match failures.first() {
            Some((_, failure)) => failure,
            None => &Failure::Internal,
        },
    };
    let mut document = problem(first, at, appliance);
    if let Refused::Edits(failures) = refused {
        document["errors"] = json!(edit_errors(failures, at, appliance));
        if failures.len() > 1 {
            let more = failures.len() - 1;
            document["detail"] = json!(format!(
                "{} (and {more} more of the edits {} refused, see errors)",
                document["detail"].as_str().unwrap_or_default(),
                if more == 1 { "is" } else { "are" },
            ));
        }
    }
    first.log();
    let sentence = document["detail"].as_str().unwrap_or_default().to_owned();
    document["instance"] = json!(at.path);
    document["meta"] = json!({ "href": at.path, "parent": parent_href(at.path) });
    let (status, Problem { kind, .. }) = standing(first);
    let allow = match first {
        Failure::MethodNotAllowed(allow) => *allow,
        Failure::Engine(EngineError::NotAllowed { path, .. }) => methods(appliance, path),
        _ => Methods::GET,
    };
    let answer = Answer::text(status, document.to_string()).allow(allow);
    let answer = answer.header(header::CONTENT_TYPE, PROBLEM_JSON);
    Dressed { answer: headers(answer, first), kind, sentence }
}

/// Shows a refusal that no appliance has: its kind, and the sentence.
pub(super) fn bare(
    status: StatusCode,
    kind: &'static str,
    sentence: String,
    path: &str,
) -> Dressed {
    let problem = Problem::named(kind).unwrap_or(Problem { kind, title: kind, remedy: "" });
    let document = json!({
        "type": problem.uri(),
        "title": problem.title,
        "status": status.as_u16(),
        "detail": sentence,
        "remedy": problem.remedy,
        "instance": path,
        "error": { "details": {}, "message": sentence, "type": kind },
        "meta": { "href": path, "parent": parent_href(path) },
    });
    let answer = Answer::text(status, document.to_string()).allow(Methods::GET);
    let answer = answer.header(header::CONTENT_TYPE, PROBLEM_JSON);
    Dressed { answer, kind, sentence }
}

fn headers(mut answer: Answer, failure: &Failure) -> Answer {
    if let Failure::CredentialsWrong | Failure::CredentialsMissing | Failure::Blocked(_) = failure {
        answer = answer.header_text(header::WWW_AUTHENTICATE, "Basic realm=\"Boxwood\"");
    }
    answer.refusing(failure)
}

/// A failure as a problem, in an answer of its own or within one: paths as the tree has them in
/// `errors`, as the appliance has them in `error`.
pub(super) fn problem(failure: &Failure, at: &At<'_>, appliance: &Appliance) -> Value {
    let (status, problem) = standing(failure);
    let (tree, shows) = (tree(appliance), appliance.shows());
    let mut document = Map::new();
    let details = match failure.details(at, &tree) {
        Value::Object(details) => details,
        _ => Map::new(),
    };
    for (name, value) in details {
        match (name.as_str(), value) {
            ("errors", Value::Array(errors)) => {
                let errors: Vec<Value> = errors.into_iter().map(neutral).collect();
                document.insert("errors".to_owned(), json!(errors));
            }
            (_, value) => drop(document.insert(name, value)),
        }
    }
    let mut old = refusal(failure, at, &*shows);
    old["message"] = json!(sentence(failure, at, &*shows, appliance));
    for (name, value) in [
        ("type", json!(problem.uri())),
        ("title", json!(problem.title)),
        ("status", json!(status.as_u16())),
        ("detail", json!(sentence(failure, at, &tree, appliance))),
        ("remedy", json!(remedy(failure, problem))),
        ("error", old),
    ] {
        document.insert(name.to_owned(), value);
    }
    Value::Object(document)
}

/// How nodes are shown in this API: by the paths of the tree.
pub(super) fn tree(appliance: &Appliance) -> TreePresentation {
    TreePresentation::new(Arc::clone(appliance.engine.catalog()))
}

fn sentence(
    failure: &Failure,
    at: &At<'_>,
    shows: &dyn Presentation,
    appliance: &Appliance,
) -> String {
    let sentence = failure.sentence(at, shows);
    match failure {
        Failure::Unauthenticated => {
            let how = appliance.dialect.how_to_log_in();
            format!("{sentence}; log in with POST /boxwood/v1/sessions or {how}")
        }
        _ => sentence,
    }
}

// `message` and the first of `paths` by the names that a problem has for them.
fn neutral(error: Value) -> Value {
    let Value::Object(mut members) = error else { return error };
    if let Some(message) = members.remove("message") {
        members.insert("detail".to_owned(), message);
    }
    if let Some(path) = members.get("paths").and_then(|paths| paths[0].as_str()) {
        let path = path.split('#').next().unwrap_or_default().to_owned();
        members.insert("path".to_owned(), json!(path));
    }
    Value::Object(members)
}

// Each reason of each edit, with the place of the edit.
fn edit_errors(failures: &[(usize, Failure)], at: &At<'_>, appliance: &Appliance) -> Vec<Value> {
    let mut errors = Vec::new();
    for (place, failure) in failures {
        let mut shown = problem(failure, at, appliance);
        let own = match shown["errors"].take() {
            Value::Array(own) if !own.is_empty() => own,
            _ => vec![json!({ "detail": shown["detail"], "type": shown["type"] })],
        };
        errors.extend(own.into_iter().map(|mut error| {
            error["edit"] = json!(place);
            error
        }));
    }
    errors
}

/// A failure in the form of the first version of this API.
pub(super) fn refusal(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> Value {
    json!({
        "details": failure.details(at, shows),
        "message": failure.sentence(at, shows),
        "type": standing(failure).1.kind,
    })
}
