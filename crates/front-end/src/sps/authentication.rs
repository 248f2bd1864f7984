//! `/api/authentication`: a password for a session, and the end of one.

use hyper::header;
use serde_json::json;
use transaction_engine::Timestamp;
use zeroize::Zeroizing;

use super::{Call, SESSION_ID, accounts};
use crate::answer::Answer;
use crate::credentials::{Credentials, basic};
use crate::failure::{Failure, Reason};
use crate::metrics::LoginOutcome;
use crate::query;

/// How long a client keeps the cookie: longer than any session, whose end the server decides.
const COOKIE_SECONDS: i64 = 43_200;

impl Call<'_> {
    /// Opens a session for a name and a password. One that is open already is left alone: with
    /// credentials there is always a new one (client checklist 20).
    pub(super) async fn session_open(&self) -> Result<Answer, Failure> {
        expect_password_login(self.head.uri.query())?;
        let credentials = match self.head.headers.get(header::AUTHORIZATION) {
            Some(value) => basic(value.as_bytes()),
            None if self.login.is_some() => return Ok(self.session_document()),
            None => None,
        };
        let credentials = credentials.ok_or_else(|| Failure::CredentialsMissing)?;
        let metrics = &self.appliance.metrics;
        let engine = &self.appliance.engine;
        let find = |given: &Credentials| accounts::find(engine, &given.user, &given.password);
        let address = self.peer.address().ip();
        let Some(account) = self.appliance.verify(address, &credentials, find).await? else {
            metrics.login(LoginOutcome::Refused);
            return Err(Failure::CredentialsWrong);
        };
        let opened = self.appliance.logins.open(&credentials.user, account);
        let (login, token) = opened.map_err(|_| Failure::SessionsFull)?;
        metrics.login(LoginOutcome::Granted);
        tracing::info!(user = %credentials.user, session = %login.session.id(), "session opened");
        let cookie = self.cookie(&token, COOKIE_SECONDS);
        Ok(self.session_document().header_text(header::SET_COOKIE, &cookie))
    }

    /// Ends the caller's session with its transaction and lock.
    pub(super) fn session_end(&self) -> Result<Answer, Failure> {
        let login = self.login()?;
        tracing::info!(user = login.session.user(), session = %login.session.id(), "session ended");
        self.appliance.logins.end(login);
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
        let now = self.appliance.engine.clock().now().as_micros();
        let expires = http_date(Timestamp::from_micros(now + seconds * 1_000_000));
        let secure = if self.peer.is_secure() { "; Secure" } else { "" };
        Zeroizing::new(format!(
            "{SESSION_ID}={token}; expires={expires}; HttpOnly; Max-Age={seconds}; Path=/{secure}"
        ))
    }
}

// A login asks for a kind of login and for a backend in its query; other names mean nothing. What
// is not served must not become a login by password.
fn expect_password_login(query: Option<&str>) -> Result<(), Failure> {
    let refused = |message: &str| {
        Err(Failure::Unsuitable { reason: Reason::Login, message: message.to_owned() })
    };
    let Some(pairs) = query::pairs(query.unwrap_or_default()) else {
        return refused("The query must be UTF-8, percent-encoded");
    };
    for (name, value) in &pairs {
        match (&**name, &**value) {
            ("type", "" | "basic" | "password") | ("login_method", "" | "local") => {}
            ("type", _) => {
                return refused(
                    "Only passwords log in here, not certificates; leave the query's type out",
                );
            }
            ("login_method", _) => {
                return refused(
                    "There is no such login method; GET /api/authentication/login_methods has \
                     those that there are",
                );
            }
            _ => {}
        }
    }
    Ok(())
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
    fn dates_are_as_cookies_want_them() {
        let time = Timestamp::from_micros(1_786_642_490_999_999);
        assert_eq!(http_date(time), "Thu, 13 Aug 2026 17:34:50 GMT");
    }
}
