//! DS Server over real sockets: chapter by chapter what its documentation states, by number.
//!
//! Every answer also follows the rules of the dialect in `support::Dialect`: no envelope of SPS,
//! errors that are a JSON string or empty, never 500.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod credentials;
mod oauth;
mod profiles;

use serde_json::{Value, json};
use support::{Client, Response, Server};

const NAME: &str = "ds-server";
const PROFILES: &str = "/admin/securityprofiles";
const UNKNOWN: &str = "/admin/securityprofiles/999999";
const REDIRECT: &str = "https://trial.dsserver.io/oauth/redirect";
const REDIRECT_ENCODED: &str = "https%3A%2F%2Ftrial.dsserver.io%2Foauth%2Fredirect";

/// What changes one field, with a value that is accepted.
fn field_paths() -> [(&'static str, Value); 3] {
    [
        ("expirydate", json!("2030-01-01T00:00:00Z")),
        ("allowclientcredentialsgranttype", json!(true)),
        ("clientcredentials/authorizedredirecturis", json!([REDIRECT])),
    ]
}

/// A server of this appliance alone, and its administrator.
fn started() -> (Server, Client) {
    let server = Server::dev_of(&[NAME]);
    let admin = server.admin();
    (server, admin)
}

/// The vendor's sample of a profile, with the grant switch where it does not belong.
fn sample() -> Value {
    json!({
        "name": "My security profile",
        "clientCredentials": {
            "id": "GHGGHGD6766",
            "secret": "GHZUZW441543HJUKUU",
            "authorizedRedirectUris": [REDIRECT],
            "allowClientCredentialsGrantType": false,
        },
    })
}

/// Creates a profile and returns its path.
#[track_caller]
fn create(admin: &mut Client, profile: &Value) -> String {
    let answer = admin.post(PROFILES, profile).expect(200);
    let id = answer.json().as_u64().unwrap_or_else(|| panic!("no bare id\n{answer}"));
    format!("{PROFILES}/{id}")
}

/// The list of ids.
#[track_caller]
fn ids(admin: &mut Client) -> Vec<u64> {
    let list = admin.get(PROFILES).expect(200).json();
    list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

fn id_of(path: &str) -> u64 {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// A token request with these form fields, credentials among them.
#[track_caller]
fn token(client: &mut Client, form: &str) -> Response {
    let request = client.request("POST", "/oauth/token").no_credentials();
    request.text(form, "application/x-www-form-urlencoded").send()
}

/// A token request with the client credentials of the sample.
#[track_caller]
fn sample_token(client: &mut Client) -> Response {
    token(
        client,
        "grant_type=client_credentials&client_id=GHGGHGD6766&client_secret=GHZUZW441543HJUKUU",
    )
}

// proves: C-21
#[test]
fn everything_holds_in_a_virtual_directory() {
    let builder = Server::builder().appliance(NAME);
    let server = builder.set("appliances.ds-server.base_path", "/documentservices").start();
    let mut admin = server.client_of(NAME).basic("admin", "admin");
    let inside = format!("/documentservices{PROFILES}");
    let id = admin.post(&inside, &sample()).expect(200).json();
    assert!(id.is_u64(), "{id}");
    admin.get(&format!("{inside}/{id}")).expect(200);
    assert_eq!(admin.get(&inside).expect(200).json(), json!([id]));
    admin.post(&inside, &sample()).expect(400);
    let form = "grant_type=client_credentials&client_id=GHGGHGD6766&client_secret=wrong";
    let request = admin.request("POST", "/documentservices/oauth/token").no_credentials();
    request.text(form, "application/x-www-form-urlencoded").send().expect(401);
    let outside = admin.get(PROFILES);
    assert_eq!(outside.status, 404);
}
