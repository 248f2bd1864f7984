//! A request to the own API on its way to a verb, and why it does not get there.

use config_tree::NodePath;
use hyper::http::request::Parts;
use serde_json::Value;
use transaction_engine::{Error as EngineError, Idempotency, RevisionNumber};

use super::route::{Operation, Place as ParameterPlace, number};
use crate::appliance::Appliance;
use crate::caller::Caller;
use crate::failure::{Failure, Place};
use crate::query::Query;
use crate::request;
use crate::transport::{Request, RequestBody};

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// For one reason.
    Once(Box<Failure>),
    /// Some of several edits, by their places, each for its own reason.
    Edits(Vec<(usize, Failure)>),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Once(Box::new(failure))
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Failure::from(error).into()
    }
}

/// A request that has passed its guards.
pub(super) struct Call<'a> {
    pub(super) appliance: &'a Appliance,
    pub(super) request: &'a Request,
    pub(super) head: &'a Parts,
    /// The path as it is shown back.
    pub(super) path: &'a str,
    pub(super) operation: &'static Operation,
    /// The steps of the path that the request chose.
    pub(super) steps: Vec<(&'static str, String)>,
    /// `None` where the operation needs no login.
    pub(super) caller: Option<&'a Caller>,
    /// The JSON body, where there is one.
    pub(super) body: Option<Value>,
    /// The body of an operation that reads it by itself.
    pub(super) stream: Option<RequestBody>,
}

impl<'a> Call<'a> {
    /// Who asks.
    pub(super) fn caller(&self) -> Result<&'a Caller, Failure> {
        self.caller.ok_or(Failure::Unauthenticated)
    }

    /// A step of the path, by its name in the row.
    pub(super) fn step(&self, name: &str) -> &str {
        let found = self.steps.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, text)| text)
    }

    /// The revision that the path names.
    pub(super) fn revision(&self) -> Result<RevisionNumber, Failure> {
        number(self.step("revision")).ok_or(Failure::NotFound(Place::Request))
    }

    /// The node that the path names. A slash may be percent-encoded, as generated clients do it:
    /// no key has one.
    pub(super) fn node(&self) -> Result<NodePath, Failure> {
        let keys = self.step("path").split('/').filter(|key| !key.is_empty());
        NodePath::from_segments(keys).map_err(|_| Failure::NotFound(Place::Request))
    }

    /// The parameters of the query, which are those of the row.
    pub(super) fn query(&self) -> Result<Query<'a>, Failure> {
        let rows = self.operation.parameters.iter();
        let queries = rows.filter(|one| one.place == ParameterPlace::Query);
        let (many, once): (Vec<_>, Vec<_>) = queries.partition(|one| one.repeats);
        let names = |list: Vec<&super::route::Parameter>| -> Vec<&str> {
            list.into_iter().map(|one| one.name).collect()
        };
        Query::read_repeated(self.head.uri.query(), &names(once), &names(many))
    }

    /// The JSON body, of a request that needs one.
    pub(super) fn needed(&mut self) -> Result<Value, Failure> {
        request::needed(self.body.take())
    }

    /// By what the request is recognised when it is sent again: its key, and a hash of what it asks.
    pub(super) fn idempotency(&self) -> Result<Option<Idempotency>, Failure> {
        request::idempotency(self.head, self.path, self.body.as_ref())
    }
}
