//! `/api/authentication`: a password for a session, and the end of one.

use hyper::header;
use serde_json::json;
use transaction_engine::Timestamp;
use zeroize::Zeroizing;

use super::Call;
use crate::error::ApiError;
use crate::metrics::LoginOutcome;
use crate::respond::Answer;

/// How long a client keeps the cookie: longer than any session, whose end the server decides.
const COOKIE_SECONDS: i64 = 43_200;

/// The cookie's and the fallback header's name.
pub(crate) const SESSION_ID: &str = "session_id";

impl Call<'_> {
    /// Opens a session for a name and a password. One that is open already is left alone: with
    /// credentials there is always a new one (client checklist 20).
    pub(super) async fn session_open(&self) -> Result<Answer, ApiError> {
        let credentials = match self.head.headers.get(header::AUTHORIZATION) {
            Some(value) => basic(value.as_bytes()),
            None if self.login.is_some() => return Ok(self.session_document()),
            None => None,
        };
        let credentials = credentials.ok_or_else(ApiError::credentials_missing)?;
        let metrics = &self.service.metrics;
        let Some(account) = self.service.verify(self.peer.address().ip(), &credentials).await?
        else {
            metrics.login(LoginOutcome::Refused);
            return Err(ApiError::credentials_wrong());
        };
        let opened = self.service.logins.open(&credentials.user, account);
        let (login, token) = opened.map_err(|_| ApiError::too_many_sessions())?;
        metrics.login(LoginOutcome::Granted);
        tracing::info!(user = %credentials.user, session = %login.session.id(), "session opened");
        let cookie = self.cookie(&token, COOKIE_SECONDS);
        Ok(self.session_document().header_text(header::SET_COOKIE, &cookie))
    }

    /// Ends the caller's session with its transaction and lock.
    pub(super) fn session_end(&self) -> Result<Answer, ApiError> {
        let login = self.login()?;
        tracing::info!(user = login.session.user(), session = %login.session.id(), "session ended");
        self.service.logins.end(login);
        let meta = json!({ "href": "/api/authentication", "parent": "/api" });
        let answer = Answer::document(&json!({ "meta": meta }));
        Ok(answer.header_text(header::SET_COOKIE, &self.cookie("", 0)))
    }

    fn session_document(&self) -> Answer {
        Answer::document(&json!({
            "meta": {
                "href": "/api/authentication",
                "parent": "/api",
                "remaining_seconds": self.remaining_seconds(),
            },
        }))
    }

    // Spelled and ordered exactly as clients parse it by hand (client checklist 13). Over plain
    // HTTP a `Secure` cookie would never come back.
    fn cookie(&self, token: &str, seconds: i64) -> Zeroizing<String> {
        let now = self.service.engine.clock().now().as_micros();
        let expires = http_date(Timestamp::from_micros(now + seconds * 1_000_000));
        let secure = if self.peer.is_secure() { "; Secure" } else { "" };
        Zeroizing::new(format!(
            "{SESSION_ID}={token}; expires={expires}; HttpOnly; Max-Age={seconds}; Path=/{secure}"
        ))
    }
}

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

// Padding may be missing, as in some scripts.
fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config).decode(text).ok()
}

fn http_date(time: Timestamp) -> String {
    let seconds = time.as_micros().div_euclid(1_000_000);
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        Err(_) => "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
    }
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

    #[test]
    fn dates_are_as_cookies_want_them() {
        let time = Timestamp::from_micros(1_786_642_490_999_999);
        assert_eq!(http_date(time), "Thu, 13 Aug 2026 17:34:50 GMT");
    }
}
