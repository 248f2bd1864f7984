//! Making answers: a status, headers, a body. Which headers an appliance sends is its dialect's to
//! say; here stand those that say which request was answered, and at which revision.

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use crate::condition;
use crate::failure::Failure;
use crate::methods::Methods;
use crate::transport::AnswerBody;

/// The media type of every JSON answer.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The number of the running revision, on every answer.
const REVISION: HeaderName = HeaderName::from_static("boxwood-revision");
/// The number of the request, on every answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Keeps proxies from collecting events before they pass them on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An answer on its way.
pub(crate) struct Answer {
    response: Response<AnswerBody>,
    /// Whether the revision is among the headers already.
    says_revision: bool,
    /// How the answer itself calls the request, for the log.
    name_of_request: Option<Box<str>>,
}

impl Answer {
    /// A status and nothing else.
    pub(crate) fn empty(status: StatusCode) -> Self {
        let mut response = Response::new(AnswerBody::default());
        *response.status_mut() = status;
        Self { response, says_revision: false, name_of_request: None }
    }

    /// Bytes of a media type.
    pub(crate) fn bytes(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(AnswerBody::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        // As many as a node of the largest dialect has, so that the table does not grow on the way.
        headers.reserve(8);
        headers.insert(header::CONTENT_TYPE, kind);
        Self { response, says_revision: false, name_of_request: None }
    }

    /// JSON text in English, for one caller at one moment: what SPS and Boxwood's own API answer.
    /// `Content-Language` and `Content-Type` are on every answer of the appliance, errors included
    /// (SPS REST guide 5.7 to 8.x, "Response headers"); `; charset=utf-8` is what clients were
    /// seen to get (SPS client checklist 8).
    pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::bytes(status, JSON, body)
            .header(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"))
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// JSON text for one caller at one moment, with no headers but those that say so: what dialects
    /// other than SPS answer.
    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        Self::bytes(status, JSON, body)
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// JSON text as [`Answer::text`], of which the first part is shared with other answers.
    pub(crate) fn shared_text(status: StatusCode, shared: Bytes, own: Vec<u8>) -> Self {
        let mut answer = Self::text(status, Bytes::new());
        *answer.response.body_mut() = AnswerBody::parts(shared, own.into());
        answer
    }

    /// The same document again, with the headers that were kept of it.
    pub(crate) fn again(headers: &KeptHeaders, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(AnswerBody::from(body));
        *response.headers_mut() = headers.0.clone();
        Self { response, says_revision: true, name_of_request: None }
    }

    /// The headers, to be kept for the same document of a revision.
    pub(crate) fn kept_headers(&self, revision: u64) -> KeptHeaders {
        let mut headers = self.response.headers().clone();
        headers.insert(REVISION, number(revision));
        // For its place: a copy is as large as what is copied, and would grow for one more.
        headers.insert(REQUEST_ID, number(0));
        KeptHeaders(headers)
    }

    /// Server-sent events, as they come.
    pub(crate) fn events(body: AnswerBody) -> Self {
        let mut answer = Self::text(StatusCode::OK, Bytes::new());
        *answer.response.body_mut() = body;
        answer
            .header(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))
            .header(X_ACCEL_BUFFERING, HeaderValue::from_static("no"))
    }

    /// A JSON document with status 200.
    pub(crate) fn document(value: &Value) -> Self {
        Self::text(StatusCode::OK, value.to_string())
    }

    /// Says which methods the resource has.
    pub(crate) fn allow(self, allow: Methods) -> Self {
        self.header(header::ALLOW, allow.header())
    }

    /// Says which state the answer shows.
    pub(crate) fn tagged(self, tag: HeaderValue) -> Self {
        self.header(header::ETAG, tag)
    }

    /// 304 instead, without the document, for a caller who has that state already.
    pub(crate) fn unless_known(mut self, request: &HeaderMap) -> Self {
        if !request.contains_key(header::IF_NONE_MATCH) {
            return self;
        }
        let tag = self.response.headers().get(header::ETAG);
        if tag.is_some_and(|tag| condition::none_match_fails(request, tag)) {
            *self.response.status_mut() = StatusCode::NOT_MODIFIED;
            *self.response.body_mut() = AnswerBody::default();
        }
        self
    }

    /// The headers that HTTP itself asks for in a refusal, in whatever dialect: when to try again,
    /// and that the connection ends.
    pub(crate) fn refusing(self, failure: &Failure) -> Self {
        match failure {
            Failure::Blocked(blocked) => {
                self.header(header::RETRY_AFTER, HeaderValue::from(blocked.seconds_left))
            }
            // What follows on the connection cannot be distinguished from the rest of this request.
            Failure::Head(_) | Failure::Body(_) => {
                self.header(header::CONNECTION, HeaderValue::from_static("close"))
            }
            _ => self,
        }
    }

    /// Sets a header; another of the same name is replaced.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }

    /// Notes how the answer itself calls the request, for the log.
    pub(crate) fn named(mut self, name: String) -> Self {
        self.name_of_request = Some(name.into_boxed_str());
        self
    }

    /// How the answer itself calls the request.
    pub(crate) fn name_of_request(&self) -> Option<&str> {
        self.name_of_request.as_deref()
    }

    /// Adds which request this answers, and the running revision.
    pub(crate) fn stamp(&mut self, id: u64, running: impl FnOnce() -> u64) {
        let headers = self.response.headers_mut();
        headers.insert(REQUEST_ID, number(id));
        if !self.says_revision {
            headers.insert(REVISION, number(running()));
        }
    }

    /// Names a revision, where it need not be the running one.
    pub(crate) fn revision(mut self, revision: u64) -> Self {
        self.response.headers_mut().insert(REVISION, number(revision));
        self.says_revision = true;
        self
    }

    /// Sets a header to a text; one that no header can hold is left out.
    pub(crate) fn header_text(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.header(name, value),
            Err(_) => self,
        }
    }

    /// What hyper sends.
    pub(crate) fn into_response(self) -> Response<AnswerBody> {
        self.response
    }

    /// The status, for the log.
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }
}

/// The headers of an answer to be given again: all but the request's number.
#[derive(Debug)]
pub(crate) struct KeptHeaders(HeaderMap);

fn number(value: u64) -> HeaderValue {
    // `HeaderValue::from` keeps room to spare, which takes another allocation to share.
    let digits = Bytes::copy_from_slice(itoa::Buffer::new().format(value).as_bytes());
    HeaderValue::from_maybe_shared(digits).unwrap_or_else(|_| value.into())
}
