//! The OAuth server that the profiles register clients for: authorization codes, tokens, refresh
//! (DS Server documentation, OAuth; RFC 6749 where that is silent).
//!
//! Codes and tokens are kept in memory as hashes. They belong to a profile and are worth nothing
//! any more when it is deleted, gets another client, or expires.

use std::collections::HashMap;
use std::time::Duration;

use config_tree::{NodePath, Tree};
use hyper::header::{self, HeaderMap};
use hyper::{StatusCode, http::request::Parts};
use parking_lot::Mutex;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use transaction_engine::Timestamp;
use zeroize::Zeroizing;

use super::answer;
use super::profile;
use super::random::letters;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::credentials::{Credentials, basic};
use crate::failure::Failure;
use crate::outcome::Dressed;
use crate::query;

/// How long an access token lasts, in seconds; the documentation shows it as a text.
const ACCESS_SECONDS: u64 = 3_600;
/// How long a code may wait for its exchange.
const CODE: Duration = Duration::from_secs(300);
/// How long a refresh token lasts.
const REFRESH: Duration = Duration::from_secs(30 * 86_400);
/// The number of codes and tokens that are kept; beyond it the one that ends first is forgotten.
const MOST: usize = 10_000;
/// The length of codes and tokens, in letters and digits.
const LENGTH: usize = 32;

/// Codes and tokens that were given.
#[derive(Default)]
pub(super) struct OAuth {
    grants: Mutex<HashMap<[u8; 32], Grant>>,
}

struct Grant {
    kind: Kind,
    profile: NodePath,
    client: String,
    until: Timestamp,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Code { redirect_uri: String },
    Access,
    Refresh,
}

