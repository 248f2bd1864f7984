//! Boxwood's own API: sessions, nodes, edits and transactions, over every kind of appliance.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod description;
mod edits;
mod nodes;
mod sessions;
mod transactions;

use serde_json::{Value, json};
use support::{Client, Server};

const V1: &str = "/boxwood/v1";

/// A client with a token of its own.
fn with_token(server: &Server, appliance: &str, user: &str, password: &str) -> Client {
    let mut client = server.client_of(appliance);
    let body = json!({ "user": user, "password": password });
    let token = client.post(&v1("sessions"), &body).expect(201).at("/token");
    client.credentials("Authorization", &format!("Bearer {}", token.as_str().unwrap()))
}

/// The administrator, with a token.
fn admin(server: &Server, appliance: &str) -> Client {
    with_token(server, appliance, "admin", "admin")
}

/// A path of the API.
fn v1(rest: &str) -> String {
    format!("{V1}/{rest}")
}

/// The kind of a problem.
fn kind(problem: &Value) -> String {
    problem["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}
