//! Failures as Boxwood's own API shows them.

use catalog::Layer;
use hyper::{StatusCode, header};
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;
use transaction_engine::store::StoreError;

use crate::answer::Answer;
use crate::failure::{At, Failure};
use crate::http_path::parent_href;
use crate::methods::Methods;
use crate::outcome::Dressed;
use crate::presentation::Presentation;
use crate::transport::BodyError;

/// Shows a failure.
pub(super) fn dress(
    failure: &Failure,
    at: &At<'_>,
    shows: &dyn Presentation,
    how_to_log_in: &str,
) -> Dressed {
    failure.log();
    let (status, kind) = standing(failure);
    let mut error = refusal(failure, at, shows);
    if let Failure::Unauthenticated = failure {
        let sentence = format!("{}; log in with {how_to_log_in}", failure.sentence(at, shows));
        error["message"] = json!(sentence);
    }
    let sentence = error["message"].as_str().unwrap_or_default().to_owned();
    let document =
        json!({ "error": error, "meta": { "href": at.path, "parent": parent_href(at.path) } });
    let allow = match failure {
        Failure::MethodNotAllowed(methods) => *methods,
        _ => Methods::GET,
    };
    let mut answer = Answer::text(status, document.to_string()).allow(allow);
    if let Failure::CredentialsWrong | Failure::Blocked(_) = failure {
        answer = answer.header_text(header::WWW_AUTHENTICATE, "Basic realm=\"Boxwood\"");
    }
    if let Failure::Blocked(blocked) = failure {
        answer = answer.header_text(header::RETRY_AFTER, &blocked.seconds_left.to_string());
    }
    if let Failure::Head(_) | Failure::Body(_) = failure {
        answer = answer.header_text(header::CONNECTION, "close");
    }
    Dressed { answer, kind, sentence }
}

/// A failure as it stands in an answer or an event.
pub(super) fn refusal(failure: &Failure, at: &At<'_>, shows: &dyn Presentation) -> Value {
    json!({
        "details": failure.details(at, shows),
        "message": failure.sentence(at, shows),
        "type": standing(failure).1,
    })
}

// The one table of statuses and types.
fn standing(failure: &Failure) -> (StatusCode, &'static str) {
    let (status, kind) = match failure {
        Failure::Head(_) => (400, "InvalidRequest"),
        Failure::PathUndecodable => (400, "InvalidRequestPath"),
        Failure::Unauthenticated => (401, "Unauthenticated"),
        Failure::CredentialsMissing | Failure::CredentialsWrong | Failure::Blocked(_) => {
            (401, "AuthenticationFailure")
        }
        Failure::LoginsBusy => (503, "Busy"),
        Failure::SessionsFull => (503, "TooManySessions"),
        Failure::Forbidden(_) => (403, "Unauthorized"),
        Failure::NotFound(_) => (404, "NotFound"),
        Failure::MethodNotAllowed(_) => (405, "MethodNotAllowed"),
        Failure::MediaType { .. } => (415, "InvalidRequestBody"),
        Failure::Body(BodyError::TooLarge { .. }) => (413, "InvalidRequestBody"),
        Failure::Body(BodyError::Stalled { .. }) => (408, "InvalidRequestBody"),
        Failure::Body(_) | Failure::BodyMissing(_) | Failure::BodyInvalid(_) => {
            (400, "InvalidRequestBody")
        }
        Failure::Malformed { .. } | Failure::Query(_) => (400, "SyntacticError"),
        Failure::Limited { .. } => (429, "TooManyRequests"),
        Failure::PreconditionFailed(_) => (412, "PreconditionFailed"),
        Failure::Engine(error) => engine_standing(error),
        Failure::Internal => (500, "InternalError"),
    };
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), kind)
}

fn engine_standing(error: &EngineError) -> (u16, &'static str) {
    match error {
        EngineError::NoRevision { number, oldest, .. } if number < oldest => (410, "Gone"),
        EngineError::NotFound(_)
        | EngineError::NoTag(_)
        | EngineError::NotAwaiting
        | EngineError::NoRevision { .. } => (404, "NotFound"),
        EngineError::NotAllowed { .. } => (405, "MethodNotAllowed"),
        EngineError::Moved(_) => (412, "PreconditionFailed"),
        EngineError::SessionEnded => (401, "Unauthenticated"),
        EngineError::NoTransaction
        | EngineError::Held(_)
        | EngineError::Committing
        | EngineError::KeyTaken(_)
        | EngineError::Conflict { .. }
        | EngineError::AwaitingConfirmation { .. } => (409, "Conflict"),
        EngineError::Invalid(violations)
            if violations.iter().any(|one| one.layer == Layer::Shape) =>
        {
            (400, "SyntacticError")
        }
        EngineError::NotAPermutation(_) | EngineError::TagName => (400, "SyntacticError"),
        EngineError::IdempotencyMismatch => (422, "IdempotencyMismatch"),
        EngineError::Internal(_) => (500, "InternalError"),
        EngineError::Store(StoreError::TooLarge { .. }) => (400, "SemanticError"),
        EngineError::Store(_) => (503, "StoreUnavailable"),
        _ => (400, "SemanticError"),
    }
}
