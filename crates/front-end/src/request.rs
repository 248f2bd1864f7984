//! Reading a request, the same way for every dialect: JSON or a form, and the key by which it is
//! recognised when it is sent again.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::header;
use hyper::http::request::Parts;
use serde_json::Value;
use transaction_engine::Idempotency;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::heavy;
use crate::query;
use crate::transport::{Limits, RequestBody};

/// A JSON body within the limits; `None` when there is none.
pub(crate) async fn json(
    limits: &Limits,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Option<Value>, Failure> {
    if body.is_empty() {
        return Ok(None);
    }
    let bytes = body.read(limits.body_bytes, limits.body_timeout).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    expect_json_type(headers)?;
    heavy::turn(bytes.len()).await?;
    Ok(Some(heavy::run(|| crate::json::decode(&bytes, limits.json_depth))?))
}

/// Refuses a body of another declared type than JSON. A browser sends a form's types across sites
/// without asking, with the cookie. Without a body the type says nothing (checklist 5, 24).
pub(crate) fn expect_json_type(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(declared) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let declared = declared.to_str().unwrap_or("an unreadable type");
    let essence = declared.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        Ok(())
    } else {
        Err(Failure::MediaType { expected: "application/json", declared: declared.to_owned() })
    }
}

/// The body of a request that needs one.
pub(crate) fn needed(body: Option<Value>) -> Result<Value, Failure> {
    body.ok_or_else(|| Failure::BodyMissing("The request needs a JSON body".to_owned()))
}

/// By what a request is recognised when it is sent again: its `Idempotency-Key`, and a hash of what
/// it asks.
pub(crate) fn idempotency(
    head: &Parts,
    path: &str,
    body: Option<&Value>,
) -> Result<Option<Idempotency>, Failure> {
    let mut keys = head.headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(Failure::malformed("The request has two Idempotency-Key headers", ""));
    }
    let mut asked = blake3::Hasher::new();
    asked.update(head.method.as_str().as_bytes()).update(path.as_bytes());
    // Straight into the hash: the body may hold a secret. Hashing cannot fail.
    let _ = serde_json::to_writer(&mut asked, &body);
    let asked = *asked.finalize().as_bytes();
    let key = key.to_str().ok().and_then(|key| Idempotency::new(key, asked));
    let message = "Idempotency-Key must be 1 to 255 printable ASCII characters";
    key.map(Some).ok_or_else(|| Failure::malformed(message, ""))
}

/// The fields of a form within the limits, in their order; a repeated name is there more than once.
/// None where there is no body.
pub(crate) async fn form(
    limits: &Limits,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<Vec<(String, Zeroizing<String>)>, Failure> {
    const FORM: &str = "application/x-www-form-urlencoded";
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let declared = headers.get(header::CONTENT_TYPE).map(|it| it.to_str().unwrap_or("unreadable"));
    let essence = declared.map(|declared| declared.split(';').next().unwrap_or("").trim());
    if essence.is_some_and(|essence| !essence.eq_ignore_ascii_case(FORM)) {
        let declared = declared.unwrap_or_default().to_owned();
        return Err(Failure::MediaType { expected: FORM, declared });
    }
    let bytes = body.read(limits.body_bytes, limits.body_timeout).await?;
    let text = std::str::from_utf8(&bytes).ok().and_then(query::pairs);
    let pairs = text.ok_or_else(|| {
        Failure::BodyInvalid("The form must be UTF-8, percent-encoded, as name=value".to_owned())
    })?;
    let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        (name.into_owned(), Zeroizing::new(value.into_owned()))
    };
    Ok(pairs.into_iter().map(owned).collect())
}
