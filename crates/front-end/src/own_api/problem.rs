//! The kinds of refusals: for each its status, its title, and what to do.
//!
//! A refusal is a problem document (RFC 9457) whose `type` is one of these.

use catalog::Layer;
use hyper::StatusCode;
use serde_json::{Value, json};
use transaction_engine::Error as EngineError;
use transaction_engine::store::StoreError;

use super::route::PREFIX;
use crate::failure::{Failure, Reason};
use crate::transport::{BodyError, HeadError};

/// A kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Problem {
    /// Its name: the last step of its `type`, written as one word.
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    /// What to do about it.
    pub(super) remedy: &'static str,
}

/// All kinds, sorted by name.
pub(super) const PROBLEMS: &[Problem] = &[
    problem(
        "AuthenticationFailure",
        "The login failed",
        "Check the name and the password; after several failures, wait as Retry-After says.",
    ),
    problem("Busy", "Too many logins at once", "Try again in a moment."),
    problem(
        "Conflict",
        "The state does not allow it",
        "Read `reason`: open a transaction, wait for its holder, rebase, or confirm first.",
    ),
    problem(
        "Gone",
        "No longer kept",
        "Ask for a newer revision; `history.*` settings say how long old ones are kept.",
    ),
    problem(
        "IdempotencyMismatch",
        "The key belongs to another request",
        "Choose a new Idempotency-Key for each request that is not the same.",
    ),
    problem("InternalError", "A fault of the daemon", "Look into the log of the daemon."),
    problem(
        "InvalidRequest",
        "The head of the request is malformed",
        "Send a well-formed HTTP request.",
    ),
    problem(
        "InvalidRequestBody",
        "The body cannot be used",
        "Send the JSON that the description of the operation names.",
    ),
    problem(
        "InvalidRequestPath",
        "The path cannot be decoded",
        "Percent-encode each step of the path once, as UTF-8.",
    ),
    problem("MethodNotAllowed", "No such method here", "Use one of the methods in Allow."),
    problem(
        "NoSuchWorld",
        "There is no such world",
        "Make it with POST /boxwood/v1/worlds, or leave the header Boxwood-World out.",
    ),
    problem("NotFound", "Nothing is there", "Check the path; GET its parent to see what there is."),
    problem(
        "PreconditionFailed",
        "The state is another one",
        "Read the node again, then repeat the change with its new ETag.",
    ),
    problem(
        "SemanticError",
        "The configuration would break a rule",
        "Correct what `errors` names; nothing has changed.",
    ),
    problem(
        "StoreUnavailable",
        "Nothing can be written",
        "Look into the log of the daemon, correct the cause and restart it; reads go on.",
    ),
    problem(
        "SyntacticError",
        "The value does not fit its schema",
        "Correct what `errors` names; nothing has changed.",
    ),
    problem("TooManyRequests", "Too many requests", "Wait as Retry-After says."),
    problem(
        "TooManySessions",
        "Too many sessions are open",
        "End some with DELETE /boxwood/v1/sessions/ID, or wait until idle ones end.",
    ),
    problem(
        "TooManyWorlds",
        "As many worlds as there may be",
        "Drop some with DELETE /boxwood/v1/worlds/W, or raise the setting `worlds.most`.",
    ),
    problem(
        "Unauthenticated",
        "Not logged in",
        "Log in with POST /boxwood/v1/sessions, and send the token as Authorization: Bearer.",
    ),
    problem(
        "Unauthorized",
        "Not permitted",
        "Log in as a user with the right to do this, or ask an administrator.",
    ),
    problem(
        "WorldGone",
        "The world went away",
        "Repeat the request in a world that is there; what it did is gone with the other one.",
    ),
];

const fn problem(kind: &'static str, title: &'static str, remedy: &'static str) -> Problem {
    Problem { kind, title, remedy }
}

impl Problem {
    /// The kind of this name, in either spelling.
    pub(super) fn named(name: &str) -> Option<Self> {
        PROBLEMS.iter().copied().find(|one| one.kind == name || one.slug() == name)
    }

