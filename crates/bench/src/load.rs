//! The load generator: HTTP/1.1 with keep-alive over TCP or TLS, one request at a time on each
//! connection, on one thread.
//!
//! It does as little as a correct client can, because it shares the machine with the server: a
//! request is bytes that were made before, an answer is read up to its `Content-Length`.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio_rustls::TlsConnector;

use crate::timing::{Samples, nanos, now};

/// Where to send requests.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The address of a listener.
    pub address: SocketAddr,
    /// Whether it uses TLS.
    pub tls: bool,
}

impl Target {
    /// Reads `http://127.0.0.1:1234` or `https://…`; `None` for anything else.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, address) = url.split_once("://")?;
        Some(Self { address: address.parse().ok()?, tls: scheme == "https" })
    }
}

/// Requests that connections send in turn.
pub type Plan = Arc<Vec<Vec<u8>>>;

/// A request as bytes.
#[must_use]
pub fn request(method: &str, path: &str, cookie: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    if let Some(cookie) = cookie {
        text.push_str(&format!("Cookie: session_id={cookie}\r\n"));
    }
    if let Some(body) = body {
        text.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
    } else {
        if method != "GET" {
            text.push_str("Content-Length: 0\r\n");
        }
        text.push_str("\r\n");
    }
    text.into_bytes()
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer, borrowed from its connection.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Status line and header fields, without the empty line.
    pub head: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects, with a TLS handshake where the target asks for one.
    ///
    /// # Errors
    /// Whatever the system or the peer says.
    pub async fn open(target: Target) -> Result<Self> {
        let tcp = TcpStream::connect(target.address).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = if target.tls {
            let name = ServerName::try_from("localhost").map_err(Error::other)?;
            Box::new(TlsConnector::from(Arc::new(trusting()?)).connect(name, tcp).await?)
        } else {
            Box::new(tcp)
        };
        Ok(Self { stream, buffer: vec![0; 64 * 1024], filled: 0 })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// The connection broke, or what came is not an answer with a length.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.filled = 0;
        let (head, length) = loop {
            self.more().await?;
            if let Some(end) = find(&self.buffer[..self.filled], b"\r\n\r\n") {
                break (end, content_length(&self.buffer[..end])?);
            }
        };
        let body = head + 4;
        while self.filled < body + length {
            self.more().await?;
        }
        let text = std::str::from_utf8(&self.buffer[..head]).map_err(Error::other)?;
        let status = text.get(9..12).and_then(|digits| digits.parse().ok());
        let status = status.ok_or_else(|| broken("the answer has no status"))?;
        Ok(Answer { status, head: text, body: &self.buffer[body..body + length] })
    }

    /// The same, and a status other than the expected one is an error that shows the answer.
    ///
    /// # Errors
    /// As [`Connection::exchange`].
    pub async fn expect(&mut self, status: u16, request: &[u8]) -> Result<Answer<'_>> {
        let answer = self.exchange(request).await?;
        if answer.status == status {
            return Ok(answer);
        }
        let body = String::from_utf8_lossy(answer.body);
        Err(broken(&format!("status {} instead of {status}: {body}", answer.status)))
    }

    async fn more(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..]).await? {
            0 => Err(broken("the server closed the connection")),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

/// Logs in and returns the token.
///
/// # Errors
/// The server refuses.
pub async fn login(connection: &mut Connection, user: &str, password: &str) -> Result<String> {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let request = format!(
        "GET /api/authentication HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n\r\n"
    );
    let answer = connection.expect(200, request.as_bytes()).await?;
    token(answer.head).ok_or_else(|| broken("the login set no cookie"))
}

fn token(head: &str) -> Option<String> {
    let (_, rest) = head.split_once("session_id=")?;
    let (token, _) = rest.split_once(';')?;
    Some(token.to_owned())
}

/// What a round of load gave.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// How long each request took.
    pub latencies: Samples,
    /// How long the round took.
    pub seconds: f64,
}

impl Load {
    /// Requests answered in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }
}

/// Sends the requests of `plan` in turn, over a number of connections for a time. Each of them must
/// be answered with 200.
///
/// # Errors
/// Anything but 200, or a broken connection.
pub fn run(target: Target, plan: &Plan, connections: usize, time: Duration) -> Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Connected, greeted and warm before the clock starts.
        let barrier = Arc::new(Barrier::new(connections + 1));
        let tasks: Vec<_> = (0..connections)
            .map(|index| {
                let (plan, barrier) = (Arc::clone(plan), Arc::clone(&barrier));
                tokio::spawn(client(target, plan, index, barrier, time))
            })
            .collect();
        barrier.wait().await;
        let started = now();
        let mut latencies = Samples::default();
        for task in tasks {
            latencies.extend(&task.await.map_err(Error::other)??);
        }
        Ok(Load { latencies, seconds: started.elapsed().as_secs_f64() })
    })
}

async fn client(
    target: Target,
    plan: Plan,
    index: usize,
    barrier: Arc<Barrier>,
    time: Duration,
) -> Result<Samples> {
    let begin = async {
        let mut connection = Connection::open(target).await?;
        connection.expect(200, &plan[0]).await?;
        Ok::<_, Error>(connection)
    };
    let connection = begin.await;
    barrier.wait().await;
    let mut connection = connection?;
    let mut samples = Samples::default();
    // Each connection begins elsewhere in the plan.
    let mut at = index * plan.len() / 32;
    let end = now() + time;
    let mut before = now();
    while before < end {
        connection.expect(200, &plan[at % plan.len()]).await?;
        let after = now();
        samples.push(nanos(after - before));
        before = after;
        at += 1;
    }
    Ok(samples)
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn content_length(head: &[u8]) -> Result<usize> {
    let none = || broken("the answer has no Content-Length");
    for line in head.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_at_checked(15) else { continue };
        if name.eq_ignore_ascii_case(b"content-length:") {
            let text = std::str::from_utf8(value).map_err(Error::other)?;
            return text.trim().parse().map_err(|_| none());
        }
    }
    Err(none())
}

// TLS 1.3, HTTP/1.1.
fn trusting() -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

// The server made its certificate itself, a moment ago, and speed is all that is asked of it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_state_their_length() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert!(!text(request("GET", "/", None, None)).contains("Content-Length"));
        assert!(text(request("POST", "/", Some("t"), None)).contains("Content-Length: 0"));
        assert!(text(request("PUT", "/", Some("t"), Some("{}"))).ends_with("2\r\n\r\n{}"));
    }

    #[test]
    fn answers_are_read_by_their_length() {
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\ncontent-length: 17").unwrap(), 17);
        assert!(content_length(b"HTTP/1.1 200 OK\r\nx: y").is_err());
        let head = "HTTP/1.1 200 OK\r\nset-cookie: session_id=abc; Path=/";
        assert_eq!(token(head).unwrap(), "abc");
    }
}
