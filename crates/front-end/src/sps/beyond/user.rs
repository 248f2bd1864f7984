//! `/api/user/info`, and the token that browsers have to send with their writes.
//!
//! From 7.5 on, what a browser changes must carry the token that this resource shows, since a
//! foreign page can make a browser send a cookie but cannot read an answer. A browser is
//! recognised by `User-Agent` alone, as on the appliance (core protocol §1.4).

use hyper::{HeaderMap, Method, header};
use serde_json::json;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::super::Call;
use crate::answer::Answer;
use crate::failure::{Failure, Reason};

/// The header that carries the token.
const X_TOKEN: &str = "x-token";

/// What makes the tokens of this process.
pub(in crate::sps) struct Tokens {
    key: [u8; 32],
}

impl Tokens {
    /// With a key of its own.
    pub(in crate::sps) fn new() -> Self {
        let (front, back) = (Uuid::new_v4(), Uuid::new_v4());
        let random = [front.into_bytes(), back.into_bytes()].concat();
        Self { key: blake3::derive_key("boxwood 2026-11 sps x-token", &random) }
    }

    /// The token of a session.
    fn of(&self, session: &str) -> String {
        blake3::keyed_hash(&self.key, session.as_bytes()).to_hex()[..40].to_owned()
    }
}

impl Call<'_> {
    /// Who is logged in, and the token of the session.
    pub(super) fn user_info(&self) -> Result<Answer, Failure> {
        let login = self.login()?;
        Ok(Answer::document(&json!({
            "body": {
                "groups": login.standing().groups,
                "name": login.session.user(),
                "token": self.sps.tokens.of(&login.name),
            },
            "key": "info",
            "meta": self.meta("/api/user/info", "/api/user"),
        })))
    }

    /// Whether a browser that changes something has sent its token.
    pub(in crate::sps) fn expect_token(&self) -> Result<(), Failure> {
        let writes = matches!(self.head.method, Method::POST | Method::PUT | Method::DELETE);
        if !self.sps.settings.x_token || !writes || !is_browser(&self.head.headers) {
            return Ok(());
        }
        let Some(login) = &self.login else { return Ok(()) };
        let token = self.sps.tokens.of(&login.name);
        let sent = self.head.headers.get(X_TOKEN);
        if sent.is_some_and(|sent| sent.as_bytes().ct_eq(token.as_bytes()).into()) {
            return Ok(());
        }
        let message = "A browser has to send the header X-Token with the token that \
                       GET /api/user/info shows"
            .to_owned();
        Err(Failure::Unsuitable { reason: Reason::Unproved, message })
    }
}

fn is_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_a_session_and_a_process() {
        let (one, other) = (Tokens::new(), Tokens::new());
        assert_eq!(one.of("a"), one.of("a"));
        assert_eq!(one.of("a").len(), 40);
        assert_ne!(one.of("a"), one.of("b"));
        assert_ne!(one.of("a"), other.of("a"));
    }
}
