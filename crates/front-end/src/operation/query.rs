//! What a query says, by name.

use std::borrow::Cow;

use config_tree::NodePath;

use crate::error::ApiError;
use crate::sps::address::{self, CONFIGURATION};

/// The names and values of a query; each name is one of those that the endpoint knows.
pub(crate) struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Query<'q> {
    /// Reads a query. What nobody would look at is refused, since it was meant to do something.
    pub(crate) fn read(query: Option<&'q str>, known: &[&str]) -> Result<Self, ApiError> {
        let mut found: Vec<(Cow<'q, str>, Cow<'q, str>)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some((name, value)) = address::decode(name).zip(address::decode(value)) else {
                let message =
                    "The query must be UTF-8, percent-encoded, without control characters";
                return Err(ApiError::syntactic(message, ""));
            };
            if !known.contains(&&*name) {
                let message = format!("The query knows {} and nothing else", known.join(", "));
                return Err(ApiError::syntactic(message, ""));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::syntactic(format!("The query has {name} twice"), ""));
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// A node in a query: as the API shows it, percent-encoded once more for the query, or as the tree
/// has it. `None` for what is neither.
pub(super) fn node_path(asked: &str) -> Option<NodePath> {
    let below =
        asked.strip_prefix(CONFIGURATION).filter(|rest| matches!(rest.get(..1), None | Some("/")));
    match below {
        Some(rest) => {
            let segments = address::segments(rest)?;
            NodePath::from_segments(segments.iter().map(|segment| &**segment)).ok()
        }
        None => {
            let rest = asked.strip_prefix('/')?;
            NodePath::from_segments(rest.split('/').filter(|key| !key.is_empty())).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_as_the_api_or_as_the_tree_does() {
        for (asked, expected) in [
            ("/api/configuration/x509/a", Some("/x509/a")),
            ("/api/configuration/x%20y/", Some("/x y")),
            ("/api/configuration", Some("/")),
            ("/api/configurations", Some("/api/configurations")),
            ("/x509//a", Some("/x509/a")),
            ("/x%20y", Some("/x%20y")),
            ("/", Some("/")),
            ("x509", None),
            ("/a/..", None),
            ("/api/configuration/a%2Fb", None),
        ] {
            let found = node_path(asked).map(|path| path.to_string());
            assert_eq!(found.as_deref(), expected, "{asked}");
        }
    }

    #[test]
    fn values_are_decoded_once_and_strangers_refused() {
        let query = Query::read(Some("path=%2Fa%2520b&&dry_run"), &["path", "dry_run"]).unwrap();
        assert_eq!(query.get("path"), Some("/a%20b"));
        assert_eq!(query.get("dry_run"), Some(""));
        assert!(Query::read(None, &["path"]).unwrap().get("path").is_none());
        for bad in ["path=%zz", "paht=x", "path=a&path=b", "path=%0a"] {
            assert!(Query::read(Some(bad), &["path"]).is_err(), "{bad}");
        }
    }
}
