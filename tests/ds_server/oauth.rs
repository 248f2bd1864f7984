//! The OAuth server: what a profile says is what the next token request meets.

use serde_json::json;
use support::{Client, Response};

use crate::{PROFILES, REDIRECT, REDIRECT_ENCODED, create, sample, sample_token, started, token};

#[track_caller]
fn authorize(client: &mut Client, redirect: &str, more: &str) -> Response {
    let path = format!(
        "/oauth/authorize?client_id=GHGGHGD6766&response_type=code&redirect_uri={redirect}{more}"
    );
    client.request("GET", &path).no_credentials().send()
}

/// The code in a redirect.
#[track_caller]
fn code(answer: &Response) -> String {
    let location = answer.header("location").unwrap_or_default();
    let parameters = location.strip_prefix(REDIRECT).and_then(|rest| rest.strip_prefix('?'));
    let parameters = parameters.unwrap_or_else(|| panic!("another place: {location}\n{answer}"));
    let code = parameters.split('&').find_map(|pair| pair.strip_prefix("code="));
    code.unwrap_or_else(|| panic!("no code: {location}\n{answer}")).to_owned()
}

// proves: C-13, C-15
#[test]
fn the_switch_decides_on_client_credentials() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let switch = format!("{path}/allowclientcredentialsgranttype");
    sample_token(&mut admin).expect(401);
    admin.patch(&switch, &json!(true)).expect(200);
    let answer = sample_token(&mut admin).expect(200);
    let access = answer.at("/access_token");
    let access = access.as_str().unwrap();
    assert!(access.len() == 32 && access.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(answer.at("/token_type"), "Bearer");
    assert_eq!(answer.at("/expires_in"), "3600");
    assert_ne!(sample_token(&mut admin).expect(200).at("/access_token"), access);
    // The credentials may come by Basic.
    let form = "application/x-www-form-urlencoded";
    let request = admin.request("POST", "/oauth/token").basic("GHGGHGD6766", "GHZUZW441543HJUKUU");
    request.text("grant_type=client_credentials", form).send().expect(200);
    admin.patch(&switch, &json!(false)).expect(200);
    sample_token(&mut admin).expect(401);
}

#[test]
fn wrong_expired_and_deleted_clients_get_no_token() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    admin.patch(&format!("{path}/allowclientcredentialsgranttype"), &json!(true)).expect(200);
    for bad in [
        "grant_type=client_credentials&client_id=GHGGHGD6766&client_secret=wrong",
        "grant_type=client_credentials&client_id=nothing&client_secret=GHZUZW441543HJUKUU",
        "grant_type=client_credentials",
    ] {
        token(&mut admin, bad).expect(401);
    }
    let date = format!("{path}/expirydate");
    admin.patch(&date, &json!("2020-01-01T00:00:00Z")).expect(200);
    sample_token(&mut admin).expect(401);
    admin.patch(&date, &json!(null)).expect(200);
    sample_token(&mut admin).expect(200);
    admin.delete(&path).expect(200);
    sample_token(&mut admin).expect(401);
}

// proves: C-14
#[test]
fn without_uris_nothing_is_authorized() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    authorize(&mut admin, REDIRECT_ENCODED, "&state=s").expect(302);
    let uris = format!("{path}/clientcredentials/authorizedredirecturis");
    admin.patch(&uris, &json!([])).expect(200);
    let shown = admin.get(&path).expect(200);
    assert_eq!(shown.at("/hasRedirectUriAuthorized"), json!(false));
    assert_eq!(shown.at("/clientCredentials/authorizedRedirectUris"), json!([]));
    authorize(&mut admin, REDIRECT_ENCODED, "&state=s").expect(400);
    admin.patch(&uris, &json!([REDIRECT])).expect(200);
    authorize(&mut admin, REDIRECT_ENCODED, "&state=s").expect(302);
}

// proves: C-16
#[test]
fn a_redirect_must_be_registered_to_the_letter() {
    let (_server, mut admin) = started();
    create(&mut admin, &sample());
    for bad in [
        &format!("{REDIRECT_ENCODED}%2F"),
        &REDIRECT_ENCODED.replace("https", "http"),
        &REDIRECT_ENCODED.replace("trial", "TRIAL"),
        &format!("{REDIRECT_ENCODED}%3Fa%3Db"),
        "",
    ] {
        let answer = authorize(&mut admin, bad, "&state=s").expect(400);
        assert_eq!(answer.header("location"), None);
    }
    let answer = authorize(&mut admin, REDIRECT_ENCODED, "&state=s1-_.~").expect(302);
    assert!(!code(&answer).is_empty());
    let location = answer.header("location").unwrap();
    assert!(location.ends_with("&state=s1-_.~") || location.contains("state=s1-_.~&"));
}

// Input: a state with a space, as `+` and as `%20`; and one that would end the header.
// Output: the same state for both; the last one encoded.
#[test]
fn the_state_is_decoded_and_encoded() {
    let (_server, mut admin) = started();
    create(&mut admin, &sample());
    let state = |admin: &mut Client, spelled: &str| {
        let answer = authorize(admin, REDIRECT_ENCODED, &format!("&state={spelled}")).expect(302);
        let location = answer.header("location").unwrap().to_owned();
        location.split(['?', '&']).find_map(|pair| pair.strip_prefix("state=")).unwrap().to_owned()
    };
    let spaced = state(&mut admin, "a+b");
    assert_eq!(spaced, state(&mut admin, "a%20b"));
    assert!(["a+b", "a%20b"].contains(&spaced.as_str()), "{spaced}");
    assert_eq!(state(&mut admin, "a%2Bb").to_uppercase(), "A%2BB");
    assert_eq!(state(&mut admin, "a%0D%0Ab%26c").to_uppercase(), "A%0D%0AB%26C");
}

