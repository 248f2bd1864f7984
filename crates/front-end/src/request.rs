//! Reading the body of a request, the same way for every dialect: JSON, or a form.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::header;
use serde_json::Value;
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