    /// The name in lower case with hyphens.
    pub(super) fn slug(self) -> String {
        let mut slug = String::with_capacity(self.kind.len() + 3);
        for letter in self.kind.chars() {
            if letter.is_ascii_uppercase() && !slug.is_empty() {
                slug.push('-');
            }
            slug.push(letter.to_ascii_lowercase());
        }
        slug
    }

    /// The `type` of its documents.
    pub(super) fn uri(self) -> String {
        format!("{PREFIX}/problems/{}", self.slug())
    }

    /// As it stands in a list of all.
    pub(super) fn shown(self) -> Value {
        let (slug, uri) = (self.slug(), self.uri());
        let meta = json!({ "href": uri, "parent": format!("{PREFIX}/problems") });
        json!({ "name": slug, "title": self.title, "remedy": self.remedy, "meta": meta })
    }
}

/// The status and the kind of a failure: the one table of both.
pub(super) fn standing(failure: &Failure) -> (StatusCode, Problem) {
    let (status, kind) = match failure {
        Failure::Head(HeadError::ForeignOrigin) => (403, "Unauthorized"),
        Failure::Head(HeadError::TypeRequired | HeadError::Encoded) => (415, "InvalidRequestBody"),
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
        Failure::Unsuitable { reason: Reason::Conflict, .. } => (409, "Conflict"),
        Failure::Unsuitable { .. } => (400, "SemanticError"),
        Failure::Limited { .. } => (429, "TooManyRequests"),
        Failure::PreconditionFailed(_) => (412, "PreconditionFailed"),
        Failure::Engine(error) => engine_standing(error),
        Failure::Internal => (500, "InternalError"),
    };
    let internal = problem("InternalError", "A fault of the daemon", "");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Problem::named(kind).unwrap_or(internal))
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
        EngineError::Closed | EngineError::Store(_) => (503, "StoreUnavailable"),
        _ => (400, "SemanticError"),
    }
}

/// What to do about this failure, where more can be said than of its kind.
pub(super) fn remedy(failure: &Failure, problem: Problem) -> String {
    match failure {
        Failure::Engine(EngineError::NoTransaction) => {
            "Open one with POST /boxwood/v1/transaction, or let the change commit at once with \
             commit=true."
                .to_owned()
        }
        Failure::Engine(EngineError::Held(holder)) => format!(
            "Wait until {} is done; an administrator can end that session with DELETE \
             /boxwood/v1/sessions/{}.",
            holder.user, holder.session
        ),
        Failure::Engine(EngineError::Conflict { .. }) => {
            "Compare `theirs` and `mine` in `errors`, correct the staged nodes, and rebase with POST \
             /boxwood/v1/transaction/rebase; or roll back."
                .to_owned()
        }
        Failure::Engine(EngineError::AwaitingConfirmation { .. }) => {
            "Confirm it with POST /boxwood/v1/confirmation/confirm, undo it with \
             /boxwood/v1/confirmation/cancel, or wait."
                .to_owned()
        }
        Failure::Engine(EngineError::MessageRequired) => {
            "Send \"message\" with the commit.".to_owned()
        }
        Failure::Engine(EngineError::KeyTaken(_)) => {
            "Choose another key, or change the member that is there.".to_owned()
        }
        Failure::Engine(EngineError::InUse { .. }) => {
            "Change or delete the nodes that refer to it first; they are in `errors`.".to_owned()
        }
        _ => problem.remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_and_their_names_are_slugs() {
        assert!(PROBLEMS.is_sorted_by_key(|one| one.kind));
        assert_eq!(Problem::named("too-many-sessions").unwrap().kind, "TooManySessions");
        assert_eq!(Problem::named("Gone").unwrap().uri(), "/boxwood/v1/problems/gone");
        assert!(PROBLEMS.iter().all(|one| one.remedy.ends_with('.')));
    }
}
