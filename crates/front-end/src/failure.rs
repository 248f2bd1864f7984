//! The closed set of reasons for which a request is refused.
//!
//! Handlers fail with one of these and never with a status: each dialect dresses them in its own
//! statuses, envelopes and headers (`dress.rs` of its folder), malformed heads, unknown paths and
//! panics included. What the reasons have in common in every dialect, a sentence and structured
//! details, is written here once. Neither holds a value that a client sent: it may be a secret.

use catalog::{Violation, Violations, rule};
use config_tree::{Body, NodePath};
use hyper::Method;
use serde_json::{Value, json};
use transaction_engine::store::StoreError;
use transaction_engine::{Error as EngineError, Overlap, Refusal, chain};

use crate::caller::{Access, Rights};
use crate::json::DecodeError;
use crate::methods::Methods;
use crate::password::PasswordError;
use crate::presentation::Presentation;
use crate::throttle::Blocked;
use crate::transport::{BodyError, HeadError, Limits};

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The head of the request is malformed.
    Head(HeadError),
    /// The path cannot be decoded.
    PathUndecodable,
    /// There is no session, or it is unknown or has expired: the three are not distinguished.
    Unauthenticated,
    /// A login without credentials.
    CredentialsMissing,
    /// Wrong name or password: the two are not distinguished.
    CredentialsWrong,
    /// Too many failed logins before this one.
    Blocked(Blocked),
    /// More logins at once than can be checked.
    LoginsBusy,
    /// As many sessions as there may be.
    SessionsFull,
    /// Logged in, without the right to do this.
    Forbidden(Place),
    /// Nothing is there.
    NotFound(Place),
    /// The resource does not have this method.
    MethodNotAllowed(Methods),
    /// The body is declared as another type than the resource takes.
    MediaType {
        /// What the resource takes.
        expected: &'static str,
        /// What the request declares.
        declared: String,
    },
    /// The body could not be received.
    Body(BodyError),
    /// A body is needed and there is none. The text says what to send.
    BodyMissing(String),
    /// The body is not a document of its type. The text says why.
    BodyInvalid(String),
    /// A well-formed body or query that is not what the resource takes.
    Malformed {
        /// What to send instead.
        message: String,
        /// The place in the body, a JSON Pointer.
        pointer: String,
    },
    /// Parameters of the query that are not what the resource takes, by dialects that name them.
    Query(Vec<Parameter>),
    /// The state is not the one that the caller's condition names.
    PreconditionFailed(Place),
    /// The appliance does not do this as it stands.
    Unsuitable {
        /// In what way.
        reason: Reason,
        /// Why, and what to do.
        message: String,
    },
    /// More requests than the API takes from one address.
    Limited {
        /// When to try again.
        retry_seconds: u32,
    },
    /// The engine refused a verb.
    Engine(EngineError),
    /// A fault of ours. The log says more.
    Internal,
}

/// In what way an appliance cannot do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// What is asked does not fit what is there.
    Inconsistent,
    /// Something else has to be done or to end before.
    Conflict,
    /// Logins of this kind are not possible.
    Login,
    /// The caller has to show more than a login.
    Unproved,
    /// What the appliance would need is not available.
    Unavailable,
}

/// A parameter of the query that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Its name, one that the resource knows.
    pub(crate) name: &'static str,
    /// What to send instead.
    pub(crate) message: String,
}

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The path of the request.
    Request,
    /// A node.
    Node(NodePath),
}

/// The request that is refused.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    /// Its method.
    pub(crate) method: &'a Method,
    /// Its path as it is shown back.
    pub(crate) path: &'a str,
    /// What its caller may see; `None` where it is not known who asks.
    pub(crate) rights: Option<&'a Rights>,
    /// How much may be shown.
    pub(crate) limits: &'a Limits,
}

impl At<'_> {
    fn may_see(&self, path: &NodePath) -> bool {
        self.rights.is_some_and(|rights| rights.allow(Access::Read, path))
    }

    /// Whether the caller may see the sentence of a violation: every node that it names.
    fn may_read(&self, violation: &Violation) -> bool {
        let Violation { path, also, .. } = violation;
        self.may_see(path) && also.iter().all(|path| self.may_see(path))
    }

    /// The path of a place.
    pub(crate) fn href(&self, place: &Place, shows: &dyn Presentation) -> String {
        match place {
            Place::Request => self.path.to_owned(),
            Place::Node(path) => shows.href(path),
        }
    }
}

