//! Failures as the controller shows them: an id for programs, a message for people, and for a body
//! with wrong fields all of them.

use catalog::{Violation, rule};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;

use super::version::{NEWEST, OLDEST};
use crate::failure::{At, Failure};
use crate::outcome::Dressed;
use crate::presentation::Presentation;
use crate::transport::BodyError;

/// Shows a failure.
pub(super) fn dress(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> Dressed {
    failure.log();
    let (status, kind) = standing(failure, at.method);
    let sentence = sentence(failure, at, shows);
    let mut document = json!({ "id": kind, "message": sentence });
    if status == StatusCode::UNPROCESSABLE_ENTITY {
        document["errors"] = fields(failure, at.limits.violations);
    }
    if let Failure::CredentialsWrong = failure {
        document["failureType"] = json!("Login");
        document["reason"] = json!("Login");
    }
    let mut answer = super::json(status, &document);
    if let Failure::MethodNotAllowed(methods) = failure {
        answer = answer.allow(*methods);
    }
    Dressed { answer: answer.refusing(failure), kind, sentence }
}

/// Shows that no version is spoken that the request accepts.
pub(super) fn not_acceptable(received: &str) -> Dressed {
    let sentence = format!(
        "Invalid 'Accept' header. Current version: \
         application/vnd.appgate.peer-v{NEWEST}+json, Received: {received}"
    );
    let kind = "not acceptable";
    let document = json!({
        "id": kind,
        "message": sentence,
        "minSupportedVersion": OLDEST,
        "maxSupportedVersion": NEWEST,
    });
    Dressed { answer: super::json(StatusCode::NOT_ACCEPTABLE, &document), kind, sentence }
}

fn violations(failure: &Failure) -> &[Violation] {
    match failure {
        Failure::Engine(EngineError::Invalid(all) | EngineError::Rejected(all)) => all,
        _ => &[],
    }
}

fn is_conflict(failure: &Failure) -> bool {
    let all = violations(failure);
    !all.is_empty() && all.iter().all(|one| one.rule == rule::UNIQUE)
}

fn sentence(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> String {
    match failure {
        Failure::Engine(EngineError::KeyTaken(_)) => {
            "There is an object with this id already".to_owned()
        }
        // Word for word: clients look for it.
        Failure::CredentialsWrong => "Invalid username or password.".to_owned(),
        Failure::Forbidden(_) => "You don't have permission to access this resource.".to_owned(),
        failure if is_conflict(failure) => "There is an object with this name already".to_owned(),
        failure if !violations(failure).is_empty() => {
            "Some fields are wrong; see errors".to_owned()
        }
        failure => failure.sentence(at, shows),
    }
}

// Each wrong field once: where a value must be unique, both of its holders are violations.
fn fields(failure: &Failure, most: usize) -> Value {
    if let Failure::Malformed { message, pointer } = failure {
        return json!([{ "field": field(pointer), "message": message }]);
    }
    let one = |one: &Violation| {
        let message = match one.rule {
            rule::REQUIRED => "may not be null",
            rule::UNIQUE => "is taken already",
            _ => &one.message,
        };
        let pointer = match one.rule {
            rule::UNIQUE => "/name",
            _ => &one.pointer,
        };
        json!({ "field": field(pointer), "message": message })
    };
    let mut fields: Vec<Value> = Vec::new();
    for error in violations(failure).iter().map(one) {
        if fields.len() < most && !fields.contains(&error) {
            fields.push(error);
        }
    }
    Value::Array(fields)
}

// `/profileUrls/0/url` is `profileUrls[0].url`.
fn field(pointer: &str) -> String {
    let mut text = String::new();
    for step in pointer.split('/').skip(1) {
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{step}]"));
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&step.replace("~1", "/").replace("~0", "~"));
    }
    text
}

// The one table of statuses.
fn standing(failure: &Failure, method: &Method) -> (StatusCode, &'static str) {
    match failure {
        Failure::Unauthenticated | Failure::CredentialsMissing | Failure::CredentialsWrong => {
            (StatusCode::UNAUTHORIZED, "unauthorized")
        }
        Failure::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
        Failure::NotFound(_) => (StatusCode::NOT_FOUND, "not found"),
        Failure::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        Failure::MediaType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported media type"),
        Failure::Body(BodyError::TooLarge { .. }) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "payload too large")
        }
        Failure::Body(BodyError::Stalled { .. }) => {
            (StatusCode::REQUEST_TIMEOUT, "request timeout")
        }
        Failure::Blocked(_) => (StatusCode::TOO_MANY_REQUESTS, "too many requests"),
        Failure::LoginsBusy | Failure::SessionsFull | Failure::Engine(EngineError::Store(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "service unavailable")
        }
        Failure::Engine(EngineError::KeyTaken(_)) => (StatusCode::CONFLICT, "conflict"),
        Failure::Malformed { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable entity"),
        Failure::Engine(EngineError::Invalid(_) | EngineError::Rejected(_)) => {
            if is_conflict(failure) && *method == Method::POST {
                return (StatusCode::CONFLICT, "conflict");
            }
            (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable entity")
        }
        Failure::Engine(EngineError::Internal(_)) | Failure::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
        }
        _ => (StatusCode::BAD_REQUEST, "bad request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_with_dots_and_brackets() {
        for (pointer, expected) in
            [("/name", "name"), ("/profileUrls/0/url", "profileUrls[0].url"), ("", "")]
        {
            assert_eq!(field(pointer), expected);
        }
    }
}
