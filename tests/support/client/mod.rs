//! A blocking HTTP/1.1 client for tests of the protocol: it hides nothing, repeats nothing by
//! itself, and checks of each answer what all answers of its dialect must have.
//!
//! What it says is plain HTTP; the verbs of SPS (login, open, commit, rollback) stand in `sps.rs`.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;

use crate::connection::{AnyCertificate, Connection};
use crate::cookies::Jar;
use crate::dialect::Dialect;
use crate::encoding;
use crate::response::{Exchange, Response};

/// A user of one listener: a kept-alive connection, a cookie jar, and credentials for dialects that
/// want them with each request.
pub struct Client {
    dialect: Dialect,
    credentials: Vec<(String, String)>,
    secure: bool,
    host: String,
    port: u16,
    verifier: Arc<dyn ServerCertVerifier>,
    tls_versions: Vec<&'static SupportedProtocolVersion>,
    connection: Option<Connection>,
    jar: Jar,
}

impl Client {
    /// A client of `https://127.0.0.1:43121` or `http://...`, which takes any certificate.
    ///
    /// # Panics
    ///
    /// When the URL has not that shape.
    pub fn new(url: &str) -> Client {
        Client::with_verifier(url, Arc::new(AnyCertificate(provider())))
    }

    /// A client that takes only a certificate which is valid for the URL's host under this root,
    /// given as PEM. A self-signed certificate is its own root.
    ///
    /// # Panics
    ///
    /// When the PEM has no certificate that could be a root.
    pub fn verifying(url: &str, root: &str) -> Client {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(root.as_bytes()) {
            let certificate = certificate.expect("the root is PEM");
            roots.add(certificate).expect("the root can be a trust anchor");
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider())
            .build()
            .expect("there is at least one root");
        Client::with_verifier(url, verifier)
    }

    fn with_verifier(url: &str, verifier: Arc<dyn ServerCertVerifier>) -> Client {
        let (scheme, place) = url.split_once("://").expect("the URL has a scheme");
        let (host, port) = place.rsplit_once(':').expect("the URL has a port");
        Client {
            dialect: Dialect::Sps,
            credentials: Vec::new(),
            secure: scheme == "https",
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.parse().expect("the port is a number"),
            verifier,
            tls_versions: rustls::ALL_VERSIONS.to_vec(),
            connection: None,
            jar: Jar::default(),
        }
    }

    /// The same client with these TLS versions only: `&[&rustls::version::TLS12]`.
    pub fn tls_versions(mut self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        self.tls_versions = versions.to_vec();
        self.connection = None;
        self
    }

    /// The same client, of a listener with this dialect; it is SPS unless something else is said.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The same client, with a header in each of its requests, in place of one of that name.
    pub fn credentials(mut self, name: &str, value: &str) -> Self {
        self.credentials.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.credentials.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same client, with Basic credentials in each of its requests.
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.credentials("Authorization", &encoding::basic(user, password))
    }

    /// The same client, in another world: each of its requests names it.
    pub fn in_world(self, name: &str) -> Self {
        self.credentials("Boxwood-World", name)
    }

    /// A second client with the same cookies and credentials, and a connection of its own.
    pub fn fork(&self) -> Client {
        Client {
            dialect: self.dialect,
            credentials: self.credentials.clone(),
            secure: self.secure,
            host: self.host.clone(),
            port: self.port,
            verifier: Arc::clone(&self.verifier),
            tls_versions: self.tls_versions.clone(),
            connection: None,
            jar: self.jar.clone(),
        }
    }

    // ===== requests =====

