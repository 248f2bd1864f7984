//! Reading the JSON body of a request, the same way for every dialect.

use hyper::HeaderMap;
use hyper::header;
use serde_json::Value;

use crate::failure::Failure;
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
    Ok(Some(crate::json::decode(&bytes, limits.json_depth)?))
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
