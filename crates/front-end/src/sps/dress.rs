//! Failures as the appliance shows them: statuses, types, the envelope.
//!
//! Statuses and type names are the appliance's where its guide names them (SPS core protocol §7.2);
//! where it is silent, the plain HTTP status and the nearest type. `Allow` is on every answer.

use catalog::{Catalog, Layer, Violation};
use hyper::{StatusCode, header};
use serde_json::json;
use transaction_engine::Error as EngineError;
use transaction_engine::store::StoreError;

use super::configuration::node_methods;
use super::route::Route;
use crate::answer::Answer;
use crate::failure::{At, Failure, Reason};
use crate::http_path::parent_href;
use crate::methods::Methods;
use crate::outcome::Dressed;
use crate::presentation::Presentation;
use crate::transport::{BodyError, HeadError};

/// Shows a failure.
pub(super) fn dress(
    failure: &Failure,
    at: &At<'_>,
    shows: &dyn Presentation,
    catalog: &Catalog,
) -> Dressed {
    failure.log();
    let (status, kind) = standing(failure);
    let sentence = match failure {
        Failure::Unauthenticated => {
            format!("{}; log in with {}", failure.sentence(at, shows), super::HOW_TO_LOG_IN)
        }
        failure => failure.sentence(at, shows),
    };
    let mut details = failure.details(at, shows);
    if let Failure::Engine(EngineError::SessionEnded) = failure {
        details = json!({ "resource": "/api/transaction" });
    }
    let document = json!({
        "error": { "details": details, "message": sentence, "type": kind },
        "meta": { "href": at.path, "parent": parent_href(at.path) },
    });
    let answer = Answer::text(status, document.to_string()).allow(allow(failure, at, catalog));
    Dressed { answer: with_headers(answer, failure), kind, sentence }
}

// What the path takes, by what the catalog says of it, whether something is there or not: so the
// header gives nothing away to a caller who may not see it.
fn allow(failure: &Failure, at: &At<'_>, catalog: &Catalog) -> Methods {
    if let Failure::MethodNotAllowed(methods) = failure {
        return *methods;
    }
    match Route::parse(at.path) {
        Ok(Route::Node(path)) if catalog.endpoint(&path).is_some() => node_methods(catalog, &path),
        Ok(Route::Node(_) | Route::Unknown) | Err(_) => Methods::GET,
        Ok(route) => route.allow(),
    }
}

fn with_headers(mut answer: Answer, failure: &Failure) -> Answer {
    // Only where one logs in: elsewhere clients would repeat their call with a password (client
    // checklist 21).
    if let Failure::CredentialsMissing | Failure::CredentialsWrong | Failure::Blocked(_) = failure {
        answer = answer.header_text(header::WWW_AUTHENTICATE, "Basic realm=\"Boxwood\"");
    }
    answer.refusing(failure)
}

// The one table of statuses and types.
fn standing(failure: &Failure) -> (StatusCode, &'static str) {
    match failure {
        Failure::Head(HeadError::LengthRequired) => (StatusCode::LENGTH_REQUIRED, "InvalidRequest"),
        Failure::Head(HeadError::ForeignOrigin) => (StatusCode::FORBIDDEN, "Unauthorized"),
        Failure::Head(HeadError::TypeRequired | HeadError::Encoded) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "InvalidRequestBody")
        }
        Failure::Head(HeadError::ExpectationUnknown) => {
            (StatusCode::EXPECTATION_FAILED, "InvalidRequest")
        }
        Failure::Head(_) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
        Failure::PathUndecodable => (StatusCode::BAD_REQUEST, "InvalidRequestPath"),
        Failure::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthenticated"),
        Failure::CredentialsMissing | Failure::CredentialsWrong | Failure::Blocked(_) => {
            (StatusCode::UNAUTHORIZED, "AuthenticationFailure")
        }
        Failure::LoginsBusy => (StatusCode::SERVICE_UNAVAILABLE, "Busy"),
        Failure::SessionsFull => (StatusCode::SERVICE_UNAVAILABLE, "TooManySessions"),
        Failure::Forbidden(_) => (StatusCode::FORBIDDEN, "Unauthorized"),
        Failure::NotFound(_) => (StatusCode::NOT_FOUND, "NotFound"),
        Failure::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        Failure::MediaType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "InvalidRequestBody"),
        Failure::Body(error) => (body_status(error), "InvalidRequestBody"),
        Failure::BodyMissing(_) | Failure::BodyInvalid(_) => {
            (StatusCode::BAD_REQUEST, "InvalidRequestBody")
        }
        Failure::Malformed { .. } | Failure::Query(_) => {
            (StatusCode::BAD_REQUEST, "SyntacticError")
        }
        Failure::Unsuitable { reason, .. } => unsuitable(*reason),
        Failure::Limited { .. } => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
        Failure::PreconditionFailed(_) => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        Failure::Engine(error) => engine_standing(error),
        Failure::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    }
}

fn unsuitable(reason: Reason) -> (StatusCode, &'static str) {
    match reason {
        Reason::Inconsistent => (StatusCode::BAD_REQUEST, "SemanticError"),
        Reason::Conflict => (StatusCode::CONFLICT, "Conflict"),
        Reason::Login => (StatusCode::UNAUTHORIZED, "AuthenticationFailure"),
        Reason::Unproved => (StatusCode::FORBIDDEN, "Unauthorized"),
        Reason::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Unavailable"),
    }
}

fn body_status(error: &BodyError) -> StatusCode {
    match error {
        BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Stalled { .. } => StatusCode::REQUEST_TIMEOUT,
        BodyError::Broken(_) => StatusCode::BAD_REQUEST,
    }
}

fn engine_standing(error: &EngineError) -> (StatusCode, &'static str) {
    match error {
        EngineError::NotFound(_) | EngineError::NoTag(_) | EngineError::NotAwaiting => {
            (StatusCode::NOT_FOUND, "NotFound")
        }
        EngineError::NoRevision { number, oldest, .. } if number < oldest => {
            (StatusCode::GONE, "Gone")
        }
        EngineError::NoRevision { .. } => (StatusCode::NOT_FOUND, "NotFound"),
        EngineError::NotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        EngineError::Moved(_) => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        EngineError::SessionEnded => (StatusCode::UNAUTHORIZED, "Unauthenticated"),
        EngineError::NoTransaction
        | EngineError::Held(_)
        | EngineError::Committing
        | EngineError::KeyTaken(_)
        | EngineError::Conflict { .. }
        | EngineError::AwaitingConfirmation { .. } => (StatusCode::CONFLICT, "Conflict"),
        EngineError::Invalid(violations) if has_shape(violations) => {
            (StatusCode::BAD_REQUEST, "SyntacticError")
        }
        EngineError::NotAPermutation(_) | EngineError::TagName => {
            (StatusCode::BAD_REQUEST, "SyntacticError")
        }
        EngineError::Invalid(_)
        | EngineError::Rejected(_)
        | EngineError::InUse { .. }
        | EngineError::BuiltIn(_)
        | EngineError::TooManyChanges { .. }
        | EngineError::Refused(_)
        | EngineError::MessageRequired
        | EngineError::Store(StoreError::TooLarge { .. }) => {
            (StatusCode::BAD_REQUEST, "SemanticError")
        }
        EngineError::IdempotencyMismatch => {
            (StatusCode::UNPROCESSABLE_ENTITY, "IdempotencyMismatch")
        }
        EngineError::Closed | EngineError::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "StoreUnavailable")
        }
        EngineError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    }
}

fn has_shape(violations: &[Violation]) -> bool {
    violations.iter().any(|violation| violation.layer == Layer::Shape)
}
