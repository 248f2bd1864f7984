//! A tiny server for the self-tests: it answers each request with the next text it was given.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server saw: one text per request. The URL is where it listens.
pub(crate) struct Scripted {
    pub(crate) url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Scripted {
    /// Serves one plain connection per inner list, an answer per request.
    pub(crate) fn plain(connections: &[&[&str]]) -> Scripted {
        Scripted::start("http", connections, |socket| Box::new(socket))
    }

    /// The same over TLS, with a certificate for 127.0.0.1, which is returned as PEM.
    pub(crate) fn tls(connections: &[&[&str]]) -> (Scripted, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
            .expect("a certificate can be made");
        let key =
            PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("the key is DER");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("key and certificate fit");
        let config = Arc::new(config);
        let server = Scripted::start("https", connections, move |socket| {
            let session = ServerConnection::new(Arc::clone(&config)).expect("the config is good");
            Box::new(StreamOwned::new(session, socket))
        });
        (server, made.cert.pem())
    }

    fn start(
        scheme: &str,
        connections: &[&[&str]],
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let script: Vec<Vec<String>> = connections
            .iter()
            .map(|answers| answers.iter().map(|it| it.replace('\n', "\r\n")).collect())
            .collect();
        let thread = thread::spawn(move || {
            let mut seen = Vec::new();
            for answers in script {
                let (socket, _) = listener.accept().expect("the client connects");
                let mut stream = wrap(socket);
                for answer in answers {
                    // A client that goes away is at times what a test is about.
                    let Ok(request) = read_request(&mut *stream) else { break };
                    seen.push(request);
                    if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
                        break;
                    }
                }
            }
            seen
        });
        Scripted { url: format!("{scheme}://{address}"), thread }
    }

    /// Waits for the script to end, and returns the requests.
    pub(crate) fn requests(self) -> Vec<String> {
        self.thread.join().expect("the script was played to its end")
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Reads a head, and a body of the announced length unless it waits for leave to come.
fn read_request(stream: &mut dyn Stream) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    let mut wanted = None;
    while wanted.is_none_or(|wanted| bytes.len() < wanted) {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
        // A body held back begins without a head: in these tests it is an object.
        if wanted.is_none() && (bytes.ends_with(b"\r\n\r\n") || bytes == b"{}") {
            let head = String::from_utf8_lossy(&bytes).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .filter(|_| !head.contains("expect: 100-continue"))
                .map_or(0, |length| length.parse().expect("the length is a number"));
            wanted = Some(bytes.len() + length);
        }
    }
    Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
}
