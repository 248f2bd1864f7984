//! The kernel's capabilities over the wire: plans, retries, confirmations, history, watching.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod commits;
mod past;
mod watching;

use serde_json::{Value, json};
use support::{Client, Server};

const HEALTH: &str = "/api/configuration/management/health_monitoring";
const MAIL: &str = "/api/configuration/management/email";
const PASSWORDS: &str = "/api/configuration/passwords";
const TRANSACTION: &str = "/api/transaction";

fn concurrent() -> Server {
    Server::builder().set("transactions.mode", "concurrent").start()
}

/// Stages a load in the health monitoring.
fn load(client: &mut Client, load: u64) {
    let mut body = client.get(HEALTH).expect(200).at("/body");
    body["maximum_load1"] = json!(load);
    client.put(HEALTH, &body).expect(200);
}

fn seen_load(client: &mut Client) -> Value {
    client.get(HEALTH).expect(200).at("/body/maximum_load1")
}

/// Opens, stages and commits; answers the revision.
fn commit_load(client: &mut Client, value: u64) -> u64 {
    client.open().expect(200);
    load(client, value);
    client.commit().expect(200);
    client.get("/boxwood/v1/health").expect(200).at("/revision").as_u64().unwrap()
}
