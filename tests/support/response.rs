//! An answer, with the request that led to it, and the boring things that every answer must have.

use std::fmt;

use serde_json::Value;

use crate::connection::RawResponse;
use crate::dialect::Dialect;

/// What was sent, kept for the message of a failed expectation.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The method; empty when the bytes sent have none.
    pub method: String,
    /// The request target.
    pub path: String,
    /// All that was sent, lossily as text.
    pub sent: String,
}

/// A final answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// In the order they came, duplicates kept.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from its framing.
    pub body: Vec<u8>,
    /// The statuses of interim answers that came before, such as 100.
    pub interim: Vec<u16>,
    /// What was asked.
    pub request: Exchange,
    /// Whose rules it must follow.
    pub dialect: Dialect,
}

impl Response {
    /// An answer to `GET path` as if it had come, for the self-tests.
    #[cfg(test)]
    pub(crate) fn of(path: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        Response {
            status,
            version: "HTTP/1.1".to_owned(),
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            interim: Vec::new(),
            request: Exchange {
                method: "GET".to_owned(),
                path: path.to_owned(),
                sent: format!("GET {path} HTTP/1.1\r\n\r\n"),
            },
            dialect: Dialect::Sps,
        }
    }

    pub(crate) fn new(raw: RawResponse, request: Exchange, dialect: Dialect) -> Response {
        let RawResponse { interim, version, status, headers, body, keep_alive: _ } = raw;
        Response { status, version, headers, body, interim, request, dialect }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of that name, in order.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(_) => panic!("the body is not UTF-8\n{self}"),
        }
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(why) => panic!("the body is not JSON: {why}\n{self}"),
        }
    }

    /// The member of the JSON body at a pointer, `/meta/href`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn at(&self, pointer: &str) -> Value {
        match self.json().pointer_mut(pointer) {
            Some(value) => value.take(),
            None => panic!("the body has nothing at {pointer}\n{self}"),
        }
    }

    /// The answer, when its status is this one.
    ///
    /// # Panics
    ///
    /// When it is another; the message holds the whole exchange.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        assert!(self.status == status, "expected status {status}\n{self}");
        self
    }

    /// The answer, when it is an error of this status and `error.type`.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn expect_error(self, status: u16, kind: &str) -> Response {
        let answer = self.expect(status);
        let found = answer.at("/error/type");
        assert!(found == kind, "expected an error of type {kind}, not {found}\n{answer}");
        answer
    }

    /// Checks what every answer of its dialect must have, whatever was asked.
    ///
    /// # Panics
    ///
    /// When something is missing; the message names all of it and holds the exchange.
    #[track_caller]
    pub fn check(&self) {
        let faults = self.faults();
        assert!(faults.is_empty(), "this answer breaks the rules: {}\n{self}", faults.join("; "));
    }

    /// What [`Response::check`] finds.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.dialect.faults(self)
    }

    /// The path that was asked for, without its query.
    pub(crate) fn path(&self) -> &str {
        self.request.path.split('?').next().unwrap_or_default()
    }
}

/// The whole exchange, for people.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8000;
        let indent = |f: &mut fmt::Formatter<'_>, mark: &str, text: &str| {
            let shown: String = text.chars().take(SHOWN).collect();
            for line in shown.lines() {
                writeln!(f, "  {mark} {line}")?;
            }
            match shown.len() < text.len() {
                true => writeln!(f, "  {mark} ... {} bytes in all", text.len()),
                false => Ok(()),
            }
        };
        indent(f, ">", &self.request.sent)?;
        for status in &self.interim {
            writeln!(f, "  < {} {status}", self.version)?;
        }
        writeln!(f, "  < {} {}", self.version, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "  < {name}: {value}")?;
        }
        writeln!(f, "  <")?;
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => indent(f, "<", &format!("{value:#}")),
            Err(_) => indent(f, "<", &String::from_utf8_lossy(&self.body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "expected status 201\n  > GET /api HTTP/1.1")]
    fn an_unexpected_status_shows_the_exchange() {
        let answer = Response::of("/api", 200, &[], "{}");
        answer.expect(201);
    }
}
