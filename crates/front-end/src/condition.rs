//! Conditional requests: entity tags, and what a caller makes an answer or a change depend on.
//!
//! A tag is a hash of a node's state as it is shown, of nothing else: not of the navigation around
//! it, nor of the seconds that a session has left, which would change it at every request. It is
//! sent as a strong tag all the same, because what a caller can change is all in it (RFC 9110,
//! 8.8.1 and 13.1).

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

/// The tag of a node's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag([u8; 16]);

impl Tag {
    /// The tag of a body's shown form.
    pub(crate) fn of_body(tag: [u8; 16]) -> Self {
        Self(tag)
    }

    /// The tag of a listing, from the text that shows it.
    pub(crate) fn of_listing(text: &[u8]) -> Self {
        let mut tag = [0; 16];
        tag.copy_from_slice(&blake3::hash(text).as_bytes()[..16]);
        Self(tag)
    }

    /// The header's value.
    pub(crate) fn value(self) -> HeaderValue {
        let text = Bytes::from(self.text());
        // Quotes and digits can always be a header's value.
        HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// As the header has it: in quotes.
    pub(crate) fn text(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(2 + 2 * self.0.len());
        text.push('"');
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text.push('"');
        text
    }
}

/// Whether the caller has this state already.
pub(crate) fn none_match_fails(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or("");
    names(headers, &header::IF_NONE_MATCH, tag, Comparison::Weak).unwrap_or(false)
}

/// Whether the caller wants to change another state than this.
pub(crate) fn match_fails(headers: &HeaderMap, tag: Tag) -> bool {
    let tag = tag.text();
    names(headers, &header::IF_MATCH, &tag, Comparison::Strong).is_some_and(|named| !named)
}

/// Whether the caller says which state is to be changed.
pub(crate) fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_MATCH)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A tag that somebody on the way made weak still names the same state.
    Weak,
    /// It does not, where something depends on every byte.
    Strong,
}

// Whether a header names a tag, or any; `None` where there is no such header.
fn names(headers: &HeaderMap, name: &HeaderName, tag: &str, how: Comparison) -> Option<bool> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let is_named = |candidate: &str| match candidate.strip_prefix("W/") {
        Some(weak) => how == Comparison::Weak && weak == tag,
        None => candidate == "*" || candidate == tag,
    };
    let texts = lines.filter_map(|line| line.to_str().ok());
    Some(texts.flat_map(|line| line.split(',')).any(|candidate| is_named(candidate.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        [(name, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn tags_in_headers_are_compared_as_the_rules_say() {
        let tag = Tag::of_listing(b"x");
        let (own, weak) = (tag.text(), format!("W/{}", tag.text()));
        let other = Tag::of_listing(b"y").text();
        let both = format!("{other}, {own}");
        let sent: HeaderValue = own.parse().unwrap();
        for (value, none_match, matches) in [
            (own.as_str(), true, true),
            ("*", true, true),
            (both.as_str(), true, true),
            (weak.as_str(), true, false),
            (other.as_str(), false, false),
            ("garbage", false, false),
        ] {
            let having = none_match_fails(&headers(header::IF_NONE_MATCH, value), &sent);
            assert_eq!(having, none_match, "If-None-Match: {value}");
            let failing = match_fails(&headers(header::IF_MATCH, value), tag);
            assert_eq!(failing, !matches, "If-Match: {value}");
        }
        assert!(
            !none_match_fails(&HeaderMap::new(), &sent) && !match_fails(&HeaderMap::new(), tag)
        );
    }
}