impl Failure {
    /// A well-formed body or query that is not what the resource takes.
    pub(crate) fn malformed(message: impl Into<String>, pointer: impl Into<String>) -> Self {
        Self::Malformed { message: message.into(), pointer: pointer.into() }
    }

    /// What does not fit what is there.
    pub(crate) fn inconsistent(message: impl Into<String>) -> Self {
        Self::Unsuitable { reason: Reason::Inconsistent, message: message.into() }
    }

    /// What is wrong, where, and what to do, as a sentence.
    pub(crate) fn sentence(&self, at: &At<'_>, shows: &dyn Presentation) -> String {
        match self {
            Self::Head(error) => error.to_string(),
            Self::PathUndecodable => {
                "The path must be UTF-8, percent-encoded once, without control characters".into()
            }
            Self::Unauthenticated => "Authentication is required to access this resource".into(),
            Self::CredentialsMissing => "Log in with HTTP Basic authentication".into(),
            Self::CredentialsWrong => {
                "Authenticating the user with the given credentials has failed".into()
            }
            Self::Blocked(blocked) => blocked.to_string(),
            Self::LoginsBusy => PasswordError::Busy.to_string(),
            Self::SessionsFull => "Too many sessions are open; idle ones end by themselves".into(),
            Self::Forbidden(place) => {
                let none = match at.rights {
                    Some(rights) if !rights.allow_anything() => {
                        "; none of your groups gives you a right to anything"
                    }
                    _ => "",
                };
                format!("You are not authorized to do this at {}{none}", at.href(place, shows))
            }
            Self::NotFound(place) => format!("There is nothing at {}", at.href(place, shows)),
            Self::MethodNotAllowed(methods) => {
                let (method, path) = (at.method, at.path);
                format!("{method} is not possible at {path}; use one of {}", methods.text())
            }
            Self::MediaType { expected, declared } => {
                format!("Content-Type must be {expected} for a request with a body, not {declared}")
            }
            Self::Body(error) => error.to_string(),
            Self::BodyMissing(message)
            | Self::BodyInvalid(message)
            | Self::Unsuitable { message, .. }
            | Self::Malformed { message, .. } => message.clone(),
            Self::Query(parameters) => {
                let all: Vec<_> = parameters.iter().map(|one| one.message.as_str()).collect();
                all.join("; ")
            }
            Self::Limited { retry_seconds } => {
                format!("Too many requests from this address; try again in {retry_seconds} seconds")
            }
            Self::PreconditionFailed(place) => {
                let path = at.href(place, shows);
                format!("{path} is not what If-Match names; read it again and repeat")
            }
            Self::Engine(error) => engine_sentence(error, at),
            Self::Internal => "Internal error; the log of the server says more".into(),
        }
    }

    /// The facts of the failure for programs: an object, empty where there are none.
    pub(crate) fn details(&self, at: &At<'_>, shows: &dyn Presentation) -> Value {
        match self {
            Self::Unauthenticated => json!({ "resource": at.path }),
            Self::Forbidden(place) | Self::NotFound(place) | Self::PreconditionFailed(place) => {
                json!({ "resource": at.href(place, shows) })
            }
            Self::MethodNotAllowed(methods) => {
                json!({ "resource": at.path, "allowed": methods.text() })
            }
            Self::Malformed { message, pointer } => {
                json!({ "errors": [{ "message": message, "pointer": pointer }] })
            }
            Self::Query(parameters) => {
                let error = |one: &Parameter| {
                    let Parameter { name, message } = one;
                    json!({ "message": message, "parameter": name })
                };
                json!({ "errors": parameters.iter().map(error).collect::<Vec<_>>() })
            }
            Self::Engine(error) => engine_details(error, at, shows),
            _ => json!({}),
        }
    }

    /// Writes to the log what only the operator may know.
    pub(crate) fn log(&self) {
        match self {
            Self::Engine(EngineError::Store(
                StoreError::Poisoned | StoreError::TooLarge { .. },
            )) => {}
            Self::Engine(EngineError::Store(cause)) => {
                tracing::error!(error = chain(cause), "the store failed");
            }
            Self::Engine(EngineError::Internal(what)) => tracing::error!(what, "internal fault"),
            _ => {}
        }
    }
}

