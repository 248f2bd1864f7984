//! Who asks: the session's token in a cookie or a header, and HTTP Basic credentials.

use front_end::fuzzing::{basic, session_token};
use hyper::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};

pub(crate) const WORDS: &[&str] = &[
    "cookie: ",
    "session_id: ",
    "authorization: ",
    "session_id=",
    "Session_id=",
    "\"",
    ";",
    "; ",
    "=",
    "Basic ",
    "basic ",
    "Bearer ",
    "YWRtaW46YWRtaW4=",
    "w7w6w7Y",
    "==",
    "\n",
];

/// Header lines, one a line; what names no header is a cookie.
pub fn fuzz_credentials(data: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    let mut found = false;
    for line in data.split(|byte| *byte == b'\n').take(64) {
        if let Some(value) = line.strip_prefix(b"authorization: ") {
            found |= credentials_read_back(value);
        } else {
            let (name, value) = match line.strip_prefix(b"session_id: ") {
                Some(value) => (HeaderName::from_static("session_id"), value),
                None => (COOKIE, line.strip_prefix(b"cookie: ").unwrap_or(line)),
            };
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
            // What no header can hold reaches the decoder of credentials all the same.
            found |= credentials_read_back(line);
        }
    }
    found | a_token_reads_back(&headers)
}

fn a_token_reads_back(headers: &HeaderMap) -> bool {
    let token = session_token(headers);
    // Cookies that belong to others stand before, and change nothing.
    let mut among_others = HeaderMap::new();
    among_others.append(COOKIE, HeaderValue::from_static("other=1; session=2;sessionid=3"));
    among_others.append(COOKIE, HeaderValue::from_static("xsession_id=4; ; =; session_id"));
    headers.iter().for_each(|(name, value)| _ = among_others.append(name, value.clone()));
    assert_eq!(session_token(&among_others), token);

    let Some(token) = token else {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
        let cookies = headers.get_all(COOKIE).iter().map(text);
        let named = |cookie: &str| cookie.trim().starts_with("session_id=");
        let overlooked = cookies.flat_map(|c| c.split(';').map(str::to_owned).collect::<Vec<_>>());
        assert!(!overlooked.into_iter().any(|cookie| named(&cookie)), "a token was overlooked");
        return false;
    };
    let alone = |name: HeaderName, value: String| {
        let value = HeaderValue::from_str(&value).expect("it came out of a header");
        let headers: HeaderMap = [(name, value)].into_iter().collect();
        session_token(&headers).map(str::to_owned)
    };
    let in_cookie = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let in_cookie = in_cookie.flat_map(|line| line.split(';'));
    if in_cookie.map(str::trim).any(|cookie| cookie.starts_with("session_id=")) {
        assert!(!token.contains(';'), "one cookie was read into another");
        assert_eq!(alone(COOKIE, format!("session_id=\"{token}\"")).as_deref(), Some(token));
    } else {
        let name = HeaderName::from_static("session_id");
        assert_eq!(alone(name, token.to_owned()).as_deref(), Some(token));
    }
    true
}

fn credentials_read_back(value: &[u8]) -> bool {
    let Some((user, password)) = basic(value) else { return false };
    assert!(!user.contains(':'), "the name ends at the first colon");
    let encoded = base64(format!("{user}:{password}").as_bytes());
    let again = Some((user, password));
    for scheme in ["Basic", "BASIC"] {
        assert_eq!(basic(format!("{scheme} {encoded}").as_bytes()), again);
        let bare = encoded.trim_end_matches('=');
        assert_eq!(basic(format!("{scheme} {bare}").as_bytes()), again, "without padding");
    }
    assert_eq!(basic(format!("Basi {encoded}").as_bytes()), None);
    true
}

// Of our own, so that a fault of the product's is not repeated here.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, at| word << 8 | u32::from(*group.get(at).unwrap_or(&0)));
        for digit in 0..4 {
            let shown = digit <= group.len();
            let index = (word >> (18 - 6 * digit)) & 63;
            text.push(if shown { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}