#[test]
fn a_code_is_worth_one_token() {
    let (_server, mut admin) = started();
    create(&mut admin, &sample());
    let once = code(&authorize(&mut admin, REDIRECT_ENCODED, "&state=s").expect(302));
    let form = |code: &str, redirect: &str, secret: &str| {
        format!(
            "grant_type=authorization_code&code={code}&redirect_uri={redirect}\
             &client_id=GHGGHGD6766&client_secret={secret}"
        )
    };
    let secret = "GHZUZW441543HJUKUU";
    let answer = token(&mut admin, &form(&once, REDIRECT_ENCODED, secret)).expect(200);
    assert_eq!(answer.at("/token_type"), "Bearer");
    assert_eq!(answer.at("/expires_in"), "3600");
    for bad in [form(&once, REDIRECT_ENCODED, secret), form("nothing", REDIRECT_ENCODED, secret)] {
        let status = token(&mut admin, &bad).status;
        assert!([400, 401].contains(&status), "{status}");
    }
    let next = code(&authorize(&mut admin, REDIRECT_ENCODED, "").expect(302));
    token(&mut admin, &form(&next, REDIRECT_ENCODED, "wrong")).expect(401);
}

// Input: what no OAuth client sends.
// Output: a refusal, and the next request is served.
#[test]
fn malformed_oauth_requests_are_refused() {
    let (_server, mut admin) = started();
    create(&mut admin, &sample());
    for path in [
        "/oauth/authorize",
        "/oauth/authorize?",
        "/oauth/authorize?client_id=&response_type=&redirect_uri=",
        "/oauth/authorize?client_id=nothing&response_type=code&redirect_uri=x",
        "/oauth/authorize?client_id=GHGGHGD6766&response_type=code&redirect_uri=%ff",
        "/oauth/authorize?client_id=GHGGHGD6766&client_id=other&response_type=code",
    ] {
        let status = admin.request("GET", path).no_credentials().send().status;
        assert!([400, 401].contains(&status), "{path}: {status}");
    }
    let unknown = format!("&state=s&response_type=code&redirect_uri={REDIRECT_ENCODED}");
    let path = format!("/oauth/authorize?client_id=GHGGHGD6766&response_type=odd{unknown}");
    let status = admin.request("GET", &path).no_credentials().send().status;
    assert!([400, 401].contains(&status), "{status}");
    for form in ["", "=", "&&", "grant_type=odd", "grant_type=password&client_id=GHGGHGD6766", "%"]
    {
        let status = token(&mut admin, form).status;
        assert!([400, 401].contains(&status), "{form}: {status}");
    }
    admin.get(PROFILES).expect(200);
}

// Input: a profile that expires and gets a later date; one that is deleted and made again.
// Output: codes and refresh tokens from before are worth nothing.
#[test]
fn codes_and_tokens_die_with_their_profile() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let client = "client_id=GHGGHGD6766&client_secret=GHZUZW441543HJUKUU";
    let exchange = |admin: &mut Client, code: &str| {
        let form = format!("grant_type=authorization_code&code={code}&redirect_uri=");
        token(admin, &format!("{form}{REDIRECT_ENCODED}&{client}"))
    };
    let refresh = |admin: &mut Client, given: &str| {
        token(admin, &format!("grant_type=refresh_token&refresh_token={given}&{client}"))
    };
    let refreshable = |admin: &mut Client| {
        let once = code(&authorize(admin, REDIRECT_ENCODED, "").expect(302));
        let given = exchange(admin, &once).expect(200).at("/refresh_token");
        given.as_str().unwrap().to_owned()
    };
    let given = refreshable(&mut admin);
    let next = refresh(&mut admin, &given).expect(200).at("/refresh_token");
    refresh(&mut admin, &given).expect(401);
    let waiting = code(&authorize(&mut admin, REDIRECT_ENCODED, "").expect(302));
    let date = format!("{path}/expirydate");
    admin.patch(&date, &json!("2020-01-01T00:00:00Z")).expect(200);
    authorize(&mut admin, REDIRECT_ENCODED, "").expect(401);
    admin.patch(&date, &json!(null)).expect(200);
    refresh(&mut admin, next.as_str().unwrap()).expect(401);
    exchange(&mut admin, &waiting).expect(401);

    let given = refreshable(&mut admin);
    admin.delete(&path).expect(200);
    create(&mut admin, &sample());
    refresh(&mut admin, &given).expect(401);
    refreshable(&mut admin);
}

// Input: a code with another authorized URI, and with another client's credentials.
// Output: both are refused.
#[test]
fn a_code_is_bound_to_its_uri_and_its_client() {
    let (_server, mut admin) = started();
    let mut profile = sample();
    profile["clientCredentials"]["authorizedRedirectUris"] = json!([REDIRECT, "https://b/"]);
    create(&mut admin, &profile);
    profile["clientCredentials"]["id"] = json!("other");
    create(&mut admin, &profile);
    let form = |code: &str, uri: &str, client: &str| {
        format!(
            "grant_type=authorization_code&code={code}&redirect_uri={uri}\
             &client_id={client}&client_secret=GHZUZW441543HJUKUU"
        )
    };
    let first = code(&authorize(&mut admin, REDIRECT_ENCODED, "").expect(302));
    token(&mut admin, &form(&first, REDIRECT_ENCODED, "other")).expect(401);
    token(&mut admin, &form(&first, "https%3A%2F%2Fb%2F", "GHGGHGD6766")).expect(400);
    let next = code(&authorize(&mut admin, REDIRECT_ENCODED, "").expect(302));
    token(&mut admin, &form(&next, REDIRECT_ENCODED, "GHGGHGD6766")).expect(200);
}
