//! A request with a complete head, who sent it, and what answers it.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::http::{self, HeaderValue, Method, Version, header, request::Parts};

use super::{AnswerBody, RequestBody};

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. It is lent, since it is large and would be moved from future to future;
    /// the reader of the body takes it out.
    ///
    /// The future is dropped when the client goes away and when draining takes too long, so a change
    /// that must be whole has to happen between two `await`s or on a thread of its own.
    fn handle(
        &self,
        request: &mut Request,
    ) -> impl Future<Output = http::Response<AnswerBody>> + Send;

    /// The answer to a request whose [`handle`](Self::handle) panicked.
    fn panicked(&self) -> http::Response<AnswerBody>;
}

/// A request: its head is complete, its body not read yet.
pub struct Request {
    /// Method, URI, version and header fields. Not checked yet: see [`check_head`].
    pub head: Parts,
    /// The body, still to be read.
    pub body: RequestBody,
    /// The client.
    pub peer: Peer,
    /// The client's certificate in DER. Always `None` as long as no listener asks for one.
    pub client_certificate: Option<Vec<u8>>,
}

/// Header fields and queries carry passwords and session identifiers: neither is shown.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { head, body: _, peer, client_certificate: _ } = self;
        f.debug_struct("Request")
            .field("method", &head.method)
            .field("path", &head.uri.path())
            .field("version", &head.version)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// HTTP/1.1 without a `Host` field.
    #[error("an HTTP/1.1 request must have a Host header")]
    HostMissing,
    /// More than one `Host` field.
    #[error("the request has more than one Host header")]
    HostRepeated,
    /// Both ways of stating the body's length.
    #[error(
        "the request has both a Content-Length and a Transfer-Encoding header: send one of them"
    )]
    LengthAmbiguous,
    /// `Expect` with anything but `100-continue`.
    #[error("the only expectation this server can meet is \"Expect: 100-continue\"")]
    ExpectationUnknown,
    /// POST or PUT without a stated length.
    #[error(
        "a POST or PUT request must state its length: send a Content-Length header, 0 if there is no body"
    )]
    LengthRequired,
    /// A change that a page of another site asks a browser for.
    #[error(
        "the request comes from a page of another site: changes are accepted from this one's own \
         pages, and from clients that are not browsers"
    )]
    ForeignOrigin,
    /// A body that is compressed, say.
    #[error("a body must be sent as it is, without Content-Encoding")]
    Encoded,
    /// A body of no declared type, out of a browser.
    #[error("a request of a browser that has a body must say its Content-Type")]
    TypeRequired,
}

