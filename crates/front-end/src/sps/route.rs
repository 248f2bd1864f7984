//! A route is data: what a path names, before anybody is asked who they are.

use std::borrow::Cow;

use config_tree::NodePath;
use hyper::Method;

use super::beyond::Beyond;
use crate::http_path;
use crate::methods::Methods;

/// What a request path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/api`
    Root,
    /// `/api/authentication`
    Authentication,
    /// `/api/authentication/types`
    AuthenticationTypes,
    /// `/api/authentication/login_methods`
    LoginMethods,
    /// `/api/info`
    Info,
    /// `/api/setup`
    Setup,
    /// `/api/transaction`
    Transaction,
    /// `/api/transaction/changes`
    TransactionChanges,
    /// `/api/configuration` and below
    Node(NodePath),
    /// `<collection>/@order`
    Order(NodePath),
    /// What there is next to the configuration
    Beyond(Beyond),
    /// Below `/api`, and nothing
    Unknown,
}

/// Why a path names nothing at all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RouteError {
    /// It cannot be decoded.
    Undecodable,
}

impl Route {
    /// Reads a path that begins with `/api`.
    pub(crate) fn parse(path: &str) -> Result<Self, RouteError> {
        let segments = http_path::segments(path).ok_or(RouteError::Undecodable)?;
        // Most requests are for nodes: the others may take a list more.
        if let [api, configuration, rest @ ..] = segments.as_slice()
            && (&**api, &**configuration) == ("api", "configuration")
        {
            return Ok(Self::below_configuration(rest));
        }
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        Ok(match segments.as_slice() {
            ["api"] => Self::Root,
            ["api", "authentication"] => Self::Authentication,
            ["api", "authentication", "types"] => Self::AuthenticationTypes,
            ["api", "authentication", "login_methods"] => Self::LoginMethods,
            ["api", "info"] => Self::Info,
            ["api", "setup"] => Self::Setup,
            ["api", "transaction"] => Self::Transaction,
            ["api", "transaction", "changes"] => Self::TransactionChanges,
            [_, rest @ ..] => Beyond::parse(rest).map_or(Self::Unknown, Self::Beyond),
            [] => Self::Unknown,
        })
    }

    fn below_configuration(segments: &[Cow<'_, str>]) -> Self {
        let last = segments.last().map_or("", |last| last);
        let (path, named): (_, fn(NodePath) -> Self) = match last.strip_suffix("@order") {
            // On its own, or behind the collection's key.
            Some(key) => {
                let front = segments[..segments.len() - 1].iter().map(|step| &**step);
                let key = (!key.is_empty()).then_some(key);
                (NodePath::from_segments(front.chain(key)), Self::Order)
            }
            None => (NodePath::from_segments(segments.iter().map(|step| &**step)), Self::Node),
        };
        path.map_or(Self::Unknown, named)
    }

    /// Whether the route may be used without a session.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(
            self,
            Self::Authentication
                | Self::AuthenticationTypes
                | Self::LoginMethods
                | Self::Info
                | Self::Setup
        )
    }

    /// The methods of a route that has the same everywhere; nodes have their own.
    pub(crate) fn allow(&self) -> Methods {
        match self {
            Self::Root
            | Self::AuthenticationTypes
            | Self::LoginMethods
            | Self::Info
            | Self::Setup
            | Self::TransactionChanges
            | Self::Node(_)
            | Self::Unknown => Methods::GET,
            Self::Authentication => Methods::GET.and(Methods::DELETE),
            Self::Transaction => {
                Methods::GET.and(Methods::POST).and(Methods::PUT).and(Methods::DELETE)
            }
            Self::Order(_) => Methods::GET.and(Methods::PUT),
            Self::Beyond(what) => what.allow(),
        }
    }

    /// The route's name in logs and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Authentication => "authentication",
            Self::AuthenticationTypes => "authentication_types",
            Self::LoginMethods => "login_methods",
            Self::Info => "info",
            Self::Setup => "setup",
            Self::Transaction => "transaction",
            Self::TransactionChanges => "transaction_changes",
            Self::Node(_) => "node",
            Self::Order(_) => "order",
            Self::Beyond(what) => what.name(),
            Self::Unknown => "unknown",
        }
    }
}

/// The verb of a method at a route, as it is called in every layer below.
pub(crate) fn verb(route: &Route, method: &Method) -> &'static str {
    match (route, method.as_str()) {
        (Route::Authentication, "GET") => "session_open",
        (Route::Authentication, "DELETE") => "session_end",
        (Route::Transaction, "GET") => "transaction_status",
        (Route::Transaction, "POST") => "transaction_open",
        (Route::Transaction, "PUT") => "transaction_commit",
        (Route::Transaction, "DELETE") => "transaction_rollback",
        (Route::TransactionChanges, _) => "transaction_changes",
        (Route::Node(_), "GET" | "HEAD") => "node_get",
        (Route::Node(_), "POST") => "node_create",
        (Route::Node(_), "PUT") => "node_put",
        (Route::Node(_), "DELETE") => "node_delete",
        (Route::Order(_), "PUT") => "collection_reorder",
        (route, _) => route.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str) -> Route {
        Route::Node(NodePath::parse(path).unwrap())
    }

    fn order(path: &str) -> Route {
        Route::Order(NodePath::parse(path).unwrap())
    }

    #[test]
    fn paths_and_what_they_name() {
        for (path, expected) in [
            ("/api", Route::Root),
            ("/api//", Route::Root),
            ("/api/authentication/", Route::Authentication),
            ("/api/authentication/types", Route::AuthenticationTypes),
            ("/api/authentication/login_methods", Route::LoginMethods),
            ("/api/info", Route::Info),
            ("/api/setup/", Route::Setup),
            ("/api/transaction/", Route::Transaction),
            ("/api/transaction/changes", Route::TransactionChanges),
            ("/api/configuration", node("/")),
            ("/api/configuration//management/email/", node("/management/email")),
            ("/api/configuration/ssh/connections/@order", order("/ssh/connections")),
            ("/api/configuration/ssh/connections@order", order("/ssh/connections")),
            ("/api/configuration/@order", order("/")),
            ("/api/configuration/a%2Fb", Route::Unknown),
            ("/api/configuration/..", Route::Unknown),
            ("/api/firmware/slots/5/", Route::Beyond(Beyond::Slot(5))),
            ("/api/firmware/slots/6", Route::Unknown),
            ("/api/nothing", Route::Unknown),
            ("/api/transaction/changes/x", Route::Unknown),
        ] {
            assert_eq!(Route::parse(path), Ok(expected), "{path}");
        }
        assert_eq!(Route::parse("/api/%ff"), Err(RouteError::Undecodable));
    }
}
