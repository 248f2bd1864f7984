//! What a query says, by name.

use std::borrow::Cow;

use crate::error::ApiError;
use crate::sps::address;

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

#[cfg(test)]
mod tests {
    use super::*;

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
