//! Failures as Advalidation shows them: an error with its issues, one for each field to blame
//! (Advalidation API documentation, responses of the operations). The types of issues are not
//! documented; these are ours.

use catalog::{Violation, rule};
use config_tree::pointer;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{StatusCode, header};
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;
use transaction_engine::store::StoreError;

use crate::answer::Answer;
use crate::failure::{At, Failure};
use crate::outcome::Dressed;
use crate::presentation::Presentation;
use crate::transport::BodyError;

/// One thing that is wrong.
struct Issue {
    kind: &'static str,
    message: String,
    field: Option<String>,
}

impl Issue {
    fn to_json(&self) -> Value {
        let Self { kind, message, field } = self;
        match field {
            Some(field) => json!({ "type": kind, "message": message, "relatedField": field }),
            None => json!({ "type": kind, "message": message }),
        }
    }
}

/// A JSON answer.
pub(super) fn json_answer(status: StatusCode, document: &Value) -> Answer {
    Answer::json(status, document.to_string())
}

/// How many requests the address has left.
pub(super) fn remaining(answer: Answer, left: u32) -> Answer {
    const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-ipremaining");
    answer.header(REMAINING, HeaderValue::from(left))
}

/// Shows a failure.
pub(super) fn dress(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> Dressed {
    failure.log();
    let (status, kind) = standing(failure);
    let issues = issues(failure, kind, at, shows);
    let shown: Vec<Value> = issues.iter().map(Issue::to_json).collect();
    let document = json!({ "error": { "responseCode": status.as_u16(), "issues": shown } });
    let sentence = issues.into_iter().map(|issue| issue.message).collect::<Vec<_>>().join("; ");
    let mut answer = json_answer(status, &document);
    if let Failure::MethodNotAllowed(methods) = failure {
        answer = answer.allow(*methods);
    }
    let retry = match failure {
        Failure::Limited { retry_seconds } => Some(*retry_seconds),
        Failure::LoginsBusy => Some(1),
        _ => None,
    };
    if let Some(seconds) = retry {
        answer = answer.header(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Dressed { answer: answer.refusing(failure), kind, sentence }
}

fn issues(
    failure: &Failure,
    kind: &'static str,
    at: &At<'_>,
    shows: &dyn Presentation,
) -> Vec<Issue> {
    match failure {
        Failure::Query(parameters) => parameters
            .iter()
            .map(|one| Issue { kind, message: one.message.clone(), field: Some(one.name.into()) })
            .collect(),
        Failure::Engine(EngineError::Invalid(found) | EngineError::Rejected(found)) => {
            of_violations(found, at.limits.violations)
        }
        failure => vec![Issue { kind, message: sentence(failure, at, shows), field: None }],
    }
}

// One for each field, since the second fault of a field may follow from the first.
fn of_violations(violations: &[Violation], most: usize) -> Vec<Issue> {
    let mut issues: Vec<Issue> = Vec::new();
    for violation in violations.iter().take(most) {
        let field = pointer::steps(&violation.pointer).next().map(|step| step.into_owned());
        if issues.iter().any(|issue| issue.field == field) {
            continue;
        }
        let kind = match violation.rule {
            rule::REQUIRED => "field_required",
            _ if field.is_none() => "body_invalid",
            _ => "field_invalid",
        };
        issues.push(Issue { kind, message: violation.message.clone(), field });
    }
    issues
}

fn sentence(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> String {
    match failure {
        Failure::Unauthenticated => {
            "The request has no key; send yours in the X-API-Key header".to_owned()
        }
        Failure::CredentialsWrong => "The X-API-Key header does not have a valid key".to_owned(),
        Failure::NotFound(_) => format!("There is nothing at {}", at.path),
        failure => failure.sentence(at, shows),
    }
}

// The one table of statuses and types. The documentation knows 401, 403, 404 and 422, clients know
// 429; the others are those of HTTP.
fn standing(failure: &Failure) -> (StatusCode, &'static str) {
    match failure {
        Failure::Unauthenticated
        | Failure::CredentialsMissing
        | Failure::CredentialsWrong
        | Failure::Blocked(_) => (StatusCode::UNAUTHORIZED, "authentication_failed"),
        Failure::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
        Failure::NotFound(_) | Failure::PathUndecodable => (StatusCode::NOT_FOUND, "not_found"),
        Failure::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        Failure::Limited { .. } | Failure::LoginsBusy => {
            (StatusCode::TOO_MANY_REQUESTS, "rate_limited")
        }
        Failure::Head(_) => (StatusCode::BAD_REQUEST, "request_invalid"),
        Failure::Body(BodyError::Stalled { .. }) => (StatusCode::REQUEST_TIMEOUT, "body_invalid"),
        Failure::Body(_)
        | Failure::MediaType { .. }
        | Failure::BodyMissing(_)
        | Failure::BodyInvalid(_)
        | Failure::Engine(EngineError::Store(StoreError::TooLarge { .. })) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "body_invalid")
        }
        Failure::Engine(error) => engine_standing(error),
        Failure::Query(_)
        | Failure::Malformed { .. }
        | Failure::Unsuitable { .. }
        | Failure::PreconditionFailed(_) => (StatusCode::UNPROCESSABLE_ENTITY, "field_invalid"),
        Failure::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        Failure::SessionsFull => (StatusCode::SERVICE_UNAVAILABLE, "internal_error"),
    }
}

fn engine_standing(error: &EngineError) -> (StatusCode, &'static str) {
    match error {
        EngineError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        // What passes: a store that cannot be written to, a commit that waits for confirmation.
        EngineError::Store(_)
        | EngineError::AwaitingConfirmation { .. }
        | EngineError::Committing
        | EngineError::Held(_)
        | EngineError::Conflict { .. } => (StatusCode::SERVICE_UNAVAILABLE, "internal_error"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "field_invalid"),
    }
}
