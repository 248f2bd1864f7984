//! A running daemon, as a client that logs in, asks one thing and logs out.
//!
//! Blocking, since a command has nothing else to do meanwhile. Nothing is trusted by itself: the
//! daemon's certificate is usually its own, so `--ca` names it or `--insecure` does without.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client::http::{AgentError, agent};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};
use zeroize::Zeroizing;

use crate::cli::RemoteFlags;
use crate::settings::variables::PASSWORD;

const SESSION: &str = "session_id";

/// Why a running daemon did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The URL names no daemon.
    #[error("--url {0:?} must be https://HOST:PORT or http://HOST:PORT, without a path")]
    Url(String),
    /// Nothing says which certificate to trust.
    #[error(
        "cannot verify the certificate of {0}: pass --ca FILE, or --insecure to skip the check"
    )]
    Trust(String),
    /// The file of `--ca` cannot be used.
    #[error("--ca {}: {why}", file.display())]
    Authority {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no password.
    #[error("no password: set {PASSWORD}, or give it as the first line of standard input")]
    Password,
    /// There was no answer, or no whole one.
    #[error("{url} gave no answer: {source}")]
    Unanswered {
        /// Which daemon.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// The answer is not one of Boxwood's.
    #[error("{0} does not appear to be a Boxwood server")]
    Stranger(String),
    /// The daemon refused.
    #[error("{url} refused: {message}{}", listed(faults))]
    Refused {
        /// Which daemon.
        url: String,
        /// Its sentence.
        message: String,
        /// Each single fault, where there are several or the sentence does not say where.
        faults: Vec<String>,
    },
}

impl From<AgentError> for RemoteError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Url(url) => Self::Url(url),
            AgentError::Trust(url) => Self::Trust(url),
            AgentError::Authority { file, why } => Self::Authority { file, why },
        }
    }
}

fn listed(faults: &[String]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// A login at a running daemon; it ends with the value.
pub struct Remote {
    agent: Agent,
    url: String,
    cookie: Zeroizing<String>,
}

impl Remote {
    /// Logs in.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn login(url: &str, flags: &RemoteFlags, password: &str) -> Result<Self, RemoteError> {
        let url = url.trim_end_matches('/').to_owned();
        let agent = agent(&url, flags.ca.as_deref(), flags.insecure)?;
        let pair = Zeroizing::new(format!("{}:{password}", flags.user));
        let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let answer = agent
            .get(format!("{url}/api/authentication"))
            .header("Authorization", basic.as_str())
            .call();
        let mut answer = answer.map_err(|source| unanswered(&url, source))?;
        if !answer.status().is_success() {
            return Err(refusal(&url, &mut answer));
        }
        let token = token(&answer).ok_or_else(|| RemoteError::Stranger(url.clone()))?;
        let cookie = Zeroizing::new(format!("{SESSION}={}", *token));
        Ok(Self { agent, url, cookie })
    }

    /// What stands at a path.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn get(&self, path: &str) -> Result<Vec<u8>, RemoteError> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let answer = request.header("Cookie", self.cookie.as_str()).call();
        self.content(answer)
    }

    /// Sends a JSON text of a known length to a path. The daemon is asked first whether it wants
    /// it: a refusal need not wait for a long upload.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn post(
        &self,
        path: &str,
        text: &mut dyn Read,
        length: u64,
    ) -> Result<Vec<u8>, RemoteError> {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Cookie", self.cookie.as_str())
            .header("Content-Type", "application/json")
            .header("Content-Length", length.to_string())
            .header("Expect", "100-continue");
        let answer = request.send(SendBody::from_reader(text));
        self.content(answer)
    }

    fn content(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Vec<u8>, RemoteError> {
        let mut answer = answer.map_err(|source| unanswered(&self.url, source))?;
        if !answer.status().is_success() {
            return Err(refusal(&self.url, &mut answer));
        }
        read_all(&mut answer).map_err(|source| unanswered(&self.url, source))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let request = self.agent.delete(format!("{}/api/authentication", self.url));
        // A session that stays ends by itself when it has been idle for long enough.
        let _ = request.header("Cookie", self.cookie.as_str()).call();
    }
}

