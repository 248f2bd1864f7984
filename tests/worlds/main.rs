//! Worlds: forked, chosen, reset and dropped, through the real binary. What is done in one never
//! shows in another.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod choice;
mod control;
mod isolation;
mod time;

use serde_json::{Value, json};
use support::{Client, Response, Server};

const WORLDS: &str = "/boxwood/v1/worlds";
const WEB_INTERFACE: &str = "/api/configuration/management/webinterface";
const PASSWORDS: &str = "/api/configuration/passwords";

/// Asks for a world.
#[track_caller]
fn fork(server: &Server, body: &Value) -> Response {
    server.client().post(WORLDS, body)
}

/// Makes a world of this name from `main`.
#[track_caller]
fn world(server: &Server, name: &str) {
    fork(server, &json!({ "name": name })).expect(201);
}

/// The administrator of SPS, logged in to a world.
#[track_caller]
fn admin(server: &Server, world: &str) -> Client {
    let mut client = server.client().in_world(world);
    client.login("admin", "admin").expect(200);
    client
}

/// Commits a number that is easy to see.
#[track_caller]
fn set_timeout(client: &mut Client, minutes: u64) {
    client.open().expect(200);
    client.put(WEB_INTERFACE, &json!({ "timeout": minutes })).expect(200);
    client.commit().expect(200);
}

#[track_caller]
fn timeout(client: &mut Client) -> u64 {
    client.get(WEB_INTERFACE).expect(200).at("/body/timeout").as_u64().unwrap()
}
