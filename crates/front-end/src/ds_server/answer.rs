//! Answers of DS Server: bare JSON values, or nothing.

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::Value;

use crate::answer::Answer;

/// A JSON value.
pub(super) fn json(status: StatusCode, value: &Value) -> Answer {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    Answer::bytes(status, kind, value.to_string())
}

/// Success without a body.
pub(super) fn done() -> Answer {
    Answer::empty(StatusCode::OK)
}
