//! Failures as DS Server shows them: 400 and 401 for nearly everything (DS Server documentation,
//! administration API). Bodies are not documented: a 401 has none, the others have a JSON string.

use hyper::{StatusCode, header};
use serde_json::json;
use transaction_engine::Error as EngineError;

use super::answer;
use crate::answer::Answer;
use crate::failure::{At, Failure};
use crate::outcome::Dressed;
use crate::presentation::Presentation;
use crate::transport::BodyError;

/// Shows a failure.
pub(super) fn dress(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> Dressed {
    failure.log();
    let (status, kind) = standing(failure);
    let sentence = sentence(failure, at, shows);
    let mut answer = match status {
        StatusCode::UNAUTHORIZED => {
            Answer::empty(status).header_text(header::WWW_AUTHENTICATE, "Basic realm=\"DS Server\"")
        }
        _ => answer::json(status, &json!(sentence)),
    };
    if let Failure::MethodNotAllowed(methods) = failure {
        answer = answer.allow(*methods);
    }
    Dressed { answer: answer.refusing(failure), kind, sentence }
}

fn sentence(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> String {
    match failure {
        Failure::Engine(EngineError::Invalid(violations) | EngineError::Rejected(violations)) => {
            let taken = |one: &catalog::Violation| one.rule == catalog::rule::UNIQUE;
            if violations.iter().any(taken) {
                return "A security profile with the given client ID already exists".to_owned();
            }
            let shown = violations.iter().take(at.limits.violations);
            let all: Vec<_> = shown.map(|one| one.message.as_str()).collect();
            all.join("; ")
        }
        Failure::NotFound(crate::failure::Place::Node(_)) => {
            "There is no security profile with this ID".to_owned()
        }
        failure => failure.sentence(at, shows),
    }
}

// The one table of statuses.
fn standing(failure: &Failure) -> (StatusCode, &'static str) {
    match failure {
        Failure::Unauthenticated
        | Failure::CredentialsMissing
        | Failure::CredentialsWrong
        | Failure::Blocked(_)
        | Failure::Forbidden(_) => (StatusCode::UNAUTHORIZED, "Unauthorized"),
        Failure::NotFound(crate::failure::Place::Request) => (StatusCode::NOT_FOUND, "NotFound"),
        Failure::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        Failure::MediaType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType"),
        Failure::Body(BodyError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge"),
        Failure::Body(BodyError::Stalled { .. }) => (StatusCode::REQUEST_TIMEOUT, "Timeout"),
        Failure::LoginsBusy | Failure::SessionsFull => (StatusCode::SERVICE_UNAVAILABLE, "Busy"),
        Failure::Engine(EngineError::Store(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "StoreUnavailable")
        }
        Failure::Engine(EngineError::Internal(_)) | Failure::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
        _ => (StatusCode::BAD_REQUEST, "BadRequest"),
    }
}
