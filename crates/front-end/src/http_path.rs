//! Request paths: split, decoded, written back.
//!
//! The only code that splits a request path and decodes it, once per segment. Doubled and trailing
//! slashes mean nothing (SPS client checklist 4), so `/api//x/` is `/api/x`.

use std::borrow::Cow;

/// The path one step up; `None` for the entry point and what lies outside of it.
pub(crate) fn parent_href(path: &str) -> Option<&str> {
    let (front, _) = path.rsplit_once('/')?;
    (!front.is_empty()).then_some(front)
}

/// A key as a step of a shown path. What would end or change a path is percent-encoded, the rest
/// stays readable; nothing in it has to be escaped in a JSON string.
pub(crate) fn encoded(key: &str) -> Cow<'_, str> {
    // Most keys are words, numbers or hexadecimal; without branches, many bytes are looked at at once.
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_');
    if key.bytes().fold(true, |all, byte| all & is_word(byte)) {
        return Cow::Borrowed(key);
    }
    let mut text = String::with_capacity(3 * key.len());
    for byte in key.bytes() {
        match STAYS[usize::from(byte)] {
            true => text.push(char::from(byte)),
            false => push_encoded(byte, &mut text),
        }
    }
    Cow::Owned(text)
}

/// The bytes of a key that stand for themselves in a path.
static STAYS: [bool; 256] = {
    let mut stays = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        stays[byte as usize] = !matches!(
            byte,
            b'%' | b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        );
        byte += 1;
    }
    stays
};

fn push_encoded(byte: u8, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// The segments of a request path, decoded; `None` where a text would not be one.
pub(crate) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut segments = Vec::with_capacity(8);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        segments.push(decode(segment)?);
    }
    Some(segments)
}

/// A percent-encoded text, decoded once; `None` where it is none, or has control characters.
pub(crate) fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    decode_any(segment).filter(|text| !text.chars().any(char::is_control))
}

/// A percent-encoded text, decoded once, whatever characters are in it; `None` where it is none.
pub(crate) fn decode_any(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        // `from_str_radix` would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A request path as it is shown back: without query, doubled or trailing slashes.
pub(crate) fn canonical(path: &str) -> Cow<'_, str> {
    let doubled = path.as_bytes().windows(2).any(|pair| pair == b"//");
    if path == "/" || (path.starts_with('/') && !path.ends_with('/') && !doubled) {
        return Cow::Borrowed(path);
    }
    let mut text = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        text.push_str(segment);
    }
    if text.is_empty() { Cow::Borrowed("/") } else { Cow::Owned(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_that_mean_nothing_are_dropped() {
        for (path, expected) in [
            ("/api//", "/api"),
            ("//api/x/", "/api/x"),
            ("/api/x", "/api/x"),
            ("/", "/"),
            ("//", "/"),
        ] {
            assert_eq!(canonical(path), expected);
        }
        assert_eq!(segments("/api//x/").unwrap(), ["api", "x"]);
    }

    #[test]
    fn a_segment_is_decoded_once_and_an_encoded_slash_stays_inside_it() {
        assert_eq!(segments("/a%2Fb/c%2525").unwrap(), ["a/b", "c%25"]);
        for bad in ["/%", "/%2", "/%zz", "/%+1", "/%00", "/%ff"] {
            assert_eq!(segments(bad), None, "{bad}");
        }
    }
}
