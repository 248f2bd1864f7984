//! The one table from what went wrong to what a client is told.
//!
//! Statuses and type names are the appliance's where its guide names them (SPS core protocol §7.2);
//! where it is silent, the plain HTTP status and the nearest type. Sentences are ours, and never
//! hold what a client sent as a value: it may have been a secret.

use catalog::{Catalog, Layer, Violation};
use config_tree::Body;
use hyper::{StatusCode, header};
use serde_json::{Value, json};
use transaction_engine::{
    Error as EngineError, Operation, Overlap, Refusal, chain, store::StoreError,
};

use crate::accounts::{Access, Rights};
use crate::json::DecodeError;
use crate::password::PasswordError;
use crate::respond::{Allow, Answer};
use crate::sps::address::{href, parent_href};
use crate::sps::document::shown;
use crate::throttle::Blocked;
use crate::transport::{BodyError, HeadError};

/// A refusal, ready to be shown.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    kind: &'static str,
    message: String,
    details: Value,
    allow: Allow,
    challenge: bool,
    close: bool,
    retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            details: json!({}),
            allow: Allow::GET,
            challenge: false,
            close: false,
            retry_after: None,
        }
    }

    fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Says which methods the resource has.
    pub(crate) fn allow(mut self, allow: Allow) -> Self {
        self.allow = allow;
        self
    }

    // What follows on the connection cannot be told from the rest of this request.
    fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// No session, or one that is unknown or has expired: the three are not told apart.
    pub(crate) fn unauthenticated(path: &str) -> Self {
        let message = "Authentication is required to access this resource; \
                       log in with GET /api/authentication";
        Self::new(StatusCode::UNAUTHORIZED, "Unauthenticated", message)
            .details(json!({ "resource": path }))
    }

    /// No credentials where one logs in. Only here is a challenge sent: elsewhere clients would
    /// repeat their call with a password (client checklist 21).
    pub(crate) fn credentials_missing() -> Self {
        let message = "Log in with HTTP Basic authentication";
        let mut error = Self::new(StatusCode::UNAUTHORIZED, "AuthenticationFailure", message);
        error.challenge = true;
        error
    }

    /// Wrong user or password: the two are not told apart.
    pub(crate) fn credentials_wrong() -> Self {
        let mut error = Self::credentials_missing();
        error.message = "Authenticating the user with the given credentials has failed".to_owned();
        error
    }

    /// Logged in, and no right to a path.
    pub(crate) fn unauthorized(path: &str) -> Self {
        let message = format!("You have no right to do this at {path}");
        Self::new(StatusCode::FORBIDDEN, "Unauthorized", message)
            .details(json!({ "resource": path }))
    }

    /// Nothing at a path.
    pub(crate) fn not_found(path: &str) -> Self {
        let message = format!("There is nothing at {path}");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).details(json!({ "resource": path }))
    }

    /// A method that the resource does not have.
    pub(crate) fn method_not_allowed(method: &hyper::Method, path: &str, allow: Allow) -> Self {
        let message = format!("{method} is not possible at {path}; use one of {}", allow.text());
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
            .details(json!({ "resource": path, "allowed": allow.text() }))
            .allow(allow)
    }

    /// A body that is JSON and yet not what the resource takes.
    pub(crate) fn syntactic(message: impl Into<String>, pointer: &str) -> Self {
        let message = message.into();
        let errors = json!({ "errors": [{ "message": &message, "pointer": pointer }] });
        Self::new(StatusCode::BAD_REQUEST, "SyntacticError", message).details(errors)
    }

    /// A body that is no JSON document.
    pub(crate) fn invalid_body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequestBody", message)
    }

    /// A body of a declared type that is not JSON.
    pub(crate) fn not_json(declared: &str) -> Self {
        let message = format!(
            "Content-Type must be application/json for a request with a body, not {declared}"
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "InvalidRequestBody", message)
    }

    /// A change of another state than the caller saw.
    pub(crate) fn precondition_failed(path: &str) -> Self {
        let message = format!("{path} is not what If-Match names; read it again and repeat");
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
            .details(json!({ "resource": path }))
    }

    /// A path that cannot be decoded.
    pub(crate) fn bad_path() -> Self {
        let message = "The path must be UTF-8, percent-encoded once, without control characters";
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequestPath", message)
    }

    /// Nothing can be changed since a write failed.
    pub(crate) fn store_poisoned() -> Self {
        let message = "The store refuses writes since one failed; restart the server, reads go on";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "StoreUnavailable", message)
    }

    /// As many sessions as there may be.
    pub(crate) fn too_many_sessions() -> Self {
        let message = "Too many sessions are open; idle ones end by themselves";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TooManySessions", message)
    }

    /// A handler that panicked.
    pub(crate) fn internal() -> Self {
        let message = "Internal error; the log of the server says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// The refusal itself, as it stands in an answer.
    pub(crate) fn document(&self) -> Value {
        json!({ "details": self.details, "message": self.message, "type": self.kind })
    }

    /// The answer for a request to `path`.
    pub(crate) fn answer(&self, path: &str) -> Answer {
        let document = json!({
            "error": self.document(),
            "meta": { "href": path, "parent": parent_href(path) },
        });
        let mut answer = Answer::text(self.status, document.to_string()).allow(self.allow);
        if self.challenge {
            answer = answer.header_text(header::WWW_AUTHENTICATE, "Basic realm=\"Boxwood\"");
        }
        if self.close {
            answer = answer.header_text(header::CONNECTION, "close");
        }
        if let Some(seconds) = self.retry_after {
            answer = answer.header_text(header::RETRY_AFTER, &seconds.to_string());
        }
        answer
    }

    /// What the log is told beside the status.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// What the client is told, for the log.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<HeadError> for ApiError {
    fn from(error: HeadError) -> Self {
        let status = match error {
            HeadError::LengthRequired => StatusCode::LENGTH_REQUIRED,
            HeadError::ExpectationUnknown => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        };
        let refusal = Self::new(status, "InvalidRequest", error.to_string());
        // Two lengths, or two hosts: whoever stands between reads the rest another way than we do.
        refusal.close()
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Stalled { .. } => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, "InvalidRequestBody", error.to_string()).close()
    }
}

