//! A door for the fuzz targets (`tests/fuzz`): what reads the bytes of strangers and is
//! otherwise private.
//!
//! Behind no feature, so that what is fuzzed is what is shipped; nothing in the program calls it.

use config_tree::NodePath;
use hyper::HeaderMap;

use crate::credentials::{self, Credentials};
use crate::http_path;
use crate::own_api::route as own_route;
use crate::query::Query;
use crate::sps::route::{Route, RouteError};
use crate::sps::{self, address};

/// What a request path below `/api` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// It cannot be decoded.
    Undecodable,
    /// A node of the configuration.
    Node(NodePath),
    /// The order of a collection.
    Order(NodePath),
    /// Something else, or nothing.
    Other(&'static str),
}

/// Reads a request path.
#[must_use]
pub fn route(path: &str) -> Named {
    match Route::parse(path) {
        Err(RouteError::Undecodable) => Named::Undecodable,
        Ok(Route::Node(path)) => Named::Node(path),
        Ok(Route::Order(path)) => Named::Order(path),
        Ok(route) => Named::Other(route.name()),
    }
}

/// Reads a request path below `/boxwood/v1`; what it names, as text.
#[must_use]
pub fn operation(path: &str) -> Option<String> {
    own_route::named(path)
}

/// Reads a query whose one name is `path`.
#[must_use]
pub fn query(query: &str) -> Option<String> {
    let query = Query::read(Some(query), &["path"]).ok()?;
    query.get("path").map(str::to_owned)
}

/// A request path as it is shown back.
#[must_use]
pub fn canonical(path: &str) -> std::borrow::Cow<'_, str> {
    http_path::canonical(path)
}

/// The path under which a node is shown.
#[must_use]
pub fn href(path: &NodePath) -> String {
    address::href(path)
}

/// The token that a request carries.
#[must_use]
pub fn session_token(headers: &HeaderMap) -> Option<&str> {
    sps::session_token(headers)
}

/// The name and the password in an `Authorization` header.
#[must_use]
pub fn basic(value: &[u8]) -> Option<(String, String)> {
    let Credentials { user, password } = credentials::basic(value)?;
    Some((user, password.to_string()))
}
