//! Tokens: JWTs with an RS256 signature, good for a quarter of an hour by the appliance's clock.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use transaction_engine::Timestamp;
use uuid::Uuid;

use super::refusal::Refusal;
use super::signing_key::SigningKey;
use crate::failure::Failure;

/// How long a token is good, in seconds.
pub(super) const LIFETIME: i64 = 900;

/// The longest token that is looked at, in bytes.
pub(super) const MOST_BYTES: usize = 8_192;

/// The claim that says in which world a token is good.
const INCARNATION: &str = "boxwood_world";

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// Who.
    pub(super) client: String,
    /// For which tenant.
    pub(super) tenant: String,
    /// In which world; `None` for the one that a restart continues.
    pub(super) incarnation: Option<Uuid>,
}

/// Makes a token.
pub(super) fn issue(key: &SigningKey, claims: &Claims, now: Timestamp) -> Option<String> {
    let now = now.as_micros() / 1_000_000;
    let Claims { client, tenant, incarnation } = claims;
    let head = json!({ "alg": "RS256", "kid": key.id(), "typ": "JWT" });
    let mut body = json!({
        "aud": client,
        "exp": now + LIFETIME,
        "iat": now,
        "iss": "boxwood",
        "jti": Uuid::new_v4().to_string(),
        "scope": format!("tsg_id:{tenant}"),
        "sub": client,
        "tsg_id": tenant,
    });
    if let Some(incarnation) = incarnation {
        body[INCARNATION] = json!(incarnation.to_string());
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&head), part(&body));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(&signed)?);
    Some(format!("{signed}.{signature}"))
}

/// What a token says, if it is one of ours and has not expired.
pub(super) fn read(key: &SigningKey, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
    let body = signed_body(key, token).ok_or(Failure::CredentialsWrong)?;
    let expires = body["exp"].as_i64().unwrap_or(0);
    if now.as_micros() / 1_000_000 >= expires {
        return Err(Refusal::KeyExpired);
    }
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let (client, tenant) = text("aud").zip(text("tsg_id")).ok_or(Failure::CredentialsWrong)?;
    let incarnation = body[INCARNATION].as_str().and_then(|text| Uuid::parse_str(text).ok());
    Ok(Claims { client, tenant, incarnation })
}

fn signed_body(key: &SigningKey, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, body) = signed.split_once('.')?;
    let decoded = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    };
    let head = decoded(head)?;
    if head["alg"] != "RS256" || head["kid"] != key.id() {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !key.has_signed(signed, &signature) {
        return None;
    }
    decoded(body)
}

/// The tenant that a scope names, `tsg_id:1` among others.
pub(super) fn tenant_of(scope: &str) -> Option<&str> {
    let tenant = scope.split_whitespace().find_map(|part| part.strip_prefix("tsg_id:"))?;
    let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    ((1..=64).contains(&tenant.len()) && tenant.chars().all(is_id)).then_some(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prisma::signing_key::KeyStore;

    #[test]
    fn a_token_is_read_until_it_expires_and_only_as_it_was_signed() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let of = || std::sync::Arc::new(KeyStore::new(None));
        let key = runtime.block_on(of().get()).unwrap();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let incarnation = Some(Uuid::new_v4());
        let claims = Claims { client: "me".into(), tenant: "1".into(), incarnation };
        let token = issue(&key, &claims, at(1_000)).unwrap();
        assert_eq!(read(&key, &token, at(1_000 + LIFETIME - 1)).unwrap(), claims);
        let late = read(&key, &token, at(1_000 + LIFETIME));
        assert!(matches!(late, Err(Refusal::KeyExpired)));
        let other = runtime.block_on(of().get()).unwrap();
        assert!(read(&other, &token, at(1_000)).is_err());
        let unsigned = token.rsplit_once('.').unwrap().0;
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let body = token.split('.').nth(1).unwrap();
        for forged in [unsigned, "", "a.b.c", &format!("{none}.{body}."), &token[1..]] {
            let read = read(&key, forged, at(1_000));
            assert!(matches!(read, Err(Refusal::Neutral(Failure::CredentialsWrong))));
        }
    }

    #[test]
    fn a_scope_names_a_tenant() {
        assert_eq!(tenant_of("profile tsg_id:1 email"), Some("1"));
        for bad in ["", "tsg_id:", "tsg_id:a:b", "tsg_id:a/b", "profile"] {
            assert_eq!(tenant_of(bad), None, "{bad}");
        }
    }
}
