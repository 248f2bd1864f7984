//! Appgate SDP over real sockets: what the reference states of it, by number.
//!
//! Every answer also follows the rules of the dialect in `support::Dialect`.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod access;
mod exports;
mod lists;
mod profiles;

use serde_json::{Value, json};
use support::{Client, Response, Server};

const NAME: &str = "appgate-sdp";
const PROFILES: &str = "/admin/client-profiles";
const UNKNOWN: &str = "/admin/client-profiles/00000000-0000-4000-8000-000000000000";

/// A server of this appliance alone, and its administrator, who speaks version 23.
fn started() -> (Server, Client) {
    let server = Server::dev_of(&[NAME]);
    let admin = server.admin();
    (server, admin)
}

fn accept(version: u32) -> String {
    format!("application/vnd.appgate.peer-v{version}+json")
}

/// A minimal profile.
fn minimal(name: &str) -> Value {
    json!({ "name": name, "identityProviderName": "local" })
}

/// Creates a profile and returns its path.
#[track_caller]
fn create(admin: &mut Client, profile: &Value) -> String {
    let id = admin.post(PROFILES, profile).expect(200).at("/id");
    format!("{PROFILES}/{}", id.as_str().unwrap())
}

/// What a login sends.
fn login_body(user: &str, password: &str) -> Value {
    json!({
        "providerName": "local",
        "deviceId": "9a1f3b52-6c1e-4b8e-8f6f-3a52ad0c2f11",
        "username": user,
        "password": password,
    })
}

/// The fields that a 422 names.
#[track_caller]
fn fields(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 422, "{answer}");
    let errors = answer.at("/errors");
    let errors = errors.as_array().unwrap().iter();
    errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

/// The names in a list.
fn names(list: &Value) -> Vec<String> {
    let data = list["data"].as_array().unwrap().iter();
    data.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}
