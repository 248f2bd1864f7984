//! What a query or a form says, by name.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::failure::Failure;
use crate::http_path::decode_any;

/// The names and values of a query or a form, in their order; `None` where they cannot be decoded.
/// A plus sign is a space, as forms have it (WHATWG URL, application/x-www-form-urlencoded).
pub(crate) fn pairs(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    parameters(text).map(|(name, value)| name.zip(value)).collect()
}

/// The same one by one, with `None` in the place of each name or value that cannot be decoded.
pub(crate) fn parameters(
    text: &str,
) -> impl Iterator<Item = (Option<Cow<'_, str>>, Option<Cow<'_, str>>)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(name), form_decode(value))
    })
}

fn form_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return decode_any(text);
    }
    decode_any(&text.replace('+', " ")).map(|decoded| Cow::Owned(decoded.into_owned()))
}

/// A text as the value of a query, percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    // Those that RFC 3986 calls unreserved stand for themselves.
    const ENCODED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The names and values of a query; each name is one of those that the endpoint knows.
pub(crate) struct Query<'q>(Vec<(Cow<'q, str>, Cow<'q, str>)>);

impl<'q> Query<'q> {
    /// Reads a query. A name that is not known is refused, since it was meant to do something.
    pub(crate) fn read(query: Option<&'q str>, known: &[&str]) -> Result<Self, Failure> {
        Self::read_repeated(query, known, &[])
    }

    /// The same, with further names that may stand in the query more than once.
    pub(crate) fn read_repeated(
        query: Option<&'q str>,
        known: &[&str],
        repeated: &[&str],
    ) -> Result<Self, Failure> {
        let message = "The query must be UTF-8, percent-encoded, without control characters";
        let read = pairs(query.unwrap_or_default());
        let plain = |pairs: &Vec<(Cow<'q, str>, Cow<'q, str>)>| {
            pairs
                .iter()
                .all(|(name, value)| !name.chars().chain(value.chars()).any(char::is_control))
        };
        let found = read.filter(plain).ok_or_else(|| Failure::malformed(message, ""))?;
        for (at, (name, _)) in found.iter().enumerate() {
            let repeats = repeated.contains(&&**name);
            if !repeats && !known.contains(&&**name) {
                let all = [known, repeated].concat().join(", ");
                let message = match all.as_str() {
                    "" => "There are no parameters of the query here".to_owned(),
                    all => format!("The query knows {all} and nothing else"),
                };
                return Err(Failure::malformed(message, ""));
            }
            if !repeats && found[..at].iter().any(|(other, _)| other == name) {
                return Err(Failure::malformed(format!("The query has {name} twice"), ""));
            }
        }
        Ok(Self(found))
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// All values of a name.
    pub(crate) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
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

    #[test]
    fn a_plus_sign_is_a_space_and_an_encoded_one_is_itself() {
        let read = |text| {
            let pairs = pairs(text)?;
            Some(pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>())
        };
        assert_eq!(read("a+b=c+d%2Be&f=%20+").unwrap(), ["a b=c d+e", "f=  "]);
        assert_eq!(read("a=1&a=2&&=").unwrap(), ["a=1", "a=2", "="]);
        assert_eq!(read("a=%+1"), None);
        let text = "a b&c=d/\u{fc}~";
        assert_eq!(pairs(&format!("x={}", encoded(text))).unwrap()[0].1, text);
    }
}