impl From<EngineError> for Failure {
    /// Where the engine says the same as the front end, it is the same failure.
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(path) => Self::NotFound(Place::Node(path)),
            EngineError::Moved(path) => Self::PreconditionFailed(Place::Node(path)),
            EngineError::SessionEnded => Self::Unauthenticated,
            error => Self::Engine(error),
        }
    }
}

impl From<HeadError> for Failure {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::BodyInvalid(error.to_string())
    }
}

impl From<Blocked> for Failure {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::LoginsBusy,
            _ => Self::Internal,
        }
    }
}

// ===== the engine's =====

/// What is said in the place of what the caller may not see: not even where it is.
const HIDDEN: &str =
    "A part of the configuration that you may not see stands in the way; ask an administrator";

fn engine_sentence(error: &EngineError, at: &At<'_>) -> String {
    match error {
        EngineError::Invalid(violations) | EngineError::Rejected(violations) => {
            first_of(violations, at)
        }
        EngineError::Conflict { head, overlaps, .. } => {
            let broken = overlaps.iter().find_map(|overlap| overlap.broken.as_ref());
            match broken {
                Some(broken) if !at.may_read(broken) => HIDDEN.to_owned(),
                Some(Violation { message, .. }) => {
                    format!("With what others committed up to revision {head}, {message}")
                }
                None => capitalised(error),
            }
        }
        EngineError::Store(StoreError::Poisoned | StoreError::TooLarge { .. }) => {
            capitalised(error)
        }
        EngineError::Refused(refusals)
            if refusals.first().is_some_and(|refusal| !at.may_see(&refusal.path)) =>
        {
            HIDDEN.to_owned()
        }
        EngineError::Store(_) => "The change could not be made durable; nothing more will be \
                                  written until the server is restarted, reads go on"
            .to_owned(),
        EngineError::Internal(_) => "Internal error; the log of the server says more".to_owned(),
        _ => capitalised(error),
    }
}

fn capitalised(error: &EngineError) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

// The message carries the first, since many clients show nothing else.
fn first_of(violations: &Violations, at: &At<'_>) -> String {
    let seen = violations.iter().find(|violation| at.may_read(violation));
    let first = seen.map_or(HIDDEN, |violation| &violation.message);
    match violations.total() {
        0 | 1 => first.to_owned(),
        2 => format!("{first} (and 1 more error, see details)"),
        n => format!("{first} (and {} more errors, see details)", n - 1),
    }
}

fn engine_details(error: &EngineError, at: &At<'_>, shows: &dyn Presentation) -> Value {
    let message = || engine_sentence(error, at);
    match error {
        EngineError::NotAllowed { path, .. } => json!({ "resource": shows.href(path) }),
        EngineError::NoTransaction => json!({ "reason": "no-transaction" }),
        EngineError::Held(holder) => json!({
            "reason": "locked",
            "locked_by": holder.user,
            "session": holder.session.to_string(),
            "since": holder.since.to_string(),
        }),
        EngineError::Committing => json!({ "reason": "committing" }),
        EngineError::KeyTaken(path) => {
            json!({ "reason": "key-taken", "resource": shows.href(path) })
        }
        EngineError::Invalid(violations) | EngineError::Rejected(violations) => {
            let errors = violations.iter().map(|one| violation(one, at, shows));
            listed(errors, violations.total(), at)
        }
        EngineError::Conflict { base, head, overlaps } => {
            let errors = overlaps.iter().map(|one| overlap(one, at, shows));
            let mut details = listed(errors, overlaps.len(), at);
            details["reason"] = json!("changed-meanwhile");
            details["base"] = json!(base.get());
            details["head"] = json!(head.get());
            details
        }
        EngineError::InUse { path, referrers } => {
            let (seen, hidden): (Vec<_>, Vec<_>) =
                referrers.iter().partition(|referrer| at.may_see(&referrer.path));
            let places = seen.iter().map(|r| json!(place(&shows.href(&r.path), &r.pointer)));
            let (places, total) = (fitting(places, at), seen.len());
            let mut error = json!({ "message": message(), "rule": "in-use", "paths": places });
            if places.len() < total {
                error["total"] = json!(total);
            }
            if !hidden.is_empty() {
                error["hidden"] = json!(hidden.len());
            }
            let errors = json!([error]);
            json!({ "resource": shows.href(path), "errors": errors })
        }
        EngineError::BuiltIn(path) => json!({
            "errors": [{ "message": message(), "rule": "built-in", "paths": [shows.href(path)] }],
        }),
        EngineError::NotAPermutation(path) => json!({
            "errors": [{ "message": message(), "paths": [shows.href(path)] }],
        }),
        EngineError::Refused(refusals) => {
            listed(refusals.iter().map(|one| refusal(one, at, shows)), refusals.len(), at)
        }
        EngineError::NoRevision { oldest, newest, .. } => {
            json!({ "oldest": oldest.get(), "newest": newest.get() })
        }
        EngineError::AwaitingConfirmation { revision, until } => json!({
            "reason": "awaiting-confirmation",
            "revision": revision.get(),
            "until": until.to_string(),
        }),
        EngineError::MessageRequired => json!({
            "errors": [{
                "message": message(), "rule": "message-required", "pointer": "/message",
            }],
        }),
        _ => json!({}),
    }
}

