//! A name and a password, and how they stand in an `Authorization` header.

use zeroize::Zeroizing;

/// A name and a password. The password is wiped when it is dropped.
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

/// Reads `Basic <base64 of user:password>`, UTF-8; `None` for anything else.
pub(crate) fn basic(value: &[u8]) -> Option<Credentials> {
    let value = std::str::from_utf8(value).ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(base64(encoded.trim())?);
    let text = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

/// The token of `Bearer <token>`; `None` for anything else.
pub(crate) fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

// Padding may be missing, as in some scripts.
fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_utf_8_and_the_password_may_hold_colons() {
        let read = |value: &str| basic(value.as_bytes()).map(|c| (c.user, c.password.to_string()));
        assert_eq!(read("Basic YWRtaW46YQ=="), Some(("admin".into(), "a".into())));
        assert_eq!(read("basic YTpiOmM"), Some(("a".into(), "b:c".into())));
        assert_eq!(read("Basic w7w6w7Y="), Some(("ü".into(), "ö".into())));
        for bad in ["", "Basic", "Bearer YTpi", "Basic !!!", "Basic YWRtaW4=", "Basic //79Og=="] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
