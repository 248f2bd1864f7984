//! Refusals as the API shows them: statuses, codes, messages, the envelope.
//!
//! The codes and messages are those of the vendor's catalogue. The live service says some of them
//! in another way, which a setting asks for.

use catalog::{Violation, rule};
use hyper::StatusCode;
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;
use uuid::Uuid;

use super::refusal::Refusal;
use crate::answer::Answer;
use crate::failure::Failure;
use crate::methods::Methods;
use crate::outcome::Dressed;
use crate::transport::{BodyError, HeadError};

/// How refusals are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flavour {
    /// Whether `details.errorType` repeats what kind of error it is.
    pub(super) error_types: bool,
    /// Whether errors look as the live service has them.
    pub(super) live: bool,
}

/// A refusal by the catalogue.
struct Shown {
    status: StatusCode,
    code: Value,
    message: String,
    details: Value,
    /// The kind, as clients look for it.
    kind: &'static str,
}

/// Shows a refusal.
pub(super) fn dress(refusal: &Refusal, flavour: Flavour) -> Dressed {
    match refusal {
        Refusal::Neutral(failure) => dress_neutral(failure, flavour),
        refusal => dressed(shown(refusal), None, flavour),
    }
}

/// Shows a failure.
pub(super) fn dress_neutral(failure: &Failure, flavour: Flavour) -> Dressed {
    failure.log();
    dressed(neutral(failure), Some(failure), flavour)
}

fn dressed(mut shown: Shown, failure: Option<&Failure>, flavour: Flavour) -> Dressed {
    if flavour.live {
        live(&mut shown, failure);
    } else if flavour.error_types
        && let Value::Object(details) = &mut shown.details
    {
        details.insert("errorType".to_owned(), json!(shown.kind));
    }
    let name = Uuid::new_v4().to_string();
    let Shown { status, code, message, details, kind } = shown;
    let document = json!({
        "_errors": [{ "code": code, "message": message, "details": details }],
        "_request_id": name,
    });
    let mut answer = Answer::json(status, document.to_string()).named(name);
    if let Some(failure) = failure {
        answer = answer.refusing(failure);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer = answer.allow(Methods::NONE);
    }
    Dressed { answer, kind, sentence: message }
}

fn of(status: StatusCode, code: &str, message: impl Into<String>, kind: &'static str) -> Shown {
    Shown { status, code: json!(code), message: message.into(), details: json!({}), kind }
}

fn shown(refusal: &Refusal) -> Shown {
    let bad = StatusCode::BAD_REQUEST;
    let unauthorized =
        |message: &'static str| of(StatusCode::UNAUTHORIZED, "E016", message, message);
    match refusal {
        Refusal::Neutral(failure) => neutral(failure),
        Refusal::KeyExpired => unauthorized("Key Expired"),
        Refusal::KeyTooLong => unauthorized("Key Too Long"),
        Refusal::NeedPasswordChange => unauthorized("The password needs to be changed."),
        Refusal::MissingQuery(name) => {
            let message = format!("Missing Query Parameter: {name}");
            of(bad, "E003", message, "Missing Query Parameter")
        }
        Refusal::InvalidQuery(name, value) => {
            let message = format!("Invalid Query Parameter: {name}={value}");
            of(bad, "E003", message, "Invalid Query Parameter")
        }
        Refusal::NotAcceptable(what) => {
            let message = format!("Output Format Mismatch: output-format=json Accept={what}");
            of(bad, "E003", message, "Output Format Mismatch")
        }
        Refusal::ActionNotSupported(action) => {
            let message = format!("Action Not Supported: {action}");
            of(StatusCode::METHOD_NOT_ALLOWED, "E012", message, "Action Not Supported")
        }
        Refusal::VersionNotSupported => of(
            StatusCode::NOT_IMPLEMENTED,
            "E012",
            "Version Not Supported",
            "Version Not Supported",
        ),
        Refusal::NothingToPush => {
            let mut shown = of(bad, "E003", "Invalid Command", "Operation Failed");
            shown.details = json!({ "errors": [{
                "msg": "There are no changes to push in these folders",
                "type": "Operation Failed",
            }] });
            shown
        }
    }
}