/// The password to log in with: from the environment, else the first line of standard input.
///
/// # Errors
/// There is none.
pub fn password(environment: &[(OsString, OsString)]) -> Result<Zeroizing<String>, RemoteError> {
    if let Some((_, given)) = environment.iter().find(|(name, _)| name == PASSWORD) {
        let given = given.to_str().ok_or(RemoteError::Password)?;
        return Ok(Zeroizing::new(given.to_owned()));
    }
    // What is typed at a terminal would be shown there.
    if io::stdin().is_terminal() {
        return Err(RemoteError::Password);
    }
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().read_line(&mut line);
    let given = line.trim_end_matches(['\r', '\n']);
    match read {
        Ok(_) if !given.is_empty() => Ok(Zeroizing::new(given.to_owned())),
        _ => Err(RemoteError::Password),
    }
}

fn token(answer: &Response<Body>) -> Option<Zeroizing<String>> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    let mut pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let token = pairs.find_map(|pair| pair.trim().strip_prefix(SESSION)?.strip_prefix('='))?;
    Some(Zeroizing::new(token.trim_matches('"').to_owned()))
}

fn read_all(answer: &mut Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    answer.body_mut().with_config().limit(u64::MAX).read_to_vec()
}

fn unanswered(url: &str, source: ureq::Error) -> RemoteError {
    RemoteError::Unanswered { url: url.to_owned(), source: Box::new(source) }
}

// Boxwood's errors, all of their parts; the first line of anything else.
fn refusal(url: &str, answer: &mut Response<Body>) -> RemoteError {
    let status = answer.status();
    let body = read_all(answer).unwrap_or_default();
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    let error = &document["error"];
    let message = match error["message"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("it answered {status}"),
    };
    let details = error["details"]["errors"].as_array().into_iter().flatten();
    let faults = details.filter_map(fault).collect();
    RemoteError::Refused { url: url.to_owned(), message, faults }
}

fn fault(error: &Value) -> Option<String> {
    let message = error["message"].as_str()?;
    let paths = error["paths"].as_array().into_iter().flatten();
    let paths: Vec<&str> = paths.filter_map(Value::as_str).collect();
    let rule = error["rule"].as_str().map(|rule| format!(" [{rule}]")).unwrap_or_default();
    Some(match paths.as_slice() {
        [] => format!("{message}{rule}"),
        paths => format!("{}: {message}{rule}", paths.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_fault_of_a_refusal_is_a_line() {
        let error = json!({"message": "`a` is required", "paths": ["/x#a"], "rule": "required"});
        assert_eq!(fault(&error).as_deref(), Some("/x#a: `a` is required [required]"));
        assert_eq!(fault(&json!({"message": "no"})).as_deref(), Some("no"));
        assert_eq!(fault(&json!({"paths": []})), None);
    }

    #[test]
    fn a_token_is_found_among_cookies() {
        let answer = |cookie: &str| {
            let builder = Response::builder().header("set-cookie", "other=1; Path=/");
            builder.header("set-cookie", cookie).body(Body::builder().data("")).unwrap()
        };
        let found = |cookie| token(&answer(cookie)).map(|token| token.to_string());
        assert_eq!(found("session_id=abc; Path=/api; Secure").as_deref(), Some("abc"));
        assert_eq!(found("session_id=\"abc\"").as_deref(), Some("abc"));
        assert_eq!(found("session_idx=abc"), None);
    }

    #[test]
    fn a_url_names_a_daemon_with_a_certificate_to_trust() {
        let refused = |url: &str| {
            let flags = RemoteFlags { user: "admin".to_owned(), ..RemoteFlags::default() };
            match Remote::login(url, &flags, "x") {
                Ok(_) => panic!("{url} is accepted"),
                Err(error) => error.to_string(),
            }
        };
        for bad in ["ftp://h:1", "https://", "h:1", "https://h:1/api", "https://u:p@h:1"] {
            assert!(refused(bad).contains("https://HOST:PORT"), "{bad}");
        }
        assert!(refused("https://127.0.0.1:1").contains("--ca FILE"));
    }
}
