//! Where the appliance shows what: between request paths and nodes.
//!
//! The only code that splits a request path and decodes it, once per segment. Doubled and trailing
//! slashes mean nothing (client checklist 4), so `/api//x/` is `/api/x`.

use config_tree::NodePath;

/// Where the configuration tree begins.
pub(crate) const CONFIGURATION: &str = "/api/configuration";

/// The path under which a node is shown.
pub(crate) fn href(path: &NodePath) -> String {
    let mut text = String::with_capacity(CONFIGURATION.len() + 24 * path.segments().len());
    text.push_str(CONFIGURATION);
    for key in path.segments() {
        text.push('/');
        encode(key.as_str(), &mut text);
    }
    text
}

/// The path one step up; `None` for the entry point and what lies outside of it.
pub(crate) fn parent_href(path: &str) -> Option<&str> {
    let (front, _) = path.rsplit_once('/')?;
    (!front.is_empty()).then_some(front)
}

// What would end or change a path is percent-encoded; the rest stays readable.
fn encode(key: &str, text: &mut String) {
    for byte in key.bytes() {
        match byte {
            b'%' | b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                push_encoded(byte, text);
            }
            0..=b' ' | 0x7f.. => push_encoded(byte, text),
            _ => text.push(char::from(byte)),
        }
    }
}

fn push_encoded(byte: u8, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// The segments of a request path, decoded; `None` where a text would not be one.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

/// A percent-encoded text, decoded once; `None` where it is none, or has control characters.
pub(crate) fn decode(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
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
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

/// A request path as it is shown back: without query, doubled or trailing slashes.
pub(crate) fn canonical(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        text.push_str(segment);
    }
    if text.is_empty() { "/".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_that_mean_nothing_are_dropped() {
        for (path, expected) in
            [("/api//", "/api"), ("//api/x/", "/api/x"), ("/api/x", "/api/x"), ("/", "/")]
        {
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

    #[test]
    fn a_node_reads_back_from_its_href() {
        for text in ["/a/-301", "/a/x y%z#?", "/nics/nic1", "/ü"] {
            let path = NodePath::parse(text).unwrap();
            let shown = href(&path);
            let decoded = segments(shown.strip_prefix(CONFIGURATION).unwrap()).unwrap();
            let back = NodePath::from_segments(decoded.iter().map(String::as_str)).unwrap();
            assert_eq!(back, path);
        }
    }
}