/// Why a request is refused: the words of RFC 6749, in the statuses of the documentation.
pub(super) enum Problem {
    /// Something that any request can be refused for.
    Failure(Failure),
    /// Something that has to do with OAuth: the status, the error's name, a sentence.
    OAuth(StatusCode, &'static str, &'static str),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

const INVALID_CLIENT: Problem = Problem::OAuth(
    StatusCode::UNAUTHORIZED,
    "invalid_client",
    "the client is unknown, its secret is wrong, or its profile has expired",
);
const INVALID_GRANT: Problem = Problem::OAuth(
    StatusCode::UNAUTHORIZED,
    "invalid_grant",
    "the code or token is unknown, was used, has expired, or belongs to another client",
);
const WRONG_URI: Problem = Problem::OAuth(
    StatusCode::BAD_REQUEST,
    "invalid_request",
    "redirect_uri is not one that the profile authorizes",
);

fn invalid_request(sentence: &'static str) -> Problem {
    Problem::OAuth(StatusCode::BAD_REQUEST, "invalid_request", sentence)
}

/// Shows an OAuth error.
pub(super) fn dressed(status: StatusCode, kind: &'static str, sentence: &'static str) -> Dressed {
    let document = json!({ "error": kind, "error_description": sentence });
    let mut answer = unstored(answer::json(status, &document));
    if status == StatusCode::UNAUTHORIZED {
        answer = answer.header_text(header::WWW_AUTHENTICATE, "Basic realm=\"DS Server\"");
    }
    Dressed { answer, kind, sentence: sentence.to_owned() }
}

fn unstored(answer: Answer) -> Answer {
    answer.header_text(header::CACHE_CONTROL, "no-store")
}

/// The parameters of a request; each may be there once.
struct Parameters(Vec<(String, Zeroizing<String>)>);

impl Parameters {
    fn new(pairs: Vec<(String, Zeroizing<String>)>) -> Result<Self, Problem> {
        let is_repeated = |(at, (name, _)): (usize, &(String, Zeroizing<String>))| {
            pairs[..at].iter().any(|(other, _)| other == name)
        };
        if pairs.iter().enumerate().any(is_repeated) {
            return Err(invalid_request("a parameter is given twice"));
        }
        Ok(Self(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl OAuth {
    /// `GET /oauth/authorize`: sends the browser back with a code, or with a token.
    pub(super) fn authorize(&self, appliance: &Appliance, head: &Parts) -> Result<Answer, Problem> {
        let pairs = query::pairs(head.uri.query().unwrap_or_default());
        let pairs = pairs.ok_or_else(|| invalid_request("the query cannot be decoded"))?;
        let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name.into_owned(), Zeroizing::new(value.into_owned()))
        };
        let asked = Parameters::new(pairs.into_iter().map(owned).collect())?;
        let client = asked.get("client_id").ok_or(invalid_request("client_id is missing"))?;
        let uri = asked.get("redirect_uri").ok_or(invalid_request("redirect_uri is missing"))?;
        let running = appliance.engine.running();
        let profile = profile::of_client(&running.tree, client).ok_or(INVALID_CLIENT)?;
        let body = value_of(&running.tree, &profile);
        if !authorizes(&body, uri) {
            return Err(WRONG_URI);
        }
        if profile::is_expired(&body, appliance.now()) {
            return Err(INVALID_CLIENT);
        }
        let state = asked.get("state").map(|state| format!("&state={}", query::encoded(state)));
        let state = state.unwrap_or_default();
        let (part, given) = match asked.get("response_type") {
            Some("code") => {
                let kind = Kind::Code { redirect_uri: uri.to_owned() };
                let code = self.give(appliance, kind, &profile, client)?;
                (Part::Query, Zeroizing::new(format!("code={}{state}", *code)))
            }
            Some("token") => {
                let token = self.give(appliance, Kind::Access, &profile, client)?;
                let lasts = format!("&token_type=Bearer&expires_in={ACCESS_SECONDS}");
                let given = format!("access_token={}{lasts}{state}", *token);
                (Part::Fragment, Zeroizing::new(given))
            }
            _ => {
                let sentence = "response_type must be code or token";
                let kind = "unsupported_response_type";
                return Err(Problem::OAuth(StatusCode::BAD_REQUEST, kind, sentence));
            }
        };
        let location = with_parameters(uri, part, &given);
        Ok(unstored(Answer::empty(StatusCode::FOUND)).header_text(header::LOCATION, &location))
    }

    /// `POST /oauth/token`: a token for a code, a refresh token, or the client's credentials alone.
    pub(super) fn token(
        &self,
        appliance: &Appliance,
        headers: &HeaderMap,
        form: Vec<(String, Zeroizing<String>)>,
    ) -> Result<Answer, Problem> {
        let asked = Parameters::new(form)?;
        let Credentials { user: client, password: secret } =
            credentials(headers, &asked).ok_or(INVALID_CLIENT)?;
        let profile = proved(appliance, &client, &secret).ok_or(INVALID_CLIENT)?;
        match asked.get("grant_type") {
            Some("client_credentials") => {
                let body = value_of(&appliance.engine.running().tree, &profile);
                if body["allowClientCredentialsGrantType"] != true {
                    let sentence = "the profile does not allow client credentials alone";
                    let kind = "unauthorized_client";
                    return Err(Problem::OAuth(StatusCode::UNAUTHORIZED, kind, sentence));
                }
                self.answer(appliance, &profile, &client, false)
            }
            Some("authorization_code") => {
                let code = asked.get("code").ok_or(invalid_request("code is missing"))?;
                let grant = self.take(code, &profile, &client, appliance.now())?;
                let Kind::Code { redirect_uri } = grant else { return Err(INVALID_GRANT) };
                if asked.get("redirect_uri") != Some(&redirect_uri) {
                    return Err(WRONG_URI);
                }
                self.answer(appliance, &profile, &client, true)
            }
            Some("refresh_token") => {
                let token = asked.get("refresh_token");
                let token = token.ok_or(invalid_request("refresh_token is missing"))?;
                match self.take(token, &profile, &client, appliance.now())? {
                    Kind::Refresh => self.answer(appliance, &profile, &client, true),
                    Kind::Code { .. } | Kind::Access => Err(INVALID_GRANT),
                }
            }
            _ => {
                let sentence = "grant_type must be authorization_code, client_credentials or \
                                refresh_token";
                let kind = "unsupported_grant_type";
                Err(Problem::OAuth(StatusCode::BAD_REQUEST, kind, sentence))
            }
        }
    }

    /// Ends every code and token of a profile, which was deleted or has expired.
    pub(super) fn forget(&self, profile: &NodePath) {
        self.grants.lock().retain(|_, grant| grant.profile != *profile);
    }

    fn answer(
        &self,
        appliance: &Appliance,
        profile: &NodePath,
        client: &str,
        refreshable: bool,
    ) -> Result<Answer, Problem> {
        let access = self.give(appliance, Kind::Access, profile, client)?;
        let mut document = json!({
            "access_token": *access,
            "token_type": "Bearer",
            // A text in the documentation, too.
            "expires_in": ACCESS_SECONDS.to_string(),
        });
        if refreshable {
            document["refresh_token"] =
                json!(*self.give(appliance, Kind::Refresh, profile, client)?);
        }
        Ok(unstored(answer::json(StatusCode::OK, &document)))
    }

    fn give(
        &self,
        appliance: &Appliance,
        kind: Kind,
        profile: &NodePath,
        client: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        let lasts = match kind {
            Kind::Code { .. } => CODE,
            Kind::Access => Duration::from_secs(ACCESS_SECONDS),
            Kind::Refresh => REFRESH,
        };
        let text = letters(LENGTH)?;
        let (now, profile) = (appliance.now(), profile.clone());
        let grant = Grant { kind, profile, client: client.to_owned(), until: now.plus(lasts) };
        let mut grants = self.grants.lock();
        if grants.len() >= MOST {
            grants.retain(|_, grant| now < grant.until);
        }
        if grants.len() >= MOST
            && let Some(first) = grants.iter().min_by_key(|(_, one)| one.until).map(|(h, _)| *h)
        {
            grants.remove(&first);
        }
        grants.insert(hash(&text), grant);
        Ok(text)
    }

    // A code or a refresh token serves once.
    fn take(
        &self,
        text: &str,
        profile: &NodePath,
        client: &str,
        now: Timestamp,
    ) -> Result<Kind, Problem> {
        let mut grants = self.grants.lock();
        let is_theirs = |grant: &Grant| {
            grant.profile == *profile && grant.client == client && now < grant.until
        };
        let hash = hash(text);
        match grants.get(&hash) {
            Some(grant) if is_theirs(grant) && grant.kind != Kind::Access => {}
            _ => return Err(INVALID_GRANT),
        }
        grants.remove(&hash).map(|grant| grant.kind).ok_or(INVALID_GRANT)
    }
}

// In the header or in the form: both are documented.
fn credentials(headers: &HeaderMap, asked: &Parameters) -> Option<Credentials> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return basic(value.as_bytes());
    }
    let (user, password) = (asked.get("client_id")?, asked.get("client_secret")?);
    Some(Credentials { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
}

/// The profile of a client that proved to be one, unless it has expired.
fn proved(appliance: &Appliance, client: &str, secret: &str) -> Option<NodePath> {
    let running = appliance.engine.running();
    let profile = profile::of_client(&running.tree, client)?;
    let own = appliance.engine.secret_reveal_in(&running.tree, &profile, profile::SECRET)?;
    // Digests, so that neither the length nor a common beginning shows in the time.
    let digest = |text: &str| blake3::hash(text.as_bytes());
    let fits: bool = digest(&own).as_bytes().ct_eq(digest(secret).as_bytes()).into();
    let expired = profile::is_expired(&value_of(&running.tree, &profile), appliance.now());
    (fits && !expired).then_some(profile)
}

fn authorizes(body: &Value, uri: &str) -> bool {
    let uris = body["clientCredentials"]["authorizedRedirectUris"].as_array();
    uris.is_some_and(|uris| uris.iter().any(|one| one == uri))
}

/// Where a redirect URI gets its parameters.
#[derive(Clone, Copy)]
enum Part {
    Query,
    Fragment,
}

// A redirect URI with parameters, as a header can hold it: profiles take any text.
fn with_parameters(uri: &str, part: Part, parameters: &str) -> Zeroizing<String> {
    let (front, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let mut text = Zeroizing::new(String::with_capacity(3 * uri.len() + parameters.len() + 2));
    push_visible(&mut text, front);
    if let Part::Query = part {
        text.push(if front.contains('?') { '&' } else { '?' });
        text.push_str(parameters);
    }
    if !fragment.is_empty() {
        text.push('#');
        push_visible(&mut text, fragment);
    }
    if let Part::Fragment = part {
        text.push(if fragment.is_empty() { '#' } else { '&' });
        text.push_str(parameters);
    }
    text
}

// Everything but visible ASCII characters is percent-encoded.
fn push_visible(to: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            0x21..=0x7e => to.push(char::from(byte)),
            _ => to.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn value_of(tree: &Tree, path: &NodePath) -> Value {
    tree.body(path).map(config_tree::Body::value).unwrap_or_default()
}

fn hash(text: &str) -> [u8; 32] {
    *blake3::hash(text.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_where_a_client_looks_for_them() {
        for (uri, part, expected) in [
            ("https://a/cb", Part::Query, "https://a/cb?c=1"),
            ("https://a/cb?x=y", Part::Query, "https://a/cb?x=y&c=1"),
            ("https://a/cb#f?g", Part::Query, "https://a/cb?c=1#f?g"),
            ("https://a/cb?x=y", Part::Fragment, "https://a/cb?x=y#c=1"),
            ("https://a/cb#f", Part::Fragment, "https://a/cb#f&c=1"),
            ("https://a/\u{fc} b\n", Part::Query, "https://a/%C3%BC%20b%0A?c=1"),
        ] {
            assert_eq!(*with_parameters(uri, part, "c=1"), expected, "{uri}");
        }
    }
}
