//! One connection, byte by byte: what a test sends is what goes out, and what comes back is read
//! with no mercy for a malformed answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, StreamOwned};

use crate::wait::PATIENCE;

/// The largest head of an answer that is taken for one.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// A connection to a server, with what was read and not yet used.
pub struct Connection {
    stream: Stream,
    unread: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An answer as it came, the body decoded from its framing.
#[derive(Debug, Default)]
pub(crate) struct RawResponse {
    pub(crate) interim: Vec<u16>,
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the server may keep the connection open after it.
    pub(crate) keep_alive: bool,
}

impl Connection {
    /// Connects without TLS.
    pub(crate) fn plain(host: &str, port: u16) -> io::Result<Connection> {
        Ok(Connection { stream: Stream::Plain(connect(host, port)?), unread: Vec::new() })
    }

    /// Connects, and completes the TLS handshake.
    pub(crate) fn tls(host: &str, port: u16, config: Arc<ClientConfig>) -> io::Result<Connection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut socket = connect(host, port)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        let stream = Stream::Tls(Box::new(StreamOwned::new(session, socket)));
        Ok(Connection { stream, unread: Vec::new() })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// When the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// How long a read waits for bytes; [`PATIENCE`] when nothing is said.
    pub fn set_read_timeout(&mut self, timeout: Duration) {
        self.socket().set_read_timeout(Some(timeout)).expect("the timeout is not zero");
    }

    /// Reads until the server closes the connection, and returns what came.
    ///
    /// # Errors
    ///
    /// When it does not close it in time, or resets it.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// Reads what there is, or waits for more; nothing means that the server has closed.
    ///
    /// # Errors
    ///
    /// When nothing comes in time.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        if self.unread.is_empty() {
            self.fill()?;
        }
        Ok(std::mem::take(&mut self.unread))
    }

    /// Whether the server has closed the connection, as far as that can be known without waiting.
    pub fn is_closed(&mut self) -> bool {
        if self.socket().set_nonblocking(true).is_err() {
            return true;
        }
        let closed = match self.fill() {
            Ok(count) => count == 0,
            Err(why) => why.kind() != ErrorKind::WouldBlock,
        };
        closed || self.socket().set_nonblocking(false).is_err()
    }

    /// Lets go of a connection that the server has closed.
    pub(crate) fn if_open(mut self) -> Option<Connection> {
        (!self.is_closed()).then_some(self)
    }

    /// The TLS version in use, if any.
    pub fn tls_version(&self) -> Option<ProtocolVersion> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => stream.conn.protocol_version(),
        }
    }

    /// The certificate that the server showed, if any.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => {
                stream.conn.peer_certificates()?.first().map(|it| it.clone().into_owned())
            }
        }
    }

    /// Reads one answer; interim ones before it are noted. With `interim_ends`, an interim answer
    /// ends the reading and is returned as it is.
    pub(crate) fn read_response(
        &mut self,
        to_head: bool,
        interim_ends: bool,
    ) -> io::Result<RawResponse> {
        let mut interim = Vec::new();
        loop {
            let mut response = self.read_head()?;
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response.status);
                if interim_ends {
                    return Ok(response);
                }
                continue;
            }
            let bodiless = to_head || matches!(response.status, 101 | 204 | 304);
            if !bodiless {
                self.read_body(&mut response)?;
            }
            response.interim = interim;
            return Ok(response);
        }
    }

    fn read_head(&mut self) -> io::Result<RawResponse> {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if self.unread.len() > HEAD_BYTES_MAX {
                return Err(malformed("the head of the answer does not end"));
            }
            if self.fill()? == 0 {
                let why = match self.unread.is_empty() {
                    true => "the server closed the connection instead of answering".to_owned(),
                    false => format!(
                        "the server closed the connection within the head of its answer: {:?}",
                        String::from_utf8_lossy(&self.unread)
                    ),
                };
                return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
            }
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).map_err(|_| malformed("the head is not UTF-8"))?;
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (version, rest) = status_line
            .split_once(' ')
            .filter(|(version, _)| matches!(*version, "HTTP/1.1" | "HTTP/1.0"))
            .ok_or_else(|| malformed(format!("this is no status line: {status_line:?}")))?;
        let digits = rest.split(' ').next().unwrap_or_default();
        let status = match digits.len() {
            3 => digits.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| malformed(format!("this is no status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) = line
                .split_once(':')
                .filter(|(name, _)| !name.is_empty() && !name.contains([' ', '\t']))
                .ok_or_else(|| malformed(format!("this is no header: {line:?}")))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut response =
            RawResponse { version: version.to_owned(), status, headers, ..RawResponse::default() };
        let connection = response.header("connection").unwrap_or_default().to_ascii_lowercase();
        response.keep_alive = match version {
            "HTTP/1.0" => connection == "keep-alive",
            _ => connection != "close",
        };
        Ok(response)
    }

    fn read_body(&mut self, response: &mut RawResponse) -> io::Result<()> {
        let length = response.header("content-length").map(str::to_owned);
        match (response.header("transfer-encoding"), length) {
            (Some(_), Some(_)) => {
                return Err(malformed("the answer has both Content-Length and Transfer-Encoding"));
            }
            (Some("chunked"), None) => loop {
                let line = self.read_line()?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(digits, 16)
                    .map_err(|_| malformed(format!("this is no chunk size: {line:?}")))?;
                if size == 0 {
                    // Trailers, of which nothing is expected.
                    while !self.read_line()?.is_empty() {}
                    break;
                }
                let chunk = self.read_exactly(size)?;
                response.body.extend(chunk);
                if !self.read_line()?.is_empty() {
                    return Err(malformed("a chunk is longer than its size"));
                }
            },
            (Some(other), None) => {
                return Err(malformed(format!("this transfer encoding is unknown: {other:?}")));
            }
            (None, Some(length)) => {
                let length = length
                    .parse()
                    .map_err(|_| malformed(format!("this is no Content-Length: {length:?}")))?;
                response.body = self.read_exactly(length)?;
            }
            (None, None) => {
                response.body = self.read_to_end()?;
                response.keep_alive = false;
            }
        }
        Ok(())
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unread.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..at + 2).collect();
                return String::from_utf8(line[..at].to_vec())
                    .map_err(|_| malformed("a line of the answer is not UTF-8"));
            }
            if self.fill()? == 0 {
                return Err(malformed("the server closed the connection within its answer"));
            }
        }
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            if self.fill()? == 0 {
                return Err(malformed(format!(
                    "the server closed the connection after {} of {length} bytes of the body",
                    self.unread.len()
                )));
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    /// Reads what there is, at least a byte; 0 is the end.
    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        let outcome = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut bytes),
            Stream::Tls(stream) => stream.read(&mut bytes),
        };
        match outcome {
            Ok(count) => {
                self.unread.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            // TCP was closed without TLS being closed first: for these tests that is an end too.
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => Ok(0),
            // A socket with a timeout says so when the test was stopped and goes on.
            Err(why) if why.kind() == ErrorKind::Interrupted => self.fill(),
            Err(why) => Err(why),
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

impl Drop for Connection {
    /// Says goodbye as TLS wants it, so that a server's log shows only what a test is about.
    fn drop(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            // The server may be gone already, and then nobody misses it.
            let _ = stream.conn.write_tls(&mut stream.sock);
        }
    }
}

impl RawResponse {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn malformed(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.into())
}

/// Takes any certificate, because a test cannot know one that is made at the server's start. That
/// the server has the certificate's key is verified all the same.
#[derive(Debug)]
pub(crate) struct AnyCertificate(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