fn neutral(failure: &Failure) -> Shown {
    let bad = StatusCode::BAD_REQUEST;
    let e003 = |message: &'static str, kind| of(bad, "E003", message, kind);
    match failure {
        Failure::Unauthenticated | Failure::CredentialsMissing => {
            of(StatusCode::UNAUTHORIZED, "E016", "Not Authenticated", "Not Authenticated")
        }
        Failure::CredentialsWrong => {
            of(StatusCode::UNAUTHORIZED, "E016", "Invalid Credential", "Invalid Credential")
        }
        Failure::Forbidden(_) => of(StatusCode::FORBIDDEN, "E007", "Unauthorized", "Unauthorized"),
        Failure::NotFound(_) => missing(),
        Failure::MethodNotAllowed(_) => {
            of(StatusCode::NOT_IMPLEMENTED, "E012", "Method Not Supported", "Method Not Supported")
        }
        Failure::MediaType { .. } | Failure::BodyInvalid(_) => {
            e003("Input Format Mismatch: input-format=json", "Input Format Mismatch")
        }
        Failure::BodyMissing(_) => e003("Missing Body", "Missing Body"),
        Failure::Malformed { message, pointer } => {
            let mut shown = e003("Invalid Object", "Invalid Object");
            shown.details = invalid([(pointer.as_str(), message.as_str())]);
            shown
        }
        Failure::PathUndecodable => of(bad, "E013", "Bad XPath", "Bad XPath"),
        Failure::Head(HeadError::LengthRequired) => {
            of(StatusCode::LENGTH_REQUIRED, "E003", "Malformed Command", "Malformed Command")
        }
        Failure::Head(_) | Failure::Body(BodyError::Broken(_)) => {
            e003("Malformed Command", "Malformed Command")
        }
        Failure::Body(BodyError::TooLarge { .. }) => {
            of(StatusCode::PAYLOAD_TOO_LARGE, "E003", "Malformed Command", "Malformed Command")
        }
        Failure::Body(BodyError::Stalled { .. }) => session_timeout(),
        Failure::PreconditionFailed(_) => {
            of(StatusCode::PRECONDITION_FAILED, "E003", "Invalid Command", "Operation Failed")
        }
        Failure::Blocked(blocked) => {
            of(StatusCode::TOO_MANY_REQUESTS, "E016", blocked.to_string(), "Operation Failed")
        }
        Failure::LoginsBusy | Failure::SessionsFull => {
            let message = "The service is busy; try again in a moment";
            of(StatusCode::SERVICE_UNAVAILABLE, "E012", message, "Operation Failed")
        }
        Failure::Engine(error) => engine(error),
        _ => internal(),
    }
}

fn missing() -> Shown {
    of(StatusCode::NOT_FOUND, "E005", "Object Not Present", "Object Not Present")
}

// The one code of the catalogue that is a number.
fn session_timeout() -> Shown {
    let shown = of(StatusCode::GATEWAY_TIMEOUT, "", "Session Timeout", "Session Timeout");
    Shown { code: json!(4), ..shown }
}

fn internal() -> Shown {
    let message = "Internal error; the log of the server says more";
    of(StatusCode::INTERNAL_SERVER_ERROR, "E012", message, "Operation Failed")
}

fn engine(error: &EngineError) -> Shown {
    let conflict = StatusCode::CONFLICT;
    match error {
        EngineError::NotFound(_) | EngineError::NoRevision { .. } => missing(),
        EngineError::InUse { .. } => {
            of(conflict, "E009", "Reference Not Zero", "Reference Not Zero")
        }
        EngineError::KeyTaken(_) => of(conflict, "E016", "Object Not Unique", "Object Not Unique"),
        EngineError::Rejected(violations) if names_clash(violations) => {
            of(conflict, "E006", "Name Not Unique", "Name Not Unique")
        }
        EngineError::Rejected(violations) | EngineError::Invalid(violations) => {
            let mut shown = of(StatusCode::BAD_REQUEST, "E003", "Invalid Object", "Invalid Object");
            shown.details = invalid(sentences(violations));
            shown
        }
        EngineError::Closed | EngineError::Store(_) => {
            let message = "The change could not be made durable; the log of the server says more";
            of(StatusCode::SERVICE_UNAVAILABLE, "E012", message, "Operation Failed")
        }
        EngineError::Internal(_) => internal(),
        error => of(StatusCode::BAD_REQUEST, "E003", "Invalid Command", "Operation Failed")
            .with(&error.to_string()),
    }
}