/// Checks what hyper 1.12 lets through.
///
/// It accepts HTTP/1.1 with no `Host` and with several, and any `Expect`. Two `Content-Length` fields
/// that differ it refuses itself. `Content-Length` with `Transfer-Encoding: chunked` it accepts over
/// HTTP/1 by removing the `Content-Length`, whichever comes first, reading the body as chunked, and
/// closing the connection after the answer; RFC 9112 (6.3) allows that, nothing can be smuggled behind
/// such a request, and we never see the pair. h2 refuses `Transfer-Encoding` altogether. The check for
/// the pair stands here so that another version of hyper which hands both on does not open the gap.
pub fn check_head(head: &Parts) -> Result<(), HeadError> {
    let http1 = head.version <= Version::HTTP_11;
    let (mut hosts, mut stated, mut chunked, mut expects_more) = (0, false, false, false);
    let mut encoded = false;
    // One pass costs less than looking for each of them.
    for (name, value) in &head.headers {
        match name {
            name if name == header::HOST => hosts += 1,
            name if name == header::CONTENT_LENGTH => stated = true,
            name if name == header::TRANSFER_ENCODING => chunked = true,
            name if name == header::CONTENT_ENCODING => {
                encoded |= !value.as_bytes().eq_ignore_ascii_case(b"identity");
            }
            name if name == header::EXPECT => {
                expects_more |= !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
    }
    match hosts {
        // HTTP/2 names the host in `:authority`, HTTP/1.0 need not name it at all.
        0 if head.version == Version::HTTP_11 => return Err(HeadError::HostMissing),
        0 | 1 => {}
        _ => return Err(HeadError::HostRepeated),
    }
    if stated && chunked {
        return Err(HeadError::LengthAmbiguous);
    }
    if expects_more {
        return Err(HeadError::ExpectationUnknown);
    }
    let needs_length = head.method == Method::POST || head.method == Method::PUT;
    if http1 && needs_length && !stated && !chunked {
        return Err(HeadError::LengthRequired);
    }
    if encoded {
        return Err(HeadError::Encoded);
    }
    check_site(head)
}

/// Refuses changes that a foreign page has a browser send along with the cookie or the password that
/// the browser keeps for this site. Other clients send none of the fields that are looked at.
fn check_site(head: &Parts) -> Result<(), HeadError> {
    let (headers, method) = (&head.headers, &head.method);
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let (origin, site) = (headers.get(header::ORIGIN), headers.get("sec-fetch-site"));
    if origin.is_none() && site.is_none() {
        return Ok(());
    }
    let is_ours = match (site.map(HeaderValue::as_bytes), origin) {
        (Some(site), _) => site == b"same-origin" || site == b"none",
        (None, Some(origin)) => is_own_origin(head, origin),
        (None, None) => true,
    };
    if !is_ours {
        return Err(HeadError::ForeignOrigin);
    }
    let has_body = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length != "0");
    if *method == Method::POST && has_body && !headers.contains_key(header::CONTENT_TYPE) {
        return Err(HeadError::TypeRequired);
    }
    Ok(())
}

/// Whether an origin names the host and port that the request was sent to.
fn is_own_origin(head: &Parts, origin: &HeaderValue) -> bool {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    host.zip(origin).is_some_and(|(host, (_, origin))| origin.eq_ignore_ascii_case(host))
}

/// The other end of a connection: what is known before its first byte of HTTP. Its text, which is in
/// the log line of every request, is made once.
#[derive(Clone, Debug)]
pub struct Peer {
    address: SocketAddr,
    secure: bool,
    text: Arc<str>,
}

impl Peer {
    /// The client at an address, over TLS or not.
    #[must_use]
    pub fn new(address: SocketAddr, secure: bool) -> Self {
        Self { address, secure, text: address.to_string().into() }
    }

    /// A client that a proxy forwards the requests of.
    pub(crate) fn behind(client: SocketAddr, secure: bool, proxy: &Self) -> Self {
        let text = format!("{} via {}", client.ip(), proxy.text).into();
        Self { address: client, secure, text }
    }

    /// The client's address; an IPv4 client of an IPv6 listener is shown as IPv4.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address and port, as text.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text
    }

    /// Whether the connection is TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, version: Version, headers: &[(&str, &str)]) -> Result<(), HeadError> {
        let mut builder = http::Request::builder().method(method).version(version).uri("/");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        check_head(&builder.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn heads() {
        const ONE: Version = Version::HTTP_11;
        let host = ("host", "box");
        let length = ("content-length", "0");
        let chunked = ("transfer-encoding", "chunked");
        type Row<'a> = (&'a str, Version, &'a [(&'a str, &'a str)], Result<(), HeadError>);
        let table: &[Row<'_>] = &[
            ("GET", ONE, &[host], Ok(())),
            ("GET", ONE, &[], Err(HeadError::HostMissing)),
            ("GET", ONE, &[host, host], Err(HeadError::HostRepeated)),
            ("GET", Version::HTTP_10, &[], Ok(())),
            ("GET", Version::HTTP_10, &[host, host], Err(HeadError::HostRepeated)),
            ("GET", Version::HTTP_2, &[], Ok(())),
            ("POST", ONE, &[host, length], Ok(())),
            ("POST", ONE, &[host, chunked], Ok(())),
            ("POST", ONE, &[host, length, chunked], Err(HeadError::LengthAmbiguous)),
            ("POST", ONE, &[host], Err(HeadError::LengthRequired)),
            ("PUT", Version::HTTP_10, &[], Err(HeadError::LengthRequired)),
            ("POST", Version::HTTP_2, &[], Ok(())),
            ("DELETE", ONE, &[host], Ok(())),
            ("PUT", ONE, &[host, length, ("expect", "100-Continue")], Ok(())),
            ("PUT", ONE, &[host, length, ("expect", "tea")], Err(HeadError::ExpectationUnknown)),
            ("PUT", ONE, &[host, length, ("content-encoding", "gzip")], Err(HeadError::Encoded)),
            ("PUT", ONE, &[host, length, ("content-encoding", "Identity")], Ok(())),
            ("GET", ONE, &[host, ("origin", "https://evil")], Ok(())),
            ("DELETE", ONE, &[host, ("origin", "https://evil")], Err(HeadError::ForeignOrigin)),
            ("DELETE", ONE, &[host, ("origin", "null")], Err(HeadError::ForeignOrigin)),
            ("DELETE", ONE, &[host, ("origin", "https://box:1")], Err(HeadError::ForeignOrigin)),
            ("DELETE", ONE, &[host, ("origin", "https://BOX")], Ok(())),
            ("DELETE", ONE, &[host, ("sec-fetch-site", "same-origin")], Ok(())),
            (
                "DELETE",
                ONE,
                &[host, ("sec-fetch-site", "same-site")],
                Err(HeadError::ForeignOrigin),
            ),
            ("POST", ONE, &[host, length, ("sec-fetch-site", "same-origin")], Ok(())),
            (
                "POST",
                ONE,
                &[host, chunked, ("origin", "https://box")],
                Err(HeadError::TypeRequired),
            ),
        ];
        for (method, version, headers, expect) in table {
            assert_eq!(
                check(method, *version, headers),
                *expect,
                "{method} {version:?} {headers:?}"
            );
        }
    }

    #[test]
    fn debug_shows_neither_fields_nor_query_nor_body() {
        let head = http::Request::get("/api/x?password=hunter2").header("authorization", "hunter2");
        let request = Request {
            head: head.body(()).unwrap().into_parts().0,
            body: RequestBody::memory("hunter2"),
            peer: Peer::new(([127, 0, 0, 1], 1).into(), true),
            client_certificate: None,
        };
        let shown = format!("{request:?} {:?}", request.body);
        assert!(shown.contains("/api/x") && !shown.contains("hunter2"), "{shown}");
    }
}