impl From<DecodeError> for ApiError {
    fn from(error: DecodeError) -> Self {
        Self::invalid_body(error.to_string())
    }
}

impl From<Blocked> for ApiError {
    fn from(blocked: Blocked) -> Self {
        let mut error = Self::credentials_wrong();
        error.message = blocked.to_string();
        error.retry_after = Some(blocked.seconds_left.into());
        error
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", error.to_string())
            }
            _ => Self::internal(),
        }
    }
}

impl ApiError {
    /// The refusal of a commit. A conflict tells what each side holds, shown as everywhere, and only
    /// of nodes that the caller may read: where one side refers to what the other deleted, the node
    /// is one that the caller need not have touched.
    pub(crate) fn of(catalog: &Catalog, rights: &Rights, error: EngineError) -> Self {
        let tell = |overlap: &Overlap| match rights.allow(Access::Read, &overlap.path) {
            true => sides(catalog, overlap),
            false => self::overlap(overlap),
        };
        let told = match &error {
            EngineError::Conflict { overlaps, .. } => overlaps.iter().map(tell).collect(),
            _ => Vec::new(),
        };
        let mut refusal = Self::from(error);
        if !told.is_empty() {
            refusal.details["errors"] = Value::Array(told);
        }
        refusal
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let message = sentence(&error);
        let semantic = |details| {
            Self::new(StatusCode::BAD_REQUEST, "SemanticError", message.clone()).details(details)
        };
        let conflict =
            |details| Self::new(StatusCode::CONFLICT, "Conflict", message.clone()).details(details);
        match &error {
            EngineError::NotFound(path) => Self::not_found(&href(path)),
            // The front end asks first, and answers with the methods that there are.
            EngineError::NotAllowed { path, operation } => {
                let method = method(*operation);
                Self::method_not_allowed(&method, &href(path), Allow::GET)
            }
            EngineError::Moved(path) => Self::precondition_failed(&href(path)),
            EngineError::NoTransaction => conflict(json!({ "reason": "no-transaction" })),
            EngineError::Held(holder) => conflict(json!({
                "reason": "locked",
                "locked_by": holder.user,
                "session": holder.session.to_string(),
                "since": holder.since.to_string(),
            })),
            EngineError::Committing => conflict(json!({ "reason": "committing" })),
            EngineError::SessionEnded => Self::unauthenticated("/api/transaction"),
            EngineError::Invalid(violations) => violated(violations),
            EngineError::Rejected(violations) => {
                let mut error = violated(violations);
                error.kind = "SemanticError";
                error
            }
            EngineError::Conflict { base, head, overlaps } => {
                let details = json!({
                    "reason": "changed-meanwhile",
                    "base": base.get(),
                    "head": head.get(),
                    "errors": overlaps.iter().map(overlap).collect::<Vec<_>>(),
                });
                let broken = overlaps.iter().find_map(|overlap| overlap.broken.as_ref());
                let message = broken.map_or(message.clone(), |Violation { message, .. }| {
                    format!("With what others committed up to revision {head}, {message}")
                });
                Self::new(StatusCode::CONFLICT, "Conflict", message).details(details)
            }
            EngineError::InUse { path, referrers } => {
                let paths: Vec<_> = referrers
                    .iter()
                    .map(|referrer| place(&href(&referrer.path), &referrer.pointer))
                    .collect();
                semantic(json!({
                    "resource": href(path),
                    "errors": [{ "message": message, "rule": "in-use", "paths": paths }],
                }))
            }
            EngineError::BuiltIn(path) => semantic(json!({
                "errors": [{ "message": message, "rule": "built-in", "paths": [href(path)] }],
            })),
            EngineError::NotAPermutation(path) => Self::syntactic(message.clone(), "")
                .details(json!({ "errors": [{ "message": message, "paths": [href(path)] }] })),
            EngineError::TooManyChanges { .. } => semantic(json!({})),
            EngineError::Refused(refusals) => {
                let errors: Vec<_> = refusals.iter().map(refusal).collect();
                semantic(json!({ "errors": errors }))
            }
            EngineError::NoRevision { number, oldest, newest } => {
                let mut error = Self::new(StatusCode::NOT_FOUND, "NotFound", message);
                if number < oldest {
                    error.status = StatusCode::GONE;
                    error.kind = "Gone";
                }
                let (oldest, newest) = (oldest.get(), newest.get());
                error.details(json!({ "oldest": oldest, "newest": newest }))
            }
            EngineError::NoTag(_) | EngineError::NotAwaiting => {
                Self::new(StatusCode::NOT_FOUND, "NotFound", message)
            }
            EngineError::TagName => Self::syntactic(message, ""),
            EngineError::IdempotencyMismatch => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "IdempotencyMismatch", message)
            }
            EngineError::AwaitingConfirmation { revision, until } => conflict(json!({
                "reason": "awaiting-confirmation",
                "revision": revision.get(),
                "until": until.to_string(),
            })),
            EngineError::MessageRequired => semantic(json!({
                "errors": [{ "message": message, "rule": "message-required", "pointer": "/message" }],
            })),
            EngineError::Store(StoreError::Poisoned) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "StoreUnavailable", message)
            }
            EngineError::Store(StoreError::TooLarge { .. }) => semantic(json!({})),
            EngineError::Store(cause) => {
                tracing::error!(error = chain(cause), "the store failed");
                let message = "The change could not be made durable; nothing more will be \
                               written until the server is restarted, reads go on";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "StoreUnavailable", message)
            }
            EngineError::Internal(what) => {
                tracing::error!(what, "internal fault");
                Self::internal()
            }
        }
    }
}