    /// Begins a request; the path goes out as it is, a query included.
    pub fn request(&mut self, method: &str, path: &str) -> RequestBuilder<'_> {
        RequestBuilder {
            client: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Body::None,
            cookie: true,
            credentials: true,
            checked: true,
            expect_continue: false,
        }
    }

    /// `GET path`
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    /// `PUT path` with a JSON body.
    #[track_caller]
    pub fn put(&mut self, path: &str, body: &Value) -> Response {
        self.request("PUT", path).json(body).send()
    }

    /// `POST path` with a JSON body.
    #[track_caller]
    pub fn post(&mut self, path: &str, body: &Value) -> Response {
        self.request("POST", path).json(body).send()
    }

    /// `PATCH path` with a JSON body.
    #[track_caller]
    pub fn patch(&mut self, path: &str, body: &Value) -> Response {
        self.request("PATCH", path).json(body).send()
    }

    /// `DELETE path`
    #[track_caller]
    pub fn delete(&mut self, path: &str) -> Response {
        self.request("DELETE", path).send()
    }

    /// Sends bytes as they are and reads one answer, which is not checked: a server may answer
    /// malformed requests before it knows what they are for. [`Response::check`] does it.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: &[u8]) -> Response {
        match self.try_send_raw(bytes) {
            Ok(response) => response,
            Err(why) => panic!("no answer: {why}\n{}", String::from_utf8_lossy(bytes)),
        }
    }

    /// As [`Client::send_raw`].
    ///
    /// # Errors
    ///
    /// When there is no answer, as when the server closes the connection.
    pub fn try_send_raw(&mut self, bytes: &[u8]) -> io::Result<Response> {
        let sent = String::from_utf8_lossy(bytes).into_owned();
        let mut words = sent.split([' ', '\r', '\n']);
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().to_owned();
        self.exchange(Exchange { method, path, sent }, bytes, None)
    }

    // ===== what lies beneath =====

    /// The kept-alive connection, made when there is none: for tests that stall or say half.
    ///
    /// # Panics
    ///
    /// When the server does not accept it.
    #[track_caller]
    pub fn connection(&mut self) -> &mut Connection {
        match self.usable_connection() {
            Ok(connection) => connection,
            Err(why) => panic!("no connection: {why}"),
        }
    }

    /// As [`Client::connection`], for a server that may refuse.
    ///
    /// # Errors
    ///
    /// When it does.
    pub fn try_connection(&mut self) -> io::Result<&mut Connection> {
        self.usable_connection()
    }

    /// Closes the connection; the next request makes a new one.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Whether the kept-alive connection is there, and still open at the server's end.
    pub fn is_connected(&mut self) -> bool {
        self.connection.as_mut().is_some_and(|connection| !connection.is_closed())
    }

    /// The value of a cookie in the jar.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name)
    }

    /// Puts a cookie into the jar as a `Set-Cookie` header would.
    pub fn set_cookie(&mut self, set_cookie: &str) {
        self.jar.store(set_cookie, None);
    }

    /// Forgets all cookies.
    pub fn clear_cookies(&mut self) {
        self.jar.clear();
    }

    /// The TLS version of the latest connection, or of one made for it.
    #[track_caller]
    pub fn tls_version(&mut self) -> Option<ProtocolVersion> {
        self.latest_connection().tls_version()
    }

    /// The server's certificate as PEM, which [`Client::verifying`] takes.
    ///
    /// # Panics
    ///
    /// When the listener speaks plain http.
    #[track_caller]
    pub fn certificate_pem(&mut self) -> String {
        let certificate = self.latest_connection().certificate().expect("the listener speaks TLS");
        encoding::certificate_pem(&certificate)
    }

    /// The connection, closed or not; one is made only when there is none.
    #[track_caller]
    fn latest_connection(&mut self) -> &Connection {
        if self.connection.is_none() {
            self.connection();
        }
        self.connection.as_ref().expect("it was there, or was made")
    }

    /// The connection if it is still open, otherwise a new one. One that the server has closed
    /// while idle is no fault; one that it closes upon a request is, so nothing is sent twice.
    fn usable_connection(&mut self) -> io::Result<&mut Connection> {
        let kept = self.connection.take();
        let connection = match kept.and_then(Connection::if_open) {
            Some(connection) => connection,
            None => self.connect()?,
        };
        Ok(self.connection.insert(connection))
    }

    fn connect(&self) -> io::Result<Connection> {
        if !self.secure {
            return Connection::plain(&self.host, self.port);
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&self.tls_versions)
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&self.verifier))
            .with_no_client_auth();
        Connection::tls(&self.host, self.port, Arc::new(config))
    }

    /// Sends a request and reads the answer. When there is a `held_back` part, it is sent after an
    /// interim answer, and not at all when the final answer comes first.
    fn exchange(
        &mut self,
        request: Exchange,
        bytes: &[u8],
        held_back: Option<&[u8]>,
    ) -> io::Result<Response> {
        let to_head = request.method == "HEAD";
        let connection = self.usable_connection()?;
        let outcome = (|| {
            let sent = connection.send(bytes);
            // A server may refuse and close before it has read all: the answer is what counts.
            let answered = connection.read_response(to_head, held_back.is_some());
            let mut response = match (sent, answered) {
                (_, Ok(response)) => response,
                (Err(why), Err(_)) | (Ok(()), Err(why)) => return Err(why),
            };
            if let Some(body) = held_back {
                if response.status == 100 {
                    connection.send(body)?;
                    response = connection.read_response(to_head, false)?;
                    response.interim.insert(0, 100);
                } else {
                    // The body was announced and is not going to come.
                    response.keep_alive = false;
                }
            }
            Ok(response)
        })();
        let raw = match outcome {
            Ok(raw) => raw,
            Err(why) => {
                self.connection = None;
                return Err(why);
            }
        };
        if !raw.keep_alive {
            self.connection = None;
        }
        let response = Response::new(raw, request, self.dialect);
        for set_cookie in response.headers_named("set-cookie") {
            self.jar.store(set_cookie, response.header("date"));
        }
        Ok(response)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({}:{})", self.host, self.port)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A request being put together. Without further words it has `Host`, `Accept: */*` and the jar's
/// cookies, and `Content-Length` where there is a body or the method is POST or PUT.
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct RequestBuilder<'c> {
    client: &'c mut Client,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Body,
    cookie: bool,
    credentials: bool,
    checked: bool,
    expect_continue: bool,
}

