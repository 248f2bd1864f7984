//! What the product stands on, without the product: servers that give one answer to everything.
//!
//! Two of them. `hyper` is hyper's HTTP/1 with the settings that the product uses, and nothing
//! else. `transport` is the product's own listener, limits and watchdog over a handler that only
//! copies the answer: what lies between the two is the price of the guards, and what lies between
//! it and the product is the price of login, routing, tree, log and metrics.

use std::convert::Infallible;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use front_end::Metrics;
use front_end::transport::{
    AnswerBody, CertificateSlot, Handler, Limits, ListenUrl, Request, Server, Site, self_signed,
};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::ServerSessionMemoryCache;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Outcome;

/// The answer to everything.
#[derive(Clone, Debug)]
struct Canned {
    headers: HeaderMap,
    body: Bytes,
}

impl Canned {
    // A file with an answer as it came over the wire. What hyper adds by itself is left to it.
    fn read(file: &Path) -> Outcome<Self> {
        let text = std::fs::read_to_string(file)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("the file holds no answer")?;
        let mut headers = HeaderMap::new();
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':').ok_or("a header line without a colon")?;
            let name = HeaderName::from_bytes(name.as_bytes())?;
            if name != CONTENT_LENGTH && name != DATE {
                headers.append(name, HeaderValue::from_str(value.trim())?);
            }
        }
        Ok(Self { headers, body: Bytes::from(body.to_owned()) })
    }

    fn response<B>(&self, body: impl FnOnce(Bytes) -> B) -> Response<B> {
        let mut response = Response::new(body(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

impl Handler for Canned {
    async fn handle(&self, _: &mut Request) -> Response<AnswerBody> {
        self.response(AnswerBody::from)
    }

    fn panicked(&self) -> Response<AnswerBody> {
        self.response(AnswerBody::from)
    }
}

/// Serves the answer in `file`, on a clear and on a TLS port, until the process is ended. `guarded`
/// takes the product's transport, otherwise hyper stands alone.
///
/// # Errors
/// The file cannot be read, or there is no port.
pub fn serve(file: &Path, guarded: bool) -> Outcome<()> {
    let canned = Arc::new(Canned::read(file)?);
    // As in `boxwood::daemon`.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if guarded { serve_guarded(canned).await } else { serve_bare(canned).await }
    })
}

async fn serve_guarded(canned: Arc<Canned>) -> Outcome<()> {
    let pair = self_signed(&[], now_seconds())?;
    let slot = CertificateSlot::new(&pair.certificate_pem, &pair.private_key_pem)?;
    let (slot, metrics) = (Arc::new(slot), Metrics::new());
    let mut sites = Vec::new();
    let mut lines = Vec::new();
    for url in ["http://127.0.0.1:0", "https://127.0.0.1:0"] {
        let bound = url.parse::<ListenUrl>()?.bind().await?;
        lines.push(bound.to_string());
        let (handler, tls) = (Arc::clone(&canned), Arc::clone(&slot));
        sites.push(Site { bound, handler, tls, metrics: metrics.clone() });
    }
    let _server = Server::start(sites, Limits::default());
    announce(&lines)?;
    std::future::pending().await
}

async fn serve_bare(canned: Arc<Canned>) -> Outcome<()> {
    let clear = TcpListener::bind(("127.0.0.1", 0)).await?;
    let secure = TcpListener::bind(("127.0.0.1", 0)).await?;
    let acceptor = TlsAcceptor::from(Arc::new(tls()?));
    announce(&[
        format!("http://{}", clear.local_addr()?),
        format!("https://{}", secure.local_addr()?),
    ])?;
    let canned_tls = Arc::clone(&canned);
    let over_tls = async move {
        while let Ok((stream, _)) = secure.accept().await {
            let (acceptor, canned) = (acceptor.clone(), Arc::clone(&canned_tls));
            tokio::spawn(async move {
                _ = stream.set_nodelay(true);
                if let Ok(stream) = acceptor.accept(stream).await {
                    connection(TokioIo::new(stream), canned).await;
                }
            });
        }
    };
    tokio::spawn(over_tls);
    loop {
        let (stream, _): (TcpStream, _) = clear.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(TokioIo::new(stream), Arc::clone(&canned)));
    }
}

async fn connection<IO>(io: IO, canned: Arc<Canned>)
where
    IO: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |_: hyper::Request<Incoming>| {
        let response = canned.response(Full::new);
        async move { Ok::<_, Infallible>(response) }
    });
    // The settings of `front_end::transport`, which has a watchdog for what hyper's timer does here.
    let limits = Limits::default();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers);
    // A client that goes away is not a fault.
    _ = builder.serve_connection(io, service).await;
}

fn tls() -> Outcome<ServerConfig> {
    let pair = self_signed(&[], now_seconds())?;
    let certificate = CertificateDer::from_pem_slice(pair.certificate_pem.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(pair.private_key_pem.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.session_storage = ServerSessionMemoryCache::new(512);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

// In the same form as the product's ready lines, so that one reader does for both.
fn announce(urls: &[String]) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    for url in urls {
        writeln!(out, "boxwood ready {url}")?;
    }
    Ok(out.flush()?)
}

fn now_seconds() -> i64 {
    use transaction_engine::clock::{Clock, SystemClock};
    SystemClock.now().as_micros() / Duration::from_secs(1).as_micros() as i64
}
