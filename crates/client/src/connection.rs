//! Requests to a daemon: its own API, with the token of the context.

use std::io::{self, BufRead, IsTerminal};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use crate::Environment;
use crate::context::{Context, variable};
use crate::error::AskError;
use crate::http;

/// What stands before every path.
const V1: &str = "/boxwood/v1";

/// A daemon that can be asked.
pub(crate) struct Connection {
    agent: Agent,
    pub(crate) context: Context,
}

/// One request.
#[derive(Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Option<&'a Value>,
}

impl Connection {
    pub(crate) fn new(context: Context) -> Result<Self, AskError> {
        let agent = http::agent(&context.url, context.ca.as_deref(), context.insecure)?;
        Ok(Self { agent, context })
    }

    /// Logs in: a session with a token.
    pub(crate) fn login(&self, user: &str, password: &str) -> Result<Value, AskError> {
        let pair = Zeroizing::new(format!("{user}:{password}"));
        let basic = format!("Basic {}", STANDARD.encode(pair.as_bytes()));
        let about = self.send(&Ask { method: "GET", ..Ask::default() })?;
        let about = self.document(about)?;
        if about["product"] != "boxwood" {
            return Err(AskError::Stranger { url: self.context.url.clone(), found: None });
        }
        if about["api"] != "v1" {
            let found = about["api"].as_str().map(str::to_owned);
            return Err(AskError::Stranger { url: self.context.url.clone(), found });
        }
        let headers = vec![("Authorization", basic)];
        let ask = Ask { method: "POST", path: "sessions".to_owned(), headers, body: None };
        let answer = self.send(&ask)?;
        self.document(answer)
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Result<Value, AskError> {
        self.ask(&Ask { method: "GET", path: path.into(), ..Ask::default() })
    }

    pub(crate) fn post(&self, path: impl Into<String>, body: &Value) -> Result<Value, AskError> {
        self.ask(&Ask { method: "POST", path: path.into(), body: Some(body), ..Ask::default() })
    }

    pub(crate) fn delete(&self, path: impl Into<String>) -> Result<Value, AskError> {
        self.ask(&Ask { method: "DELETE", path: path.into(), ..Ask::default() })
    }

    /// Asks for a JSON document.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Value, AskError> {
        let answer = self.send(ask)?;
        self.document(answer)
    }

    /// Asks for a stream of text.
    pub(crate) fn stream(&self, path: String) -> Result<Box<dyn BufRead>, AskError> {
        let ask = Ask { method: "GET", path, ..Ask::default() };
        let answer = self.send(&ask)?;
        if !answer.status().is_success() {
            return Err(self.document(answer).err().unwrap_or_else(|| self.stranger()));
        }
        Ok(Box::new(io::BufReader::new(answer.into_body().into_reader())))
    }

    fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, AskError> {
        let slash = if ask.path.is_empty() { "" } else { "/" };
        let url = format!("{}{V1}{slash}{}", self.context.url, ask.path);
        let mut request = Request::builder().method(ask.method).uri(url);
        if let Some(token) = &self.context.token
            && !ask.headers.iter().any(|(name, _)| *name == "Authorization")
        {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if let Some(world) = &self.context.world {
            request = request.header("Boxwood-World", world);
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let text = ask.body.map(Value::to_string).unwrap_or_default();
        if ask.body.is_some() && !ask.headers.iter().any(|(name, _)| *name == "Content-Type") {
            request = request.header("Content-Type", "application/json");
        }
        let wrong = |error: ureq::http::Error| AskError::Usage(error.to_string());
        let sent = match ask.body {
            Some(_) => self.agent.run(request.body(text).map_err(wrong)?),
            None => self.agent.run(request.body(()).map_err(wrong)?),
        };
        sent.map_err(|source| self.unanswered(source))
    }

    fn document(&self, mut answer: Response<Body>) -> Result<Value, AskError> {
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(u64::MAX).read_to_vec();
        let body = body.map_err(|source| self.unanswered(source))?;
        let document: Option<Value> = serde_json::from_slice(&body).ok();
        match document {
            Some(document) if status.is_success() => Ok(document),
            Some(problem) if problem["type"].is_string() => {
                let status = status.as_u16();
                let hint = (status == 401).then(|| self.login_hint());
                Err(AskError::Refused { status, problem, hint })
            }
            _ => Err(self.stranger()),
        }
    }

    fn login_hint(&self) -> String {
        let kept = self.context.token.is_some();
        let why = if kept { "The session has ended or expired: log" } else { "Log" };
        format!("{why} in with `boxwood login {}`.", self.context.url)
    }

    fn stranger(&self) -> AskError {
        AskError::Stranger { url: self.context.url.clone(), found: None }
    }

    fn unanswered(&self, source: ureq::Error) -> AskError {
        AskError::Unanswered { url: self.context.url.clone(), source: Box::new(source) }
    }
}

/// The password to log in with: from the environment, asked for at a terminal, or the first line of
/// standard input.
pub(crate) fn password(
    environment: &Environment,
    user: &str,
) -> Result<Zeroizing<String>, AskError> {
    if let Some(given) = variable(environment, "BOXWOOD_PASSWORD") {
        return Ok(Zeroizing::new(given.to_owned()));
    }
    let given = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("Password of {user}: "))?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    let given = Zeroizing::new(given);
    if given.is_empty() { Err(AskError::Password) } else { Ok(given) }
}