/// The first of what a refusal lists, as the limits allow, and how many there are where that is not
/// all.
fn listed(errors: impl Iterator<Item = Value>, total: usize, at: &At<'_>) -> Value {
    let errors = fitting(errors, at);
    if errors.len() >= total {
        return json!({ "errors": errors });
    }
    let cut = format!("only the first {} of {total} errors are listed", errors.len());
    json!({ "errors": errors, "total": total, "cut": cut })
}

// Half of the answer's room: the rest is for its envelope, and for what escapes and links add.
fn fitting(errors: impl Iterator<Item = Value>, at: &At<'_>) -> Vec<Value> {
    let Limits { violations, answer_bytes, .. } = at.limits;
    let mut room = answer_bytes / 2;
    let mut fitting = Vec::new();
    for mut error in errors.take(*violations) {
        let mut size = error.to_string().len();
        if size > room
            && let Some(members) = error.as_object_mut()
        {
            // The bodies of a conflict can be as large as bodies are.
            ["base", "theirs", "mine"].iter().for_each(|side| drop(members.remove(*side)));
            size = error.to_string().len();
        }
        if size > room {
            break;
        }
        room -= size;
        fitting.push(error);
    }
    fitting
}

fn violation(violation: &Violation, at: &At<'_>, shows: &dyn Presentation) -> Value {
    let Violation { path, pointer, rule, layer: _, message, also: _ } = violation;
    if !at.may_see(path) {
        return json!({ "message": HIDDEN, "paths": [], "rule": rule });
    }
    // A name that the client made up is shown once, by the pointer: it may hold a secret.
    let known = match *rule {
        rule::UNKNOWN_MEMBER => pointer.rsplit_once('/').map_or("", |(object, _)| object),
        _ => pointer,
    };
    json!({
        "message": if at.may_read(violation) { message } else { HIDDEN },
        "paths": [place(&shows.href(path), known)],
        "pointer": pointer,
        "rule": rule,
    })
}

fn refusal(refusal: &Refusal, at: &At<'_>, shows: &dyn Presentation) -> Value {
    let Refusal { path, pointer, message } = refusal;
    if !at.may_see(path) {
        return json!({ "message": HIDDEN, "paths": [] });
    }
    json!({ "message": message, "paths": [place(&shows.href(path), pointer)], "pointer": pointer })
}

/// A conflict tells what each side holds, and only of nodes that the caller may read: where one
/// side refers to what the other deleted, the node is one that the caller need not have touched.
fn overlap(overlap: &Overlap, at: &At<'_>, shows: &dyn Presentation) -> Value {
    let Overlap { path, base, theirs, mine, broken } = overlap;
    let mut facts = match broken {
        Some(broken) => violation(broken, at, shows),
        None if !at.may_see(path) => json!({ "message": HIDDEN, "paths": [] }),
        None => json!({
            "message": "both this transaction and a later revision changed it",
            "paths": [shows.href(path)],
        }),
    };
    if at.may_see(path) {
        // The node at the base, in the running configuration and in the transaction; null where it
        // is not.
        let show = |body: &Option<Body>| {
            let shown = body.as_ref().map(|body| shows.shown(path, body));
            shown.and_then(|shown| serde_json::from_slice::<Value>(&shown.text).ok())
        };
        facts["base"] = json!(show(base));
        facts["theirs"] = json!(show(theirs));
        facts["mine"] = json!(show(mine));
    }
    facts
}

/// A place inside a body: the node's path, `#`, the way inside (as fragment references have it).
pub(crate) fn place(href: &str, pointer: &str) -> String {
    match pointer.strip_prefix('/') {
        Some(inner) => format!("{href}#{inner}"),
        None => href.to_owned(),
    }
}