#[derive(Debug)]
enum Body {
    /// None, and for POST and PUT a length of 0.
    None,
    /// None, and no length whatever the method.
    Unannounced,
    Whole(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
}

impl RequestBuilder<'_> {
    /// Adds a header. One of those sent without being asked for is replaced.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body, with its content type.
    pub fn json(self, body: &Value) -> Self {
        self.text(body.to_string(), "application/json")
    }

    /// The body, any bytes, with a content type; an empty one means no such header.
    pub fn text(mut self, body: impl Into<Vec<u8>>, content_type: &str) -> Self {
        self.body = Body::Whole(body.into());
        match content_type {
            "" => self,
            _ => self.header("Content-Type", content_type),
        }
    }

    /// The body in chunks.
    pub fn chunked(mut self, chunks: &[&[u8]]) -> Self {
        self.body = Body::Chunked(chunks.iter().map(|chunk| chunk.to_vec()).collect());
        self
    }

    /// No body and no `Content-Length`, also for POST and PUT.
    pub fn no_length(mut self) -> Self {
        self.body = Body::Unannounced;
        self
    }

    /// Basic credentials.
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.header("Authorization", &encoding::basic(user, password))
    }

    /// Without the client's credentials.
    pub fn no_credentials(mut self) -> Self {
        self.credentials = false;
        self
    }

    /// Without the jar's cookies.
    pub fn no_cookie(mut self) -> Self {
        self.cookie = false;
        self
    }

    /// Sends `Expect: 100-continue`, and the body only when asked to go on.
    pub fn expect_continue(mut self) -> Self {
        self.expect_continue = true;
        self.header("Expect", "100-continue")
    }

    /// Without [`Response::check`].
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    /// Sends it and reads the answer.
    ///
    /// # Panics
    ///
    /// When there is none, or it fails [`Response::check`].
    #[track_caller]
    pub fn send(self) -> Response {
        let (method, path, checked) = (self.method.clone(), self.path.clone(), self.checked);
        let response = match self.unchecked().try_send() {
            Ok(response) => response,
            Err(why) => panic!("no answer to {method} {path}: {why}"),
        };
        if checked {
            response.check();
        }
        response
    }

    /// As [`RequestBuilder::send`], for a server that may die.
    ///
    /// # Errors
    ///
    /// When there is no answer, or no whole one.
    ///
    /// # Panics
    ///
    /// When the answer fails [`Response::check`].
    #[track_caller]
    pub fn try_send(self) -> io::Result<Response> {
        let checked = self.checked;
        let (head, body) = self.bytes();
        let mut sent = head.clone();
        sent.extend(&body);
        let request = Exchange {
            method: self.method,
            path: self.path,
            sent: String::from_utf8_lossy(&sent).into_owned(),
        };
        let response = match self.expect_continue {
            true => self.client.exchange(request, &head, Some(&body)),
            false => self.client.exchange(request, &sent, None),
        }?;
        if checked {
            response.check();
        }
        Ok(response)
    }

    /// Head and body as they go out.
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let host = match self.client.host.contains(':') {
            true => format!("[{}]:{}", self.client.host, self.client.port),
            false => format!("{}:{}", self.client.host, self.client.port),
        };
        let mut headers = vec![("Host", host), ("Accept", "*/*".to_owned())];
        if self.cookie {
            let cookies = self.client.jar.header(self.client.secure, &self.path);
            headers.extend(cookies.map(|cookies| ("Cookie", cookies)));
        }
        if self.credentials {
            let given = self.client.credentials.iter();
            headers.extend(given.map(|(name, value)| (name.as_str(), value.clone())));
        }
        let mut body = Vec::new();
        match &self.body {
            Body::None if matches!(self.method.as_str(), "POST" | "PUT") => {
                headers.push(("Content-Length", "0".to_owned()));
            }
            Body::None | Body::Unannounced => {}
            Body::Whole(bytes) => {
                headers.push(("Content-Length", bytes.len().to_string()));
                body.clone_from(bytes);
            }
            Body::Chunked(chunks) => {
                headers.push(("Transfer-Encoding", "chunked".to_owned()));
                for chunk in chunks {
                    body.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                    body.extend(chunk);
                    body.extend(b"\r\n");
                }
                body.extend(b"0\r\n\r\n");
            }
        }
        let replaced =
            |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in headers.iter().filter(|(name, _)| !replaced(name)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        (head.into_bytes(), body)
    }
}

#[cfg(test)]
mod tests;
