//! Prisma Access: objects on a shared candidate, tokens, pushes.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod access;
mod drivers;
mod errors;
mod objects;
mod pushes;
mod resources;
mod steps;

use serde_json::{Value, json};
use support::Client;
use support::Response;
use support::{Server, ServerBuilder};

const APPLIANCE: &str = "prisma-access";
const LEGACY: &str = "/sse/config/v1";
const CURRENT: &str = "/config/identity/v1";
const PROFILES: &str = "/sse/config/v1/authentication-profiles";
const MOBILE: &str = "?folder=Mobile+Users";

fn builder() -> ServerBuilder {
    Server::builder().http().appliance(APPLIANCE)
}

fn start() -> (Server, Client) {
    let server = builder().start();
    let client = server.admin();
    (server, client)
}

/// Asks for a token of a tenant.
fn token(client: &mut Client, user: &str, secret: &str, tenant: &str) -> Response {
    let form = format!("grant_type=client_credentials&scope=tsg_id:{tenant}");
    let request = client.request("POST", "/oauth2/access_token").no_credentials();
    request.basic(user, secret).text(form, "application/x-www-form-urlencoded").send()
}

/// A client of a tenant.
fn client_of(server: &Server, user: &str, secret: &str, tenant: &str) -> Client {
    let mut client = server.client();
    let token = token(&mut client, user, secret, tenant).expect(200).at("/access_token");
    client.credentials("authorization", &format!("Bearer {}", token.as_str().unwrap_or_default()))
}

/// Makes a profile in a folder by the legacy base.
fn profile(client: &mut Client, name: &str, folder: &str) -> String {
    let folder = folder.replace(' ', "+");
    let made = client.post(&format!("{PROFILES}?folder={folder}"), &json!({ "name": name }));
    text(&made.expect(201).at("/id"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Expects a refusal by its status, code and message.
#[track_caller]
fn refused(answer: Response, status: u16, code: &str, message: &str) -> Response {
    let answer = answer.expect(status);
    assert_eq!(answer.at("/_errors/0/code"), code, "{}", answer.text());
    assert_eq!(answer.at("/_errors/0/message"), message, "{}", answer.text());
    answer
}