fn sentence(error: &EngineError) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn method(operation: Operation) -> hyper::Method {
    match operation {
        Operation::Read => hyper::Method::GET,
        Operation::Create | Operation::Append => hyper::Method::POST,
        Operation::Replace | Operation::Reorder => hyper::Method::PUT,
        Operation::Delete => hyper::Method::DELETE,
    }
}

/// All violations at once. The message carries the first, since many clients show nothing else.
fn violated(violations: &[Violation]) -> ApiError {
    let kind = if violations.iter().any(|violation| violation.layer == Layer::Shape) {
        "SyntacticError"
    } else {
        "SemanticError"
    };
    let first = violations.first().map_or("", |violation| &violation.message);
    let message = match violations.len() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} (and 1 more error, see details)"),
        n => format!("{first} (and {} more errors, see details)", n - 1),
    };
    let errors: Vec<_> = violations.iter().map(violation).collect();
    ApiError::new(StatusCode::BAD_REQUEST, kind, message).details(json!({ "errors": errors }))
}

fn violation(violation: &Violation) -> Value {
    let Violation { path, pointer, rule, layer: _, message } = violation;
    json!({
        "message": message,
        "paths": [place(&href(path), pointer)],
        "pointer": pointer,
        "rule": rule,
    })
}

fn refusal(refusal: &Refusal) -> Value {
    let Refusal { path, pointer, message } = refusal;
    json!({ "message": message, "paths": [place(&href(path), pointer)], "pointer": pointer })
}

fn overlap(overlap: &Overlap) -> Value {
    match &overlap.broken {
        Some(broken) => violation(broken),
        None => json!({
            "message": "both this transaction and a later revision changed it",
            "paths": [href(&overlap.path)],
        }),
    }
}

// The node at the base, in the running configuration and in the transaction; null where it is not.
fn sides(catalog: &Catalog, overlap: &Overlap) -> Value {
    let Overlap { path, base, theirs, mine, broken: _ } = overlap;
    let show = |body: &Option<Body>| {
        let shown = body.as_ref().map(|body| shown(catalog, path, body));
        shown.and_then(|shown| serde_json::from_slice::<Value>(&shown.text).ok())
    };
    let mut told = self::overlap(overlap);
    told["base"] = json!(show(base));
    told["theirs"] = json!(show(theirs));
    told["mine"] = json!(show(mine));
    told
}

/// A place inside a body: the node's path, `#`, the way inside (as fragment references have it).
pub(crate) fn place(href: &str, pointer: &str) -> String {
    match pointer.strip_prefix('/') {
        Some(inner) => format!("{href}#{inner}"),
        None => href.to_owned(),
    }
}