impl Shown {
    fn with(mut self, sentence: &str) -> Self {
        self.details = json!({ "errors": [{ "msg": sentence, "type": "Operation Failed" }] });
        self
    }
}

fn names_clash(violations: &[Violation]) -> bool {
    violations.iter().any(|violation| violation.rule == rule::UNIQUE)
}

/// As many violations as an answer lists.
const MOST: usize = 100;

/// The place and the sentence of the first violations.
fn sentences(violations: &[Violation]) -> impl Iterator<Item = (&str, &str)> {
    violations
        .iter()
        .take(MOST)
        .map(|violation| (violation.pointer.as_str(), violation.message.as_str()))
}

fn invalid<'a>(found: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let errors = found.into_iter().map(|(pointer, message)| {
        let place = pointer.trim_start_matches('/').replace('/', ".");
        // Most sentences begin with the place.
        let rest = message.strip_prefix(&format!("`{place}` ")).unwrap_or(message);
        let message = match place.as_str() {
            "" => message.to_owned(),
            place => format!("{place}: {rest}"),
        };
        json!({ "type": "Invalid Object", "message": message })
    });
    json!({ "errors": errors.collect::<Vec<_>>() })
}

// As the live service was seen to say it. What was not seen stays as the catalogue has it.
fn live(shown: &mut Shown, failure: Option<&Failure>) {
    const NOT_VALID: &str = "Your configuration is not valid. Please review the error message for \
                             more details.";
    let of_kind = |kind: &str, message: &str, errors: Value| json!({ "errorType": kind, "message": [message], "errors": errors });
    let (code, message, details) = match (failure, shown.kind) {
        (_, "Missing Query Parameter") => {
            let name = shown.message.rsplit(' ').next().unwrap_or_default();
            ("API_I00035", "Invalid Request Payload ", json!([format!("\"{name}\" is required")]))
        }
        (_, "Invalid Object") => {
            let errors = shown.details["errors"].as_array().into_iter().flatten();
            let texts: Vec<Value> = errors.map(|error| error["message"].clone()).collect();
            ("API_I00035", "Invalid Request Payload ", json!(texts))
        }
        (_, kind @ "Object Not Present") => {
            let message = "Failed to find obj-uuid for command get";
            ("API_I00013", NOT_VALID, of_kind(kind, message, json!([])))
        }
        (_, "Name Not Unique" | "Object Not Unique") => {
            let errors = json!([{
                "type": "OBJECT_ALREADY_EXISTS", "message": "is already in use", "params": [],
            }]);
            ("API_I00013", NOT_VALID, of_kind("Object Already Exists", "is already in use", errors))
        }
        (Some(Failure::Engine(EngineError::InUse { referrers, .. })), kind) => {
            let places: Vec<String> = referrers
                .iter()
                .map(|referrer| {
                    format!(" {}{}", referrer.path, referrer.pointer).replace('/', " -> ")
                })
                .collect();
            let errors = json!([{
                "type": "NON_ZERO_REFS",
                "message": "Node cannot be deleted because of references from",
                "params": [],
                "extra": places,
            }]);
            let details = json!({ "errorType": kind, "message": places, "errors": errors });
            ("API_I00013", NOT_VALID, details)
        }
        (_, "Operation Failed") if shown.message == "Invalid Command" => {
            ("API_I00013", "The request could not be handled", shown.details.clone())
        }
        _ => return,
    };
    shown.code = json!(code);
    shown.message = message.to_owned();
    shown.details = details;
}
